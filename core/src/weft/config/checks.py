"""Do the names in a configuration fit together? What a model of one key cannot see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from weft.config.loading import unknown
from weft.yamlpos import suggest

if TYPE_CHECKING:
    from weft.config.loading import Config
    from weft.config.models import FlowConfig
    from weft.model.catalogue import Catalogue
    from weft.model.entity import EntityType

Path = tuple[str | int, ...]


def problems(config: Config, catalogue: Catalogue) -> Iterator[str]:
    """``file:line:column: key.path: what is wrong``, one per mistake, in the order of the file's parts."""
    for name, flow in config.flows.items():
        yield from _flow(config, catalogue, name, flow)
    for connection, entities in config.mappings.items():
        if connection not in config.connections:
            yield _at(config, ("mappings", connection), unknown("connection", connection, config.connections))
        for entity in entities:
            if entity not in catalogue:
                yield _at(config, ("mappings", connection, entity), _no_entity(catalogue, entity))
    for name, rule in config.alerts.rules.items():
        for named in (rule.flows if rule is not None else None) or ():
            if named not in config.flows:
                yield _at(config, ("alerts", "rules", name, "flows"), unknown("flow", named, config.flows))
    for connection in config.limits.connections:
        if connection not in config.connections:
            path = ("limits", "connections", connection)
            yield _at(config, path, unknown("connection", connection, config.connections))
    for connection in config.webhooks:
        if connection not in config.connections:
            yield _at(config, ("webhooks", connection), unknown("connection", connection, config.connections))


def _at(config: Config, path: Path, message: str, *, value: bool = False) -> str:
    return f"{config.where(*path, value=value)}: {'.'.join(map(str, path))}: {message}"


def _no_entity(catalogue: Catalogue, name: str) -> str:
    return f"there is no entity {name!r}{suggest(name, list(catalogue.types))}"


def _flow(config: Config, catalogue: Catalogue, name: str, flow: FlowConfig) -> Iterator[str]:
    at: Path = ("flows", name)
    for index, connection in enumerate(flow.between):
        if connection not in config.connections:
            path = (*at, "between", index)
            yield _at(config, path, unknown("connection", connection, config.connections))
    for path, connection in _named(flow):
        if connection not in flow.between:
            message = f"{connection!r} is not one of the flow's connections ({', '.join(flow.between)})"
            message += suggest(connection, flow.between)
            yield _at(config, (*at, *path), message, value=path[0] in ("owner", "create", "fields"))
    for connection in flow.create or ():
        if connection in flow.between and not flow.writes_to(connection):
            message = f"nothing is created in {connection!r}: the direction is {flow.direction}"
            yield _at(config, (*at, "create"), message)
    if flow.entity not in catalogue:
        yield _at(config, (*at, "entity"), _no_entity(catalogue, flow.entity), value=True)
        return
    entity = catalogue.get(flow.entity)
    for path, field in _fields(flow):
        if entity.field(field) is None:
            value = path[0] != "fields"
            yield _at(config, (*at, *path), _no_field(entity, field), value=value)


def _no_field(entity: EntityType, field: str) -> str:
    hint = suggest(field, list(entity.fields))
    if not hint:
        inner = next((f"{n}.{field}" for n, line in entity.lines.items() if field in line.fields), None)
        hint = f" ({inner} belongs to the lines)" if inner else "; further fields are called custom.<name>"
    return f"{entity.name} has no field {field!r}{hint}"


def _named(flow: FlowConfig) -> Iterator[tuple[Path, str]]:
    """Every place that names a connection of the flow."""
    if flow.owner is not None:
        yield ("owner",), flow.owner
    for field, rule in flow.fields.items():
        if rule not in ("newest", "review"):
            yield ("fields", field), rule
    for key in ("variants", "after"):
        for connection in getattr(flow, key):
            yield (key, connection), connection
    for connection in flow.create or ():
        yield ("create",), connection
    for target in flow.company.targets() if flow.company else ():
        if target.connection is not None:
            yield ("company",), target.connection


def _fields(flow: FlowConfig) -> Iterator[tuple[Path, str]]:
    """Every place that names a canonical field of the entity."""
    for field in flow.fields:
        yield ("fields", field), field
    for index, group in enumerate(flow.match or ()):
        for place, field in enumerate(group):
            yield ("match", index, place), field
    if flow.company and flow.company.by:
        yield ("company", "by"), flow.company.by
