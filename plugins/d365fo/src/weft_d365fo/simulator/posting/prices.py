"""A trade agreement journal is posted: its lines leave the open ones, and are agreements in force."""

from __future__ import annotations

from weft.testing.odata.store import Row
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.rules.price_journals import HEADERS, LINES, lines_of, posted
from weft_d365fo.simulator.views import RECID
from weft_d365fo.simulator.world import Company, World

AGREEMENTS = "SalesPriceAgreements"
_SAME = (
    "ItemNumber", "PriceCurrencyCode", "PriceCustomerGroupCode", "CustomerAccountNumber", "Price", "SalesPriceQuantity",
    "FromQuantity", "ToQuantity", "PriceApplicableFromDate", "PriceApplicableToDate", "PriceSiteId", "PriceWarehouseId",
    "ProductColorId", "ProductSizeId", "ProductStyleId", "ProductVersionId", "WillSearchContinue",
)  # fmt: skip


def post(world: World, home: Company, header: Row) -> Row:
    """Gives the header as it then is. Raises Refused."""
    number = header["JournalNumber"]
    if header.get("Posted") == "Yes":
        raise posted(number)
    lines = lines_of(world, home.id, number)
    if not lines:
        raise refused("Error", f"Journal {number} has no lines.")
    for line in lines:
        recid = world.next_recid()
        product = world.get("InventTable", dataAreaId=home.id, ItemNumber=line["ItemNumber"]) or {}
        values = {name: line[name] for name in _SAME if name in line}
        values |= {
            "dataAreaId": home.id, RECID: recid, "RecordId": recid, "ProductNumber": product.get("ProductNumber", ""),
            "QuantityUnitySymbol": line.get("QuantityUnitSymbol", ""),
            "ProductconfigurationId": line.get("ProductConfigurationId", ""),
        }  # fmt: skip
        world.insert(AGREEMENTS, values)
        world.delete(LINES, line)
    return world.update(HEADERS, header, {"Posted": "Yes", "PostedDate": world.today})
