"""Intents: durable before the send, and never two answers about one write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from weft.state import Intent, Run, State

Make = Callable[..., Intent]
Later = Callable[[float], datetime]


async def test_an_intent_lives_from_open_to_done(state: State, make_intent: Make, later: Later) -> None:
    intent = make_intent("i1", own_key="W-7F3", payload={"amount": Decimal("0.10"), "name": None})
    await state.write(lambda tx: tx.intents.open_many([intent, make_intent("i2", "A2")]))
    assert (await state.read(lambda tx: tx.intents.get_many(["i1", "none"]))) == {"i1": intent}
    await state.write(lambda tx: tx.intents.mark_sent(["i1"], later(1), later(481)))
    open_ones = await state.read(lambda tx: tx.intents.unsettled("customers"))
    assert [(i.id, i.state, i.attempts) for i in open_ones] == [("i1", "open", 1), ("i2", "open", 0)]
    assert (open_ones[0].sent_at, open_ones[0].settle_after) == (later(1), later(481))
    await state.write(lambda tx: tx.intents.close_many([("i1", "done", "C1"), ("i2", "abandoned", None)]))
    after = await state.read(lambda tx: tx.intents.get_many(["i1", "i2"]))
    assert {i.id: (i.state, i.result_key) for i in after.values()} == {
        "i1": ("done", "C1"),
        "i2": ("abandoned", None),
    }
    assert await state.read(lambda tx: tx.intents.unsettled()) == []


def test_a_settled_intent_stays_settled(state: State, make_intent: Make, now: datetime, later: Later) -> None:
    with state.begin() as tx:
        tx.intents.open_many([make_intent("done"), make_intent("other")])
        tx.intents.mark_sent(["done", "other"], now, later(480))
        tx.intents.close_many([("done", "done", "C1")])
        tx.intents.mark_in_doubt(["done", "other"], None)
        assert {i.id: i.state for i in tx.intents.get_many(["done", "other"]).values()} == {
            "done": "done",
            "other": "in_doubt",
        }


def test_only_runs_that_ended_leave_intents(state: State, make_intent: Make, now: datetime) -> None:
    with state.begin() as tx:
        tx.runs.start(Run("going", "customers", "keys", now))
        tx.runs.start(Run("ended", "customers", "keys", now))
        tx.runs.finish("ended", "failed", now)
        tx.intents.open_many([make_intent(run, run=run) for run in ("going", "ended", "unknown")])
        assert {one.id for one in tx.intents.left("customers")} == {"ended", "unknown"}
        assert tx.intents.left("orders") == []


def test_unsettled_intents_are_found_by_their_record(state: State, make_intent: Make) -> None:
    with state.begin() as tx:
        tx.intents.open_many(
            [make_intent("a", "A1"), make_intent("b", "A1", company="demf"),
             make_intent("c", "A2", connection="bc"), make_intent("d", "A3")]
        )  # fmt: skip
        tx.intents.close_many([("d", "done", "C3")])
        found = tx.intents.unsettled_for("customers", "erp", ["A1", "A2", "A3"])
    assert {key: [i.id for i in intents] for key, intents in found.items()} == {"A1": ["a", "b"]}


def test_steps_are_kept_in_the_connectors_shape(state: State, make_intent: Make, now: datetime, later: Later) -> None:
    with state.begin() as tx:
        tx.intents.open_many([make_intent("i1"), make_intent("i2")])
        tx.intents.note("i1", "header", "SO-1", {"version": "1", "total": Decimal("9.90")}, now)
        tx.intents.note("i1", "line:7", None, None, later(1))
        tx.intents.note("i1", "header", "SO-1", {"version": "2"}, later(2))
        assert tx.intents.noted(["i1", "i2"]) == {
            "i1": {"header": {"key": "SO-1", "version": "2"}, "line:7": {"key": None}}
        }


def test_old_settled_intents_are_pruned_with_their_steps(
    state: State, make_intent: Make, now: datetime, later: Later
) -> None:
    with state.begin() as tx:
        tx.intents.open_many([make_intent("old"), make_intent("open"), make_intent("new", created_at=later(99))])
        tx.intents.note("old", "header", "x", None, now)
        tx.intents.close_many([("old", "done", "C"), ("new", "done", "C")])
        assert tx.intents.prune(later(1)) == 1
        assert set(tx.intents.get_many(["old", "open", "new"])) == {"open", "new"}
        assert tx.intents.noted(["old"]) == {}
