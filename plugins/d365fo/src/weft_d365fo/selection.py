"""How the records of one mapping are read: which fields, with which lines, parts and made fields."""

from __future__ import annotations

from collections.abc import Mapping as Fields
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weft.errors import ConfigError
from weft.mapping.document import LineMap, Mapping, PartMap
from weft.net.odata.metadata import EntityType, Metadata
from weft.net.odata.query import Query, Term, and_, any_of, eq
from weft_d365fo import facets
from weft_d365fo.keys import COMPANY, KeyShape
from weft_d365fo.values import asked

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.model.entity import EntityType as Entity
    from weft.records import Query as Read


@dataclass(frozen=True, slots=True)
class LinePlan:
    """``mine``: the document's field whose value the lines carry in ``map.parent``; ``joined``: all such pairs of
    (the line's field, the document's)."""

    name: str
    map: LineMap
    shape: KeyShape
    mine: str
    joined: tuple[tuple[str, str], ...]
    select: tuple[str, ...]
    made: tuple[str, ...]
    where: Term | None
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartPlan:
    name: str
    map: PartMap
    shape: KeyShape
    select: tuple[str, ...]
    company: bool
    where: Term | None


@dataclass(frozen=True, slots=True)
class Plan:
    """How the records of one mapping are read."""

    mapping: Mapping
    object: str
    type: EntityType
    shape: KeyShape
    select: tuple[str, ...]
    made: tuple[str, ...]
    where: Term | None
    lines: tuple[LinePlan, ...]
    parts: tuple[PartPlan, ...]
    missing: tuple[str, ...]
    """Fields the mapping reads that this environment does not have."""

    def query(self, company: str, *, filter: Term | None = None, orderby: tuple[str, ...] = ()) -> Query:
        terms = [term for term in (self.mine(company), self.where, filter) if term is not None]
        return Query(select=self.select, filter=and_(*terms) if terms else None, orderby=orderby)

    def mine(self, company: str) -> Term | None:
        """The condition that keeps to one company, where the object knows companies."""
        return eq(self.shape.company, company) if self.shape.company is not None and company else None


class Plans:
    """Plans by mapping, made once. Mappings live as long as the process, so identity will do."""

    def __init__(self) -> None:
        self._compiled: dict[int, tuple[Mapping, CompiledMapping]] = {}
        self._plans: dict[tuple[int, bool], tuple[Mapping, Plan]] = {}

    def compiled(self, mapping: Mapping, entity: Entity) -> CompiledMapping:
        from weft.mapping.compile import compile_mapping

        found = self._compiled.get(id(mapping))
        if found is None or found[0] is not mapping:
            compiled = compile_mapping(mapping, entity, kind="d365fo", ref_object=lambda name: name)
            found = self._compiled[id(mapping)] = (mapping, compiled)
        return found[1]

    def plan(self, query: Read, entity: Entity | None, meta: Metadata) -> Plan:
        """:raises ConfigError: the mapping names an entity set or field that is not there."""
        mapping, full = query.mapping, not query.keys_only
        cached = self._plans.get((id(mapping), full)) if query.fields is None and entity is not None else None
        if cached is not None and cached[0] is mapping:
            return cached[1]
        plan = self._plan(query, None if entity is None else self.compiled(mapping, entity), meta)
        if query.fields is None and entity is not None:
            self._plans[id(mapping), full] = (mapping, plan)
        return plan

    def _plan(self, query: Read, compiled: CompiledMapping | None, meta: Metadata) -> Plan:
        mapping, full = query.mapping, not query.keys_only
        type_ = set_type(meta, mapping.object.read, mapping.at("object"))
        shape = KeyShape.of(type_, mapping.company)
        mapped = tuple(name for name in mapping.key if name != shape.company)
        if set(mapped) != set(shape.fields):
            raise ConfigError(
                f"{mapping.at('key')}: the key of {mapping.object.read} is {', '.join(type_.keys)}, not "
                f"{', '.join(mapping.key)}"
            )
        wanted: list[str] = []
        if query.fields is not None:
            wanted += query.fields
        elif compiled is not None and full:
            wanted += compiled.native_fields()
        everything = compiled is None and query.fields is None and full
        joined = [name for part in mapping.parts.values() for name in part.join.values()] if full else []
        parents = [parent_field(lines, shape, type_) for lines in mapping.lines.values()]
        parents += [name for lines in mapping.lines.values() for name in lines.join.values()]
        select, made, missing = chosen([*type_.keys, *joined, *parents, *wanted], type_)
        if query.fields is None and full:
            unknown = [capture.field for capture in mapping.capture if capture.object == mapping.object.read]
            missing = (*missing, *(name for name in unknown if name and name not in type_.properties))
        return Plan(
            mapping, mapping.object.read, type_, shape,
            select=() if everything else select,
            made=made,
            where=where_term(mapping.where, type_, meta),
            lines=tuple(
                line_plan(name, lines, shape, type_, meta, compiled if full else None, mapping.at("lines", name), full)
                for name, lines in mapping.lines.items()
            ),
            parts=tuple(
                part_plan(name, part, meta, compiled, mapping.at("parts", name))
                for name, part in (mapping.parts.items() if full else ())
            ),
            missing=missing,
        )  # fmt: skip


