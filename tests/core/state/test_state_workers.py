"""Workers, their leases and what they leave behind; pauses, requests, schedules, subscriptions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from weft.errors import StateError
from weft.records import Hint, Subscription
from weft.state import Intent, LeaseLost, Run, State, Taken
from weft.state.membership import Membership
from weft.state.portions import Portion
from weft.state.tables import schedules, workers
from weft.state.tx import Tx

Later = Callable[[float], datetime]
MINUTE = timedelta(minutes=1)
IN_TRANSACTION = """
SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE 'UPDATE schedules%'
AND datname = current_database()
"""


def join(state: State, name: str) -> object:
    with state.begin() as tx:
        return tx.workers.join(name, "host", 1, "1.0", MINUTE, {"doing": None})


def expire(state: State, name: str) -> None:
    """As if its last heartbeat had been long ago."""
    with state.begin() as tx:
        past = tx.workers.clock() - timedelta(hours=1)
        tx.connection.execute(update(workers).where(workers.c.id == name).values(expires_at=past))


def test_a_lease_is_renewed_until_somebody_takes_the_worker_over(state: State, now: datetime) -> None:
    mine = join(state, "w1")
    with state.begin() as tx:
        assert tx.workers.take_over("w1", "w2", now) is None  # alive
        tx.workers.beat(mine, MINUTE, {"doing": "customers"})
        assert [(w.id, w.info) for w in tx.workers.alive()] == [("w1", {"doing": "customers"})]
    expire(state, "w1")
    with state.begin() as tx:
        assert (tx.workers.alive(), tx.workers.overdue()) == ([], ["w1"])
        tx.workers.require(mine)  # overdue, but nobody has taken it
        tx.workers.beat(mine, MINUTE)
        assert tx.workers.overdue() == []
    expire(state, "w1")
    with state.begin() as tx:
        assert tx.workers.take_over("w1", "w2", now) == Taken("w1", 0, 0, 0, 0)
        assert tx.workers.take_over("w1", "w3", now) is None
        for late in (lambda: tx.workers.require(mine), lambda: tx.workers.beat(mine, MINUTE)):
            with pytest.raises(LeaseLost, match=r"worker w1 \(epoch 1\) is lost: w2 took it over"):
                late()
        assert (tx.workers.get("w1").epoch, tx.workers.get("w1").taken_by) == (2, "w2")


def test_what_a_dead_worker_leaves_is_for_others(
    state: State, now: datetime, make_intent: Callable[..., Intent]
) -> None:
    mine, other = join(state, "w1"), join(state, "w2")
    with state.begin() as tx:
        tx.runs.start(Run("r1", "f", "changes", now, worker="w1"))
        tx.runs.start(Run("r2", "f", "changes", now, worker="w2"))
        tx.intents.open_many(
            [
                make_intent("sent", run="r1", sent_at=now),
                make_intent("unsent", run="r1"),
                make_intent("theirs", run="r2", sent_at=now),
            ]
        )
        assert tx.claims.take(mine, ["a", "b"], now) == {"a", "b"}
        assert tx.claims.take(other, ["b", "c"], now) == {"c"}
        tx.hints.put_many("f", "crm", [Hint("Account", "A1")], now)
        assert tx.hints.take("f", "w1", now)
        for run in ("r1", "r2", "r2"):
            tx.portions.put(Portion("f", run, run))
        assert [tx.portions.take("f", worker).run for worker in ("w2", "w1", "w2")] == ["r1", "r2", "r2"]
    expire(state, "w1")
    with state.begin() as tx:
        assert tx.workers.take_over("w1", "w2", now) == Taken("w1", runs=1, in_doubt=1, claims=2, hints=1)
        assert {i.id: i.state for i in tx.intents.unsettled("customers")} == {
            "sent": "in_doubt", "unsent": "open", "theirs": "open"}  # fmt: skip
        assert (tx.runs.get("r1").state, tx.runs.get("r2").state) == ("lost", "running")
        assert (tx.portions.ready(), len(tx.portions.left("r1")), len(tx.portions.left("r2"))) == ({"f": 1}, 0, 2)
        assert tx.claims.take(other, ["b"], now) == {"b"}
        tx.claims.release(mine, ["b"])  # not its own any more
        assert tx.claims.count() == {"w2": 2}
        tx.claims.release(other, ["b", "c"])
        assert tx.claims.count() == {}
        assert [h.key for h in tx.hints.take("f", "w2", now)] == ["A1"]
        tx.workers.leave(other, now)
        tx.workers.leave(other, now)
        assert tx.runs.get("r2").state == "lost"
        assert [(w.id, w.taken_by) for w in tx.workers.all()] == [("w2", None), ("w1", "w2")]
        assert tx.workers.prune(tx.workers.clock()) == 2


async def until(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask until there is an answer."""
    async with asyncio.timeout(20):
        while True:
            if found := await ask():
                return found
            await asyncio.sleep(0.01)


