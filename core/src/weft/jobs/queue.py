"""The port to whatever carries jobs: durable, shared by the workers of a state, with a width for each lane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from weft.jobs.job import Job

CarryOut = Callable[[Job], Awaitable[None]]
Alive = Callable[[], Awaitable[Collection[str]]]
"""Asks which workers are alive."""


class Queue(Protocol):
    """What the daemon asks of a queue. A job that is lost with it is found again in the state; one that is
    carried out twice does no harm."""

    async def start(self, carry_out: CarryOut) -> None:
        """Begin to take jobs; ``carry_out`` is called on the running event loop and may be cancelled."""

    async def put(self, job: Job) -> bool:
        """Queue a job. False: one of the same name is queued or under way already."""

    async def take_over(self, alive: Alive) -> int:
        """Queue again what workers that are no longer alive were doing, and what this one, twice in a row, is not
        doing though the queue says so. Returns how many jobs."""

    async def prune(self) -> None:
        """Forget jobs that ended long ago."""

    async def stop(self) -> None:
        """Take no more jobs. What is under way is the caller's to await; what is queued stays for others."""

    async def close(self) -> None:
        """End, once nothing is under way."""
