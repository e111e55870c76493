"""Which way to the rows is the shortest: by key, by hash, by a range of a sorted index, or through all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.testing.odata import filter as tree
from weft.testing.odata.index import SortedIndex
from weft.testing.odata.scope import Scope, resolve

_FLIPPED = {"eq": "eq", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


@dataclass(slots=True)
class Path:
    """``ordered``: rows come in the wanted order, from positions ``start`` to ``stop`` of ``index``. ``exact``: the
    path alone decides, the filter need not be asked again. ``pins``: sort keys of the index's first columns, where
    only the filter's fixing these makes the index's order the wanted one."""

    name: str
    size: int
    ordered: bool = False
    exact: bool = False
    index: SortedIndex | None = None
    start: int = 0
    stop: int = 0
    reverse: bool = False
    found: Iterable[str] = ()
    pins: tuple[Any, ...] = ()

    def row_keys(self) -> Iterator[str]:
        return iter(self.found) if self.index is None else self.walk(self.start, self.stop)

    def walk(self, start: int, stop: int) -> Iterator[str]:
        assert self.index is not None
        return self.index.walk(start, stop, reverse=self.reverse)

    def places(self, row: Mapping[str, Any]) -> bool:
        """Can :meth:`beyond` place this row? One that differs in a pinned column stands elsewhere in the index than
        in the wanted order."""
        assert self.index is not None
        return self.index.entry("", row)[: len(self.pins)] == self.pins

    def beyond(self, row: Mapping[str, Any]) -> tuple[int, int]:
        """The part of the range that comes after this row in the path's order."""
        assert self.index is not None
        made = self.index.entry("", row)[:-1]
        if self.reverse:
            _, stop = self.index.bounds((), made, False, True)
            return self.start, max(self.start, min(self.stop, stop))
        start, _ = self.index.bounds(made, (), True, False)
        return min(self.stop, max(self.start, start)), self.stop


@dataclass(slots=True)
class _Column:
    """What the ``and`` terms say about one column, in sort keys."""

    low: Any = None
    low_open: bool = False
    high: Any = None
    high_open: bool = False
    has_low: bool = False
    has_high: bool = False
    among: list[Any] | None = None
    terms: set[int] = field(default_factory=set)

    @property
    def pinned(self) -> bool:
        return self.has_low and self.has_high and self.low == self.high and not (self.low_open or self.high_open)


def choose(scope: Scope, where: tree.Node | None, order: tuple[tuple[str, ...], bool] | None) -> Path:
    """The path with the fewest rows; one in the wanted order counts as four times shorter, since it needs no sort
    and stops when the page is full."""
    table = scope.table
    terms = [] if where is None else tree.terms(where, "and")
    facts, keysets = _facts(scope, terms)
    paths: list[Path] = []

    by_key = facts.get(table.entity.key)
    if by_key is not None and (by_key.among is not None or by_key.pinned):
        wanted = by_key.among if by_key.among is not None else [by_key.low]
        found = [key for key in dict.fromkeys(wanted) if key in table.rows]
        paths.append(Path("key", len(found), found=found))
    for column, index in table.hashed.items():
        fact = facts.get(column)
        if fact is not None and (fact.among is not None or fact.pinned):
            values = dict.fromkeys(fact.among if fact.among is not None else [fact.low])
            size = sum(len(index.under(value)) for value in values)
            if size < len(table.rows):
                found = [key for value in values for key in index.under(value)]
                paths.append(Path(f"hash {column}", size, found=found))
    for sorted_index in table.sorted:
        paths.append(_range(sorted_index, facts, keysets, len(terms), order))
    return min(paths, key=lambda path: path.size / 4 if path.ordered else path.size)


def _range(
    index: SortedIndex,
    facts: Mapping[str, _Column],
    keysets: Mapping[int, tuple[tuple[str, ...], str, tuple[Any, ...]]],
    term_count: int,
    order: tuple[tuple[str, ...], bool] | None,
) -> Path:
    low: tuple[Any, ...] = ()
    high: tuple[Any, ...] = ()
    low_open = high_open = False
    used: set[int] = set()
    depth = 0
    for column in index.columns:
        fact = facts.get(column)
        if fact is None or not (fact.has_low or fact.has_high):
            break
        if fact.pinned:
            low, high = (*low, fact.low), (*high, fact.high)
            used |= fact.terms
            depth += 1
            continue
        if fact.has_low:
            low, low_open = (*low, fact.low), fact.low_open
        if fact.has_high:
            high, high_open = (*high, fact.high), fact.high_open
        used |= fact.terms
        break
    pinned = index.columns[:depth]
    keyset_used: set[str] = set()
    for at, (columns, way, values) in keysets.items():
        # (M gt t) or (M eq t and Id gt g): everything after (t, g); only from the index's first column on
        if index.columns[: len(columns)] != columns:
            continue
        if way == "gt" and (not low or low < values):
            keyset_used.add("gt" if not low else "mixed")
            low, low_open = values, True
            used.add(at)
        elif way == "lt" and (not high or values < high):
            keyset_used.add("lt")
            high, high_open = values, True
            used.add(at)
    start, stop = index.bounds(low, high, low_open and bool(low), high_open and bool(high))
    ordered = False
    reverse = False
    pins: tuple[Any, ...] = ()
    if order is not None:
        wanted, reverse = order
        rest = tuple(name for name in wanted if name not in pinned)
        ordered = index.columns == wanted
        if not ordered and pinned and index.columns[depth:] == rest:
            ordered, pins = True, low[:depth]
    name = f"range {','.join(index.columns)}" if low or high else ("order" if ordered else "scan")
    exact = len(used) == term_count and not _loose(facts, used) and (not keyset_used or keyset_used == {"gt"})
    return Path(
        name, stop - start, ordered=ordered, exact=exact, index=index, start=start, stop=stop,
        reverse=reverse and ordered, pins=pins,
    )  # fmt: skip


