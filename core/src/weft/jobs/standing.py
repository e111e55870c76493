"""Standing: what this worker is doing and how its connections are, told with every heartbeat."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weft.meter import Meter, Stats

if TYPE_CHECKING:
    from datetime import datetime

    from weft.config.jobs import Jobs
    from weft.jobs.job import Job


class Sessions(Meter):
    """Keeps the open sessions at hand."""

    def __init__(self) -> None:
        self._open: dict[str, list[Stats]] = defaultdict(list)

    def opened(self, connection: str, stats: Stats) -> None:
        self._open[connection].append(stats)

    def closed(self, connection: str, stats: Stats) -> None:
        if stats in self._open[connection]:
            self._open[connection].remove(stats)

    def standing(self) -> dict[str, dict[str, Any]]:
        """By connection: limit in force, requests in flight and waiting, seconds a throttle still lasts, totals."""
        found: dict[str, dict[str, Any]] = {}
        for connection, sessions in self._open.items():
            if sessions:
                one = sessions[-1]()
                found[connection] = {
                    "limit": one.limit,
                    "in_flight": one.in_flight,
                    "waiting": one.waiting,
                    "held_for": round(one.held_for, 3),
                    "requests": one.requests,
                    "retries": one.retries,
                    "throttled": one.throttled,
                    "failures": one.failures,
                    "auth": dict(one.auth),
                }
        return found


def info(
    settings: Jobs, active: Mapping[Job, datetime], shares: Mapping[str, int], sessions: Sessions
) -> dict[str, Any]:
    """What ``workers.info`` holds. ``free`` says how many more jobs of each lane this worker could take."""
    running = {"live": 0, "bulk": 0}
    for job in active:
        running[job.lane] += 1
    return {
        "jobs": [{"job": job.name, "words": str(job), "since": at} for job, at in active.items()],
        "free": {"live": settings.live - running["live"], "bulk": settings.bulk - running["bulk"]},
        "shares": dict(shares),
        "connections": sessions.standing(),
    }
