"""One request below the API root, whether it came alone or inside a $batch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.parts import SubResponse
from weft.testing.odata.query import Query, parse_query
from weft.testing.odata.render import dumps, loads, wrap
from weft.testing.odata.store import DuplicateKey, Row
from weft_bc.simulator.company import Company
from weft_bc.simulator.errors import BcError, bad_request, no_record, resource_not_found
from weft_bc.simulator.paths import Segment, guid_key, parse_path
from weft_bc.simulator.pdf import pdf_bytes
from weft_bc.simulator.reading import navigation, next_link, pdf_row, refused
from weft_bc.simulator.rules.base import Parent
from weft_bc.simulator.schema import EntitySet
from weft_bc.simulator.tables import table_caption
from weft_bc.simulator.values import etag

if TYPE_CHECKING:
    from weft_bc.simulator.environment import Environment

JSON = "application/json; odata.metadata=minimal; odata.streaming=true"
ACTION = "microsoft.nav."


@dataclass
class Call:
    """``path`` below the root, raw; ``query`` raw; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    client: str = ""
    options: Query = field(default_factory=Query)

    def prefers(self, name: str) -> str | None:
        """The value of a preference, "" for one without a value, None when absent."""
        for part in self.headers.get("prefer", "").split(","):
            key, _, value = part.strip().partition("=")
            if key.lower() in (name, f"odata.{name}"):
                return value.strip('"')
        return None


@dataclass
class Target:
    """What a path leads to: a set (``row`` None) or a record, and how it was reached."""

    entity_set: EntitySet
    row: Row | None = None
    parent: Parent | None = None
    fixed: dict[str, Any] = field(default_factory=dict)
    url: str = ""
    missing: bool = False  # a to-one navigation that leads nowhere


