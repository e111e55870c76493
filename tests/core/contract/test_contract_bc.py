"""The Business Central connector keeps the contract, against its own simulator."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("weft_bc.connector")

from weft.model.values import Ref
from weft.net import json as exact_json
from weft.records import Moved, Request
from weft.testing import (
    LineSubject,
    SimClock,
    SimulatorHarness,
    SimulatorRunning,
    Subject,
    Unsupported,
    connector_contract,
)
from weft_bc.simulator.server import CLIENT_ID, CLIENT_SECRET, BusinessCentralSimulator


def simulator() -> BusinessCentralSimulator:
    companies = ["Adatum North", "Adatum South"]
    clock = SimClock(precision_ns=1_000_000)
    return BusinessCentralSimulator.create(records=4, seed=5, documents=0, companies=companies, clock=clock)


def settings(sim: BusinessCentralSimulator, secret: str = CLIENT_SECRET) -> dict[str, Any]:
    return {
        "url": sim.base_url,
        "tenant": sim.config.tenant,
        "environment": sim.config.environment,
        "authority": f"{sim.base_url}/{{tenant}}",
        "ca_file": sim.ca_file,
        "company": "Adatum North",
        "retry_attempts": 2,
        "retry_patience": 10,
        "auth": {"client_id": CLIENT_ID, "client_secret": secret},
    }


def customer(n: int) -> dict[str, Any]:
    return {
        "name": f"Fabrikam {n:03d}",
        "party_type": "organization",
        "email": f"office{n}@fabrikam.example.com",
        "phone": f"+1 425 555 {n:04d}",
        "website": f"https://fabrikam{n}.example.com",
        "address.street": f"{n} Main Street",
        "address.postal_code": f"98{n:03d}",
        "credit_limit": Decimal("1500.25") + n,
    }


def subjects(sim: BusinessCentralSimulator) -> list[Subject]:
    company = next(iter(sim.env.companies.values()))
    buyer = next(iter(company.tables["customers"]))["id"]
    items = [row["id"] for row in company.tables["items"] if row["type"] == "Inventory"]

    def order(n: int) -> dict[str, Any]:
        return {"customer": Ref("customers", buyer), "date": date(2024, 5, n % 28 + 1), "phone": f"+1 425 555 {n:04d}"}

    def line(n: int) -> dict[str, Any]:
        return {
            "product": Ref("items", items[n % len(items)]), "description": f"Line {n}", "quantity": Decimal(n),
            "unit_price": Decimal("19.90") + n,
        }  # fmt: skip

    return [
        Subject(
            "customer", customer, money="credit_limit", clear="website", negative=False,
            minimal=lambda n: {"displayName": f"Only a name {n}"},
            blank=("email", "website", "address.street", "tax_id"),
            refused=({"credit_limit": Decimal(-1)}, "must not be negative"),
        ),
        Subject("sales_order", order, text="phone", day="date", lines=LineSubject(line)),
    ]  # fmt: skip


def company(sim: BusinessCentralSimulator, number: int) -> str:
    return list(sim.env.companies)[number]


async def create(sim: BusinessCentralSimulator, object: str, data: dict[str, Any], company: str) -> str:
    values = exact_json.loads(exact_json.dumps(data))
    return str((await sim.command("create", set=object, values=values, company=company))["id"])


async def edit(sim: BusinessCentralSimulator, object: str, key: str, data: dict[str, Any], company: str) -> None:
    await sim.command("edit", set=object, key=key, values=exact_json.loads(exact_json.dumps(data)), company=company)


async def delete(sim: BusinessCentralSimulator, object: str, key: str, company: str) -> None:
    await sim.command("delete", set=object, key=key, company=company)


def keys(sim: BusinessCentralSimulator, object: str, company: str) -> list[str]:
    return [row["id"] for row in sim.env.companies[company].tables[object]]


async def hide(sim: BusinessCentralSimulator, object: str, key: str, company: str) -> None:
    """Rights are per set; what a security filter hides within one is answered like a record that is not there."""
    await sim.command("deny", client_id=CLIENT_ID, set=object, method="GET")


async def move(sim: BusinessCentralSimulator, object: str, key: str, company: str) -> Moved:
    """An order that is shipped and invoiced in full leaves the set."""
    if object != "salesOrders":
        raise Unsupported("customers stay where they are")
    posted = await sim.command("post", set=object, key=key, company=company)
    return Moved(key, posted["set"], posted["id"])


class BcRunning(SimulatorRunning[BusinessCentralSimulator]):
    """Notifications carry no secret of their own: the one in the address is checked by core."""

    def notification(self, object: str, key: str, company: str) -> Request:
        told = {
            "subscriptionId": "s1", "clientState": "", "changeType": "updated",
            "resource": f"/api/v2.0/companies({company})/{object}({key})",
        }  # fmt: skip
        return Request("POST", {}, {"content-type": "application/json"}, exact_json.dumps({"value": [told]}))

    def handshake(self) -> tuple[Request, bytes]:
        return Request("POST", {"validationToken": "4fcb2d1e"}, {}, b""), b"4fcb2d1e"


HARNESS: SimulatorHarness[BusinessCentralSimulator] = SimulatorHarness(
    kind="bc",
    module="weft_bc.connector",
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
    move=move,
    running=BcRunning,
    company=lambda sim: company(sim, 0),
    other_company=lambda sim: company(sim, 1),
    write_path=r"/api/v2\.0/",
    login_path=r"/oauth2/v2\.0/token",
)

TestBusinessCentral = connector_contract(HARNESS)
