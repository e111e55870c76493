"""Pushes: who may knock, what is kept of it; subscriptions that are made, renewed and made anew."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from weft import hookimpl
from weft.errors import ConfigError, EndpointDown
from weft.jobs.hooks import LONGEST, Receiver, Refused
from weft.jobs.subscriptions import Subscriber
from weft.records import Hint, Reply, Request, Subscription, Watch
from weft.testing.memory import MemorySystem

SECRET, OLD = "0123456789abcdef-new", "0123456789abcdef-old"
HOOKS = f"""
webhooks:
  crm: {{secret: {SECRET}, previous: {OLD}}}
"""


class Pushing(MemorySystem):
    """Tells of changes, wherever it was asked to."""

    subscribed: list[str]
    watches: list[Watch]
    broken = False
    meanwhile: Callable[[], Awaitable[None]] | None = None
    """What happens while it is subscribed to."""

    @hookimpl
    async def weft_receive(self, request: Request) -> Reply:
        if self.broken:
            raise RuntimeError("a defect")
        try:
            told = json.loads(request.body)
        except ValueError:
            return Reply(status=400, body=b"not JSON")
        return Reply(body=b"thanks", hints=tuple(Hint(**one) for one in told))

    @hookimpl
    async def weft_subscribe(self, ctx: Any, url: str, watches: Sequence[Watch]) -> list[Subscription]:
        if self.down is not None:
            raise EndpointDown(self.down)
        self.watches = list(watches)
        self.subscribed.append(url)
        if self.meanwhile is not None:
            await self.meanwhile()
        return [Subscription(f"s{len(self.subscribed)}", "Accounts", expires=ctx.clock.now() + timedelta(days=3))]


@pytest.fixture
def pushing(pair: Any) -> Any:
    pair.crm = Pushing(list(pair.crm.objects.values()), CRM_MAPS, title="CRM")
    pair.crm.subscribed = []
    pair.configure("every: 1h}", "on: webhook}")
    pair.config += HOOKS
    return pair


CRM_MAPS = """
entity: customer
object: Accounts
key: [Id]
match: [[tax_id]]
fields: {Name: name, Tax: tax_id, ErpNumber: number}
"""


def push(*told: dict[str, Any], method: str = "POST", body: bytes | None = None) -> Request:
    return Request(method, {}, {}, json.dumps(told).encode() if body is None else body)


async def test_a_push_is_carried_to_the_other_side(pushing: Any, until: Any) -> None:
    key = pushing.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pushing.working() as daemon:
        receiver = Receiver(daemon.runtime, daemon.wake)
        await until(lambda: pushing.names() == ["Adatum"] and not daemon._active)
        pushing.crm.edit("Accounts", key, Name="Adatum AG")
        reply = await receiver.receive("crm", SECRET, push({"object": "Accounts", "key": key}))
        assert (reply.status, reply.body) == (200, b"thanks")
        await until(lambda: pushing.names() == ["Adatum AG"])
        for secret in (OLD, SECRET):  # replayed, and with the secret before
            await receiver.receive("crm", secret, push({"object": "Accounts", "key": key}))
        await until(lambda: not daemon._active)
        assert pushing.names() == ["Adatum AG"]
        assert len(pushing.erp.writes) == 2


async def test_what_is_forged_oversized_or_malformed_is_refused(pushing: Any) -> None:
    async with pushing.runtime() as runtime:
        receiver = Receiver(runtime)
        good = push({"object": "Accounts", "key": "A1"})
        flood = push(*({"object": "Accounts", "key": f"A{n}"} for n in range(5001)))
        for connection, secret, request, status in (
            ("crm", "0123456789abcdef-bad", good, 404),
            ("crm", "", good, 404),
            ("erp", SECRET, good, 404),
            ("nobody", SECRET, good, 404),
            ("crm", SECRET, push(method="DELETE"), 405),
            ("crm", SECRET, push(body=b"x" * (LONGEST + 1)), 413),
            ("crm", SECRET, flood, 413),
        ):
            with pytest.raises(Refused) as refused:
                await receiver.receive(connection, secret, request)
            assert refused.value.status == status
            assert SECRET not in str(refused.value)
        assert (await receiver.receive("crm", SECRET, push(body=b"<xml/>"))).status == 400
        pushing.crm.broken = True
        with pytest.raises(Refused) as refused:
            await receiver.receive("crm", SECRET, good)
        assert refused.value.status == 500
        assert await runtime.state.read(lambda tx: tx.hints.counts()) == {}
        pushing.crm.broken = False
        await receiver.receive("crm", SECRET, push({"object": "Unknown", "key": "1"}))
        assert await runtime.state.read(lambda tx: tx.hints.counts()) == {}
        runtime.state.close()
        with pytest.raises(Refused) as refused:
            await receiver.receive("crm", SECRET, good)
        assert refused.value.status == 503


async def test_a_secret_that_is_easily_guessed_is_refused(pushing: Any) -> None:
    pushing.configure(f"secret: {SECRET}", "secret: short")
    async with pushing.runtime() as runtime:
        with pytest.raises(ConfigError, match=r"weft.yaml:.*webhooks\.crm\.secret has 5 characters"):
            Receiver(runtime)


async def test_a_flow_that_does_not_listen_gets_no_hints(pushing: Any) -> None:
    pushing.configure("on: webhook}", "every: 1h}")
    async with pushing.runtime() as runtime:
        await Receiver(runtime).receive("crm", SECRET, push({"object": "Accounts", "key": "A1"}))
        assert await runtime.state.read(lambda tx: tx.hints.counts()) == {}


async def test_subscriptions_are_made_renewed_and_moved(pushing: Any) -> None:
    url = f"https://weft.example.com/hooks/crm/{SECRET}"
    async with pushing.runtime() as runtime:
        subscriber = Subscriber(runtime, "https://weft.example.com")
        await subscriber.look()
        await subscriber.look()
        assert (pushing.crm.subscribed, pushing.crm.watches) == ([url], [Watch("Accounts")])
        stored = await runtime.state.read(lambda tx: str(tx.subscriptions.told("crm")))
        assert SECRET not in stored
        pushing.clock.forward(days=2, hours=1)
        again = Subscriber(runtime, "https://weft.example.com")  # as after a restart
        await again.look()
        assert len(pushing.crm.subscribed) == 2
        await Subscriber(runtime, "https://other.example.com").look()
        assert pushing.crm.subscribed[-1].startswith("https://other.example.com/")
        await runtime.state.write(
            lambda tx: tx.requests.put("customers", "subscribe", by="kim", at=pushing.clock.now())
        )
        await again.look()
        assert len(pushing.crm.subscribed) == 4
        assert await runtime.state.read(lambda tx: tx.requests.waiting()) == []

        async def ask() -> None:
            now = pushing.clock.now()
            await runtime.state.write(lambda tx: tx.requests.put("customers", "subscribe", by="kim", at=now))

        await ask()
        pushing.crm.meanwhile = ask
        await again.look()
        assert len(await runtime.state.read(lambda tx: tx.requests.waiting())) == 1  # it came too late for this time


async def test_of_two_workers_the_one_that_failed_learns_that_the_other_has_subscribed(pushing: Any) -> None:
    async with pushing.runtime() as runtime:
        failed = Subscriber(runtime, "https://weft.example.com")
        await runtime.session("crm")
        pushing.crm.down = "closed for maintenance"
        await failed.look()
        pushing.crm.down = None
        await Subscriber(runtime, "https://weft.example.com").look()
        failed._tried.clear()
        await failed.look()
        assert (failed.problems, len(pushing.crm.subscribed)) == ({}, 1)


async def test_each_hour_the_system_is_asked_whether_it_still_has_them(pushing: Any) -> None:
    async with pushing.runtime() as runtime:
        for minutes, asked in ((0, 1), (50, 1), (20, 2), (-300, 3)):  # the clock may be set back, too
            pushing.clock.forward(minutes=minutes)
            for _ in range(2):
                await Subscriber(runtime, "https://weft.example.com").look()
            assert len(pushing.crm.subscribed) == asked


async def test_a_connection_that_is_written_wrongly_is_told_by_name(pushing: Any) -> None:
    pushing.config = pushing.config.replace("{kind: memcrm}", "{kind: memcrm, nonsense: 1}")
    async with pushing.runtime() as runtime:
        subscriber = Subscriber(runtime, "https://weft.example.com")
        await subscriber.look()
    assert "connections.crm.nonsense" in subscriber.problems["crm"]


async def test_what_is_read_from_now_on_is_subscribed_to_at_once(pushing: Any) -> None:
    for name in ("Accounts", "Partners"):
        pushing.config += f"mappings: {{crm: {{customer: {{default: {{object: {name}}}}}}}}}\n"
        async with pushing.runtime() as runtime:
            await Subscriber(runtime, "https://weft.example.com").look()
        assert pushing.crm.watches == [Watch(name)]
        pushing.config = pushing.config[: pushing.config.rindex("mappings:")]


async def test_a_subscription_that_fails_is_told_and_tried_again(pushing: Any) -> None:
    async with pushing.runtime() as runtime:
        subscriber = Subscriber(runtime, "https://weft.example.com")
        await runtime.session("crm")
        pushing.crm.down = "closed for maintenance"
        await subscriber.look()
        assert subscriber.problems == {"crm": "closed for maintenance"}
        pushing.crm.down = None
        await subscriber.look()
        assert pushing.crm.subscribed == []  # not at once
        subscriber._tried.clear()
        await subscriber.look()
        assert (subscriber.problems, len(pushing.crm.subscribed)) == ({}, 1)
        without = Subscriber(runtime, None)
        await without.look()
        assert "server.public_url is not set" in without.problems["crm"]
