"""One table of a :class:`~weft.testing.odata.store.Store`: rows, indexes, unique constraints, cached bytes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.testing.odata.index import HashIndex, SortedIndex, UniqueIndex
from weft.testing.odata.schema import EntityType
from weft.testing.odata.values import plain_key, sort_key

if TYPE_CHECKING:
    from weft.testing.odata.store import Store

Row = dict[str, Any]
Key = str

_MAX_SHAPES = 24


class DuplicateKey(Exception):
    """A row with this key exists (also one that is hidden)."""

    def __init__(self, table: str, key: Key) -> None:
        super().__init__(f"{table} already has a row {key}")
        self.table, self.key = table, key


@dataclass(frozen=True, slots=True)
class Unique:
    """``columns`` are unique together; ``error(row)`` makes the exception to raise. Rows in which every one of the
    columns is blank (None or "") are exempt."""

    columns: tuple[str, ...]
    error: Callable[[Row], Exception]


@dataclass(frozen=True, slots=True)
class Change:
    """One write, enough to undo or to redo it."""

    table: Table
    key: Key
    before: Row | None
    after: Row | None
    version_before: int
    version_after: int


class Table:
    """Rows of one entity. Made by ``Store.table()``, not directly."""

    def __init__(
        self,
        store: Store,
        entity: EntityType,
        *,
        sorted_by: Sequence[tuple[str, ...]],
        hashed: Sequence[str],
        unique: Sequence[Unique],
        order: tuple[str, ...] | None,
        fold: bool,
    ) -> None:
        self.store = store
        self.entity = entity
        self.name = entity.name
        self.fold = fold
        self.order: tuple[str, ...] = _with_key(order or (), entity.key)
        self.rows: dict[Key, Row] = {}
        self.hidden: set[Key] = set()
        self._versions: dict[Key, int] = {}
        self._key_text = plain_key(entity.properties[entity.key].type)
        wanted = dict.fromkeys([self.order, *(_with_key(columns, entity.key) for columns in sorted_by)])
        self.sorted = [SortedIndex(columns, self._keys(columns)) for columns in wanted]
        self.hashed = {column: HashIndex(column, self.column_key(column)) for column in dict.fromkeys(hashed)}
        self._unique = [(item, UniqueIndex(item.columns, self._keys(item.columns))) for item in unique]
        self._cache: dict[Hashable, dict[Key, tuple[Row, bytes]]] = {}

    def column_key(self, column: str) -> Callable[[Any], Any]:
        """Sort key function of a column's values; the indexes hold these."""
        prop = self.entity.properties.get(column)
        if prop is None:
            raise KeyError(f"{self.name} has no property {column!r} to index")
        return sort_key(prop.type, fold=self.fold)

    def _keys(self, columns: tuple[str, ...]) -> tuple[Callable[[Any], Any], ...]:
        return tuple(self.column_key(column) for column in columns)

    def key_of(self, row: Mapping[str, Any]) -> Key:
        """The row's key as rows are filed under (guids in lower case)."""
        return str(self._key_text(row[self.entity.key]))

    # --- reading --------------------------------------------------------------------------------------------

    def get(self, key: Key) -> Row | None:
        """The row, or None when absent or hidden. Guid keys in any letter case."""
        key = self._key_text(key)
        return None if key in self.hidden else self.rows.get(key)

    def version(self, key: Key) -> int:
        """A number that grows with each write to the row, for ETags. Raises KeyError when absent."""
        return self._versions[self._key_text(key)]

    def visible(self, row: Row) -> bool:
        return not self.hidden or self.key_of(row) not in self.hidden

    def find(self, column: str, value: object) -> list[Row]:
        """Visible rows whose column equals the value: through a hashed or sorted index when there is one."""
        index = self.hashed.get(column)
        if index is not None:
            found = [self.rows[key] for key in index.get(value)]
        else:
            by_order = next((item for item in self.sorted if item.columns[0] == column), None)
            if by_order is not None:
                found = [self.rows[key] for key in by_order.equal(value)]
            else:
                wanted_key = self.column_key(column)
                wanted = wanted_key(value)
                found = [row for row in self.rows.values() if wanted_key(row.get(column)) == wanted]
        return [row for row in found if self.visible(row)] if self.hidden else found

    def __len__(self) -> int:
        """Visible rows."""
        return len(self.rows) - len(self.hidden)

    def __iter__(self) -> Iterator[Row]:
        """Visible rows in insertion order; the table may change meanwhile."""
        rows = list(self.rows.values())
        return iter([row for row in rows if self.visible(row)] if self.hidden else rows)

    def rendered(self, rows: Iterable[Row], shape: Hashable, render: Callable[[Row], bytes]) -> list[bytes]:
        """``render(row)`` of each, kept until the row changes; ``shape`` names the form ($select, metadata level …).
        Only for forms that depend on nothing but the row and its version."""
        cache = self._cache.get(shape)
        if cache is None:
            if len(self._cache) >= _MAX_SHAPES:
                del self._cache[next(iter(self._cache))]
            cache = self._cache[shape] = {}
        key_name, key_text = self.entity.key, self._key_text
        out: list[bytes] = []
        for row in rows:
            key = key_text(row[key_name])
            kept = cache.get(key)
            if kept is None or kept[0] is not row:  # every write makes a new dict
                kept = cache[key] = (row, render(row))
            out.append(kept[1])
        return out

    # --- writing --------------------------------------------------------------------------------------------

    def insert(self, row: Mapping[str, Any]) -> Row:
        """Add a complete row. Raises DuplicateKey, or the Unique's own error."""
        new = dict(row)
        key = self.key_of(new)
        if self.store.has_late:
            self.store.settle(self, key)
        if key in self.rows:
            raise DuplicateKey(self.name, key)
        self._check_unique(key, new)
        self._write(key, None, new)
        return new

    def update(self, key: Key, changes: Mapping[str, Any]) -> Row:
        """Replace columns; returns the new row. Raises KeyError when absent, ValueError for a change of the key."""
        key = self._key_text(key)
        if self.store.has_late:
            self.store.settle(self, key)
        old = self.rows[key]
        new = {**old, **changes}
        if self.key_of(new) != key:
            raise ValueError(f"{self.name} {key}: a row's key cannot change")
        self._check_unique(key, new)
        self._write(key, old, new)
        return new

    def touch(self, key: Key) -> None:
        """New version without a change of columns (a document whose line changed). Raises KeyError when absent."""
        self.update(key, {})

    def delete(self, key: Key) -> Row:
        """Remove and return the row. Raises KeyError when absent."""
        key = self._key_text(key)
        if self.store.has_late:
            self.store.settle(self, key)
        old = self.rows[key]
        self._write(key, old, None)
        return old

    def load(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Many rows at once (sample data) into an empty or filled table, without undo; sorts each index once.
        Raises DuplicateKey or the Unique's error at the first clash, with the rows before it loaded."""
        added: list[tuple[Key, Row]] = []
        try:
            for item in rows:
                row = dict(item)
                key = self.key_of(row)
                if key in self.rows:
                    raise DuplicateKey(self.name, key)
                self._check_unique(key, row)
                self.rows[key] = row
                self._versions[key] = self.store.next_version()
                for _, unique in self._unique:
                    unique.replace(key, None, row)
                added.append((key, row))
        finally:
            for hashed in self.hashed.values():
                hashed.load(added)
            for index in self.sorted:
                index.load(added)

    def put(self, key: Key, row: Row | None, version: int) -> None:
        """Undo or redo: set the row (None: remove) and its version without checks and without a log entry."""
        self._replace(key, self.rows.get(key), row)
        if row is None:
            self._versions.pop(key, None)
        else:
            self._versions[key] = version

    def hide(self, where: Callable[[Row], bool] | Iterable[Key]) -> int:
        """Make rows invisible, chosen now; returns how many."""
        if callable(where):
            keys = {key for key, row in self.rows.items() if where(row)}
        else:
            keys = {self._key_text(key) for key in where} & self.rows.keys()
        fresh = keys - self.hidden
        self.hidden |= fresh
        return len(fresh)

    def reveal(self) -> None:
        self.hidden.clear()

    def _check_unique(self, key: Key, row: Row) -> None:
        for item, index in self._unique:
            if self.store.has_late:
                self.store.settle_unique(self, lambda other, i=index: i.clashes(row, other))  # type: ignore[misc]
            holder = index.holder(row)
            if holder is not None and holder != key:
                raise item.error(row)

    def _write(self, key: Key, old: Row | None, new: Row | None) -> None:
        before = self._versions.get(key, 0)
        after = self.store.next_version()
        self._replace(key, old, new)
        if new is None:
            self._versions.pop(key, None)
        else:
            self._versions[key] = after
        self.store.record(Change(self, key, old, new, before, after))

    def _replace(self, key: Key, old: Row | None, new: Row | None) -> None:
        if old is None and new is None:
            return
        for index in self.sorted:
            index.replace(key, old, new)
        for hashed in self.hashed.values():
            hashed.replace(key, old, new)
        for _, unique in self._unique:
            unique.replace(key, old, new)
        if new is None:
            del self.rows[key]
            self.hidden.discard(key)
            for cache in self._cache.values():
                cache.pop(key, None)
        else:
            self.rows[key] = new


def _with_key(columns: tuple[str, ...], key: str) -> tuple[str, ...]:
    return columns if key in columns else (*columns, key)
