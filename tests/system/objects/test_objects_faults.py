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
POSTED = {"journal_entries": {"after": {"erp": ["post"]}}}
"""What Business Central can be asked to do besides receipts; elsewhere people post."""
ANY = ("done", "issues", "down", "failed")


@pytest.fixture(scope="module", params=ERPS)
def pair(request: pytest.FixtureRequest, make_pack: Any) -> Any:
    made = make_pair(make_pack, request.param, POSTED if request.param == "bc" else {})
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


def hit(pair: Pair, flow: str, system: str, *, kind: str, **about: Any) -> None:
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


@pytest.mark.parametrize("fault", IN_BATCH)
def test_edits_on_their_way_into_creatio(pair: Pair, fault: str) -> None:
    world, books = pair.world, pair.books
    goods = [(pair.there("chair"), 2, 90), (pair.there("desk"), 1, 249), (pair.there("chair"), 7, 15)]
    there = books.document("credit_memo", pair.there("buyer"), goods, external=f"edit-{fault}")
    world.sync("credit_memos")
    here = pair.arrived("credit_memo", there)
    books.amend(there)
    hit(pair, "credit_memos", "crm", method="POST", path=r"\$batch$", **IN_BATCH[fault])
    settled(pair, "credit_memos")
    assert held(pair, "UsrCreditMemo", here) == booked(pair, "credit_memo", there) == [(5, 90), (7, 16)]


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


RECEIPT = {
    "bc": [("erp", "POST", r"/salesInvoices\(.*NAV\.post$", 0), ("erp", "POST", "/customerPayments$", 0),
           ("erp", "POST", r"/journals\(.*NAV\.post$", 0)],
    "d365fo": [("erp", "POST", "/FreeTextInvoiceHeaders", 0), ("erp", "POST", r"\$batch$", 0),
               ("crm", "PATCH", "/UsrSalesReceipt", 0)],
}  # fmt: skip
"""What follows a receipt: its posting, the payment and that one's posting; else its header, its lines, its number."""


@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("kind", ["lost_answer", "error_after_commit"])
def test_steps_after_a_receipt(pair: Pair, kind: str, step: int) -> None:
    world, books = pair.world, pair.books
    world.number += 1
    price = 1000 + world.number
    goods = [(pair.here("chair"), 1, price), (pair.here("desk"), 2, 10), (pair.here("chair"), 3, 5)]
    key = pair.own("SalesReceipt", goods, AccountId=pair.here("buyer"), CurrencyId=world.currency("USD"))
    before = books.count("sales_receipt")
    system, method, path, skip = RECEIPT[books.kind][step]
    hit(pair, "receipts", system, kind=kind, method=method, path=path, skip=skip)
    if books.kind == "d365fo":
        world.settle("receipts")
        books.post("sales_receipt", pair.sent("sales_receipt", key))
    settled(pair, "receipts")
    there = pair.sent("sales_receipt", key)
    assert held(pair, "UsrSalesReceipt", key) == booked(pair, "sales_receipt", there) == [(1, price), (2, 10), (3, 5)]
    assert (books.count("sales_receipt"), books.seen("sales_receipt", there)["paid"]) == (before + 1, True)
    paid = world.one("UsrDocumentStatus", Name="Paid")["Id"]
    assert world.row("UsrSalesReceipt", key)["UsrStatusId"] == paid
    assert books.received(there, price + 35) == 1


JOURNALS = {
    "bc": {"bill_payment": "/vendorPayments$", "deposit": "/journalLines$", "journal_entry": r"/journals(\?.*)?$"},
    "d365fo": {"bill_payment": "/VendorPaymentJournalLines", "deposit": "/CustomerPaymentJournalLines",
               "journal_entry": r"\$batch$"},
}  # fmt: skip
LAST = {"bc": {"journal_entry": r"/journals\(.*NAV\.post$"},
        "d365fo": {"bill_payment": "/VendorPaymentJournalHeaders", "deposit": "/CustomerPaymentJournalHeaders",
                   "journal_entry": "/LedgerJournalHeaders"}}  # fmt: skip
STEPS = {"entered": JOURNALS, "posted_or_opened": LAST}


@pytest.mark.parametrize("step", [*STEPS, "told"])
@pytest.mark.parametrize("kind", ["lost_answer", "error_after_commit"])
@pytest.mark.parametrize("entity", ["bill_payment", "deposit", "journal_entry"])
def test_steps_of_journals(pair: Pair, entity: str, kind: str, step: str) -> None:
    """The answer to a journal, a line, a posting or what Creatio is told of it is lost: it is booked once."""
    world, books = pair.world, pair.books
    world.number += 1
    amount = D(2000 + world.number)
    usd, flow = world.currency("USD"), {"journal_entry": "journal_entries"}.get(entity, f"{entity}s")
    if entity == "journal_entry":
        name, key = "UsrJournalEntry", pair.own("JournalEntry", Description="Reclass", CurrencyId=usd)
        for number, (account, debit, credit) in enumerate((("expense", amount, 0), ("income", 0, amount)), 1):
            world.add("UsrJournalEntryLine", UsrJournalEntryId=key, UsrLineNumber=number,
                      UsrGLAccountId=pair.here(account), UsrDebit=D(debit), UsrCredit=D(credit))  # fmt: skip
    else:
        name = {"bill_payment": "UsrBillPayment", "deposit": "UsrDeposit"}[entity]
        more = {"GLAccountId": pair.here("income"), "Date": "2026-05-04T00:00:00Z"} if entity == "deposit" else {}
        party = pair.here("buyer" if entity == "deposit" else "seller")
        key = pair.own(name.removeprefix("Usr"), AccountId=party, BankAccountId=pair.here("bank"), Amount=amount,
                       CurrencyId=usd, **more)  # fmt: skip
    own = (books.kind, entity) == ("bc", "journal_entry")  # weft posts these
    path = STEPS[step][books.kind].get(entity) if step in STEPS else None
    if path is not None:
        hit(pair, flow, "erp", kind=kind, method="POST", path=path)
    elif own:
        hit(pair, flow, "crm", kind=kind, method="PATCH", path=f"/{name}")
    world.settle(flow)
    if not own:
        books.post(entity, pair.sent(entity, key))
        if path is None:
            hit(pair, flow, "crm", kind=kind, method="PATCH", path=f"/{name}")
    settled(pair, flow)
    assert books.times(entity, amount) == 1
    done = {one["Id"] for table in ("UsrPaymentStatus", "UsrJournalStatus") for one in world.rows(table)
            if one["Name"] in ("Posted", "Applied")}  # fmt: skip
    assert world.row(name, key)["UsrStatusId"] in done
