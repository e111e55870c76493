"""Prices in several currencies: trade agreements of Finance & Operations and price lists of Creatio."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tests.system.objects.conftest import amounts
from tests.system.objects.pairs import SUPPLIER

KINDS = ["d365fo"]
FLOWS = {  # of what the systems hold in the beginning only two products with their agreements are needed
    "products": {"entity": "product", "between": ["crm", "erp"], "owner": "crm",
                 "when": "$substring(number, 0, 5) = 'CHAIR' or number = 'D000001' or number = 'D000011'"},
    "prices": {"entity": "price", "between": ["crm", "erp"], "owner": "erp", "first_differences": "owner"},
    "customers": {"entity": "customer", "between": ["crm", "erp"], "owner": "crm", "variants": {"crm": ["account"]},
                  "when": "name = 'Fabrikam Stores'"},
    "vendors": {"entity": "vendor", "between": ["crm", "erp"], "owner": "crm", "direction": "left_to_right",
                "when": "name = 'Fabrikam Supplies'"},
    "orders": {"entity": "sales_order", "between": ["crm", "erp"], "owner": "crm", "variants": {"crm": ["order"]}},
    "bills": {"entity": "bill", "between": ["crm", "erp"], "owner": "crm"},
    "purchases": {"entity": "purchase_order", "between": ["crm", "erp"], "owner": "crm", "variants": {"crm": ["own"]}},
}  # fmt: skip
LINES, HEADERS = "OpenSalesPriceJournalLinesV2", "TradeAgreementJournalHeaders"


def day(ahead: int) -> str:
    return (datetime.now(UTC) + timedelta(days=ahead)).date().isoformat()


@pytest.fixture(scope="module")
def books(make_world: Any) -> Any:
    from tests.system.objects.books_fo import FoBooks

    world = make_world(FLOWS, kind="d365fo", mappings=FoBooks.mappings)
    world.add("Pricelist", Name="Wholesale")
    for row in world.rows("ProductPrice"):
        world.remove("ProductPrice", row["Id"])
    world.sync()
    return FoBooks(world)


@pytest.fixture
def chair(books: Any) -> tuple[str, str]:
    """A product of its own for each test: Creatio's key, and the item number."""
    key = books.world.product(Price=D(100))
    books.world.sync("products")
    return key, str(books.world.partner("product", key))


def prices(books: Any, product: str) -> dict[tuple[str, str], D]:
    """Prices of a product in Creatio, by list and currency."""
    world = books.world
    lists = {row["Id"]: row["Name"] for row in world.rows("Pricelist")}
    codes = {row["Id"]: row["ShortName"] for row in world.rows("Currency")}
    rows = world.rows("ProductPrice", ProductId=product)
    found = {(lists[row["PriceListId"]], codes[row["CurrencyId"]]): row["Price"] for row in rows}
    assert len(found) == len(rows), "two prices for one list and currency"
    return found


def agreements(books: Any, item: str) -> list[dict[str, Any]]:
    return list(books.rows("SalesPriceAgreements", ItemNumber=item))


def priced(books: Any, product: str, currency: str, price: Any, list_: str = "Base price list") -> str:
    """A price, typed into Creatio."""
    world = books.world
    ids = {
        "ProductId": product,
        "CurrencyId": world.currency(currency),
        "PriceListId": world.id("Pricelist", Name=list_),
    }
    return str(world.add("ProductPrice", **ids, Price=D(price)))


