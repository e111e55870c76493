"""Live metadata as core wants it. Creatio's $metadata tells names and types, no lengths and no defaults."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from weft.net.odata.metadata import EntityType
from weft.records import ObjectSchema, Property
from weft_creatio.base_currency import COLUMN, RATES
from weft_creatio.preparing import SYSTEM
from weft_creatio.session import CreatioSession
from weft_creatio.values import is_lookup

_KINDS = {
    "Edm.String": "text", "Edm.Decimal": "decimal", "Edm.Double": "decimal", "Edm.Int32": "integer",
    "Edm.Int64": "integer", "Edm.Boolean": "boolean", "Edm.DateTimeOffset": "datetime", "Edm.Guid": "text",
}  # fmt: skip


async def describe(session: CreatioSession, objects: Sequence[str] | None) -> AsyncIterator[ObjectSchema]:
    """The named objects, or all; unknown ones are left out."""
    meta = await session.metadata()
    for name in meta.sets if objects is None else dict.fromkeys(objects):
        if name in meta.sets:
            found = properties(meta.entity(name))
            if name == RATES:
                found[COLUMN] = Property(COLUMN, "text", 3)
            yield ObjectSchema(name, ("Id",), found)


def properties(type_: EntityType) -> dict[str, Property]:
    found: dict[str, Property] = {}
    for name, one in type_.properties.items():
        if one.type == "Edm.Stream":
            continue
        lookup = is_lookup(type_, name)
        target = type_.navigation[name[:-2]].type.rpartition(".")[2] if lookup else None
        kind = "ref" if lookup else _KINDS.get(one.type, "any")
        found[name] = Property(
            name, kind, max_length=one.max_length, precision=one.precision, scale=one.scale,
            read_only=name in SYSTEM, target=target,
        )  # fmt: skip
    return found
