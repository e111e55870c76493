"""The simulator's data model: objects, columns and lookups, read from `data/schema.json`.

Types, lengths, lookups and defaults are those of a Creatio 8.1.0.6704 sales bundle. Objects from
installed packages are added at run time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from typing import Any, Literal

Kind = Literal["guid", "lookup", "text", "int", "decimal", "bool", "datetime", "date", "time", "stream"]

KINDS: Mapping[str, Kind] = {
    "Guid": "guid", "Lookup": "lookup", "ImageLookup": "lookup", "Integer": "int", "Boolean": "bool",
    "DateTime": "datetime", "Date": "date", "Time": "time", "Binary": "stream", "Image": "stream",
    "File": "stream", "Money": "decimal", "Float1": "decimal", "Float2": "decimal", "Float3": "decimal",
    "Float4": "decimal", "Float8": "decimal",
}  # fmt: skip
LENGTHS = {
    "ShortText": 50,
    "MediumText": 250,
    "LongText": 500,
    "PhoneText": 250,
    "WebText": 250,
    "EmailText": 250,
}
SCALES = {"Money": 2, "Float1": 1, "Float2": 2, "Float3": 3, "Float4": 4, "Float8": 8}
EDM: Mapping[Kind, str] = {
    "guid": "Edm.Guid", "lookup": "Edm.Guid", "text": "Edm.String", "int": "Edm.Int32", "decimal": "Edm.Decimal",
    "bool": "Edm.Boolean", "datetime": "Edm.DateTimeOffset", "date": "Edm.DateTimeOffset",
    "time": "Edm.DateTimeOffset", "stream": "Edm.Stream",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column under its OData name (`AccountId` for the lookup Account).

    `default` is (source, value) with source Const, Settings or SystemValue.
    """

    name: str
    type: str
    package: str
    ref: str | None = None
    required: bool = False
    default: tuple[str, str] | None = None

    @cached_property
    def kind(self) -> Kind:
        return KINDS.get(self.type, "text")

    @cached_property
    def edm(self) -> str:
        return EDM[self.kind]

    @cached_property
    def max_length(self) -> int | None:
        return LENGTHS.get(self.type)

    @cached_property
    def scale(self) -> int:
        return SCALES.get(self.type, 0)

    @cached_property
    def nav(self) -> str | None:
        """Name of the navigation property, which is also the column's name inside Creatio."""
        return self.name.removesuffix("Id") if self.ref else None

    @cached_property
    def caption(self) -> str:
        return self.nav or self.name


SYSTEM_COLUMNS: tuple[Column, ...] = (
    Column("Id", "Guid", "CrtCoreBase", default=("SystemValue", "AutoGuid")),
    Column("CreatedOn", "DateTime", "CrtCoreBase", default=("SystemValue", "CurrentDateTime")),
    Column("CreatedById", "Lookup", "CrtCoreBase", "Contact", default=("SystemValue", "CurrentUserContact")),
    Column("ModifiedOn", "DateTime", "CrtCoreBase", default=("SystemValue", "CurrentDateTime")),
    Column("ModifiedById", "Lookup", "CrtCoreBase", "Contact", default=("SystemValue", "CurrentUserContact")),
    Column("ProcessListeners", "Integer", "CrtCoreBase"),
)
LOOKUP_COLUMNS: tuple[Column, ...] = (
    Column("Name", "MediumText", "CrtBase", required=True),
    Column("Description", "MediumText", "CrtBase"),
)


@dataclass
class Entity:
    """One object: its columns in wire order, and which one displays it."""

    name: str
    display: str | None
    columns: dict[str, Column]
    view: bool = False

    @cached_property
    def navs(self) -> dict[str, Column]:
        """Navigation property name -> lookup column."""
        return {c.nav: c for c in self.columns.values() if c.nav}

    @cached_property
    def stored(self) -> tuple[Column, ...]:
        """Columns that live in the table; streams are kept apart."""
        return tuple(c for c in self.columns.values() if c.kind != "stream")

    @cached_property
    def streams(self) -> tuple[Column, ...]:
        return tuple(c for c in self.columns.values() if c.kind == "stream")

    @cached_property
    def lookups(self) -> tuple[Column, ...]:
        return tuple(c for c in self.columns.values() if c.kind == "lookup")

    def forget(self) -> None:
        """Drop what was derived from the columns, after columns were added."""
        for name in ("navs", "stored", "streams", "lookups"):
            self.__dict__.pop(name, None)


@dataclass
class Model:
    """All objects of the site by name."""

    entities: dict[str, Entity]
    version: int = 0
    _back: dict[str, dict[str, tuple[str, str]]] | None = field(default=None, repr=False)

    def entity(self, name: str) -> Entity:
        return self.entities[name]

    def target(self, column: Column) -> Entity | None:
        """The object a lookup points at; None when it is outside the modelled part of the site."""
        return self.entities.get(column.ref) if column.ref else None

    @property
    def back(self) -> dict[str, dict[str, tuple[str, str]]]:
        """Parent -> {`ContactCollectionByAccount`: ("Contact", "AccountId")}."""
        if self._back is None:
            self._back = {name: {} for name in self.entities}
            for child in self.entities.values():
                for column in child.lookups:
                    if column.ref in self._back:
                        self._back[column.ref][f"{child.name}CollectionBy{column.nav}"] = (
                            child.name,
                            column.name,
                        )
        return self._back

    def add(self, name: str, display: str | None, columns: Iterable[Column], *, base: Iterable[Column]) -> Entity:
        """Add a new object made of `base` columns and its own."""
        entity = Entity(name, display, {c.name: c for c in (*SYSTEM_COLUMNS, *base, *columns)})
        self.entities[name] = entity
        self._changed()
        return entity

    def extend(self, name: str, columns: Iterable[Column]) -> list[Column]:
        """Add columns to an object that exists; returns those that are new."""
        entity = self.entities[name]
        fresh = [c for c in columns if c.name not in entity.columns]
        for column in fresh:
            entity.columns[column.name] = column
        entity.forget()
        self._changed()
        return fresh

    def _changed(self) -> None:
        self._back = None
        self.version += 1


def load(without_packages: frozenset[str] = frozenset()) -> Model:
    """Read the stock model, leaving out the columns of packages the bundle does not have."""
    raw: dict[str, dict[str, Any]] = json.loads(data_text("schema.json"))
    entities = {}
    for name, described in raw.items():
        columns = {c.name: c for c in SYSTEM_COLUMNS}
        for column, (type_, package, *more) in described["columns"].items():
            if package in without_packages:
                continue
            extra = more[0] if more else {}
            default = extra.get("default")
            columns[column] = Column(
                column, type_, package, extra.get("ref"), bool(extra.get("required")),
                (default[0], default[1]) if default else None,
            )  # fmt: skip
        entities[name] = Entity(name, described["display"], columns, bool(described.get("view")))
    return Model(entities)


def data_text(name: str) -> str:
    """Text of a data file of the simulator."""
    return resources.files(__package__).joinpath("data", name).read_text(encoding="utf-8")
