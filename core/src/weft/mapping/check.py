"""A compiled mapping held against the live metadata of the system, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from weft.mapping import document
from weft.mapping.compiled import CompiledMapping
from weft.mapping.spec import FieldSpec
from weft.records import ObjectSchema, Property
from weft.yamlpos import suggest

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that ``weft check`` tells. ``where`` is ``file:line:column`` in the mapping."""

    level: Level
    where: str
    mapping: str
    field: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        tail = f" ({self.suggestion})" if self.suggestion else ""
        return f"{self.where}: {self.level}: {self.mapping} {self.field}: {self.message}{tail}"


_FITTING: Mapping[str, frozenset[str]] = {
    "text": frozenset(["text", "ref", "any"]),
    "ref": frozenset(["text", "ref", "any", "integer"]),
    "decimal": frozenset(["decimal", "money", "integer", "any"]),
    "money": frozenset(["decimal", "money", "integer", "any"]),
    "integer": frozenset(["integer", "decimal", "money", "any"]),
    "boolean": frozenset(["boolean", "any"]),
    "date": frozenset(["date", "datetime", "any"]),
    "datetime": frozenset(["datetime", "any"]),
}
"""Canonical kind -> native kinds that hold it without `values`, `cast` or an expression."""
_CASTS = frozenset(["text", "integer", "decimal", "boolean", "date", "datetime"])


def check(
    compiled: CompiledMapping,
    schemas: Mapping[str, ObjectSchema],
    *,
    lengths: Mapping[str, int] | None = None,
) -> list[Finding]:
    """What is wrong between a mapping and the objects the system has.

    ``schemas`` describe every object the mapping names, an unknown one is missing. ``lengths`` are
    the longest texts that may arrive, by canonical field (see :func:`longest_texts` of the other side).
    """
    checker = _Checker(compiled, schemas, lengths or {})
    checker.main()
    for name in compiled.mapping.parts:
        checker.part(name)
    for name in compiled.lines:
        checker.line(name)
    return checker.findings


def objects(mapping: document.Mapping) -> list[str]:
    """Every object a mapping names: what :func:`check` wants described."""
    names = [mapping.object.read, mapping.object.to_create, mapping.object.to_update]
    names += [capture.object for capture in mapping.capture if capture.object]
    names += [part.object for part in mapping.parts.values()]
    names += [lines.object for lines in mapping.lines.values()]
    return list(dict.fromkeys(names))


def longest_texts(compiled: CompiledMapping, schemas: Mapping[str, ObjectSchema]) -> dict[str, int]:
    """The longest text each canonical field can bring from this side, where the system tells."""
    schema = schemas.get(compiled.mapping.object.read)
    found: dict[str, int] = {}
    for spec in compiled.fields:
        if not spec.readable or spec.canonical is None or spec.in_ is not None or spec.map.values:
            continue
        one = schema
        if spec.part is not None:
            one = schemas.get(compiled.mapping.parts[spec.part].object)
        native = one.properties.get(spec.native) if one is not None else None
        if native is not None and native.kind == "text" and native.max_length:
            found[spec.canonical] = max(found.get(spec.canonical, 0), native.max_length)
    return found


