"""The tree of a ``$filter``: its nodes, and what can be asked of a whole tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Literal:
    """``kind`` is what the text looked like: Edm.String (quoted), Edm.Guid, Edm.Date, Edm.DateTimeOffset,
    Edm.Int32, Edm.Int64, Edm.Decimal, Edm.Boolean, Edm.TimeOfDay, Edm.Duration, Null, Enum (``NS.T'Member'``)."""

    kind: str
    value: object
    position: int


@dataclass(frozen=True, slots=True)
class Path:
    """``Account/Name`` -> ("Account", "Name")."""

    segments: tuple[str, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Compare:
    """``operator``: eq ne gt ge lt le."""

    operator: str
    left: Node
    right: Node
    position: int


@dataclass(frozen=True, slots=True)
class In:
    left: Node
    items: tuple[Literal, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Logic:
    """``operator``: and or."""

    operator: str
    left: Node
    right: Node
    position: int


@dataclass(frozen=True, slots=True)
class Not:
    operand: Node
    position: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``operator``: add sub mul div mod, and neg with ``right`` None."""

    operator: str
    left: Node
    right: Node | None
    position: int


@dataclass(frozen=True, slots=True)
class Call:
    """``contains(Name,'x')``; ``name`` in lower case."""

    name: str
    arguments: tuple[Node, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Lambda:
    """``Lines/any(l: l/Amount gt 1)``; ``operator`` any or all; ``body`` None for ``any()``."""

    operator: str
    path: Path
    variable: str | None
    body: Node | None
    position: int


Node = Literal | Path | Compare | In | Logic | Not | Arithmetic | Call | Lambda


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Compare() | Logic():
            return (node.left, node.right)
        case Arithmetic():
            return (node.left,) if node.right is None else (node.left, node.right)
        case In():
            return (node.left, *node.items)
        case Not():
            return (node.operand,)
        case Call():
            return node.arguments
        case Lambda():
            return (node.path,) if node.body is None else (node.path, node.body)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """Every node, parents first; without recursion, so that long ``or`` chains are no danger."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))


def terms(node: Node, operator: str) -> list[Node]:
    """The operands of a chain of the same ``and``/``or``, left to right; the node alone if it is no such chain."""
    found: list[Node] = []
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, Logic) and current.operator == operator:
            stack.extend((current.right, current.left))
        else:
            found.append(current)
    return found


def count_nodes(node: Node, *, literal_nodes: int = 2) -> int:
    """Nodes as ASP.NET's MaxNodeCount sees them: each operator and function one, a path one per segment and one for
    the range variable, a literal ``literal_nodes`` (the constant and its conversion to the property's type)."""
    total = 0
    for item in walk(node):
        if isinstance(item, Path):
            total += len(item.segments) + 1
        elif isinstance(item, Literal):
            total += literal_nodes
        else:
            total += 1
    return total


def columns(node: Node) -> set[tuple[str, ...]]:
    """Every path used."""
    return {item.segments for item in walk(node) if isinstance(item, Path)}


def columns_or_mixed(node: Node) -> bool:
    """True when an ``or`` joins conditions on more than one property (Business Central refuses that)."""
    return any(
        len({path for term in terms(item, "or") for path in columns(term)}) > 1
        for item in walk(node)
        if isinstance(item, Logic) and item.operator == "or"
    )
