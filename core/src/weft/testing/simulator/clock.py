"""The clock of a simulated server."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_NS = 1_000_000_000


class SimClock:
    """Real time plus an offset, or a manual clock that only moves when told.

    ``precision_ns``: stamps are cut to this many nanoseconds (100 for SQL Server's datetime2, 1_000 for PostgreSQL,
    1_000_000 for Business Central). ``distinct``: every stamp differs from the one before (moved on by one unit of
    precision if needed); without it two writes may share a stamp, and stamps still never go backwards unless
    the clock is set back by ``skew`` or ``set``.
    """

    def __init__(
        self,
        start: datetime | None = None,
        *,
        manual: bool = False,
        precision_ns: int = 100,
        distinct: bool = False,
    ) -> None:
        self.precision_ns = precision_ns
        self.distinct = distinct
        self.manual = manual
        self.skew = timedelta(0)
        self._offset_ns = 0
        self._manual_ns = 0
        self._last_stamp = -1
        first = start if start is not None else datetime.now(UTC)
        if manual:
            self._manual_ns = _to_ns(first)
        elif start is not None:
            self._offset_ns = _to_ns(start) - time.time_ns()

    def now_ns(self) -> int:
        """Nanoseconds since 1970, skew included, full resolution."""
        base = self._manual_ns if self.manual else time.time_ns() + self._offset_ns
        skew = self.skew
        if skew:
            base += (skew.days * 86_400 + skew.seconds) * _NS + skew.microseconds * 1_000
        return base

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.now_ns() // 1_000)

    def stamp_ns(self) -> int:
        """The stamp of a write: cut to the precision, never before the last one (see the class)."""
        now = self.now_ns()
        value = now - now % self.precision_ns
        if self.distinct and value <= self._last_stamp:
            value = self._last_stamp + self.precision_ns
        elif value < self._last_stamp:
            value = self._last_stamp
        self._last_stamp = value
        return value

    def stamp(self, digits: int = 7) -> str:
        """:meth:`stamp_ns` in wire form, e.g. ``2024-01-31T08:15:30.1234567Z``, zeros trimmed."""
        from weft.testing.odata.values import instant_wire

        return instant_wire(self.stamp_ns(), digits)

    def advance(self, seconds: float) -> None:
        """Move on (or back, then stamps may repeat their order)."""
        step = round(seconds * _NS)
        if self.manual:
            self._manual_ns += step
        else:
            self._offset_ns += step
        if step < 0:
            self._last_stamp = -1

    def set_skew(self, seconds: float) -> None:
        """Show a time that is off by so many seconds; 0 ends it. Stamps follow, also backwards."""
        self.skew = timedelta(seconds=seconds)
        self._last_stamp = -1

    def freeze(self, at: datetime | None = None) -> None:
        """Turn into a manual clock standing at ``at`` (default: now)."""
        now = self.now_ns() if at is None else _to_ns(at)
        self.manual, self._manual_ns, self.skew = True, now, timedelta(0)
        if now < self._last_stamp:
            self._last_stamp = -1


def _to_ns(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("a simulator clock needs a time with a zone")
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * _NS + delta.microseconds * 1_000
