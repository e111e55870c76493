"""Behaviour that is a setting: unconfirmed facts, limits, replica, versions, seeds."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from weft_bc.simulator import BusinessCentralSimulator


def test_other_answers_to_unsettled_questions(start: Any) -> None:
    bc = start(
        records=5, stale_etag_status=412, duplicate_key_status=409, deep_insert_returns_lines=True,
        payment_touches_invoice=True, payment_sign="positive", enum_literals="escaped", null_clears=True,
        missing_record_code="Internal_RecordNotFound", record_not_found_status=400,
    )  # fmt: skip
    row = bc.customer(number="X1")
    bc.refused(400, "Internal_RecordNotFound", "GET", f"customers({bc.company})")
    bc.refused(409, "Internal_EntityWithSameKeyExists", "POST", "customers", {"displayName": "b", "number": "X1"})
    bc.patch(f"customers({row['id']})", {"city": "Bonn"})
    bc.refused(
        412, "Request_EntityChanged", "PATCH", f"customers({row['id']})", {"city": "a"}, If_Match=row["@odata.etag"]
    )
    bc.refused(400, "BadRequest", "GET", "customers?$filter=blocked eq ' '")
    assert bc.patch(f"customers({row['id']})", {"creditLimit": None})["creditLimit"] == 0
    order = bc.ok(
        "POST",
        "salesOrders",
        {"customerId": row["id"], "salesOrderLines": [{"itemId": bc.item()["id"], "quantity": 1}]},
    )
    assert len(order["salesOrderLines"]) == 1
    invoice = bc.posted_invoice(10)
    time.sleep(0.002)  # stamps have milliseconds
    bc.command("receive_payment", invoice=invoice["id"])
    after = bc.ok("GET", f"salesInvoices({invoice['id']})")
    assert (after["status"], after["remainingAmount"]) == ("Paid", 0)
    assert after["lastModifiedDateTime"] != invoice["lastModifiedDateTime"]
    assert after["@odata.etag"] != invoice["@odata.etag"]


def test_rate_limit_and_its_window(start: Any) -> None:
    bc = start(records=5, rate_limit=10, rate_window=60.0, retry_after=7)
    statuses = [bc.raw("GET", "/companies").status_code for _ in range(12)]
    assert statuses == [200] * 10 + [429] * 2
    assert bc.raw("GET", "/companies").headers["Retry-After"] == "7"
    bc.served.call(lambda: bc.sim.clock.advance(61))
    assert bc.raw("GET", "/companies").status_code == 200


def test_requests_at_once_queue_and_then_are_refused(start: Any) -> None:
    bc = start(records=5, max_concurrent=1, max_queue=2, operation_time=0.3)
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(lambda _: bc.raw("GET", "/companies").status_code, range(8)))
    assert statuses.count(200) == 3
    assert statuses.count(429) == 5


def test_the_replica_lags(start: Any) -> None:
    bc = start(records=5, replica_lag=30.0)
    bc.rows("customers", Data_Access_Intent="ReadOnly")
    row = bc.customer()
    path = f"customers({row['id']})"
    assert bc.call("GET", path, Data_Access_Intent="ReadOnly")[0] == 404
    assert bc.call("GET", path, Data_Access_Intent="ReadWrite")[0] == 200
    bc.served.call(lambda: bc.sim.clock.advance(31))
    assert bc.call("GET", path, Data_Access_Intent="ReadOnly")[0] == 200
    bc.refused(
        400, "BadRequest_InvalidOperation", "POST", "customers", {"displayName": "a"}, Data_Access_Intent="ReadOnly"
    )


def test_an_older_version_lacks_newer_names(start: Any) -> None:
    bc = start(records=5, version="22.0")
    row = bc.rows("salesInvoices?$top=1") or [bc.ok("POST", "salesInvoices", {"customerNumber": "C10001"})]
    assert "promisedPayDate" not in row[0]
    assert bc.call("GET", "salespeoplePurchasers")[0] == 404
    assert bc.call("GET", "currencyExchangeRates")[0] == 404
    assert "salespeoplePurchasers" not in bc.raw("GET", "/$metadata").text


def test_the_same_seed_gives_the_same_data() -> None:
    def shown(seed: int) -> list[tuple[str, str, str]]:
        sim = BusinessCentralSimulator.create(records=40, seed=seed)
        co = next(iter(sim.env.companies.values()))
        return [(row["id"], row["number"], row["displayName"]) for row in co.tables["customers"]]

    assert shown(3) == shown(3)
    assert shown(3) != shown(4)


def test_parties_given_from_outside_become_customers(start: Any) -> None:
    parties = [
        {"name": "Overlap GmbH", "email": "x@overlap.example", "country": "DE", "tax_id": "DE1", "postal_code": "20097"}
    ]
    bc = start(records=3, parties=parties, companies=["Only One"])
    assert bc.company == bc.other
    row = bc.rows("customers?$filter=taxRegistrationNumber eq 'DE1'")[0]
    assert (row["displayName"], row["email"], row["country"], row["currencyCode"]) == (
        "Overlap GmbH",
        "x@overlap.example",
        "DE",
        "EUR",
    )
    assert bc.raw("GET", "customers/$count").text == "4"
    assert bc.rows("/customers?$top=1"), "one company needs no name"


def test_late_commit_hides_a_write_until_released(start: Any) -> None:
    from weft.testing.simulator import Fault

    bc = start(records=5)
    bc.served.call(lambda: bc.sim.faults.add(Fault("late_commit", method="POST", path="/customers")))
    row = bc.customer()
    assert bc.call("GET", f"customers({row['id']})")[0] == 404
    bc.served.call(lambda: bc.sim.release())
    assert bc.ok("GET", f"customers({row['id']})")["lastModifiedDateTime"] == row["lastModifiedDateTime"]


@pytest.mark.parametrize("kind", ["throttle", "error_before", "error_after_commit"])
def test_injected_failures_have_the_services_body(start: Any, kind: Any) -> None:
    from weft.testing.simulator import Fault

    bc = start(records=3)
    count = int(bc.raw("GET", "customers/$count").text)
    bc.served.call(lambda: bc.sim.faults.add(Fault(kind, method="POST")))
    status, body = bc.call("POST", "customers", {"displayName": "a"})
    assert status == (429 if kind == "throttle" else 500)
    assert body["error"]["code"] in ("Unknown", "Internal_ServerError")
    assert int(bc.raw("GET", "customers/$count").text) == count + (kind == "error_after_commit")


def test_tokens_expire_on_command(start: Any) -> None:
    bc = start(records=3)
    assert bc.call("GET", "/companies")[0] == 200
    bc.served.call(bc.sim.expire_tokens)
    assert bc.call("GET", "/companies")[0] == 401
