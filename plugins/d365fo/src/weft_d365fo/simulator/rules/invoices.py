"""Free text invoices to customers and pending invoices of vendors, with their lines."""

from __future__ import annotations

from decimal import Decimal

from weft.testing.odata.store import Row
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.rules.amounts import due_date, line_amount, rounded
from weft_d365fo.simulator.rules.base import Relation, Rule, Write, must_be_filled, not_found
from weft_d365fo.simulator.rules.sales import no_site
from weft_d365fo.simulator.views import RECID
from weft_d365fo.simulator.world import World


def rules() -> dict[str, Rule]:
    return {
        "FreeTextInvoiceHeaders": FreeTextInvoices(),
        "FreeTextInvoiceLines": FreeTextLines(),
        "VendorInvoiceHeaders": VendorInvoices(),
        "VendorInvoiceLines": VendorInvoiceLines(),
    }


class FreeTextInvoices(Rule):
    relations = (
        Relation("CustomerAccount", "CustTable", "CustomerAccount", "Customers"),
        Relation("InvoiceAccount", "CustTable", "CustomerAccount", "Customers"),
        Relation("CurrencyCode", "Currencies", "CurrencyCode", "Currency", company=False),
        Relation("TermsOfPayment", "PaymentTerms", "Name", "Terms of payment"),
        Relation("MethodOfPayment", "CustomerPaymentMethods", "Name", "Methods of payment - customers"),
        Relation("SalesTaxGroupId", "TaxGroups", "TaxGroupCode", "Sales tax group"),
        Relation("SalesTaxItemGroupId", "TaxItemGroupHeadings", "TaxItemGroup", "Item sales tax group"),
        Relation("ContactPersonId", "ContactPersons", "ContactPersonId", "Contacts"),
    )

    def default(self, w: Write) -> None:
        if w.creating:
            recid = w.world.next_recid()
            w.set(RECID, recid)
            w.set("InvoiceIdentifier", recid)
            w.set("IsPosted", "No")
            account = w.get("CustomerAccount")
            customer = w.related("CustTable", dataAreaId=w.home().id, CustomerAccount=account) if account else None
            if customer is not None:
                for column, value in {
                    "InvoiceAccount": customer.get("InvoiceAccount") or account,
                    "CurrencyCode": customer.get("SalesCurrencyCode"),
                    "LanguageId": customer.get("LanguageId") or w.home().language,
                    "InvoiceName": customer.get("OrganizationName"),
                    "CustomerGroup": customer.get("CustomerGroupId"),
                    "TermsOfPayment": customer.get("PaymentTerms"),
                    "MethodOfPayment": customer.get("PaymentMethod"),
                    "SalesTaxGroupId": customer.get("SalesTaxGroup"),
                    "DefaultDimensionDisplayValue": customer.get("DefaultDimensionDisplayValue"),
                    "InvoiceDate": w.world.today,
                    "PostingProfile": "GEN",
                }.items():
                    w.default(column, value)
            w.default("DueDate", due_date(w.world, w.home().id, w.get("TermsOfPayment"), w.get("InvoiceDate")))
        elif w.changes("InvoiceDate", "TermsOfPayment"):
            w.default("DueDate", due_date(w.world, w.home().id, w.get("TermsOfPayment"), w.get("InvoiceDate")))

    def check(self, w: Write) -> None:
        if w.row is not None and w.row.get("IsPosted") == "Yes":
            raise refused("Error", f"Invoice {w.row.get('FreeTextNumber')} has been posted and cannot be changed.")

    def check_delete(self, world: World, row: Row) -> None:
        if row.get("IsPosted") == "Yes":
            raise refused("Error", f"Invoice {row.get('FreeTextNumber')} has been posted and cannot be deleted.")

    def deleted(self, world: World, row: Row) -> None:
        for line in world.find("FreeTextInvoiceLines", "ParentRecId", row["InvoiceIdentifier"]):
            world.delete("FreeTextInvoiceLines", line)


