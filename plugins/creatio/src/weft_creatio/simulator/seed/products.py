"""Invented products with units and prices in every price list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weft_creatio.simulator.settings import SUPERVISOR_CONTACT
from weft_creatio.simulator.site import Site

from .generator import Generator
from .reference import Reference, stable_id

_NOUNS = (
    "Desk", "Monitor", "Cable", "Router", "Printer", "Toner", "Bearing", "Valve", "Sensor", "Support plan",
    "Training day", "Bicycle", "Lamp", "Paper", "Chair",
)  # fmt: skip
_MARKS = ("Litware", "Proseware", "Wingtip")
_KINDS = ("Standard", "Compact", "Professional", "Industrial", "Eco", "XL")
_STAMPS = ("Id", "CreatedOn", "CreatedById", "ModifiedOn", "ModifiedById")
_PRODUCT = (
    *_STAMPS, "Name", "Code", "UnitId", "CurrencyId", "Price", "TaxId", "Active", "OwnerId", "CategoryId",
    "TradeMarkId", "Description",
)  # fmt: skip


@dataclass(frozen=True)
class Item:
    """A seeded product; `price` is in hundredths of the base currency."""

    id: str
    name: str
    unit: str
    tax: str
    price: int


def seed_products(site: Site, reference: Reference, records: int, seed: int) -> list[Item]:
    """Load max(20, records/20, capped at 5,000) products."""
    make = Generator(site, seed, "products")
    count = max(20, min(records // 20, 5000))
    items: list[Item] = []
    products: list[tuple[Any, ...]] = []
    units: list[tuple[Any, ...]] = []
    prices: list[tuple[Any, ...]] = []
    balances: list[tuple[Any, ...]] = []
    base = reference.currencies["USD"]
    unit_ids = list(reference.units.values())
    tax = reference.taxes["Sales tax"]
    categories = list(reference.categories.values())
    for number in range(count):
        random = make.random
        key = make.id()
        name = f"{_KINDS[number % len(_KINDS)]} {_NOUNS[number % len(_NOUNS)]} {number + 1}"
        created = make.moment(number / count / 2)
        stamps = (created, SUPERVISOR_CONTACT, created, SUPERVISOR_CONTACT)
        price = random.randrange(500, 250_000)
        unit = unit_ids[number % 2 if number % 7 else 2]
        items.append(Item(key, name, unit, tax, price))
        products.append((
            key, *stamps, name, f"P-{number + 1:05d}", unit, base.id, price, tax, 1, SUPERVISOR_CONTACT,
            categories[number % len(categories)], stable_id("TradeMark", _MARKS[number % 3]),
            f"{name}, sample article",
        ))  # fmt: skip
        units.append((make.id(), *stamps, key, unit, 1, 1000))
        if number % 3 == 0:
            units.append((make.id(), *stamps, key, reference.units["box"], 0, 12_000))
        for name_, currency in (("Base price list", "USD"), ("Europe", "EUR"), ("United Kingdom", "GBP")):
            money = reference.currencies[currency]
            amount = price * money.rate // 10**8
            prices.append((make.id(), *stamps, key, reference.price_lists[name_], money.id, tax, amount))
        stock = random.randrange(0, 500) * 1000
        balances.append((make.id(), *stamps, key, stable_id("Warehouse", "Main warehouse"), stock, 0, stock))
    db = site.db
    db.load("Product", _PRODUCT, products)
    db.load("ProductUnit", (*_STAMPS, "ProductId", "UnitId", "IsBase", "NumberOfBaseUnits"), units)
    db.load("ProductPrice", (*_STAMPS, "ProductId", "PriceListId", "CurrencyId", "TaxId", "Price"), prices)
    db.load(
        "ProductStockBalance",
        (*_STAMPS, "ProductId", "WarehouseId", "TotalQuantity", "ReserveQuantity", "AvailableQuantity"),
        balances,
    )
    return items
