"""A compiled mapping: reads, writes, recognises records."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from weft.mapping import document
from weft.mapping.expression import Expression, ExpressionError
from weft.mapping.lines import CompiledLines, placed
from weft.mapping.matching import match_values, searches
from weft.mapping.prints import printer
from weft.mapping.reading import View, reader
from weft.mapping.rules import Rule
from weft.mapping.spec import FieldSpec
from weft.mapping.tables import NoTables, Tables
from weft.mapping.used import unique, used
from weft.mapping.writing import Put, Task, putter, writer
from weft.model.currencies import ISO, Currencies
from weft.model.entity import EntityType
from weft.model.values import Fields
from weft.records import Canonical, Child, Condition, LineChange, Mapped, Native, Op, Problem, Record


class CompiledMapping:
    """A mapping, ready to use. Made by :func:`.compile.compile_mapping`; safe from any thread.

    ``readable`` and ``writable`` are canonical fields that a read delivers and a write can carry;
    ``creatable`` and ``updatable`` tell the latter by op. ``assigned`` are those the system assigns
    itself (``returns``). ``line_readable`` and ``line_writable`` tell the same by collection.
    ``accepts`` is the rule that picks this variant for a new record, ``follow`` the rule by which a
    linked record is read again in every run; None when there is none. ``currencies`` tells how many places amounts
    have.
    ``digest`` changes whenever the document does.
    """

    def __init__(
        self,
        mapping: document.Mapping,
        entity: EntityType,
        kind: str,
        fields: list[FieldSpec],
        lines: dict[str, CompiledLines],
        when: Expression | None,
        locked: Expression | None,
        accepts: Rule | None,
        follow: Rule | None,
        currencies: Currencies = ISO,
    ) -> None:
        self.mapping = mapping
        self.entity = entity
        self.kind = kind
        self.fields = fields
        self.lines = lines
        self.accepts = accepts
        self.follow = follow
        self.currencies = currencies
        self._when, self._locked = when, locked
        self.digest = _digest(mapping)
        self.readable = frozenset(spec.canonical for spec in fields if spec.readable and spec.canonical)
        self.creatable = _carried(spec for spec in fields if spec.on_create)
        self.updatable = _carried(spec for spec in fields if spec.on_update)
        self.writable = self.creatable | self.updatable
        self.assigned = frozenset(mapping.returns)
        self.line_readable = {
            name: frozenset(spec.canonical for spec in one.fields if spec.readable and spec.canonical)
            for name, one in lines.items()
        }
        self.line_creatable = {
            name: _carried(spec for spec in one.fields if spec.on_create) for name, one in lines.items()
        }
        self.line_updatable = {
            name: _carried(spec for spec in one.fields if spec.on_update) for name, one in lines.items()
        }
        self.line_writable = {name: self.line_creatable[name] | self.line_updatable[name] for name in lines}
        self._where = [
            (field, {_plain(one) for one in (value if isinstance(value, list) else [value])})
            for field, value in mapping.where.items()
        ]
        self._read = reader(fields)
        self._write = writer(fields, mapping.where, entity)
        self._puts: dict[str, Put] = {spec.label: putter(spec, fields, entity) for spec in fields}
        self._used = used(fields, [(when, mapping.needs), (locked, mapping.needs)], mapping)
        self._print = printer(
            self.digest,
            self._used[""],
            {part: self._used[part] for part in mapping.parts},
            {name: sorted({*one.used, *self._used.get(name, ())}) for name, one in lines.items()},
        )

    def __repr__(self) -> str:
        return f"CompiledMapping({self.kind}: {self.mapping.entity}/{self.mapping.variant})"

    # -- what to ask the system for ----------------------------------------------------------------

    def native_fields(self) -> list[str]:
        """Fields of the main object that a read must select; ``A/B`` leads through a nested object. By the field of
        the own key core knows a record that one of its creates has made."""
        mapping = self.mapping
        own = mapping.own_key.field if mapping.own_key is not None else None
        named = [own, mapping.company, mapping.changed, mapping.changed_by, mapping.created, mapping.version]
        joins = [name for part in mapping.parts.values() for name in part.join.values()]
        filtered = [name for name in mapping.where if "/" not in name]
        return unique([*mapping.key, *(name for name in named if name), *joins, *filtered, *self._used[""]])

    def part_fields(self, part: str) -> list[str]:
        """Fields of a part that a read must select."""
        found = self.mapping.parts[part]
        return unique([*found.join, *([found.key] if found.key else []), *self._used[part]])

    def line_fields(self, collection: str) -> list[str]:
        """Fields of a collection's lines that a read must select."""
        lines = self.mapping.lines[collection]
        order = [lines.order] if lines.order else []
        used = [*self.lines[collection].used, *self._used.get(collection, ())]
        return unique([lines.key, lines.parent, *order, *used])

    def references(self) -> set[str]:
        """Reference entities whose rows must be in the tables before reading and writing."""
        return {
            spec.target.name
            for spec in self._all_fields()
            if spec.target is not None
            and (spec.by == "id" or (spec.by == "code" and spec.map.missing.policy != "issue"))
        }

    def links(self) -> set[str]:
        """Master and document entities that records refer to."""
        return {
            spec.target.name
            for spec in self._all_fields()
            if spec.target is not None and spec.target.kind != "reference"
        }

    def alternates(self) -> set[tuple[str, str]]:
        """(entity, native field) of references by a field other than the key; see AlternateTables."""
        return {
            (spec.target.name, spec.by)
            for spec in self._all_fields()
            if spec.target is not None and spec.by not in ("code", "id", "key")
        }

    def _all_fields(self) -> Iterable[FieldSpec]:
        yield from self.fields
        for lines in self.lines.values():
            yield from lines.fields

    # -- in ----------------------------------------------------------------------------------------

    def read(self, records: Sequence[Record], tables: Tables) -> list[Mapped]:
        """Native records as canonical ones, one result each; raises nothing for a single record."""
        outside = [self._outside(record) for record in records]
        inside = [record for record, why in zip(records, outside, strict=True) if why is None]
        mapped = iter(self._read_all(inside, tables))
        return [next(mapped) if why is None else why for why in outside]

    def _outside(self, record: Record) -> Mapped | None:
        """Why a record is not part of the entity; None when it is."""
        mapping = self.mapping
        for field, allowed in self._where:
            if field in record.data and _plain(record.data[field]) not in allowed:
                return Mapped(excluded=f"not {mapping.entity}: {field} is {record.data[field]!r}")
        try:
            if self._when is not None and not self._when.truth(View(record)):
                return Mapped(excluded=f"not {mapping.entity}: {mapping.when}")
        except ExpressionError as error:
            return Mapped(problems=[Problem("", str(error), "expression")])
        return None

    def _read_all(self, records: Sequence[Record], tables: Tables) -> list[Mapped]:
        problems: list[list[Problem]] = [[] for _ in records]
        fields = self._read(records, tables, problems)
        canonicals = [self._canonical(record, found) for record, found in zip(records, fields, strict=True)]
        if self._locked is not None:
            for record, canonical, wrong in zip(records, canonicals, problems, strict=True):
                try:
                    canonical.locked = _reason(self._locked, record)
                except ExpressionError as error:
                    wrong.append(Problem("", str(error), "expression"))
        for lines in self.lines.values():
            lines.read(records, canonicals, tables, problems)
        return [
            Mapped(problems=wrong) if wrong else Mapped(canonical)
            for canonical, wrong in zip(canonicals, problems, strict=True)
        ]

    def _canonical(self, record: Record, fields: Fields) -> Canonical:
        mapping, company = self.mapping, record.company
        if not company and mapping.company is not None:
            company = str(record.data.get(mapping.company) or "")
        return Canonical(
            mapping.entity,
            record.object,
            record.key,
            fields,
            company,
            mapping.variant,
            record.version,
            record.changed_at,
            record.changed_by,
        )

    # -- out ---------------------------------------------------------------------------------------

    def write(
        self,
        canonical: Canonical,
        op: Op,
        tables: Tables,
        *,
        native: Native | None = None,
        full: Mapping[str, Any] | None = None,
        children: Sequence[LineChange] = (),
        own_key: str | None = None,
        lines: Mapping[str, Sequence[Canonical]] | None = None,
    ) -> Mapped:
        """The canonical fields to be sent as native data; ``Mapped.children`` are the lines.

        ``full`` are all canonical fields known, for `out` expressions and currencies; ``native`` is
        the record as the target holds it, if known. ``children`` are the changes of lines (default:
        ``canonical.changes``), ``lines`` those the target holds, for `out` expressions of a line that
        changes in part. ``own_key`` fills the mapping's ``own_key`` field on create.
        ``deactivate`` gives the mapping's ``deactivate`` values; ``delete`` and ``action`` no data.
        With problems there is no native data.
        """
        if op in ("delete", "action"):
            return Mapped(native={})
        if op == "deactivate":
            return Mapped(native=dict(self.mapping.deactivate))
        create = op == "create"
        problems: list[Problem] = []
        data: Native = {}
        children = children or canonical.changes
        rows = {name: [line.fields for line in lines] for name, lines in canonical.lines.items()}
        for change in children:
            if change.op == "create" and change.collection not in canonical.lines:
                rows.setdefault(change.collection, []).append(change.fields)
        known = {**_currencies(self.entity, native, self.fields, tables), **(full or {})}
        self._write(Task(canonical.fields, known, tables, create, rows, currencies=self.currencies), data, problems)
        if create and own_key is not None and self.mapping.own_key is not None:
            data[self.mapping.own_key.field] = _fitted(self.mapping.own_key, own_key, problems)
        held = {(name, line.key): line.fields for name, found in (lines or {}).items() for line in found}
        items = [
            self._write_line(change, canonical, full or {}, held.get((change.collection, change.key or ""), {}),
                             tables, problems)
            for change in children
        ]  # fmt: skip
        if problems:
            return Mapped(problems=problems)
        return Mapped(native=data, children=items)

    def _write_line(
        self,
        change: LineChange,
        document_: Canonical,
        full: Mapping[str, Any],
        held: Mapping[str, Any],
        tables: Tables,
        problems: list[Problem],
    ) -> Child:
        child = Child(change.collection, change.op, change.id, change.key, change.version)
        lines = self.lines.get(change.collection)
        if lines is None:
            problems.append(Problem(change.collection, f"{self!r} maps no lines {change.collection!r}"))
            return child
        if change.op != "delete":
            wrong: list[Problem] = []
            create = change.op == "create"
            # The document's fields give the lines their currency and serve `out` as `document.…`.
            header = {**full, **document_.fields}
            known = {**header, "document": header, **held, **change.fields}
            task = Task(change.fields, known, tables, create, currencies=self.currencies)
            lines.write(task, child.data, wrong)
            if create and lines.map.own_key is not None:
                own = self.own_key_of(change.id, lines.map.own_key)
                child.data[lines.map.own_key.field] = own
            problems.extend(placed(wrong, change.collection, change.fields.get("position", change.id)))
        return child

    def own_key_of(self, id: str, where: document.OwnKey | None = None) -> str:
        """weft's key for a create, spelled for the mapping's ``own_key`` field; the same for the same
        ``id``. Short fields get a hash that keeps 5 bits a character."""
        where = where or self.mapping.own_key
        if where is None or where.form == "guid":
            try:
                return str(uuid.UUID(id))
            except ValueError:
                return str(uuid.UUID(bytes=blake2b(id.encode(), digest_size=16).digest()))
        room = where.length - len(where.prefix)
        if len(id) <= room:
            return where.prefix + id
        number = int.from_bytes(blake2b(id.encode(), digest_size=32).digest(), "big")
        letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
        return where.prefix + "".join(letters[number >> 5 * place & 31] for place in range(min(room, 26)))

    # -- recognising -------------------------------------------------------------------------------

    def fingerprint(self, record: Record) -> str:
        """32 hexadecimal characters over every native field this mapping looks at."""
        return self._print(record)

    def match_values(
        self, canonical: Canonical, rules: Sequence[Sequence[str]] | None = None
    ) -> tuple[tuple[str, ...] | None, ...]:
        """One tuple a match rule (default: the mapping's), normalised for comparison; None where a
        value is EMPTY or ABSENT."""
        return match_values(canonical.fields, self.mapping.match if rules is None else rules)

    def search(
        self, rule: Sequence[str] | int, canonical: Canonical, tables: Tables | None = None
    ) -> list[tuple[Condition, ...]]:
        """Groups of native conditions, any of which finds the record a match rule (or the one of this index) describes.

        Empty when the rule cannot be asked for. Systems differ in how they compare case: check what
        comes back with :meth:`match_values`.
        """
        names = self.mapping.match[rule] if isinstance(rule, int) else rule
        return searches(names, canonical.fields, self.fields, self._puts, tables or NoTables())


