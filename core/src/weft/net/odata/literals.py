"""Python values as OData v4 literals and URL parts that no value can break out of (OData ABNF 4.01).

`literal(value)` gives the literal as it stands in a `$filter`; `in_path(value)` the same, percent-encoded
for a key segment; `in_query(text)` percent-encodes a whole query option value.

| Python | OData |
|---|---|
| str | `'O''Neil'` |
| int, Decimal | `42`, `1.50` (never with an exponent) |
| bool, None | `true`, `null` |
| uuid.UUID | bare guid |
| date, aware datetime | `2024-01-31`, `2024-01-31T08:15:30Z` |
| EnumMember | `Namespace.Type'Member'`, or `'Member'` without a type |
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from weft.net.json import utc_text

_NAME = re.compile(r"[^\W\d]\w{0,254}\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?(?:Z|[+-]\d\d:\d\d)\Z", re.ASCII)
_QUERY_SAFE = "(),:/*$@!-._~"
_SAFE_WORD = re.compile(f"[A-Za-z0-9{re.escape(_QUERY_SAFE)}]*\\Z")


@dataclass(frozen=True, slots=True)
class EnumMember:
    """An enum member. `type` is the qualified type name where the system wants it, "" for a bare text."""

    member: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """An Edm.DateTimeOffset exactly as the system wrote it: seven digits of fraction outlive no datetime."""

    text: str

    def __post_init__(self) -> None:
        if not _MOMENT.match(self.text):
            raise ValueError(f"{self.text!r} is not an Edm.DateTimeOffset")


Value = str | int | Decimal | bool | uuid.UUID | dt.date | dt.datetime | EnumMember | Moment | None
Key = Value | Mapping[str, Value]


def name(text: str) -> str:
    """A property, entity set or function name, checked: letters, digits, underscore."""
    if not _NAME.match(text):
        raise ValueError(f"{text!r} is not an OData name")
    return text


def qualified(text: str) -> str:
    """A name with dots: `Microsoft.NAV.post`."""
    for part in text.split("."):
        name(part)
    return text


@lru_cache(maxsize=4096)
def property_path(text: str) -> str:
    """A name, or names joined with `/`: `Account/Id`."""
    for part in text.split("/"):
        qualified(part)
    return text


def quoted(text: str) -> str:
    """A string literal with its quotes doubled. Control characters other than tab, CR, LF are refused."""
    bad = _CONTROL.search(text)
    if bad:
        raise ValueError(f"U+{ord(bad.group()):04X} at position {bad.start()} cannot stand in an OData literal")
    return "'" + text.replace("'", "''") + "'"


def literal(value: Value) -> str:
    """The literal for a filter; TypeError for float and unknown types, ValueError for unfit values."""
    if isinstance(value, str):
        return quoted(str(value))
    if isinstance(value, uuid.UUID):
        return str(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} has no OData literal")
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return utc_text(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, EnumMember):
        return (qualified(value.type) if value.type else "") + quoted(value.member)
    if isinstance(value, Moment):
        return value.text
    if isinstance(value, float):
        raise TypeError("a float is inexact: give a Decimal")
    raise TypeError(f"{type(value).__name__} has no OData literal")


def guid(text: str) -> uuid.UUID:
    """A UUID from its text form; ValueError otherwise. Accepts braces."""
    try:
        return uuid.UUID(text)
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"{text!r} is not a GUID") from None


def wire(edm_type: str, value: Any) -> Value:
    """A value as it came in JSON, as the Python value whose literal means the same.

    Unknown types (enums, strings) pass as text. ValueError if the value does not fit the type.
    """
    if value is None or isinstance(value, (bool, int, Decimal)):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} is not an {edm_type}")
    if edm_type == "Edm.Guid":
        return guid(value)
    if edm_type == "Edm.DateTimeOffset":
        return Moment(value)
    if edm_type == "Edm.Date":
        return dt.date.fromisoformat(value)
    return value


def in_query(text: str) -> str:
    """Percent-encode the value of a query option."""
    # Long filters are ids and words: what needs no encoding is told at once, quote() looks at every character.
    return "%20".join([word if _SAFE_WORD.match(word) else quote(word, safe=_QUERY_SAFE) for word in text.split(" ")])


def in_path(value: Value) -> str:
    """A literal percent-encoded for a key segment; only the enclosing quotes and colons stay as they are."""
    text = literal(value)
    if isinstance(value, str):
        return "'" + quote(text[1:-1], safe="") + "'"
    return quote(text, safe=":'")


def key_segment(key: Key) -> str:
    """`(5d11…)`, `('C1')` or `(dataAreaId='usmf',CustomerAccount='C%201')`."""
    if isinstance(key, Mapping):
        if not key:
            raise ValueError("an empty key")
        if None in key.values():
            missing = ", ".join(k for k, v in key.items() if v is None)
            raise ValueError(f"key field without a value: {missing}")
        return "(" + ",".join(f"{name(k)}={in_path(v)}" for k, v in key.items()) + ")"
    if key is None:
        raise ValueError("a key without a value")
    return f"({in_path(key)})"


def resource(*parts: str | tuple[str, Key]) -> str:
    """A path from names and (name, key) pairs: `resource(("companies", id), "customers")`."""
    return "/".join(
        qualified(part) if isinstance(part, str) else qualified(part[0]) + key_segment(part[1]) for part in parts
    )
