"""Subscriptions, the handshake, notifications."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from weft.errors import ConfigError
from weft.records import Context, Hint, Reply, Request
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


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_subscribe_renew_and_hear_of_a_change(open_bench, receiver, method):
    objects = ["customers", "items"]
    bench = await open_bench(settings={"webhook_objects": objects}, handshake_method=method)
    current = await connector.weft_subscribe(bench.ctx("customer"), bench.session, receiver.url, [])
    companies = len(bench.sim.env.companies)
    assert len(current) == 2 * companies
    assert {s.object for s in current} == {"customers", "items"}
    bench.sim.clock.advance(86400)
    renewed = await connector.weft_subscribe(bench.ctx("customer"), bench.session, receiver.url, current)
    assert {s.id for s in renewed} == {s.id for s in current}
    assert all(new.expires > old.expires for new, old in zip(renewed, current, strict=True))
    row = await bench.command("create", set="customers", values={"displayName": "Told"})
    await bench.command("flush_events")
    assert receiver.hints == [Hint("customers", row["id"], bench.company)]


async def test_one_that_expired_is_made_again(open_bench, receiver):
    bench = await open_bench(settings={"webhook_objects": ["customers"], "company": "CRONUS USA, Inc."})
    [first] = await connector.weft_subscribe(bench.ctx("customer"), bench.session, receiver.url, [])
    bench.sim.clock.advance(4 * 86400)
    [second] = await connector.weft_subscribe(bench.ctx("customer"), bench.session, receiver.url, [first])
    assert second.id != first.id
    assert second.company == bench.company


async def test_by_default_the_mapped_objects_are_watched(open_bench, receiver):
    bench = await open_bench(settings={"company": "CRONUS USA, Inc."})
    found = await connector.weft_subscribe(bench.ctx("customer"), bench.session, receiver.url, [])
    told = {s.object for s in found}
    assert {"customers", "vendors", "items", "salesQuotes", "salesOrders", "salesInvoices"} <= told
    assert "contacts" not in told


async def test_a_receiver_that_is_away_is_told_in_the_systems_words(open_bench, receiver):
    receiver.silent = True
    bench = await open_bench(settings={"webhook_objects": ["customers"], "company": "CRONUS USA, Inc."})
    with pytest.raises(ConfigError, match="validation token"):
        await connector.weft_subscribe(bench.ctx("customer"), bench.session, receiver.url, [])
