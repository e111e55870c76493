"""Posting documents: what reaches the ledgers, and which document remains."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company, rounded
from weft_bc.simulator.errors import dialog
from weft_bc.simulator.rules.amounts import line_amounts, totals
from weft_bc.simulator.rules.documents import DocumentRules, draft_only, nothing_to_post
from weft_bc.simulator.rules.kinds import DOCUMENTS, DocumentKind
from weft_bc.simulator.rules.ledger import (
    account_of,
    apply_entries,
    invoice_entry,
    item_entry,
    party_entry,
    post_gl,
)
from weft_bc.simulator.schema import ZERO_GUID
from weft_bc.simulator.values import plain

ZERO = Decimal(0)


def lines_of(co: Company, kind: DocumentKind, header: Row) -> list[Row]:
    return sorted(co.table(kind.lines).find("documentId", header["id"]), key=lambda line: line["sequence"])


def post_in_place(co: Company, kind: DocumentKind, header: Row) -> Row:
    """Post a draft invoice or credit memo: the id stays, the number becomes one of the posted series."""
    draft_only(kind, header)
    lines = lines_of(co, kind, header)
    if not any(line["quantity"] for line in lines):
        raise nothing_to_post()
    refuse_blocked_party(co, kind, header)
    if kind.set == "purchaseInvoices":
        require_vendor_invoice(co, header)
    if (
        kind.set == "purchaseCreditMemos"
        and "vendorCreditMemoNumber" in header
        and not header["vendorCreditMemoNumber"]
    ):
        raise dialog(
            f"Vendor Cr. Memo No. must have a value in Purchase Header: Document Type=Credit Memo, "
            f"No.={header['number']}. It cannot be zero or empty."
        )
    changes: dict[str, Any] = {"number": co.next_number(f"{kind.set} posted", kind.posted_start), "status": "Open"}
    if "remainingAmount" in header:
        changes["remainingAmount"] = header["totalAmountIncludingTax"]
    header = co.update(kind.set, header, changes)
    to_ledgers(co, kind, header, lines)
    return co.must(kind.set, header["id"])


def refuse_blocked_party(co: Company, kind: DocumentKind, header: Row) -> None:
    party = co.must(kind.party, header[f"{kind.party_name}Id"])
    if party["blocked"] == "All" or (party["blocked"] == "Invoice" and kind.noun == "invoice"):
        word = "Customer" if kind.sales else "Vendor"
        raise dialog(
            f"You cannot post this type of document when {word} {party['number']} is blocked with "
            f"type {party['blocked']}"
        )


def require_vendor_invoice(co: Company, header: Row) -> None:
    """Vendor's own number: present, and not used before for that vendor."""
    number = header["vendorInvoiceNumber"]
    if not number:
        raise dialog(
            f"Vendor Invoice No. must have a value in Purchase Header: Document Type=Invoice, No.={header['number']}. "
            "It cannot be zero or empty."
        )
    for other in co.table("purchaseInvoices").find("vendorInvoiceNumber", number):
        if (
            other["id"] != header["id"]
            and other["vendorId"] == header["vendorId"]
            and other["status"] not in ("Draft", "_x0020_")
        ):
            raise dialog(f"Purchase Invoice {number} already exists for this vendor.")


