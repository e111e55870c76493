"""Journal batches and their lines: general, customer payments, vendor payments."""

from __future__ import annotations

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company
from weft_bc.simulator.errors import BcError, dialog
from weft_bc.simulator.rules.base import Parent, Rules, Values, changed
from weft_bc.simulator.rules.ledger import open_entries
from weft_bc.simulator.schema import ZERO_GUID

TEMPLATES = {"journals": "GENERAL", "customerPaymentJournals": "CASHRCPT", "vendorPaymentJournals": "PAYMENT"}
LINES = {
    "journals": "journalLines",
    "customerPaymentJournals": "customerPayments",
    "vendorPaymentJournals": "vendorPayments",
}
LINE_SETS = tuple(LINES.values())
NO_FILTER = "You must specify a journal batch ID or a journal ID to get a journal line."
GL, BANK = "G_x002F_L_x0020_Account", "Bank_x0020_Account"


class BatchRules(Rules):
    """A payment batch is also a row of ``journals``, which a look-up by id there finds."""

    def __init__(self, name: str) -> None:
        self.name = name

    def _balancing(self, co: Company, values: Values) -> None:
        if "balancingAccountId" not in values:
            return
        account_id = values["balancingAccountId"]
        if account_id == ZERO_GUID:
            values["balancingAccountNumber"] = ""
            return
        account = co.get("accounts", account_id) or co.get("bankAccounts", account_id)
        if account is None:
            raise dialog('The "balancingAccountId" does not match to an Account.')
        values["balancingAccountNumber"] = account["number"]

    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        if not values.get("code"):
            raise dialog("Name must have a value in Gen. Journal Batch. It cannot be zero or empty.")
        self._balancing(co, values)
        values.setdefault("displayName", values["code"])
        template = values.get("templateDisplayName") or TEMPLATES[name]
        if template not in TEMPLATES.values():
            raise dialog(
                f"The Gen. Journal Template does not exist. Identification fields and values: Name='{template}'"
            )
        if name == "journals":
            values["templateDisplayName"] = template
            row = co.insert(name, values)
            twin = next(own for own, its in TEMPLATES.items() if its == template)
            if twin != "journals":
                co.insert(twin, _shared(co, twin, row), silent=True)
            return row
        row = co.insert(name, values)
        co.insert("journals", {**_shared(co, "journals", row), "templateDisplayName": TEMPLATES[name]}, silent=True)
        return row

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        self._balancing(co, values)
        if values.get("code") == "":
            raise dialog("Name must have a value in Gen. Journal Batch. It cannot be zero or empty.")
        difference = changed(row, values)
        if not difference:
            return row
        row = co.update(name, row, difference)
        for twin in TEMPLATES:
            other = co.get(twin, row["id"]) if twin != name else None
            if other is not None:
                co.update(twin, other, _shared(co, twin, difference), silent=True)
        if "code" in difference:
            for lines in LINE_SETS:
                for line in co.table(lines).find("journalId", row["id"]):
                    co.update(lines, line, {"journalDisplayName": row["code"]}, silent=True)
        return row

    def remove(self, co: Company, name: str, row: Row) -> None:
        for lines in LINE_SETS:
            for line in co.table(lines).find("journalId", row["id"]):
                co.delete(lines, line, silent=True)
        for twin in TEMPLATES:
            other = co.get(twin, row["id"])
            if other is not None:
                co.delete(twin, other, silent=twin != name)


def _shared(co: Company, name: str, row: Values) -> Values:
    known = co.schema[name].properties
    return {
        key: value
        for key, value in row.items()
        if key in known and key not in ("lastModifiedDateTime", "templateDisplayName")
    }