def test_agreements_are_prices_by_list_and_currency(books: Any, chair: tuple[str, str]) -> None:
    world, (product, item) = books.world, chair
    mine = priced(books, product, "GBP", "77.77")  # it was in Creatio before
    customer = books.master("customer", "Contoso Retail")
    for currency, price in (("USD", "99.95"), ("EUR", "89.5"), ("GBP", "79")):
        books.command("set_price", item=item, price=price, currency=currency)
    books.command("set_price", item=item, price="84.5", currency="EUR", group="20")
    # What a price list cannot say is nobody's price there: of one customer, for many, for later, of the past.
    books.command("set_price", item=item, price=1, currency="EUR", customer=customer)
    books.command("set_price", item=item, price=2, currency="EUR", quantity=100)
    books.command("set_price", item=item, price=3, currency="EUR", since=day(30))
    books.command("set_price", item=item, price=4, currency="EUR", since=day(-90), until=day(-30))
    world.sync("prices")
    assert prices(books, product) == {
        ("Base price list", "USD"): D("99.95"), ("Base price list", "EUR"): D("89.5"),
        ("Base price list", "GBP"): D(79), ("20", "EUR"): D("84.5"),
    }  # fmt: skip
    assert world.row("ProductPrice", mine)["Price"] == 79
    world.quiet("prices")
    books.command("set_price", item=item, price="91.25", currency="EUR")
    world.sync("prices")
    assert prices(books, product)["Base price list", "EUR"] == D("91.25")
    world.quiet("prices")


def test_the_next_agreement_takes_over(books: Any, chair: tuple[str, str]) -> None:
    world, (product, item) = books.world, chair
    first = books.command("set_price", item=item, price=50, currency="EUR", since=day(-30))
    world.sync("prices")
    here = world.link("price", right=str(first["RecordId"])).left_key
    books.command("set_price", item=item, price=50, currency="EUR", since=day(-30), until=day(-1))
    second = books.command("set_price", item=item, price=55, currency="EUR", since=day(0))
    world.sync("prices")
    world.sync("prices")
    assert world.link("price", right=str(second["RecordId"])).left_key == here
    assert prices(books, product) == {("Base price list", "EUR"): D(55)}
    assert world.issues("prices") == []
    world.quiet("prices")


def test_an_agreement_that_ends_without_a_next_one_is_asked_about(books: Any, chair: tuple[str, str]) -> None:
    world, (product, item) = books.world, chair
    made = books.command("set_price", item=item, price=45, currency="EUR", since=day(-30), until=day(10))
    world.sync("prices")
    here = world.link("price", right=str(made["RecordId"])).left_key
    books.command("set_price", item=item, price=45, currency="EUR", since=day(-30), until=day(-1))
    world.sync("prices", states=("issues",))
    [issue] = world.issues("prices")
    assert (issue.kind, world.row("ProductPrice", here)["Price"]) == ("delete", 45)
    # It was an oversight: the agreement is prolonged.
    books.command("set_price", item=item, price=46, currency="EUR", since=day(-30), until=day(20))
    world.sync("prices", states=("done", "issues"))
    world.sync("prices")
    assert world.issues("prices") == []
    assert prices(books, product) == {("Base price list", "EUR"): D(46)}
    world.quiet("prices")


def test_a_price_of_creatio_is_entered_and_people_post_it(books: Any, chair: tuple[str, str]) -> None:
    world, (product, item) = books.world, chair
    key = priced(books, product, "EUR", "88.8")
    other = priced(books, product, "USD", "98.5")
    world.sync("prices")
    lines = {row["PriceCurrencyCode"]: row for row in books.rows(LINES, ItemNumber=item)}
    assert {name: (D(row["Price"]), row["PriceCustomerGroupCode"]) for name, row in lines.items()} == {
        "EUR": (D("88.8"), ""), "USD": (D("98.5"), ""),
    }  # fmt: skip
    assert agreements(books, item) == []
    journal = lines["EUR"]["TradeAgreementJournalNumber"]
    assert journal == lines["USD"]["TradeAgreementJournalNumber"]
    world.quiet("prices")
    world.edit("ProductPrice", key, Price=D("87.7"))
    world.sync("prices")
    assert D(books.rows(LINES, ItemNumber=item, PriceCurrencyCode="EUR")[0]["Price"]) == D("87.7")
    world.quiet("prices")
    books.command("post", set=HEADERS, number=journal)
    world.sync("prices")
    world.sync("prices")
    assert world.issues("prices") == []
    there = {row["PriceCurrencyCode"]: row for row in agreements(books, item)}
    assert {name: D(row["Price"]) for name, row in there.items()} == {"EUR": D("87.7"), "USD": D("98.5")}
    for currency, left in (("EUR", key), ("USD", other)):
        assert world.partner("price", left) == str(there[currency]["RecordId"])
    world.quiet("prices")
    # From now on people change it in a journal of theirs.
    world.edit("ProductPrice", key, Price=D("80"))
    world.sync("prices", states=("issues",))
    [issue] = world.issues("prices")
    assert "people change it in a trade agreement journal" in issue.reason
    world.edit("ProductPrice", key, Price=D("87.7"))
    world.sync("prices")
    assert world.issues("prices") == []


