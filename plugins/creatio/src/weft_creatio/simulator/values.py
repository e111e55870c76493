"""JSON body values -> raw database values, and instants in the database's form."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from .errors import ODataError, invalid_body, too_long
from .model import Column
from .settings import CreatioSettings

ZERO_GUID = "00000000-0000-0000-0000-000000000000"
GUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?)?(Z|z|[+-]\d\d:\d\d)?")
_EMPTY_INSTANT = "0001-01-01T00:00:00"
_INT32 = 2**31


def raw_instant(ns: int, digits: int = 7) -> str:
    """Nanoseconds since 1970 -> `YYYY-MM-DDTHH:MM:SS.fffffff`, cut to `digits` of a second."""
    seconds, rest = divmod(ns, 1_000_000_000)
    fraction = f"{rest // 100:07d}"[:digits].ljust(7, "0")
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction}"


def cut_instant(raw: str, digits: int) -> str:
    """A raw instant as a database with so many digits keeps it."""
    return raw if digits >= 7 else raw[: 20 + digits].ljust(27, "0")


def parse_instant(text: str, settings: CreatioSettings) -> str | None:
    """ISO 8601 text of a body -> raw UTC instant, None for the empty date; ValueError when it is not accepted."""
    match = _INSTANT.fullmatch(text)
    if not match:
        raise ValueError(f"'{text}' is not a date and time")
    day, clock, fraction, zone = match.groups()
    if clock is None:
        if zone:
            raise ValueError(f"'{text}' is not a date and time")
        local = datetime.fromisoformat(day) - timedelta(minutes=settings.server_utc_offset_minutes)
        return f"{local:%Y-%m-%dT%H:%M:%S}.0000000"
    if zone is None:
        if settings.zoneless_datetime == "reject":
            raise ValueError(f"'{text}' has no time zone")
        return None
    moment = datetime.fromisoformat(f"{day}T{clock}")
    if zone not in "Zz":
        sign = -1 if zone[0] == "-" else 1
        moment -= sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    whole = moment.isoformat(timespec="seconds")
    if whole == _EMPTY_INSTANT:
        return None
    return cut_instant(f"{whole}.{(fraction or '')[:7].ljust(7, '0')}", settings.fraction_digits)


def only_date(raw: str | None) -> str | None:
    return None if raw is None else f"{raw[:10]}T00:00:00.0000000"


def scaled(value: Decimal | int, scale: int) -> int:
    """A decimal as the integer the database keeps, rounded half away from zero like SQL numeric columns."""
    return int(Decimal(value).scaleb(scale).quantize(Decimal(1), ROUND_HALF_UP))


def decimal(raw: int | None, scale: int = 2) -> Decimal:
    """The number behind a raw decimal."""
    return Decimal(raw or 0).scaleb(-scale)


class BodyReader:
    """Turns the members of a request body into raw values, refusing what Creatio refuses."""

    def __init__(self, settings: CreatioSettings) -> None:
        self._settings = settings
        self._parsers: dict[str, Callable[[Column, Any, bool], Any]] = {
            "guid": _guid, "lookup": _guid, "text": self._text, "int": _int, "decimal": _decimal, "bool": _bool,
            "datetime": self._instant, "date": self._date, "time": self._instant,
        }  # fmt: skip

    def raw(self, column: Column, value: Any, *, ieee754: bool = False) -> Any:
        """One member; raises the 400 or 500 the site answers."""
        if column.kind == "stream":
            raise invalid_body(f"The property '{column.name}' cannot be written in the body of an entity.")
        return self._parsers[column.kind](column, value, ieee754)

    def _text(self, column: Column, value: Any, ieee754: bool) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _mismatch(column, value)
        limit = column.max_length
        if limit is not None and len(value) > limit:
            if self._settings.text_too_long == "reject":
                raise too_long(self._settings.database, column.name, limit)
            return value[:limit]
        return value

    def _instant(self, column: Column, value: Any, ieee754: bool) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise _mismatch(column, value)
        try:
            return parse_instant(value, self._settings)
        except ValueError as error:
            raise _mismatch(column, value) from error

    def _date(self, column: Column, value: Any, ieee754: bool) -> str | None:
        return only_date(self._instant(column, value, ieee754))


def _guid(column: Column, value: Any, ieee754: bool) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not GUID.fullmatch(value):
        raise _mismatch(column, value)
    return None if value == ZERO_GUID else value.lower()


def _int(column: Column, value: Any, ieee754: bool) -> int:
    if value is None:
        return 0
    if type(value) is not int or not -_INT32 <= value < _INT32:
        raise _mismatch(column, value)
    return value


def _decimal(column: Column, value: Any, ieee754: bool) -> int:
    if value is None:
        return 0
    if ieee754:
        if not isinstance(value, str) or not re.fullmatch(r"-?\d+(\.\d+)?", value):
            raise _mismatch(column, value)
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _mismatch(column, value)
    raw = scaled(value, column.scale)
    if abs(raw) >= 2**63:
        raise _mismatch(column, value)
    return raw


def _bool(column: Column, value: Any, ieee754: bool) -> int:
    if value is None:
        return 0
    if not isinstance(value, bool):
        raise _mismatch(column, value)
    return int(value)


def _mismatch(column: Column, value: Any) -> ODataError:
    return invalid_body(f"Cannot convert the literal '{value}' to the expected type '{column.edm}'.")
