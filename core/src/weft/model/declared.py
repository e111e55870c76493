"""Entities declared in ``weft.yaml`` under ``entities:``; no code needed.

Example::

    entities:
      warranty:
        title: Warranty
        label: [serial]
        fields:
          serial: text
          product: {ref: product, doc: What it covers}
          price: {kind: money, currency: currency}
          currency: {ref: currency}
          status: {values: [open, expired], doc: Whether it still holds}
        lines:
          repairs:
            fields: {date: date, note: text}
"""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic import Field as ModelField

from weft.errors import ConfigError
from weft.model.entity import EntityKind, EntityType, Field, FieldKind

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=120)]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldDeclaration(_Declared):
    """A field: its kind alone (``serial: text``), or a mapping with these keys."""

    kind: FieldKind = ModelField("text", description="what the field holds; `ref` and `values` imply it")
    ref: Name | None = ModelField(None, description="entity the field refers to")
    values: list[str] = ModelField(default_factory=list, description="the only spellings allowed; empty: free text")
    currency: FieldName | None = ModelField(None, description="field that holds the currency of a `money`")
    doc: str = ModelField("", description="what the field means, one line")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        if isinstance(data, str):
            data = {"kind": data}
        if isinstance(data, dict) and "ref" in data and "kind" not in data:
            return {**data, "kind": "ref"}
        return data

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        kinds = [kind for kind in get_args(FieldKind) if kind != "ref"]
        return {"anyOf": [{"type": "string", "enum": kinds}, handler.resolve_ref_schema(handler(schema))]}

    @model_validator(mode="after")
    def _fits(self) -> FieldDeclaration:
        if (self.kind == "ref") != (self.ref is not None):
            raise ValueError("a reference needs `ref: <entity>`, and only a reference may have it")
        if self.values and self.kind != "text":
            raise ValueError(f"`values` belong to a text, not to kind {self.kind}")
        if self.currency and self.kind != "money":
            raise ValueError(f"`currency` belongs to kind money, not to kind {self.kind}")
        if self.kind == "money" and not self.currency:
            raise ValueError("kind money needs `currency: <field that holds it>`")
        return self


class LinesDeclaration(_Declared):
    """A collection of lines."""

    doc: str = ModelField("", description="what the lines are, one line")
    label: list[FieldName] = ModelField(
        default_factory=list, description="fields that name a line on screens and in messages"
    )
    fields: dict[FieldName, FieldDeclaration] = ModelField(
        description="the fields, by name; dots group them (`address.street`)"
    )


class EntityDeclaration(LinesDeclaration):
    """An entity of one's own."""

    kind: EntityKind = ModelField(
        "master",
        description="`master` (default), `document` or `ledger` (never deleted by default), or `reference` "
        "(matched by code)",
    )
    title: str = ModelField("", description="name on screens; default: the entity's name")
    code: FieldName | None = ModelField(
        None, description="for kind reference: the field that holds the code; default `code`"
    )
    currency: FieldName | None = ModelField(None, description="field that holds the currency of the whole record")
    totals: list[FieldName] = ModelField(
        default_factory=list,
        description="fields that must equal the sum of the lines' field of the same name",
    )
    lines: dict[Name, LinesDeclaration] = ModelField(default_factory=dict, description="collections of lines, by name")

    @model_validator(mode="after")
    def _known(self) -> EntityDeclaration:
        named = {"label": self.label, "totals": self.totals}
        named["currency"] = [self.currency] if self.currency else []
        named["code"] = [self.code] if self.code else []
        if self.kind == "reference" and not self.code:
            named["code"] = ["code"]
        for key, names in named.items():
            for name in names:
                if name not in self.fields:
                    raise ValueError(f"`{key}` names {name!r}, which is no field of the entity")
        if self.code and self.kind != "reference":
            raise ValueError("`code` belongs to kind reference")
        for total in self.totals:
            if not any(total in line.fields for line in self.lines.values()):
                raise ValueError(f"total {total!r} is no field of any lines, so nothing can be summed")
        return self


def _fields(declared: LinesDeclaration) -> dict[str, Field]:
    return {
        name: Field(name, found.kind, found.ref, tuple(found.values), found.currency, found.doc)
        for name, found in declared.fields.items()
    }


def _label(declared: LinesDeclaration) -> tuple[str, ...]:
    usual = [name for name in ("number", "code", "name") if name in declared.fields]
    return tuple(declared.label or usual or list(declared.fields)[:1])


def entity_from_config(name: str, declared: EntityDeclaration | dict[str, Any]) -> EntityType:
    """The :class:`EntityType` of a declaration. A faulty one is a :class:`~weft.errors.ConfigError`."""
    if not isinstance(declared, EntityDeclaration):
        try:
            declared = EntityDeclaration.model_validate(declared)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            path = ".".join(["entities", name, *(str(part) for part in first["loc"])])
            raise ConfigError(f"{path}: {first['msg']}") from None
    return EntityType(
        name=name,
        kind=declared.kind,
        title=declared.title or name.replace("_", " ").capitalize(),
        doc=declared.doc,
        fields=_fields(declared),
        lines={
            collection: EntityType(
                name=f"{name}.{collection}",
                kind=declared.kind,
                title=collection.replace("_", " ").capitalize(),
                doc=line.doc,
                fields=_fields(line),
                label=_label(line),
            )
            for collection, line in declared.lines.items()
        },
        code=(declared.code or "code") if declared.kind == "reference" else None,
        currency=declared.currency,
        label=_label(declared),
        totals=tuple(declared.totals),
    )
