"""All rows of one simulator: tables, transactions with an undo log, late commits, hidden rows.

Rows are plain dicts in wire form: text, bool, int, Decimal and None; guids, dates and instants are the strings
that go over the wire (instants in UTC with ``Z``). A row is never changed in place: an update stores a new dict,
so a row once read stays what it was. Nothing here awaits; a handler that does not await between reads and writes
is atomic by itself, and ``with store.transaction():`` adds rollback. A transaction belongs to the task that
opened it: another task that opens one meanwhile gets a RuntimeError, so do not await anything slow inside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

from weft.testing.odata.schema import EntityType
from weft.testing.odata.table import Change, DuplicateKey, Key, Row, Table, Unique

__all__ = ["DuplicateKey", "Key", "LateTransaction", "Row", "Store", "Table", "Unique"]


@dataclass(frozen=True, slots=True)
class LateTransaction:
    """Committed by its writer, not yet visible to anybody."""

    id: int
    changes: tuple[Change, ...]


class Store:
    """All tables of one simulator.

    ``late_gate`` is asked at the end of each outermost transaction that changed something whether its changes
    stay invisible for now; ``on_late`` then hears the id to release it by.
    """

    def __init__(self) -> None:
        self.late_gate: Callable[[], bool] | None = None
        self.on_late: Callable[[int], None] | None = None
        self._tables: dict[str, Table] = {}
        self._sets: dict[str, Table] = {}
        self._version = 0
        self._log: list[Change] | None = None
        self._depth = 0
        self._owner: object = None
        self._late: dict[int, LateTransaction] = {}
        self._late_id = 0

    def table(
        self,
        entity: EntityType,
        *,
        sorted_by: Sequence[tuple[str, ...]] = (),
        hashed: Sequence[str] = (),
        unique: Sequence[Unique] = (),
        order: tuple[str, ...] | None = None,
        fold: bool = False,
    ) -> Table:
        """Declare a table. The key is always indexed; every ``sorted_by`` index has the key appended.

        ``order``: columns rows are answered in when nothing else is asked (default: the key). ``fold``: the
        database compares text without regard to letter case, in filters, indexes and uniqueness.
        """
        if entity.name in self._tables:
            raise ValueError(f"table {entity.name} is declared twice")
        table = Table(self, entity, sorted_by=sorted_by, hashed=hashed, unique=unique, order=order, fold=fold)
        self._tables[entity.name] = table
        if entity.set_name is not None:
            self._sets[entity.set_name] = table
        return table

    def __getitem__(self, name: str) -> Table:
        """Table by entity type name or entity set name."""
        table = self._tables.get(name) or self._sets.get(name)
        if table is None:
            raise KeyError(f"no table {name!r}; there are {', '.join(sorted(self._tables))}")
        return table

    def __contains__(self, name: object) -> bool:
        return name in self._tables or name in self._sets

    @property
    def tables(self) -> list[Table]:
        return list(self._tables.values())

    @property
    def late(self) -> list[LateTransaction]:
        """Transactions waiting to become visible, oldest first."""
        return list(self._late.values())

    def next_version(self) -> int:
        """A number above every one given before; rows carry the one of their last write."""
        self._version += 1
        return self._version

    def transaction(self, *, late: bool | None = None) -> AbstractContextManager[None]:
        """All or nothing; nested ones join the outer one, except that an exception leaving a nested one rolls back
        what was done inside it.

        ``late=True`` keeps the committed changes invisible until :meth:`release`, stamped as they were written.
        None asks ``late_gate`` at the end of the outermost transaction.
        """
        return _Transaction(self, late)

    def record(self, change: Change) -> None:
        """Called by tables for each change."""
        if self._log is not None:
            self._log.append(change)

    def settle(self, table: Table, key: Key) -> None:
        """Called by tables before a write: a late transaction that holds this row becomes visible first, as a real
        writer would wait for the other's commit."""
        for waiting in list(self._late.values()):
            if any(change.table is table and change.key == key for change in waiting.changes):
                self.release_one(waiting.id)

    def settle_unique(self, table: Table, clashes: Callable[[Row], bool]) -> None:
        """As :meth:`settle`, for late rows that hold a unique value about to be written."""
        for waiting in list(self._late.values()):
            if any(c.table is table and c.after is not None and clashes(c.after) for c in waiting.changes):
                self.release_one(waiting.id)

    @property
    def has_late(self) -> bool:
        return bool(self._late)

    def release(self, count: int | None = None) -> int:
        """Make the oldest ``count`` (None: all) late transactions visible; returns how many."""
        ids = list(self._late)[:count]
        for late_id in ids:
            self.release_one(late_id)
        return len(ids)

    def release_one(self, late_id: int) -> bool:
        """Make that one visible; False when it already is."""
        waiting = self._late.pop(late_id, None)
        if waiting is None:
            return False
        for change in waiting.changes:
            change.table.put(change.key, change.after, change.version_after)
        return True

    def hide(self, name: str, where: Callable[[Row], bool] | Iterable[Key]) -> int:
        """Make rows invisible (rights lost): chosen now, by key or by predicate. Returns how many."""
        return self[name].hide(where)

    def reveal(self, name: str | None = None) -> None:
        """Undo every hide of that table, or of all."""
        for table in self.tables if name is None else [self[name]]:
            table.reveal()

    # --- used by _Transaction -------------------------------------------------------------------------------

    def _begin(self) -> int:
        owner = _current_task()
        if self._depth and owner is not self._owner:
            raise RuntimeError("another request's transaction is open: a handler awaited inside its transaction")
        if self._depth == 0:
            self._owner, self._log = owner, []
        self._depth += 1
        return len(self._log or ())

    def _end(self, mark: int, failed: bool, late: bool | None) -> None:
        log = self._log
        assert log is not None
        self._depth -= 1
        if failed:
            self._undo(log, mark)
        if self._depth:
            return
        self._log = self._owner = None
        if failed or not log:
            return
        gate = self.late_gate
        if late is None:
            late = gate is not None and gate()
        if late:
            changes = tuple(log)
            self._undo(log, 0)
            self._late_id += 1
            self._late[self._late_id] = LateTransaction(self._late_id, changes)
            if self.on_late is not None:
                self.on_late(self._late_id)

    @staticmethod
    def _undo(log: list[Change], mark: int) -> None:
        while len(log) > mark:
            change = log.pop()
            change.table.put(change.key, change.before, change.version_before)


class _Transaction:
    """A class rather than a generator: entered for every write, so its cost counts."""

    __slots__ = ("_late", "_mark", "_store")

    def __init__(self, store: Store, late: bool | None) -> None:
        self._store, self._late, self._mark = store, late, 0

    def __enter__(self) -> None:
        self._mark = self._store._begin()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Literal[False]:
        self._store._end(self._mark, kind is not None, self._late)
        return False


def _current_task() -> object:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop: plain synchronous use
        return None
