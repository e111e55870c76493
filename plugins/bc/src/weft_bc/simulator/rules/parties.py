"""Customers, vendors, contacts, employees and projects."""

from __future__ import annotations

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company
from weft_bc.simulator.errors import BcError, dialog
from weft_bc.simulator.rules.base import (
    CURRENCY,
    PAYMENT_METHOD,
    PAYMENT_TERMS,
    SHIPMENT_METHOD,
    TAX_AREA,
    Parent,
    Rules,
    Values,
    changed,
    check_code,
    resolve,
)

START = {
    "customers": "C00000",
    "vendors": "V00000",
    "contacts": "CT000000",
    "employees": "E0000",
    "projects": "PR00000",
}
CAPTION = {
    "customers": "Customer",
    "vendors": "Vendor",
    "contacts": "Contact",
    "employees": "Employee",
    "projects": "Job",
}
_RELATIONS = {
    "customers": (CURRENCY, PAYMENT_TERMS, SHIPMENT_METHOD, PAYMENT_METHOD, TAX_AREA),
    "vendors": (CURRENCY, PAYMENT_TERMS, PAYMENT_METHOD),
    "contacts": (),
    "employees": (),
    "projects": (),
}
_DOCUMENTS = {
    "customers": ("customerNumber", ("salesQuotes", "salesOrders", "salesInvoices", "salesCreditMemos")),
    "vendors": ("vendorNumber", ("purchaseOrders", "purchaseInvoices", "purchaseCreditMemos")),
}


def number_for(co: Company, name: str, values: Values) -> None:
    """Draw the number from the series when none was given; skips numbers that people chose by hand."""
    while not values.get("number"):
        number = co.next_number(name, START[name])
        if co.first(name, "number", number) is None:
            values["number"] = number


def blank_name() -> BcError:
    return dialog('The "displayName" cannot be blank.')


class PartyRules(Rules):
    """Customers and vendors."""

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, co: Company, values: Values) -> None:
        for relation in _RELATIONS[self.name]:
            resolve(co, values, relation)
        caption = CAPTION[self.name]
        check_code(co, values, "country", "countriesRegions", "Country/Region Code", caption, "Country/Region")
        if self.name == "customers":
            check_code(
                co, values, "salespersonCode", "salespeoplePurchasers", "Salesperson Code", caption,
                "Salesperson/Purchaser",
            )  # fmt: skip
            if values.get("creditLimit", 0) < 0:
                raise dialog("Credit Limit (LCY) must not be negative.")
        email = values.get("email")
        if email and any("@" not in part or " " in part.strip() for part in email.split(";")):
            raise dialog(f'The email address "{email}" is not valid.')

    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        if not values.get("displayName", "").strip():
            raise blank_name()
        self.check(co, values)
        values.setdefault("currencyCode", co.lcy)
        number_for(co, name, values)
        return co.insert(name, values)

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        if "displayName" in values and not values["displayName"].strip():
            raise blank_name()
        if values.get("number") == "":
            raise dialog(f"{CAPTION[name]} No. must not be blank.")
        self.check(co, values)
        difference = changed(row, values)
        if not difference:
            return row
        updated = co.update(name, row, difference)
        if "number" in difference:
            self.rename(co, row["number"], updated)
        return updated

    def rename(self, co: Company, old: str, row: Row) -> None:
        """A new number reaches every document that names the party."""
        if self.name not in _DOCUMENTS:
            return
        column, sets = _DOCUMENTS[self.name]
        for document_set in sets:
            for document in co.table(document_set).find(column, old):
                co.update(document_set, document, {column: row["number"]}, silent=True, stamp=False)

    def remove(self, co: Company, name: str, row: Row) -> None:
        caption = CAPTION[name]
        if name in _DOCUMENTS:
            column, sets = _DOCUMENTS[name]
            for document_set in sets:
                if co.table(document_set).find(column, row["number"]):
                    raise dialog(
                        f"You cannot delete {caption} {row['number']} because there is at least one outstanding "
                        f"document for this {caption.lower()}."
                    )
            if co.tables["$ledger"].find("partyId", row["id"]):
                raise dialog(
                    f"You cannot delete {caption} {row['number']} because it has ledger entries in a fiscal year "
                    "that has not been closed yet."
                )
        for dimension in co.table("defaultDimensions").find("parentId", row["id"]):
            co.delete("defaultDimensions", dimension, silent=True)
        co.delete(name, row)


class ContactRules(PartyRules):
    def __init__(self) -> None:
        super().__init__("contacts")

    def check(self, co: Company, values: Values) -> None:
        super().check(co, values)
        if values.get("companyNumber"):
            company = co.first("contacts", "number", values["companyNumber"])
            if company is None:
                raise dialog(
                    f"The Contact does not exist. Identification fields and values: No.='{values['companyNumber']}'"
                )
            values["companyName"] = company["displayName"]

    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        self.check(co, values)
        number_for(co, name, values)
        values.setdefault("searchName", values.get("displayName", "").upper())
        if values.get("type", "Company") == "Company":
            values["companyNumber"], values["companyName"] = values["number"], values.get("displayName", "")
        return co.insert(name, values)

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        self.check(co, values)
        difference = changed(row, values)
        if "displayName" in difference:
            difference.setdefault("searchName", difference["displayName"].upper())
            if row["type"] == "Company":
                difference["companyName"] = difference["displayName"]
        return co.update(name, row, difference) if difference else row


class EmployeeRules(PartyRules):
    def __init__(self) -> None:
        super().__init__("employees")

    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        self.check(co, values)
        number_for(co, name, values)
        values["displayName"] = _full_name(values)
        return co.insert(name, values)

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        self.check(co, values)
        difference = changed(row, values)
        if difference:
            difference["displayName"] = _full_name({**row, **difference})
            return co.update(name, row, difference)
        return row


class ProjectRules(PartyRules):
    def __init__(self) -> None:
        super().__init__("projects")

    def check(self, co: Company, values: Values) -> None:
        return

    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        number_for(co, name, values)
        return co.insert(name, values)

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        return Rules.modify(self, co, name, row, values)


def _full_name(values: Values) -> str:
    return " ".join(part for key in ("givenName", "middleName", "surname") if (part := values.get(key, "")))
