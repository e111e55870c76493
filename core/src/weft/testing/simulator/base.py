"""The base of every simulator: routes, faults, counters, commands."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from weft.testing.odata.batch import BatchFault
from weft.testing.odata.parts import SubResponse
from weft.testing.simulator.clock import SimClock
from weft.testing.simulator.faults import Effects, Fault, FaultControl

EFFECTS: ContextVar[Effects | None] = ContextVar("effects", default=None)
"""What strikes the request being handled; set by the middleware."""


@dataclass(slots=True)
class SimSettings:
    """Settings every simulator has; subclasses add the facts no public source settles.

    ``latency`` seconds are added to each request, plus up to ``jitter`` more (seeded by ``seed``). ``log_size``:
    how many requests the log keeps. ``max_body``: bytes of a request body, above it 413.
    """

    seed: int = 0
    latency: float = 0.0
    jitter: float = 0.0
    log_size: int = 1000
    max_body: int = 350 * 2**20


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """``path`` includes the query, without values of secrets. ``bytes_in``/``bytes_out`` are bodies.
    ``status`` 0: no answer was sent."""

    method: str
    path: str
    status: int
    bytes_in: int
    bytes_out: int
    seconds: float


class RowStore(Protocol):
    """What the base needs of a store to hide rows and hold commits back; weft.testing.odata.store.Store is one."""

    late_gate: Callable[[], bool] | None
    on_late: Callable[[int], None] | None

    def release(self, count: int | None = None) -> int: ...
    def release_one(self, late_id: int) -> bool: ...
    def hide(self, name: str, where: Any) -> int: ...
    def reveal(self, name: str | None = None) -> None: ...


Command = Callable[..., Awaitable[Any]]


class Simulator:
    """One simulated system. Subclass: set ``name``, override :meth:`routes`, :meth:`fault_answer`,
    :meth:`expire_tokens`; call :meth:`register` for administrator commands.

    ``store``: set it (in ``__init__``) to the simulator's Store to get late commits and hidden rows for nothing.
    ``sleep`` is what latency and ``slow`` faults wait with; a test may put its own there.
    """

    name: str = "simulator"

    def __init__(self, settings: SimSettings | None = None, *, clock: SimClock | None = None) -> None:
        self.settings: SimSettings = settings if settings is not None else SimSettings()
        self.clock: SimClock = clock if clock is not None else SimClock()
        self.rng = random.Random(self.settings.seed)
        self.faults = FaultControl(on_add=self._fault_added, on_remove=self._fault_removed)
        self.request_log: deque[LoggedRequest] = deque(maxlen=self.settings.log_size)
        self.counters: Counter[str] = Counter()
        self.base_url: str = ""  # set by serve(): "https://127.0.0.1:41234"
        self.ca_file: str | None = None  # set by serve(): for calls to other simulators served with this one
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self._store: RowStore | None = None
        self._commands: dict[str, tuple[Command, str]] = {}
        self._late_due: list[tuple[int, int]] = []

    @property
    def store(self) -> RowStore | None:
        """The row store, when there is one."""
        return self._store

    @store.setter
    def store(self, value: RowStore | None) -> None:
        self._store = value
        if value is not None:
            value.late_gate = self._is_late
            value.on_late = self._went_late

    def routes(self) -> list[web.RouteDef]:
        """The system's own endpoints. ``/_control`` is taken."""
        return []

    def connection(self, ca_file: str | None) -> dict[str, Any]:
        """Settings of an entry under ``connections`` in ``weft.yaml`` that reaches this simulator, once it
        is served. Sign-ins of simulators are no secrets. Empty: it is no system of its own."""
        return {}

    async def start(self) -> None:
        """Called once the server listens (``base_url`` is set)."""

    async def stop(self) -> None:
        """Called before the server goes."""

    def fault_answer(self, status: int, fault: Fault | None, message: str) -> SubResponse:
        """The system's own body for an injected failure (429, 5xx). Override: the base sends plain text."""
        return SubResponse(status, {"Content-Type": "text/plain; charset=utf-8"}, message.encode())

    def expire_tokens(self) -> None:
        """Make every token and session issued so far invalid. Override where the system has any."""
        raise NotImplementedError(f"the simulator {self.name} issues no tokens")

    def batch_fault(self, request: web.Request) -> BatchFault | None:
        """For the ``$batch`` handler: pass the result to run_batch(fault=…) and let LostAnswer through."""
        effects = EFFECTS.get()
        if effects is None:
            return None
        fault = effects.first("partial_batch")
        if fault is not None:
            status = fault.status or 500
            answer = self.fault_answer(status, fault, fault.message or "Injected failure of a part.")
            return BatchFault(index=fault.index, response=answer, after_commit=fault.late)
        fault = effects.first("lost_answer")
        if fault is not None and fault.after is not None:
            return BatchFault(lose_after=fault.after)
        return None

    async def command(self, name: str, **args: Any) -> Any:
        """Run a registered command. Raises KeyError naming the known ones."""
        found = self._commands.get(name)
        if found is None:
            known = ", ".join(sorted(self._commands)) or "none"
            raise KeyError(f"{self.name} has no command {name!r}; it has: {known}")
        return await found[0](**args)

    def register(self, name: str, command: Command, help_text: str = "") -> None:
        """Make ``await sim.command(name, **args)`` and ``POST /_control/{sim}/command/{name}`` run it. Arguments and
        result must be JSON."""
        self._commands[name] = (command, help_text)

    @property
    def commands(self) -> dict[str, tuple[Command, str]]:
        """name -> (function, help text)."""
        return dict(self._commands)

    def stats(self) -> dict[str, Any]:
        """Counters: requests, answers by status, bytes, faults struck; subclasses may add."""
        struck = {f"{fault.kind}#{fault.id}": fault.struck for fault in self.faults.listed()}
        return {"name": self.name, "counters": dict(self.counters), "faults": struck}

    def release(self, count: int | None = None) -> int:
        """Make the oldest ``count`` (None: all) late commits visible."""
        if self._store is None:
            raise ValueError(f"the simulator {self.name} has no rows")
        return self._store.release(count)

    def request_began(self) -> None:
        """Called by the middleware: late commits whose number of requests has passed become visible."""
        if not self._late_due or self._store is None:
            return
        waiting: list[tuple[int, int]] = []
        for late_id, remaining in self._late_due:
            if remaining <= 0:
                self._store.release_one(late_id)
            else:
                waiting.append((late_id, remaining - 1))
        self._late_due = waiting

    def _is_late(self) -> bool:
        effects = EFFECTS.get()
        return effects is not None and effects.first("late_commit") is not None

    def _went_late(self, late_id: int) -> None:
        effects = EFFECTS.get()
        fault = None if effects is None else effects.first("late_commit")
        if effects is None or fault is None:
            return
        effects.late = True
        if fault.requests is not None:
            self._late_due.append((late_id, fault.requests))

    def _fault_added(self, fault: Fault) -> None:
        if fault.kind == "clock_skew":
            self.clock.set_skew(fault.seconds)
        elif fault.kind == "hide":
            self._hide(fault)

    def _fault_removed(self, fault: Fault) -> None:
        if fault.kind == "clock_skew":
            skews = [item for item in self.faults.listed() if item.kind == "clock_skew"]
            self.clock.set_skew(skews[-1].seconds if skews else 0)
        elif fault.kind == "hide" and self._store is not None:
            self._store.reveal(fault.object)
            for item in self.faults.listed():  # another fault may hide rows of the same object
                if item.kind == "hide" and item.object == fault.object:
                    self._hide(item)

    def _hide(self, fault: Fault) -> None:
        if self._store is None:
            raise ValueError(f"the simulator {self.name} has no rows to hide")
        where: Any = fault.keys if fault.keys is not None else lambda row: True
        try:
            fault.struck += self._store.hide(str(fault.object), where)
        except KeyError as error:
            raise ValueError(str(error.args[0])) from None
