"""Currencies with three decimal places and with none, through whole flows with both ERPs.

Creatio's columns for money hold two places whatever the currency; the ERPs round by the currency's own rule.
"""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest

KINDS = ["bc", "d365fo"]
PAIR = {"between": ["crm", "erp"], "owner": "crm"}
FLOWS = {
    "products": {"entity": "product", **PAIR},
    "customers": {"entity": "customer", "variants": {"crm": ["account"]}, **PAIR},
    "orders": {"entity": "sales_order", "variants": {"crm": ["order"]}, **PAIR},
    "invoices": {"entity": "sales_invoice", "variants": {"crm": ["invoice"]}, **PAIR},
}


@pytest.fixture(scope="module", params=KINDS)
def world(request: pytest.FixtureRequest, make_world: Any) -> Any:
    from tests.system.objects.books_bc import BcBooks
    from tests.system.objects.books_fo import FoBooks

    books = {"bc": BcBooks, "d365fo": FoBooks}[request.param]
    made = make_world(FLOWS, kind=request.param, mappings=books.mappings)
    made.books = books(made)
    made.sync()
    return made


@pytest.fixture(scope="module")
def shop(world: Any) -> dict[str, str]:
    account, product = world.account("Alpine Ski House"), world.product("Ski Rack", Price=D(125))
    world.sync()
    return {"account": account, "customer": world.partner("customer", account), "product": product,
            "item": world.partner("product", product)}  # fmt: skip


def order_line(world: Any, order: str) -> tuple[D, D]:
    """(price, amount after discount) of an order's one line in the ERP."""
    key = world.partner("sales_order", order)
    if world.books.kind == "bc":
        [line] = world.bc_lines("salesOrders", key)
        return line["unitPrice"], line["amountIncludingTax"]
    [line] = world.books.rows("SalesOrderLines", SalesOrderNumber=key)
    return D(line["SalesPrice"]), D(line["LineAmount"])


def invoiced(world: Any, shop: dict[str, str], currency: str, quantity: Any, price: Any) -> str:
    """An invoice typed into the ERP."""
    if world.books.kind == "bc":
        values = {"customerId": shop["customer"], "currencyCode": currency}
        made = world.bc("create", set="salesInvoices", values=values)
        line = {"documentId": made["id"], "itemId": shop["item"], "quantity": quantity, "unitPrice": price}
        world.bc("create", set="salesInvoiceLines", values=line)
        return str(made["id"])
    values = {"dataAreaId": "usmf", "CustomerAccount": shop["customer"].split("|")[-1], "CurrencyCode": currency}
    key = world.books.command("create", set="FreeTextInvoiceHeaders", values=values)["InvoiceIdentifier"]
    line = {"dataAreaId": "usmf", "ParentRecId": key, "LineNumber": 1, "MainAccountDisplayValue": "401100",
            "Description": "Ski school", "Quantity": quantity, "UnitPrice": price}  # fmt: skip
    world.books.command("create", set="FreeTextInvoiceLines", values=line)
    return str(key)


@pytest.mark.parametrize(
    ("currency", "quantity", "price", "percent", "there", "here"),
    [("KWD", 3, "0.33", 5, "0.941", "0.94"), ("JPY", 7, 18650, 0, "130550", "130550")],
)
def test_an_order_is_rounded_by_its_currency_there(
    world: Any, shop: dict[str, str], currency: str, quantity: int, price: Any, percent: int, there: str, here: str
) -> None:
    order = world.add("Order", AccountId=shop["account"], CurrencyId=world.currency(currency))
    line = world.line("OrderProduct", order, shop["product"], quantity, price, percent=percent)
    world.sync("orders")
    told, amount = order_line(world, order)
    assert told == D(price)
    assert abs(amount - D(there)) < D("0.0015")  # an amount of discount is sent where the percentage is not exact
    assert world.row("Order", order)["Amount"] == D(here)
    world.quiet("orders")
    world.edit_line("OrderProduct", line, Quantity=10)
    world.sync("orders")
    assert abs(order_line(world, order)[1] - 10 * D(price) * (100 - percent) / 100) < D("0.006")
    world.quiet("orders")


@pytest.mark.parametrize(
    ("currency", "quantity", "price", "here", "amount"),
    [("KWD", 3, "4.115", "4.12", "12.36"), ("JPY", 3, "10.5", "10.50", "32")],
)
def test_an_invoice_comes_with_what_creatio_can_hold(
    world: Any, shop: dict[str, str], currency: str, quantity: int, price: str, here: str, amount: str
) -> None:
    """12.345 dinars are 12.35 here or 12.36, whole yen stay whole; and nothing goes back that nobody typed."""
    made = invoiced(world, shop, currency, quantity, D(price))
    world.sync("invoices")
    key = world.link("sales_invoice", right=made).left_key
    [line] = world.rows("InvoiceProduct", InvoiceId=key)
    assert line["Price"] == D(here)
    assert world.row("Invoice", key)["Amount"] in (D(amount), D("12.35"))
    world.quiet("invoices")
    world.edit("Invoice", key, Notes="Seen")
    world.sync("invoices")
    [seen] = world.books.seen("sales_invoice", made)["lines"]
    assert seen[2] == D(price)
    world.quiet("invoices")


def test_a_price_finer_than_creatios_makes_the_amount_that_it_makes_there(world: Any, shop: dict[str, str]) -> None:
    made = invoiced(world, shop, "USD", 1000, D("1.2345"))
    world.sync("invoices")
    key = world.link("sales_invoice", right=made).left_key
    [line] = world.rows("InvoiceProduct", InvoiceId=key)
    assert (line["Price"], line["Amount"]) == (D("1.23"), D("1234.5"))
    assert line["TotalAmount"] - line["TaxAmount"] == D("1234.5")
    assert world.row("Invoice", key)["Amount"] == line["TotalAmount"]
    world.quiet("invoices")
    world.edit("Invoice", key, Notes="Seen")
    world.sync("invoices")
    [seen] = world.books.seen("sales_invoice", made)["lines"]
    assert seen[2] == D("1.2345")
    world.quiet("invoices")
    if world.books.kind == "bc":
        [there] = world.bc_lines("salesInvoices", made)
        world.bc("edit", set="salesInvoiceLines", key=there["id"], values={"quantity": 2000})
    else:
        there = {"dataAreaId": "usmf", "ParentRecId": int(made), "LineNumber": 1}
        world.books.command("edit", set="FreeTextInvoiceLines", key=there, values={"Quantity": 2000})
    world.sync("invoices")
    changed = world.row("InvoiceProduct", line["Id"])
    assert (changed["Quantity"], changed["Amount"]) == (2000, 2469)
    assert changed["TotalAmount"] - changed["TaxAmount"] == 2469
    world.quiet("invoices")
    world.edit_line("InvoiceProduct", line["Id"], Quantity=500)  # Creatio's page computes with the price it shows
    world.sync("invoices")
    world.sync("invoices")
    assert world.row("InvoiceProduct", line["Id"])["Amount"] == D("617.25")
    assert world.books.seen("sales_invoice", made)["lines"][0][1:] == (500, D("1.2345"))
