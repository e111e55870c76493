"""Sample data, the same for the same seed: customers, vendors, contacts and products of every company."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from weft.testing.odata.values import instant_wire
from weft.testing.simulator.parties import party
from weft_d365fo.simulator.rules.party import electronic_row, full_address, postal_row
from weft_d365fo.simulator.seed_setup import COMPANIES, legal_entity, shared
from weft_d365fo.simulator.views import CREATED, KEY, MODIFIED, RECID, VERSION
from weft_d365fo.simulator.world import Company, User, World

DAY = 86_400 * 10**9
COUNTRY = {"US": "USA", "GB": "GBR", "DE": "DEU", "FR": "FRA", "DK": "DNK"}
_GOODS = ("Speaker", "Amplifier", "Turntable", "Headphones", "Receiver", "Sound bar", "Subwoofer", "Radio",
          "Microphone", "Projector")  # fmt: skip
_FINISH = ("Athens", "Berlin", "London", "Paris", "Mexico", "Munich", "Rome", "Sydney", "Tokyo", "Seoul")


def fill(
    world: World,
    *,
    records: int,
    client_id: str,
    companies: list[str] | None,
    parties: list[dict[str, Any]],
) -> None:
    """Fill every company; the first gets ``records`` customers, the others a tenth, at most 50. Documents are made
    by :mod:`~weft_d365fo.simulator.seed_documents`."""
    gc.disable()  # rows hold no cycles, and looking for some among millions takes longer than making them
    try:
        _fill(world, records, client_id, companies, parties)
    finally:
        gc.enable()


def _fill(
    world: World, records: int, client_id: str, companies: list[str] | None, parties: list[dict[str, Any]]
) -> None:
    chosen = [_company(name) for name in companies] if companies else list(COMPANIES)
    user = User("weft", chosen[0].id)
    shared(world, client_id, user.id, user.company)
    world.users[user.id] = user
    for index, company in enumerate(chosen):
        legal_entity(world, company)
        count = records if index == 0 else min(50, records // 10)
        found = [*(parties if index == 0 else ()), *(party(i, world.settings.seed) for i in range(count))]
        customers(world, company, found)
        vendors(world, company, max(3, count // 10))
        items(world, company, max(20, count // 5))


def _company(name: str) -> Company:
    known = next((company for company in COMPANIES if company.id == name.lower()), None)
    return known or Company(name.lower(), f"Contoso {name.upper()}", "USD", "USA", "en-us")


def _stamps(world: World, count: int) -> Iterator[str]:
    """Rising stamps over the 60 days that ended 30 days ago."""
    start, step = world.clock.now_ns() - 90 * DAY, 60 * DAY // max(count, 1)
    for index in range(count):
        yield instant_wire(start + index * step, world.settings.stamp_digits)


def _load(world: World, table: str, rows: list[dict[str, Any]]) -> None:
    """Rows that carry their own stamps."""
    filed = world.filed(table)
    blanks = {column: filed.blanks[column] for column in filed.indexed}
    made = []
    for row in rows:
        whole = {**blanks, **row, VERSION: 1, CREATED: row[MODIFIED]}
        if RECID not in whole:
            whole[RECID] = world.next_recid()
        whole[KEY] = filed.key_of(whole)
        made.append(whole)
    filed.table.load(made)


def customers(world: World, company: Company, found: list[dict[str, Any]]) -> None:
    """Insert parties as customers, and a contact for every tenth of them."""
    terms = ("Net10", "Net30", "Net60")
    methods = ("CHECK", "WIRE")
    rows: list[dict[str, Any]] = []
    contacts: list[dict[str, Any]] = []
    addresses: list[dict[str, Any]] = []
    electronic: list[dict[str, Any]] = []
    for index, (person, when) in enumerate(zip(found, _stamps(world, len(found)), strict=True)):
        number = world.next_party()
        home = COUNTRY.get(person.get("country", ""), "")
        name = person["name"][:100]
        postal = {
            "Description": name, "Street": person.get("street", ""), "City": person.get("city", ""),
            "State": person.get("state", ""), "ZipCode": person.get("postal_code", ""), "CountryRegionId": home,
        }  # fmt: skip
        location = f"{world.next_recid() % 10**9:09d}"
        address = full_address(postal)
        row = {
            "dataAreaId": company.id,
            "CustomerAccount": person.get("number") or f"C-{index + 1:06d}",
            "PartyNumber": number,
            "PartyType": "Organization",
            "OrganizationName": name,
            "NameAlias": name[:20],
            "CustomerGroupId": ("10", "20", "30")[index % 3],
            "SalesCurrencyCode": company.currency if home in ("", company.country) else "EUR",
            "LanguageId": company.language,
            "AddressDescription": name,
            "AddressStreet": postal["Street"],
            "AddressCity": postal["City"],
            "AddressState": postal["State"],
            "AddressZipCode": postal["ZipCode"],
            "AddressCountryRegionId": home,
            "AddressCountryRegionISOCode": person.get("country", ""),
            "AddressLocationId": location,
            "FullPrimaryAddress": address,
            "PrimaryContactEmail": person.get("email", ""),
            "PrimaryContactPhone": person.get("phone", ""),
            "TaxExemptNumber": person.get("tax_id", ""),
            "PaymentTerms": terms[index % 3],
            "PaymentMethod": methods[index % 2],
            "SalesTaxGroup": "DOM" if home == company.country else "EXP",
            "CreditLimit": Decimal(index % 20 * 1000),
            "SiteId": "1",
            "WarehouseId": "11",
            MODIFIED: when,
        }
        rows.append(row)
        if home:
            addresses.append({**postal_row(world, number, location, {**postal, "Address": address}), MODIFIED: when})
        for kind, field in (("Email", "email"), ("Phone", "phone")):
            if person.get(field):
                electronic.append({**electronic_row(world, number, kind, person[field]), MODIFIED: when})
        if index % 10 == 0 and person.get("contact_name"):
            contacts.append(_contact(world, company, person, number, when, index))
    _load(world, "CustTable", rows)
    _load(world, "LogisticsPostalAddress", addresses)
    _load(world, "LogisticsElectronicAddress", electronic)
    _load(world, "ContactPersons", contacts)
    world.sequences[company.id, "contacts"] = len(contacts)


def _contact(
    world: World, company: Company, person: dict[str, Any], associated: str, when: str, index: int
) -> dict[str, Any]:
    first, _, last = person["contact_name"].rpartition(" ")
    return {
        "dataAreaId": company.id,
        "ContactPersonId": f"C{index // 10 + 1:06d}",
        "AssociatedPartyNumber": associated,
        "ContactPersonPartyNumber": world.next_party(),
        "ContactPersonPartyType": "Person",
        "ContactPersonName": person["contact_name"],
        "FirstName": first,
        "LastName": last,
        "SearchName": person["contact_name"][:20],
        "PrimaryEmailAddress": person.get("email", ""),
        "EmploymentJobTitle": "Buyer",
        "LastEditDateTime": when[:19] + "Z",
        MODIFIED: when,
    }


def vendors(world: World, company: Company, count: int) -> None:
    rows = []
    for index, when in enumerate(_stamps(world, count)):
        person = party(900_000 + index, world.settings.seed)
        home = COUNTRY[person["country"]]
        postal = {"Street": person["street"], "City": person["city"], "State": person["state"],
                  "ZipCode": person["postal_code"], "CountryRegionId": home}  # fmt: skip
        rows.append(
            {
                "dataAreaId": company.id,
                "VendorAccountNumber": f"V-{index + 1:05d}",
                "VendorPartyNumber": world.next_party(),
                "VendorPartyType": "Organization",
                "VendorOrganizationName": person["name"],
                "VendorSearchName": person["name"][:20],
                "VendorGroupId": ("10", "20")[index % 2],
                "CurrencyCode": company.currency,
                "AddressDescription": person["name"],
                "AddressStreet": person["street"],
                "AddressCity": person["city"],
                "AddressStateId": person["state"],
                "AddressZipCode": person["postal_code"],
                "AddressCountryRegionId": home,
                "AddressCountryRegionISOCode": person["country"],
                "AddressLocationId": f"{world.next_recid() % 10**9:09d}",
                "FormattedPrimaryAddress": full_address(postal),
                "PrimaryEmailAddress": person["email"],
                "PrimaryPhoneNumber": person["phone"],
                "PrimaryURL": person["website"],
                "TaxExemptNumber": person["tax_id"],
                "DefaultPaymentTermsName": ("Net30", "Net60")[index % 2],
                "DefaultVendorPaymentMethodName": ("CHECK", "WIRE")[index % 2],
                "SalesTaxGroupCode": "DOM" if home == company.country else "EXP",
                MODIFIED: when,
            }
        )
    _load(world, "VendTable", rows)


def items(world: World, company: Company, count: int) -> None:
    """Products are shared: the second company releases those of the first."""
    rows, shared_rows, prices, on_hand = [], [], [], []
    for index, when in enumerate(_stamps(world, count)):
        number = f"D{index + 1:06d}"
        name = f"{_FINISH[index % 10]} {_GOODS[index // 10 % 10]} {index + 1}"
        service = index % 20 == 19
        product = {
            "ProductNumber": number, "ProductName": name, "ProductDescription": f"{name}, boxed",
            "ProductSearchName": name[:20], "ProductType": "Service" if service else "Item",
            "ProductSubType": "Product", "StorageDimensionGroupName": "SiteWH", "TrackingDimensionGroupName": "None",
        }  # fmt: skip
        if world.get("EcoResProduct", ProductNumber=number) is None:
            shared_rows.append({**product, MODIFIED: when})
        unit = "hr" if service else "ea"
        price = Decimal(50 + index % 200)
        rows.append(
            {
                **product,
                "dataAreaId": company.id,
                "ItemNumber": number,
                "SearchName": name[:20],
                "ProductGroupId": "Services" if service else ("Audio", "Parts")[index % 2],
                "ItemModelGroupId": "FIFO",
                "InventoryUnitSymbol": unit,
                "SalesUnitSymbol": unit,
                "PurchaseUnitSymbol": unit,
                "BOMUnitSymbol": unit,
                "SalesPrice": price,
                "SalesPriceQuantity": 1,
                "PurchasePrice": price * 6 / 10,
                "PurchasePriceQuantity": 1,
                "UnitCost": price / 2,
                "UnitCostQuantity": 1,
                "SalesSalesTaxItemGroupCode": "NONE" if service else "FULL",
                "PurchaseSalesTaxItemGroupCode": "NONE" if service else "FULL",
                MODIFIED: when,
            }
        )
        if index % 10 == 0 and not service:
            recid = world.next_recid()
            prices.append(
                {
                    "dataAreaId": company.id,
                    RECID: recid,
                    "RecordId": recid,
                    "ItemNumber": number,
                    "ProductNumber": number,
                    "PriceCurrencyCode": "EUR" if company.currency != "EUR" else "USD",
                    "Price": price * 9 / 10,
                    "SalesPriceQuantity": 1,
                    "QuantityUnitySymbol": unit,
                    MODIFIED: when,
                }
            )
        if not service:
            quantity = Decimal(index * 7 % 300)
            on_hand.append(
                {
                    "dataAreaId": company.id,
                    "ItemNumber": number,
                    "InventorySiteId": "1",
                    "InventoryWarehouseId": "11",
                    "OnHandQuantity": quantity,
                    "AvailableOnHandQuantity": quantity,
                    "TotalAvailableQuantity": quantity,
                    "ProductName": name,
                    MODIFIED: when,
                }
            )
    _load(world, "EcoResProduct", shared_rows)
    _load(world, "InventTable", rows)
    _load(world, "SalesPriceAgreements", prices)
    _load(world, "WarehousesOnHandV2", on_hand)
    _load(
        world,
        "InventorySitesOnHandV2",
        [{k: v for k, v in row.items() if k != "InventoryWarehouseId"} for row in on_hand],
    )
