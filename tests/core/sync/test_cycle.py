"""The whole cycle between two systems in memory."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from weft import around
from weft.sync.verify import verify


def only(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    assert len(rows) == 1, rows
    return next(iter(rows.values()))


async def test_first_load_pairs_and_creates_both_ways(world) -> None:
    world.crm.put("Accounts", Name="Adatum", Tax="DE1", Email="a@adatum.example", Limit=Decimal("100.10"))
    world.crm.put("Accounts", Name="Contoso", Tax="DE2")
    world.erp.put("customers", displayName="Adatum", taxNumber="DE1", phoneNumber="+49 1")
    world.erp.put("customers", displayName="Fabrikam", taxNumber="DE3")
    await world.sync("customers")
    crm = {row["Name"]: row for row in world.crm.rows("Accounts").values()}
    erp = {row["displayName"]: row for row in world.erp.rows("customers").values()}
    assert set(crm) == set(erp) == {"Adatum", "Contoso", "Fabrikam"}
    assert crm["Adatum"]["Phone"] == "+49 1"
    assert erp["Adatum"]["email"] == "a@adatum.example"
    assert erp["Adatum"]["creditLimit"] == Decimal("100.10")
    assert {name: row["ErpNumber"] for name, row in crm.items()} == {
        name: row["number"] for name, row in erp.items()
    }, "numbers the ERP assigned are written back"
    assert await world.ask(lambda tx: tx.links.count()) == 3
    assert await world.issues() == []


async def test_a_second_run_finds_nothing_to_do(world) -> None:
    world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    await world.sync("customers")
    await world.sync("customers")
    before = len(world.crm.writes), len(world.erp.writes)
    await world.sync("customers")
    await world.sync("customers", sweep=True)
    assert (len(world.crm.writes), len(world.erp.writes)) == before


async def test_edits_on_both_sides_meet_field_by_field(world) -> None:
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1", Phone="1", Email="a@adatum.example")
    await world.sync("customers")
    erp_key = next(iter(world.erp.rows("customers")))
    world.crm.edit("Accounts", key, Name="Adatum AG")
    world.erp.edit("customers", erp_key, phoneNumber="2")
    await world.sync("customers")
    assert only(world.erp.rows("customers"))["displayName"] == "Adatum AG"
    assert only(world.crm.rows("Accounts"))["Phone"] == "2"


async def test_a_conflict_goes_to_the_owner_and_the_rest_flows(world) -> None:
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1", Phone="1")
    await world.sync("customers")
    erp_key = next(iter(world.erp.rows("customers")))
    world.crm.edit("Accounts", key, Name="Left")
    world.erp.edit("customers", erp_key, displayName="Right", phoneNumber="2")
    await world.sync("customers")
    assert only(world.erp.rows("customers"))["displayName"] == "Left"
    assert only(world.crm.rows("Accounts")) | {"ErpNumber": ""} == {
        "Id": key,
        "Name": "Left",
        "Tax": "DE1",
        "Phone": "2",
        "ErpNumber": "",
    } | {k: None for k in only(world.crm.rows("Accounts")) if k in ("Email", "Limit")}


async def test_a_conflict_for_review_waits_for_a_person(world) -> None:
    key = world.crm.put("Products", Code="P1", Name="Chair", Price=Decimal("10"))
    await world.sync("products")
    erp_key = next(iter(world.erp.rows("items")))
    world.crm.edit("Products", key, Name="Left chair")
    world.erp.edit("items", erp_key, displayName="Right chair", unitPrice=Decimal("12"))
    await world.sync("products")
    [issue] = await world.issues(kind="conflict")
    assert issue.payload["name"]["left"] == "Left chair"
    assert issue.payload["name"]["right"] == "Right chair"
    assert only(world.crm.rows("Products"))["Price"] == Decimal("12"), "the other field went through"
    await world.tell(lambda tx: tx.issues.edit(issue.id, {"name": "right"}, world.clock.now()))
    await world.sync("products")
    assert only(world.crm.rows("Products"))["Name"] == "Right chair"
    assert await world.issues() == []


async def test_clearing_a_field_travels(world) -> None:
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1", Phone="1")
    await world.sync("customers")
    world.crm.edit("Accounts", key, Phone="")
    await world.sync("customers")
    assert not only(world.erp.rows("customers"))["phoneNumber"]


async def test_duplicates_are_ambiguous_and_never_guessed(world) -> None:
    for name in ("One", "Two"):
        world.crm.put("Accounts", Name=name, Tax="DE1")
    world.erp.put("customers", displayName="Adatum", taxNumber="DE1")
    await world.sync("customers")
    assert {issue.kind for issue in await world.issues()} == {"ambiguous"}
    assert len(world.erp.rows("customers")) == 1
    assert await world.ask(lambda tx: tx.links.count()) == 0


async def test_a_duplicate_typed_in_later_is_not_created_again(world) -> None:
    world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    await world.sync("customers")
    world.crm.put("Accounts", Name="Adatum again", Tax="DE1")
    await world.sync("customers")
    assert len(world.erp.rows("customers")) == 1
    [issue] = await world.issues()
    assert issue.kind == "ambiguous"


async def test_an_order_waits_for_its_customer_and_wakes_by_itself(world) -> None:
    customer = world.crm.put("Accounts", Name="")  # no name: the ERP refuses it
    product = world.crm.put("Products", Code="P1", Name="Chair", Price=Decimal("9.99"))
    order = world.crm.put("Orders", CustomerId=customer, Reference="R1", Total=Decimal("19.98"))
    world.crm.put("OrderLines", OrderId=order, ProductId=product, Quantity=2, Price=Decimal("9.99"), Position=1)
    world.erp.fail("reject", op="create", object="customers", times=2)
    await world.sync()
    assert world.erp.rows("salesOrders") == {}
    waiting = [issue for issue in await world.issues() if issue.kind == "waiting"]
    assert [issue.waits_key for issue in waiting] == [customer]
    world.crm.edit("Accounts", customer, Name="Adatum")
    await world.sync()
    sent = only(world.erp.rows("salesOrders"))
    assert sent["reference"] == "R1"
    assert only(world.erp.rows("salesLines"))["quantity"] == Decimal(2)
    assert only(world.crm.rows("Orders"))["ErpNumber"] == sent["number"]
    assert await world.issues() == []


async def test_lines_are_changed_added_and_deleted(world) -> None:
    customer = world.crm.put("Accounts", Name="Adatum")
    chair = world.crm.put("Products", Code="P1", Name="Chair", Price=Decimal("1"))
    table = world.crm.put("Products", Code="P2", Name="Table", Price=Decimal("2"))
    order = world.crm.put("Orders", CustomerId=customer, Reference="R1")
    line = world.crm.put("OrderLines", OrderId=order, ProductId=chair, Quantity=1, Position=1)
    await world.sync()
    world.crm.edit("OrderLines", line, Quantity=3)
    extra = world.crm.put("OrderLines", OrderId=order, ProductId=table, Quantity=5, Position=2)
    world.crm.edit("Orders", order, Reference="R2")
    await world.sync()
    quantities = sorted(row["quantity"] for row in world.erp.rows("salesLines").values())
    assert quantities == [3, 5]
    world.crm.remove("OrderLines", extra)
    world.crm.edit("Orders", order, Reference="R3")
    await world.sync()
    assert [row["quantity"] for row in world.erp.rows("salesLines").values()] == [3]
    assert only(world.erp.rows("salesOrders"))["reference"] == "R3"
    assert await world.issues() == []


async def test_a_lost_answer_never_makes_a_second_record(world) -> None:
    world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    world.erp.fail("lose_answer", op="create", object="customers")
    await world.sync("customers")
    world.clock.forward(minutes=10)
    await world.sync("customers")
    assert len(world.erp.rows("customers")) == 1
    assert only(world.crm.rows("Accounts"))["ErpNumber"]
    assert await world.issues() == []


async def test_a_request_that_never_arrived_is_sent_again_after_the_wait(world) -> None:
    world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    world.erp.fail("lose_request", op="create", object="customers")
    await world.sync("customers")
    assert world.erp.rows("customers") == {}
    world.clock.forward(minutes=10)
    await world.sync("customers")
    assert len(world.erp.rows("customers")) == 1
    assert await world.issues() == []


async def test_a_delete_asks_and_a_person_decides(world) -> None:
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    await world.sync("customers")
    world.crm.remove("Accounts", key)
    await world.sync("customers", sweep=True)
    [issue] = await world.issues(kind="delete")
    assert len(world.erp.rows("customers")) == 1
    await world.tell(lambda tx: tx.issues.edit(issue.id, {"choice": "delete"}, world.clock.now()))
    await world.sync("customers")
    assert world.erp.rows("customers") == {}
    assert await world.issues() == []


async def test_deletes_travel_where_the_flow_says_so(world) -> None:
    world.configure("owner: crm}", "owner: crm, deletes: delete}")
    keys = [world.crm.put("Accounts", Name=f"A{n}", Tax=f"DE{n}") for n in range(3)]
    await world.sync("customers")
    world.crm.remove("Accounts", keys[0])
    await world.sync("customers", sweep=True)
    assert len(world.erp.rows("customers")) == 2
    assert await world.ask(lambda tx: tx.links.count()) == 2


async def test_hidden_is_not_deleted(world) -> None:
    world.configure("owner: crm}", "owner: crm, deletes: delete}")
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    await world.sync("customers")
    world.crm.hide("Accounts", key)
    await world.sync("customers", sweep=True)
    assert len(world.erp.rows("customers")) == 1
    assert [issue.kind for issue in await world.issues()] == ["invisible"]


async def test_a_guard_stops_a_mass_delete_until_it_is_approved(world) -> None:
    world.configure("owner: crm}", "owner: crm, deletes: delete, guards: {deletes: 2, percent: 10}}")
    keys = [world.crm.put("Accounts", Name=f"A{n}", Tax=f"DE{n}") for n in range(10)]
    await world.sync("customers")
    for key in keys[:5]:
        world.crm.remove("Accounts", key)
    reports = await world.sync("customers", sweep=True)
    assert reports[0].state == "stopped"
    assert len(world.erp.rows("customers")) == 10
    await world.tell(
        lambda tx: tx.guards.answer("customers", "guard:deletes", "granted", "somebody", world.clock.now())
    )
    await world.sync("customers", sweep=True)
    assert len(world.erp.rows("customers")) == 5


async def test_an_approval_parks_a_record(world) -> None:
    world.configure("owner: crm}", 'owner: crm, approve: "credit_limit > 1000"}')
    world.crm.put("Accounts", Name="Small", Tax="DE1", Limit=Decimal(5))
    key = world.crm.put("Accounts", Name="Big", Tax="DE2", Limit=Decimal("1000.01"))
    await world.sync("customers")
    assert [row["displayName"] for row in world.erp.rows("customers").values()] == ["Small"]
    [issue] = await world.issues(kind="approval")
    now = world.clock.now()
    await world.tell(lambda tx: tx.guards.answer("customers", issue.payload["subject"], "granted", "me", now))
    await world.tell(lambda tx: tx.issues.retry([issue.id], now))
    await world.sync("customers")
    assert len(world.erp.rows("customers")) == 2
    assert await world.issues() == []
    assert world.crm.get("Accounts", key)["ErpNumber"]


async def test_an_approval_holds_for_the_values_that_were_asked_for(world) -> None:
    world.configure("owner: crm}", 'owner: crm, approve: "credit_limit > 1000"}')
    key = world.crm.put("Accounts", Name="Big", Tax="DE2", Limit=Decimal(2000))
    for limit, written in ((2000, []), (9_000_000, []), (9_000_000, [Decimal(9_000_000)])):
        world.crm.edit("Accounts", key, Limit=Decimal(limit))
        await world.sync("customers")
        assert [row["creditLimit"] for row in world.erp.rows("customers").values()] == written
        for issue in await world.issues(kind="approval"):
            assert issue.payload["right"]["fields"]["credit_limit"] == limit
            await world.tell(partial(grant, issue=issue, now=world.clock.now()))


def grant(tx, issue, now) -> None:
    tx.guards.answer("customers", issue.payload["subject"], "granted", "me", now)
    tx.issues.retry([issue.id], now)


async def test_a_question_that_has_lost_its_cause_is_withdrawn(world) -> None:
    world.configure("owner: crm}", 'owner: crm, approve: "credit_limit > 1000"}')
    key = world.crm.put("Accounts", Name="Big", Tax="DE2", Limit=Decimal(2000))
    await world.sync("customers")
    assert await world.tell(lambda tx: len(tx.guards.approvals())) == 1
    world.crm.edit("Accounts", key, Limit=Decimal(5))
    await world.sync("customers")
    assert len(world.erp.rows("customers")) == 1
    assert await world.issues() == []
    assert await world.tell(lambda tx: len(tx.guards.approvals())) == 0


async def test_verify_proves_agreement_and_finds_a_difference(world) -> None:
    for n in range(3):
        world.crm.put("Accounts", Name=f"A{n}", Tax=f"DE{n}", Limit=Decimal("10.10"))
    await world.sync("customers")
    async with world.runtime() as runtime:
        [proof] = await verify(runtime, ["customers"])
    assert (proof.agree, proof.differ, proof.only_left, proof.only_right, proof.not_compared) == (3, 0, 0, 0, 0)
    assert proof.totals["credit_limit"]["-"] == {"left": Decimal("30.30"), "right": Decimal("30.30")}
    key = next(iter(world.erp.rows("customers")))
    world.erp.edit("customers", key, creditLimit=Decimal(1))
    world.erp.put("customers", displayName="New")
    async with world.runtime() as runtime:
        [proof] = await verify(runtime, ["customers"])
    assert (proof.agree, proof.differ, proof.only_right) == (2, 1, 1)


async def test_plan_writes_nothing_and_tells_everything(world) -> None:
    world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    world.erp.put("customers", displayName="Fabrikam", taxNumber="DE3")
    [report] = await world.sync("customers", plan_only=True)
    assert sorted((p.side, p.op, p.label) for p in report.planned) == [
        ("left", "create", "C00001 Fabrikam"),
        ("right", "create", "Adatum"),
    ]
    assert len(world.erp.rows("customers")) == 1
    assert await world.ask(lambda tx: tx.links.count()) == 0


async def test_text_that_is_too_long_is_told_with_its_field(world) -> None:
    world.crm.put("Accounts", Name="x" * 41, Tax="DE1")
    await world.sync("customers")
    [issue] = await world.issues()
    assert issue.kind == "failed"
    assert "displayName" in issue.reason or "name" in issue.reason
    assert "40" in issue.reason


async def test_the_journal_is_chained(world) -> None:
    world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    [report] = await world.sync("customers")
    check = await world.ask(lambda tx: tx.journal.verify_chain(report.run))
    assert check.ok
    assert check.rows > 0


async def test_a_stale_version_is_read_again_and_decided_again(world) -> None:
    key = world.crm.put("Accounts", Name="Adatum", Tax="DE1", Phone="1")
    await world.sync("customers")
    erp_key = next(iter(world.erp.rows("customers")))
    world.crm.edit("Accounts", key, Name="Adatum AG")

    @around("write", kind="memerp")
    async def meddle(call: Any, items: Any) -> Any:
        if erp_key in {item.key for item in items} and not meddled:
            meddled.append(True)
            world.erp.edit("customers", erp_key, phoneNumber="7")
        async for outcome in call():
            yield outcome

    meddled: list[bool] = []
    world.extra = {"meddler": Holder(meddle)}
    await world.sync("customers")
    assert meddled
    assert only(world.erp.rows("customers"))["displayName"] == "Adatum AG"
    assert only(world.erp.rows("customers"))["phoneNumber"] == "7"
    assert only(world.crm.rows("Accounts"))["Phone"] == "7"
    assert await world.issues() == []


class Holder:
    """A plugin that only wraps."""

    def __init__(self, *functions: Any) -> None:
        for function in functions:
            setattr(self, function.__name__, function)