def chosen(names: list[str], type_: EntityType) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(fields to select, fields to make, fields that are not there)."""
    plain = list(dict.fromkeys(name.split("/")[0] for name in names))
    made = tuple(name for name in plain if facets.parts(name) is not None)
    own = [name for name in plain if facets.parts(name) is None]
    own = list(dict.fromkeys([*own, *facets.sources(made)]))
    known = type_.properties
    there = tuple(name for name in own if name in known)
    makeable = tuple(name for name in made if name.partition(".")[0] in known)
    return there, makeable, tuple(name for name in own if name not in known)


def set_type(meta: Metadata, object: str, at: str) -> EntityType:
    try:
        return meta.entity(object)
    except KeyError:
        raise ConfigError(
            f"{at}: this environment has no entity set {object!r}; it may need a newer version or a configuration "
            "key, or the name is misspelt"
        ) from None


def where_term(where: Fields[str, object], type_: EntityType, meta: Metadata) -> Term | None:
    """Fixed conditions of a mapping; a list of values is any of them."""
    terms = []
    for name, value in where.items():
        values = value if isinstance(value, list) else [value]
        literals = [asked(one, type_.properties.get(name), meta) for one in values]
        terms.append(any_of(name, literals) if len(literals) > 1 else eq(name, literals[0]))
    return and_(*terms) if terms else None


def parent_field(lines: LineMap, shape: KeyShape, type_: EntityType) -> str:
    """The document's field that its lines carry: the one of the same name, or the key."""
    return lines.parent if lines.parent in type_.properties else shape.fields[0]


def line_plan(
    name: str, lines: LineMap, shape: KeyShape, main: EntityType, meta: Metadata,
    compiled: CompiledMapping | None, at: str, full: bool,
) -> LinePlan:  # fmt: skip
    type_ = set_type(meta, lines.object, at)
    own = KeyShape.of(type_, shape.company if shape.company in type_.keys else None)
    bare = [*type_.keys, lines.parent, *lines.join, lines.key]
    wanted = [*bare, *compiled.line_fields(name)] if compiled is not None else bare
    select, made, _ = chosen(wanted, type_)
    order = tuple(dict.fromkeys(f for f in (lines.parent, lines.order, *own.fields) if f and f in type_.properties))
    mine = parent_field(lines, shape, main)
    return LinePlan(
        name, lines, own, mine, ((lines.parent, mine), *lines.join.items()),
        () if full and compiled is None else select, made, where_term(lines.where, type_, meta), order,
    )  # fmt: skip


def part_plan(name: str, part: PartMap, meta: Metadata, compiled: CompiledMapping | None, at: str) -> PartPlan:
    type_ = set_type(meta, part.object, at)
    wanted = [*type_.keys, *part.join, *(compiled.part_fields(name) if compiled is not None else ())]
    select, _, _ = chosen(wanted, type_)
    company = COMPANY in type_.properties
    return PartPlan(
        name, part, KeyShape.of(type_), () if compiled is None else select, company,
        where_term(part.where, type_, meta),
    )  # fmt: skip
