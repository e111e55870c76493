"""One adaptive concurrency limit per connection: it grows while the system copes, halves when it complains.

Additive increase, multiplicative decrease, as in TCP. After a 429 or 503 nobody sends until the time the
system named has passed. Waiters in the `live` lane go before waiters in the `bulk` lane.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

from weft.net.errors import Throttled

Lane = Literal["live", "bulk"]
Sleep = Callable[[float], Awaitable[None]]


class Slot:
    """The right to have one request in flight; `epoch` tells which limit it was granted under."""

    __slots__ = ("epoch",)

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch


class AdaptiveLimiter:
    def __init__(
        self,
        *,
        initial: int = 4,
        minimum: int = 1,
        maximum: int = 16,
        system: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        if not 1 <= minimum <= initial <= maximum:
            raise ValueError(f"limits must satisfy 1 <= {minimum=} <= {initial=} <= {maximum=}")
        self._limit = float(initial)
        self._minimum = minimum
        self._maximum = maximum
        self._system = system
        self._clock = clock
        self._sleep = sleep
        self._epoch = 0
        self._resume_at = float("-inf")
        self._lanes: dict[Lane, deque[asyncio.Future[Slot]]] = {"live": deque(), "bulk": deque()}
        self._waker: asyncio.Task[None] | None = None
        self.in_flight = 0
        self.throttled_count = 0

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    def allow(self, maximum: int) -> None:
        """Set the upper bound: the share of a limit that several processes keep together. Above it nothing new
        is sent; below it the limit grows by itself."""
        self._maximum = max(1, maximum)
        self._minimum = min(self._minimum, self._maximum)
        self._limit = min(self._limit, float(self._maximum))
        self._dispatch()

    @property
    def waiting(self) -> int:
        return sum(1 for lane in self._lanes.values() for waiter in lane if not waiter.done())

    @property
    def held_for(self) -> float:
        """Seconds until sending resumes after a throttle; 0.0 when open."""
        return max(0.0, self._resume_at - self._clock())

    @asynccontextmanager
    async def slot(self, lane: Lane = "live", *, patience: float | None = None) -> AsyncIterator[Slot]:
        """Wait for a turn. Raises Throttled at once if the system's hold outlasts `patience` seconds."""
        granted = await self._acquire(lane, patience)
        try:
            yield granted
        finally:
            self.in_flight -= 1
            self._dispatch()

    async def _acquire(self, lane: Lane, patience: float | None) -> Slot:
        held = self.held_for
        if patience is not None and held > patience:
            raise Throttled(
                f"{self._system or 'the system'} asked for a pause; {held:.0f} s of it are left",
                retry_after=held,
            )
        if held <= 0 and self.in_flight < self.limit and not self._queued_before(lane):
            self.in_flight += 1
            return Slot(self._epoch)
        waiter: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._lanes[lane].append(waiter)
        self._dispatch()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():  # granted and cancelled in the same tick
                self.in_flight -= 1
                self._dispatch()
            raise

    def _queued_before(self, lane: Lane) -> bool:
        return bool(self._lanes["live"] or (lane == "bulk" and self._lanes["bulk"]))

    def _dispatch(self) -> None:
        if not self._lanes["live"] and not self._lanes["bulk"]:
            return
        if self.held_for > 0:
            if self._waker is None or self._waker.done():
                self._waker = asyncio.get_running_loop().create_task(self._wake())
            return
        for lane in ("live", "bulk"):
            queue = self._lanes[lane]
            while queue and self.in_flight < self.limit:
                waiter = queue.popleft()
                if not waiter.done():
                    self.in_flight += 1
                    waiter.set_result(Slot(self._epoch))

    async def _wake(self) -> None:
        while (held := self.held_for) > 0:
            await self._sleep(held)
        self._waker = None
        self._dispatch()

    def succeeded(self, slot: Slot) -> None:
        """The system coped. The limit grows by one per round of full use; an idle limit does not grow."""
        if slot.epoch == self._epoch and self.in_flight >= self.limit:
            self._limit = min(float(self._maximum), self._limit + 1.0 / self._limit)
            self._dispatch()

    def throttled(self, slot: Slot, hold: float) -> None:
        """The system complained: halve once per wave, and let nobody send for `hold` seconds."""
        self.throttled_count += 1
        if slot.epoch == self._epoch:  # the rest of the wave was granted under the old limit
            self._epoch += 1
            self._limit = max(float(self._minimum), self._limit / 2)
        self._resume_at = max(self._resume_at, self._clock() + hold)

    def close(self) -> None:
        """Cancel whoever still waits."""
        if self._waker is not None:
            self._waker.cancel()
            self._waker = None
        for queue in self._lanes.values():
            while queue:
                queue.popleft().cancel()
