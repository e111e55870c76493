"""One line of a mapping, taken apart: which native field, which canonical one, which expressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.mapping import document
from weft.mapping.casts import Unfit, spelled
from weft.mapping.expression import Expression, ExpressionError
from weft.model.entity import EntityType, Field
from weft.yamlpos import suggest


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A compiled field. ``native`` is the system's name, inside ``part`` if that is set; ``path``
    its steps when it leads through a nested object (``Country/Code``; read only)."""

    label: str
    """As written in the document: ``part.Field#note``."""
    native: str
    part: str | None
    path: tuple[str, ...] | None
    canonical: str | None
    field: Field
    map: document.FieldMap
    at: str
    target: EntityType | None = None
    """Of a reference: the entity referred to."""
    by: str = ""
    """Of a reference: ``code``, ``id``, ``key``, or a native field of the target."""
    object: str | None = None
    """Of a reference to a master or document entity: the object its keys belong to."""
    in_: Expression | None = None
    out: Expression | None = None
    out_reads: frozenset[str] | None = frozenset()
    """Canonical fields that ``out`` reads; None: all of them."""

    @property
    def readable(self) -> bool:
        """A field with `out` but no `in` is only written."""
        one_way = self.map.out is not None and self.map.in_ is None
        return self.canonical is not None and self.map.readable and not one_way

    @property
    def on_create(self) -> bool:
        return self.map.on in ("both", "create", "write") and self._writable

    @property
    def on_update(self) -> bool:
        return self.map.on in ("both", "update", "write") and self._writable

    @property
    def _writable(self) -> bool:
        """A field with `in` but no `out` is only read, as is one inside a nested object."""
        one_way = self.map.in_ is not None and self.map.out is None
        return self.path is None and not one_way

    @property
    def carried(self) -> frozenset[str]:
        """Canonical fields whose change makes this native field be written."""
        if self.map.const is not None:
            return frozenset()
        if self.out is not None:
            return self.out_reads or frozenset()
        return frozenset([self.canonical]) if self.canonical else frozenset()


@dataclass(slots=True)
class Reporter:
    """Collects what is wrong with a document, so that all of it is told at once."""

    mapping: document.Mapping
    kind: str
    messages: list[str] = field(default_factory=list)

    def say(self, path: tuple[str | int, ...], message: str) -> None:
        text = f"{self.mapping.at(*path)}: {'.'.join(map(str, path))}: {message}"
        if text not in self.messages:
            self.messages.append(text)

    def expression(self, source: str | None, path: tuple[str | int, ...]) -> Expression | None:
        """Compile an expression over a record; a failure is kept and None returned."""
        if source is None:
            return None
        try:
            return Expression(source, self.mapping.at(*path), self.mapping.lines)
        except ExpressionError as error:
            self.messages.append(str(error))
            return None


def specs(
    maps: Mapping[str, document.FieldMap],
    entity: EntityType,
    path: tuple[str, ...],
    report: Reporter,
    *,
    entities: Mapping[str, EntityType] | None,
    ref_object: Any,
    parts: Iterable[str],
) -> list[FieldSpec]:
    """The compiled fields of a mapping or of one of its line collections."""
    known = frozenset(parts)
    return [
        _spec(label, each, entity, (*path, label), report, entities, ref_object, known) for label, each in maps.items()
    ]


def _spec(
    label: str,
    each: document.FieldMap,
    entity: EntityType,
    path: tuple[str, ...],
    report: Reporter,
    entities: Mapping[str, EntityType] | None,
    ref_object: Any,
    parts: frozenset[str],
) -> FieldSpec:
    native, part = label.split("#", 1)[0], None
    before, dot, after = native.partition(".")
    if dot and before in parts:
        part, native = before, after
    steps = tuple(native.split("/")) if "/" in native else None
    canonical = each.canonical
    declared = entity.field(canonical) if canonical else None
    if canonical and declared is None:
        near = suggest(canonical, list(entity.fields))
        report.say(path, f"{entity.name} has no field {canonical!r}{near}; or call it custom.{canonical}")
    _shape(each, canonical, path, report)
    target, by, owner = _reference(each, declared, path, report, entities, ref_object)
    out = report.expression(each.out, (*path, "out"))
    spec_field = declared or Field(canonical or "", "any")
    if each.values:
        _values(each, spec_field, path, report)
    return FieldSpec(
        label=label,
        native=native,
        part=part,
        path=steps,
        canonical=canonical,
        field=spec_field,
        map=each,
        at=report.mapping.at(*path),
        target=target,
        by=by,
        object=owner,
        in_=report.expression(each.in_, (*path, "in")),
        out=out,
        out_reads=canonical_reads(out, entity) if out is not None else frozenset(),
    )


