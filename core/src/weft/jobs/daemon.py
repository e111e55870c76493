"""The daemon: finds what is to be done, queues it, carries it out, and takes over what others left.

Every worker looks at the state by itself, and queues what it finds; the queue refuses what is queued
already. Nothing is kept here that is not in the state, so a worker may end at any moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

from weft.errors import StateError, WeftError
from weft.jobs import needs
from weft.jobs.job import Job
from weft.jobs.rest import Rest
from weft.jobs.sharing import LOOK, look_around, shares_of
from weft.jobs.standing import Sessions, info
from weft.jobs.subscriptions import Subscriber
from weft.jobs.work import carry_out
from weft.meter import Meters
from weft.state.membership import Membership, elapsed
from weft.state.pauses import ALL
from weft.state.workers import LeaseLost

if TYPE_CHECKING:
    from datetime import datetime

    from weft.jobs.needs import Needs
    from weft.jobs.queue import Queue
    from weft.runtime import Runtime
    from weft.state.tx import Tx
    from weft.state.workers import Worker
    from weft.sync.cycle import Report

STEADY = 1.0
"""Seconds between two looks at schedules and requests."""
AGAIN = 0.5
"""Seconds after which a job that was queued is offered to the queue again, should the state still want it."""
LOADS = ("changes", "sweep", "portions")
"""Jobs that may have portions of a first load under way."""
LEFT = 30.0
"""Seconds between two looks at the same flow's writes in doubt."""
UPKEEP = 60.0
"""Seconds between two rounds of tidying up."""

log = logging.getLogger("weft.jobs")
Service = AbstractAsyncContextManager[Any]


