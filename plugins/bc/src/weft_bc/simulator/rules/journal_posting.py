"""Posting a journal batch of any template."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company, rounded
from weft_bc.simulator.errors import dialog
from weft_bc.simulator.rules.documents import nothing_to_post
from weft_bc.simulator.rules.journals import BANK, LINE_SETS, TEMPLATES
from weft_bc.simulator.rules.ledger import account_of, apply_entries, invoice_entry, party_entry, post_gl
from weft_bc.simulator.schema import ZERO_GUID
from weft_bc.simulator.values import plain

ZERO = Decimal(0)


def post_batch(co: Company, batch: Row) -> None:
    """Check every line, then write ledger entries, apply payments and empty the batch."""
    found = [(name, line) for name in LINE_SETS for line in co.table(name).find("journalId", batch["id"])]
    lines = sorted(
        ((name, line) for name, line in found if line["amount"] != 0), key=lambda pair: pair[1]["lineNumber"]
    )
    if not lines:
        raise nothing_to_post()
    template = batch.get("templateDisplayName", TEMPLATES["journals"])
    balancing = _balancing(co, batch)
    sums: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for name, line in lines:
        where = (
            f"Journal Template Name='{template}',Journal Batch Name='{batch['code']}',Line No.='{line['lineNumber']}'"
        )
        _check(co, name, line, where)
        if balancing is None and line.get("balancingAccountId", ZERO_GUID) == ZERO_GUID:
            sums[line["postingDate"], line["documentNumber"]] += _signed(co, name, line)
    for (_, document), total in sums.items():
        if total != 0:
            raise dialog(
                f"The lines in the journal are out of balance by {plain(total)}. Check that Posting Date and Document "
                f"No. are correct for each line. Document No.: {document}."
            )
    for name, line in lines:
        _post_line(co, name, line, balancing)
    for name, line in found:
        for dimension in co.table("dimensionSetLines").find("parentId", line["id"]):
            co.delete("dimensionSetLines", dimension, silent=True)
        if name == "vendorPayments" and "applyVendorEntries" in co.tables:
            for entry in co.table("applyVendorEntries").find("$lineId", line["id"]):
                co.delete("applyVendorEntries", entry, silent=True)
        co.delete(name, line)


def _balancing(co: Company, batch: Row) -> Row | None:
    account_id = batch["balancingAccountId"]
    if account_id == ZERO_GUID:
        return None
    bank = co.get("bankAccounts", account_id)
    return account_of(co, "bank") if bank is not None else co.must("accounts", account_id)


def _signed(co: Company, name: str, line: Row) -> Decimal:
    """The line's amount as the journal holds it: a customer payment negative, a vendor payment positive."""
    amount = Decimal(line["amount"])
    if co.settings.payment_sign == "raw" or name == "journalLines":
        return amount
    return -abs(amount) if name == "customerPayments" else abs(amount)


def _check(co: Company, name: str, line: Row, where: str) -> None:
    if not line["documentNumber"]:
        raise dialog(f"Document No. must have a value in Gen. Journal Line: {where}. It cannot be zero or empty.")
    if line["postingDate"] == "0001-01-01":
        raise dialog(f"Posting Date must have a value in Gen. Journal Line: {where}. It cannot be zero or empty.")
    if name == "journalLines":
        if line["accountId"] == ZERO_GUID:
            raise dialog(f"Account No. must have a value in Gen. Journal Line: {where}. It cannot be zero or empty.")
        if line["accountType"] != BANK:
            account = co.must("accounts", line["accountId"])
            if account["blocked"]:
                raise dialog(
                    f"Blocked must be equal to 'No' in G/L Account: No.={account['number']}. Current value is 'Yes'."
                )
            if account["accountType"] != "Posting":
                raise dialog(f"Account Type must be equal to 'Posting' in G/L Account: No.={account['number']}.")
            if not account["directPosting"]:
                raise dialog(
                    f"Direct Posting must be equal to 'Yes' in G/L Account: No.={account['number']}. "
                    "Current value is 'No'."
                )
        return
    customers = name == "customerPayments"
    if line["customerId" if customers else "vendorId"] == ZERO_GUID:
        raise dialog(f"Account No. must have a value in Gen. Journal Line: {where}. It cannot be zero or empty.")
    sign = co.settings.payment_sign
    if sign == "raw" and (line["amount"] > 0) == customers:
        raise dialog(f"Amount must be {'negative' if customers else 'positive'} in Gen. Journal Line {where}.")
    if sign == "positive" and line["amount"] < 0:
        raise dialog(f"Amount must be positive in Gen. Journal Line {where}.")


def _post_line(co: Company, name: str, line: Row, balancing: Row | None) -> None:
    amount = _signed(co, name, line)
    common = {"date": line["postingDate"], "document_number": line["documentNumber"]}
    if name == "journalLines":
        account = account_of(co, "bank") if line["accountType"] == BANK else co.must("accounts", line["accountId"])
        post_gl(co, account, amount, description=line["description"], **common)
        against = balancing
        if line["balancingAccountId"] != ZERO_GUID:
            bank = line["balanceAccountType"] == BANK
            against = account_of(co, "bank") if bank else co.must("accounts", line["balancingAccountId"])
        if against is not None:
            post_gl(co, against, -amount, description=line["description"], **common)
        return
    customers = name == "customerPayments"
    party_set = "customers" if customers else "vendors"
    party = co.must(party_set, line["customerId" if customers else "vendorId"])
    invoice = None
    if line["appliesToInvoiceId"] != ZERO_GUID:
        invoice = co.get("salesInvoices" if customers else "purchaseInvoices", line["appliesToInvoiceId"])
    against_entry = invoice_entry(co, invoice) if invoice else None
    if invoice is not None and (against_entry is None or not against_entry["open"]):
        word = "Cust." if customers else "Vendor"
        raise dialog(
            f"There is no {word} Ledger Entry within the filter. Filters: Document Type: Invoice, Document No.: "
            f"{invoice['number']}, Open: Yes"
        )
    currency = invoice["currencyCode"] if invoice else co.lcy
    rate = co.rate(currency, line["postingDate"])
    local = rounded(amount * rate)
    post_gl(co, account_of(co, "receivables" if customers else "payables"), local, document_type="Payment",
            description=line["description"], **common)  # fmt: skip
    if balancing is not None:
        post_gl(co, balancing, -local, document_type="Payment", description=line["description"], **common)
    entry = party_entry(
        co, party_set, party, documentType="Payment", documentNumber=line["documentNumber"], documentId=ZERO_GUID,
        postingDate=line["postingDate"], currencyCode=currency, amount=plain(amount if customers else -amount),
        description=line["description"], externalDocumentNumber=line["externalDocumentNumber"],
    )  # fmt: skip
    if against_entry is not None:
        apply_entries(co, against_entry, entry)
    elif not customers and "applyVendorEntries" in co.tables:
        for marked in co.table("applyVendorEntries").find("$lineId", line["id"]):
            target = co.tables["$ledger"].get(marked["$entryId"]) if marked["applied"] else None
            if target is not None and target["open"]:
                apply_entries(co, target, entry)
