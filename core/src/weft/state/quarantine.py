"""Quarantine: fields whose value goes back and forth, with the values seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from weft.state import sql
from weft.state.tables import flips as table


@dataclass(slots=True)
class Flip:
    """The recent values of one field of a link, oldest first: ``history`` is a list of
    ``[time, side it came from, value]``. ``quarantined``: the field is no longer written."""

    link_id: int
    field: str
    history: list[Any]
    quarantined: bool
    at: datetime


_NAMES = tuple(f.name for f in fields(Flip))
_COLUMNS = [table.c[name] for name in _NAMES]
_values = attrgetter(*_NAMES)
_PUT = sql.Upsert(table, ["link_id", "field"], ["history", "quarantined", "at"])


class Quarantine:
    """Reached as ``tx.quarantine``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def get_many(self, link_ids: Sequence[int]) -> dict[int, dict[str, Flip]]:
        """Histories by link and field; links without any are left out."""
        found: dict[int, dict[str, Flip]] = {}
        for batch in sql.chunks(link_ids):
            query = select(*_COLUMNS).where(sql.among_ids(self._db, table.c.link_id, batch))
            for row in self._db.execute(query):
                found.setdefault(row.link_id, {})[row.field] = Flip(*row)
        return found

    def put_many(self, flips: Sequence[Flip]) -> None:
        if not flips:
            return
        sql.many(self._db, _PUT.on(self._db), _NAMES, map(_values, flips))

    def clear(self, which: Iterable[tuple[int, str]]) -> None:
        """Release fields: (link id, field)."""
        rows = [{"_link": link, "_field": field} for link, field in which]
        if rows:
            statement = delete(table).where(table.c.link_id == bindparam("_link"), table.c.field == bindparam("_field"))
            self._db.execute(statement, rows)

    def prune(self, before: datetime) -> int:
        """Forget histories without a flip that are older than ``before``. Returns how many."""
        statement = delete(table).where(table.c.at < before, table.c.quarantined.is_(False))
        return self._db.execute(statement).rowcount
