"""Two systems in memory and a flow between them: a small world to run the whole cycle in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from weft.config.loading import load_text
from weft.plugins import Plugins
from weft.runtime import Runtime
from weft.state.store import State
from weft.sync.cycle import Report, sync
from weft.testing.memory import MemoryObject, MemorySystem

CRM = """
entity: customer
object: Accounts
key: [Id]
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
match: [[number]]
fields: {Code: number, Name: name, Price: unit_price}
---
entity: sales_order
object: Orders
key: [Id]
lines:
  lines:
    object: OrderLines
    parent: OrderId
    key: Id
    order: Position
    match: [[product]]
    fields: {ProductId: {ref: product}, Quantity: quantity, Price: unit_price, Position: position}
fields: {CustomerId: {ref: customer}, Reference: external_number, Total: gross_amount, ErpNumber: number}
"""

ERP = """
entity: customer
object: customers
key: [id]
match: [[tax_id], [email]]
returns: [number]
settle_seconds: 5
fields:
  displayName: {from: name, max: 40}
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
fields: {no: number, displayName: name, unitPrice: unit_price}
---
entity: sales_order
object: salesOrders
key: [id]
own_key: {field: externalKey, form: text, length: 20}
returns: [number]
settle_seconds: 5
lines:
  lines:
    object: salesLines
    parent: orderId
    key: id
    order: position
    match: [[product]]
    fields: {itemId: {ref: product}, quantity: quantity, unitPrice: unit_price, position: position}
fields:
  customerId: {ref: customer, required: true}
  reference: external_number
  total: gross_amount
  number: {from: number, on: read}
"""

CONFIG = """
state: sqlite:///weft.db
connections:
  crm: {kind: memcrm}
  erp: {kind: memerp}
flows:
  customers: {entity: customer, between: [crm, erp], owner: crm}
  products: {entity: product, between: [crm, erp], on_conflict: review}
  orders: {entity: sales_order, between: [crm, erp], direction: left_to_right}
"""


def crm_system() -> MemorySystem:
    text = {"Id": "text", "Name": "text", "Email": "text", "Tax": "text", "ErpNumber": "text", "Phone": "text"}
    order = {"Id": "text", "CustomerId": "text", "Reference": "text", "Total": "money", "ErpNumber": "text"}
    line = {"Id": "text", "OrderId": "text", "ProductId": "text", "Quantity": "decimal", "Price": "money"}
    return MemorySystem(
        [
            MemoryObject("Accounts", {**text, "Limit": "money"}),
            MemoryObject("Products", {"Id": "text", "Code": "text", "Name": "text", "Price": "money"}),
            MemoryObject("Orders", order),
            MemoryObject("OrderLines", {**line, "Position": "integer"}),
        ],
        CRM,
        title="Memory CRM",
    )


def erp_system() -> MemorySystem:
    customer = {"id": "text", "displayName": "text", "email": "text", "taxNumber": "text", "number": "text"}
    order = {"id": "text", "customerId": "text", "reference": "text", "total": "money", "number": "text"}
    line = {"id": "text", "orderId": "text", "itemId": "text", "quantity": "decimal", "unitPrice": "money"}
    return MemorySystem(
        [
            MemoryObject(
                "customers",
                {**customer, "creditLimit": "money", "phoneNumber": "text"},
                key=("id",),
                assigns={"number": "C{:05d}".format},
            ),
            MemoryObject(
                "items", {"id": "text", "no": "text", "displayName": "text", "unitPrice": "money"}, key=("id",)
            ),
            MemoryObject(
                "salesOrders", {**order, "externalKey": "text"}, key=("id",), assigns={"number": "SO{:05d}".format}
            ),
            MemoryObject("salesLines", {**line, "position": "integer"}, key=("id",)),
        ],
        ERP,
        title="Memory ERP",
    )


@dataclass
class Clock:
    """A clock that a test moves by hand."""

    at: datetime = field(default_factory=lambda: datetime(2024, 5, 1, 8, tzinfo=UTC))

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def forward(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class World:
    """Both systems, the clock, and a way to run flows from a fresh start each time."""

    folder: Path
    crm: MemorySystem = field(default_factory=crm_system)
    erp: MemorySystem = field(default_factory=erp_system)
    clock: Clock = field(default_factory=Clock)
    config: str = CONFIG
    extra: dict[str, Any] = field(default_factory=dict)
    state_url: str = ""

    def configure(self, old: str, new: str) -> None:
        assert old in self.config
        self.config = self.config.replace(old, new)

    @asynccontextmanager
    async def runtime(self) -> AsyncIterator[Runtime]:
        plugins = Plugins()
        plugins.register("memcrm", self.crm)
        plugins.register("memerp", self.erp)
        for name, plugin in self.extra.items():
            plugins.register(name, plugin)
        config = load_text(self.config, "weft.yaml", plugins)
        with State.open(self.state_url or f"sqlite:///{self.folder}/weft.db") as state:
            async with Runtime(config, state, plugins, clock=self.clock) as runtime:
                yield runtime

    async def sync(self, *names: str, **options: Any) -> list[Report]:
        """One sync, in a process of its own as far as the state is concerned; fails on a failed run."""
        async with self.runtime() as runtime:
            reports = await sync(runtime, names or None, **options)
        broken = [f"{report.flow}: {report.error}" for report in reports if report.state == "failed"]
        assert not broken, broken
        return reports

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        """Ask the state something: ``question(tx)``."""
        async with self.runtime() as runtime:
            return await runtime.state.read(question)

    async def tell(self, change: Callable[[Any], Any]) -> Any:
        async with self.runtime() as runtime:
            return await runtime.state.write(change)

    async def issues(self, **about: Any) -> list[Any]:
        return list(await self.ask(lambda tx: tx.issues.page(**about)))


@pytest.fixture
def world(tmp_path: Path, state_url: str) -> World:
    """Runs on every state database there is."""
    return World(tmp_path, state_url=state_url)


def only(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The one row there is."""
    assert len(rows) == 1, rows
    return next(iter(rows.values()))
