"""No record is worked on twice at once, and nothing is decided with values read too early."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest

from weft import around
from weft.net import fence
from weft.records import Hint
from weft.runtime import Runtime
from weft.state.issues import Issue
from weft.state.links import Link
from weft.state.workers import LeaseLost
from weft.sync.cycle import run_flow
from weft.sync.flow import build
from weft.sync.run import Run
from weft.sync.settle import Settlement

Act = Callable[[Runtime], Awaitable[None]]


class Meanwhile:
    """Once in a bulk run, after a read of one mode was answered or before something is written, something else
    happens. Use as the context of the runtime that does both."""

    def __init__(self, world: Any, act: Act, *, read: str = "") -> None:
        self.world, self.act, self.mode = world, act, read
        self.done = False
        self.wrapper = self._around_read() if read else self._around_write()
        world.extra["meanwhile"] = self  # a plugin that only wraps

    async def run(self) -> Any:
        async with self.world.runtime() as self.runtime:
            report = await run_flow(self.runtime, "customers")
        assert not report.error, report.error
        assert self.done
        return report

    async def _now(self, due: bool) -> None:
        if due and not self.done:
            self.done = True
            await self.act(self.runtime)

    def _around_read(self) -> Any:
        @around("read", kind="memcrm")
        async def wrapper(call: Any, ctx: Any, query: Any) -> AsyncIterator[Any]:
            pages = [page async for page in call()]
            await self._now(ctx.lane == "bulk" and query.mode == self.mode)
            for page in pages:
                yield page

        return wrapper

    def _around_write(self) -> Any:
        @around("write", kind="memerp")
        async def wrapper(call: Any, ctx: Any) -> AsyncIterator[Any]:
            await self._now(ctx.lane == "bulk")
            async for outcome in call():
                yield outcome

        return wrapper


async def hint(runtime: Runtime, connection: str, object_name: str, key: str) -> None:
    now = runtime.clock.now()
    await runtime.state.write(lambda tx: tx.hints.put_many("customers", connection, [Hint(object_name, key)], now))


async def live(runtime: Runtime) -> Any:
    report = await run_flow(runtime, "customers", mode="hints", lane="live")
    assert not report.error, report.error
    return report


async def settled(world: Any) -> None:
    """Nothing is left to be looked at."""
    world.clock.forward(seconds=2)
    await world.sync("customers")
    assert await world.ask(lambda tx: tx.hints.counts()) == {}


async def test_a_page_does_not_decide_with_values_older_than_the_base(world: Any) -> None:
    """A bulk pass has read a record; before it goes on, a person changes it and a live run settles that. The pass
    took its old value for the newer one, and carried it to the other side."""
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1", Limit=Decimal(1))
    await world.sync("customers")
    world.crm.edit("Accounts", key, Limit=Decimal(2))

    async def act(runtime: Runtime) -> None:
        world.crm.edit("Accounts", key, Limit=Decimal(3))
        await hint(runtime, "crm", "Accounts", key)
        assert (await live(runtime)).counts["updated"] == 1

    report = await Meanwhile(world, act, read="changes").run()
    assert report.counts["postponed"] == 1
    assert [item.data["creditLimit"] for item in world.erp.writes[1:]] == [Decimal(3)]
    await settled(world)
    assert [row["creditLimit"] for row in world.erp.rows("customers").values()] == [Decimal(3)]
    assert world.crm.rows("Accounts")[key]["Limit"] == Decimal(3)


async def test_a_link_that_appeared_since_the_read_makes_no_second_record(world: Any) -> None:
    await world.sync("customers")
    key = world.crm.put("Accounts", Name="Adatum")  # no match value: nothing but the link tells

    async def act(runtime: Runtime) -> None:
        await hint(runtime, "crm", "Accounts", key)
        assert (await live(runtime)).counts["created"] == 1

    await Meanwhile(world, act, read="changes").run()
    assert len(world.erp.rows("customers")) == 1
    await settled(world)


async def test_a_record_deleted_since_the_read_does_not_come_back(world: Any) -> None:
    world.configure("owner: crm}", "owner: crm, deletes: delete}")
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    await world.sync("customers")
    world.crm.edit("Accounts", key, Name="Adatum AG")

    async def act(runtime: Runtime) -> None:
        world.crm.remove("Accounts", key)
        await hint(runtime, "crm", "Accounts", key)
        await live(runtime)
        assert world.erp.rows("customers") == {}

    await Meanwhile(world, act, read="changes").run()
    assert (world.erp.rows("customers"), world.crm.rows("Accounts")) == ({}, {})
    await settled(world)


@pytest.mark.parametrize("connection", ["crm", "erp"])
async def test_a_record_that_is_being_written_is_left_alone(world: Any, connection: str) -> None:
    """Whichever end the second one comes from; what it was to look at is not forgotten."""
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1", Limit=Decimal(1))
    await world.sync("customers")
    [far] = world.erp.rows("customers")
    world.crm.edit("Accounts", key, Limit=Decimal(2))

    async def act(runtime: Runtime) -> None:
        at = ("Accounts", key) if connection == "crm" else ("customers", far)
        await hint(runtime, connection, *at)
        report = await live(runtime)
        assert report.counts == {"postponed": 1}
        [waiting] = await runtime.state.read(lambda tx: tx.hints.peek("customers"))
        assert waiting.not_before is not None

    await Meanwhile(world, act).run()
    assert len(world.erp.writes) == 2
    await settled(world)


async def test_what_somebody_is_at_for_long_is_looked_at_less_often(world: Any) -> None:
    """A pass of an hour had all its records looked at three times a second."""
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1", Limit=Decimal(1))
    await world.sync("customers")
    world.crm.edit("Accounts", key, Limit=Decimal(2))

    async def act(runtime: Runtime) -> None:
        await hint(runtime, "crm", "Accounts", key)
        waits = []
        for _ in range(3):
            assert (await live(runtime)).counts == {"postponed": 1}
            [waiting] = await runtime.state.read(lambda tx: tx.hints.peek("customers"))
            waits.append(round((waiting.not_before - runtime.clock.now()).total_seconds(), 1))
            world.clock.forward(seconds=10)
        assert waits == [0.3, 2.5, 5.0]

    await Meanwhile(world, act).run()
    await settled(world)


async def test_two_duplicates_that_come_in_at_once_see_each_other(world: Any) -> None:
    """Each looked for a counterpart before the other's was made, and both were created."""
    await world.sync("customers")
    world.crm.put("Accounts", Name="Adatum", Tax="DE1")

    async def act(runtime: Runtime) -> None:
        second = world.crm.put("Accounts", Name="Adatum", Tax="DE1")
        await hint(runtime, "crm", "Accounts", second)
        assert (await live(runtime)).counts == {"postponed": 1}

    await Meanwhile(world, act).run()
    world.clock.forward(seconds=2)
    await world.sync("customers")
    assert len(world.erp.rows("customers")) == 1
    assert [issue.kind for issue in await world.issues()] == ["ambiguous"]


