"""Declaring entities as classes: introspection, ABSENT and EMPTY, exactness."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

import pytest
from pydantic import ValidationError

from weft.model.entities.parties import Customer
from weft.model.entities.parts import Address
from weft.model.entities.sales import SalesOrder, SalesOrderLine
from weft.model.entity import Entity, Moment, Money, about, code, entity_type, ref
from weft.model.values import Ref


class Part(Entity, kind="document", label=("serial",)):
    """A part of a machine."""

    serial: str | None = about("Serial number")
    hours: Decimal | None = about("Hours of use")


class MachineOrder(Entity, kind="document", currency="currency", label=("number",), totals=("price",)):
    """An order of a machine."""

    number: str | None = about("Number")
    state: Literal["open", "closed"] | None = about("State")
    price: Money | None = about("Price", currency="currency")
    currency: str | None = code("currency", "Currency of the price")
    customer: Ref | None = ref("customer", "Who orders")
    count: int | None = about("How many")
    urgent: bool | None = about("Whether it is urgent")
    day: date | None = about("Day")
    seen: Moment | None = about("When")
    address: Address | None = about("Where to")
    parts: list[Part] | None = about("Parts")


class SpecialOrder(MachineOrder, name="machine_special", shown_as="Special!"):
    """A child."""

    extra: str | None = about("More")


def test_introspection_reads_every_kind_of_field() -> None:
    found = entity_type(MachineOrder)
    assert {name: field.kind for name, field in found.fields.items() if "." not in name} == {
        "number": "text",
        "state": "text",
        "price": "money",
        "currency": "ref",
        "customer": "ref",
        "count": "integer",
        "urgent": "boolean",
        "day": "date",
        "seen": "datetime",
    }
    assert found.name == "machine_order"
    assert found.title == "Machine order"
    assert found.kind == "document"
    assert found.totals == ("price",)
    assert found.fields["state"].values == ("open", "closed")
    assert found.fields["price"].currency == "currency"
    assert found.fields["customer"].entity == "customer"
    assert found.fields["address.street"].name == "address.street"
    assert found.fields["address.country"].entity == "country"
    assert "address" not in found.fields
    assert found.lines["parts"].name == "part"
    assert found.lines["parts"].fields["hours"].kind == "decimal"
    assert found.lines["parts"].label == ("serial",)


def test_children_inherit_kind_and_totals_but_not_the_name() -> None:
    found = entity_type(SpecialOrder)
    assert (found.name, found.title, found.kind) == ("machine_special", "Special!", "document")
    assert found.totals == ("price",)
    assert entity_type(MachineOrder).name == "machine_order"
    assert list(found.fields)[-1] == "extra"


def test_an_annotation_that_is_no_canonical_type_is_refused() -> None:
    class Odd(Entity):
        amount: float | None = about("A float")

    with pytest.raises(TypeError, match=r"Odd\.amount: .*float"):
        entity_type(Odd)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="labels"):

        class Typo(Entity, labels=("x",)):
            """Option misspelt."""


def test_unset_is_absent_and_none_is_empty() -> None:
    customer = Customer(
        name="Adatum", tax_id=None, credit_limit=Decimal("10.50"), address=Address(city="Graz", street=None)
    )
    assert customer.flat() == {
        "name": "Adatum",
        "address.street": None,
        "address.city": "Graz",
        "tax_id": None,
        "credit_limit": Decimal("10.50"),
    }


def test_lines_are_not_part_of_the_flat_fields() -> None:
    order = SalesOrder(number="SO-1", lines=[SalesOrderLine(quantity=Decimal(2))])
    assert order.flat() == {"number": "SO-1"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("credit_limit", 1.5),
        ("credit_limit", "1.5"),
        ("name", 7),
        ("blocked", "sometimes"),
        ("active", "yes"),
        ("parent", "C1"),
        ("surname", "x"),
    ],
)
def test_instances_refuse_what_is_not_canonical(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Customer(**{field: value})


def test_naive_times_are_refused() -> None:
    with pytest.raises(ValidationError):
        MachineOrder(seen=datetime(2024, 1, 1))
    assert MachineOrder(seen=datetime(2024, 1, 1, tzinfo=UTC)).flat()["seen"].tzinfo is UTC


def test_references_are_kept_as_they_are() -> None:
    assert Customer(parent=Ref("Account", "1")).flat() == {"parent": Ref("Account", "1")}
