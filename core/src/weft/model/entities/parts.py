"""Groups that several entities share: addresses and financial dimensions."""

from __future__ import annotations

from weft.model.entity import Entity, about, code


class Address(Entity):
    """A postal address."""

    name: str | None = about("Name on the address, where it differs from the party's")
    attention: str | None = about("Person the post is addressed to")
    street: str | None = about("Street and number, first line")
    street2: str | None = about("Second line: building, floor, care of")
    city: str | None = code("city", "City, by name")
    region: str | None = code("region", "State, province or region")
    postal_code: str | None = about("Postal code")
    country: str | None = code("country", "Country, ISO 3166 two letters")


class Dimensions(Entity):
    """Financial dimensions, each by the code of its value."""

    business_unit: str | None = code("dimension_value", "Business unit, code of the dimension value")
    department: str | None = code("dimension_value", "Department, code of the dimension value")
    cost_centre: str | None = code("dimension_value", "Cost centre, code of the dimension value")
    project: str | None = code("dimension_value", "Project, code of the dimension value")
