"""Items and their variants."""

from __future__ import annotations

from decimal import Decimal

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company
from weft_bc.simulator.errors import BcError, dialog
from weft_bc.simulator.rules.base import Parent, Relation, Rules, Values, changed, resolve
from weft_bc.simulator.rules.ledger import item_entry
from weft_bc.simulator.schema import ZERO_GUID

START = "1000"
RELATIONS = (
    Relation("itemCategoryId", "itemCategoryCode", "itemCategories", "Item Category"),
    Relation("taxGroupId", "taxGroupCode", "taxGroups", "Tax Group"),
    Relation("baseUnitOfMeasureId", "baseUnitOfMeasureCode", "unitsOfMeasure", "Unit of Measure"),
    Relation(
        "generalProductPostingGroupId", "generalProductPostingGroupCode", "generalProductPostingGroups",
        "General Product Posting Group",
    ),
    Relation(
        "inventoryPostingGroupId", "inventoryPostingGroupCode", "inventoryPostingGroups",
        "Inventory Posting Group",
    ),
)  # fmt: skip


class ItemRules(Rules):
    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        if "inventory" in values and values["inventory"] != 0:
            raise dialog("The inventory cannot be set when an item is created. Update the item afterwards.")
        values.pop("inventory", None)
        if not values.get("displayName", "").strip():
            raise dialog('The "displayName" cannot be blank.')
        self.check(co, values)
        while not values.get("number"):
            number = co.next_number("items", START)
            if co.first("items", "number", number) is None:
                values["number"] = number
        return co.insert(name, values)

    def check(self, co: Company, values: Values) -> None:
        for relation in RELATIONS:
            resolve(co, values, relation)
        for price in ("unitPrice", "unitCost"):
            if values.get(price, 0) < 0:
                raise dialog(f"The value of {price} must be greater than or equal to 0.")

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        if "displayName" in values and not values["displayName"].strip():
            raise dialog('The "displayName" cannot be blank.')
        if values.get("number") == "":
            raise dialog("Item No. must not be blank.")
        self.check(co, values)
        wanted = values.pop("inventory", None)
        if (
            "type" in values
            and values["type"] != row["type"]
            and co.table("itemLedgerEntries").find("itemNumber", row["number"])
        ):
            raise dialog(
                f"You cannot change the Type field on Item {row['number']} because at least one "
                "Item Ledger Entry exists."
            )
        difference = changed(row, values)
        old = row
        if difference:
            row = co.update(name, row, difference)
        if "number" in difference:
            for entry in co.table("itemLedgerEntries").find("itemNumber", old["number"]):
                co.update("itemLedgerEntries", entry, {"itemNumber": row["number"]}, silent=True, stamp=False)
        if wanted is not None and wanted != row["inventory"]:
            if row["type"] != "Inventory":
                raise dialog(
                    f"Type must be equal to 'Inventory' in Item: No.={row['number']}. Current value is '{row['type']}'."
                )
            change = Decimal(wanted) - Decimal(row["inventory"])
            row = item_entry(
                co, row, change, "Positive_x0020_Adjmt_x002E_" if change > 0 else "Negative_x0020_Adjmt_x002E_"
            )
        return row

    def remove(self, co: Company, name: str, row: Row) -> None:
        if co.table("itemLedgerEntries").find("itemNumber", row["number"]):
            raise dialog(
                f"You cannot delete Item {row['number']} because there is at least one Item Ledger Entry that "
                "includes this item."
            )
        for document_lines in (
            "salesOrderLines",
            "salesInvoiceLines",
            "purchaseOrderLines",
            "purchaseInvoiceLines",
            "salesQuoteLines",
        ):
            if co.table(document_lines).find("itemId", row["id"]):
                raise dialog(
                    f"You cannot delete Item {row['number']} because there is at least one outstanding document "
                    "that includes this item."
                )
        for variant in co.table("itemVariants").find("itemId", row["id"]):
            co.delete("itemVariants", variant, silent=True)
        co.delete(name, row)


class ItemVariantRules(Rules):
    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        item_id = parent.row["id"] if parent else values.get("itemId", ZERO_GUID)
        item = co.get("items", item_id) if item_id != ZERO_GUID else None
        if item is None and values.get("itemNumber"):
            item = co.first("items", "number", values["itemNumber"])
        if item is None:
            raise dialog("Item does not exist.")
        if values.get("itemNumber", item["number"]) != item["number"]:
            raise dialog("The item values do not match to a specific Item.")
        if not values.get("code"):
            raise dialog("Code must have a value in Item Variant. It cannot be zero or empty.")
        _unique_variant(co, item, values["code"])
        values |= {"itemId": item["id"], "itemNumber": item["number"]}
        return co.insert(name, values)

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        for fixed in ("itemId", "itemNumber"):
            if fixed in values and values[fixed] != row[fixed]:
                raise dialog(f'The value for "{fixed}" cannot be modified.')
        if values.get("code", row["code"]) != row["code"]:
            _unique_variant(co, {"id": row["itemId"], "number": row["itemNumber"]}, values["code"])
        return super().modify(co, name, row, values)


def _unique_variant(co: Company, item: Row, code: str) -> None:
    for variant in co.table("itemVariants").find("itemId", item["id"]):
        if variant["code"] == code:
            raise BcError(
                co.settings.duplicate_key_status,
                "Internal_EntityWithSameKeyExists",
                "The record in table Item Variant already exists. Identification fields and values: "
                f"Item No.='{item['number']}',Code='{code}'",
            )
