"""Guards: how much was deleted or changed lately, and one-time approvals to go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from weft.state import sql
from weft.state.tables import approvals
from weft.state.tables import guards as table
from weft.state.types import dump

ApprovalState = Literal["asked", "granted", "refused", "used"]
_CURRENT = ("asked", "granted", "refused")


class Window(NamedTuple):
    """What happened in a window: how often, and the largest number of records it was out of."""

    happened: int
    out_of: int


@dataclass(slots=True)
class Approval:
    """A question to a person about ``subject`` of a flow (``deletes``, ``record:<key>`` …)."""

    flow: str
    subject: str
    state: ApprovalState
    by: str
    at: datetime
    detail: Any = None
    id: int = 0


_NAMES = tuple(f.name for f in fields(Approval))
_COLUMNS = [approvals.c[name] for name in _NAMES]


class Guards:
    """Reached as ``tx.guards``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def in_turn(self, flow: str) -> None:
        """Nobody else counts for this flow until the transaction ends."""
        sql.in_turn(self._db, f"guards of {flow}")

    def note(self, flow: str, kind: str, count: int, records_total: int, at: datetime) -> int:
        """Count ``count`` of ``records_total`` records as deleted (``kind``) or changed; returns the note's id."""
        row = {"flow": flow, "kind": kind, "at": at, "count": count, "records_total": records_total}
        return int(self._db.execute(insert(table).returning(table.c.id), row).scalar_one())

    def correct(self, note: int, count: int) -> None:
        """So many it was in the end."""
        self._db.execute(update(table).where(table.c.id == note).values(count=count))

    def window(self, flow: str, kind: str, since: datetime) -> Window:
        """What was noted since a time."""
        query = select(func.coalesce(func.sum(table.c.count), 0), func.coalesce(func.max(table.c.records_total), 0))
        row = self._db.execute(query.where(table.c.flow == flow, table.c.kind == kind, table.c.at >= since)).one()
        return Window(int(row[0]), int(row[1]))

    def prune(self, before: datetime) -> int:
        """Forget notes older than any window. Returns how many."""
        return self._db.execute(delete(table).where(table.c.at < before)).rowcount

    def reset(self, flow: str, kind: str) -> int:
        """Start an empty window (after an approval was used). Returns how many notes were dropped."""
        return self._db.execute(delete(table).where(table.c.flow == flow, table.c.kind == kind)).rowcount

    def ask(self, flow: str, subject: str, at: datetime, detail: Any = None) -> Approval:
        """Ask for an approval, or return the question (or its answer) that stands already. ``detail`` is what is
        asked for: an answer to something else does not stand, it is asked anew."""
        row = {"flow": flow, "subject": subject, "state": "asked", "by": "", "at": at, "detail": detail}
        self._db.execute(sql.upsert(self._db, approvals).on_conflict_do_nothing(), row)
        found = Approval(*self._db.execute(self._current(flow, subject)).one())
        if detail is None or dump(found.detail) == dump(detail):
            return found
        again = update(approvals).where(approvals.c.id == found.id)
        self._db.execute(again.values(state="asked", by="", at=at, detail=detail))
        return Approval(*self._db.execute(self._current(flow, subject)).one())

    def answer(self, flow: str, subject: str, state: Literal["granted", "refused"], by: str, at: datetime) -> bool:
        """Record a person's answer. False: nobody asked."""
        statement = update(approvals).where(
            approvals.c.flow == flow, approvals.c.subject == subject, approvals.c.state.in_(_CURRENT)
        )
        return self._db.execute(statement.values(state=state, by=by, at=at)).rowcount == 1

    def use(self, flow: str, subject: str, at: datetime) -> bool:
        """Use a granted approval up. False: none is granted, or it was used already."""
        statement = update(approvals).where(
            approvals.c.flow == flow, approvals.c.subject == subject, approvals.c.state == "granted"
        )
        return self._db.execute(statement.values(state="used", at=at)).rowcount == 1

    def withdraw(self, flow: str, subject: str) -> bool:
        """Drop a question that no longer applies, answered or not."""
        statement = delete(approvals).where(
            approvals.c.flow == flow, approvals.c.subject == subject, approvals.c.state.in_(_CURRENT)
        )
        return self._db.execute(statement).rowcount == 1

    def withdraw_many(self, flow: str, subjects: Sequence[str]) -> int:
        """Drop questions that no longer apply, answered or not. Returns how many."""
        dropped = 0
        for batch in sql.chunks(dict.fromkeys(subjects)):
            statement = delete(approvals).where(
                approvals.c.flow == flow, sql.among(self._db, approvals.c.subject, batch),
                approvals.c.state.in_(_CURRENT),
            )  # fmt: skip
            dropped += self._db.execute(statement).rowcount
        return dropped

    def approval(self, flow: str, subject: str) -> Approval | None:
        """The current question or answer about a subject; used ones do not count."""
        row = self._db.execute(self._current(flow, subject)).one_or_none()
        return None if row is None else Approval(*row)

    @staticmethod
    def _current(flow: str, subject: str) -> Any:
        return select(*_COLUMNS).where(
            approvals.c.flow == flow, approvals.c.subject == subject, approvals.c.state.in_(_CURRENT)
        )

    def approvals(self, flow: str | None = None, states: Sequence[ApprovalState] = ("asked",)) -> list[Approval]:
        query = select(*_COLUMNS).where(approvals.c.state.in_(list(states)))
        if flow is not None:
            query = query.where(approvals.c.flow == flow)
        return [Approval(*row) for row in self._db.execute(query.order_by(approvals.c.id))]
