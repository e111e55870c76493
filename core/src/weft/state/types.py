"""Column types: exact JSON and UTC times, alike on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Integer, String, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from weft.model.values import decode, encode

Key = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is compared byte by byte, so that its index finds what begins so."""
Id = BigInteger().with_variant(Integer(), "sqlite")
"""64-bit row ids; SQLite wants the word INTEGER to use its row id."""


@lru_cache(maxsize=1024)
def time_text(value: datetime) -> str:
    """A UTC time as fixed-width text that sorts as time does: ``2024-05-01T08:00:00.000000Z``."""
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone; state times are aware")
    return value.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def _as_text(value: datetime | None) -> str | None:
    return None if value is None else time_text(value)


def _as_utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone; state times are aware")
    return value.astimezone(UTC)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time: ``timestamptz`` on PostgreSQL, sortable text on SQLite."""

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(27))

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        return _as_text if dialect.name == "sqlite" else _as_utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        result: datetime = value.astimezone(UTC)
        return result


def dump(value: Any) -> str:
    """Any structure of canonical values as JSON text, stable in order."""
    return encode(value)


def load(text: str | bytes) -> Any:
    """Read what :func:`dump` wrote; floats are decimals now."""
    return decode(text, fractions=True)


class Json(TypeDecorator[Any]):
    """Canonical values (:mod:`weft.model.values`) as tagged JSON text; None is NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else dump(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else load(value)
