"""The daemon: first loads, schedules, hints, pauses, blackouts, failures, draining."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.core.jobs.conftest import Pair, PlainQueue

from weft import around
from weft.jobs import needs
from weft.jobs.daemon import Daemon
from weft.jobs.job import Job
from weft.records import Hint
from weft.sync import portions

NOW = datetime(2024, 6, 3, 8, tzinfo=UTC)
CHANGES = Job("customers", "bulk", "changes")


async def test_a_new_flow_is_loaded_and_then_follows_its_schedule(everywhere: Any, until: Any) -> None:
    pair = everywhere
    pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pair.working() as daemon:
        await until(lambda: pair.names() == ["Adatum"])
        await until(lambda: not daemon._active)
        pair.crm.put("Accounts", Name="Contoso", Tax="DE2")
        pair.clock.forward(minutes=59)
        await asyncio.sleep(1.2)  # longer than it takes the daemon to look
        assert pair.names() == ["Adatum"]
        pair.clock.forward(minutes=2)
        await until(lambda: pair.names() == ["Adatum", "Contoso"])
        assert pair.queue.ran.count(CHANGES) == 2


async def test_a_hint_is_taken_at_once(everywhere: Any, until: Any) -> None:
    pair = everywhere
    key = pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pair.working() as daemon:
        await until(lambda: pair.names() == ["Adatum"])
        pair.crm.edit("Accounts", key, Name="Adatum AG")
        await pair.hint(daemon, key)
        await until(lambda: pair.names() == ["Adatum AG"])
        await until(lambda: no_hints_in(daemon))


async def no_hints_in(daemon: Any) -> bool:
    """Whether none is left."""
    return not await daemon.runtime.state.read(lambda tx: tx.hints.counts())


async def test_live_work_waits_for_the_first_load(pair: Any, until: Any) -> None:
    first = pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    pair.erp.fail("down", on="read", times=1)  # the first load does not come through
    async with pair.working() as daemon:
        await until(lambda: CHANGES in pair.queue.ran and not daemon._active)
        await pair.hint(daemon, first)
        await asyncio.sleep(0.3)
        assert pair.names() == []
        assert {job.what for job in pair.queue.ran} == {"changes"}
        pair.clock.forward(hours=1)
        await until(lambda: pair.names() == ["Adatum"])
        await until(lambda: no_hints_in(daemon))


async def test_what_nobody_can_have_changed_is_not_looked_at_again(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite. Ten looks a second are a good part of what a daemon with nothing to do costs."""
    looks: list[object] = []
    quick = needs.quick
    monkeypatch.setattr(needs, "quick", lambda *given: looks.append(given) or quick(*given))
    now = 100.0
    monkeypatch.setattr("weft.jobs.daemon.elapsed", lambda: now)
    async with pair.runtime() as runtime:
        daemon = Daemon(runtime, PlainQueue())
        for _ in range(2):
            await daemon._quick()
        assert len(looks) == 1
        for count, happens in (
            (2, lambda: runtime.state.write(lambda tx: tx.requests.put("customers", "sync", by="kim", at=NOW))),
            (3, lambda: asyncio.to_thread(daemon.wake)),
        ):
            await happens()
            for _ in range(2):
                await daemon._quick()
            assert len(looks) == count
        now += 1.0  # what was to wait until now
        await daemon._quick()
        assert len(looks) == 4


async def test_what_waits_for_another_record_is_woken(pair: Any, until: Any) -> None:
    """An issue whose time has come is looked at without anybody's schedule."""
    key = pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    pair.configure("every: 1h}", "every: 1h, retry: {backoff: 1s}}")
    pair.erp.fail("throttle", on="write", retry_after=1)
    async with pair.working():
        await until(lambda: pair.names() == ["Adatum"])
        assert Job("customers", "live", "due") in pair.queue.ran
        assert pair.crm.rows("Accounts")[key]["Name"] == "Adatum"


