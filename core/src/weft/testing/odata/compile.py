"""A filter tree -> a Python closure over rows, with the types checked on the way.

Null follows OData v4: ``eq``/``ne`` compare with null like with any value, the other comparisons with null are
false, functions and arithmetic of null are null, and null as a condition is neither true nor false.
"""

from __future__ import annotations

import operator as op
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from weft.testing.odata.errors import ODataQueryError
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
    terms,
)
from weft.testing.odata.functions import FUNCTIONS
from weft.testing.odata.scope import Scope, TypeCheck, no_property, resolve, strict_types, type_error
from weft.testing.odata.table import Row
from weft.testing.odata.values import INTEGERS, NUMBERS

__all__ = ["Scope", "TypeCheck", "compile_filter", "strict_types"]

Get = Callable[[Row], Any]

_KINDS = {
    "eq": "Equal", "ne": "NotEqual", "gt": "GreaterThan", "ge": "GreaterThanOrEqual", "lt": "LessThan",
    "le": "LessThanOrEqual", "and": "And", "or": "Or", "add": "Add", "sub": "Subtract", "mul": "Multiply",
    "div": "Divide", "mod": "Modulo", "neg": "Negate", "not": "Not", "in": "In",
}  # fmt: skip
_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {"gt": op.gt, "ge": op.ge, "lt": op.lt, "le": op.le}


def compile_filter(node: Node, scope: Scope) -> Callable[[Row], bool | None]:
    """Raises ODataQueryError(kind="property" | "types" | "function" | "unsupported"). The closure's answer is to be
    taken as truth value: None is null."""
    return _condition(node, scope, None)


def _condition(node: Node, scope: Scope, parent: str | None) -> Get:
    edm, get = _value(node, scope)
    if edm not in ("Edm.Boolean", "Null"):
        if parent is None:
            raise ODataQueryError(
                "types", "The $filter expression must evaluate to a single boolean value.",
                left=edm, right="Edm.Boolean", operator="Filter",
            )  # fmt: skip
        raise type_error(_KINDS[parent], edm, "Edm.Boolean")
    return get


def _value(node: Node, scope: Scope) -> tuple[str, Get]:
    match node:
        case Literal():
            value = node.value
            return node.kind, lambda row: value
        case Path():
            column = resolve(node.segments, scope)
            return column.edm, column.get
        case Compare():
            return "Edm.Boolean", _compare(node, scope)
        case In():
            return "Edm.Boolean", _in(node, scope)
        case Logic():
            return "Edm.Boolean", _logic(node, scope)
        case Not():
            operand = _condition(node.operand, scope, "not")
            return "Edm.Boolean", lambda row: None if (value := operand(row)) is None else not value
        case Arithmetic():
            return _arithmetic(node, scope)
        case Call():
            return _call(node, scope)
        case Lambda():
            return "Edm.Boolean", _lambda(node, scope)


def _logic(node: Logic, scope: Scope) -> Get:
    parts = [_condition(term, scope, node.operator) for term in terms(node, node.operator)]
    decisive = node.operator == "or"

    def chain(row: Row) -> bool | None:
        unknown = False
        for part in parts:
            value = part(row)
            if value is None:
                unknown = True
            elif bool(value) is decisive:
                return decisive
        return None if unknown else not decisive

    return chain


def _compare(node: Compare, scope: Scope) -> Get:
    left_edm, left = _value(node.left, scope)
    right_edm, right = _value(node.right, scope)
    scope.check(_KINDS[node.operator], left_edm, right_edm, isinstance(node.right, Literal))
    if left_edm == "Null" or right_edm == "Null":
        return _null_test(node.operator, left_edm, left, right_edm, right, scope)
    left, right, key = _common(scope, left_edm, left, right_edm, right)
    if isinstance(node.right, Literal):
        return _against(node.operator, left, key, key(right({})))
    if node.operator in ("eq", "ne"):
        wanted = node.operator == "eq"

        def same(row: Row) -> bool:
            a, b = left(row), right(row)
            equal = a is b if a is None or b is None else key(a) == key(b)
            return bool(equal) is wanted

        return same
    ordered = _ORDERINGS[node.operator]

    def compare(row: Row) -> bool:
        a, b = left(row), right(row)
        return a is not None and b is not None and ordered(key(a), key(b))

    return compare


def _against(operator: str, left: Get, key: Callable[[Any], Any], wanted: Any) -> Get:
    """Comparison with a constant: the usual case, so as few calls per row as can be."""
    if operator == "eq":
        return lambda row: (value := left(row)) is not None and key(value) == wanted
    if operator == "ne":
        return lambda row: (value := left(row)) is None or key(value) != wanted
    ordered = _ORDERINGS[operator]
    return lambda row: (value := left(row)) is not None and ordered(key(value), wanted)


def _null_test(operator: str, left_edm: str, left: Get, right_edm: str, right: Get, scope: Scope) -> Get:
    get, edm = (right, right_edm) if left_edm == "Null" else (left, left_edm)
    blank = scope.blanks.get(edm)
    if operator not in ("eq", "ne"):
        return lambda row: False
    wanted = operator == "eq"
    if blank is None:
        return lambda row: (get(row) is None) is wanted
    return lambda row: ((value := get(row)) is None or value == blank) is wanted


