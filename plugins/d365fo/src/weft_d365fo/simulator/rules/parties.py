"""Customers, vendors, contact persons, and the addresses of their parties."""

from __future__ import annotations

from typing import Any

from weft.testing.odata.store import Row
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.rules.base import Relation, Rule, Write, must_be_filled, not_found
from weft_d365fo.simulator.rules.party import (
    ELECTRONIC,
    POSTAL,
    ROLES,
    full_address,
    inherit,
    party_columns,
    rows_of,
    spread,
)
from weft_d365fo.simulator.world import World


def rules() -> dict[str, Rule]:
    return {
        "CustTable": Customers(),
        "VendTable": Vendors(),
        "ContactPersons": Contacts(),
        "LogisticsElectronicAddress": ElectronicAddresses(),
        "LogisticsPostalAddress": PostalAddresses(),
    }


class Role(Rule):
    """What customers, vendors and contacts have in common."""

    table = ""
    kind = ""  # column of the party type
    dependants: tuple[tuple[str, str, str], ...] = ()  # (table, column, label) that keep a row from being deleted
    account = ""

    def touches(self, w: Write) -> bool:
        return not set(w.given) <= party_columns(self.table)

    def _party(self, w: Write) -> None:
        """A party of its own, or the one named: then its fields hold where the request gives none."""
        columns = ROLES[self.table]
        party = w.given.get(columns["party"])
        if party:
            held = inherit(w.world, party)
            if held is None:
                raise not_found(w.shown.set.aot, columns["party"], party, "Global address book")
            for field, column in columns.items():
                if field != "party":
                    w.default(column, held.get(field))
        else:
            w.set(columns["party"], w.world.next_party())
        if any(w.get(columns[field]) for field in POSTAL) and not w.get(columns["LocationId"]):
            w.set(columns["LocationId"], f"{w.world.next_recid() % 10**9:09d}")

    def _address(self, w: Write) -> None:
        columns = ROLES[self.table]
        country = w.get(columns["CountryRegionId"])
        if country:
            known = w.related("AddressCountryRegions", CountryRegion=country)
            if known is None:
                raise not_found(w.shown.set.aot, columns["CountryRegionId"], country, "Country/regions")
            w.set(columns["CountryRegionISOCode"], known.get("ISOcode", ""))
            state = w.get(columns["State"])
            states = w.world.find("AddressStates", "CountryRegionId", country)
            if state and states and not any(row["State"] == state for row in states):
                raise not_found(w.shown.set.aot, columns["State"], state, "States")
        w.set(columns["Address"], full_address({field: w.get(columns[field]) for field in POSTAL}))

    def _name(self, w: Write) -> None:
        columns = ROLES[self.table]
        party_type = w.get(self.kind)
        if not party_type:
            raise must_be_filled(self.kind, "DirPartyTable")
        if party_type not in ("Organization", "Person"):
            raise refused(
                "Error", f"The value '{party_type}' in field 'Type' is not valid. Organization or Person is expected."
            )
        if party_type == "Organization":
            if not w.get(columns["name"]):
                raise must_be_filled(columns["name"], "DirPartyTable")
            return
        if not (w.get(columns["first"]) or w.get(columns["last"])):
            raise must_be_filled(columns["first"], "DirPartyTable")
        if w.creating or w.changes(columns["first"], columns["middle"], columns["last"]):
            parts = (w.get(columns["first"]), w.get(columns["middle"]), w.get(columns["last"]))
            w.set(columns["name"], " ".join(part for part in parts if part))

    def after(self, w: Write, row: Row) -> Row:
        columns = ROLES[self.table]
        changed = {field for field, column in columns.items() if field != "party" and column in w.values}
        if w.creating:
            changed = {field for field in changed if w.get(columns[field])}
        spread(w.world, self.table, row, changed)
        return row

    def check_delete(self, world: World, row: Row) -> None:
        for table, column, label in self.dependants:
            if world.find(table, column, row[self.account], row["dataAreaId"]):
                raise refused("Error", f"{self.label} cannot be deleted while dependent {label} exist.")

    label = ""


