"""Which columns a read selects, told by the mapping and by what the site has."""

from __future__ import annotations

from collections.abc import Mapping as Fields
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.errors import ConfigError
from weft.mapping.document import Mapping
from weft.net.odata.metadata import EntityType, Metadata, Property
from weft.net.odata.query import Expand, Query, Term, and_, any_of, eq
from weft_creatio.base_currency import COLUMN
from weft_creatio.values import Unaskable, asked, path_of

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.model.entity import EntityType as Entity
    from weft.records import Query as Read

STAMPS = ("ModifiedOn", "ModifiedById")


@dataclass(frozen=True, slots=True)
class ChildPlan:
    """How the rows of a collection of lines, or of a part, are read: by their parents' keys."""

    name: str
    object: str
    type: EntityType
    parent: str
    """Column of the row that names the parent."""
    mine: str
    """Column of the main object that it names; ``Id`` for lines."""
    select: tuple[str, ...]
    where: Term | None
    lines: bool
    expand: tuple[Expand, ...] = ()


class NoObject(ConfigError):
    """The site has no such object, as far as its metadata say that were read."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the records of one mapping are read."""

    mapping: Mapping
    object: str
    type: EntityType
    changed: str | None
    changed_by: str | None
    version: str | None
    select: tuple[str, ...]
    expand: tuple[Expand, ...]
    where: Term | None
    children: tuple[ChildPlan, ...] = ()
    base_currency: bool = False
    """Is the site's base currency to be added as a column?"""
    missing: tuple[str, ...] = ()
    """Columns the mapping reads that this site does not have."""

    def query(self, *, filter: Term | None = None, orderby: tuple[str, ...] = (), top: int | None = None) -> Query:
        return Query(select=self.select, expand=self.expand, filter=filter, orderby=orderby, top=top)


class Plans:
    """Compiled mappings, by document. Mappings live as long as the process, so identity will do."""

    def __init__(self) -> None:
        self._compiled: dict[int, tuple[Mapping, CompiledMapping]] = {}

    def compiled(self, mapping: Mapping, entity: Entity) -> CompiledMapping:
        from weft.mapping.compile import compile_mapping

        found = self._compiled.get(id(mapping))
        if found is None or found[0] is not mapping:
            compiled = compile_mapping(mapping, entity, kind="creatio", ref_object=lambda name: name)
            found = self._compiled[id(mapping)] = (mapping, compiled)
        return found[1]

    def plan(self, read: Read, entity: Entity | None, meta: Metadata, prefix: str) -> Plan:
        """:raises ConfigError: the mapping names an object that is not there."""
        mapping = read.mapping
        if mapping.key != ["Id"]:
            raise ConfigError(f"{mapping.at('key')}: a Creatio record is identified by one column, Id")
        main = set_type(meta, mapping.object.read, prefix, mapping.at("object"))
        compiled = None if entity is None else self.compiled(mapping, entity)
        system = [name for name in (mapping.changed, mapping.changed_by, mapping.version) if name]
        wanted = ["Id", *system]
        full = not read.keys_only
        if full and read.fields is not None:
            wanted += [*read.fields, *(part.join[k] for part in mapping.parts.values() for k in part.join)]
        elif full and compiled is not None:
            wanted += compiled.native_fields()
        elif full:
            wanted += main.properties
        with_base = COLUMN in wanted
        select, expand, missing = columns([name for name in wanted if name != COLUMN], main, meta)
        children: list[ChildPlan] = []
        if full:
            for name, lines in mapping.lines.items():
                kind = set_type(meta, lines.object, prefix, mapping.at("lines", name))
                fields = list(kind.properties) if compiled is None else compiled.line_fields(name)
                children.append(
                    _child(name, lines.object, kind, meta, lines.parent, "Id", fields, lines.where, lines=True)
                )
            for name, part in mapping.parts.items():
                at = mapping.at("parts", name)
                if len(part.join) != 1:
                    raise ConfigError(f"{at}: rows of a part are found by one column")
                theirs, mine = next(iter(part.join.items()))
                kind = set_type(meta, part.object, prefix, at)
                fields = list(kind.properties) if compiled is None else compiled.part_fields(name)
                fields = [*fields, "Primary", "NonActual", "CreatedOn"]
                children.append(_child(name, part.object, kind, meta, theirs, mine, fields, part.where, lines=False))
        known = main.properties
        return Plan(
            mapping, mapping.object.read, main,
            changed=mapping.changed if mapping.changed in known else None,
            changed_by=mapping.changed_by if mapping.changed_by in known else None,
            version=mapping.version if mapping.version in known else None,
            select=select, expand=expand, where=where_term(mapping.where, main), children=tuple(children),
            base_currency=with_base, missing=missing,
        )  # fmt: skip


def set_type(meta: Metadata, object: str, prefix: str, at: str) -> EntityType:
    """The type of an entity set. :raises NoObject: naming where it is asked for."""
    try:
        return meta.entity(object)
    except KeyError:
        hint = "its package may not be part of this site's bundle, or the name is misspelt"
        if prefix and object.startswith(prefix):
            hint = "install weft's package (weft creatio package --install CONNECTION), or set `package: false`"
        raise NoObject(f"{at}: the site has no object {object!r} in OData; {hint}") from None


def columns(
    wanted: list[str], type_: EntityType, meta: Metadata
) -> tuple[tuple[str, ...], tuple[Expand, ...], tuple[str, ...]]:
    """(selected, expanded, missing): `Stage/End` is expanded, one level deep; streams cannot be selected."""
    plain: dict[str, None] = {}
    nested: dict[str, dict[str, None]] = {}
    missing: list[str] = []
    for name in wanted:
        nav, slash, inner = name.partition("/")
        if not slash:
            known = type_.properties.get(name)
            if known is not None and known.type != "Edm.Stream":
                plain[name] = None
            elif known is None:
                missing.append(name)
            continue
        link = type_.navigation.get(nav)
        target = meta.type(link.type) if link is not None and link.type in meta.types else None
        if target is None or inner not in target.properties:
            missing.append(name)
            continue
        nested.setdefault(nav, {})[inner] = None
    expands = tuple(Expand(nav, select=("Id", *fields)) for nav, fields in nested.items())
    return tuple(plain), expands, tuple(dict.fromkeys(missing))


def where_term(where: Fields[str, Any], type_: EntityType) -> Term | None:
    """Fixed conditions of a mapping; a list of values is any of them."""
    terms = []
    for name, value in where.items():
        values = value if isinstance(value, list) else [value]
        path = path_of(type_, name)
        try:
            literals = [asked(one, type_.properties.get(name) or _remote(name)) for one in values]
        except Unaskable as error:
            raise ConfigError(f"where {name}: {error}") from error
        terms.append(any_of(path, literals) if len(literals) > 1 else eq(path, literals[0]))
    return and_(*terms) if terms else None


def _remote(name: str) -> Property | None:
    return Property(name, "Edm.Guid") if name.endswith("/Id") else None


def _child(
    name: str,
    object: str,
    type_: EntityType,
    meta: Metadata,
    parent: str,
    mine: str,
    fields: list[str],
    where: Fields[str, Any],
    *,
    lines: bool,
) -> ChildPlan:
    if parent not in type_.properties:
        raise ConfigError(f"{object} has no column {parent!r}, by which {name} are found")
    select, expand, _ = columns(["Id", parent, *STAMPS, *fields], type_, meta)
    return ChildPlan(name, object, type_, parent, mine, select, where_term(where, type_), lines, expand)
