"""Headers of sales and purchase documents."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company
from weft_bc.simulator.errors import BcError, dialog
from weft_bc.simulator.rules.amounts import line_amounts, totals
from weft_bc.simulator.rules.base import (
    CURRENCY,
    PAYMENT_TERMS,
    SHIPMENT_METHOD,
    Parent,
    Rules,
    Values,
    changed,
    check_code,
    resolve,
)
from weft_bc.simulator.rules.kinds import DocumentKind
from weft_bc.simulator.rules.terms import DateFormula
from weft_bc.simulator.schema import NO_DATE, ZERO_GUID

DRAFT = ("Draft", "In_x0020_Review", "_x0020_")
ON_POSTED = frozenset({"promisedPayDate", "disputeStatus", "disputeStatusId"})
_ADDRESS = {
    "AddressLine1": "addressLine1", "AddressLine2": "addressLine2", "City": "city", "Country": "country",
    "State": "state", "PostCode": "postalCode",
}  # fmt: skip


def is_posted(kind: DocumentKind, row: Row) -> bool:
    """Only invoices and credit memos are ever posted in place."""
    return kind.posted_start != "" and row["status"] not in DRAFT


class DocumentRules(Rules):
    def __init__(self, kind: DocumentKind) -> None:
        self.kind = kind

    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        kind = self.kind
        party = self.party(co, values, kind.party_name, None)
        if party is None:
            first = f"{kind.party_name}Number"
            second = f"{kind.party_name}{'Id' if kind.sales else 'ID'}"
            raise dialog(f'A "{first}" or a "{second}" must be provided.')
        self.refuse_blocked(co, party)
        filled = self.from_party(co, party)
        payer_key = f"{kind.pay}{kind.party_name.capitalize()}"
        payer = self.party(co, values, payer_key, None) or party
        filled |= self.from_payer(co, payer)
        given = dict(values)
        self.resolve(co, given)
        filled |= given
        self.dates(co, filled, given)
        filled["status"] = "Draft"
        number = co.next_number(name, kind.start)
        filled["number"] = number
        if name == "salesInvoices" or name == "purchaseInvoices":
            filled["remainingAmount"] = Decimal(0)
        filled = {key: value for key, value in filled.items() if key in co.schema[name].properties}
        return co.insert(name, filled)

    # The partner

    def party(self, co: Company, values: Values, prefix: str, row: Row | None) -> Row | None:
        """Who ``{prefix}Id`` and ``{prefix}Number`` name; both given and different are refused."""
        kind = self.kind
        given_id, number = values.get(f"{prefix}Id"), values.get(f"{prefix}Number")
        pays = prefix.startswith(kind.pay)
        role = (
            ("bill-to customer" if pays else "sell-to customer")
            if kind.sales
            else ("pay-to vendor" if pays else "vendor")
        )
        found = None
        if given_id not in (None, ZERO_GUID):
            found = co.get(kind.party, given_id)
            if found is None:
                raise dialog(f"The {role} cannot be found.")
        if number:
            by_number = co.first(kind.party, "number", number)
            if by_number is None:
                raise dialog(f"The {role} cannot be found.")
            if found is not None and found["id"] != by_number["id"]:
                raise dialog(f"The {role} values do not match to a specific {'Customer' if kind.sales else 'Vendor'}.")
            found = by_number
        if found is not None:
            values[f"{prefix}Id"], values[f"{prefix}Number"] = found["id"], found["number"]
        return found

    def refuse_blocked(self, co: Company, party: Row) -> None:
        blocked = party["blocked"]
        word = "Customer" if self.kind.sales else "Vendor"
        stops = blocked == "All" or (blocked == "Invoice" and self.kind.noun != "credit memo")
        if stops or (blocked == "Ship" and self.kind.noun == "order"):
            raise dialog(
                f"You cannot create this type of document when {word} {party['number']} is blocked with type {blocked}"
            )

    def from_party(self, co: Company, party: Row) -> Values:
        kind = self.kind
        filled: Values = {
            f"{kind.party_name}Id": party["id"],
            f"{kind.party_name}Number": party["number"],
            f"{kind.party_name}Name": party["displayName"],
            "phoneNumber": party["phoneNumber"],
            "email": party["email"],
            "pricesIncludeTax": False,
        }
        for suffix, source in _ADDRESS.items():
            filled[f"{kind.side}{suffix}"] = party[source]
        if kind.sales:
            filled["shipToName"] = party["displayName"]
            filled["salesperson"] = party.get("salespersonCode", "")
            filled["shipmentMethodId"] = party["shipmentMethodId"]
            for suffix, source in _ADDRESS.items():
                filled[f"shipTo{suffix}"] = party[source]
        else:
            own = next(iter(co.table("companyInformation")), None)
            if own is not None:
                filled["shipToName"] = own["displayName"]
                for suffix, source in _ADDRESS.items():
                    filled[f"shipTo{suffix}"] = own[source]
        return filled

    def from_payer(self, co: Company, payer: Row) -> Values:
        kind = self.kind
        prefix = f"{kind.pay}{kind.party_name.capitalize()}"
        filled: Values = {
            f"{prefix}Id": payer["id"],
            f"{prefix}Number": payer["number"],
            f"{kind.pay}Name": payer["displayName"],
            "currencyId": payer["currencyId"],
            "currencyCode": payer["currencyCode"] or co.lcy,
            "paymentTermsId": payer["paymentTermsId"],
        }
        for suffix, source in _ADDRESS.items():
            filled[f"{kind.pay}{suffix}"] = payer[source]
        return filled

    # Other fields

    def resolve(self, co: Company, values: Values) -> None:
        for relation in (CURRENCY, PAYMENT_TERMS, SHIPMENT_METHOD):
            resolve(co, values, relation)
        for prefix in (self.kind.side, self.kind.pay, "shipTo"):
            check_code(
                co, values, f"{prefix}Country", "countriesRegions", f"{prefix} Country/Region Code",
                self.kind.table, "Country/Region",
            )  # fmt: skip
        for person in ("salesperson", "purchaser"):
            check_code(
                co, values, person, "salespeoplePurchasers", f"{person.capitalize()} Code", self.kind.table,
                "Salesperson/Purchaser",
            )  # fmt: skip
        if values.get("discountAmount", 0) < 0:
            raise dialog("The invoice discount amount must not be negative.")
        for index in (1, 2):
            code = values.get(f"shortcutDimension{index}Code")
            if code and co.first("dimensionValues", "code", code) is None:
                raise dialog(f"The Dimension Value does not exist. Identification fields and values: Code='{code}'")
        if values.get("invoiceId", ZERO_GUID) != ZERO_GUID:
            invoices = "salesInvoices" if self.kind.sales else "purchaseInvoices"
            invoice = co.get(invoices, values["invoiceId"])
            if invoice is None or invoice["status"] in DRAFT:
                raise dialog(
                    'The "invoiceId" should be set to the ID of an Open, Paid, Corrective, or Canceled Invoice.'
                )
            if values.get("invoiceNumber", invoice["number"]) != invoice["number"]:
                raise dialog("The invoice values do not match to a specific Invoice.")
            values["invoiceNumber"] = invoice["number"]

    def dates(self, co: Company, filled: Values, given: Values) -> None:
        today = co.today
        for name in (self.kind.date, "postingDate"):
            if filled.get(name, NO_DATE) == NO_DATE:
                filled[name] = today
        if given.get("dueDate", NO_DATE) == NO_DATE:
            filled["dueDate"] = self.due(co, filled)

    def due(self, co: Company, row: Values) -> str:
        """From the document date by the terms' formula."""
        terms = co.get("paymentTerms", row["paymentTermsId"]) if row.get("paymentTermsId") else None
        day = dt.date.fromisoformat(row[self.kind.date])
        if terms is None or not terms["dueDateCalculation"] or self.kind.noun == "credit memo":
            return day.isoformat()
        return DateFormula.parse(terms["dueDateCalculation"], "dueDateCalculation").after(day).isoformat()

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        kind = self.kind
        if is_posted(kind, row):
            refused = [key for key in changed(row, values) if key not in ON_POSTED]
            if refused:
                raise dialog(f"The {kind.noun} has been posted and can no longer be modified.")
        for prefix in (kind.party_name, f"{kind.pay}{kind.party_name.capitalize()}"):
            named = self.party(co, values, prefix, row)
            if named is not None and named["id"] != row.get(f"{prefix}Id"):
                values |= self.from_party(co, named) if prefix == kind.party_name else self.from_payer(co, named)
        self.resolve(co, values)
        values = {key: value for key, value in values.items() if key in co.schema[name].properties}
        difference = changed(row, values)
        if not difference:
            return row
        if (
            ("paymentTermsId" in difference or kind.date in difference)
            and "dueDate" not in difference
            and "dueDate" in row
        ):
            difference["dueDate"] = self.due(co, {**row, **difference})
        row = co.update(name, row, difference)
        if {"discountAmount", "currencyCode", "pricesIncludeTax", f"{kind.party_name}Id"} & set(difference):
            for line in co.table(kind.lines).find("documentId", row["id"]):
                computed = line_amounts(co, kind, row, line, set())
                co.update(kind.lines, line, {k: v for k, v in computed.items() if k in line}, silent=True)
            row = totals(co, kind, row)
        return row

    def remove(self, co: Company, name: str, row: Row) -> None:
        if is_posted(self.kind, row):
            raise dialog(f"The {self.kind.noun} has been posted and can no longer be deleted.")
        for line in co.table(self.kind.lines).find("documentId", row["id"]):
            co.delete(self.kind.lines, line, silent=True)
        for dimension in co.table("dimensionSetLines").find("parentId", row["id"]):
            co.delete("dimensionSetLines", dimension, silent=True)
        co.delete(name, row)


def draft_only(kind: DocumentKind, row: Row) -> None:
    if is_posted(kind, row):
        raise dialog(f"The action can be applied to a draft {kind.noun} only.")


def posted_only(kind: DocumentKind, row: Row) -> None:
    if not is_posted(kind, row):
        raise dialog(f"The action can be applied to a posted {kind.noun} only.")


def nothing_to_post() -> BcError:
    return dialog("There is nothing to post.")
