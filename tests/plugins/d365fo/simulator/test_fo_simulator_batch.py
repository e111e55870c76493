"""$batch: change sets that hold or fall together, parts that are told apart, faults in the middle."""

from __future__ import annotations

import re
from typing import Any

from weft.testing.simulator import Fault

GROUP = {"CustomerGroupId": "10", "SalesCurrencyCode": "USD", "PartyType": "Organization"}


def statuses(text: str) -> list[tuple[str, str]]:
    """(Content-ID, status) of each part."""
    return re.findall(r"Content-ID: (\d+)\r\n\r\nHTTP/1\.1 (\d+)", text)


def test_a_change_set_is_one_transaction_and_the_next_one_goes_on(fo: Any) -> None:
    def named(account: str, **more: Any) -> tuple[str, str, Any]:
        return "POST", "CustomersV3", {**GROUP, "CustomerAccount": account, "OrganizationName": account, **more}

    text = fo.batch(
        [named("B-1"), named("B-2", CustomerGroupId="nix"), named("B-3")],
        [named("B-4")],
    )
    assert statuses(text) == [("2", "400"), ("4", "201")]
    assert "boundary=changesetresponse_" in text
    assert "is not found in the related table 'Customer groups'" in text
    found = {
        row["CustomerAccount"]
        for row in fo.rows("CustomersV3?$select=CustomerAccount")
        if row["CustomerAccount"][0] == "B"
    }
    assert found == {"B-4"}


def test_headers_come_before_their_lines_in_one_change_set(start: Any) -> None:
    fo = start(manual_numbers=("sales orders",))
    account = fo.customer(SiteId="1")["CustomerAccount"]
    text = fo.batch(
        [
            ("POST", "SalesOrderHeadersV2", {"SalesOrderNumber": "W-1", "OrderingCustomerAccountNumber": account}),
            ("POST", "SalesOrderLines", {"dataAreaId": "usmf", "SalesOrderNumber": "W-1", "ItemNumber": "D000001"}),
            ("PATCH", "SalesOrderHeadersV2(dataAreaId='usmf',SalesOrderNumber='W-1')", {"SalesOrderName": "x"}),
        ]
    )
    assert statuses(text) == [("1", "201"), ("2", "201"), ("3", "204")]
    assert len(fo.rows("SalesOrderLines?$filter=SalesOrderNumber eq 'W-1'")) == 1


def test_references_to_parts_and_other_forms_are_refused(fo: Any) -> None:
    text = fo.batch([("POST", "CustomersV3", {**GROUP, "OrganizationName": "R"}), ("PATCH", "$1", {"NameAlias": "r"})])
    assert statuses(text) == [("2", "404")]
    answer = fo.http.post(f"{fo.root}/$batch", json={"requests": []})
    assert answer.status_code == 415


def test_a_fault_strikes_one_part(fo: Any) -> None:
    fo.sim.faults.add(Fault("partial_batch", path=r"\$batch", index=1, status=500))
    body = {**GROUP, "OrganizationName": "F"}
    text = fo.batch([("POST", "CustomersV3", body)], [("POST", "CustomersV3", body)], [("POST", "CustomersV3", body)])
    assert [status for _, status in statuses(text)] == ["201", "500", "201"]
