"""Each point that no source settles can be had both ways; throttling, faults, events, size."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from weft.testing.simulator import Fault
from weft_d365fo.simulator import FinanceOperationsSimulator

EXCHANGE = "ExchangeRates(RateTypeName='Default',FromCurrency='JPY',ToCurrency='USD',StartDate=2020-01-01T12:00:00Z)"
CUSTOMER = {"CustomerGroupId": "10", "SalesCurrencyCode": "USD", "PartyType": "Person", "PersonFirstName": "A"}
KEY = "CustomersV3(dataAreaId='usmf',CustomerAccount='C-000001')"


def test_the_other_way_round(start: Any) -> None:
    fo = start(
        error_status=500, nested_errors=True, stale_etag_status=None, read_only_fields="ignore", overlong="cut",
        text_functions=True, next_link="token", batch_stops=True, unmapped_status=403, totals_calculated=True,
        unfilterable=("CustomersV3.AddressRecordId",), enum_texts=True, automatic_numbers=(), manual_numbers=(),
        page_size=10, prices_writable=True, project_contracts=True, posted_vendor_invoices="kept", invoice_site=False,
        party_types=False,
    )  # fmt: skip
    status, answer = fo.call("POST", "CustomersV3", {**CUSTOMER, "CustomerGroupId": "nix"})
    assert status == 500
    inner = answer["error"]["innererror"]
    assert "Infolog" not in inner["message"]
    assert "Infolog: Warning: The value 'nix'" in inner["internalexception"]["message"]
    status, answer = fo.call("POST", "CustomersV3", CUSTOMER)
    assert (
        "Field 'Customer account' must be filled in." in answer["error"]["innererror"]["internalexception"]["message"]
    )
    status, answer = fo.call("POST", "CustomersV3", {**CUSTOMER, "CustomerAccount": "X-1"})
    assert "does not allow a number to be entered manually" in json.dumps(answer, default=str)
    assert fo.raw("PATCH", KEY, {"NameAlias": "y" * 30, "AddressRecordId": 7}, If_Match='W/"old"').status_code == 204
    row = fo.ok("GET", KEY)
    assert (row["NameAlias"], row["AddressRecordId"]) == ("y" * 20, 0)
    assert fo.rows("CustomersV3?$filter=startswith(NameAlias,'YYY')")
    assert fo.rows("CustomersV3?$filter=OnHoldStatus eq 'No'")
    assert fo.raw("GET", "CustomersV3?$select=AddressRecordId").status_code == 400
    seen, link = 0, f"{fo.root}/CustomersV3?$select=CustomerAccount"
    while link:
        page = fo.ok("GET", link)
        seen, link = seen + len(page["value"]), page.get("@odata.nextLink", "")
        assert "$skiptoken=" in link or not link
    assert seen == 30
    text = fo.batch(
        [("PATCH", "CustomersV3(dataAreaId='usmf',CustomerAccount='nix')", {})], [("PATCH", KEY, {"CreditLimit": 3})]
    )
    assert text.count("HTTP/1.1 ") == 1, "what comes after a failing part is not run"
    order = fo.ok("POST", "SalesOrderHeadersV2", {"OrderingCustomerAccountNumber": "C-000001"})["SalesOrderNumber"]
    fo.ok("POST", "SalesOrderLines", {"SalesOrderNumber": order, "ItemNumber": "D000001", "SalesPrice": 9})
    assert fo.rows(f"SalesOrderHeadersV2?$filter=SalesOrderNumber eq '{order}'")[0]["OrderTotalAmount"] == 9
    price = {"ItemNumber": "D000002", "PriceCurrencyCode": "USD", "Price": 3}
    assert fo.ok("POST", "SalesPriceAgreements", price)["RecordId"] > 0
    project = {"ProjectName": "P", "ProjectGroupId": "TM", "CustomerAccountNumber": "C-000001"}
    assert "Project contract" in json.dumps(fo.call("POST", "ProjectsV2", project)[1], default=str)
    bill = fo.ok("POST", "VendorInvoiceHeaders", {"InvoiceAccount": "V-00001", "InvoiceNumber": "K-1"})[
        "HeaderReference"
    ]
    fo.ok("POST", "VendorInvoiceLines", {"HeaderReference": bill, "ItemNumber": "D000001", "UnitPrice": 1})
    fo.command("post", set="VendorInvoiceHeaders", number=bill)
    assert fo.rows(f"VendorInvoiceHeaders?$filter=HeaderReference eq '{bill}'")


def test_forms_of_writing_that_may_be_had(start: Any) -> None:
    fo = start(put_resets=True, deep_insert=True, batch_references=True, json_batch=True)
    fo.ok("PATCH", KEY, {"CreditRating": "good"})
    whole = {"CreditLimit": 5, "PartyType": "Organization", "OrganizationName": "A"}
    assert fo.raw("PUT", KEY, whole).status_code == 204
    row = fo.ok("GET", KEY)
    assert (row["CreditLimit"], row["CreditRating"], row["CustomerGroupId"]) == (5, "", "10")
    lines = [{"ItemNumber": "D000001"}, {"ItemNumber": "D000002"}]
    head = {"OrderingCustomerAccountNumber": "C-000002", "SalesOrderLines": lines}
    order = fo.ok("POST", "SalesOrderHeadersV2", head)["SalesOrderNumber"]
    assert len(fo.rows(f"SalesOrderLines?$filter=SalesOrderNumber eq '{order}'")) == 2
    text = fo.batch([("POST", "CustomersV3", CUSTOMER), ("PATCH", "$1", {"CreditRating": "new"})])
    assert [part[:3] for part in text.split("HTTP/1.1 ")[1:]] == ["201", "204"]
    assert fo.rows("CustomersV3?$filter=CreditRating eq 'new'")
    body = {"requests": [{"id": "1", "method": "GET", "url": "CustomersV3/$count"}]}
    answer = fo.ok("POST", "$batch", body, Content_Type="application/json")
    assert answer["responses"][0]["status"] == 200


def test_dimensions_follow_the_environments_format(start: Any) -> None:
    fo = start(delimiter="~", default_dimensions=("Department", "BusinessUnit"))
    assert fo.rows("DimensionParameters")[0]["DimensionSegmentDelimiter"] == "Tilde"
    formats = fo.rows("DimensionIntegrationFormats")
    assert "Department~BusinessUnit" in {row["FinancialDimensionFormat"] for row in formats}
    fo.ok("PATCH", KEY, {"DefaultDimensionDisplayValue": "022~"})
    assert "has 3 segments" in fo.refused(400, "PATCH", KEY, {"DefaultDimensionDisplayValue": "022~001~"})
    fo.ok("POST", "FinancialDimensionValues", {"FinancialDimension": "Department", "DimensionValue": "a~b"})
    fo.ok("PATCH", KEY, {"DefaultDimensionDisplayValue": "a\\~b~001"})
    without = start(dimension_formats=False)
    assert "no active financial dimension format" in without.refused(
        400, "PATCH", KEY, {"DefaultDimensionDisplayValue": "----"}
    )


def test_throttling_grows_while_it_is_ignored(start: Any) -> None:
    fo = start(retry_after=2, throttle_body="message")
    fo.command("overload", seconds=60)
    first, second, third = (fo.raw("GET", "CustomersV3?$top=1") for _ in range(3))
    assert first.status_code == 429
    assert first.json()["Message"].startswith("This request could not be processed at this time")
    assert [a.headers["retry-after"] for a in (first, second, third)] == ["2", "4", "8"]
    fo.command("overload", seconds=0)
    assert fo.raw("GET", "CustomersV3?$top=1").status_code == 200
    limited = start(rate_limit=2)
    statuses = [limited.raw("GET", "CustomersV3?$top=1").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_faults_lose_hide_and_hold_back(start: Any) -> None:
    fo = start()
    fo.sim.faults.add(Fault("late_commit", method="PATCH"))
    fo.ok("PATCH", KEY, {"NameAlias": "late"})
    assert fo.ok("GET", KEY)["NameAlias"] != "late"
    fo.served.run(lambda: _called(fo.sim.release))
    assert fo.ok("GET", KEY)["NameAlias"] == "late"
    fault = fo.sim.faults.add(Fault("hide", object="CustomersV3", keys=["usmf|c-000001"]))
    assert fo.call("GET", KEY)[0] == 404
    assert fo.ok("GET", "CustomersV3/$count") == 29
    fo.sim.faults.remove(fault.id)
    fo.sim.faults.add(Fault("throttle", retry_after=1))
    answer = fo.raw("GET", KEY)
    assert (answer.status_code, answer.json()["error"]["message"]) == (429, "An error has occurred.")


async def _called(function: Any) -> Any:
    return function()


@contextmanager
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Answers the first POST with 500, the others with 200; keeps what it got."""
    got: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if len(got) == 1 else 200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/events", got
    finally:
        server.shutdown()
        server.server_close()


