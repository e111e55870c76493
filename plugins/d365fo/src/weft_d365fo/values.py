"""Native values by their type: as they go into a body, into a key, and into a filter.

Finance & Operations has no null: an empty field holds its type's blank. Text is ``""``, an unset date is
1900-01-01 at noon, an unset time 1900-01-01 at midnight, an enum the member with the value 0. Dates travel as
times at 12:00 UTC.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from weft.net.json import utc_text
from weft.net.odata.literals import EnumMember, Moment, Value, guid
from weft.net.odata.metadata import EnumType, Metadata, Property

TERMS = "Microsoft.Dynamics.OData.Core.V1."
NO_DATE = "1900-01-01T12:00:00Z"
NO_TIME = "1900-01-01T00:00:00Z"
_BLANKS: Mapping[str, Any] = {
    "Edm.String": "",
    "Edm.Guid": str(uuid.UUID(int=0)),
    "Edm.Decimal": 0,
    "Edm.Int32": 0,
    "Edm.Int64": 0,
    "Edm.Boolean": False,
}


class Unaskable(ValueError):
    """No record can hold this value in this field, so there is nothing to look for."""


def annotation(prop: Property, term: str) -> str:
    """What ``$metadata`` says about a field: ``AXType`` -> ``Date``, ``IsRequired`` -> ``true``; "" if nothing."""
    return prop.annotations.get(TERMS + term, "").rpartition("/")[2]


def is_date(prop: Property) -> bool:
    return prop.type == "Edm.DateTimeOffset" and annotation(prop, "AXType") != "UtcDateTime"


def blank(prop: Property, enums: Mapping[str, EnumType]) -> Any:
    """What a field holds when it is empty; None for an enum without a member 0, which cannot be emptied."""
    enum = enums.get(prop.type)
    if enum is not None:
        return next((name for name, value in enum.members.items() if value == 0), None)
    if prop.type == "Edm.DateTimeOffset":
        return NO_DATE if is_date(prop) else NO_TIME
    return _BLANKS.get(prop.type, "")


def noon(day: dt.date) -> str:
    return f"{day:%Y-%m-%d}T12:00:00Z" if day.year >= 1000 else NO_DATE


def written(value: Any, prop: Property | None, meta: Metadata) -> Any:
    """A native value as the body carries it. Fields the service does not know go as they are: its own
    words about them are the best there are."""
    if prop is None:
        return "" if value is None else value
    if value is None:
        return blank(prop, meta.enums)
    if prop.type == "Edm.DateTimeOffset":
        if isinstance(value, dt.datetime):
            return noon(value.astimezone(dt.UTC).date()) if is_date(prop) else utc_text(value)
        if isinstance(value, dt.date):
            return noon(value)
        if isinstance(value, str) and len(value) == 10:  # an expression's
            return noon(dt.date.fromisoformat(value))
    if prop.type in ("Edm.Int32", "Edm.Int64") and isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return value


def body(data: Mapping[str, Any], known: Mapping[str, Property], meta: Metadata) -> dict[str, Any]:
    """Native values as the body carries them."""
    return {name: written(value, known.get(name), meta) for name, value in data.items()}


def asked(value: Any, prop: Property | None, meta: Metadata) -> Value:
    """A value for a filter or a key. :raises Unaskable: it does not fit the field's type."""
    if prop is None:
        return value  # type: ignore[no-any-return]
    if value is None:
        value = blank(prop, meta.enums)
    try:
        return _typed(value, prop, meta)
    except (ValueError, TypeError, InvalidOperation) as error:
        raise Unaskable(f"{prop.name} cannot hold {value!r}: {error}") from None


def _typed(value: Any, prop: Property, meta: Metadata) -> Value:
    kind = prop.type
    enum = meta.enums.get(kind)
    if enum is not None:
        if str(value) not in enum.members:
            raise ValueError(f"its values are {', '.join(list(enum.members)[:20])}")
        return EnumMember(str(value), kind)
    if kind == "Edm.Guid":
        return guid(str(value))
    if kind == "Edm.DateTimeOffset":
        return Moment(str(written(_day(value), prop, meta)))
    if kind == "Edm.Decimal":
        return Decimal(str(value))
    if kind in ("Edm.Int32", "Edm.Int64"):
        number = Decimal(str(value))
        if number != number.to_integral_value():
            raise ValueError("no whole number")
        return int(number)
    if kind == "Edm.Boolean":
        if not isinstance(value, bool):
            raise ValueError("neither true nor false")
        return value
    return str(value)


def _day(value: Any) -> Any:
    """``2026-01-31`` as a date; everything else as it is."""
    return dt.date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else value


def moment(text: Any) -> dt.datetime | None:
    """A DateTimeOffset of the service; None when unset or no such text."""
    if not isinstance(text, str) or not text or text.startswith("1900-01-01"):
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)
