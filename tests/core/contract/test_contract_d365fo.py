"""The Finance & Operations connector keeps the contract, against its own simulator."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("weft_d365fo.connector")

from weft.model.values import Ref
from weft.net import json as exact_json
from weft.records import Request
from weft.testing import (
    LineSubject,
    SimClock,
    SimulatorHarness,
    SimulatorRunning,
    Subject,
    Unsupported,
    connector_contract,
)
from weft_d365fo.simulator import CLIENT_ID, CLIENT_SECRET, FinanceOperationsSimulator

KEYS = {
    "CustomersV3": "CustomerAccount",
    "SalesOrderHeadersV2": "SalesOrderNumber",
}


def simulator() -> FinanceOperationsSimulator:
    clock = SimClock(precision_ns=1_000_000)
    return FinanceOperationsSimulator.create(records=4, seed=5, companies=["usmf", "demf"], clock=clock)


def settings(sim: FinanceOperationsSimulator, secret: str = CLIENT_SECRET) -> dict[str, Any]:
    return {
        "url": sim.base_url,
        "tenant": sim.config.tenant,
        "authority": f"{sim.base_url}/{{tenant}}",
        "ca_file": sim.ca_file,
        "company": "usmf",
        "site": "1",
        "sweep_every": 0,
        "retry_attempts": 2,
        "retry_patience": 10,
        "auth": {"client_id": CLIENT_ID, "client_secret": secret},
    }


def customer(n: int) -> dict[str, Any]:
    return {
        "name": f"Fabrikam {n:03d}",
        "party_type": "organization",
        "search_name": f"fabrikam {n:03d}",
        "email": f"office{n}@fabrikam.example.com",
        "phone": f"+1 425 555 {n:04d}",
        "website": f"https://fabrikam{n}.example.com",
        "notes": f"Note {n}",
        "address.street": f"{n} Main Street",
        "address.postal_code": f"98{n:03d}",
        "credit_limit": Decimal("1500.25") + n,
    }


def subjects(sim: FinanceOperationsSimulator) -> list[Subject]:
    buyer = sim.world.rows("CustTable", "usmf")[0]["CustomerAccount"]
    items = [row["ItemNumber"] for row in sim.world.rows("InventTable", "usmf")]

    def order(n: int) -> dict[str, Any]:
        return {
            "customer": Ref("CustomersV3", buyer), "delivery_date": date(2026, 5, n % 28 + 1),
            "customer_reference": f"Order {n} of the buyer",
        }  # fmt: skip

    def line(n: int) -> dict[str, Any]:
        return {
            "product": Ref("ReleasedProductsV2", items[n % len(items)]), "description": f"Line {n}",
            "quantity": Decimal(n), "unit_price": Decimal("19.90") + n,
        }  # fmt: skip

    return [
        Subject(
            "customer", customer, text="notes", money="credit_limit", clear="website", negative=False,
            minimal=lambda n: {
                "OrganizationName": f"Only a name {n}", "PartyType": "Organization", "CustomerGroupId": "10",
                "SalesCurrencyCode": "USD",
            },
            blank=("email", "website", "address.street", "tax_id"),
            refused=({"payment_terms": "never"}, "is not found in the related table"),
        ),
        Subject("sales_order", order, text="customer_reference", day="delivery_date", lines=LineSubject(line)),
    ]  # fmt: skip


async def create(sim: FinanceOperationsSimulator, object: str, data: dict[str, Any], company: str) -> str:
    values = exact_json.loads(exact_json.dumps(data))
    made = await sim.command("create", set=object, values={"dataAreaId": company, **values}, company=company)
    return str(made[KEYS[object]])


def key_of(object: str, key: str, company: str) -> dict[str, Any]:
    return {"dataAreaId": company, KEYS[object]: key}


async def edit(sim: FinanceOperationsSimulator, object: str, key: str, data: dict[str, Any], company: str) -> None:
    values = exact_json.loads(exact_json.dumps(data))
    await sim.command("edit", set=object, key=key_of(object, key, company), values=values)


async def delete(sim: FinanceOperationsSimulator, object: str, key: str, company: str) -> None:
    await sim.command("delete", set=object, key=key_of(object, key, company))


async def keys(sim: FinanceOperationsSimulator, object: str, company: str) -> list[str]:
    return [row[KEYS[object]] for row in await sim.command("list", set=object, company=company, limit=10_000)]


async def hide(sim: FinanceOperationsSimulator, object: str, key: str, company: str) -> None:
    """Rights are per set; what a policy hides within one is answered like a record that is not there."""
    await sim.command("deny", set=object, method="GET")


class FoRunning(SimulatorRunning[FinanceOperationsSimulator]):
    def notification(self, object: str, key: str, company: str) -> Request:
        if object != "SalesOrderHeadersV2":
            raise Unsupported("no business event tells of customers")
        told = {
            "BusinessEventId": "SalesInvoicePostedBusinessEvent", "BusinessEventLegalEntity": company,
            "ControlNumber": 5637144576, "SalesOrderId": key,
        }  # fmt: skip
        return Request("POST", {}, {"content-type": "application/json"}, exact_json.dumps(told))


HARNESS: SimulatorHarness[FinanceOperationsSimulator] = SimulatorHarness(
    kind="d365fo",
    module="weft_d365fo.connector",
    simulator=simulator,
    settings=settings,
    wrong=lambda sim: settings(sim, "a-wrong-secret-of-ours"),
    secrets=lambda sim: (CLIENT_SECRET, "a-wrong-secret-of-ours"),
    tokens=lambda sim: tuple(sim.entra._tokens),
    subjects=subjects,
    create=create,
    edit=edit,
    delete=delete,
    keys=keys,
    hide=hide,
    running=FoRunning,
    company=lambda sim: "usmf",
    other_company=lambda sim: "demf",
    write_path=r"/data/",
    login_path=r"/oauth2/v2\.0/token",
)

TestFinanceOperations = connector_contract(HARNESS)
