"""Sample documents: orders of which some are invoiced and some of these paid, purchase orders, bills."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from weft.testing.odata.store import Row
from weft_d365fo.simulator.dimensions import escape
from weft_d365fo.simulator.posting import journals, purchasing, sales
from weft_d365fo.simulator.rules.amounts import number
from weft_d365fo.simulator.world import Company, World
from weft_d365fo.simulator.writing import Writer


def fill(world: World, writer: Writer, documents: int | None, records: int) -> None:
    """``documents`` sales orders in the first company (default: a hundredth of the records, at most 200) and a third
    as many purchase orders."""
    home = next(iter(world.companies.values()))
    wanted = min(200, records // 100) if documents is None else documents
    customers = world.rows("CustTable", home.id)
    items = [row["ItemNumber"] for row in world.rows("InventTable", home.id)]
    with world.posting():
        for index in range(wanted):
            _sale(world, writer, home, customers[index * 7 % len(customers)], items, index)
        vendors = world.rows("VendTable", home.id)
        for index in range(wanted // 3):
            _purchase(world, writer, home, vendors[index % len(vendors)], items, index)


def _make(world: World, writer: Writer, name: str, home: Company, **values: Any) -> Row:
    return writer.insert(world.shown_set(name), values, home)


def _sale(world: World, writer: Writer, home: Company, customer: Row, items: list[str], index: int) -> None:
    """Two of three are invoiced, half of those paid."""
    account = customer["CustomerAccount"]
    order = _make(
        world, writer, "SalesOrderHeadersV2", home, OrderingCustomerAccountNumber=account,
        CustomersOrderReference=f"PO {index + 1000}",
    )  # fmt: skip
    for at in range(index % 3 + 1):
        _make(
            world, writer, "SalesOrderLines", home, SalesOrderNumber=order["SalesOrderNumber"],
            ItemNumber=items[(index + at * 5) % len(items)], OrderedSalesQuantity=Decimal(at + 1),
        )  # fmt: skip
    if index % 3 == 2:
        return
    posted = sales.invoice_order(world, home, order, world.today)
    if index % 2:
        return
    journal = _make(world, writer, "CustomerPaymentJournalHeaders", home, JournalName="CustPay")
    _make(
        world, writer, "CustomerPaymentJournalLines", home, JournalBatchNumber=journal["JournalBatchNumber"],
        LineNumber=Decimal(1), CurrencyCode=posted["CurrencyCode"],
        AccountDisplayValue=escape(account, world.settings.delimiter),
        CreditAmount=number(posted["TotalInvoiceAmount"]), MarkedInvoice=posted["InvoiceNumber"],
    )  # fmt: skip
    found = world.find("LedgerJournalTable", "JournalBatchNumber", journal["JournalBatchNumber"], home.id)
    journals.post(world, home, found[0])


def _purchase(world: World, writer: Writer, home: Company, vendor: Row, items: list[str], index: int) -> None:
    """Every second one is confirmed and invoiced."""
    order = _make(
        world, writer, "PurchaseOrderHeadersV2", home, OrderVendorAccountNumber=vendor["VendorAccountNumber"],
        DefaultReceivingSiteId="1",
    )  # fmt: skip
    _make(
        world, writer, "PurchaseOrderLinesV2", home, PurchaseOrderNumber=order["PurchaseOrderNumber"], LineNumber=1,
        ItemNumber=items[index % len(items)], OrderedPurchaseQuantity=Decimal(index % 9 + 1),
    )  # fmt: skip
    if index % 2 == 0:
        order = purchasing.confirm_order(world, home, order)
        purchasing.invoice_order(world, home, order, f"S{index + 5000}", world.today)