class FreeTextLines(Rule):
    relations = (
        Relation("SalesTaxGroupId", "TaxGroups", "TaxGroupCode", "Sales tax group"),
        Relation("SalesTaxItemGroupId", "TaxItemGroupHeadings", "TaxItemGroup", "Item sales tax group"),
        Relation("ProjectID", "ProjTable", "ProjectId", "Projects"),
    )

    def _header(self, w: Write) -> Row:
        parent = w.get("ParentRecId")
        header = w.related("FreeTextInvoiceHeaders", dataAreaId=w.home().id, InvoiceIdentifier=parent)
        if header is None:
            raise not_found(w.shown.set.aot, "ParentRecId", parent, "Free text invoice")
        return header

    def default(self, w: Write) -> None:
        header = self._header(w)
        if w.creating:
            w.default("Quantity", Decimal(1))
            w.default("CurrencyCode", header.get("CurrencyCode"))
            w.default("SalesTaxGroupId", header.get("SalesTaxGroupId"))
            w.default("SalesTaxItemGroupId", header.get("SalesTaxItemGroupId"))
            w.default("DefaultDimensionDisplayValue", header.get("DefaultDimensionDisplayValue"))
        if "TransactionCurrencyAmount" in w.given and "UnitPrice" not in w.given and w.creating:
            w.set("UnitPrice", Decimal(w.get("TransactionCurrencyAmount")) / (Decimal(w.get("Quantity")) or 1))
        elif w.creating or w.changes("Quantity", "UnitPrice"):
            amount = Decimal(w.get("Quantity")) * Decimal(w.get("UnitPrice"))
            w.default("TransactionCurrencyAmount", rounded(w.world, header.get("CurrencyCode", ""), amount))

    def check(self, w: Write) -> None:
        if w.creating and w.get("LineNumber") <= 0:
            raise must_be_filled("LineNumber", w.table)
        if not w.get("MainAccountDisplayValue"):
            raise must_be_filled("MainAccountDisplayValue", w.table)
        if self._header(w).get("IsPosted") == "Yes":
            raise refused("Error", "The invoice has been posted and cannot be changed.")

    def check_delete(self, world: World, row: Row) -> None:
        key = {"dataAreaId": row["dataAreaId"], "InvoiceIdentifier": row["ParentRecId"]}
        header = world.get("FreeTextInvoiceHeaders", **key)
        if header is not None and header.get("IsPosted") == "Yes":
            raise refused("Error", "The invoice has been posted and cannot be changed.")


class VendorInvoices(Rule):
    """Pending invoices; posting takes them away."""

    relations = (
        Relation("InvoiceAccount", "VendTable", "VendorAccountNumber", "Vendors"),
        Relation("VendorAccount", "VendTable", "VendorAccountNumber", "Vendors"),
        Relation("Currency", "Currencies", "CurrencyCode", "Currency", company=False),
        Relation("TermsOfPayment", "PaymentTerms", "Name", "Terms of payment"),
        Relation("MethodOfPayment", "VendorPaymentMethods", "Name", "Methods of payment - vendors"),
        Relation("SalesTaxGroup", "TaxGroups", "TaxGroupCode", "Sales tax group"),
        Relation("PurchaseOrderNumber", "PurchTable", "PurchaseOrderNumber", "Purchase orders"),
    )

    def default(self, w: Write) -> None:
        if w.creating:
            w.number("HeaderReference", "vendor invoices", "{:020d}", always=True)
            account = w.get("InvoiceAccount")
            vendor = w.related("VendTable", dataAreaId=w.home().id, VendorAccountNumber=account) if account else None
            if vendor is not None:
                for column, value in {
                    "VendorAccount": account,
                    "VendorName": vendor.get("VendorOrganizationName"),
                    "Currency": vendor.get("CurrencyCode"),
                    "TermsOfPayment": vendor.get("DefaultPaymentTermsName"),
                    "MethodOfPayment": vendor.get("DefaultVendorPaymentMethodName"),
                    "SalesTaxGroup": vendor.get("SalesTaxGroupCode"),
                    "InvoiceDate": w.world.today,
                    "Date": w.world.today,
                }.items():
                    w.default(column, value)
            w.default("DueDate", due_date(w.world, w.home().id, w.get("TermsOfPayment"), w.get("InvoiceDate")))
        elif w.changes("InvoiceDate", "TermsOfPayment"):
            w.default("DueDate", due_date(w.world, w.home().id, w.get("TermsOfPayment"), w.get("InvoiceDate")))

    def check(self, w: Write) -> None:
        number, account = w.get("InvoiceNumber"), w.get("InvoiceAccount")
        for row in w.world.find("VendorInvoiceHeaders", "InvoiceNumber", number, w.home().id):
            other = w.row is None or row["$key"] != w.row["$key"]
            if other and row["InvoiceAccount"] == account:
                raise refused("Error", f"Invoice {number} of vendor {account} exists already.")
        for row in w.world.find("VendInvoiceJour", "InvoiceId", number, w.home().id):
            if row["InvoiceAccount"] == account:
                raise refused("Error", f"Invoice number {number} is already used on voucher {row['LedgerVoucher']}.")

    def deleted(self, world: World, row: Row) -> None:
        for line in world.find("VendorInvoiceLines", "HeaderReference", row["HeaderReference"], row["dataAreaId"]):
            world.delete("VendorInvoiceLines", line)


