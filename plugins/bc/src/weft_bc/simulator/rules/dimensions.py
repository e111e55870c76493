"""Default dimensions of master records and dimension set lines of documents and journal lines."""

from __future__ import annotations

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company
from weft_bc.simulator.errors import BcError, dialog
from weft_bc.simulator.rules.base import Parent, Rules, Values, changed
from weft_bc.simulator.rules.documents import is_posted
from weft_bc.simulator.rules.kinds import DOCUMENTS
from weft_bc.simulator.schema import ZERO_GUID

PARENTS = {"Customer": "customers", "Vendor": "vendors", "Item": "items", "Employee": "employees"}
LINE_KINDS = {kind.lines: kind for kind in DOCUMENTS.values()}


class DefaultDimensionRules(Rules):
    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        if parent is not None:
            kind = next((k for k, s in PARENTS.items() if s == parent.set), "")
            if values.get("parentId", parent.row["id"]) != parent.row["id"]:
                raise dialog("You must get to the parent first to get to the default dimensions.")
            values |= {"parentId": parent.row["id"], "parentType": kind}
        if values.get("parentId", ZERO_GUID) == ZERO_GUID or values.get("parentType", "_x0020_") == "_x0020_":
            raise dialog("You must get to the parent first to get to the default dimensions.")
        if co.get(PARENTS[values["parentType"]], values["parentId"]) is None:
            raise dialog(f"Parent with the id {values['parentId']} does not exist.")
        dimension = co.get("dimensions", values.get("dimensionId", ZERO_GUID))
        if dimension is None:
            raise dialog('The "dimensionId" does not match to a Dimension.')
        values["dimensionCode"] = dimension["code"]
        self._value(co, values, dimension["id"])
        for other in co.table(name).find("parentId", values["parentId"]):
            if other["dimensionId"] == dimension["id"]:
                raise BcError(
                    co.settings.duplicate_key_status,
                    "Internal_EntityWithSameKeyExists",
                    "The record in table Default Dimension already exists. Identification fields and values: Dimension "
                    f"Code='{dimension['code']}'",
                )
        return co.insert(name, values)

    def _value(self, co: Company, values: Values, dimension_id: str) -> None:
        value_id = values.get("dimensionValueId")
        if value_id in (None, ZERO_GUID):
            if value_id == ZERO_GUID:
                values["dimensionValueCode"] = ""
            return
        value = co.get("dimensionValues", value_id)
        if value is None or value["dimensionId"] != dimension_id:
            raise dialog('The "dimensionValueId" does not match to a Dimension Value.')
        values["dimensionValueCode"] = value["code"]

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        for fixed in ("parentId", "parentType", "dimensionId"):
            if values.get(fixed, row[fixed]) != row[fixed]:
                raise dialog(f'The value for "{fixed}" cannot be modified.')
        self._value(co, values, row["dimensionId"])
        return super().modify(co, name, row, values)


class DimensionSetLineRules(Rules):
    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        if parent is None:
            raise dialog("You must get to the parent first to create a dimension set line.")
        refuse_posted(co, parent.set, parent.row)
        dimension = self._dimension(co, values)
        value = self._value(co, values, dimension)
        if any(line["id"] == dimension["id"] for line in co.table(name).find("parentId", parent.row["id"])):
            raise BcError(
                co.settings.duplicate_key_status,
                "Internal_EntityWithSameKeyExists",
                "The record in table Dimension Set Entry already exists. Identification fields and values: Dimension "
                f"Code='{dimension['code']}'",
            )
        nav = co.schema[parent.set].nav[parent.nav]
        row = co.insert(
            name,
            {
                "id": dimension["id"],
                "code": dimension["code"],
                "displayName": dimension["displayName"],
                "valueId": value["id"],
                "valueCode": value["code"],
                "valueDisplayName": value["displayName"],
                "parentId": parent.row["id"],
                "parentType": dict(nav.const)["parentType"],
                "$parentSet": parent.set,
            },
            silent=True,
        )
        touch_parent(co, parent.set, parent.row["id"])
        return row

    def _dimension(self, co: Company, values: Values) -> Row:
        by_id = co.get("dimensions", values["id"]) if values.get("id", ZERO_GUID) != ZERO_GUID else None
        by_code = co.first("dimensions", "code", values["code"]) if values.get("code") else None
        if values.get("id", ZERO_GUID) == ZERO_GUID and not values.get("code"):
            raise dialog('The "id" or "code" field must be filled in.')
        if (values.get("id", ZERO_GUID) != ZERO_GUID and by_id is None) or (values.get("code") and by_code is None):
            raise dialog("The Dimension does not exist.")
        if by_id is not None and by_code is not None and by_id["id"] != by_code["id"]:
            raise dialog("The dimension values do not match to a specific Dimension.")
        found = by_id or by_code
        if found is None:
            raise dialog("The Dimension does not exist.")
        return found

    def _value(self, co: Company, values: Values, dimension: Row) -> Row:
        value_id, code = values.get("valueId", ZERO_GUID), values.get("valueCode", "")
        if value_id == ZERO_GUID and not code:
            raise dialog('The "valueId" or "valueCode" field must be filled in.')
        options = co.table("dimensionValues").find("dimensionId", dimension["id"])
        found = [v for v in options if (value_id in (ZERO_GUID, v["id"])) and (not code or v["code"] == code)]
        if not found:
            raise dialog("The Dimension Value does not exist.")
        return found[0]

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        if values.get("code", row["code"]) != row["code"]:
            raise dialog('The "id" and "code" fields cannot be modified.')
        parent_set = row["$parentSet"]
        refuse_posted(co, parent_set, co.must(parent_set, row["parentId"]))
        dimension = co.must("dimensions", row["id"])
        value = self._value(co, values, dimension)
        new = {"valueId": value["id"], "valueCode": value["code"], "valueDisplayName": value["displayName"]}
        if not changed(row, new):
            return row
        row = co.update(name, row, new, silent=True)
        touch_parent(co, parent_set, row["parentId"])
        return row

    def remove(self, co: Company, name: str, row: Row) -> None:
        parent_set = row["$parentSet"]
        refuse_posted(co, parent_set, co.must(parent_set, row["parentId"]))
        co.delete(name, row, silent=True)
        touch_parent(co, parent_set, row["parentId"])


def refuse_posted(co: Company, parent_set: str, parent: Row) -> None:
    """Dimensions of posted documents and of ledger entries cannot be edited."""
    header, kind = parent, DOCUMENTS.get(parent_set)
    if parent_set in LINE_KINDS:
        kind = LINE_KINDS[parent_set]
        header = co.must(kind.set, parent["documentId"])
    posted = kind is not None and is_posted(kind, header)
    if posted or "C" not in co.schema[parent_set].can:
        raise dialog("The dimensions of a posted document cannot be modified.")


def touch_parent(co: Company, parent_set: str, parent_id: str) -> None:
    row = co.get(parent_set, parent_id)
    if row is None:
        return
    if parent_set in LINE_KINDS:
        kind = LINE_KINDS[parent_set]
        header = co.get(kind.set, row["documentId"])
        if header is not None:
            co.touch(kind.set, header)
    else:
        co.touch(parent_set, row)
