"""The JSON form of ``$batch``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import orjson

from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.parts import SubRequest, SubResponse
from weft.testing.odata.render import dumps, loads

_KNOWN = {"id", "method", "url", "headers", "body", "atomicityGroup", "dependsOn", "if"}


def parse_json(body: bytes) -> list[SubRequest]:
    """``{"requests":[{"id","method","url","headers","body","atomicityGroup","dependsOn"}…]}``. Raises
    ODataQueryError(kind="batch")."""
    try:
        data = loads(body)
    except ValueError as error:
        _bad(f"the body is no JSON: {error}")
    if not isinstance(data, dict) or not isinstance(data.get("requests"), list):
        _bad("'requests' with a list is expected")
    found: list[SubRequest] = []
    ids: set[str] = set()
    for at, item in enumerate(data["requests"]):
        request = _one(item, f"requests[{at}]")
        if request.id is not None:
            if request.id in ids:
                _bad(f"the id '{request.id}' is used twice")
            ids.add(request.id)
        found.append(request)
    return found


def _bad(what: str) -> NoReturn:
    raise ODataQueryError("batch", f"The batch cannot be read: {what}.", what=what)


def _one(item: Any, where: str) -> SubRequest:
    if not isinstance(item, dict):
        _bad(f"{where} is no object")
    unknown = item.keys() - _KNOWN
    if unknown:
        _bad(f"{where} has an unknown member '{min(unknown)}'")
    method, url, headers = item.get("method"), item.get("url"), item.get("headers", {})
    if not isinstance(method, str) or not isinstance(url, str):
        _bad(f"{where} needs 'method' and 'url' as text")
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        _bad(f"{where}.headers is no object of texts")
    depends = item.get("dependsOn", [])
    if not isinstance(depends, list) or not all(isinstance(value, str) for value in depends):
        _bad(f"{where}.dependsOn is no list of texts")
    body = item.get("body")
    return SubRequest(
        id=_name(item, "id", where),
        method=method.upper(),
        url=url,
        headers={name.lower(): value for name, value in headers.items()},
        body=b"" if body is None else body.encode() if isinstance(body, str) else dumps(body),
        group=_name(item, "atomicityGroup", where),
        depends_on=tuple(depends),
    )


def _name(item: dict[str, Any], member: str, where: str) -> str | None:
    value = item.get(member)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, str):
        _bad(f"{where}.{member} is no text")
    return value


def render_json(responses: Sequence[SubResponse]) -> bytes:
    """``{"responses":[…]}`` with lower-case header names; a JSON body is embedded as it is, other text becomes a
    string. ``id`` is null if the request had none."""
    items: list[dict[str, Any]] = []
    for answer in responses:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        item: dict[str, Any] = {"id": answer.id, "status": answer.status}
        if answer.group is not None:
            item["atomicityGroup"] = answer.group
        item["headers"] = headers
        if answer.body:
            is_json = "json" in headers.get("content-type", "")
            item["body"] = orjson.Fragment(answer.body) if is_json else answer.body.decode("utf-8", "replace")
        items.append(item)
    return orjson.dumps({"responses": items})
