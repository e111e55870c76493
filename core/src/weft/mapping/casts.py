"""Native values as canonical ones, by the kind of the canonical field.

Blanks of every system become EMPTY: null, ``""``, text of nothing but blanks, the zero GUID, and for
dates and times the days 0001-01-01 and 1900-01-01. The number 0 and ``false`` are values; a mapping
lists further blanks in ``blank``. A value that cannot be had exactly raises :class:`Unfit`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from weft.mapping.exact import EMPTY_DAYS, ZERO_GUID
from weft.model.entity import FieldKind

Take = Callable[[Any], Any]
"""A native value -> the canonical value, None for a blank."""

_EMPTY_DATES = tuple(date.fromisoformat(day) for day in EMPTY_DAYS)
_UNLISTED = frozenset([bool, dict, list])
"""Types that are never looked up among the blanks: True equals 1, the others have no hash."""
_TRUE = frozenset(["true", "yes", "1"])
_FALSE = frozenset(["false", "no", "0"])
_WHOLE = re.compile(r"[-+]?\d+")


class Unfit(ValueError):
    """A value does not fit the field; the text says why, without naming the field."""


def taker(kind: FieldKind, blank: Iterable[Any] = ()) -> Take:
    """The function that reads native values of a field of this kind."""
    listed = list(blank)
    blanks = text_blanks(listed)
    flags = frozenset(value for value in listed if isinstance(value, bool))
    if kind == "text":
        return _text_taker(blanks, flags)
    convert = _CONVERT[kind]
    dated = kind in ("date", "datetime")

    def take(raw: Any) -> Any:
        if raw is None:
            return None
        kind_ = raw.__class__
        if kind_ is bool:
            return None if raw in flags else convert(raw)
        if kind_ is str:
            if not raw or raw in blanks or raw.isspace() or (dated and raw[:10] in EMPTY_DAYS):
                return None
        elif kind_ not in _UNLISTED and raw in blanks:
            return None
        return convert(raw)

    return take


def text_blanks(blank: Iterable[Any]) -> frozenset[Any]:
    """What a field takes for a blank, apart from flags; a text of nothing but spaces is one anyway."""
    return frozenset([ZERO_GUID, *(value for value in blank if not isinstance(value, bool))])


def _text_taker(blanks: frozenset[Any], flags: frozenset[bool]) -> Take:
    def take(raw: Any) -> Any:
        if raw.__class__ is str:
            return None if not raw or raw in blanks or raw.isspace() else raw
        if raw is None or (raw.__class__ is bool and raw in flags):
            return None
        if raw.__class__ not in _UNLISTED and raw in blanks:
            return None
        return to_text(raw)

    return take


def to_text(raw: Any) -> str:
    if isinstance(raw, str):
        return str(raw)
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int):
        return str(raw)
    if isinstance(raw, Decimal):
        return format(raw, "f")
    if isinstance(raw, datetime):
        return raw.isoformat() if raw.tzinfo is None else raw.astimezone(UTC).isoformat()
    if isinstance(raw, date):
        return raw.isoformat()
    if isinstance(raw, float):
        raise Unfit(f"{raw!r} is a binary float; the connector must deliver exact numbers")
    if isinstance(raw, list | dict | tuple | set | bytes):
        raise Unfit(f"a text is expected, not a {type(raw).__name__}")
    return str(raw)


def to_decimal(raw: Any) -> Decimal:
    if isinstance(raw, Decimal):
        number = raw
    elif isinstance(raw, bool | float):
        what = "a binary float; the connector must deliver exact numbers" if isinstance(raw, float) else ("no number")
        raise Unfit(f"{raw!r} is {what}")
    elif isinstance(raw, int):
        return Decimal(raw)
    elif isinstance(raw, str):
        try:
            number = Decimal(raw)
        except InvalidOperation:
            raise Unfit(f"{raw!r} is not a number") from None
    else:
        raise Unfit(f"{raw!r} is not a number")
    if not number.is_finite():
        raise Unfit(f"{raw!s} is not a number")
    return number


def to_integer(raw: Any) -> int:
    if raw.__class__ is int:
        return int(raw)
    if isinstance(raw, str):
        if _WHOLE.fullmatch(raw.strip()):
            return int(raw)
        raise Unfit(f"{raw!r} is not a whole number")
    number = to_decimal(raw)
    whole = int(number)
    if whole != number:
        raise Unfit(f"{raw!s} is not a whole number")
    return whole


def to_boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, int | Decimal) and raw in (0, 1):
        return raw == 1
    if isinstance(raw, str):
        word = raw.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise Unfit(f"{raw!r} is neither true nor false")


def to_date(raw: Any) -> date | None:
    """A day; of a time the day as written, whatever its zone."""
    if isinstance(raw, str):
        text = raw.strip()
        try:
            found = date.fromisoformat(text[:10])
            if len(text) > 10:
                datetime.fromisoformat(text)
        except ValueError:
            raise Unfit(f"{raw!r} is not a date (YYYY-MM-DD)") from None
    elif isinstance(raw, datetime):
        found = raw.date()
    elif isinstance(raw, date):
        found = raw
    else:
        raise Unfit(f"{raw!r} is not a date")
    return None if found in _EMPTY_DATES else found


def to_datetime(raw: Any) -> datetime | None:
    """A moment in UTC, to the microsecond; one without a zone is refused."""
    if isinstance(raw, str):
        try:
            found = datetime.fromisoformat(raw.strip())
        except ValueError:
            raise Unfit(f"{raw!r} is not a time (YYYY-MM-DDThh:mm:ssZ)") from None
    elif isinstance(raw, datetime):
        found = raw
    else:
        raise Unfit(f"{raw!r} is not a time")
    if found.year in (1, 1900) and found.date() in _EMPTY_DATES:
        return None
    if found.tzinfo is None:
        raise Unfit(f"the time {raw!s} has no time zone")
    return found if found.tzinfo is UTC else found.astimezone(UTC)


def to_any(raw: Any) -> Any:
    if isinstance(raw, float):
        raise Unfit(f"{raw!r} is a binary float; the connector must deliver exact numbers")
    return raw


def to_ref(raw: Any) -> str:
    """The key or code in a reference."""
    return raw if raw.__class__ is str else to_text(raw)


_CONVERT: dict[str, Take] = {
    "text": to_text,
    "decimal": to_decimal,
    "money": to_decimal,
    "integer": to_integer,
    "boolean": to_boolean,
    "date": to_date,
    "datetime": to_datetime,
    "ref": to_ref,
    "any": to_any,
}


def spelled(word: str, kind: FieldKind) -> Any:
    """A canonical value as written in a value map: the text ``true`` of a boolean field is True."""
    if word == "":
        return None
    if kind in ("text", "ref", "any"):
        return word
    return _CONVERT[kind](word)
