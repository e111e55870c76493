"""Faults in the middle of documents, for each ERP and in both directions: an answer is lost, an error is told of what
was done, a line is refused. In the end both sides hold the same lines once, and weft has no open question."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest
from tests.system.objects.pairs import ERPS, Pair, make_pair

VARIANTS = {"sales_invoice": "invoice", "sales_order": "order", "credit_memo": "default", "bill": "default",
            "vendor_credit": "default"}  # fmt: skip
"""Creatio's mappings of what is written there."""
ANY = ("done", "issues", "down", "failed")


@pytest.fixture(scope="module", params=ERPS)
def pair(request: pytest.FixtureRequest, make_pack: Any) -> Any:
    made = make_pair(make_pack, request.param)
    config = made.world.config
    config["connections"]["erp"]["settle_seconds"] = 0  # the simulators answer at once or never
    for entity, variant in VARIANTS.items():
        config["mappings"].setdefault("crm", {})[entity] = {variant: {"settle_seconds": 0}}
    made.world.reopen()
    return made


def held(pair: Pair, name: str, key: str) -> list[tuple[Any, Any]]:
    """Quantity and price of a document's lines in Creatio."""
    own = "Usr" if name.startswith("Usr") else ""
    rows = pair.world.rows(f"{name}Product", **{f"{name}Id": key})
    return sorted((row[f"{own}Quantity"], row[f"{own}Price"]) for row in rows)


def booked(pair: Pair, entity: str, key: str) -> list[tuple[Any, Any]]:
    """The same in the ERP."""
    return sorted((quantity, price) for _, quantity, price in pair.books.seen(entity, key)["lines"])


def settled(pair: Pair, flow: str) -> None:
    """Weft finds out what became of it all by itself, and nothing is left over."""
    world = pair.world
    world.settle(flow)
    assert [(one.kind, one.reason) for one in world.issues(flow)] == []
    state = world.runtime.state
    assert world.served.run(lambda: state.read(lambda tx: tx.intents.unsettled(flow))) == []
    world.quiet(flow)


def hit(pair: Pair, flow: str, system: str, kind: str, **about: Any) -> None:
    """Sync while a fault is in force, which must strike."""
    with pair.world.fault(system, kind, **about) as fault:
        pair.world.sync(flow, states=ANY)
        assert fault.struck == 1


BORN_THERE = [
    ("sales_invoice", "invoices", "Invoice", "buyer"),
    ("credit_memo", "credit_memos", "UsrCreditMemo", "buyer"),
    ("bill", "bills", "UsrBill", "seller"),
    ("vendor_credit", "vendor_credits", "UsrVendorCredit", "seller"),
]
IN_BATCH = {
    "lost": {"kind": "lost_answer", "after": 2},
    "told_wrong": {"kind": "partial_batch", "index": 1, "late": True},
    "not_done": {"kind": "partial_batch", "index": 1},
}
"""Of the batch that carries the lines into Creatio: the answer is lost after the second, or the second one's is 500,
after it was done or before."""


@pytest.mark.parametrize("fault", IN_BATCH)
@pytest.mark.parametrize(("entity", "flow", "name", "party"), BORN_THERE, ids=[one[0] for one in BORN_THERE])
def test_lines_on_their_way_into_creatio(pair: Pair, entity: str, flow: str, name: str, party: str, fault: str) -> None:
    goods = [(pair.there("chair"), 2, 90), (pair.there("desk"), 1, D("249.50")), (pair.there("chair"), 7, 15)]
    before = len(pair.world.rows(name))
    there = pair.books.document(entity, pair.there(party), goods, external=f"{fault}-{entity}"[:20])
    hit(pair, flow, "crm", method="POST", path=r"\$batch$", **IN_BATCH[fault])
    settled(pair, flow)
    here = pair.arrived(entity, there)
    assert held(pair, name, here) == booked(pair, entity, there) == [(1, D("249.50")), (2, 90), (7, 15)]
    assert len(pair.world.rows(name)) == before + 1


def in_erp(pair: Pair, kind: str, step: int) -> dict[str, Any]:
    """What strikes a step of a document that is written to the ERP. Business Central takes them one by one; they are
    one transaction of a batch in Finance & Operations, lost whole or with the first of them."""
    if pair.books.kind == "bc":
        return {"kind": kind, "method": "POST|PATCH|DELETE", "path": "/(sales|purchase)", "skip": step}
    after = {"after": step + 1} if kind == "lost_answer" and step else {}
    return {"kind": kind, "method": "POST", "path": r"\$batch$", **after}


@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("kind", ["lost_answer", "error_after_commit"])
def test_edits_on_their_way_to_the_erp(pair: Pair, kind: str, step: int) -> None:
    """A changed header, two changed lines, one deleted and one added, of an order; each step in turn is struck."""
    world = pair.world
    key = world.add("Order", AccountId=pair.here("buyer"), CurrencyId=world.currency("USD"))
    lines = [world.line("OrderProduct", key, pair.here("chair"), number, 10 * number) for number in (1, 2, 3, 4)]
    world.sync("orders")
    there = pair.sent("sales_order", key)
    assert booked(pair, "sales_order", there) == [(1, 10), (2, 20), (3, 30), (4, 40)]
    before = pair.books.count("sales_order")
    world.edit("Order", key, DueDate="2027-05-20T00:00:00Z")
    world.edit_line("OrderProduct", lines[0], Quantity=11)
    world.remove("OrderProduct", lines[1])
    world.edit_line("OrderProduct", lines[2], Price=33)
    world.line("OrderProduct", key, pair.here("desk"), 5, 50)
    hit(pair, "orders", "erp", **in_erp(pair, kind, step))
    settled(pair, "orders")
    expected = [(3, 33), (4, 40), (5, 50), (11, 10)]
    assert held(pair, "Order", key) == booked(pair, "sales_order", there) == expected
    assert pair.books.count("sales_order") == before


REFUSED = [("sales_order", "orders", "Order"), ("purchase_order", "purchase_orders", "UsrPurchaseOrder")]


@pytest.mark.parametrize(("entity", "flow", "name"), REFUSED, ids=[one[0] for one in REFUSED])
def test_a_line_is_refused_until_somebody_puts_it_right(pair: Pair, entity: str, flow: str, name: str) -> None:
    """The one in the middle of a new document is for a blocked product; another takes its place."""
    world = pair.world
    stool = world.product(world.name("Stool"), Price=D(60))
    world.sync("products")
    pair.books.block(pair.sent("product", stool))
    before = pair.books.count(entity)
    goods = [(pair.here("chair"), 1, 10), (stool, 2, 20), (pair.here("desk"), 3, 30)]
    if name == "Order":
        key, column = world.add(name, AccountId=pair.here("buyer"), CurrencyId=world.currency("USD")), "ProductId"
        for product, quantity, price in goods:
            world.line("OrderProduct", key, product, quantity, price)
    else:
        columns = {"AccountId": pair.here("seller"), "CurrencyId": world.currency("USD")}
        key, column = pair.own(name.removeprefix("Usr"), goods, **columns), "UsrProductId"
    for _ in range(2):
        world.sync(flow, states=("issues",))
    [issue] = world.issues(flow)
    assert "locked" in issue.reason, "in the system's own words"
    line = world.id(f"{name}Product", **{f"{name}Id": key, column: stool})
    world.edit(f"{name}Product", line, **{column: pair.here("chair")})
    settled(pair, flow)
    there = pair.sent(entity, key)
    assert held(pair, name, key) == booked(pair, entity, there) == [(1, 10), (2, 20), (3, 30)]
    assert pair.books.count(entity) == before + 1
