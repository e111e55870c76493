"""The daemon when the world about it goes wrong: a database that vanishes, a full disk, clocks that jump, turns that
come sooner than the last one has ended."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event

from weft import around
from weft.errors import StateError
from weft.state import State
from weft.sync.cycle import run_flow


class Gate:
    """A plugin that lets no write out while it is shut; ``waiting``: one has come so far."""

    def __init__(self) -> None:
        self.open, self.waiting = asyncio.Event(), asyncio.Event()
        self.open.set()

        @around("write", kind="memerp")
        async def write(call: Any) -> AsyncIterator[Any]:
            self.waiting.set()
            await self.open.wait()
            async for outcome in call():
                yield outcome

        self.write = write


async def test_turns_of_a_flow_do_not_overlap(pair: Any, until: Any) -> None:
    pair.configure("every: 1h", "every: 1s")
    pair.extra["gate"] = gate = Gate()
    gate.open.clear()
    pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pair.working() as daemon:
        await gate.waiting.wait()
        pair.crm.put("Accounts", Name="Contoso", Tax="DE2")
        pair.clock.forward(minutes=10)
        await asyncio.sleep(1.2)  # the next turn has come, and the daemon has looked
        second = await run_flow(daemon.runtime, "customers")
        assert second.busy
        assert second.error.startswith(f"customers is already running by process {os.getpid()} on ")
        assert "weft status customers" in second.error
        gate.open.set()
        await until(lambda: pair.names() == ["Adatum", "Contoso"])
        runs = sorted(await daemon.runtime.state.read(lambda tx: tx.runs.page()), key=lambda run: run.started_at)
    assert len(runs) >= 2
    assert all(one.finished_at <= after.started_at for one, after in itertools.pairwise(runs))


async def test_clocks_that_jump_stop_nothing(everywhere: Any, until: Any) -> None:
    pair = everywhere
    key = pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pair.working() as daemon:
        await until(lambda: pair.names() == ["Adatum"] and not daemon._active)
        for days in (-10, 400, -390):  # back, far ahead, and right again
            pair.clock.forward(days=days)
            pair.crm.edit("Accounts", key, Name=f"Adatum {days}")
            await pair.hint(daemon, key)
            await until(lambda days=days: pair.names() == [f"Adatum {days}"] and not daemon._active)
        await until(lambda: daemon.runtime.state.read(lambda tx: not tx.hints.counts()))
        passes = len([job for job in pair.queue.ran if job.lane == "bulk"])
        assert passes <= 4  # the first load, and one a jump at most: turns that were missed count as one
        pair.crm.put("Accounts", Name="Contoso", Tax="DE2")
        pair.clock.forward(hours=1, minutes=1)
        await until(lambda: "Contoso" in pair.names())  # no turn is waited for that a wrong clock has set
        assert not daemon.membership.lost.is_set()


async def test_a_daemon_that_starts_after_a_dead_one_takes_over(pair: Any, until: Any, postgres_url: str) -> None:
    pair.state_url = postgres_url
    with State.open(postgres_url) as state, state.begin() as tx:
        tx.workers.join("dead", "elsewhere", 1, "1", timedelta(seconds=-1))
    pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pair.working() as daemon:
        await until(lambda: pair.names() == ["Adatum"])
        await until(lambda: daemon.runtime.state.read(lambda tx: tx.workers.overdue() == []))


async def test_a_full_disk_sends_nothing_and_is_recovered_from(pair: Any, until: Any) -> None:
    full: list[int] = []
    async with pair.working() as daemon:
        state = daemon.runtime.state

        @event.listens_for(state.engine, "begin")
        def _limited(connection: Connection) -> None:
            connection.exec_driver_sql(f"PRAGMA max_page_count={full[0] if full else 1 << 30}")

        await until(lambda: state.read(lambda tx: tx.cursors.all("customers")))
        full.append(await state.read(lambda tx: tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one()))
        for n in range(50):
            pair.crm.put("Accounts", Name="x" * 2000 + str(n), Tax=f"DE{n}")
        pair.clock.forward(hours=1, minutes=1)
        await until(lambda: daemon._rest.left("customers") or "is full" in daemon.state_down)
        assert pair.erp.writes == []
        full.clear()
        pair.clock.forward(hours=1, minutes=1)
        await until(lambda: len(pair.names()) == 50)


class Unanswered:
    """A state that loses the answer to one transaction, or the transaction itself, and is well again."""

    def __init__(self, state: Any, of: str, *, committed: bool) -> None:
        self.state, self.of, self.committed = state, of, committed
        self.struck = 0
        self._write = state.write
        state.write = self.write

    async def write(self, fn: Any) -> Any:
        strikes = not self.struck and fn.__qualname__.startswith(self.of)
        done = None if strikes and not self.committed else await self._write(fn)
        if strikes and (done or not self.committed):
            self.struck += 1
            raise StateError("the connection is lost")
        return done


async def test_hints_whose_taking_got_no_answer_are_not_kept(everywhere: Any, until: Any) -> None:
    pair = everywhere
    key = pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pair.working() as daemon:
        await until(lambda: pair.names() == ["Adatum"] and not daemon._active)
        lost = Unanswered(daemon.runtime.state, "hinted", committed=True)
        pair.crm.edit("Accounts", key, Name="Adatum AG")
        await pair.hint(daemon, key)
        await until(lambda: pair.names() == ["Adatum AG"], seconds=20)
        assert lost.struck == 1
        await until(lambda: daemon.runtime.state.read(lambda tx: not tx.hints.counts()))


async def test_a_run_whose_end_could_not_be_stored_does_not_seem_to_go_on(everywhere: Any, until: Any) -> None:
    pair = everywhere
    key = pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pair.working() as daemon:
        await until(lambda: pair.names() == ["Adatum"] and not daemon._active)
        state = daemon.runtime.state
        lost = Unanswered(state, "_finish", committed=False)
        pair.crm.edit("Accounts", key, Name="Adatum AG")
        await pair.hint(daemon, key)
        await until(lambda: lost.struck)
        await until(lambda: state.read(lambda tx: not tx.runs.running()), seconds=20)
        ended = {run.state for run in await state.read(lambda tx: tx.runs.page())}
    assert "lost" in ended
    assert pair.names() == ["Adatum AG"]


async def test_a_database_that_vanishes_on_the_way_and_comes_back(
    own_postgres_server: Any, tmp_path: Path, pair: Any, until: Any
) -> None:
    server = own_postgres_server
    pair.state_url = server.url("postgres")
    pair.configure("every: 1h", "every: 2s")
    pair.extra["gate"] = gate = Gate()
    for n in range(5):
        pair.crm.put("Accounts", Name=f"Customer {n}", Tax=f"DE{n}")
    async with pair.working() as daemon:
        await until(lambda: len(pair.names()) == 5 and not daemon._active)
        gate.open.clear()
        gate.waiting.clear()
        for n in range(5, 10):
            pair.crm.put("Accounts", Name=f"Customer {n}", Tax=f"DE{n}")
        await gate.waiting.wait()  # intents are stored, nothing is sent
        server.stop("immediate")
        await until(lambda: daemon.state_down)
        gate.open.set()  # now it is sent, and its answer cannot be stored
        await until(lambda: daemon._rest.left("customers"))
        problem = await daemon.problem()
        assert "postgresql+psycopg://" in problem
        server.start()
        await until(lambda: len(pair.names()) == 10 and not daemon.state_down, seconds=20)
        await until(lambda: daemon.runtime.state.read(lambda tx: not tx.intents.unsettled()), seconds=20)
    assert pair.names() == sorted(f"Customer {n}" for n in range(10))
