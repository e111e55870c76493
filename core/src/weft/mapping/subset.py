"""Which JSONata a mapping may use: everything that cannot run away.

The engine bounds steps, depth, text and arrays, but not the size of a value built by putting a value
into itself again and again (``{"a": $x, "b": $x}``, forty times over): comparing, converting or
failing on one takes exponential time or memory inside a single step. Such values need feedback, so
feedback is refused before an expression is compiled: functions of one's own are only allowed as
arguments of the built-in functions that take one (``$map``, ``$filter`` …), and ``$reduce``,
``$eval``, transforms and computed ranges are not allowed. What is left is bounded by its own text.
Functions that answer differently each time are refused too: a mapping must be repeatable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from typing import NamedTuple

MAX_LENGTH = 4000
MAX_GROWTH = 1_000_000
MAX_RANGE = 1000

HIGHER_ORDER = frozenset(["map", "filter", "each", "sift", "single", "sort", "replace"])
REFUSED = {
    "reduce": "sum with $sum, join with $join, or pick with $filter instead",
    "eval": "an expression must be written out",
    "now": "a mapping must give the same result each time",
    "exists": "what is missing is the empty text here: use $not($blank(…))",
    "millis": "a mapping must give the same result each time",
    "random": "a mapping must give the same result each time",
    "shuffle": "a mapping must give the same result each time",
}
_BUILT_IN = """
abs append assert average base64decode base64encode boolean ceil contains count decodeUrl
decodeUrlComponent distinct each encodeUrl encodeUrlComponent error filter floor formatBase
formatInteger formatNumber fromMillis join keys length lookup lowercase map match max merge min not
number pad parseInteger parseNumber power replace reverse round sift single sort split spread sqrt
string substring substringAfter substringBefore sum toMillis trim type uppercase zip
"""
BUILT_IN = frozenset(_BUILT_IN.split())

_TOKENS = re.compile(
    r"""(?P<blank>\s+)|(?P<comment>/\*.*?\*/)
    |(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<quoted>`[^`]*`)
    |(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)
    |(?P<variable>\$\$|\$[^\W\d]\w*|\$(?!\w))
    |(?P<name>[^\W\d]\w*)
    |(?P<sign>\.\.|:=|!=|<=|>=|~>|\*\*|\?\?|\?:|[-+*/%&=<>(){}\[\].,;:?|^@#!~])""",
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n\[])+/[im]*")


class Token(NamedTuple):
    kind: str
    text: str
    at: int


class Refused(ValueError):
    """The expression is not part of the subset; ``offset`` counts characters from 0."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def tokens(source: str) -> Iterator[Token]:
    """The tokens of an expression; blanks and comments left out. Raises :class:`Refused`."""
    place = 0
    before: Token | None = None
    while place < len(source):
        # A slash after a value divides; anywhere else it opens a regular expression.
        operand = before is not None and (
            before.kind in ("text", "quoted", "number", "variable")
            or (before.kind == "name" and before.text not in ("and", "or", "in"))
            or before.text in (")", "]", "}")
        )
        if source[place] == "/" and not operand and not source.startswith("/*", place):
            found = _REGEX.match(source, place)
            kind = "regex"
        else:
            found = _TOKENS.match(source, place)
            kind = found.lastgroup or "" if found else ""
        if found is None:
            raise Refused(f"{source[place]!r} is not understood here", place)
        if kind not in ("blank", "comment"):
            before = Token(kind, found.group(), place)
            yield before
        place = found.end()


def check(source: str, functions: Set[str]) -> None:
    """Raise :class:`Refused` when the expression could run away; ``functions`` are host functions."""
    if len(source) > MAX_LENGTH:
        raise Refused(f"the expression is longer than {MAX_LENGTH} characters", MAX_LENGTH)
    known = BUILT_IN | functions
    found = list(tokens(source))
    growth = 1
    open_: list[tuple[str, str, int]] = []
    """What is open: the bracket, the function called if it is a call, references seen inside."""
    for index, token in enumerate(found):
        before = found[index - 1] if index else Token("", "", 0)
        after = found[index + 1] if index + 1 < len(found) else Token("", "", len(source))
        text = token.text
        if token.kind == "variable":
            _variable(token, before, after, known, open_)
        if token.kind in ("variable", "name", "quoted") or text in ("*", "**", "%"):
            open_ = [(bracket, call, seen + 1) for bracket, call, seen in open_]
        if (token.kind == "name" and text == "function") or text == "λ":
            _function(token, before, after, open_)
        if token.kind == "name" and text == "null" and (before.text in ("=", "!=") or after.text in ("=", "!=")):
            raise Refused("what is EMPTY is the empty text here, never null: use $blank(…)", token.at)
        if token.kind != "sign":
            continue
        if text == "|":
            raise Refused("transforms (| … |) are not allowed", token.at)
        if text in ("@", "#"):
            raise Refused(f"the operator {text} is not allowed", token.at)
        if text == ".." and not _fixed_range(found, index):
            raise Refused(f"a range must be written in whole numbers, at most {MAX_RANGE} of them", token.at)
        if text == "(" and before.text in (")", "]", "}"):
            raise Refused("only built-in functions can be called", token.at)
        if (
            text == "("
            and before.kind in ("name", "quoted")
            and before.text not in ("and", "or", "in", "function", "λ")
        ):
            raise Refused(f"functions begin with $: ${before.text}(…)", before.at)
        if text == "~>" and (after.kind != "variable" or after.text[1:] not in known):
            raise Refused("~> must be followed by a built-in function", token.at)
        if text in "({[":
            call = before.text[1:] if text == "(" and before.kind == "variable" else ""
            open_.append((text, call, 0))
        elif text in ")}]" and open_:
            bracket, _, seen = open_.pop()
            if bracket != "(":
                growth *= 1 + seen
                if growth > MAX_GROWTH:
                    raise Refused("too many objects and lists are built from one another", token.at)


def _variable(token: Token, before: Token, after: Token, known: Set[str], open_: list[tuple[str, str, int]]) -> None:
    name = token.text[1:]
    if name in REFUSED:
        raise Refused(f"{token.text} is not allowed: {REFUSED[name]}", token.at)
    if after.text == ":=" and name in known:
        raise Refused(f"{token.text} is a built-in function and cannot be assigned", token.at)
    if after.text == "(" and name not in known:
        raise Refused(f"there is no function {token.text}; only built-in functions can be called", token.at)
    if name in known and after.text != "(" and before.text != "~>":
        argument = before.text == "," and open_ and open_[-1][1] in HIGHER_ORDER
        if not argument:
            raise Refused(f"{token.text} is a function: call it, {token.text}(…)", token.at)


def _function(token: Token, before: Token, after: Token, open_: list[tuple[str, str, int]]) -> None:
    if after.text != "(":
        return  # a field that happens to be called so
    inside = open_[-1][1] if open_ else ""
    if inside not in HIGHER_ORDER or before.text not in (",", "("):
        names = ", ".join(f"${name}" for name in sorted(HIGHER_ORDER))
        raise Refused(f"a function may only stand as an argument of {names}", token.at)


def _fixed_range(found: list[Token], index: int) -> bool:
    if not 0 < index < len(found) - 1:
        return False
    low, high = found[index - 1], found[index + 1]
    edges = found[index - 2].text in ("[", ",") and index + 2 < len(found) and found[index + 2].text in "],"
    if not edges or low.kind != "number" or high.kind != "number":
        return False
    if not (low.text.isdigit() and high.text.isdigit()) or len(high.text) > 9 or len(low.text) > 9:
        return False
    return int(high.text) - int(low.text) < MAX_RANGE
