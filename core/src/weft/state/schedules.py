"""Schedules: when each flow's turn last came, so that a restart neither skips nor repeats one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select

from weft.state import sql
from weft.state.tables import schedules as table


class Schedules:
    """Reached as ``tx.schedules``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def get(self, flow: str) -> datetime | None:
        found: datetime | None = self._db.execute(select(table.c.at).where(table.c.flow == flow)).scalar_one_or_none()
        return found

    def all(self) -> dict[str, datetime]:
        return {row.flow: row.at for row in self._db.execute(select(table.c.flow, table.c.at))}

    def put(self, flow: str, at: datetime) -> None:
        """The turn of this time has come. Missed ones before it count as one."""
        statement = sql.upsert(self._db, table)
        statement = statement.on_conflict_do_update(index_elements=["flow"], set_={"at": statement.excluded.at})
        self._db.execute(statement, {"flow": flow, "at": at})

    def begin(self, flows: Sequence[str], at: datetime) -> None:
        """Flows that are seen for the first time: their turns count from now."""
        rows = [{"flow": flow, "at": at} for flow in flows]
        self._db.execute(sql.upsert(self._db, table).on_conflict_do_nothing(), rows)

    def forget(self, flow: str) -> None:
        self._db.execute(delete(table).where(table.c.flow == flow))
