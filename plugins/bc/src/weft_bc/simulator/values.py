"""Reading the values of a request body, and the stamps and tags of an answer."""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from weft_bc.simulator.errors import BcError, bad_request, too_long
from weft_bc.simulator.schema import EntitySet, Property, Schema, caption
from weft_bc.simulator.settings import Settings

GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_STAMP = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,12}))?)?([Zz]|[+-]\d{2}:\d{2})")
_EPOCH = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_INT32 = 2**31


def stamp(moment: float) -> str:
    """Seconds since 1970 as the service prints them: UTC, milliseconds, trailing zeros dropped."""
    whole, milli = divmod(round(moment * 1000), 1000)
    text = dt.datetime.fromtimestamp(whole, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{milli:03d}".rstrip("0") + "Z" if milli else text + "Z"


def moment_of(text: str) -> int:
    """Microseconds since year 1 of a date-time text; raises ValueError."""
    found = _STAMP.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day = dt.date.fromisoformat(found[1])
    seconds = int(found[2]) * 3600 + int(found[3]) * 60 + int(found[4] or 0)
    if int(found[2]) > 23 or int(found[3]) > 59 or int(found[4] or 0) > 59:
        raise ValueError(text)
    if found[6] not in "Zz":
        sign = 1 if found[6][0] == "+" else -1
        seconds -= sign * (int(found[6][1:3]) * 3600 + int(found[6][4:6]) * 60)
    micro = int(((found[5] or "") + "000000")[:6])
    return ((day.toordinal() - 1) * 86400 + seconds) * 1_000_000 + micro


def etag(version: int) -> str:
    """``W/"…"`` around the base64 of ``20;<row version>1;00;``."""
    text = f"20;{10**20 + version * 7}1;00;".encode()
    return f'W/"{base64.b64encode(text).decode()}"'


def plain(value: Decimal) -> Decimal:
    """Without trailing zeros, as the service prints numbers: 12.50 -> 12.5, 1E+2 -> 100."""
    value = value.normalize()
    exponent = value.as_tuple().exponent
    return value.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else value + 0


def public(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as commands answer it: hidden columns left out, decimals as text."""
    return {k: str(v) if isinstance(v, Decimal) else v for k, v in row.items() if not k.startswith("$")}


def decode(prop: Property, raw: Any, settings: Settings) -> Any:
    """A body's value as it is stored; refuses what OData or the field refuses."""
    if raw is None:
        if prop.kind in "SE" or settings.null_clears:
            return prop.blank
        raise _cannot_convert(prop, "null")
    kind = prop.kind
    if kind == "S":
        if not isinstance(raw, str):
            raise _cannot_convert(prop, raw)
        if prop.code:
            raw = raw.strip().upper()
        if prop.max_length is not None and len(raw) > prop.max_length:
            raise too_long(raw, prop.max_length)
        return raw
    return _DECODERS[kind](prop, raw)


def _cannot_convert(prop: Property, raw: Any) -> BcError:
    return bad_request(f"Cannot convert the literal '{raw}' to the expected type '{prop.edm}'.")


def _decimal(prop: Property, raw: Any) -> Any:
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal):
        raise _cannot_convert(prop, raw)
    return plain(Decimal(raw))


def _integer(prop: Property, raw: Any) -> Any:
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise _cannot_convert(prop, raw)
    if prop.kind == "I" and not -_INT32 <= raw < _INT32:
        raise _cannot_convert(prop, raw)
    return raw


def _boolean(prop: Property, raw: Any) -> Any:
    if not isinstance(raw, bool):
        raise _cannot_convert(prop, raw)
    return raw


def _date(prop: Property, raw: Any) -> Any:
    if not isinstance(raw, str) or not _DATE.fullmatch(raw):
        raise _cannot_convert(prop, raw)
    try:
        dt.date.fromisoformat(raw)
    except ValueError:
        raise _cannot_convert(prop, raw) from None
    return raw


def _date_time(prop: Property, raw: Any) -> Any:
    try:
        micro = moment_of(raw)
    except (TypeError, ValueError):
        raise _cannot_convert(prop, raw) from None
    return stamp((_EPOCH + dt.timedelta(microseconds=micro)).timestamp())


def _guid(prop: Property, raw: Any) -> Any:
    if not isinstance(raw, str) or not GUID.fullmatch(raw):
        raise _cannot_convert(prop, raw)
    return raw.lower()


def _enum(prop: Property, raw: Any) -> Any:
    if isinstance(raw, str):
        for member in prop.members:
            if raw in (member, caption(member)):
                return member
    raise BcError(400, "Unknown", f"'{raw}' is not an option. The existing options are: "
                  + ",".join(caption(member) for member in prop.members))  # fmt: skip


def _stream(prop: Property, raw: Any) -> Any:
    raise bad_request(f"The property '{prop.name}' is a stream and cannot be written in a JSON body.")


_DECODERS = {
    "N": _decimal, "I": _integer, "L": _integer, "B": _boolean, "D": _date, "T": _date_time, "G": _guid,
    "E": _enum, "M": _stream,
}  # fmt: skip


def split_body(
    schema: Schema, entity_set: EntitySet, body: Any, settings: Settings, *, inserting: bool
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """A body as (typed values, nested collections by navigation name), in the order it names them."""
    if not isinstance(body, Mapping):
        raise bad_request("The request body must be a JSON object.")
    values: dict[str, Any] = {}
    nested: dict[str, list[Any]] = {}
    for name, raw in body.items():
        if "@" in name:
            continue
        prop = entity_set.properties.get(name)
        if prop is not None:
            if prop.read_only and not _client_id(entity_set, name, settings, inserting):
                raise BcError(400, "BadRequest_InvalidOperation", f"Control '{name}' is read-only.")
            values[name] = decode(prop, raw, settings)
            continue
        nav = entity_set.nav.get(name)
        if nav is None:
            raise bad_request(
                f"The property '{name}' does not exist on type 'Microsoft.NAV.{entity_set.type}'. Make sure to "
                "only use property names that are defined by the type."
            )
        if not inserting or not nav.contained or not nav.many or not isinstance(raw, list):
            raise BcError(
                400,
                "BadRequest_InvalidOperation",
                f"The navigation property '{name}' cannot be written in this request.",
            )
        if "C" not in schema[nav.target].can:
            raise BcError(400, "BadRequest_InvalidOperation", f"Control '{name}' is read-only.")
        nested[name] = raw
    return values, nested


def _client_id(entity_set: EntitySet, name: str, settings: Settings, inserting: bool) -> bool:
    """Whether a read-only key may be named: dimension set lines always, other ids by setting."""
    if not inserting or name != "id":
        return False
    return settings.client_ids or entity_set.name == "dimensionSetLines"