async def test_a_live_run_does_not_wait_for_a_bulk_pass(world: Any) -> None:
    first, second = (world.crm.put("Accounts", Name=name, Tax=name) for name in ("Adatum", "Contoso"))
    await world.sync("customers")
    world.crm.edit("Accounts", first, Limit=Decimal(2))

    async def act(runtime: Runtime) -> None:
        world.crm.edit("Accounts", second, Limit=Decimal(5))
        await hint(runtime, "crm", "Accounts", second)
        report = await asyncio.wait_for(live(runtime), 20)
        assert report.counts["updated"] == 1

    report = await Meanwhile(world, act).run()
    assert report.counts["updated"] == 1
    await settled(world)


async def test_claims_are_given_back_whatever_happens(world: Any) -> None:
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    await world.sync("customers")
    async with world.runtime() as runtime:
        for effect in ("down", "crash", "reject"):
            world.crm.edit("Accounts", key, Name=effect)
            world.erp.fail(effect, on="write")
            await run_flow(runtime, "customers")
        world.crm.edit("Accounts", key, Name="Adatum AG")
        world.clock.forward(hours=1)
        report = await run_flow(runtime, "customers")
        assert "postponed" not in report.counts
    assert [row["displayName"] for row in world.erp.rows("customers").values()] == ["Adatum AG"]


