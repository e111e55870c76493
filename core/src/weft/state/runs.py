"""Runs: one execution of a flow and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, null, or_, select, update

from weft.state import sql
from weft.state.statistics import Statistics
from weft.state.tables import runs as table


@dataclass(slots=True)
class Run:
    """``state``: ``running`` until finished, then ``done``, ``issues``, ``failed``, ``down``, ``stopped``, or
    ``lost`` when it was cut off or its ``worker`` died. ``journal_rows`` and ``journal_tip`` are kept by the
    journal. ``error`` is what stopped it, in words; ``pruned_at`` is when its journal was given up."""

    id: str
    flow: str
    mode: str
    started_at: datetime
    finished_at: datetime | None = None
    state: str = "running"
    counts: dict[str, Any] | None = None
    plan: Any = None
    journal_rows: int = 0
    journal_tip: str = ""
    worker: str | None = None
    error: str | None = None
    pruned_at: datetime | None = None


_NAMES = tuple(f.name for f in fields(Run))
_COLUMNS = [table.c[name] for name in _NAMES]
_WITHOUT_PLAN = [null() if name == "plan" else table.c[name] for name in _NAMES]

AHEAD = timedelta(minutes=1)
"""A time that lies further ahead than this was noted by a clock that has been set back since."""

PASSES = ("changes", "first", "sweep")
"""Modes of runs that go over a whole flow."""
MOVING = (*PASSES, "keys", "hints", "due", "portions")
"""Modes of runs that bring records into agreement; their counts make the statistics."""
AGREED = ("done", "issues")
"""States of runs that came to their end: all agrees then, but for what has an open issue."""
RECENT = 1000
"""So many of a flow's last runs are looked through for passes."""