def test_a_list_that_the_environment_lacks_is_refused(books: Any, chair: tuple[str, str]) -> None:
    """And by no means taken for everybody."""
    world, (product, item) = books.world, chair
    key = priced(books, product, "EUR", "70", list_="Wholesale")
    world.sync("prices", states=("issues",))
    [issue] = world.issues("prices")
    assert "'Wholesale'" in issue.reason
    assert "Price customer groups" in issue.reason
    assert books.rows(LINES, ItemNumber=item) == []
    world.remove("ProductPrice", key)
    world.sync("prices", states=("done", "issues"), sweep=True)


@pytest.mark.parametrize("kind", ["lost_answer", "error_after_commit"])
def test_an_answer_that_is_lost_doubles_no_price(books: Any, chair: tuple[str, str], kind: str) -> None:
    world, (product, item) = books.world, chair
    priced(books, product, "EUR", "66")
    with world.fault("erp", kind, method="POST", path=LINES, count=1) as struck:
        world.sync("prices", states=("done", "issues", "down", "failed"))
        assert struck.struck == 1
    world.settle("prices")
    [line] = books.rows(LINES, ItemNumber=item)
    assert D(line["Price"]) == 66
    world.quiet("prices")


def test_a_price_of_a_hundred_pieces_is_told_for_one(books: Any, chair: tuple[str, str]) -> None:
    """And what is sold or bought at so much a piece is so much a piece there."""
    world, (product, item) = books.world, chair
    per = {"SalesPriceQuantity": 100, "PurchasePriceQuantity": 100}
    key = {"dataAreaId": "usmf", "ItemNumber": item}
    books.command("edit", set="ReleasedProductsV2", key=key, values={"SalesPrice": 525, "PurchasePrice": 310, **per})
    world.sync("products")
    assert world.row("Product", product)["Price"] == D("5.25")
    account = world.account("Fabrikam Stores")
    seller = world.add("Account", Name="Fabrikam Supplies", TypeId=SUPPLIER)
    world.sync("customers", "vendors")
    order = world.add("Order", AccountId=account, CurrencyId=world.currency("USD"))
    world.line("OrderProduct", order, product, 40, "4.5")
    usd = {"UsrCurrencyId": world.currency("USD")}
    bought = world.add("UsrPurchaseOrder", UsrNumber="PO-1", UsrAccountId=seller, **usd)
    line = {"UsrPurchaseOrderId": bought, "UsrLineNumber": 1, "UsrProductId": product, "UsrName": "Line"}
    world.add("UsrPurchaseOrderProduct", **line, UsrQuantity=D(30), UsrPrice=D("2.5"))
    world.sync("orders", "purchases")
    [sold] = books.rows("SalesOrderLines", SalesOrderNumber=world.partner("sales_order", order))
    assert (D(sold["LineAmount"]), D(sold["SalesPrice"]) / D(sold["SalesPriceQuantity"])) == (180, D("4.5"))
    [ordered] = books.rows("PurchaseOrderLinesV2", PurchaseOrderNumber=world.partner("purchase_order", bought))
    assert D(ordered["LineAmount"]) == 75
    world.quiet("products", "orders", "purchases")
    world.edit("Product", product, Price=D("5.5"))
    world.sync("products")
    there = books.row("product", item)
    assert D(there["SalesPrice"]) / D(there["SalesPriceQuantity"]) == D("5.5")
    world.quiet("products")


