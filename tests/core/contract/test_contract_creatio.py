"""The Creatio connector keeps the contract, against its own simulator with weft's package installed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

pytest.importorskip("weft_creatio.connector")

from weft.model.values import Ref
from weft.net import json as exact_json
from weft.testing import LineSubject, SimulatorHarness, Subject, connector_contract
from weft_creatio.package.build import BuildOptions, build_archive
from weft_creatio.package.contents import read_package
from weft_creatio.package.model import load_model
from weft_creatio.simulator import CreatioSimulator

CUSTOMER_TYPE = "03a75490-53e6-df11-971b-001d60e938c6"
PASSWORD = "a-Password-of-the-simulator"


@cache
def package() -> Any:
    return read_package(build_archive(load_model(), BuildOptions()))


def simulator() -> CreatioSimulator:
    sim = CreatioSimulator.create(3, 7, password=PASSWORD)
    sim.installer.apply(package())
    return sim


def settings(sim: CreatioSimulator, password: str = PASSWORD) -> dict[str, Any]:
    return {
        "url": sim.base_url,
        "ca_file": sim.ca_file,
        "auth": {"username": "Supervisor", "password": password},
        "retry_attempts": 2,
        "retry_base": 0.01,
        "retry_patience": 10,
    }


def customer(n: int) -> dict[str, Any]:
    return {
        "name": f"Fabrikam {n:03d}",
        "phone": f"+1 425 555 {n:04d}",
        "website": f"https://fabrikam{n}.example.com",
        "address.street": f"{n} Main Street",
        "address.postal_code": f"98{n:03d}",
        "tax_id": f"US{n:09d}",
        "credit_limit": Decimal("1500.25") + n,
    }


def subjects(sim: CreatioSimulator) -> list[Subject]:
    person = sim.as_user()
    buyer = person.find("Account", f"$filter=Type/Id eq {CUSTOMER_TYPE}&$top=1&$select=Id")[0]["Id"]
    products = [row["Id"] for row in person.find("Product", "$top=5&$select=Id")]

    def order(n: int) -> dict[str, Any]:
        return {
            "customer": Ref("Account", buyer), "date": date(2024, 5, n % 28 + 1), "notes": f"Order {n}",
            "description": f"Comment {n}",
        }  # fmt: skip

    def line(n: int) -> dict[str, Any]:
        return {
            "product": Ref("Product", products[n % len(products)]), "description": f"Line {n}",
            "quantity": Decimal(n), "unit_price": Decimal("19.90") + n,
        }  # fmt: skip

    return [
        Subject(
            "customer", customer, variant="account", money="credit_limit", clear="website", digits=15, negative=False,
            minimal=lambda n: {"Name": f"Only a name {n}", "TypeId": CUSTOMER_TYPE},
            blank=("website", "phone", "tax_id", "address.postal_code"),
        ),
        Subject("sales_order", order, variant="order", text="notes", day="date", lines=LineSubject(line)),
    ]  # fmt: skip


def create(sim: CreatioSimulator, object: str, data: dict[str, Any], company: str) -> str:
    values = exact_json.loads(exact_json.dumps(data))
    return sim.as_user().create(object, values).lower()


def edit(sim: CreatioSimulator, object: str, key: str, data: dict[str, Any], company: str) -> None:
    sim.as_user().edit(object, key, exact_json.loads(exact_json.dumps(data)))


def delete(sim: CreatioSimulator, object: str, key: str, company: str) -> None:
    sim.as_user().delete(object, key)


async def hide(sim: CreatioSimulator, object: str, key: str, company: str) -> None:
    """The right to the object: rows hidden within it look like deleted ones, see `admin_reader`."""
    await sim.command("deny", entity=object, operation="read", user="Supervisor")


def keys(sim: CreatioSimulator, object: str, company: str) -> list[str]:
    where = f"$filter=Type/Id eq {CUSTOMER_TYPE}&$select=Id" if object == "Account" else "$select=Id"
    return [str(row["Id"]).lower() for row in sim.as_user().find(object, where)]


HARNESS: SimulatorHarness[CreatioSimulator] = SimulatorHarness(
    kind="creatio",
    module="weft_creatio.connector",
    simulator=simulator,
    settings=settings,
    wrong=lambda sim: settings(sim, "a-wrong-password-of-ours"),
    secrets=lambda sim: (PASSWORD, "a-wrong-password-of-ours"),
    tokens=lambda sim: [text for one in sim.sessions._sessions.values() for text in (one.ticket, one.csrf)],
    subjects=subjects,
    create=create,
    edit=edit,
    delete=delete,
    keys=keys,
    hide=hide,
    write_path=r"/odata/",
    login_path=r"AuthService\.svc/Login",
)

TestCreatio = connector_contract(HARNESS)
