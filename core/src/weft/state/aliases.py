"""Aliases: former names of linked records (merged, posted, converted), so old references still lead on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, select

from weft.state import sql
from weft.state.tables import aliases as table


@dataclass(slots=True)
class Alias:
    """``key`` of ``object`` in (connection, company) lives on in link ``link_id``."""

    entity: str
    connection: str
    company: str
    object: str
    key: str
    link_id: int
    reason: str
    at: datetime


_NAMES = tuple(f.name for f in fields(Alias))
_COLUMNS = [table.c[name] for name in _NAMES]


class Aliases:
    """Reached as ``tx.aliases``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def put_many(self, aliases: Sequence[Alias]) -> None:
        """Insert, or point an existing alias elsewhere."""
        if not aliases:
            return
        statement = sql.upsert(self._db, table)
        changed = {n: statement.excluded[n] for n in ("link_id", "reason", "at")}
        keys = [c.name for c in table.primary_key]
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changed)
        self._db.execute(statement, [{n: getattr(a, n) for n in _NAMES} for a in aliases])

    def resolve(
        self,
        entity: str,
        connection: str,
        keys: Sequence[str],
        *,
        object: str | None = None,
        company: str | None = None,
    ) -> dict[str, list[Alias]]:
        """The aliases of these keys (several where objects or companies differ); others are left out."""
        where = [table.c.entity == entity, table.c.connection == connection]
        if object is not None:
            where.append(table.c.object == object)
        if company is not None:
            where.append(table.c.company == company)
        found: dict[str, list[Alias]] = {}
        for batch in sql.chunks(keys):
            query = select(*_COLUMNS).where(*where, sql.among(self._db, table.c.key, batch))
            for row in self._db.execute(query.order_by(table.c.object, table.c.company)):
                found.setdefault(row.key, []).append(Alias(*row))
        return found

    def of(self, link_id: int) -> list[Alias]:
        """All former names of a linked record, oldest first."""
        query = select(*_COLUMNS).where(table.c.link_id == link_id).order_by(table.c.at, table.c.key)
        return [Alias(*row) for row in self._db.execute(query)]
