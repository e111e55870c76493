"""Whom a sync concerns and what is left over: records outside the flow, waits, deletes, issues that close."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from weft.sync.verify import verify


async def test_a_pair_of_which_one_is_outside_the_flow_is_left_alone(world: Any) -> None:
    """Looked at from the other side it went on being kept in agreement, with what was not to leave."""
    world.configure("owner: crm}", "owner: crm, when: \"name != 'Secret'\"}")
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1", Phone="1")
    await world.sync("customers")
    [there] = world.erp.rows("customers")
    world.crm.edit("Accounts", key, Name="Secret")
    world.erp.edit("customers", there, phoneNumber="2")
    await world.sync("customers")
    assert world.erp.rows("customers")[there]["displayName"] == "Adatum"
    assert world.crm.rows("Accounts")[key]["Phone"] == "1"
    async with world.runtime() as runtime:
        [proof] = await verify(runtime, ["customers"])
    assert proof.proven, proof.samples
    world.crm.edit("Accounts", key, Name="Adatum AG")
    await world.sync("customers")
    assert world.erp.rows("customers")[there]["displayName"] == "Adatum AG"
    assert world.crm.rows("Accounts")[key]["Phone"] == "2"
    assert await world.issues() == []


async def test_a_conflict_of_what_leaves_the_flow_is_nobodys(world: Any) -> None:
    world.configure("on_conflict: review}", "on_conflict: review, when: \"name != 'Secret'\"}")
    key = world.crm.put("Products", Code="P1", Name="Chair", Price=Decimal(1))
    await world.sync("products")
    [there] = world.erp.rows("items")
    world.crm.edit("Products", key, Price=Decimal(2))
    world.erp.edit("items", there, unitPrice=Decimal(3))
    await world.sync("products")
    assert [issue.kind for issue in await world.issues()] == ["conflict"]
    world.crm.edit("Products", key, Name="Secret")
    await world.sync("products")
    assert await world.issues() == []


async def test_a_reference_of_the_other_side_wakes_as_well(world: Any) -> None:
    """It waited for a record of this side with the other one's key, which there never is."""
    world.configure("direction: left_to_right}", "owner: crm}")
    adatum = world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    here = world.crm.put("Orders", CustomerId=adatum, Reference="R1")
    await world.sync()
    [there] = world.erp.rows("salesOrders")
    new = world.erp.put("customers", displayName="x" * 10, taxNumber="DE2")
    world.crm.fail("reject", op="create", object="Accounts", times=9)
    world.crm.edit("Orders", here, Reference="R2")
    world.erp.edit("salesOrders", there, customerId=new)
    await world.sync("orders")
    assert [issue.kind for issue in await world.issues(flow="orders")] == ["waiting"]
    world.crm.faults.clear()
    world.erp.edit("customers", new, displayName="Fabrikam")
    await world.sync("customers")
    await world.sync("orders")
    assert world.crm.rows("Orders")[here]["CustomerId"] != adatum
    assert await world.issues() == []


LOCKED = """
mappings:
  erp:
    product: {default: {locked: "no = 'P1'"}}
"""


async def test_what_must_not_be_deleted_can_be_let_go(world: Any) -> None:
    """The answer was taken for one about the other record, and the question asked again for ever."""
    world.configure("on_conflict: review}", "on_conflict: review, deletes: delete}")
    key = world.crm.put("Products", Code="P1", Name="Chair")
    await world.sync("products")
    world.config += LOCKED
    world.crm.remove("Products", key)
    await world.sync("products", sweep=True)
    [issue] = await world.issues()
    assert (issue.kind, issue.code) == ("delete", "locked")
    await world.tell(lambda tx: tx.issues.edit(issue.id, {"choice": "recreate"}, world.clock.now()))
    await world.sync("products")
    await world.sync("products", sweep=True)
    assert [row["Code"] for row in world.crm.rows("Products").values()] == ["P1"]
    assert await world.issues() == []


async def test_a_deleted_record_that_is_typed_in_again_finds_its_counterpart(world: Any) -> None:
    """Its own former self was named as a duplicate."""
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    await world.sync("customers")
    world.crm.remove("Accounts", key)
    await world.sync("customers", sweep=True)
    assert [issue.kind for issue in await world.issues()] == ["delete"]
    again = world.crm.put("Accounts", Name="Adatum", Tax="DE1", Phone="1")
    await world.sync("customers")
    [row] = world.erp.rows("customers").values()
    assert row["phoneNumber"] == "1"
    [link] = await world.ask(lambda tx: tx.links.page(0))
    assert (link.left_key, link.state) == (again, "linked")
    assert await world.issues() == []


async def test_a_rule_that_has_changed_decides_what_is_open(world: Any) -> None:
    """Prints were settled: a sweep passed over the conflicts that the new rule was written for."""
    key = world.crm.put("Products", Code="P1", Name="Chair")
    await world.sync("products")
    [there] = world.erp.rows("items")
    world.crm.edit("Products", key, Name="Left")
    world.erp.edit("items", there, displayName="Right")
    await world.sync("products")
    world.configure("on_conflict: review}", "owner: erp}")
    await world.sync("products", sweep=True)
    assert world.crm.rows("Products")[key]["Name"] == "Right"
    assert await world.issues() == []


async def test_a_conflict_of_a_pair_that_is_linked_anew_and_agrees_is_closed(world: Any) -> None:
    key = world.crm.put("Products", Code="P1", Name="Chair")
    await world.sync("products")
    [there] = world.erp.rows("items")
    world.crm.edit("Products", key, Name="Left")
    world.erp.edit("items", there, displayName="Right")
    await world.sync("products")
    [link] = await world.ask(lambda tx: tx.links.page(0))
    await world.tell(lambda tx: tx.links.delete_many([link.id]))
    world.erp.edit("items", there, displayName="Left")
    await world.sync("products")
    assert await world.ask(lambda tx: tx.links.count()) == 1
    assert await world.issues() == []


OUTSIDE = """
mappings:
  crm:
    customer: {default: {when: "Phone != '9'"}}
"""


async def test_what_is_outside_the_flow_is_not_deleted_with_its_counterpart(world: Any) -> None:
    world.config += OUTSIDE
    world.configure("owner: crm}", "owner: crm, deletes: delete}")
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1", Phone="1")
    await world.sync("customers")
    [there] = world.erp.rows("customers")
    world.crm.edit("Accounts", key, Phone="9")
    await world.sync("customers")
    world.erp.remove("customers", there)
    await world.sync("customers", sweep=True)
    assert list(world.crm.rows("Accounts")) == [key]


async def test_a_whole_number_beyond_64_bits_stops_nobody(world: Any) -> None:
    """One such number in one record, and its flow failed for ever."""
    customer = world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    product = world.crm.put("Products", Code="P1", Name="Chair")
    order = world.crm.put("Orders", CustomerId=customer, Reference="R1")
    line = world.crm.put("OrderLines", OrderId=order, ProductId=product, Quantity=1, Position=10**20)
    await world.sync()
    assert [row["position"] for row in world.erp.rows("salesLines").values()] == [10**20]
    world.crm.edit("OrderLines", line, Position=-(10**20))
    await world.sync("orders")
    assert [row["position"] for row in world.erp.rows("salesLines").values()] == [-(10**20)]
    assert await world.issues() == []
