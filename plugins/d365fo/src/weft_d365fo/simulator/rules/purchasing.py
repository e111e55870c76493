"""Purchase orders with their lines."""

from __future__ import annotations

from decimal import Decimal

from weft.testing.odata.store import Row
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.rules.amounts import converted, line_amount, priced_per, rounded
from weft_d365fo.simulator.rules.base import Relation, Rule, Write, must_be_filled, not_found
from weft_d365fo.simulator.rules.sales import blocked, check_delivery, site_of
from weft_d365fo.simulator.world import World


def rules() -> dict[str, Rule]:
    return {"PurchTable": PurchaseOrders(), "PurchLine": PurchaseOrderLines()}


class PurchaseOrders(Rule):
    relations = (
        Relation("OrderVendorAccountNumber", "VendTable", "VendorAccountNumber", "Vendors"),
        Relation("InvoiceVendorAccountNumber", "VendTable", "VendorAccountNumber", "Vendors"),
        Relation("CurrencyCode", "Currencies", "CurrencyCode", "Currency", company=False),
        Relation("PaymentTermsName", "PaymentTerms", "Name", "Terms of payment"),
        Relation("VendorPaymentMethodName", "VendorPaymentMethods", "Name", "Methods of payment - vendors"),
        Relation("DeliveryModeId", "DeliveryModesV2", "ModeCode", "Modes of delivery"),
        Relation("DeliveryTermsId", "DeliveryTerms", "TermsCode", "Terms of delivery"),
        Relation("SalesTaxGroupCode", "TaxGroups", "TaxGroupCode", "Sales tax group"),
        Relation("DefaultReceivingSiteId", "OperationalSitesV2", "SiteId", "Sites"),
        Relation("DefaultReceivingWarehouseId", "Warehouses", "WarehouseId", "Warehouses"),
        Relation("ProjectId", "ProjTable", "ProjectId", "Projects"),
        Relation("OrdererPersonnelNumber", "Workers", "PersonnelNumber", "Worker", company=False),
        Relation("RequesterPersonnelNumber", "Workers", "PersonnelNumber", "Worker", company=False),
    )

    def default(self, w: Write) -> None:
        if not w.creating:
            return
        w.number("PurchaseOrderNumber", "purchase orders", "PO-{:06d}")
        account = w.get("OrderVendorAccountNumber")
        vendor = w.related("VendTable", dataAreaId=w.home().id, VendorAccountNumber=account) if account else None
        if vendor is None:
            return
        for column, value in {
            "InvoiceVendorAccountNumber": vendor.get("InvoiceVendorAccountNumber") or account,
            "CurrencyCode": vendor.get("CurrencyCode"),
            "LanguageId": w.home().language,
            "PurchaseOrderName": vendor.get("VendorOrganizationName"),
            "PaymentTermsName": vendor.get("DefaultPaymentTermsName"),
            "VendorPaymentMethodName": vendor.get("DefaultVendorPaymentMethodName"),
            "DeliveryModeId": vendor.get("DefaultDeliveryModeId"),
            "DeliveryTermsId": vendor.get("DefaultDeliveryTermsCode"),
            "SalesTaxGroupCode": vendor.get("SalesTaxGroupCode"),
            "DefaultReceivingSiteId": vendor.get("DefaultPurchaseSiteId"),
            "DefaultReceivingWarehouseId": vendor.get("DefaultProcumentWarehouseId"),
            "DefaultLedgerDimensionDisplayValue": vendor.get("DefaultLedgerDimensionDisplayValue"),
            "RequestedDeliveryDate": w.world.today,
            "AccountingDate": w.world.today,
        }.items():
            w.default(column, value)
        w.set("PurchaseOrderStatus", "Backorder")
        w.set("DocumentApprovalStatus", "Approved")
        w.set("PurchaseOrderHeaderCreationMethod", _method(w, "PurchaseOrderHeaderCreationMethod"))

    def check(self, w: Write) -> None:
        if w.row is not None and w.row.get("PurchaseOrderStatus") in ("Invoiced", "Canceled"):
            number, status = w.row["PurchaseOrderNumber"], w.row["PurchaseOrderStatus"]
            raise refused("Error", f"Purchase order {number} has the status {status} and cannot be changed.")
        if w.creating:
            key = {"dataAreaId": w.home().id, "VendorAccountNumber": w.get("OrderVendorAccountNumber")}
            vendor = w.related("VendTable", **key)
            if vendor is not None and vendor.get("OnHoldStatus") in ("All", "PurchOrder"):
                raise refused("Error", f"Vendor {w.get('OrderVendorAccountNumber')} is on hold.")
        check_delivery(w, "FormattedDeliveryAddress")

    def after(self, w: Write, row: Row) -> Row:
        """A change of a confirmed order opens it again."""
        if not w.creating and row.get("DocumentApprovalStatus") == "Confirmed":
            return w.world.update(w.table, row, {"DocumentApprovalStatus": "Approved"})
        return row

    def check_delete(self, world: World, row: Row) -> None:
        if row.get("PurchaseOrderStatus") != "Backorder":
            number, status = row["PurchaseOrderNumber"], row["PurchaseOrderStatus"]
            raise refused("Error", f"Purchase order {number} cannot be deleted: it is {status}.")

    def deleted(self, world: World, row: Row) -> None:
        for line in world.find("PurchLine", "PurchaseOrderNumber", row["PurchaseOrderNumber"], row["dataAreaId"]):
            world.delete("PurchLine", line)


