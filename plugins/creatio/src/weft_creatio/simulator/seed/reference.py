"""Stock lookups, geography, money, users and system settings."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from weft_creatio.package.stock import PACKAGES
from weft_creatio.simulator.model import data_text
from weft_creatio.simulator.pipeline import User
from weft_creatio.simulator.settings import SUPERVISOR_CONTACT, SUPERVISOR_USER
from weft_creatio.simulator.site import ALL_EMPLOYEES, SETTING_COLUMNS, Site
from weft_creatio.simulator.values import scaled

OUR_COMPANY = "e308b781-3c5b-4ecb-89ef-5c1ed4da488e"
ADMINISTRATORS = "83a43ebc-f36b-1410-298d-001e8c82bcad"
_NAMESPACE = uuid.UUID("8d0f6c0e-6f2b-5b0a-9d5c-2f3f5a4c7e10")
EPOCH = "2023-01-02T08:00:00.0000000"
"""When the sample site was set up."""


@dataclass(frozen=True)
class Place:
    """A city with what an address there needs."""

    city: str
    region: str | None
    country: str
    alpha2: str
    currency: str
    zips: str
    dial: str
    streets: tuple[str, ...]


@dataclass(frozen=True)
class Money:
    """A currency: rate is units per base unit, raw with eight decimals."""

    id: str
    rate: int


@dataclass(frozen=True)
class Reference:
    """Ids of the seeded reference rows."""

    places: tuple[Place, ...]
    currencies: dict[str, Money]
    units: dict[str, str]
    taxes: dict[str, str]
    price_lists: dict[str, str]
    categories: dict[str, str]
    sellers: tuple[User, ...]


@lru_cache(maxsize=4096)
def stable_id(*parts: str) -> str:
    """An Id that is the same in every simulated site."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))


def seed_reference(site: Site) -> Reference:
    data: dict[str, Any] = json.loads(data_text("reference.json"))
    _lookups(site)
    currencies = _currencies(site, data["currencies"])
    places = _geography(site, data["countries"])
    units = {name: _named(site, "Unit", name, ShortName=short) for name, short in data["units"].items()}
    taxes = {name: _named(site, "Tax", name, Percent=scaled(percent, 2)) for name, percent in data["taxes"].items()}
    lists = {name: _named(site, "Pricelist", name) for name in data["price_lists"]}
    categories = {name: _named(site, "ProductCategory", name) for name in data["product_categories"]}
    for name in data["lookups"]:
        for row in data["lookups"][name]:
            _named(site, name, row)
    sellers = _users(site, data["users"])
    _packages(site)
    _settings(site, currencies, taxes, lists, data["settings"])
    return Reference(places, currencies, units, taxes, lists, categories, sellers)


def _insert(site: Site, name: str, row: dict[str, Any]) -> str:
    known = site.model.entity(name).columns
    site.db.insert(name, {k: int(v) if isinstance(v, bool) else v for k, v in row.items() if k in known})
    return str(row["Id"])


def _named(site: Site, name: str, text: str, **more: Any) -> str:
    """A lookup row; stock lookup rows have no CreatedOn."""
    return _insert(site, name, {"Id": stable_id(name, text), "Name": text, **more})


def _lookups(site: Site) -> None:
    rows: dict[str, list[dict[str, Any]]] = json.loads(data_text("lookups.json"))
    present: set[tuple[str, str]] = set()
    for name, items in rows.items():
        for item in items:
            _insert(site, name, item)
            present.add((name, item["Id"]))
    present.add(("Account", OUR_COMPANY))
    for entity in site.model.entities.values():
        for column in entity.lookups:
            target = site.model.target(column)
            if target is None or column.default is None or column.default[0] != "Const":
                continue
            key = column.default[1]
            if (target.name, key) not in present:
                present.add((target.name, key))
                text = {target.display or "Name": "Default"} if target.display in target.columns else {}
                _insert(site, target.name, {"Id": key, **text})


def _packages(site: Site) -> None:
    """The packages of the bundle, as SysPackage lists them."""
    names = {column.package for entity in site.model.entities.values() for column in entity.columns.values()}
    for position, name in enumerate(sorted(names | {"CrtCore"})):
        uid, version = PACKAGES.get(name, (stable_id("SysPackage", name), "7.8.0"))
        _insert(site, "SysPackage", {
            "Id": stable_id("SysPackageRow", name), "Name": name, "UId": uid, "Version": version,
            "Maintainer": "Creatio", "Position": position,
        })  # fmt: skip


