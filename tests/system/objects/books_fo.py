"""What accountants do in a simulated Finance & Operations, in the words of the Business Central books.

Free text invoices know no products: their lines are seen without one. Credits are negative there and positive here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

COMPANY = "usmf"
FTI = (
    "FreeTextInvoiceHeaders",
    "InvoiceIdentifier",
    "FreeTextInvoiceLines",
    "ParentRecId",
    "",
    "Quantity",
    "UnitPrice",
)
PENDING = ("VendorInvoiceHeaders", "HeaderReference", "VendorInvoiceLines", "HeaderReference", "ItemNumber",
           "ReceiveNow", "UnitPrice")  # fmt: skip
DOCUMENTS = {
    "quote": ("SalesQuotationHeadersV2", "SalesQuotationNumber", "SalesQuotationLines", "SalesQuotationNumber",
              "ItemNumber", "RequestedSalesQuantity", "SalesPrice"),
    "sales_order": ("SalesOrderHeadersV2", "SalesOrderNumber", "SalesOrderLines", "SalesOrderNumber", "ItemNumber",
                    "OrderedSalesQuantity", "SalesPrice"),
    "purchase_order": ("PurchaseOrderHeadersV2", "PurchaseOrderNumber", "PurchaseOrderLinesV2", "PurchaseOrderNumber",
                       "ItemNumber", "OrderedPurchaseQuantity", "PurchasePrice"),
    "bill": PENDING, "vendor_credit": PENDING,
    "sales_invoice": FTI, "sales_receipt": FTI, "statement_charge": FTI, "credit_memo": FTI,
}  # fmt: skip
PARTY = {
    "SalesQuotationHeadersV2": "RequestingCustomerAccountNumber",
    "SalesOrderHeadersV2": "OrderingCustomerAccountNumber",
    "PurchaseOrderHeadersV2": "OrderVendorAccountNumber", "VendorInvoiceHeaders": "InvoiceAccount",
    "FreeTextInvoiceHeaders": "CustomerAccount",
}  # fmt: skip
ENTRIES = {
    "payment": ("CustomerPaymentJournalHeaders", "CustomerPaymentJournalLines", "CustPay"),
    "deposit": ("CustomerPaymentJournalHeaders", "CustomerPaymentJournalLines", "CustPay"),
    "bill_payment": ("VendorPaymentJournalHeaders", "VendorPaymentJournalLines", "VendPay"),
    "check": ("VendorPaymentJournalHeaders", "VendorPaymentJournalLines", "VendPay"),
    "card_charge": ("LedgerJournalHeaders", "LedgerJournalLines", "CardJrn"),
}
RATES = {"card_charge": "ExchRate", "journal_entry": "ExchRate", "sales_order": "FixedExchangeRate"}
"""Where an entity's rate for a hundred units stands, if not in ExchangeRate."""
MASTERS = {
    "customer": ("CustomersV3", "CustomerAccount", "OrganizationName"),
    "vendor": ("VendorsV2", "VendorAccountNumber", "VendorOrganizationName"),
    "product": ("ReleasedProductsV2", "ItemNumber", "SearchName"),
    "contact": ("ContactPersons", "ContactPersonId", "ContactPersonName"),
    "project": ("ProjectsV2", "ProjectId", "ProjectName"), "gl_account": ("MainAccounts", "MainAccountId", "Name"),
}  # fmt: skip

DIMENSIONS = {"customer": "DefaultDimensionDisplayValue", "vendor": "DefaultLedgerDimensionDisplayValue",
              "sales_order": "DefaultLedgerDimensionDisplayValue"}  # fmt: skip


