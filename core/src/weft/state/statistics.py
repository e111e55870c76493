"""Statistics: what runs came to, added up over stretches of time, so that a chart reads few rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, delete, func, select

from weft.state import sql
from weft.state.tables import statistics as table

Width = Literal[300, 3600]
WIDTHS: tuple[Width, ...] = (300, 3600)
"""Seconds that one row covers: the short rows are for days, the long ones for months."""

LAGS = (1, 2, 5, 10, 30, 60, 300, 1800, 3600)
"""Upper bounds in seconds of the classes in which delays are counted; what took longer is ``lag:inf``."""


@dataclass(frozen=True, slots=True)
class Total:
    """``name`` is an outcome, or ``runs``, ``runs failed``, ``busy`` (milliseconds), or ``lag:5``: writes
    that reached the other system within 5 seconds (and not within the class below)."""

    flow: str
    at: datetime
    name: str
    value: int


def lag_name(seconds: float) -> str:
    """The class a delay belongs to."""
    return next((f"lag:{bound}" for bound in LAGS if seconds <= bound), "lag:inf")


_NAMES = ("width", "at", "flow", "name", "value")
_ADD = sql.Upsert(table, _NAMES[:4], lambda new: {"value": table.c.value + new.value})


class Statistics:
    """Reached as ``tx.statistics``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, flow: str, at: datetime, counts: Mapping[str, int]) -> None:
        """Add counts to the stretches that ``at`` falls into."""
        rows = [
            (width, _begin(at, width), flow, name, value)
            for width in WIDTHS
            for name, value in sorted(counts.items())
            if value
        ]
        if rows:
            sql.many(self._db, _ADD.on(self._db), _NAMES, rows)

    def since(self, at: datetime, width: Width, flow: str | None = None) -> list[Total]:
        """The totals of every stretch that ends after ``at``, in order of time."""
        query = select(table.c.flow, table.c.at, table.c.name, table.c.value)
        query = query.where(table.c.width == width, table.c.at >= _begin(at, width))
        if flow is not None:
            query = query.where(table.c.flow == flow)
        return [Total(*row) for row in self._db.execute(query.order_by(table.c.at, table.c.flow, table.c.name))]

    def sums(self, at: datetime, width: Width) -> dict[tuple[str, str], int]:
        """(flow, name) -> sum over every stretch that ends after ``at``."""
        query = select(table.c.flow, table.c.name, func.sum(table.c.value))
        query = query.where(table.c.width == width, table.c.at >= _begin(at, width))
        rows = self._db.execute(query.group_by(table.c.flow, table.c.name))
        return {(flow, name): int(value) for flow, name, value in rows}

    def prune(self, before: datetime, width: Width) -> int:
        """Forget stretches that began before a time. Returns how many rows."""
        return self._db.execute(delete(table).where(table.c.width == width, table.c.at < before)).rowcount


def _begin(at: datetime, width: int) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + timedelta(seconds=(at - epoch) // timedelta(seconds=width) * width)