def to_ledgers(co: Company, kind: DocumentKind, header: Row, lines: list[Row]) -> None:
    """Customer or vendor, general and item ledger entries of a posted document."""
    sign = Decimal(1) if kind.sales else Decimal(-1)
    if kind.noun == "credit memo":
        sign = -sign
    document_type = "Credit_x0020_Memo" if kind.noun == "credit memo" else "Invoice"
    date, number = header["postingDate"], header["number"]
    rate = co.rate(header["currencyCode"], date)
    party = co.must(kind.party, header[f"{kind.pay}{kind.party_name.capitalize()}Id"])
    receivable = account_of(co, "receivables" if kind.sales else "payables")
    income = account_of(co, "sales" if kind.sales else "purchases")
    tax_account = account_of(co, "sales tax" if kind.sales else "purchase tax")
    total = ZERO

    def gl(account: Row, amount: Decimal) -> None:
        nonlocal total
        total += amount
        post_gl(co, account, amount, date=date, document_number=number, document_type=document_type,
                description=f"{kind.noun.capitalize()} {number}")  # fmt: skip

    for line in lines:
        account = co.must("accounts", line["accountId"]) if line["lineType"] == "Account" else income
        gl(account, rounded(-sign * line["netAmount"] * rate))
        gl(tax_account, rounded(-sign * line["netTaxAmount"] * rate))
        if line["lineType"] == "Item" and line["quantity"]:
            quantity = -sign * line["quantity"]
            item_entry(
                co, co.must("items", line["itemId"]), quantity, "Sale" if kind.sales else "Purchase", date=date,
                document_number=number,
                document_type=("Sales_x0020_" if kind.sales else "Purchase_x0020_") + document_type,
                source=party, source_type="Customer" if kind.sales else "Vendor",
                sales=rounded(sign * line["netAmount"] * rate) if kind.sales else ZERO,
            )  # fmt: skip
    gl(receivable, -total)
    amount = header["totalAmountIncludingTax"] * (1 if kind.noun != "credit memo" else -1)
    entry = party_entry(
        co, kind.party, party, documentType=document_type, documentNumber=number, documentId=header["id"],
        postingDate=date, dueDate=header.get("dueDate", date), currencyCode=header["currencyCode"],
        amount=plain(amount), net=plain(header["totalAmountExcludingTax"] * (1 if amount >= 0 else -1)),
        description=f"{kind.noun.capitalize()} {number}",
        externalDocumentNumber=header.get("externalDocumentNumber") or header.get("vendorInvoiceNumber", ""),
    )  # fmt: skip
    if kind.noun == "credit memo" and header.get("invoiceId", ZERO_GUID) != ZERO_GUID:
        invoices = "salesInvoices" if kind.sales else "purchaseInvoices"
        invoice = co.get(invoices, header["invoiceId"])
        against = invoice_entry(co, invoice) if invoice else None
        if against is not None and against["open"]:
            apply_entries(co, against, entry)
    if amount == 0 and kind.noun == "invoice":
        co.update(kind.set, header, {"status": "Paid"}, silent=True, stamp=False)


def ship_and_invoice(co: Company, kind: DocumentKind, order: Row) -> tuple[str, Row]:
    """Post an order. Returns (set, record) for Location: the posted invoice when nothing is left, else the order."""
    lines = lines_of(co, kind, order)
    move, moved = ("shipQuantity", "shippedQuantity") if kind.sales else ("receiveQuantity", "receivedQuantity")
    if not any(line[move] or line["invoiceQuantity"] for line in lines):
        raise nothing_to_post()
    for line in lines:
        if abs(line["invoiceQuantity"]) > abs(line[moved] + line[move] - line["invoicedQuantity"]):
            raise dialog(f"You cannot invoice more than {line[moved] + line[move] - line['invoicedQuantity']} units.")
    refuse_blocked_party(co, kind, order)
    invoice_kind = DOCUMENTS["salesInvoices" if kind.sales else "purchaseInvoices"]
    deliver(co, kind, order, lines, move)
    made = None
    if any(line["invoiceQuantity"] for line in lines):
        made = invoice_from(co, kind, invoice_kind, order, lines, "invoiceQuantity")
        if not kind.sales:
            made = co.update(invoice_kind.set, made, {"vendorInvoiceNumber": f"{order['number']}-{made['number']}"})
        made = post_in_place(co, invoice_kind, made)
    left = False
    for line in lines:
        shipped, invoiced = line[moved] + line[move], line["invoicedQuantity"] + line["invoiceQuantity"]
        left = left or invoiced != line["quantity"] or shipped != line["quantity"]
        co.update(
            kind.lines, line,
            {moved: plain(shipped), "invoicedQuantity": plain(invoiced), move: plain(line["quantity"] - shipped),
             "invoiceQuantity": plain(line["quantity"] - invoiced)},
            silent=True,
        )  # fmt: skip
    if left or made is None:
        done = "fullyShipped" if kind.sales else "fullyReceived"
        whole = all(line[moved] + line[move] == line["quantity"] for line in lines)
        return kind.set, co.update(kind.set, order, {done: whole, "status": "Open"})
    remove_document(co, kind, order)
    return invoice_kind.set, made