def _digest(mapping: document.Mapping) -> str:
    plain = mapping.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return blake2b(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def _carried(fields: Iterable[FieldSpec]) -> frozenset[str]:
    return frozenset(name for spec in fields for name in spec.carried)


def _reason(locked: Expression, record: Record) -> str | None:
    result = locked.evaluate(View(record))
    if not result:
        return None
    return result if isinstance(result, str) else f"locked: {locked.source}"


def _plain(value: Any) -> Any:
    """A value of ``where`` as it is compared: texts (GUIDs among them) without regard to case."""
    return value.casefold() if isinstance(value, str) else value


def _fitted(where: document.OwnKey, own_key: str, problems: list[Problem]) -> str:
    if where.form == "text" and len(own_key) > where.length:
        problems.append(
            Problem(where.field, f"the key {own_key!r} is longer than the {where.length} characters that fit")
        )
    return own_key


def _currencies(entity: EntityType, native: Native | None, fields: Sequence[FieldSpec], tables: Tables) -> Fields:
    """The currency that the target's own record names, for amounts written without one."""
    if native is None or entity.currency is None:
        return {}
    only = [spec for spec in fields if spec.canonical == entity.currency and spec.part is None]
    [found] = reader(only)([Record("", "", native)], tables, [[]])
    return {name: value for name, value in found.items() if value is not None}
