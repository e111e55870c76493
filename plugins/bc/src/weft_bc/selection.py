"""Which fields a read selects, told by the mapping."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Fields
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weft.errors import ConfigError
from weft.mapping.document import LineMap, Mapping, PartMap
from weft.net.odata.metadata import EntityType, Metadata
from weft.net.odata.query import Expand, Query, Term, and_, any_of, eq
from weft_bc.values import asked

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.model.entity import EntityType as Entity
    from weft.records import Query as Read

SETTLED = "weft.settled"
"""Field by which a mapping tells this connector how many documents a payment settles."""
LOCAL_CURRENCY = "weft.localCurrency"
"""Field this connector adds to a record whose mapping asks for it: the company's currency code."""
POSTED = "weft.posted"
"""Likewise, of a journal batch: whether it holds no line any more."""
PREFIX = "weft.dimension."
"""Likewise: the code of a dimension follows, the field holds the code of its value."""


@dataclass(frozen=True, slots=True)
class DimensionRows:
    """Where the dimensions of a record stand: rows nested below it, with the codes of dimension and value."""

    nav: str
    code: str
    value: str


SET_LINES = DimensionRows("dimensionSetLines", "code", "valueCode")
DEFAULTS = DimensionRows("defaultDimensions", "dimensionCode", "dimensionValueCode")
MASTERS = frozenset(["customers", "vendors", "items"])
"""Sets whose records have default dimensions; documents and lines have a set of their own."""


def dimension_rows(object: str) -> DimensionRows:
    return DEFAULTS if object in MASTERS else SET_LINES


@dataclass(frozen=True, slots=True)
class LinePlan:
    name: str
    map: LineMap
    expand: Expand
    dimensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PartPlan:
    name: str
    map: PartMap
    select: tuple[str, ...]
    mine: str
    """Field of the main object whose value the part's rows are found by."""
    theirs: str
    """Field of the part that holds it."""
    expand: Expand | None = None
    """Set when the service nests the part's row in the record itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the records of one mapping are read."""

    mapping: Mapping
    object: str
    type: EntityType
    key: str
    changed: str | None
    select: tuple[str, ...]
    where: Term | None
    lines: tuple[LinePlan, ...] = ()
    parts: tuple[PartPlan, ...] = ()
    local_currency: bool = False
    dimensions: tuple[str, ...] = ()
    """Codes of the dimensions that the mapping reads."""
    missing: tuple[str, ...] = field(default=())
    """Fields the mapping reads that this environment does not have."""

    def query(self, *, filter: Term | None = None, orderby: tuple[str, ...] = (), top: int | None = None) -> Query:
        return Query(
            select=self.select,
            filter=filter,
            orderby=orderby,
            top=top,
            expand=self.expand,
        )

    @property
    def expand(self) -> list[Expand]:
        """Everything nested in the record: lines, and parts with a navigation of their own."""
        return [
            *(line.expand for line in self.lines),
            *(part.expand for part in self.parts if part.expand is not None),
            *([_dimension_rows(self.object)] if self.dimensions else []),
        ]


