"""What $filter may hold on /data, and what it means there: enums, wildcards, dates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.filter import Arithmetic, Call, Compare, In, Lambda, Literal, Logic, Node, Not, Path
from weft_d365fo.simulator.errors import FoError, bad_request
from weft_d365fo.simulator.schema import NAMESPACE, EntitySet, Property
from weft_d365fo.simulator.values import noon

if TYPE_CHECKING:
    from weft_d365fo.simulator.settings import Settings


def prepare(node: Node, entity_set: EntitySet, settings: Settings) -> Node:
    """The filter as the store understands it. Raises FoError 400 for what /data does not serve."""
    return _Preparing(entity_set, settings).node(node)


def refused(error: ODataQueryError) -> FoError:
    return bad_request(f"The query specified in the URI is not valid. {error.message}")


class _Preparing:
    def __init__(self, entity_set: EntitySet, settings: Settings) -> None:
        self.set = entity_set
        self.settings = settings

    def node(self, node: Node) -> Node:
        match node:
            case Compare():
                return self._compare(node)
            case Logic():
                return replace(node, left=self.node(node.left), right=self.node(node.right))
            case Not():
                return replace(node, operand=self.node(node.operand))
            case Arithmetic():
                right = None if node.right is None else self.node(node.right)
                return replace(node, left=self.node(node.left), right=right)
            case Call():
                if not self.settings.text_functions:
                    raise bad_request(
                        f"The query specified in the URI is not valid. The function '{node.name}' is not supported."
                    )
                return replace(node, arguments=tuple(self.node(item) for item in node.arguments))
            case In():
                raise bad_request("The query specified in the URI is not valid. The operator 'in' is not supported.")
            case Lambda():
                raise bad_request(
                    f"The query specified in the URI is not valid. The operator '{node.operator}' is not supported."
                )
            case Path():
                self._prop(node)
                return node
            case _:
                return node

    def _prop(self, node: Node) -> Property | None:
        if not isinstance(node, Path):
            return None
        if len(node.segments) > 1:
            raise bad_request(
                "The query specified in the URI is not valid. Filters cannot cross navigation properties."
            )
        name = node.segments[0]
        if f"{self.set.name}.{name}" in self.settings.unfilterable:
            raise bad_request(f"The query specified in the URI is not valid. The field '{name}' cannot be queried.")
        if name not in self.set.properties:
            raise bad_request(
                f"The query specified in the URI is not valid. Could not find a property named '{name}' on type "
                f"'{NAMESPACE}.{self.set.type}'."
            )
        return self.set.properties[name]

    def _compare(self, node: Compare) -> Node:
        left, right = self.node(node.left), self.node(node.right)
        prop, literal = self._prop(node.left), node.right
        if prop is None:
            prop, literal = self._prop(node.right), node.left
        if prop is None:
            return replace(node, left=left, right=right)
        if prop.kind in "SE" and node.operator not in ("eq", "ne"):
            raise bad_request(
                "The query specified in the URI is not valid. A binary operator with incompatible types was detected. "
                f"Found operand types '{prop.edm}' and '{prop.edm}' for operator '{node.operator}'."
            )
        if not isinstance(literal, Literal):
            return replace(node, left=left, right=right)
        if prop.kind == "E":
            made: Node = self._enum(prop, literal)
        elif prop.kind == "S":
            wild = _wildcard(node, prop, literal)
            if wild is not None:
                return wild
            made = literal
        elif prop.kind == "D" and literal.kind in ("Edm.DateTimeOffset", "Edm.Date"):
            made = Literal("Edm.DateTimeOffset", noon(str(literal.value)), literal.position)
        else:
            made = literal
        return replace(node, right=made) if node.right is literal else replace(node, left=made)

    def _enum(self, prop: Property, literal: Literal) -> Literal:
        if literal.kind == "Null":
            return literal
        text = str(literal.value)
        known = literal.kind == f"{NAMESPACE}.{prop.enum}" or (
            literal.kind == "Edm.String" and self.settings.enum_texts
        )
        if not known or text not in prop.members:
            raise bad_request(
                "The query specified in the URI is not valid. A binary operator with incompatible types was detected. "
                f"Found operand types '{prop.edm}' and '{literal.kind}' for operator kind 'Equal'."
            )
        return Literal(prop.edm, text, literal.position)


def _wildcard(node: Compare, prop: Property, literal: Literal) -> Node | None:
    """``Name eq '*retail*'``: an asterisk stands for any text."""
    text = literal.value
    if literal.kind != "Edm.String" or not isinstance(text, str) or "*" not in text:
        return None
    at = node.position
    path = Path((prop.name,), at)
    first, *middle, last = text.split("*")
    tests: list[Node] = []
    if first:
        tests.append(Call("startswith", (path, Literal("Edm.String", first, at)), at))
    tests += [Call("contains", (path, Literal("Edm.String", part, at)), at) for part in middle if part]
    if last:
        tests.append(Call("endswith", (path, Literal("Edm.String", last, at)), at))
    if not tests:
        tests.append(Literal("Edm.Boolean", True, at))
    made = tests[0]
    for test in tests[1:]:
        made = Logic("and", made, test, at)
    return Not(made, at) if node.operator == "ne" else made


def both(where: Node | None, other: Node | None) -> Node | None:
    if where is None or other is None:
        return where or other
    return Logic("and", where, other, 0)
