"""Native records as canonical ones, a page and a field at a time: functions built once from the compiled fields.

A field whose native counterpart is missing from the record is ABSENT. A part without a row (an empty
list under its name) gives EMPTY; a part that was not read (no such name) gives ABSENT. Where several
native fields feed one canonical field, the first that is not EMPTY wins.

Records are read by columns, not by rows: what a field needs is worked out once a page, and codes and keys,
which come again and again, are converted once each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from weft.mapping.casts import Take, Unfit, spelled, taker, text_blanks
from weft.mapping.expression import Expression, ExpressionError
from weft.mapping.spec import FieldSpec
from weft.mapping.tables import Tables
from weft.model.entity import FieldKind
from weft.model.values import ABSENT, Absent, Fields, Ref
from weft.records import Native, Problem, Record

Problems = list[list[Problem]]
"""What is wrong with each record of a page."""
Read = Callable[[Sequence[Record], Tables, Problems], list[Fields]]
"""The canonical fields of each record of a page; adds what is wrong with it."""

_TEXT = frozenset([str])
_CODES = frozenset([str, type(None), Absent])


class _Page(NamedTuple):
    records: Sequence[Record]
    rows: list[Native]
    columns: Mapping[str, Sequence[Any]]
    """Native fields of the main object, where every row has them."""
    tables: Tables
    problems: Problems

    def only(self, indexes: Sequence[int]) -> _Page:
        return _Page(
            [self.records[index] for index in indexes],
            [self.rows[index] for index in indexes],
            {name: [column[index] for index in indexes] for name, column in self.columns.items()},
            self.tables,
            [self.problems[index] for index in indexes],
        )


class _Column(NamedTuple):
    """One field of every record. Only ``partly`` may there be an ABSENT among the values."""

    values: Sequence[Any]
    partly: bool


_Fetch = Callable[[_Page], Sequence[Any]]
_ReadColumn = Callable[[_Page], _Column]


def reader(specs: Sequence[FieldSpec]) -> Read:
    """One function that reads all readable fields of a page."""
    feeds: dict[str, list[_ReadColumn]] = {}
    for spec in specs:
        if spec.readable:
            feeds.setdefault(spec.canonical or "", []).append(_reads(spec))
    names = tuple(feeds)
    flat = [spec.native for spec in specs if spec.readable and _is_flat(spec)]
    pick = itemgetter(*flat) if len(flat) > 1 else None
    reads = [first if not others else _first_of(first, others) for first, *others in feeds.values()]

    def read(records: Sequence[Record], tables: Tables, problems: Problems) -> list[Fields]:
        rows = [record.data for record in records]
        try:
            natives = dict(zip(flat, zip(*map(pick, rows), strict=True), strict=False)) if pick is not None else {}
        except KeyError:
            natives = {}  # fields are missing here and there: each is looked for
        page = _Page(records, rows, natives, tables, problems)
        columns = [one(page) for one in reads]
        if not columns:
            return [{} for _ in records]
        found = [dict(zip(names, row, strict=True)) for row in zip(*[one.values for one in columns], strict=True)]
        for name, column in zip(names, columns, strict=True):
            if column.partly:
                for fields in found:
                    if fields[name] is ABSENT:
                        del fields[name]
        return found

    return read


def _first_of(first: _ReadColumn, others: Sequence[_ReadColumn]) -> _ReadColumn:
    """Several native fields for one canonical field."""

    def read(page: _Page) -> _Column:
        values = list(first(page).values)
        for other in others:
            empty = [index for index, value in enumerate(values) if value is None or value is ABSENT]
            for index, value in zip(empty, other(page.only(empty)).values, strict=True):
                if value is not ABSENT:
                    values[index] = value
        return _Column(values, True)

    return read


def _reads(spec: FieldSpec) -> _ReadColumn:
    if spec.in_ is not None:
        return _evaluating(spec, spec.in_)
    fetch, take_with, blanks = _fetch(spec), _take_with(spec), _text_blanks(spec)
    coded = spec.target is not None or bool(spec.map.values) or bool(spec.field.values)

    def read(page: _Page) -> _Column:
        raws = fetch(page)
        if blanks is not None and _TEXT.issuperset(map(type, raws)):
            # Texts are most of every record: what their taker does with a str stands here, without the call.
            return _Column([None if raw in blanks or raw.isspace() else raw for raw in raws], False)
        by = _by_code if coded and _CODES.issuperset(map(type, raws)) else _one_by_one
        return by(spec, take_with(page.tables), raws, page.problems)

    return read


def _by_code(spec: FieldSpec, take: Take, raws: Sequence[Any], problems: Problems) -> _Column:
    """Each text is converted once, however often it comes."""
    known: dict[Any, Any] = {}
    failed: dict[Any, Problem] = {}
    for raw in set(raws):
        known[raw] = ABSENT
        if raw is not ABSENT:
            try:
                known[raw] = take(raw)
            except Unfit as error:
                failed[raw] = _problem(spec, error)
    if failed:
        for raw, wrong in zip(raws, problems, strict=True):
            if raw in failed:
                wrong.append(failed[raw])
    return _Column([known[raw] for raw in raws], bool(failed) or ABSENT in known)


def _one_by_one(spec: FieldSpec, take: Take, raws: Sequence[Any], problems: Problems) -> _Column:
    values: list[Any] = []
    partly = False
    for raw, wrong in zip(raws, problems, strict=True):
        value: Any = ABSENT
        if raw is not ABSENT:
            try:
                value = take(raw)
            except Unfit as error:
                wrong.append(_problem(spec, error))
        partly = partly or value is ABSENT
        values.append(value)
    return _Column(values, partly)


def _evaluating(spec: FieldSpec, expression: Expression) -> _ReadColumn:
    """A field that an expression over the whole record gives."""
    take_with = _take_with(spec)
    texts = frozenset(expression.texts or ())

    def read(page: _Page) -> _Column:
        flat = expression.texts is not None and all(texts.isdisjoint(record.children) for record in page.records)
        results = expression.evaluate_all(page.rows if flat else [View(record) for record in page.records])
        values: list[Any] = []
        take = take_with(page.tables)
        for result, wrong in zip(results, page.problems, strict=True):
            try:
                if isinstance(result, ExpressionError):
                    raise result
                values.append(take(result))
            except (Unfit, ExpressionError) as error:
                wrong.append(_problem(spec, error))
                values.append(ABSENT)
        return _Column(values, True)

    return read


def _text_blanks(spec: FieldSpec) -> frozenset[Any] | None:
    """The blank texts of a field that is read as it stands; None for every other field."""
    if spec.map.values or spec.field.values:
        return None
    kind = spec.field.kind
    if kind == "any" and spec.map.cast is not None:
        kind = spec.map.cast
    as_text = kind == "text" if spec.target is None else spec.by == "code"
    return text_blanks(spec.map.blank) | {""} if as_text else None


def _problem(spec: FieldSpec, error: Exception) -> Problem:
    code = "expression" if isinstance(error, ExpressionError) else "mapping"
    if isinstance(error, _Unknown):
        return Problem(spec.canonical or "", f"{spec.label}: {error}", "reference", error.entity, error.key)
    return Problem(spec.canonical or "", f"{spec.label}: {error}", code)


class _Unknown(Unfit):
    """A row of a reference entity is not known."""

    def __init__(self, message: str, entity: str, key: str) -> None:
        super().__init__(message)
        self.entity, self.key = entity, key


# -- fetching --------------------------------------------------------------------------------------


def _fetch(spec: FieldSpec) -> _Fetch:
    native = spec.native
    if spec.part is not None:
        part = spec.part
        return lambda page: [_of_part(record.children.get(part), native) for record in page.records]
    if spec.path is not None:
        steps = spec.path
        return lambda page: [nested(row, steps, native) for row in page.rows]

    def of_main(page: _Page) -> Sequence[Any]:
        found = page.columns.get(native)
        return found if found is not None else [row.get(native, ABSENT) for row in page.rows]

    return of_main


def _is_flat(spec: FieldSpec) -> bool:
    return spec.part is None and spec.path is None and spec.in_ is None


def _of_part(rows: Sequence[Record] | None, native: str) -> Any:
    if rows is None:
        return ABSENT
    return rows[0].data.get(native, ABSENT) if rows else None


def nested(data: Native, steps: Sequence[str], whole: str) -> Any:
    """The value at the end of a path through nested objects; a null on the way is null."""
    if whole in data:
        return data[whole]
    value: Any = data
    for step in steps:
        if value is None:
            return None
        if value.__class__ is not dict and not isinstance(value, Mapping):
            return ABSENT
        value = value.get(step, ABSENT)
        if value is ABSENT:
            return ABSENT
    return value


class View(Mapping[str, Any]):
    """A record as expressions see it: its fields; parts as an object, lines as a list of objects."""

    __slots__ = ("_record",)

    def __init__(self, record: Record) -> None:
        self._record = record

    def __getitem__(self, name: str) -> Any:
        rows = self._record.children.get(name)
        if rows is None:
            return self._record.data[name]
        return [View(row) for row in rows] if len(rows) != 1 else View(rows[0])

    def __contains__(self, name: object) -> bool:
        return name in self._record.data or name in self._record.children

    def __iter__(self) -> Iterator[str]:
        return iter({**self._record.data, **self._record.children})

    def __len__(self) -> int:
        return len({**self._record.data, **self._record.children})


# -- converting ------------------------------------------------------------------------------------


def _plain_take(spec: FieldSpec) -> Callable[[Any], Any] | None:
    """The conversion of a field that needs no tables; None for one that does."""
    if spec.target is None:
        kind: FieldKind = spec.field.kind
        if kind == "any" and spec.map.cast is not None:
            kind = spec.map.cast
        take = taker(kind, spec.map.blank)
        if spec.map.values is not None:
            return _valued(spec, kind, take)
        return _one_of(spec.field.values, take) if spec.field.values else take
    if spec.by == "code":
        return _valued(spec, "text", taker("ref", spec.map.blank), strict=False)
    if spec.by == "key":
        owner, take = spec.object or "", taker("ref", spec.map.blank)

        def refer(raw: Any) -> Any:
            key = take(raw)
            return None if key is None else Ref(owner, key)

        return refer
    return None


def _take_with(spec: FieldSpec) -> Callable[[Tables], Take]:
    """The conversion of a field, given the tables of reference entities."""
    simple = _plain_take(spec)
    if simple is not None:
        return lambda tables: simple
    entity, owner, by = spec.target.name if spec.target else "", spec.object or "", spec.by
    take = taker("ref", spec.map.blank)
    known = _native_table(spec, "text") if spec.map.values else {}

    def by_id(tables: Tables, raw: Any) -> Any:
        if known:
            found = known.get(_hashed(raw), ABSENT)
            if found is not ABSENT:
                return found
        key = take(raw)
        if key is None:
            return None
        code = tables.code_of(entity, key)
        if code is None:
            missing = "not among the rows read" if tables.has(entity) else "unknown: its rows were not read"
            raise _Unknown(f"the {entity} with the key {key} is {missing}", entity, key)
        return code

    def by_field(tables: Tables, raw: Any) -> Any:
        value = take(raw)
        if value is None:
            return None
        lookup = getattr(tables, "key_by", None)
        key = lookup(entity, by, value) if lookup is not None else None
        if key is None:
            raise _Unknown(f"no {entity} is known whose {by} is {value!r}", entity, value)
        return Ref(owner, key)

    return lambda tables: partial(by_id if by == "id" else by_field, tables)


def _one_of(allowed: tuple[str, ...], take: Callable[[Any], Any]) -> Callable[[Any], Any]:
    table = frozenset(allowed)

    def checked(raw: Any) -> Any:
        value = take(raw)
        if value is not None and value not in table:
            raise Unfit(f"{value!r} is not one of {', '.join(allowed)}; map it with `values`")
        return value

    return checked


def _valued(
    spec: FieldSpec, kind: FieldKind, take: Callable[[Any], Any], *, strict: bool = True
) -> Callable[[Any], Any]:
    if not spec.map.values:
        return take
    table = _native_table(spec, kind)
    allowed = ", ".join(str(native) for native in _natives(spec))

    def convert(raw: Any) -> Any:
        found = table.get(_hashed(raw), ABSENT)
        if found is not ABSENT:
            return found
        value = take(raw) if not strict else _blank_only(take, raw)
        if value is not None and strict:
            raise Unfit(f"the value {raw!r} is not mapped; mapped are: {allowed}")
        return value

    return convert


def _blank_only(take: Callable[[Any], Any], raw: Any) -> Any:
    try:
        return take(raw)
    except Unfit:
        return raw  # not blank, and not mapped either


def _hashed(raw: Any) -> Any:
    """True equals 1 in Python, but not here; lists and objects are never mapped."""
    kind = raw.__class__
    if kind is str:
        return raw
    if kind is bool:
        return (bool, raw)
    return raw if kind is not dict and kind is not list else ABSENT


def _native_table(spec: FieldSpec, kind: FieldKind) -> dict[Any, Any]:
    """Native value -> canonical value; of several canonical ones the first listed."""
    table: dict[Any, Any] = {}
    for word, native in (spec.map.values or {}).items():
        for one in native if isinstance(native, list) else [native]:
            try:
                table.setdefault(_hashed(one), spelled(word, kind))
            except Unfit:
                break  # told when the document is compiled
    return table


def _natives(spec: FieldSpec) -> Iterator[Any]:
    for native in (spec.map.values or {}).values():
        yield from native if isinstance(native, list) else [native]
