"""Several currencies: rates, documents in euros in a dollar company, base amounts, payments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP
from decimal import Decimal as D
from typing import Any

import pytest

FLOWS = {
    "rates": {"entity": "exchange_rate", "between": ["crm", "erp"], "direction": "right_to_left",
              "when": "currency in ['EUR', 'GBP', 'JPY']"},
    "products": {"entity": "product", "between": ["crm", "erp"], "owner": "crm"},
    "customers": {"entity": "customer", "between": ["crm", "erp"], "variants": {"crm": ["account"]}, "owner": "crm"},
    "orders": {"entity": "sales_order", "between": ["crm", "erp"], "owner": "crm"},
    "invoices": {"entity": "sales_invoice", "between": ["crm", "erp"], "owner": "crm",
                 "variants": {"crm": ["invoice"]}},
    "payments": {"entity": "payment", "between": ["crm", "erp"], "direction": "right_to_left"},
}  # fmt: skip
EUROS = D("1.25")
"""Dollars for a euro, today."""


def day(ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=ago)).date().isoformat()


def dollars(euros: Any) -> D:
    return (D(euros) * EUROS).quantize(D("0.01"), ROUND_HALF_UP)


@pytest.fixture(scope="module")
def world(make_world: Any) -> Any:
    made = make_world(FLOWS, connections={"crm": {"document_rates": True}})
    # Entered in any order: a rate that was set late for an earlier day is not the one of today.
    made.bc("set_rate", currency="EUR", rate=EUROS, date=day(2))
    made.bc("set_rate", currency="EUR", rate="1.19", date=day(40))
    made.bc("set_rate", currency="EUR", rate="1.21", date=day(20))
    made.sync()
    return made


@pytest.fixture(scope="module")
def shop(world: Any) -> dict[str, str]:
    account = world.account("Alpine Ski House", CountryId=world.country("DE"), Zip="80331")
    product = world.product("Ski Rack", Price=D(125))
    world.sync()
    return {"account": account, "customer": world.partner("customer", account), "product": product,
            "item": world.partner("product", product), "EUR": world.currency("EUR")}  # fmt: skip


def in_force(world: Any, currency: str, on: str) -> D:
    """The rate Creatio takes: of the rows that are valid that day, the one created last."""
    rows = [
        row for row in world.rows("CurrencyRate", CurrencyId=currency)
        if row["StartDate"][:10] <= on and (row["EndDate"][:4] == "0001" or row["EndDate"][:10] >= on)
    ]  # fmt: skip
    return max(rows, key=lambda row: row["CreatedOn"])["Rate"]


def test_rates_of_business_central_are_those_of_creatio(world: Any, shop: dict[str, str]) -> None:
    """Euros for a dollar there, dollars for a euro here; and each day has the rate that began last before it."""
    for ago, rate in ((0, EUROS), (2, EUROS), (15, D("1.21")), (30, D("1.19"))):
        expected = (1 / rate).quantize(D("0.00000001"), ROUND_HALF_UP)
        assert in_force(world, shop["EUR"], day(ago)) == expected, f"{ago} days ago"
    world.quiet("rates")


def test_new_rate_takes_over(world: Any, shop: dict[str, str]) -> None:
    pound = world.currency("GBP")
    world.bc("set_rate", currency="GBP", rate="1.6", date=day(5))
    world.sync("rates")
    assert in_force(world, pound, day(0)) == D("0.625")
    world.bc("set_rate", currency="GBP", rate="2", date=day(0))
    world.sync("rates")
    assert (in_force(world, pound, day(0)), in_force(world, pound, day(3))) == (D("0.5"), D("0.625"))
    # Set late, for days long past: today's rate stays what it is.
    world.bc("set_rate", currency="GBP", rate="1.25", date=day(12))
    world.sync("rates")
    assert [in_force(world, pound, day(ago)) for ago in (0, 3, 8)] == [D("0.5"), D("0.625"), D("0.8")]
    world.quiet("rates")


def test_order_in_euros(world: Any, shop: dict[str, str]) -> None:
    """Typed into Creatio with its rate of the day: Business Central holds the same euros, and its own rate."""
    order = world.add("Order", AccountId=shop["account"], CurrencyId=shop["EUR"], CurrencyRate=D("0.8"))
    world.line("OrderProduct", order, shop["product"], 3, "99.99", percent=5)
    world.sync()
    there = world.bc("get", set="salesOrders", key=world.partner("sales_order", order))
    [line] = world.bc_lines("salesOrders", there["id"])
    assert there["currencyCode"] == "EUR"
    assert (line["unitPrice"], line["discountAmount"]) == (D("99.99"), D("15.00"))
    here = world.row("Order", order)
    assert there["totalAmountIncludingTax"] == here["Amount"] == D("284.97")
    assert here["PrimaryAmount"] == dollars("284.97")
    world.quiet()


def test_invoice_in_euros_becomes_one_with_base_amounts(world: Any, shop: dict[str, str]) -> None:
    made = world.bc("create", set="salesInvoices", values={"customerId": shop["customer"], "currencyCode": "EUR"})
    line = {"documentId": made["id"], "itemId": shop["item"], "quantity": 4, "unitPrice": D("110.25")}
    world.bc("create", set="salesInvoiceLines", values=line)
    posted = world.bc("post", set="salesInvoices", key=made["id"])
    world.sync()
    key = world.link("sales_invoice", right=made["id"]).left_key
    here = world.row("Invoice", key)
    assert (here["CurrencyId"], here["CurrencyRate"]) == (shop["EUR"], D("0.8"))
    assert (here["Amount"], here["PrimaryAmount"]) == (441, dollars(441))
    [line] = world.rows("InvoiceProduct", InvoiceId=key)
    assert (line["Price"], line["PrimaryPrice"]) == (D("110.25"), dollars("110.25"))
    world.bc("receive_payment", invoice=posted["number"], amount=D("200.20"))
    world.sync()
    here = world.row("Invoice", key)
    assert (here["PaymentAmount"], here["PrimaryPaymentAmount"]) == (D("200.20"), dollars("200.20"))
    payment = world.one("UsrPayment", UsrInvoiceId=key)
    assert (payment["UsrAmount"], payment["UsrCurrencyId"]) == (D("200.20"), shop["EUR"])
    world.quiet()


def test_yen_have_no_cents(world: Any, shop: dict[str, str]) -> None:
    order = world.add("Order", AccountId=shop["account"], CurrencyId=world.currency("JPY"), CurrencyRate=D("149.7"))
    world.line("OrderProduct", order, shop["product"], 7, 18650)
    world.sync()
    there = world.bc("get", set="salesOrders", key=world.partner("sales_order", order))
    assert (there["currencyCode"], there["totalAmountIncludingTax"]) == ("JPY", 130550)
    assert world.row("Order", order)["Amount"] == 130550
    world.quiet()
