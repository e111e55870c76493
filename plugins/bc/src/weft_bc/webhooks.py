"""Change notifications: subscriptions, the handshake, and what a notification tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from weft.errors import WeftError
from weft.net import json as exact_json
from weft.net.odata.errors import ODataError
from weft.net.odata.rows import Row
from weft.records import Context, Hint, Reply, Request, Subscription, Watch
from weft_bc.describing import known_objects
from weft_bc.failures import is_missing, is_stale, reading
from weft_bc.rows import ETAG
from weft_bc.session import BcSession
from weft_bc.values import moment

_RESOURCE = re.compile(r"companies\((?P<company>[0-9a-fA-F-]{36})\)/(?P<object>\w+)(?:\((?P<key>[0-9a-fA-F-]{36})\))?")
"""The tail of a resource: hosts and leading slashes differ between sources, this part does not."""


def parse_resource(text: str) -> tuple[str, str, str | None] | None:
    """(company, object, key or None) of a resource or notification."""
    every = list(_RESOURCE.finditer(text))
    if not every:
        return None
    found = every[-1]
    return found["company"].lower(), found["object"], found["key"].lower() if found["key"] else None


async def subscribe(ctx: Context, session: BcSession, url: str, watches: Sequence[Watch]) -> list[Subscription]:
    """One subscription a watch. Those that the environment has for this address are kept, and renewed in the second
    half of their time (of 3 days); one that it has dropped is made anew. One that is refused keeps no other from
    being made.

    The service calls ``url`` when one is made or renewed and wants its token back within 5 seconds, so core's
    server must be reachable by then.

    :raises ConfigError, EndpointDown: the first refusal, once the others were asked for.
    """
    existing = await _existing(session, url)
    now = ctx.clock.now()
    result: list[Subscription] = []
    refused: WeftError | None = None
    for watch in notifying(ctx, watches):
        row = existing.get((watch.company.lower(), watch.object))
        if row is not None and _lasts(row, now):
            result.append(_told(row, watch))
            continue
        try:
            result.append(await _one(session, url, watch, row))
        except WeftError as error:
            ctx.log.warning("changes of %s in company %s are not pushed: %s", watch.object, watch.company, error)
            refused = refused or error
    if refused is not None:
        raise refused
    return result


async def _existing(session: BcSession, url: str) -> dict[tuple[str, str], Row]:
    """Asked of the service: one that expired, or was dropped for a refused delivery, vanishes silently."""
    found: dict[tuple[str, str], Row] = {}
    with reading():
        async for page in session.client.pages("subscriptions"):
            for row in page.rows:
                told = parse_resource(str(row.get("resource")))
                if told is not None and row.get("notificationUrl") == url:
                    found[told[0], told[1]] = row
    return found


def _lasts(row: Row, now: datetime) -> bool:
    """More than half of its time is left."""
    made, ends = moment(row.get("lastModifiedDateTime")), moment(row.get("expirationDateTime"))
    return made is not None and ends is not None and ends - now > (ends - made) / 2


async def _one(session: BcSession, url: str, watch: Watch, row: Row | None) -> Subscription:
    client = session.client
    body = {"notificationUrl": url, "resource": f"/api/v2.0/companies({watch.company})/{watch.object}"}
    with reading():
        if row is not None:
            try:
                renewed = await client.update(
                    "subscriptions", str(row["subscriptionId"]), body, if_match=str(row.get(ETAG) or "*")
                )
                return _told(renewed.row or row, watch)
            except ODataError as error:
                if not (is_missing(error) or is_stale(error)):
                    raise
        made = await client.create("subscriptions", body)
    return _told(made.row or {}, watch)


def _told(row: Row, watch: Watch) -> Subscription:
    return Subscription(
        str(row.get("subscriptionId") or ""),
        watch.object,
        watch.company,
        expires=moment(row.get("expirationDateTime")),
        version=row.get(ETAG),
    )


def notifying(ctx: Context, watches: Sequence[Watch]) -> list[Watch]:
    """Those of objects that can notify; the others are found by reading."""
    facts = known_objects()
    able = [one for one in watches if facts.get(one.object, {}).get("webhook")]
    others = sorted({one.object for one in watches} - {one.object for one in able})
    if others:
        ctx.log.info("Business Central pushes no changes of %s: they are found by the schedule", ", ".join(others))
    return able


def receive(ctx: Context, request: Request) -> Reply:
    """The handshake is answered with its token; a notification with 200 and what it says changed.

    Any answer but 2xx, 408, 429 or 5xx makes the service drop the subscription, so entries that make
    no sense are skipped with a warning instead of being refused.
    """
    token = next((v for k, v in request.query.items() if k.lower() == "validationtoken"), None)
    if token is not None:
        return Reply(body=token.encode())
    try:
        document: Any = exact_json.loads(request.body)
        entries = document["value"]
        if not isinstance(entries, list):
            raise TypeError("`value` is no list")
    except (ValueError, KeyError, TypeError) as error:
        ctx.log.warning("a notification that cannot be read: %s", error)
        return Reply(status=400, body=b"not a notification of Business Central")
    hints: dict[Hint, None] = {}
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        told = parse_resource(str(resource)) if resource else None
        if told is None:
            ctx.log.warning("a notification about an unknown resource: %r", resource)
            continue
        company, object, key = told
        hints[Hint(object, None if entry.get("changeType") == "collection" else key, company)] = None
    return Reply(hints=tuple(hints))