def _method(w: Write, column: str) -> str | None:
    """How the document was made: as data entities do it."""
    members = w.shown.set.properties[column].members
    return next((name for name in ("DataManagement", "Import", "Purchase") if name in members), None) or next(
        iter(members), None
    )


class PurchaseOrderLines(Rule):
    relations = (
        Relation("PurchaseUnitSymbol", "UnitsOfMeasure", "UnitSymbol", "Units", company=False),
        Relation("SalesTaxGroupCode", "TaxGroups", "TaxGroupCode", "Sales tax group"),
        Relation("SalesTaxItemGroupCode", "TaxItemGroupHeadings", "TaxItemGroup", "Item sales tax group"),
        Relation("ReceivingSiteId", "OperationalSitesV2", "SiteId", "Sites"),
        Relation("ReceivingWarehouseId", "Warehouses", "WarehouseId", "Warehouses"),
        Relation("ProjectId", "ProjTable", "ProjectId", "Projects"),
    )

    def _header(self, w: Write) -> Row:
        number = w.get("PurchaseOrderNumber")
        header = w.related("PurchTable", dataAreaId=w.home().id, PurchaseOrderNumber=number) if number else None
        if header is None:
            if not number:
                raise must_be_filled("PurchaseOrderNumber", w.table)
            raise not_found(w.shown.set.aot, "PurchaseOrderNumber", number, "Purchase orders")
        return header

    def default(self, w: Write) -> None:
        header = self._header(w)
        item = self._item(w)
        if w.creating:
            w.set("InventoryLotId", w.world.next_number(w.home().id, "lots", "{:08d}"))
            w.set("PurchaseOrderLineStatus", "Backorder")
            w.set("PurchaseOrderLineCreationMethod", _method(w, "PurchaseOrderLineCreationMethod"))
            w.default("OrderedPurchaseQuantity", Decimal(1))
            w.default("PurchasePriceQuantity", priced_per(w.world, item, "PurchasePriceQuantity"))
            w.default("RequestedDeliveryDate", header.get("RequestedDeliveryDate"))
            w.default("SalesTaxGroupCode", header.get("SalesTaxGroupCode"))
            w.default("DefaultLedgerDimensionDisplayValue", header.get("DefaultLedgerDimensionDisplayValue"))
            if item is not None:
                self._from_item(w, header, item)
        site, warehouse = site_of(
            w,
            "ReceivingSiteId",
            "ReceivingWarehouseId",
            header,
            "DefaultReceivingSiteId",
            "DefaultReceivingWarehouseId",
        )
        w.set("ReceivingSiteId", site)
        if "ReceivingWarehouseId" not in w.given:
            w.set("ReceivingWarehouseId", warehouse)
        parts = (
            "OrderedPurchaseQuantity", "PurchasePrice", "PurchasePriceQuantity", "LineDiscountAmount",
            "LineDiscountPercentage",
        )  # fmt: skip
        if "LineAmount" not in w.given and (w.creating or w.changes(*parts)):
            values = (w.get(part) for part in parts)
            w.set("LineAmount", line_amount(w.world, header.get("CurrencyCode", ""), *values))

    def _item(self, w: Write) -> Row | None:
        number = w.get("ItemNumber")
        if not number:
            if not w.get("ProcurementProductCategoryName"):
                raise must_be_filled("ItemNumber", w.table)
            return None
        item = w.related("InventTable", dataAreaId=w.home().id, ItemNumber=number)
        if item is None:
            raise not_found(w.shown.set.aot, "ItemNumber", number, "Released products")
        if w.creating and item.get("$blockedPurchase") == "Yes":
            raise blocked(number, "Purchase order", w.table)
        return item

    def _from_item(self, w: Write, header: Row, item: Row) -> None:
        w.default("PurchaseUnitSymbol", item.get("PurchaseUnitSymbol"))
        w.default("LineDescription", item.get("ProductName"))
        w.default("SalesTaxItemGroupCode", item.get("PurchaseSalesTaxItemGroupCode"))
        if "PurchasePrice" not in w.given:
            home, currency = w.home(), header.get("CurrencyCode", "")
            base = Decimal(item.get("PurchasePrice", 0)) / Decimal(item.get("PurchasePriceQuantity") or 1)
            price = converted(w.world, home, base, home.currency, currency, w.world.today)
            w.set("PurchasePrice", rounded(w.world, currency, price * Decimal(w.get("PurchasePriceQuantity") or 1)))

    def check(self, w: Write) -> None:
        if w.creating and w.get("LineNumber") <= 0:
            raise must_be_filled("LineNumber", w.table)
        header = self._header(w)
        if header.get("PurchaseOrderStatus") in ("Invoiced", "Canceled"):
            number, status = header["PurchaseOrderNumber"], header["PurchaseOrderStatus"]
            raise refused("Error", f"Purchase order {number} has the status {status} and cannot be changed.")

    def after(self, w: Write, row: Row) -> Row:
        header = self._header(w)
        if header.get("DocumentApprovalStatus") == "Confirmed":
            w.world.update("PurchTable", header, {"DocumentApprovalStatus": "Approved"})
        return row

    def check_delete(self, world: World, row: Row) -> None:
        if row.get("PurchaseOrderLineStatus") != "Backorder":
            raise refused(
                "Error", f"The purchase order line cannot be deleted: it is {row['PurchaseOrderLineStatus']}."
            )
