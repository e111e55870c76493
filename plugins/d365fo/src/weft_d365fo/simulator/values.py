"""Values between the wire and the store: types of bodies, keys, dates, etags."""

from __future__ import annotations

import base64
import re
from decimal import Decimal
from typing import Any

from weft.testing.odata.values import INTEGERS, instant_ns, instant_wire
from weft_d365fo.simulator.errors import FoError, Refused, bad_request, refused
from weft_d365fo.simulator.schema import Property
from weft_d365fo.simulator.settings import Settings

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def plain(value: Decimal) -> Decimal:
    """Without trailing zeros, never in exponent form."""
    value = value.normalize()
    exponent = value.as_tuple().exponent
    return value.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else value + 0


def noon(day: str) -> str:
    """``2026-01-31`` as a date goes over the wire."""
    return f"{day[:10]}T12:00:00Z"


def etag(version: int, recid: int) -> str:
    """recVersion and recId of the data sources, in base 64."""
    text = f"'{version},{recid};0,0'"
    return f'W/"{base64.b64encode(text.encode()).decode()}"'


def decode(prop: Property, raw: Any, settings: Settings) -> Any:
    """A body's value as it is stored. Raises FoError for a wrong type, Refused for a text too long."""
    if raw is None:
        if prop.kind == "S" or settings.null_clears:
            return prop.blank
        raise _wrong(prop, "null")
    return _DECODERS[prop.kind](prop, raw, settings)


def _wrong(prop: Property, raw: Any) -> FoError:
    return bad_request(
        f"Cannot convert the literal '{raw}' to the expected type '{prop.edm}' of the property '{prop.name}'."
    )


def _text(prop: Property, raw: Any, settings: Settings) -> Any:
    if not isinstance(raw, str):
        raise _wrong(prop, raw)
    if prop.max_length is not None and len(raw) > prop.max_length:
        if settings.overlong == "refuse":
            raise too_long(prop, raw)
        return raw[: prop.max_length]
    return raw


def too_long(prop: Property, raw: str) -> Refused:
    return refused(
        "Warning",
        f"The value '{raw}' in field '{prop.label}' is longer than the {prop.max_length} characters allowed.",
        f"validateField failed on field '{{aot}}.{prop.name}'",
    )


def _decimal(prop: Property, raw: Any, settings: Settings) -> Any:
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal):
        raise _wrong(prop, raw)
    return plain(Decimal(raw))


def _integer(prop: Property, raw: Any, settings: Settings) -> Any:
    low, high = INTEGERS[prop.edm]
    if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
        raise _wrong(prop, raw)
    return raw


def _boolean(prop: Property, raw: Any, settings: Settings) -> Any:
    if not isinstance(raw, bool):
        raise _wrong(prop, raw)
    return raw


def instant(prop: Property, raw: Any) -> str:
    """A date keeps its UTC day at noon; a time keeps its seconds."""
    try:
        made = instant_wire(instant_ns(raw), 0)
    except (TypeError, ValueError, OverflowError):
        raise _wrong(prop, raw) from None
    return noon(made) if prop.kind == "D" else made


def _instant(prop: Property, raw: Any, settings: Settings) -> Any:
    return instant(prop, raw)


def _guid(prop: Property, raw: Any, settings: Settings) -> Any:
    if not isinstance(raw, str) or not _GUID.fullmatch(raw):
        raise _wrong(prop, raw)
    return raw.lower()


def _enum(prop: Property, raw: Any, settings: Settings) -> Any:
    if isinstance(raw, str) and raw in prop.members:
        return raw
    raise _wrong(prop, raw)


def _binary(prop: Property, raw: Any, settings: Settings) -> Any:
    if not isinstance(raw, str):
        raise _wrong(prop, raw)
    try:
        base64.b64decode(raw, validate=True)
    except ValueError:
        raise _wrong(prop, raw) from None
    return raw


_DECODERS = {
    "S": _text, "N": _decimal, "I": _integer, "L": _integer, "B": _boolean, "D": _instant, "T": _instant,
    "G": _guid, "E": _enum, "X": _binary,
}  # fmt: skip


def key_part(value: Any) -> str:
    """One part of a row's key as text that sorts like the value."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | Decimal):
        return f"{Decimal(value):032.10f}"
    return str(value)


def public(row: dict[str, Any]) -> dict[str, Any]:
    """A row as commands answer it: hidden columns left out, decimals as text."""
    return {k: str(v) if isinstance(v, Decimal) else v for k, v in row.items() if not k.startswith("$")}
