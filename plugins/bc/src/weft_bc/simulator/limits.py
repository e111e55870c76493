"""Limits per user: requests in a sliding window, requests at once, the queue behind them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from weft.testing.simulator.clock import SimClock
from weft_bc.simulator.errors import BcError
from weft_bc.simulator.settings import Settings


class Limiter:
    """All limits are off where their setting is None."""

    def __init__(self, settings: Settings, clock: SimClock) -> None:
        self.settings = settings
        self.clock = clock
        self._recent: dict[str, deque[int]] = {}
        self._running: dict[str, int] = {}
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    def _too_many(self) -> BcError:
        wait = self.settings.retry_after
        headers = {} if wait is None else {"Retry-After": str(wait)}
        return BcError(
            429, "Unknown", "Too many requests reached. Actual count of requests is over the limit.", headers
        )

    def _rate(self, user: str) -> None:
        limit = self.settings.rate_limit
        if limit is None:
            return
        now = self.clock.now_ns()
        recent = self._recent.setdefault(user, deque())
        oldest = now - round(self.settings.rate_window * 1e9)
        while recent and recent[0] <= oldest:
            recent.popleft()
        if len(recent) >= limit:
            raise self._too_many()
        recent.append(now)

    @asynccontextmanager
    async def admit(self, user: str) -> AsyncIterator[None]:
        """Run the body when there is room for it. Raises BcError 429 or 503."""
        self._rate(user)
        limit = self.settings.max_concurrent
        if limit is None:
            yield
            return
        if self._running.get(user, 0) >= limit:
            await self._wait(user)
        else:
            self._running[user] = self._running.get(user, 0) + 1
        try:
            yield
        finally:
            self._leave(user)

    async def _wait(self, user: str) -> None:
        queue = self._queues.setdefault(user, deque())
        if len(queue) >= self.settings.max_queue:
            raise self._too_many()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await asyncio.wait_for(turn, self.settings.queue_time)
        except TimeoutError:
            if turn in queue:
                queue.remove(turn)
            raise BcError(503, "Unknown", "The request waited too long in the queue.") from None

    def _leave(self, user: str) -> None:
        """The next in the queue takes the place over."""
        queue = self._queues.get(user)
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._running[user] -= 1
