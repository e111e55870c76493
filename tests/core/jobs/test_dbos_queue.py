"""Jobs on DBOS: queued once, carried out on the running loop, taken over, forgotten."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from weft.config.jobs import Jobs
from weft.jobs.dbos_queue import DbosQueue
from weft.jobs.job import Job
from weft.state.store import State

SETTINGS = Jobs(poll=timedelta(milliseconds=20))
ONE, TWO = Job("customers", "live", "hints"), Job("orders", "bulk", "sweep")


async def test_a_job_is_queued_once_until_it_has_ended(state_url: str, until: Any) -> None:
    may_end = asyncio.Event()
    ran: list[Job] = []
    loops: set[asyncio.AbstractEventLoop] = set()

    async def carry_out(job: Job) -> None:
        loops.add(asyncio.get_running_loop())
        ran.append(job)
        await may_end.wait()

    with State.open(state_url) as state:
        queue = DbosQueue(state, SETTINGS)
        await queue.start(carry_out)
        try:
            assert await queue.put(ONE)
            assert await queue.put(TWO)
            assert not await queue.put(ONE)
            await until(lambda: len(ran) == 2)
            assert not await queue.put(ONE)  # under way
            may_end.set()
            await until(lambda: queue.put(ONE))
            await until(lambda: len(ran) == 3)
            assert set(ran) == {ONE, TWO}
            assert loops == {asyncio.get_running_loop()}
            await queue.prune()
        finally:
            await queue.close()
        assert await asyncio.to_thread(sum, [1, 2]) == 3  # whoever closes after it still has threads


DIES = """
import asyncio, os, sys
from datetime import timedelta
from weft.config.jobs import Jobs
from weft.jobs.dbos_queue import DbosQueue
from weft.jobs.job import Job
from weft.state.store import State

async def main():
    state = State.open(sys.argv[1])
    async def carry_out(job):
        print(state.worker, flush=True)
        os._exit(9)
    queue = DbosQueue(state, Jobs(poll=timedelta(milliseconds=20)))
    await queue.start(carry_out)
    await queue.put(Job("customers", "live", "hints"))
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.timeout(120)
async def test_what_a_dead_worker_was_doing_is_queued_again(state_url: str, until: Any) -> None:
    process = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", DIES, state_url], capture_output=True, text=True, timeout=90, check=False
    )
    assert process.returncode == 9, process.stderr
    ran: list[Job] = []

    async def carry_out(job: Job) -> None:
        ran.append(job)

    async def alive() -> set[str]:
        return {state.worker}

    with State.open(state_url) as state:
        queue = DbosQueue(state, SETTINGS)
        await queue.start(carry_out)
        try:
            assert await queue.take_over(alive) == 1
            await until(lambda: ran == [ONE])
            assert await queue.take_over(alive) == 0
        finally:
            await queue.close()
    if state.path is not None:
        assert os.stat(f"{state.path}-jobs").st_mode & 0o777 == 0o600


async def test_a_job_that_was_cut_off_is_queued_again_by_its_own_worker(state_url: str, until: Any) -> None:
    """As when the database goes away under it: the queue has it as under way, and nobody is at it."""
    ran: list[Job] = []

    async def carry_out(job: Job) -> None:
        ran.append(job)
        if len(ran) == 1:
            raise asyncio.CancelledError

    with State.open(state_url) as state:

        async def alive() -> set[str]:
            return {state.worker}

        queue = DbosQueue(state, SETTINGS)
        await queue.start(carry_out)
        try:
            assert await queue.put(ONE)
            await until(lambda: ran == [ONE])
            assert await queue.take_over(alive) == 0  # it may be about to say that it is done
            assert await queue.take_over(alive) == 1
            await until(lambda: ran == [ONE, ONE])
        finally:
            await queue.close()