class Customers(Role):
    table = "CustTable"
    kind = "PartyType"
    account = "CustomerAccount"
    label = "Customers"
    dependants = (
        ("SalesTable", "OrderingCustomerAccountNumber", "Sales orders"),
        ("CustTrans", "AccountNum", "Customer transactions"),
        ("FreeTextInvoiceHeaders", "CustomerAccount", "Free text invoices"),
    )
    relations = (
        Relation("CustomerGroupId", "CustomerGroups", "CustomerGroupId", "Customer groups"),
        Relation("SalesCurrencyCode", "Currencies", "CurrencyCode", "Currency", company=False),
        Relation("PaymentTerms", "PaymentTerms", "Name", "Terms of payment"),
        Relation("PaymentMethod", "CustomerPaymentMethods", "Name", "Methods of payment - customers"),
        Relation("DeliveryTerms", "DeliveryTerms", "TermsCode", "Terms of delivery"),
        Relation("DeliveryMode", "DeliveryModesV2", "ModeCode", "Modes of delivery"),
        Relation("SalesTaxGroup", "TaxGroups", "TaxGroupCode", "Sales tax group"),
        Relation("InvoiceAccount", "CustTable", "CustomerAccount", "Customers"),
        Relation("DiscountPriceGroupId", "PriceCustomerGroups", "GroupCode", "Price customer groups"),
        Relation("SiteId", "OperationalSitesV2", "SiteId", "Sites"),
        Relation("WarehouseId", "Warehouses", "WarehouseId", "Warehouses"),
        Relation("ContactPersonId", "ContactPersons", "ContactPersonId", "Contacts"),
    )

    def default(self, w: Write) -> None:
        if w.creating:
            w.number("CustomerAccount", "customers", "{:06d}")
            if not w.world.settings.party_types:
                w.default("PartyType", "Organization")
            self._party(w)
            w.default("LanguageId", w.home().language)
            w.default("InvoiceAddress", "InvoiceAccount")
            group = w.related("CustomerGroups", dataAreaId=w.home().id, CustomerGroupId=w.get("CustomerGroupId"))
            if group is not None:
                w.default("PaymentTerms", group.get("PaymentTermId"))
                w.default("SalesTaxGroup", group.get("TaxGroupId"))
                w.default("DefaultDimensionDisplayValue", group.get("DefaultDimensionDisplayValue"))
        self._name(w)
        if w.creating:
            w.default("NameAlias", w.get("OrganizationName")[:20])

    def check(self, w: Write) -> None:
        self._address(w)


class Vendors(Role):
    table = "VendTable"
    kind = "VendorPartyType"
    account = "VendorAccountNumber"
    label = "Vendors"
    dependants = (
        ("PurchTable", "OrderVendorAccountNumber", "Purchase orders"),
        ("VendTrans", "AccountNum", "Vendor transactions"),
    )
    relations = (
        Relation("VendorGroupId", "VendorGroups", "VendorGroupId", "Vendor groups"),
        Relation("CurrencyCode", "Currencies", "CurrencyCode", "Currency", company=False),
        Relation("DefaultPaymentTermsName", "PaymentTerms", "Name", "Terms of payment"),
        Relation("DefaultVendorPaymentMethodName", "VendorPaymentMethods", "Name", "Methods of payment - vendors"),
        Relation("DefaultDeliveryTermsCode", "DeliveryTerms", "TermsCode", "Terms of delivery"),
        Relation("DefaultDeliveryModeId", "DeliveryModesV2", "ModeCode", "Modes of delivery"),
        Relation("SalesTaxGroupCode", "TaxGroups", "TaxGroupCode", "Sales tax group"),
        Relation("InvoiceVendorAccountNumber", "VendTable", "VendorAccountNumber", "Vendors"),
        Relation("DefaultPurchaseSiteId", "OperationalSitesV2", "SiteId", "Sites"),
        Relation("DefaultProcumentWarehouseId", "Warehouses", "WarehouseId", "Warehouses"),
    )

    def default(self, w: Write) -> None:
        if w.creating:
            w.number("VendorAccountNumber", "vendors", "V{:05d}")
            if not w.world.settings.party_types:
                w.default("VendorPartyType", "Organization")
            self._party(w)
            w.default("CurrencyCode", w.home().currency)
            group = w.related("VendorGroups", dataAreaId=w.home().id, VendorGroupId=w.get("VendorGroupId"))
            if group is not None:
                w.default("DefaultPaymentTermsName", group.get("DefaultPaymentTermName"))
                w.default("SalesTaxGroupCode", group.get("DefaultTaxGroupCode"))
        self._name(w)
        if w.creating:
            w.default("VendorSearchName", w.get("VendorOrganizationName")[:20])

    def check(self, w: Write) -> None:
        self._address(w)


