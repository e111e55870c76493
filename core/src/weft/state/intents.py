"""Intents: what is about to be written, durable before it is sent, so nothing is created twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, delete, exists, insert, or_, select, text, update

from weft.records import Side
from weft.state import sql
from weft.state.tables import intent_steps as steps
from weft.state.tables import intents as table
from weft.state.tables import runs

IntentState = Literal["open", "in_doubt", "done", "abandoned"]


@dataclass(slots=True)
class Intent:
    """One write. ``side`` (with connection, company, object) is where it goes; ``source_key`` is the
    key of the record it comes from, on the other side.

    ``payload`` is what was to be sent, in canonical values. ``sent_at`` None: never left this process,
    so it may be dropped. ``settle_after``: an in-doubt write cannot still be running then.
    """

    id: str
    flow: str
    run: str
    entity: str
    side: Side
    connection: str
    object: str
    op: str
    source_key: str
    created_at: datetime
    company: str = ""
    link_id: int | None = None
    own_key: str | None = None
    payload: Any = None
    state: IntentState = "open"
    sent_at: datetime | None = None
    settle_after: datetime | None = None
    attempts: int = 0
    result_key: str | None = None


# Spelled out, not parameters: only so may the database use the partial indexes.
UNSETTLED = text("intents.state IN ('open', 'in_doubt')")
SETTLED = text("intents.state IN ('done', 'abandoned')")

_NAMES = tuple(f.name for f in fields(Intent))
_COLUMNS = [table.c[name] for name in _NAMES]
_values = attrgetter(*_NAMES)
_INSERT = insert(table)
_NOTE = ("intent_id", "step", "key", "data", "at")
_NOTING = sql.Upsert(steps, _NOTE[:2], _NOTE[2:])
_CLOSE = (
    update(table).where(table.c.id == bindparam("_id")).values(state=bindparam("_state"), result_key=bindparam("_key"))
)


class Intents:
    """Reached as ``tx.intents``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def open_many(self, intents: Sequence[Intent]) -> None:
        """Insert. Durable once the transaction is committed; send only after that."""
        if intents:
            sql.many(self._db, _INSERT, _NAMES, map(_values, intents))

    def mark_sent(self, ids: Sequence[str], at: datetime, settle_after: datetime | None = None) -> None:
        """Note that these are about to be sent (again): call before the send. Counts an attempt."""
        for batch in sql.chunks(ids):
            self._db.execute(
                update(table)
                .where(sql.among(self._db, table.c.id, batch))
                .values(sent_at=at, settle_after=settle_after, attempts=table.c.attempts + 1, state="open")
            )

    def mark_in_doubt(self, ids: Sequence[str], settle_after: datetime | None) -> None:
        """The answer was lost; look again at ``settle_after`` (None: a person must say)."""
        for batch in sql.chunks(ids):
            self._db.execute(
                update(table)
                .where(sql.among(self._db, table.c.id, batch), UNSETTLED)
                .values(state="in_doubt", settle_after=settle_after)
            )

    def note(self, intent_id: str, step: str, key: str | None, data: dict[str, Any] | None, at: datetime) -> None:
        """Make a finished step of a write durable; a step noted again is overwritten."""
        self.note_many([(intent_id, step, key, data, at)])

    def note_many(self, notes: Sequence[tuple[str, str, str | None, dict[str, Any] | None, datetime]]) -> None:
        """Several (intent id, step, key, data, at) at once."""
        if not notes:
            return
        sql.many(self._db, _NOTING.on(self._db), _NOTE, notes)

    def noted(self, ids: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
        """Steps by intent and name, in the shape connectors see: ``{"header": {"key": …, **data}}``."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for batch in sql.chunks(ids):
            query = select(steps.c.intent_id, steps.c.step, steps.c.key, steps.c.data)
            query = query.where(sql.among(self._db, steps.c.intent_id, batch)).order_by(steps.c.at)
            for intent, step, key, data in self._db.execute(query):
                found.setdefault(intent, {})[step] = {**(data or {}), "key": key}
        return found

    def known(self, ids: Sequence[str]) -> set[str]:
        """Those of these that are in the state."""
        found: set[str] = set()
        for batch in sql.chunks(ids):
            found.update(self._db.execute(select(table.c.id).where(sql.among(self._db, table.c.id, batch))).scalars())
        return found

    def get_many(self, ids: Sequence[str]) -> dict[str, Intent]:
        found: dict[str, Intent] = {}
        for batch in sql.chunks(ids):
            for row in self._db.execute(select(*_COLUMNS).where(sql.among(self._db, table.c.id, batch))):
                found[row[0]] = Intent(*row)
        return found

    def unsettled(
        self,
        flow: str | None = None,
        *,
        op: str | None = None,
        side: Side | None = None,
        connection: str | None = None,
        limit: int | None = None,
    ) -> list[Intent]:
        """Open and in-doubt intents (of one op, towards one side or connection), oldest first."""
        query = select(*_COLUMNS).where(UNSETTLED)
        given = ((table.c.flow, flow), (table.c.op, op), (table.c.side, side), (table.c.connection, connection))
        query = query.where(*(column == value for column, value in given if value is not None))
        query = query.order_by(table.c.created_at, table.c.id).limit(limit)
        return [Intent(*row) for row in self._db.execute(query)]

    def left(self, flow: str) -> list[Intent]:
        """Unsettled intents of runs that have come to an end, one way or another; oldest first."""
        under_way = exists().where(runs.c.id == table.c.run, runs.c.state == "running")
        query = select(*_COLUMNS).where(UNSETTLED, table.c.flow == flow, ~under_way)
        return [Intent(*row) for row in self._db.execute(query.order_by(table.c.created_at, table.c.id))]

    def flows_left(self, now: datetime) -> set[str]:
        """Flows with unsettled intents of runs that ended, which can no longer be under way at a server."""
        under_way = exists().where(runs.c.id == table.c.run, runs.c.state == "running")
        over = or_(table.c.settle_after.is_(None), table.c.settle_after <= now)
        return set(self._db.execute(select(table.c.flow).where(UNSETTLED, ~under_way, over).distinct()).scalars())

    def unsettled_for(self, flow: str, connection: str, source_keys: Sequence[str]) -> dict[str, list[Intent]]:
        """Unsettled intents towards ``connection`` by the source record's key: those must be settled
        before the record is written again."""
        found: dict[str, list[Intent]] = {}
        for batch in sql.chunks(source_keys):
            query = select(*_COLUMNS).where(
                UNSETTLED,
                table.c.flow == flow,
                table.c.connection == connection,
                sql.among(self._db, table.c.source_key, batch),
            )
            for row in self._db.execute(query.order_by(table.c.created_at, table.c.id)):
                found.setdefault(row.source_key, []).append(Intent(*row))
        return found

    def close_many(self, settled: Iterable[tuple[str, Literal["done", "abandoned"], str | None]]) -> None:
        """Settle intents: (id, state, key of the record that was written)."""
        sql.many(self._db, _CLOSE, ("_id", "_state", "_key"), settled)

    def prune(self, before: datetime, limit: int = 5000) -> int:
        """Forget settled intents created before a time, with their steps. Returns how many."""
        old = select(table.c.id).where(SETTLED, table.c.created_at < before).order_by(table.c.created_at).limit(limit)
        return self._db.execute(delete(table).where(table.c.id.in_(old))).rowcount
