"""Native records as canonical ones: functions built once from the compiled fields.

A field whose native counterpart is missing from the record is ABSENT. A part without a row (an empty
list under its name) gives EMPTY; a part that was not read (no such name) gives ABSENT. Where several
native fields feed one canonical field, the first that is not EMPTY wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from weft.mapping.casts import Unfit, spelled, taker, text_blanks
from weft.mapping.expression import ExpressionError
from weft.mapping.spec import FieldSpec
from weft.mapping.tables import Tables
from weft.model.entity import FieldKind
from weft.model.values import ABSENT, Fields, Ref
from weft.records import Native, Problem, Record

Read = Callable[[Record, Tables, Fields, list[Problem]], None]
"""Fills canonical fields from a record and adds what is wrong."""

_Take = Callable[[Any, Tables], Any]


def reader(specs: Sequence[FieldSpec]) -> Read:
    """One function that reads all readable fields of a record."""
    readable = [spec for spec in specs if spec.readable]
    feeds = Counter(spec.canonical for spec in readable)
    texts: list[tuple[str, str, frozenset[Any], Callable[[Any], Any], FieldSpec]] = []
    plain: list[tuple[str, str, Callable[[Any], Any], FieldSpec]] = []
    special: list[tuple[str, Callable[[Record], Any], _Take, FieldSpec]] = []
    for spec in readable:
        name = spec.canonical or ""
        simple = _plain_take(spec)
        alone = feeds[name] == 1 and spec.part is None and spec.path is None and spec.in_ is None
        if alone and simple is not None:
            blanks = _text_blanks(spec)
            if blanks is not None:
                texts.append((name, spec.native, blanks, simple, spec))
            else:
                plain.append((name, spec.native, simple, spec))
        else:
            special.append((name, _fetch(spec), _table_take(spec, simple), spec))

    def read(record: Record, tables: Tables, fields: Fields, problems: list[Problem]) -> None:
        data = record.data
        # Texts are most of every record: what their taker does with a str stands here, without the call.
        for name, native, blanks, take, spec in texts:
            raw = data.get(native, ABSENT)
            if raw.__class__ is str:
                fields[name] = raw if raw and raw not in blanks and not raw.isspace() else None
            elif raw is not ABSENT:
                try:
                    fields[name] = take(raw)
                except Unfit as error:
                    problems.append(_problem(spec, error))
        for name, native, take, spec in plain:
            raw = data.get(native, ABSENT)
            if raw is ABSENT:
                continue
            try:
                fields[name] = take(raw)
            except Unfit as error:
                problems.append(_problem(spec, error))
        for name, fetch, take_with, spec in special:
            if fields.get(name) is not None:
                continue
            try:
                raw = fetch(record)
                if raw is not ABSENT:
                    fields[name] = take_with(raw, tables)
            except (Unfit, ExpressionError) as error:
                problems.append(_problem(spec, error))

    return read


def _text_blanks(spec: FieldSpec) -> frozenset[Any] | None:
    """The blank texts of a field that is read as it stands; None for every other field."""
    if spec.map.values or spec.field.values:
        return None
    kind = spec.field.kind
    if kind == "any" and spec.map.cast is not None:
        kind = spec.map.cast
    as_text = kind == "text" if spec.target is None else spec.by == "code"
    return text_blanks(spec.map.blank) if as_text else None


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


def _fetch(spec: FieldSpec) -> Callable[[Record], Any]:
    if spec.in_ is not None:
        expression = spec.in_
        return lambda record: expression.evaluate(View(record))
    if spec.part is not None:
        part, native = spec.part, spec.native

        def from_part(record: Record) -> Any:
            rows = record.children.get(part)
            if rows is None:
                return ABSENT
            return rows[0].data.get(native, ABSENT) if rows else None

        return from_part
    if spec.path is not None:
        steps, whole = spec.path, spec.native
        return lambda record: nested(record.data, steps, whole)
    native = spec.native
    return lambda record: record.data.get(native, ABSENT)


def nested(data: Native, steps: Sequence[str], whole: str) -> Any:
    """The value at the end of a path through nested objects; a null on the way is null."""
    if whole in data:
        return data[whole]
    value: Any = data
    for step in steps:
        if value is None:
            return None
        if not isinstance(value, Mapping):
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


def _table_take(spec: FieldSpec, simple: Callable[[Any], Any] | None) -> _Take:
    if simple is not None:
        return lambda raw, tables: simple(raw)
    entity, owner, by = spec.target.name if spec.target else "", spec.object or "", spec.by
    take = taker("ref", spec.map.blank)
    known = _native_table(spec, "text") if spec.map.values else {}

    def by_id(raw: Any, tables: Tables) -> Any:
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

    def by_field(raw: Any, tables: Tables) -> Any:
        value = take(raw)
        if value is None:
            return None
        lookup = getattr(tables, "key_by", None)
        key = lookup(entity, by, value) if lookup is not None else None
        if key is None:
            raise _Unknown(f"no {entity} is known whose {by} is {value!r}", entity, value)
        return Ref(owner, key)

    return by_id if by == "id" else by_field


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
