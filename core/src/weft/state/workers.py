"""Workers: the processes that act on this state, their leases, and what becomes of one that died.

A worker has a row for each time it boots. It holds its lease by heartbeats; the epoch is checked in
every transaction of the worker. Whoever finds a lease overdue may take the worker over: the epoch
rises, so that nothing the old one does late is accepted any more.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Text,
    and_,
    bindparam,
    column,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import table as table_clause

from weft.errors import StateError
from weft.state import sql
from weft.state.engine import sessions_of
from weft.state.tables import claims, hints, intents, portions, runs
from weft.state.tables import workers as table

LOST = "lost"
"""State of a run whose worker died."""


class LeaseLost(StateError):
    """Another worker has taken over; stop, and send nothing more. Started anew, the process is a worker again: no
    exit code of a mistake."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Lease:
    """What a worker holds while it lives."""

    worker: str
    epoch: int


@dataclass(slots=True)
class Worker:
    """``id`` is new with every boot. ``ended_at`` is set when it left or was taken over (then ``taken_by``
    names by whom). ``info`` is what it tells of itself: what it is doing, and how its connections are."""

    id: str
    host: str
    pid: int
    version: str
    epoch: int
    started_at: datetime
    heartbeat_at: datetime
    expires_at: datetime
    stopping: bool = False
    ended_at: datetime | None = None
    taken_by: str | None = None
    info: dict[str, Any] | None = None

    @property
    def carries_jobs(self) -> bool:
        """Is it a ``weft run``? Another command that acts tells nothing of jobs."""
        return "jobs" in (self.info or {})


@dataclass(frozen=True, slots=True)
class Taken:
    """What a worker that died left behind: runs cut off, writes in doubt, claims and hints set free."""

    worker: str
    runs: int
    in_doubt: int
    claims: int
    hints: int


_NAMES = tuple(f.name for f in fields(Worker))
_COLUMNS = [table.c[name] for name in _NAMES]
_THERE = table.c.ended_at.is_(None)


