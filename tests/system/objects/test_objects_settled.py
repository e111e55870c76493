"""Payments that settle several invoices or bills: both ways with Finance & Operations, refused by Business Central."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest
from tests.system.objects.pairs import Pair, make_pair

SIDES = [
    ("payment", "payments_received", "PaymentReceived", "Invoice", "sales_invoice", "buyer"),
    ("bill_payment", "bill_payments", "BillPayment", "Bill", "bill", "seller"),
]
IDS = [one[0] for one in SIDES]


@pytest.fixture(scope="module", params=["kept", "gone"])
def pair(request: pytest.FixtureRequest, make_pack: Any) -> Pair:
    """Whether the environment keeps what a posted payment settled is not known: both are lived with."""
    erp = {"settled_after_posting": request.param}
    return make_pair(lambda kind, changes: make_pack(kind, changes, erp=erp), "d365fo")


def posted(pair: Pair, entity: str, party: str, price: int) -> tuple[str, str, str]:
    """A posted invoice or bill: (Creatio's key, the number in the ERP, its account)."""
    flow = "invoices" if entity == "sales_invoice" else "bills"
    pair.world.number += 1
    number = f"S-{pair.world.number}"
    there = pair.books.document(entity, pair.there(party), [(pair.there("chair"), 1, price)], external=number)
    pair.world.sync(flow)
    here = pair.arrived(entity, there)
    number = pair.books.post(entity, there) or number
    pair.world.sync(flow)
    return here, number, pair.there(party)


def marks(pair: Pair, entity: str, key: str) -> dict[str, D]:
    """Invoice -> amount that a payment is to settle of it."""
    batch, line = key.split("|")
    sets = {"payment": "PaymentJournalLineSettledInvoices", "bill_payment": "VendorPaymentJournalLineSettledInvoices"}
    rows = pair.books.rows(sets[entity], JournalBatchNumber=batch)
    return {
        row["InvoiceNumber"]: D(row["SettlementAmountInInvoiceCurrency"])
        for row in rows
        if D(row["JournalLineNumber"]) == D(line)
    }


def applied(pair: Pair, name: str, target: str, key: str) -> dict[str, D]:
    rows = pair.world.rows(f"Usr{name}{target}", **{f"Usr{name}Id": key})
    return {row[f"Usr{target}Id"]: row["UsrAmount"] for row in rows}


@pytest.mark.parametrize(("entity", "flow", "name", "target", "document", "party"), SIDES, ids=IDS)
def test_a_payment_of_several_goes_over_and_settles_them(
    pair: Pair, entity: str, flow: str, name: str, target: str, document: str, party: str
) -> None:
    world = pair.world
    one, two, three = (posted(pair, document, party, price) for price in (100, 60, 40))
    key = pair.own(name, AccountId=pair.here(party), Amount=D(150), CurrencyId=world.currency("USD"))
    rows = [
        world.add(f"Usr{name}{target}", **{f"Usr{name}Id": key, f"Usr{target}Id": here, "UsrAmount": D(amount)})
        for (here, _, _), amount in ((one, 100), (two, 50))
    ]
    world.sync(flow)
    there = pair.sent(entity, key)
    assert marks(pair, entity, there) == {one[1]: 100, two[1]: 50}
    world.quiet(flow)
    # Before it is posted people think again: less of one, another in place of the first.
    world.edit(f"Usr{name}{target}", rows[1], UsrAmount=D(45))
    world.remove(f"Usr{name}{target}", rows[0])
    world.add(f"Usr{name}{target}", **{f"Usr{name}Id": key, f"Usr{target}Id": three[0], "UsrAmount": D(40)})
    world.sync(flow, sweep=True)
    assert marks(pair, entity, there) == {two[1]: 45, three[1]: 40}
    pair.books.post(entity, there)
    world.sync(flow, "invoices", "bills")
    assert applied(pair, name, target, key) == {two[0]: 45, three[0]: 40}
    if target == "Invoice":
        paid = {number: world.row("Invoice", here)["PaymentAmount"] for here, number, _ in (one, two, three)}
        assert paid == {one[1]: 0, two[1]: 45, three[1]: 40}
    world.quiet(flow)


@pytest.mark.parametrize(("entity", "flow", "name", "target", "document", "party"), SIDES, ids=IDS)
def test_what_is_marked_there_comes_back(
    pair: Pair, entity: str, flow: str, name: str, target: str, document: str, party: str
) -> None:
    world = pair.world
    one, two = (posted(pair, document, party, price) for price in (70, 30))
    there = pair.books.entry(entity, D(100), party=pair.there(party))
    for (_, number, _), amount in ((one, 70), (two, 30)):
        pair.books.settle(entity, there, number, amount)
    world.sync(flow)
    key = pair.arrived(entity, there)
    assert applied(pair, name, target, key) == {one[0]: 70, two[0]: 30}
    world.quiet(flow)
    pair.books.post(entity, there)
    world.sync(flow)
    assert applied(pair, name, target, key) == {one[0]: 70, two[0]: 30}
    assert world.row(f"Usr{name}", key)["UsrStatusId"] == world.one("UsrPaymentStatus", Name="Applied")["Id"]


@pytest.mark.parametrize("pair", ["kept"], indirect=True)
def test_what_cannot_be_settled_is_not_entered(pair: Pair) -> None:
    """An invoice of another customer: the payment waits for a person, and no line of a journal is left behind."""
    world = pair.world
    here, number, _ = posted(pair, "sales_invoice", "buyer", 10)
    other = world.account("Litware")
    world.sync("customers")
    before = pair.books.count("payment")
    key = pair.own("PaymentReceived", AccountId=other, Amount=D(10), CurrencyId=world.currency("USD"))
    row = world.add("UsrPaymentReceivedInvoice", UsrPaymentReceivedId=key, UsrInvoiceId=here, UsrAmount=D(10))
    world.sync("payments_received", states=("issues",))
    [issue] = world.issues("payments_received")
    assert f"is to settle the invoice '{number}'" in issue.reason
    assert "not among the posted ones of that account" in issue.reason
    assert pair.books.count("payment") == before
    world.edit("UsrPaymentReceived", key, UsrAccountId=pair.here("buyer"))
    world.sync("payments_received")
    assert marks(pair, "payment", pair.sent("payment", key)) == {number: 10}
    assert world.row("UsrPaymentReceivedInvoice", row)["UsrAmount"] == 10


@pytest.mark.parametrize("pair", ["kept"], indirect=True)
@pytest.mark.parametrize("path", [r"JournalLines\?", r"\$batch$"], ids=["payment", "what it settles"])
def test_an_answer_lost_on_the_way_enters_nothing_twice(pair: Pair, path: str) -> None:
    world = pair.world
    one, two = (posted(pair, "sales_invoice", "buyer", price) for price in (20, 25))
    before = pair.books.count("payment")
    key = pair.own("PaymentReceived", AccountId=pair.here("buyer"), Amount=D(45), CurrencyId=world.currency("USD"))
    for (here, _, _), amount in ((one, 20), (two, 25)):
        values = {"UsrPaymentReceivedId": key, "UsrInvoiceId": here, "UsrAmount": D(amount)}
        world.add("UsrPaymentReceivedInvoice", **values)
    with world.fault("erp", "lost_answer", method="POST", path=path) as fault:
        world.sync("payments_received", states=("done", "issues"))
        assert fault.struck == 1
    world.settle("payments_received")
    assert pair.books.count("payment") == before + 1
    assert marks(pair, "payment", pair.sent("payment", key)) == {one[1]: 20, two[1]: 25}


def test_business_central_names_one(make_world: Any) -> None:
    both = {"between": ["crm", "erp"], "owner": "crm"}
    world = make_world({
        "customers": {"entity": "customer", "variants": {"crm": ["account"]}, **both},
        "received": {"entity": "payment", "variants": {"crm": ["received"], "erp": ["journal", "posted"]}, **both},
    })  # fmt: skip
    bank = world.bc_id("bankAccounts", number="CHECKING")
    values = {"code": "WEFT", "displayName": "weft", "balancingAccountId": bank}
    world.bc("create", set="customerPaymentJournals", values=values)
    account = world.account()
    key = world.add("UsrPaymentReceived", UsrNumber="P-1", UsrAccountId=account, UsrAmount=D(45))
    rows = [world.add("UsrPaymentReceivedInvoice", UsrPaymentReceivedId=key, UsrNumber=name, UsrAmount=D(10))
            for name in ("A", "B")]  # fmt: skip
    world.sync("customers")
    world.sync("received", states=("issues",))
    [issue] = world.issues("received")
    assert "the payment settles 2 documents, and a line of a journal names one" in issue.reason
    assert world.bc_rows("customerPayments") == []
    world.remove("UsrPaymentReceivedInvoice", rows[0])
    world.sync("received", sweep=True)
    assert [row["amount"] for row in world.bc_rows("customerPayments")] == [-45]
