"""What people decide about a record (sides of conflicts, values sent instead, approvals) holds for what they saw."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from weft.records import Hint
from weft.sync.cycle import run_flow
from weft.sync.verify import verify

BOTH_WAYS = ("direction: left_to_right}", "on_conflict: review}")


async def choose(world: Any, **fields: Any) -> None:
    [issue] = await world.issues(kind="conflict")
    await world.tell(lambda tx: tx.issues.edit(issue.id, dict(fields), world.clock.now()))


async def edit(world: Any, **values: Any) -> None:
    [issue] = await world.issues(kind="failed")
    await world.tell(lambda tx: tx.issues.edit(issue.id, values, world.clock.now()))


async def agreed(world: Any, flow: str) -> bool:
    async with world.runtime() as runtime:
        [proof] = await verify(runtime, [flow])
    return proof.proven


async def order(world: Any) -> tuple[str, str, str, str]:
    """An order of one line on both sides: keys of order and line, left and right."""
    customer = world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    product = world.crm.put("Products", Code="P1", Name="Chair", Price=Decimal(5))
    here = world.crm.put("Orders", CustomerId=customer, Reference="R1")
    line = world.crm.put("OrderLines", OrderId=here, ProductId=product, Quantity=1, Price=Decimal(5), Position=1)
    await world.sync()
    [there], [line_there] = world.erp.rows("salesOrders"), world.erp.rows("salesLines")
    return here, line, there, line_there


@pytest.mark.parametrize("side", ["left", "right"])
async def test_a_conflict_of_a_line_is_decided_by_a_person(world: Any, side: str) -> None:
    """The choice was taken, and nothing ever came of it."""
    world.configure(*BOTH_WAYS)
    _, line, _, line_there = await order(world)
    world.crm.edit("OrderLines", line, Quantity=2)
    world.erp.edit("salesLines", line_there, quantity=3)
    await world.sync("orders")
    await choose(world, **{"lines[1].quantity": side})
    await world.sync("orders")
    found = world.crm.rows("OrderLines")[line]["Quantity"], world.erp.rows("salesLines")[line_there]["quantity"]
    assert found == ((2, 2) if side == "left" else (3, 3))
    assert await world.issues() == []


@pytest.mark.parametrize("side", ["left", "right"])
async def test_a_line_deleted_here_and_changed_there_is_decided_by_a_person(world: Any, side: str) -> None:
    world.configure(*BOTH_WAYS)
    here, line, _, line_there = await order(world)
    world.crm.remove("OrderLines", line)
    world.crm.edit("Orders", here, Reference="R2")
    world.erp.edit("salesLines", line_there, quantity=3)
    await world.sync("orders")
    await choose(world, **{"lines[1]": side})
    await world.sync("orders")
    lines = [row["Quantity"] for row in world.crm.rows("OrderLines").values()]
    assert lines == [row["quantity"] for row in world.erp.rows("salesLines").values()]
    assert lines == ([] if side == "left" else [3])
    assert await world.issues() == []
    assert await agreed(world, "orders")


@pytest.mark.parametrize("side", ["left", "right"])
async def test_a_choice_holds_for_a_value_that_bounced(world: Any, side: str) -> None:
    """Only one side had moved by then, and its value was written over the one that was chosen."""
    key = world.crm.put("Products", Code="P1", Name="Chair")
    await world.sync("products")
    [item] = world.erp.rows("items")
    while not await world.issues(kind="conflict"):
        world.crm.edit("Products", key, Name="CHAIR")
        await world.sync("products")
        world.erp.edit("items", item, displayName="Chair")
        await world.sync("products")
    held = world.crm.rows("Products")[key]["Name"], world.erp.rows("items")[item]["displayName"]
    assert held == ("CHAIR", "Chair")
    wanted = held[0] if side == "left" else held[1]
    await choose(world, name=side)
    await world.sync("products")
    assert (world.crm.rows("Products")[key]["Name"], world.erp.rows("items")[item]["displayName"]) == (wanted, wanted)
    assert await world.issues() == []


async def test_a_choice_holds_for_the_values_that_were_seen(world: Any) -> None:
    """What somebody typed in after the choice was overwritten unseen."""
    key = world.crm.put("Products", Code="P1", Name="Chair")
    await world.sync("products")
    [item] = world.erp.rows("items")
    world.crm.edit("Products", key, Name="Left")
    world.erp.edit("items", item, displayName="Right")
    await world.sync("products")
    await choose(world, name="left")
    world.erp.edit("items", item, displayName="Right, corrected")
    await world.sync("products")
    assert world.erp.rows("items")[item]["displayName"] == "Right, corrected"
    [issue] = await world.issues()
    assert (issue.payload["name"]["right"], issue.edited) == ("Right, corrected", None)
    await choose(world, name="left")
    await world.sync("products")
    assert world.erp.rows("items")[item]["displayName"] == "Left"
    assert await world.issues() == []


async def test_a_choice_carried_out_decides_no_later_conflict(world: Any) -> None:
    """The issue stayed open for another field, and the old choice with it."""
    key = world.crm.put("Products", Code="P1", Name="Chair", Price=Decimal(1))
    await world.sync("products")
    [item] = world.erp.rows("items")
    world.crm.edit("Products", key, Name="A", Price=Decimal(2))
    world.erp.edit("items", item, displayName="B", unitPrice=Decimal(3))
    await world.sync("products")
    await choose(world, name="left")
    await world.sync("products")
    assert world.erp.rows("items")[item]["displayName"] == "A"
    world.crm.edit("Products", key, Name="C")
    world.erp.edit("items", item, displayName="D")
    await world.sync("products")
    assert world.erp.rows("items")[item]["displayName"] == "D"
    [issue] = await world.issues()
    assert sorted(issue.payload) == ["name", "unit_price"]


# -- values sent instead ---------------------------------------------------------------------------


async def test_a_value_sent_instead_comes_back_to_where_it_was_wrong(world: Any) -> None:
    """Both sides differed for good, and nothing said so."""
    key = world.crm.put("Accounts", Name="x" * 50, Tax="DE1")
    await world.sync("customers")
    await edit(world, name="Short")
    await world.sync("customers")
    assert world.crm.rows("Accounts")[key]["Name"] == "Short"
    assert await agreed(world, "customers")
    world.crm.edit("Accounts", key, Name="y" * 50)
    await world.sync("customers")
    await edit(world, name="Shorter")
    await world.sync("customers")
    [row] = world.erp.rows("customers").values()
    assert (world.crm.rows("Accounts")[key]["Name"], row["displayName"]) == ("Shorter", "Shorter")
    assert await agreed(world, "customers")
    assert await world.issues() == []


async def test_where_it_may_not_come_back_it_is_sent_once(world: Any) -> None:
    world.configure("owner: crm}", "direction: left_to_right}")
    key = world.crm.put("Accounts", Name="x" * 50, Tax="DE1")
    await world.sync("customers")
    await edit(world, name="Short")
    await world.sync("customers")
    await world.sync("customers", sweep=True)
    [row] = world.erp.rows("customers").values()
    assert (world.crm.rows("Accounts")[key]["Name"], row["displayName"]) == ("x" * 50, "Short")
    assert await world.issues() == []


async def test_a_value_sent_instead_whose_answer_was_lost_comes_back(world: Any) -> None:
    key = world.crm.put("Accounts", Name="x" * 50, Tax="DE1")
    await world.sync("customers")
    await edit(world, name="Short")
    world.erp.fail("lose_answer", op="create", object="customers")
    await world.sync("customers")
    world.clock.forward(hours=1)
    await world.sync("customers")
    assert world.crm.rows("Accounts")[key]["Name"] == "Short"
    assert await agreed(world, "customers")


async def test_a_field_that_was_not_to_be_sent_is_sent_when_it_is_given(world: Any) -> None:
    """The system refuses the whole record for a field that nobody has changed; what was given for it was dropped."""
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1", Phone="1")
    await world.sync("customers")
    world.erp.check = lambda _, data: None if data.get("phoneNumber") == "2" else "the telephone number is out of date"
    world.crm.edit("Accounts", key, Name="Adatum AG")
    await world.sync("customers")
    await edit(world, phone="2")
    await world.sync("customers")
    [row] = world.erp.rows("customers").values()
    assert (row["displayName"], row["phoneNumber"]) == ("Adatum AG", "2")
    assert world.crm.rows("Accounts")[key]["Phone"] == "2"
    assert await world.issues() == []


# -- approvals -------------------------------------------------------------------------------------


async def test_what_needs_an_approval_needs_it_whichever_record_is_looked_at(world: Any) -> None:
    """The rule saw the record that brought the pair up, not the one whose amount was to be written."""
    world.configure("owner: crm}", 'owner: crm, approve: "credit_limit > 1000"}')
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1", Limit=Decimal(5))
    await world.sync("customers")
    [there] = world.erp.rows("customers")
    world.crm.edit("Accounts", key, Limit=Decimal(9000))
    await world.tell(
        lambda tx: tx.hints.put_many("customers", "erp", [Hint("customers", there, "")], world.clock.now())
    )
    async with world.runtime() as runtime:
        await run_flow(runtime, "customers", mode="hints", lane="live")
    assert world.erp.rows("customers")[there]["creditLimit"] == 5
    assert [issue.kind for issue in await world.issues()] == ["approval"]


async def test_a_value_sent_instead_is_approved_as_any(world: Any) -> None:
    world.configure("owner: crm}", 'owner: crm, approve: "credit_limit > 1000"}')
    world.crm.put("Accounts", Name="x" * 50, Tax="DE1", Limit=Decimal(5))
    await world.sync("customers")
    await edit(world, name="Short", credit_limit=Decimal(9000))
    await world.sync("customers")
    assert world.erp.rows("customers") == {}
    assert "approval" in {issue.kind for issue in await world.issues()}
