"""Cursors: how far each side of a flow has been read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter

from sqlalchemy import Connection, delete, select

from weft.state import sql
from weft.state.tables import cursors as table


@dataclass(slots=True)
class Cursor:
    """``value`` is the connector's own text; ``at`` when it was stored."""

    flow: str
    side: str
    connection: str
    company: str
    mapping_variant: str
    value: str
    at: datetime


_NAMES = tuple(f.name for f in fields(Cursor))
_COLUMNS = [table.c[name] for name in _NAMES]
_KEY = _NAMES[:5]
_values = attrgetter(*_NAMES)
_PUT = sql.Upsert(table, _KEY, ["value", "at"])


class Cursors:
    """Reached as ``tx.cursors``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def get(self, flow: str, side: str, connection: str, company: str = "", mapping_variant: str = "") -> Cursor | None:
        given = dict(zip(_KEY, (flow, side, connection, company, mapping_variant), strict=True))
        query = select(*_COLUMNS).where(*(table.c[n] == v for n, v in given.items()))
        row = self._db.execute(query).one_or_none()
        return None if row is None else Cursor(*row)

    def put(self, cursor: Cursor) -> None:
        self.put_many([cursor])

    def put_many(self, cursors: Sequence[Cursor]) -> None:
        """Store cursors; call in the transaction that settles what they passed."""
        if not cursors:
            return
        sql.many(self._db, _PUT.on(self._db), _NAMES, map(_values, cursors))

    def all(self, flow: str | None = None) -> list[Cursor]:
        query = select(*_COLUMNS)
        if flow is not None:
            query = query.where(table.c.flow == flow)
        return [Cursor(*row) for row in self._db.execute(query.order_by(*(table.c[n] for n in _KEY)))]

    def forget(
        self, flow: str, *, side: str | None = None, connection: str | None = None, company: str | None = None
    ) -> int:
        """Drop cursors, so that the next run sweeps. Returns how many."""
        statement = delete(table).where(table.c.flow == flow)
        for column, value in (
            (table.c.side, side),
            (table.c.connection, connection),
            (table.c.company, company),
        ):
            if value is not None:
                statement = statement.where(column == value)
        return self._db.execute(statement).rowcount
