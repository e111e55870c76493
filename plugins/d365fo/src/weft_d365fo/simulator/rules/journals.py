"""Journals of the ledger, of payments and of vendor invoices: headers, lines, marked invoices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from weft.testing.odata.store import Row
from weft_d365fo.simulator.dimensions import escape, split
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.rules.base import Relation, Rule, Write, must_be_filled, not_found
from weft_d365fo.simulator.world import World

TYPES = {
    "LedgerJournal": ("Daily", "Periodic", "Approval", "VendInvoiceRegister", "Allocation", "Elimination", "Cost"),
    "CustomerPayment": ("CustPayment",),
    "VendorPayment": ("Payment",),
    "VendorInvoice": ("PurchaseLedger", "VendInvoiceRegister"),
}
"""Kind of a journal -> the types of the journal names it may have."""

ACCOUNTS = {"CustomerPayment": "Cust", "VendorPayment": "Vend", "VendorInvoice": "Vend", "LedgerJournal": "Ledger"}
_PARTIES = {
    "Cust": ("CustTable", "CustomerAccount", "Customers"),
    "Vend": ("VendTable", "VendorAccountNumber", "Vendors"),
    "Bank": ("BankAccounts", "BankAccountId", "Bank accounts"),
    "Project": ("ProjTable", "ProjectId", "Projects"),
}


def rules() -> dict[str, Rule]:
    return {
        "LedgerJournalTable": Journals(),
        "LedgerJournalTrans": JournalLines(),
        "PaymentJournalLineSettledInvoices": SettledInvoices("CustomerPayment"),
        "VendorPaymentJournalLineSettledInvoices": SettledInvoices("VendorPayment"),
    }


def lines_of(world: World, company: str, number: str) -> list[Row]:
    found = world.find("LedgerJournalTrans", "JournalBatchNumber", number, company)
    return sorted(found, key=lambda row: Decimal(row["LineNumber"]))


def posted(number: str) -> Exception:
    return refused("Error", f"Journal {number} has been posted and cannot be changed.")


class Journals(Rule):
    def default(self, w: Write) -> None:
        if not w.creating:
            return
        w.number("JournalBatchNumber", "journals", "{:05d}")
        w.set("IsPosted", "No")
        name = w.given.get("JournalName", "")
        row = w.related("JournalNames", dataAreaId=w.home().id, Name=name) if name else None
        kind = w.get("$type")
        if name and (row is None or row.get("Type") not in TYPES[kind]):
            raise not_found(w.shown.set.aot, "JournalName", name, "Journal names")
        if row is not None:
            w.default("Description", row.get("Description"))
            if kind == "LedgerJournal":
                w.default("AccountingCurrency", w.home().currency)

    def check(self, w: Write) -> None:
        if w.row is not None and w.row.get("IsPosted") == "Yes":
            raise posted(w.row["JournalBatchNumber"])

    def check_delete(self, world: World, row: Row) -> None:
        if row.get("IsPosted") == "Yes":
            raise posted(row["JournalBatchNumber"])
        if lines_of(world, row["dataAreaId"], row["JournalBatchNumber"]):
            raise refused("Error", "Ledger journal table cannot be deleted while dependent Journal lines exist.")


class JournalLines(Rule):
    relations = (
        Relation("CurrencyCode", "Currencies", "CurrencyCode", "Currency", company=False),
        Relation("SalesTaxGroup", "TaxGroups", "TaxGroupCode", "Sales tax group"),
        Relation("TermsOfPayment", "PaymentTerms", "Name", "Terms of payment"),
        Relation("ApproverNumber", "Workers", "PersonnelNumber", "Worker", company=False),
    )

    def _header(self, w: Write) -> Row:
        number, kind = w.get("JournalBatchNumber"), w.shown.view.where.get("$type")
        header = w.related("LedgerJournalTable", dataAreaId=w.home().id, JournalBatchNumber=number) if number else None
        if header is None or header["$type"] != kind:
            if not number:
                raise must_be_filled("JournalBatchNumber", w.table)
            raise not_found(w.shown.set.aot, "JournalBatchNumber", number, "Ledger journal table")
        return header

    def default(self, w: Write) -> None:
        header = self._header(w)
        kind = header["$type"]
        if w.creating:
            name = w.related("JournalNames", dataAreaId=w.home().id, Name=header.get("JournalName", "")) or {}
            w.default("AccountType", ACCOUNTS[kind])
            w.default("Company", w.home().id)
            w.default("OffsetCompany", w.home().id)
            w.default("TransDate", w.world.today)
            w.default("PostingProfile", "GEN" if kind != "LedgerJournal" else "")
            w.default("OffsetAccountType", name.get("OffsetAccountType") or "Ledger")
            w.default("OffsetAccountDisplayValue", self._escaped(w, name.get("OffsetAccountDisplayValue", "")))
            w.default("ExchangeRate" if kind.endswith("Payment") else "ExchRate", Decimal(100))
            if kind.endswith("Payment"):
                w.default("SettleVoucher", "OpenTransact")
            if not w.given.get("Voucher"):
                w.set("Voucher", self._voucher(w, kind))
        for side in ("", "Offset"):
            self._account(w, f"{side}AccountType", f"{side}AccountDisplayValue")
        self._names(w)

    @staticmethod
    def _voucher(w: Write, kind: str) -> str:
        """A new one as soon as the last balances, as journal names come: an entry of several lines shares one."""
        sums: dict[str, Decimal] = {}
        if kind == "LedgerJournal":
            number = w.values["JournalBatchNumber"]
            for line in w.world.find("LedgerJournalTrans", "JournalBatchNumber", number, w.home().id):
                whole = bool(line.get("OffsetAccountDisplayValue"))
                amount = Decimal(line.get("DebitAmount", 0)) - Decimal(line.get("CreditAmount", 0))
                sums[line["Voucher"]] = sums.get(line["Voucher"], Decimal(0)) + (0 if whole else amount)
        last = next(reversed(sums), None)
        if last is not None and sums[last] != 0:
            return last
        return w.world.next_number(w.home().id, f"vouchers {kind}", _VOUCHERS[kind])

    @staticmethod
    def _escaped(w: Write, account: str) -> str:
        return escape(account, w.world.settings.delimiter)

    def _account(self, w: Write, type_column: str, column: str) -> None:
        """The account must exist; party and bank accounts come back escaped."""
        value, kind = w.get(column), w.get(type_column)
        if not value or not (w.creating or w.changes(column, type_column)):
            return
        name = w.shown.names.get(column, column)
        if kind == "Ledger":
            w.dimensions.check_ledger(value, w.home().id, w.shown.set.properties[name].label)
            return
        if kind not in _PARTIES:
            raise refused("Error", f"Account type {kind} is not used in this environment.")
        table, key, label = _PARTIES[kind]
        segments = split(value, w.world.settings.delimiter)
        if len(segments) != 1 or w.related(table, **{"dataAreaId": w.home().id, key: segments[0]}) is None:
            raise not_found(w.shown.set.aot, name, value, label)

    def _names(self, w: Write) -> None:
        """Read-only names of the account."""
        value, kind = w.get("AccountDisplayValue"), w.get("AccountType")
        if not value or kind not in ("Cust", "Vend"):
            return
        account = split(value, w.world.settings.delimiter)[0]
        table, key, _ = _PARTIES[kind]
        row = w.related(table, **{"dataAreaId": w.home().id, key: account})
        if row is None:
            return
        if kind == "Cust" and "CustomerName" in w.shown.columns:
            w.set("CustomerName", row.get("OrganizationName", ""))
        elif kind == "Vend" and "VendorName" in w.shown.columns:
            w.set("VendorName", row.get("VendorOrganizationName", ""))

    def check(self, w: Write) -> None:
        header = self._header(w)
        if header.get("IsPosted") == "Yes":
            raise posted(header["JournalBatchNumber"])
        if w.creating and w.get("LineNumber") <= 0:
            raise must_be_filled("LineNumber", w.table)
        if w.get("DebitAmount") and w.get("CreditAmount"):
            raise refused("Error", "A line has either a debit or a credit amount.")
        self._method(w, header["$type"])
        self._marked(w, header["$type"])

    @staticmethod
    def _method(w: Write, kind: str) -> None:
        table = "CustomerPaymentMethods" if kind == "CustomerPayment" else "VendorPaymentMethods"
        method = w.given.get("PaymentMethodName")
        if method and w.related(table, dataAreaId=w.home().id, Name=method) is None:
            name = w.shown.names["PaymentMethodName"]
            raise not_found(w.shown.set.aot, name, method, "Methods of payment")

    def _marked(self, w: Write, kind: str) -> None:
        """MarkedInvoice names an open invoice of the account."""
        invoice = w.get("MarkedInvoice") if kind.endswith("Payment") else ""
        if not invoice or not w.changes("MarkedInvoice", "AccountDisplayValue"):
            return
        account = split(w.get("AccountDisplayValue"), w.world.settings.delimiter)[0]
        if open_invoice(w.world, kind, w.home().id, account, invoice) is None:
            raise not_found(w.shown.set.aot, "MarkedInvoice", invoice, "Open transactions")
        w.default("SettleVoucher", "SelectedTransact")

    def after(self, w: Write, row: Row) -> Row:
        self._total(w.world, row)
        return row

    def check_delete(self, world: World, row: Row) -> None:
        key = {"dataAreaId": row["dataAreaId"], "JournalBatchNumber": row["JournalBatchNumber"]}
        header = world.get("LedgerJournalTable", **key)
        if header is not None and header.get("IsPosted") == "Yes":
            raise posted(row["JournalBatchNumber"])

    def deleted(self, world: World, row: Row) -> None:
        self._total(world, row)
        for table in ("PaymentJournalLineSettledInvoices", "VendorPaymentJournalLineSettledInvoices"):
            for mark in world.find(table, "JournalBatchNumber", row["JournalBatchNumber"]):
                if mark["JournalLineCompany"] == row["dataAreaId"] and mark["JournalLineNumber"] == row["LineNumber"]:
                    world.delete(table, mark)

    @staticmethod
    def _total(world: World, line: Row) -> None:
        """Lines update their header, which is why two writers get in each other's way."""
        key = {"dataAreaId": line["dataAreaId"], "JournalBatchNumber": line["JournalBatchNumber"]}
        header = world.get("LedgerJournalTable", **key)
        if header is None:
            return
        lines = lines_of(world, line["dataAreaId"], line["JournalBatchNumber"])
        totals: dict[str, Any] = {
            f"JournalTotal{side}": sum((Decimal(each.get(f"{side}Amount", 0)) for each in lines), Decimal(0))
            for side in ("Debit", "Credit")
        }
        world.update("LedgerJournalTable", header, totals)