class Workers:
    """Reached as ``tx.workers``. Times are the database server's own where there is one, so that clocks of
    machines need not agree."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def clock(self) -> datetime:
        """The time by which leases are judged."""
        if sql.is_sqlite(self._db):
            return datetime.now(UTC)
        now: datetime = self._db.execute(select(func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)

    def join(self, id: str, host: str, pid: int, version: str, ttl: timedelta, info: Any = None) -> Lease:
        """Enter a worker that has just booted."""
        now = self.clock()
        worker = Worker(id, host, pid, version, 1, now, now, now + ttl, info=info)
        self._db.execute(insert(table), {n: getattr(worker, n) for n in _NAMES})
        return Lease(id, 1)

    def beat(self, lease: Lease, ttl: timedelta, info: Any = None, *, stopping: bool = False) -> None:
        """Renew a lease. One that is overdue but that nobody took is renewed as well.

        :raises LeaseLost: the worker was taken over.
        """
        now = self.clock()
        mine = (table.c.id == lease.worker, table.c.epoch == lease.epoch, _THERE)
        values = {"heartbeat_at": now, "expires_at": now + ttl, "stopping": stopping, "info": info}
        if self._db.execute(update(table).where(*mine).values(values)).rowcount != 1:
            raise self._lost(lease)

    def require(self, lease: Lease) -> None:
        """Raise :class:`LeaseLost` unless the lease still stands. Nobody takes the worker over until the
        transaction ends; its heartbeats are not held up."""
        query = select(table.c.epoch).where(table.c.id == lease.worker, _THERE)
        epoch = self._db.execute(query.with_for_update(read=True, key_share=True)).scalar_one_or_none()
        if epoch != lease.epoch:
            raise self._lost(lease)

    def _lost(self, lease: Lease) -> LeaseLost:
        row = self.get(lease.worker)
        who = "it has ended" if row is None or row.taken_by is None else f"{row.taken_by} took it over"
        return LeaseLost(f"the lease of worker {lease.worker} (epoch {lease.epoch}) is lost: {who}")

    def leave(self, lease: Lease, at: datetime) -> Taken:
        """The worker ends; what it may have left open is for others, as after a death. May be repeated."""
        return self._free(lease.worker, None, at)

    def cut_off(self, id: str) -> int:
        """PostgreSQL: end the sessions of a worker whose lease is overdue, and with them the locks they hold. One
        that was stopped in the middle of a transaction, or whose machine is gone, would keep them. Returns how many."""
        if sql.is_sqlite(self._db):
            return 0
        pid, name, user = column("pid", Integer), column("application_name", Text), column("usename", Text)
        overdue = exists().where(table.c.id == id, _THERE, table.c.expires_at <= func.clock_timestamp())
        mine = user == func.current_user()
        sessions = table_clause("pg_stat_activity", pid, name, user)
        query = select(func.pg_terminate_backend(pid)).select_from(sessions)
        query = query.where(name.endswith(sessions_of(id)), mine, pid != func.pg_backend_pid(), overdue)
        return len(self._db.execute(query).all())

    def take_over(self, id: str, by: str, at: datetime) -> Taken | None:
        """Take over a worker whose lease is overdue. None: it is alive, has ended, or somebody was quicker.
        ``at`` is the time by the caller's clock, for what the dead one left."""
        query = select(table.c.expires_at).where(table.c.id == id, _THERE)
        expires = self._db.execute(query.with_for_update()).scalar_one_or_none()
        if expires is None or expires > self.clock():
            return None
        return self._free(id, by, at)

    def _free(self, id: str, by: str | None, at: datetime) -> Taken:
        risen = table.c.epoch + (0 if by is None else 1)
        self._db.execute(
            update(table)
            .where(table.c.id == id, _THERE)
            .values(epoch=risen, ended_at=self.clock(), taken_by=by, stopping=True)
        )
        ended_runs, doubts = self._lose(and_(runs.c.worker == id, runs.c.state == "running"), at)
        self._db.execute(update(portions).where(portions.c.taken_by == id).values(taken_by=None))
        freed = self._db.execute(delete(claims).where(claims.c.worker == id)).rowcount
        back = self._db.execute(update(hints).where(hints.c.taken_by == id).values(taken_by=None)).rowcount
        return Taken(id, ended_runs, doubts, freed, back)

    def lose(self, id: str, ids: Collection[str], at: datetime) -> None:
        """Runs of a living worker that have come to their end, which could not be stored then."""
        if ids:
            self._lose(and_(runs.c.worker == id, runs.c.state == "running", runs.c.id.in_(sorted(ids))), at)

    def _lose(self, which: ColumnElement[bool], at: datetime) -> tuple[int, int]:
        """Mark runs as lost, and what they sent without settling it as in doubt; how many of each."""
        cut = select(runs.c.id).where(which)
        sent = select(intents.c.id, intents.c.sent_at, intents.c.settle_after).where(
            intents.c.state == "open", intents.c.sent_at.is_not(None), intents.c.run.in_(cut)
        )
        # The last of them may have left just before the end: the server's longest operation counts from now.
        doubts = [
            {"_id": row.id, "_until": at + (row.settle_after - row.sent_at if row.settle_after else timedelta())}
            for row in self._db.execute(sent)
        ]
        if doubts:
            statement = update(intents).where(intents.c.id == bindparam("_id"))
            self._db.execute(statement.values(state="in_doubt", settle_after=bindparam("_until")), doubts)
        # What they staged goes with them.
        self._db.execute(delete(portions).where(portions.c.run.in_(cut)))
        ended = self._db.execute(update(runs).where(which).values(state=LOST, finished_at=at)).rowcount
        return ended, len(doubts)

    def alone(self, id: str, at: datetime) -> list[Taken]:
        """On SQLite, at the start of the one process that acts: whatever others began has come to its end."""
        dead = set(self._db.execute(select(table.c.id).where(_THERE, table.c.id != id)).scalars())
        running = runs.c.state == "running"
        dead.update(self._db.execute(select(runs.c.worker).where(running).distinct()).scalars())
        dead.update(
            self._db.execute(select(hints.c.taken_by).where(hints.c.taken_by.is_not(None)).distinct()).scalars()
        )
        return [self._free(one, id, at) for one in sorted(dead - {id, None})]

    def overdue(self) -> list[str]:
        """Workers whose lease has run out and that nobody took over yet."""
        query = select(table.c.id).where(_THERE, table.c.expires_at <= self.clock())
        return list(self._db.execute(query.order_by(table.c.id)).scalars())

    def alive(self) -> list[Worker]:
        """Workers that hold their lease, in order of boot."""
        query = select(*_COLUMNS).where(_THERE, table.c.expires_at > self.clock())
        return [Worker(*row) for row in self._db.execute(query.order_by(table.c.started_at, table.c.id))]

    def get(self, id: str) -> Worker | None:
        row = self._db.execute(select(*_COLUMNS).where(table.c.id == id)).one_or_none()
        return None if row is None else Worker(*row)

    def all(self, limit: int = 100) -> list[Worker]:
        """Workers that are or were, newest first."""
        query = select(*_COLUMNS).order_by(table.c.started_at.desc(), table.c.id).limit(limit)
        return [Worker(*row) for row in self._db.execute(query)]

    def prune(self, before: datetime) -> int:
        """Forget workers that ended before a time. Returns how many."""
        return self._db.execute(delete(table).where(table.c.ended_at < before)).rowcount
