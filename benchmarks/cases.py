"""The measurements. Each runs weft, then the floor on systems in the same state, several times in turn."""

from __future__ import annotations

import gc
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.floor import Floor, replay
from benchmarks.recording import Recording, recording
from benchmarks.systems import Pair, Served, credentials, flow_of, weft
from weft.records import Hint
from weft.runtime import Runtime
from weft.state.tx import Tx
from weft.sync.capture import scan
from weft.sync.cycle import Report, run_flow
from weft.sync.run import Run


@dataclass(slots=True)
class Result:
    """Medians over the rounds. ``ratio``: floor time / weft's time, so that 1 would be free."""

    name: str
    records: int
    rounds: int
    seconds: float
    cpu: float
    floor_seconds: float
    floor_cpu: float
    ratio: float
    records_per_second: float
    records_per_core_second: float
    requests: int
    concurrency: int
    bytes: int
    differing_answers: int
    counts: dict[str, int] = field(default_factory=dict)
    latency_ms: float | None = None
    floor_latency_ms: float | None = None
    aim: str = ""
    met: bool | None = None

    def counted(self, records: int) -> Result:
        """The same, where fewer records were at stake."""
        self.records = records
        self.records_per_second, self.records_per_core_second = records / self.seconds, records / self.cpu
        return self

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class Timed:
    seconds: float
    cpu: float
    value: Any


async def timed(work: Callable[[], Awaitable[Any]]) -> Timed:
    gc.collect()
    begun, cpu = time.perf_counter(), time.process_time()
    value = await work()
    return Timed(time.perf_counter() - begun, time.process_time() - cpu, value)


class Measured:
    """Collects rounds of weft and of the floor, and checks that weft did what it was to do."""

    def __init__(self) -> None:
        self.weft: list[Timed] = []
        self.floor: list[Floor] = []
        self.recording = Recording()

    def result(self, name: str, records: int, aim: float | None = None) -> Result:
        seconds = statistics.median(one.seconds for one in self.weft)
        cpu = statistics.median(one.cpu for one in self.weft)
        floor = statistics.median(one.seconds for one in self.floor)
        ratio = statistics.median(f.seconds / w.seconds for f, w in zip(self.floor, self.weft, strict=True))
        return Result(
            name, records, len(self.weft), seconds, cpu, floor, statistics.median(one.cpu for one in self.floor),
            ratio, records / seconds, records / cpu, len(self.recording.requests), self.recording.concurrency,
            self.floor[-1].bytes, max(one.differing for one in self.floor), dict(self.weft[-1].value or {}),
            aim=f"ratio >= {aim}" if aim else "", met=ratio >= aim if aim else None,
        )  # fmt: skip


def expect(report: Report, **counts: int) -> dict[str, int]:
    """Figures of a run that did something else would mean nothing."""
    wrong = {name: report.counts.get(name, 0) for name, n in counts.items() if report.counts.get(name, 0) != n}
    if report.state not in ("done",) or wrong:
        raise SystemExit(
            f"the run was not what is to be measured: {report.state} {report.error} {report.counts}; {counts}"
        )
    return report.counts


