"""Reference data: matched by code, which means the same on both sides."""

from __future__ import annotations

from decimal import Decimal

from weft.model.entity import Entity, about, code


class Reference(Entity, kind="reference", code="code", label=("code", "name")):
    """What all reference data has."""

    code: str | None = about("Code that both sides understand")
    name: str | None = about("Name")
    active: bool | None = about("False when it is no longer used")


class Currency(Reference):
    """A currency; the code is ISO 4217, three letters."""

    symbol: str | None = about("Symbol")
    digits: int | None = about("Decimal places of amounts")


class Country(Reference):
    """A country; the code is ISO 3166, two letters."""


class Region(Reference):
    """A state, province or region of a country."""

    country: str | None = code("country", "Country it is part of")


class City(Reference):
    """A city; the code is its name."""

    region: str | None = code("region", "Region it is in")
    country: str | None = code("country", "Country it is in")


class Unit(Reference):
    """A unit of measure."""

    digits: int | None = about("Decimal places of quantities")


class PaymentTerms(Reference):
    """When payment is due."""

    days: int | None = about("Days until payment is due")
    discount_days: int | None = about("Days within which a cash discount is given")
    discount_percent: Decimal | None = about("Cash discount, per cent")


class PaymentMethod(Reference):
    """How payment is made."""


class ShipmentMethod(Reference):
    """Terms or mode of delivery."""


class Tax(Reference):
    """A tax code or tax group."""

    percent: Decimal | None = about("Rate, per cent")


class CustomerGroup(Reference):
    """A group of customers that decides posting and terms."""


class VendorGroup(Reference):
    """A group of vendors that decides posting and terms."""


class ItemGroup(Reference):
    """A group or category of products."""

    parent: str | None = code("item_group", "Group it is part of")


class PriceList(Reference):
    """A price list or price book."""

    currency: str | None = code("currency", "Currency of its prices")


class User(Reference):
    """A person who works with the systems: CRM user, salesperson, buyer, employee."""

    email: str | None = about("E-mail address")
    login: str | None = about("Name used to sign in")
    employee_number: str | None = about("Personnel number")


class Location(Reference):
    """A warehouse or other place where stock is kept."""

    site: str | None = about("Site it is part of, by code")


class BankAccount(Reference):
    """A bank, cash or company card account of our own."""

    currency: str | None = code("currency", "Currency it is kept in")
    iban: str | None = about("IBAN or account number")


class DimensionValue(Reference):
    """One value of a financial dimension."""

    dimension: str | None = about("Dimension: business_unit, department, cost_centre, project or its code")
