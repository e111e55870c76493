"""Which flows a system cannot take part in, in its connector's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.config.flows import FlowConfig
    from weft.runtime import Runtime

_INSTEAD = {
    "keep": "leave the flow out, or map the entity yourself under mappings.{connection}.{entity}",
    "write": "use `direction: {away}`",
    "read": "use `direction: {towards}`",
}


def hindrances(runtime: Runtime, config: FlowConfig, connection: str) -> list[str]:
    """Why a flow cannot work with one of its connections, each with what to do; empty when it can."""
    entity = config.entity
    variants = config.variants.get(connection) or [
        name for name, one in runtime.mappings(connection, entity).items() if not one.mapping.optional
    ]
    written = config.writes_to(connection)
    others = [name for name in config.between if name != connection]
    read = any(config.writes_to(name) for name in others if connection == config.left or name == config.left)
    away, towards = "right_to_left", "left_to_right"
    if connection == config.left:
        away, towards = towards, away
    kind = runtime.kind(connection)
    told = {"keep": f"{kind} cannot keep {entity}", "write": f"{entity} cannot be written to {kind}",
            "read": f"{entity} cannot be read from {kind}"}  # fmt: skip
    return [
        f"{told[one.impossible]}: {one.reason}; "
        + _INSTEAD[one.impossible].format(connection=connection, entity=entity, away=away, towards=towards)
        for one in runtime.impossible(connection, entity)
        if one.stops(variants, written=written, read=read)
    ]


def never_brought(flows: Mapping[str, FlowConfig], entity: str, connection: str) -> str:
    """Why no flow will make a record of the entity in a connection by itself; empty when one does."""
    keeping = {name: one for name, one in flows.items() if one.enabled and one.entity == entity}
    if not keeping:
        return f"no flow of the configuration keeps {entity} in agreement"
    there = [name for name, one in keeping.items() if connection in one.between]
    if not there or any(keeping[name].may_create(connection) for name in there):
        return ""
    return (
        f"the flow {there[0]} creates none in {connection} (see its `direction` and `create`): link it to one that is "
        f"there with weft links add {there[0]} LEFT-KEY RIGHT-KEY"
    )
