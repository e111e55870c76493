"""Carrying out a job: one run of one flow, if it may work now and this worker may use its connections."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from weft.jobs.job import Job
from weft.sync.cycle import Report, run_flow
from weft.sync.held import held

if TYPE_CHECKING:
    from weft.runtime import Runtime
    from weft.state.requests import Request
    from weft.state.tx import Tx

log = logging.getLogger("weft.jobs")


async def carry_out(runtime: Runtime, job: Job) -> Report | None:
    """Run what a job says. None: the flow may not work now, or waits for its first load.

    :raises LeaseLost: another worker has taken this one over.
    """
    config = runtime.config.flows.get(job.flow)
    if config is None or not config.enabled:
        return None  # queued by a worker with another configuration
    asked: list[Request] = []

    def begin(tx: Tx) -> bool:
        now = runtime.clock.now()
        if held({job.flow: config}, tx, now):
            return False
        asked[:] = []
        if job.what == "portions":
            return tx.portions.offered(job.flow)
        if job.what in ("hints", "due"):
            return bool(tx.cursors.all(job.flow))
        # The turn has come, and what was asked for is done with it.
        tx.schedules.put(job.flow, now)
        asked[:] = [one for one in tx.requests.waiting() if one.flow == job.flow and _answers(job, one)]
        tx.requests.taken(asked)
        return True

    if not await runtime.state.write(begin):
        return None
    if job.what in ("hints", "due", "portions"):
        report = await run_flow(runtime, job.flow, mode=job.what, lane=job.lane)
    else:
        report = await run_flow(runtime, job.flow, lane=job.lane, sweep=job.what == "sweep")
    if report.busy and asked:  # a pass that began before it was asked for does not answer it
        await runtime.state.write(partial(_ask_again, asked))
    return report


def _ask_again(requests: list[Request], tx: Tx) -> None:
    for one in requests:
        tx.requests.put(one.flow, one.what, by=one.by, at=one.at)


def _answers(job: Job, request: Request) -> bool:
    return request.what == "sync" or (request.what == "sweep" and job.what == "sweep")
