"""Issues: records that need a person or a later event. At most one open issue of a kind per record and target."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, and_, bindparam, case, delete, func, literal_column, null, or_, select, text, update

from weft.state import sql
from weft.state.tables import issues as table

IssueState = Literal["open", "closed", "skipped"]


@dataclass(slots=True)
class Issue:
    """``kind``: failed, waiting, conflict, approval, ambiguous, review, delete, invisible, config …
    ``key`` is empty where the issue is about no single record; ``target`` says which of a record's several
    counterparts it is about (:attr:`weft.sync.work.Work.place`), and is empty where there can be but one.
    ``label`` is what a person calls the record, ``reason`` the sentence shown, ``code`` for programs.
    ``payload`` holds what is needed to go on, ``choices`` what a person may pick, ``edited`` what the person
    changed for the next try. ``waits_*`` name the record whose link must appear (kind ``waiting``)."""

    flow: str
    entity: str
    kind: str
    opened_at: datetime
    updated_at: datetime
    side: str = ""
    connection: str = ""
    company: str = ""
    object: str = ""
    key: str = ""
    target: str = ""
    link_id: int | None = None
    label: str = ""
    reason: str = ""
    code: str = ""
    error: dict[str, Any] | None = None
    payload: Any = None
    choices: list[Any] | None = None
    edited: Any = None
    waits_entity: str | None = None
    waits_connection: str | None = None
    waits_key: str | None = None
    attempts: int = 1
    next_try_at: datetime | None = None
    state: IssueState = "open"
    closed_reason: str | None = None
    closed_at: datetime | None = None
    run: str | None = None
    id: int = 0


_NAMES = tuple(f.name for f in fields(Issue))
_COLUMNS = [table.c[name] for name in _NAMES]
OPEN = table.c.state == literal_column("'open'")
"""Spelled out, not a parameter: only so may the database use the indexes on open issues."""
_UNIQUE = ("flow", "kind", "side", "connection", "company", "object", "key", "target")
_RENEWED = ("entity", "label", "reason", "code", "error", "payload", "choices", "waits_entity",
            "waits_connection", "waits_key", "next_try_at", "updated_at", "run")  # fmt: skip


def _renewed(new: Any) -> dict[str, Any]:
    return {
        **{name: new[name] for name in _RENEWED},
        "attempts": table.c.attempts + 1,
        # A value that a person changed has been tried by now; a decision stays until it is carried out, a choice as
        # long as it is between the same values.
        "edited": case(
            (table.c.kind == "delete", table.c.edited),
            (and_(table.c.kind == "conflict", table.c.payload.is_not_distinct_from(new.payload)), table.c.edited),
            else_=null(),
        ),
        "link_id": func.coalesce(new.link_id, table.c.link_id),
    }


_OPENING = sql.Upsert(table, _UNIQUE, _renewed, where=text("state = 'open'"))


class Issues:
    """Reached as ``tx.issues``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    # -- opening and closing

    def open(self, issue: Issue) -> Issue:
        """Open one issue, or renew the open one it repeats; returns it as stored, with its id."""
        self.upsert_many([issue])
        query = select(*_COLUMNS).where(OPEN)
        query = query.where(*(table.c[n] == getattr(issue, n) for n in _UNIQUE))
        return Issue(*self._db.execute(query).one())

    def upsert_many(self, issues: Sequence[Issue]) -> None:
        """Open issues. Where one is open for the same (flow, kind, side, connection, company, object,
        key, target), it is renewed instead: attempts + 1, new reason; ``opened_at`` stays, and so does a decision
        (``edited`` of a delete, and of a conflict between the same values)."""
        if not issues:
            return
        rows = [{n: getattr(i, n) for n in _NAMES if n != "id"} for i in issues]
        self._db.execute(_OPENING.on(self._db), rows)

    def close_for(
        self,
        flow: str,
        side: str,
        connection: str,
        company: str,
        object: str,
        keys: Sequence[str],
        *,
        at: datetime,
        reason: str = "",
        kinds: Sequence[str] | None = None,
        target: str | None = None,
    ) -> int:
        """Close the open issues of these records (of some kinds only; with ``target`` those about this
        counterpart, and those about none in particular). Returns how many."""
        closed = 0
        where = self._record(flow, side, connection, company, object)
        if target is not None:
            where.append(table.c.target.in_(list(dict.fromkeys(["", target]))))
        if kinds is not None:
            where.append(table.c.kind.in_(list(kinds)))
        for batch in sql.chunks(keys):
            closed += self._db.execute(
                update(table)
                .where(OPEN, *where, sql.among(self._db, table.c.key, batch))
                .values(state="closed", closed_reason=reason, closed_at=at, updated_at=at)
            ).rowcount
        return closed

    def close_many(
        self,
        ids: Sequence[int],
        *,
        at: datetime,
        reason: str = "",
        state: Literal["closed", "skipped"] = "closed",
    ) -> int:
        """Close (or skip) open issues by id. Returns how many were open."""
        closed = 0
        for batch in sql.chunks(ids):
            closed += self._db.execute(
                update(table)
                .where(OPEN, sql.among_ids(self._db, table.c.id, batch))
                .values(state=state, closed_reason=reason, closed_at=at, updated_at=at)
            ).rowcount
        return closed

    # -- trying again

    def edit(self, id: int, edited: Any, at: datetime) -> bool:
        """Keep what a person changed and make the issue due. False: it is not open."""
        query = update(table).where(table.c.id == id, OPEN)
        return self._db.execute(query.values(edited=edited, next_try_at=at, updated_at=at)).rowcount == 1

    def retry(self, ids: Sequence[int], at: datetime) -> int:
        """Make open issues due at ``at``. Returns how many."""
        woken = 0
        for batch in sql.chunks(ids):
            query = update(table).where(OPEN, sql.among_ids(self._db, table.c.id, batch))
            woken += self._db.execute(query.values(next_try_at=at, updated_at=at)).rowcount
        return woken

    def in_turn(self, waited_for: Collection[str], linked: Collection[str]) -> None:
        """Until the transaction ends whoever is about to wait for links of an entity comes before or after those that
        store such links, who do not wait for each other."""
        for entity in sorted({*waited_for, *linked}):  # in one order for everybody
            sql.in_turn(self._db, f"links of {entity}", shared=entity not in waited_for)

    def wake(self, entity: str, connection: str, keys: Sequence[str], at: datetime) -> int:
        """Make due whatever waits for these records, whose links exist now. Returns how many."""
        woken = 0
        for batch in sql.chunks(keys):
            query = update(table).where(*self._waits(entity, connection, batch))
            woken += self._db.execute(query.values(next_try_at=at, updated_at=at)).rowcount
        return woken

    def schedule_many(self, times: Sequence[tuple[int, datetime | None]]) -> None:
        """Set when each issue is tried next (None: only by a person): (id, time)."""
        if times:
            query = update(table).where(table.c.id == bindparam("_id"))
            self._db.execute(query.values(next_try_at=bindparam("_at")), [{"_id": id, "_at": at} for id, at in times])

    def due(self, now: datetime, flow: str | None = None, limit: int = 500) -> list[Issue]:
        """Open issues whose next try has come, longest overdue first."""
        query = select(*_COLUMNS).where(OPEN, table.c.next_try_at <= now)
        if flow is not None:
            query = query.where(table.c.flow == flow)
        query = query.order_by(table.c.next_try_at, table.c.id).limit(limit)
        return [Issue(*row) for row in self._db.execute(query)]

    def flows_due(self, now: datetime) -> set[str]:
        """Flows with an open issue whose next try has come."""
        return set(self._db.execute(select(table.c.flow).where(OPEN, table.c.next_try_at <= now).distinct()).scalars())

    def next_due(self, flow: str | None = None) -> datetime | None:
        """When the next open issue is to be tried, if any is."""
        query = select(func.min(table.c.next_try_at)).where(OPEN)
        if flow is not None:
            query = query.where(table.c.flow == flow)
        found: datetime | None = self._db.execute(query).scalar_one()
        return found

    def waiting_for(self, entity: str, connection: str, keys: Sequence[str]) -> list[Issue]:
        """Open issues that wait for one of these records."""
        found: list[Issue] = []
        for batch in sql.chunks(keys):
            query = select(*_COLUMNS).where(*self._waits(entity, connection, batch))
            found += [Issue(*row) for row in self._db.execute(query.order_by(table.c.id))]
        return found

    # -- looking

    def for_keys(
        self,
        flow: str,
        side: str,
        connection: str,
        company: str,
        object: str,
        keys: Sequence[str],
        *,
        states: Sequence[IssueState] = ("open",),
    ) -> dict[str, list[Issue]]:
        """The issues of these records by key; records without one are left out."""
        found: dict[str, list[Issue]] = {}
        where = [*self._record(flow, side, connection, company, object), table.c.state.in_(list(states))]
        for batch in sql.chunks(keys):
            query = select(*_COLUMNS).where(*where, sql.among(self._db, table.c.key, batch))
            for row in self._db.execute(query.order_by(table.c.id)):
                found.setdefault(row.key, []).append(Issue(*row))
        return found

    def get(self, id: int) -> Issue | None:
        row = self._db.execute(select(*_COLUMNS).where(table.c.id == id)).one_or_none()
        return None if row is None else Issue(*row)

    def page(
        self,
        *,
        after_id: int = 0,
        limit: int = 200,
        flow: str | None = None,
        entity: str | None = None,
        kind: str | Sequence[str] | None = None,
        state: IssueState | None = "open",
        connection: str | None = None,
        link_id: int | None = None,
        run: str | None = None,
        text: str | None = None,
        code: str | None = None,
        ids: Sequence[int] | None = None,
    ) -> list[Issue]:
        """Issues in order of id, after ``after_id``. ``text`` is looked for in key, label and reason; ``ids``
        (5000 at most): of these only."""
        given = {"flow": flow, "entity": entity, "connection": connection, "link_id": link_id, "run": run, "code": code}
        query = select(*_COLUMNS).where(table.c.id > after_id, *self._picked(given, kind, state, text))
        if ids is not None:
            query = query.where(sql.among_ids(self._db, table.c.id, ids))
        return [Issue(*row) for row in self._db.execute(query.order_by(table.c.id).limit(limit))]

    def ids(
        self,
        *,
        flow: str | None = None,
        entity: str | None = None,
        kind: Sequence[str] | None = None,
        text: str | None = None,
    ) -> list[int]:
        """The ids of all open issues that these pick, in order."""
        picked = self._picked({"flow": flow, "entity": entity}, kind, "open", text)
        return list(self._db.execute(select(table.c.id).where(*picked).order_by(table.c.id)).scalars())

    @staticmethod
    def _picked(
        given: Mapping[str, Any], kind: str | Sequence[str] | None, state: IssueState | None, text: str | None
    ) -> list[Any]:
        where: list[Any] = [table.c[name] == value for name, value in given.items() if value is not None]
        if state is not None:
            where.append(OPEN if state == "open" else table.c.state == state)
        if kind is not None:
            where.append(table.c.kind.in_([kind] if isinstance(kind, str) else list(kind)))
        if text is not None:
            columns = (table.c.key, table.c.label, table.c.reason)
            where.append(or_(*(c.icontains(text, autoescape=True) for c in columns)))
        return where

    def counts(self, *, state: IssueState = "open") -> dict[tuple[str, str], int]:
        """Issues by (flow, kind)."""
        query = select(table.c.flow, table.c.kind, func.count()).where(
            OPEN if state == "open" else table.c.state == state
        )
        rows = self._db.execute(query.group_by(table.c.flow, table.c.kind))
        return {(flow, kind): n for flow, kind, n in rows}

    def prune(self, before: datetime, limit: int = 5000) -> int:
        """Forget issues that were closed before a time; skipped ones stay, they still say what is left alone.
        Returns how many."""
        old = select(table.c.id).where(table.c.state == "closed", table.c.closed_at < before).limit(limit)
        return self._db.execute(delete(table).where(table.c.id.in_(old))).rowcount

    @staticmethod
    def _record(flow: str, side: str, connection: str, company: str, object: str) -> list[Any]:
        given = {"flow": flow, "side": side, "connection": connection, "company": company, "object": object}
        return [table.c[name] == value for name, value in given.items()]

    def _waits(self, entity: str, connection: str, keys: Sequence[str]) -> list[Any]:
        return [
            OPEN,
            table.c.waits_entity == entity,
            table.c.waits_connection == connection,
            sql.among(self._db, table.c.waits_key, keys),
        ]
