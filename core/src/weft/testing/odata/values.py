"""Edm values: wire forms, sort keys, type checks of JSON values."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,12}))?)?(Z|z|[+-]\d\d:\d\d)", re.ASCII)
_GUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,12})?)?", re.ASCII)
_DURATION = re.compile(r"-?P(?=\d|T\d)(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", re.ASCII)

INTEGERS = {
    "Edm.Byte": (0, 255),
    "Edm.SByte": (-128, 127),
    "Edm.Int16": (-(2**15), 2**15 - 1),
    "Edm.Int32": (-(2**31), 2**31 - 1),
    "Edm.Int64": (-(2**63), 2**63 - 1),
}
NUMBERS = {*INTEGERS, "Edm.Decimal", "Edm.Double", "Edm.Single"}


class _Lowest:
    """Sorts before everything: the place of null in an index."""

    def __lt__(self, other: object) -> bool:
        return other is not self

    def __gt__(self, other: object) -> bool:
        return False

    def __le__(self, other: object) -> bool:
        return True

    def __ge__(self, other: object) -> bool:
        return other is self


class _Highest:
    """Sorts after everything: the open end of a range."""

    def __lt__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return other is not self

    def __le__(self, other: object) -> bool:
        return other is self

    def __ge__(self, other: object) -> bool:
        return True


LOWEST = _Lowest()
HIGHEST = _Highest()


def instant_wire(ns: int, digits: int = 7, *, trim: bool = True) -> str:
    """Nanoseconds since 1970 -> ``2024-01-31T08:15:30.123456Z``; cut (not rounded) to ``digits`` (0-9); ``trim``
    drops trailing zeros of the fraction."""
    seconds, rest = divmod(ns, 1_000_000_000)
    moment = _EPOCH + timedelta(seconds=seconds)
    text = f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}"
    fraction = f"{rest:09d}"[:digits]
    if trim:
        fraction = fraction.rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def instant_ns(text: str) -> int:
    """ISO 8601 with Z or an offset, back to nanoseconds since 1970 (finer digits are cut). Raises ValueError."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(f"not an instant with a zone: {text!r}")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC)
    delta = moment - _EPOCH
    seconds = delta.days * 86_400 + delta.seconds
    if zone not in ("Z", "z"):
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 14 or minutes > 59:
            raise ValueError(f"not a zone offset: {zone!r}")
        offset = hours * 3600 + minutes * 60
        seconds += -offset if zone[0] == "+" else offset
    return seconds * 1_000_000_000 + int(f"{fraction or '':0<9}"[:9])


def normal_instant(text: str) -> str:
    """Any valid offset form -> UTC with Z, at most 9 fraction digits, zeros trimmed. Raises ValueError; a text
    without a zone is refused."""
    try:
        return instant_wire(instant_ns(text), 9)
    except OverflowError:
        raise ValueError(f"instant out of range: {text!r}") from None


def instant_key(text: str) -> str:
    """A UTC wire instant as text that sorts like time whatever the number of fraction digits."""
    text = text[:-1]
    return text.rstrip("0").rstrip(".") if "." in text else text


def _identity(value: Any) -> Any:
    return value


def _lower(value: str) -> str:
    return value.lower()


def _fold(value: str) -> str:
    return value.casefold()


def plain_key(edm: str, *, fold: bool = False) -> Callable[[Any], Any]:
    """Key function for wire values that are not None: equal keys are equal values, and keys sort like values."""
    if edm == "Edm.DateTimeOffset":
        return instant_key
    if edm == "Edm.Guid":
        return _lower
    if fold and edm == "Edm.String":
        return _fold
    return _identity


def sort_key(edm: str, *, fold: bool = False) -> Callable[[Any], Any]:
    """Key function of a type's wire values; None sorts first. ``fold``: text without regard to letter case."""
    plain = plain_key(edm, fold=fold)

    def key(value: Any) -> Any:
        return LOWEST if value is None else plain(value)

    return key


def is_guid(text: str) -> bool:
    return _GUID.fullmatch(text) is not None


def is_date(text: str) -> bool:
    if _DATE.fullmatch(text) is None:
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_instant(text: str) -> bool:
    try:
        instant_ns(text)
    except (ValueError, OverflowError):
        return False
    return True


_TEXT_FORMS: dict[str, Callable[[str], bool]] = {
    "Edm.Guid": is_guid,
    "Edm.Date": is_date,
    "Edm.DateTimeOffset": is_instant,
    "Edm.TimeOfDay": lambda text: _TIME.fullmatch(text) is not None,
    "Edm.Duration": lambda text: _DURATION.fullmatch(text) is not None,
}


def matches_type(edm: str, value: object) -> bool:
    """Does a JSON value fit the Edm type on the wire (None excluded)? For checking bodies. Enum types (names
    outside ``Edm.``) take text; their members are the caller's to check."""
    if edm == "Edm.Boolean":
        return isinstance(value, bool)
    limits = INTEGERS.get(edm)
    if limits is not None:
        if isinstance(value, Decimal):
            return value == value.to_integral_value() and limits[0] <= value <= limits[1]
        return isinstance(value, int) and not isinstance(value, bool) and limits[0] <= value <= limits[1]
    if edm in NUMBERS:
        return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    if not isinstance(value, str):
        return False
    form = _TEXT_FORMS.get(edm)
    return form is None or form(value)
