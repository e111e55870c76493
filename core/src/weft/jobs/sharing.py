"""Sharing: keeping to this worker's shares of the connections' limits, in a daemon and in `weft sync` alike."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from weft.errors import StateError
from weft.jobs.shares import Shares

if TYPE_CHECKING:
    from weft.runtime import Runtime
    from weft.state.membership import Membership
    from weft.state.workers import Worker

LOOK = 0.25
"""Part of a lease after which a worker looks again who is there."""

log = logging.getLogger("weft.jobs")


def shares_of(runtime: Runtime) -> Shares:
    """None yet of the limits that the configuration sets."""
    limits = runtime.config.limits
    return Shares({name: limits.requests(name) for name in runtime.config.connections}, runtime.state.worker)


async def look_around(
    runtime: Runtime, membership: Membership, shares: Shares, busy: Callable[[], Collection[str]]
) -> Sequence[Worker]:
    """See who is alive and take what is this worker's share; returns the workers."""
    workers = await runtime.state.read(lambda tx: tx.workers.alive())
    if shares.reach(workers, busy()):
        await membership.beat()
        workers = await runtime.state.read(lambda tx: tx.workers.alive())
    shares.settle(workers, busy())
    for name, count in shares.in_force.items():
        runtime.limit(name, max(1, count))
    return workers


@asynccontextmanager
async def sharing(runtime: Runtime) -> AsyncIterator[None]:
    """Keep to the shares while something runs in this process that is no daemon. On entering the others have had a
    lease's time to make room; without any share it makes do with one request at a time. On SQLite there are no others.
    """
    membership = runtime.membership
    if membership is None:
        yield
        return
    shares, every = shares_of(runtime), membership.ttl.total_seconds() * LOOK
    membership.info = lambda: {"shares": dict(shares.told)}

    async def look() -> None:
        await look_around(runtime, membership, shares, lambda: runtime.config.connections)

    async def go_on() -> None:
        while True:
            await asyncio.sleep(every)
            try:
                await look()
            except StateError as error:  # what is under way notices by itself
                log.warning("cannot look who else is at work: %s", error)

    await look()
    for _ in range(round(1 / LOOK)):
        if all(shares.in_force.values()):
            break
        await asyncio.sleep(every)
        await look()
    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
