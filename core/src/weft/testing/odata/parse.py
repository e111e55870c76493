"""``$filter`` text -> tree: recursive descent over OData v4's grammar, with exact positions and literal kinds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, NoReturn

from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.filter import Arithmetic, Call, Compare, In, Lambda, Literal, Logic, Node, Not, Path
from weft.testing.odata.values import INTEGERS, is_date, is_instant, normal_instant

MAX_NESTING = 100

FUNCTIONS: dict[str, tuple[int, ...]] = {
    "contains": (2,), "startswith": (2,), "endswith": (2,), "substringof": (2,), "indexof": (2,), "concat": (2,),
    "substring": (2, 3), "length": (1,), "tolower": (1,), "toupper": (1,), "trim": (1,),
    "year": (1,), "month": (1,), "day": (1,), "hour": (1,), "minute": (1,), "second": (1,), "date": (1,),
    "round": (1,), "floor": (1,), "ceiling": (1,), "now": (0,),
}  # fmt: skip
"""Known functions and the numbers of arguments they take."""

_COMPARISONS = {"eq", "ne", "gt", "ge", "lt", "le"}
_WORDS = {*_COMPARISONS, "and", "or", "not", "in", "add", "sub", "mul", "div", "mod", "has"}

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<guid>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![\w-]))
    | (?P<instant>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)(?!\w))
    | (?P<date>\d{4}-\d\d-\d\d(?![\w-]))
    | (?P<time>\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?!\w))
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[mMdDfFlL]?(?![\w:-]))
    | (?P<string>'(?:[^']|'')*')
    | (?P<prefixed>[A-Za-z_][\w.]*'(?:[^']|'')*')
    | (?P<name>[A-Za-z_$@]\w*(?:\.[A-Za-z_]\w*)*)
    | (?P<punct>[(),/:-])
    )""",
    re.VERBOSE,
)


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


@lru_cache(maxsize=2048)
def parse_filter(text: str) -> Node:
    """Parse decoded ``$filter`` text. Cached. Raises ODataQueryError(kind="syntax" | "function").

    ``not`` binds to the next operand only, as the grammar has it: ``not (Name eq 'x')`` needs its brackets.
    """
    parser = _Parser(text)
    node = parser.disjunction(0)
    parser.expect_end()
    return node


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            _fail(text, start, "not understood" if text[start] != "'" else "text without a closing quote")
        found.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        position = match.end()
    found.append(_Token("end", "", len(text)))
    return found


