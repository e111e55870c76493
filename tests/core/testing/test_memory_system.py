"""The connector in memory keeps the contract, and does what its users ask of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from weft.errors import EndpointDown
from weft.records import Moved, Property, Query
from weft.testing import LineSubject, Running, Subject, connector_contract
from weft.testing.memory import MemoryObject, MemorySystem

MAPS = """
entity: customer
object: Customers
key: [Id]
match: [[name]]
returns: [number]
own_key: {field: Ours, length: 32}
parts:
  contact: {object: Contacts, join: {Customer: Id}, where: {Kind: main}}
fields:
  Number: {from: number, on: read}
  Name: {from: name, required: true}
  Phone: phone
  contact.Email: email
  Limit: credit_limit
  Currency: {ref: currency, by: code}
---
entity: sales_order
object: Orders
key: [Id]
own_key: {field: Ours, length: 32}
lines:
  lines:
    object: OrderLines
    parent: Order
    key: Id
    order: Position
    match: [[position]]
    fields: {Position: position, Text: description, Quantity: quantity, Price: unit_price}
fields:
  Subject: description
  Date: date
"""


def make(**more: Any) -> MemorySystem:
    text = Property("Name", "text", max_length=80)
    number = Property("Number", "text", read_only=True)
    return MemorySystem(
        [
            MemoryObject("Customers", {"Id": "text", "Ours": "text", "Number": number,
                                       "Name": text, "Phone": "text", "Limit": "money", "Currency": "text"},
                         assigns={"Number": "C{:04d}".format}),
            MemoryObject("Contacts", {"Id": "integer", "Customer": "text", "Kind": "text", "Email": "text"}),
            MemoryObject("Orders", {"Id": "text", "Ours": "text", "Subject": "text", "Date": "date"}),
            MemoryObject("OrderLines", {"Id": "integer", "Order": "text", "Position": "integer", "Text": "text",
                                        "Quantity": "decimal", "Price": "money"}),
        ],
        MAPS,
        title="Memory",
        check=lambda _, data: "The phone is barred" if data.get("Phone") == "barred" else None,
        **more,
    )  # fmt: skip


def customer(n: int) -> dict[str, Any]:
    return {"name": f"Customer {n}", "phone": f"+1 {n}", "email": f"c{n}@example.com",
            "credit_limit": Decimal(f"{n}.50"), "currency": "EUR"}  # fmt: skip


def order(n: int) -> dict[str, Any]:
    return {"description": f"Order {n}", "date": date(2026, 1, 1 + n % 28)}


def line(n: int) -> dict[str, Any]:
    return {"position": n, "description": f"Line {n}", "quantity": Decimal(n), "unit_price": Decimal("9.90")}


class System(Running):
    def __init__(self, harness: Harness) -> None:
        subjects = [
            Subject("customer", customer, money="credit_limit", clear="phone", minimal=lambda n: {"Name": f"Bare {n}"},
                    blank=("phone", "credit_limit"), refused=({"phone": "barred"}, "The phone is barred")),
            Subject("sales_order", order, text="description", day="date", clear="date", lines=LineSubject(line)),
        ]  # fmt: skip
        self.memory = harness.memory
        super().__init__({"token": "a-token-of-ours", "page_size": harness.page_size}, subjects, ["a-token-of-ours"])
        self.wrong_settings = {"token": "another-token"}

    async def create(self, object: str, data: dict[str, Any], company: str) -> str:
        nested = {name: data.pop(name) for name in ("contact",) if name in data}
        key: str = self.memory.put(object, company, **data)
        for values in nested.values():
            self.memory.put("Contacts", company, Customer=key, Kind="main", **values)
        return key

    async def edit(self, object: str, key: str, data: dict[str, Any], company: str) -> None:
        self.memory.edit(object, key, company, **data)

    async def delete(self, object: str, key: str, company: str) -> None:
        self.memory.remove(object, key, company)

    async def keys(self, object: str, company: str) -> list[str]:
        return list(self.memory.rows(object, company))

    async def hide(self, object: str, key: str, company: str) -> None:
        self.memory.hide(object, key, company)

    async def move(self, object: str, key: str, company: str) -> Moved:
        self.memory.move(object, key, "Archive", f"A-{key}", company, "archived")
        return Moved(key, "Archive", f"A-{key}", company, "archived")

    async def stop(self) -> None:
        self.memory.down = "switched off"

    def writes(self) -> int:
        return len(self.memory.writes)


class Harness:
    kind, page_size = "memory", 3

    @property
    def module(self) -> Any:
        """A fresh system each time the suite loads the plugin: once a check."""
        self.memory = make(token="a-token-of-ours")
        return self.memory

    @asynccontextmanager
    async def start(self) -> AsyncIterator[Running]:
        yield System(self)


TestContract = connector_contract(Harness())


def test_rows_of_a_person_have_versions_times_and_numbers() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    system = make(clock=lambda: now)
    key = system.put("Customers", Name="Adatum")
    assert system.get("Customers", key) == {"Id": key, "Ours": None, "Number": "C0001", "Name": "Adatum", "Phone": None,
                                            "Limit": None, "Currency": None}  # fmt: skip
    system.edit("Customers", key, Phone="1")
    assert system.rows("Customers")[key]["Phone"] == "1"
    system.remove("Customers", key)
    assert system.get("Customers", key) is None
    with pytest.raises(KeyError):
        system.edit("Customers", key, Phone="2")


async def test_forgotten_cursors_are_expired_and_new_ones_are_not() -> None:
    system = make()
    system.put("Customers", Name="Adatum")
    [mapping] = system.weft_mappings("customer")
    context = SimpleNamespace(settings=SimpleNamespace(page_size=10))

    async def read(mode: Any, cursor: str | None = None) -> Any:
        pages = [page async for page in system.weft_read(context, Query(mode, mapping, cursor=cursor))]
        return pages[-1]

    old = (await read("scan")).cursor
    assert not (await read("changes", old)).expired
    system.forget_cursors()
    assert (await read("changes", old)).expired
    assert not (await read("changes", (await read("scan")).cursor)).expired


def test_a_fault_strikes_as_often_as_it_says_and_where_it_says() -> None:
    system = make()
    system.fail("reject", op="create", object="Orders", times=2)
    assert system._struck("write", "create", "Customers") is None
    assert system._struck("write", "update", "Orders") is None
    assert [system._struck("write", "create", "Orders") is not None for _ in range(3)] == [True, True, False]
    system.fail("down", on="read", message="closed for the night", retry_after=5)
    with pytest.raises(EndpointDown, match="closed for the night") as raised:
        system._struck("read", "scan", "Orders")
    assert raised.value.retry_after == 5
