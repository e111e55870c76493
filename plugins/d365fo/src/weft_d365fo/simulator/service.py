"""One request below /data, whether it came alone or inside a $batch."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.parts import SubResponse
from weft.testing.odata.query import Query, parse_query
from weft.testing.odata.render import dumps, loads, wrap
from weft.testing.odata.store import Row
from weft_d365fo.simulator.errors import INVALID_OPERATION, FoError, RouteError, bad_request, missing_row
from weft_d365fo.simulator.filters import both, refused
from weft_d365fo.simulator.paths import Segment, key_values, parse_path
from weft_d365fo.simulator.reading import Form, Reader, address_of, equal, next_link
from weft_d365fo.simulator.schema import NAMESPACE
from weft_d365fo.simulator.tables import Shown
from weft_d365fo.simulator.values import etag
from weft_d365fo.simulator.views import RECID, VERSION
from weft_d365fo.simulator.world import User, World
from weft_d365fo.simulator.writing import Writer

Action = Callable[[dict[str, Any], User], Awaitable[Any]]
ACTION = f"{NAMESPACE}."


@dataclass
class Call:
    """``path`` below /data, raw; ``query`` raw; header names in lower case. ``url``: as it was asked."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    user: User
    url: str
    options: Query = field(default_factory=Query)

    @property
    def cross_company(self) -> bool:
        return self.options.custom.get("cross-company", "").lower() == "true"

    @property
    def metadata(self) -> str:
        accept = self.headers.get("accept", "").replace(" ", "").lower()
        for level in ("none", "full"):
            if f"odata.metadata={level}" in accept:
                return level
        return "minimal"

    def max_page(self) -> int | None:
        """Of Prefer: odata.maxpagesize. Raises FoError."""
        for part in self.headers.get("prefer", "").split(","):
            name, _, value = part.strip().partition("=")
            if name.lower() == "odata.maxpagesize":
                if not value.strip('"').isdigit() or int(value.strip('"')) == 0:
                    raise bad_request(f"The value '{value}' of odata.maxpagesize is not valid.")
                return int(value.strip('"'))
        return None


