"""Rows -> JSON bytes, with Decimals as exact JSON numbers; and JSON bodies -> Python, as exactly."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import orjson

from weft.testing.odata.table import Row, Table


def _default(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise TypeError(f"{value} is no JSON number")
        return orjson.Fragment(f"{value:f}".encode())
    raise TypeError(f"{type(value).__name__} has no wire form")


def dumps(value: object) -> bytes:
    """JSON of anything rows are made of; Decimal becomes a number with its scale kept (``0.00``)."""
    return orjson.dumps(value, _default)


def loads(body: bytes) -> Any:
    """JSON -> Python with fractions as Decimal. Raises ValueError with line and column; NaN and Infinity, which
    are not JSON, are refused too."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("JSON is nested too deep") from None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def page(
    head: Mapping[str, Any],
    rows: Iterable[Row],
    table: Table,
    shape: Hashable,
    render: Callable[[Row], bytes],
    tail: Mapping[str, Any] | None = None,
) -> bytes:
    """``{head…, "value": [rows…], tail…}`` out of cached row bytes: ``render(row)`` runs once per row version and
    ``shape`` (the $select tuple, say)."""
    return wrap(head, table.rendered(rows, shape, render), tail)


def wrap(head: Mapping[str, Any], rows: Iterable[bytes], tail: Mapping[str, Any] | None = None) -> bytes:
    """As :func:`page`, from bytes of rows made by the caller."""
    start = dumps(dict(head))[:-1]
    lead = start + b',"value":[' if len(start) > 1 else b'{"value":['
    end = b"]}" if not tail else b"]," + dumps(dict(tail))[1:]
    return lead + b",".join(rows) + end
