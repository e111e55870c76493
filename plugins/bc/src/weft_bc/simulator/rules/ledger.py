"""Ledgers: general, item, customer and vendor; applying payments to documents; balances."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company, rounded
from weft_bc.simulator.errors import dialog
from weft_bc.simulator.schema import ZERO_GUID
from weft_bc.simulator.values import plain

ZERO = Decimal(0)
INVOICE_SET = {"customers": "salesInvoices", "vendors": "purchaseInvoices"}


def account_of(co: Company, role: str) -> Row:
    """The G/L account that posting setup names for a role."""
    account = co.first("accounts", "number", co.roles.get(role, ""))
    if account is None:
        raise dialog(f"The General Posting Setup does not exist. Identification fields and values: {role}=''")
    return account


def post_gl(
    co: Company,
    account: Row,
    amount: Decimal,
    *,
    date: str,
    document_number: str,
    document_type: str = "_x0020_",
    description: str = "",
) -> None:
    """One general ledger entry in LCY; debit above zero. Zero makes no entry."""
    if amount == 0:
        return
    number = int(co.next_number("glEntry", "0"))
    co.insert(
        "generalLedgerEntries",
        {
            "entryNumber": number,
            "postingDate": date,
            "documentNumber": document_number,
            "documentType": document_type,
            "accountId": account["id"],
            "accountNumber": account["number"],
            "description": description or account["displayName"],
            "debitAmount": plain(amount) if amount > 0 else ZERO,
            "creditAmount": plain(-amount) if amount < 0 else ZERO,
        },
    )
    if "netChange" in account:
        current = co.must("accounts", account["id"])
        co.update("accounts", current, {"netChange": plain(current["netChange"] + amount)}, stamp=False)


def item_entry(
    co: Company,
    item: Row,
    quantity: Decimal,
    entry_type: str,
    *,
    date: str = "",
    document_number: str = "",
    document_type: str = "_x0020_",
    source: Row | None = None,
    source_type: str = "_x0020_",
    sales: Decimal = ZERO,
) -> Row:
    """One item ledger entry; the item's inventory moves without a stamp. Returns the item."""
    if "itemLedgerEntries" in co.tables:
        co.insert(
            "itemLedgerEntries",
            {
                "entryNumber": int(co.next_number("itemEntry", "0")),
                "itemNumber": item["number"],
                "postingDate": date or co.today,
                "entryType": entry_type,
                "sourceNumber": source["number"] if source else "",
                "sourceType": source_type,
                "documentNumber": document_number,
                "documentType": document_type,
                "description": item["displayName"],
                "quantity": plain(quantity),
                "salesAmountActual": plain(sales),
                "costAmountActual": rounded(quantity * item["unitCost"]),
            },
        )
    if item["type"] == "Inventory":
        item = co.update("items", item, {"inventory": plain(Decimal(item["inventory"]) + quantity)}, stamp=False)
    return item


def party_entry(co: Company, party_set: str, party: Row, **entry: Any) -> Row:
    """A customer or vendor ledger entry. ``amount`` is signed as the balance of that party moves
    (an invoice adds to it, a payment lowers it); currency amounts."""
    number = int(co.next_number("partyEntry", "0"))
    row = co.tables["$ledger"].insert(
        {
            "id": co.new_guid(),
            "entryNumber": number,
            "party": party_set,
            "partyId": party["id"],
            "documentId": ZERO_GUID,
            "dueDate": entry["postingDate"],
            "externalDocumentNumber": "",
            "description": party["displayName"],
            "net": ZERO,
            **entry,
            "remaining": entry["amount"],
            "open": entry["amount"] != 0,
        }
    )
    refresh_party(co, party_set, party["id"])
    return row


def open_entries(co: Company, party_id: str) -> list[Row]:
    return [entry for entry in co.tables["$ledger"].find("partyId", party_id) if entry["open"]]


def invoice_entry(co: Company, document: Row) -> Row | None:
    """The ledger entry that a posted document made."""
    found = co.tables["$ledger"].find("documentId", document["id"])
    return found[0] if found else None


def apply_entries(co: Company, one: Row, other: Row) -> Decimal:
    """Settle two open entries of opposite sign as far as the smaller one goes; returns the amount."""
    ledger = co.tables["$ledger"]
    one, other = ledger.get(one["id"]) or one, ledger.get(other["id"]) or other
    if (one["remaining"] > 0) == (other["remaining"] > 0):
        return ZERO
    amount: Decimal = min(abs(one["remaining"]), abs(other["remaining"]))
    for entry in (one, other):
        left = entry["remaining"] - amount if entry["remaining"] > 0 else entry["remaining"] + amount
        entry = ledger.update(entry["id"], {"remaining": plain(left), "open": left != 0})
        settle_document(co, entry)
    refresh_party(co, one["party"], one["partyId"])
    return amount


def settle_document(co: Company, entry: Row) -> None:
    """Remaining amount and status of the invoice behind an entry follow it."""
    if entry["documentType"] != "Invoice" or entry["documentId"] == ZERO_GUID:
        return
    name = INVOICE_SET[entry["party"]]
    document = co.get(name, entry["documentId"])
    if document is None or document["status"] in ("Canceled", "Corrective"):
        return
    changes: dict[str, Any] = {"status": "Open" if entry["open"] else "Paid"}
    if "remainingAmount" in document:
        changes["remainingAmount"] = entry["remaining"]
    touches = co.settings.payment_touches_invoice
    co.update(name, document, changes, stamp=touches, silent=not touches)


def refresh_party(co: Company, party_set: str, party_id: str) -> None:
    """Calculated fields of a customer or vendor; neither stamp nor version moves."""
    co.mark_dirty(party_set, party_id)
    row = co.get(party_set, party_id)
    if row is None:
        return
    if party_set == "customers":
        if "balanceDue" in row:
            co.update(party_set, row, {"balanceDue": balance(co, party_id, overdue=True)}, stamp=False)
    else:
        co.update(party_set, row, {"balance": balance(co, party_id)}, stamp=False)


def balance(co: Company, party_id: str, *, overdue: bool = False) -> Decimal:
    """What is open, in LCY; ``overdue``: only what was due before today."""
    today = co.today
    total = ZERO
    for entry in open_entries(co, party_id):
        if not overdue or entry["dueDate"] < today:
            total += entry["remaining"] * co.rate(entry["currencyCode"], entry["postingDate"])
    return rounded(total)
