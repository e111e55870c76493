"""Live metadata, and what it does not tell: which fields and sets are read only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any

from weft.net import json as exact_json
from weft.net.odata.metadata import EntityType, Metadata
from weft.net.odata.metadata import Property as Native
from weft.records import ObjectSchema, Property
from weft_bc.dimensions import dimensioned
from weft_bc.journals import BATCHES
from weft_bc.selection import LOCAL_CURRENCY, POSTED, PREFIX, SETTLED
from weft_bc.session import BcSession

_KINDS = {
    "Edm.String": "text",
    "Edm.Guid": "text",
    "Edm.Date": "date",
    "Edm.DateTimeOffset": "datetime",
    "Edm.Decimal": "decimal",
    "Edm.Double": "decimal",
    "Edm.Int16": "integer",
    "Edm.Int32": "integer",
    "Edm.Int64": "integer",
    "Edm.Boolean": "boolean",
}


@cache
def known_objects() -> dict[str, dict[str, Any]]:
    """Facts about the standard API's entity sets: ``can`` (C, U, D), ``read_only`` fields, ``webhook``."""
    text = (resources.files(__package__) / "objects.json").read_bytes()
    found: dict[str, dict[str, Any]] = exact_json.loads(text)
    return found


async def describe(session: BcSession, objects: Sequence[str] | None) -> AsyncIterator[ObjectSchema]:
    meta = await session.metadata()
    for name in objects if objects is not None else sorted(meta.sets):
        if name in meta.sets:
            yield schema(name, meta.entity(name), meta, session.settings.dimensions.values())


def schema(name: str, type_: EntityType, meta: Metadata, dimensions: Iterable[str] = ()) -> ObjectSchema:
    facts = known_objects().get(name, {})
    read_only = frozenset(facts.get("read_only", ()))
    can = facts.get("can", "CUD")
    properties = {
        prop.name: _property(prop, meta, prop.name in read_only or not can or prop.type == "Edm.Stream")
        for prop in type_.properties.values()
    }
    properties[LOCAL_CURRENCY] = Property(LOCAL_CURRENCY, "text", 10, read_only=name not in (*BATCHES, "journals"))
    if name in BATCHES:
        properties[SETTLED] = Property(SETTLED, "integer")
    properties[POSTED] = Property(POSTED, "boolean", read_only=True)
    if dimensioned(name):
        properties |= {f"{PREFIX}{code}": Property(f"{PREFIX}{code}", "text", 20) for code in dimensions}
    return ObjectSchema(
        name, tuple(type_.keys), properties, can_create="C" in can, can_update="U" in can, can_delete="D" in can
    )


def _property(prop: Native, meta: Metadata, read_only: bool) -> Property:
    enum = meta.enums.get(prop.type)
    return Property(
        prop.name,
        "text" if enum is not None else _KINDS.get(prop.type, "any"),
        max_length=prop.max_length,
        precision=prop.precision,
        scale=prop.scale,
        read_only=read_only,
        values=tuple(enum.members) if enum is not None else (),
    )
