"""Limits of a connection hold across workers: each has its share, by rank, and knows when it counts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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
    first = int.from_bytes(hashlib.sha256(connection.encode()).digest()[:4], "big") % len(ids)
    rank = (ids.index(me) - first) % len(ids)
    return limit // len(ids) + (1 if rank < limit % len(ids) else 0)
