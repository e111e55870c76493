"""Failed sign-ins are slowed down, by the address they come from."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from datetime import datetime, timedelta

from weft.server.people import Refused

TRIES = 10
WINDOW = timedelta(minutes=5)
REMEMBERED = 10_000


class Throttle:
    """Counts failures of the last minutes; addresses longest silent are forgotten first."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[datetime]] = OrderedDict()

    def check(self, address: str, now: datetime) -> None:
        """:raises Refused: too many failures came from there."""
        failures = self._recent(address, now)
        if failures is not None and len(failures) >= TRIES:
            wait = math.ceil((failures[0] + WINDOW - now).total_seconds())
            raise Refused(429, "too_many_tries", f"too many failed sign-ins; try again in {wait} s", max(wait, 1))

    def failed(self, address: str, now: datetime) -> None:
        failures = self._failures.setdefault(address, deque(maxlen=TRIES))
        failures.append(now)
        self._failures.move_to_end(address)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        self._failures.pop(address, None)

    def _recent(self, address: str, now: datetime) -> deque[datetime] | None:
        failures = self._failures.get(address)
        if failures is None:
            return None
        while failures and failures[0] <= now - WINDOW:
            failures.popleft()
        return failures
