"""Leases: who works on what. The epoch rises with every change of hands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from weft.errors import StateError
from weft.state import sql
from weft.state.tables import leases as table


class LeaseLost(StateError):
    """Another worker has taken over; stop, and send nothing more."""


@dataclass(frozen=True, slots=True)
class Lease:
    name: str
    holder: str
    epoch: int
    expires: datetime


class Leases:
    """Reached as ``tx.leases``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def take(self, name: str, holder: str, ttl: timedelta, now: datetime) -> Lease | None:
        """Get or renew a lease. None: somebody else holds it and it has not expired."""
        free = {"name": name, "holder": "", "epoch": 0, "expires": now}
        self._db.execute(sql.upsert(self._db, table).on_conflict_do_nothing(), free)
        row = self._db.execute(select(table).where(table.c.name == name).with_for_update()).one()
        if row.holder != holder and row.expires > now:
            return None
        epoch = row.epoch if row.holder == holder and row.expires > now else row.epoch + 1
        lease = Lease(name, holder, epoch, now + ttl)
        self._db.execute(
            update(table).where(table.c.name == name).values(holder=holder, epoch=epoch, expires=lease.expires)
        )
        return lease

    def require(self, lease: Lease) -> None:
        """Raise :class:`LeaseLost` unless holder and epoch still stand. The row stays locked until the
        transaction ends, so nobody takes over halfway."""
        query = select(table.c.holder, table.c.epoch).where(table.c.name == lease.name)
        row = self._db.execute(query.with_for_update(read=True)).one_or_none()
        if row is None or (row.holder, row.epoch) != (lease.holder, lease.epoch):
            now = "nobody" if row is None else f"{row.holder} (epoch {row.epoch})"
            raise LeaseLost(
                f"the lease on {lease.name} of {lease.holder} (epoch {lease.epoch}) is lost: {now} holds it"
            )

    def release(self, lease: Lease, now: datetime) -> None:
        """Give a lease back; the epoch stays, so a late writer of ours is still told apart."""
        self._db.execute(
            update(table)
            .where(table.c.name == lease.name, table.c.holder == lease.holder, table.c.epoch == lease.epoch)
            .values(holder="", expires=now)
        )

    def get(self, name: str) -> Lease | None:
        row = self._db.execute(select(table).where(table.c.name == name)).one_or_none()
        return None if row is None else Lease(row.name, row.holder, row.epoch, row.expires)

    def all(self) -> list[Lease]:
        rows = self._db.execute(select(table).order_by(table.c.name))
        return [Lease(row.name, row.holder, row.epoch, row.expires) for row in rows]
