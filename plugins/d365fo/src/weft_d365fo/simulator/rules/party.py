"""A party: the person or organization behind customers, vendors and contacts, with its addresses.

The name, the postal address and the electronic addresses belong to the party. Every customer, vendor and
contact of the same party shows them, and changing them leaves the table of the customer untouched: its
stamp stays, those of the address tables move.
"""

from __future__ import annotations

from typing import Any

from weft.testing.odata.store import Row
from weft_d365fo.simulator.schema import NEVER, NO_TIME
from weft_d365fo.simulator.world import World

# field of a party -> column, per table
_SHARED = {"first": "PersonFirstName", "middle": "PersonMiddleName", "last": "PersonLastName"}
ROLES: dict[str, dict[str, str]] = {
    "CustTable": {
        **_SHARED, "party": "PartyNumber", "name": "OrganizationName", "known": "KnownAs", "language": "LanguageId",
        "Email": "PrimaryContactEmail", "Phone": "PrimaryContactPhone", "Fax": "PrimaryContactFax",
        "URL": "PrimaryContactURL", "Description": "AddressDescription", "Street": "AddressStreet",
        "City": "AddressCity", "State": "AddressState", "County": "AddressCounty", "ZipCode": "AddressZipCode",
        "CountryRegionId": "AddressCountryRegionId", "CountryRegionISOCode": "AddressCountryRegionISOCode",
        "Address": "FullPrimaryAddress", "LocationId": "AddressLocationId",
    },
    "VendTable": {
        **_SHARED, "party": "VendorPartyNumber", "name": "VendorOrganizationName", "known": "VendorKnownAsName",
        "Email": "PrimaryEmailAddress", "Phone": "PrimaryPhoneNumber", "Fax": "PrimaryFaxNumber", "URL": "PrimaryURL",
        "Description": "AddressDescription", "Street": "AddressStreet", "City": "AddressCity",
        "State": "AddressStateId", "County": "AddressCountyId", "ZipCode": "AddressZipCode",
        "CountryRegionId": "AddressCountryRegionId", "CountryRegionISOCode": "AddressCountryRegionISOCode",
        "Address": "FormattedPrimaryAddress", "LocationId": "AddressLocationId",
    },
    "ContactPersons": {
        "party": "ContactPersonPartyNumber", "name": "ContactPersonName", "first": "FirstName", "middle": "MiddleName",
        "last": "LastName", "known": "KnownAsName", "Email": "PrimaryEmailAddress", "Phone": "PrimaryPhoneNumber",
        "Fax": "PrimaryFaxNumber", "URL": "PrimaryURL", "Description": "PrimaryAddressDescription",
        "Street": "PrimaryAddressStreet", "City": "PrimaryAddressCity", "State": "PrimaryAddressStateId",
        "County": "PrimaryAddressCountyId", "ZipCode": "PrimaryAddressZipCode",
        "CountryRegionId": "PrimaryAddressCountryRegionId",
        "CountryRegionISOCode": "PrimaryAddressCountryRegionISOCode", "Address": "FormattedPrimaryAddress",
        "LocationId": "PrimaryAddressLocationId",
    },
}  # fmt: skip
ELECTRONIC = ("Phone", "Email", "URL", "Fax")
POSTAL = ("Description", "Street", "City", "State", "County", "ZipCode", "CountryRegionId")


def party_columns(table: str) -> frozenset[str]:
    """Columns of a table that the party holds."""
    return frozenset(column for field, column in ROLES[table].items() if field != "party")


def full_address(fields: dict[str, Any]) -> str:
    """Lines as the server formats them."""
    town = ", ".join(part for part in (fields.get("City"), fields.get("State")) if part)
    last = " ".join(part for part in (town, fields.get("ZipCode")) if part)
    lines = (fields.get("Street"), last, fields.get("CountryRegionId"))
    return "\n".join(str(line) for line in lines if line)


def fields_of(world: World, table: str, row: Row) -> dict[str, Any]:
    return {field: world.value(table, row, column) for field, column in ROLES[table].items()}


def rows_of(world: World, party: str) -> list[tuple[str, Row]]:
    """Every role of a party."""
    return [(t, row) for t, fields in ROLES.items() for row in world.find(t, fields["party"], party)]


def spread(world: World, table: str, row: Row, changed: set[str]) -> None:
    """After a role was written: bring the address tables and the other roles of the party in line.

    ``changed``: fields of the party that the write set.
    """
    fields = fields_of(world, table, row)
    party = str(fields["party"])
    if changed & set(POSTAL):
        _postal(world, party, fields)
    for kind in ELECTRONIC:
        if kind in changed:
            _electronic(world, party, kind, str(fields[kind]))
    copied = changed | ({"Address", "LocationId"} if changed & set(POSTAL) else set())
    for other, role in rows_of(world, party):
        if (other, role["$key"]) == (table, row["$key"]):
            continue
        columns = ROLES[other]
        world.update(other, role, {columns[f]: fields[f] for f in copied if f in columns}, touch=False)


def inherit(world: World, party: str) -> dict[str, Any] | None:
    """The fields of a party that is there already, None for one that is not."""
    for table, row in rows_of(world, party):
        return fields_of(world, table, row)
    return None


def _electronic(world: World, party: str, kind: str, locator: str) -> None:
    held = [r for r in world.find("LogisticsElectronicAddress", "PartyNumber", party) if r["Type"] == kind]
    primary = next((r for r in held if r.get("IsPrimary") == "Yes"), None)
    if primary is not None:
        if locator:
            world.update("LogisticsElectronicAddress", primary, {"Locator": locator})
        else:
            world.delete("LogisticsElectronicAddress", primary)
    elif locator:
        world.insert("LogisticsElectronicAddress", electronic_row(world, party, kind, locator))


def electronic_row(world: World, party: str, kind: str, locator: str) -> dict[str, Any]:
    recid = world.next_recid()
    return {
        "$recid": recid, "PartyNumber": party, "ElectronicAddressId": f"{recid}", "Type": kind, "Locator": locator,
        "IsPrimary": "Yes", "LocationId": f"{recid % 10**9:09d}",
    }  # fmt: skip


def _postal(world: World, party: str, fields: dict[str, Any]) -> None:
    values = {field: fields[field] for field in POSTAL} | {"Address": full_address(fields)}
    held = world.find("LogisticsPostalAddress", "PartyNumber", party)
    primary = next((r for r in held if r.get("IsPrimary") == "Yes"), None)
    if primary is not None:
        world.update("LogisticsPostalAddress", primary, values)
    elif any(fields[field] for field in POSTAL):
        world.insert("LogisticsPostalAddress", postal_row(world, party, str(fields["LocationId"]), values))


def postal_row(world: World, party: str, location: str, values: dict[str, Any]) -> dict[str, Any]:
    recid = world.next_recid()
    return {
        "$recid": recid, "$location": recid, "PartyNumber": party, "LocationId": location, "IsPrimary": "Yes",
        "ValidFrom": NO_TIME, "ValidTo": NEVER, "IsRoleBusiness": "Yes", "Roles": "Business", **values,
    }  # fmt: skip
