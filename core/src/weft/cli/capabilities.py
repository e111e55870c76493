"""What a connector can do, read off its hooks and its packaged mappings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.mapping.document import Mapping
    from weft.plugins import Plugins

HOOKS = {
    "weft_describe": "metadata",
    "weft_companies": "companies",
    "weft_subscribe": "subscriptions",
    "weft_receive": "webhooks",
    "weft_map": "own mapping",
    "weft_route": "own routing",
    "weft_entities": "own entities",
}
"""Hook -> what having it means to a user. The required ones say nothing."""


def capabilities(plugins: Plugins, kind: str) -> list[str]:
    """Words for what the connector has beyond reading and writing."""
    plugin = plugins.loaded[kind]
    found = [word for hook, word in HOOKS.items() if hook in plugin.hooks]
    connector = plugin.connector
    if connector is not None and not connector.companies and "companies" in found:
        found.remove("companies")
    if connector is not None and connector.simulator:
        found.append("simulator")
    if connector is not None and connector.commands:
        found.append("commands")
    return found + [f"around {wrapper.hook}" for wrapper in plugin.wrappers]


def entities_of(plugins: Plugins, kind: str) -> dict[str, list[str]] | None:
    """Entity -> variants that the connector maps as packaged; None when that needs a connection's settings."""
    mappings = packaged(plugins, kind)
    if mappings is None:
        return None
    found: dict[str, list[str]] = {}
    for mapping in mappings:
        found.setdefault(mapping.entity, []).append(mapping.variant)
    return found


def packaged(plugins: Plugins, kind: str) -> list[Mapping] | None:
    """Every packaged mapping of a kind, asked for with the settings' defaults."""
    from weft.model.catalogue import Catalogue

    settings = _defaults(plugins.connector(kind).settings)
    catalogue = Catalogue.of(plugins, SimpleNamespace(entities={}))
    found: list[Mapping] = []
    try:
        for entity in catalogue:
            found += plugins.call(kind, "weft_mappings", kind=kind, settings=settings, entity=entity.name) or []
    except AttributeError:
        return None  # a setting without a default is part of the mappings' names
    return found


def _defaults(model: Any) -> Any:
    """Settings as they are where nothing is written; those that must be written are missing."""
    return model.model_construct()