async def test_a_worker_stopped_in_the_middle_of_a_transaction_is_taken_over(postgres_url: str) -> None:
    """A frozen process keeps its session, and with it its locks; so does a machine that is gone, for hours."""
    goes_on = threading.Event()

    def stopped_here(tx: Tx) -> None:
        tx.connection.execute(update(schedules).values(at=tx.workers.clock()))
        goes_on.wait(60)

    with State.open(postgres_url) as frozen, State.open(postgres_url) as other:
        async with Membership(frozen), Membership(other) as mine:
            assert await frozen.try_lock("flow:customers") is not None
            held = asyncio.create_task(frozen.write(stopped_here))
            await until(lambda: other.read(lambda tx: tx.connection.execute(text(IN_TRANSACTION)).scalar_one()))
            assert await other.read(lambda tx: tx.workers.cut_off(frozen.worker)) == 0  # its lease still stands
            assert await other.try_lock("flow:customers") is None
            expire(other, frozen.worker)
            taken = await asyncio.wait_for(mine.take_over(frozen.worker), 20)
            assert taken == Taken(frozen.worker, 0, 0, 0, 0)
            goes_on.set()
            with pytest.raises(StateError):
                await held
            lock = await until(lambda: other.try_lock("flow:customers"))
            lock.release()


@pytest.mark.parametrize("lost", ["given back", "taken"])
async def test_claims_the_database_did_not_take_back_are_free_again_at_once(postgres_url: str, lost: str) -> None:
    """Its answer to a claim, or a release, got lost: nobody here holds the record, and the row is still there."""

    def wanted(tx: Tx) -> dict[str, set[str]]:
        return {"a": {"crm/a"}, "b": {"crm/b"}}

    def away(tx: Tx) -> None:
        raise StateError("the state cannot be reached")

    def nothing(tx: Tx) -> None:
        return None

    with State.open(postgres_url) as one, State.open(postgres_url) as other:
        async with Membership(one), Membership(other):
            if lost == "taken":
                done = one.write

                async def unanswered(fn: Any) -> Any:
                    await done(fn)
                    raise StateError("the connection is lost")

                one.write = unanswered
                with pytest.raises(StateError):
                    await one.claims.take(wanted, nothing)
                one.write = done
            else:
                await one.claims.take(wanted, nothing)
                one.write, done = (lambda fn: other.write(away)), one.write
                await one.claims.release({"crm/a", "crm/b"})
                one.write = done
            got, _ = await other.claims.take(wanted, nothing)
            assert got == {}
            got, _ = await one.claims.take(lambda tx: {"a": {"crm/a"}}, nothing)
            assert got == {"a": {"crm/a"}}
            await one.claims.tidy()
            got, _ = await other.claims.take(wanted, nothing)
            assert got == {"b": {"crm/b"}}  # what is held stays held


def test_a_lock_that_was_released_is_free_at_once(postgres_url: str) -> None:
    with State.open(postgres_url) as one, State.open(postgres_url) as other:
        for _ in range(20):
            for locks in (one._flow_locks, other._flow_locks):
                lock = locks.take("flow:customers")
                assert lock is not None
                lock.release()


def test_pauses_hold_until_taken_back_or_over(state: State, later: Later) -> None:
    with state.begin() as tx:
        tx.pauses.pause("customers", "kim", "month end", later(0), later(60))
        tx.pauses.pause("*", "lee", "upgrade", later(1))
        assert [(p.flow, p.by) for p in tx.pauses.active(later(2))] == [("customers", "kim"), ("*", "lee")]
        assert tx.pauses.of("customers", later(2)).reason == "month end"
        assert tx.pauses.of("orders", later(2)).reason == "upgrade"
        assert [p.flow for p in tx.pauses.active(later(60))] == ["*"]
        tx.pauses.pause("*", "lee", "still", later(61))
        assert tx.pauses.resume("*", "kim", later(70))
        assert not tx.pauses.resume("*", "kim", later(71))
        assert tx.pauses.of("customers", later(70)) is None
        assert [p.resumed_by for p in tx.pauses.all() if p.flow == "*"] == ["kim", "lee"]


def test_requests_merge_and_those_asked_again_stay(state: State, later: Later) -> None:
    with state.begin() as tx:
        tx.requests.put("customers", by="kim", at=later(0))
        tx.requests.put("customers", "sweep", by="kim", at=later(1))
        waiting = tx.requests.waiting()
        assert [(r.flow, r.what) for r in waiting] == [("customers", "sync"), ("customers", "sweep")]
        tx.requests.put("customers", by="lee", at=later(2))
        tx.requests.taken(waiting)
        assert [(r.what, r.count, r.by) for r in tx.requests.waiting()] == [("sync", 2, "kim")]


def test_schedules_and_subscriptions_are_remembered(state: State, later: Later) -> None:
    with state.begin() as tx:
        assert tx.schedules.get("f") is None
        tx.schedules.put("f", later(0))
        tx.schedules.put("f", later(9))
        assert tx.schedules.all() == {"f": later(9)}
        tx.schedules.forget("f")
        assert tx.schedules.all() == {}
        old, new = Subscription("1", "customers", expires=later(9)), Subscription("2", "items", "c", None, "v")
        tx.subscriptions.put("erp", "mark", [old], later(0))
        assert tx.subscriptions.next_expiry() == {"erp": later(9)}
        tx.subscriptions.put("erp", "other", [new], later(1))
        assert (tx.subscriptions.of("erp"), tx.subscriptions.told("erp")) == ([new], ("other", later(1)))
        assert (tx.subscriptions.next_expiry(), tx.subscriptions.told("crm")) == ({}, None)
