"""The functions of ``$filter``: what each takes, gives and does. Null in, null out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

_TEXT = "Edm.String"
_WHEN = ("Edm.DateTimeOffset", "Edm.Date")
_CLOCK = ("Edm.DateTimeOffset", "Edm.TimeOfDay")


@dataclass(frozen=True, slots=True)
class Function:
    """``takes``: the Edm types allowed per argument. ``fold``: arguments are folded first where text compares
    without regard to letter case. ``run`` never sees None."""

    takes: tuple[tuple[str, ...], ...]
    gives: str
    run: Callable[..., Any]
    fold: bool = False


def _substring(text: str, start: int, length: int | None = None) -> str:
    start = max(0, int(start))
    return text[start:] if length is None else text[start : start + max(0, int(length))]


def _clock_part(at: int) -> Callable[[str], int]:
    def part(text: str) -> int:
        clock = text.partition("T")[2] or text
        pieces = clock.rstrip("Z").partition(".")[0].split(":")
        return int(pieces[at]) if at < len(pieces) else 0

    return part


def _rounded(mode: str) -> Callable[[Any], Decimal]:
    return lambda value: Decimal(value).quantize(Decimal(1), rounding=mode)


_WORD = (_TEXT,)
_WHOLE = ("Edm.Byte", "Edm.SByte", "Edm.Int16", "Edm.Int32", "Edm.Int64")
_NUMBER = (*_WHOLE, "Edm.Decimal", "Edm.Double", "Edm.Single")

FUNCTIONS: dict[str, Function] = {
    "contains": Function((_WORD, _WORD), "Edm.Boolean", lambda text, part: part in text, True),
    "substringof": Function((_WORD, _WORD), "Edm.Boolean", lambda part, text: part in text, True),
    "startswith": Function((_WORD, _WORD), "Edm.Boolean", lambda text, part: text.startswith(part), True),
    "endswith": Function((_WORD, _WORD), "Edm.Boolean", lambda text, part: text.endswith(part), True),
    "indexof": Function((_WORD, _WORD), "Edm.Int32", lambda text, part: text.find(part), True),
    "concat": Function((_WORD, _WORD), _TEXT, lambda left, right: left + right),
    "substring": Function((_WORD, _WHOLE, _WHOLE), _TEXT, _substring),
    "length": Function((_WORD,), "Edm.Int32", len),
    "tolower": Function((_WORD,), _TEXT, str.lower),
    "toupper": Function((_WORD,), _TEXT, str.upper),
    "trim": Function((_WORD,), _TEXT, str.strip),
    "year": Function((_WHEN,), "Edm.Int32", lambda text: int(text[:4])),
    "month": Function((_WHEN,), "Edm.Int32", lambda text: int(text[5:7])),
    "day": Function((_WHEN,), "Edm.Int32", lambda text: int(text[8:10])),
    "date": Function((_WHEN,), "Edm.Date", lambda text: text[:10]),
    "hour": Function((_CLOCK,), "Edm.Int32", _clock_part(0)),
    "minute": Function((_CLOCK,), "Edm.Int32", _clock_part(1)),
    "second": Function((_CLOCK,), "Edm.Int32", _clock_part(2)),
    "round": Function((_NUMBER,), "Edm.Decimal", _rounded(ROUND_HALF_UP)),
    "floor": Function((_NUMBER,), "Edm.Decimal", _rounded(ROUND_FLOOR)),
    "ceiling": Function((_NUMBER,), "Edm.Decimal", _rounded(ROUND_CEILING)),
}