class VendorInvoiceLines(Rule):
    relations = (
        Relation("Unit", "UnitsOfMeasure", "UnitSymbol", "Units", company=False),
        Relation("SalesTaxGroup", "TaxGroups", "TaxGroupCode", "Sales tax group"),
        Relation("ItemSalesTax", "TaxItemGroupHeadings", "TaxItemGroup", "Item sales tax group"),
        Relation("InventorySiteId", "OperationalSitesV2", "SiteId", "Sites"),
        Relation("InventoryWarehouseId", "Warehouses", "WarehouseId", "Warehouses"),
        Relation("PurchaseOrder", "PurchTable", "PurchaseOrderNumber", "Purchase orders"),
    )

    def _header(self, w: Write) -> Row:
        reference = w.get("HeaderReference")
        key = {"dataAreaId": w.home().id, "HeaderReference": reference}
        header = w.related("VendorInvoiceHeaders", **key) if reference else None
        if header is None:
            if not reference:
                raise must_be_filled("HeaderReference", w.table)
            raise not_found(w.shown.set.aot, "HeaderReference", reference, "Vendor invoice header")
        return header

    def default(self, w: Write) -> None:
        header = self._header(w)
        if w.creating:
            lines = w.world.find(w.table, "HeaderReference", header["HeaderReference"], w.home().id)
            last = max((Decimal(line["InvoiceLineNumber"]) for line in lines), default=Decimal(0))
            w.default("InvoiceLineNumber", last + 1)
            w.default("Currency", header.get("Currency"))
            w.default("InvoiceAccount", header.get("InvoiceAccount"))
            w.default("SalesTaxGroup", header.get("SalesTaxGroup"))
            w.default("DimensionDisplayValue", header.get("DimensionDisplayValue"))
            w.default("ReceiveNow", Decimal(1))
            w.default("PriceUnit", Decimal(1))
            if w.get("ItemNumber"):
                item = w.related("InventTable", dataAreaId=w.home().id, ItemNumber=w.get("ItemNumber"))
                if item is None:
                    raise not_found(w.shown.set.aot, "ItemNumber", w.get("ItemNumber"), "Released products")
                account = header.get("InvoiceAccount", "")
                vendor = w.related("VendTable", dataAreaId=w.home().id, VendorAccountNumber=account) or {}
                w.default("InventorySiteId", vendor.get("DefaultPurchaseSiteId"))
                w.default("Unit", item.get("PurchaseUnitSymbol"))
                w.default("ItemName", item.get("ProductName"))
                w.default("LineDescription", item.get("ProductName"))
                w.default("ItemSalesTax", item.get("PurchaseSalesTaxItemGroupCode"))
        parts = ("ReceiveNow", "UnitPrice", "PriceUnit", "Discount", "DiscountPercent")
        if "NetAmount" not in w.given and (w.creating or w.changes(*parts)):
            values = (w.get(part) for part in parts)
            w.set("NetAmount", line_amount(w.world, header.get("Currency", ""), *values))
        w.default("Amount", w.get("NetAmount"))

    def check(self, w: Write) -> None:
        if not (w.get("ItemNumber") or w.get("ProcurementCategoryName") or w.get("MainAccountDisplayValue")):
            raise must_be_filled("ItemNumber", w.table)
        if w.get("ItemNumber") and not w.get("InventorySiteId") and w.world.settings.invoice_site:
            raise no_site()
