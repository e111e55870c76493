"""Ids of links: known before the row is inserted, never given twice."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from sqlalchemy import Connection, func, select, text

from weft.state import sql
from weft.state.tables import links, meta

_NAME = "link_ids"


class LinkIds:
    """Hands out link ids. PostgreSQL: a sequence. SQLite: counted here, as only one process acts; the
    highest number is written along with the links, and a rolled-back transaction's numbers are lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._highest: int | None = None
        self._analyse_above: float | None = None

    def take(self, connection: Connection, count: int) -> Sequence[int]:
        if count == 0:
            return ()
        if not sql.is_sqlite(connection):
            query = text("SELECT nextval('link_ids') FROM generate_series(1, :count)")
            ids = list(connection.execute(query, {"count": count}).scalars())
            self._keep_planned(connection, ids[-1])
            return ids
        with self._lock:
            if self._highest is None:
                stored = connection.execute(select(meta.c.value).where(meta.c.name == _NAME)).scalar_one_or_none()
                in_use = connection.execute(select(func.max(links.c.id))).scalar_one()
                self._highest = max(int(stored or 0), in_use or 0)
            first = self._highest + 1
            self._highest += count
            highest = self._highest
        statement = sql.upsert(connection, meta)
        statement = statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value})
        connection.execute(statement, {"name": _NAME, "value": str(highest)})
        return range(first, highest + 1)

    def _keep_planned(self, connection: Connection, highest: int) -> None:
        """Refresh the planner's statistics as the table grows during a first load, which outruns
        autovacuum: without any, a look-up by keys was seen to read all links of the flow."""
        with self._lock:
            if self._analyse_above is None:
                query = text("SELECT reltuples FROM pg_class WHERE oid = 'links'::regclass")
                self._analyse_above = max(1000.0, 4 * connection.execute(query).scalar_one())
            if highest <= self._analyse_above:
                return
            self._analyse_above = 4.0 * highest
        connection.execute(text("ANALYZE (SKIP_LOCKED) links"))