def _fail(text: str, position: int, what: str) -> NoReturn:
    raise ODataQueryError(
        "syntax", f"Syntax error at position {position} in '{text}': {what}.", position=position, text=text
    )


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    def disjunction(self, depth: int) -> Node:
        left = self._conjunction(depth)
        while (token := self._word("or")) is not None:
            left = Logic("or", left, self._conjunction(depth), token.position)
        return left

    def expect_end(self) -> None:
        token = self._peek
        if token.kind != "end":
            _fail(self._text, token.position, f"unexpected '{token.text}'")

    def _conjunction(self, depth: int) -> Node:
        left = self._comparison(depth)
        while (token := self._word("and")) is not None:
            left = Logic("and", left, self._comparison(depth), token.position)
        return left

    def _comparison(self, depth: int) -> Node:
        left = self._sum(depth)
        if (token := self._word(*_COMPARISONS)) is not None:
            return Compare(token.text, left, self._sum(depth), token.position)
        if (token := self._word("in")) is not None:
            return In(left, self._list(), token.position)
        return left

    def _sum(self, depth: int) -> Node:
        left = self._product(depth)
        while (token := self._word("add", "sub")) is not None:
            left = Arithmetic(token.text, left, self._product(depth), token.position)
        return left

    def _product(self, depth: int) -> Node:
        left = self._unary(depth)
        while (token := self._word("mul", "div", "mod")) is not None:
            left = Arithmetic(token.text, left, self._unary(depth), token.position)
        return left

    def _unary(self, depth: int) -> Node:
        if depth > MAX_NESTING:
            _fail(self._text, self._peek.position, f"nested deeper than {MAX_NESTING}")
        if (token := self._word("not")) is not None:
            return Not(self._unary(depth + 1), token.position)
        token = self._peek
        if token.text == "-" and token.kind == "punct":
            self._at += 1
            return Arithmetic("neg", self._unary(depth + 1), None, token.position)
        return self._primary(depth)

    def _primary(self, depth: int) -> Node:
        token = self._next()
        if token.kind == "punct" and token.text == "(":
            node = self.disjunction(depth + 1)
            self._punct(")")
            return node
        if token.kind == "name" and token.text not in ("true", "false", "null", "NaN", "INF"):
            if token.text in _WORDS:
                _fail(self._text, token.position, f"operand expected, found '{token.text}'")
            if self._is("("):
                return self._call(token, depth)
            return self._path(token, depth)
        return self._literal(token)

    def _call(self, token: _Token, depth: int) -> Node:
        name = token.text.lower()
        allowed = FUNCTIONS.get(name)
        self._punct("(")
        arguments: list[Node] = []
        if not self._is(")"):
            arguments.append(self.disjunction(depth + 1))
            while self._is(","):
                self._at += 1
                arguments.append(self.disjunction(depth + 1))
        self._punct(")")
        if allowed is None or len(arguments) not in allowed:
            raise ODataQueryError(
                "function",
                f"An unknown function with name '{token.text}' and {len(arguments)} arguments was found.",
                name=token.text,
                count=len(arguments),
            )
        return Call(name, tuple(arguments), token.position)

    def _path(self, token: _Token, depth: int) -> Node:
        segments = [token.text]
        while self._is("/"):
            self._at += 1
            part = self._next()
            if part.kind != "name":
                _fail(self._text, part.position, "a property name is expected after '/'")
            if part.text in ("any", "all") and self._is("("):
                return self._lambda(part, Path(tuple(segments), token.position), depth)
            segments.append(part.text)
        return Path(tuple(segments), token.position)

    def _lambda(self, token: _Token, path: Path, depth: int) -> Node:
        self._punct("(")
        if self._is(")") and token.text == "any":
            self._at += 1
            return Lambda("any", path, None, None, token.position)
        variable = self._next()
        if variable.kind != "name":
            _fail(self._text, variable.position, "a range variable is expected")
        self._punct(":")
        body = self.disjunction(depth + 1)
        self._punct(")")
        return Lambda(token.text, path, variable.text, body, token.position)

    def _list(self) -> tuple[Literal, ...]:
        self._punct("(")
        items = [self._literal(self._next())]
        while self._is(","):
            self._at += 1
            items.append(self._literal(self._next()))
        self._punct(")")
        return tuple(items)

    def _literal(self, token: _Token) -> Literal:
        kind, text, at = token
        if kind == "string":
            return Literal("Edm.String", text[1:-1].replace("''", "'"), at)
        if kind == "guid":
            return Literal("Edm.Guid", text.lower(), at)
        if kind == "instant" and is_instant(text):
            return Literal("Edm.DateTimeOffset", normal_instant(text), at)
        if kind == "date" and is_date(text):
            return Literal("Edm.Date", text, at)
        if kind == "time":
            return Literal("Edm.TimeOfDay", text, at)
        if kind == "number":
            return _number(text, at)
        if kind == "name" and text in ("true", "false"):
            return Literal("Edm.Boolean", text == "true", at)
        if kind == "name" and text == "null":
            return Literal("Null", None, at)
        if kind == "prefixed":
            prefix, value = text.split("'", 1)
            value = value[:-1].replace("''", "'")
            if prefix == "duration":
                return Literal("Edm.Duration", value, at)
            if "." in prefix:
                return Literal(prefix, value, at)
        _fail(self._text, at, "unexpected end" if kind == "end" else f"unexpected '{text}'")

    @property
    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        if token.kind != "end":
            self._at += 1
        return token

    def _is(self, text: str) -> bool:
        token = self._peek
        return token.kind == "punct" and token.text == text

    def _punct(self, text: str) -> None:
        token = self._next()
        if token.kind != "punct" or token.text != text:
            found = "the end" if token.kind == "end" else f"'{token.text}'"
            _fail(self._text, token.position, f"'{text}' expected, found {found}")

    def _word(self, *words: str) -> _Token | None:
        token = self._peek
        if token.kind == "name" and token.text in words:
            self._at += 1
            return token
        return None


def _number(text: str, at: int) -> Literal:
    suffix = text[-1].lower()
    digits = text[:-1] if suffix in "mdfl" else text
    if suffix == "m":
        return Literal("Edm.Decimal", Decimal(digits), at)
    if suffix in "df":
        return Literal("Edm.Double" if suffix == "d" else "Edm.Single", Decimal(digits), at)
    if "." in digits or "e" in digits.lower():
        return Literal("Edm.Decimal", Decimal(digits), at)
    value = int(digits)
    for kind in ("Edm.Int32", "Edm.Int64"):
        low, high = INTEGERS[kind]
        if low <= value <= high and not (suffix == "l" and kind == "Edm.Int32"):
            return Literal(kind, value, at)
    return Literal("Edm.Decimal", Decimal(value), at)


def split_top(text: str, separator: str) -> Sequence[str]:
    """Split at separators outside brackets and quotes: ``a,b($select=c,d)`` at ``,`` -> two parts."""
    parts: list[str] = []
    depth, start, quoted = 0, 0, False
    for at, char in enumerate(text):
        if char == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth < 0:
                _fail(text, at, "')' without '('")
        elif char == separator and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    if depth or quoted:
        _fail(text, len(text), "')' or a closing quote is missing")
    parts.append(text[start:])
    return parts
