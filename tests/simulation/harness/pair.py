"""The two systems: a CRM and an ERP in memory, with what the real ones do to those who are careless."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from weft.records import Outcome
from weft.testing.memory import MemoryObject, MemorySystem, Row

CRM = """
entity: customer
object: Accounts
key: [Id]
settle_seconds: 5
match: [[tax_id], [email]]
fields:
  Name: name
  Email: {from: email, compare: casefold}
  Tax: tax_id
  ErpNumber: number
  Limit: credit_limit
  Phone: {from: phone, compare: digits}
---
entity: product
object: Products
key: [Id]
settle_seconds: 5
match: [[number]]
fields: {Code: number, Name: name, Price: unit_price}
---
entity: sales_order
object: Orders
key: [Id]
settle_seconds: 5
match: [[external_number]]
lines:
  lines:
    object: OrderLines
    parent: OrderId
    key: Id
    order: Position
    match: [[product]]
    fields: {ProductId: {ref: product}, Quantity: quantity, Price: unit_price}
fields: {CustomerId: {ref: customer}, Reference: external_number, Note: description, ErpNumber: number}
"""

ERP = """
entity: customer
object: customers
key: [id]
match: [[tax_id], [email]]
returns: [number]
settle_seconds: 5
fields:
  displayName: {from: name, max: 60}
  email: {from: email, compare: casefold}
  taxNumber: tax_id
  number: {from: number, on: read}
  creditLimit: credit_limit
  phoneNumber: {from: phone, compare: digits}
---
entity: product
object: items
key: [id]
match: [[number]]
settle_seconds: 5
fields: {no: number, displayName: name, unitPrice: unit_price}
---
entity: sales_order
object: salesOrders
key: [id]
match: [[external_number]]
own_key: {field: externalKey, form: text, length: 20}
returns: [number]
settle_seconds: 5
lines:
  lines:
    object: salesLines
    parent: orderId
    key: id
    match: [[product]]
    fields: {itemId: {ref: product}, quantity: quantity, unitPrice: unit_price}
fields:
  customerId: {ref: customer, required: true}
  reference: external_number
  note: description
  number: {from: number, on: read}
"""

SETTLE = 5.0
"""Seconds in which a write whose answer was lost may still come through."""

OBJECTS = {
    "left": {"customer": "Accounts", "product": "Products", "order": "Orders", "line": "OrderLines"},
    "right": {"customer": "customers", "product": "items", "order": "salesOrders", "line": "salesLines"},
}
NAMES = {
    "left": {
        "customer": {"name": "Name", "email": "Email", "phone": "Phone", "limit": "Limit", "_": "Tax"},
        "product": {"name": "Name", "price": "Price", "_": "Code"},
        "order": {"note": "Note", "customer": "CustomerId", "_": "Reference"},
        "line": {"quantity": "Quantity", "price": "Price", "_": "ProductId", "order": "OrderId"},
    },
    "right": {
        "customer": {
            "name": "displayName", "email": "email", "phone": "phoneNumber", "limit": "creditLimit", "_": "taxNumber"
        },
        "product": {"name": "displayName", "price": "unitPrice", "_": "no"},
        "order": {"note": "note", "customer": "customerId", "_": "reference"},
        "line": {"quantity": "quantity", "price": "unitPrice", "_": "itemId", "order": "orderId"},
    },
}  # fmt: skip
FIELDS = {
    "customer": ("name", "email", "phone", "limit"),
    "product": ("name", "price"),
    "order": ("note", "customer"),
    "line": ("quantity", "price"),
}


def norm(name: str, value: Any) -> Any:
    """A value as the rules compare it: spellings that mean the same become the same."""
    if value is None or value == "":
        return None
    if name == "email":
        return str(value).casefold()
    if name == "phone":
        return re.sub(r"\D", "", str(value)) or None
    if name in ("limit", "price", "quantity"):
        amount = Decimal(value).normalize()
        return None if name == "limit" and not amount else amount  # real systems show no limit as 0
    return " ".join(str(value).split()) if name in ("name", "note") else value


class Clock:
    """Both systems and the engine live by it."""

    def __init__(self) -> None:
        self.at = datetime(2024, 5, 1, 8, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


class System(MemorySystem):
    """A document is one unit: changing a line changes the document's version."""

    parents: Mapping[str, tuple[str, str]]
    max_batch = 100

    def _note(self, place: tuple[str, str, str], data: Mapping[str, Any]) -> None:
        super()._note(place, data)
        parent = self.parents.get(place[0])
        row = self._rows.get((parent[0], place[1], str(data.get(parent[1])))) if parent is not None else None
        if row is not None:
            row.version += 1
            row.changed_at = self.clock()

    def stamp(self, object: str, key: str) -> Row:
        return self._rows[object, "", key]


