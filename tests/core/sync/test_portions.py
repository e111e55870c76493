"""A first load that several workers share: the same outcome as that of one, whoever fails."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from weft import around
from weft.errors import ConfigError, StateError
from weft.model.values import EMPTY, Ref
from weft.records import Canonical, Record, Target
from weft.runtime import Runtime
from weft.state.portions import Portion, Portions
from weft.state.workers import Lease
from weft.sync import first as staging
from weft.sync import portions
from weft.sync.cycle import Report, run_flow
from weft.sync.identify import Candidates
from weft.sync.work import Caught

SIZE = 10


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "SIZE", SIZE)
    monkeypatch.setattr(portions, "LOOK", 0.01)
    monkeypatch.setattr(portions, "MOST", 2)  # the others are left to whoever comes


class Wraps:
    """A plugin that only wraps: writes to the ERP take a moment, so that everybody gets some, and one record there
    is that cannot be mapped."""

    def __init__(self, defect: str = "") -> None:
        self.defect = defect

        @around("write", kind="memerp")
        async def writes(call: Any, ctx: Any) -> AsyncIterator[Any]:
            await asyncio.sleep(0.05)
            async for outcome in call():
                yield outcome

        @around("map", kind="memerp")
        async def maps(call: Any, direction: str, records: Any) -> Any:
            if direction == "out" and any(one.fields.get("name") == self.defect for one in records):
                raise ConfigError("a defect of the connector")
            return await call()

        self.wrappers = writes
        self.maps = maps


@asynccontextmanager
async def workers(world: Any) -> AsyncIterator[tuple[Runtime, Runtime]]:
    """Two workers that know of each other; on SQLite there is but one."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(world.runtime())
        one = world.state_url.startswith("sqlite")
        second = first if one else await stack.enter_async_context(world.runtime())
        first.others = second.others = 1
        yield first, second


async def load(world: Any, first: Runtime, second: Runtime) -> tuple[Report, list[Report]]:
    """The first load on one worker while the other one lends a hand."""
    task = asyncio.create_task(run_flow(first, "customers"))
    helped = []
    while not task.done():
        if await second.state.read(lambda tx: tx.portions.ready()):
            helped.append(await run_flow(second, "customers", mode="portions"))
        await asyncio.sleep(0.01)
    return await task, helped


async def test_a_first_load_is_shared(world: Any) -> None:
    for n in range(120):
        world.crm.put("Accounts", Name=f"A{n}", Tax=f"DE{n}")
    for n in range(100, 130):  # twenty are on both sides, ten on the right alone
        world.erp.put("customers", displayName=f"A{n}", taxNumber=f"DE{n}")
    for name in ("Twin", "Twin & Co"):
        world.crm.put("Accounts", Name=name, Tax="DE-T")
    world.erp.put("customers", displayName="Twin", taxNumber="DE-T")
    world.extra["wraps"] = Wraps()
    async with workers(world) as (first, second):
        report, helped = await load(world, first, second)
    assert (report.error, [one.error for one in helped if one.error]) == ("", [])
    total = report.counts["created"] + sum(one.counts.get("created", 0) for one in helped)
    assert total == 110
    assert 0 < total - report.counts["created"] <= report.counts["handed over"]
    assert sorted(row["taxNumber"] for row in world.erp.rows("customers").values()) == sorted(
        [f"DE{n}" for n in range(130)] + ["DE-T"]
    )
    assert len(world.crm.rows("Accounts")) == 132
    # Both twins were staged: none is guessed to be the one, whoever looked at them.
    assert [issue.kind for issue in await world.issues()] == ["ambiguous"] * 3
    assert await world.ask(lambda tx: (tx.portions.ready(), len(tx.cursors.all("customers")))) == ({}, 2)
    [again] = await world.sync("customers", sweep=True)
    assert not {"created", "updated"} & again.counts.keys()


async def test_what_one_worker_fails_at_is_for_the_one_who_staged_it(world: Any) -> None:
    """Its failure is that of the load: no cursor is stored, and a next try goes on."""
    for n in range(60):
        world.crm.put("Accounts", Name=f"A{n}", Tax=f"DE{n}")
    world.extra["wraps"] = wraps = Wraps("A35")
    async with workers(world) as (first, second):
        report, _ = await load(world, first, second)
        assert (report.state, "a defect of the connector" in report.error) == ("failed", True)
        assert await first.state.read(lambda tx: (tx.portions.ready(), tx.cursors.all("customers"))) == ({}, [])
        wraps.defect = ""
        report, _ = await load(world, first, second)
    assert report.error == ""
    assert sorted(row["taxNumber"] for row in world.erp.rows("customers").values()) == sorted(
        f"DE{n}" for n in range(60)
    )