class Daemon:
    """One worker. ``services`` are entered once it is at work and left in reverse order when it stops."""

    def __init__(self, runtime: Runtime, queue: Queue, services: Sequence[Service] = ()) -> None:
        self.runtime = runtime
        self.settings = runtime.config.jobs
        self._queue = queue
        self.services = services
        self._sessions = Sessions()
        self._rest = Rest()
        self._active: dict[Job, datetime] = {}
        self._tasks: dict[Job, asyncio.Task[Any]] = {}
        self._offered: dict[str, float] = {}
        self._workers: Sequence[Worker] = []
        self._shares = shares_of(runtime)
        self.subscriber = Subscriber(runtime, runtime.config.server.public_url)
        self._seen = (-1, 0.0)
        """How much had been written, and when, at the last look for what must not wait."""
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()
        self.reports: Callable[[Job, Report], None] = lambda job, report: None
        """Called with what each job came to."""
        self.state_down = ""
        """Why the state does not answer, while it does not."""

    # -- from outside ------------------------------------------------------------------------------

    def stop(self) -> None:
        """Take no more jobs, let those under way end, then end."""
        self._stop.set()

    def wake(self) -> None:
        """Look at once: there are new hints or requests."""
        self._seen = (-1, 0.0)
        self._wake.set()

    async def problem(self) -> str:
        """What keeps this worker from its work, in words; empty when nothing does."""
        if self.runtime.state.membership is None:
            return "the daemon is not running"
        if self.membership.lost.is_set():
            return "another worker has taken this one over"
        return self.state_down

    @property
    def membership(self) -> Membership:
        membership = self.runtime.state.membership
        if membership is None:
            raise StateError("the daemon is not running")
        return membership

    async def run(self) -> None:
        """Work until :meth:`stop`. Call with the runtime entered.

        :raises LeaseLost: another worker has taken this one over; whatever it did is in the state.
        """
        runtime = self.runtime
        runtime.meter = Meters([runtime.meter, self._sessions])
        async with AsyncExitStack() as stack:
            if runtime.membership is None:  # SQLite: nobody takes over, but what goes on is to be seen
                membership = Membership(runtime.state, ttl=self.settings.lease, clock=runtime.clock.now)
                await stack.enter_async_context(membership)
            self.membership.info = self._info
            await self._survey()  # our share of each connection is known before the first job is begun
            await self._queue.start(self._carry_out)
            stack.push_async_callback(self._queue.close)
            stack.push_async_callback(self._drain)
            for service in self.services:
                await stack.enter_async_context(service)
            log.info("worker %s is at work on %s", runtime.state.worker, runtime.state.place)
            await self._until_stopped()

    async def _until_stopped(self) -> None:
        rounds = (
            self._forever(self._quick, self.settings.poll.total_seconds(), self._wake),
            self._forever(self._steady, STEADY),
            self._forever(self._look_around, self.settings.lease.total_seconds() * LOOK),
            self._forever(self._requeue, self.settings.lease.total_seconds()),
            self._forever(self._upkeep, UPKEEP),
            self._forever(self.subscriber.look, STEADY),
        )
        tasks = [asyncio.create_task(one) for one in rounds]
        ends = [asyncio.create_task(self._stop.wait()), asyncio.create_task(self.membership.lost.wait())]
        try:
            done, _ = await asyncio.wait([*tasks, *ends], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a round ends only by an error
            if self.membership.lost.is_set():
                raise LeaseLost(f"worker {self.runtime.state.worker} was taken over by another one; it stops")
        finally:
            for task in (*tasks, *ends):
                task.cancel()
            await asyncio.gather(*tasks, *ends, return_exceptions=True)

    async def _forever(
        self, step: Callable[[], Coroutine[Any, Any, None]], seconds: float, wake: asyncio.Event | None = None
    ) -> None:
        while True:
            try:
                await step()
                self.state_down = ""
            except LeaseLost:
                self.membership.lost.set()
                return
            except Exception as error:  # the database is away, or the queue's: nothing is lost, look again
                words = self.runtime.redactor(self.runtime.state.place.mask(f"{error}"))
                if words != self.state_down:
                    known = isinstance(error, WeftError)
                    log.warning("the daemon cannot look at its state: %s", words, exc_info=None if known else error)
                self.state_down = words
                await asyncio.sleep(1)
            if wake is None:
                await asyncio.sleep(seconds)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):  # wait_for of Python 3.11 may swallow a cancellation
                    await wake.wait()
            wake.clear()

    async def _drain(self) -> None:
        """Wait for what is under way; after the time allowed, or when the lease is lost, cut it off."""
        membership = self.membership
        membership.stopping = True
        await self._queue.stop()
        if self._tasks and not membership.lost.is_set():
            log.info("waiting for %s", ", ".join(str(job) for job in self._tasks))
            lost = asyncio.create_task(membership.lost.wait())
            whole = asyncio.create_task(asyncio.wait(list(self._tasks.values())))
            limit = self.settings.drain.total_seconds()
            await asyncio.wait([whole, lost], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            for one in (whole, lost):
                one.cancel()
        tasks = list(self._tasks.values())
        for job, task in self._tasks.items():
            log.warning("%s is cut off; what it left is for the next run", job)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- what is to be done ------------------------------------------------------------------------

    async def _quick(self) -> None:
        if self._nothing_new():
            return
        flows, now = self.runtime.config.flows, self.runtime.clock.now()
        await self._put(await self.runtime.state.read(lambda tx: needs.quick(flows, tx, now)))

    def _nothing_new(self) -> bool:
        """On SQLite nobody else writes: only a time that has come can have changed anything since the last look."""
        state, now = self.runtime.state, elapsed()
        written, at = self._seen
        if state.place.sqlite and written == state.written and now - at < STEADY:
            return True
        self._seen = (state.written, now)
        return False

    async def _steady(self) -> None:
        flows, now = self.runtime.config.flows, self.runtime.clock.now()
        await self._spread()
        found = await self.runtime.state.read(lambda tx: needs.steady(flows, tx, now))
        if found.new:
            await self.runtime.state.write(lambda tx: tx.schedules.begin(found.new, now))
        await self._put(found)

    async def _spread(self) -> None:
        """What was asked of all flows is asked of each."""
        state, flows = self.runtime.state, self.runtime.config.flows
        if not any(one.flow == ALL for one in await state.read(lambda tx: tx.requests.waiting())):
            return

        def write(tx: Tx) -> None:
            wide = [one for one in tx.requests.waiting() if one.flow == ALL]
            for one in wide:
                for name, config in flows.items():
                    if config.enabled:
                        tx.requests.put(name, one.what, by=one.by, at=one.at)
            tx.requests.taken(wide)

        await state.write(write)

    async def _put(self, found: Needs) -> None:
        now = elapsed()
        for job in found.jobs:
            patience = LEFT if job.what == "due" and job in found.left else AGAIN
            if now - self._offered.get(job.name, -LEFT) < patience:
                continue
            rests = job.what in ("hints", "due", "portions") or job in found.hinted
            if rests and self._rest.left(job.flow):
                continue
            self._offered[job.name] = now
            await self._queue.put(job)

    # -- doing it ----------------------------------------------------------------------------------

    async def _carry_out(self, job: Job) -> None:
        """One job, from the queue. Its failure is the flow's, never the daemon's."""
        if self._stop.is_set() or self.membership.lost.is_set() or not self._may(job):
            return  # the state still wants it: somebody else has it next
        task = asyncio.current_task()
        if task is None or job in self._active:
            return
        if job.what == "portions" and any(one.flow == job.flow and one.what in LOADS for one in self._active):
            return  # it has its hands full with them
        self._active[job], self._tasks[job] = self.runtime.clock.now(), task
        try:
            report = await carry_out(self.runtime, job)
            if report is not None:
                self._told(job, report)
        except LeaseLost as error:
            log.error("%s", error)
            self.membership.lost.set()
        except StateError as error:
            log.warning("%s: %s", job, error)
            self._rest.failed(job.flow)
        finally:
            self._active.pop(job, None)
            self._tasks.pop(job, None)
            self._offered.pop(job.name, None)
            self.wake()

    def _told(self, job: Job, report: Report) -> None:
        if report.state in ("failed", "down", "stopped") and not report.busy:
            seconds = self._rest.failed(job.flow)
            log.warning("%s: %s: %s; resting %.0f s", job, report.state, report.error, seconds)
        else:
            self._rest.succeeded(job.flow)
            counts = {name: count for name, count in report.counts.items() if count}
            log.info("%s: %s %s", job, report.state, counts or "")
        self.reports(job, report)

    def _busy(self) -> set[str]:
        """Connections that jobs under way use."""
        flows = self.runtime.config.flows
        return {name for job in self._active if job.flow in flows for name in flows[job.flow].between}

    def _may(self, job: Job) -> bool:
        """Has this worker a share of every connection that the flow needs?"""
        config = self.runtime.config.flows.get(job.flow)
        return config is not None and all(self._shares.in_force.get(name, 1) > 0 for name in config.between)

    # -- the others --------------------------------------------------------------------------------

    async def _look_around(self) -> None:
        """Whether somebody has died, who is alive, and what share of each connection is ours."""
        if not self.runtime.state.place.sqlite:
            for dead in await self.runtime.state.read(lambda tx: tx.workers.overdue()):
                await self._take_over(dead)
        await self._survey()

    async def _survey(self) -> None:
        runtime = self.runtime
        self._workers = await look_around(runtime, self.membership, self._shares, self._busy)
        me = runtime.state.worker
        others = [worker for worker in self._workers if worker.id != me and not worker.stopping]
        runtime.others = len(others)
        runtime.helpers = sum(1 for one in others if (one.info or {}).get("free", {}).get("bulk", 0) > 0)

    async def _take_over(self, dead: str) -> None:
        taken = await self.membership.take_over(dead)
        if taken is None:
            return
        log.warning(
            "worker %s is dead: %d runs cut off, %d writes in doubt, %d claims and %d hints set free",
            dead, taken.runs, taken.in_doubt, taken.claims, taken.hints,
        )  # fmt: skip
        await self._requeue()
        self._offered.clear()
        self.wake()

    async def _requeue(self) -> None:
        async def alive() -> set[str]:
            return {worker.id for worker in await self.runtime.state.read(lambda tx: tx.workers.alive())}

        count = await self._queue.take_over(alive)
        if count:
            log.info("%d jobs that nobody was at are queued again", count)

    async def _upkeep(self) -> None:
        await self._queue.prune()

    def _info(self) -> dict[str, Any]:
        found = info(self.settings, self._active, self._shares.told, self._sessions)
        if self.subscriber.problems:
            found["pushes"] = dict(self.subscriber.problems)
        if self.state_down:
            found["state"] = self.state_down
        return found
