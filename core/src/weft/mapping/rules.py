"""Conditions on canonical records: a flow's ``when``, ``approve`` and ``company``, a variant's ``accepts``.

The usual shapes are compiled to exact Python, so that amounts are compared as money::

    type = 'Customer'          amount > 10000          address.country in ['US', 'CA']
    not blocked                date >= '2024-01-01'    (a = 1 or b != 'x') and email != null

Fields go by their dotted names; beside the entity's own, ``company``, ``variant`` and ``object`` of
the record can be named. What is ABSENT counts as EMPTY, written ``null``:

* ``=`` and ``!=`` compare with ``null`` as with any value; EMPTY equals nothing but ``null`` and ``''``;
* ``<``, ``<=``, ``>``, ``>=`` and ``in`` do not hold for EMPTY;
* a field by itself holds when it is true, a number other than 0, or a text other than ``''``;
* numbers are compared in decimals, days and moments as such (``'2024-01-31'``,
  ``'2024-01-31T08:00:00Z'``), text exactly. Comparing a text with a number is an error.

Anything else is JSONata over the record (see :mod:`.expression`): EMPTY is the text ``''`` there, lines
are lists, and amounts are compared in binary arithmetic.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from weft.mapping.expression import Expression, ExpressionError
from weft.mapping.writing import canonical_view
from weft.model.values import Ref
from weft.records import Canonical
from weft.yamlpos import suggest

Rule = Callable[[Canonical], bool]
"""Whether a record satisfies a condition. Raises ExpressionError when it cannot be decided."""

_Get = Callable[[Canonical], Any]
_RECORD = frozenset(["company", "variant", "object"])
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'[^'\\]*'|"[^"\\]*")
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?![\w.]))
    |(?P<op>!=|<=|>=|=|<|>)|(?P<sign>[()\[\],])
    |(?P<word>[^\W\d]\w*(?:\.[^\W\d]\w*)*))""",
    re.VERBOSE,
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class _Other(Exception):
    """Not one of the usual shapes."""


class _Clash(Exception):
    """Two values that cannot be compared."""


def compile_rule(text: str, *, at: str = "", fields: Mapping[str, Any] | None = None) -> Rule:
    """Compile a condition; ``fields`` (names of the entity's fields) lets unknown names be told.

    Raises :class:`ExpressionError` naming ``at`` and the place within the text.
    """
    try:
        parser = _Parser(text, at, fields)
        rule = parser.whole()
    except _Other:
        return _jsonata(text, at, fields)

    def decide(record: Canonical) -> bool:
        try:
            return rule(record)
        except _Clash as error:
            raise ExpressionError(str(error), text, at) from None

    return decide


def _jsonata(text: str, at: str, fields: Mapping[str, Any] | None) -> Rule:
    expression = Expression(text, at, ("lines", "taxes"))
    if fields is not None and expression.reads is not None:
        first = {name.split(".", 1)[0] for name in fields}
        for name in expression.reads:
            if name not in first and name not in _RECORD and name not in ("custom", "lines", "taxes"):
                raise ExpressionError(f"there is no field {name!r}{suggest(name, sorted(first))}", text, at)

    def decide(record: Canonical) -> bool:
        own = {name: getattr(record, name) for name in _RECORD if name not in record.fields}
        lines = {name: [line.fields for line in rows] for name, rows in record.lines.items()}
        return expression.truth(canonical_view({**own, **record.fields}, lines))

    return decide


