"""A served Business Central environment and a client that holds a token for it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import httpx
import pytest

from weft.testing.odata.render import loads
from weft.testing.simulator import serve_in_thread
from weft_bc.simulator import AUDIENCE, CLIENT_ID, CLIENT_SECRET, BusinessCentralSimulator


class Bc:
    """A client of one company. ``call`` answers (status, parsed body); ``ok`` insists on success."""

    def __init__(self, sim: BusinessCentralSimulator, served: Any) -> None:
        self.sim = sim
        self.served = served
        trust = ssl.create_default_context(cafile=served.ca_file) if served.ca_file else True
        self.http = httpx.Client(verify=trust, timeout=30, trust_env=False)
        answer = self.http.post(
            f"{sim.base_url}/{sim.config.tenant}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "scope": f"{AUDIENCE}/.default",
            },
        )
        assert answer.status_code == 200, answer.text
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        self.root = sim.api_url
        self.company = next(iter(sim.env.companies))
        self.other = list(sim.env.companies)[-1]

    def url(self, path: str) -> str:
        if path.startswith(("https://", "http://")):
            return path
        return f"{self.root}{path}" if path.startswith("/") else f"{self.root}/companies({self.company})/{path}"

    def raw(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.request(method, self.url(path), json=body, headers=sent)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        answer = self.raw(method, path, body, **headers)
        return answer.status_code, loads(answer.content) if answer.content else None

    def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        status, answer = self.call(method, path, body, **headers)
        assert status < 300, (status, answer)
        return answer

    def rows(self, path: str, **headers: str) -> list[dict[str, Any]]:
        return list(self.ok("GET", path, **headers)["value"])

    def refused(self, status: int, code: str, method: str, path: str, body: Any = None, **headers: str) -> str:
        """The message of the error that is expected."""
        got, answer = self.call(method, path, body, **headers)
        assert (got, answer["error"]["code"]) == (status, code), answer
        message = str(answer["error"]["message"])
        assert "  CorrelationId:  " in message
        return message.split("  CorrelationId:")[0]

    def patch(self, path: str, body: Any, tag: str = "*") -> Any:
        return self.ok("PATCH", path, body, If_Match=tag)

    def command(self, name: str, **arguments: Any) -> Any:
        return self.served.run(lambda: self.sim.command(name, **arguments))

    def customer(self, **values: Any) -> dict[str, Any]:
        return dict(self.ok("POST", "customers", {"displayName": "Adatum Lighting", **values}))

    def item(self, **values: Any) -> dict[str, Any]:
        unit = self.rows("unitsOfMeasure?$filter=code eq 'PCS'")[0]
        body = {"displayName": "Reading lamp", "unitPrice": 100, "unitCost": 60, "baseUnitOfMeasureId": unit["id"]}
        return dict(self.ok("POST", "items", {**body, **values}))

    def posted_invoice(self, amount: int = 100, **header: Any) -> dict[str, Any]:
        """A posted invoice of one line over that amount, without tax."""
        customer = self.customer()
        body = {
            "customerId": customer["id"],
            **header,
            "salesInvoiceLines": [{"itemId": self.item()["id"], "quantity": 1, "unitPrice": amount}],
        }
        invoice = self.ok("POST", "salesInvoices", body)
        self.ok("POST", f"salesInvoices({invoice['id']})/Microsoft.NAV.post")
        return dict(self.ok("GET", f"salesInvoices({invoice['id']})"))


Start = Callable[..., Bc]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Start an environment with given settings: ``start(tls=False, records=20, …)``."""
    with ExitStack() as stack:

        def begin(*, tls: bool = False, **options: Any) -> Bc:
            options.setdefault("records", 30)
            sim = BusinessCentralSimulator.create(**options)
            served = stack.enter_context(serve_in_thread(sim, tls=tls))
            client = Bc(sim, served)
            stack.callback(client.http.close)
            return client

        yield begin


@pytest.fixture(scope="module")
def bc(start: Start) -> Bc:
    return start()


@pytest.fixture
def money() -> Callable[[Any], Decimal]:
    return lambda value: Decimal(str(value))
