"""The same scenarios over the real protocols: the connectors of Creatio and of an ERP, served by their
simulators in another process, over HTTPS.

``python -m harness.real --erp d365fo FIRST COUNT`` plays seeds like :mod:`harness.run`. Kills strike the real
event loop, with its threads; faults are those of the network. Where a kill strikes depends a little on
timing, so a seed replays as exactly as a network allows.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from harness.child import TASKS, Asked, Told, look_at
from harness.erps import ERPS, Erp
from harness.killing import KILLED, Steps
from harness.scenario import Scenario
from harness.server import Broken
from harness.world import World

import weft_creatio.connector
import weft_creatio.session  # what sessions import, once and not in every fork
from weft import around
from weft.config.loading import load_text
from weft.plugins import Plugins
from weft.runtime import Runtime
from weft.state.store import State
from weft.testing.simulator import serve_in_process
from weft.testing.simulator.faults import Fault
from weft.testing.simulator.serve import Served

CUSTOMER = "03a75490-53e6-df11-971b-001d60e938c6"
"""The account type of customers."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "throttle", "retry_after": 0.05},
    {"kind": "error_before", "status": 503},
    {"kind": "error_before", "status": 500},
    {"kind": "error_after_commit", "status": 500},
    {"kind": "lost_answer"},
    {"kind": "drop_before"},
    {"kind": "late_commit", "requests": 4},
    {"kind": "token_expiry"},
    {"kind": "truncate"},
    {"kind": "partial_batch", "index": 0},
    {"kind": "partial_batch", "index": 1, "late": True},
)


class Clock:
    """Real time, plus what was skipped."""

    def __init__(self) -> None:
        self.skipped = timedelta(0)

    @property
    def at(self) -> datetime:
        return datetime.now(UTC) + self.skipped

    def now(self) -> datetime:
        return self.at


@dataclass
class Hand:
    """What a person does in one of the systems."""

    put_row: Callable[[str, dict[str, Any]], str]
    edit_row: Callable[[str, str, dict[str, Any]], None]

    def put(self, name: str, /, by: str = "", **row: Any) -> str:
        return self.put_row(name, row)

    def edit(self, name: str, key: str, /, by: str = "", **row: Any) -> None:
        self.edit_row(name, key, row)


class RealPair:
    """Both simulators, as :class:`harness.pair.Pair` shows its systems."""

    kinds = ("customer", "product")
    fields = {"customer": ("name", "phone", "limit"), "product": ("name", "price")}  # noqa: RUF012
    clearable = frozenset({"phone", "limit"})  # a price of nothing is 0, and 0 is a price
    strict = False

    def __init__(self, served: Served, erp: Erp) -> None:
        self.served, self.erp, self.tells_times = served, erp, erp.tells_times
        self.clock = Clock()
        self.called: dict[tuple[str, str, str], str] = {}
        self.crm = served.control("creatio")
        self.controls = (self.crm, erp.control)
        self.objects = {"left": {"customer": "Account", "product": "Product"}, "right": erp.objects}
        crm = {
            "customer": {"name": "Name", "phone": "Phone", "limit": "UsrCreditLimit", "_": "UsrTaxId"},
            "product": {"name": "Name", "price": "Price", "_": "Code"},
        }
        self.names = {"left": crm, "right": erp.names}
        self.kind_of = {name: kind for kind, name in erp.objects.items()}
        self.systems = {"left": Hand(self._put_crm, self._edit_crm), "right": Hand(self._put_erp, self._edit_erp)}

    def _put_crm(self, name: str, row: dict[str, Any]) -> str:
        given = {**row, "TypeId": CUSTOMER} if name == "Account" else row
        made = self.crm.command("create", entity=name, values=_filled(given))
        return str(made["Id"] if isinstance(made, dict) else made).lower()

    def _edit_crm(self, name: str, key: str, row: dict[str, Any]) -> None:
        self.crm.command("edit", entity=name, id=key, values=_blank(row, 0))

    def _put_erp(self, name: str, row: dict[str, Any]) -> str:
        return self.erp.put(self.kind_of[name], _filled(row))

    def _edit_erp(self, name: str, key: str, row: dict[str, Any]) -> None:
        self.erp.edit(self.kind_of[name], key, _blank(row, 0))

    def rows(self, side: str, kind: str) -> dict[str, dict[str, Any]]:
        if side == "right":
            return {self.erp.key(kind, row): row for row in self.erp.rows(kind)}
        query = f"$filter=Type/Id%20eq%20{CUSTOMER}" if kind == "customer" else ""
        found = self.crm.command("find", entity=self.objects[side][kind], query=query)
        return {str(row["Id"]).lower(): row for row in found}

    def numbers(self, side: str, kind: str, row: dict[str, Any]) -> Any:
        if kind == "product":
            return None
        return row["UsrErpNumber" if side == "left" else self.erp.number] or None

    def connections(self, page_size: int) -> list[str]:
        size = max(2, page_size)
        return [
            f"  crm: {{kind: creatio, url: '{self.served.url('creatio')}', ca_file: '{self.served.ca_file}', "
            f"page_size: {size}, retry_base: 0.01, retry_attempts: 2, overlap: 5, "
            "auth: {username: Supervisor, password: Supervisor}}",
            *self.erp.connection(size),
        ]

    def empty(self) -> None:
        """Delete what the last scenario left, after what was still on its way."""
        for control in self.controls:
            control.clear_faults()
            control.release()
        self.erp.control.command("empty")
        for name, query in (("Account", f"$filter=Type/Id%20eq%20{CUSTOMER}"), ("Product", "")):
            for row in self.crm.command("find", entity=name, query=query):
                self.crm.command("delete", entity=name, id=row["Id"])

    def server(self, folder: Path, config: str, rng: random.Random) -> RealServer:
        return RealServer(self, folder, config)


