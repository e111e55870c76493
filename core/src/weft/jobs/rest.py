"""Rest: after a failure a flow is left alone for a while, longer each time, so that nobody runs in circles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from weft.state.membership import elapsed

SHORTEST = 1.0
LONGEST = 60.0
"""Seconds."""


@dataclass(slots=True)
class _Resting:
    until: float
    length: float


class Rest:
    """By flow, on a clock that nobody sets. Passes have their schedule; this is for what comes by itself."""

    def __init__(self, clock: Callable[[], float] = elapsed) -> None:
        self._clock = clock
        self._flows: dict[str, _Resting] = {}

    def failed(self, flow: str) -> float:
        """Leave the flow alone; returns for how many seconds."""
        before = self._flows.get(flow)
        length = SHORTEST if before is None else min(before.length * 2, LONGEST)
        self._flows[flow] = _Resting(self._clock() + length, length)
        return length

    def succeeded(self, flow: str) -> None:
        self._flows.pop(flow, None)

    def left(self, flow: str) -> float:
        """Seconds that a flow still rests; 0: it does not."""
        found = self._flows.get(flow)
        return 0.0 if found is None else max(0.0, found.until - self._clock())
