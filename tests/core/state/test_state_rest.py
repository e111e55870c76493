"""Cursors, runs, hints, guards, approvals on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from weft.records import Hint
from weft.state import Cursor, Run, State

Later = Callable[[float], datetime]


def test_cursors_are_kept_apart_and_forgotten(state: State, now: datetime) -> None:
    with state.begin() as tx:
        cursors = [Cursor("f", "left", "crm", c, v, f"{c}{v}", now) for c in ("", "x") for v in ("", "contact")]
        tx.cursors.put_many(cursors)
        tx.cursors.put(Cursor("f", "left", "crm", "x", "", "newer", now))
        assert tx.cursors.get("f", "left", "crm", "x") == Cursor("f", "left", "crm", "x", "", "newer", now)
        assert tx.cursors.get("f", "right", "crm", "x") is None
        assert [c.value for c in tx.cursors.all("f")] == ["", "contact", "newer", "xcontact"]
        assert tx.cursors.forget("f", company="x") == 2
        assert tx.cursors.forget("other") == 0
        assert len(tx.cursors.all()) == 2


def test_runs_from_start_to_finish(state: State, later: Later) -> None:
    with state.begin() as tx:
        for n in range(5):
            tx.runs.start(Run(f"r{n}", "a" if n % 2 else "b", "sync", later(n // 2)))
        tx.runs.progress("r1", {"updated": 3})
        tx.runs.finish("r3", "issues", later(50), {"amount": Decimal("1.10")}, plan=[{"op": "create"}])
        assert tx.runs.get("r1").counts == {"updated": 3}
        done = tx.runs.get("r3")
        assert (done.state, done.finished_at, done.counts) == (
            "issues",
            later(50),
            {"amount": Decimal("1.10")},
        )
        assert done.plan == [{"op": "create"}]
        first = tx.runs.page(limit=2)
        rest = tx.runs.page(before=(first[-1].started_at, first[-1].id))
        assert [r.id for r in first + rest] == ["r4", "r3", "r2", "r1", "r0"]
        assert {flow: r.id for flow, r in tx.runs.latest().items()} == {"a": "r3", "b": "r4"}
        assert [r.id for r in tx.runs.running("a")] == ["r1"]
        assert [r.id for r in tx.runs.page(state=["issues", "done"])] == ["r3"]
        assert tx.runs.get("none") is None


def test_hints_merge_and_late_ones_survive(state: State, now: datetime, later: Later) -> None:
    with state.begin() as tx:
        tx.hints.put_many("f", "crm", [Hint("Account", "A1"), Hint("Account", "A1"), Hint("Account")], now)
        tx.hints.put_many("f", "crm", [Hint("Account", "A2")], later(5))
        taken = tx.hints.peek("f", until=now)
        assert [(h.key, h.count) for h in taken] == [("", 1), ("A1", 2)]
        tx.hints.put_many("f", "crm", [Hint("Account", "A1")], later(9))  # while A1 is being read
        tx.hints.done(taken)
        assert [(h.key, h.count, h.at) for h in tx.hints.peek("f")] == [("A1", 3, now), ("A2", 1, later(5))]
        assert tx.hints.counts() == {"f": 2}
        assert [h.key for h in tx.hints.peek("f", limit=1)] == ["A1"]


def test_what_is_told_anew_outlives_what_was_dealt_with_before(state: State, now: datetime, later: Later) -> None:
    with state.begin() as tx:
        tx.hints.put_many("f", "crm", [Hint("Account", "A1")], now)
        first = tx.hints.take("f", "w1", now)
        tx.hints.let_go("w1", ["f"])
        tx.hints.done(tx.hints.take("f", "w1", now))  # somebody else deals with it
        tx.hints.put_many("f", "crm", [Hint("Account", "A1")], later(1))
        tx.hints.done(first)
        assert [h.at for h in tx.hints.peek("f")] == [later(1)]


def test_a_clock_that_is_set_back_holds_no_hint(state: State, now: datetime, later: Later) -> None:
    with state.begin() as tx:
        tx.hints.put_many("f", "crm", [Hint("Account", "A1")], now, not_before=later(1))
        tx.hints.put_many("f", "crm", [Hint("Account", "A2")], later(9000), not_before=later(9000))
        assert [h.key for h in tx.hints.take("f", "w1", now)] == ["A2"]


def test_hints_are_taken_by_one_worker(state: State, now: datetime, later: Later) -> None:
    with state.begin() as tx:
        tx.hints.put_many("f", "crm", [Hint("Account", f"A{n}") for n in range(4)], now, lane="bulk")
        tx.hints.put_many("f", "crm", [Hint("Account", "A3")], later(1))  # an event overtakes the bulk pass
        assert tx.hints.ready(now) == {("f", "bulk"): 3, ("f", "live"): 1}
        live = tx.hints.take("f", "w1", now, lane="live")
        mine = tx.hints.take("f", "w1", now, limit=2)
        rest = tx.hints.take("f", "w2", now)
        assert [[h.key for h in part] for part in (live, mine, rest)] == [["A3"], ["A0", "A1"], ["A2"]]
        tx.hints.put_many("f", "crm", [Hint("Account", "A0")], later(2))  # while it is worked on
        tx.hints.put_many("f", "crm", [Hint("Account", "A1")], later(2), not_before=later(5))
        tx.hints.done(mine)
        tx.hints.give_back(rest)
        assert [h.key for h in tx.hints.take("f", "w3", later(4))] == ["A0", "A2"]
        assert tx.hints.next_ready(later(4)) == later(5)
        assert [h.key for h in tx.hints.take("f", "w3", later(5))] == ["A1"]


def test_guard_windows_roll(state: State, later: Later) -> None:
    with state.begin() as tx:
        assert tx.guards.window("f", "delete", later(0)) == (0, 0)
        for n in range(4):
            tx.guards.note("f", "delete", 10, 1000 + n, later(n * 60))
        tx.guards.note("f", "change", 500, 1000, later(0))
        assert tx.guards.window("f", "delete", later(60)) == (30, 1003)
        assert tx.guards.prune(later(60)) == 2
        assert tx.guards.reset("f", "delete") == 3
        assert tx.guards.window("f", "delete", later(0)) == (0, 0)


def test_guards_are_counted_one_run_after_the_other(state: State, now: datetime) -> None:
    """What one has looked at, another may not add to before it has added its own."""
    looked = threading.Event()
    seen: list[int] = []

    def count(wait: threading.Event | None) -> None:
        with state.begin() as tx:
            tx.guards.in_turn("f")
            seen.append(tx.guards.window("f", "delete", now).happened)
            looked.set()
            if wait is not None:
                wait.wait(0.3)
            tx.guards.correct(tx.guards.note("f", "delete", 9, 100, now), 5)

    first = threading.Thread(target=count, args=(threading.Event(),))
    first.start()
    assert looked.wait(30)
    count(None)
    first.join()
    assert seen == [0, 5]


def test_an_approval_counts_once(state: State, now: datetime, later: Later) -> None:
    with state.begin() as tx:
        asked = tx.guards.ask("f", "deletes", now, {"records": 40})
        assert tx.guards.ask("f", "deletes", later(5)) == asked
        assert not tx.guards.use("f", "deletes", now)
        assert not tx.guards.answer("f", "other", "granted", "kim", now)
        assert tx.guards.answer("f", "deletes", "granted", "kim", later(9))
        assert tx.guards.approval("f", "deletes").by == "kim"
        assert tx.guards.use("f", "deletes", later(10))
        assert not tx.guards.use("f", "deletes", later(11))
        assert tx.guards.approval("f", "deletes") is None
        assert tx.guards.ask("f", "deletes", later(12)).id != asked.id
        assert [a.state for a in tx.guards.approvals("f", ["asked", "used"])] == ["used", "asked"]
        assert tx.guards.withdraw("f", "deletes")
        assert tx.guards.approvals() == []
