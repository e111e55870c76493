"""A connector to configure, a file to load, and a small JSON Schema evaluator."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from weft.config.loading import Config, load
from weft.hookspecs import Connector
from weft.net.secrets import Secret


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Password(_Settings):
    method: Literal["password"] = "password"
    user: str
    password: Secret


class AppOnly(_Settings):
    method: Literal["app"]
    client_id: str
    client_secret: Secret = Field(alias="clientSecret")


class LoomSettings(_Settings):
    url: str = Field(description="Address of the loom")
    port: int = Field(443, description="Port it listens on")
    auth: Annotated[Password | AppOnly, Field(discriminator="method", description="How to sign in")]
    tokens: list[Secret] = Field(default_factory=list, description="Further tokens")
    headers: dict[str, str] = Field(default_factory=dict)


@pytest.fixture
def loom() -> Connector:
    return Connector(
        title="A loom",
        settings=LoomSettings,
        docs="https://docs.example/loom",
        samples={
            "url": "https://loom.example",
            "auth": {"method": "app", "client_id": "weft", "clientSecret": "${env:LOOM_SECRET}"},
        },
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "weft.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def config(write: Callable[[str], Path]) -> Callable[[str], Config]:
    return lambda text: load(write(text))


@pytest.fixture
def schema_errors() -> Callable[[Any, dict[str, Any]], list[str]]:
    """What a JSON Schema (the keywords that weft's uses) has against a value."""
    return lambda value, schema: _errors(value, schema, schema, "$")


_TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
    "integer": int, "number": (int, float, Decimal),
}  # fmt: skip
_KNOWN = {
    "$ref", "$defs", "$schema", "type", "enum", "const", "anyOf", "oneOf", "allOf", "if", "then",
    "properties",
    "required", "additionalProperties", "propertyNames", "patternProperties", "items", "minItems", "pattern",
    "minLength", "maxLength", "minProperties", "maxProperties", "minimum", "maximum", "exclusiveMinimum",
    "title", "description", "default", "discriminator", "format", "writeOnly",
}  # fmt: skip


def _is(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (name in ("boolean",) or not isinstance(value, bool))


def _errors(value: Any, schema: Any, root: dict[str, Any], at: str) -> list[str]:
    if isinstance(schema, bool):
        return [] if schema else [f"{at}: not allowed"]
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    out: list[str] = []
    if "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        out += _errors(value, target, root, at)
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(_is(value, name) for name in names):
            return [*out, f"{at}: not {names}"]
    if "enum" in schema and value not in schema["enum"]:
        out.append(f"{at}: {value!r} not in enum")
    if "const" in schema and value != schema["const"]:
        out.append(f"{at}: not {schema['const']!r}")
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        out.append(f"{at}: pattern {schema['pattern']}")
    for key in ("anyOf", "oneOf"):
        if key in schema and not any(not _errors(value, s, root, at) for s in schema[key]):
            out.append(f"{at}: {key} " + "; ".join(e for s in schema[key] for e in _errors(value, s, root, at)))
    for inner in schema.get("allOf", []):
        out += _errors(value, inner, root, at)
    if "if" in schema and not _errors(value, schema["if"], root, at):
        out += _errors(value, schema.get("then", True), root, at)
    if isinstance(value, dict):
        out += [f"{at}: {name} missing" for name in schema.get("required", []) if name not in value]
        properties = schema.get("properties", {})
        for name, inner_value in value.items():
            out += _errors(name, schema.get("propertyNames", True), root, f"{at}.{name}!")
            inner = properties.get(name)
            if inner is None:
                patterns = schema.get("patternProperties", {})
                inner = next((s for p, s in patterns.items() if re.search(p, name)), None)
            out += _errors(
                inner_value,
                schema.get("additionalProperties", True) if inner is None else inner,
                root,
                f"{at}.{name}",
            )
        if len(value) > schema.get("maxProperties", len(value)):
            out.append(f"{at}: too many")
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            out.append(f"{at}: too few")
        for index, item in enumerate(value):
            out += _errors(item, schema.get("items", True), root, f"{at}[{index}]")
    return out