def test_a_discount_on_a_price_of_a_hundred_pieces(books: Any, chair: tuple[str, str]) -> None:
    """It is for as many as the price. What Creatio makes of it is that of the whole line, and what comes back of one
    piece goes with the price of one."""
    world, (product, item) = books.world, chair
    account = world.account("Fabrikam Stores", Zip="30301")
    world.sync("customers")
    buyer = world.partner("customer", account).split("|")[-1]
    header = {"dataAreaId": "usmf", "OrderingCustomerAccountNumber": buyer, "CurrencyCode": "USD"}
    number = books.command("create", set="SalesOrderHeadersV2", values=header)["SalesOrderNumber"]
    for discount in ({"LineDiscountAmount": 25}, {"LineDiscountPercentage": 10}):
        books.command("create", set="SalesOrderLines", values={
            "dataAreaId": "usmf", "SalesOrderNumber": number, "ItemNumber": item, "OrderedSalesQuantity": 40,
            "SalesPrice": 450, "SalesPriceQuantity": 100, "ShippingSiteId": "1", **discount})  # fmt: skip
    world.sync("orders")
    rows = world.rows("OrderProduct", ProductId=product)
    told = {(row["Price"], row["DiscountPercent"], row["DiscountAmount"], row["TotalAmount"]) for row in rows}
    assert told == {(D("4.5"), D("5.56"), 10, 170), (D("4.5"), 10, 18, 162)}
    world.quiet("orders")
    for row in rows:
        world.edit("OrderProduct", row["Id"], **amounts(40, "4.5", discount=12))
    world.sync("orders")
    for sold in books.rows("SalesOrderLines", SalesOrderNumber=number):
        assert D(sold["LineAmount"]) == 168
    world.quiet("orders")


def test_a_pending_bill_for_goods_priced_by_the_hundred(books: Any, chair: tuple[str, str]) -> None:
    world, (product, item) = books.world, chair
    seller = world.add("Account", Name="Fabrikam Supplies", TypeId=SUPPLIER)
    world.sync("vendors")
    vendor = world.partner("vendor", seller).split("|")[-1]
    header = {"dataAreaId": "usmf", "InvoiceAccount": vendor, "InvoiceNumber": "HUNDRED", "Currency": "USD"}
    number = books.command("create", set="VendorInvoiceHeaders", values=header)["HeaderReference"]
    line = {"dataAreaId": "usmf", "HeaderReference": number, "InvoiceLineNumber": 1, "ItemNumber": item,
            "InventorySiteId": "1", "ReceiveNow": 30, "UnitPrice": 250, "PriceUnit": 100}  # fmt: skip
    books.command("create", set="VendorInvoiceLines", values=line)
    world.sync("bills")
    [arrived] = world.rows("UsrBillProduct", UsrProductId=product)
    assert (arrived["UsrQuantity"], arrived["UsrPrice"]) == (30, D("2.5"))
    world.quiet("bills")


def test_business_central_has_no_price_lists() -> None:
    import yaml

    from weft.config.loading import load_text
    from weft.plugins import Plugins
    from weft.runtime import Runtime
    from weft.sync.possible import hindrances

    crm = {"kind": "creatio", "url": "https://acme.creatio.com", "auth": {"username": "weft", "password": "secret"}}
    erp = {"kind": "bc", "tenant": "acme.example", "auth": {"client_id": "0", "client_secret": "secret"}}
    flow = {"entity": "price", "between": ["crm", "erp"], "direction": "right_to_left"}
    text = yaml.safe_dump({"connections": {"crm": crm, "erp": erp}, "flows": {"prices": flow}})
    runtime = Runtime(load_text(text), None, Plugins.discover())  # type: ignore[arg-type]
    [told] = hindrances(runtime, runtime.config.flows["prices"], "erp")
    assert told.startswith("bc cannot keep price: API v2.0 has no price lists")