def test_business_events_go_out_after_posting_and_are_tried_again(start: Any) -> None:
    fo = start(event_every=None, event_retry_delay=0.0)
    with receiver() as (url, got):
        fo.command("subscribe_event", event="CustFreeTextInvoicePostedBusinessEvent", url=url)
        fo.command("subscribe_event", event="CustomerPaymentPostedBusinessEvent", url=url, company="demf")
        assert fo.rows("BusinessEventsEndpoints")[0]["Type"] == "Http"
        posted = [fo.posted_invoice(n) for n in (10, 20)]
        fo.command("receive_payment", invoice=posted[0]["InvoiceNumber"])  # in a company nobody listens to
        unpaid = fo.free_text_invoice(5)
        fo.ok("PATCH", f"FreeTextInvoiceHeaders(dataAreaId='usmf',InvoiceIdentifier={unpaid['InvoiceIdentifier']})",
              {"CurrencyCode": "JPY"})  # fmt: skip
        fo.ok("DELETE", EXCHANGE)
        with pytest.raises(ValueError, match="does not exist"):
            fo.command("post", set="FreeTextInvoiceHeaders", number=unpaid["InvoiceIdentifier"])
        assert [done["status"] for done in fo.command("flush_events")] == [500, 200]
        assert [done["status"] for done in fo.command("flush_events")] == [200]
    assert [event["InvoiceId"] for event in got] == [p["InvoiceNumber"] for p in (*posted, posted[0])]
    event = got[0]
    assert (event["BusinessEventId"], event["LegalEntity"]) == ("CustFreeTextInvoicePostedBusinessEvent", "usmf")
    assert event["EventTime"].startswith("/Date(")
    assert event["InvoiceAmount"] == 10
    assert got[2]["EventId"] == event["EventId"], "a second try is the same event"
    assert got[1]["ControlNumber"] > event["ControlNumber"]


def test_a_large_environment_is_made_in_seconds() -> None:
    began = time.process_time()
    sim = FinanceOperationsSimulator.create(records=5_000)
    assert time.process_time() - began < 4
    assert len(sim.world.filed("CustTable").table) == 5_050
