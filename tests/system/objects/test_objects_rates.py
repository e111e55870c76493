"""Documents of foreign currencies and Finance & Operations: their rates, exact amounts, and dimensions."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest

FLOWS = {
    "products": {"entity": "product", "between": ["crm", "erp"], "owner": "crm"},
    "customers": {"entity": "customer", "between": ["crm", "erp"], "variants": {"crm": ["account"]}, "owner": "crm"},
    "orders": {"entity": "sales_order", "between": ["crm", "erp"], "variants": {"crm": ["order"]}, "owner": "crm"},
    "invoices": {"entity": "sales_invoice", "between": ["crm", "erp"], "variants": {"crm": ["invoice"]},
                 "owner": "crm"},
}  # fmt: skip
MAPPINGS = {
    # A column of the site's choice instead of the package's.
    "crm": {"sales_order": {"order": {"fields": {"UsrDepartment": None, "ReceiverName": "dimensions.department"}}}},
}


@pytest.fixture(scope="module")
def world(make_world: Any) -> Any:
    from tests.system.objects.books_fo import FoBooks

    mappings = {**MAPPINGS, **FoBooks.mappings}
    made = make_world(FLOWS, kind="d365fo", connections={"crm": {"document_rates": True}}, mappings=mappings)
    made.sync()
    return made


@pytest.fixture(scope="module")
def books(world: Any) -> Any:
    from tests.system.objects.books_fo import FoBooks

    return FoBooks(world)


@pytest.fixture(scope="module")
def shop(world: Any) -> dict[str, str]:
    account, product = world.account("Alpine Ski House"), world.product("Ski Rack", Price=D(125))
    world.sync()
    return {"account": account, "customer": world.partner("customer", account), "product": product}


def header(books: Any, world: Any, order: str) -> dict[str, Any]:
    return dict(books.row("sales_order", world.partner("sales_order", order)))


def lines(books: Any, header: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = books.rows("SalesOrderLines", SalesOrderNumber=header["SalesOrderNumber"])
    return found


def test_order_in_euros_takes_its_rate_and_dimensions_along(world: Any, books: Any, shop: dict[str, str]) -> None:
    """0.8 euros for a dollar here are 125 dollars for 100 euros there."""
    order = world.add("Order", AccountId=shop["account"], CurrencyId=world.currency("EUR"), CurrencyRate=D("0.8"),
                      UsrBusinessUnit="001", ReceiverName="022")  # fmt: skip
    line = world.line("OrderProduct", order, shop["product"], 3, "99.99", percent=5, UsrDepartment="023")
    world.sync("orders")
    there = header(books, world, order)
    assert (there["CurrencyCode"], D(there["FixedExchangeRate"])) == ("EUR", 125)
    assert there["DefaultLedgerDimensionDisplayValue"].split("-")[:2] == ["001", "022"]
    [sold] = lines(books, there)
    assert (D(sold["SalesPrice"]), D(sold["LineAmount"])) == (D("99.99"), D("284.97"))
    assert sold["DefaultLedgerDimensionDisplayValue"].split("-")[1] == "023"
    here = world.row("Order", order)
    assert (here["Amount"], here["PrimaryAmount"]) == (D("284.97"), D("356.21"))
    world.quiet("orders")
    # A rate agreed on anew prices the lines anew, from their dollars; the dimensions change as well.
    world.edit("Order", order, CurrencyRate=D("0.9245"), ReceiverName="023")
    world.edit("OrderProduct", line, UsrDepartment="022")
    world.sync("orders")
    there, here = header(books, world, order), world.row("OrderProduct", line)
    assert D(there["FixedExchangeRate"]) == D("108.16658")
    assert there["DefaultLedgerDimensionDisplayValue"].split("-")[:2] == ["001", "023"]
    [sold] = lines(books, there)
    assert D(sold["SalesPrice"]) == here["Price"] == D("115.55")
    assert D(sold["LineAmount"]) == here["TotalAmount"]
    assert sold["DefaultLedgerDimensionDisplayValue"].split("-")[1] == "022"
    world.quiet("orders")


def test_discount_agreed_on_as_an_amount_stays(world: Any, books: Any, shop: dict[str, str]) -> None:
    order = world.add("Order", AccountId=shop["account"], CurrencyId=world.currency("EUR"), CurrencyRate=D("0.8"))
    line = world.line("OrderProduct", order, shop["product"], 50, "19.99", discount="33.33")
    world.sync("orders")
    [sold] = lines(books, header(books, world, order))
    assert (D(sold["LineDiscountAmount"]), D(sold["LineAmount"])) == (D("0.6666"), D("966.17"))
    here = world.row("OrderProduct", line)
    assert (here["DiscountPercent"], here["DiscountAmount"], here["TotalAmount"]) == (
        D("3.33"), D("33.33"), D("966.17"),
    )  # fmt: skip
    world.quiet("orders")


def test_order_in_yen_has_no_cents(world: Any, books: Any, shop: dict[str, str]) -> None:
    order = world.add("Order", AccountId=shop["account"], CurrencyId=world.currency("JPY"), CurrencyRate=D("149.7"))
    world.line("OrderProduct", order, shop["product"], 7, 18650)
    world.sync("orders")
    there = header(books, world, order)
    assert (there["CurrencyCode"], D(there["FixedExchangeRate"])) == ("JPY", D("0.66800267"))
    [sold] = lines(books, there)
    assert (D(sold["SalesPrice"]), D(sold["LineAmount"])) == (18650, 130550)
    world.quiet("orders")


def test_invoice_in_euros_comes_with_its_rate(world: Any, books: Any, shop: dict[str, str]) -> None:
    """92.45 dollars for 100 euros there are 1.08166577 euros for a dollar here, and again 92.45 when read."""
    values = {"dataAreaId": "usmf", "CustomerAccount": shop["customer"].split("|")[-1], "CurrencyCode": "EUR",
              "ExchangeRate": D("92.45")}  # fmt: skip
    made = books.command("create", set="FreeTextInvoiceHeaders", values=values)["InvoiceIdentifier"]
    line = {"dataAreaId": "usmf", "ParentRecId": made, "LineNumber": 1, "MainAccountDisplayValue": "401100",
            "Description": "Ski school", "Quantity": 4, "UnitPrice": D("110.25")}  # fmt: skip
    books.command("create", set="FreeTextInvoiceLines", values=line)
    world.sync("invoices")
    key = world.link("sales_invoice", right=str(made)).left_key
    here = world.row("Invoice", key)
    assert (here["CurrencyId"], here["CurrencyRate"]) == (world.currency("EUR"), D("1.08166577"))
    assert (here["Amount"], here["PrimaryAmount"]) == (441, D("407.70"))
    world.edit("Invoice", key, Notes="Seen")
    world.sync("invoices")
    assert D(books.row("sales_invoice", made)["ExchangeRate"]) == D("92.45")
    # Agreed on anew there: the prices here stay what they are, and so does the rate there.
    values = {"key": {"dataAreaId": "usmf", "InvoiceIdentifier": made}, "values": {"ExchangeRate": D(93)}}
    books.command("edit", set="FreeTextInvoiceHeaders", **values)
    world.sync("invoices", sweep=True)
    assert world.one("InvoiceProduct", InvoiceId=key)["Price"] == D("110.25")
    assert D(books.row("sales_invoice", made)["ExchangeRate"]) == 93
    world.quiet("invoices")


def test_without_the_setting_each_side_takes_its_own_rate() -> None:
    from weft_creatio.mappings import packaged_mappings
    from weft_creatio.settings import CreatioSettings

    values = {"url": "https://acme.creatio.com", "auth": {"username": "Integration", "password": "secret"}}
    for kept in (True, False):
        settings = CreatioSettings.model_validate({**values, "document_rates": kept})
        found = {entity: packaged_mappings(settings, entity)[0].fields for entity in ("sales_order", "payment")}
        assert "CurrencyRate" in found["sales_order"] if kept else "CurrencyRate" not in found["sales_order"]
        assert ("UsrCurrencyRate" in found["payment"]) is kept
