"""Change notifications: subscriptions, the handshake, what is told and when."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import aiohttp

from weft.testing.odata.parts import SubResponse
from weft.testing.odata.render import dumps, wrap
from weft.testing.odata.store import Row
from weft.testing.simulator.events import Delivery, Event, EventSender
from weft_bc.simulator.company import Change
from weft_bc.simulator.errors import BcError, bad_request, no_record
from weft_bc.simulator.paths import Segment, guid_key, parse_path, string_key
from weft_bc.simulator.service import read_json
from weft_bc.simulator.values import etag, split_body, stamp
from weft_bc.simulator.writing import check_tag

if TYPE_CHECKING:
    from weft.testing.simulator import Simulator
    from weft_bc.simulator.environment import Environment
    from weft_bc.simulator.service import Call

KEEPS = frozenset({408, 429})
USER = "00000000-0000-0000-0000-000000000001"


@dataclass
class _Watch:
    """A subscription as changes meet it. ``pending``: entries waiting; ``first``: when the first of them was."""

    subscription: str
    company: str
    set: str
    pending: int = 0
    first: float = 0.0


class Hooks:
    """Owns the ``subscriptions`` set and the sender of notifications."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.sender: EventSender | None = None
        self.ca_file: str | None = None
        self._watches: dict[str, _Watch] = {}

    def attach(self, sim: Simulator, ca_file: str | None) -> None:
        settings = self.env.settings
        self.ca_file = ca_file
        self.sender = EventSender(
            sim,
            delay=settings.notification_delay,
            timeout=settings.notification_timeout,
            render=_render,
            headers=_headers,
            merge=_merge,
            retry_after=self._retry_after,
            on_result=self._delivered,
            ca_file=ca_file,
        )

    # What happened

    def changed(self, changes: list[Change]) -> None:
        """Queue notifications for what a transaction committed."""
        if not self._watches or self.sender is None:
            return
        self._drop_expired()
        for watch in list(self._watches.values()):
            for change in changes:
                if change.silent or change.set != watch.set or change.company.id != watch.company:
                    continue
                self._queue(watch, change)

    def _queue(self, watch: _Watch, change: Change) -> None:
        assert self.sender is not None
        row = self.env.directory.tables["subscriptions"].get(watch.subscription)
        if row is None:
            return
        now = self.env.clock.now_ns() / 1e9
        if watch.pending == 0:
            watch.first = now
        watch.pending += 1
        entry = {
            "subscriptionId": watch.subscription,
            "clientState": row["clientState"],
            "expirationDateTime": row["expirationDateTime"],
            "resource": f"{self._resource(row)}({change.key})",
            "changeType": change.kind,
            "lastModifiedDateTime": stamp(now),
        }
        if watch.pending < self.env.settings.max_notifications:
            self.sender.put(Event(row["notificationUrl"], entry, f"{watch.subscription}/{change.key}"))
            return
        self.sender.cancel(row["notificationUrl"], lambda e: e["subscriptionId"] != watch.subscription)
        entry["changeType"] = "collection"
        entry["resource"] = self._resource(row)
        if self.env.schema[watch.set].modified:
            since = quote(f"lastModifiedDateTime gt {stamp(watch.first - 0.05)}", safe=":")
            entry["resource"] += f"?$filter={since}"
        self.sender.put(Event(row["notificationUrl"], entry, f"{watch.subscription}/collection"))

    def _resource(self, row: Row) -> str:
        text = str(row["resource"])
        if self.env.settings.notification_leading_slash:
            return text
        return text.lstrip("/")

    def _drop_expired(self) -> None:
        """Expired subscriptions vanish without a word."""
        now = self.env.clock.now_ns() / 1e9
        for row in list(self.env.directory.tables["subscriptions"]):
            if row["$expires"] < now:
                self._forget(row)

    def _forget(self, row: Row) -> None:
        self.env.directory.tables["subscriptions"].delete(row["subscriptionId"])
        self._watches.pop(row["subscriptionId"], None)
        if self.sender is not None:
            gone = row["subscriptionId"]
            self.sender.cancel(row["notificationUrl"], lambda entry: entry["subscriptionId"] != gone)

    def _retry_after(self, attempt: int, status: int | None) -> float | None:
        delays = self.env.settings.retry_delays
        retried = status is None or status in KEEPS or status >= 500
        return delays[attempt - 1] if retried and attempt <= len(delays) else None

    async def _delivered(self, delivery: Delivery) -> None:
        """Success empties the counters; a status that is neither success nor retried ends the subscriptions."""
        told = {entry["subscriptionId"] for entry in delivery.entries}
        ok = delivery.status is not None and 200 <= delivery.status < 300
        retried = delivery.status is None or delivery.status in KEEPS or delivery.status >= 500
        for subscription in told:
            watch = self._watches.get(subscription)
            if watch is not None:
                watch.pending = 0
            row = self.env.directory.tables["subscriptions"].get(subscription)
            if row is not None and not ok and not retried:
                self._forget(row)

    # The subscriptions set

    async def handle(self, call: Call, segments: list[Segment]) -> SubResponse:
        if not self.env.settings.webhooks:
            raise BcError(404, "BadRequest_NotFound", "Resource not found for the segment 'subscriptions'.")
        if len(segments) > 1:
            raise BcError(404, "BadRequest_NotFound", f"Resource not found for the segment '{segments[1].name}'.")
        self._drop_expired()
        table = self.env.directory.tables["subscriptions"]
        entity_set = self.env.schema["subscriptions"]
        if segments[0].key is None:
            if call.method == "GET":
                rows, _, count = self.env.reader.rows(
                    self.env.directory, entity_set, call.options, page=self.env.settings.page_size
                )
                data = self.env.reader.render_rows(self.env.directory, entity_set, rows, call.options, "")
                head: dict[str, Any] = {"@odata.context": f"{self.env.root}/$metadata#subscriptions"}
                if count is not None:
                    head["@odata.count"] = count
                return SubResponse(200, {"content-type": "application/json; odata.metadata=minimal"}, wrap(head, data))
            if call.method == "POST":
                return await self._create(call)
            raise BcError(405, "BadRequest_MethodNotAllowed", f"The method {call.method} is not allowed.")
        row = table.get(string_key(segments[0]))
        if row is None:
            raise no_record("subscriptions", segments[0].key)
        if call.method == "GET":
            return self._answer(row, 200)
        if call.method == "PATCH":
            return await self._renew(call, row)
        if call.method == "DELETE":
            check_tag(self.env, row, call.headers.get("if-match"), needed=True)
            self._forget(row)
            return SubResponse(204)
        raise BcError(405, "BadRequest_MethodNotAllowed", f"The method {call.method} is not allowed.")

    def _answer(self, row: Row, status: int) -> SubResponse:
        shown = {"@odata.context": f"{self.env.root}/$metadata#subscriptions/$entity", "@odata.etag": etag(row["$v"])}
        shown |= {name: row[name] for name in self.env.schema["subscriptions"].properties}
        headers = {"content-type": "application/json; odata.metadata=minimal", "etag": etag(row["$v"])}
        if status == 201:
            headers["location"] = f"{self.env.root}/subscriptions('{row['subscriptionId']}')"
        return SubResponse(status, headers, dumps(shown))

    async def _create(self, call: Call) -> SubResponse:
        settings = self.env.settings
        values, _ = split_body(
            self.env.schema, self.env.schema["subscriptions"], read_json(call), settings, inserting=True
        )
        url, resource = values.get("notificationUrl", ""), values.get("resource", "")
        company, name = self._watched(resource)
        check_url(url)
        table = self.env.directory.tables["subscriptions"]
        if len(table) >= settings.max_subscriptions:
            raise bad_request(f"The maximum number of subscriptions ({settings.max_subscriptions}) has been reached.")
        await self._handshake(url)
        subscription = uuid.UUID(int=next(iter(self.env.companies.values())).rng.getrandbits(128)).hex
        now = self.env.clock.now_ns() / 1e9
        row = table.insert(
            {
                **self.env.schema["subscriptions"].blanks,
                **values,
                "subscriptionId": subscription,
                "userId": USER,
                "timestamp": len(table) + 1,
                "systemCreatedAt": stamp(now),
                "systemCreatedBy": USER,
                **self._fresh(now),
                "$v": 1,
            }
        )
        self._watches[subscription] = _Watch(subscription, company, name)
        return self._answer(row, 201)

    def _fresh(self, now: float) -> dict[str, Any]:
        expires = now + self.env.settings.subscription_days * 86400
        return {
            "lastModifiedDateTime": stamp(now),
            "systemModifiedAt": stamp(now),
            "systemModifiedBy": USER,
            "expirationDateTime": stamp(expires),
            "$expires": expires,
        }

    async def _renew(self, call: Call, row: Row) -> SubResponse:
        check_tag(self.env, row, call.headers.get("if-match"), needed=True)
        values, _ = split_body(
            self.env.schema, self.env.schema["subscriptions"], read_json(call), self.env.settings, inserting=False
        )
        if str(values.get("resource") or row["resource"]).strip("/") != row["resource"].strip("/"):
            raise bad_request("The resource of a subscription cannot be changed.")
        url: str = values.get("notificationUrl") or row["notificationUrl"]
        check_url(url)
        await self._handshake(url)
        now = self.env.clock.now_ns() / 1e9
        table = self.env.directory.tables["subscriptions"]
        changes = {**values, "resource": row["resource"], **self._fresh(now), "$v": row["$v"] + 1}
        return self._answer(table.update(row["subscriptionId"], changes), 200)

    def _watched(self, resource: str) -> tuple[str, str]:
        """(company id, set) of a resource; only sets that can notify."""
        path = urlsplit(resource).path.strip("/")
        tail = path[path.index("companies(") :] if "companies(" in path else ""
        segments = parse_path(tail) if tail else []
        ok = len(segments) == 2 and segments[1].key is None and "api/v2.0" in path
        if not ok:
            raise bad_request(
                f"The resource '{resource}' is not valid: /api/v2.0/companies({{id}})/{{set}} is expected."
            )
        company = self.env.company(guid_key(segments[0]))
        entity_set = self.env.schema.sets.get(segments[1].name)
        if entity_set is None or not entity_set.webhook:
            raise bad_request(f"The resource '{segments[1].name}' does not support change notifications.")
        return company.id, entity_set.name

    async def _handshake(self, url: str) -> None:
        """Ask the receiver to repeat a token; anything else within the time fails the request."""
        token = uuid.uuid4().hex
        settings = self.env.settings
        trust: ssl.SSLContext | bool = True
        if self.ca_file is not None:
            trust = ssl.create_default_context(cafile=self.ca_file)
        joined = f"{url}{'&' if '?' in url else '?'}validationToken={token}"
        failure = BcError(
            settings.handshake_failed_status,
            "BadRequest",
            "The request for the validation token to the notification URL did not succeed.",
        )
        timeout = aiohttp.ClientTimeout(total=settings.handshake_timeout)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=trust)) as session,
                session.request(settings.handshake_method, joined, allow_redirects=False) as answer,
            ):
                text = (await answer.text()).strip()
                if answer.status != 200 or text != token:
                    raise failure
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise failure from error


def check_url(url: str) -> None:
    """https, or http on this machine."""
    parts = urlsplit(url)
    loopback = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not (parts.scheme == "https" or (parts.scheme == "http" and loopback)):
        raise bad_request(f"The notification URL '{url}' is not valid: https is expected.")


def _render(entries: Sequence[dict[str, Any]]) -> bytes:
    return dumps({"value": list(entries)})


def _headers() -> Mapping[str, str]:
    return {"clientRequestId": str(uuid.uuid4()), "x-ms-correlation-id": str(uuid.uuid4())}


def _merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A record created and changed within one delay is told as created."""
    if old["changeType"] == "created" and new["changeType"] == "updated":
        return {**new, "changeType": "created"}
    if old["changeType"] == "collection":
        return old
    return new
