"""Pushed notifications: hints, never trusted for more."""

from __future__ import annotations

from typing import Any

from weft.records import Reply, Request, Subscription, Watch
from weft.testing.contract.bench import Bench
from weft.testing.contract.harness import Unsupported
from weft.testing.contract.outcome import Area

area = Area("push")

MALFORMED = (
    b"", b"{", b"[", b"null", b"[]", b"{}", b"0", b'"text"', b"\xff\xfe\x00", b"<html></html>", b"{\"value\": 1}",
    b"{\"value\": [1, null, \"x\", {}, []]}", b"[" * 50_000, b"{\"value\": [{\"resource\": 5}]}", b"x" * 100_000,
)  # fmt: skip


async def _receive(bench: Bench, request: Request) -> Reply:
    if not bench.has("weft_receive"):
        raise Unsupported("the connector has no weft_receive: it finds changes by reading")
    try:
        reply: Any = await bench.plugins.call(bench.harness.kind, "weft_receive", ctx=bench.context(), request=request)
    except Exception as error:
        bench.fail(f"weft_receive raises {type(error).__name__} ({str(error)[:100]}) for {request.body[:60]!r}")
    bench.demand(isinstance(reply, Reply), f"weft_receive answers {type(reply).__name__}, not Reply")
    return reply  # type: ignore[no-any-return]


@area.check
async def notification_is_a_hint(bench: Bench) -> None:
    """A pushed notification is answered with success and gives a hint that names the changed record or its object."""
    await bench.session()
    key = await bench.person_creates()
    reply = await _receive(bench, bench.system.notification(bench.object, key, bench.company))
    bench.demand(200 <= reply.status < 300, f"a genuine notification is answered {reply.status}")
    named = [hint for hint in reply.hints if hint.key in (key, None)]
    bench.demand(named, f"a notification about {key} gives the hints {reply.hints}")


@area.check
async def forged_notification_is_ignored(bench: Bench) -> None:
    """A notification without the secret the two sides share gives no hint."""
    await bench.session()
    key = await bench.person_creates()
    reply = await _receive(bench, bench.system.forged(bench.object, key, bench.company))
    bench.demand(not reply.hints, f"a forged notification gives the hints {reply.hints}")


@area.check
async def handshake_is_answered(bench: Bench) -> None:
    """What a system asks before it pushes anything is answered as it wants it."""
    request, wanted = bench.system.handshake()
    reply = await _receive(bench, request)
    bench.demand(reply.status == 200, f"the handshake is answered {reply.status}")
    bench.demand(reply.body == wanted, f"the handshake wants {wanted!r} and gets {reply.body!r}")
    bench.demand(not reply.hints, "a handshake gives hints")


@area.check
async def malformed_notifications_do_no_harm(bench: Bench) -> None:
    """weft_receive raises for no body whatever: the address is open to everybody."""
    await bench.session()
    for body in MALFORMED:
        for headers in ({}, {"content-type": "application/json"}, {"content-type": "nonsense"}):
            reply = await _receive(bench, Request("POST", {}, headers, body))
            bench.demand(reply.status < 500, f"the body {body[:40]!r} is answered {reply.status}")
    await _receive(bench, Request("GET", {}, {}, b""))


@area.check
async def subscriptions_are_renewed_not_doubled(bench: Bench) -> None:
    """weft_subscribe answers every subscription in force; called again with them, it makes no further ones."""
    if not bench.has("weft_subscribe"):
        raise Unsupported("the connector has no weft_subscribe")
    url = bench.system.push_url()
    session = await bench.session()
    current: list[Subscription] = []
    for attempt in range(3):
        answered: list[Subscription] = await bench.plugins.call(
            bench.harness.kind,
            "weft_subscribe",
            ctx=bench.context(),
            session=session,
            url=url,
            watches=[Watch(bench.object, bench.company)],
            current=current,
        )
        bench.demand(all(isinstance(one, Subscription) for one in answered), "weft_subscribe answers no Subscription")
        ids = {one.id for one in answered}
        bench.demand(len(ids) == len(answered), "weft_subscribe answers a subscription twice")
        if attempt:
            bench.demand(len(ids) == len(current), f"renewing {len(current)} subscriptions leaves {len(ids)}")
        current = answered
    try:
        kept = bench.system.subscriptions()
    except Unsupported:
        return  # what the system keeps cannot be seen; the answers were right
    bench.demand(kept == len(current), f"the connector tells {len(current)} subscriptions, the system keeps {kept}")