class _Line(Rules):
    """What every kind of journal line has: its batch, its line number, fixed afterwards."""

    batch_set = "journals"

    def batch(self, co: Company, values: Values, parent: Parent | None) -> Row:
        if parent is not None:
            batch = parent.row
        elif values.get("journalId", ZERO_GUID) != ZERO_GUID:
            found = co.get(self.batch_set, values["journalId"])
            if found is None:
                raise dialog("The journal batch does not exist.")
            batch = found
        else:
            raise dialog(NO_FILTER)
        if values.get("journalId", batch["id"]) != batch["id"]:
            raise dialog("The Journal Batch Id isn't editable.")
        if values.get("journalDisplayName", batch["code"]) != batch["code"]:
            raise dialog("The Journal Batch Display Name isn't editable.")
        values |= {"journalId": batch["id"], "journalDisplayName": batch["code"]}
        return batch

    def number(self, co: Company, batch: Row, values: Values) -> None:
        taken = {line["lineNumber"] for lines in LINE_SETS for line in co.table(lines).find("journalId", batch["id"])}
        if values.get("lineNumber"):
            if values["lineNumber"] in taken:
                raise BcError(
                    co.settings.duplicate_key_status,
                    "Internal_EntityWithSameKeyExists",
                    "The record in table Gen. Journal Line already exists. Identification fields and values: Journal "
                    f"Batch Name='{batch['code']}',Line No.='{values['lineNumber']}'",
                )
        else:
            values["lineNumber"] = (max(taken, default=0) // 10000 + 1) * 10000

    def fixed(self, row: Row, values: Values) -> None:
        if values.get("journalId", row["journalId"]) != row["journalId"]:
            raise dialog("The Journal Batch Id isn't editable.")
        if values.get("journalDisplayName", row["journalDisplayName"]) != row["journalDisplayName"]:
            raise dialog("The Journal Batch Display Name isn't editable.")
        if values.get("lineNumber", row["lineNumber"]) != row["lineNumber"]:
            raise dialog('The value for "lineNumber" cannot be modified. Delete and insert the line again.')

    def remove(self, co: Company, name: str, row: Row) -> None:
        for dimension in co.table("dimensionSetLines").find("parentId", row["id"]):
            co.delete("dimensionSetLines", dimension, silent=True)
        if "applyVendorEntries" in co.tables:
            for entry in co.table("applyVendorEntries").find("$lineId", row["id"]):
                co.delete("applyVendorEntries", entry, silent=True)
        co.delete(name, row)


class JournalLineRules(_Line):
    """G/L and bank account lines."""

    def accounts(self, co: Company, values: Values) -> None:
        for kind, key, number, text in (
            ("accountType", "accountId", "accountNumber", "account"),
            ("balanceAccountType", "balancingAccountId", "balancingAccountNumber", "balancing account"),
        ):
            given_type = values.get(kind, GL)
            if given_type not in (GL, BANK):
                raise dialog(f"{kind} must be G/L Account or Bank Account.")
            target = "accounts" if given_type == GL else "bankAccounts"
            account = None
            if values.get(key, ZERO_GUID) != ZERO_GUID:
                account = co.get(target, values[key])
                if account is None:
                    raise dialog(f'The "{key}" does not match to an Account.')
            if values.get(number):
                by_number = co.first(target, "number", values[number])
                if by_number is None:
                    raise dialog(f'The "{number}" does not match to an Account.')
                if account is not None and account["id"] != by_number["id"]:
                    raise dialog(f"The {text} values do not match to a specific Account.")
                account = by_number
            if account is not None:
                values[key], values[number] = account["id"], account["number"]
                if key == "accountId":
                    values.setdefault("description", account["displayName"])
        if values.get("comment") and len(values["comment"]) > 250:
            raise dialog("Comment is too long.")

    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        batch = self.batch(co, values, parent)
        self.number(co, batch, values)
        values.setdefault("accountType", GL)
        self.accounts(co, values)
        values.setdefault("postingDate", co.today)
        if values.get("documentNumber", "") == "":
            values["documentNumber"] = _default_document(co, batch, name)
        return co.insert(name, values)

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        self.fixed(row, values)
        if {
            "accountType",
            "accountId",
            "accountNumber",
            "balanceAccountType",
            "balancingAccountId",
            "balancingAccountNumber",
        } & set(values):
            merged = {"accountType": row["accountType"], "balanceAccountType": row["balanceAccountType"], **values}
            self.accounts(co, merged)
            values = merged
        return super().modify(co, name, row, values)


class PaymentRules(_Line):
    """Customer payments and vendor payments."""

    def __init__(self, name: str) -> None:
        self.name = name
        customers = name == "customerPayments"
        self.batch_set = "customerPaymentJournals" if customers else "vendorPaymentJournals"
        self.party_set, self.party_name = ("customers", "customer") if customers else ("vendors", "vendor")
        self.invoices = "salesInvoices" if customers else "purchaseInvoices"

    def subject(self, co: Company, values: Values, row: Row | None) -> None:
        word = self.party_name
        party = None
        if values.get(f"{word}Id", ZERO_GUID) != ZERO_GUID:
            party = co.get(self.party_set, values[f"{word}Id"])
            if party is None:
                raise dialog(f'The "{word}Id" does not match to a {word.capitalize()}.')
        if values.get(f"{word}Number"):
            by_number = co.first(self.party_set, "number", values[f"{word}Number"])
            if by_number is None:
                raise dialog(f'The "{word}Number" does not match to a {word.capitalize()}.')
            if party is not None and party["id"] != by_number["id"]:
                raise dialog(f"The {word} values do not match to a specific {word.capitalize()}.")
            party = by_number
        invoice = self._invoice(co, values)
        if invoice is not None:
            payer = invoice["billToCustomerId"] if word == "customer" else invoice["payToVendorId"]
            known = party["id"] if party else (row[f"{word}Id"] if row else ZERO_GUID)
            if known == ZERO_GUID:
                party = co.must(self.party_set, payer)
            elif known != payer:
                raise dialog(f"The invoice {invoice['number']} does not belong to that {word}.")
            values |= {
                "appliesToInvoiceId": invoice["id"],
                "appliesToInvoiceNumber": invoice["number"],
                "$documentId": invoice["id"],
            }
        elif "appliesToInvoiceId" in values or "appliesToInvoiceNumber" in values:
            values |= {"appliesToInvoiceId": ZERO_GUID, "appliesToInvoiceNumber": "", "$documentId": ZERO_GUID}
        if party is not None:
            values |= {f"{word}Id": party["id"], f"{word}Number": party["number"]}
            if row is None:
                values.setdefault("description", party["displayName"])

    def _invoice(self, co: Company, values: Values) -> Row | None:
        invoice_id, number = values.get("appliesToInvoiceId", ZERO_GUID), values.get("appliesToInvoiceNumber", "")
        if invoice_id == ZERO_GUID and not number:
            return None
        found = (
            co.get(self.invoices, invoice_id) if invoice_id != ZERO_GUID else co.first(self.invoices, "number", number)
        )
        if found is None or found["status"] not in ("Open", "Paid", "Corrective", "Canceled"):
            field = "appliesToInvoiceId" if invoice_id != ZERO_GUID else "appliesToInvoiceNumber"
            raise dialog(f'The "{field}" should be set to the ID of an Open, Paid, Corrective, or Canceled Invoice.')
        if number and found["number"] != number:
            raise dialog("The invoice values do not match to a specific Invoice.")
        return found

    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        batch = self.batch(co, values, parent)
        self.number(co, batch, values)
        self.subject(co, values, None)
        values.setdefault("postingDate", co.today)
        if values.get("documentNumber", "") == "":
            values["documentNumber"] = _default_document(co, batch, name)
        row = co.insert(name, {"$documentId": ZERO_GUID, **values})
        self._applications(co, row)
        return row

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        self.fixed(row, values)
        self.subject(co, values, row)
        old = row
        row = super().modify(co, name, row, values)
        if row.get("vendorId") != old.get("vendorId"):
            self._applications(co, row)
        return row

    def _applications(self, co: Company, row: Row) -> None:
        """The open entries of the vendor, to choose from in applyVendorEntries."""
        if self.name != "vendorPayments" or "applyVendorEntries" not in co.tables:
            return
        for old in co.table("applyVendorEntries").find("$lineId", row["id"]):
            co.delete("applyVendorEntries", old, silent=True)
        vendor = co.get("vendors", row["vendorId"]) if row["vendorId"] != ZERO_GUID else None
        for entry in open_entries(co, vendor["id"]) if vendor else ():
            co.insert(
                "applyVendorEntries",
                {
                    "applied": False,
                    "postingDate": entry["postingDate"],
                    "documentType": entry["documentType"],
                    "documentNumber": entry["documentNumber"],
                    "externalDocumentNumber": entry["externalDocumentNumber"],
                    "vendorNumber": vendor["number"] if vendor else "",
                    "vendorName": vendor["displayName"] if vendor else "",
                    "description": entry["description"],
                    "remainingAmount": -entry["remaining"],
                    "$lineId": row["id"],
                    "$vendorId": row["vendorId"],
                    "$entryId": entry["id"],
                },
                silent=True,
            )


class ApplyRules(Rules):
    """Only ``applied`` is writable; it marks the entry for the payment line."""

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        if "applied" in values and values["applied"] != row["applied"]:
            line = co.must("vendorPayments", row["$lineId"])
            return co.update(
                name,
                row,
                {"applied": values["applied"], "appliesToId": line["documentNumber"] if values["applied"] else ""},
            )
        return row


def _default_document(co: Company, batch: Row, name: str) -> str:
    """The document number of the batch's last line when it has one (lines of one document), else the next."""
    if name == "journalLines":
        lines = sorted(co.table(name).find("journalId", batch["id"]), key=lambda line: line["lineNumber"])
        if lines and sum(line["amount"] for line in lines) != 0:
            return str(lines[-1]["documentNumber"])
        return co.next_number("journal document", "G00000")
    return co.next_number(f"{name} document", "CR00000" if name == "customerPayments" else "VP00000")
