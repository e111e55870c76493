"""What people do in the client of Business Central: edits, posting, payments, rates. For tests and demos.

Every edit passes the same rules as one through the API; ids and numbers both name records.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company
from weft_bc.simulator.errors import no_record
from weft_bc.simulator.rules.actions import run
from weft_bc.simulator.rules.base import Parent
from weft_bc.simulator.rules.journal_posting import post_batch
from weft_bc.simulator.rules.ledger import invoice_entry
from weft_bc.simulator.values import GUID, plain, public

if TYPE_CHECKING:
    from weft_bc.simulator.environment import Environment

Command = Callable[..., Awaitable[Any]]


def exact(value: Any) -> Any:
    """Numbers of a command become exact; nested collections too."""
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    return value


class Commands:
    def __init__(self, env: Environment) -> None:
        self.env = env

    def table(self) -> dict[str, tuple[Command, str]]:
        return {
            "companies": (self.companies, "names and ids of the companies"),
            "list": (self.rows, "rows of a set: set, company, limit"),
            "get": (self.get, "one row: set, key"),
            "create": (self.create, "insert as a person does: set, values"),
            "edit": (self.edit, "change as a person does: set, key, values"),
            "delete": (self.delete, "delete as a person does: set, key"),
            "set_dimension": (self.set_dimension, "value of a dimension, '' for none: set, key, dimension, value"),
            "post": (self.post, "post a draft document or a journal: set, key"),
            "act": (self.act, "run a bound action: set, key, action"),
            "receive_payment": (self.receive_payment, "customer pays an invoice: invoice, amount, document_number"),
            "pay_vendor": (self.pay_vendor, "pay a purchase invoice: invoice, amount, document_number"),
            "set_rate": (self.set_rate, "exchange rate: currency, rate (LCY for `per` units), date, per"),
            "release_order": (self.release_order, "release an order or quote: set, key"),
            "deny": (self.deny, "take a right from an app: client_id, set, method"),
            "allow": (self.allow, "give all rights back: client_id"),
            "flush_events": (self.flush_events, "send the notifications that wait: due_only"),
            "audit": (self.audit, "balances that must agree: ledger, documents, accounts"),
        }

    # Finding

    def company(self, company: str | None) -> Company:
        return next(iter(self.env.companies.values())) if company is None else self.env.company(company)

    def find(self, co: Company, name: str, key: str) -> Row:
        row = co.get(name, key.lower()) if GUID.fullmatch(key) else None
        column = "number" if "number" in co.schema[name].properties else "code"
        if row is None and column in co.schema[name].properties:
            row = co.first(name, column, key)
        if row is None:
            raise no_record(name, key)
        return row

    async def companies(self) -> list[dict[str, Any]]:
        return [{"id": co.id, "name": co.name, "currency": co.lcy} for co in self.env.companies.values()]

    async def rows(self, set: str, company: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        co = self.company(company)
        self.env.reader.prepare(co, set)
        return [public(row) for row in list(co.tables[set])[:limit]]

    async def get(self, set: str, key: str, company: str | None = None) -> dict[str, Any]:
        co = self.company(company)
        return public(self.find(co, set, key))

    # Editing

    async def create(self, set: str, values: dict[str, Any], company: str | None = None) -> dict[str, Any]:
        co = self.company(company)
        return public(self.env.writer.create(co, co.schema[set], exact(values), None))

    async def edit(self, set: str, key: str, values: dict[str, Any], company: str | None = None) -> dict[str, Any]:
        co = self.company(company)
        row = self.find(co, set, key)
        return public(self.env.writer.update(co, co.schema[set], row, exact(values), "*"))

    async def delete(self, set: str, key: str, company: str | None = None) -> None:
        co = self.company(company)
        self.env.writer.remove(co, co.schema[set], self.find(co, set, key), "*")

    async def set_dimension(self, set: str, key: str, dimension: str, value: str, company: str | None = None) -> None:
        """Of a customer, vendor, item, document or line; all by their codes."""
        co = self.company(company)
        row, writer = self.find(co, set, key), self.env.writer
        nav = "defaultDimensions" if "defaultDimensions" in co.schema[set].nav else "dimensionSetLines"
        which = self.find(co, "dimensions", dimension)
        code = "dimensionCode" if nav == "defaultDimensions" else "code"
        held = next((one for one in co.table(nav).find("parentId", row["id"]) if one[code] == which["code"]), None)
        if not value:
            if held is not None:
                writer.remove(co, co.schema[nav], held, "*")
            return
        options = co.table("dimensionValues").find("dimensionId", which["id"])
        chosen = next((one["id"] for one in options if one["code"] == value), None)
        if chosen is None:
            raise ValueError(f"dimension {dimension} has no value {value}")
        if nav == "defaultDimensions":
            named, what = {"dimensionId": which["id"]}, {"dimensionValueId": chosen}
        else:
            named, what = {"code": which["code"]}, {"valueId": chosen}
        if held is not None:
            writer.update(co, co.schema[nav], held, what, "*")
        else:
            writer.create(co, co.schema[nav], named | what, Parent(set, row, nav))

    # Posting

    async def post(self, set: str, key: str, company: str | None = None) -> dict[str, Any]:
        co = self.company(company)
        row = self.find(co, set, key)
        action = {"salesOrders": "shipAndInvoice", "purchaseOrders": "receiveAndInvoice"}.get(set, "post")
        with co.transaction():
            name, posted = run(co, set, action, row)
        return {"set": name, **public(posted)}

    async def act(self, set: str, key: str, action: str, company: str | None = None) -> dict[str, Any]:
        co = self.company(company)
        name, row = self.env.writer.act(co, co.schema[set], self.find(co, set, key), action, b"", None)
        return {"set": name, **public(row)}

    async def release_order(self, set: str, key: str, company: str | None = None) -> dict[str, Any]:
        co = self.company(company)
        with co.transaction():
            return public(co.update(set, self.find(co, set, key), {"status": "Open"}))

    async def receive_payment(
        self, invoice: str, amount: Any = None, document_number: str = "", company: str | None = None
    ) -> dict[str, Any]:
        """Amount in the invoice's currency, above zero; default: all that remains."""
        return self._pay(self.company(company), "salesInvoices", invoice, amount, document_number)

    async def pay_vendor(
        self, invoice: str, amount: Any = None, document_number: str = "", company: str | None = None
    ) -> dict[str, Any]:
        return self._pay(self.company(company), "purchaseInvoices", invoice, amount, document_number)

    def _pay(self, co: Company, name: str, invoice: str, amount: Any, document_number: str) -> dict[str, Any]:
        row = self.find(co, name, invoice)
        entry = invoice_entry(co, row)
        remaining = entry["remaining"] if entry else Decimal(0)
        paid = remaining if amount is None else Decimal(str(amount))
        sales = name == "salesInvoices"
        journals, lines = (
            ("customerPaymentJournals", "customerPayments") if sales else ("vendorPaymentJournals", "vendorPayments")
        )
        rules = self.env.writer.rules
        with co.transaction():
            batch = co.first(journals, "code", "MANUAL")
            if batch is None:
                bank = next(iter(co.tables["bankAccounts"]))
                values = {"code": "MANUAL", "displayName": "Payments by hand", "balancingAccountId": bank["id"]}
                batch = rules[journals].insert(co, journals, values, None)
            raw = co.settings.payment_sign == "raw"
            line: dict[str, Any] = {
                "journalId": batch["id"],
                "amount": plain(-paid if raw and sales else paid),
                "appliesToInvoiceId": row["id"],
            }
            if document_number:
                line["documentNumber"] = document_number
            rules[lines].insert(co, lines, line, None)
            post_batch(co, co.must("journals", batch["id"]))
        return public(co.must(name, row["id"]))

    async def set_rate(
        self, currency: str, rate: Any, date: str | None = None, company: str | None = None, per: int = 1
    ) -> dict[str, Any]:
        co = self.company(company)
        row = co.first("currencies", "code", currency.upper())
        if row is None:
            raise no_record("currencies", currency)
        day = date or co.today
        values = {
            "currencyCode": row["code"],
            "startingDate": day,
            "exchangeRateAmount": Decimal(per),
            "relationalCurrencyCode": "",
            "relationalExchangeRateAmount": plain(Decimal(str(rate))),
        }
        with co.transaction():
            for old in co.tables["currencyExchangeRates"].find("currencyCode", row["code"]):
                if old["startingDate"] == day:
                    return public(co.update("currencyExchangeRates", old, values))
            return public(co.insert("currencyExchangeRates", values))

    # Rights and events

    async def deny(self, client_id: str, set: str = "*", method: str = "*") -> None:
        self.env.denied[client_id] = {*self.env.denied.get(client_id, ()), (set, method)}

    async def allow(self, client_id: str) -> None:
        self.env.denied.pop(client_id, None)

    async def flush_events(self, due_only: bool = False) -> list[dict[str, Any]]:
        sender = self.env.hooks.sender
        if sender is None:
            return []
        done = await sender.flush(due_only=due_only)
        return [{"target": d.target, "status": d.status, "entries": len(d.entries), "attempt": d.attempt} for d in done]

    async def audit(self, company: str | None = None) -> dict[str, str]:
        """Sums that must agree: debits and credits, receivables and open customer entries."""
        co = self.company(company)
        entries = list(co.tables["generalLedgerEntries"])
        debit = sum((row["debitAmount"] for row in entries), Decimal(0))
        credit = sum((row["creditAmount"] for row in entries), Decimal(0))
        opened = sum(
            (e["remaining"] for e in co.tables["$ledger"] if e["party"] == "customers" and e["open"]), Decimal(0)
        )
        invoices = sum(
            (row["remainingAmount"] for row in co.tables["salesInvoices"] if row["status"] in ("Open", "Paid")),
            Decimal(0),
        )
        return {"debit": str(plain(debit)), "credit": str(plain(credit)), "open_customer_entries": str(plain(opened)),
                "remaining_on_invoices": str(plain(invoices))}  # fmt: skip
