"""Subscriptions: the pushes that systems owe us, so that a restart renews them instead of adding more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from weft.records import Subscription
from weft.state.tables import subscriptions as table

_NAMES = ("id", "object", "company", "expires", "version")
_COLUMNS = [table.c[name] for name in _NAMES]


class Subscriptions:
    """Reached as ``tx.subscriptions``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def of(self, connection: str) -> list[Subscription]:
        """The subscriptions of a connection."""
        query = select(*_COLUMNS).where(table.c.connection == connection).order_by(table.c.id)
        return [Subscription(*row) for row in self._db.execute(query)]

    def told(self, connection: str) -> tuple[str, datetime] | None:
        """A mark of what they push, and to which address (never the address itself: it holds the secret); and when
        the system was last asked about them."""
        query = select(table.c.address, table.c.at).where(table.c.connection == connection).limit(1)
        row = self._db.execute(query).one_or_none()
        return (row.address, row.at) if row is not None else None

    def put(self, connection: str, address: str, all: Sequence[Subscription], at: datetime) -> None:
        """Remember what is in force on a connection now, in place of what was."""
        self._db.execute(delete(table).where(table.c.connection == connection))
        rows = [
            {"connection": connection, "address": address, "at": at, **{n: getattr(one, n) for n in _NAMES}}
            for one in all
        ]
        if rows:
            self._db.execute(insert(table), rows)

    def next_expiry(self) -> dict[str, datetime]:
        """When the first subscription of each connection ends, where any does."""
        first = func.min(table.c.expires).label("first")
        query = select(table.c.connection, first).where(table.c.expires.is_not(None)).group_by(table.c.connection)
        return {row.connection: row.first for row in self._db.execute(query)}
