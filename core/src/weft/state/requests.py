"""Requests: *do this soon*, asked by a person or another process and carried out by whichever worker sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, bindparam, delete, select

from weft.state import sql
from weft.state.tables import requests as table

What = Literal["sync", "sweep", "subscribe"]


@dataclass(slots=True)
class Request:
    """``sync``: look for changes now. ``sweep``: compare every record. ``subscribe``: renew the push
    subscriptions of the flow's connections. ``count`` is how often it was asked; ``by`` asked first."""

    flow: str
    what: What
    by: str
    at: datetime
    count: int = 1


_NAMES = tuple(f.name for f in fields(Request))
_COLUMNS = [table.c[name] for name in _NAMES]


class Requests:
    """Reached as ``tx.requests``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def put(self, flow: str, what: What = "sync", *, by: str, at: datetime) -> None:
        """Ask; what is asked already is only counted."""
        statement = sql.upsert(self._db, table)
        statement = statement.on_conflict_do_update(index_elements=["flow", "what"], set_={"count": table.c.count + 1})
        self._db.execute(statement, {"flow": flow, "what": what, "by": by, "at": at, "count": 1})

    def waiting(self) -> list[Request]:
        """What is asked, oldest first. It stays until :meth:`taken`."""
        return [Request(*row) for row in self._db.execute(select(*_COLUMNS).order_by(table.c.at, table.c.flow))]

    def taken(self, requests: Sequence[Request]) -> None:
        """Drop requests that are on their way as durable jobs, except those asked again meanwhile."""
        if not requests:
            return
        names = ("flow", "what", "count")
        statement = delete(table).where(*(table.c[n] == bindparam("_" + n) for n in names))
        self._db.execute(statement, [{"_" + n: getattr(one, n) for n in names} for one in requests])
