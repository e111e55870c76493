"""A ready harness for a system simulated with :mod:`weft.testing.simulator`."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any, Generic, TypeVar

from weft.records import Moved, Native
from weft.testing.contract.harness import On, Running, Strike, Subject, Unsupported
from weft.testing.simulator import Fault, Simulator, serve

S = TypeVar("S", bound=Simulator)
Answer = Any | Awaitable[Any]

WRITES = "POST|PUT|PATCH|MERGE|DELETE"


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


@dataclass
class SimulatorRunning(Running, Generic[S]):
    """The system of a :class:`SimulatorHarness`: faults, clock and late commits are the simulator's own."""

    sim: S = None  # type: ignore[assignment]
    harness: SimulatorHarness[S] = None  # type: ignore[assignment]
    stack: AsyncExitStack = None  # type: ignore[assignment]

    async def create(self, object: str, data: Native, company: str) -> str:
        return str(await _awaited(self.harness.create(self.sim, object, data, company)))

    async def edit(self, object: str, key: str, data: Native, company: str) -> None:
        await _awaited(self.harness.edit(self.sim, object, key, data, company))

    async def delete(self, object: str, key: str, company: str) -> None:
        await _awaited(self.harness.delete(self.sim, object, key, company))

    async def keys(self, object: str, company: str) -> list[str]:
        return list(await _awaited(self.harness.keys(self.sim, object, company)))

    async def hide(self, object: str, key: str, company: str) -> None:
        if self.harness.hide is not None:
            await _awaited(self.harness.hide(self.sim, object, key, company))
            return
        if self.sim.store is None:
            raise Unsupported("the simulator has no rows to hide")
        try:
            self.sim.faults.add(Fault("hide", object=object, keys=[key], count=None))
        except ValueError as error:
            raise Unsupported(f"the simulator cannot hide a row of {object}: {error}") from None

    async def move(self, object: str, key: str, company: str) -> Moved:
        if self.harness.move is None:
            raise Unsupported("the harness cannot move a record to another object (post, convert, merge)")
        moved: Moved = await _awaited(self.harness.move(self.sim, object, key, company))
        return moved

    async def strike(self, kind: str, on: On = "any", **options: Any) -> Strike:
        reason = self.harness.without.get(kind)
        if reason is not None:
            raise Unsupported(f"the fault {kind!r} cannot strike this system: {reason}")
        if on == "write":
            options.setdefault("method", self.harness.write_method)
            options.setdefault("path", self.harness.write_path)
        elif on == "read":
            options.setdefault("method", self.harness.read_method)
            options.setdefault("path", self.harness.read_path)
        return self.sim.faults.add(Fault(kind, **options))  # type: ignore[arg-type]

    async def calm(self) -> None:
        self.sim.faults.clear()

    @contextmanager
    def late(self) -> Iterator[None]:
        store = self.sim.store
        if store is None:
            raise Unsupported("the simulator has no rows whose commit could be held back")
        gate = store.late_gate
        store.late_gate = lambda: True
        try:
            yield
        finally:
            store.late_gate = gate

    async def release(self) -> None:
        self.sim.release()

    @contextmanager
    def same_moment(self) -> Iterator[None]:
        clock = self.sim.clock
        if clock.distinct:
            raise Unsupported("the simulated system gives every write a stamp of its own")
        before = (clock.manual, clock.skew)
        clock.freeze()
        try:
            yield
        finally:
            clock.manual, clock.skew = before

    async def age(self, seconds: float) -> None:
        self.sim.clock.advance(seconds)

    async def stop(self) -> None:
        await self.stack.aclose()

    def writes(self) -> int:
        method = re.compile(self.harness.write_method)
        login = re.compile(self.harness.login_path)
        path = re.compile(self.harness.write_path or "")
        return sum(
            1
            for one in self.sim.request_log
            if method.fullmatch(one.method) and path.search(one.path) and not login.search(one.path)
        )

    def tokens(self) -> Sequence[str]:
        return self.harness.tokens(self.sim)

    def logins(self) -> int:
        login = re.compile(self.harness.login_path)
        return sum(1 for one in self.sim.request_log if login.search(one.path))


@dataclass
class SimulatorHarness(Generic[S]):
    """A :class:`~weft.testing.contract.harness.Harness` over a simulator.

    ``simulator()`` makes a fresh one; ``settings(sim)`` answers the connection's settings once it is served
    (``sim.base_url``, ``sim.ca_file``), ``wrong(sim)`` the same with credentials it refuses, ``subjects(sim)``
    what to exercise. ``create``, ``edit``, ``delete`` and ``keys`` are a person's hand, called with the
    simulator, the object and the company, plain or asynchronous; ``data`` is in native fields.

    ``write_method``/``write_path`` and ``read_method``/``read_path`` (regular expressions) tell requests that
    write from those that read, ``login_path`` a login. ``without`` names faults that cannot strike the system,
    with the reason.
    """

    kind: str
    simulator: Callable[[], S]
    settings: Callable[[S], Mapping[str, Any]]
    subjects: Callable[[S], Sequence[Subject]]
    create: Callable[[S, str, Native, str], Answer]
    edit: Callable[[S, str, str, Native, str], Answer]
    delete: Callable[[S, str, str, str], Answer]
    keys: Callable[[S, str, str], Answer]
    module: Any = None
    wrong: Callable[[S], Mapping[str, Any]] | None = None
    secrets: Callable[[S], Sequence[str]] = lambda sim: ()
    tokens: Callable[[S], Sequence[str]] = lambda sim: ()
    company: Callable[[S], str] = lambda sim: ""
    other_company: Callable[[S], str | None] = lambda sim: None
    hide: Callable[[S, str, str, str], Answer] | None = None
    move: Callable[[S, str, str, str], Answer] | None = None
    running: type[SimulatorRunning[Any]] = SimulatorRunning
    page_size: int = 3
    tls: bool = True
    write_method: str = WRITES
    write_path: str | None = None
    read_method: str | None = "GET"
    read_path: str | None = None
    login_path: str = r"(?i)/(token|login|authservice)"
    without: Mapping[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def start(self) -> AsyncIterator[Running]:
        """Serve a fresh simulator on loopback."""
        sim = self.simulator()
        with TemporaryDirectory(prefix="weft-contract-") as folder:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(serve(sim, tls=self.tls))
                if sim.ca_file is not None:  # ours stays when the system is taken off the net
                    sim.ca_file = str(copyfile(sim.ca_file, Path(folder) / "ca.pem"))
                yield self.running(
                    settings=self.settings(sim),
                    subjects=self.subjects(sim),
                    secrets=tuple(self.secrets(sim)),
                    wrong_settings=self.wrong(sim) if self.wrong is not None else None,
                    company=self.company(sim),
                    other_company=self.other_company(sim),
                    sim=sim,
                    harness=self,
                    stack=stack,
                )
