"""What happens in the forked process: one synchronisation, or one look into the state."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import traceback
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness.killing import Loop, Steps
from harness.pair import Pair
from harness.wire import Remote, Wire

from weft.config.loading import load_text
from weft.plugins import Plugins
from weft.runtime import Runtime
from weft.state.store import State
from weft.sync.cycle import sync
from weft.sync.verify import verify


@dataclass
class Asked:
    """What the process is to do, and where it is to end (None: at the end)."""

    what: str = "sync"
    options: dict[str, Any] = field(default_factory=dict)
    seed: str = ""
    kill: int | None = None
    kill_write: tuple[int, str] | None = None
    mutant: str = ""


@dataclass
class Told:
    """What a process that came to its end found."""

    reports: list[tuple[str, str, str, dict[str, int]]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    hints: int = 0
    intents: list[str] = field(default_factory=list)
    chains: list[str] = field(default_factory=list)
    proofs: list[dict[str, Any]] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    steps: int = 0
    writes: int = 0


@dataclass
class Engine:
    """weft as it stands before a process begins: configured, mappings compiled, not connected to anything.

    Made once and copied by each fork, which saves most of what a start takes.
    """

    runtime: Runtime
    remotes: list[Remote]

    @classmethod
    def of(cls, pair: Pair, config: str, stepwise: bool) -> Engine:
        plugins = Plugins()
        remotes = []
        for side, kind in (("left", "memcrm"), ("right", "memerp")):
            remotes.append(Remote(side, pair.systems[side], stepwise=stepwise and side == "right"))
            plugins.register(kind, remotes[-1])
        runtime = Runtime(load_text(config, "weft.yaml", plugins), None, plugins, clock=pair.clock)  # type: ignore[arg-type]
        for flow in runtime.config.flows.values():
            for connection in flow.between:
                runtime.mappings(connection, flow.entity)
        return cls(runtime, remotes)


def run(pipe: Connection, engine: Engine, folder: Path, asked: Asked) -> None:
    """Do it, tell, and end. Never returns."""
    logging.disable(logging.CRITICAL)
    rng = random.Random(f"{asked.seed}:ids")
    uuid.uuid4 = lambda: uuid.UUID(int=rng.getrandbits(128), version=4)  # the process ends with it
    clock = engine.runtime.clock
    try:
        if asked.mutant:
            from harness.mutants import MUTANTS

            MUTANTS[asked.mutant]()
        told = work(pipe, engine, folder, asked)
        pipe.send((clock.at, ("told", told)))
    except BaseException:
        pipe.send((clock.at, ("broken", traceback.format_exc())))
        os._exit(1)
    os._exit(0)


def work(pipe: Any, engine: Engine, folder: Path, asked: Asked) -> Told:
    """Do it in this process."""
    runtime = engine.runtime
    steps = Steps(asked.kill, asked.kill_write)
    wire = Wire(pipe, runtime.clock, steps, random.Random(f"{asked.seed}:order"))
    for remote in engine.remotes:
        remote.wire = wire
    loop = Loop(steps)
    asyncio.set_event_loop(loop)
    told = Told()

    async def main() -> None:
        with State.open(f"sqlite:///{folder}/weft.db") as state:
            steps.watch_transactions(state.engine)
            runtime.state = state
            async with runtime:
                await TASKS[asked.what](runtime, told, **asked.options)
                await look_at(runtime, told)

    loop.run_until_complete(main())
    told.steps, told.writes = steps.count, steps.writes
    return told


async def _sync(runtime: Runtime, told: Told, **options: Any) -> None:
    reports = await sync(runtime, **options)
    told.reports = [(one.flow, one.state, one.error, one.counts) for one in reports]


async def _answer(runtime: Runtime, told: Told, choices: list[tuple[int, Any]], retry: bool) -> None:
    """People answer questions and have failed records tried again."""
    now = runtime.clock.now()

    def write(tx: Any) -> None:
        for issue, edited in choices:
            tx.issues.edit(issue, edited, now)
        if retry:
            tx.issues.retry(
                [one.id for one in tx.issues.page(limit=10_000, kind=["failed", "waiting", "ambiguous"])], now
            )

    await runtime.state.write(write)


async def _prove(runtime: Runtime, told: Told) -> None:
    for proof in await verify(runtime):
        samples = [(s.status, s.left_key, s.right_key, s.reason) for s in proof.samples]
        told.proofs.append({"flow": proof.flow, "agree": proof.agree, "samples": samples})

    def chains(tx: Any) -> list[str]:
        checks = [(run.id, tx.journal.verify_chain(run.id)) for run in tx.runs.page(limit=100_000)]
        return [f"{run}: {check.problem}" for run, check in checks if not check.ok]

    told.chains = await runtime.state.read(chains)


async def _journal(runtime: Runtime, told: Told) -> None:
    def read(tx: Any) -> list[str]:
        return [
            f"{e.at:%H:%M:%S.%f} {e.flow} {e.op} {e.outcome} {e.side} {e.left_key} {e.right_key} "
            f"{e.reason} {e.fields or ''}"
            for e in tx.journal.page(after_id=0, limit=100_000)
        ]

    told.journal = await runtime.state.read(read)


async def look_at(runtime: Runtime, told: Told) -> None:
    def read(tx: Any) -> tuple[list[Any], int, list[Any]]:
        return tx.issues.page(limit=100_000), sum(tx.hints.counts().values()), tx.intents.unsettled()

    issues, told.hints, intents = await runtime.state.read(read)
    names = ("id", "kind", "flow", "side", "object", "key", "code", "reason", "payload", "next_try_at", "edited")
    told.issues = [{name: getattr(one, name) for name in names} for one in issues]
    told.intents = [f"{i.state} {i.op} {i.side} of {i.flow} from {i.source_key}" for i in intents]


TASKS: dict[str, Callable[..., Awaitable[None]]] = {
    "sync": _sync, "answer": _answer, "prove": _prove, "journal": _journal
}  # fmt: skip
