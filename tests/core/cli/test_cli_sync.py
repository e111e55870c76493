"""weft plan, sync, status and verify on two systems in memory."""

from __future__ import annotations

import shutil
from decimal import Decimal
from typing import Any

import pytest


def test_plan_tells_every_write_and_makes_none(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Adatum", Tax="DE1", Phone="1", Limit=Decimal("100.10"))
    shop.erp.put("Customers", Name="Adatum", Tax="DE1", Phone=None)
    shop.crm.put("Accounts", Name="Contoso")
    result = shop.run("plan")
    assert "customers: 1 to create, 2 to update" in result.output
    assert "create Customers Contoso" in result.output
    assert "phone: (empty) -> 1  (right was empty)" in result.output
    assert "credit_limit: (empty) -> 100.10" in result.output
    assert shop.crm.writes == shop.erp.writes == []
    assert not (shop.folder / "weft.db").exists()
    [report] = shop.json("plan", "customers")
    create = next(one for one in report["planned"] if one["op"] == "create")
    assert (create["side"], create["connection"], create["object"]) == ("right", "erp", "Customers")
    assert create["fields"]["name"] == {"to": "Contoso"}


def test_what_is_planned_is_what_a_sync_writes(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Adatum", Tax="DE1", Limit=Decimal("100.10"))
    shop.run("sync")
    shop.crm.edit("Accounts", "Accounts-0001", Name="Adatum Corporation")
    before = len(shop.erp.writes)
    [report] = shop.json("plan")
    [planned] = report["planned"]
    assert planned["fields"]["name"]["from"] == "Adatum"
    assert planned["fields"]["name"]["to"] == "Adatum Corporation"
    assert planned["fields"]["name"]["rule"] == "left changed"
    shop.run("sync")
    [write] = shop.erp.writes[before:]
    assert write.data == {"Name": "Adatum Corporation"}
    assert "customers: nothing to write" in shop.run("plan").output


def test_sync_reports_each_flow_and_exits_0_when_all_agrees(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Contoso")
    result = shop.run("sync")
    header, row = result.stdout.splitlines()[:2]
    told = dict(zip(header.split(), row.split(), strict=False))
    assert told["flow"] == "customers"
    assert (told["state"], told["created"], told["linked"], told["issues"]) == ("done", "1", "1", "0")
    [customer] = shop.erp.rows("Customers").values()
    assert customer["Name"] == "Contoso"
    assert shop.crm.get("Accounts", "Accounts-0001")["Number"] == "C00001"


def test_sync_exits_1_with_issues_and_3_when_a_system_is_down(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Contoso")
    shop.erp.fail("reject", message="Customer group is missing")
    result = shop.run("sync", code=1)
    assert "weft issues shows what needs a person" in result.output
    shop.erp.down = "the maintenance window lasts until 6"
    reports = shop.json("sync", code=3)
    assert reports[0]["state"] == "down"
    assert "maintenance window" in reports[0]["error"]


def test_a_wrong_token_is_told_in_the_systems_words_without_the_token(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLI_TEST_TOKEN", "tok-en-that-is-wrong")
    result = shop.run("sync", code=3)
    assert "the access token is not valid" in result.output
    assert "tok-en-that-is-wrong" not in result.output
    assert "Traceback" not in result.output


def test_an_unknown_flow_is_named_with_the_nearest_one(shop: Any) -> None:
    for command in ("sync", "plan", "verify", "status"):
        result = shop.run(command, "custmers", code=2)
        assert "did you mean 'customers'" in result.output


def test_status_before_the_first_sync_says_so(shop: Any) -> None:
    result = shop.run("status", code=1)
    assert "never ran" in result.output
    assert not (shop.folder / "weft.db").exists()


def test_status_after_a_sync(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Contoso")
    shop.run("sync")
    found = shop.json("status")
    [flow] = found["flows"]
    assert flow["state"] == "done"
    assert flow["links"] == {"linked": 1}
    assert flow["last_agreement"] == flow["last_run"]["finished"]
    assert flow["blocker"] == ""
    assert {cursor["connection"] for cursor in flow["cursors"]} == {"crm", "erp"}
    assert "customers" in shop.run("status").output


def test_status_names_the_blocker(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Contoso")
    shop.erp.fail("reject", message="Customer group is missing")
    shop.run("sync", code=1)
    result = shop.run("status", code=1)
    assert "open issues: 1 failed" in result.output
    assert "1 record is failed; weft issues list customers --kind failed" in result.output
    [flow] = shop.json("status", code=1)["flows"]
    assert flow["last_agreement"] == flow["last_run"]["finished"]  # all but what has an issue
    shop.json("plan", code=None)
    assert shop.json("status", code=1)["flows"][0]["last_agreement"] == flow["last_agreement"]
    shop.erp.down = "asleep"
    shop.run("sync", code=3)
    assert "a system did not answer in the last run" in shop.run("status", code=1).output


def test_status_says_that_the_disk_is_full(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.run("sync")
    assert shop.json("status")["problem"] == ""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))  # type: ignore[attr-defined]
    assert f"the disk of {shop.folder} is full" in shop.run("status").output


def test_status_issues_and_journal_work_while_another_process_acts(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Contoso")
    shop.run("sync")
    with shop.state():
        assert "done" in shop.run("status").output
        assert "no issues" in shop.run("issues").output
        assert "created" in shop.run("journal").output
        assert "Accounts-0001" in shop.run("links", "list").output
        assert "nothing to write" in shop.run("plan").output
        result = shop.run("sync", code=2)
        assert "is in use by" in result.output


def test_verify_proves_agreement_with_totals(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Contoso", Limit=Decimal("1000000000000.10"), Currency="EUR")
    shop.crm.put("Accounts", Name="Adatum", Limit=Decimal("0.20"), Currency="EUR")
    shop.run("sync")
    result = shop.run("verify")
    assert "customers: proven, 2 records" in result.output
    assert "1,000,000,000,000.30" in result.output
    shop.erp.edit("Customers", "Customers-0002", Phone="77", Limit=Decimal("0.30"))
    result = shop.run("verify", code=1)
    assert "not proven" in result.output
    assert "credit_limit: 0.20 | 0.30" in result.output
    [proof] = shop.json("verify", code=1)
    assert (proof["agree"], proof["differ"], proof["proven"]) == (1, 1, False)
    assert proof["totals"]["credit_limit"]["EUR"] == {"left": "1000000000000.30", "right": "1000000000000.40"}


def test_sweep_finds_what_no_change_told(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Contoso")
    shop.run("sync")
    shop.run("sync")  # reads what the first run itself has written
    row = shop.erp._rows["Customers", "", "Customers-0001"]
    row.data["Phone"] = "12"  # changed behind the change log's back
    shop.run("sync")
    assert shop.crm.get("Accounts", "Accounts-0001")["Phone"] is None
    shop.run("sync", "--sweep")
    assert shop.crm.get("Accounts", "Accounts-0001")["Phone"] == "12"
