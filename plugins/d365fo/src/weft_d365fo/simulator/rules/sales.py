"""Sales orders and quotations with their lines."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from weft.testing.odata.store import Row
from weft_d365fo.simulator.errors import Refused, refused
from weft_d365fo.simulator.rules.amounts import due_date, line_amount, priced_per, sales_price
from weft_d365fo.simulator.rules.base import Relation, Rule, Write, must_be_filled, not_found
from weft_d365fo.simulator.rules.party import full_address
from weft_d365fo.simulator.world import World

_DELIVERY = {
    "DeliveryAddressName": "OrganizationName", "DeliveryAddressDescription": "AddressDescription",
    "DeliveryAddressStreet": "AddressStreet", "DeliveryAddressCity": "AddressCity",
    "DeliveryAddressStateId": "AddressState", "DeliveryAddressCountyId": "AddressCounty",
    "DeliveryAddressZipCode": "AddressZipCode", "DeliveryAddressCountryRegionId": "AddressCountryRegionId",
    "DeliveryAddressLocationId": "AddressLocationId",
}  # fmt: skip


def rules() -> dict[str, Rule]:
    return {
        "SalesTable": SalesOrders(),
        "SalesLine": SalesOrderLines(),
        "SalesQuotationHeadersV2": Quotations(),
        "SalesQuotationLines": QuotationLines(),
    }


def no_site() -> Refused:
    return Refused(
        ("Warning", "Inventory dimension Site is mandatory and must consequently be specified."),
        ("Error", "Update has been canceled."),
    )


def site_of(
    w: Write, site: str, warehouse: str, header: Row, header_site: str, header_warehouse: str
) -> tuple[str, str]:
    """(site, warehouse) of a line: its own, else those of the header. Raises Refused where no site is to be found."""
    own_site, own_warehouse = w.get(site), w.get(warehouse)
    if not own_warehouse and warehouse not in w.given and not own_site:
        own_warehouse = header.get(header_warehouse, "")
    if not own_site and site not in w.given:
        place = w.related("Warehouses", dataAreaId=w.home().id, WarehouseId=own_warehouse) if own_warehouse else None
        own_site = place.get("OperationalSiteId", "") if place else header.get(header_site, "")
    if not own_site:
        raise no_site()
    if own_warehouse:
        place = w.related("Warehouses", dataAreaId=w.home().id, WarehouseId=own_warehouse)
        if place is not None and place.get("OperationalSiteId") != own_site:
            raise refused("Warning", f"Warehouse {own_warehouse} does not belong to site {own_site}.")
    return own_site, own_warehouse


def blocked(item: str, purpose: str, table: str) -> Refused:
    return refused(
        "Warning",
        f"Item '{item}' is blocked for '{purpose}'.",
        f"validateWrite failed on data source '{table} ({table})'.",
    )


def check_delivery(w: Write, formatted: str) -> None:
    """A delivery address named in the body; the address of the customer else."""
    country = w.get("DeliveryAddressCountryRegionId")
    known = not country or w.related("AddressCountryRegions", CountryRegion=country) is not None
    if w.changes("DeliveryAddressCountryRegionId") and not known:
        raise not_found(w.shown.set.aot, "DeliveryAddressCountryRegionId", country, "Country/regions")
    names = {"Street": "Street", "City": "City", "State": "StateId", "ZipCode": "ZipCode",
             "CountryRegionId": "CountryRegionId"}  # fmt: skip
    w.set(formatted, full_address({field: w.get(f"DeliveryAddress{name}") for field, name in names.items()}))


class SalesOrders(Rule):
    relations = (
        Relation("OrderingCustomerAccountNumber", "CustTable", "CustomerAccount", "Customers"),
        Relation("InvoiceCustomerAccountNumber", "CustTable", "CustomerAccount", "Customers"),
        Relation("CurrencyCode", "Currencies", "CurrencyCode", "Currency", company=False),
        Relation("PaymentTermsName", "PaymentTerms", "Name", "Terms of payment"),
        Relation("CustomerPaymentMethodName", "CustomerPaymentMethods", "Name", "Methods of payment - customers"),
        Relation("DeliveryModeCode", "DeliveryModesV2", "ModeCode", "Modes of delivery"),
        Relation("DeliveryTermsCode", "DeliveryTerms", "TermsCode", "Terms of delivery"),
        Relation("SalesTaxGroupCode", "TaxGroups", "TaxGroupCode", "Sales tax group"),
        Relation("DefaultShippingSiteId", "OperationalSitesV2", "SiteId", "Sites"),
        Relation("DefaultShippingWarehouseId", "Warehouses", "WarehouseId", "Warehouses"),
        Relation("SalesOrderOriginCode", "SalesOrderOriginCodes", "OriginCode", "Sales origin"),
        Relation("SalesOrderPoolId", "SalesOrderPools", "PoolId", "Sales pools"),
        Relation("ContactPersonId", "ContactPersons", "ContactPersonId", "Contacts"),
        Relation("ProjectId", "ProjTable", "ProjectId", "Projects"),
        Relation("QuotationNumber", "SalesQuotationHeadersV2", "SalesQuotationNumber", "Sales quotations"),
        Relation("OrderTakerPersonnelNumber", "Workers", "PersonnelNumber", "Worker", company=False),
        Relation("OrderResponsiblePersonnelNumber", "Workers", "PersonnelNumber", "Worker", company=False),
    )

    def default(self, w: Write) -> None:
        if not w.creating:
            return
        w.number("SalesOrderNumber", "sales orders", "SO-{:06d}")
        account = w.get("OrderingCustomerAccountNumber")
        customer = w.related("CustTable", dataAreaId=w.home().id, CustomerAccount=account) if account else None
        if customer is None:
            return
        defaults = {
            "InvoiceCustomerAccountNumber": customer.get("InvoiceAccount") or account,
            "CurrencyCode": customer.get("SalesCurrencyCode"),
            "LanguageId": customer.get("LanguageId") or w.home().language,
            "SalesOrderName": customer.get("OrganizationName"),
            "PaymentTermsName": customer.get("PaymentTerms"),
            "CustomerPaymentMethodName": customer.get("PaymentMethod"),
            "DeliveryModeCode": customer.get("DeliveryMode"),
            "DeliveryTermsCode": customer.get("DeliveryTerms"),
            "SalesTaxGroupCode": customer.get("SalesTaxGroup"),
            "DefaultShippingSiteId": customer.get("SiteId"),
            "DefaultLedgerDimensionDisplayValue": customer.get("DefaultDimensionDisplayValue"),
            "RequestedShippingDate": w.world.today,
            "CustomerPostingProfileId": "GEN",
        }
        if "DefaultShippingSiteId" not in w.given:
            defaults["DefaultShippingWarehouseId"] = customer.get("WarehouseId")
        warehouse = w.given.get("DefaultShippingWarehouseId")
        place = w.related("Warehouses", dataAreaId=w.home().id, WarehouseId=warehouse) if warehouse else None
        if place is not None:
            defaults["DefaultShippingSiteId"] = place.get("OperationalSiteId")
        for column, value in defaults.items():
            w.default(column, value)
        if not any(w.given.get(column) for column in _DELIVERY):
            for column, source in _DELIVERY.items():
                w.default(column, customer.get(source))
        w.set("SalesOrderStatus", "Backorder")
        w.set("SalesOrderProcessingStatus", "Active")
        w.set("OrderCreationDateTime", w.world.stamp()[:19] + "Z")

    def check(self, w: Write) -> None:
        if w.row is not None and w.row.get("SalesOrderStatus") in ("Invoiced", "Canceled"):
            status = w.row["SalesOrderStatus"]
            raise refused(
                "Error", f"Sales order {w.row['SalesOrderNumber']} has the status {status} and cannot be changed."
            )
        if w.creating or w.changes("OrderingCustomerAccountNumber"):
            for column in ("OrderingCustomerAccountNumber", "InvoiceCustomerAccountNumber"):
                key = {"dataAreaId": w.home().id, "CustomerAccount": w.get(column)}
                customer = w.related("CustTable", **key)
                if customer is not None and customer.get("OnHoldStatus") in ("All", "Invoice"):
                    raise refused("Error", f"Customer {w.get(column)} is on hold for {customer['OnHoldStatus']}.")
        check_delivery(w, "FormattedDelveryAddress")

    def check_delete(self, world: World, row: Row) -> None:
        if row.get("SalesOrderStatus") != "Backorder":
            raise refused(
                "Error", f"Sales order {row['SalesOrderNumber']} cannot be deleted: it is {row['SalesOrderStatus']}."
            )

    def deleted(self, world: World, row: Row) -> None:
        for line in world.find("SalesLine", "SalesOrderNumber", row["SalesOrderNumber"], row["dataAreaId"]):
            world.delete("SalesLine", line)


class DocumentLine(Rule):
    """Lines of orders and quotations to customers."""

    header_table = ""
    header_key = ""
    header_label = ""
    account = ""
    quantity = ""
    status = ""
    purpose = ""

    def _header(self, w: Write) -> Row:
        number = w.get(self.header_key)
        header = (
            w.related(self.header_table, **{"dataAreaId": w.home().id, self.header_key: number}) if number else None
        )
        if header is None:
            if not number:
                raise must_be_filled(self.header_key, w.table)
            raise not_found(w.shown.set.aot, self.header_key, number, self.header_label)
        return header

    def default(self, w: Write) -> None:
        header = self._header(w)
        item = self._item(w)
        if w.creating:
            lot = w.world.next_number(w.home().id, "lots", "{:08d}")
            w.set("InventoryLotId", lot)
            number = header[self.header_key]
            lines = w.world.find(w.table, self.header_key, number, w.home().id)
            last = max((int(line.get("LineCreationSequenceNumber", 0)) for line in lines), default=0)
            w.default("LineCreationSequenceNumber", last + 1)
            if "LineNumber" in w.shown.columns.values():
                w.default("LineNumber", Decimal(max((line.get("LineNumber", 0) for line in lines), default=0)) // 1 + 1)
            self._fill(w, header, item)
        site, warehouse = site_of(
            w, "ShippingSiteId", "ShippingWarehouseId", header, "DefaultShippingSiteId", "DefaultShippingWarehouseId"
        )
        w.set("ShippingSiteId", site)
        if "ShippingWarehouseId" not in w.given:
            w.set("ShippingWarehouseId", warehouse)
        self._amount(w, header)

    def _item(self, w: Write) -> Row | None:
        number = w.get("ItemNumber")
        if not number:
            if not w.get("SalesProductCategoryName"):
                raise must_be_filled("ItemNumber", w.table)
            return None
        item = w.related("InventTable", dataAreaId=w.home().id, ItemNumber=number)
        if item is None:
            raise not_found(w.shown.set.aot, "ItemNumber", number, "Released products")
        if w.creating and item.get("$blockedSales") == "Yes":
            raise blocked(number, self.purpose, w.table)
        return item

    def _fill(self, w: Write, header: Row, item: Row | None) -> None:
        w.default(self.quantity, Decimal(1))
        w.default("CurrencyCode", header.get("CurrencyCode"))
        w.default("RequestedShippingDate", header.get("RequestedShippingDate"))
        w.default("SalesTaxGroupCode", header.get("SalesTaxGroupCode"))
        w.default("DeliveryModeCode", header.get("DeliveryModeCode"))
        w.default("DefaultLedgerDimensionDisplayValue", header.get("DefaultLedgerDimensionDisplayValue"))
        per = priced_per(w.world, item, "SalesPriceQuantity")
        w.default("SalesPriceQuantity", per)
        if item is not None:
            w.default("SalesUnitSymbol", item.get("SalesUnitSymbol"))
            w.default("LineDescription", item.get("ProductName"))
            w.default("SalesTaxItemGroupCode", item.get("SalesSalesTaxItemGroupCode"))
            if "SalesPrice" not in w.given:
                day = header.get("RequestedShippingDate") or w.world.today
                account, currency = header[self.account], w.get("CurrencyCode")
                price = sales_price(w.world, w.home(), item, account, currency, day)
                w.set("SalesPrice", price * Decimal(w.get("SalesPriceQuantity") or 1))
        w.set(self.status, "Backorder" if self.status == "SalesOrderLineStatus" else "Created")

    def _amount(self, w: Write, header: Row) -> None:
        """Calculated unless the amount itself is given."""
        parts = (self.quantity, "SalesPrice", "SalesPriceQuantity", "LineDiscountAmount", "LineDiscountPercentage")
        if "LineAmount" in w.given or not (w.creating or w.changes(*parts)):
            return
        quantity, price, per, discount, percent = (w.get(part) for part in parts)
        w.set(
            "LineAmount", line_amount(w.world, header.get("CurrencyCode", ""), quantity, price, per, discount, percent)
        )

    def check(self, w: Write) -> None:
        currency = self._header(w).get("CurrencyCode")
        if w.get("CurrencyCode") and currency and "CurrencyCode" in w.values and w.get("CurrencyCode") != currency:
            raise refused("Error", f"The currency of the line must be that of the order, {currency}.")


_LINE_RELATIONS = (
    Relation("SalesUnitSymbol", "UnitsOfMeasure", "UnitSymbol", "Units", company=False),
    Relation("SalesTaxGroupCode", "TaxGroups", "TaxGroupCode", "Sales tax group"),
    Relation("SalesTaxItemGroupCode", "TaxItemGroupHeadings", "TaxItemGroup", "Item sales tax group"),
    Relation("ShippingSiteId", "OperationalSitesV2", "SiteId", "Sites"),
    Relation("ShippingWarehouseId", "Warehouses", "WarehouseId", "Warehouses"),
    Relation("DeliveryModeCode", "DeliveryModesV2", "ModeCode", "Modes of delivery"),
    Relation("ProjectId", "ProjTable", "ProjectId", "Projects"),
)


class SalesOrderLines(DocumentLine):
    relations = _LINE_RELATIONS
    header_table, header_key, header_label = "SalesTable", "SalesOrderNumber", "Sales orders"
    account, quantity = "OrderingCustomerAccountNumber", "OrderedSalesQuantity"
    status, purpose = "SalesOrderLineStatus", "Sales order"

    def check(self, w: Write) -> None:
        super().check(w)
        header = self._header(w)
        if header.get("SalesOrderStatus") in ("Invoiced", "Canceled"):
            status, number = header["SalesOrderStatus"], header["SalesOrderNumber"]
            raise refused("Error", f"Sales order {number} has the status {status} and cannot be changed.")

    def after(self, w: Write, row: Row) -> Row:
        if w.world.settings.totals_calculated:
            recalculate(w.world, self._header(w))
        return row

    def check_delete(self, world: World, row: Row) -> None:
        if row.get("SalesOrderLineStatus") not in ("Backorder", "None"):
            status = row["SalesOrderLineStatus"]
            raise refused("Error", f"The sales order line cannot be deleted: it is {status}.")

    def deleted(self, world: World, row: Row) -> None:
        header = world.get("SalesTable", dataAreaId=row["dataAreaId"], SalesOrderNumber=row["SalesOrderNumber"])
        if header is not None and world.settings.totals_calculated:
            recalculate(world, header)


def recalculate(world: World, header: Row) -> Row:
    """Totals of an order out of its lines."""
    lines = world.find("SalesLine", "SalesOrderNumber", header["SalesOrderNumber"], header["dataAreaId"])
    total = sum((Decimal(line.get("LineAmount", 0)) for line in lines), Decimal(0))
    changes: dict[str, Any] = {"OrderTotalAmount": total, "AreTotalsCalculated": "Yes"}
    return world.update("SalesTable", header, changes, touch=False)


class Quotations(Rule):
    relations = (
        Relation("RequestingCustomerAccountNumber", "CustTable", "CustomerAccount", "Customers"),
        Relation("InvoiceCustomerAccountNumber", "CustTable", "CustomerAccount", "Customers"),
        Relation("CurrencyCode", "Currencies", "CurrencyCode", "Currency", company=False),
        Relation("PaymentTermsName", "PaymentTerms", "Name", "Terms of payment"),
        Relation("DeliveryModeCode", "DeliveryModesV2", "ModeCode", "Modes of delivery"),
        Relation("DeliveryTermsCode", "DeliveryTerms", "TermsCode", "Terms of delivery"),
        Relation("SalesTaxGroupCode", "TaxGroups", "TaxGroupCode", "Sales tax group"),
        Relation("DefaultShippingSiteId", "OperationalSitesV2", "SiteId", "Sites"),
        Relation("DefaultShippingWarehouseId", "Warehouses", "WarehouseId", "Warehouses"),
    )

    def default(self, w: Write) -> None:
        if not w.creating:
            return
        w.number("SalesQuotationNumber", "quotations", "QUO-{:06d}")
        account = w.get("RequestingCustomerAccountNumber")
        if not account:
            if not w.get("ProspectId"):
                raise must_be_filled("RequestingCustomerAccountNumber", "SalesQuotationTable")
            raise not_found(w.shown.set.aot, "ProspectId", w.get("ProspectId"), "Prospects")
        customer = w.related("CustTable", dataAreaId=w.home().id, CustomerAccount=account) or {}
        for column, value in {
            "InvoiceCustomerAccountNumber": customer.get("InvoiceAccount") or account,
            "CurrencyCode": customer.get("SalesCurrencyCode"),
            "LanguageId": customer.get("LanguageId") or w.home().language,
            "SalesQuotationName": customer.get("OrganizationName"),
            "PaymentTermsName": customer.get("PaymentTerms"),
            "SalesTaxGroupCode": customer.get("SalesTaxGroup"),
            "DefaultShippingSiteId": customer.get("SiteId"),
            "RequestedShippingDate": w.world.today,
            "SalesQuotationExpiryDate": due_date(w.world, w.home().id, "Net30", w.world.today),
        }.items():
            w.default(column, value)
        if "DefaultShippingSiteId" not in w.given:
            w.default("DefaultShippingWarehouseId", customer.get("WarehouseId"))
        w.set("SalesQuotationStatus", "Created")

    def check(self, w: Write) -> None:
        if w.row is not None and w.row.get("SalesQuotationStatus") not in ("Created", "Sent", "Modified", "Reset"):
            number, status = w.row["SalesQuotationNumber"], w.row["SalesQuotationStatus"]
            raise refused("Error", f"Quotation {number} has the status {status} and cannot be changed.")

    def check_delete(self, world: World, row: Row) -> None:
        if row.get("SalesQuotationStatus") == "Confirmed":
            raise refused("Error", f"Quotation {row['SalesQuotationNumber']} is confirmed and cannot be deleted.")

    def deleted(self, world: World, row: Row) -> None:
        number = row["SalesQuotationNumber"]
        for line in world.find("SalesQuotationLines", "SalesQuotationNumber", number, row["dataAreaId"]):
            world.delete("SalesQuotationLines", line)


class QuotationLines(DocumentLine):
    relations = _LINE_RELATIONS
    header_table, header_key, header_label = "SalesQuotationHeadersV2", "SalesQuotationNumber", "Sales quotations"
    account, quantity = "RequestingCustomerAccountNumber", "RequestedSalesQuantity"
    status, purpose = "SalesQuotationStatus", "Sales quotation"
