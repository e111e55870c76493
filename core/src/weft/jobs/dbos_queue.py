"""Jobs carried by DBOS: one queue a lane, one workflow a job.

DBOS is one for a process, and its classes are imported here only: that takes seconds.
"""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dbos import DBOS, DBOSConfig, Serializer, SetEnqueueOptions
from dbos import error as dbos_error

from weft.jobs.engine import SCHEMA, jobs_url, make_engine
from weft.jobs.job import Job
from weft.jobs.queue import Alive, CarryOut
from weft.records import Lane

if TYPE_CHECKING:
    from weft.config.jobs import Jobs
    from weft.state.store import State

VERSION = "1"
"""What DBOS takes for the version of the program: jobs of all versions of weft are the same."""
KEPT = timedelta(minutes=10)
"""So long are jobs that ended kept, to be looked at."""
BULK_POLL = 0.5
"""Seconds between two looks at the queue of what goes over many records, which nobody waits for."""
AT_ONCE = 500
WORKFLOW = "weft.job"

log = logging.getLogger("weft.jobs")


class _Json(Serializer):
    """Arguments and results as JSON: the default is pickle."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=str)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "weft_json"


class _Forward(logging.Handler):
    """What DBOS warns of is told in weft's own log, without the password of the database."""

    def __init__(self, state: State) -> None:
        super().__init__(logging.WARNING)
        self._mask = state.place.mask

    def emit(self, record: logging.LogRecord) -> None:
        log.log(record.levelno, "%s", self._mask(record.getMessage()))


class DbosQueue:
    """A :class:`weft.jobs.queue.Queue`. One a process at a time."""

    def __init__(self, state: State, settings: Jobs) -> None:
        self._state = state
        self._settings = settings
        self._carry_out: CarryOut | None = None
        self._queues: dict[Lane, Any] = {}
        self._job: Any = None
        self._working: set[str] = set()
        """Names of the jobs that this process is at."""
        self._idle: set[str] = set()
        """Workflows that were this process's when last looked at, though it was not at them."""

    async def start(self, carry_out: CarryOut) -> None:
        self._carry_out = carry_out
        settings = self._settings
        logger = logging.getLogger("dbos")
        logger.handlers[:] = [_Forward(self._state)]
        logger.propagate = False
        config: DBOSConfig = {
            "name": "weft",
            "system_database_url": jobs_url(self._state.place).render_as_string(hide_password=False),
            "system_database_engine": make_engine(
                self._state.place, self._state.worker, settings.live + settings.bulk + 6
            ),
            "dbos_system_schema": SCHEMA,
            "executor_id": self._state.worker,
            "application_version": VERSION,
            "serializer": _Json(),
            "use_listen_notify": False,
            "log_level": "WARNING",
        }
        DBOS(config=config)

        # Whose worker dies is carried out anew, however often.
        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
        async def job(name: str) -> None:
            self._working.add(name)
            try:
                if self._carry_out is not None:
                    await self._carry_out(Job.parse(name))
            finally:
                self._working.discard(name)

        self._job = job
        DBOS.launch()  # inside the running loop: workflows share its sessions
        poll = settings.poll.total_seconds()
        for lane, width, wait in (("live", settings.live, poll), ("bulk", settings.bulk, max(poll, BULK_POLL))):
            self._queues[lane] = await DBOS.register_queue_async(  # type: ignore[index]
                f"weft-{lane}", worker_concurrency=width, polling_interval_sec=wait, on_conflict="always_update"
            )

    async def put(self, job: Job) -> bool:
        try:
            with SetEnqueueOptions(deduplication_id=job.name):
                await self._queues[job.lane].enqueue_async(self._job, job.name)
        except dbos_error.DBOSQueueDeduplicatedError:
            return False
        return True

    async def take_over(self, alive: Alive) -> int:
        found = await DBOS.list_workflows_async(status="PENDING", name=WORKFLOW)
        there = await alive()  # asked after: whoever has a job by now was alive then
        # One that was cut off when the database went away ends here and stays under way there.
        idle = {
            one.workflow_id
            for one in found
            if one.executor_id == self._state.worker and one.deduplication_id not in self._working
        }
        stuck, self._idle = idle & self._idle, idle
        lost = [one for one in found if one.executor_id not in there or one.workflow_id in stuck]
        for lane in self._queues:
            ids = [one.workflow_id for one in lost if one.queue_name == f"weft-{lane}"]
            if ids:
                await DBOS.resume_workflows_async(ids, queue_name=f"weft-{lane}")
        return len(lost)

    async def prune(self) -> None:
        before = (datetime.now(UTC) - KEPT).isoformat()
        ended = ["SUCCESS", "ERROR", "CANCELLED"]
        while True:
            old = await DBOS.list_workflows_async(
                status=ended, completed_before=before, limit=AT_ONCE, load_input=False, load_output=False
            )
            if old:
                await DBOS.delete_workflows_async([one.workflow_id for one in old])
            if len(old) < AT_ONCE:
                return

    async def stop(self) -> None:
        self._carry_out = None

    async def close(self) -> None:
        # DBOS has made its threads those of the loop, and ends them: sessions that close later need some too.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(thread_name_prefix="weft"))
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
