"""Lines of sales and purchase documents."""

from __future__ import annotations

from decimal import Decimal

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company, rounded
from weft_bc.simulator.errors import BcError, dialog
from weft_bc.simulator.rules.amounts import line_amounts, totals
from weft_bc.simulator.rules.base import Parent, Rules, Values, changed
from weft_bc.simulator.rules.documents import is_posted
from weft_bc.simulator.rules.kinds import DocumentKind
from weft_bc.simulator.schema import ZERO_GUID
from weft_bc.simulator.tables import table_caption

STEP = 10000
FIXED = {
    "documentId": 'The value for "documentId" cannot be modified.',
    "sequence": 'The value for "sequence" cannot be modified. Delete and insert the line again.',
    "lineObjectNumber": 'The value for "lineObjectNumber" cannot be modified.',
}
AMOUNTS = ("quantity", "unitPrice", "directUnitCost", "unitCost", "discountAmount", "discountPercent")


class LineRules(Rules):
    def __init__(self, kind: DocumentKind) -> None:
        self.kind = kind

    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        header = self.header(co, values, parent)
        values["documentId"] = header["id"]
        known = co.table(name).find("documentId", header["id"])
        taken = {line["sequence"] for line in known}
        if values.get("sequence"):
            if values["sequence"] in taken:
                raise BcError(
                    co.settings.duplicate_key_status,
                    "Internal_EntityWithSameKeyExists",
                    f"The record in table {table_caption(co.schema[name])} already exists. Identification fields and "
                    f"values: Document No.='{header['number']}',Line No.='{values['sequence']}'",
                )
        else:
            values["sequence"] = (max(taken, default=0) // STEP + 1) * STEP
        given = set(values)
        line = {**co.schema[name].blanks, **self.subject(co, header, values)}
        self.check(co, line)
        line |= {k: v for k, v in line_amounts(co, self.kind, header, line, given).items() if k in line}
        self.outstanding(line, given)
        inserted = co.insert(name, line, silent=True)
        totals(co, self.kind, header)
        return co.must(name, inserted["id"])

    def header(self, co: Company, values: Values, parent: Parent | None) -> Row:
        if parent is not None:
            header = co.get(parent.set, parent.row["id"])
        elif values.get("documentId", ZERO_GUID) != ZERO_GUID:
            header = co.get(self.kind.set, values["documentId"])
        else:
            raise dialog("You must specify an Id or a Document Id to get the lines.")
        if header is None:
            raise dialog("No document with the specified ID exists.")
        if values.get("documentId", header["id"]) != header["id"]:
            raise dialog(FIXED["documentId"])
        if is_posted(self.kind, header):
            raise dialog(f"The {self.kind.noun} has been posted and can no longer be modified.")
        return header

    def subject(self, co: Company, header: Row, values: Values) -> Values:
        """What the line is about: an item, an account or nothing; fills description, unit, price."""
        item_id, account_id = values.get("itemId", ZERO_GUID), values.get("accountId", ZERO_GUID)
        number = values.get("lineObjectNumber", "")
        if item_id != ZERO_GUID and account_id != ZERO_GUID:
            raise dialog('Both "itemId" and "accountId" are specified. Specify only one of them.')
        kind = values.get("lineType")
        if kind is None:
            kind = "Item" if item_id != ZERO_GUID or number else "Account" if account_id != ZERO_GUID else "Comment"
        filled: Values = {"lineType": kind, "taxCode": ""}
        if kind == "Item":
            item = (
                co.get("items", item_id)
                if item_id != ZERO_GUID
                else co.first("items", "number", number)
                if number
                else None
            )
            if item is None:
                raise dialog("Item does not exist.")
            if number and number != item["number"]:
                raise dialog("The item values do not match to a specific Item.")
            filled |= self.from_item(co, header, item, values)
        elif kind == "Account":
            account = (
                co.get("accounts", account_id) if account_id != ZERO_GUID else co.first("accounts", "number", number)
            )
            if account is None:
                raise dialog("Account does not exist.")
            if account["accountType"] != "Posting" or account["blocked"] or not account["directPosting"]:
                raise dialog(
                    f"Direct Posting must be equal to 'Yes' in G/L Account: No.={account['number']}. "
                    "Current value is 'No'."
                )
            filled |= {
                "accountId": account["id"],
                "lineObjectNumber": account["number"],
                "description": account["displayName"],
            }
        elif kind == "Comment":
            if item_id != ZERO_GUID or account_id != ZERO_GUID or any(values.get(name, 0) for name in AMOUNTS):
                raise dialog("Type must not be Comment when the line has a number, a quantity or an amount.")
        elif not number:
            raise dialog("No. must have a value in the line. It cannot be zero or empty.")
        else:
            raise dialog(
                f"The {kind.replace('_x0020_', ' ')} does not exist. Identification fields and values: No.='{number}'"
            )
        if kind != "Item" and (
            values.get("unitOfMeasureId", ZERO_GUID) != ZERO_GUID or values.get("unitOfMeasureCode")
        ):
            raise dialog("The unit of measure can be specified for lines of type Item only.")
        return {
            **filled,
            **values,
            **{k: filled[k] for k in ("itemId", "accountId", "lineObjectNumber") if k in filled},
        }

    def from_item(self, co: Company, header: Row, item: Row, values: Values) -> Values:
        if item["blocked"]:
            raise dialog(f"Blocked must be equal to 'No' in Item: No.={item['number']}. Current value is 'Yes'.")
        unit_id, unit_code = item["baseUnitOfMeasureId"], item["baseUnitOfMeasureCode"]
        unit = None
        if values.get("unitOfMeasureId", ZERO_GUID) != ZERO_GUID:
            unit = co.get("unitsOfMeasure", values["unitOfMeasureId"])
            if unit is None:
                raise dialog('The "unitOfMeasureId" does not match to a Unit of Measure.')
        if values.get("unitOfMeasureCode"):
            by_code = co.first("unitsOfMeasure", "code", values["unitOfMeasureCode"])
            if by_code is None:
                raise dialog('The "unitOfMeasureCode" does not match to a Unit of Measure.')
            if unit is not None and unit["id"] != by_code["id"]:
                raise dialog("The unit of measure values do not match to a specific Unit of Measure.")
            unit = by_code
        if unit is not None:
            values["unitOfMeasureId"], values["unitOfMeasureCode"] = unit["id"], unit["code"]
        if values.get("itemVariantId", ZERO_GUID) != ZERO_GUID:
            variant = co.get("itemVariants", values["itemVariantId"])
            if variant is None or variant["itemId"] != item["id"]:
                raise dialog('The "itemVariantId" does not match to an Item Variant.')
        if values.get("locationId", ZERO_GUID) != ZERO_GUID and co.get("locations", values["locationId"]) is None:
            raise dialog('The "locationId" does not match to a Location.')
        date = header.get("postingDate") or co.today
        price = Decimal(item["unitPrice"] if self.kind.sales else item["unitCost"])
        rate = co.rate(header["currencyCode"], date)
        return {
            "itemId": item["id"],
            "lineObjectNumber": item["number"],
            "description": item["displayName"],
            "description2": item.get("displayName2", ""),
            "unitOfMeasureId": unit_id,
            "unitOfMeasureCode": unit_code,
            self.kind.price: rounded(price / rate, Decimal("0.00001")),
            "taxCode": item["taxGroupCode"],
        }

    def check(self, co: Company, line: Values) -> None:
        percent = line["discountPercent"]
        if percent < 0 or percent > 100:
            raise dialog("Line Discount % must be between 0 and 100.")
        if line["taxCode"] and co.first("taxGroups", "code", line["taxCode"]) is None:
            raise dialog(f"The Tax Group does not exist. Identification fields and values: Code='{line['taxCode']}'")

    def outstanding(self, line: Values, given: set[str]) -> None:
        """Orders: what is still to be shipped and invoiced follows the quantity unless it was written."""
        for pending, done in (
            ("shipQuantity", "shippedQuantity"),
            ("receiveQuantity", "receivedQuantity"),
            ("invoiceQuantity", "invoicedQuantity"),
        ):
            if pending not in line:
                continue
            left = Decimal(line["quantity"]) - Decimal(line[done])
            if pending not in given:
                line[pending] = left
            elif abs(line[pending]) > abs(left):
                word = {"s": "ship", "r": "receive", "i": "invoice"}[pending[0]]
                raise dialog(f"You cannot {word} more than {left} units.")

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        for fixed, text in FIXED.items():
            if fixed in values and values[fixed] != row[fixed]:
                raise dialog(text)
        header = self.header(co, {"documentId": row["documentId"]}, None)
        difference = changed(row, values)
        if not difference:
            return row
        if {"itemId", "accountId", "lineType"} & set(difference):
            subject = {k: v for k, v in difference.items() if k != "lineObjectNumber"}
            filled = {**row, **self.subject(co, header, subject)}
        elif row["lineType"] == "Item":
            self.from_item(co, header, co.must("items", row["itemId"]), difference)
            filled = {**row, **difference}
        else:
            filled = {**row, **difference}
            if row["lineType"] == "Comment" and any(filled.get(amount, 0) for amount in AMOUNTS):
                raise dialog("Type must not be Comment when the line has a number, a quantity or an amount.")
        self.check(co, filled)
        given = set(difference)
        filled |= {k: v for k, v in line_amounts(co, self.kind, header, filled, given).items() if k in filled}
        if "quantity" in given or given & {"shipQuantity", "receiveQuantity", "invoiceQuantity"}:
            kept = {
                k
                for k in ("shipQuantity", "receiveQuantity", "invoiceQuantity")
                if k in given or "quantity" not in given
            }
            self.outstanding(filled, kept)
        co.update(name, row, changed(row, filled), silent=True)
        totals(co, self.kind, header)
        return co.must(name, row["id"])

    def remove(self, co: Company, name: str, row: Row) -> None:
        header = self.header(co, {"documentId": row["documentId"]}, None)
        for dimension in co.table("dimensionSetLines").find("parentId", row["id"]):
            co.delete("dimensionSetLines", dimension, silent=True)
        co.delete(name, row, silent=True)
        totals(co, self.kind, header)