def _shape(each: document.FieldMap, canonical: str | None, path: tuple[str, ...], report: Reporter) -> None:
    if each.const is not None:
        if canonical or each.in_ or each.out:
            report.say(path, "`const` stands alone: leave out from, ref, in and out")
    elif not canonical and not each.out and each.default is None:
        report.say(path, "needs `from`, `ref`, `const`, `out` or `default`")
    if each.in_ and not canonical:
        report.say(path, "`in` needs `from`, the canonical field it gives")
    if each.cut and each.max is None:
        report.say(path, "`cut` needs `max`")
    if each.in_ and each.on == "write":
        report.say(path, "`in` is never used with `on: write`")


def _reference(
    each: document.FieldMap,
    declared: Field | None,
    path: tuple[str, ...],
    report: Reporter,
    entities: Mapping[str, EntityType] | None,
    ref_object: Any,
) -> tuple[EntityType | None, str, str | None]:
    if each.ref is None:
        read = each.const is None and each.on != "write" and not (each.out and not each.in_)
        if declared is not None and declared.kind == "ref" and read and not _coded(declared, entities):
            report.say(path, f"{declared.name} is a reference: write `ref: {declared.entity}`")
        return None, "", None
    target = entities.get(each.ref) if entities is not None else None
    if entities is not None and target is None:
        report.say((*path, "ref"), f"there is no entity {each.ref!r}{suggest(each.ref, list(entities))}")
    if target is None:
        reference = each.by in ("code", "id")
        target = EntityType(each.ref, "reference" if reference else "master")
    if declared is not None and declared.entity and declared.entity != each.ref:
        report.say((*path, "ref"), f"{declared.name} refers to {declared.entity}, not to {each.ref}")
    by = each.by or ("code" if target.kind == "reference" else "key")
    if by in ("code", "id") and target.kind != "reference":
        report.say((*path, "by"), f"{each.ref} is no reference entity and has no code; use `by: key`")
    if by == "key" and target.kind == "reference":
        by = "id"
    owner = None
    if target.kind != "reference":
        owner = each.object or (ref_object(each.ref) if ref_object is not None else None)
        if owner is None:
            report.say(
                path,
                f"{report.kind} has no mapping for {each.ref}, so the object its keys belong to is unknown; "
                "write `object:`",
            )
    return target, by, owner


def _coded(declared: Field, entities: Mapping[str, EntityType] | None) -> bool:
    """A reference entity's code may be copied plainly: it is what the canonical field holds."""
    target = entities.get(declared.entity or "") if entities is not None else None
    return target is None or target.kind == "reference"


def _values(each: document.FieldMap, declared: Field, path: tuple[str, ...], report: Reporter) -> None:
    for word in each.values or {}:
        where = (*path, "values", word)
        try:
            value = spelled(word, declared.kind)
        except Unfit as error:
            report.say(where, f"is no value of {declared.name}: {error}")
            continue
        if value is not None and declared.values and value not in declared.values:
            near = suggest(word, declared.values)
            allowed = ", ".join(declared.values)
            report.say(where, f"is no value of {declared.name}{near}; there are: {allowed}")


def canonical_reads(expression: Expression, entity: EntityType) -> frozenset[str] | None:
    """The canonical fields an expression over a canonical record reads; None: all."""
    if expression.reads is None:
        return None
    found: set[str] = set()

    def walk(reads: Any, name: str) -> None:
        if name in entity.fields or (name.startswith("custom.") and name.count(".") == 1):
            found.add(name)
            return
        if name in entity.lines:
            return
        inside = f"{name}."
        below = [other for other in entity.fields if other.startswith(inside)]
        if isinstance(reads, dict) and reads and (below or name == "custom"):
            for step, inner in reads.items():
                walk(inner, inside + step)
        else:
            found.update(below)

    for step, inner in expression.reads.items():
        walk(inner, step)
    return frozenset(found)
