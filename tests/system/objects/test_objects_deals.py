"""A won opportunity becomes a quote, a sales order or an invoice, whichever the configuration says."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest

CLOSED_WON = "60d5310c-5be6-df11-971b-001d60e938c6"
PROPOSAL = "423774cb-5ae6-df11-971b-001d60e938c6"


def flow(entity: str, variant: str) -> dict[str, Any]:
    return {
        "entity": entity, "between": ["crm", "erp"], "variants": {"crm": [variant]}, "direction": "left_to_right",
        "enabled": False,
    }  # fmt: skip


FLOWS = {
    "products": {"entity": "product", "between": ["crm", "erp"], "owner": "crm"},
    "customers": {"entity": "customer", "between": ["crm", "erp"], "variants": {"crm": ["account"]}, "owner": "crm"},
    "quotes": flow("quote", "won"),
    "offers": flow("quote", "open"),
    "orders": flow("sales_order", "opportunity"),
    "invoices": flow("sales_invoice", "opportunity"),
    "payments": {"entity": "payment", "between": ["crm", "erp"], "direction": "right_to_left", "enabled": False},
}
SETS = {"quotes": "salesQuotes", "offers": "salesQuotes", "orders": "salesOrders", "invoices": "salesInvoices"}


@pytest.fixture(scope="module")
def world(make_world: Any) -> Any:
    made = make_world(FLOWS)
    made.sync()
    return made


@pytest.fixture(scope="module")
def shop(world: Any) -> dict[str, str]:
    account = world.account("Woodgrove", CountryId=world.country("US"), Zip="33101")
    chair, desk = world.product("Office Chair", Price=D(150)), world.product("Office Desk", Price=D(480))
    world.sync()
    return {"account": account, "customer": world.partner("customer", account), "chair": chair, "desk": desk}


def deal(world: Any, shop: dict[str, str], stage: str = PROPOSAL) -> str:
    key = world.add("Opportunity", Title="New branch", AccountId=shop["account"], StageId=stage,
                    UsrCurrencyId=world.currency("USD"), DueDate="2026-07-31T00:00:00Z")  # fmt: skip
    for product, quantity, price in (("chair", 12, "139.50"), ("desk", 4, 480)):
        world.add("OpportunityProductInterest", OpportunityId=key, ProductId=shop[product], Quantity=D(quantity),
                  Price=D(price), Amount=D(quantity) * D(price))  # fmt: skip
    return str(key)


@pytest.mark.parametrize("name", ["quotes", "orders", "invoices"])
def test_won_opportunity(world: Any, shop: dict[str, str], name: str) -> None:
    key = deal(world, shop)
    world.sync(name)
    there = SETS[name]
    assert [one for one in world.bc_rows(there) if one["customerId"] == shop["customer"]] == []
    world.edit("Opportunity", key, StageId=CLOSED_WON)
    world.sync(name)
    entity = {"quotes": "quote", "orders": "sales_order", "invoices": "sales_invoice"}[name]
    made = world.bc("get", set=there, key=world.partner(entity, key))
    assert (made["customerId"], made["status"]) == (shop["customer"], "Draft")
    assert made["totalAmountExcludingTax"] == 12 * D("139.50") + 4 * 480 == world.row("Opportunity", key)["Amount"]
    lines = world.bc_lines(there, made["id"])
    assert [(line["itemId"], line["quantity"], line["unitPrice"]) for line in lines] == [
        (world.partner("product", shop["chair"]), 12, D("139.50")), (world.partner("product", shop["desk"]), 4, 480),
    ]  # fmt: skip
    assert world.row("Opportunity", key)["UsrErpDocumentNumber"] == made["number"]
    world.quiet(name)
    world.bc("delete", set=there, key=made["id"])  # the next way begins with nothing there
    world.edit("Opportunity", key, StageId=PROPOSAL)


def test_open_opportunity_is_offered(world: Any, shop: dict[str, str]) -> None:
    key = deal(world, shop)
    world.sync("offers")
    quote = world.bc("get", set="salesQuotes", key=world.partner("quote", key))
    assert quote["validUntilDate"] == "2026-07-31"
    line = world.rows("OpportunityProductInterest", OpportunityId=key, ProductId=shop["desk"])[0]
    world.edit("OpportunityProductInterest", line["Id"], Quantity=D(5), Amount=D(2400))
    world.sync("offers")
    assert world.bc("get", set="salesQuotes", key=quote["id"])["totalAmountExcludingTax"] == 1674 + 2400
    assert world.row("Opportunity", key)["UsrErpDocumentNumber"] == quote["number"]
    world.quiet("offers")


def test_invoiced_opportunity_shows_what_was_paid(world: Any, shop: dict[str, str]) -> None:
    key = deal(world, shop, CLOSED_WON)
    world.sync("invoices")
    draft = world.partner("sales_invoice", key)
    posted = world.bc("post", set="salesInvoices", key=draft)
    world.sync("invoices")
    assert world.row("Opportunity", key)["UsrErpDocumentNumber"] == posted["number"]
    world.bc("receive_payment", invoice=posted["number"], amount=1000)
    world.sync("invoices", "payments")
    here = world.row("Opportunity", key)
    assert (here["UsrSettledAmount"], here["UsrErpStatus"]) == (1000, "partially_paid")
    assert world.one("UsrPayment", UsrOpportunityId=key)["UsrAmount"] == 1000
    world.bc("receive_payment", invoice=posted["number"])
    world.sync("invoices", "payments")
    here = world.row("Opportunity", key)
    assert (here["UsrSettledAmount"], here["UsrErpStatus"]) == (1674 + 1920, "paid")
    assert world.one("UsrPayment", UsrOpportunityId=key)["UsrAmount"] == 1674 + 1920
    world.quiet("invoices", "payments")
