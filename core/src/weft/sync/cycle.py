"""The sync cycle: which flows run, in which order, and what one run of a flow consists of.

A run settles what earlier runs left in doubt, then captures changes on every end (or stages both sides
whole, the first time), then looks again at records somebody hinted at or whose issue is due. Each page
goes through :mod:`weft.sync.pipeline`. Flows run in the order of their references, and once more for
whatever a link that appeared has woken.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Literal, TypeVar

from weft.errors import EndpointDown, StateError, WeftError
from weft.logscope import about
from weft.meter import Meter
from weft.state.runs import PASSES
from weft.state.runs import Run as RunRow
from weft.state.workers import LeaseLost
from weft.sync.changes import changes, followed, is_new, sweep_all, sweep_due
from weft.sync.first import first_load, lend_a_hand
from weft.sync.flow import build
from weft.sync.guards import GuardStop
from weft.sync.held import FlowHeld, held
from weft.sync.parents import Parents
from weft.sync.pending import hinted, leftovers, pending, reading, recheck, retry_due
from weft.sync.pipeline import Pipeline
from weft.sync.rates import require_same_base
from weft.sync.run import Held, Mode, Planned, Progress, Run

if TYPE_CHECKING:
    from weft.records import Lane
    from weft.runtime import Runtime
    from weft.state.tx import Tx

ROUNDS = 4
"""How often flows are run again within one sync for records that were woken by others."""

BATCH = 500

T = TypeVar("T")
State = Literal["done", "issues", "stopped", "failed", "down", "lost"]


@dataclass(slots=True)
class Report:
    """What one run of a flow came to. ``error`` is set for stopped, failed and down."""

    flow: str
    run: str
    state: State
    counts: dict[str, int]
    started: datetime
    finished: datetime
    error: str = ""
    exit_code: int = 0
    planned: list[Planned] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    busy: bool = False
    """Nothing was done: another pass over the flow is under way."""


async def sync(
    runtime: Runtime,
    names: Sequence[str] | None = None,
    *,
    sweep: bool = False,
    plan_only: bool = False,
    progress: Progress | None = None,
) -> list[Report]:
    """Run flows (all that are enabled, by default) until nothing more wakes up; one report a run.

    A flow that fails does not stop the others; its report tells.
    """
    flows = [name for name, config in runtime.config.flows.items() if config.enabled]
    if names:
        for name in names:
            runtime.config.flow(name)
        flows = list(names)
    order = await ordered(runtime, flows)
    reports = [await run_flow(runtime, name, sweep=sweep, plan_only=plan_only, progress=progress) for name in order]
    if plan_only:
        return reports
    broken = {report.flow for report in reports if report.state in ("failed", "down", "stopped")}
    for _ in range(ROUNDS):
        woken = await _woken(runtime)
        again = [name for name in order if name in woken and name not in broken]
        if not again:
            break
        for name in again:
            report = await run_flow(runtime, name, mode="keys", progress=progress)
            reports.append(report)
            if report.state in ("failed", "down", "stopped"):
                broken.add(name)
    return reports


async def ordered(runtime: Runtime, names: Sequence[str]) -> list[str]:
    """Flows in the order of their references; a circle keeps the order of the configuration."""
    entities: dict[str, list[str]] = defaultdict(list)
    for name in names:
        entities[runtime.config.flow(name).entity].append(name)
    graph: dict[str, set[str]] = {}
    for name in names:
        config = runtime.config.flow(name)
        wanted: set[str] = set()
        for connection in config.between:
            try:
                for compiled in runtime.mappings(connection, config.entity).values():
                    wanted |= compiled.links()
            except WeftError:
                continue  # the flow's own run reports what is wrong with it
        graph[name] = {parent for entity in wanted for parent in entities.get(entity, ()) if parent != name}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:
        return _least_blocked(list(names), graph)


def _least_blocked(names: list[str], graph: dict[str, set[str]]) -> list[str]:
    """Order with circles: whoever waits for the fewest that have not run yet goes next."""
    order: list[str] = []
    left = list(names)
    while left:
        best = min(left, key=lambda name: (len(graph[name] & set(left)), names.index(name)))
        order.append(best)
        left.remove(best)
    return order


async def _woken(runtime: Runtime) -> set[str]:
    now = runtime.clock.now()

    def read(tx: Tx) -> set[str]:
        return set(tx.hints.counts()) | {issue.flow for issue in tx.issues.due(now, limit=10_000)}

    return await runtime.state.read(read)


async def run_flow(
    runtime: Runtime,
    name: str,
    *,
    mode: Mode | None = None,
    lane: Lane = "bulk",
    sweep: bool = False,
    plan_only: bool = False,
    progress: Progress | None = None,
) -> Report:
    """One run of one flow, start to finish. Never raises for the systems' or the user's errors.

    ``mode`` None: what changed, or everything where that is due. ``hints``: only what was hinted at in the lane;
    ``due``: only what waits for a time that has come, and what earlier runs left; ``keys``: all of these;
    ``portions``: a part of the first load that another worker has staged. Passes over a flow do not overlap;
    ``hints``, ``due`` and ``portions`` run beside them.

    :raises LeaseLost: another worker has taken this one over.
    """
    started = runtime.clock.now()
    alone = mode not in ("hints", "due", "portions") and not plan_only
    lock = await runtime.state.try_lock(f"flow:{name}") if alone else None
    if lock is None and alone:
        words = await runtime.state.read(lambda tx: _under_way(tx, name))
        return Report(name, "", "stopped", {}, started, started, words, 1, busy=True)
    try:
        try:
            flow = await build(runtime, name)
            await require_same_base(runtime, flow)
        except Exception as error:  # whatever is wrong with one flow, the others go on
            state, text, code = _judged(runtime, name, error)
            id = "" if plan_only else await _never_began(runtime, name, mode or "changes", started, state, text)
            return Report(name, id, state, {}, started, runtime.clock.now(), text, code)
        run = Run(runtime, flow, mode or "changes", plan_only, progress, lane=lane, lock=lock)
        return await _guarded(run, mode, sweep)
    finally:
        if lock is not None:
            lock.release()


def _under_way(tx: Tx, name: str) -> str:
    """Who else is at a flow, since when, and what to do."""
    run = next((run for run in reversed(tx.runs.running(name)) if run.mode in PASSES), None)
    if run is None:
        return f"{name} is already running"
    worker = tx.workers.get(run.worker) if run.worker is not None else None
    by = f" by process {worker.pid} on {worker.host}" if worker is not None else ""
    since = f"{run.started_at:%Y-%m-%d %H:%M} UTC"
    return f"{name} is already running{by}, since {since}; try again when weft status {name} says that it has ended"


async def _never_began(runtime: Runtime, name: str, mode: Mode, started: datetime, state: State, text: str) -> str:
    """A run that ended before its flow was made is kept as well: people and alerts learn of it there."""
    row = RunRow(uuid.uuid4().hex, name, mode, started, worker=runtime.state.worker)
    ended = runtime.clock.now()

    def write(tx: Tx) -> None:
        tx.runs.start(row)
        tx.runs.finish(row.id, state, ended, {}, error=text)

    with runtime.meter.run(name, mode, row.id) as span:
        await runtime.state.write(write)
        span.note(state=state, mode=mode)
    return row.id


async def _guarded(run: Run, mode: Mode | None, sweep: bool) -> Report:
    state: State = "done"
    error_text, code = "", 0
    meter = Meter() if run.plan_only else run.runtime.meter
    with about(run=run.id, flow=run.flow.name), meter.run(run.flow.name, run.mode, run.id) as span:
        if not run.plan_only:
            await _start(run)
        try:
            await _steps(run, mode, sweep)
        except LeaseLost:
            raise
        except Exception as error:  # a defect in a connector stops its flow, not the others
            state, error_text, code = _judged(run.runtime, run.flow.name, error)
        except BaseException:
            await _finish(run, "lost", 1)  # cut off: what it leaves is for the next run
            raise
        if not run.plan_only:
            code = await _finish(run, state, code, error_text)
            state = "issues" if state == "done" and code else state
        span.note(state=state, mode=run.mode)
        run.tell()
    return Report(
        run.flow.name, run.id, state, dict(run.counts), run.started, run.now, error_text, code, run.planned, run.held
    )


async def _start(run: Run) -> None:
    row = RunRow(run.id, run.flow.name, run.mode, run.started, worker=run.runtime.state.worker)
    await _told(run, lambda tx: tx.runs.start(row))


async def _told(run: Run, write: Callable[[Tx], T]) -> T:
    """Write where a run stands. Where that fails it is put right later: else the run would seem to go on."""
    try:
        return await run.runtime.state.write(write)
    except StateError:
        run.runtime.state.adrift.run(run.id)
        raise


async def _turns_out(run: Run, mode: Mode) -> None:
    run.mode = mode
    if not run.plan_only:
        await run.runtime.state.write(lambda tx: tx.runs.begin(run.id, mode))


def _judged(runtime: Runtime, flow: str, error: Exception) -> tuple[State, str, int]:
    """What an error makes of a run: its state, the text for people, the exit code."""
    words = runtime.redactor(str(error))
    if isinstance(error, GuardStop):
        return "stopped", words, error.exit_code
    if isinstance(error, FlowHeld):
        return "lost", words, error.exit_code
    if isinstance(error, WeftError):
        return "down" if isinstance(error, EndpointDown) else "failed", words, error.exit_code
    runtime.log.error("flow %s failed", flow, exc_info=error)
    return "failed", runtime.redactor(f"{type(error).__name__}: {error}"), 1


async def _finish(run: Run, state: State, code: int, error: str = "") -> int:
    def write(tx: Tx) -> bool:
        if state == "done":
            _drop_guard_questions(run, tx)
        open_issues = any(flow == run.flow.name for flow, _ in tx.issues.counts())
        final = "issues" if state == "done" and open_issues else state
        lags = dict(run.lags)
        tx.runs.finish(run.id, final, run.now, dict(run.counts), lags=lags, error=error)
        return open_issues

    open_issues = await _told(run, write)
    return max(code, 1 if open_issues else 0)


def _drop_guard_questions(run: Run, tx: Tx) -> None:
    """A guard asked, and a run that began since has passed it: the cause is gone, and so is the question."""
    kinds = {"sweep": ("deletes", "changes", "creates"), "changes": ("changes", "creates")}.get(run.mode, ())
    for asked in tx.guards.approvals(run.flow.name, ("asked",)):
        if asked.at < run.started and asked.subject in {f"guard:{kind}" for kind in kinds}:
            tx.guards.withdraw(run.flow.name, asked.subject)
            tx.issues.close_for(
                run.flow.name, "", "", "", "", [asked.subject], at=run.now, reason="no longer more than allowed"
            )


async def _steps(run: Run, mode: Mode | None, sweep: bool) -> None:
    pipeline = _pipeline(run)
    if mode == "hints":
        await hinted(run, pipeline, run.lane)
        return
    if mode == "portions":
        await lend_a_hand(run, pipeline)
        return
    await leftovers(run, pipeline)
    if mode == "due":
        await retry_due(run, pipeline)
        return
    if mode != "keys":
        if await is_new(run):
            await _turns_out(run, "first")
            await first_load(run, pipeline)
        elif sweep or await sweep_due(run):
            await _turns_out(run, "sweep")
            await sweep_all(run, pipeline)
            if not run.plan_only:
                await recheck(run)
        else:
            await changes(run, pipeline)
            await followed(run, pipeline)
    await pending(run, pipeline)


def _pipeline(run: Run) -> Pipeline:
    return Pipeline(run, Parents(run, _fetch_parents))


async def _fetch_parents(child: Run, flow_name: str, connection: str, object_name: str, keys: list[str]) -> int:
    """Bring parents into agreement inside their child's run; returns how many were looked at."""
    runtime = child.runtime
    config = {flow_name: runtime.config.flow(flow_name)}

    def hindered(tx: Tx) -> bool:
        return tx.runs.loading(flow_name) or bool(held(config, tx, child.now))

    if await runtime.state.read(hindered):
        return 0  # they are on their way, or must not move now
    flow = await build(runtime, flow_name)
    await require_same_base(runtime, flow)
    run = Run(runtime, flow, "keys", lane=child.lane, depth=child.depth + 1)
    found = reading(flow, connection, object_name)
    if found is None:
        return 0
    await _start(run)
    end, mappings = found
    pipeline = _pipeline(run)
    state: State = "failed"
    try:
        for compiled in mappings:
            for company in end.companies:
                await pipeline.keys(end, compiled, company, keys)
        state = "done"
    finally:
        await _finish(run, state, 0)
    child.excluded_parents.update(run.excluded_parents)
    return run.counts.total()
