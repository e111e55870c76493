"""What accountants do in a simulated Business Central, in words that any financial system has.

Amounts are Decimals. A document is looked at as ``{"party", "number", "lines": [(product or account, quantity, price)],
"amount", "posted"}``, as far as it has these.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

BANK = "CHECKING"
EXPENSE, INCOME = "60300", "40990"
DOCUMENTS = {
    "quote": "salesQuotes", "sales_order": "salesOrders", "sales_invoice": "salesInvoices",
    "sales_receipt": "salesInvoices", "statement_charge": "salesInvoices", "credit_memo": "salesCreditMemos",
    "purchase_order": "purchaseOrders", "bill": "purchaseInvoices", "vendor_credit": "purchaseCreditMemos",
}  # fmt: skip
ENTRIES = {
    "payment": ("customerPaymentJournals", "customerPayments", "WEFT"),
    "bill_payment": ("vendorPaymentJournals", "vendorPayments", "WEFT"),
    "deposit": ("journals", "journalLines", "WEFTDEP"),
    "check": ("journals", "journalLines", "WEFTCHK"),
    "card_charge": ("journals", "journalLines", "WEFTCARD"),
}
MASTERS = {"customer": "customers", "vendor": "vendors", "product": "items", "contact": "contacts",
           "project": "projects", "gl_account": "accounts"}  # fmt: skip
PREFIXES = {"sales_receipt": "SR-", "statement_charge": "SC-"}
PRICES = {"bill": "unitCost", "vendor_credit": "unitCost", "purchase_order": "directUnitCost"}


class BcBooks:
    """``world`` is the pair of systems; see the module for the shapes."""

    kind = "bc"
    mappings: ClassVar[dict[str, Any]] = {}
    bank, expense, income = BANK, EXPENSE, INCOME
    departments: ClassVar[list[str]] = ["SALES", "ADM", "PROD"]
    connection: ClassVar[dict[str, Any]] = {"dimensions": {"department": "DEPARTMENT"}}

    def __init__(self, world: Any) -> None:
        self.world = world

    def prepare(self) -> None:
        """The journals that weft works with, as the administrator makes them."""
        bank = self.world.bc_id("bankAccounts", number=BANK)
        for set_, code in (("customerPaymentJournals", "WEFT"), ("customerPaymentJournals", "WEFTSR"),
                           ("vendorPaymentJournals", "WEFT")):  # fmt: skip
            self.world.bc("create", set=set_, values={"code": code, "displayName": code, "balancingAccountId": bank})
        for code in ("WEFTDEP", "WEFTCHK", "WEFTCARD"):
            self.world.bc("create", set="journals", values={"code": code, "displayName": code})

    # -- looking

    def set_of(self, entity: str) -> str:
        return DOCUMENTS.get(entity) or MASTERS.get(entity) or (ENTRIES[entity][1] if entity in ENTRIES else "journals")

    def row(self, entity: str, key: str) -> dict[str, Any]:
        return dict(self.world.bc("get", set=self.set_of(entity), key=key))

    def count(self, entity: str) -> int:
        """How many there are."""
        rows = self.world.bc_rows(self.set_of(entity))
        prefix = PREFIXES.get(entity, "")
        if entity == "journal_entry":
            return sum(row["code"].startswith("WJ") for row in rows)
        if self.set_of(entity) == "salesInvoices":
            own = [row["externalDocumentNumber"][:3] for row in rows]
            return own.count(prefix) if prefix else sum(one not in ("SR-", "SC-") for one in own)
        if entity in ENTRIES:
            rows = [row for row in rows if row["journalDisplayName"] == ENTRIES[entity][2]]
        return len(rows)

    def expected(self, entity: str, lines: list[tuple[Any, Any, Any]]) -> list[tuple[Any, Any, Any]]:
        """Lines as `seen` tells them."""
        return lines

    def seen(self, entity: str, key: str) -> dict[str, Any]:
        row = self.row(entity, key)
        if entity in DOCUMENTS:
            price = PRICES.get(entity, "unitPrice")
            rows = self.world.bc_lines(self.set_of(entity), key)
            lines = [(one["itemId"] if one["lineType"] == "Item" else one["accountId"], one["quantity"], one[price])
                     for one in rows]  # fmt: skip
            return {
                "party": row.get("customerId") or row.get("vendorId"), "number": row["number"], "lines": lines,
                "posted": row["status"] in ("Open", "Paid") and "Order" not in self.set_of(entity),
                "paid": row["status"] == "Paid",
            }  # fmt: skip
        if entity in ("payment", "bill_payment"):
            return {"party": row.get("customerId") or row.get("vendorId"), "amount": abs(row["amount"])}
        if entity in ENTRIES:
            return {"account": row["accountId"], "bank": row["balancingAccountNumber"], "amount": abs(row["amount"]),
                    "debit": row["amount"] > 0}  # fmt: skip
        if entity == "journal_entry":
            rows = sorted(self.world.bc_rows("journalLines", journalId=key), key=lambda one: one["lineNumber"])
            return {"lines": [(one["accountId"], one["amount"]) for one in rows], "number": row["code"]}
        return {"name": row.get("displayName"), "number": row["number"]}

    def count_of(self, entity: str, name: str) -> int:
        return len(self.world.bc_rows(self.set_of(entity), displayName=name))

    def department(self, entity: str, key: str) -> str:
        """The department of a customer or vendor by default, or of a document."""
        if entity in MASTERS:
            rows = self.world.bc_rows("defaultDimensions", parentId=key)
            return next((row["dimensionValueCode"] for row in rows if row["dimensionCode"] == "DEPARTMENT"), "")
        rows = self.world.bc_rows("dimensionSetLines", parentId=key)
        return next((row["valueCode"] for row in rows if row["code"] == "DEPARTMENT"), "")

    def set_department(self, entity: str, key: str, value: str) -> None:
        self.world.bc("set_dimension", set=self.set_of(entity), key=key, dimension="DEPARTMENT", value=value)

    def line_departments(self, entity: str, key: str) -> list[str]:
        return [self.department(entity, line["id"]) for line in self.world.bc_lines(self.set_of(entity), key)]

    def set_line_department(self, entity: str, key: str, value: str) -> None:
        """Of the first line."""
        line, *_ = self.world.bc_lines(self.set_of(entity), key)
        lines = f"{self.set_of(entity).removesuffix('s')}Lines"
        self.world.bc("set_dimension", set=lines, key=line["id"], dimension="DEPARTMENT", value=value)

    # -- working

    def account(self, number: str) -> str:
        return str(self.world.bc_id("accounts", number=number))

    def master(self, entity: str, name: str) -> str:
        values = {"displayName": name, **({"type": "Person"} if entity == "contact" else {})}
        return str(self.world.bc("create", set=MASTERS[entity], values=values)["id"])

    def document(self, entity: str, party: str, lines: list[tuple[str, Any, Any]], **more: Any) -> str:
        """A draft, typed in: lines of items."""
        set_ = DOCUMENTS[entity]
        who = "customerId" if set_.startswith("sales") else "vendorId"
        values: dict[str, Any] = {who: party}
        if entity == "bill":
            values["vendorInvoiceNumber"] = more.pop("external")
        elif entity == "vendor_credit":
            values["vendorCreditMemoNumber"] = more.pop("external")
        elif entity in PREFIXES:
            values["externalDocumentNumber"] = PREFIXES[entity] + more.pop("external", "1")
        more.pop("external", None)
        made = self.world.bc("create", set=set_, values=values)
        for item, quantity, price in lines:
            line = {
                "documentId": made["id"],
                "itemId": item,
                "quantity": quantity,
                PRICES.get(entity, "unitPrice"): price,
            }
            self.world.bc("create", set=f"{set_.removesuffix('s')}Lines", values=line)
        return str(made["id"])

    def entry(self, entity: str, amount: Any, **about: Any) -> str:
        """A line of a journal, typed in: ``party`` and ``applies`` of a payment, ``account`` of the others."""
        batches, lines, code = ENTRIES[entity]
        journal = self.world.bc_one(batches, code=code)
        sign = -1 if entity in ("payment", "deposit") else 1
        values: dict[str, Any] = {"journalId": journal["id"], "amount": sign * Decimal(amount)}
        if "account" not in about:
            values["customerId" if entity == "payment" else "vendorId"] = about["party"]
        else:
            values |= {"accountType": "G_x002F_L_x0020_Account", "accountId": about["account"],
                       "balanceAccountType": "Bank_x0020_Account", "balancingAccountNumber": BANK}  # fmt: skip
        if about.get("applies"):
            values["appliesToInvoiceId"] = about["applies"]
        return str(self.world.bc("create", set=lines, values=values)["id"])

    def journal(self, lines: list[tuple[str, Any]]) -> str:
        """A journal entry, typed in: (account, amount), debit positive."""
        self.world.number += 1
        batch = self.world.bc("create", set="journals", values={"code": f"WJ{self.world.number}"})
        for account, amount in lines:
            self.world.bc("create", set="journalLines",
                          values={"journalId": batch["id"], "accountId": account, "amount": amount,
                                  "documentNumber": f"J{self.world.number}"})  # fmt: skip
        return str(batch["id"])

    def post(self, entity: str, key: str) -> str | None:
        """Post a document, the journal a line is in, or a journal entry. Returns a document's posted number."""
        if entity in ENTRIES:
            self.world.bc("post", set="journals", key=self.row(entity, key)["journalId"])
            return None
        number: str | None = self.world.bc("post", set=self.set_of(entity), key=key).get("number")
        return number

    def other_side(self, entity: str, account: str, party: str) -> str:
        """What a bank entry is entered against."""
        return account

    def pay(self, invoice: str, amount: Any) -> None:
        """A customer's money arrives for an invoice."""
        self.world.bc("receive_payment", invoice=self.row("sales_invoice", invoice)["number"], amount=amount)

    def amend(self, credit_memo: str) -> None:
        """The first line's quantity becomes 5, the second goes, the third's price becomes 16."""
        first, second, third = self.world.bc_lines("salesCreditMemos", credit_memo)
        place = "salesCreditMemoLines"
        self.world.bc("edit", set=place, key=first["id"], values={"quantity": 5})
        self.world.bc("edit", set=place, key=third["id"], values={"unitPrice": 16})
        self.world.bc("delete", set=place, key=second["id"])

    def block(self, product: str) -> None:
        """Nobody may buy or sell it."""
        self.world.bc("edit", set="items", key=product, values={"blocked": True})

    def times(self, entity: str, amount: Any) -> int:
        """How often an amount was booked in journals: to the account it is for."""
        rows = self.world.bc_rows("generalLedgerEntries")
        side = "creditAmount" if entity == "deposit" else "debitAmount"
        return sum(row[side] == amount for row in rows)

    def received(self, receipt: str, amount: Any) -> int:
        """How often a receipt was paid: its bank is debited, and its customer once before."""
        return self.times("sales_receipt", amount) - 1

    # -- faults

    def finds_again(self, entity: str) -> bool:
        """Can a document whose create had no answer be found again?"""
        return entity != "purchase_order"

    def path(self, entity: str) -> str:
        """Where new ones are posted to, as a pattern."""
        if entity in ENTRIES:
            return f"{ENTRIES[entity][1]}$"
        return rf"/{self.set_of(entity)}(\?.*)?$"