class FoBooks:
    kind = "d365fo"
    departments: ClassVar[list[str]] = ["022", "023", "024"]
    connection: ClassVar[dict[str, Any]] = {}
    mappings: ClassVar[dict[str, Any]] = {
        "erp": {
            "product": {"default": {"fields": {"InventoryUnitSymbol": {"values": {"h": "hr"}}}}},
            "project": {"default": {"fields": {"ProjectGroupId": {"default": "TM"}}}},
        }
    }
    bank, expense, income = "USMF OPER", "602100", "401180"

    def __init__(self, world: Any) -> None:
        self.world = world

    def command(self, name: str, **values: Any) -> Any:
        return self.world.served.run(lambda: self.world.erp.command(name, **values))

    def prepare(self) -> None:
        """Nothing: the sample company is set up."""

    # -- looking

    def rows(self, set: str, **wanted: Any) -> list[dict[str, Any]]:
        found = self.command("list", set=set, limit=100_000)
        return [row for row in found if all(str(row[name]) == str(value) for name, value in wanted.items())]

    def row(self, entity: str, key: str) -> dict[str, Any]:
        if entity in DOCUMENTS:
            set_, number, *_ = DOCUMENTS[entity]
            [found] = self.rows(set_, **{number: key})
            return found
        if entity in ENTRIES:
            batch, line = key.split("|")
            return next(row for row in self.rows(ENTRIES[entity][1], JournalBatchNumber=batch)
                        if Decimal(row["LineNumber"]) == Decimal(line))  # fmt: skip
        if entity == "journal_entry":
            return self.rows("LedgerJournalHeaders", JournalBatchNumber=key)[0]
        set_, number, _ = MASTERS[entity]
        return self.rows(set_, **{number: key.split("|")[-1]})[0]

    def count(self, entity: str) -> int:
        if entity in DOCUMENTS:
            return len(self.rows(DOCUMENTS[entity][0]))
        return len(self.rows(ENTRIES[entity][1] if entity in ENTRIES else "LedgerJournalHeaders"))

    def expected(self, entity: str, lines: list[tuple[Any, Any, Any]]) -> list[tuple[Any, Any, Any]]:
        """Lines as `seen` tells them."""
        return [(None if DOCUMENTS[entity] is FTI else item, quantity, price) for item, quantity, price in lines]

    def seen(self, entity: str, key: str) -> dict[str, Any]:
        if entity in DOCUMENTS:
            set_, _, lines_set, parent, item, quantity, price = DOCUMENTS[entity]
            row = self.row(entity, key)
            rows = self.rows(lines_set, **{parent: key})
            posted = row.get("IsPosted") == "Yes"
            return {
                "party": row[PARTY[set_]], "number": self.number(entity, row),
                "lines": [(one[item] if item else None, abs(Decimal(one[quantity])), Decimal(one[price]))
                          for one in rows],
                "posted": posted, "paid": posted,
            }  # fmt: skip
        if entity in ENTRIES:
            row = self.row(entity, key)
            amount = Decimal(row["CreditAmount"]) or Decimal(row["DebitAmount"])
            if entity in ("payment", "bill_payment"):
                return {"party": row["AccountDisplayValue"], "amount": amount}
            account = row["AccountDisplayValue"]
            if row["AccountType"] == "Ledger":
                account = f"Shared|{account.split('-')[0]}"
            return {"account": account, "bank": row["OffsetAccountDisplayValue"],
                    "amount": amount, "debit": Decimal(row["DebitAmount"]) > 0}  # fmt: skip
        if entity == "journal_entry":
            rows = self.rows("LedgerJournalLines", JournalBatchNumber=key)
            return {"number": key, "lines": [
                (f"Shared|{one['AccountDisplayValue'].split('-')[0]}",
                 Decimal(one["DebitAmount"]) - Decimal(one["CreditAmount"]))
                for one in rows]}  # fmt: skip
        row, (_, number, name) = self.row(entity, key), MASTERS[entity]
        return {"name": row[name], "number": row[number]}

    def count_of(self, entity: str, name: str) -> int:
        set_, _, column = MASTERS[entity]
        return len(self.rows(set_, **{column: name}))

    def department(self, entity: str, key: str) -> str:
        return self.segment(self.row(entity, key)[DIMENSIONS[entity]])

    def set_department(self, entity: str, key: str, value: str) -> None:
        """The others stay as they are."""
        set_, number, *_ = DOCUMENTS.get(entity) or MASTERS[entity]
        self.edit_department(set_, {number: key}, self.row(entity, key), DIMENSIONS[entity], value)

    def line_departments(self, entity: str, key: str) -> list[str]:
        return [self.segment(row[DIMENSIONS[entity]]) for row in self.line_rows(entity, key)]

    def set_line_department(self, entity: str, key: str, value: str) -> None:
        line, *_ = self.line_rows(entity, key)
        self.edit_department(
            DOCUMENTS[entity][2], {"InventoryLotId": line["InventoryLotId"]}, line, DIMENSIONS[entity], value
        )

    def line_rows(self, entity: str, key: str) -> list[dict[str, Any]]:
        _, _, lines_set, parent, *_ = DOCUMENTS[entity]
        return self.rows(lines_set, **{parent: key})

    def segment(self, text: str) -> str:
        return text.split("-")[1] if "-" in text else ""

    def edit_department(self, set: str, key: dict[str, Any], row: dict[str, Any], field: str, value: str) -> None:
        pieces = (row[field] or "---").split("-")
        pieces[1] = value
        text = "-".join(pieces) if any(pieces) else ""
        self.command("edit", set=set, key={"dataAreaId": COMPANY, **key}, values={field: text})

    def number(self, entity: str, row: dict[str, Any]) -> str:
        if DOCUMENTS[entity] is FTI:
            return str(row["FreeTextNumber"])
        return str(row[DOCUMENTS[entity][1]])

    # -- working

    def account(self, number: str) -> str:
        return f"Shared|{number}"

    def master(self, entity: str, name: str) -> str:
        if entity == "customer":
            made = self.command("create", set="CustomersV3", values={
                "dataAreaId": COMPANY, "OrganizationName": name, "PartyType": "Organization", "CustomerGroupId": "30",
                "SalesCurrencyCode": "USD"})  # fmt: skip
            return str(made["CustomerAccount"])
        made = self.command("create", set="ReleasedProductCreationsV2", values={
            "dataAreaId": COMPANY, "ItemNumber": name.upper(), "ProductNumber": name.upper(), "ProductName": name,
            "ProductSearchName": name, "ProductType": "Item", "ProductSubType": "Product", "ItemModelGroupId": "FIFO",
            "ProductGroupId": "Parts", "StorageDimensionGroupName": "SiteWH", "TrackingDimensionGroupName": "None",
            "InventoryUnitSymbol": "ea", "SalesUnitSymbol": "ea", "PurchaseUnitSymbol": "ea"})  # fmt: skip
        return str(made["ItemNumber"])

    def document(self, entity: str, party: str, lines: list[tuple[Any, Any, Any]], **more: Any) -> str:
        set_, number, lines_set, parent, _, quantity, _ = DOCUMENTS[entity]
        sign = -1 if entity in ("credit_memo", "vendor_credit") else 1
        values: dict[str, Any] = {"dataAreaId": COMPANY, PARTY[set_]: party}
        if entity == "statement_charge":
            values["BillingClassification"] = "STMT"
        elif entity in ("bill", "vendor_credit"):
            values |= {"InvoiceNumber": more["external"], "Currency": "USD"}
        if entity == "vendor_credit":
            values["CreditCorrection"] = "Yes"
        if "currency" in more:
            values["Currency" if DOCUMENTS[entity] is PENDING else "CurrencyCode"] = more["currency"]
            values["ExchangeRate"] = more["rate"]
        key = self.command("create", set=set_, values=values)[number]
        for place, (item, amount, price) in enumerate(lines, 1):
            line = {"dataAreaId": COMPANY, parent: key, quantity: sign * amount, "UnitPrice": price}
            if set_ == "FreeTextInvoiceHeaders":
                line |= {"LineNumber": place, "MainAccountDisplayValue": "401100", "Description": f"Line {place}"}
            else:
                line |= {"InvoiceLineNumber": place, "ItemNumber": item, "InventorySiteId": "1"}
            self.command("create", set=lines_set, values=line)
        return str(key)

    def entry(self, entity: str, amount: Any, **about: Any) -> str:
        headers, lines, journal = ENTRIES[entity]
        batch = self.command("create", set=headers, values={"dataAreaId": COMPANY, "JournalName": journal})
        values = {
            "dataAreaId": COMPANY, "JournalBatchNumber": batch["JournalBatchNumber"], "LineNumber": 1,
            "CurrencyCode": "USD", "OffsetAccountType": "Bank", "OffsetAccountDisplayValue": self.bank,
            "CreditAmount" if entity in ("payment", "deposit") else "DebitAmount": Decimal(amount),
            "TransDate" if entity == "card_charge" else "TransactionDate": "2026-05-04T12:00:00Z",
            "AccountType": "Cust" if entity in ("payment", "deposit") else "Vend",
            "AccountDisplayValue": about.get("party"),
        }  # fmt: skip
        if entity == "deposit":
            values["IsPrepayment"] = "Yes"
        elif entity == "check":
            values["PaymentMethodName"] = "CHECK"
        elif entity == "card_charge":
            values |= {"AccountType": "Ledger", "AccountDisplayValue": about["account"].split("|")[-1]}
        if "currency" in about:
            values |= {"CurrencyCode": about["currency"], RATES.get(entity, "ExchangeRate"): about["rate"]}
        if about.get("applies"):
            values["MarkedInvoice"] = self.invoice_number(entity, about["applies"])
        self.command("create", set=lines, values=values)
        return f"{batch['JournalBatchNumber']}|1"

    def settle(self, entity: str, key: str, invoice: str, amount: Any) -> None:
        """Mark an invoice for a payment to settle."""
        batch, line = key.split("|")
        bill = entity == "bill_payment"
        prefix, transactions = ("Vendor", "VendTransBiEntities") if bill else ("", "CustTransactions")
        [due] = [row["DueDate"] for row in self.rows(transactions, Invoice=invoice)]
        self.command("create", set=f"{prefix}PaymentJournalLineSettledInvoices", values={
            "JournalLineCompany": COMPANY, "JournalBatchNumber": batch, "JournalLineNumber": Decimal(line),
            "InvoiceNumber": invoice, "InvoiceCompany": COMPANY, "InvoiceDueDate": due,
            "SettlementAmountInInvoiceCurrency": amount})  # fmt: skip

    def invoice_number(self, entity: str, key: str) -> str:
        if entity == "payment":
            return str(self.row("sales_invoice", key)["FreeTextNumber"])
        return str(self.rows("VendInvoiceJourBiEntities")[-1]["InvoiceId"])

    def journal(self, lines: list[tuple[str, Any]], *, currency: str = "USD", rate: Any = 100) -> str:
        batch = self.command(
            "create", set="LedgerJournalHeaders", values={"dataAreaId": COMPANY, "JournalName": "GenJrn"}
        )
        for place, (account, amount) in enumerate(lines, 1):
            side = "DebitAmount" if amount > 0 else "CreditAmount"
            self.command("create", set="LedgerJournalLines", values={
                "dataAreaId": COMPANY, "JournalBatchNumber": batch["JournalBatchNumber"], "LineNumber": place,
                "CurrencyCode": currency, "ExchRate": rate, "AccountType": "Ledger",
                "AccountDisplayValue": account.split("|")[-1],
                side: abs(amount), "TransDate": "2026-05-04T12:00:00Z"})  # fmt: skip
        return str(batch["JournalBatchNumber"])

    def post(self, entity: str, key: str) -> str | None:
        """Returns the posted number, where the record keeps its key."""
        set_ = DOCUMENTS[entity][0] if entity in DOCUMENTS else "LedgerJournalHeaders"
        if entity in ENTRIES:
            set_, key = ENTRIES[entity][0], key.split("|")[0]
        self.command("post", set=set_, number=key)
        return str(self.row(entity, key)["FreeTextNumber"]) if set_ == "FreeTextInvoiceHeaders" else None

    def pay(self, invoice: str, amount: Any) -> None:
        self.command("receive_payment", invoice=self.row("sales_invoice", invoice)["FreeTextNumber"], amount=amount)

    def other_side(self, entity: str, account: str, party: str) -> str:
        """What a bank entry is entered against: a customer or vendor where the entry is a payment here."""
        return account if entity == "card_charge" else party

    def amend(self, credit_memo: str) -> None:
        place = "FreeTextInvoiceLines"
        first, second, third = (
            {"dataAreaId": COMPANY, "ParentRecId": row["ParentRecId"], "LineNumber": row["LineNumber"]}
            for row in self.rows(place, ParentRecId=credit_memo)
        )
        self.command("edit", set=place, key=first, values={"Quantity": -5})
        self.command("edit", set=place, key=third, values={"UnitPrice": 16})
        self.command("delete", set=place, key=second)

    def block(self, product: str) -> None:
        for purpose in ("Sales", "Purchase"):
            self.command("block_item", item=product, purpose=purpose)

    def times(self, entity: str, amount: Any) -> int:
        """How often an amount stands in journals."""
        lines = ENTRIES[entity][1] if entity in ENTRIES else "LedgerJournalLines"
        side = "CreditAmount" if entity == "deposit" else "DebitAmount"
        return sum(Decimal(row[side]) == amount for row in self.rows(lines))

    def received(self, receipt: str, amount: Any) -> int:
        """Terms of the cash kind pay it as it is posted: as often as it is posted."""
        return int(self.row("sales_receipt", receipt)["IsPosted"] == "Yes")

    # -- faults

    def finds_again(self, entity: str) -> bool:
        return True

    def path(self, entity: str) -> str:
        """Everything that weft writes goes in batches."""
        return r"\$batch$"