class Contacts(Role):
    table = "ContactPersons"
    kind = "ContactPersonPartyType"
    account = "ContactPersonId"

    def default(self, w: Write) -> None:
        if w.creating:
            w.number("ContactPersonId", "contacts", "C{:06d}")
            w.set("ContactPersonPartyType", "Person")
            if w.given.get("ContactPersonName") and not (w.given.get("FirstName") or w.given.get("LastName")):
                first, _, last = str(w.given["ContactPersonName"]).rpartition(" ")
                w.default("FirstName", first)
                w.default("LastName", last)
            self._party(w)
            w.default("ContactInformationLanguageId", w.home().language)
        self._name(w)
        if w.creating:
            w.default("SearchName", w.get("ContactPersonName")[:20])
        w.set("LastEditDateTime", w.world.stamp())

    def check(self, w: Write) -> None:
        associated = w.get("AssociatedPartyNumber")
        if w.changes("AssociatedPartyNumber") and not rows_of(w.world, associated):
            raise not_found(w.shown.set.aot, "AssociatedPartyNumber", associated, "Global address book")
        self._address(w)


class ElectronicAddresses(Rule):
    """PartyContactsV3: a primary one is what customers, vendors and contacts of the party show."""

    def default(self, w: Write) -> None:
        if w.creating:
            party = w.given.get("PartyNumber", "")
            if not rows_of(w.world, party):
                raise not_found(w.shown.set.aot, "PartyNumber", party, "Global address book")
            if not w.given.get("ElectronicAddressId"):
                w.set("ElectronicAddressId", f"{w.world.next_recid()}")
            w.default("LocationId", f"{w.world.next_recid() % 10**9:09d}")
            kind = w.get("Type")
            if not any(row["Type"] == kind for row in w.world.find(w.table, "PartyNumber", party)):
                w.default("IsPrimary", "Yes")

    def check(self, w: Write) -> None:
        if w.get("Type") == "None":
            raise must_be_filled("Type", w.table)
        if not w.get("Locator"):
            raise must_be_filled("Locator", w.table)

    def after(self, w: Write, row: Row) -> Row:
        if row.get("IsPrimary") == "Yes":
            for other in w.world.find(w.table, "PartyNumber", row["PartyNumber"]):
                if other["$key"] != row["$key"] and other["Type"] == row["Type"] and other.get("IsPrimary") == "Yes":
                    w.world.update(w.table, other, {"IsPrimary": "No"})
            self._show(w.world, row, row["Locator"])
        return row

    def deleted(self, world: World, row: Row) -> None:
        if row.get("IsPrimary") == "Yes":
            self._show(world, row, "")

    @staticmethod
    def _show(world: World, row: Row, locator: str) -> None:
        if row["Type"] not in ELECTRONIC:
            return
        for table, role in rows_of(world, row["PartyNumber"]):
            world.update(table, role, {ROLES[table][row["Type"]]: locator}, touch=False)


class PostalAddresses(Rule):
    """PartyLocationPostalAddressesV2: as electronic addresses, for the primary postal address."""

    def default(self, w: Write) -> None:
        if w.creating:
            party = w.given.get("PartyNumber", "")
            if not rows_of(w.world, party):
                raise not_found(w.shown.set.aot, "PartyNumber", party, "Global address book")
            location = w.world.next_recid()
            w.default("LocationId", f"{location % 10**9:09d}")
            w.set("$location", location)
            w.default("ValidFrom", w.world.stamp())
            w.default("ValidTo", "2154-12-31T23:59:59Z")
            if not w.world.find(w.table, "PartyNumber", party):
                w.default("IsPrimary", "Yes")

    def check(self, w: Write) -> None:
        country = w.get("CountryRegionId")
        if not country:
            raise must_be_filled("CountryRegionId", w.table)
        if w.related("AddressCountryRegions", CountryRegion=country) is None:
            raise not_found(w.shown.set.aot, "CountryRegionId", country, "Country/regions")
        w.set("Address", full_address({field: w.get(field) for field in POSTAL}))

    def after(self, w: Write, row: Row) -> Row:
        if row.get("IsPrimary") == "Yes":
            for other in w.world.find(w.table, "PartyNumber", row["PartyNumber"]):
                if other["$key"] != row["$key"] and other.get("IsPrimary") == "Yes":
                    w.world.update(w.table, other, {"IsPrimary": "No"})
            shown: dict[str, Any] = {field: row.get(field, "") for field in (*POSTAL, "Address", "LocationId")}
            for table, role in rows_of(w.world, row["PartyNumber"]):
                columns = ROLES[table]
                w.world.update(table, role, {columns[field]: value for field, value in shown.items()}, touch=False)
        return row
