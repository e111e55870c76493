"""Purchase orders and vendor invoices: confirmed, received, posted."""

from __future__ import annotations

from decimal import Decimal

from weft.testing.odata.store import Row
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.posting.transactions import Entry, enter
from weft_d365fo.simulator.rules.amounts import due_date, number, tax
from weft_d365fo.simulator.schema import NO_DATE
from weft_d365fo.simulator.views import RECID
from weft_d365fo.simulator.world import Company, World

ZERO = Decimal(0)


def confirm_order(world: World, home: Company, order: Row) -> Row:
    if order.get("PurchaseOrderStatus") != "Backorder":
        raise refused("Error", f"Purchase order {order['PurchaseOrderNumber']} is {order['PurchaseOrderStatus']}.")
    row = world.update("PurchTable", order, {"DocumentApprovalStatus": "Confirmed"})
    world.tell("PurchaseOrderConfirmedBusinessEvent", home.id, {"LegalEntity": home.id})
    return row


def _set_status(world: World, order: Row, status: str) -> Row:
    for line in world.find("PurchLine", "PurchaseOrderNumber", order["PurchaseOrderNumber"], order["dataAreaId"]):
        world.update("PurchLine", line, {"PurchaseOrderLineStatus": status})
    return world.update("PurchTable", order, {"PurchaseOrderStatus": status})


def receive_order(world: World, home: Company, order: Row) -> Row:
    if order.get("DocumentApprovalStatus") != "Confirmed" or order.get("PurchaseOrderStatus") != "Backorder":
        raise refused("Error", f"Purchase order {order['PurchaseOrderNumber']} is not confirmed and open.")
    row = _set_status(world, order, "Received")
    world.tell("PurchaseOrderReceivedBusinessEvent", home.id, {"LegalEntity": home.id})
    return row


def cancel_order(world: World, order: Row) -> Row:
    if order.get("PurchaseOrderStatus") != "Backorder":
        raise refused("Error", f"Purchase order {order['PurchaseOrderNumber']} is {order['PurchaseOrderStatus']}.")
    return _set_status(world, order, "Canceled")


def invoice_order(world: World, home: Company, order: Row, invoice: str, day: str) -> Row:
    """The vendor's invoice for the whole order. Raises Refused."""
    if order.get("PurchaseOrderStatus") not in ("Backorder", "Received"):
        raise refused("Error", f"Purchase order {order['PurchaseOrderNumber']} is {order['PurchaseOrderStatus']}.")
    lines = world.find("PurchLine", "PurchaseOrderNumber", order["PurchaseOrderNumber"], order["dataAreaId"])
    if not lines:
        raise refused("Error", f"Purchase order {order['PurchaseOrderNumber']} has no lines to invoice.")
    currency = order["CurrencyCode"]
    net = sum((number(line.get("LineAmount", 0)) for line in lines), ZERO)
    taxes = ZERO
    for line in lines:
        group, item_group = line.get("SalesTaxGroupCode", ""), line.get("SalesTaxItemGroupCode", "")
        taxes += tax(world, group, item_group, number(line.get("LineAmount", 0)), currency)
    terms = order.get("PaymentTermsName", "")
    posted = _journal(
        world, home, order["InvoiceVendorAccountNumber"], order["OrderVendorAccountNumber"], invoice, currency, day,
        due_date(world, home.id, terms, day), net, taxes, order["PurchaseOrderNumber"], terms,
        order.get("VendorOrderReference", ""),
    )  # fmt: skip
    _set_status(world, order, "Invoiced")
    return posted


def post_pending(world: World, home: Company, header: Row) -> Row:
    """A pending vendor invoice; it goes with posting. Raises Refused."""
    lines = world.find("VendorInvoiceLines", "HeaderReference", header["HeaderReference"], home.id)
    if not lines:
        raise refused("Error", f"Invoice {header['InvoiceNumber']} has no lines.")
    if header.get("IsOnHold") == "Yes":
        raise refused("Error", f"Invoice {header['InvoiceNumber']} is on hold.")
    currency = header["Currency"]
    net = sum((number(line.get("NetAmount", 0)) for line in lines), ZERO)
    taxes = ZERO
    for line in lines:
        group, item_group = line.get("SalesTaxGroup", ""), line.get("ItemSalesTax", "")
        taxes += tax(world, group, item_group, number(line.get("NetAmount", 0)), currency)
    order = next((line["PurchaseOrder"] for line in lines if line.get("PurchaseOrder")), "")
    order = order or header.get("PurchaseOrderNumber", "")
    posted = _journal(
        world, home, header["InvoiceAccount"], header.get("VendorAccount") or header["InvoiceAccount"],
        header["InvoiceNumber"], currency, header["InvoiceDate"], header.get("DueDate", NO_DATE), net, taxes, order,
        header.get("TermsOfPayment", ""), header.get("InvoiceDescription", ""), header.get("DocumentNumber", ""),
    )  # fmt: skip
    purchase = world.get("PurchTable", dataAreaId=home.id, PurchaseOrderNumber=order) if order else None
    if purchase is not None:
        _set_status(world, purchase, "Invoiced")
    if world.settings.posted_vendor_invoices == "removed":
        for line in lines:
            world.delete("VendorInvoiceLines", line)
        world.delete("VendorInvoiceHeaders", header)
    else:
        world.update("VendorInvoiceHeaders", header, {"VendorInvoiceReviewStatus": "Approved"})
    return posted


def _journal(
    world: World, home: Company, account: str, ordered_from: str, invoice: str, currency: str, day: str, due: str,
    net: Decimal, taxes: Decimal, order: str, terms: str, text: str, document: str = "",
) -> Row:  # fmt: skip
    for row in world.find("VendInvoiceJour", "InvoiceId", invoice, home.id):
        if row["InvoiceAccount"] == account:
            raise refused("Error", f"Invoice number {invoice} is already used on voucher {row['LedgerVoucher']}.")
    voucher = world.next_number(home.id, "vendor invoice vouchers", "APV-{:06d}")
    total = net + taxes
    posted = world.insert(
        "VendInvoiceJour",
        {
            "dataAreaId": home.id,
            RECID: world.next_recid(),
            "InvoiceId": invoice,
            "InternalInvoiceId": world.next_number(home.id, "internal invoices", "II{:06d}"),
            "InvoiceAccount": account,
            "OrderAccount": ordered_from,
            "InvoiceDate": day,
            "DueDate": due,
            "LedgerVoucher": voucher,
            "InvoiceAmount": total,
            "InvoiceAmountMST": total * number(world.rate(home, currency, day)) / 100,
            "SumTax": taxes,
            "SalesBalance": net,
            "CurrencyCode": currency,
            "PurchId": order,
            "Payment": terms,
            "Description": text,
            "DocumentNum": document,
            "DocumentDate": day,
        },
    )
    entry = Entry(account, -total, currency, day, due, voucher, invoice, "Purch", text=text, document=document)
    enter(world, home, "Vend", entry)
    contract = {
        "InvoiceAccount": account, "InvoiceId": invoice, "InvoiceDate": day, "InvoiceDueDate": due,
        "InvoiceAmount": total, "InvoiceTaxAmount": taxes, "LegalEntity": home.id,
    }  # fmt: skip
    world.tell("VendorInvoicePostedBusinessEvent", home.id, contract)
    return posted
