"""Native values by their Edm type: as they go into a body, and as they stand in a filter.

Creatio never answers null: an empty lookup is the zero GUID, an empty text ``""``, an empty date
0001-01-01. A body clears a lookup or date with null (the zero GUID is silently dropped by a PATCH) and a
text with ``""``; numbers and flags have no empty state but 0 and false. Days are written as midnight
UTC: one without a zone would be taken in the server's own.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from weft.net.json import utc_text
from weft.net.odata.literals import Moment, Value, guid
from weft.net.odata.metadata import EntityType, Property

ZERO_GUID = str(uuid.UUID(int=0))
_NAMESPACE = uuid.UUID("5b1fd8a2-1f7e-5c53-9e0f-6a5ce2d5d1a4")
_EMPTY: Mapping[str, Any] = {"Edm.String": "", "Edm.Decimal": 0, "Edm.Int32": 0, "Edm.Int64": 0, "Edm.Boolean": False}


class Unaskable(ValueError):
    """No record can hold this value in this field, so there is nothing to look for."""


def derived(*parts: str) -> str:
    """An Id that is the same whenever the same thing is made again: a repeated create then finds itself."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))


def path_of(type_: EntityType, name: str) -> str:
    """A property as it stands in a filter: a lookup by its navigation path. ``AccountId eq …`` is a 500."""
    nav = name[:-2]
    return f"{nav}/Id" if name.endswith("Id") and nav in type_.navigation else name


def is_lookup(type_: EntityType, name: str) -> bool:
    return name.endswith("Id") and name[:-2] in type_.navigation


def body_value(value: Any, property: Property) -> Any:
    """A value as it goes into a body; ValueError when it does not fit the property."""
    kind = property.type
    if value is None:
        return _EMPTY.get(kind)
    if kind == "Edm.Guid":
        text = str(guid(str(value)))
        return None if text == ZERO_GUID else text
    if kind == "Edm.DateTimeOffset":
        return moment(value)
    if kind == "Edm.Boolean":
        if not isinstance(value, bool):
            raise ValueError(f"{value!r} is neither true nor false")
        return value
    if kind in ("Edm.Int32", "Edm.Int64"):
        return whole(value)
    if kind in ("Edm.Decimal", "Edm.Double"):
        return number(value)
    if kind == "Edm.String":
        if isinstance(value, dt.datetime):
            return utc_text(value)
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    return value


def moment(value: Any) -> str:
    """Text of a point in time, always with Z; a day becomes its midnight UTC."""
    if isinstance(value, dt.datetime):
        return utc_text(value)
    if isinstance(value, dt.date):
        return f"{value.isoformat()}T00:00:00Z"
    text = str(value)
    if len(text) == 10:
        return f"{dt.date.fromisoformat(text).isoformat()}T00:00:00Z"
    Moment(text)
    return text


def number(value: Any) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise ValueError(f"{value!r} is not a number")
    try:
        exact = value if isinstance(value, int | Decimal) else Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if isinstance(exact, Decimal) and not exact.is_finite():
        raise ValueError(f"{value!r} is not a number")
    return exact


def whole(value: Any) -> int:
    exact = number(value)
    if exact != int(exact):
        raise ValueError(f"{value!r} is not a whole number")
    return int(exact)


def asked(value: Any, property: Property | None) -> Value:
    """A value as it stands in a filter. :raises Unaskable: no record can hold it."""
    kind = property.type if property is not None else ""
    try:
        if value is None:
            return "" if kind == "Edm.String" else None
        if kind == "Edm.Guid" or (not kind and isinstance(value, uuid.UUID)):
            return guid(str(value))
        if kind == "Edm.DateTimeOffset":
            return Moment(moment(value))
        if kind in ("Edm.Int32", "Edm.Int64"):
            return whole(value)
        if kind == "Edm.Decimal":
            return number(value)
        if kind == "Edm.String":
            text = str(value)
            if any((ord(c) < 32 and c not in "\t\n\r") or "\ud800" <= c <= "\udfff" for c in text):
                raise Unaskable(f"{text!r} cannot be in a filter")
            return text
    except ValueError as error:
        raise Unaskable(str(error)) from error
    return value  # type: ignore[no-any-return]


def stamp(value: Any) -> dt.datetime | None:
    """A stamp of the system as a moment, None when it is blank. Seven digits are cut to six."""
    if not isinstance(value, str) or not value or value.startswith("0001-01-01"):
        return None
    found = dt.datetime.fromisoformat(value)
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)


def same_stamp(left: Any, right: Any) -> bool:
    """Equal to the microsecond: what a POST echoes has a digit more than what the database keeps."""
    return left == right or (stamp(left) is not None and stamp(left) == stamp(right))