class _Parser:
    """Recursive descent: or, and, not, comparison. Raises _Other for anything it does not know."""

    def __init__(self, text: str, at: str, fields: Mapping[str, Any] | None) -> None:
        self.text, self.at, self.fields = text, at, fields
        self.tokens: list[_Token] = []
        place = 0
        while place < len(text.rstrip()):
            found = _TOKEN.match(text, place)
            if found is None:
                raise _Other
            kind = found.lastgroup or ""
            self.tokens.append(_Token(kind, found.group(kind), found.start(kind)))
            place = found.end()
        if len(self.tokens) > 500:
            raise _Other
        self.next = 0
        self.depth = 0

    def whole(self) -> Rule:
        if not self.tokens:
            raise ExpressionError("the rule is empty", self.text, self.at)
        rule = self.either()
        if self.next < len(self.tokens):
            raise _Other
        return rule

    def peek(self, *texts: str) -> bool:
        if self.next >= len(self.tokens):
            return False
        token = self.tokens[self.next]
        return token.kind != "text" and token.text in texts

    def take(self) -> _Token:
        if self.next >= len(self.tokens):
            raise _Other
        self.next += 1
        return self.tokens[self.next - 1]

    def expect(self, text: str) -> None:
        if not self.peek(text):
            raise _Other
        self.next += 1

    def either(self) -> Rule:
        rules = [self.both()]
        while self.peek("or"):
            self.next += 1
            rules.append(self.both())
        return rules[0] if len(rules) == 1 else lambda record: any(rule(record) for rule in rules)

    def both(self) -> Rule:
        rules = [self.one()]
        while self.peek("and"):
            self.next += 1
            rules.append(self.one())
        return rules[0] if len(rules) == 1 else lambda record: all(rule(record) for rule in rules)

    def one(self) -> Rule:
        self.depth += 1
        if self.depth > 50:
            raise _Other
        try:
            if self.peek("not"):
                self.next += 1
                inner = self.one()
                return lambda record: not inner(record)
            if self.peek("("):
                self.next += 1
                rule = self.either()
                self.expect(")")
                return rule
            return self.comparison()
        finally:
            self.depth -= 1

    def comparison(self) -> Rule:
        left, constant = self.operand()
        if self.peek("in"):
            self.next += 1
            return self.member(left)
        if self.next < len(self.tokens) and self.tokens[self.next].kind == "op":
            sign = self.take().text
            right, _ = self.operand()
            if sign == "=":
                return lambda record: _equal(left(record), right(record))
            if sign == "!=":
                return lambda record: not _equal(left(record), right(record))
            compare = _COMPARE[sign]
            return lambda record: _ordered(compare, left(record), right(record))
        if constant:
            value = left(Canonical("", "", "", {}))
            if not isinstance(value, bool):
                raise _Other
        return lambda record: _holds(left(record))

    def member(self, left: _Get) -> Rule:
        self.expect("[")
        values: list[_Get] = []
        while not self.peek("]"):
            value, _ = self.operand()
            values.append(value)
            if not self.peek("]"):
                self.expect(",")
        self.expect("]")

        def inside(record: Canonical) -> bool:
            value = left(record)
            return value is not None and any(_equal(value, other(record)) for other in values)

        return inside

    def operand(self) -> tuple[_Get, bool]:
        """How to get a value, and whether it is a constant."""
        token = self.take()
        value: Any
        if token.kind == "text":
            value = token.text[1:-1] or None
        elif token.kind == "number":
            value = Decimal(token.text)
        elif token.kind != "word" or token.text in ("and", "or", "in", "not"):
            raise _Other
        elif token.text in ("true", "false"):
            value = token.text == "true"
        elif token.text == "null":
            value = None
        else:
            return self.field(token), False
        return lambda record: value, True

    def field(self, token: _Token) -> _Get:
        name = token.text
        known = self.fields is None or name in self.fields or name.startswith("custom.")
        if name in _RECORD and (self.fields is None or name not in self.fields):
            return lambda record: record.fields.get(name, getattr(record, name)) or None
        if not known:
            if any(other.startswith(f"{name}.") for other in self.fields or ()):
                raise _Other
            near = suggest(name, list(self.fields or ()))
            raise ExpressionError(f"there is no field {name!r}{near}", self.text, self.at, token.at)
        return lambda record: record.fields.get(name)


# -- comparing -------------------------------------------------------------------------------------


def _holds(value: Any) -> bool:
    return bool(value)


def _equal(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return left is right
    left, right = _alike(left, right)
    return bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    left, right = _alike(left, right)
    if isinstance(left, bool | Ref | list | dict):
        raise _Clash(f"{_show(left)} cannot be ordered")
    return bool(compare(left, right))


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Both values in one type."""
    if isinstance(left, str) and not isinstance(right, str):
        right, left = _alike(right, left)
        return left, right
    if isinstance(left, bool) or isinstance(right, bool):
        if isinstance(left, bool) and isinstance(right, bool):
            return left, right
    elif isinstance(left, int | Decimal) and isinstance(right, int | Decimal):
        return left, right
    elif isinstance(left, datetime):
        if isinstance(right, datetime):
            return left, right
        if isinstance(right, str):
            return left, _moment(right)
        if isinstance(right, date):
            return left, datetime(right.year, right.month, right.day, tzinfo=UTC)
    elif isinstance(left, date):
        if isinstance(right, datetime):
            return datetime(left.year, left.month, left.day, tzinfo=UTC), right
        if isinstance(right, date):
            return left, right
        if isinstance(right, str):
            return left, _day(right)
    elif isinstance(left, Ref) and isinstance(right, str):
        return left.key, right
    elif type(left) is type(right):
        return left, right
    raise _Clash(f"{_show(left)} cannot be compared with {_show(right)}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _Clash(f"a date cannot be compared with {_show(text)}; write 'YYYY-MM-DD'") from None


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _Clash(f"a time cannot be compared with {_show(text)}; write 'YYYY-MM-DDThh:mm:ssZ'") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _show(value: Any) -> str:
    names = {str: "the text", bool: "the truth value", int: "the number", Decimal: "the number"}
    name = names.get(type(value), f"the {type(value).__name__.lower()}")
    return f"{name} {value!r}" if isinstance(value, str) else f"{name} {value}"
