"""The journal: every outcome with its reason, append-only, hash-chained within a run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any

import orjson
from sqlalchemy import Connection, delete, func, insert, literal_column, or_, select, update

from weft.errors import StateError
from weft.state import sql
from weft.state.tables import ODD, USUAL, runs
from weft.state.tables import journal as table
from weft.state.types import dump, load, time_text


@dataclass(slots=True)
class Entry:
    """One outcome. ``fields`` says per field what moved: ``{"name": {"from": …, "to": …, "base": …,
    "rule": "owner"}}`` in canonical values (leave out what is ABSENT); ``error`` is
    :class:`weft.records.Error` as a dict. The last five are given by the journal."""

    at: datetime
    flow: str
    entity: str
    op: str
    outcome: str
    reason: str = ""
    side: str = ""
    link_id: int | None = None
    left_key: str | None = None
    right_key: str | None = None
    fields: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    request_id: str | None = None
    run_id: str = ""
    seq: int = 0
    id: int = 0
    prev_hash: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """The result of walking a run's chain; ``bad_seq`` is the first row that does not fit."""

    run_id: str
    ok: bool
    rows: int
    bad_seq: int | None = None
    problem: str = ""


_NAMES = tuple(f.name for f in fields(Entry))
_COLUMNS = [table.c[name] for name in _NAMES]
_TOLD = ("flow", "entity", "link_id", "left_key", "right_key", "side", "op", "outcome", "reason")
_HASHED = ("run_id", "seq", "at", *_TOLD, "fields", "error", "request_id")
_told = attrgetter(*_TOLD)
_hashed = itemgetter(*_HASHED)
_INSERT = insert(table)


