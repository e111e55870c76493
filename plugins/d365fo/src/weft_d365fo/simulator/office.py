"""What people in finance do: post, confirm, receive, pay, price. For tests and demos, through the control endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from weft.testing.odata.store import Row
from weft_d365fo.simulator.commands import Commands, worded
from weft_d365fo.simulator.dimensions import escape
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.posting import journals, prices, purchasing, sales
from weft_d365fo.simulator.posting.transactions import remaining
from weft_d365fo.simulator.rules.amounts import number
from weft_d365fo.simulator.schema import NO_DATE
from weft_d365fo.simulator.values import noon
from weft_d365fo.simulator.views import RECID
from weft_d365fo.simulator.world import Company, must

Command = Callable[..., Awaitable[Any]]


class Office:
    """Documents are named by their numbers; ``company`` is the first one when it is not given."""

    def __init__(self, commands: Commands) -> None:
        self.commands = commands
        self.world = commands.world
        self.writer = commands.writer

    def table(self) -> dict[str, tuple[Command, str]]:
        return {
            "post": (self.post, "post a document: set, number, company, date, invoice (of a vendor)"),
            "receive_payment": (self.receive_payment, "customer pays: invoice, amount, company, currency, date"),
            "pay_vendor": (self.pay_vendor, "pay a vendor's invoice: invoice, amount, company, currency, date"),
            "confirm": (self.confirm, "confirm a sales or purchase order, send a quotation: set, number"),
            "deliver": (self.deliver, "deliver a sales order, receive a purchase order: set, number"),
            "cancel": (self.cancel, "cancel an order or quotation: set, number"),
            "lose_quotation": (self.lose_quotation, "quotation lost: number"),
            "confirm_quotation": (self.confirm_quotation, "quotation won: number; makes the sales order"),
            "set_price": (
                self.set_price,
                "sales price agreement: item, price, currency, customer, group, since, until, quantity",
            ),
            "block_item": (self.block_item, "item, purpose (Sales or Purchase), blocked, company"),
            "set_on_hand": (self.set_on_hand, "stock: item, quantity, warehouse, company"),
            "approve_timesheet": (self.approve_timesheet, "number, status, company"),
            "audit": (self.audit, "sums that must agree: open amounts, journals"),
        }

    def home(self, company: str | None) -> Company:
        name = (company or next(iter(self.world.companies))).lower()
        if name not in self.world.companies:
            raise KeyError(f"there is no company {name!r}")
        return self.world.companies[name]

    def _document(self, set: str, number_: Any, home: Company) -> Row:
        column = _NUMBERS.get(set)
        if column is None:
            raise KeyError(f"documents are of the sets {', '.join(_NUMBERS)}, not {set!r}")
        shown = self.commands.shown(set)
        value = int(number_) if column == "InvoiceIdentifier" else str(number_)
        row = must(self.world, shown.view.table, column, value, home.id, shown.set.label)
        if any(row.get(c) != v for c, v in shown.view.where.items()):
            raise refused("Error", f"{shown.set.label} {number_} does not exist.")
        return row

    # Documents

    async def post(
        self, set: str, number: Any, company: str | None = None, date: str | None = None, invoice: str = ""
    ) -> dict[str, Any]:
        """The posted invoice, or the journal."""
        home = self.home(company)
        day = noon(date) if date else self.world.today
        with worded(), self.world.posting():
            row = self._document(set, number, home)
            if set == "FreeTextInvoiceHeaders":
                return self._show("SalesInvoiceHeadersV2", sales.post_free_text(self.world, home, row))
            if set.startswith("SalesOrderHeaders"):
                return self._show("SalesInvoiceHeadersV2", sales.invoice_order(self.world, home, row, day))
            if set == "PurchaseOrderHeadersV2":
                number_ = invoice or self.world.next_number(home.id, "made-up invoices", "INV{:05d}")
                posted = purchasing.invoice_order(self.world, home, row, number_, day)
                return self._show("VendInvoiceJourBiEntities", posted)
            if set == "VendorInvoiceHeaders":
                return self._show("VendInvoiceJourBiEntities", purchasing.post_pending(self.world, home, row))
            if set == "TradeAgreementJournalHeaders":
                return self._show(set, prices.post(self.world, home, row))
            return self._show(set, journals.post(self.world, home, row))

    def _show(self, set: str, row: Row) -> dict[str, Any]:
        return {"set": set, **self.commands.show(self.commands.shown(set), row)}

    async def confirm(self, set: str, number: str, company: str | None = None) -> dict[str, Any]:
        home = self.home(company)
        with worded(), self.world.posting():
            row = self._document(set, number, home)
            if set == "PurchaseOrderHeadersV2":
                return self._show(set, purchasing.confirm_order(self.world, home, row))
            if set == "SalesQuotationHeadersV2":
                return self._show(set, sales.set_quotation(self.world, row, "Sent"))
            return self._show(set, sales.confirm_order(self.world, row))

    async def deliver(self, set: str, number: str, company: str | None = None) -> dict[str, Any]:
        home = self.home(company)
        with worded(), self.world.posting():
            row = self._document(set, number, home)
            if set == "PurchaseOrderHeadersV2":
                return self._show(set, purchasing.receive_order(self.world, home, row))
            return self._show(set, sales.deliver_order(self.world, row))

    async def cancel(self, set: str, number: str, company: str | None = None) -> dict[str, Any]:
        home = self.home(company)
        with worded(), self.world.posting():
            row = self._document(set, number, home)
            if set == "PurchaseOrderHeadersV2":
                return self._show(set, purchasing.cancel_order(self.world, row))
            if set == "SalesQuotationHeadersV2":
                return self._show(set, sales.set_quotation(self.world, row, "Cancelled"))
            return self._show(set, sales.cancel_order(self.world, row))

    async def lose_quotation(self, number: str, company: str | None = None) -> dict[str, Any]:
        with worded(), self.world.posting():
            row = self._document("SalesQuotationHeadersV2", number, self.home(company))
            return self._show("SalesQuotationHeadersV2", sales.set_quotation(self.world, row, "Lost"))

    async def confirm_quotation(self, number: str, company: str | None = None) -> dict[str, Any]:
        """The sales order made of it."""
        home = self.home(company)
        with worded(), self.world.posting():
            row = self._document("SalesQuotationHeadersV2", number, home)
            head = {
                "OrderingCustomerAccountNumber": row["RequestingCustomerAccountNumber"],
                "CurrencyCode": row["CurrencyCode"],
                "QuotationNumber": row["SalesQuotationNumber"],
                "CustomersOrderReference": row.get("CustomersReference", ""),
            }
            order = self.writer.insert(self.commands.shown("SalesOrderHeadersV2"), head, home)
            lines = self.world.find("SalesQuotationLines", "SalesQuotationNumber", row["SalesQuotationNumber"], home.id)
            for line in sorted(lines, key=lambda each: int(each.get("LineCreationSequenceNumber", 0))):
                copied = {name: line[name] for name in _COPIED if line.get(name)}
                copied |= {"SalesOrderNumber": order["SalesOrderNumber"]}
                copied |= {"OrderedSalesQuantity": line.get("RequestedSalesQuantity", 1)}
                self.writer.insert(self.commands.shown("SalesOrderLines"), copied, home)
                self.world.update("SalesQuotationLines", line, {"SalesQuotationStatus": "Confirmed"})
            done = {"SalesQuotationStatus": "Confirmed", "GeneratedSalesOrderNumber": order["SalesOrderNumber"]}
            self.world.update("SalesQuotationHeadersV2", row, done)
            return self._show("SalesOrderHeadersV2", order)

    # Payments

    async def receive_payment(
        self, invoice: str, amount: Any = None, company: str | None = None, currency: str | None = None,
        date: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """A posted customer payment journal; the amount in the payment's currency, by default all that is open."""
        return await self._pay("CustomerPayment", invoice, amount, company, currency, date)

    async def pay_vendor(
        self, invoice: str, amount: Any = None, company: str | None = None, currency: str | None = None,
        date: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        return await self._pay("VendorPayment", invoice, amount, company, currency, date)

    async def _pay(
        self, kind: str, invoice: str, amount: Any, company: str | None, currency: str | None, date: str | None
    ) -> dict[str, Any]:
        home, customer = self.home(company), kind == "CustomerPayment"
        heads = "CustomerPaymentJournalHeaders" if customer else "VendorPaymentJournalHeaders"
        with worded(), self.world.posting():
            owed = must(self.world, "CustTrans" if customer else "VendTrans", "Invoice", invoice, home.id, "Invoice")
            paid = abs(remaining(owed)) if amount is None else Decimal(str(amount))
            name = "CustPay" if customer else "VendPay"
            head = self.writer.insert(self.commands.shown(heads), {"JournalName": name}, home)
            line = {
                "JournalBatchNumber": head["JournalBatchNumber"],
                "LineNumber": Decimal(1),
                "CurrencyCode": currency or owed["CurrencyCode"],
                "AccountDisplayValue": escape(owed["AccountNum"], self.world.settings.delimiter),
                "CreditAmount" if customer else "DebitAmount": paid,
                "MarkedInvoice": invoice,
                "TransDate": noon(date) if date else self.world.today,
            }
            lines = heads.replace("Headers", "Lines")
            made = self.writer.insert(self.commands.shown(lines), line, home)
            number_ = head["JournalBatchNumber"]
            filled = must(self.world, "LedgerJournalTable", "JournalBatchNumber", number_, home.id, "Journal")
            journals.post(self.world, home, filled)
            return {"journal": head["JournalBatchNumber"], "voucher": made["Voucher"], "amount": str(paid)}

    # Master data

    async def set_price(
        self, item: str, price: Any, currency: str, customer: str = "", group: str = "", company: str | None = None,
        since: str = "", until: str = "", quantity: Any = 0,
    ) -> dict[str, Any]:  # fmt: skip
        """An agreement for a customer, a price group or all: in force from one day to another, from a quantity on."""
        home, table = self.home(company), "SalesPriceAgreements"
        whose = {
            "CustomerAccountNumber": customer, "PriceCustomerGroupCode": group, "PriceCurrencyCode": currency,
            "PriceApplicableFromDate": noon(since) if since else NO_DATE, "FromQuantity": Decimal(str(quantity)),
        }  # fmt: skip
        rest = {"Price": Decimal(str(price)), "PriceApplicableToDate": noon(until) if until else NO_DATE}
        with worded(), self.world.posting():
            product = must(self.world, "InventTable", "ItemNumber", item, home.id, "Item")
            for row in self.world.find(table, "ItemNumber", item, home.id):
                if all(self.world.value(table, row, column) == value for column, value in whose.items()):
                    return self._show(table, self.world.update(table, row, rest))
            recid = self.world.next_recid()
            values = {
                "dataAreaId": home.id, RECID: recid, "RecordId": recid, "ItemNumber": item, **whose,
                "ProductNumber": product["ProductNumber"], **rest, "SalesPriceQuantity": 1,
                "QuantityUnitySymbol": product.get("SalesUnitSymbol", ""),
            }  # fmt: skip
            return self._show(table, self.world.insert(table, values))

    async def block_item(
        self, item: str, purpose: str = "Sales", blocked: bool = True, company: str | None = None
    ) -> None:
        home = self.home(company)
        with worded(), self.world.posting():
            row = must(self.world, "InventTable", "ItemNumber", item, home.id, "Item")
            self.world.update("InventTable", row, {f"$blocked{purpose}": "Yes" if blocked else "No"})

    async def set_on_hand(self, item: str, quantity: Any, warehouse: str = "11", company: str | None = None) -> None:
        home, held = self.home(company), Decimal(str(quantity))
        values = dict.fromkeys(("OnHandQuantity", "AvailableOnHandQuantity", "TotalAvailableQuantity"), held)
        with worded(), self.world.posting():
            product = must(self.world, "InventTable", "ItemNumber", item, home.id, "Item")
            place = must(self.world, "Warehouses", "WarehouseId", warehouse, home.id, "Warehouse")
            for row in self.world.find("WarehousesOnHandV2", "ItemNumber", item, home.id):
                if row["InventoryWarehouseId"] == warehouse:
                    self.world.update("WarehousesOnHandV2", row, values)
                    return
            key = {"dataAreaId": home.id, "ItemNumber": item, "InventorySiteId": place["OperationalSiteId"]}
            name = {"InventoryWarehouseId": warehouse, "ProductName": product.get("ProductName", "")}
            self.world.insert("WarehousesOnHandV2", {**key, **name, **values})

    async def approve_timesheet(self, number: str, status: str = "Approved", company: str | None = None) -> None:
        home = self.home(company)
        with worded(), self.world.posting():
            row = must(self.world, "TimesheetTables", "TimesheetNumber", number, home.id, "Timesheet")
            self.world.update("TimesheetTables", row, {"ApprovalStatus": status})

    async def audit(self, company: str | None = None) -> dict[str, str]:
        """Open customer transactions and what the open list says; both are to agree."""
        home = self.home(company)
        ledger = sum((remaining(row) for row in self.world.rows("CustTrans", home.id)), Decimal(0))
        listed = sum((number(row["AmountCur"]) for row in self.world.rows("CustTransOpen", home.id)), Decimal(0))
        vendors = sum((remaining(row) for row in self.world.rows("VendTrans", home.id)), Decimal(0))
        return {"customers_open": f"{ledger:f}", "customers_listed": f"{listed:f}", "vendors_open": f"{vendors:f}"}


_NUMBERS = {
    "FreeTextInvoiceHeaders": "InvoiceIdentifier",
    "SalesOrderHeadersV2": "SalesOrderNumber",
    "SalesOrderHeadersV3": "SalesOrderNumber",
    "SalesOrderHeadersV4": "SalesOrderNumber",
    "SalesQuotationHeadersV2": "SalesQuotationNumber",
    "PurchaseOrderHeadersV2": "PurchaseOrderNumber",
    "VendorInvoiceHeaders": "HeaderReference",
    "CustomerPaymentJournalHeaders": "JournalBatchNumber",
    "VendorPaymentJournalHeaders": "JournalBatchNumber",
    "VendInvoiceJournalHeaders": "JournalBatchNumber",
    "LedgerJournalHeaders": "JournalBatchNumber",
    "TradeAgreementJournalHeaders": "JournalNumber",
}
_COPIED = (
    "ItemNumber", "SalesUnitSymbol", "SalesPrice", "SalesPriceQuantity", "LineDiscountAmount",
    "LineDiscountPercentage", "LineAmount", "LineDescription", "ShippingSiteId", "ShippingWarehouseId",
)  # fmt: skip
