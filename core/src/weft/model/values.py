"""Canonical values: what a field of an entity can hold, and how it is stored.

A canonical record is a flat ``dict`` from dotted field names (``address.postal_code``) to values.

* the name is missing: the field is **ABSENT**, it was not read or is not mapped;
* the value is ``None``: the field is **EMPTY**, the system holds nothing there;
* anything else is the value: ``str``, ``bool``, ``int``, :class:`~decimal.Decimal`,
  :class:`~datetime.date`, :class:`~datetime.datetime` (UTC, aware) or :class:`Ref`.

Binary floats never occur: amounts must stay exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NamedTuple, NoReturn

import msgspec
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


_TAGS: Final[dict[str, Callable[[Any], Any]]] = {
    "$n": Decimal,
    "$t": datetime.fromisoformat,
    "$d": date.fromisoformat,
    "$r": Ref._make,
    "$i": int,
}
_PLAIN = frozenset([str, int, bool, type(None)])


def _untag(value: Any) -> Any:
    kind = value.__class__
    if kind is dict:
        if len(value) == 1:
            [(tag, inner)] = value.items()
            if tag in _TAGS:
                return _TAGS[tag](inner)
        return {k: v if v.__class__ in _PLAIN else _untag(v) for k, v in value.items()}
    if kind is list:
        return [v if v.__class__ in _PLAIN else _untag(v) for v in value]
    return value


def _refuse(number: str) -> NoReturn:
    raise TypeError(f"{number}: a binary float is not a canonical value")


_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_SORT_KEYS


def encode(fields: Mapping[str, Any]) -> str:
    """Write canonical fields as JSON text; exact, stable in order, read back by :func:`decode`."""
    try:
        return orjson.dumps(fields, default=_tag, option=_OPTIONS).decode()
    except orjson.JSONEncodeError:  # whole numbers beyond 64 bits are more than it knows
        return orjson.dumps(_long_as_text(fields), default=_tag, option=_OPTIONS).decode()


def _long_as_text(value: Any) -> Any:
    kind = value.__class__
    if kind is int:
        return value if -(2**63) <= value < 2**64 else {"$i": str(value)}
    if kind is dict:
        return {name: _long_as_text(inner) for name, inner in value.items()}
    return [_long_as_text(inner) for inner in value] if kind is list or kind is tuple else value


_decoder = msgspec.json.Decoder(float_hook=_refuse)
_lenient = msgspec.json.Decoder(float_hook=Decimal)


def decode(text: str | bytes, *, fractions: bool = False) -> dict[str, Any]:
    """Read what :func:`encode` wrote. ``fractions``: binary floats that it was given (seconds, rates) come back
    as decimals; else TypeError, for they have no place in a record."""
    result: dict[str, Any] = _untag((_lenient if fractions else _decoder).decode(text))
    return result