def _loose(facts: Mapping[str, _Column], used: set[int]) -> bool:
    """A range without a lower end also spans the nulls, which no comparison matches; two terms may share a fact."""
    return any(fact.terms & used and not fact.has_low for fact in facts.values())


def _facts(
    scope: Scope, terms: list[tree.Node]
) -> tuple[dict[str, _Column], dict[int, tuple[tuple[str, ...], str, tuple[Any, ...]]]]:
    facts: dict[str, _Column] = {}
    keysets: dict[int, tuple[tuple[str, ...], str, tuple[Any, ...]]] = {}
    for at, term in enumerate(terms):
        simple = _simple(scope, term)
        if simple is not None:
            _note(facts.setdefault(simple[0], _Column()), at, simple[1], simple[2])
            continue
        among = _among(scope, term)
        if among is not None:
            fact = facts.setdefault(among[0], _Column())
            if fact.among is None:
                fact.among = among[1]
            continue
        keyset = _keyset(scope, term)
        if keyset is not None:
            keysets[at] = keyset
    return facts, keysets


def _note(fact: _Column, at: int, operator: str, value: Any) -> None:
    fact.terms.add(at)
    if operator in ("gt", "ge", "eq"):
        is_open = operator == "gt"
        if not fact.has_low or fact.low < value or (fact.low == value and is_open):
            fact.low, fact.low_open, fact.has_low = value, is_open, True
    if operator in ("lt", "le", "eq"):
        is_open = operator == "lt"
        if not fact.has_high or value < fact.high or (fact.high == value and is_open):
            fact.high, fact.high_open, fact.has_high = value, is_open, True


def _simple(scope: Scope, node: tree.Node) -> tuple[str, str, Any] | None:
    """(own column, operator, sort key) of ``Column op literal`` where an index can serve it."""
    if not isinstance(node, tree.Compare) or node.operator not in _FLIPPED:
        return None
    operator, left, right = node.operator, node.left, node.right
    if isinstance(left, tree.Literal):
        operator, left, right = _FLIPPED[operator], right, left
    if not isinstance(left, tree.Path) or not isinstance(right, tree.Literal):
        return None
    return _indexable(scope, left, operator, right)


def _indexable(scope: Scope, path: tree.Path, operator: str, literal: tree.Literal) -> tuple[str, str, Any] | None:
    column = resolve(path.segments, scope)
    if column.direct is None or not column.edm.startswith("Edm.") or literal.kind == "Null":
        return None
    if column.edm == "Edm.String" and scope.folds is not scope.table.fold:
        return None
    value = literal.value
    if column.edm == "Edm.DateTimeOffset" and literal.kind == "Edm.Date":
        value = f"{value}T00:00:00Z"
    elif column.edm == "Edm.Date" and literal.kind == "Edm.DateTimeOffset":
        return None
    return column.direct, operator, scope.key_for(column.edm)(value)


def _among(scope: Scope, node: tree.Node) -> tuple[str, list[Any]] | None:
    """``Id in (…)`` or ``Id eq a or Id eq b``: (own column, sort keys)."""
    if isinstance(node, tree.In):
        if not isinstance(node.left, tree.Path):
            return None
        simple = [_indexable(scope, node.left, "eq", item) for item in node.items]
    elif isinstance(node, tree.Logic) and node.operator == "or":
        simple = [_simple(scope, part) for part in tree.terms(node, "or")]
    else:
        return None
    values: list[Any] = []
    name: str | None = None
    for item in simple:
        if item is None or item[1] != "eq" or (name is not None and item[0] != name):
            return None
        name = item[0]
        values.append(item[2])
    return None if name is None else (name, values)


def _keyset(scope: Scope, node: tree.Node) -> tuple[tuple[str, ...], str, tuple[Any, ...]] | None:
    """``(A gt x) or (A eq x and B gt y)`` -> ((A, B), "gt", (x, y)); likewise with lt."""
    if not isinstance(node, tree.Logic) or node.operator != "or":
        return None
    parts = tree.terms(node, "or")
    if len(parts) != 2:
        return None
    for first, second in (parts, parts[::-1]):
        head = _simple(scope, first)
        rest = [_simple(scope, part) for part in tree.terms(second, "and")]
        if head is None or head[1] not in ("gt", "lt") or len(rest) != 2:
            continue
        for same, beyond in (rest, rest[::-1]):
            if same is None or beyond is None or beyond[0] == head[0] or beyond[1] != head[1]:
                continue
            if same == (head[0], "eq", head[2]):
                return (head[0], beyond[0]), head[1], (head[2], beyond[2])
    return None