def deliver(co: Company, kind: DocumentKind, order: Row, lines: list[Row], move: str) -> None:
    """The posted shipment or receipt of what is moved now."""
    name, lines_name = (
        ("salesShipments", "salesShipmentLines") if kind.sales else ("purchaseReceipts", "purchaseReceiptLines")
    )
    if name not in co.tables or not any(line[move] for line in lines):
        return
    known = co.schema[name].properties
    header = {key: value for key, value in order.items() if key in known and key not in ("id", "lastModifiedDateTime")}
    header |= {
        "number": co.next_number(name, "S-SHPT102000" if kind.sales else "P-RCPT107000"),
        "orderNumber": order["number"],
    }
    made = co.insert(name, header)
    line_known = co.schema[lines_name].properties
    types = {"Comment": "_x0020_", "Account": "G_x002F_L_x0020_Account"}
    for line in lines:
        if line["lineType"] != "Comment" and not line[move]:
            continue
        values = {key: value for key, value in line.items() if key in line_known and key != "id"}
        values |= {
            "documentId": made["id"],
            "quantity": line[move],
            "lineType": types.get(line["lineType"], line["lineType"]),
        }
        if "documentNo" in line_known:
            values["documentNo"] = made["number"]
        co.insert(lines_name, values, silent=True)


def invoice_from(
    co: Company, kind: DocumentKind, target: DocumentKind, source: Row, lines: list[Row], quantity: str
) -> Row:
    """A draft of another kind with the header and the lines of a document."""
    properties = co.schema[target.set].properties
    skip = {"id", "number", "status", "lastModifiedDateTime"}
    header = {key: value for key, value in source.items() if key in properties and key not in skip}
    header |= {
        "number": co.next_number(target.set, target.start),
        "status": "Draft",
        target.date: source[kind.date],
        "postingDate": source.get("postingDate") or co.today,
    }
    if header["postingDate"] == "0001-01-01":
        header["postingDate"] = co.today
    if kind.noun == "order":
        header |= {"orderId": source["id"], "orderNumber": source["number"]}
    if header.get("dueDate", "0001-01-01") == "0001-01-01" and "dueDate" in properties:
        header["dueDate"] = DocumentRules(target).due(co, header)
    made = co.insert(target.set, {k: v for k, v in header.items() if k in properties})
    line_properties = co.schema[target.lines].properties
    for line in lines:
        if line["lineType"] != "Comment" and not line[quantity]:
            continue
        copied = {key: value for key, value in line.items() if key in line_properties and key != "id"}
        copied = {**co.schema[target.lines].blanks, **copied}
        copied |= {"documentId": made["id"], "quantity": line[quantity], target.price: line[kind.price]}
        copied |= {k: v for k, v in line_amounts(co, target, made, copied, {"discountPercent"}).items() if k in copied}
        for pending, done in (
            ("shipQuantity", "shippedQuantity"),
            ("receiveQuantity", "receivedQuantity"),
            ("invoiceQuantity", "invoicedQuantity"),
        ):
            if pending in copied:
                copied |= {pending: line[quantity], done: ZERO}
        co.insert(target.lines, copied, silent=True)
    copy_dimensions(co, source["id"], made["id"], target.parent_type)
    return totals(co, target, made)


def copy_dimensions(co: Company, source: str, target: str, parent_type: str) -> None:
    for row in co.table("dimensionSetLines").find("parentId", source):
        kept = {k: v for k, v in row.items() if not k.startswith("$")}
        co.insert("dimensionSetLines", {**kept, "parentId": target, "parentType": parent_type}, silent=True)


def remove_document(co: Company, kind: DocumentKind, row: Row) -> None:
    for line in co.table(kind.lines).find("documentId", row["id"]):
        co.delete(kind.lines, line, silent=True)
    for dimension in co.table("dimensionSetLines").find("parentId", row["id"]):
        co.delete("dimensionSetLines", dimension, silent=True)
    co.delete(kind.set, row)
