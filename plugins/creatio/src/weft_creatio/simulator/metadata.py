"""`$metadata` and the service document of the site."""

from __future__ import annotations

import json

from .model import Entity, Model

NAMESPACE = "Terrasoft.Configuration.OData"
_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
    f'<Schema Namespace="{NAMESPACE}" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
)
_TAIL = "</Schema></edmx:DataServices></edmx:Edmx>"


def metadata_xml(model: Model) -> bytes:
    """EDMX 4.0 of every object; no default values, and every text is Nullable="false" as on a real site."""
    parts = [_HEAD]
    parts += [_entity_type(model, entity) for entity in model.entities.values()]
    parts.append('<EntityContainer Name="Container">')
    for entity in model.entities.values():
        bindings = "".join(
            f'<NavigationPropertyBinding Path="{nav}" Target="{column.ref}"/>'
            for nav, column in entity.navs.items()
            if column.ref in model.entities
        )
        parts.append(f'<EntitySet Name="{entity.name}" EntityType="{NAMESPACE}.{entity.name}">{bindings}</EntitySet>')
    parts.append(f"</EntityContainer>{_TAIL}")
    return "".join(parts).encode()


def _entity_type(model: Model, entity: Entity) -> str:
    parts = [f'<EntityType Name="{entity.name}"><Key><PropertyRef Name="Id"/></Key>']
    for column in entity.columns.values():
        nullable = ' Nullable="false"' if column.kind == "text" or column.name == "Id" else ""
        parts.append(f'<Property Name="{column.name}" Type="{column.edm}"{nullable}/>')
    for nav, column in entity.navs.items():
        if column.ref in model.entities:
            parts.append(
                f'<NavigationProperty Name="{nav}" Type="{NAMESPACE}.{column.ref}" '
                f'Partner="{entity.name}CollectionBy{nav}"><ReferentialConstraint Property="{column.name}" '
                f'ReferencedProperty="Id"/></NavigationProperty>'
            )
    for name, (child, column_name) in model.back[entity.name].items():
        parts.append(
            f'<NavigationProperty Name="{name}" Type="Collection({NAMESPACE}.{child})" '
            f'Partner="{column_name.removesuffix("Id")}"/>'
        )
    parts.append("</EntityType>")
    return "".join(parts)


def service_document(model: Model, root: str) -> bytes:
    """`{"@odata.context": …, "value": [{"name", "kind", "url"} …]}`"""
    sets = [{"name": name, "kind": "EntitySet", "url": name} for name in model.entities]
    return json.dumps({"@odata.context": f"{root}/$metadata", "value": sets}).encode()
