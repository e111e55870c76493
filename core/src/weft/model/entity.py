"""What an entity is: its fields, their types, its lines.

Entities are declared as classes that derive from :class:`Entity` (core's own are in
:mod:`weft.model.entities`), in ``weft.yaml``, or returned by a plugin's ``weft_entities``.
All of them end up as an :class:`EntityType`, which is what the runtime works with.
"""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel, ConfigDict
from pydantic import Field as ModelField

from weft.model.values import Fields, Ref

FieldKind = Literal["text", "decimal", "money", "integer", "boolean", "date", "datetime", "ref", "any"]
EntityKind = Literal["master", "document", "ledger", "reference"]


@dataclass(frozen=True, slots=True)
class Field:
    """One canonical field.

    ``entity`` names the target of a ``ref``; ``values`` lists the canonical spellings a text may
    take (empty: free text); ``currency`` names the field that holds the currency of a ``money``.
    """

    name: str
    kind: FieldKind = "text"
    entity: str | None = None
    values: tuple[str, ...] = ()
    currency: str | None = None
    doc: str = ""


@dataclass(frozen=True, slots=True)
class EntityType:
    """A canonical entity.

    ``kind`` decides defaults: documents and ledgers are never deleted by default, references are
    matched by ``code``. ``lines`` maps collection names (``lines``, ``taxes``) to the type of the
    children. ``totals`` maps a document's total field to how it is checked against its lines.
    """

    name: str
    kind: EntityKind = "master"
    title: str = ""
    doc: str = ""
    fields: Mapping[str, Field] = field(default_factory=dict)
    lines: Mapping[str, EntityType] = field(default_factory=dict)
    code: str | None = None
    currency: str | None = None
    label: tuple[str, ...] = ("number", "name")
    totals: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))
        object.__setattr__(self, "lines", MappingProxyType(dict(self.lines)))

    def field(self, name: str) -> Field | None:
        """The declared field, a pass-through ``custom.*`` field, or None when there is no such field."""
        found = self.fields.get(name)
        if found is None and name.startswith("custom."):
            return Field(name, "any")
        return found


# -- declaring an entity as a class ----------------------------------------------------------------

Money = Annotated[Decimal, "money"]
"""An amount in the currency named by the field's ``currency``; exact, never a float."""

Moment = AwareDatetime
"""A point in time with its offset; naive times are refused."""


def about(doc: str, *, currency: str | None = None) -> Any:
    """A field: what it means, and for :data:`Money` which field holds the currency."""
    return ModelField(None, description=doc, json_schema_extra={"currency": currency})


def ref(entity: str, doc: str) -> Any:
    """A reference to a record of a master or document entity; annotate the field ``Ref | None``."""
    return ModelField(None, description=doc, json_schema_extra={"entity": entity})


def code(entity: str, doc: str) -> Any:
    """A reference to reference data, held as its code; annotate the field ``str | None``."""
    return ModelField(None, description=doc, json_schema_extra={"entity": entity})


@dataclass(frozen=True, slots=True)
class Options:
    """What a class statement says about its entity: ``class Order(Entity, kind="document")``."""

    name: str = ""
    kind: EntityKind = "master"
    title: str = ""
    code: str | None = None
    currency: str | None = None
    label: tuple[str, ...] = ("number", "name")
    totals: tuple[str, ...] = ()


class Entity(BaseModel):
    """Base of declared entities.

    Every field is optional: one that was never set is ABSENT, one set to None is EMPTY. A nested
    entity becomes dotted names (``address.street``), a list of entities a collection of lines.

    Example::

        class Warranty(Entity, label=("serial",)):
            \"\"\"A promise to repair.\"\"\"

            serial: str | None = about("Serial number on the plate")
            product: Ref | None = ref("product", "What it covers")
            price: Money | None = about("What was paid for it", currency="currency")
            currency: str | None = code("currency", "Currency of the price")
    """

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True, arbitrary_types_allowed=True)
    options: ClassVar[Options] = Options()

    @classmethod
    def __init_subclass__(cls, **options: Any) -> None:
        """Own options win; kind, currency, label and totals are inherited, name and title are not.

        pydantic keeps the keyword ``title`` to itself, so a class says ``shown_as``.
        """
        super().__init_subclass__()
        inherited = {k: getattr(cls.options, k) for k in ("kind", "code", "currency", "label", "totals")}
        name = options.get("name") or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        title = options.pop("shown_as", None) or name.replace("_", " ").capitalize()
        cls.options = Options(**{**inherited, **options, "name": name, "title": title})

    def flat(self) -> Fields:
        """The canonical fields that were set, with dotted names; lines are left out."""
        result: Fields = {}
        for name in self.model_fields_set:
            value = getattr(self, name)
            if isinstance(value, Entity):
                result.update({f"{name}.{inner}": v for inner, v in value.flat().items()})
            elif name not in _shape(type(self)).lines:
                result[name] = value
        return {name: result[name] for name in entity_type(type(self)).fields if name in result}


_KINDS: dict[Any, FieldKind] = {
    str: "text", Decimal: "decimal", int: "integer", bool: "boolean", date: "date",
    datetime: "datetime", AwareDatetime: "datetime", Ref: "ref", Any: "any",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Shape:
    fields: dict[str, Field]
    lines: dict[str, EntityType]


def _required(annotation: Any) -> Any:
    """``X`` of ``X | None``."""
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [a for a in get_args(annotation) if a is not type(None)]
        if len(inner) == 1:
            return inner[0]
    return annotation


@functools.cache
def _shape(cls: type[Entity]) -> _Shape:
    shape = _Shape({}, {})
    for name, info in cls.model_fields.items():
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        doc, target, currency = info.description or "", extra.get("entity"), extra.get("currency")
        annotation, money = _required(info.annotation), "money" in info.metadata
        if get_origin(annotation) is Annotated:
            money = money or "money" in get_args(annotation)[1:]
            annotation = get_args(annotation)[0]
        if get_origin(annotation) is list and issubclass(get_args(annotation)[0], Entity):
            shape.lines[name] = entity_type(get_args(annotation)[0])
        elif isinstance(annotation, type) and issubclass(annotation, Entity):
            for inner, found in _shape(annotation).fields.items():
                shape.fields[f"{name}.{inner}"] = Field(
                    f"{name}.{inner}", found.kind, found.entity, found.values, found.currency, found.doc
                )
        else:
            values: tuple[str, ...] = get_args(annotation) if get_origin(annotation) is Literal else ()
            kind: FieldKind | None = "text" if values else _KINDS.get(annotation)
            if kind is None:
                raise TypeError(f"{cls.__name__}.{name}: {annotation!r} is no type of a canonical field")
            if money:
                kind = "money"
            if target:
                kind = "ref"
            shape.fields[name] = Field(
                name, kind, str(target) if target else None, values, str(currency) if currency else None, doc
            )
    return shape


@functools.cache
def entity_type(cls: type[Entity]) -> EntityType:
    """What the runtime works with, read off a declared class."""
    shape, options = _shape(cls), cls.options
    return EntityType(
        name=options.name,
        kind=options.kind,
        title=options.title,
        doc=(cls.__doc__ or "").strip(),
        fields=shape.fields,
        lines=shape.lines,
        code=options.code,
        currency=options.currency,
        label=options.label,
        totals=options.totals,
    )
