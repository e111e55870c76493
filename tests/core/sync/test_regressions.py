"""Faults that came to light between real systems, told again in the small world."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from weft import around
from weft.sync.cycle import run_flow

REVIEW = """
mappings:
  erp:
    sales_order:
      default:
        lines:
          lines:
            fields:
              unitPrice: {from: unit_price, in: unitPrice, out: "quantity >= 10 ? $times(unit_price, 2) : unit_price"}
"""
LATE_PRICE = """
mappings:
  erp:
    product: {default: {fields: {unitPrice: {from: unit_price, on: update}}}}
"""
VARIANT = """
  vips: {entity: customer, between: [crm, erp], variants: {crm: [vip]}}
mappings:
  crm:
    customer:
      vip: {object: Accounts, key: [Id], match: [[email]], fields: {Name: name, Email: email}}
"""


async def test_what_cannot_be_deactivated_is_asked_about(world: Any) -> None:
    """It was sent as a write of nothing, and counted as done."""
    world.configure("owner: crm}", "owner: crm, deletes: deactivate}")
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    await world.sync("customers")
    world.crm.remove("Accounts", key)
    await world.sync("customers", sweep=True)
    [issue] = await world.issues(flow="customers")
    assert (issue.kind, issue.code) == ("delete", "gone")
    assert len(world.erp.rows("customers")) == 1


async def test_expression_of_a_changed_line_sees_the_whole_line(world: Any) -> None:
    """`out` saw of a line only what had changed: a new price without the quantity it depends on."""
    world.config += REVIEW
    customer = world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    product = world.crm.put("Products", Code="P1", Name="Chair", Price=Decimal(5))
    order = world.crm.put("Orders", CustomerId=customer, Reference="A-1")
    line = world.crm.put("OrderLines", OrderId=order, ProductId=product, Quantity=Decimal(10), Price=Decimal(5),
                         Position=1)  # fmt: skip
    await world.sync()
    assert [row["unitPrice"] for row in world.erp.rows("salesLines").values()] == [10]
    world.crm.edit("OrderLines", line, Price=Decimal(7))
    world.crm.edit("Orders", order, Reference="A-2")
    await world.sync()
    assert [row["unitPrice"] for row in world.erp.rows("salesLines").values()] == [14]


async def test_link_made_under_another_variant_goes_over(world: Any) -> None:
    """A second flow of the entity, with a variant of its own for the same object, ended in a KeyError."""
    world.config += VARIANT
    key = world.crm.put("Accounts", Name="Adatum", Email="a@adatum.example")
    gone = world.crm.put("Accounts", Name="Contoso", Email="c@contoso.example")
    await world.sync("customers")
    world.crm.edit("Accounts", key, Name="Adatum AG")
    world.crm.remove("Accounts", gone)
    await world.sync("vips")
    assert {row["displayName"] for row in world.erp.rows("customers").values()} == {"Adatum AG", "Contoso"}
    [link] = await world.ask(lambda tx: tx.links.page(0, 10, state="linked"))
    assert (link.left_key, link.left_variant) == (key, "vip")


async def test_what_only_an_update_carries_follows_a_create(world: Any) -> None:
    """A price that a create cannot carry was overwritten by the nothing that the system had put in its place."""
    world.config += LATE_PRICE
    key = world.crm.put("Products", Code="P1", Name="Chair", Price=Decimal(5))
    bare = world.crm.put("Products", Code="P2", Name="Table")
    await world.sync("products")
    assert {row["no"]: row["unitPrice"] for row in world.erp.rows("items").values()} == {"P1": 5, "P2": None}
    assert world.crm.rows("Products")[key]["Price"] == 5
    assert world.crm.rows("Products")[bare]["Price"] is None


async def test_what_only_an_update_carries_follows_a_create_whose_answer_was_lost(world: Any) -> None:
    """The record is found and adopted; its price had still to come."""
    world.config += LATE_PRICE
    key = world.crm.put("Products", Code="P1", Name="Chair", Price=Decimal(5))
    world.erp.fail("lose_answer", on="write", object="items")
    await world.sync("products")
    world.clock.forward(hours=1)
    await world.sync("products")
    assert [row["unitPrice"] for row in world.erp.rows("items").values()] == [5]
    assert world.crm.rows("Products")[key]["Price"] == 5


class Killed(BaseException):
    """The process ends here."""


class Holder:
    """A plugin that only wraps."""

    def __init__(self, cut: Any) -> None:
        self.cut = cut


async def test_what_only_an_update_carries_is_resumed_after_a_kill(world: Any) -> None:
    """Between the create and the price: the next run begins with it, although nothing has changed since."""
    world.config += LATE_PRICE
    key = world.crm.put("Products", Code="P1", Name="Chair", Price=Decimal(5))

    @around("write", kind="memerp")
    async def cut(call: Any, items: Any) -> Any:
        if any(item.op == "update" for item in items):
            raise Killed
        async for outcome in call():
            yield outcome

    world.extra = {"cutter": Holder(cut)}
    with pytest.raises(Killed):
        await world.sync("products")
    assert [row["unitPrice"] for row in world.erp.rows("items").values()] == [None]
    world.extra = {}
    world.clock.forward(days=2)
    await world.sync("products")
    assert [row["unitPrice"] for row in world.erp.rows("items").values()] == [5]
    assert world.crm.rows("Products")[key]["Price"] == 5


async def test_what_fails_for_a_pair_is_told_once(world: Any) -> None:
    """Brought up by either record, it was an issue of each."""
    key = world.crm.put("Products", Code="P1", Name="Chair", Price=Decimal(5))
    await world.sync("products")
    [item] = world.erp.rows("items")
    world.erp.check = lambda _, data: "no price ends in 9" if data.get("unitPrice") == Decimal(9) else None
    world.crm.edit("Products", key, Price=Decimal(9))
    await world.sync("products")
    world.erp.edit("items", item, displayName="Stool")
    await world.sync("products")
    [issue] = await world.issues()
    assert (issue.side, issue.key, issue.reason) == ("left", key, "no price ends in 9")
    world.crm.edit("Products", key, Price=Decimal(8))
    await world.sync("products")
    assert await world.issues() == []
    row = world.erp.rows("items")[item]
    assert (row["displayName"], row["unitPrice"]) == ("Stool", Decimal(8))


async def test_a_parent_whose_flow_is_paused_is_not_brought_in(world: Any) -> None:
    """A pause holds for everybody, for the records of another flow that need it as well."""
    account = world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    world.crm.put("Orders", CustomerId=account, Reference="R1", Total=Decimal(1))
    await world.tell(lambda tx: tx.pauses.pause("customers", "kim", "month end", world.clock.now()))
    async with world.runtime() as runtime:
        report = await run_flow(runtime, "orders")
        assert (report.error, world.erp.rows("customers")) == ("", {})
        [issue] = await runtime.state.read(lambda tx: tx.issues.page())
        assert (issue.kind, issue.waits_entity) == ("waiting", "customer")
    await world.tell(lambda tx: tx.pauses.resume("customers", "kim", world.clock.now()))
    await world.sync()
    assert (len(world.erp.rows("customers")), len(world.erp.rows("salesOrders"))) == (1, 1)


async def test_a_clock_that_ran_ahead_hides_no_delete(world: Any) -> None:
    """Once it is right again, the sweeps of those days lie in the future."""
    world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    key = world.crm.put("Accounts", Name="Contoso", Tax="DE2")
    await world.sync("customers")
    world.clock.forward(days=400)
    await world.sync("customers")
    world.clock.forward(days=-398)
    world.crm.remove("Accounts", key)
    await world.sync("customers")
    assert [(issue.kind, issue.key) for issue in await world.issues()] == [("delete", key)]


async def test_a_record_that_moves_to_one_that_is_linked_stops_nobody(world: Any) -> None:
    """Two customers of the ERP are merged, and both were somebody's counterpart."""
    first, second = (world.crm.put("Accounts", Name=name, Tax=name) for name in ("Adatum", "Contoso"))
    await world.sync("customers")
    gone, stays = (
        key for name in ("Adatum", "Contoso")
        for key, row in world.erp.rows("customers").items() if row["displayName"] == name
    )  # fmt: skip
    world.erp.move("customers", gone, "customers", stays, reason="merged")
    world.crm.edit("Accounts", first, Phone="1")
    world.crm.edit("Accounts", second, Phone="2")
    await world.sync("customers")
    assert world.erp.rows("customers")[stays]["phoneNumber"] == "2"
    [issue] = await world.issues()
    assert (issue.kind, issue.key, stays in issue.reason) == ("review", first, True)
    again = await world.sync("customers", sweep=True)
    assert [report.error for report in again] == [""]