class _Checker:
    def __init__(
        self, compiled: CompiledMapping, schemas: Mapping[str, ObjectSchema], lengths: Mapping[str, int]
    ) -> None:
        self.compiled, self.mapping = compiled, compiled.mapping
        self.schemas, self.lengths = schemas, lengths
        self.findings: list[Finding] = []

    def say(self, level: Level, path: Iterable[str | int], field: str, message: str, suggestion: str = "") -> None:
        mapping = f"{self.compiled.kind} {self.mapping.entity}/{self.mapping.variant}"
        found = Finding(level, self.mapping.at(*path), mapping, field, message, suggestion)
        if found not in self.findings:
            self.findings.append(found)

    def object(self, name: str, path: Iterable[str | int]) -> ObjectSchema | None:
        schema = self.schemas.get(name)
        if schema is None:
            near = suggest(name, list(self.schemas)).removeprefix(", ")
            self.say("error", path, name, f"the system has no object {name!r}, or hides it", near)
        return schema

    # -- the pieces --------------------------------------------------------------------------------

    def main(self) -> None:
        mapping, compiled = self.mapping, self.compiled
        read = self.object(mapping.object.read, ("object",))
        create = self.object(mapping.object.to_create, ("object",))
        update = self.object(mapping.object.to_update, ("object",))
        if read is not None:
            own = [(name, ("key",)) for name in mapping.key]
            for label in ("company", "changed", "changed_by", "created", "version"):
                name = getattr(mapping, label)
                if name:
                    own.append((name, (label,)))
            for name, path in own:
                self.known(read, name, path)
            for name in compiled.native_fields():
                if name not in {known for known, _ in own}:
                    self.known(read, name, self.path_of(compiled.fields, name))
        for index, capture in enumerate(mapping.capture):
            if capture.object is None:
                continue
            schema = self.object(capture.object, ("capture", index))
            if schema is not None and capture.field:
                self.known(schema, capture.field, ("capture", index, "field"))
        if not mapping.read_only:
            main = [spec for spec in compiled.fields if spec.part is None]
            fixed = {name for name in mapping.where if "/" not in name}
            own_key = {mapping.own_key.field} if mapping.own_key else set()
            if create is not None:
                self.writable(create, main, fixed | own_key, create=True)
            if update is not None:
                self.writable(update, main, fixed, create=False)

    def part(self, name: str) -> None:
        part = self.mapping.parts[name]
        schema = self.object(part.object, ("parts", name, "object"))
        if schema is None:
            return
        own = [spec for spec in self.compiled.fields if spec.part == name]
        for native in [*self.compiled.part_fields(name), *part.where]:
            self.known(schema, native, self.path_of(own, native, ("parts", name)))
        if not self.mapping.read_only:
            self.writable(schema, own, {*part.join, *part.where}, create=part.create, demand=False)

    def line(self, name: str) -> None:
        lines = self.mapping.lines[name]
        schema = self.object(lines.object, ("lines", name, "object"))
        if schema is None:
            return
        own = self.compiled.lines[name].fields
        path = ("lines", name)
        for native in self.compiled.line_fields(name):
            self.known(schema, native, self.path_of(own, native, path, (*path, "fields")))
        if not self.mapping.read_only:
            fixed = {lines.parent, *lines.where, *({lines.own_key.field} if lines.own_key else ())}
            self.writable(schema, own, fixed, create=True, path=(*path, "fields"))
            if lines.editable:
                self.writable(schema, own, fixed, create=False, path=(*path, "fields"))

    def path_of(
        self,
        specs: Iterable[FieldSpec],
        native: str,
        other: tuple[str, ...] = (),
        base: tuple[str, ...] = ("fields",),
    ) -> tuple[str, ...]:
        for spec in specs:
            if spec.in_ is not None:
                if native in (spec.in_.reads or spec.map.needs or ()):
                    return (*base, spec.label, "in")
            elif spec.native == native:
                return (*base, spec.label)
        return other

    # -- single fields -----------------------------------------------------------------------------

    def known(self, schema: ObjectSchema, name: str, path: Iterable[str | int]) -> Property | None:
        if "/" in name:
            return None  # through a nested object, which the schema does not show
        found = schema.properties.get(name)
        if found is None:
            near = suggest(name, list(schema.properties)).removeprefix(", ")
            self.say("error", path, name, f"{schema.name} has no field {name!r}", near)
        return found

    def writable(
        self,
        schema: ObjectSchema,
        specs: Iterable[FieldSpec],
        fixed: set[str],
        *,
        create: bool,
        demand: bool = True,
        path: tuple[str, ...] = ("fields",),
    ) -> None:
        supplied = set(fixed)
        for spec in specs:
            if not (spec.on_create if create else spec.on_update):
                continue
            where = (*path, spec.label)
            native = self.known(schema, spec.native, where)
            if native is None:
                continue
            supplied.add(spec.native)
            if native.read_only:
                verb = "created" if create else "changed"
                self.say(
                    "error",
                    where,
                    spec.native,
                    f"{schema.name}.{spec.native} is read-only when a record is {verb}",
                    "set `on: read`",
                )
            elif native.create_only and not create:
                self.say(
                    "error",
                    where,
                    spec.native,
                    f"{schema.name}.{spec.native} cannot be changed once the record is created",
                    "set `on: create`",
                )
            self.type_of(native, spec, where)
            self.length_of(native, spec, where)
            self.values_of(native, spec, where)
        if create and demand:
            for property_ in schema.properties.values():
                missing = property_.required and not property_.read_only and property_.name not in supplied
                if missing:
                    self.say(
                        "error",
                        path,
                        property_.name,
                        f"{schema.name}.{property_.name} is mandatory, and the mapping does not write it",
                        "map it, or give it a `default` or `const`",
                    )
                elif property_.required and not self.certain(property_.name, specs, fixed):
                    self.say(
                        "warning",
                        self.path_of(specs, property_.name, (), path),
                        property_.name,
                        f"{schema.name}.{property_.name} is mandatory, and its source may be EMPTY",
                        "set `required: true` or a `default`",
                    )

    def certain(self, name: str, specs: Iterable[FieldSpec], fixed: set[str]) -> bool:
        return name in fixed or any(
            spec.native == name
            and (
                spec.map.required or spec.map.default is not None or spec.map.const is not None or spec.out is not None
            )
            for spec in specs
        )

    def type_of(self, native: Property, spec: FieldSpec, path: tuple[str, ...]) -> None:
        map_ = spec.map
        free = map_.values or map_.out or map_.const is not None or spec.canonical is None
        kind = "ref" if spec.target is not None else map_.cast or spec.field.kind
        if free or kind == "any" or native.kind in ("any", "") or native.kind in _FITTING.get(kind, ()):
            return
        self.say(
            "error",
            path,
            native.name,
            f"is of type {native.kind}, the canonical field {spec.canonical} is of type {spec.field.kind}",
            f"set `cast: {native.kind}`" if native.kind in _CASTS else "use `values` or an expression",
        )

    def length_of(self, native: Property, spec: FieldSpec, path: tuple[str, ...]) -> None:
        limit, own = native.max_length, spec.map.max
        if not limit or native.kind != "text":
            return
        if isinstance(spec.map.const, str) and len(spec.map.const) > limit:
            self.say("error", path, native.name, f"`const` is longer than the {limit} characters that fit")
        if own is not None and own > limit:
            self.say(
                "error",
                path,
                native.name,
                f"`max: {own}` is more than the {limit} characters that fit",
                f"set `max: {limit}`",
            )
        coming = self.lengths.get(spec.canonical or "", 0)
        if own is None and coming > limit and not spec.map.values and spec.out is None:
            self.say(
                "warning",
                path,
                native.name,
                f"texts of up to {coming} characters may arrive, {limit} fit",
                f"set `max: {limit}`, with `cut: true` if shortening is acceptable",
            )

    def values_of(self, native: Property, spec: FieldSpec, path: tuple[str, ...]) -> None:
        if not native.values:
            return
        given: list[tuple[Any, tuple[str, ...]]] = []
        for word, value in (spec.map.values or {}).items():
            several = value if isinstance(value, list) else [value]
            given += [(one, (*path, "values", word)) for one in several]
        given += [(one, path) for one in (spec.map.const, spec.map.default)]
        for value, where in given:
            if value is None or _spelling(value) in native.values:
                continue
            near = suggest(_spelling(value), native.values).removeprefix(", ")
            allowed = ", ".join(native.values[:20]) + (" …" if len(native.values) > 20 else "")
            self.say("error", where, native.name, f"{value!r} is none of its values: {allowed}", near)


def _spelling(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def errors(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings that stop a flow."""
    return (finding for finding in findings if finding.level == "error")