def _currencies(site: Site, items: list[dict[str, Any]]) -> dict[str, Money]:
    found: dict[str, Money] = {}
    for item in items:
        short = item["short"]
        key = item.get("id") or stable_id("Currency", short)
        rate = scaled(Decimal(item["rate"]), 8)
        _insert(site, "Currency", {
            "Id": key, "Name": item["name"], "Code": item["code"], "ShortName": short, "Symbol": item["symbol"],
            "Division": 1, "Rate": rate,
        })  # fmt: skip
        _insert(site, "CurrencyRate", {
            "Id": stable_id("CurrencyRate", short), "CurrencyId": key, "StartDate": "2023-01-01T00:00:00.0000000",
            "Rate": rate, "CreatedOn": EPOCH, "ModifiedOn": EPOCH, "CreatedById": SUPERVISOR_CONTACT,
            "ModifiedById": SUPERVISOR_CONTACT,
        })  # fmt: skip
        found[short] = Money(key, rate)
    return found


def _geography(site: Site, items: list[dict[str, Any]]) -> tuple[Place, ...]:
    places = []
    for item in items:
        alpha = item["alpha2"]
        country = _insert(site, "Country", {
            "Id": item.get("id") or stable_id("Country", alpha), "Name": item["name"], "Code": item["code"],
            "Alpha2Code": alpha,
        })  # fmt: skip
        for city, region in item["cities"]:
            region_id = None
            if region:
                region_id = stable_id("Region", alpha, region)
                if not site.db.exists("Region", region_id):
                    _insert(site, "Region", {"Id": region_id, "Name": region, "CountryId": country})
            city_id = _insert(site, "City", {
                "Id": stable_id("City", alpha, city), "Name": city, "CountryId": country, "RegionId": region_id,
            })  # fmt: skip
            places.append(Place(
                city_id, region_id, country, alpha, item["currency"], item["zip"], item["dial"],
                tuple(item["streets"]),
            ))  # fmt: skip
    return tuple(places)


def _users(site: Site, names: list[str]) -> tuple[User, ...]:
    settings = site.settings
    stamps = {"CreatedOn": EPOCH, "ModifiedOn": EPOCH, "CreatedById": SUPERVISOR_CONTACT,
              "ModifiedById": SUPERVISOR_CONTACT}  # fmt: skip
    for key, name, kind in (
        (ALL_EMPLOYEES, "All employees", 0),
        (ADMINISTRATORS, "System administrators", 6),
    ):
        _insert(site, "SysAdminUnit", {"Id": key, "Name": name, "SysAdminUnitTypeValue": kind, "Active": 1})
    users = [User(SUPERVISOR_USER, settings.user, SUPERVISOR_CONTACT, password=settings.password)]
    for name in (settings.technical_user, *names):
        users.append(User(stable_id("user", name), name, stable_id("contact", name), password=name))
    employee = "60733efc-f36b-1410-a883-16d83cab0980"
    for user in users:
        first, _, last = user.name.partition(" ")
        _insert(site, "Contact", {
            "Id": user.contact, "Name": user.name, "GivenName": first, "Surname": last, "TypeId": employee,
            "AccountId": OUR_COMPANY, "OwnerId": SUPERVISOR_CONTACT, **stamps,
        })  # fmt: skip
        _insert(site, "SysAdminUnit", {
            "Id": user.id, "Name": user.name, "SysAdminUnitTypeValue": 4, "ContactId": user.contact, "Active": 1,
            "ConnectionType": 0, "ParentRoleId": ALL_EMPLOYEES,
        })  # fmt: skip
        _insert(site, "Employee", {
            "Id": stable_id("employee", user.name), "Name": user.name, "ContactId": user.contact,
            "AccountId": OUR_COMPANY, **stamps,
        })  # fmt: skip
        site.users[user.name] = user
    _insert(site, "Account", {
        "Id": OUR_COMPANY, "Name": "Our company", "TypeId": "57412fad-53e6-df11-971b-001d60e938c6",
        "OwnerId": SUPERVISOR_CONTACT, "Code": "0", **stamps,
    })  # fmt: skip
    return tuple(users[2:])


def _settings(
    site: Site,
    currencies: dict[str, Money],
    taxes: dict[str, str],
    lists: dict[str, str],
    items: dict[str, Any],
) -> None:
    values: dict[str, tuple[str, Any]] = {code: (kind, value) for code, (kind, value) in items.items()}
    values["PrimaryCurrency"] = ("Lookup", currencies["USD"].id)
    values["DefaultTax"] = ("Lookup", next(iter(taxes.values())))
    values["BasePriceList"] = ("Lookup", next(iter(lists.values())))
    for code, value in site.settings.system_settings.items():
        kind = "Boolean" if isinstance(value, bool) else "Integer" if isinstance(value, int) else "Text"
        values[code] = (values.get(code, (kind, None))[0], value)
    for code, (kind, value) in values.items():
        key = stable_id("SysSettings", code)
        _insert(site, "SysSettings", {
            "Id": key, "Code": code, "Name": code, "ValueTypeName": kind, "IsCacheable": 1,
        })  # fmt: skip
        _insert(site, "SysSettingsValue", {
            "Id": stable_id("SysSettingsValue", code), "SysSettingsId": key, "SysAdminUnitId": ALL_EMPLOYEES,
            "IsDef": 1, SETTING_COLUMNS.get(kind, "TextValue"): value,
        })  # fmt: skip
