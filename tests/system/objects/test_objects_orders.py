"""Orders: lines, taxes, discounts, edits on both sides, shipment; an order that is invoiced."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest

FLOWS = {
    "products": {"entity": "product", "between": ["crm", "erp"], "owner": "crm"},
    "customers": {"entity": "customer", "between": ["crm", "erp"], "variants": {"crm": ["account"]}, "owner": "crm"},
    "orders": {"entity": "sales_order", "between": ["crm", "erp"], "owner": "crm"},
    "invoices": {
        "entity": "sales_invoice",
        "between": ["crm", "erp"],
        "direction": "right_to_left",
        "variants": {"crm": ["invoice"]},
        "enabled": False,
    },
}
ORDER = {"from": "sales_order", "ref": "sales_order", "by": "key", "on": "read"}
MAPPINGS = {"erp": {"sales_invoice": {"default": {"fields": {"orderId": ORDER}}}}}
TAX = D(7)
"""What the tax area Atlanta takes of taxable goods."""


@pytest.fixture(scope="module")
def world(make_world: Any) -> Any:
    made = make_world(FLOWS, mappings=MAPPINGS)
    made.sync()
    return made


@pytest.fixture(scope="module")
def shop(world: Any) -> dict[str, str]:
    """A customer who is liable to tax, and two taxable products, all linked."""
    account = world.account("Proseware", CountryId=world.country("US"), Zip="30301")
    desk, lamp = world.product("Desk", Price=D(500)), world.product("Lamp", Price=D("19.99"))
    world.sync()
    area = world.bc_id("taxAreas", code="ATLANTA, GA")
    customer = world.partner("customer", account)
    world.bc("edit", set="customers", key=customer, values={"taxLiable": True, "taxAreaId": area})
    for product in (desk, lamp):
        world.bc("edit", set="items", key=world.partner("product", product), values={"taxGroupCode": "TAXABLE"})
    world.sync()
    return {"account": account, "customer": customer, "desk": desk, "lamp": lamp}


def agree(world: Any, order: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Both systems' sums are the same; returns Business Central's order and its lines."""
    there = world.bc("get", set="salesOrders", key=world.partner("sales_order", order))
    here = world.row("Order", order)
    lines = world.bc_lines("salesOrders", there["id"])
    mine = world.rows("OrderProduct", OrderId=order)
    assert here["Amount"] == there["totalAmountIncludingTax"] == sum(line["TotalAmount"] for line in mine)
    assert sum(line["TaxAmount"] for line in mine) == there["totalTaxAmount"]
    assert len(mine) == len(lines)
    return there, lines


def test_order_with_lines_taxes_and_discounts(world: Any, shop: dict[str, str]) -> None:
    order = world.add("Order", AccountId=shop["account"], CurrencyId=world.currency("USD"), Date="2026-05-04T00:00:00Z",
                      DueDate="2026-05-20T00:00:00Z")  # fmt: skip
    world.line("OrderProduct", order, shop["desk"], 2, 500, percent=10, tax=TAX, UnitId=world.unit("pcs"))
    world.line("OrderProduct", order, shop["lamp"], 3, "19.99", tax=TAX, Name="Reading lamp")
    # Agreed as an amount: no percentage of two places makes 33.33 of 999.50.
    world.line("OrderProduct", order, shop["lamp"], 50, "19.99", discount="33.33", tax=TAX)
    world.sync()
    there, lines = agree(world, order)
    assert there["customerId"] == shop["customer"]
    assert (there["orderDate"], there["requestedDeliveryDate"]) == ("2026-05-04", "2026-05-20")
    assert [line["itemId"] for line in lines] == [world.partner("product", shop[n]) for n in ("desk", "lamp", "lamp")]
    assert [(line["quantity"], line["unitPrice"]) for line in lines] == [(2, 500), (3, D("19.99")), (50, D("19.99"))]
    assert [line["discountAmount"] for line in lines] == [100, 0, D("33.33")]
    assert lines[0]["discountPercent"] == 10
    assert {line["taxPercent"] for line in lines} == {TAX}
    assert lines[1]["description"] == "Reading lamp"
    assert there["totalAmountExcludingTax"] == 900 + D("59.97") + D("966.17")
    here = world.row("Order", order)
    assert (here["UsrErpNumber"], here["UsrErpStatus"]) == (there["number"], "draft")
    world.quiet()


def test_lines_are_edited_added_and_deleted(world: Any, shop: dict[str, str]) -> None:
    order = world.add("Order", AccountId=shop["account"], CurrencyId=world.currency("USD"))
    kept = world.line("OrderProduct", order, shop["desk"], 1, 500, tax=TAX)
    dropped = world.line("OrderProduct", order, shop["lamp"], 4, "19.99", tax=TAX)
    world.sync()
    agree(world, order)
    world.edit_line("OrderProduct", kept, Quantity=3, percent=5)
    world.remove("OrderProduct", dropped)
    world.line("OrderProduct", order, shop["lamp"], 10, "17.50", tax=TAX)
    world.sync()
    there, lines = agree(world, order)
    assert [(line["quantity"], line["unitPrice"], line["discountPercent"]) for line in lines] == [
        (3, 500, 5), (10, D("17.50"), 0)
    ]  # fmt: skip
    world.quiet()
    # More of it at the same percentage: that stays, as does an amount that no percentage of two places makes.
    world.edit_line("OrderProduct", kept, Quantity=4)
    world.sync()
    _, lines = agree(world, order)
    assert (lines[0]["quantity"], lines[0]["discountPercent"], lines[0]["discountAmount"]) == (4, 5, 100)
    world.edit_line("OrderProduct", kept, Quantity=3, discount="33.33")
    world.sync()
    _, lines = agree(world, order)
    assert (lines[0]["quantity"], lines[0]["discountAmount"]) == (3, D("33.33"))
    world.edit_line("OrderProduct", kept, percent=5)
    world.sync()
    there, lines = agree(world, order)
    assert lines[0]["discountPercent"] == 5
    # And the other way: accounting changes a price and adds a line.
    world.bc("edit", set="salesOrderLines", key=lines[1]["id"], values={"unitPrice": 18})
    desk = world.partner("product", shop["desk"])
    world.bc("create", set="salesOrderLines", values={"documentId": there["id"], "itemId": desk, "quantity": 2})
    world.sync()
    agree(world, order)
    mine = world.rows("OrderProduct", OrderId=order)
    assert sorted((line["Quantity"], line["Price"]) for line in mine) == [(2, 500), (3, 500), (10, 18)]
    world.bc("delete", set="salesOrderLines", key=lines[0]["id"])
    world.sync()
    agree(world, order)
    assert len(world.rows("OrderProduct", OrderId=order)) == 2
    world.quiet()


