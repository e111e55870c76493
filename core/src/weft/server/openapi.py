"""The OpenAPI document, made from the actions and questions themselves."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from weft import __version__
from weft.desk import journal
from weft.desk.actions import ACTIONS, QUESTIONS

BASE = "/api/v1"
_REF = "#/components/schemas/{model}"

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
_REFUSALS = {
    "401": "who asks is not known, or no longer",
    "403": "the role does not reach, or the request is forged",
    "404": "there is no such thing",
    "409": "it cannot be done to it as it is now",
    "413": "the body is too large",
    "422": "what was sent does not fit",
    "429": "too many tries failed",
    "503": "the state cannot be reached",
}


def document() -> dict[str, Any]:
    """The whole document, OpenAPI 3.1."""
    adapters: list[tuple[Any, Literal["validation", "serialization"], TypeAdapter[Any]]] = []
    for action in ACTIONS:
        adapters.append((action.wanted, "validation", TypeAdapter(action.wanted)))
        adapters.append((action.done, "serialization", TypeAdapter(action.done)))
    for question in QUESTIONS:
        adapters.append((question.answer, "serialization", TypeAdapter(question.answer)))
    schemas, shared = TypeAdapter.json_schemas(adapters, ref_template=_REF)
    components = {"Error": ERROR, **shared.get("$defs", {})}
    paths: dict[str, Any] = {}
    for action in ACTIONS:
        paths[f"{BASE}/{action.name.replace('.', '/')}"] = {
            "post": {
                "operationId": action.name,
                "tags": [action.name.partition(".")[0]],
                **_words(action.doc),
                "x-role": action.role,
                "requestBody": {"required": True, "content": _json(schemas[action.wanted, "validation"])},
                "responses": _answers(schemas[action.done, "serialization"]),
            }
        }
    for question in QUESTIONS:
        answer = _answers(schemas[question.answer, "serialization"])
        paths[BASE + question.path] = {"get": _get(question.path, question.doc, question.wanted, answer)}
    for kind, media in (("csv", "text/csv"), ("jsonl", "application/jsonl")):
        content = {media: {"schema": {"type": "string"}}}
        responses = {"200": {"description": "the entries", "content": content}, **_refusals()}
        words = f"The journal as {kind.upper()}, streamed, oldest first."
        paths[f"{BASE}/journal.{kind}"] = {"get": _get(f"/journal.{kind}", words, journal.Filter, responses)}
    paths[f"{BASE}/openapi.json"] = {
        "get": _get("/openapi.json", "This document.", BaseModel, _answers({"type": "object"}))
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "weft",
            "version": __version__,
            "description": "What people look up and decide at the desk of a weft daemon. Amounts are exact "
            "decimal texts, times are UTC.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "`weft token` makes one"}},
        },
    }


def _get(path: str, words: str, model: type[BaseModel], responses: dict[str, Any]) -> dict[str, Any]:
    name = re.sub(r"/\{\w+\}", ".one", path).strip("/").replace("/", ".")
    return {
        "operationId": name,
        "tags": [name.partition(".")[0]],
        **_words(words),
        "x-role": "viewer",
        "parameters": list(_parameters(path, model)),
        "responses": responses,
    }


def _parameters(path: str, model: type[BaseModel]) -> Any:
    if not model.model_fields:
        return
    shared = models_json_schema([(model, "validation")], ref_template=_REF)[1]
    schema = shared["$defs"][model.__name__]
    for name, found in schema["properties"].items():
        in_path = f"{{{name}}}" in path
        description = found.pop("description", None)
        found.pop("title", None)
        yield {
            "name": name,
            "in": "path" if in_path else "query",
            "required": in_path,
            "schema": found,
            **({"description": description} if description else {}),
        }


def _words(doc: str) -> dict[str, str]:
    return {"summary": doc.partition("\n")[0], "description": doc}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _answers(schema: Any) -> dict[str, Any]:
    return {"200": {"description": "done", "content": _json(schema)}, **_refusals()}


def _refusals() -> dict[str, Any]:
    error = _json({"$ref": "#/components/schemas/Error"})
    return {status: {"description": words, "content": error} for status, words in _REFUSALS.items()}
