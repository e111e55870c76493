"""JSON Schema of ``weft.yaml`` for editors: completion, hover texts and squiggles while typing.

``weft schema > weft.schema.json``, then as first line of ``weft.yaml``::

    # yaml-language-server: $schema=weft.schema.json
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.config.models import Document
from weft.hookspecs import Connector
from weft.mapping.document import Mapping as MappingDocument
from weft.model.catalogue import Catalogue

_REFERENCE = {"type": "string", "pattern": r"\$\{(env|file|keyring):"}


def json_schema(connectors: Mapping[str, Connector], catalogue: Catalogue | None = None) -> dict[str, Any]:
    """The schema of a whole file, with the settings of the given connectors and the catalogue's fields."""
    catalogue = catalogue or Catalogue()
    schema = Document.model_json_schema()
    defs: dict[str, Any] = schema["$defs"]
    defs["Connection"] = _connection(connectors, defs)
    _flow(defs["FlowConfig"], catalogue)
    schema["properties"]["mappings"] = _mappings(schema["properties"]["mappings"], catalogue, defs)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "weft.yaml",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _connection(connectors: Mapping[str, Connector], defs: dict[str, Any]) -> dict[str, Any]:
    kinds: dict[str, Any] = {
        "type": "string",
        "description": "connector, one of those installed",
        "enum": sorted(connectors),
    }
    cases = []
    for kind, connector in sorted(connectors.items()):
        own = connector.settings.model_json_schema(ref_template=f"#/$defs/{kind}.{{model}}")
        for name, inner in own.pop("$defs", {}).items():
            defs[f"{kind}.{name}"] = _referable(inner)
        own = _referable(own)
        own["title"] = connector.title
        own.setdefault("properties", {})["kind"] = {"const": kind}
        defs[f"{kind}.settings"] = own
        condition = {"properties": {"kind": {"const": kind}}, "required": ["kind"]}
        cases.append({"if": condition, "then": {"$ref": f"#/$defs/{kind}.settings"}})
    schema: dict[str, Any] = {
        "title": "Connection",
        "description": "A connector with an address and credentials",
        "type": "object",
        "properties": {"kind": kinds},
        "required": ["kind"],
    }
    return {**schema, "allOf": cases} if cases else schema


def _referable(schema: dict[str, Any]) -> dict[str, Any]:
    """Let ``${env:NAME}`` stand wherever a value is expected that a plain text would not satisfy."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    widened = {}
    for name, found in properties.items():
        strict = found.get("type") in ("integer", "number", "boolean") or "enum" in found
        strict = strict or (found.get("type") == "string" and ("format" in found or "pattern" in found))
        outer = {key: found[key] for key in ("title", "description", "default") if key in found}
        inner = {key: value for key, value in found.items() if key not in outer}
        # a discriminator must stay a constant, or the editor cannot tell the members apart
        widened[name] = {**outer, "anyOf": [inner, _REFERENCE]} if strict and "const" not in found else found
    return {**schema, "properties": widened}


def _flow(flow: dict[str, Any], catalogue: Catalogue) -> None:
    flow["properties"]["entity"] = {**flow["properties"]["entity"], "enum": list(catalogue.types)}
    flow["allOf"] = [
        {
            "if": {"properties": {"entity": {"const": entity.name}}, "required": ["entity"]},
            "then": {
                "properties": {
                    "fields": {"propertyNames": _field_name(list(entity.fields))},
                    "match": {"anyOf": [{"type": "null"}, _groups(list(entity.fields))]},
                }
            },
        }
        for entity in catalogue
    ]


def _field_name(names: list[str]) -> dict[str, Any]:
    return {"anyOf": [{"enum": names}, {"pattern": r"^custom\."}]}


def _groups(names: list[str]) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "array", "items": _field_name(names)}}


def _mappings(schema: dict[str, Any], catalogue: Catalogue, defs: dict[str, Any]) -> dict[str, Any]:
    """Overlays are mapping documents of which any part may be left out."""
    document = MappingDocument.model_json_schema(ref_template="#/$defs/mapping.{model}")
    for name, inner in document.pop("$defs", {}).items():
        defs[f"mapping.{name}"] = _partial(inner)
    defs["mapping.Overlay"] = _partial(document)
    variants = {"type": "object", "additionalProperties": {"$ref": "#/$defs/mapping.Overlay"}}
    entities = {
        "type": "object",
        "properties": {entity.name: {**variants, "description": entity.doc} for entity in catalogue},
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "description": schema.get("description", ""),
        "additionalProperties": entities,
    }


def _partial(schema: dict[str, Any]) -> dict[str, Any]:
    """Nothing is required, any key may be null (which takes it out), an object may be one word."""
    if "properties" not in schema:
        return schema
    loose = {key: value for key, value in schema.items() if key != "required"}
    loose["properties"] = {name: {"anyOf": [found, {"type": "null"}]} for name, found in schema["properties"].items()}
    return {"anyOf": [loose, {"type": ["string", "null"]}]}
