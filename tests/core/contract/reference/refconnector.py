"""The reference connector: small, complete and good. The broken ones override one method each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

import weft
from weft import errors
from weft.hookspecs import Connector
from weft.mapping.document import Mapping
from weft.model.entity import EntityType, Field
from weft.net import errors as net
from weft.net import json as exact_json
from weft.net.auth import OAuthClientCredentials
from weft.net.json import utc_text
from weft.net.response import Response
from weft.net.retry import Retry
from weft.net.secrets import Secret
from weft.net.session import HttpSession
from weft.net.settings import HttpSettings
from weft.records import (
    Context,
    Error,
    Hint,
    Intents,
    Item,
    Moved,
    ObjectSchema,
    Outcome,
    Page,
    Property,
    Query,
    Record,
    Reply,
    Request,
    Result,
    Subscription,
)

OVERLAP = timedelta(seconds=120)
"""A row is stamped when it is written and seen when it is committed; no transaction takes longer."""
PAGE = 100

MEMBERS = {
    "entity": "member", "object": "members", "key": ["id"], "company": "company", "changed": "changed",
    "changed_by": "changed_by", "own_key": {"field": "external", "form": "text", "length": 32}, "deletes": "delete",
    "match": [["email"]],
    "fields": {
        name: name for name in ("name", "email", "notes", "balance", "joined", "seen", "active", "rank")
    },
}  # fmt: skip
BOOKINGS = {
    "entity": "booking", "object": "bookings", "key": ["id"], "company": "company", "changed": "changed",
    "changed_by": "changed_by", "own_key": {"field": "id", "form": "guid", "length": 36},
    "fields": {"title": "title", "day": "day"},
    "lines": {
        "lines": {"object": "lines", "parent": "booking_id", "key": "id", "fields": {"text": "text", "price": "price"}}
    },
}  # fmt: skip

MEMBER = EntityType(
    "member",
    fields={
        name: Field(name, kind)  # type: ignore[arg-type]
        for name, kind in {
            "name": "text", "email": "text", "notes": "text", "balance": "money", "joined": "date", "seen": "datetime",
            "active": "boolean", "rank": "integer",
        }.items()
    },
)  # fmt: skip
BOOKING_LINE = EntityType("booking_line", "document", fields={"text": Field("text"), "price": Field("price", "money")})
BOOKING = EntityType(
    "booking", "document", fields={"title": Field("title"), "day": Field("day", "date")}, lines={"lines": BOOKING_LINE}
)


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str
    client_id: str
    client_secret: Secret
    hook_secret: Secret = Secret("")


class Session:
    """``identity`` is what ``changed_by`` shows for our writes."""

    def __init__(self, http: HttpSession, settings: Settings) -> None:
        self.http, self.settings = http, settings
        self.identity: str | None = settings.client_id
        self.limiter = http.limiter


class ReferenceConnector:
    """The hooks, each in terms of methods that a broken variant may override."""

    settings: type[Settings] = Settings

    @weft.hookimpl
    def weft_connector(self) -> Connector:
        return Connector(title="Booking system", settings=self.settings, companies=True, max_batch=50)

    @weft.hookimpl
    def weft_entities(self) -> list[EntityType]:
        return [MEMBER, BOOKING]

    @weft.hookimpl
    def weft_mappings(self, entity: str) -> list[Mapping]:
        return [Mapping.model_validate(one) for one in self.maps() if one["entity"] == entity]

    def maps(self) -> list[dict[str, Any]]:
        return [MEMBERS, BOOKINGS]

    # -- the connection --------------------------------------------------------------------------------

    @weft.hookimpl
    @asynccontextmanager
    async def weft_open(self, ctx: Context) -> AsyncIterator[Session]:
        settings: Settings = ctx.settings
        options = HttpSettings(retry=Retry(attempts=3, base=0.01, patience=10.0), auth_pause=0.0)
        async with HttpSession(settings.url, system=ctx.connection, auth=self.auth(settings), settings=options) as http:
            session = Session(http, settings)
            await self.prove(ctx, session)
            yield session

    def auth(self, settings: Settings) -> OAuthClientCredentials:
        return OAuthClientCredentials(f"{settings.url}/token", settings.client_id, settings.client_secret)

    async def prove(self, ctx: Context, session: Session) -> None:
        await self.get(session, "companies")

    async def get(self, session: Session, path: str, **query: Any) -> tuple[Any, str]:
        """The body and the server's time."""
        params = {"q": exact_json.dumps(query).decode()} if query else None
        try:
            response = await session.http.request("GET", path, params=params)
            return self.parse(response), response.headers["X-Server-Time"]
        except net.NetError as error:
            raise self.stopped(error) from error

    def parse(self, response: Response) -> Any:
        return response.json()

    def stopped(self, error: net.NetError) -> Exception:
        if isinstance(error, net.AuthError):
            return errors.AuthError(str(error))
        return errors.EndpointDown(str(error), retry_after=error.retry_after)

    @weft.hookimpl
    async def weft_companies(self, session: Session) -> dict[str, str]:
        found: dict[str, str] = (await self.get(session, "companies"))[0]
        return found

    @weft.hookimpl
    async def weft_base_currencies(self, session: Session) -> dict[str, str]:
        return dict.fromkeys(await self.weft_companies(session), "EUR")

    @weft.hookimpl
    async def weft_describe(self, session: Session, objects: Sequence[str] | None) -> AsyncIterator[ObjectSchema]:
        meta, _ = await self.get(session, "meta")
        for name in objects or meta:
            if name in meta:
                fields = {f: Property(f, one["kind"], one["length"]) for f, one in meta[name].items()}
                yield ObjectSchema(name, ("id",), {"id": Property("id", "text", 36), **fields})

    # -- reading ---------------------------------------------------------------------------------------

    @weft.hookimpl
    async def weft_read(self, session: Session, query: Query) -> AsyncIterator[Page]:
        if query.mode == "keys":
            for at in range(0, len(query.keys), PAGE):
                yield await self.by_keys(session, query, query.keys[at : at + PAGE])
        elif query.mode == "search":
            where = [[[c.field, c.op, self.literal(c.value)] for c in group] for group in query.search]
            async for page, _, _ in self.rows(session, query, order="id", where=where):
                yield page
        elif query.mode == "scan":
            started = None
            async for page, now, last in self.rows(session, query, order="id"):
                started = started or now
                yield self.with_cursor(page, started, last)
        else:
            async for page in self.changes(session, query):
                yield page

    async def changes(self, session: Session, query: Query) -> AsyncIterator[Page]:
        if query.cursor is None:
            _, now = await self.get(session, "companies")
            yield Page(cursor=self.cursor(now))
            return
        since = self.since(query.cursor)
        if since is None:
            yield Page(expired=True)
            return
        started = None
        async for page, now, last in self.rows(session, query, order="changed", since=since):
            started = started or now
            yield self.with_cursor(page, started, last)

    def with_cursor(self, page: Page, started: str, last: bool) -> Page:
        page.cursor = self.cursor(started) if last else None
        return page

    def cursor(self, started: str) -> str:
        """``started``: the server's time before the read."""
        since = datetime.fromisoformat(started) - OVERLAP
        return exact_json.dumps({"since": utc_text(since)}).decode()

    def since(self, cursor: str) -> str | None:
        try:
            data = exact_json.loads(cursor)
            return utc_text(datetime.fromisoformat(data["since"]))
        except (ValueError, KeyError, TypeError):
            return None

    async def rows(
        self, session: Session, query: Query, order: str, **options: Any
    ) -> AsyncIterator[tuple[Page, str, bool]]:
        """Pages by keyset, so that a row that moves is met again and none is skipped."""
        options |= {"company": query.company, "order": order, "top": query.page_size or PAGE}
        while True:
            answer, now = await self.get(session, query.mapping.object.read, **options)
            records = [self.record(query, row) for row in answer["rows"]]
            yield Page(records), now, not answer["more"]
            if not answer["more"]:
                return
            options = self.onwards(options, answer["rows"])

    def onwards(self, options: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {**options, "after": [rows[-1][options["order"]], rows[-1]["id"]]}

    async def by_keys(self, session: Session, query: Query, keys: Sequence[str]) -> Page:
        answer, _ = await self.get(session, query.mapping.object.read, ids=list(keys))
        page = Page([self.record(query, row) for row in answer["rows"]])
        for key, fate in answer["lost"].items():
            self.lost(page, key, fate)
        return page

    def lost(self, page: Page, key: str, fate: Any) -> None:
        if fate == "gone":
            page.gone.append(key)
        elif fate == "hidden":
            page.invisible.append(key)
        else:
            page.moved.append(Moved(key, fate[1], fate[2]))

    def record(self, query: Query, row: dict[str, Any], object: str = "") -> Record:
        children = {}
        for name in query.mapping.lines if not object else ():
            children[name] = [self.record(query, line, "lines") for line in row.get("lines", [])]
        return Record(
            object or query.mapping.object.read,
            row["id"],
            self.native(row),
            company=row["company"],
            version=row["_version"],
            changed_at=datetime.fromisoformat(row["changed"]),
            changed_by=row["changed_by"],
            children=children,
        )

    def native(self, row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name not in ("lines", "_version")}

    def literal(self, value: Any) -> Any:
        return value

    # -- writing ---------------------------------------------------------------------------------------

    @weft.hookimpl
    async def weft_write(
        self, ctx: Context, session: Session, items: Sequence[Item], intents: Intents
    ) -> AsyncIterator[Outcome]:
        single = [item for item in items if item.mapping.lines and item.op in ("create", "update")]
        flat = [item for item in items if item not in single]
        if len(flat) > 1:
            for outcome in await self.batch(session, flat, intents):
                yield outcome
        else:
            single = flat + single
        for item in single:
            yield await self.one(session, item, intents)

    async def one(self, session: Session, item: Item, intents: Intents) -> Outcome:
        if item.mapping.lines and item.op in ("create", "update"):
            return await self.document(session, item, intents)
        method, path, data, headers = self.request(item)
        response = await self.send(session, intents, method, path, data, headers)
        return self.outcome(item, response)

    def request(self, item: Item) -> tuple[str, str, Any, dict[str, str]]:
        if item.op == "create":
            return "POST", item.object, {**self.body(item), "company": item.company}, {}
        headers = {"If-Match": item.version} if item.version else {}
        method = "DELETE" if item.op == "delete" else "PATCH"
        return method, f"{item.object}/{item.key}", self.body(item), headers

    def body(self, item: Item) -> dict[str, Any]:
        return {name: self.value(value) for name, value in item.data.items()}

    def value(self, value: Any) -> Any:
        return value

    async def send(
        self, session: Session, intents: Intents, method: str, path: str, data: Any, headers: dict[str, str]
    ) -> Response | net.NetError:
        """The answer, of whatever status, or what kept it away."""
        await intents.still_mine()
        try:
            return await self.deliver(session, method, path, data, headers)
        except net.NetError as error:
            return error

    async def deliver(self, session: Session, method: str, path: str, data: Any, headers: dict[str, str]) -> Response:
        response = await session.http.request(
            method, path, json=data, headers=headers, idempotent=method == "DELETE", ok="any"
        )
        response.json()  # an answer that cannot be used is as good as none
        return response

    async def batch(self, session: Session, items: Sequence[Item], intents: Intents) -> list[Outcome]:
        parts = []
        for number, item in enumerate(items):
            method, path, data, headers = self.request(item)
            headers = {"Content-Type": "application/json", **headers}
            parts.append({"id": str(number), "method": method, "url": f"/{path}", "headers": headers, "body": data})
        response = await self.send(session, intents, "POST", "batch", {"requests": parts}, {})
        if isinstance(response, net.NetError) or not response.ok:
            return [self.outcome(item, response) for item in items]
        return self.answers(items, response.json()["responses"])

    def answers(self, items: Sequence[Item], parts: list[dict[str, Any]]) -> list[Outcome]:
        by_id = {part["id"]: part for part in parts}
        return [
            self.settled(item, part["status"], part["body"])
            for number, item in enumerate(items)
            if (part := by_id[str(number)])
        ]

    def outcome(self, item: Item, response: Response | net.NetError) -> Outcome:
        if isinstance(response, net.NetError):
            return self.unanswered(item, response)
        return self.settled(item, response.status, response.json())

    def unanswered(self, item: Item, error: net.NetError) -> Outcome:
        told = Error("endpoint", str(error), status=error.status, retry_after=error.retry_after)
        safe = isinstance(error, net.EndpointDown | net.Throttled | net.AuthError)
        return Outcome(item.id, "in_doubt" if item.op == "create" and not safe else "retry", key=item.key, error=told)

    def settled(self, item: Item, status: int, body: dict[str, Any]) -> Outcome:
        if status < 300:
            if item.op == "delete":
                return Outcome(item.id, "deleted", key=item.key)
            record = self.record(Query("keys", item.mapping), body)
            shown = self.returned(item, record)
            result: Result = "created" if item.op == "create" else "updated"
            return Outcome(item.id, result, key=record.key, version=record.version, record=shown)
        said = body.get("error", {})
        if status >= 500:
            error = Error("endpoint", self.words(said), code=said.get("code", ""), status=status)
            return Outcome(item.id, self.failed(item), key=item.key, error=error)
        if status in (404, 412) and item.op != "create":
            return Outcome(item.id, "conflict", key=item.key, error=Error("record", self.words(said), status=status))
        error = Error("record", self.words(said), said.get("code", ""), status=status)
        return Outcome(item.id, "rejected", error=error)

    def failed(self, item: Item) -> Result:
        """A system that answers 500 may have carried it out all the same."""
        return "in_doubt" if item.op == "create" else "retry"

    def words(self, said: dict[str, Any]) -> str:
        return str(said.get("message", ""))

    def returned(self, item: Item, record: Record) -> Record:
        return record

    # -- documents -------------------------------------------------------------------------------------

    async def document(self, session: Session, item: Item, intents: Intents) -> Outcome:
        """Header first, then a call a line; each noted before the next."""
        noted = self.steps_done(intents, item)
        key = item.key or (noted.get("header") or {}).get("key")
        version: str | None = item.version
        if key is None:
            method, path, data, headers = self.request(item)
            outcome = self.outcome(item, await self.send(session, intents, method, path, data, headers))
            if outcome.result == "rejected" and outcome.error is not None and outcome.error.code == "duplicate":
                key = item.own_key  # our own id is there already: an earlier attempt came through
            elif outcome.result != "created":
                return outcome
            else:
                key = outcome.key
            await intents.note(item, "header", key)
        elif item.data and item.op == "update":
            method, path, data, headers = self.request(item)
            outcome = self.outcome(item, await self.send(session, intents, method, path, data, headers))
            if outcome.result != "updated":
                return outcome
        children: dict[str, str] = {}
        for child in item.children:
            step = f"line:{child.id}"
            if step in noted:
                children[child.id] = noted[step]["key"]
                continue
            headers = {"If-Match": child.version} if child.version else {}
            if child.op == "create":
                data = {**child.data, "booking_id": key, "company": item.company}
                answer = await self.send(session, intents, "POST", "lines", data, {})
            else:
                method = "PATCH" if child.op == "update" else "DELETE"
                answer = await self.send(session, intents, method, f"lines/{child.key}", child.data, headers)
            if isinstance(answer, net.NetError) or answer.status >= 300:
                return self.line_failed(item, key, answer)
            children[child.id] = self.child_key(child.key or answer.json()["id"])
            await intents.note(item, step, children[child.id])
        result = "created" if item.op == "create" else "updated"
        return Outcome(item.id, result, key=key, version=None if item.children else version, children=children)

    def steps_done(self, intents: Intents, item: Item) -> dict[str, dict[str, Any]]:
        return dict(intents.noted(item))

    def child_key(self, key: str) -> str:
        return key

    def line_failed(self, item: Item, key: str | None, answer: Response | net.NetError) -> Outcome:
        """The line may be there: core looks at the document and adds what is missing."""
        if isinstance(answer, net.NetError):
            safe = isinstance(answer, net.EndpointDown | net.Throttled | net.AuthError)
            return Outcome(item.id, "partial" if safe else "in_doubt", key=key, error=Error("endpoint", str(answer)))
        said = answer.json().get("error", {})
        result = "in_doubt" if answer.status >= 500 else "rejected"
        fault = "endpoint" if answer.status >= 500 else "record"
        return Outcome(item.id, result, key=key, error=Error(fault, self.words(said)))  # type: ignore[arg-type]

    # -- notifications ---------------------------------------------------------------------------------

    @weft.hookimpl
    async def weft_subscribe(self, session: Session, url: str, current: Sequence[Subscription]) -> list[Subscription]:
        return [await self.subscribed(session, url, current[0].id if current else None)]

    async def subscribed(self, session: Session, url: str, known: str | None) -> Subscription:
        response = await session.http.request("POST", "subscriptions", json={"url": url, "id": known})
        return Subscription(response.json()["id"], "members")

    @weft.hookimpl
    async def weft_receive(self, ctx: Context, request: Request) -> Reply:
        if "validation" in request.query:
            return Reply(body=request.query["validation"].encode())
        if not self.genuine(ctx.settings, request):
            return Reply(status=401)
        return Reply(hints=tuple(self.hints(request.body)))

    def genuine(self, settings: Settings, request: Request) -> bool:
        return Secret(request.headers.get("x-hook-secret", "")) == settings.hook_secret

    def hints(self, body: bytes) -> list[Hint]:
        try:
            data = exact_json.loads(body)
        except ValueError:
            return []
        if not isinstance(data, dict):
            return []
        return [Hint(str(data.get("set", "")), str(data["id"]))] if "id" in data else []
