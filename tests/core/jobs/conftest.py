"""Two systems in memory, a flow between them, and a daemon at work on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from weft.config.loading import load_text
from weft.jobs.daemon import Daemon
from weft.jobs.job import Job
from weft.plugins import Plugins
from weft.records import Hint
from weft.runtime import Runtime
from weft.state.store import State
from weft.testing.memory import MemoryObject, MemorySystem

CRM = """
entity: customer
object: Accounts
key: [Id]
match: [[tax_id]]
fields: {Name: name, Tax: tax_id, ErpNumber: number}
---
entity: product
object: Products
key: [Id]
match: [[number]]
fields: {Code: number, Name: name}
"""
ERP = """
entity: customer
object: customers
key: [id]
match: [[tax_id]]
returns: [number]
settle_seconds: 1
fields: {displayName: name, taxNumber: tax_id, number: {from: number, on: read}}
---
entity: product
object: items
key: [id]
match: [[number]]
fields: {no: number, displayName: name}
"""
CONFIG = """
state: sqlite:///weft.db
connections:
  crm: {kind: memcrm}
  erp: {kind: memerp}
jobs: {poll: 20ms, lease: 2s, drain: 5s}
flows:
  customers: {entity: customer, between: [crm, erp], owner: crm, every: 1h}
"""


def crm_system() -> MemorySystem:
    account = {"Id": "text", "Name": "text", "Tax": "text", "ErpNumber": "text"}
    product = {"Id": "text", "Code": "text", "Name": "text"}
    return MemorySystem([MemoryObject("Accounts", account), MemoryObject("Products", product)], CRM, title="CRM")


def erp_system() -> MemorySystem:
    customer = {"id": "text", "displayName": "text", "taxNumber": "text", "number": "text"}
    item = {"id": "text", "no": "text", "displayName": "text"}
    return MemorySystem(
        [
            MemoryObject("customers", customer, key=("id",), assigns={"number": "C{:05d}".format}),
            MemoryObject("items", item, key=("id",)),
        ],
        ERP,
        title="ERP",
    )


@dataclass
class Clock:
    """The time as it is, and as much later as a test says."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def forward(self, **by: float) -> None:
        self.ahead += timedelta(**by)


class PlainQueue:
    """Jobs carried by tasks of this process: the port, without what makes it durable."""

    def __init__(self, width: int = 4) -> None:
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.ran: list[Job] = []
        self.width = asyncio.Semaphore(width)
        self.stopped = False

    async def start(self, carry_out: Any) -> None:
        self.carry_out = carry_out

    async def put(self, job: Job) -> bool:
        if job.name in self.tasks or self.stopped:
            return False
        self.tasks[job.name] = asyncio.create_task(self._run(job))
        return True

    async def _run(self, job: Job) -> None:
        try:
            async with self.width:
                self.ran.append(job)
                await self.carry_out(job)
        finally:
            del self.tasks[job.name]

    async def take_over(self, alive: Any) -> int:
        assert self.carry_out, "it has not been started"
        return 0

    async def prune(self) -> None:
        return

    async def stop(self) -> None:
        self.stopped = True

    async def close(self) -> None:
        assert not self.tasks


@dataclass
class Pair:
    """Both systems and a state; ``working`` is a daemon on them."""

    folder: Path
    state_url: str = ""
    crm: MemorySystem = field(default_factory=crm_system)
    erp: MemorySystem = field(default_factory=erp_system)
    clock: Clock = field(default_factory=Clock)
    config: str = CONFIG
    queue: Any = None
    services: Callable[[Daemon], list[Any]] = lambda daemon: []
    extra: dict[str, Any] = field(default_factory=dict)
    """Further plugins, by name."""

    def configure(self, old: str, new: str) -> None:
        assert old in self.config
        self.config = self.config.replace(old, new)

    @asynccontextmanager
    async def runtime(self) -> AsyncIterator[Runtime]:
        plugins = Plugins()
        plugins.register("memcrm", self.crm)
        plugins.register("memerp", self.erp)
        for name, plugin in self.extra.items():
            plugins.register(name, plugin)
        config = load_text(self.config, "weft.yaml", plugins)
        with State.open(self.state_url or f"sqlite:///{self.folder}/weft.db") as state:
            async with Runtime(config, state, plugins, clock=self.clock) as runtime:
                yield runtime

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Daemon]:
        async with self.runtime() as runtime:
            self.queue = PlainQueue() if self.queue is None else self.queue
            daemon = Daemon(runtime, self.queue)
            daemon.services = self.services(daemon)
            task = asyncio.create_task(daemon.run())
            try:
                yield daemon
            finally:
                daemon.stop()
                await asyncio.wait_for(task, 30)
        self.queue = None

    async def hint(self, daemon: Daemon, key: str, *, flow: str = "customers", object: str = "Accounts") -> None:
        """As an event that came in would."""
        state, now = daemon.runtime.state, self.clock.now()
        await state.write(lambda tx: tx.hints.put_many(flow, "crm", [Hint(object, key)], now))
        daemon.wake()

    def names(self) -> list[str]:
        """What the customers in the ERP are called."""
        return sorted(row["displayName"] for row in self.erp.rows("customers").values())


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


@pytest.fixture
def everywhere(tmp_path: Path, state_url: str) -> Pair:
    """On every state database there is."""
    return Pair(tmp_path, state_url)


async def _until(holds: Callable[[], Any], seconds: float = 30) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = holds()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait until something holds."""
    return _until
