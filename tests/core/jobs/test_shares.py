"""What workers share: limits of connections, and rest after failures."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from weft.jobs.rest import Rest
from weft.jobs.shares import Shares, share
from weft.jobs.sharing import sharing
from weft.net.limiter import AdaptiveLimiter
from weft.state.workers import Worker

BOOT = datetime(2024, 5, 1, 8, tzinfo=UTC)


def workers(count: int, *, beaten: float = 60) -> list[Worker]:
    """Booted a second after each other, all heard of so many seconds after the first."""
    beat = BOOT + timedelta(seconds=beaten)
    return [
        Worker(f"w{n}", "host", n, "1", 1, BOOT + timedelta(seconds=n), beat, beat + timedelta(seconds=15))
        for n in range(count)
    ]


@pytest.mark.parametrize(("limit", "count"), [(8, 1), (8, 3), (2, 3), (1, 4), (7, 4)])
def test_shares_add_up_to_the_limit(limit: int, count: int) -> None:
    those = workers(count)
    for connection in ("crm", "erp", "dw"):
        shares = [share(connection, limit, worker.id, those) for worker in those]
        assert sum(shares) == limit
        assert max(shares) - min(shares) <= 1


def test_what_cannot_be_divided_does_not_always_go_to_the_same_worker() -> None:
    those = workers(4)
    first = {name: [share(name, 1, w.id, those) for w in those].index(1) for name in map("c{}".format, range(30))}
    assert len(set(first.values())) == 4


def test_a_new_worker_waits_until_the_others_have_made_room() -> None:
    those = workers(3, beaten=1.5)  # the third has booted after the others' last heartbeat
    assert [share("crm", 9, worker.id, those) for worker in those] == [3, 3, 0]
    assert share("crm", 9, "unknown", those) == 0


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_the_limit_holds_while_workers_come_and_go(limit: int) -> None:
    """Workers look around in any order, tell what they hold with every heartbeat, are busy or not, come and go: at no
    moment are more requests allowed than the limit, and all of it is used."""
    rng = random.Random(limit)
    there = workers(5)
    alive = there[:2]
    shares = {worker.id: Shares({"erp": limit}, worker.id) for worker in there}
    reaching: set[str] = set()
    busy: set[str] = set()

    def beat(worker: Worker) -> None:
        worker.info = {"shares": dict(shares[worker.id].told)}

    sums = []
    for _ in range(5_000):
        one = rng.choice(alive)
        using = ["erp"] if one.id in busy else []
        if one.id not in reaching and shares[one.id].reach(alive, using):
            beat(one)
            reaching.add(one.id)  # others have their turn between the heartbeat and the second look
        else:
            shares[one.id].settle(alive, using)
            reaching.discard(one.id)
        beat(rng.choice(alive))
        sums.append(sum(shares[worker.id].in_force["erp"] for worker in alive))
        assert sums[-1] <= limit
        if rng.random() < 0.3 and shares[one.id].in_force["erp"]:
            busy ^= {one.id}  # takes a job, or has done it
        if rng.random() < 0.05:
            new = [worker for worker in there if worker not in alive]
            leaving = [worker for worker in alive if worker.id not in busy | reaching]
            if new and (len(alive) < 2 or rng.random() < 0.5):
                shares[new[0].id], new[0].info = Shares({"erp": limit}, new[0].id), None
                alive = [worker for worker in there if worker in (*alive, new[0])]
            elif len(alive) > 1 and leaving:
                alive = [worker for worker in alive if worker is not leaving[0]]
    assert sums.count(limit) > len(sums) / 2


async def test_a_limiter_keeps_to_its_share() -> None:
    limiter = AdaptiveLimiter(initial=4, maximum=8)
    limiter.allow(2)
    async with limiter.slot(), limiter.slot():
        assert (limiter.limit, limiter.in_flight) == (2, 2)
    limiter.allow(8)
    for _ in range(40):
        async with limiter.slot() as slot:
            limiter.in_flight += 7  # as if the others were under way
            limiter.succeeded(slot)
            limiter.in_flight -= 7
    assert limiter.limit == 8


def test_rest_grows_with_every_failure_and_ends_with_a_success() -> None:
    now = [0.0]
    rest = Rest(lambda: now[0])
    assert [rest.failed("f") for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (rest.left("f"), rest.left("g")) == (60, 0)
    now[0] = 59.5
    assert rest.left("f") == 0.5
    rest.succeeded("f")
    assert rest.left("f") == 0
    assert rest.failed("f") == 1


async def test_a_sync_beside_a_daemon_takes_its_share_only(pair: Any, postgres_url: str, until: Any) -> None:
    pair.state_url = postgres_url
    pair.config += "limits: {concurrency: 8}\n"
    async with pair.working() as daemon:
        await until(lambda: daemon._shares.in_force == {"crm": 8, "erp": 8})
        async with pair.runtime() as runtime, sharing(runtime):
            mine = runtime._limits
            assert mine == {"crm": 4, "erp": 4}
            assert daemon._shares.in_force == mine
        await until(lambda: daemon._shares.in_force == {"crm": 8, "erp": 8})