async def test_a_pass_hands_its_records_over_to_idle_workers(world: Any) -> None:
    keys = [world.crm.put("Accounts", Name=f"Customer {n}", Tax=f"DE{n}") for n in range(30)]
    await world.sync("customers")
    for key in keys:
        world.crm.edit("Accounts", key, Phone="7")
    async with world.runtime() as runtime:
        runtime.helpers = 1
        handed = await run_flow(runtime, "customers")
        # Nobody helped in the end: the pass did it itself, after its cursor was stored.
        assert (handed.counts["handed over"], handed.counts["updated"]) == (30, 30)
        for key in keys:
            world.crm.edit("Accounts", key, Phone="8")
        helper = asyncio.create_task(run_flow(runtime, "customers", mode="hints", lane="bulk"))
        await run_flow(runtime, "customers")
        await helper
    assert {row["phoneNumber"] for row in world.erp.rows("customers").values()} == {"8"}
    await settled(world)


async def test_a_wait_that_is_stored_with_the_link_it_waits_for_is_woken(world: Any) -> None:
    """Two workers settle at the same moment, a parent and its child: neither saw what the other one stored."""
    if world.state_url.startswith("sqlite"):
        pytest.skip("has one writer at a time")
    async with world.runtime() as runtime, world.runtime() as other:
        parent = Settlement(Run(other, await build(other, "customers"), "changes"))
        child = Settlement(Run(runtime, await build(runtime, "orders"), "changes"))
        now = runtime.clock.now()
        parent.new_links.append(Link("customer", "crm", "Accounts", "A1", "erp", "customers", "C1", now, now))
        waits = {"waits_entity": "customer", "waits_connection": "crm", "waits_key": "A1"}
        child.put_issue(Issue("orders", "sales_order", "waiting", now, now, "left", "crm", key="O1", **waits))
        child.waits.append(("customer", "crm", "erp", "A1"))
        stored, committed = threading.Event(), threading.Event()

        def store(tx: Any) -> None:
            child._store(tx)
            stored.set()
            committed.wait(0.5)

        async def settle_parent() -> None:
            await asyncio.to_thread(stored.wait, 30)
            await other.state.write(parent._store)
            committed.set()

        await asyncio.gather(runtime.state.write(store), settle_parent())
        [issue] = await runtime.state.read(lambda tx: tx.issues.due(now + timedelta(minutes=1)))
        assert issue.key == "O1"


async def test_a_claim_that_was_cut_off_is_not_kept(world: Any) -> None:
    """Nobody knew of it any more, and so nobody gave it back."""
    async with world.runtime() as runtime:
        claims = runtime.state.claims

        async def take(place: str, look: Any = lambda tx: None) -> set[str]:
            got, _ = await claims.take(lambda tx: {place: {place}}, look)
            return set(got)

        async def under_way(place: str) -> tuple[asyncio.Task[set[str]], threading.Event]:
            began, may = threading.Event(), threading.Event()
            task = asyncio.create_task(take(place, lambda tx: (began.set(), may.wait(30))))
            await asyncio.to_thread(began.wait, 30)
            return task, may

        cut, may = await under_way("a")
        cut.cancel()
        may.set()
        await asyncio.gather(cut, return_exceptions=True)
        other, may = await under_way("b")
        first = await take("a")  # beside another one it is not certain whose it is
        may.set()
        assert await other == {"b"}
        assert first | await take("a") == {"a"}


async def test_a_write_is_asked_about_until_it_leaves(world: Any) -> None:
    """Whatever a connector waits for after it has asked: a request that goes out later is asked about again."""
    if world.state_url.startswith("sqlite"):
        pytest.skip("nobody takes over")
    left: list[str] = []

    @around("write", kind="memerp")
    async def write(call: Any) -> AsyncIterator[Any]:
        running[0].membership.lost.set()
        await fence.passed()
        left.append("sent")
        async for outcome in call():
            yield outcome

    world.extra["taken"] = ModuleType("taken")
    world.extra["taken"].write = write
    world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with world.runtime() as runtime:
        running = [runtime]
        with pytest.raises(LeaseLost):
            await run_flow(runtime, "customers")
    assert left == []
