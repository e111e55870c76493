"""Claims: places of records that a worker is at, so that no record is worked on twice at once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, delete, func, literal, select, true

from weft.state import sql
from weft.state.tables import claims as table
from weft.state.workers import Lease


class Claims:
    """Reached as ``tx.claims``. PostgreSQL only; on SQLite the one process keeps them in memory."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def take(self, lease: Lease, places: Collection[str], at: datetime) -> set[str]:
        """Claim what is free; returns the places that are the caller's now. Waits no longer than another
        such transaction takes."""
        got: set[str] = set()
        # In one order for everybody: those who want the same places do not end up waiting for each other.
        for batch in sql.chunks(sorted(places)):
            rows = select(
                sql.listed(self._db, batch), literal(lease.worker), literal(lease.epoch), literal(at, table.c.at.type)
            )
            statement = sql.upsert(self._db, table).from_select([c.name for c in table.columns], rows.where(true()))
            got.update(self._db.execute(statement.on_conflict_do_nothing().returning(table.c.place)).scalars())
        return got

    def release(self, lease: Lease, places: Collection[str]) -> None:
        """Give claims back."""
        for batch in sql.chunks(places):
            mine = (table.c.worker == lease.worker, table.c.epoch == lease.epoch)
            self._db.execute(delete(table).where(*mine, sql.among(self._db, table.c.place, batch)))

    def older(self, lease: Lease, than: datetime) -> set[str]:
        """Places claimed before a time."""
        query = select(table.c.place).where(table.c.worker == lease.worker, table.c.at < than)
        return set(self._db.execute(query).scalars())

    def count(self) -> dict[str, int]:
        """Claims by worker."""
        rows = self._db.execute(select(table.c.worker, func.count()).group_by(table.c.worker))
        return {str(worker): int(n) for worker, n in rows}
