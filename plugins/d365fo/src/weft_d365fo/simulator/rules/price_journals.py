"""Trade agreement journals of sales prices: what is entered takes effect when somebody posts the journal."""

from __future__ import annotations

from weft.testing.odata.store import Row
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.rules.base import Relation, Rule, Write, must_be_filled, not_found
from weft_d365fo.simulator.world import World

HEADERS, LINES = "TradeAgreementJournalHeaders", "OpenSalesPriceJournalLinesV2"
NUMBER = "TradeAgreementJournalNumber"


def rules() -> dict[str, Rule]:
    return {HEADERS: PriceJournals(), LINES: PriceLines()}


def lines_of(world: World, company: str, number: str) -> list[Row]:
    return sorted(world.find(LINES, NUMBER, number, company), key=lambda row: row["LineNumber"])


def posted(number: str) -> Exception:
    return refused("Error", f"Journal {number} has been posted and cannot be changed.")


class PriceJournals(Rule):
    relations = (
        Relation(
            "TradeAgreementJournalNameId", "TradeAgreementJournalNames", "TradeAgreementJournalNameId",
            "Trade agreement journal names",
        ),
    )  # fmt: skip

    def default(self, w: Write) -> None:
        if not w.creating:
            return
        w.number("JournalNumber", "price journals", "{:06d}")
        w.set("Posted", "No")
        name = w.given.get("TradeAgreementJournalNameId", "")
        key = {"dataAreaId": w.home().id, "TradeAgreementJournalNameId": name}
        row = w.related("TradeAgreementJournalNames", **key) if name else None
        if row is not None:
            w.default("JournalDescription", row.get("DefaultJournalDescription"))
            w.default("DefaultTradeAgreementType", row.get("DefaultTradeAgreementType"))

    def check(self, w: Write) -> None:
        if w.row is not None and w.row.get("Posted") == "Yes":
            raise posted(w.row["JournalNumber"])
        if not w.get("TradeAgreementJournalNameId"):
            raise must_be_filled("TradeAgreementJournalNameId", HEADERS)

    def check_delete(self, world: World, row: Row) -> None:
        if row.get("Posted") == "Yes":
            raise posted(row["JournalNumber"])
        if lines_of(world, row["dataAreaId"], row["JournalNumber"]):
            words = "Trade agreement journals cannot be deleted while dependent Journal lines exist."
            raise refused("Error", words)


class PriceLines(Rule):
    relations = (
        Relation("ItemNumber", "InventTable", "ItemNumber", "Items"),
        Relation("PriceCurrencyCode", "Currencies", "CurrencyCode", "Currency", company=False),
        Relation("PriceCustomerGroupCode", "PriceCustomerGroups", "GroupCode", "Price customer groups"),
        Relation("CustomerAccountNumber", "CustTable", "CustomerAccount", "Customers"),
        Relation("QuantityUnitSymbol", "UnitsOfMeasure", "UnitSymbol", "Units", company=False),
    )

    def default(self, w: Write) -> None:
        number = w.get(NUMBER)
        if not number:
            raise must_be_filled(NUMBER, LINES)
        header = w.related(HEADERS, dataAreaId=w.home().id, JournalNumber=number)
        if header is None:
            raise not_found(w.shown.set.aot, NUMBER, number, "Trade agreement journals")
        if header.get("Posted") == "Yes":
            raise posted(number)
        if w.creating:
            item = w.related("InventTable", dataAreaId=w.home().id, ItemNumber=w.get("ItemNumber"))
            w.default("QuantityUnitSymbol", (item or {}).get("SalesUnitSymbol"))
            w.default("SalesPriceQuantity", 1)

    def check(self, w: Write) -> None:
        for name in ("ItemNumber", "PriceCurrencyCode", "QuantityUnitSymbol"):
            if not w.get(name):
                raise must_be_filled(name, LINES)
