"""Indexes of a table: sorted, hashed, unique. They hold keys of rows, filed under sort keys of column values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from sortedcontainers import SortedList  # type: ignore[import-untyped]

from weft.testing.odata.values import HIGHEST, LOWEST

_LAST: Callable[[tuple[Any, ...]], str] = itemgetter(-1)
ColumnKey = Callable[[Any], Any]


class SortedIndex:
    """Rows ordered by ``columns``; the last column is the table's key, so entries are distinct."""

    def __init__(self, columns: tuple[str, ...], keys: tuple[ColumnKey, ...]) -> None:
        self.columns = columns
        self.keys = keys
        self._entries: Any = SortedList()  # (sort keys …, row key)

    def entry(self, key: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return (*[make(row.get(column)) for column, make in zip(self.columns, self.keys, strict=True)], key)

    def load(self, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        self._entries.update(self.entry(key, row) for key, row in rows)

    def replace(self, key: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        before = None if old is None else self.entry(key, old)
        after = None if new is None else self.entry(key, new)
        if before == after:
            return
        if before is not None:
            self._entries.remove(before)
        if after is not None:
            self._entries.add(after)

    def bounds(self, low: tuple[Any, ...], high: tuple[Any, ...], open_low: bool, open_high: bool) -> tuple[int, int]:
        """Positions [start, stop) of the entries between two prefixes of sort keys; an open end leaves out the
        entries that begin with the prefix."""
        start = self._entries.bisect_left((*low, HIGHEST) if open_low else low)
        stop = self._entries.bisect_left(high if open_high else (*high, HIGHEST))
        return start, max(start, stop)

    def walk(self, start: int, stop: int, *, reverse: bool = False) -> Iterator[str]:
        """Row keys of the entries at these positions, in order."""
        return map(_LAST, self._entries.islice(start, stop, reverse=reverse))

    def equal(self, value: object) -> list[str]:
        wanted = (self.keys[0](value),)
        return list(self.walk(*self.bounds(wanted, wanted, False, False)))

    def __len__(self) -> int:
        return len(self._entries)


class HashIndex:
    """Row keys by the value of one column (foreign keys). A value of one row alone holds its key as it is."""

    def __init__(self, column: str, key: ColumnKey) -> None:
        self.column, self.key = column, key
        self._buckets: dict[Any, str | dict[str, None]] = {}

    def get(self, value: object) -> list[str]:
        return list(self.under(self.key(value)))

    def under(self, sort_key: Any) -> Collection[str]:
        """Row keys filed under a value already made a sort key."""
        bucket = self._buckets.get(sort_key)
        if bucket is None:
            return ()
        return (bucket,) if isinstance(bucket, str) else bucket.keys()

    def load(self, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        column, make = self.column, self.key
        for key, row in rows:
            self._add(make(row.get(column)), key)

    def replace(self, key: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        if old is not None:
            before = self.key(old.get(self.column))
            if new is not None and before == self.key(new.get(self.column)):
                return
            bucket = self._buckets[before]
            if isinstance(bucket, dict):
                del bucket[key]
            if isinstance(bucket, str) or not bucket:
                del self._buckets[before]
        if new is not None:
            self._add(self.key(new.get(self.column)), key)

    def _add(self, value: Any, key: str) -> None:
        bucket = self._buckets.get(value)
        if bucket is None:
            self._buckets[value] = key
        elif isinstance(bucket, str):
            self._buckets[value] = {bucket: None, key: None}
        else:
            bucket[key] = None


class UniqueIndex:
    """The holder of each combination of values; combinations blank throughout are not held."""

    def __init__(self, columns: tuple[str, ...], keys: tuple[ColumnKey, ...]) -> None:
        self._columns, self._keys = columns, keys
        self._holders: dict[tuple[Any, ...], str] = {}

    def _value(self, row: Mapping[str, Any]) -> tuple[Any, ...] | None:
        value = tuple(make(row.get(column)) for column, make in zip(self._columns, self._keys, strict=True))
        return None if all(part is LOWEST or part == "" for part in value) else value

    def holder(self, row: Mapping[str, Any]) -> str | None:
        value = self._value(row)
        return None if value is None else self._holders.get(value)

    def clashes(self, row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        value = self._value(row)
        return value is not None and value == self._value(other)

    def replace(self, key: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        before = None if old is None else self._value(old)
        after = None if new is None else self._value(new)
        if before == after:
            return
        if before is not None and self._holders.get(before) == key:
            del self._holders[before]
        if after is not None:
            self._holders[after] = key
