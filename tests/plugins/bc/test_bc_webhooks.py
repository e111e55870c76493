"""Subscriptions, the handshake, notifications."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from weft.errors import ConfigError, WeftError
from weft.records import Context, Hint, Reply, Request, Watch
from weft_bc import connector

COMPANY = "5d115c9c-44e3-ea11-bb43-000d3a2feca1"
KEY = "deb5d1ae-5f2d-4e11-9d7a-c7a99d93534b"


def ctx() -> Context:
    return Context(kind="bc", connection="erp", settings=None, clock=None, log=logging.getLogger("weft.erp"))


async def receive(*entries: dict, body: bytes | None = None, **query: str) -> Reply:
    content = json.dumps({"value": list(entries)}).encode() if body is None else body
    return await connector.weft_receive(ctx(), Request("POST", query, {}, content))


async def test_the_handshake_returns_the_bare_token():
    reply = await receive(body=b"", validationToken="a b+c")
    assert (reply.status, reply.body, reply.hints) == (200, b"a b+c", ())


@pytest.mark.parametrize("host", ["", "/", "https://api.businesscentral.dynamics.com/v2.0/production/"])
async def test_notifications_become_hints(host):
    resource = f"{host}api/v2.0/companies({COMPANY})/customers({KEY})"
    since = "$filter=lastModifiedDateTime%20gt%202024-01-01T00:00:00Z"
    reply = await receive(
        {"changeType": "updated", "resource": resource},
        {"changeType": "deleted", "resource": resource},
        {"changeType": "collection", "resource": f"api/v2.0/companies({COMPANY})/items?{since}"},
    )
    assert reply.status == 200
    assert reply.hints == (Hint("customers", KEY, COMPANY), Hint("items", None, COMPANY))


async def test_an_odd_entry_does_not_cost_the_subscription():
    reply = await receive({"resource": "nonsense"}, {"changeType": "updated"})
    assert (reply.status, reply.hints) == (200, ())
    assert (await receive(body=b"<html>")).status == 400
    assert (await receive(body=b'{"value": 5}')).status == 400


@dataclass
class Receiver:
    url: str
    hints: list[Hint] = field(default_factory=list)
    silent: bool = False


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """What core's server does: hands the request to the hook and answers as told."""
    here = Receiver("")

    async def handle(request: web.Request) -> web.Response:
        if here.silent:
            return web.Response(status=500)
        given = Request(request.method, dict(request.query), {}, await request.read())
        reply = await connector.weft_receive(ctx(), given)
        here.hints += reply.hints
        return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)

    app = web.Application()
    app.router.add_route("*", "/hook", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    here.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield here
    await runner.cleanup()


@dataclass
class Later:
    """weft's clock, which the simulator's is moved along with."""

    days: float = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self.days)


def watching(bench: Any, *objects: str) -> list[Watch]:
    return [Watch(name, bench.company) for name in objects or ("customers",)]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_subscribe_keep_renew_and_hear_of_a_change(open_bench, receiver, method):
    bench = await open_bench(handshake_method=method)
    wanted = [Watch(name, company) for company in bench.sim.env.companies for name in ("customers", "items")]
    clock = Later()
    ctx = replace(bench.ctx("customer"), clock=clock)
    made = await connector.weft_subscribe(ctx, bench.session, receiver.url, wanted)
    assert [(s.object, s.company) for s in made] == [(one.object, one.company) for one in wanted]
    bench.sim.clock.advance(86400)
    clock.days += 1
    assert await connector.weft_subscribe(ctx, bench.session, receiver.url, wanted) == made
    bench.sim.clock.advance(86400)
    clock.days += 1
    renewed = await connector.weft_subscribe(ctx, bench.session, receiver.url, wanted)
    assert {s.id for s in renewed} == {s.id for s in made}
    assert all(new.expires > old.expires for new, old in zip(renewed, made, strict=True))
    row = await bench.command("create", set="customers", values={"displayName": "Told"})
    await bench.command("flush_events")
    assert receiver.hints == [Hint("customers", row["id"], bench.company)]


async def test_one_that_expired_or_was_dropped_is_made_again(open_bench, receiver):
    bench = await open_bench()
    ctx = bench.ctx("customer")
    [first] = await connector.weft_subscribe(ctx, bench.session, receiver.url, watching(bench))
    bench.sim.clock.advance(4 * 86400)
    [second] = await connector.weft_subscribe(ctx, bench.session, receiver.url, watching(bench))
    assert second.id != first.id
    assert second.company == bench.company
    await bench.session.client.delete("subscriptions", second.id, if_match="*")
    [third] = await connector.weft_subscribe(ctx, bench.session, receiver.url, watching(bench))
    assert third.id not in (first.id, second.id)


async def test_what_cannot_notify_is_left_to_the_schedule(open_bench, receiver):
    bench = await open_bench()
    wanted = watching(bench, "contacts", "vendors", "salesOrderLines")
    found = await connector.weft_subscribe(bench.ctx("customer"), bench.session, receiver.url, wanted)
    assert [s.object for s in found] == ["vendors"]


async def test_one_that_is_refused_keeps_no_other_from_being_made(open_bench, receiver):
    bench = await open_bench(max_subscriptions=2)
    wanted = watching(bench, "customers", "vendors", "items")
    with pytest.raises(WeftError, match="maximum number of subscriptions"):
        await connector.weft_subscribe(bench.ctx("customer"), bench.session, receiver.url, wanted)
    with pytest.raises(WeftError, match="maximum number of subscriptions"):
        await connector.weft_subscribe(bench.ctx("customer"), bench.session, receiver.url, wanted[::-1])
    made = bench.sim.env.directory.tables["subscriptions"]
    assert len(made) == 2


async def test_a_receiver_that_is_away_is_told_in_the_systems_words(open_bench, receiver):
    receiver.silent = True
    bench = await open_bench()
    with pytest.raises(ConfigError, match="validation token"):
        await connector.weft_subscribe(bench.ctx("customer"), bench.session, receiver.url, watching(bench))
