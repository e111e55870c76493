"""Subscriptions and change notifications."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from weft.testing.simulator import Fault


class Receiver:
    """A notification URL on this machine; ``statuses`` are given out one after the other, then 200."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.statuses: list[int] = []
        self.token_ok = True
        self.arrived = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                token = parse_qs(urlsplit(self.path).query).get("validationToken")
                if token is not None:
                    self.reply(200, token[0] if receiver.token_ok else "nonsense")
                    return
                receiver.bodies.append(json.loads(body))
                receiver.headers.append(dict(self.headers))
                receiver.arrived.set()
                self.reply(receiver.statuses.pop(0) if receiver.statuses else 200, "")

            def reply(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def bc(start: Any) -> Any:
    return start(records=5, max_notifications=5, notify_every=None)


def subscribe(bc: Any, receiver: Receiver, name: str = "customers") -> dict[str, Any]:
    resource = f"/api/v2.0/companies({bc.company})/{name}"
    body = {"notificationUrl": receiver.url, "resource": resource, "clientState": "secret"}
    return dict(bc.ok("POST", "/subscriptions", body))


def told(receiver: Receiver) -> list[tuple[str, str]]:
    return [(e["changeType"], e["resource"].rpartition("/")[2]) for body in receiver.bodies for e in body["value"]]


def test_subscribe_needs_the_handshake(bc: Any, receiver: Receiver) -> None:
    made = subscribe(bc, receiver)
    assert len(made["subscriptionId"]) == 32
    assert bc.ok("GET", f"/subscriptions('{made['subscriptionId']}')")["clientState"] == "secret"
    receiver.token_ok = False
    body = {"notificationUrl": receiver.url, "resource": f"/api/v2.0/companies({bc.company})/items"}
    bc.refused(400, "BadRequest", "POST", "/subscriptions", body)
    assert len(bc.rows("/subscriptions")) == 1


@pytest.mark.parametrize("name", ["salesOrderLines", "contacts", "nothing"])
def test_only_some_sets_notify(bc: Any, receiver: Receiver, name: str) -> None:
    body = {"notificationUrl": receiver.url, "resource": f"/api/v2.0/companies({bc.company})/{name}"}
    bc.refused(400, "BadRequest", "POST", "/subscriptions", body)


def test_changes_are_told_once_after_the_delay(bc: Any, receiver: Receiver) -> None:
    made = subscribe(bc, receiver)
    row = bc.customer()
    path = f"customers({row['id']})"
    bc.patch(path, {"city": "Bonn"})
    known = bc.rows("customers?$filter=number eq 'C10001'")[0]
    bc.patch(f"customers({known['id']})", {"city": "Ulm"})
    bc.patch(f"customers({known['id']})", {"city": "Ulm"})
    assert bc.command("flush_events", due_only=True) == []
    bc.served.call(lambda: bc.sim.clock.advance(31))
    bc.command("flush_events", due_only=True)
    assert sorted(told(receiver)) == [("created", path), ("updated", f"customers({known['id']})")]
    entry = receiver.bodies[0]["value"][0]
    assert (entry["subscriptionId"], entry["clientState"]) == (made["subscriptionId"], "secret")
    assert {"clientRequestId", "x-ms-correlation-id"} <= set(receiver.headers[0])
    bc.raw("DELETE", path)
    bc.command("flush_events")
    assert told(receiver)[-1] == ("deleted", path)


def test_a_line_tells_of_its_header_and_flow_fields_of_nothing(bc: Any, receiver: Receiver) -> None:
    order = bc.ok("POST", "salesOrders", {"customerNumber": "C10001"})
    item = bc.item()
    subscribe(bc, receiver, "salesOrders")
    subscribe(bc, receiver, "customers")
    bc.ok("POST", f"salesOrders({order['id']})/salesOrderLines", {"itemId": item["id"], "quantity": 1})
    bc.ok("POST", f"salesOrders({order['id']})/Microsoft.NAV.shipAndInvoice")
    bc.command("flush_events")
    assert told(receiver) == [("deleted", f"salesOrders({order['id']})")]
    assert len(receiver.bodies) == 1, "one URL, one body"


def test_many_changes_become_a_collection(bc: Any, receiver: Receiver) -> None:
    subscribe(bc, receiver)
    for _ in range(8):
        bc.customer()
    bc.command("flush_events")
    entries = receiver.bodies[0]["value"]
    assert [e["changeType"] for e in entries] == ["collection"]
    assert "/customers?$filter=lastModifiedDateTime%20gt%20" in entries[0]["resource"]


def test_renewal_and_silent_expiry(bc: Any, receiver: Receiver) -> None:
    made = subscribe(bc, receiver)
    path = f"/subscriptions('{made['subscriptionId']}')"
    body = {"notificationUrl": receiver.url, "resource": made["resource"], "clientState": "other"}
    bc.refused(400, "BadRequest_InvalidToken", "PATCH", path, body)
    bc.served.call(lambda: bc.sim.clock.advance(2 * 86400))
    # Tokens live for an hour: without a new one nothing is answered.
    assert bc.call("GET", path)[0] == 401
    fresh = type(bc)(bc.sim, bc.served)
    renewed = fresh.ok("PATCH", path, body, If_Match=made["@odata.etag"])
    assert renewed["expirationDateTime"] > made["expirationDateTime"]
    bc.served.call(lambda: bc.sim.clock.advance(3 * 86400 + 60))
    last = type(bc)(bc.sim, bc.served)
    assert last.rows("/subscriptions") == []


def test_refusal_ends_a_subscription_and_failure_is_retried(bc: Any, receiver: Receiver) -> None:
    subscribe(bc, receiver)
    receiver.statuses = [503]
    bc.customer()
    assert bc.command("flush_events")[0]["status"] == 503
    assert bc.command("flush_events")[0]["attempt"] == 2
    assert len(receiver.bodies) == 2
    receiver.statuses = [404]
    bc.customer()
    bc.command("flush_events")
    assert bc.rows("/subscriptions") == []


def test_a_late_commit_is_told_when_it_is_visible(bc: Any, receiver: Receiver) -> None:
    subscribe(bc, receiver)
    bc.served.call(lambda: bc.sim.faults.add(Fault("late_commit", method="POST", path="/customers")))
    row = bc.customer()
    assert bc.command("flush_events") == []
    bc.served.call(bc.sim.release)
    bc.command("flush_events")
    assert told(receiver) == [("created", f"customers({row['id']})")]


def test_notifications_leave_by_themselves_when_due(start: Any, receiver: Receiver) -> None:
    bc = start(records=3, notification_delay=0.01, notify_every=0.01)
    subscribe(bc, receiver)
    row = bc.customer()
    assert receiver.arrived.wait(10)
    assert told(receiver) == [("created", f"customers({row['id']})")]