class Service:
    """Routes calls to reading, writing and actions, and words every failure."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.reader = Reader(world)
        self.writer = Writer(world)
        self.actions: Mapping[tuple[str, str], Action] = {}
        self.root = ""

    async def handle(self, call: Call) -> SubResponse:
        """Never raises for a request that is wrong."""
        try:
            answer = await self._handle(call)
        except FoError as error:
            answer = self.failure(error)
        except ODataQueryError as error:
            answer = self.failure(refused(error))
        except RouteError as error:
            answer = SubResponse(404, {"content-type": "application/json; charset=utf-8"}, dumps(error.body(call.url)))
        answer.headers.setdefault("odata-version", "4.0")
        return answer

    def failure(self, error: FoError) -> SubResponse:
        settings = self.world.settings
        status = error.status or settings.error_status
        headers = {"content-type": "application/json; odata.metadata=minimal; charset=utf-8", **error.headers}
        return SubResponse(status, headers, dumps(error.body(nested=settings.nested_errors)))

    async def _handle(self, call: Call) -> SubResponse:
        call.options = parse_query(call.query, max_expand_depth=1)
        segments = parse_path(call.path)
        shown = self.world.shown.get(segments[0].name)
        if shown is None:
            raise RouteError
        self._may(call.user, shown.set.name, call.method)
        if len(segments) == 2 and segments[1].name.startswith(ACTION):
            return await self._act(call, shown, segments[0], segments[1].name[len(ACTION) :])
        if segments[0].key is None:
            if len(segments) == 2 and segments[1].name == "$count" and segments[1].key is None:
                return self._count(call, shown)
            if len(segments) > 1:
                raise RouteError
            return self._set(call, shown)
        key = key_values(segments[0].key, {name: shown.prop(name) for name in shown.set.key})
        row = self.reader.locate(shown, key, call.user, call.cross_company)
        if len(segments) > 1:
            return self._navigate(call, shown, row, segments[1:])
        return self._record(call, shown, row)

    @staticmethod
    def _may(user: User, name: str, method: str) -> None:
        asked = ((name, method), (name, "*"), ("*", method), ("*", "*"))
        if any(entry in user.denied for entry in asked):
            raise FoError(
                403, f"User {user.id} is not authorized to {method} {name}.", "System.UnauthorizedAccessException"
            )

    # A set

    def _set(self, call: Call, shown: Shown) -> SubResponse:
        if call.method == "GET":
            return self._page(call, shown)
        if call.method != "POST":
            raise FoError(405, f"The requested resource does not support http method '{call.method}'.")
        row = self.writer.create(shown, read_json(call), call.user)
        headers = {**self._headers(call), "etag": etag(row[VERSION], row[RECID])}
        headers["location"] = f"{self.root}/{address_of(shown, row)}"
        return SubResponse(201, headers, self._entity(call, shown, row, Query()))

    def _page(self, call: Call, shown: Shown, within: Any = None, url: str = "") -> SubResponse:
        settings, options = self.world.settings, call.options
        size = settings.page_size
        wanted = call.max_page()
        headers = self._headers(call)
        if wanted is not None:
            size = min(size, wanted)
            headers["preference-applied"] = ""
        if options.skiptoken is not None:
            options = self._resumed(options)
        top = size if options.top is None else min(size, options.top)
        if within is None:
            within = self.reader.restriction(shown, call.user, call.cross_company)
        page = self.reader.page(shown, options, top=top, within=within)
        data = self.reader.render(shown, page.rows, options, Form(call.metadata, self.root), call.user)
        head: dict[str, Any] = {}
        if call.metadata != "none":
            head["@odata.context"] = f"{self.root}/$metadata#{shown.set.name}{_chosen(options)}"
        if page.count is not None:
            head["@odata.count"] = page.count
        tail = None
        if page.more and (options.top is None or options.top > len(page.rows)):
            link = self._next(call, shown, options, within, len(page.rows), url or f"{self.root}/{shown.set.name}")
            tail = {"@odata.nextLink": link}
        return SubResponse(200, headers, wrap(head, data, tail))

    def _next(self, call: Call, shown: Shown, options: Query, within: Any, shown_rows: int, url: str) -> str:
        """Rows are counted off, not remembered: what moves meanwhile is skipped or comes twice."""
        skip = (options.skip or 0) + shown_rows
        if self.world.settings.next_link == "token":
            left = "" if options.top is None else f",{options.top - shown_rows}"
            return next_link(url, call.query, f"$skiptoken={skip}{left}")
        if options.top is not None:
            return next_link(url, call.query, f"$skip={skip}", f"$top={options.top - shown_rows}")
        total = self.reader.page(shown, replace(options, skip=0), top=0, within=within, count=True).count or 0
        return next_link(url, call.query, f"$skip={skip}", f"$top={max(total - skip, 1)}")

    @staticmethod
    def _resumed(options: Query) -> Query:
        skip, _, left = (options.skiptoken or "").partition(",")
        if not skip.isdigit() or not (left.isdigit() or not left):
            raise bad_request("The skip token is not valid.")
        return replace(options, skip=int(skip), top=int(left) if left else None)

    def _count(self, call: Call, shown: Shown) -> SubResponse:
        if call.method != "GET":
            raise FoError(405, f"The requested resource does not support http method '{call.method}'.")
        within = self.reader.restriction(shown, call.user, call.cross_company)
        number = self.reader.page(shown, replace(call.options, order=()), top=0, within=within, count=True).count
        return SubResponse(200, {"content-type": "text/plain; charset=utf-8"}, str(number).encode())

    # A record

    def _record(self, call: Call, shown: Shown, row: Row | None) -> SubResponse:
        if call.method == "GET":
            if row is None:
                raise FoError(404, f"Resource not found for the segment '{shown.set.name}'.")
            headers = {**self._headers(call), "etag": etag(row[VERSION], row[RECID])}
            return SubResponse(200, headers, self._entity(call, shown, row, call.options))
        if call.method in ("PATCH", "PUT"):
            body = read_json(call)
            if row is None:
                raise missing_row()
            if call.method == "PUT" and self.world.settings.put_resets and isinstance(body, dict):
                body = {**self.writer.blank_body(shown), **body}
            self.writer.update(shown, row, body, call.user, call.headers.get("if-match"))
            return SubResponse(204)
        if call.method == "DELETE":
            if row is None:
                raise missing_row()
            self.writer.remove(shown, row, call.user, call.headers.get("if-match"))
            return SubResponse(204)
        raise FoError(405, f"The requested resource does not support http method '{call.method}'.")

    def _entity(self, call: Call, shown: Shown, row: Row, options: Query) -> bytes:
        data = self.reader.render(shown, [row], options, Form(call.metadata, self.root), call.user)[0]
        if call.metadata == "none":
            return data
        context = dumps({"@odata.context": f"{self.root}/$metadata#{shown.set.name}{_chosen(options)}/$entity"})
        return context[:-1] + b"," + data[1:]

    def _navigate(self, call: Call, shown: Shown, row: Row | None, rest: list[Segment]) -> SubResponse:
        if len(rest) != 1 or rest[0].key is not None or rest[0].name not in shown.links:
            raise RouteError
        if call.method != "GET":
            raise FoError(405, f"The requested resource does not support http method '{call.method}'.")
        if row is None:
            raise FoError(404, f"Resource not found for the segment '{shown.set.name}'.")
        link = shown.links[rest[0].name]
        target = self.world.shown_set(link.target)
        if not link.many:
            rows = self.reader.related(shown, link, row, Query(), call.user)
            return SubResponse(204) if not rows else self._record(call, target, rows[0])
        within = None
        for own, other in link.on:
            value = row.get(shown.columns[own], shown.prop(own).blank)
            within = both(within, equal(other, value, target.prop(other).edm))
        return self._page(call, target, within, f"{self.root}/{address_of(shown, row)}/{link.name}")

    # Actions

    async def _act(self, call: Call, shown: Shown, segment: Segment, name: str) -> SubResponse:
        action = self.actions.get((shown.set.name, name))
        if action is None or segment.key is not None:
            raise RouteError
        if call.method != "POST":
            raise FoError(405, f"The requested resource does not support http method '{call.method}'.")
        arguments = read_json(call) if call.body.strip() else {}
        if not isinstance(arguments, dict):
            raise bad_request("The parameters of an action are a JSON object.")
        value = await action(arguments, call.user)
        if value is None:
            return SubResponse(204)
        kind = "Edm.Boolean" if isinstance(value, bool) else "Edm.String"
        body = {"@odata.context": f"{self.root}/$metadata#{kind}", "value": value}
        return SubResponse(200, self._headers(call), dumps(body))

    @staticmethod
    def _headers(call: Call) -> dict[str, str]:
        return {"content-type": f"application/json; odata.metadata={call.metadata}; charset=utf-8"}


def _chosen(options: Query) -> str:
    return f"({','.join(options.select)})" if options.select else ""


def read_json(call: Call) -> Any:
    """The body of a write, numbers exact."""
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not call.body.strip():
        raise bad_request("The request body must not be empty.")
    if kind != "application/json":
        raise FoError(415, f"The content type '{kind}' is not supported.", INVALID_OPERATION)
    try:
        return loads(call.body)
    except (ValueError, json.JSONDecodeError) as error:
        raise bad_request(f"The request body is not valid JSON: {error}") from None