class Runs:
    """Reached as ``tx.runs``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def start(self, run: Run) -> None:
        self._db.execute(insert(table), {n: getattr(run, n) for n in _NAMES})

    def progress(self, id: str, counts: dict[str, Any]) -> None:
        """Store the counts so far."""
        self._db.execute(update(table).where(table.c.id == id).values(counts=counts))

    def begin(self, id: str, mode: str) -> None:
        """Say what a run turns out to be: a first load or a sweep shows while it runs."""
        self._db.execute(update(table).where(table.c.id == id).values(mode=mode))

    def loading(self, flow: str) -> bool:
        """Is the flow's first load under way?"""
        query = select(table.c.id).where(table.c.flow == flow, table.c.state == "running", table.c.mode == "first")
        return self._db.execute(query.limit(1)).one_or_none() is not None

    def lost(self, modes: Sequence[str], now: datetime) -> dict[str, str]:
        """Flows whose latest run of these modes was lost with its worker, and the mode of that run."""
        newest = (
            select(table.c.flow, func.max(table.c.started_at).label("at"))
            .where(table.c.mode.in_(list(modes)), table.c.started_at <= now + AHEAD)
            .group_by(table.c.flow)
            .subquery()
        )
        query = select(table.c.flow, table.c.mode).join(
            newest, and_(table.c.flow == newest.c.flow, table.c.started_at == newest.c.at)
        )
        return {row.flow: row.mode for row in self._db.execute(query.where(table.c.state == "lost"))}

    def finish(
        self,
        id: str,
        state: str,
        at: datetime,
        counts: dict[str, Any] | None = None,
        plan: Any = None,
        lags: dict[str, int] | None = None,
        error: str | None = None,
    ) -> None:
        """Close a run. ``lags`` counts its writes by :func:`weft.state.statistics.lag_name`.
        ``error`` says what stopped it, secrets masked."""
        changed: dict[str, Any] = {"state": state, "finished_at": at, "error": error or None}
        if counts is not None:
            changed["counts"] = counts
        if plan is not None:
            changed["plan"] = plan
        query = update(table).where(table.c.id == id).values(changed)
        run = self._db.execute(query.returning(table.c.flow, table.c.mode, table.c.started_at)).one_or_none()
        if run is not None and run.mode in MOVING:
            took = max(int((at - run.started_at).total_seconds() * 1000), 0)
            totals = {name: value for name, value in (counts or {}).items() if type(value) is int}
            failed = int(state in ("failed", "down", "stopped"))
            totals |= {"runs": 1, "runs failed": failed, "busy": took, **(lags or {})}
            Statistics(self._db).add(run.flow, at, totals)

    def get(self, id: str) -> Run | None:
        row = self._db.execute(select(*_COLUMNS).where(table.c.id == id)).one_or_none()
        return None if row is None else Run(*row)

    def beginning(self, text: str, limit: int = 2) -> list[str]:
        """Ids of runs that begin so, in their order; in hexadecimal, so that the index finds them."""
        query = select(table.c.id).where(table.c.id >= text, table.c.id < text + "g").order_by(table.c.id)
        return list(self._db.execute(query.limit(limit)).scalars())

    def page(
        self,
        *,
        before: tuple[datetime, str] | None = None,
        limit: int = 50,
        flow: str | None = None,
        state: str | Sequence[str] | None = None,
        mode: str | None = None,
    ) -> list[Run]:
        """Runs, newest first, without their plans; ``before`` = (started_at, id) of the last one seen continues."""
        query = select(*_WITHOUT_PLAN)
        if flow is not None:
            query = query.where(table.c.flow == flow)
        if mode is not None:
            query = query.where(table.c.mode == mode)
        if state is not None:
            query = query.where(table.c.state.in_([state] if isinstance(state, str) else list(state)))
        if before is not None:
            at, id = before
            query = query.where(or_(table.c.started_at < at, and_(table.c.started_at == at, table.c.id < id)))
        query = query.order_by(table.c.started_at.desc(), table.c.id.desc()).limit(limit)
        return [Run(*row) for row in self._db.execute(query)]

    def latest(self) -> dict[str, Run]:
        """The newest run of each flow."""
        newest = select(table.c.flow, func.max(table.c.started_at).label("at")).group_by(table.c.flow).subquery()
        query = select(*_COLUMNS).join(newest, and_(table.c.flow == newest.c.flow, table.c.started_at == newest.c.at))
        return {row.flow: Run(*row) for row in self._db.execute(query.order_by(table.c.id))}

    def running(self, flow: str | None = None) -> list[Run]:
        """Runs that were started and not finished; after a crash also those nobody works on."""
        query = select(*_COLUMNS).where(table.c.state == "running")
        if flow is not None:
            query = query.where(table.c.flow == flow)
        return [Run(*row) for row in self._db.execute(query.order_by(table.c.started_at, table.c.id))]

    def last_ended(self, flow: str, states: Sequence[str]) -> datetime | None:
        """When the newest run of a flow that ended in one of these states did so; plans and parts of a first load
        are none."""
        query = select(table.c.finished_at).where(table.c.flow == flow, table.c.state.in_(list(states)))
        query = query.where(table.c.mode.in_([mode for mode in MOVING if mode != "portions"]))
        query = query.order_by(table.c.started_at.desc()).limit(1)
        found: datetime | None = self._db.execute(query).scalar_one_or_none()
        return found

    def recent(self, flow: str, modes: Sequence[str], limit: int = 100) -> list[Run]:
        """Runs of these modes among a flow's last :data:`RECENT` ones, newest first, without their plans."""
        last = select(table.c.id).where(table.c.flow == flow)
        last = last.order_by(table.c.started_at.desc(), table.c.id.desc()).limit(RECENT)
        query = select(*_WITHOUT_PLAN).where(table.c.id.in_(last), table.c.mode.in_(list(modes)))
        query = query.order_by(table.c.started_at.desc(), table.c.id.desc()).limit(limit)
        return [Run(*row) for row in self._db.execute(query)]

    def failing(self, flow: str) -> list[Run]:
        """The newest runs of a flow that failed or found a system down, back to the last that did not. Live changes
        that get through do not make good passes that fail: those are judged by themselves too, the longer row counts.
        """
        all_of, passes = self._ended(flow, MOVING), self._ended(flow, PASSES)
        return max(
            list(takewhile(lambda run: run.state in ("failed", "down"), all_of)),
            list(takewhile(lambda run: run.state == "failed", passes)),
            key=len,
        )

    def failed_pass(self, flow: str) -> Run | None:
        """The newest pass over a flow that came to an end, if it failed."""
        last = next(self._ended(flow, PASSES), None)
        return last if last is not None and last.state == "failed" else None

    def _ended(self, flow: str, modes: Sequence[str]) -> Iterator[Run]:
        return (run for run in self.recent(flow, modes) if run.state != "running")

    # -- giving up what is old

    def prunable(self, before: datetime, limit: int = 200) -> list[Run]:
        """Runs that ended before a time and whose journal is still there, oldest first."""
        query = select(*_COLUMNS).where(
            table.c.finished_at < before, table.c.journal_rows > 0, table.c.pruned_at.is_(None)
        )
        return [Run(*row) for row in self._db.execute(query.order_by(table.c.started_at, table.c.id).limit(limit))]

    def mark_pruned(self, ids: Sequence[str], at: datetime) -> None:
        """Give up the journals of these runs; how long each was and its last hash stay."""
        for batch in sql.chunks(ids):
            self._db.execute(update(table).where(sql.among(self._db, table.c.id, batch)).values(pruned_at=at))

    def prune_idle(self, before: datetime, limit: int = 5000) -> int:
        """Forget runs that ended before a time and changed nothing, but for each flow's last of each outcome.
        Returns how many."""
        kept = select(func.max(table.c.started_at)).group_by(table.c.flow, table.c.state)
        old = select(table.c.id).where(
            table.c.finished_at < before, table.c.journal_rows == 0, table.c.started_at.not_in(kept)
        )
        return self._db.execute(delete(table).where(table.c.id.in_(old.limit(limit)))).rowcount
