"""Hints: keys that events say have changed, queued per flow and merged until somebody reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, select

from weft.records import Hint
from weft.state import sql
from weft.state.tables import hints as table


@dataclass(slots=True)
class PendingHint:
    """A queued hint. ``key`` empty: sweep the object. ``count`` is how many events it stands for."""

    flow: str
    connection: str
    object: str
    company: str
    key: str
    at: datetime
    last_at: datetime
    count: int


_NAMES = tuple(f.name for f in fields(PendingHint))
_COLUMNS = [table.c[name] for name in _NAMES]
_KEY = _NAMES[:5]


class Hints:
    """Reached as ``tx.hints``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def put_many(self, flow: str, connection: str, hints: Sequence[Hint], at: datetime) -> None:
        """Queue hints for a flow; one that is queued already is only counted."""
        if not hints:
            return
        statement = sql.upsert(self._db, table)
        statement = statement.on_conflict_do_update(
            index_elements=_KEY, set_={"last_at": statement.excluded.last_at, "count": table.c.count + 1}
        )
        rows = [
            {"flow": flow, "connection": connection, "object": h.object, "company": h.company,
             "key": h.key or "", "at": at, "last_at": at, "count": 1}
            for h in hints
        ]  # fmt: skip
        self._db.execute(statement, rows)

    def peek(self, flow: str, limit: int = 500, *, until: datetime | None = None) -> list[PendingHint]:
        """The oldest hints (up to a time). They stay queued until :meth:`done`."""
        query = select(*_COLUMNS).where(table.c.flow == flow)
        if until is not None:
            query = query.where(table.c.at <= until)
        query = query.order_by(table.c.at, *(table.c[n] for n in _KEY)).limit(limit)
        return [PendingHint(*row) for row in self._db.execute(query)]

    def done(self, hints: Sequence[PendingHint]) -> None:
        """Drop hints that were dealt with, except where a further event has come in meanwhile."""
        if not hints:
            return
        names = (*_KEY, "count")
        statement = delete(table).where(*(table.c[n] == bindparam("_" + n) for n in names))
        self._db.execute(statement, [{"_" + n: getattr(h, n) for n in names} for h in hints])

    def counts(self) -> dict[str, int]:
        """Queued keys by flow."""
        rows = self._db.execute(select(table.c.flow, func.count()).group_by(table.c.flow))
        return {row[0]: row[1] for row in rows}
