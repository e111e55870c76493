"""Issues: one open per record and kind, renewed, woken, edited, closed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from weft.state import Issue, State

Make = Callable[..., Issue]
Later = Callable[[float], datetime]
RECORD = ("customers", "left", "crm", "", "Account")


def test_a_repeated_issue_is_renewed_not_doubled(state: State, make_issue: Make, later: Later) -> None:
    with state.begin() as tx:
        first = tx.issues.open(make_issue("A1", reason="too long", link_id=5, payload={"x": Decimal("1.0")}))
        assert tx.issues.edit(first.id, {"name": "shorter"}, later(1))
        again = make_issue(
            "A1", reason="still too long", updated_at=later(9), opened_at=later(9), next_try_at=later(60),
            error={"fault": "record", "message": "no", "retry_after": 0.5},
        )  # fmt: skip
        second = tx.issues.open(again)
        other = tx.issues.open(make_issue("A1", "conflict"))
    assert (second.id, second.attempts, second.reason) == (first.id, 2, "still too long")
    assert (second.opened_at, second.updated_at) == (first.opened_at, later(9))
    assert (second.edited, second.link_id) == (None, 5), "the changed value has been tried"
    assert second.error == {"fault": "record", "message": "no", "retry_after": Decimal("0.5")}
    assert other.id != first.id


def test_a_decision_stays_until_it_is_carried_out(state: State, make_issue: Make, later: Later) -> None:
    with state.begin() as tx:
        for kind in ("conflict", "delete"):
            first = tx.issues.open(make_issue("A1", kind))
            assert tx.issues.edit(first.id, {"name": "left"}, later(1))
            assert tx.issues.open(make_issue("A1", kind, reason="again")).edited == {"name": "left"}
        changed = tx.issues.open(make_issue("A1", "conflict", payload={"name": {"left": "C", "right": "B"}}))
        assert changed.edited is None, "it was chosen between other values"


def test_one_batch_may_name_a_record_twice(state: State, make_issue: Make) -> None:
    with state.begin() as tx:
        tx.issues.upsert_many([make_issue("A1"), make_issue("A2"), make_issue("A1", reason="again")])
        assert [(i.key, i.attempts) for i in tx.issues.page()] == [("A1", 2), ("A2", 1)]


def test_a_closed_issue_may_open_anew(state: State, make_issue: Make, later: Later) -> None:
    with state.begin() as tx:
        tx.issues.upsert_many([make_issue(k, kind) for k in ("A1", "A2") for kind in ("failed", "conflict")])
        assert tx.issues.close_for(*RECORD, ["A1", "A3"], at=later(1), reason="synced", kinds=["failed"]) == 1
        assert tx.issues.close_for(*RECORD, ["A1"], at=later(2), reason="synced") == 1
        fresh = tx.issues.open(make_issue("A1"))
        assert fresh.attempts == 1
        by_key = tx.issues.for_keys(*RECORD, ["A1", "A2"], states=["closed"])
        assert {i.closed_reason for i in by_key["A1"]} == {"synced"}
        assert set(by_key) == {"A1"}
        assert {(i.kind, i.closed_at) for i in by_key["A1"]} == {("failed", later(1)), ("conflict", later(2))}
        assert tx.issues.counts() == {("customers", "failed"): 2, ("customers", "conflict"): 1}
        assert tx.issues.close_many([fresh.id, fresh.id], at=later(3), reason="by hand", state="skipped") == 1
        assert not tx.issues.edit(fresh.id, {}, later(4))
        assert tx.issues.counts(state="skipped") == {("customers", "failed"): 1}


def test_due_issues_come_longest_overdue_first(state: State, make_issue: Make, now: datetime, later: Later) -> None:
    with state.begin() as tx:
        times = {"A1": later(30), "A2": later(10), "A3": None, "A4": later(90)}
        tx.issues.upsert_many([make_issue(k, next_try_at=t) for k, t in times.items()])
        assert [i.key for i in tx.issues.due(later(30), "customers")] == ["A2", "A1"]
        assert tx.issues.due(later(30), "orders") == []
        assert tx.issues.next_due() == later(10)
        ids = {i.key: i.id for i in tx.issues.page()}
        assert tx.issues.retry([ids["A3"]], now) == 1
        tx.issues.schedule_many([(ids["A2"], None), (ids["A1"], later(200))])
        assert [i.key for i in tx.issues.due(later(100))] == ["A3", "A4"]


def test_waiting_records_are_woken_by_what_they_wait_for(
    state: State, make_issue: Make, now: datetime, later: Later
) -> None:
    wait = {"kind": "waiting", "waits_entity": "customer", "waits_connection": "crm"}
    with state.begin() as tx:
        tx.issues.upsert_many(
            [make_issue("O1", waits_key="A1", **wait), make_issue("O2", waits_key="A1", **wait),
             make_issue("O3", waits_key="A2", **wait),
             make_issue("O4", waits_key="A1", **(wait | {"waits_entity": "vendor"}))]
        )  # fmt: skip
        assert [i.key for i in tx.issues.waiting_for("customer", "crm", ["A1", "A9"])] == ["O1", "O2"]
        assert tx.issues.wake("customer", "crm", ["A1"], later(5)) == 2
        assert [i.key for i in tx.issues.due(later(5))] == ["O1", "O2"]
        assert tx.issues.due(now) == []


def test_pages_and_search(state: State, make_issue: Make) -> None:
    with state.begin() as tx:
        labels = ["Contoso", "Fabrikam 100%", "Adatum", "Northwind"]
        tx.issues.upsert_many([make_issue(f"A{n}", label=x, run=f"r{n % 2}") for n, x in enumerate(labels)])
        first = tx.issues.page(limit=3)
        assert [i.key for i in first + tx.issues.page(after_id=first[-1].id)] == ["A0", "A1", "A2", "A3"]
        assert [i.label for i in tx.issues.page(text="FABRI")] == ["Fabrikam 100%"]
        assert [i.label for i in tx.issues.page(text="0%")] == ["Fabrikam 100%"]
        assert [i.key for i in tx.issues.page(run="r1", kind=["failed", "waiting"])] == ["A1", "A3"]
        assert tx.issues.page(kind="approval") == []
        assert tx.issues.get(first[0].id) == first[0]
        assert tx.issues.get(10_000) is None