class Service:
    """Routes calls to reading, writing and actions, and words every failure."""

    def __init__(self, env: Environment) -> None:
        self.env = env

    async def handle(self, call: Call) -> SubResponse:
        """Never raises for a request that is wrong; awaits only for the handshake of a subscription."""
        try:
            return await self._handle(call)
        except BcError as error:
            if error.code == "BadRequest_ResourceNotFound":
                error.code = self.env.settings.missing_record_code
                if error.code == "Internal_RecordNotFound":
                    error.status = self.env.settings.record_not_found_status
            return SubResponse(error.status, {"content-type": JSON, **error.headers}, dumps(error.body()))
        except ODataQueryError as error:
            problem = refused(error)
            return SubResponse(problem.status, {"content-type": JSON}, dumps(problem.body()))
        except DuplicateKey as error:
            problem = BcError(
                self.env.settings.duplicate_key_status,
                "Internal_EntityWithSameKeyExists",
                f"The record in table {error.table} already exists.",
            )
            return SubResponse(problem.status, {"content-type": JSON}, dumps(problem.body()))

    async def _handle(self, call: Call) -> SubResponse:
        call.options = parse_query(call.query)
        intent = call.headers.get("data-access-intent", "").lower()
        if intent == "readonly" and call.method != "GET":
            raise BcError(
                400, "BadRequest_InvalidOperation", "Data-Access-Intent ReadOnly is only allowed for GET requests."
            )
        segments = parse_path(call.path)
        first = segments[0].name
        if first == "companies" and len(segments) == 1:
            return self._companies(call, segments[0])
        if first == "subscriptions":
            return await self.env.hooks.handle(call, segments)
        if first == "companies":
            company, rest = self.env.company(guid_key(segments[0])), segments[1:]
            prefix = f"companies({company.id})/"
        else:
            company, rest, prefix = self._named_company(call), segments, ""
        if intent == "readonly":
            company = self.env.replica(company)
        return self._in_company(call, company, rest, prefix)

    def _named_company(self, call: Call) -> Company:
        named = call.options.custom.get("company") or call.headers.get("company")
        if named is None:
            if len(self.env.companies) == 1:
                return next(iter(self.env.companies.values()))
            raise BcError(400, "BadRequest_RequiredParamNotProvided", "The company must be specified in the request.")
        return self.env.company(named.strip("'"))

    def _companies(self, call: Call, segment: Segment) -> SubResponse:
        entity_set = self.env.schema["companies"]
        if call.method != "GET":
            raise BcError(405, "BadRequest_MethodNotAllowed", "Entity set 'companies' does not support that method.")
        if segment.key is not None:
            row = self.env.directory.tables["companies"].get(guid_key(segment))
            if row is None:
                raise self.env.no_company(segment.key)
            return self._record(
                call, self.env.directory, Target(entity_set, row, url=f"{self.env.root}/companies"), "companies"
            )
        return self._page(call, self.env.directory, Target(entity_set, url=f"{self.env.root}/companies"), "companies")

    # The path

    def _in_company(self, call: Call, co: Company, segments: list[Segment], prefix: str) -> SubResponse:
        if not segments:
            raise resource_not_found("companies")
        count = segments[-1].name == "$count"
        if count:
            segments = segments[:-1]
        action = ""
        if segments and segments[-1].name.lower().startswith(ACTION):
            action = segments[-1].name[len(ACTION) :]
            segments = segments[:-1]
        stream = ""
        self.env.authorize(call.client, segments[0].name, call.method)
        target = self._first(co, segments[0], prefix)
        where = prefix + segments[0].name
        for index, segment in enumerate(segments[1:], 1):
            if target.row is None:
                raise resource_not_found(segment.name)
            prop = target.entity_set.properties.get(segment.name)
            if prop is not None and index == len(segments) - 1 and segment.key is None:
                stream = prop.name
                break
            target = self._step(co, target, segment)
            where = f"{where}({target.parent.row['id']})/{segment.name}" if target.parent else where
        if action:
            return self._act(call, co, target, action)
        if stream:
            return self._property(call, target, stream)
        if count:
            if call.method != "GET" or target.row is not None:
                raise resource_not_found("$count")
            number = self.env.reader.rows(
                co, target.entity_set, replace(call.options, count=True), page=0, fixed=target.fixed
            )[2]
            return SubResponse(200, {"content-type": "text/plain"}, str(number).encode())
        verb = getattr(self, f"_{call.method.lower()}", None)
        if verb is None or call.method not in ("GET", "POST", "PATCH", "DELETE"):
            raise BcError(405, "BadRequest_MethodNotAllowed", f"The method {call.method} is not allowed.")
        result: SubResponse = verb(call, co, target, where)
        return result

    def _first(self, co: Company, segment: Segment, prefix: str) -> Target:
        entity_set = self.env.schema.sets.get(segment.name)
        if entity_set is None or entity_set.name in ("companies", "subscriptions"):
            raise resource_not_found(segment.name)
        target = Target(entity_set, url=f"{self.env.root}/{prefix}{segment.name}")
        if segment.key is not None:
            key = guid_key(segment)
            if entity_set.name == "dimensionSetLines":
                raise BcError(
                    400,
                    "Application_DialogException",
                    "You must get to the parent first to get to the dimension set line.",
                )
            if entity_set.name == "pdfDocument":
                raise BcError(
                    400, "Application_DialogException", "You must get to the parent first to get to the PDF document."
                )
            self.env.reader.prepare(co, entity_set.name)
            target.row = co.tables[entity_set.name].get(key)
            if target.row is None:
                raise no_record(table_caption(entity_set), key)
        return target

    def _step(self, co: Company, target: Target, segment: Segment) -> Target:
        """Through a navigation property."""
        if segment.name not in target.entity_set.nav:
            raise resource_not_found(segment.name)
        nav = navigation(target.entity_set, segment.name)
        assert target.row is not None
        parent = Parent(target.entity_set.name, target.row, nav.name)
        found = Target(self.env.schema[nav.target], parent=parent, url=f"{target.url}({target.row['id']})/{nav.name}")
        if nav.target == "pdfDocument":
            found.row = pdf_row(target.row, nav)
            return found
        if not nav.many:
            rows = self.env.reader.related(co, target.row, nav, Query())
            found.row, found.missing = (rows[0], False) if rows else (None, True)
            return found
        found.fixed = {remote: target.row[local] for remote, local in nav.on[:1]} | dict(nav.const)
        found.fixed = {k: v for k, v in found.fixed.items() if k in found.entity_set.properties or k.startswith("$")}
        if nav.target == "applyVendorEntries":
            found.fixed = {"$lineId": target.row["id"]}
        if segment.key is not None:
            key = guid_key(segment)
            store_key = f"{target.row['id']}/{key}" if nav.target == "dimensionSetLines" else key
            row = co.tables[nav.target].get(store_key)
            if row is None or any(row.get(k) != v for k, v in found.fixed.items()):
                raise no_record(table_caption(found.entity_set), key)
            found.row = row
        return found

    # The verbs

    def _get(self, call: Call, co: Company, target: Target, where: str) -> SubResponse:
        if target.missing:
            return SubResponse(204)
        if target.row is not None:
            return self._record(call, co, target, where)
        return self._page(call, co, target, where)

    def _record(self, call: Call, db: Any, target: Target, where: str) -> SubResponse:
        assert target.row is not None
        self.env.reader.check(db, target.entity_set, call.options)
        return SubResponse(200, _entity_headers(target.row), self._entity(call, db, target, where))

    def _entity(self, call: Call, db: Any, target: Target, where: str) -> bytes:
        assert target.row is not None
        bare = "odata.metadata=none" in call.headers.get("accept", "").replace(" ", "")
        data = self.env.reader.render_rows(db, target.entity_set, [target.row], call.options, target.url, bare)[0]
        if bare:
            return data
        context = dumps({"@odata.context": f"{self.env.root}/$metadata#{where}/$entity"})
        return context[:-1] + (b"," if data != b"{}" else b"") + data[1:]

    def _page(self, call: Call, db: Any, target: Target, where: str) -> SubResponse:
        options, settings = call.options, self.env.settings
        size = settings.page_size
        headers = {"content-type": JSON}
        wanted = call.prefers("maxpagesize")
        if wanted is not None:
            if not wanted.isdigit() or int(wanted) == 0:
                raise bad_request(f"The value '{wanted}' of odata.maxpagesize is not valid.")
            size = min(size, int(wanted))
            headers["preference-applied"] = f"odata.maxpagesize={size}"
        page = size if options.top is None else min(size, options.top)
        rows, more, count = self.env.reader.rows(db, target.entity_set, options, page=page, fixed=target.fixed)
        bare = "odata.metadata=none" in call.headers.get("accept", "").replace(" ", "")
        data = self.env.reader.render_rows(db, target.entity_set, rows, options, target.url, bare)
        head: dict[str, Any] = {} if bare else {"@odata.context": f"{self.env.root}/$metadata#{where}"}
        if count is not None:
            head["@odata.count"] = count
        tail = None
        if more and (options.top is None or options.top > len(rows)):
            token = rows[-1][target.entity_set.key]
            tail = {"@odata.nextLink": next_link(target.url, call.query, token, len(rows), options.top)}
        return SubResponse(200, headers, wrap(head, data, tail))

    def _post(self, call: Call, co: Company, target: Target, where: str) -> SubResponse:
        if target.row is not None or target.missing:
            raise BcError(405, "BadRequest_MethodNotAllowed", "POST is not allowed on a single record.")
        row = self.env.writer.create(co, target.entity_set, read_json(call), target.parent)
        return self._written(call, co, target, row, where, 201)

    def _patch(self, call: Call, co: Company, target: Target, where: str) -> SubResponse:
        if target.row is None:
            raise BcError(405, "BadRequest_MethodNotAllowed", "PATCH needs the key of a record.")
        row = self.env.writer.update(co, target.entity_set, target.row, read_json(call), call.headers.get("if-match"))
        return self._written(call, co, target, row, where, 200)

    def _delete(self, call: Call, co: Company, target: Target, where: str) -> SubResponse:
        if target.row is None:
            raise BcError(405, "BadRequest_MethodNotAllowed", "DELETE needs the key of a record.")
        self.env.writer.remove(co, target.entity_set, target.row, call.headers.get("if-match"))
        return SubResponse(204)

    def _written(self, call: Call, co: Company, target: Target, row: Row, where: str, status: int) -> SubResponse:
        location = f"{target.url}({row[target.entity_set.key]})"
        if call.prefers("return-no-content") is not None:
            return SubResponse(204, {"location": location, "preference-applied": "return-no-content"})
        if status == 201 and self.env.settings.deep_insert_returns_lines:
            call.options = self.env.with_nested(call, target.entity_set)
        written = Target(target.entity_set, row, target.parent, url=target.url)
        headers = _entity_headers(row)
        if status == 201:
            headers["location"] = location
        return SubResponse(status, headers, self._entity(call, co, written, where))

    def _act(self, call: Call, co: Company, target: Target, action: str) -> SubResponse:
        if call.method != "POST":
            raise BcError(405, "BadRequest_MethodNotAllowed", "An action is called with POST.")
        if target.row is None:
            raise resource_not_found(f"Microsoft.NAV.{action}")
        name, row = self.env.writer.act(
            co, target.entity_set, target.row, action, call.body, call.headers.get("if-match")
        )
        return SubResponse(204, {"location": f"{self.env.root}/companies({co.id})/{name}({row['id']})"})

    def _property(self, call: Call, target: Target, name: str) -> SubResponse:
        assert target.row is not None
        if call.method != "GET":
            raise BcError(405, "BadRequest_MethodNotAllowed", "Single properties cannot be written.")
        if target.entity_set.properties[name].kind == "M":
            if target.entity_set.name != "pdfDocument":
                return SubResponse(204)
            return SubResponse(200, {"content-type": "application/octet-stream"}, pdf_bytes(target.row))
        body = {
            "@odata.context": f"{target.url}({target.row[target.entity_set.key]})/{name}",
            "value": target.row[name],
        }
        return SubResponse(200, {"content-type": JSON}, dumps(body))


def _entity_headers(row: Row) -> dict[str, str]:
    headers = {"content-type": JSON}
    if "$v" in row:
        headers["etag"] = etag(row["$v"])
    return headers


def read_json(call: Call) -> Any:
    """The body of a write, numbers exact."""
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not call.body.strip():
        raise BcError(400, "BadRequest_RequiredParamNotProvided", "The request body must not be empty.")
    if kind != "application/json":
        raise BcError(415, "BadRequest", f"The content type '{kind}' is not supported.")
    try:
        return loads(call.body)
    except (ValueError, json.JSONDecodeError) as error:
        raise bad_request(f"The request body is not valid JSON: {error}") from None
