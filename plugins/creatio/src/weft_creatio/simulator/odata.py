# ruff: noqa: S608 - names come from the model, values are bound
"""The OData endpoint, one call at a time and without HTTP: the server and `$batch` both use it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from weft.testing.odata.batch import SubResponse

from . import errors
from .database import Raw, quoted
from .errors import ODataError
from .metadata import metadata_xml, service_document
from .model import Entity
from .pipeline import User
from .query import Reader
from .render import Renderer
from .site import Site
from .values import GUID, ZERO_GUID, BodyReader

JSON = "application/json; odata.metadata=minimal"
_KEYED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\(([^()]*)\)|/([0-9a-fA-F-]{36}))?(?:/(.*))?")


@dataclass(frozen=True)
class Call:
    """One OData call. `path` is below the service root; header names are lower-case; `root` is the absolute
    service root, for links."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    user: User
    root: str


class ODataService:
    """Routes OData calls of one site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._reader = Reader(site.model, site.db, site.settings)
        self._renderer = Renderer(site.settings)
        self._bodies = BodyReader(site.settings)
        self._metadata: tuple[int, bytes] | None = None
        self._rebuild_left = 0
        self._rebuild_until = 0
        self.calls = 0
        """Calls as the licence quota counts them: each part of a batch is one."""

    def rebuild(self) -> None:
        """A publication: the OData assembly is being rebuilt for a while."""
        settings = self._site.settings
        self._rebuild_left = settings.rebuild_requests
        self._rebuild_until = self._site.clock.now_ns() + int(settings.rebuild_seconds * 1e9)

    @property
    def rebuilding(self) -> bool:
        return self._rebuild_left > 0 or self._rebuild_until > self._site.clock.now_ns()

    def check_built(self, uri: str, name: str) -> None:
        """Raise what the site answers while its OData assembly is rebuilt; counts the request."""
        if not self.rebuilding:
            return
        self._rebuild_left = max(0, self._rebuild_left - 1)
        if self._site.settings.rebuild_answer == "invalid":
            raise errors.odata_error(400, errors.INVALID)
        raise errors.no_such_set(uri, name)

    def handle(self, call: Call) -> SubResponse:
        """Serve a call; refusals become their answers."""
        self.calls += 1
        self._site.run_due()
        try:
            return self._route(call)
        except ODataError as error:
            return error_response(error)

    def _route(self, call: Call) -> SubResponse:
        path = call.path.strip("/")
        self.check_built(f"{call.root}/{path}", path.split("(")[0].split("/")[0])
        if not path:
            return SubResponse(200, _headers(JSON), service_document(self._site.model, call.root))
        if path == "$metadata":
            return SubResponse(200, _headers("application/xml"), self._metadata_xml())
        match = _KEYED.fullmatch(path)
        entity = self._site.model.entities.get(match[1]) if match else None
        if match is None or entity is None:
            raise self._unknown_set(call, path)
        key = match[2] if match[2] is not None else match[3]
        rest = match[4] or ""
        if key is None:
            return self._collection(call, entity, rest)
        if not GUID.fullmatch(key):
            raise errors.not_found(f"{call.root}/{path}")
        return self._row(call, entity, key.lower(), rest) if not rest else self._part(call, entity, key.lower(), rest)

    def _collection(self, call: Call, entity: Entity, rest: str) -> SubResponse:
        if rest == "$count" and call.method == "GET":
            self._site.check_right(call.user, entity.name, "read")
            text = str(self._reader.count(entity, self._reader.parse(call.query)))
            return SubResponse(200, _headers("text/plain"), text.encode())
        if rest:
            raise errors.not_found(f"{call.root}/{call.path}")
        match call.method:
            case "GET":
                self._site.check_right(call.user, entity.name, "read")
                body = self._reader.page(entity, self._reader.parse(call.query), call.root)
                return SubResponse(200, _headers(JSON), body)
            case "POST":
                return self._create(call, entity)
        raise errors.method_not_allowed(call.method)

    def _row(self, call: Call, entity: Entity, key: str, rest: str) -> SubResponse:
        site = self._site
        uri = f"{call.root}/{entity.name}({key})"
        match call.method:
            case "GET":
                site.check_right(call.user, entity.name, "read")
                body = self._reader.single(entity, key, self._reader.parse(call.query), call.root)
                if body is None:
                    raise errors.not_found(uri)
                return SubResponse(200, _headers(JSON), body)
            case "PATCH":
                self._check_visible(entity, key, "update")
                values = self._values(call, entity, patch=True)
                if values is None:
                    return SubResponse(204, {"OData-Version": "4.0"})
                if not site.pipeline.update(entity.name, key, values, call.user) and (
                    site.settings.missing_on_patch == "404"
                ):
                    raise errors.not_found(uri)
                return SubResponse(204, {"OData-Version": "4.0"})
            case "DELETE":
                self._check_visible(entity, key, "delete")
                if not site.pipeline.delete(entity.name, key, call.user):
                    raise errors.not_found(uri)
                return SubResponse(204, {"OData-Version": "4.0"})
        raise errors.method_not_allowed(call.method)

    def _part(self, call: Call, entity: Entity, key: str, rest: str) -> SubResponse:
        """A property, its plain value, or a stream."""
        name, _, tail = rest.partition("/")
        column = entity.columns.get(name)
        if column is not None and column.kind == "stream" and not tail:
            return self._stream(call, entity, key, name)
        if call.method != "GET":
            raise errors.method_not_allowed(call.method)
        self._site.check_right(call.user, entity.name, "read")
        value = self._reader.property(entity, key, name)
        if value is None or tail not in ("", "$value"):
            raise errors.not_found(f"{call.root}/{call.path}")
        if tail:
            plain = json.loads(value) if value.startswith('"') else value
            return SubResponse(200, _headers("text/plain"), str(plain).encode())
        body = f'{{"@odata.context":"{call.root}/$metadata#{entity.name}({key})/{name}","value":{value}}}'
        return SubResponse(200, _headers(JSON), body.encode())

    def _stream(self, call: Call, entity: Entity, key: str, name: str) -> SubResponse:
        site = self._site
        if not site.db.exists(entity.name, key) or site.db.is_hidden(entity.name, key):
            raise errors.not_found(f"{call.root}/{call.path}")
        match call.method:
            case "GET":
                site.check_right(call.user, entity.name, "read")
                found = site.db.stream(entity.name, key, name)
                return SubResponse(200, _headers(found[0]), found[1]) if found else SubResponse(204)
            case "PUT":
                site.check_right(call.user, entity.name, "update")
                kind = call.headers.get("content-type", "application/octet-stream")
                site.db.put_stream(entity.name, key, name, kind, call.body)
                return SubResponse(200, {"OData-Version": "4.0"})
            case "DELETE":
                site.check_right(call.user, entity.name, "update")
                site.db.put_stream(entity.name, key, name, "", None)
                return SubResponse(204)
        raise errors.method_not_allowed(call.method)

    # -- writing

    def _create(self, call: Call, entity: Entity) -> SubResponse:
        values = self._values(call, entity, patch=False) or {}
        if entity.view:
            raise errors.no_rights(self._site.settings.no_rights_status, entity.name, "insert")
        row = self._site.pipeline.create(entity.name, values, call.user)
        headers = _headers(JSON)
        headers["Location"] = f"{call.root}/{entity.name}({row['Id']})"
        return SubResponse(201, headers, self._echo(entity, row, call.root))

    def _echo(self, entity: Entity, row: Raw, root: str) -> bytes:
        """The full entity as it was in memory at the moment of the save."""
        head = f'"@odata.context":"{root}/$metadata#{entity.name}/$entity"'
        shape = self._renderer.object(entity, "t", None, [], head=head)
        given = ",".join(f"? AS {quoted(name)}" for name in row)
        return str(self._site.db.value(f"SELECT {shape} FROM (SELECT {given}) t", tuple(row.values()))).encode()

    def _values(self, call: Call, entity: Entity, *, patch: bool) -> Raw | None:
        """Raw values of a body; None when an old build would silently write nothing."""
        try:
            body: Any = json.loads(call.body, parse_float=Decimal)
        except ValueError as error:
            raise errors.odata_error(400, errors.INVALID, f"item : {error}") from error
        if not isinstance(body, dict):
            raise errors.odata_error(400, errors.INVALID, "item : An entity must be a JSON object.")
        ieee754 = "ieee754compatible=true" in call.headers.get("content-type", "").lower().replace(" ", "")
        values: Raw = {}
        for name, value in body.items():
            if "@" in name:
                continue
            column = entity.columns.get(name)
            if column is None:
                if name in entity.navs:
                    continue  # accepted and ignored: only the column with Id counts
                if patch and self._site.settings.unknown_property_on_patch == "ignore":
                    return None
                raise errors.unknown_in_body(name, entity.name)
            if patch and column.kind == "lookup" and value == ZERO_GUID:
                continue  # silently dropped: only null clears a lookup
            values[name] = self._bodies.raw(column, value, ieee754=ieee754)
        return values

    def _check_visible(self, entity: Entity, key: str, operation: str) -> None:
        if self._site.db.is_hidden(entity.name, key):
            raise errors.no_rights(self._site.settings.no_rights_status, entity.name, operation)

    def _metadata_xml(self) -> bytes:
        version = self._site.model.version
        if self._metadata is None or self._metadata[0] != version:
            self._metadata = (version, metadata_xml(self._site.model))
        return self._metadata[1]

    def _unknown_set(self, call: Call, path: str) -> ODataError:
        match self._site.settings.unknown_entity:
            case "401":
                return errors.unauthorized()
            case "html":
                page = "<html><body><h2>404 - File or directory not found.</h2></body></html>"
                return ODataError(404, None, html=page)
        return errors.no_such_set(f"{call.root}/{path}", path.split("(")[0].split("/")[0])


def error_response(error: ODataError) -> SubResponse:
    """The answer of a refusal."""
    if error.html is not None:
        return SubResponse(error.status, {"Content-Type": "text/html"}, error.html.encode())
    if error.body is None:
        return SubResponse(error.status)
    headers = _headers(JSON if "error" in error.body else "application/json; charset=utf-8")
    return SubResponse(error.status, headers, json.dumps(error.body).encode())


def _headers(content_type: str) -> dict[str, str]:
    return {"Content-Type": content_type, "OData-Version": "4.0"}
