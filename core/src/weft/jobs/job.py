"""A job: one piece of one flow's work, small enough to be lost and found again in the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from weft.records import Lane

What = Literal["changes", "sweep", "hints", "due", "portions"]


@dataclass(frozen=True, slots=True)
class Job:
    """*Run this scope.*

    ``changes``: what changed since the cursors, or the first load. ``sweep``: everything. ``hints``: records
    that were hinted at in the lane. ``due``: what waits for a time that has come, and what dead workers left.
    ``portions``: records of a first load that another worker has staged. Several ``slot`` of the same hints or
    portions may be carried out at once; each takes others of them.
    """

    flow: str
    lane: Lane
    what: What
    slot: int = 0

    @property
    def name(self) -> str:
        """Unique among what is queued: ``customers/live/hints/0``."""
        return f"{self.flow}/{self.lane}/{self.what}/{self.slot}"

    @classmethod
    def parse(cls, name: str) -> Self:
        flow, lane, what, slot = name.rsplit("/", 3)
        return cls(flow, lane, what, int(slot))  # type: ignore[arg-type]

    def __str__(self) -> str:
        words = {
            "changes": "changes",
            "sweep": "sweep",
            "hints": f"{self.lane} hints",
            "due": "what is due",
            "portions": "the first load",
        }
        return f"{words[self.what]} of {self.flow}"
