"""What several runs and workers count together: guards, and reference rows that are created where missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from weft import around
from weft.records import Hint, Lane
from weft.sync.cycle import Report, run_flow
from weft.testing.memory import MemoryObject, MemorySystem

CRM = """
entity: customer
object: Accounts
key: [Id]
fields: {Name: name, Group: customer_group}
"""
ERP = """
entity: customer
object: customers
key: [id]
fields: {displayName: name, groupId: {ref: customer_group, by: id, missing: create}}
---
entity: customer_group
object: groups
key: [id]
fields: {code: code, name: name}
"""


class Wraps:
    """A plugin that only wraps."""

    def __init__(self, wrapper: Any) -> None:
        self.wrapper = wrapper


async def updates(runtime: Any) -> int:
    """How many the guard on changes has counted."""
    now = runtime.clock.now()
    window = await runtime.state.read(lambda tx: tx.guards.window("customers", "changes", now.replace(year=2000)))
    return int(window.happened)


async def test_runs_at_once_share_a_guards_window(world: Any) -> None:
    """Each of them counted what was settled, and so both together did more than is allowed."""
    keys = [world.crm.put("Accounts", Name=f"A{n}", Tax=f"DE{n}") for n in range(4)]
    await world.sync("customers")
    world.configure("owner: crm}", "owner: crm, guards: {changes: 3, percent: 0}}")
    reports: list[Report] = []

    @around("write", kind="memerp")
    async def meanwhile(call: Any, ctx: Any) -> AsyncIterator[Any]:
        if ctx.lane == "bulk" and not reports:
            for key in keys[2:]:
                world.crm.edit("Accounts", key, Limit=Decimal(2))
            hints = [Hint("Accounts", key) for key in keys[2:]]
            now = runtime.clock.now()
            await runtime.state.write(lambda tx: tx.hints.put_many("customers", "crm", hints, now))
            reports.append(await run_flow(runtime, "customers", mode="hints", lane="live"))
        async for outcome in call():
            yield outcome

    world.extra["meanwhile"] = Wraps(meanwhile)
    async with world.runtime() as runtime:
        for key in keys[:2]:
            world.crm.edit("Accounts", key, Limit=Decimal(1))
        report = await run_flow(runtime, "customers")
        assert [one.state for one in reports] == ["stopped"]
        assert (report.counts["updated"], await updates(runtime)) == (2, 2)
        await runtime.state.write(
            lambda tx: tx.guards.answer("customers", "guard:changes", "granted", "somebody", runtime.clock.now())
        )
        world.clock.forward(seconds=2)
        assert (await run_flow(runtime, "customers", mode="hints", lane="live")).counts["updated"] == 2
        assert await updates(runtime) == 0


async def test_what_was_not_written_does_not_count(world: Any) -> None:
    keys = [world.crm.put("Accounts", Name=f"A{n}", Tax=f"DE{n}") for n in range(3)]
    await world.sync("customers")
    world.configure("owner: crm}", "owner: crm, guards: {changes: 3, percent: 0}}")
    for key, limit in zip(keys, (9, 9, 1), strict=True):
        world.crm.edit("Accounts", key, Limit=Decimal(limit))
    world.erp.check = lambda _, data: "too much" if data.get("creditLimit") == 9 else None
    await world.sync("customers")
    async with world.runtime() as runtime:
        assert await updates(runtime) == 1


async def test_a_missing_reference_row_is_created_once(world: Any) -> None:
    """By whichever run comes first; on PostgreSQL the two are different workers."""
    crm = {"Id": "text", "Name": "text", "Group": "text"}
    customer = {"id": "text", "displayName": "text", "groupId": "text"}
    group = {"id": "text", "code": "text", "name": "text"}
    world.crm = MemorySystem([MemoryObject("Accounts", crm)], CRM, title="CRM")
    objects = [MemoryObject("customers", customer, key=("id",)), MemoryObject("groups", group, key=("id",))]
    world.erp = MemorySystem(objects, ERP, title="ERP")
    world.config = world.config[: world.config.index("  products:")]

    @around("write", kind="memerp")
    async def slowly(call: Any, ctx: Any) -> AsyncIterator[Any]:
        if ctx.entity.name == "customer_group":
            await asyncio.sleep(0.3)
        async for outcome in call():
            yield outcome

    world.extra["slowly"] = Wraps(slowly)
    await world.sync()
    keys = [world.crm.put("Accounts", Name=f"A{n}", Group="VIP") for n in range(2)]
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(world.runtime())
        second = first if world.state_url.startswith("sqlite") else await stack.enter_async_context(world.runtime())
        lanes: list[tuple[Any, Lane]] = [(first, "live"), (second, "bulk")]
        for key, (_, lane) in zip(keys, lanes, strict=True):
            hint, now = [Hint("Accounts", key)], first.clock.now()
            await first.state.write(partial(_hinted, hint, now, lane))
        runs = [run_flow(runtime, "customers", mode="hints", lane=lane) for runtime, lane in lanes]
        assert [report.counts["created"] for report in await asyncio.gather(*runs)] == [1, 1]
    [(key, row)] = world.erp.rows("groups").items()
    assert row["code"] == "VIP"
    assert [one["groupId"] for one in world.erp.rows("customers").values()] == [key, key]


def _hinted(hints: list[Hint], now: datetime, lane: Lane, tx: Any) -> None:
    tx.hints.put_many("customers", "crm", hints, now, lane=lane)
