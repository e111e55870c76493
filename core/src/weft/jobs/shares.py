"""Limits of a connection hold across workers: each has its share, by rank, and knows when it counts."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.state.workers import Worker


def share(connection: str, limit: int, me: str, workers: Sequence[Worker]) -> int:
    """How many of ``limit`` requests at a time are this worker's; 0: none, while others have them.

    ``workers`` are those alive, in order of boot. What cannot be divided goes round from connection to
    connection, so that the same worker does not get it everywhere. A worker that has just booted waits until
    the others have made room: each of them must have had a heartbeat since.
    """
    ids = [worker.id for worker in workers]
    if me not in ids:
        return 0
    mine = workers[ids.index(me)]
    if any(one.heartbeat_at < mine.started_at for one in workers if one.id != me):
        return 0
    return _by_rank(connection, limit, me, workers)


def _by_rank(connection: str, limit: int, me: str, workers: Sequence[Worker]) -> int:
    ids = [worker.id for worker in workers]
    first = int.from_bytes(hashlib.sha256(connection.encode()).digest()[:4], "big") % len(ids)
    rank = (ids.index(me) - first) % len(ids)
    return limit // len(ids) + (1 if rank < limit % len(ids) else 0)


class Shares:
    """This worker's shares. What it is about to use more of it tells first, and looks again before it does: of two
    that reach for the same request, the second one to tell sees the first.

    One whose share is gone while it is busy there keeps one request until its jobs are done, and whoever has more
    coming waits for that.
    """

    def __init__(self, limits: Mapping[str, int], me: str) -> None:
        self._limits, self._me = limits, me
        self.in_force = dict.fromkeys(limits, 0)
        """By connection: requests that may be on their way at a time."""
        self.told = dict.fromkeys(limits, 0)
        """What others are to reckon with."""

    def reach(self, workers: Sequence[Worker], busy: Collection[str]) -> bool:
        """Set ``told``; True where it must be told now, before :meth:`settle`. ``busy``: connections in use."""
        found = self._allowed(workers, busy)
        self.told = {name: max(count, self.in_force[name]) for name, count in found.items()}
        return any(count > self.in_force[name] for name, count in found.items())

    def settle(self, workers: Sequence[Worker], busy: Collection[str]) -> None:
        """Set ``in_force``, by what the others have told until now."""
        found = self._allowed(workers, busy)
        self.in_force = self.told = {name: min(count, self.told[name]) for name, count in found.items()}

    def _allowed(self, workers: Sequence[Worker], busy: Collection[str]) -> dict[str, int]:
        return {name: self._one(name, limit, workers, name in busy) for name, limit in self._limits.items()}

    def _one(self, name: str, limit: int, workers: Sequence[Worker], busy: bool) -> int:
        mine, held = share(name, limit, self._me, workers), self.in_force[name]
        if busy and held and not mine:
            return 1
        others = 0
        for worker in workers:
            if worker.id != self._me:
                told = (worker.info or {}).get("shares", {}).get(name, 0)
                others += max(told, _by_rank(name, limit, worker.id, workers))
        return min(mine, max(held, limit - others))