class Plans:
    """Plans by mapping, compiled once. Mappings live as long as the process, so identity will do."""

    def __init__(self) -> None:
        self._compiled: dict[int, tuple[Mapping, CompiledMapping]] = {}

    def compiled(self, mapping: Mapping, entity: Entity) -> CompiledMapping:
        from weft.mapping.compile import compile_mapping

        found = self._compiled.get(id(mapping))
        if found is None or found[0] is not mapping:
            compiled = compile_mapping(mapping, entity, kind="bc", ref_object=lambda name: name)
            found = self._compiled[id(mapping)] = (mapping, compiled)
        return found[1]

    def plan(self, query: Read, entity: Entity | None, meta: Metadata, *, captions: bool = False) -> Plan:
        """:raises ConfigError: the mapping names an entity set or navigation that is not there."""
        mapping = query.mapping
        if len(mapping.key) != 1:
            raise ConfigError(f"{mapping.at('key')}: a Business Central record is identified by one field, id")
        main = set_type(meta, mapping.object.read, mapping.at("object"))
        compiled = None if entity is None else self.compiled(mapping, entity)
        wanted = [mapping.key[0], *([mapping.changed] if mapping.changed else [])]
        if query.fields is not None:
            wanted += query.fields
        elif compiled is not None and not query.keys_only:
            wanted += compiled.native_fields()
        known = main.properties
        names = list(dict.fromkeys(name.split("/")[0] for name in wanted))
        select = tuple(name for name in names if name in known)
        everything = compiled is None and query.fields is None and not query.keys_only
        full = not query.keys_only
        return Plan(
            mapping=mapping,
            object=mapping.object.read,
            type=main,
            key=mapping.key[0],
            changed=mapping.changed if mapping.changed in known else None,
            select=() if everything else select,
            where=where_term(mapping.where, main, meta, captions=captions),
            lines=tuple(
                line_plan(name, lines, main, meta, compiled, mapping.at("lines", name))
                for name, lines in (mapping.lines.items() if full else ())
            ),
            parts=tuple(
                part_plan(name, part, main, meta, compiled, mapping.at("parts", name))
                for name, part in (mapping.parts.items() if full else ())
            ),
            local_currency=LOCAL_CURRENCY in names,
            dimensions=_dimensions(names) if full else (),
            missing=tuple(name for name in names if name not in known and not name.startswith("weft.")),
        )


def set_type(meta: Metadata, object: str, at: str) -> EntityType:
    try:
        return meta.entity(object)
    except KeyError:
        raise ConfigError(
            f"{at}: API v2.0 of this environment has no entity set {object!r}; it may need a newer "
            "version of Business Central, or the name is misspelt"
        ) from None


def where_term(where: Fields[str, object], type_: EntityType, meta: Metadata, *, captions: bool = False) -> Term | None:
    """Fixed conditions of a mapping; a list of values is any of them."""
    terms = []
    for name, value in where.items():
        values = value if isinstance(value, list) else [value]
        prop = type_.properties.get(name)
        literals = [asked(one, prop, meta, captions=captions) for one in values]
        terms.append(any_of(name, literals) if len(literals) > 1 else eq(name, literals[0]))
    return and_(*terms) if terms else None


def line_plan(
    name: str, lines: LineMap, main: EntityType, meta: Metadata, compiled: CompiledMapping | None, at: str
) -> LinePlan:
    nav = main.navigation.get(lines.nav or lines.object)
    if nav is None:
        there = ", ".join(n for n, one in main.navigation.items() if one.collection)
        raise ConfigError(f"{at}: there are no nested rows {lines.nav or lines.object!r}; there are: {there}")
    known = meta.type(nav.type).properties
    wanted = [] if compiled is None else [lines.key, *compiled.line_fields(name)]
    select = tuple(dict.fromkeys(field for field in wanted if field in known))
    order = (lines.order,) if lines.order in known else ()
    dimensions = _dimensions(wanted)
    inner = [_dimension_rows(lines.object)] if dimensions else []
    filter_ = where_term(lines.where, meta.type(nav.type), meta)
    expand = Expand(nav.name, select=select, filter=filter_, orderby=order, expand=inner)
    return LinePlan(name, lines, expand, dimensions)


def _dimensions(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX))


def _dimension_rows(object: str) -> Expand:
    where = dimension_rows(object)
    return Expand(where.nav, select=(where.code, where.value))


def part_plan(
    name: str, part: PartMap, main: EntityType, meta: Metadata, compiled: CompiledMapping | None, at: str
) -> PartPlan:
    if len(part.join) != 1:
        raise ConfigError(f"{at}: rows of a part are found by one field; the service allows OR on one field only")
    theirs, mine = next(iter(part.join.items()))
    type_ = set_type(meta, part.object, at)
    known = type_.properties
    wanted = [theirs] if compiled is None else [theirs, *compiled.part_fields(name)]
    select = tuple(dict.fromkeys(field for field in wanted if field in known))
    select = () if compiled is None else select
    nested = next((nav for nav in main.navigation.values() if nav.type == type_.name and not nav.collection), None)
    expand = None if nested is None or part.where else Expand(nested.name, select=select)
    return PartPlan(name, part, select, mine, theirs, expand)