async def test_a_paused_flow_rests_until_it_is_resumed(pair: Any, until: Any) -> None:
    key = pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pair.working() as daemon:
        state = daemon.runtime.state
        await until(lambda: pair.names() == ["Adatum"] and not daemon._active)
        await state.write(lambda tx: tx.pauses.pause("*", "kim", "upgrade", pair.clock.now()))
        pair.crm.edit("Accounts", key, Name="Adatum AG")
        await pair.hint(daemon, key)
        await state.write(lambda tx: tx.requests.put("customers", by="kim", at=pair.clock.now()))
        await asyncio.sleep(1.3)
        assert pair.names() == ["Adatum"]
        await state.write(lambda tx: tx.pauses.resume("*", "kim", pair.clock.now()))
        await until(lambda: pair.names() == ["Adatum AG"])


async def test_a_blackout_window_holds_live_changes_too(pair: Any, until: Any) -> None:
    key = pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pair.working() as daemon:
        await until(lambda: pair.names() == ["Adatum"] and not daemon._active)
    day = pair.clock.now().strftime("%a").lower()
    pair.configure("every: 1h}", f"every: 1h, blackout: [{day}]}}")
    async with pair.working() as daemon:
        pair.crm.edit("Accounts", key, Name="Adatum AG")
        await pair.hint(daemon, key)
        await asyncio.sleep(1.3)
        assert pair.names() == ["Adatum"]
        pair.clock.forward(days=1)
        await until(lambda: pair.names() == ["Adatum AG"])


async def test_requests_are_carried_out_and_forgotten(everywhere: Any, until: Any) -> None:
    pair = everywhere
    async with pair.working() as daemon:
        state = daemon.runtime.state
        await until(lambda: CHANGES in pair.queue.ran and not daemon._active)
        pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
        await state.write(lambda tx: tx.requests.put("*", by="kim", at=pair.clock.now()))
        await until(lambda: pair.names() == ["Adatum"])
        await state.write(lambda tx: tx.requests.put("customers", "sweep", by="kim", at=pair.clock.now()))
        # One that comes while another pass is under way is asked for again.
        await until(lambda: state.read(lambda tx: [run.mode for run in tx.runs.page(limit=1)] == ["sweep"]))
        await until(lambda: not daemon._active)
        assert Job("customers", "bulk", "sweep") in pair.queue.ran
        assert await state.read(lambda tx: tx.requests.waiting()) == []


async def test_a_flow_by_the_clock_has_its_first_turn_when_its_time_comes(pair: Any, until: Any) -> None:
    pair.configure("every: 1h}", 'cron: "0 2 * * *", timezone: Europe/Berlin}')
    pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pair.working() as daemon:
        state = daemon.runtime.state
        await until(lambda: state.read(lambda tx: tx.schedules.all()))
        assert pair.queue.ran == []
        pair.clock.forward(hours=25)
        await until(lambda: pair.names() == ["Adatum"])


async def test_a_flow_that_fails_rests_and_loses_no_hint(pair: Any, until: Any) -> None:
    key = pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pair.working() as daemon:
        await until(lambda: pair.names() == ["Adatum"] and not daemon._active)
        pair.crm.edit("Accounts", key, Name="Adatum AG")
        pair.crm.down = "closed for maintenance"
        await pair.hint(daemon, key)
        await until(lambda: daemon._rest.left("customers") > 0)
        tried = len(pair.queue.ran)
        await asyncio.sleep(0.5)
        assert len(pair.queue.ran) <= tried + 1
        pair.crm.down = None
        pair.clock.forward(seconds=2)
        await until(lambda: pair.names() == ["Adatum AG"])