async def test_a_page_that_comes_after_the_work_has_ended_does_not_wait_for_ever(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the database goes away while one page is looked after and another is being offered."""
    monkeypatch.setattr(staging, "PAGE", 20)
    world.configure("owner: crm}", "owner: crm, batch: 20}")
    offer, calls = portions.Shared.bring, list[Any]()

    async def away(shared: Any) -> None:
        raise StateError("the database is away")

    async def late(shared: Any, staged: Any) -> None:
        calls.append(staged)
        if len(calls) > 1:
            while shared._task is None or not shared._task.done():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        await offer(shared, staged)

    for n in range(60):
        world.crm.put("Accounts", Name=f"A{n}", Tax=f"DE{n}")
    async with workers(world) as (runtime, _):
        with monkeypatch.context() as broken:
            broken.setattr(portions.Shared, "_look", away)
            broken.setattr(portions.Shared, "bring", late)
            async with asyncio.timeout(30):
                report = await run_flow(runtime, "customers")
        assert (report.state, report.error) == ("failed", "the database is away")
        for _ in range(2):  # what was cut off on its way is in doubt for a while
            report = await run_flow(runtime, "customers")
            assert report.error == ""
            world.clock.forward(seconds=10)
    assert len(world.erp.rows("customers")) == 60


async def test_a_page_that_is_offered_meanwhile_is_not_taken_for_done(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database is asked what is left, another page is offered: the answer knows nothing of that one."""
    monkeypatch.setattr(staging, "PAGE", 20)
    world.configure("owner: crm}", "owner: crm, batch: 20}")
    world.extra["wraps"] = Wraps()
    offer, left = portions.Shared.bring, Portions.left
    shares, looking, answered = list[Any](), threading.Event(), threading.Event()

    async def second(shared: Any, staged: Any) -> None:
        shares.append(shared)
        if len(shares) > 1:
            await asyncio.to_thread(looking.wait, 30)
        await offer(shared, staged)

    def slow(self: Portions, run: str) -> set[int]:
        found = left(self, run)
        if not looking.is_set():
            known, deadline = len(shares[0]._waiting), time.monotonic() + 30
            looking.set()
            while len(shares[0]._waiting) == known and time.monotonic() < deadline:
                time.sleep(0.001)
            answered.set()
        return found

    monkeypatch.setattr(portions.Shared, "bring", second)
    monkeypatch.setattr(Portions, "left", slow)
    for n in range(40):
        world.crm.put("Accounts", Name=f"A{n}", Tax=f"DE{n}")
    async with workers(world) as (runtime, _):
        report = await run_flow(runtime, "customers")
    assert (report.error, answered.is_set()) == ("", True)
    assert (report.counts["created"], report.counts.get("handed over")) == (40, None)
    assert len(world.erp.rows("customers")) == 40


async def test_a_guard_stops_everybody(world: Any) -> None:
    world.configure("owner: crm}", "owner: crm, guards: {creates: 30, percent: 0}}")
    for n in range(80):
        world.crm.put("Accounts", Name=f"A{n}", Tax=f"DE{n}")
    world.extra["wraps"] = Wraps()
    async with workers(world) as (first, second):
        report, _ = await load(world, first, second)
    assert report.state == "stopped"
    assert len(world.erp.rows("customers")) == 30
    assert [issue.code for issue in await world.issues()] == ["guard"]


async def test_a_portion_of_a_worker_that_died_is_not_lost(world: Any) -> None:
    for n in range(30):
        world.crm.put("Accounts", Name=f"A{n}", Tax=f"DE{n}")
    world.extra["wraps"] = Wraps()
    async with workers(world) as (first, _):
        task = asyncio.create_task(run_flow(first, "customers"))
        taken: Portion | None = None
        async with asyncio.timeout(30):
            while taken is None:  # somebody takes one, and is never heard of again
                taken = await first.state.write(lambda tx: tx.portions.take("customers", "dead"))
        async with asyncio.timeout(30):
            while await first.state.read(lambda tx: len(tx.portions.left(taken.run))) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not task.done()
        await first.state.write(lambda tx: tx.workers.leave(Lease("dead", 1), first.clock.now()))
        report = await task
    assert (report.error, report.counts["created"]) == ("", 30)


def test_a_portion_comes_through_as_it_was(staged: portions.Staged) -> None:
    assert portions.read(portions.write(staged)) == staged


@pytest.fixture
def staged() -> portions.Staged:
    at = datetime(2024, 5, 1, 8, 0, 0, 123456, tzinfo=UTC)
    fields = {
        "name": 'Adatum \u2028 "x"',
        "credit_limit": Decimal("1.10"),
        "parent": Ref("Accounts", "A2"),
        "email": EMPTY,
    }
    one = Canonical("customer", "Accounts", "A1", fields, variant="account", changed_at=at, changed_by="kim")
    caught = Caught(Record("Accounts", "A1", {}, "", "v1", at, "kim"), "print", one, [], None)
    answers = {Target("erp", "us"): {"A1": Candidates(("tax_id",), [("customer", caught)], ["A9"])}}
    return portions.Staged("left", "crm", "", "account", 7, [caught], answers, {"A2": "a supplier"})
