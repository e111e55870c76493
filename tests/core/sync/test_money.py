"""Amounts have the places of their currency: what counts as a difference, what is sent, which totals agree."""

from __future__ import annotations

from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from tests.core.sync.conftest import World, only

from weft.testing.memory import MemoryObject, MemorySystem

LEFT = """
entity: payment
object: Payments
key: [Id]
match: [[external_number]]
fields:
  Number: external_number
  Currency: {ref: currency, by: code}
  Amount: {from: amount, compare: money}
---
entity: sales_invoice
object: Invoices
key: [Id]
match: [[external_number]]
fields: {Number: external_number, Currency: {ref: currency, by: code}, Total: {from: gross_amount, on: read}}
"""
RIGHT = """
entity: payment
object: receipts
key: [Id]
match: [[external_number]]
fields:
  Number: external_number
  Currency: {ref: currency, by: code}
  Amount: {from: amount, digits: currency, compare: money}
---
entity: sales_invoice
object: bills
key: [Id]
match: [[external_number]]
actions: {post: post}
locked: "Status = 'posted' ? 'posted'"
fields: {Number: external_number, Currency: {ref: currency, by: code}, Total: {from: gross_amount, on: read}}
"""
CONFIG = """
state: sqlite:///weft.db
connections:
  crm: {kind: memcrm}
  erp: {kind: memerp}
flows:
  payments: {entity: payment, between: [crm, erp], owner: crm}
  invoices: {entity: sales_invoice, between: [crm, erp], owner: crm, after: {erp: [post]}}
"""
PAYMENT = {"Id": "text", "Number": "text", "Currency": "text", "Amount": "money"}
INVOICE = {"Id": "text", "Number": "text", "Currency": "text", "Total": "money", "Status": "text"}


def posted(row: Any) -> None:
    row.data["Status"] = "posted"


@pytest.fixture
def bank(tmp_path: Path) -> World:
    crm = MemorySystem([MemoryObject("Payments", PAYMENT), MemoryObject("Invoices", INVOICE)], LEFT)
    objects = [MemoryObject("receipts", PAYMENT), MemoryObject("bills", INVOICE)]
    erp = MemorySystem(objects, RIGHT, actions={"post": posted})
    return World(tmp_path, crm, erp, config=CONFIG)


def received(world: World, number: str) -> D:
    return D(next(row["Amount"] for row in world.erp.rows("receipts").values() if row["Number"] == number))


@pytest.mark.parametrize(
    ("currency", "amount", "sent"),
    [("USD", "10.005", "10.01"), ("KWD", "10.0055", "10.006"), ("JPY", "10.5", "11"), ("HUF", "10.5", "11"),
     ("CLF", "1.00005", "1.0001"), ("USD", "10.50", "10.5")],
)  # fmt: skip
async def test_amounts_are_sent_with_the_places_of_their_currency(
    bank: World, currency: str, amount: str, sent: str
) -> None:
    """ISO 4217 says three of dinars and none of yen; the configuration that forints have none either."""
    bank.config += "currencies: {HUF: 0}\n"
    bank.crm.put("Payments", Number="P1", Currency=currency, Amount=D(amount))
    await bank.sync("payments")
    assert received(bank, "P1") == D(sent)


async def test_a_thousandth_of_a_dinar_is_a_difference(bank: World) -> None:
    keys = {code: bank.crm.put("Payments", Number=code, Currency=code, Amount=D("12.345"))
            for code in ("KWD", "USD")}  # fmt: skip
    await bank.sync("payments")
    for key in keys.values():
        bank.crm.edit("Payments", key, Amount=D("12.346"))
    await bank.sync("payments")
    assert received(bank, "KWD") == D("12.346")
    [again] = await bank.sync("payments")
    assert again.counts.get("updated", 0) == 0
    bank.config += "currencies: {KWD: 2}\n"
    bank.crm.edit("Payments", keys["KWD"], Amount=D("12.349"))
    await bank.sync("payments")
    assert received(bank, "KWD") == D("12.346")  # both are 12.35 there


@pytest.mark.parametrize(
    ("tolerance", "currency", "agree"),
    [("0.01", "KWD", True), ("{KWD: 0.001, default: 0.01}", "KWD", False), ("{KWD: 0.001}", "USD", True),
     ("{default: 0.001}", "USD", False), ("{JPY: 1}", "KWD", True)],
)  # fmt: skip
async def test_totals_are_compared_before_posting(bank: World, tolerance: str, currency: str, agree: bool) -> None:
    bank.configure("after: {erp: [post]}", f"after: {{erp: [post]}}, totals: {{tolerance: {tolerance}}}")
    bank.crm.put("Invoices", Number="I1", Currency=currency, Total=D("9.999"))
    bank.erp.put("bills", Number="I1", Currency=currency, Total=D("10.004"), Status="open")
    await bank.sync("invoices")
    assert (only(bank.erp.rows("bills")).get("Status") == "posted") is agree
    if not agree:
        [issue] = await bank.issues()
        assert f"gross_amount differs by more than 0.001 {currency}: 9.999 {currency} on the left" in issue.reason