class Bench:
    """``size`` records a side, ``rounds`` times."""

    def __init__(self, pair: Pair, size: int, rounds: int) -> None:
        self.pair, self.size, self.rounds = pair, size, rounds
        self._folder = tempfile.TemporaryDirectory(prefix="weft-bench-")
        self.folder = Path(self._folder.name)
        self._settled: Path | None = None
        self._filling: tuple[Recording, list[str]] | None = None
        self._count = 0

    def close(self) -> None:
        self._folder.cleanup()

    def fresh(self) -> Path:
        self._count += 1
        return self.folder / f"{self._count}.db"

    async def settled(self) -> Path:
        """A state in which both sides are in agreement; good for all systems that :meth:`filled` gives."""
        if self._settled is None:
            path, twins = self.fresh(), self.pair.twins
            wanted = {"linked": self.size} if twins else {"linked": self.size, "created": self.size}
            with self.pair.serve(self.size, self.size if twins else 0) as served:
                for control in served.controls if not twins else ():
                    control.advance(1800)  # stamps seen here are later than those :meth:`filled` makes
                # One after the other, where the records are yet to be created: they get the same ids every time.
                async with weft(self.pair, served, path, one_by_one=not twins) as runtime:
                    with recording() as made:
                        expect(await run_flow(runtime, "customers"), **wanted)
                    for sent in made.requests:
                        sent.in_flight = 1  # two systems are written to side by side, the floor knows no systems
                    self._filling = None if twins else (made, served.origins)
                    expect(await run_flow(runtime, "customers"))
            self._settled = path
        copy = self.fresh()
        shutil.copy(self._settled, copy)
        return copy

    @asynccontextmanager
    async def filled(self) -> AsyncIterator[Served]:
        """New systems that hold the same records on both sides. Where they cannot be made so, they are sent
        what weft sent when it settled them."""
        await self.settled()
        with self.pair.serve(self.size, self.size if self.pair.twins else 0) as served:
            if self._filling is not None:
                made, origins = self._filling
                async with weft(self.pair, served, self.fresh()) as runtime:
                    done = await self.floor(made, origins, served, runtime)
                if done.differing:
                    raise SystemExit(f"{done.differing} answers were others than the ones that settled both sides")
                for control in served.controls:
                    control.advance(3600)  # past the stamps that the settled state has seen
            yield served

    async def floor(self, made: Recording, origins: list[str], served: Served, runtime: Runtime) -> Floor:
        gc.collect()
        mapping = dict(zip(origins, served.origins, strict=True))
        ca_files = dict(zip(served.origins, served.ca_files, strict=True))
        return await replay(made, mapping, await credentials(runtime, self.pair), ca_files)

    # -- the cases

    async def read(self) -> Result:
        """Both sides read whole: fetched, parsed, mapped, fingerprinted; nothing stored."""
        measured = Measured()
        right = self.size if self.pair.twins else 0
        with self.pair.serve(self.size, right) as served:
            async with weft(self.pair, served, self.fresh()) as runtime:
                await _read(runtime)
                with recording() as measured.recording:
                    await _read(runtime)
                for _ in range(self.rounds):
                    measured.weft.append(await timed(lambda: _read(runtime)))
                    measured.floor.append(await self.floor(measured.recording, served.origins, served, runtime))
        return measured.result("read only", self.size + right, 0.6)

    async def unchanged(self) -> Result:
        """A sweep over both sides in which nothing has changed."""
        measured = Measured()

        async def pass_() -> dict[str, int]:
            return expect(await run_flow(runtime, "customers", sweep=True), unchanged=2 * self.size)

        right = self.size if self.pair.twins else 0
        with self.pair.serve(self.size, right) as served:
            async with weft(self.pair, served, await self.settled() if right else self.fresh()) as runtime:
                if not right:
                    expect(await run_flow(runtime, "customers"), created=self.size)
                await pass_()
                with recording() as measured.recording:
                    await pass_()
                for _ in range(self.rounds):
                    measured.weft.append(await timed(pass_))
                    measured.floor.append(await self.floor(measured.recording, served.origins, served, runtime))
        result = measured.result("no-change pass", 2 * self.size)
        result.aim, result.met = ">= 10000 records/s a core", result.records_per_core_second >= 10_000
        return result

    async def first(self) -> Result:
        """The first load into an empty system: everything is created there."""

        async def load(runtime: Runtime) -> dict[str, int]:
            return expect(await run_flow(runtime, "customers"), created=self.size, linked=self.size)

        return await self._writing("first load", load, aim=0.5)

    async def changed(self) -> Result:
        """2 % of the records were changed on each side, and nothing else."""
        edited: list[str] = []

        async def follow(runtime: Runtime) -> dict[str, int]:
            return expect(await run_flow(runtime, "customers"), updated=len(edited))

        def edit(served: Served) -> None:
            edited[:] = [key for keys in served.edit().values() for key in keys]

        result = await self._writing("2 % changed on both sides", follow, edit=edit)
        return result.counted(len(edited))

    async def latency(self) -> Result:
        """From the hint that a record has changed until the other side has it and the link is settled."""
        keys: list[str] = []
        taken: list[float] = []

        async def follow(runtime: Runtime) -> dict[str, int]:
            flow = await flow_of(runtime)
            [compiled] = [c for c in flow.left.mappings.values() if not c.mapping.optional][:1]
            place = (compiled.mapping.object.read, flow.left.companies[0])
            counts: dict[str, int] = {}
            for key in keys:
                begun = time.perf_counter()
                hint = Hint(place[0], key, place[1])
                await runtime.state.write(partial(_hint, flow.left.connection, hint))
                counts = expect(await run_flow(runtime, "customers", mode="keys"), updated=1)
                taken.append(time.perf_counter() - begun)
            return counts

        def edit(served: Served) -> None:
            keys[:] = served.edit(min(20, max(1, self.size // 50)))["left"]

        result = await self._writing("single record", follow, edit=edit)
        result.latency_ms = statistics.median(taken[-self.rounds * len(keys) :]) * 1000
        result.floor_latency_ms = result.floor_seconds / len(keys) * 1000
        return result.counted(len(keys))

    async def _writing(
        self,
        name: str,
        work: Callable[[Runtime], Awaitable[dict[str, int]]],
        *,
        edit: Callable[[Served], None] | None = None,
        aim: float | None = None,
    ) -> Result:
        """Each round starts with new systems, since this one changes them: an empty one on the right, or with
        ``edit`` two in agreement, which are then edited."""
        measured = Measured()

        async def fresh(stack: AsyncExitStack) -> Served:
            if edit is None:
                return stack.enter_context(self.pair.serve(self.size, 0))
            served = await stack.enter_async_context(self.filled())
            edit(served)
            return served

        for round_ in range(self.rounds + (self.rounds > 1)):
            async with AsyncExitStack() as stack:
                served = await fresh(stack)
                state = self.fresh() if edit is None else await self.settled()
                runtime = await stack.enter_async_context(weft(self.pair, served, state))
                if round_ == 0:
                    with recording() as measured.recording:
                        first = await timed(partial(work, runtime))
                    origins = served.origins
                    if self.rounds > 1:
                        continue  # it only warmed things up
                    measured.weft.append(first)
                else:
                    measured.weft.append(await timed(partial(work, runtime)))
            async with AsyncExitStack() as stack:
                served = await fresh(stack)
                runtime = await stack.enter_async_context(weft(self.pair, served, self.fresh()))
                measured.floor.append(await self.floor(measured.recording, origins, served, runtime))
        return measured.result(name, self.size, aim)


def _hint(connection: str, hint: Hint, tx: Tx) -> None:
    tx.hints.put_many("customers", connection, [hint], datetime.now(UTC))


async def _read(runtime: Runtime) -> dict[str, int]:
    flow = await flow_of(runtime)
    run = Run(runtime, flow, "verify", plan_only=True)
    for end in flow.ends():
        for company in end.companies:
            for compiled in end.mappings.values():
                async for caught, _, _ in scan(run, end, compiled, company):
                    run.counts["read"] += sum(one.canonical is not None for one in caught)
    return dict(run.counts)
