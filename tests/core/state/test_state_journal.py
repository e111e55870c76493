"""The journal is append-only and its chain shows every change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from weft.errors import StateError
from weft.state import Entry, Run, State

Later = Callable[[float], datetime]
FIELDS = {"credit_limit": {"from": Decimal("1.10"), "to": None, "base": Decimal("1.10"), "rule": "only left moved"}}
ERROR = {
    "fault": "endpoint",
    "message": "Zu viele Anfragen – später",
    "status": 429,
    "retry_after": Decimal("1.5"),
}


def entry(now: datetime, n: int, **more: object) -> Entry:
    given = {"op": "update", "outcome": "updated", "side": "right", "left_key": f"A{n}", "right_key": f"C{n}"}
    given |= {"fields": FIELDS, "error": ERROR}
    return Entry(now, "customers", "customer", **(given | more))  # type: ignore[arg-type]


@pytest.fixture
def written(state: State, now: datetime) -> State:
    """Two runs of six entries each, appended alternately."""
    with state.begin() as tx:
        for run in ("r1", "r2"):
            tx.runs.start(Run(run, "customers", "sync", now))
    for part in range(3):
        for run in ("r1", "r2"):
            with state.begin() as tx:
                tx.journal.append_many(run, [entry(now, 2 * part + n, link_id=part + 1) for n in range(2)])
    return state


def tamper(state: State, statement: str) -> None:
    """Change the journal as somebody with full rights on the database could."""
    with state.begin() as tx:
        if state.place.sqlite:
            for verb in ("update", "delete"):
                tx.connection.execute(text(f"DROP TRIGGER journal_no_{verb}"))
        else:
            tx.connection.execute(text("ALTER TABLE journal DISABLE TRIGGER ALL"))
        assert tx.connection.execute(text(statement)).rowcount >= 1


def test_entries_come_back_exactly(written: State, now: datetime) -> None:
    with written.begin(writes=False) as tx:
        first = tx.journal.page(run_id="r1", after_id=0, limit=1)[0]
    assert (first.fields, first.error, first.at, first.seq) == (FIELDS, ERROR, now, 1)


def test_each_run_has_its_own_chain(written: State) -> None:
    with written.begin(writes=False) as tx:
        for run in ("r1", "r2"):
            check = tx.journal.verify_chain(run)
            assert (check.ok, check.rows) == (True, 6)
        r1 = tx.journal.page(run_id="r1", after_id=0)
        r2 = tx.journal.page(run_id="r2", after_id=0)
    assert [e.seq for e in r1] == [1, 2, 3, 4, 5, 6]
    assert [e.prev_hash for e in r1] == ["", *(e.hash for e in r1[:-1])]
    assert not {e.hash for e in r1} & {e.hash for e in r2}


@pytest.mark.parametrize(
    ("statement", "seq", "problem"),
    [
        ("UPDATE journal SET outcome = 'unchanged' WHERE run_id = 'r1' AND seq = 4", 4, "content"),
        ("UPDATE journal SET fields = NULL WHERE run_id = 'r1' AND seq = 1", 1, "content"),
        ("DELETE FROM journal WHERE run_id = 'r1' AND seq = 3", 3, "missing"),
        ("DELETE FROM journal WHERE run_id = 'r1' AND seq >= 6", 6, "ends at row 5, the run wrote 6"),
        ("UPDATE journal SET prev_hash = 'x' WHERE run_id = 'r1' AND seq = 2", 2, "follow"),
    ],
)
def test_tampering_is_seen_and_located(written: State, statement: str, seq: int, problem: str) -> None:
    tamper(written, statement)
    with written.begin(writes=False) as tx:
        check = tx.journal.verify_chain("r1")
        assert tx.journal.verify_chain("r2").ok
    assert (check.ok, check.bad_seq) == (False, seq)
    assert problem in check.problem


@pytest.mark.parametrize("statement", ["UPDATE journal SET reason = 'x'", "DELETE FROM journal"])
async def test_the_database_refuses_to_change_it(written: State, statement: str) -> None:
    with pytest.raises(DBAPIError, match="the journal is append-only"):
        await written.write(lambda tx: tx.connection.execute(text(statement)))


async def test_truncate_is_refused_too(postgres_url: str) -> None:
    with State.open(postgres_url) as state, pytest.raises(DBAPIError, match="the journal is append-only"):
        await state.write(lambda tx: tx.connection.execute(text("TRUNCATE journal")))


async def test_a_run_must_be_started(state: State, now: datetime) -> None:
    with pytest.raises(StateError, match="run nowhere is not in the state"):
        await state.write(lambda tx: tx.journal.append_many("nowhere", [entry(now, 1)]))


def test_pages_and_filters(written: State, now: datetime, later: Later) -> None:
    with written.begin() as tx:
        tx.journal.append_many("r2", [entry(later(60), 99, outcome="failed", op="create", link_id=None)])
    with written.begin(writes=False) as tx:
        newest = tx.journal.page(limit=5)
        rest = tx.journal.page(limit=50, before_id=newest[-1].id)
        assert [e.id for e in newest + rest] == sorted((e.id for e in newest + rest), reverse=True)
        assert len(newest + rest) == 13
        assert [e.left_key for e in tx.journal.page(outcome=["failed", "rejected"])] == ["A99"]
        assert [e.left_key for e in tx.journal.page(since=later(1))] == ["A99"]
        assert len(tx.journal.page(until=later(1), flow="customers", entity="customer", op="update")) == 12
        assert {e.run_id for e in tx.journal.page(key="C3")} == {"r1", "r2"}
        assert len(tx.journal.page(link_id=2)) == 4
        last = tx.journal.last_for([1, 2, 99])
    assert {link: (e.run_id, e.seq) for link, e in last.items()} == {1: ("r2", 2), 2: ("r2", 4)}
