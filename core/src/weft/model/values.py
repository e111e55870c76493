"""Canonical values: what a field of an entity can hold, and how it is stored.

A canonical record is a flat ``dict`` from dotted field names (``address.postal_code``) to values.

* the name is missing: the field is **ABSENT**, it was not read or is not mapped;
* the value is ``None``: the field is **EMPTY**, the system holds nothing there;
* anything else is the value: ``str``, ``bool``, ``int``, :class:`~decimal.Decimal`,
  :class:`~datetime.date`, :class:`~datetime.datetime` (UTC, aware) or :class:`Ref`.

Binary floats never occur: amounts must stay exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NamedTuple

import orjson


class Absent(Enum):
    """The type of :data:`ABSENT`."""

    ABSENT = "ABSENT"

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent.ABSENT
"""Default for ``fields.get(name, ABSENT)``: the field was not read or is not mapped."""

EMPTY: Final = None
"""The system was asked and holds nothing in this field."""


class Ref(NamedTuple):
    """A reference to a record of a master or document entity, in the key space of one system.

    ``object`` is the system's own name (one entity may live in several: a customer is an Account or
    a Contact), ``key`` the record's key there. References are translated to the other system
    through links. References to *reference entities* (currency, unit …) are no ``Ref``: their value
    is the code, which means the same on both sides.
    """

    object: str
    key: str

    def __str__(self) -> str:
        return f"{self.object}({self.key})"


Value = None | str | bool | int | Decimal | date | datetime | Ref | list[Any] | dict[str, Any]
Fields = dict[str, Value]


def _tag(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {"$n": str(value)}
    if isinstance(value, datetime):
        return {"$t": value.astimezone(UTC).isoformat().replace("+00:00", "Z")}
    if isinstance(value, date):
        return {"$d": value.isoformat()}
    if isinstance(value, Ref):
        return {"$r": [value.object, value.key]}
    raise TypeError(f"{type(value).__name__} is not a canonical value")


def _untag(value: Any) -> Any:
    if isinstance(value, dict):
        if len(value) == 1:
            tag, inner = next(iter(value.items()))
            if tag == "$n":
                return Decimal(inner)
            if tag == "$t":
                return datetime.fromisoformat(inner)
            if tag == "$d":
                return date.fromisoformat(inner)
            if tag == "$r":
                return Ref(inner[0], inner[1])
        return {k: _untag(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_untag(v) for v in value]
    if isinstance(value, float):
        raise TypeError("a binary float is not a canonical value")
    return value


_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_SORT_KEYS


def encode(fields: Mapping[str, Any]) -> str:
    """Write canonical fields as JSON text; exact, stable in order, read back by :func:`decode`."""
    return orjson.dumps(fields, default=_tag, option=_OPTIONS).decode()


def decode(text: str | bytes) -> dict[str, Any]:
    """Read what :func:`encode` wrote."""
    result: dict[str, Any] = _untag(orjson.loads(text))
    return result
