"""Change notifications: subscriptions, the handshake, and what a notification tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from weft.net import json as exact_json
from weft.net.odata.errors import ODataError
from weft.net.odata.rows import Row
from weft.records import Context, Hint, Reply, Request, Subscription
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


async def subscribe(
    ctx: Context, session: BcSession, url: str, current: Sequence[Subscription], objects: Sequence[str]
) -> list[Subscription]:
    """One subscription an object and company; those the environment has for this address are renewed.

    The service calls ``url`` during each request and wants its token back within 5 seconds, so core's
    server must be reachable by then. A subscription lasts 3 days.
    """
    existing = await _existing(session, url)
    result: list[Subscription] = []
    for company in await _companies(session):
        for object in objects:
            path = f"/api/v2.0/companies({company})/{object}"
            row = existing.get((company, object))
            result.append(await _one(session, url, path, company, object, row))
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


async def _companies(session: BcSession) -> list[str]:
    settings = session.settings
    seen = await session.companies()
    named = settings.companies or ([settings.company] if settings.company else [])
    if not named:
        return list(seen)
    wanted = {name.casefold() for name in named}
    return [key for key, title in seen.items() if key.casefold() in wanted or title.casefold() in wanted]


async def _one(session: BcSession, url: str, resource: str, company: str, object: str, row: Row | None) -> Subscription:
    client = session.client
    body = {"notificationUrl": url, "resource": resource}
    with reading():
        if row is not None:
            try:
                renewed = await client.update(
                    "subscriptions", str(row["subscriptionId"]), body, if_match=str(row.get(ETAG) or "*")
                )
                return _told(renewed.row or row, company, object)
            except ODataError as error:
                if not (is_missing(error) or is_stale(error)):
                    raise
        made = await client.create("subscriptions", body)
    return _told(made.row or {}, company, object)


def _told(row: Row, company: str, object: str) -> Subscription:
    return Subscription(
        str(row.get("subscriptionId") or ""),
        object,
        company,
        expires=moment(row.get("expirationDateTime")),
        version=row.get(ETAG),
    )


def notifying(objects: Sequence[str]) -> list[str]:
    """Those that can notify."""
    facts = known_objects()
    return [name for name in dict.fromkeys(objects) if facts.get(name, {}).get("webhook")]


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
