"""Look-ups use indexes down to the key: what they cost must not grow with the table."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from weft.state import State, Tx

K = ["k"]
ON_A_FEW = re.compile(r"json_each|SCAN \(subquery|SCAN anon")
QUERIES: dict[str, tuple[str, Callable[[Tx, datetime], Any]]] = {
    "by left key": ("left_key=?", lambda tx, now: tx.links.by_keys("c", "l", "r", "left", "o", "", K)),
    "by right key": ("right_key=?", lambda tx, now: tx.links.heads("c", "l", "r", "right", "o", "x", K)),
    "by left key alone": ("left_key=?", lambda tx, now: tx.links.heads("c", "l", "r", "left", None, None, K)),
    "by right key alone": (
        "right_key=?",
        lambda tx, now: tx.links.by_keys("c", "l", "r", "right", None, None, K),
    ),
    "references": ("_key=?", lambda tx, now: tx.links.translate("c", "l", "r", [("", "k")], to_company="x")),
    "links by id": ("rowid=?", lambda tx, now: tx.links.get_many([1])),
    "odd links": ("ix_links_odd (state=? AND id>?", lambda tx, now: tx.links.page(state="review")),
    "lines": ("link_id=?", lambda tx, now: tx.links.children([1])),
    "aliases": ("key=?", lambda tx, now: tx.aliases.resolve("c", "l", K)),
    "unsettled intents": ("ix_intents_unsettled (flow=?", lambda tx, now: tx.intents.unsettled("f")),
    "intents of a record": ("source_key=?", lambda tx, now: tx.intents.unsettled_for("f", "c", K)),
    "issues of a record": ("key=?", lambda tx, now: tx.issues.for_keys("f", "left", "c", "", "o", K)),
    "open issues": ("ix_issues_open (id>?", lambda tx, now: tx.issues.page(kind="failed")),
    "open issues of a link": ("ix_issues_open (id>?", lambda tx, now: tx.issues.page(link_id=1)),
    "due issues": ("next_try_at<?", lambda tx, now: tx.issues.due(now)),
    "waiting issues": ("waits_key=?", lambda tx, now: tx.issues.waiting_for("c", "l", K)),
    "journal of a link": ("link_id=?", lambda tx, now: tx.journal.page(link_id=1)),
    "journal of a key": ("right_key=?", lambda tx, now: tx.journal.page(key="k")),
    "journal of a flow": ("ix_journal_flow (flow=?", lambda tx, now: tx.journal.page(flow="f", outcome="updated")),
    "journal by rare outcome": ("ix_journal_odd (outcome=?", lambda tx, now: tx.journal.page(outcome="rejected")),
    "journal until a time": ("ix_journal_at (at<?", lambda tx, now: tx.journal.page(until=now)),
    "statistics": ("width=? AND at>?", lambda tx, now: tx.statistics.since(now, 300)),
    "hints": ("ix_hints_at (flow=?", lambda tx, now: tx.hints.peek("f")),
    "guards": ("at>?", lambda tx, now: tx.guards.window("f", "delete", now)),
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path: Path = tmp_path_factory.mktemp("plans") / "weft.db"
    with State.open(f"sqlite:///{path}") as state:
        yield state


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_reads_a_whole_table(empty: State, now: datetime, name: str) -> None:
    expected, ask = QUERIES[name]
    asked: list[tuple[str, Any]] = []
    with empty.begin(writes=False) as tx:
        event.listen(tx.connection, "before_cursor_execute", lambda c, cur, sql, given, *_: asked.append((sql, given)))
        ask(tx, now)
        plans = [
            [row[3] for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)]
            for sql, given in list(asked)
        ]
    assert plans
    for plan in plans:
        assert not [step for step in plan if step.startswith("SCAN") and not ON_A_FEW.search(step)], plan
        assert expected in " ".join(plan), plan
