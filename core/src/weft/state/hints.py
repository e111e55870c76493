"""Hints: keys that events say have changed, queued per flow and merged until somebody reads them.

In the lane ``live`` they come from events and people, in ``bulk`` from a pass that hands its records over.
Whoever works on hints takes them first, so that several workers have different ones.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)

from weft.records import Hint, Lane
from weft.state import sql
from weft.state.runs import AHEAD
from weft.state.tables import hints as table


@dataclass(slots=True)
class PendingHint:
    """A queued hint. ``key`` empty: sweep the object. ``count`` is how many events it stands for.
    ``not_before``: it could not be worked on, and is looked at again from then on."""

    flow: str
    connection: str
    object: str
    company: str
    key: str
    at: datetime
    last_at: datetime
    count: int
    lane: Lane = "live"
    not_before: datetime | None = None


_NAMES = tuple(f.name for f in fields(PendingHint))
_COLUMNS = [table.c[name] for name in _NAMES]
_KEY = _NAMES[:5]


def _told_again(new: Any) -> dict[str, Any]:
    live: ColumnElement[str] = literal_column("'live'")
    return {
        "last_at": new.last_at,
        "count": table.c.count + literal_column("1"),
        "lane": case((new.lane == live, live), else_=table.c.lane),
        "not_before": new.not_before,
    }


_PUT = sql.Upsert(table, _KEY, _told_again)


class Hints:
    """Reached as ``tx.hints``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def put_many(
        self,
        flow: str,
        connection: str,
        hints: Sequence[Hint],
        at: datetime,
        *,
        lane: Lane = "live",
        not_before: datetime | None = None,
    ) -> None:
        """Queue hints for a flow; one that is queued already is only counted. Live overtakes bulk."""
        if not hints:
            return
        rows = [(flow, connection, h.object, h.company, h.key or "", at, at, 1, lane, not_before) for h in hints]
        sql.many(self._db, _PUT.on(self._db), _NAMES, rows)

    def take(
        self, flow: str, by: str, now: datetime, *, lane: Lane | None = None, limit: int = 500
    ) -> list[PendingHint]:
        """The oldest hints that nobody has; they are the worker's until :meth:`done`. With a ``lane`` only those
        of that lane, and none for whole objects."""
        query = select(*_COLUMNS).where(table.c.flow == flow, *_ready(now))
        if lane is not None:
            query = query.where(table.c.lane == lane, table.c.key != "")
        query = query.order_by(table.c.at, *(table.c[n] for n in _KEY)).limit(limit)
        found = [PendingHint(*row) for row in self._db.execute(query.with_for_update(skip_locked=True))]
        if found:
            self._set_taken(found, by)
        return found

    def give_back(self, hints: Sequence[PendingHint], not_before: datetime | None = None) -> None:
        """Let others have hints that were taken and not dealt with (from a time on)."""
        if hints:
            self._set_taken(hints, None, not_before=not_before)

    def let_go(self, by: str, flows: Collection[str]) -> None:
        """Give back all that a worker has taken of some flows."""
        mine = (table.c.taken_by == by, table.c.flow.in_(sorted(flows)))
        self._db.execute(update(table).where(*mine).values(taken_by=None))

    def _set_taken(self, hints: Sequence[PendingHint], by: str | None, **more: datetime | None) -> None:
        statement = update(table).where(*(table.c[n] == bindparam("_" + n) for n in _KEY))
        rows = [{"_" + n: getattr(h, n) for n in _KEY} for h in hints]
        self._db.execute(statement.values(taken_by=by, **more), rows)

    def peek(self, flow: str, limit: int = 500, *, until: datetime | None = None) -> list[PendingHint]:
        """The oldest hints (up to a time), whoever has them, for looking at."""
        query = select(*_COLUMNS).where(table.c.flow == flow)
        if until is not None:
            query = query.where(table.c.at <= until)
        query = query.order_by(table.c.at, *(table.c[n] for n in _KEY)).limit(limit)
        return [PendingHint(*row) for row in self._db.execute(query)]

    def done(self, hints: Sequence[PendingHint]) -> None:
        """Drop hints that were dealt with. Where a further event has come in meanwhile, the hint stays, and
        is anybody's again; so does one that is new since, should somebody else have dealt with these."""
        if not hints:
            return
        names = (*_KEY, "at", "count")
        statement = delete(table).where(*(table.c[n] == bindparam("_" + n) for n in names))
        self._db.execute(statement, [{"_" + n: getattr(h, n) for n in names} for h in hints])
        self._set_taken(hints, None)

    def ready(self, now: datetime) -> dict[tuple[str, Lane], int]:
        """Keys that could be worked on now, by flow and lane."""
        query = select(table.c.flow, table.c.lane, func.count()).where(*_ready(now), table.c.key != "")
        return {(flow, lane): n for flow, lane, n in self._db.execute(query.group_by(table.c.flow, table.c.lane))}

    def whole(self, now: datetime) -> set[str]:
        """Flows that were told of an object as a whole."""
        query = select(table.c.flow).where(*_ready(now), table.c.key == "").distinct()
        return set(self._db.execute(query).scalars())

    def next_ready(self, now: datetime) -> datetime | None:
        """When the next of those that wait may be worked on, if any waits."""
        query = select(func.min(table.c.not_before)).where(table.c.taken_by.is_(None), table.c.not_before > now)
        found: datetime | None = self._db.execute(query).scalar_one()
        return found

    def counts(self) -> dict[str, int]:
        """Queued keys by flow."""
        rows = self._db.execute(select(table.c.flow, func.count()).group_by(table.c.flow))
        return {row[0]: row[1] for row in rows}


def _ready(now: datetime) -> list[ColumnElement[bool]]:
    later = table.c.not_before
    return [table.c.taken_by.is_(None), or_(later.is_(None), later <= now, later > now + AHEAD)]
