"""Invented accounts with contacts, addresses, communications and bank data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from weft_creatio.simulator.behaviours.parties import COMMUNICATIONS
from weft_creatio.simulator.site import Site

from .generator import FAMILY, GIVEN, Generator
from .reference import Place, Reference, stable_id

CUSTOMER = "03a75490-53e6-df11-971b-001d60e938c6"
SUPPLIER = "d34b9da2-53e6-df11-971b-001d60e938c6"
PARTNER = "f2c0ce97-53e6-df11-971b-001d60e938c6"
LEGAL = "770bf68c-4b6e-df11-b988-001d60e938c6"
BUSINESS = "fb7a3f6a-f36b-1410-6f81-1c6f65e50343"
CONTACT_PERSON = "806732ee-f36b-1410-a883-16d83cab0980"
_STAMPS = ("Id", "CreatedOn", "CreatedById", "ModifiedOn", "ModifiedById")
_ACCOUNT = (
    *_STAMPS, "Name", "OwnerId", "TypeId", "Code", "Phone", "Fax", "Web", "AddressTypeId", "Address", "CityId",
    "RegionId", "CountryId", "Zip", "IndustryId", "AccountCategoryId", "PriceListId", "AlternativeName",
    "PrimaryContactId", "Notes",
)  # fmt: skip
_CONTACT = (
    *_STAMPS, "Name", "Surname", "GivenName", "OwnerId", "TypeId", "AccountId", "JobId", "JobTitle", "Phone",
    "MobilePhone", "Email", "SalutationTypeId", "AddressTypeId", "Address", "CityId", "RegionId", "CountryId", "Zip",
    "Confirmed",
)  # fmt: skip
_ADDRESS = (*_STAMPS, "AddressTypeId", "Address", "CityId", "RegionId", "CountryId", "Zip", "Primary")
_JOBS = ("Managing director", "Purchasing manager", "Accountant", "Engineer")


@dataclass(frozen=True)
class Party:
    """A seeded customer account, for the documents that follow."""

    account: str
    contact: str
    owner: str
    place: Place
    moment: str


def seed_parties(site: Site, reference: Reference, records: int, seed: int) -> list[Party]:
    """Load `records` accounts; returns those that buy (at most 20,000)."""
    make = Generator(site, seed, "parties")
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _TABLES}
    parties: list[Party] = []
    for number in range(records):
        for name, row in _account(make, reference, number, records, parties):
            rows[name].append(row)
        if number % 5000 == 4999:
            _flush(site, rows)
    _flush(site, rows)
    site.db.execute(
        "UPDATE SysSettingsValue SET IntegerValue=? WHERE Id=?",
        (records, stable_id("SysSettingsValue", "AccountLastNumber")),
    )
    return parties


_TABLES = {
    "Account": _ACCOUNT,
    "Contact": _CONTACT,
    "AccountAddress": (*_ADDRESS, "AccountId"),
    "ContactAddress": (*_ADDRESS, "ContactId"),
    "AccountCommunication": (*_STAMPS, "CommunicationTypeId", "Number", "Primary", "AccountId"),
    "ContactCommunication": (*_STAMPS, "CommunicationTypeId", "Number", "Primary", "ContactId"),
    "AccountBillingInfo": (*_STAMPS, "Name", "AccountId", "CountryId", "BillingInfo", "LegalUnit"),
    "ContactCareer": (*_STAMPS, "ContactId", "AccountId", "JobTitle", "Primary", "Current"),
}


def _flush(site: Site, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    for name, batch in rows.items():
        site.db.load(name, _TABLES[name], batch)
        batch.clear()


def _account(
    make: Generator, reference: Reference, number: int, records: int, parties: list[Party]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    random = make.random
    place = reference.places[random.randrange(len(reference.places))]
    owner = reference.sellers[number % len(reference.sellers)].contact
    created = make.moment(number / max(records, 1))
    account, contact = make.id(), make.id()
    name = make.company(number, place.alpha2)
    site_name = f"www.{name.split()[0].lower().replace(chr(39), '')}{number}.example"
    phone, street = make.fill(place.dial), f"{random.randrange(1, 200)} {random.choice(place.streets)}"
    zip_code = make.fill(place.zips)
    kind = SUPPLIER if number % 10 == 7 else PARTNER if number % 10 == 8 else CUSTOMER
    stamps = (created, owner, created, owner)
    place_columns = (street, place.city, place.region, place.country, zip_code)
    lists = reference.price_lists
    price_list = lists["Europe" if place.currency == "EUR" else "United Kingdom" if place.currency == "GBP"
                       else "Base price list"]  # fmt: skip
    yield "Account", (
        account, *stamps, name, owner, kind, str(number + 1), phone, make.fill(place.dial) if number % 4 == 0 else "",
        site_name, LEGAL, *place_columns, stable_id("AccountIndustry", _INDUSTRIES[number % 5]),
        stable_id("AccountCategory", "ABC"[number % 3]), price_list, name.split()[0], contact, "",
    )  # fmt: skip
    yield "AccountAddress", (make.id(), *stamps, LEGAL, *place_columns, 1, account)
    yield "AccountCommunication", (make.id(), *stamps, COMMUNICATIONS["Account"]["Phone"], phone, 1, account)
    yield (
        "AccountCommunication",
        (make.id(), *stamps, COMMUNICATIONS["Account"]["Web"], site_name, 1, account),
    )
    if number % 3 == 0:
        yield "AccountBillingInfo", (
            make.id(), *stamps, "Main account", account, place.country, make.fill("IBAN ## #### #### #### ####"), name,
        )  # fmt: skip
    for position in range(2 if number % 4 == 0 else 1):
        person = contact if position == 0 else make.id()
        given, family = random.choice(GIVEN), random.choice(FAMILY)
        mobile = make.fill(place.dial)
        email = f"contact{number}.{position}@{site_name[4:]}"
        job = _JOBS[(number + position) % 4]
        yield "Contact", (
            person, *stamps, f"{given} {family}", family, given, owner, CONTACT_PERSON, account,
            stable_id("Job", job), job, phone, mobile, email, None, BUSINESS, *place_columns, 1,
        )  # fmt: skip
        yield "ContactAddress", (make.id(), *stamps, BUSINESS, *place_columns, 1, person)
        yield (
            "ContactCommunication",
            (make.id(), *stamps, COMMUNICATIONS["Contact"]["Email"], email, 1, person),
        )
        yield (
            "ContactCommunication",
            (make.id(), *stamps, COMMUNICATIONS["Contact"]["MobilePhone"], mobile, 1, person),
        )
        yield "ContactCareer", (make.id(), *stamps, person, account, job, 1, 1)
    if kind == CUSTOMER and len(parties) < 20_000:
        parties.append(Party(account, contact, owner, place, created))


_INDUSTRIES = ("Manufacturing", "Retail", "Logistics", "Consulting", "Healthcare")
