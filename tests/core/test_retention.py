"""Forgetting beside a daemon: at its time, by one worker at once, and in spite of a round that failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from weft.config.loading import load_text
from weft.errors import StateError
from weft.plugins import Plugins
from weft.retention import forgetting
from weft.runtime import Runtime
from weft.state import Entry, Run, State

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CONFIG = "connections: {crm: {kind: a}, erp: {kind: b}}\nretention: {journal: 30d, runs: 7d}\n"


@dataclass
class Clock:
    def now(self) -> datetime:
        return NOW


@pytest.fixture
async def runtime(state_url: str) -> AsyncIterator[Runtime]:
    async with State.open(state_url) as state:
        with state.begin() as tx:
            for number in range(6):
                at = NOW - timedelta(days=40 - number)
                tx.runs.start(Run(f"r{number}", "customers", "changes", at))
                if number % 2:
                    tx.journal.append_many(f"r{number}", [Entry(at, "customers", "customer", "update", "updated")])
                tx.runs.finish(f"r{number}", "done", at)
        yield Runtime(load_text(CONFIG), state, Plugins(), clock=Clock())


async def until(runtime: Runtime, ids: list[str], said: Callable[[], bool] = lambda: True) -> None:
    """Wait until just these runs are left with a journal, or none was ever written."""
    async with asyncio.timeout(30):
        while True:
            runs = await runtime.state.read(lambda tx: tx.runs.page())
            if sorted(run.id for run in runs) == ids and all(run.pruned_at for run in runs) and said():
                return
            await asyncio.sleep(0.01)


async def test_what_is_old_is_forgotten_at_its_time(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "weft.retention")
    async with forgetting(runtime, first=timedelta(0)):
        await until(runtime, ["r1", "r3", "r5"], lambda: "forgot" in caplog.text)
    with runtime.state.begin(writes=False) as tx:
        assert tx.journal.page() == []
        assert all(tx.journal.verify_chain(id).ok for id in ("r1", "r3", "r5"))
        assert tx.statistics.since(NOW - timedelta(days=90), 300) == []
        assert tx.statistics.since(NOW - timedelta(days=90), 3600)
    assert "forgot 3 journals (3 entries), 3 runs" in caplog.text


async def test_a_round_that_failed_is_made_up_for(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, failures = runtime.state.try_lock, iter([StateError("the state is away"), None])

    async def sometimes(name: str) -> Any:
        if (failure := next(failures, None)) is not None:
            raise failure
        return await lock(name)

    monkeypatch.setattr(runtime.state, "try_lock", sometimes)
    async with forgetting(runtime, first=timedelta(0), every=timedelta(seconds=0.01)):
        await until(runtime, ["r1", "r3", "r5"])


async def test_only_one_worker_forgets_at_once(runtime: Runtime) -> None:
    held = await runtime.state.try_lock("retention")
    assert held is not None
    async with forgetting(runtime, first=timedelta(0), every=timedelta(seconds=0.01)):
        for _ in range(5):
            await asyncio.sleep(0.01)
            assert len(await runtime.state.read(lambda tx: tx.runs.page())) == 6
        held.release()
        await until(runtime, ["r1", "r3", "r5"])