@dataclass
class Pair:
    """Both systems, by side."""

    clock: Clock = field(default_factory=Clock)
    answers: dict[str, bool] = field(default_factory=lambda: {"left": True, "right": True})
    strict: bool = False
    """The ERP tidies text: it trims names and notes."""

    called: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """What every record seen is called: (side, kind, key) -> name; deleted ones are remembered."""

    kinds = ("customer", "product", "order")
    objects = OBJECTS
    names = NAMES
    fields = FIELDS
    clearable = frozenset({"email", "phone", "limit", "price", "note"})
    tells_times = True
    """Records carry the time of their last change, on both sides; without it nobody can say which is newest."""

    def __post_init__(self) -> None:
        tidy = _tidy if self.strict else None
        self.systems: dict[str, System] = {
            "left": _crm(self.clock.now, self.answers["left"]),
            "right": _erp(self.clock.now, self.answers["right"], tidy),
        }

    def connections(self, page_size: int) -> list[str]:
        """The part of ``weft.yaml`` that says where the systems are."""
        return [f"  crm: {{kind: memcrm, page_size: {page_size}}}", f"  erp: {{kind: memerp, page_size: {page_size}}}"]

    def numbers(self, side: str, kind: str, row: dict[str, Any]) -> Any:
        """The number the ERP gives, as a side shows it; None where there is none."""
        return None if kind == "product" else row["ErpNumber" if side == "left" else "number"]

    def rows(self, side: str, kind: str) -> dict[str, dict[str, Any]]:
        return self.systems[side].rows(OBJECTS[side][kind])


def _crm(clock: Callable[[], datetime], answers: bool) -> System:
    text = dict.fromkeys(("Id", "Name", "Email", "Tax", "ErpNumber", "Phone"), "text")
    line = {"Id": "text", "OrderId": "text", "ProductId": "text", "Quantity": "decimal", "Price": "money"}
    order = dict.fromkeys(("Id", "CustomerId", "Reference", "Note", "ErpNumber"), "text")
    objects = [
        MemoryObject("Accounts", {**text, "Limit": "money"}),
        MemoryObject("Products", {"Id": "text", "Code": "text", "Name": "text", "Price": "money"}),
        MemoryObject("Orders", order),
        MemoryObject("OrderLines", {**line, "Position": "integer"}),
    ]
    system = System(objects, CRM, title="Memory CRM", clock=clock, answers=answers)
    system.parents = {"OrderLines": ("Orders", "OrderId")}
    system.tells_deletes = True
    return system


def _erp(clock: Callable[[], datetime], answers: bool, tidy: Any) -> System:
    customer = dict.fromkeys(("id", "displayName", "email", "taxNumber", "number", "phoneNumber"), "text")
    order = dict.fromkeys(("id", "customerId", "reference", "note", "number", "externalKey"), "text")
    line = {"id": "text", "orderId": "text", "itemId": "text", "quantity": "decimal", "unitPrice": "money"}
    item = {"id": "text", "no": "text", "displayName": "text", "unitPrice": "money"}
    objects = [
        MemoryObject("customers", {**customer, "creditLimit": "money"}, ("id",), {"number": "C{:05d}".format}),
        MemoryObject("items", item, ("id",)),
        MemoryObject("salesOrders", order, ("id",), {"number": "SO{:05d}".format}),
        MemoryObject("salesLines", {**line, "position": "integer"}, ("id",)),
    ]
    system = System(objects, ERP, title="Memory ERP", clock=clock, answers=answers, normalise=tidy)
    system.parents = {"salesLines": ("salesOrders", "orderId")}
    system.tells_deletes = True
    return system


def _tidy(_: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        n: " ".join(v.split()) if isinstance(v, str) and n in ("displayName", "note") else v for n, v in data.items()
    }


@dataclass
class Late:
    """A write whose answer was lost and that is carried out later than the answer was given up."""

    side: str
    item: Any
    due: int
    until: datetime


def carry_out(system: System, item: Any) -> Outcome:
    """What the system does with one item, whoever still waits for the answer."""
    return system._carry_out(item, "weft")


def lose(rng: random.Random, item: Any) -> Outcome:
    from weft.records import Error

    words = rng.choice(["the connection was reset", "no answer within 30 s"])
    return Outcome(item.id, "in_doubt", error=Error("endpoint", words))
