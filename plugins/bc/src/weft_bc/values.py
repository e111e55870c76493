"""Native values by their Edm type: as they go into a body, and as they stand in a filter.

Business Central has no null: an empty field holds its type's blank. Text is never null but ``""``, an
unset date is 0001-01-01, an unset reference the zero guid, the blank member of an enum ``_x0020_``.
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

ZERO_GUID = str(uuid.UUID(int=0))
NO_DATE = "0001-01-01"
NO_TIME = "0001-01-01T00:00:00Z"
BLANK_MEMBER = "_x0020_"
_BLANKS: Mapping[str, Any] = {
    "Edm.String": "",
    "Edm.Guid": ZERO_GUID,
    "Edm.Date": NO_DATE,
    "Edm.DateTimeOffset": NO_TIME,
    "Edm.Decimal": 0,
    "Edm.Int32": 0,
    "Edm.Int64": 0,
    "Edm.Boolean": False,
}


class Unaskable(ValueError):
    """No record can hold this value in this field, so there is nothing to look for."""


def blank(type_: str, enums: Mapping[str, EnumType]) -> Any:
    """What a field of this type holds when it is empty."""
    enum = enums.get(type_)
    if enum is not None:
        members = list(enum.members)
        return BLANK_MEMBER if BLANK_MEMBER in members else members[0] if members else ""
    return _BLANKS.get(type_, "")


def written(value: Any, prop: Property | None, meta: Metadata) -> Any:
    """A native value as the body carries it. Fields the service does not know go as they are: its own
    words about them are the best there are."""
    if prop is None:
        return "" if value is None else value
    if value is None:
        return blank(prop.type, meta.enums)
    if prop.type == "Edm.Date" and isinstance(value, dt.datetime):
        return value.date()
    if prop.type == "Edm.DateTimeOffset" and isinstance(value, dt.datetime):
        return utc_text(value)
    return value


def caption(member: str) -> str:
    """``In_x0020_Review`` -> ``In Review``."""
    out, rest = "", member
    while rest:
        if rest.startswith("_x") and len(rest) >= 7 and rest[6] == "_":
            try:
                out, rest = out + chr(int(rest[2:6], 16)), rest[7:]
                continue
            except ValueError:
                pass  # an ordinary name that happens to hold _x: kept as it is, below
        out, rest = out + rest[0], rest[1:]
    return out


def asked(value: Any, prop: Property | None, meta: Metadata, *, captions: bool = False) -> Value:
    """A value for a filter. :raises Unaskable: it does not fit the field's type or length."""
    if prop is None:
        return value  # type: ignore[no-any-return]
    if value is None:
        value = blank(prop.type, meta.enums)
    try:
        return _typed(value, prop, meta, captions)
    except (ValueError, TypeError, InvalidOperation) as error:
        raise Unaskable(f"{prop.name} cannot hold {value!r}: {error}") from None


def _typed(value: Any, prop: Property, meta: Metadata, captions: bool) -> Value:
    kind = prop.type
    if kind in meta.enums:
        return EnumMember(caption(str(value)) if captions else str(value))
    if kind == "Edm.Guid":
        return guid(str(value))
    if kind == "Edm.Date":
        return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value))
    if kind == "Edm.DateTimeOffset":
        return value if isinstance(value, dt.datetime) else Moment(str(value))
    if kind == "Edm.Decimal":
        return Decimal(str(value))
    if kind in ("Edm.Int32", "Edm.Int64"):
        return int(value)
    if kind == "Edm.Boolean":
        if not isinstance(value, bool):
            raise ValueError("neither true nor false")
        return value
    text = str(value)
    if prop.max_length is not None and len(text) > prop.max_length:
        raise ValueError(f"longer than {prop.max_length} characters")
    return text


def moment(text: Any) -> dt.datetime | None:
    """A DateTimeOffset of the service (UTC, fraction of any length); None when unset or no such text."""
    if not isinstance(text, str) or not text or text.startswith("0001-01-01"):
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)


def one_discount(data: dict[str, Any]) -> dict[str, Any]:
    """A line's data. The service computes its percentage of discount from the amount and the other way round: where
    one of them is given, the other must not be cleared beside it."""
    percent, amount = (data.get(name) is not None for name in ("discountPercent", "discountAmount"))
    if percent is amount:
        return data
    other = "discountAmount" if percent else "discountPercent"
    return {name: value for name, value in data.items() if name != other}
