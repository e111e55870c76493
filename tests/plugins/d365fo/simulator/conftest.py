"""A served environment of Finance & Operations and a client that holds a token for it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import httpx
import pytest

from weft.testing.odata.render import loads
from weft.testing.simulator import serve_in_thread
from weft_d365fo.simulator import CLIENT_ID, CLIENT_SECRET, FinanceOperationsSimulator


class Fo:
    """A client of one environment. ``call`` answers (status, parsed body); ``ok`` insists on success."""

    def __init__(self, sim: FinanceOperationsSimulator, served: Any) -> None:
        self.sim = sim
        self.served = served
        trust = ssl.create_default_context(cafile=served.ca_file) if served.ca_file else True
        self.http = httpx.Client(verify=trust, timeout=30, trust_env=False)
        self.root = f"{sim.base_url}/data"
        self.sign_in(CLIENT_ID, CLIENT_SECRET)

    def sign_in(self, client_id: str, secret: str) -> None:
        answer = self.http.post(
            f"{self.sim.base_url}/{self.sim.config.tenant}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials", "client_id": client_id, "client_secret": secret,
                "scope": f"{self.sim.base_url}/.default",
            },
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def raw(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        url = path if path.startswith(("https://", "http://")) else f"{self.root}/{path}"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.request(method, url, json=body, headers=sent)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        answer = self.raw(method, path, body, **headers)
        return answer.status_code, loads(answer.content) if answer.content else None

    def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        status, answer = self.call(method, path, body, **headers)
        assert status < 300, (status, answer)
        return answer

    def rows(self, path: str, **headers: str) -> list[dict[str, Any]]:
        return list(self.ok("GET", path, **headers)["value"])

    def refused(self, status: int, method: str, path: str, body: Any = None, **headers: str) -> str:
        """The text inside the error that is expected."""
        got, answer = self.call(method, path, body, **headers)
        assert got == status, (got, answer)
        assert answer["error"]["code"] == ""
        assert answer["error"]["message"] == "An error has occurred."
        return str(answer["error"]["innererror"]["message"])

    def batch(self, *changesets: list[tuple[str, str, Any]]) -> str:
        """Each change set a list of (method, path, body); the multipart answer as text."""
        parts: list[str] = []
        count = 0
        for changes in changesets:
            inner = []
            for method, path, body in changes:
                count += 1
                inner.append(
                    "--cs\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
                    f"Content-ID: {count}\r\n\r\n{method} {self.root}/{path} HTTP/1.1\r\n"
                    f"Content-Type: application/json\r\n\r\n{json.dumps(body)}\r\n"
                )
            head = "--b\r\nContent-Type: multipart/mixed; boundary=cs\r\n\r\n"
            parts.append(f"{head}{''.join(inner)}--cs--\r\n")
        answer = self.http.post(
            f"{self.root}/$batch",
            content=f"{''.join(parts)}--b--\r\n",
            headers={"Content-Type": "multipart/mixed; boundary=b"},
        )
        assert answer.status_code == 200, answer.text
        return answer.text

    def command(self, name: str, **arguments: Any) -> Any:
        return self.served.run(lambda: self.sim.command(name, **arguments))

    def customer(self, **values: Any) -> dict[str, Any]:
        body = {"CustomerGroupId": "10", "SalesCurrencyCode": "USD", "PartyType": "Organization"}
        body["OrganizationName"] = "Adatum Lighting"
        return dict(self.ok("POST", "CustomersV3", {**body, **values}))

    def vendor(self, **values: Any) -> dict[str, Any]:
        body = {"VendorGroupId": "10", "VendorPartyType": "Organization", "VendorOrganizationName": "Litware Lamps"}
        return dict(self.ok("POST", "VendorsV2", {**body, **values}))

    def free_text_invoice(self, amount: int = 100, **header: Any) -> dict[str, Any]:
        """An invoice of one line, not posted."""
        account = header.pop("CustomerAccount", None) or self.customer()["CustomerAccount"]
        made = self.ok("POST", "FreeTextInvoiceHeaders", {"CustomerAccount": account, **header})
        line = {
            "ParentRecId": made["InvoiceIdentifier"], "LineNumber": 1, "UnitPrice": amount, "Quantity": 1,
            "MainAccountDisplayValue": "401100----", "Description": "Consulting",
        }  # fmt: skip
        self.ok("POST", "FreeTextInvoiceLines", line)
        return dict(made)

    def posted_invoice(self, amount: int = 100, **header: Any) -> dict[str, Any]:
        made = self.free_text_invoice(amount, **header)
        return dict(self.command("post", set="FreeTextInvoiceHeaders", number=made["InvoiceIdentifier"]))


Start = Callable[..., Fo]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Start an environment with given settings: ``start(tls=False, records=20, …)``."""
    with ExitStack() as stack:

        def begin(*, tls: bool = False, **options: Any) -> Fo:
            options.setdefault("records", 30)
            sim = FinanceOperationsSimulator.create(**options)
            served = stack.enter_context(serve_in_thread(sim, tls=tls))
            client = Fo(sim, served)
            stack.callback(client.http.close)
            return client

        yield begin


@pytest.fixture(scope="module")
def fo(start: Start) -> Fo:
    return start()


@pytest.fixture
def money() -> Callable[[Any], Decimal]:
    return lambda value: Decimal(str(value))