_VOUCHERS = {
    "LedgerJournal": "GNJL{:06d}", "CustomerPayment": "ARP{:08d}", "VendorPayment": "APP{:08d}",
    "VendorInvoice": "APIN{:06d}",
}  # fmt: skip


def open_invoice(world: World, kind: str, company: str, account: str, invoice: str) -> Row | None:
    """The open transaction of that invoice, of a customer or a vendor."""
    table = "CustTrans" if kind == "CustomerPayment" else "VendTrans"
    for row in world.find(table, "Invoice", invoice, company):
        remaining = Decimal(row.get("AmountCur", 0)) - Decimal(row.get("SettleAmountCur", 0))
        if row["AccountNum"] == account and remaining:
            return row
    return None


class SettledInvoices(Rule):
    """Which invoices a payment line settles, and how much of each."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def default(self, w: Write) -> None:
        if w.creating:
            w.default("InvoiceToPaymentCrossRate", Decimal(100))

    def check(self, w: Write) -> None:
        company = str(w.get("JournalLineCompany")).lower()
        number, line_number = w.get("JournalBatchNumber"), w.get("JournalLineNumber")
        key = {"dataAreaId": company, "JournalBatchNumber": number, "LineNumber": line_number}
        line = w.related("LedgerJournalTrans", **key)
        header = w.related("LedgerJournalTable", dataAreaId=company, JournalBatchNumber=number)
        if line is None or header is None or header["$type"] != self.kind:
            raise not_found(w.shown.set.aot, "JournalLineNumber", line_number, "Journal lines")
        if header.get("IsPosted") == "Yes":
            raise posted(number)
        account = split(line.get("AccountDisplayValue", ""), w.world.settings.delimiter)[0]
        invoice_company = str(w.get("InvoiceCompany") or company).lower()
        found = open_invoice(w.world, self.kind, invoice_company, account, w.get("InvoiceNumber"))
        if found is None:
            raise not_found(w.shown.set.aot, "InvoiceNumber", w.get("InvoiceNumber"), "Open transactions")
        wrong_day = str(w.get("InvoiceDueDate"))[:10] != str(found.get("DueDate"))[:10]
        if w.creating and wrong_day and w.world.settings.settled_due_dates:
            raise not_found(w.shown.set.aot, "InvoiceDueDate", w.get("InvoiceDueDate"), "Open transactions")
        remaining = abs(Decimal(found.get("AmountCur", 0)) - Decimal(found.get("SettleAmountCur", 0)))
        if abs(Decimal(w.get("SettlementAmountInInvoiceCurrency"))) > remaining:
            raise refused("Error", f"The amount to settle exceeds the open amount of invoice {w.get('InvoiceNumber')}.")
        if w.creating:
            w.set("AccountDisplayValue", line.get("AccountDisplayValue", ""))

    def after(self, w: Write, row: Row) -> Row:
        key = {
            "dataAreaId": str(row["JournalLineCompany"]).lower(),
            "JournalBatchNumber": row["JournalBatchNumber"],
            "LineNumber": row["JournalLineNumber"],
        }
        line = w.related("LedgerJournalTrans", **key)
        if line is not None:
            w.world.update("LedgerJournalTrans", line, {"SettleVoucher": "SelectedTransact"})
        return row