async def test_a_pass_that_only_a_hint_asks_for_rests_after_a_failure(pair: Any, until: Any) -> None:
    """What is told of an object as a whole stays until a pass has read it: one began every second meanwhile."""
    async with pair.working() as daemon:
        state = daemon.runtime.state
        await until(lambda: state.read(lambda tx: tx.cursors.all("customers")))
        await until(lambda: not daemon._active)
        pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
        pair.crm.down = "closed for maintenance"
        now = pair.clock.now()
        await state.write(lambda tx: tx.hints.put_many("customers", "crm", [Hint("Accounts")], now))
        await until(lambda: daemon._rest.left("customers") > 1)  # it has failed twice
        tried = len(pair.queue.ran)
        await asyncio.sleep(1.2)
        assert len(pair.queue.ran) == tried
        pair.crm.down = None
        await until(lambda: pair.names() == ["Adatum"])


class Slow:
    """A plugin that lets no write begin until it may."""

    def __init__(self) -> None:
        self.began, self.may = asyncio.Event(), asyncio.Event()

        @around("write", kind="memerp")
        async def write(call: Any) -> AsyncIterator[Any]:
            self.began.set()
            await self.may.wait()
            async for outcome in call():
                yield outcome

        self.write = write


async def test_a_job_under_way_ends_before_the_daemon_does(pair: Any, until: Any) -> None:
    pair.extra["slow"] = slow = Slow()
    pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pair.working() as daemon:
        await slow.began.wait()
        daemon.stop()
        await until(lambda: daemon.membership.stopping)
        slow.may.set()
    assert pair.names() == ["Adatum"]
    async with pair.runtime() as runtime:
        assert [run.state for run in await runtime.state.read(lambda tx: tx.runs.page())] == ["done"]
        [worker] = await runtime.state.read(lambda tx: tx.workers.all())
        assert worker.ended_at is not None


async def test_a_job_that_takes_too_long_is_cut_off_and_taken_up_again(pair: Any, until: Any) -> None:
    pair.configure("drain: 5s", "drain: 100ms")
    pair.extra["slow"] = slow = Slow()
    pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    async with pair.working():
        await slow.began.wait()
    assert pair.names() == []
    slow.may.set()
    async with pair.working():
        await until(lambda: pair.names() == ["Adatum"])


class Meeting:
    """Nobody writes before all workers have something to write."""

    def __init__(self, count: int) -> None:
        self.missing = count
        self.all_there = asyncio.Event()

    def arrive(self) -> None:
        self.missing -= 1
        if not self.missing:
            self.all_there.set()


class Guest:
    """A worker's plugin that waits for the others with its first write."""

    def __init__(self, meeting: Meeting) -> None:
        arrived = False

        @around("write", kind="memerp")
        async def write(call: Any) -> AsyncIterator[Any]:
            nonlocal arrived
            if not arrived:
                arrived = True
                meeting.arrive()
            await meeting.all_there.wait()
            async for outcome in call():
                yield outcome

        self.write = write


async def test_workers_share_a_first_load(
    tmp_path: Path, postgres_url: str, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portions, "SIZE", 5)
    meeting = Meeting(2)
    one = Pair(tmp_path, postgres_url, extra={"guest": Guest(meeting)})
    other = Pair(tmp_path, postgres_url, crm=one.crm, erp=one.erp, extra={"guest": Guest(meeting)})
    for n in range(120):
        one.crm.put("Accounts", Name=f"A{n:03}", Tax=f"DE{n}")
    async with one.runtime() as runtime:
        await runtime.state.write(lambda tx: tx.pauses.pause("*", "kim", "wait for all", one.clock.now()))
    async with one.working() as first, other.working() as second:
        await until(lambda: first.runtime.others == second.runtime.others == 1)
        await first.runtime.state.write(lambda tx: tx.pauses.resume("*", "kim", one.clock.now()))
        await until(lambda: first.runtime.state.read(lambda tx: bool(tx.cursors.all("customers"))))
        await until(lambda: not first._active and not second._active)
        assert one.names() == [f"A{n:03}" for n in range(120)]
        runs = await first.runtime.state.read(lambda tx: tx.runs.page())
    lent = sum((run.counts or {}).get("created", 0) for run in runs if run.mode == "portions")
    [load] = [run.counts or {} for run in runs if run.mode == "first"]
    assert 0 < lent <= load["handed over"]
    assert load["created"] + lent == 120
