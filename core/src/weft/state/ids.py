"""Numbers that rise and are never given twice: ids of links, and those of settlements."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from sqlalchemy import Connection, func, select, text

from weft.state import sql
from weft.state.tables import links, meta

_NAME = "link_ids"
_SETTLEMENTS = "settlements"
_DROPPED = "dropped"


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
        _remember(connection, _NAME, highest)
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


class Settlements:
    """Numbers the settlements, whoever makes them: what was read before number n was given may be older than
    what settlement n knew. PostgreSQL: a sequence. SQLite: counted here; numbers are reserved in blocks, so that
    a later process begins above all of them."""

    _BLOCK = 1000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: int | None = None
        self._reserved = 0

    def take(self, connection: Connection) -> int:
        """The number of a settlement that is about to be stored."""
        if not sql.is_sqlite(connection):
            return int(connection.execute(text("SELECT nextval('settlements')")).scalar_one())
        with self._lock:
            self._last = number = self._begin(connection) + 1
            if number > self._reserved:
                self._reserved = number + self._BLOCK
                _remember(connection, _SETTLEMENTS, self._reserved)
            return number

    def last(self, connection: Connection) -> int:
        """The last number given so far."""
        if not sql.is_sqlite(connection):
            query = text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM settlements")
            return int(connection.execute(query).scalar_one())
        with self._lock:
            self._last = self._begin(connection)
            return self._last

    def _begin(self, connection: Connection) -> int:
        if self._last is None:
            stored = connection.execute(select(meta.c.value).where(meta.c.name == _SETTLEMENTS)).scalar_one_or_none()
            self._reserved = self._last = int(stored or 0)
        return self._last

    def dropped(self, connection: Connection, entity: str, number: int) -> None:
        """Links of an entity were forgotten in this settlement: they cannot tell it themselves."""
        _remember(connection, f"{_DROPPED}/{entity}", number)

    def last_dropped(self, connection: Connection, entity: str) -> int:
        query = select(meta.c.value).where(meta.c.name == f"{_DROPPED}/{entity}")
        return int(connection.execute(query).scalar_one_or_none() or 0)


def _remember(connection: Connection, name: str, value: int) -> None:
    statement = sql.upsert(connection, meta)
    statement = statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value})
    connection.execute(statement, {"name": name, "value": str(value)})
