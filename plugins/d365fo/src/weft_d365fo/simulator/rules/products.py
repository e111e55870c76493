"""Products: the shared product, its release to a company, translations, prices."""

from __future__ import annotations

from weft.testing.odata.store import Row
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.rules.base import Relation, Rule, Write, must_be_filled, not_found
from weft_d365fo.simulator.views import RECID
from weft_d365fo.simulator.world import World

GROUPS = ("StorageDimensionGroupName", "TrackingDimensionGroupName")
UNITS = ("InventoryUnitSymbol", "SalesUnitSymbol", "PurchaseUnitSymbol", "BOMUnitSymbol")


def rules() -> dict[str, Rule]:
    return {
        "EcoResProduct": SharedProducts(),
        "InventTable": ReleasedProducts(),
        "ProductTranslations": Translations(),
        "SalesPriceAgreements": Prices("CustomerAccountNumber", "CustTable", "CustomerAccount", "Customers"),
        "PurchasePriceAgreements": Prices("VendorAccountNumber", "VendTable", "VendorAccountNumber", "Vendors"),
    }


def show_name(world: World, product: Row) -> None:
    """Released products show the name of the shared product; their own table is not touched."""
    for released in world.find("InventTable", "ProductNumber", product["ProductNumber"]):
        changes = {name: product.get(name, "") for name in ("ProductName", "ProductDescription")}
        world.update("InventTable", released, changes, touch=False)


class SharedProducts(Rule):
    """ProductsV2."""

    def default(self, w: Write) -> None:
        if w.creating:
            if not w.given.get("ProductNumber"):
                w.set("ProductNumber", w.world.next_number("dat", "shared products", "P{:06d}"))
            w.default("ProductSubType", "Product")
            w.default("ProductSearchName", (w.given.get("ProductName") or w.get("ProductNumber"))[:20])
            w.default("ProductName", w.get("ProductSearchName"))

    def after(self, w: Write, row: Row) -> Row:
        if w.changes("ProductName", "ProductDescription") or not w.creating:
            show_name(w.world, row)
        return row

    def check_delete(self, world: World, row: Row) -> None:
        if world.find("InventTable", "ProductNumber", row["ProductNumber"]):
            raise refused("Error", "Products cannot be deleted while dependent Released products exist.")


class ReleasedProducts(Rule):
    """ReleasedProductCreationsV2 makes the shared product too; ReleasedProductsV2 releases one that exists."""

    relations = (
        Relation("ProductGroupId", "ProductGroups", "GroupId", "Item groups"),
        Relation("InventoryUnitSymbol", "UnitsOfMeasure", "UnitSymbol", "Units", company=False),
        Relation("SalesUnitSymbol", "UnitsOfMeasure", "UnitSymbol", "Units", company=False),
        Relation("PurchaseUnitSymbol", "UnitsOfMeasure", "UnitSymbol", "Units", company=False),
        Relation("BOMUnitSymbol", "UnitsOfMeasure", "UnitSymbol", "Units", company=False),
        Relation("SalesSalesTaxItemGroupCode", "TaxItemGroupHeadings", "TaxItemGroup", "Item sales tax group"),
        Relation("PurchaseSalesTaxItemGroupCode", "TaxItemGroupHeadings", "TaxItemGroup", "Item sales tax group"),
        Relation("PrimaryVendorAccountNumber", "VendTable", "VendorAccountNumber", "Vendors"),
    )

    def default(self, w: Write) -> None:
        if not w.creating:
            return
        makes = w.shown.set.name == "ReleasedProductCreationsV2"
        if makes:
            w.number("ItemNumber", "products", "I{:06d}")
            w.default("ProductNumber", w.get("ItemNumber"))
        product = w.related("EcoResProduct", ProductNumber=w.get("ProductNumber")) if w.get("ProductNumber") else None
        if product is None:
            if not makes:
                if w.get("ProductNumber"):
                    raise not_found(w.shown.set.aot, "ProductNumber", w.get("ProductNumber"), "Products")
                return
            product = self._product(w)
        for name in ("ProductName", "ProductDescription", "ProductType", "ProductSubType", "ProductSearchName"):
            w.set(name, product.get(name, ""))
        for name in GROUPS:
            w.default(name, product.get(name))
        w.default("SearchName", w.get("ProductSearchName") or w.get("ItemNumber")[:20])
        group = w.related("ProductGroups", dataAreaId=w.home().id, GroupId=w.get("ProductGroupId"))
        if group is not None:
            w.default("SalesSalesTaxItemGroupCode", group.get("DefaultSalesSalesTaxItemGroupCode"))
            w.default("PurchaseSalesTaxItemGroupCode", group.get("DefaultPurchaseSalesTaxItemGroupCode"))
        unit = next((w.given[name] for name in UNITS if w.given.get(name)), "ea")
        for name in UNITS:
            w.default(name, unit)
        w.default("SalesPriceQuantity", 1)
        w.default("PurchasePriceQuantity", 1)
        w.default("UnitCostQuantity", 1)

    def _product(self, w: Write) -> Row:
        if not w.get("ProductType") or "ProductType" not in w.values:
            raise must_be_filled("ProductType", "EcoResProduct")
        name = w.given.get("ProductName") or w.get("ProductNumber")
        return w.world.insert(
            "EcoResProduct",
            {
                "ProductNumber": w.get("ProductNumber"),
                "ProductName": name,
                "ProductDescription": w.given.get("ProductDescription", ""),
                "ProductSearchName": (w.given.get("ProductSearchName") or name)[:20],
                "ProductType": w.get("ProductType"),
                "ProductSubType": w.given.get("ProductSubType") or "Product",
                "StorageDimensionGroupName": w.given.get("StorageDimensionGroupName", ""),
                "TrackingDimensionGroupName": w.given.get("TrackingDimensionGroupName", ""),
            },
        )

    def check(self, w: Write) -> None:
        if w.creating and w.shown.set.name == "ReleasedProductCreationsV2":
            for name in ("ItemModelGroupId", "ProductGroupId", *GROUPS):
                if not w.get(name):
                    raise must_be_filled(name, "InventTable")
        for name in ("SalesPrice", "PurchasePrice", "UnitCost"):
            if w.changes(name):
                w.default(f"{name}Date", w.world.today)

    def check_delete(self, world: World, row: Row) -> None:
        if world.find("SalesLine", "ItemNumber", row["ItemNumber"], row["dataAreaId"]):
            raise refused("Error", "Released products cannot be deleted while dependent Order lines exist.")


class Translations(Rule):
    def check(self, w: Write) -> None:
        if w.related("EcoResProduct", ProductNumber=w.get("ProductNumber")) is None:
            raise not_found(w.shown.set.aot, "ProductNumber", w.get("ProductNumber"), "Products")


class Prices(Rule):
    """Price agreements; active ones come from posted trade agreement journals, so clients only read them."""

    def __init__(self, column: str, table: str, other: str, label: str) -> None:
        self.relations = (
            Relation("ItemNumber", "InventTable", "ItemNumber", "Items"),
            Relation("PriceCurrencyCode", "Currencies", "CurrencyCode", "Currency", company=False),
            Relation(column, table, other, label),
        )

    def default(self, w: Write) -> None:
        if not w.world.settings.prices_writable:
            raise refused("Error", "Price agreements come from posted trade agreement journals and cannot be edited.")
        if w.creating:
            recid = w.world.next_recid()
            w.set(RECID, recid)
            w.set("RecordId", recid)

    def check_delete(self, world: World, row: Row) -> None:
        if not world.settings.prices_writable:
            raise refused("Error", "Price agreements come from posted trade agreement journals and cannot be edited.")
