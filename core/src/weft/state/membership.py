"""Membership: this process as a worker of the state, from its start to its end, kept up by heartbeats."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from weft import __version__
from weft.errors import StateError
from weft.state.workers import Lease, LeaseLost, Taken

if TYPE_CHECKING:
    from weft.state.store import State

TTL = timedelta(seconds=15)
"""How long a worker counts as alive after its last heartbeat."""

BEATS = 4
"""Heartbeats within the time a lease lasts: one may get lost, and then another."""

SURE = 0.6
"""Share of its time within which a lease needs no question: nobody takes over a worker before it is over."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

log = logging.getLogger("weft.worker")


def elapsed() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.clock_gettime(_CLOCK)


class Membership:
    """Use as an async context manager. ``info`` is asked with every heartbeat what to tell about this worker.

    On PostgreSQL the lease is checked in every transaction from then on, and before every send. On SQLite no
    other process can take over; the row is only there to be looked at.
    """

    def __init__(
        self,
        state: State,
        *,
        ttl: timedelta = TTL,
        info: Callable[[], dict[str, Any]] = dict,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state = state
        self.ttl = ttl
        self.info = info
        self._clock = clock
        self.beaten: Callable[[], Any] = lambda: None
        """Called after every heartbeat."""
        self.stopping = False
        self.lost = asyncio.Event()
        """Set when another worker has taken this one over: nothing may be written or sent any more."""
        self.lease = Lease(state.worker, 0)
        self._sure_until = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        began = elapsed()
        host, pid, worker = socket.gethostname(), os.getpid(), self._state.worker
        self.lease = await self._state.write(
            lambda tx: tx.workers.join(worker, host, pid, __version__, self.ttl, self.info())
        )
        self._renewed(began)
        self._state.membership = self
        self._task = asyncio.create_task(self._keep_up())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._state.membership = None
        if not self.lost.is_set():
            try:
                await self._state.write(lambda tx: tx.workers.leave(self.lease, self._clock()))
            except StateError as error:
                log.warning("the worker could not sign off, others will find its lease overdue: %s", error)

    async def still_mine(self) -> None:
        """Return at once while the lease is sure; ask the database otherwise.

        :raises LeaseLost: another worker has taken this one over.
        """
        if self.lost.is_set():
            raise LeaseLost(f"worker {self.lease.worker} was taken over; nothing more is sent")
        if elapsed() >= self._sure_until:
            await self.beat()

    async def beat(self) -> None:
        """One heartbeat now."""
        began = elapsed()
        info, lease, stopping = self.info(), self.lease, self.stopping
        try:
            await self._state.write(lambda tx: tx.workers.beat(lease, self.ttl, info, stopping=stopping))
        except LeaseLost:
            self.lost.set()
            raise
        self._renewed(began)
        self.beaten()

    async def take_over(self, dead: str) -> Taken | None:
        """Take over a worker whose lease is overdue; None when it is not, or somebody was quicker."""
        await self._state.read(lambda tx: tx.workers.cut_off(dead))
        at, me = self._clock(), self.lease.worker
        return await self._state.write(lambda tx: tx.workers.take_over(dead, me, at))

    def _renewed(self, began: float) -> None:
        self._sure_until = began + self.ttl.total_seconds() * SURE

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(self.ttl.total_seconds() / BEATS)
            try:
                await self.beat()
                await self._state.claims.tidy()
                await self._state.adrift.tidy(self._clock())
            except LeaseLost as error:
                log.error("%s", error)
                return
            except StateError as error:  # the database is away: others cannot take over either
                log.warning("no heartbeat: %s", error)
