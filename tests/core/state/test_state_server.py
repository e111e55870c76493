"""What the dashboard reads: statistics, proofs, sessions, and a long journal by time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from weft.state import Entry, Run, Session, State
from weft.state.statistics import lag_name

Later = Callable[[float], datetime]


def test_runs_add_up_to_statistics(state: State, now: datetime, later: Later) -> None:
    with state.begin() as tx:
        for number, (mode, end) in enumerate([("changes", "done"), ("keys", "failed"), ("plan", "done")]):
            tx.runs.start(Run(f"r{number}", "customers", mode, later(number)))
            tx.runs.finish(f"r{number}", end, later(number + 2), {"created": 3}, lags={"lag:5": 2})
        tx.runs.finish("nobody's", "done", now, {"created": 1})
        short = {one.name: one.value for one in tx.statistics.since(now, 300)}
        assert short == {"created": 6, "runs": 2, "runs failed": 1, "busy": 4000, "lag:5": 4}
        assert tx.statistics.sums(now, 3600)["customers", "created"] == 6
        [begin] = {one.at for one in tx.statistics.since(now, 3600)}
        assert (begin.minute, begin.second, begin.microsecond) == (0, 0, 0)
        assert tx.statistics.since(later(3600), 300) == []
        assert tx.statistics.prune(later(3600), 300) == 5
        assert tx.statistics.since(now, 300) == []
        assert len(tx.statistics.since(now, 3600, "customers")) == 5


@pytest.mark.parametrize(("seconds", "name"), [(0, "lag:1"), (1.5, "lag:2"), (5, "lag:5"), (4000, "lag:inf")])
def test_delays_fall_into_classes(seconds: float, name: str) -> None:
    assert lag_name(seconds) == name


def test_proofs_are_kept_with_their_result(state: State, now: datetime, later: Later) -> None:
    with state.begin() as tx:
        first, second = tx.proofs.start("customers", "ann", now), tx.proofs.start("orders", "ann", now)
        tx.proofs.progress(first, 500, later(5))
        running = tx.proofs.running("customers", now)
        assert running is not None
        assert running.read == 500
        assert tx.proofs.running("customers", later(60)) is None  # not heard of: cut off
        tx.proofs.finish(first, later(9), 900, True, {"totals": {"amount": {"EUR": {"left": Decimal("1.10")}}}})
        tx.proofs.fail(second, later(9), "the system is down")
        tx.proofs.fail(first, later(10), "too late to fail")
        assert tx.proofs.latest().keys() == {"customers"}
        done = tx.proofs.get(first)
        assert done is not None
        assert (done.state, done.proven, done.error) == ("done", True, "")
        assert done.result["totals"]["amount"]["EUR"]["left"] == Decimal("1.10")
        assert [one.id for one in tx.proofs.page()] == [second, first]
        assert [one.id for one in tx.proofs.page(before_id=second)] == [first]


def test_sessions_end_and_expire(state: State, now: datetime, later: Later) -> None:
    with state.begin() as tx:
        for id, token, seconds in (("a", "ann", 10), ("b", "ann", 20), ("c", "bob", 30)):
            tx.sessions.put(Session(id, token, "m", now, now, later(seconds)))
        tx.sessions.seen("b", later(5))
        assert [one.id for one in tx.sessions.all(later(15))] == ["b", "c"]
        assert tx.sessions.prune(later(15)) == 1
        assert tx.sessions.get("a") is None
        assert tx.sessions.end_of("ann") == 1
        assert (tx.sessions.end("c"), tx.sessions.end("c")) == (True, False)


def test_a_journal_is_cut_by_time_though_batches_overlap(
    state: State, now: datetime, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.state.journal.NEAR", 3)
    times = [0, 1, 3, 2, 5, 4, 6, 8, 7, 9]
    with state.begin() as tx:
        tx.runs.start(Run("r1", "customers", "changes", now))
        tx.journal.append_many(
            "r1", [Entry(later(t), "customers", "customer", "update", "updated", left_key=str(t)) for t in times]
        )

        def keys(**wanted: Any) -> list[int]:
            return [int(one.left_key or "") for one in tx.journal.page(**wanted)]

        assert keys(until=later(5)) == [4, 2, 3, 1, 0]
        assert keys(since=later(4), until=later(8)) == [7, 6, 4, 5]
        assert keys(since=later(4), after_id=0) == [5, 4, 6, 8, 7, 9]
        assert keys(since=later(4), until=later(5), after_id=0) == [4]
        assert keys(until=now - timedelta(seconds=1)) == []
        assert keys(since=later(10), after_id=0) == []
