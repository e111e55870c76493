"""Find rows: use an index where the filter and the order allow, scan otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from weft.testing.odata.access import Path as AccessPath
from weft.testing.odata.access import choose
from weft.testing.odata.compile import compile_filter
from weft.testing.odata.filter import Node
from weft.testing.odata.query import OrderItem
from weft.testing.odata.scope import Column, Scope, resolve
from weft.testing.odata.table import Row
from weft.testing.odata.values import LOWEST


@dataclass(frozen=True, slots=True)
class Found:
    """``count``: matching rows regardless of paging and ``after``, when asked for. ``more``: rows remain after the
    last one. ``plan``: how they were found (``key``, ``hash AccountId``, ``range ModifiedOn,Id``, ``scan``), for
    tests and statistics."""

    rows: list[Row]
    more: bool
    count: int | None
    plan: str


def find_rows(
    scope: Scope,
    *,
    where: Node | None = None,
    order: Sequence[OrderItem] = (),
    skip: int = 0,
    top: int | None = None,
    count: bool = False,
    after: Mapping[str, Any] | None = None,
) -> Found:
    """Visible rows in the wanted order; ties by key, and without an order in the table's own.

    ``after`` is a row (its ordered columns and key suffice) after which to start: what a ``$skiptoken`` means. It
    need not exist any more. Raises ODataQueryError as :func:`compile_filter` does.
    """
    table = scope.table
    keep = None if where is None else compile_filter(where, scope)
    items = _order_columns(scope, order)
    path = choose(scope, where, _simple_order(scope, items))
    total = _count(scope, path, keep) if count else None

    candidates: Iterable[Row]
    ordered = path.ordered and (after is None or path.places(after))
    if ordered:
        start, stop = path.start, path.stop
        if after is not None:
            start, stop = path.beyond(after)
        candidates = map(table.rows.__getitem__, path.walk(start, stop))
    else:
        candidates = _unordered(scope, path)
    if table.hidden:
        candidates = (row for row in candidates if table.visible(row))
    if keep is not None and not path.exact:
        candidates = filter(keep, candidates)
    if not ordered:
        make = _sorter(scope, items)
        if after is not None:
            border = make(dict(after))
            candidates = (row for row in candidates if border < make(row))
        candidates = sorted(candidates, key=make)

    if top is None:
        return Found(list(islice(candidates, skip, None)), False, total, path.name)
    page = list(islice(candidates, skip, skip + top + 1))
    return Found(page[:top], len(page) > top, total, path.name)


def _unordered(scope: Scope, path: AccessPath) -> Iterable[Row]:
    rows = scope.table.rows
    return rows.values() if path.name == "scan" else map(rows.__getitem__, path.row_keys())


def _order_columns(scope: Scope, order: Sequence[OrderItem]) -> list[tuple[Column, bool]]:
    """The columns that decide the order, the key last (descending if all others are), so that it is total."""
    if order:
        items = [(resolve(item.segments, scope, "$orderby"), item.descending) for item in order]
    else:
        items = []
        for name in scope.table.order:
            edm = scope.table.entity.properties[name].type
            items.append((Column(edm, lambda row, name=name: row.get(name), name), False))  # type: ignore[misc]
    key = scope.table.entity.key
    if all(column.direct != key for column, _ in items):
        edm = scope.table.entity.properties[key].type
        descending = all(down for _, down in items)
        items.append((Column(edm, lambda row: row.get(key), key), descending))
    return items


def _simple_order(scope: Scope, items: list[tuple[Column, bool]]) -> tuple[tuple[str, ...], bool] | None:
    """(columns, descending) when an index could have that order: own columns only, all in one direction."""
    names: list[str] = []
    for column, descending in items:
        if column.direct is None or descending is not items[0][1]:
            return None
        if not column.edm.startswith("Edm.") or (column.edm == "Edm.String" and scope.folds is not scope.table.fold):
            return None  # the index sorts these another way
        names.append(column.direct)
    return tuple(names), items[0][1]


def _count(scope: Scope, path: AccessPath, keep: Any) -> int:
    table = scope.table
    if path.ordered and (keep is None or path.exact) and not table.hidden:
        return path.stop - path.start
    rows = _unordered(scope, path)
    if table.hidden:
        rows = (row for row in rows if table.visible(row))
    if keep is not None and not path.exact:
        rows = filter(keep, rows)
    return sum(1 for _ in rows)


class _Reversed:
    """Sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.value < self.value)


def _sorter(scope: Scope, items: list[tuple[Column, bool]]) -> Any:
    parts = [(column.get, scope.key_for(column.edm), descending) for column, descending in items]

    def key(row: Row) -> tuple[Any, ...]:
        made: list[Any] = []
        for get, plain, descending in parts:
            value = get(row)
            part = LOWEST if value is None else plain(value)
            made.append(_Reversed(part) if descending else part)
        return tuple(made)

    return key
