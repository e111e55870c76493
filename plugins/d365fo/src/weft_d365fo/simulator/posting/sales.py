"""Free text invoices, sales orders and quotations: posted, delivered, invoiced, confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from weft.testing.odata.store import Row
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.posting.transactions import Entry, current, enter, settle
from weft_d365fo.simulator.rules.amounts import due_date, number, rounded, tax
from weft_d365fo.simulator.rules.sales import recalculate
from weft_d365fo.simulator.schema import NO_DATE
from weft_d365fo.simulator.views import RECID
from weft_d365fo.simulator.world import Company, World

ZERO = Decimal(0)


@dataclass(frozen=True)
class Line:
    number: int
    product: str
    name: str
    text: str
    quantity: Decimal
    unit: str
    price: Decimal
    amount: Decimal
    tax: Decimal
    discount: Decimal = ZERO
    site: str = ""
    warehouse: str = ""


@dataclass(frozen=True)
class Invoice:
    """A document to post to a customer."""

    kind: str  # Sales or FreeText
    number: str
    voucher: str
    day: str
    account: str
    ordered_by: str
    currency: str
    terms: str
    lines: tuple[Line, ...]
    order: str = ""
    reference: str = ""
    delivery_mode: str = ""
    delivery_terms: str = ""
    due: str = NO_DATE
    contact: str = ""


def post_free_text(world: World, home: Company, header: Row) -> Row:
    """Gives the posted invoice journal. Raises Refused."""
    if header.get("IsPosted") == "Yes":
        raise refused("Error", f"Invoice {header.get('FreeTextNumber')} has been posted already.")
    rows = sorted(
        world.find("FreeTextInvoiceLines", "ParentRecId", header["InvoiceIdentifier"]),
        key=lambda row: number(row["LineNumber"]),
    )
    if not rows:
        raise refused("Error", "The invoice has no lines.")
    currency = header["CurrencyCode"]
    lines = []
    for at, row in enumerate(rows, 1):
        amount = number(row.get("TransactionCurrencyAmount", 0))
        due = tax(world, row.get("SalesTaxGroupId", ""), row.get("SalesTaxItemGroupId", ""), amount, currency)
        text = row.get("Description") or row.get("InvoiceText", "")
        quantity, price = number(row.get("Quantity", 1)), number(row.get("UnitPrice", 0))
        lines.append(Line(at, "", text, text, quantity, row.get("SalesUnit", ""), price, amount, due))
    invoice = Invoice(
        "FreeText",
        world.next_number(home.id, "free text invoices", "FTI-{:08d}"),
        world.next_number(home.id, "free text vouchers", "FTV-{:08d}"),
        header["InvoiceDate"],
        header["InvoiceAccount"],
        header["CustomerAccount"],
        currency,
        header.get("TermsOfPayment", ""),
        tuple(lines),
        reference=header.get("CustomerReference", ""),
        due=header.get("DueDate", NO_DATE),
        contact=header.get("ContactPersonId", ""),
    )
    posted = _post(world, home, invoice)
    world.update("FreeTextInvoiceHeaders", header, {"IsPosted": "Yes", "FreeTextNumber": invoice.number})
    _raise(world, home, "CustFreeTextInvoicePostedBusinessEvent", invoice, posted)
    return posted


def _post(world: World, home: Company, invoice: Invoice) -> Row:
    net = sum((line.amount for line in invoice.lines), ZERO)
    taxes = sum((line.tax for line in invoice.lines), ZERO)
    discounts = sum((line.discount for line in invoice.lines), ZERO)
    total = net + taxes
    customer = world.get("CustTable", dataAreaId=home.id, CustomerAccount=invoice.account) or {}
    due = invoice.due if invoice.due != NO_DATE else due_date(world, home.id, invoice.terms, invoice.day)
    posted = world.insert(
        "CustInvoiceJour",
        {
            "dataAreaId": home.id,
            RECID: (recid := world.next_recid()),
            "InvoiceNumber": invoice.number,
            "InvoiceDate": invoice.day,
            "LedgerVoucher": invoice.voucher,
            "InvoiceCustomerAccountNumber": invoice.account,
            "SalesOrderNumber": invoice.order,
            "CurrencyCode": invoice.currency,
            "CustomersOrderReference": invoice.reference,
            "PaymentTermsName": invoice.terms,
            "DeliveryModeCode": invoice.delivery_mode,
            "DeliveryTermsCode": invoice.delivery_terms,
            "TotalInvoiceAmount": total,
            "TotalTaxAmount": taxes,
            "TotalDiscountAmount": discounts,
            "TotalLineDiscount": discounts,
            "ContactPersonId": invoice.contact,
            "InvoiceAddressStreet": customer.get("AddressStreet", ""),
            "InvoiceAddressCity": customer.get("AddressCity", ""),
            "InvoiceAddressState": customer.get("AddressState", ""),
            "InvoiceAddressZipCode": customer.get("AddressZipCode", ""),
            "InvoiceAddressCountryRegionId": customer.get("AddressCountryRegionId", ""),
            "DueDate": due,
            "$kind": invoice.kind,
            "$orderAccount": invoice.ordered_by,
        },
    )
    for line in invoice.lines:
        world.insert("CustInvoiceTrans", _line(home, invoice, line, recid))
    entry = Entry(
        invoice.account, total, invoice.currency, invoice.day, due, invoice.voucher, invoice.number,
        "Sales" if invoice.kind == "Sales" else "Cust", text=invoice.reference, document=invoice.order,
    )  # fmt: skip
    row = enter(world, home, "Cust", entry)
    terms = world.get("PaymentTerms", dataAreaId=home.id, Name=invoice.terms) if invoice.terms else None
    if terms is not None and terms.get("IsCashPayment") == "Yes":
        cash = Entry(
            invoice.account, -total, invoice.currency, invoice.day, invoice.day, invoice.voucher, "", "Payment",
            text="Cash payment",
        )  # fmt: skip
        settle(world, "Cust", current(world, "Cust", row), enter(world, home, "Cust", cash), total, total)
    return posted


def _line(home: Company, invoice: Invoice, line: Line, parent: int) -> dict[str, Any]:
    return {
        "dataAreaId": home.id,
        "InvoiceNumber": invoice.number,
        "LineCreationSequenceNumber": line.number,
        "InvoiceDate": invoice.day,
        "LedgerVoucher": invoice.voucher,
        "ProductNumber": line.product,
        "ProductName": line.name,
        "ProductDescription": line.text,
        "InvoicedQuantity": line.quantity,
        "SalesUnitSymbol": line.unit,
        "SalesPrice": line.price,
        "LineAmount": line.amount,
        "LineTotalTaxAmount": line.tax,
        "LineTotalDiscountAmount": line.discount,
        "InventorySiteId": line.site,
        "InventoryWarehouseId": line.warehouse,
        "CurrencyCode": invoice.currency,
        "$kind": invoice.kind,
        "$salesId": invoice.order,
        "$parent": parent,
    }


def _raise(world: World, home: Company, event: str, invoice: Invoice, posted: Row) -> None:
    """Contract of the posted invoice; enums as names, no record ids."""
    contract: dict[str, Any] = {
        "InvoiceAccount": invoice.account,
        "InvoiceId": invoice.number,
        "InvoiceDate": invoice.day,
        "InvoiceDueDate": posted.get("DueDate", NO_DATE),
        "InvoiceAmount": posted["TotalInvoiceAmount"],
        "InvoiceTaxAmount": posted["TotalTaxAmount"],
        "LegalEntity": home.id,
    }
    if invoice.kind == "Sales":
        contract["SalesOrderId"] = invoice.order
    world.tell(event, home.id, contract)


def _lines_of(world: World, order: Row) -> list[Row]:
    found = world.find("SalesLine", "SalesOrderNumber", order["SalesOrderNumber"], order["dataAreaId"])
    return sorted(found, key=lambda row: int(row.get("LineCreationSequenceNumber", 0)))


def _set_status(world: World, order: Row, status: str, processing: str) -> Row:
    for line in _lines_of(world, order):
        world.update("SalesLine", line, {"SalesOrderLineStatus": status})
    return world.update("SalesTable", order, {"SalesOrderStatus": status, "SalesOrderProcessingStatus": processing})


def _open(order: Row, *allowed: str) -> None:
    status = order.get("SalesOrderStatus")
    if status not in allowed:
        raise refused("Error", f"Sales order {order['SalesOrderNumber']} has the status {status}.")


def confirm_order(world: World, order: Row) -> Row:
    _open(order, "Backorder")
    return world.update("SalesTable", order, {"SalesOrderProcessingStatus": "Confirmed"})


def deliver_order(world: World, order: Row) -> Row:
    _open(order, "Backorder")
    return _set_status(world, order, "Delivered", "Delivered")


def cancel_order(world: World, order: Row) -> Row:
    _open(order, "Backorder")
    return _set_status(world, order, "Canceled", "Canceled")


def invoice_order(world: World, home: Company, order: Row, day: str) -> Row:
    """Invoice everything; gives the posted invoice journal. Raises Refused."""
    _open(order, "Backorder", "Delivered")
    rows = _lines_of(world, order)
    if not rows:
        raise refused("Error", f"Sales order {order['SalesOrderNumber']} has no lines to invoice.")
    currency = order["CurrencyCode"]
    reduction = (Decimal(100) - number(order.get("TotalDiscountPercentage", 0))) / 100
    lines = []
    for at, row in enumerate(rows, 1):
        amount = number(row.get("LineAmount", 0)) * reduction
        quantity, price = number(row.get("OrderedSalesQuantity", 0)), number(row.get("SalesPrice", 0))
        full = quantity * price / (number(row.get("SalesPriceQuantity") or 1))
        due = tax(world, row.get("SalesTaxGroupCode", ""), row.get("SalesTaxItemGroupCode", ""), amount, currency)
        item = world.get("InventTable", dataAreaId=home.id, ItemNumber=row.get("ItemNumber", "")) or {}
        lines.append(
            Line(
                at, item.get("ProductNumber") or row.get("ItemNumber", ""), item.get("ProductName", ""),
                row.get("LineDescription", ""), quantity, row.get("SalesUnitSymbol", ""), price, amount, due,
                rounded(world, currency, full - amount), row.get("ShippingSiteId", ""),
                row.get("ShippingWarehouseId", ""),
            )
        )  # fmt: skip
    invoice = Invoice(
        "Sales",
        world.next_number(home.id, "sales invoices", "CIV-{:06d}"),
        world.next_number(home.id, "sales vouchers", "CIV-V{:06d}"),
        day,
        order["InvoiceCustomerAccountNumber"],
        order["OrderingCustomerAccountNumber"],
        currency,
        order.get("PaymentTermsName", ""),
        tuple(lines),
        order["SalesOrderNumber"],
        order.get("CustomersOrderReference", ""),
        order.get("DeliveryModeCode", ""),
        order.get("DeliveryTermsCode", ""),
        order.get("FixedDueDate", NO_DATE),
        order.get("ContactPersonId", ""),
    )
    posted = _post(world, home, invoice)
    order = _set_status(world, order, "Invoiced", "Invoiced")
    recalculate(world, order)
    _ship(world, home, rows)
    _raise(world, home, "SalesInvoicePostedBusinessEvent", invoice, posted)
    return posted


def _ship(world: World, home: Company, rows: Iterable[Row]) -> None:
    """Stock goes with the invoice."""
    for row in rows:
        for held in world.find("WarehousesOnHandV2", "ItemNumber", row.get("ItemNumber", ""), home.id):
            if held["InventoryWarehouseId"] != row.get("ShippingWarehouseId"):
                continue
            quantity = number(row.get("OrderedSalesQuantity", 0))
            changes = {
                name: number(held.get(name, 0)) - quantity
                for name in ("OnHandQuantity", "AvailableOnHandQuantity", "TotalAvailableQuantity")
            }
            world.update("WarehousesOnHandV2", held, changes)


def set_quotation(world: World, quotation: Row, status: str) -> Row:
    """Send, lose, cancel. Raises Refused."""
    if status not in ("Sent", "Lost", "Cancelled", "Created"):
        raise refused("Error", f"Quotations are not set to {status} by hand.")
    for line in _quotation_lines(world, quotation):
        world.update("SalesQuotationLines", line, {"SalesQuotationStatus": status})
    return world.update("SalesQuotationHeadersV2", quotation, {"SalesQuotationStatus": status})


def _quotation_lines(world: World, quotation: Row) -> list[Row]:
    number_ = quotation["SalesQuotationNumber"]
    return world.find("SalesQuotationLines", "SalesQuotationNumber", number_, quotation["dataAreaId"])
