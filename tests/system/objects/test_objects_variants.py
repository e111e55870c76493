"""Whatever plays the part in Creatio: orders and won opportunities as purchase orders, quotes, invoices and receipts,
accounts as projects, contacts as customers. Each with its lines, and with the ERP's number back in Creatio."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest
from tests.system.objects.conftest import BUYER, CLOSED_WON, PROPOSAL
from tests.system.objects.pairs import ERPS, SUPPLIER, Pair, goods, same_goods

OURS = "name in ['Chair', 'Desk', 'Adatum', 'Adatum Corporation', 'Dana Birkby', 'Wide World Importers']"
MASTERS = {
    "products": {"entity": "product", "between": ["crm", "erp"], "owner": "crm", "when": OURS},
    "customers": {"entity": "customer", "between": ["crm", "erp"], "owner": "crm", "when": OURS,
                  "variants": {"crm": ["account", "contact"]}},
    "vendors": {"entity": "vendor", "between": ["crm", "erp"], "owner": "crm", "when": OURS,
                "direction": "left_to_right"},
}  # fmt: skip
VARIANTS = [
    # entity, variant, column of the ERP's number
    ("purchase_order", "order", "UsrErpPurchaseNumber"),
    ("purchase_order", "opportunity", "UsrErpPurchaseNumber"),
    ("quote", "order", "UsrErpNumber"),
    ("quote", "won", "UsrErpDocumentNumber"),
    ("sales_invoice", "order", "UsrErpNumber"),
    ("sales_invoice", "opportunity", "UsrErpDocumentNumber"),
    ("sales_receipt", "order", "UsrErpNumber"),
    ("sales_receipt", "opportunity", "UsrErpDocumentNumber"),
]


def flow_of(entity: str, variant: str) -> dict[str, Any]:
    return {"entity": entity, "between": ["crm", "erp"], "variants": {"crm": [variant]}, "owner": "crm",
            "direction": "left_to_right", "enabled": False}  # fmt: skip


FLOWS = MASTERS | {f"{entity}_{variant}": flow_of(entity, variant) for entity, variant, _ in VARIANTS}
FLOWS["project_account"] = flow_of("project", "account") | {"when": OURS}
FLOWS["invoices"] = flow_of("sales_invoice", "invoice") | {"owner": "erp", "direction": "both"}
FLOWS["payments"] = flow_of("payment", "default") | {"owner": "erp", "direction": "right_to_left"}


@pytest.fixture(scope="module", params=ERPS)
def pair(request: pytest.FixtureRequest, make_world: Any) -> Pair:
    from tests.system.objects.books_bc import BcBooks
    from tests.system.objects.books_fo import FoBooks

    books: Any = {"bc": BcBooks, "d365fo": FoBooks}[request.param]
    world = make_world(FLOWS, kind=request.param, mappings=books.mappings)
    made = Pair(world, books(world))
    buyer = world.account("Adatum")
    seller = world.add("Account", Name="Wide World Importers", TypeId=SUPPLIER)
    chair, desk = world.product("Chair", Price=D(100)), world.product("Desk", Price=D(250))
    world.sync()
    for entity, masters in {
        "customer": {"buyer": buyer}, "vendor": {"seller": seller}, "product": {"chair": chair, "desk": desk},
    }.items():  # fmt: skip
        for name, key in masters.items():
            made.known[name] = (key, made.sent(entity, key))
    return made


def document(pair: Pair, variant: str, **more: Any) -> str:
    """An order, or an opportunity that is won, with two lines."""
    world = pair.world
    if variant == "order":
        key = world.add("Order", AccountId=pair.here("buyer"), CurrencyId=world.currency("USD"), **more)
        for product, quantity, price in goods(pair):
            world.line("OrderProduct", key, product, quantity, price)
        return str(key)
    key = world.add("Opportunity", Title="Branch", AccountId=pair.here("buyer"), StageId=PROPOSAL, **more)
    for product, quantity, price in goods(pair):
        world.add("OpportunityProductInterest", OpportunityId=key, ProductId=product, Quantity=D(quantity),
                  Price=D(price))  # fmt: skip
    world.edit("Opportunity", key, StageId=CLOSED_WON)
    return str(key)


@pytest.mark.parametrize(("entity", "variant", "column"), VARIANTS, ids=[f"{one[0]}-{one[1]}" for one in VARIANTS])
def test_a_document_of_another_kind(pair: Pair, entity: str, variant: str, column: str) -> None:
    world, books, flow = pair.world, pair.books, f"{entity}_{variant}"
    buying = entity == "purchase_order"
    before = books.count(entity)
    others = document(pair, variant) if buying else ""  # sold from stock: nothing is to be bought
    key = document(pair, variant, **({"UsrVendorId": pair.here("seller")} if buying else {}))
    world.sync(flow)
    there = pair.sent(entity, key)
    found = books.seen(entity, there)
    assert found["party"] == pair.there("seller" if buying else "buyer")
    wanted = books.expected(entity, same_goods(pair))
    if buying:  # the goods are the order's, their prices the vendor's
        found["lines"], wanted = [[one[:2] for one in lines] for lines in (found["lines"], wanted)]
    assert found["lines"] == wanted
    place = "Order" if variant == "order" else "Opportunity"
    assert world.row(place, key)[column] == found["number"]
    assert books.count(entity) == before + 1
    if buying:
        assert world.row(place, others)[column] == ""
    world.quiet(flow)
    table = "OrderProduct" if variant == "order" else "OpportunityProductInterest"
    [chairs] = world.rows(table, **{f"{place}Id": key, "ProductId": pair.here("chair")})
    world.edit(table, chairs["Id"], Quantity=D(3))
    world.sync(flow)
    assert sorted(one[1] for one in books.seen(entity, there)["lines"]) == [1, 3]
    world.quiet(flow)
    for one in (key, others) if buying else (key,):  # the next way begins with nothing there
        for line in world.rows(table, **{f"{place}Id": one}):
            world.remove(table, line["Id"])
        world.remove(place, one)


def test_an_account_is_a_project(pair: Pair) -> None:
    world, books = pair.world, pair.books
    world.sync("project_account")
    found = books.seen("project", pair.sent("project", pair.here("buyer")))
    assert found["name"] == "Adatum"
    assert found["number"]
    world.edit("Account", pair.here("buyer"), Name="Adatum Corporation")
    world.sync("project_account")
    assert books.seen("project", pair.sent("project", pair.here("buyer")))["name"] == "Adatum Corporation"
    world.quiet("project_account")


def test_a_contact_is_a_customer(pair: Pair) -> None:
    world, books = pair.world, pair.books
    key = world.add("Contact", Name="Dana Birkby", GivenName="Dana", Surname="Birkby", TypeId=BUYER)
    world.sync("customers")
    found = books.seen("customer", pair.sent("customer", key))
    assert world.row("Contact", key)["UsrErpNumber"] == found["number"]
    world.quiet("customers")


def test_what_was_settled_is_a_payment(pair: Pair) -> None:
    """Also where receipts and what they settle are the same records, and nobody enters receipts in Creatio."""
    world, books = pair.world, pair.books
    there = books.document("sales_invoice", pair.there("buyer"), [(pair.there("chair"), 5, 100)])
    world.sync("invoices")
    invoice = pair.arrived("sales_invoice", there)
    books.post("sales_invoice", there)
    world.sync("invoices")
    books.pay(pair.sent("sales_invoice", invoice), D(120))
    world.sync("invoices", "payments")
    settled = world.one("UsrPayment", UsrAccountId=pair.here("buyer"))
    assert (settled["UsrAmount"], settled["UsrInvoiceId"]) == (120, invoice)
    world.quiet("invoices", "payments")