def _filled(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value not in (None, "")}


def _blank(row: dict[str, Any], nothing: Any) -> dict[str, Any]:
    """A person who empties an amount leaves 0."""
    return {name: nothing if value is None else value for name, value in row.items()}


class _Pause:
    """A plugin that asks the other process before each call, and says what was written."""

    pipe: Any = None
    """Set once the process has begun."""

    def __init__(self) -> None:
        pause = self

        async def reading(call: Any, query: Any) -> Any:
            pause.ask("call")
            async for page in call():
                yield page

        async def writing(call: Any, items: Any) -> Any:
            pause.ask("call")
            async for outcome in call():
                if outcome.result in ("created", "updated", "deleted"):
                    pause.ask("wrote")
                yield outcome

        self.reading, self.writing = around("read")(reading), around("write")(writing)

    def ask(self, what: str) -> None:
        self.pipe.send((what, None))
        self.pipe.recv()


class CountingLoop(asyncio.SelectorEventLoop):
    """Every callback is a step; threads and sockets are real."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon(self._counted, callback, args, context=context)

    def _counted(self, callback: Any, args: Any) -> None:
        self._steps.step()
        callback(*args)


@dataclass
class RealServer:
    """Runs processes that synchronise; people act when they ask."""

    pair: RealPair
    folder: Path
    config: str
    pending: list[Any] = field(default_factory=list)
    struck: int = 0
    requests: int = 0
    late_chance: float = 0
    written: int = 0
    before: Callable[[int], None] = lambda number: None

    def __post_init__(self) -> None:
        """Configured and compiled once; each fork inherits it."""
        plugins = Plugins()
        self.pause = _Pause()
        plugins.register("creatio", weft_creatio.connector)
        plugins.register(self.pair.erp.kind, self.pair.erp.plugin)
        plugins.register("pause", self.pause)
        config = load_text(self.config, "weft.yaml", plugins)
        self.runtime = Runtime(config, None, plugins, clock=self.pair.clock)  # type: ignore[arg-type]
        for flow in config.flows.values():
            for connection in flow.between:
                for compiled in self.runtime.mappings(connection, flow.entity).values():
                    for entity in compiled.references():
                        self.runtime.mappings(connection, entity)

    def run(self, asked: Asked) -> Told | None:
        ours, theirs = Pipe()
        faults = self._struck()
        process = os.fork()
        if process == 0:
            ours.close()
            _child(theirs, self, asked)
        theirs.close()
        told, broken = None, ""
        while True:
            try:
                what, more = ours.recv()
            except EOFError:
                break
            if what == "told":
                told = more
            elif what == "broken":
                broken = more
            else:
                self.written += what == "wrote"
                if what == "call":
                    self.requests += 1
                    self.before(self.requests)
                try:
                    ours.send(None)
                except BrokenPipeError:
                    break
        ours.close()
        _, status = os.waitpid(process, 0)
        code = os.waitstatus_to_exitcode(status)
        self.struck += self._struck() != faults
        if broken or code not in (0, KILLED):
            raise Broken(f"the process ended with {code}\n{broken}")
        if told is None:
            for control in self.pair.controls:
                control.release()  # what a dead client asked for is done by the time anybody looks
        return told

    def _struck(self) -> int:
        found = [control.call("GET", "faults")["faults"] for control in self.pair.controls]
        return sum(fault["struck"] for faults in found for fault in faults)

    def wait(self, seconds: float) -> None:
        for control in self.pair.controls:
            control.release()
        self.pair.clock.skipped += timedelta(seconds=seconds)
        for control in self.pair.controls:
            control.advance(seconds)

    def writes(self) -> int:
        return self.written

    @contextmanager
    def calm(self) -> Iterator[None]:
        self.heal()
        yield

    def heal(self) -> None:
        for control in self.pair.controls:
            control.clear_faults()
            control.release()


def _child(pipe: Any, server: RealServer, asked: Asked) -> None:
    """In the forked process. Never returns."""
    logging.disable(logging.CRITICAL)
    rng = random.Random(f"{asked.seed}:ids")
    uuid.uuid4 = lambda: uuid.UUID(int=rng.getrandbits(128), version=4)
    steps = Steps(asked.kill, None)
    told = Told()
    try:
        if asked.mutant:
            from harness.mutants import MUTANTS

            MUTANTS[asked.mutant]()
        server.pause.pipe = pipe
        runtime = server.runtime

        async def main() -> None:
            with State.open(f"sqlite:///{server.folder}/weft.db") as state:
                runtime.state = state
                async with runtime:
                    steps.count = 0
                    await TASKS[asked.what](runtime, told, **asked.options)
                    told.steps = steps.count
                    await look_at(runtime, told)

        loop = CountingLoop(steps)
        asyncio.set_event_loop(loop)
        loop.run_until_complete(main())
        pipe.send(("told", told))
    except BaseException:
        pipe.send(("broken", traceback.format_exc()))
        os._exit(1)
    os._exit(0)


class RealScenario(Scenario):
    """Faults of the network in place of those of a system in memory."""

    rounds = (1, 3)

    def _faults(self) -> None:
        rng = self.rng
        self.world.server.heal()
        for _ in range(rng.choice([0, 0, 1, 2])):
            side = rng.choice(("left", "right"))
            chosen = dict(rng.choice(FAULTS))
            lost = chosen["kind"] in ("error_after_commit", "lost_answer", "late_commit", "drop_before")
            method = "POST|PATCH" if lost or chosen["kind"] == "partial_batch" else None
            pair = self.world.pair
            path = r"batch" if chosen["kind"] == "partial_batch" else "odata" if side == "left" else pair.erp.path
            fault = Fault(**chosen, method=method, path=path, skip=rng.randint(0, 3))
            pair.controls[side == "right"].add_fault(fault)
            self.world.note(f"fault {side} {chosen} after {fault.skip}")

    def _kill(self) -> tuple[int | None, tuple[int, str] | None]:
        if self.rng.random() < 0.5:
            return None, None
        return self.rng.randint(1, max(2, self.world.usual["steps"])), None


@contextmanager
def served(kind: str) -> Iterator[RealPair]:
    erp = ERPS[kind]
    sys.path.insert(0, str(Path(__file__).parent.parent))
    with serve_in_process(erp.simulators) as found:
        yield RealPair(found, erp(found))


def play(pair: RealPair, seed: int, folder: Path, template: Path, mutant: str = "") -> World:
    pair.empty()
    world = World(seed, folder, template, mutant, made=_Made(pair))
    try:
        RealScenario(world).play()
    except AssertionError as error:
        error.world = world  # type: ignore[attr-defined]
        raise
    return world


@dataclass
class _Made:
    pair: RealPair

    def server(self, folder: Path, config: str, rng: random.Random) -> RealServer:
        return RealServer(self.pair, folder, config)


def main() -> int:
    from harness.run import parser, report, warm

    options = parser()
    options.add_argument("--erp", choices=sorted(ERPS), default="bc", help="what Creatio is kept in agreement with")
    given = options.parse_args()
    with served(given.erp) as pair:
        return report(given, warm, lambda seed, folder, made, mutant: play(pair, seed, folder, made, mutant))


if __name__ == "__main__":
    sys.exit(main())
