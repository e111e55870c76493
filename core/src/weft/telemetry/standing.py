"""How things stand, read off the state in one short look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from weft.state.runs import AGREED
from weft.state.tables import hints, intents

if TYPE_CHECKING:
    from weft.state.tx import Tx


@dataclass(slots=True)
class Standing:
    """What is waiting, for how long, and who works on it."""

    issues: dict[tuple[str, str], int]
    """By (flow, kind)."""
    approvals: dict[str, int]
    agreed: dict[str, datetime]
    """End of the last run of each flow that came to it: all agreed then, but for what has an open issue."""
    cursors: dict[tuple[str, str, str], datetime]
    """The oldest of each (flow, connection, side)."""
    hints: dict[str, tuple[int, datetime]]
    """How many, and since when the oldest waits."""
    unsettled: dict[tuple[str, str], int]
    """Intents by (flow, state)."""
    paused: set[str] = field(default_factory=set)
    workers: dict[str, int] = field(default_factory=dict)
    lease: float | None = None
    """Seconds until the lease of the worker that asks runs out; negative when it has."""


def standing(tx: Tx, flows: Iterable[str], now: datetime, worker: str = "") -> Standing:
    """One look, by this worker; every query is answered by an index or a small table."""
    db = tx.connection
    cursors: dict[tuple[str, str, str], datetime] = {}
    for cursor in tx.cursors.all():
        place = (cursor.flow, cursor.connection, cursor.side)
        cursors[place] = min(cursor.at, cursors.get(place, cursor.at))
    approvals: dict[str, int] = {}
    for asked in tx.guards.approvals():
        approvals[asked.flow] = approvals.get(asked.flow, 0) + 1
    waiting = select(hints.c.flow, func.count(), func.min(hints.c.at)).group_by(hints.c.flow)
    open_ones = (
        select(intents.c.flow, intents.c.state, func.count())
        .where(intents.c.state.in_(["open", "in_doubt"]))
        .group_by(intents.c.flow, intents.c.state)
    )
    agreed = {flow: tx.runs.last_ended(flow, AGREED) for flow in flows}
    return Standing(
        issues=tx.issues.counts(),
        approvals=approvals,
        agreed={flow: at for flow, at in agreed.items() if at is not None},
        cursors=cursors,
        hints={flow: (count, oldest) for flow, count, oldest in db.execute(waiting)},
        unsettled={(flow, state): count for flow, state, count in db.execute(open_ones)},
        paused=_paused(tx, now),
        workers=_workers(tx),
        lease=_lease(tx, worker),
    )


def _paused(tx: Tx, now: datetime) -> set[str]:
    return {pause.flow for pause in tx.pauses.active(now)}


def _workers(tx: Tx) -> dict[str, int]:
    alive = tx.workers.alive()
    stopping = sum(worker.stopping for worker in alive)
    return {"alive": len(alive) - stopping, "stopping": stopping, "overdue": len(tx.workers.overdue())}


def _lease(tx: Tx, worker: str) -> float | None:
    mine = tx.workers.get(worker) if worker else None
    if mine is None or mine.ended_at is not None:
        return None
    return (mine.expires_at - tx.workers.clock()).total_seconds()
