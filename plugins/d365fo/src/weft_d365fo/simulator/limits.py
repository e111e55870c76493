"""Throttling: by resources, as an administrator declares them scarce, and by requests in a window."""

from __future__ import annotations

from collections import deque

from weft.testing.simulator.clock import SimClock
from weft_d365fo.simulator.errors import BUSY
from weft_d365fo.simulator.settings import Settings


class Throttled(Exception):
    """``retry_after`` None: the answer does not say."""

    def __init__(self, message: str, retry_after: int | None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class Limiter:
    """Who asks again before he may waits longer the next time."""

    def __init__(self, settings: Settings, clock: SimClock) -> None:
        self.settings = settings
        self.clock = clock
        self.busy_until_ns = 0
        self._recent: dict[str, deque[int]] = {}
        self._refused: dict[str, tuple[int, int]] = {}  # client -> (not before, refusals in a row)

    def overload(self, seconds: float) -> None:
        """Resources are scarce for so long."""
        self.busy_until_ns = self.clock.now_ns() + round(seconds * 1e9)

    def admit(self, client: str) -> None:
        """Raises Throttled."""
        now = self.clock.now_ns()
        if now < self.busy_until_ns:
            raise self._refuse(client, now, BUSY)
        limit = self.settings.rate_limit
        if limit is None:
            return
        recent = self._recent.setdefault(client, deque())
        while recent and recent[0] <= now - round(self.settings.rate_window * 1e9):
            recent.popleft()
        if len(recent) >= limit:
            # The service spells it so.
            text = f"Number of requests exeeded the limit of {limit} over the time window of "
            raise self._refuse(client, now, f"{text}{round(self.settings.rate_window)} seconds.")
        recent.append(now)
        self._refused.pop(client, None)

    def _refuse(self, client: str, now: int, message: str) -> Throttled:
        wait = self.settings.retry_after
        if wait is None:
            return Throttled(message, None)
        before, times = self._refused.get(client, (0, 0))
        times = times + 1 if now < before else 0
        wait = wait * 2 ** min(times, 5)
        self._refused[client] = (now + wait * 10**9, times)
        return Throttled(message, wait)