def _common(
    scope: Scope, left_edm: str, left: Get, right_edm: str, right: Get
) -> tuple[Get, Get, Callable[[Any], Any]]:
    """Both sides in one type, and that type's comparison key."""
    if left_edm == right_edm or (left_edm in NUMBERS and right_edm in NUMBERS):
        return left, right, scope.key_for(left_edm)
    if {left_edm, right_edm} == {"Edm.Date", "Edm.DateTimeOffset"}:
        instant = scope.key_for("Edm.DateTimeOffset")
        return (
            _midnight(left) if left_edm == "Edm.Date" else left,
            _midnight(right) if right_edm == "Edm.Date" else right,
            instant,
        )
    return left, right, scope.key_for(right_edm if left_edm == "Edm.String" else left_edm)


def _midnight(get: Get) -> Get:
    return lambda row: None if (value := get(row)) is None else f"{value}T00:00:00Z"


def _in(node: In, scope: Scope) -> Get:
    edm, get = _value(node.left, scope)
    key: Callable[[Any], Any] = scope.key_for(edm)
    wanted: set[Any] = set()
    with_null = False
    for item in node.items:
        scope.check(_KINDS["in"], edm, item.kind, True)
        if item.kind == "Null":
            with_null = True
            continue
        _, constant, key = _common(scope, edm, get, item.kind, lambda row, value=item.value: value)  # type: ignore[misc]
        wanted.add(key(constant({})))
    blank = scope.blanks.get(edm)

    def member(row: Row) -> bool:
        value = get(row)
        if value is None or (with_null and blank is not None and value == blank):
            return with_null
        return key(value) in wanted

    return member


def _arithmetic(node: Arithmetic, scope: Scope) -> tuple[str, Get]:
    left_edm, left = _value(node.left, scope)
    if node.right is None:
        if left_edm not in NUMBERS:
            raise type_error(_KINDS["neg"], left_edm, left_edm)
        return left_edm, lambda row: None if (value := left(row)) is None else -value
    right_edm, right = _value(node.right, scope)
    if left_edm not in {*NUMBERS, "Null"} or right_edm not in {*NUMBERS, "Null"}:
        raise type_error(_KINDS[node.operator], left_edm, right_edm)
    whole = left_edm in INTEGERS and right_edm in INTEGERS
    run = _whole_division if whole and node.operator == "div" else _OPERATIONS[node.operator]

    def apply(row: Row) -> Any:
        a, b = left(row), right(row)
        if a is None or b is None or (b == 0 and node.operator in ("div", "mod")):
            return None
        return run(a, b)

    return ("Edm.Int64" if whole else "Edm.Decimal"), apply


def _whole_division(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: Decimal(a) / Decimal(b),
    "mod": lambda a, b: Decimal(a) % Decimal(b),  # sign of the dividend, as in C#
}


def _call(node: Call, scope: Scope) -> tuple[str, Get]:
    if node.name == "now":
        now = scope.now
        if now is None:
            raise ODataQueryError("unsupported", "now() is not served.", what="now")
        return "Edm.DateTimeOffset", lambda row: now()
    function = FUNCTIONS[node.name]
    gets: list[Get] = []
    for argument, takes in zip(node.arguments, function.takes, strict=False):
        edm, get = _value(argument, scope)
        if edm not in takes and edm != "Null":
            raise ODataQueryError(
                "function",
                f"No function signature for the function with name '{node.name}' matches the specified arguments.",
                name=node.name,
                count=len(node.arguments),
            )
        gets.append(get)
    run = function.run
    fold = function.fold and scope.folds

    def apply(row: Row) -> Any:
        values = [get(row) for get in gets]
        if None in values:
            return None
        return run(*[value.casefold() for value in values]) if fold else run(*values)

    return function.gives, apply


def _lambda(node: Lambda, scope: Scope) -> Get:
    if not scope.lambdas:
        raise ODataQueryError("unsupported", f"'{node.operator}' is not supported.", what=node.operator)
    entity = scope.table.entity
    navigation = entity.navigations.get(node.path.segments[0])
    if len(node.path.segments) != 1 or navigation is None:
        raise no_property("/".join(node.path.segments), entity, "$filter")
    column = navigation.remote_column
    if not navigation.collection or column is None:
        raise ODataQueryError("unsupported", f"'{navigation.name}' is no collection.", what=navigation.name)
    table, key, remote = scope.store[navigation.target], entity.key, column
    if node.body is None or node.variable is None:
        return lambda row: bool(table.find(remote, row[key]))
    inner = _condition(_without_variable(node.body, node.variable), replace(scope, table=table), None)
    if node.operator == "any":
        return lambda row: any(inner(item) for item in table.find(remote, row[key]))
    return lambda row: all(inner(item) for item in table.find(remote, row[key]))


def _without_variable(node: Node, variable: str) -> Node:
    """``l/Amount gt 1`` -> ``Amount gt 1``, to be read in the collection's own type."""
    match node:
        case Path():
            if node.segments[0] != variable or len(node.segments) < 2:
                raise ODataQueryError(
                    "unsupported", "Inside any/all only the range variable's properties are served.", what="lambda"
                )
            return Path(node.segments[1:], node.position)
        case Compare() | Logic():
            return replace(
                node, left=_without_variable(node.left, variable), right=_without_variable(node.right, variable)
            )
        case Arithmetic():
            right = None if node.right is None else _without_variable(node.right, variable)
            return replace(node, left=_without_variable(node.left, variable), right=right)
        case In():
            return replace(node, left=_without_variable(node.left, variable))
        case Not():
            return replace(node, operand=_without_variable(node.operand, variable))
        case Call():
            return replace(node, arguments=tuple(_without_variable(item, variable) for item in node.arguments))
        case Lambda():
            raise ODataQueryError("unsupported", "any/all inside any/all is not served.", what="lambda")
        case _:
            return node
