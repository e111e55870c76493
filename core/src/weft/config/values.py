"""Small values of the configuration: durations and lists that may be written as one word."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
"""Milliseconds of each."""
_PIECE = re.compile(r"(\d+)\s*(ms|[smhdw])")
_PATTERN = r"^\s*(\d+\s*(ms|[smhdw])\s*)+$"


def parse_duration(value: Any) -> Any:
    """``5m``, ``1h 30m``, ``2d``; a bare number counts seconds. Anything else is a ValueError."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        if not 0 <= value <= 3650 * 86400:
            raise ValueError("a duration lies between 0 seconds and ten years")
        return timedelta(seconds=float(value))
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value.strip()):
        return parse_duration(int(value))
    if isinstance(value, str) and len(value) <= 40 and re.match(_PATTERN, value, re.ASCII):
        return parse_duration(Decimal(sum(int(number) * _UNITS[unit] for number, unit in _PIECE.findall(value))) / 1000)
    raise ValueError("write a duration as 30s, 5m, 1h 30m, 2d or 1w")


def spell_duration(value: timedelta) -> str:
    """The shortest spelling :func:`parse_duration` reads back: ``90m`` is ``1h 30m``."""
    rest, words = value // timedelta(milliseconds=1), []
    for unit, length in reversed(_UNITS.items()):
        count, rest = divmod(rest, length)
        if count:
            words.append(f"{count}{unit}")
    return " ".join(words) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(spell_duration, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": _PATTERN}, {"type": "number", "minimum": 0}]}),
]
"""A span of time: ``30s``, ``5m``, ``1h 30m``, ``2d``, or seconds as a number."""


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[
    list[str],
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""Several names; one alone may stand without brackets."""

ConnectionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=60)]

CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""A currency as ISO 4217 writes it: ``EUR``."""
DecimalPlaces = Annotated[int, Field(ge=0, le=6)]


class Strict(BaseModel):
    """A piece of the configuration: unknown keys are refused, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