async def test_a_pause_ends_a_pass_that_is_under_way(world: Any) -> None:
    """It is what people reach for when something goes wrong; the pass went on to its end."""
    await world.sync("customers")
    for n in range(30):
        world.crm.put("Accounts", Name=f"A{n}", Tax=f"DE{n}")
    world.configure("{kind: memcrm}", "{kind: memcrm, page_size: 10}")
    pausing: list[Any] = []

    @around("write", kind="memerp")
    async def write(call: Any) -> Any:
        if pausing:
            await pausing.pop().state.write(lambda tx: tx.pauses.pause("*", "kim", "wrong prices", world.clock.now()))
        async for outcome in call():
            yield outcome

    world.extra = {"pausing": Holder(write)}
    async with world.runtime() as runtime:
        pausing.append(runtime)
        report = await run_flow(runtime, "customers")
        assert (report.state, "by kim: wrong prices" in report.error) == ("lost", True)
        assert len(world.erp.rows("customers")) == 10
        now = world.clock.now()
        await runtime.state.write(lambda tx: tx.pauses.resume("*", "kim", now))
        assert await runtime.state.read(lambda tx: tx.runs.lost(["changes"], now)) == {"customers": "changes"}
        assert (await run_flow(runtime, "customers")).error == ""
    assert len(world.erp.rows("customers")) == 30
