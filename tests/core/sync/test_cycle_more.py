"""Further parts of the cycle: parents on demand, quarantine, following, wrappers, keys of our own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.core.sync.conftest import CRM

from weft import around
from weft.sync.cycle import run_flow
from weft.testing.memory import MemoryObject, MemorySystem


class Holder:
    """A plugin that only wraps."""

    def __init__(self, *functions: Any) -> None:
        for function in functions:
            setattr(self, function.__name__, function)


async def test_a_parent_that_is_missing_is_fetched_on_demand(world: Any) -> None:
    await world.sync()  # everything is known and empty
    customer = world.crm.put("Accounts", Name="Adatum")
    product = world.crm.put("Products", Code="P1", Name="Chair")
    order = world.crm.put("Orders", CustomerId=customer, Reference="R1")
    world.crm.put("OrderLines", OrderId=order, ProductId=product, Quantity=1, Position=1)
    reports = await world.sync("orders")
    assert [report.flow for report in reports] == ["orders"]
    assert len(world.erp.rows("customers")) == len(world.erp.rows("items")) == 1
    [sent] = world.erp.rows("salesOrders").values()
    assert sent["customerId"] in world.erp.rows("customers")
    assert await world.issues() == []


async def test_a_parent_outside_the_flow_is_said_at_once(world: Any) -> None:
    world.configure("owner: crm}", "owner: crm, when: \"name != 'Secret'\"}")
    customer = world.crm.put("Accounts", Name="Secret")
    world.crm.put("Orders", CustomerId=customer, Reference="R1")
    await world.sync()
    [issue] = await world.issues(kind="waiting")
    assert "excluded" in issue.reason
    assert "name != 'Secret'" in issue.reason


async def test_a_lost_order_is_found_by_our_own_key(world: Any) -> None:
    customer = world.crm.put("Accounts", Name="Adatum")
    await world.sync()
    world.crm.put("Orders", CustomerId=customer, Reference="R1")
    world.erp.fail("lose_answer", op="create", object="salesOrders")
    await world.sync()
    [sent] = world.erp.rows("salesOrders").values()
    assert sent["externalKey"]
    assert next(iter(world.crm.rows("Orders").values()))["ErpNumber"] == sent["number"]
    assert await world.ask(lambda tx: tx.intents.unsettled()) == []
    assert await world.issues() == []


async def test_a_value_that_bounces_is_quarantined(world: Any) -> None:
    key = world.crm.put("Products", Code="P1", Name="Chair")
    await world.sync("products")
    item = next(iter(world.erp.rows("items")))
    for _ in range(4):
        world.crm.edit("Products", key, Name="CHAIR")
        await world.sync("products")
        world.erp.edit("items", item, displayName="Chair")
        await world.sync("products")
    [issue] = await world.issues(kind="conflict")
    assert issue.code == "flip"
    assert "back and forth" in issue.reason


async def test_wrappers_run_around_every_step(world: Any) -> None:
    @around("read", kind="memcrm")
    async def mask(call: Any) -> Any:
        async for page in call():
            for record in page.records:
                record.data["Email"] = ""
            yield page

    @around("map", kind="memerp")
    async def add(call: Any, direction: str) -> Any:
        mapped = await call()
        if direction == "out":
            for one in mapped:
                one.native["phoneNumber"] = "000"
        return mapped

    world.extra = {"policy": Holder(mask, add)}
    world.crm.put("Accounts", Name="Adatum", Email="secret@adatum.example")
    await world.sync("customers")
    [row] = world.erp.rows("customers").values()
    assert not row["email"]
    assert row["phoneNumber"] == "000"


async def test_a_wrapper_that_vetoes_a_write_gives_the_outcome(world: Any) -> None:
    from weft.records import Error, Outcome

    @around("write", kind="memerp")
    async def veto(call: Any, items: Any) -> Any:
        for item in items:
            yield Outcome(item.id, "rejected", error=Error("record", "not on a Friday", code="veto"))

    world.extra = {"policy": Holder(veto)}
    world.crm.put("Accounts", Name="Adatum")
    await world.sync("customers")
    assert world.erp.rows("customers") == {}
    [issue] = await world.issues()
    assert issue.reason == "not on a Friday"


async def test_an_edited_value_is_sent_on_retry(world: Any) -> None:
    world.crm.put("Accounts", Name="x" * 50, Tax="DE1")
    await world.sync("customers")
    [issue] = await world.issues()
    await world.tell(lambda tx: tx.issues.edit(issue.id, {"name": "Short"}, world.clock.now()))
    await world.sync("customers")
    [row] = world.erp.rows("customers").values()
    assert row["displayName"] == "Short"


async def test_amounts_of_sixteen_digits_stay_exact(world: Any) -> None:
    amount = Decimal("12345678901234.56")
    world.crm.put("Accounts", Name="Adatum", Limit=amount)
    await world.sync("customers")
    [row] = world.erp.rows("customers").values()
    assert row["creditLimit"] == amount


async def test_an_endpoint_that_is_down_stops_only_its_flows_and_loses_nothing(world: Any) -> None:
    world.crm.put("Accounts", Name="Adatum")
    world.erp.down = "maintenance until noon"
    reports = await world.sync("customers")
    assert [report.state for report in reports] == ["down"]
    assert reports[0].exit_code == 3
    assert "maintenance until noon" in reports[0].error
    world.erp.down = None
    await world.sync("customers")
    assert len(world.erp.rows("customers")) == 1


async def test_two_runs_of_one_flow_do_not_overlap(world: Any) -> None:
    from weft.sync.cycle import sync

    async with world.runtime() as runtime:
        lock = await runtime.state.try_lock("flow:customers")
        assert lock is not None
        [report] = await sync(runtime, ["customers"])
        lock.release()
    assert report.state == "stopped"
    assert "already running" in report.error


@pytest.mark.parametrize("loaded", [False, True], ids=["first load", "live"])
async def test_a_reference_matches_when_what_it_leads_to_is_linked(world: Any, loaded: bool) -> None:
    world.configure("direction: left_to_right}", "match: [[customer, external_number]]}")
    ids = {}
    for name in ("Adatum", "Contoso"):
        ids[name] = world.crm.put("Accounts", Name=name, Tax=name), world.erp.put("customers", displayName=name,
                                                                                taxNumber=name)  # fmt: skip
    await world.sync("customers", *(("orders",) if loaded else ()))
    here, there = ids["Adatum"]
    _, other = ids["Contoso"]
    order = world.crm.put("Orders", CustomerId=here, Reference="R1")
    world.erp.put("salesOrders", customerId=other, reference="R1")  # somebody else's, under the same reference
    same = world.erp.put("salesOrders", customerId=there, reference="R1")
    await world.sync("orders")
    assert len(world.erp.rows("salesOrders")) == len(world.crm.rows("Orders")) == 2
    links = {
        link.left_key: link.right_key for link in await world.ask(lambda tx: tx.links.page(0, entity="sales_order"))
    }
    assert links[order] == same


async def test_a_record_that_another_flow_keeps_is_left_to_it(world: Any) -> None:
    """Accounts and leads are customers; what one flow made of an account is none of the other's business."""
    world.crm.objects["Leads"] = MemoryObject("Leads", {"Id": "text", "Name": "text"})
    leads = "entity: customer\nvariant: lead\nobject: Leads\nkey: [Id]\noptional: true\nfields: {Name: name}\n"
    world.crm = MemorySystem(list(world.crm.objects.values()), f"{CRM}---\n{leads}", title="Memory CRM")
    world.configure(
        "  products:", "  leads: {entity: customer, between: [crm, erp], variants: {crm: [lead]}}\n  products:"
    )
    world.crm.put("Accounts", Name="Adatum")
    await world.sync("customers")
    [report] = await world.sync("leads")
    assert world.crm.rows("Leads") == {}
    assert report.counts["kept elsewhere"] == 1
    world.crm.put("Leads", Name="Contoso")
    await world.sync("leads", "customers")
    assert len(world.erp.rows("customers")) == 2
    assert len(world.crm.rows("Accounts")) == len(world.crm.rows("Leads")) == 1
    assert await world.issues() == []


async def test_a_flow_that_cannot_begin_leaves_a_run_that_says_why(world: Any) -> None:
    """Status, alerts and whoever waits for a daemon's run learn of it there."""
    world.configure("owner: crm}", "owner: crm, variants: {crm: [nowhere]}}")
    async with world.runtime() as runtime:
        report = await run_flow(runtime, "customers")
        beside = await run_flow(runtime, "customers", mode="hints", lane="live")
        plan = await run_flow(runtime, "customers", plan_only=True)
        runs = await runtime.state.read(lambda tx: tx.runs.failing("customers"))
    assert {one.state for one in (report, beside, plan)} == {"failed"}
    assert [(run.id, run.mode, run.error) for run in runs] == [
        (beside.run, "hints", beside.error), (report.run, "changes", report.error),
    ]  # fmt: skip
    assert "crm has no variant 'nowhere'" in report.error or "no variant 'nowhere'" in report.error
