"""weft issues, conflicts, links and journal: what a person decides is done by the next sync."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from weft.state.issues import Issue


@pytest.fixture
def failing(shop: Any) -> Any:
    """One record that the ERP refused."""
    shop.crm.put("Accounts", Name="Contoso", Phone="1")
    shop.erp.check = lambda _, data: "Phone must have 3 digits" if len(data.get("Phone") or "123") < 3 else None
    shop.run("sync", code=1)
    return shop


@pytest.fixture
def differing(shop: Any) -> Any:
    """One pair whose phone and credit limit changed on both sides."""
    shop.crm.put("Accounts", Name="Contoso", Phone="1")
    shop.run("sync")
    shop.crm.edit("Accounts", "Accounts-0001", Phone="22", Tax="L")
    shop.erp.edit("Customers", "Customers-0001", Phone="33", Tax="R")
    shop.run("sync", code=1)
    return shop


def only(shop: Any, *args: str) -> dict[str, Any]:
    [one] = shop.json("issues", "list", *args)
    return one


def test_an_issue_is_told_in_the_systems_words(failing: Any) -> None:
    assert "Phone must have 3 digits" in failing.run("issues").output
    shown = failing.run("issues", "show", "1").output
    assert "Contoso" in shown
    assert "Accounts-0001" in shown
    assert "weft issues edit 1 FIELD=VALUE" in shown
    assert only(failing)["kind"] == "failed"


def test_lists_are_filtered(failing: Any) -> None:
    assert "Contoso" in failing.run("issues", "list", "customers", "--kind", "failed", "--text", "digits").output
    for other in (["--kind", "waiting"], ["--text", "nothing like it"], ["--entity", "vendor"], ["--state", "closed"]):
        assert "no issues" in failing.run("issues", "list", *other).output


def test_an_edited_value_is_sent_with_the_next_try(failing: Any) -> None:
    assert "differ" not in failing.run("issues", "edit", "1", "phone=123").output
    failing.run("sync", code=None)
    [customer] = failing.erp.rows("Customers").values()
    assert customer["Phone"] == "123"


def test_a_value_that_does_not_come_back_is_told(failing: Any) -> None:
    failing.add("    direction: left_to_right\n")
    assert "phone: not written back to the record itself" in failing.run("issues", "edit", "1", "phone=123").output


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("phoen=1", "has no field 'phoen', did you mean 'phone'"),
        ("credit_limit=much", "credit_limit: 'much' is not an amount such as 1250.00"),
        ("active=perhaps", "'perhaps' is not true or false"),
        ("phone", "write FIELD=VALUE"),
        ("number=5", "weft writes no number to erp; it can write: "),
    ],
)
def test_a_wrong_edit_is_refused(failing: Any, given: str, told: str) -> None:
    assert told in failing.run("issues", "edit", "1", given, code=2).output
    assert only(failing)["edited"] is None


def test_retry_makes_issues_due(failing: Any) -> None:
    failing.erp.check = lambda _, data: None
    failing.run("sync", code=1)
    assert failing.erp.rows("Customers") == {}
    assert "1 issue to be tried again" in failing.run("issues", "retry", "--kind", "failed").output
    failing.run("sync")
    assert len(failing.erp.rows("Customers")) == 1
    assert "no issues" in failing.run("issues").output
    assert "is closed already" in failing.run("issues", "retry", "1", code=2).output


def test_retry_wants_ids_or_a_filter(failing: Any) -> None:
    for args in ([], ["1", "--all"]):
        assert "give issue ids, or --all" in failing.run("issues", "retry", *args, code=2).output
    assert "there is no issue 99" in failing.run("issues", "retry", "99", code=2).output


def test_skip_closes_with_a_reason(failing: Any) -> None:
    assert "Missing option '--reason'" in failing.run("issues", "skip", "1", code=2).output
    failing.run("issues", "skip", "1", "--reason", "test account")
    found = only(failing, "--state", "skipped")
    assert found["closed_reason"].startswith("test account (by ")
    failing.run("sync")
    assert "no issues" in failing.run("issues").output
    assert failing.erp.rows("Customers") == {}


def test_conflicts_show_both_values_and_are_resolved_by_field(differing: Any) -> None:
    listed = differing.run("conflicts").output
    assert "phone" in listed
    assert "22" in listed
    assert "33" in listed
    shown = differing.run("conflicts", "show", "1").output
    assert "base" in shown
    told = differing.run("conflicts", "resolve", "1", "--field", "phone=right", "--field", "tax_id=left").output
    assert "phone from the right, tax_id from the left" in told
    differing.run("sync")
    for row in (differing.crm.get("Accounts", "Accounts-0001"), differing.erp.get("Customers", "Customers-0001")):
        assert (row["Phone"], row["Tax"]) == ("33", "L")
    assert "no conflicts" in differing.run("conflicts", "list", "customers").output


def test_conflicts_are_resolved_as_a_whole(differing: Any) -> None:
    differing.run("conflicts", "resolve", "1", "--all", "left")
    differing.run("sync")
    assert differing.erp.get("Customers", "Customers-0001")["Phone"] == "22"


def test_a_wrong_resolution_is_refused(differing: Any) -> None:
    for args, told in (
        (["--field", "name=left"], "'name' is not in conflict"),
        (["--field", "phone=up"], "write NAME=left or NAME=right"),
        ([], "give --all left|right, or --field"),
    ):
        assert told in differing.run("conflicts", "resolve", "1", *args, code=2).output


def test_approve_and_refuse(shop: Any) -> None:
    shop.add("    approve: credit_limit > 1000\n")
    shop.crm.put("Accounts", Name="Contoso", Limit=Decimal("5000"))
    shop.crm.put("Accounts", Name="Adatum", Limit=Decimal("9000"))
    shop.crm.put("Accounts", Name="Fabrikam", Limit=Decimal("1000"))
    shop.run("sync", code=1)
    assert [row["Name"] for row in shop.erp.rows("Customers").values()] == ["Fabrikam"]
    ids = {issue["label"]: str(issue["id"]) for issue in shop.json("issues", "list", "--kind", "approval")}
    told = shop.run("issues", "show", ids["Contoso"]).output
    assert "create on erp" in told
    assert "5000" in told
    assert "{" not in told
    assert "approved; done by the next weft sync" in shop.run("issues", "approve", ids["Contoso"]).output
    told = shop.run("issues", "skip", ids["Adatum"], "--reason", "later", code=2).output
    assert f"waits for an approval; weft issues approve {ids['Adatum']}, or weft issues refuse" in told
    shop.run("issues", "refuse", ids["Adatum"], "--reason", "not yet")
    assert "is skipped already: not yet" in shop.run("issues", "approve", ids["Adatum"], code=2).output
    shop.run("sync", code=None)
    assert sorted(row["Name"] for row in shop.erp.rows("Customers").values()) == ["Contoso", "Fabrikam"]


def test_a_guard_is_approved_once(shop: Any) -> None:
    shop.add("    guards: {changes: 1, percent: 1}\n")
    for name in ("Contoso", "Adatum", "Fabrikam"):
        shop.crm.put("Accounts", Name=name)
    shop.run("sync", code=None)
    shop.run("sync", code=None)
    for key in shop.crm.rows("Accounts"):
        shop.crm.edit("Accounts", key, Phone="9")
    result = shop.run("sync", code=1)
    assert "need an approval" in result.output
    [issue] = shop.json("issues", "list", "--kind", "approval")
    assert "within 1d are" in issue["reason"]
    told = shop.run("status", code=1).output
    assert "stopped by a guard" in told
    assert f"weft issues approve {issue['id']} lets it go on once" in told
    shop.run("issues", "approve", str(issue["id"]))
    shop.run("sync")
    assert [row["Phone"] for row in shop.erp.rows("Customers").values()] == ["9", "9", "9"]


def test_where_weft_run_is_up_it_goes_on_at_once(shop: Any) -> None:
    for name in ("Contoso", "Adatum", "Fabrikam"):
        shop.crm.put("Accounts", Name=name)
    shop.run("sync")
    shop.add("    guards: {changes: 1, percent: 1}\n")
    for key in shop.crm.rows("Accounts"):
        shop.crm.edit("Accounts", key, Phone="9")
    shop.run("sync", "--sweep", code=1)
    with shop.state() as state, state.begin() as tx:
        tx.workers.join("w1", "here", 1, "1", timedelta(minutes=5), {"jobs": []})
    assert "approved; done by weft run, which is up" in shop.run("issues", "approve", "1").output
    with shop.state() as state, state.begin() as tx:
        assert [(one.flow, one.what) for one in tx.requests.waiting()] == [("customers", "sweep")]


def test_deleted_records_are_decided(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Contoso")
    shop.crm.put("Accounts", Name="Adatum")
    shop.run("sync")
    shop.erp.remove("Customers", "Customers-0001")
    shop.erp.remove("Customers", "Customers-0002")
    shop.run("sync", "--sweep", code=1)
    found = {issue["key"]: issue["id"] for issue in shop.json("issues", "list", "--kind", "delete")}
    assert len(found) == 2
    first, second = sorted(found.values())
    assert f"weft issues decide {first} delete|recreate|unlink" in shop.run("issues", "show", str(first)).output
    shop.run("issues", "decide", str(first), "delete")
    shop.run("issues", "decide", str(second), "unlink")
    shop.run("sync", code=None)
    assert len(shop.crm.rows("Accounts")) == 1
    assert "not about a deleted record" not in shop.run("issues").output


def test_a_decision_of_the_wrong_kind_names_the_right_one(failing: Any) -> None:
    for command in (["decide", "1", "delete"], ["approve", "1"]):
        assert "issue 1 is failed" in failing.run("issues", *command, code=2).output
    assert "not a conflict" in failing.run("conflicts", "resolve", "1", "--all", "left", code=2).output


def test_a_create_that_cannot_be_looked_up_is_only_repeated_by_name(shop: Any) -> None:
    shop.run("sync")
    at = shop.clock.now()
    with shop.state() as state, state.begin() as tx:
        for key in ("A-1", "A-2"):
            issue = Issue("customers", "customer", "failed", at, at, side="left", connection="crm", object="Accounts",
                          key=key, code="in_doubt", choices=["retry"])  # fmt: skip
            tx.issues.open(issue)
    assert "look in the system" in shop.run("issues", "show", "1").output
    shop.run("issues", "retry", "--all")
    assert [issue["edited"] for issue in shop.json("issues", "list")] == [None, None]
    shop.run("issues", "retry", "2")
    assert [issue["edited"] for issue in shop.json("issues", "list")] == [None, {"retry": True}]
