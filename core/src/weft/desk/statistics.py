"""What runs came to, over time: for charts, and for the figures beside a flow."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from weft.desk.action import Wanted, question
from weft.desk.desk import Desk
from weft.state.statistics import Total, Width

WRITTEN = ("created", "updated", "deleted", "deactivated")
FAILED = ("failed", "rejected")
HELD = ("conflict", "waiting", "ambiguous", "approval", "review", "invisible", "quarantined", "asked")

Span = Literal["day", "week", "month"]
_STEPS: dict[Span, tuple[timedelta, Width, int]] = {
    "day": (timedelta(days=1), 300, 900),
    "week": (timedelta(days=7), 3600, 3600),
    "month": (timedelta(days=30), 3600, 4 * 3600),
}
"""How far back, the stretches read, and the seconds one point covers."""


class Over(Wanted):
    span: Span = "day"
    flow: str | None = None


@dataclass(slots=True)
class Figures:
    """``lag_*``: seconds from a change in one system to its write in the other, by upper bound of the class
    it fell into (None: nothing was written; longer than an hour is 7200). ``busy`` in seconds."""

    runs: int = 0
    runs_failed: int = 0
    read: int = 0
    written: int = 0
    failed: int = 0
    held: int = 0
    busy: float = 0
    lag_median: float | None = None
    lag_p95: float | None = None

    @property
    def success(self) -> float | None:
        """Share of writes that succeeded, in percent."""
        tried = self.written + self.failed
        return 100 * self.written / tried if tried else None


@dataclass(slots=True)
class Point:
    at: datetime
    figures: Figures


@dataclass(slots=True)
class Series:
    """``points``: every ``step`` seconds, also where nothing happened. ``flows``: each flow's sums."""

    span: Span
    step: int
    points: list[Point]
    total: Figures
    flows: dict[str, Figures]
    written: dict[str, list[int]] = field(default_factory=dict)
    """Records written by flow, point by point."""


@question("/statistics")
async def series(desk: Desk, wanted: Over) -> Series:
    """Runs, records and delays over the last day, week or month, as points in time and in sum by flow."""
    if wanted.flow is not None:
        desk.config.flow(wanted.flow)
    back, width, step = _STEPS[wanted.span]
    now = desk.now
    begin = _floor(now - back + timedelta(seconds=step), step)
    totals = await desk.state.read(lambda tx: tx.statistics.since(begin, width, wanted.flow))
    return collect(totals, wanted.span, begin, now, step)


def collect(totals: list[Total], span: Span, begin: datetime, now: datetime, step: int) -> Series:
    """Totals put into points and sums."""
    count = int((now - begin).total_seconds() // step) + 1
    by_point: list[dict[str, int]] = [defaultdict(int) for _ in range(count)]
    by_flow: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    all_of: dict[str, int] = defaultdict(int)
    written: dict[str, list[int]] = defaultdict(lambda: [0] * count)
    for one in totals:
        index = int((one.at - begin).total_seconds() // step)
        if not 0 <= index < count:
            continue
        for into in (by_point[index], by_flow[one.flow], all_of):
            into[one.name] += one.value
        if one.name in WRITTEN:
            written[one.flow][index] += one.value
    points = [Point(begin + timedelta(seconds=step * i), figures(names)) for i, names in enumerate(by_point)]
    flows = {flow: figures(names) for flow, names in sorted(by_flow.items())}
    return Series(span, step, points, figures(all_of), flows, dict(written))


def figures(names: dict[str, int]) -> Figures:
    """Sums by name as figures."""
    lags = sorted((_bound(name), value) for name, value in names.items() if name.startswith("lag:"))
    return Figures(
        runs=names.get("runs", 0),
        runs_failed=names.get("runs failed", 0),
        read=names.get("read", 0),
        written=sum(names.get(name, 0) for name in WRITTEN),
        failed=sum(names.get(name, 0) for name in FAILED),
        held=sum(names.get(name, 0) for name in HELD),
        busy=names.get("busy", 0) / 1000,
        lag_median=_quantile(lags, 0.5),
        lag_p95=_quantile(lags, 0.95),
    )


def _bound(name: str) -> float:
    bound = name.removeprefix("lag:")
    return 7200.0 if bound == "inf" else float(bound)


def _quantile(lags: list[tuple[float, int]], share: float) -> float | None:
    wanted = share * sum(value for _, value in lags)
    passed = 0
    for bound, value in lags:
        passed += value
        if value and passed >= wanted:
            return bound
    return None


def _floor(at: datetime, step: int) -> datetime:
    return at - timedelta(seconds=at.timestamp() % step)