def test_order_of_business_central_becomes_an_order(world: Any, shop: dict[str, str]) -> None:
    made = world.bc("create", set="salesOrders", values={"customerId": shop["customer"], "orderDate": "2026-06-01"})
    for product, values in (("desk", {"quantity": 1, "discountPercent": 20}), ("lamp", {"quantity": 2})):
        item = world.partner("product", shop[product])
        world.bc("create", set="salesOrderLines", values={"documentId": made["id"], "itemId": item, **values})
    world.sync()
    order = world.link("sales_order", right=made["id"]).left_key
    agree(world, order)
    here = world.row("Order", order)
    assert (here["AccountId"], here["UsrErpNumber"]) == (shop["account"], made["number"])
    mine = sorted(world.rows("OrderProduct", OrderId=order), key=lambda line: -line["Price"])
    assert [(line["Price"], line["DiscountPercent"], line["DiscountAmount"], line["DiscountTax"]) for line in mine] == [
        (500, 20, 100, TAX), (D("19.99"), 0, 0, TAX)
    ]  # fmt: skip
    world.quiet()


def test_order_without_a_linked_customer_waits_for_it(world: Any, shop: dict[str, str]) -> None:
    """An account that is no customer yet: the order says what it waits for, and goes once it is one."""
    account = world.add("Account", Name="Prospect", TypeId=world.id("AccountType", Name="Supplier"))
    order = world.add("Order", AccountId=account, CurrencyId=world.currency("USD"))
    world.line("OrderProduct", order, shop["lamp"], 1, "19.99")
    world.sync(states=("done", "issues"))
    [issue] = world.issues("orders")
    assert (issue.kind, issue.key) == ("waiting", order)
    world.edit("Account", account, TypeId="03a75490-53e6-df11-971b-001d60e938c6")
    world.sync()
    agree(world, order)


def test_shipped_and_invoiced(world: Any, shop: dict[str, str]) -> None:
    """Partly: the order stays, and tells what is shipped. In full: the link follows to the invoice."""
    order = world.add("Order", AccountId=shop["account"], CurrencyId=world.currency("USD"))
    world.line("OrderProduct", order, shop["desk"], 4, 500, tax=TAX)
    world.sync()
    there, [line] = agree(world, order)
    world.bc("edit", set="salesOrderLines", key=line["id"], values={"shipQuantity": 1, "invoiceQuantity": 1})
    assert world.bc("post", set="salesOrders", key=there["id"])["set"] == "salesOrders"
    world.sync()
    assert world.row("Order", order)["UsrErpStatus"] == "open"
    moved = world.bc("post", set="salesOrders", key=there["id"])
    assert moved["set"] == "salesInvoices"
    world.sync(sweep=True)
    # The invoice is another object: the order's link ends, and what became of it is in the journal.
    link = world.link("sales_order", left=order)
    assert (link.right_key, link.state) == (there["id"], "right_gone")
    assert f"invoiced as {moved['number']}" in world.journal("orders", order)[-1].reason
    # What people still do to the order in Creatio changes nothing that was posted.
    world.edit_line("OrderProduct", world.id("OrderProduct", OrderId=order), Quantity=9)
    world.quiet()
    assert world.bc("get", set="salesInvoices", key=moved["id"])["totalAmountIncludingTax"] == 3 * 500 * D("1.07")
    assert world.bc_rows("salesOrders", id=there["id"]) == []


def test_invoice_of_a_shipped_order_belongs_to_it(world: Any, shop: dict[str, str]) -> None:
    """The order is gone in Business Central by then; what is paid still reaches it in Creatio."""
    order = world.add("Order", AccountId=shop["account"], CurrencyId=world.currency("USD"))
    world.line("OrderProduct", order, shop["desk"], 1, 500, tax=TAX)
    world.sync()
    posted = world.bc("post", set="salesOrders", key=world.partner("sales_order", order))
    world.sync(sweep=True)
    world.sync("invoices")
    key = world.link("sales_invoice", right=posted["id"]).left_key
    here = world.row("Invoice", key)
    assert (here["OrderId"], here["Amount"]) == (order, 535)
    assert here["UsrErpNumber"] == posted["number"]
    world.bc("receive_payment", invoice=posted["number"], amount=D("100.5"))
    world.sync("invoices")
    assert world.row("Order", order)["PaymentAmount"] == D("100.5")
    world.bc("receive_payment", invoice=posted["number"])
    world.sync("invoices")
    ordered = world.row("Order", order)
    assert (ordered["PaymentAmount"], ordered["PaymentStatusId"]) == (535, "4721338e-a5f1-4529-96be-d3f311518812")