def _digest(previous: str, row: Sequence[Any]) -> str:
    """SHA-256 over the previous hash and the row, in the order of ``_HASHED``, as JSON with sorted names
    (``fields`` and ``error`` as the stored text, ``at`` as microsecond text)."""
    body = dict(zip(_HASHED, row, strict=True))
    body["at"] = time_text(body["at"])
    return hashlib.sha256(previous.encode() + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


NEAR = 10_000


def chain(run_id: str, rows: Iterable[dict[str, Any]], length: int, tip: str) -> ChainCheck:
    """Walk stored entries of a run, which wrote so many and ended with this hash."""
    previous, expected = "", 0
    for row in rows:
        expected += 1
        if row["seq"] != expected:
            return ChainCheck(run_id, False, expected - 1, expected, "the row is missing")
        if row["prev_hash"] != previous:
            return ChainCheck(run_id, False, expected, expected, "it does not follow the row before it")
        if row["hash"] != _digest(previous, _hashed(row)):
            return ChainCheck(run_id, False, expected, expected, "its content was changed")
        previous = row["hash"]
    if (expected, previous) != (length, tip):
        problem = f"the journal ends at row {expected}, the run wrote {length}"
        return ChainCheck(run_id, False, expected, expected + 1, problem)
    return ChainCheck(run_id, True, expected)


class Journal:
    """Reached as ``tx.journal``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def append_many(self, run_id: str, entries: Sequence[Entry]) -> None:
        """Append to a run that was started; fills ``seq`` and the hashes of the entries."""
        if not entries:
            return
        # The run's row holds the end of its chain; locking it keeps two writers from forking the chain.
        query = select(runs.c.journal_rows, runs.c.journal_tip).where(runs.c.id == run_id).with_for_update()
        tip = self._db.execute(query).one_or_none()
        if tip is None:
            raise StateError(f"run {run_id} is not in the state: start it before writing its journal")
        seq, previous = tip
        rows = []
        for entry in entries:
            seq += 1
            fields = None if entry.fields is None else dump(entry.fields)
            error = None if entry.error is None else dump(entry.error)
            entry.run_id, entry.seq, entry.prev_hash = run_id, seq, previous
            hashed = (run_id, seq, entry.at, *_told(entry), fields, error, entry.request_id)
            entry.hash = _digest(previous, hashed)
            rows.append((*hashed, previous, entry.hash))
            previous = entry.hash
        sql.many(self._db, _INSERT, (*_HASHED, "prev_hash", "hash"), rows)
        self._db.execute(update(runs).where(runs.c.id == run_id).values(journal_rows=seq, journal_tip=previous))

    def page(
        self,
        *,
        before_id: int | None = None,
        after_id: int | None = None,
        limit: int = 200,
        run_id: str | None = None,
        flow: str | None = None,
        entity: str | None = None,
        link_id: int | None = None,
        key: str | None = None,
        op: str | None = None,
        outcome: str | Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Entry]:
        """Entries, newest first; ``before_id`` continues. With ``after_id`` (0 for the start): oldest
        first from there. ``key`` is looked for on both sides, exactly."""
        query = select(*_COLUMNS)
        for column, value in (
            (table.c.run_id, run_id),
            (table.c.flow, flow),
            (table.c.entity, entity),
            (table.c.link_id, link_id),
            (table.c.op, op),
        ):
            if value is not None:
                query = query.where(column == value)
        if outcome is not None:
            outcomes = [outcome] if isinstance(outcome, str) else list(outcome)
            query = query.where(table.c.outcome.in_(outcomes))
            if not set(outcomes) & set(USUAL):  # says to the database that the index on odd ones will do
                query = query.where(literal_column(f"journal.{ODD}"))
        if key is not None:
            query = query.where(or_(table.c.left_key == key, table.c.right_key == key))
        # Hidden from the planner: the order is that of the ids, and an index on times would mean sorting.
        at = func.coalesce(table.c.at, table.c.at, type_=table.c.at.type)
        if since is not None:
            query = query.where(at >= since)
            if after_id is not None:
                if (first := self._edge(since=since)) is None:
                    return []
                query = query.where(table.c.id >= first)
        if until is not None:
            query = query.where(at < until)
            if after_id is None:
                if (last := self._edge(until=until)) is None:
                    return []
                query = query.where(table.c.id <= last)
        if before_id is not None:
            query = query.where(table.c.id < before_id)
        if after_id is not None:
            query = query.where(table.c.id > after_id).order_by(table.c.id)
        else:
            query = query.order_by(table.c.id.desc())
        return [self._entry(row) for row in self._db.execute(query.limit(limit))]

    def _edge(self, *, since: datetime | None = None, until: datetime | None = None) -> int | None:
        """Where ids begin or end that can belong to a time: entries are in order of time but for batches
        written at once, so that the ids of the nearest ``NEAR`` entries bound the others."""
        if since is not None:
            near = select(table.c.id).where(table.c.at >= since).order_by(table.c.at, table.c.id).limit(NEAR)
            query = select(func.min(near.subquery().c.id))
        else:
            near = select(table.c.id).where(table.c.at < until)
            near = near.order_by(table.c.at.desc(), table.c.id.desc()).limit(NEAR)
            query = select(func.max(near.subquery().c.id))
        edge: int | None = self._db.execute(query).scalar_one()
        return edge

    @staticmethod
    def _entry(row: Any) -> Entry:
        entry = Entry(*row)
        entry.fields = None if row.fields is None else load(row.fields)
        entry.error = None if row.error is None else load(row.error)
        return entry

    def verify_chain(self, run_id: str) -> ChainCheck:
        """Walk a run's entries and tell whether any was changed, removed, added or cut off. The journal of a
        run that was pruned is whole in its export only; it is ``ok`` with 0 rows here."""
        query = select(runs.c.journal_rows, runs.c.journal_tip, runs.c.pruned_at).where(runs.c.id == run_id)
        found_run = self._db.execute(query).one_or_none()
        if found_run is None:
            raise StateError(f"run {run_id} is not in the state")
        *tip, pruned_at = found_run
        if pruned_at is not None:
            return ChainCheck(run_id, True, 0, None, f"its {tip[0]} entries were given up on {pruned_at:%Y-%m-%d}")
        return chain(run_id, self.rows_of(run_id), *tip)

    def rows_of(self, run_id: str) -> Iterator[dict[str, Any]]:
        """A run's entries as they are stored, ``fields`` and ``error`` as their text: what the hashes are over."""
        names = (*_HASHED, "prev_hash", "hash")
        query = select(*(table.c[name] for name in names)).where(table.c.run_id == run_id).order_by(table.c.seq)
        for row in self._db.execute(query.execution_options(yield_per=1000)):
            yield dict(zip(names, row, strict=True))

    def prune(self, limit: int = 5000) -> int:
        """Delete entries of runs whose journal was given up (:meth:`Runs.mark_pruned`). Returns how many; call
        again until it is 0."""
        gone = select(runs.c.id).where(runs.c.pruned_at.is_not(None))
        old = select(table.c.id).where(table.c.run_id.in_(gone)).limit(limit)
        return self._db.execute(delete(table).where(table.c.id.in_(old))).rowcount

    def last_for(self, link_ids: Sequence[int]) -> dict[int, Entry]:
        """The newest entry of each link that has one."""
        found: dict[int, Entry] = {}
        for batch in sql.chunks(link_ids):
            query = select(*_COLUMNS).where(sql.among_ids(self._db, table.c.link_id, batch))
            for row in self._db.execute(query.order_by(table.c.id)):
                found[row.link_id] = self._entry(row)
        return found
