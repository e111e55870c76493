"""The tables behind the entity sets, and what each set shows of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

from weft.testing.odata import schema as odata
from weft.testing.odata.store import Store, Table
from weft_d365fo.simulator.schema import AX_TYPES, NAMESPACE, EntitySet, Property, Schema, load
from weft_d365fo.simulator.values import key_part
from weft_d365fo.simulator.views import CREATED, HASHED, JOINS, KEY, MODIFIED, RECID, VERSION, View, view_of

TERM = "Microsoft.Dynamics.OData.Core.V1."
_HIDDEN = {
    "$type": "Edm.String", "$party": "Edm.Int64", "$location": "Edm.Int64", "$pair": "Edm.Int64",
    "$kind": "Edm.String", "$blockedSales": "Edm.String", "$blockedPurchase": "Edm.String",
    "$orderAccount": "Edm.String", "$salesId": "Edm.String", "$parent": "Edm.Int64",
}  # fmt: skip
_DOCUMENT_KEYS = frozenset(
    {
        "SalesOrderNumber", "SalesQuotationNumber", "InvoiceNumber", "JournalBatchNumber", "PurchaseOrderNumber",
        "HeaderReference", "RequestId", "ProductNumber", "SysRecId",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Link:
    """A navigation property that leads somewhere: ``on`` pairs (own property, property of the target)."""

    name: str
    target: str
    many: bool
    on: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Shown:
    """An entity set over its table. ``columns``: property -> column; ``names``: column -> property."""

    set: EntitySet
    view: View
    entity: odata.EntityType
    queried: odata.EntityType  # with the columns its own restrictions name
    columns: dict[str, str]
    names: dict[str, str]
    links: dict[str, Link]
    own_key: bool  # the set's key is the one rows are filed under

    def prop(self, name: str) -> Property:
        return self.set.properties[name]

    @cached_property
    def filled(self) -> tuple[Property, ...]:
        """What has to be filled in: mandatory fields and texts of the key."""
        return tuple(p for p in self.set.properties.values() if p.mandatory or (p.is_key and p.kind == "S"))


@dataclass(frozen=True)
class Filed:
    """A table: the columns its rows are filed under, and their blanks."""

    table: Table
    key: tuple[str, ...]
    fold: bool
    indexed: tuple[str, ...]
    blanks: dict[str, object]

    def key_of(self, values: dict[str, object]) -> str:
        """The key of a row with these columns."""
        text = "|".join(key_part(values[column]) for column in self.key)
        return text.casefold() if self.fold else text


@dataclass(frozen=True)
class _Described:
    """What does not depend on an environment: made once."""

    shown: dict[str, Shown]
    columns: dict[str, dict[str, odata.Property]]  # by table
    keys: dict[str, tuple[str, ...]]
    first: dict[str, str]  # table -> the set it is named by


@cache
def describe() -> _Described:
    """Every set over its table."""
    schema = load()
    columns: dict[str, dict[str, odata.Property]] = {}
    keys: dict[str, tuple[str, ...]] = {}
    first: dict[str, str] = {}
    shown: dict[str, Shown] = {}
    for entity_set in schema.sets.values():
        view = view_of(entity_set.name)
        names = _columns(entity_set, view)
        known = columns.setdefault(view.table, _system_columns())
        for prop in entity_set.properties.values():
            column = names[prop.name]
            known.setdefault(column, odata.Property(column, prop.edm, default=prop.blank))
        own = tuple(names[name] for name in entity_set.key)
        keys.setdefault(view.table, own)
        first.setdefault(view.table, entity_set.name)
        entity = _entity(entity_set, names, schema)
        own_columns = {column: odata.Property(column, default="") for column in (*view.where, "$kind")}
        shown[entity_set.name] = Shown(
            entity_set,
            view,
            entity,
            replace(entity, properties={**entity.properties, **own_columns}),
            names,
            {column: name for name, column in names.items()},
            _links(entity_set, schema),
            set(own) == set(keys[view.table]),
        )
    return _Described(shown, columns, keys, first)


def build(store: Store, *, fold: bool) -> tuple[dict[str, Filed], dict[str, Shown]]:
    """Declare every table; what each set shows of it."""
    made = describe()
    tables = {
        name: _table(store, name, made.first[name], made.keys[name], known, fold)
        for name, known in made.columns.items()
    }
    return tables, made.shown


def _system_columns() -> dict[str, odata.Property]:
    types = {KEY: "Edm.String", RECID: "Edm.Int64", VERSION: "Edm.Int32", MODIFIED: "Edm.DateTimeOffset",
             CREATED: "Edm.DateTimeOffset", **_HIDDEN}  # fmt: skip
    blank = {"Edm.String": "", "Edm.DateTimeOffset": "1900-01-01T00:00:00Z"}
    return {name: odata.Property(name, edm, default=blank.get(edm, 0)) for name, edm in types.items()}


def _columns(entity_set: EntitySet, view: View) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in entity_set.properties:
        mapped = view.columns.get(name)
        if mapped is None:
            mapped = name if not view.partial or name in view.same else f"~{entity_set.name}.{name}"
        found[name] = mapped
    return found


def _table(
    store: Store, name: str, set_name: str, key: tuple[str, ...], known: dict[str, odata.Property], fold: bool
) -> Filed:
    hashed = HASHED.get(name, ())
    table = store.table(
        odata.EntityType(name, set_name, KEY, known),
        sorted_by=[(MODIFIED, RECID)],
        hashed=hashed,
        fold=fold,
    )
    indexed = tuple(dict.fromkeys((*key, *hashed)))
    return Filed(table, key, fold, indexed, {column: prop.default for column, prop in known.items()})


def _annotations(prop: Property) -> dict[str, object]:
    found: dict[str, object] = {f"{TERM}AXType": [f"{TERM}AXType/{AX_TYPES[prop.kind]}"]}
    if prop.mandatory:
        found[f"{TERM}IsRequired"] = True
    if prop.read_only or prop.fixed or prop.is_key:
        found[f"{TERM}AllowEdit"] = False
    if prop.read_only:
        found[f"{TERM}AllowEditOnCreate"] = False
    if prop.is_dimension:
        found[f"{TERM}IsDimension"] = True
    return found


def _entity(entity_set: EntitySet, names: dict[str, str], schema: Schema) -> odata.EntityType:
    properties = {
        prop.name: odata.Property(
            prop.name,
            prop.edm,
            nullable=not prop.is_key and prop.kind in "SE",
            default=prop.blank,
            column=names[prop.name],
            annotations=_annotations(prop),
        )
        for prop in entity_set.properties.values()
    }
    navigations = {
        link.name: odata.Navigation(link.name, schema[link.target].type, collection=link.many)
        for link in _links(entity_set, schema).values()
    }
    annotations: dict[str, object] = {f"{TERM}IsReadOnly": True} if entity_set.read_only else {}
    return odata.EntityType(
        entity_set.type, entity_set.name, entity_set.key[0], properties, navigations, entity_set.key, annotations
    )


def _links(entity_set: EntitySet, schema: Schema) -> dict[str, Link]:
    """Navigation that can be followed: between a document and its parts, where the key of one side stands on the
    other under the same names, or as JOINS says."""
    found: dict[str, Link] = {}
    for name, (target, many) in entity_set.navigation.items():
        on = JOINS.get((entity_set.name, name))
        if on is None:
            near, far = (entity_set, schema[target]) if many else (schema[target], entity_set)
            named = any(part in _DOCUMENT_KEYS for part in near.key)
            if named and all(part in far.properties for part in near.key):
                on = tuple((part, part) for part in near.key)
        if on is not None:
            found[name] = Link(name, target, many, on)
    return found


def qualified(entity_set: EntitySet) -> str:
    return f"{NAMESPACE}.{entity_set.type}"
