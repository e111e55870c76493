"""What Business Central refuses in $filter although it is good OData."""

from __future__ import annotations

from collections.abc import Iterator

from weft.testing.odata.filter import (
    Arithmetic,
    Call,
    Compare,
    In,
    Lambda,
    Literal,
    Logic,
    Node,
    Not,
    Path,
    columns_or_mixed,
)
from weft_bc.simulator.errors import BcError, bad_request
from weft_bc.simulator.schema import EntitySet, Property, caption
from weft_bc.simulator.settings import Settings

FUNCTIONS = frozenset({"startswith", "endswith", "contains", "substring", "tolower", "toupper"})
OR_TEXT = "The 'OR' operator is not supported on distinct fields on an OData filter."


def not_implemented(what: str) -> BcError:
    return BcError(501, "BadRequest_MethodNotImplemented", f"'{what}' is not supported in an OData filter.")


def check_filter(node: Node, entity_set: EntitySet, settings: Settings, *, new_functions: bool) -> None:
    """Raise for what is refused. ``new_functions``: $schemaversion=2.1 allows ``in`` and nested functions."""
    if columns_or_mixed(node):
        raise bad_request(OR_TEXT)
    for part in walk(node):
        match part:
            case Lambda():
                raise not_implemented(part.operator)
            case In() if not new_functions:
                raise not_implemented("in")
            case Not():
                raise not_implemented("not")
            case Arithmetic() if part.operator != "neg":
                raise not_implemented(part.operator)
            case Call():
                if part.name not in FUNCTIONS:
                    raise not_implemented(part.name)
                if not new_functions and any(isinstance(argument, Call) for argument in part.arguments):
                    raise not_implemented("nested functions")
            case Path() if len(part.segments) > 1:
                raise bad_request(f"The filter path '{'/'.join(part.segments)}' crosses a navigation property.")
            case Compare() if not isinstance(part.left, Literal) and not isinstance(part.right, Literal | Arithmetic):
                raise bad_request("A filter compares a field with a value.")
            case Compare():
                _check_enum(part, entity_set, settings)


def _check_enum(node: Compare, entity_set: EntitySet, settings: Settings) -> None:
    """Enum texts must be members, in the spelling the environment understands."""
    if not isinstance(node.left, Path) or not isinstance(node.right, Literal):
        return
    prop = entity_set.property(node.left.segments[0])
    value = node.right.value
    if prop is None or prop.kind != "E" or not isinstance(value, str):
        return
    if value not in spellings(prop, settings):
        raise bad_request(f"The string '{value}' is not a valid enumeration type constant of '{prop.edm}'.")


def spellings(prop: Property, settings: Settings) -> set[str]:
    escaped, captions = set(prop.members), {caption(member) for member in prop.members}
    return {"both": escaped | captions, "escaped": escaped, "caption": captions}[settings.enum_literals]


def walk(node: Node | None) -> Iterator[Node]:
    if node is None:
        return
    yield node
    match node:
        case Compare() | Logic() | Arithmetic():
            yield from walk(node.left)
            yield from walk(node.right)
        case Not():
            yield from walk(node.operand)
        case In():
            yield from walk(node.left)
        case Call():
            for argument in node.arguments:
                yield from walk(argument)


def equalities(node: Node | None) -> set[str]:
    """Lower-case names of fields that an and-joined ``eq`` fixes (also an ``or`` of them on one field)."""
    match node:
        case Compare() if node.operator == "eq" and isinstance(node.left, Path):
            return {node.left.segments[0].lower()}
        case Logic() if node.operator == "and":
            return equalities(node.left) | equalities(node.right)
        case Logic():
            return equalities(node.left) & equalities(node.right)
        case In() if isinstance(node.left, Path):
            return {node.left.segments[0].lower()}
    return set()
