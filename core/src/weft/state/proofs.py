"""Proofs of agreement: each reading of both sides of a flow, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, update

from weft.state.tables import proofs as table

ProofState = Literal["running", "done", "failed"]


@dataclass(slots=True)
class Proof:
    """``proven``: everything was compared and agrees. ``result`` is :class:`weft.sync.verify.Agreement`
    as data. ``read`` is how many records were read so far, ``seen_at`` when that was told last."""

    flow: str
    by: str
    started_at: datetime
    seen_at: datetime
    state: ProofState = "running"
    read: int = 0
    finished_at: datetime | None = None
    proven: bool | None = None
    result: Any = None
    error: str = ""
    id: int = 0


_NAMES = tuple(f.name for f in fields(Proof))
_COLUMNS = [table.c[name] for name in _NAMES]


class Proofs:
    """Reached as ``tx.proofs``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def start(self, flow: str, by: str, at: datetime) -> int:
        """Enter a proof that begins; returns its id."""
        row = {"flow": flow, "by": by, "started_at": at, "seen_at": at, "state": "running", "read": 0, "error": ""}
        return int(self._db.execute(insert(table).returning(table.c.id), row).scalar_one())

    def progress(self, id: int, read: int, at: datetime) -> None:
        self._db.execute(update(table).where(table.c.id == id).values(read=read, seen_at=at))

    def finish(self, id: int, at: datetime, read: int, proven: bool, result: Any) -> None:
        values = {"state": "done", "finished_at": at, "seen_at": at, "read": read, "proven": proven, "result": result}
        self._db.execute(update(table).where(table.c.id == id).values(values))

    def fail(self, id: int, at: datetime, error: str) -> None:
        values = {"state": "failed", "finished_at": at, "seen_at": at, "error": error}
        self._db.execute(update(table).where(table.c.id == id, table.c.state == "running").values(values))

    def get(self, id: int) -> Proof | None:
        row = self._db.execute(select(*_COLUMNS).where(table.c.id == id)).one_or_none()
        return None if row is None else Proof(*row)

    def page(self, *, before_id: int | None = None, limit: int = 50, flow: str | None = None) -> list[Proof]:
        """Proofs, newest first."""
        query = select(*_COLUMNS)
        if flow is not None:
            query = query.where(table.c.flow == flow)
        if before_id is not None:
            query = query.where(table.c.id < before_id)
        return [Proof(*row) for row in self._db.execute(query.order_by(table.c.id.desc()).limit(limit))]

    def running(self, flow: str, heard_since: datetime) -> Proof | None:
        """The proof of a flow that is under way: one that nothing was heard of for long has been cut off."""
        query = select(*_COLUMNS).where(
            table.c.flow == flow, table.c.state == "running", table.c.seen_at >= heard_since
        )
        row = self._db.execute(query.order_by(table.c.id.desc()).limit(1)).one_or_none()
        return None if row is None else Proof(*row)

    def latest(self) -> dict[str, Proof]:
        """The newest finished proof of each flow."""
        newest = select(func.max(table.c.id)).where(table.c.state == "done").group_by(table.c.flow)
        rows = self._db.execute(select(*_COLUMNS).where(table.c.id.in_(newest)))
        return {row.flow: Proof(*row) for row in rows}
