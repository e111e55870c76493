"""Invoices: drafts, posting by people and by weft, the number written back, payments, what is locked."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest

NOT_INVOICED = "02794bf5-52e6-df11-971b-001d60e938c6"
UNPAID = "36319d13-98e6-df11-971b-001d60e938c6"
PARTLY_PAID = "03794bf5-52e6-df11-971b-001d60e938c6"
PAID = "698d39fd-52e6-df11-971b-001d60e938c6"
ORDER_PARTLY_PAID = "a2f17c7b-956b-47c8-9ea5-b545b74a26f6"
ORDER_PAID = "4721338e-a5f1-4529-96be-d3f311518812"
INSTALMENT = "d868f4b7-4946-4bb1-94bb-6fb93a513ce4"
FINISHED = "e9eb323c-b1ed-4b4b-8dd9-414ad95075d3"

FLOWS = {
    "products": {"entity": "product", "between": ["crm", "erp"], "owner": "crm"},
    "customers": {"entity": "customer", "between": ["crm", "erp"], "variants": {"crm": ["account"]}, "owner": "crm"},
    "orders": {"entity": "sales_order", "between": ["crm", "erp"], "direction": "left_to_right"},
    "invoices": {
        "entity": "sales_invoice", "between": ["crm", "erp"], "direction": "left_to_right",
        "when": "external_number != 'POST'",
    },
    "posted": {
        "entity": "sales_invoice", "between": ["crm", "erp"], "direction": "left_to_right",
        "after": {"erp": ["post"]}, "enabled": False,
    },
    "payments": {"entity": "payment", "between": ["crm", "erp"], "direction": "right_to_left"},
}  # fmt: skip


@pytest.fixture(scope="module")
def world(make_world: Any) -> Any:
    made = make_world(FLOWS)
    made.sync()
    return made


@pytest.fixture(scope="module")
def shop(world: Any) -> dict[str, str]:
    account = world.account("Relecloud", CountryId=world.country("US"), Zip="98101")
    product = world.product("Server", Price=D(1000))
    world.sync()
    return {"account": account, "product": product, "customer": world.partner("customer", account)}


def invoiced(world: Any, shop: dict[str, str], price: Any, **more: Any) -> tuple[str, str]:
    """An invoice typed into Creatio and brought over: its Id, and the id of the draft."""
    values = {"AccountId": shop["account"], "CurrencyId": world.currency("USD"), "StartDate": "2026-05-04T00:00:00Z"}
    key = world.add("Invoice", **values, **more)
    world.line("InvoiceProduct", key, shop["product"], 1, price)
    world.sync()
    return key, world.partner("sales_invoice", key)


def test_invoice_becomes_a_draft_and_people_post_it(world: Any, shop: dict[str, str]) -> None:
    key, draft = invoiced(world, shop, "1234.56", DueDate="2026-06-30T00:00:00Z")
    there = world.bc("get", set="salesInvoices", key=draft)
    assert (there["status"], there["customerId"], there["totalAmountIncludingTax"]) == (
        "Draft", shop["customer"], D("1234.56"),
    )  # fmt: skip
    assert (there["invoiceDate"], there["dueDate"]) == ("2026-05-04", "2026-06-30")
    here = world.row("Invoice", key)
    assert (here["PaymentStatusId"], here["UsrErpNumber"]) == (NOT_INVOICED, there["number"])
    assert here["UsrErpPostedOn"].startswith("0001-01-01")
    posted = world.bc("post", set="salesInvoices", key=draft)
    assert posted["number"] != there["number"]
    world.sync()
    here = world.row("Invoice", key)
    assert (here["UsrErpNumber"], here["PaymentStatusId"]) == (posted["number"], UNPAID)
    assert here["UsrErpPostedOn"][:10] == posted["postingDate"]
    assert here["Amount"] == D("1234.56")
    world.quiet()


def test_weft_posts_when_the_flow_says_so(world: Any, shop: dict[str, str]) -> None:
    values = {"AccountId": shop["account"], "CurrencyId": world.currency("USD")}
    key = world.add("Invoice", **values)
    world.line("InvoiceProduct", key, shop["product"], 2, 750)
    world.sync("posted")
    there = world.bc("get", set="salesInvoices", key=world.partner("sales_invoice", key))
    assert (there["status"], there["totalAmountIncludingTax"]) == ("Open", 1500)
    here = world.row("Invoice", key)
    assert (here["UsrErpNumber"], here["PaymentStatusId"]) == (there["number"], UNPAID)
    world.quiet("posted")
    assert len(world.bc_rows("salesInvoices", externalDocumentNumber=there["externalDocumentNumber"])) == 1


def test_nothing_is_posted_while_the_totals_differ(world: Any, shop: dict[str, str]) -> None:
    """Business Central adds a tax that Creatio does not know of: a person must look."""
    taxed = world.product("Taxed Server", Price=D(100))
    account = world.account("Tailspin", CountryId=world.country("US"), Zip="30301")
    world.sync("products", "customers")
    world.bc("edit", set="items", key=world.partner("product", taxed), values={"taxGroupCode": "TAXABLE"})
    area = world.bc_id("taxAreas", code="ATLANTA, GA")
    world.bc("edit", set="customers", key=world.partner("customer", account),
             values={"taxLiable": True, "taxAreaId": area})  # fmt: skip
    key = world.add("Invoice", AccountId=account, CurrencyId=world.currency("USD"))
    line = world.line("InvoiceProduct", key, taxed, 1, 100)
    world.sync("posted", states=("issues",))
    draft = world.partner("sales_invoice", key)
    assert world.bc("get", set="salesInvoices", key=draft)["status"] == "Draft"
    [issue] = world.issues("posted")
    assert (issue.kind, issue.code) == ("review", "totals")
    assert "gross_amount differs by more than 0.01 USD: 100.00 USD on the left, 107 USD on the right" in issue.reason
    world.edit_line("InvoiceProduct", line, tax=7)
    world.sync("posted")
    there = world.bc("get", set="salesInvoices", key=draft)
    assert (there["status"], there["totalAmountIncludingTax"]) == ("Open", 107)
    assert world.row("Invoice", key)["Amount"] == 107


def test_posted_invoice_is_never_edited(world: Any, shop: dict[str, str]) -> None:
    key, draft = invoiced(world, shop, 300)
    world.bc("post", set="salesInvoices", key=draft)
    world.sync()
    before = world.bc("get", set="salesInvoices", key=draft)
    line = world.id("InvoiceProduct", InvoiceId=key)
    world.edit_line("InvoiceProduct", line, Price=250)
    world.sync(states=("done", "issues"))
    [issue] = [one for one in world.issues("invoices") if one.key == key]
    assert issue.code == "locked"
    assert "posted in Business Central, status Open" in issue.reason
    assert world.bc("get", set="salesInvoices", key=draft) == before
    # Undone in Creatio, there is nothing to tell any more.
    world.edit_line("InvoiceProduct", line, Price=300)
    world.sync()
    assert world.issues("invoices") == []


def test_payments_settle_the_invoice_and_its_order(world: Any, shop: dict[str, str]) -> None:
    """Half, then the rest: the invoice, its instalment and the order tell it, and a payment record stands for it."""
    order = world.add("Order", AccountId=shop["account"], CurrencyId=world.currency("USD"))
    world.line("OrderProduct", order, shop["product"], 1, 800)
    key = world.add("Invoice", AccountId=shop["account"], CurrencyId=world.currency("USD"), OrderId=order)
    world.line("InvoiceProduct", key, shop["product"], 1, 800)
    part = world.add("SupplyPaymentElement", Name="All at once", OrderId=order, InvoiceId=key, TypeId=INSTALMENT,
                     DatePlan="2026-06-01T00:00:00Z", AmountPlan=D(800), Percentage=D(100))  # fmt: skip
    world.sync()
    draft = world.partner("sales_invoice", key)
    posted = world.bc("post", set="salesInvoices", key=draft)
    world.sync()
    assert world.rows("UsrPayment", UsrInvoiceId=key) == []

    world.bc("receive_payment", invoice=posted["number"], amount=D("300.10"))
    world.sync()
    here = world.row("Invoice", key)
    assert (here["PaymentAmount"], here["PrimaryPaymentAmount"], here["PaymentStatusId"]) == (
        D("300.10"), D("300.10"), PARTLY_PAID,
    )  # fmt: skip
    payment = world.one("UsrPayment", UsrInvoiceId=key)
    assert (payment["UsrAmount"], payment["UsrAccountId"]) == (D("300.10"), shop["account"])
    assert payment["UsrNumber"] == posted["number"]
    assert world.row("SupplyPaymentElement", part)["AmountFact"] == D("300.10")
    ordered = world.row("Order", order)
    assert (ordered["PaymentAmount"], ordered["PaymentStatusId"]) == (D("300.10"), ORDER_PARTLY_PAID)
    world.quiet()

    rest = world.bc("receive_payment", invoice=posted["number"], amount=D("499.90"))
    assert (rest["remainingAmount"], rest["status"]) == (0, "Paid")
    world.sync()
    here = world.row("Invoice", key)
    assert (here["PaymentAmount"], here["PaymentStatusId"]) == (800, PAID)
    element = world.row("SupplyPaymentElement", part)
    assert (element["AmountFact"], element["StateId"]) == (800, FINISHED)
    ordered = world.row("Order", order)
    assert (ordered["PaymentAmount"], ordered["PaymentStatusId"]) == (800, ORDER_PAID)
    assert world.one("UsrPayment", UsrInvoiceId=key)["UsrAmount"] == 800
    world.quiet()
    books = world.bc("audit")
    assert books["debit"] == books["credit"]
