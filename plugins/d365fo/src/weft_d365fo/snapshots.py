"""Version tags of all records of an object, by which a sweep tells what changed.

They are kept in memory and named by the cursor. A process that does not know a cursor's snapshot reads
everything once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft_d365fo.session import FoSession

Marks = dict[str, int]
"""Key -> hash of its version; hashes are compared within one process only."""


@dataclass(slots=True)
class Snapshot:
    """``at``: when it was taken, on this process's clock."""

    marks: Marks = field(default_factory=dict)
    at: float = 0.0

    def changed(self, now: Mapping[str, int]) -> Iterator[str]:
        for key, mark in now.items():
            if self.marks.get(key) != mark:
                yield key

    def lacking(self, now: Mapping[str, int]) -> list[str]:
        return [key for key in self.marks if key not in now]


def mark(version: str | None) -> int:
    return hash(version)


def keep(session: FoSession, where: tuple[str, ...], marks: Marks, kept: int) -> str:
    """Remember a snapshot; answers the token that a cursor carries."""
    token = secrets.token_hex(8)
    shelf = session.snapshots[where]
    shelf[token] = Snapshot(marks, time.monotonic())
    while len(shelf) > kept:
        shelf.popitem(last=False)
    return token


def recall(session: FoSession, where: tuple[str, ...], token: str | None) -> Snapshot | None:
    return session.snapshots[where].get(token) if token is not None else None
