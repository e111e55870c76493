"""The sync cycle: which flows run, in which order, and what one run of a flow consists of.

A run settles what earlier runs left in doubt, then captures changes on every end (or stages both sides
whole, the first time), then looks again at records somebody hinted at or whose issue is due. Each page
goes through :mod:`weft.sync.pipeline`. Flows run in the order of their references, and once more for
whatever a link that appeared has woken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Literal

from weft.errors import EndpointDown, WeftError
from weft.records import Query, Side
from weft.state.cursors import Cursor
from weft.state.runs import Run as RunRow
from weft.sync import deletes
from weft.sync.first import first_load
from weft.sync.flow import Flow, build
from weft.sync.guards import GuardStop
from weft.sync.parents import Parents
from weft.sync.pipeline import Pipeline
from weft.sync.run import Mode, Planned, Progress, Run
from weft.sync.settle import Settlement
from weft.sync.work import other

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.runtime import Runtime
    from weft.state.hints import PendingHint
    from weft.state.issues import Issue
    from weft.state.links import Link
    from weft.state.tx import Tx
    from weft.sync.flow import End

ROUNDS = 4
"""How often flows are run again within one sync for records that were woken by others."""

BATCH = 500

State = Literal["done", "issues", "stopped", "failed", "down"]


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
    sweep: bool = False,
    plan_only: bool = False,
    progress: Progress | None = None,
) -> Report:
    """One run of one flow, start to finish. Never raises for the systems' or the user's errors."""
    started = runtime.clock.now()
    lock = await runtime.state.try_lock(f"flow:{name}") if not plan_only else None
    if lock is None and not plan_only:
        return Report(name, "", "stopped", {}, started, started, f"{name} is already running", 1)
    try:
        try:
            flow = await build(runtime, name)
        except WeftError as error:
            return Report(
                name,
                "",
                "down" if isinstance(error, EndpointDown) else "failed",
                {},
                started,
                runtime.clock.now(),
                str(error),
                error.exit_code,
            )
        run = Run(runtime, flow, mode or "changes", plan_only, progress, lock=lock)
        return await _guarded(run, mode, sweep)
    finally:
        if lock is not None:
            lock.release()


async def _guarded(run: Run, mode: Mode | None, sweep: bool) -> Report:
    state: State = "done"
    error_text, code = "", 0
    row = RunRow(run.id, run.flow.name, "plan" if run.plan_only else run.mode, run.started)
    if not run.plan_only:
        await run.runtime.state.write(lambda tx: tx.runs.start(row))
    try:
        await _steps(run, mode, sweep)
    except GuardStop as error:
        state, error_text, code = "stopped", str(error), error.exit_code
    except EndpointDown as error:
        state, error_text, code = "down", str(error), error.exit_code
    except WeftError as error:
        state, error_text, code = "failed", str(error), error.exit_code
    except Exception as error:  # a defect in a connector stops its flow, not the others
        run.runtime.log.exception("flow %s failed", run.flow.name)
        state, error_text, code = "failed", f"{type(error).__name__}: {error}", 1
    if not run.plan_only:
        code = await _finish(run, state, code)
        state = "issues" if state == "done" and code else state
    return Report(run.flow.name, run.id, state, dict(run.counts), run.started, run.now, error_text, code, run.planned)


async def _finish(run: Run, state: State, code: int) -> int:
    def write(tx: Tx) -> bool:
        open_issues = any(flow == run.flow.name for flow, _ in tx.issues.counts())
        final = "issues" if state == "done" and open_issues else state
        tx.runs.finish(run.id, final, run.now, dict(run.counts), mode=run.mode)
        return open_issues

    open_issues = await run.runtime.state.write(write)
    return max(code, 1 if open_issues else 0)


async def _steps(run: Run, mode: Mode | None, sweep: bool) -> None:
    pipeline = _pipeline(run)
    await _leftovers(run, pipeline)
    if mode != "keys":
        if await _is_new(run):
            run.mode = "first"
            await first_load(run, pipeline)
        elif sweep or await _sweep_due(run):
            run.mode = "sweep"
            await _sweep(run, pipeline)
        else:
            await _changes(run, pipeline)
            await _followed(run, pipeline)
    await _pending(run, pipeline)


def _pipeline(run: Run) -> Pipeline:
    return Pipeline(run, Parents(run, _fetch_parents))


# -- what earlier runs left ------------------------------------------------------------------------


async def _leftovers(run: Run, pipeline: Pipeline) -> None:
    """Intents of a run that ended before it settled: find out what became of them, first of all."""
    if run.plan_only:
        return
    flow = run.flow

    def take(tx: Tx) -> list[tuple[Side, str, str, str, str, str]]:
        tx.intents.doubt_sent(flow.name)
        return [
            (
                other(i.side),
                i.payload["right_connection"],
                i.payload["right_company"],
                i.payload["far_variant"],
                i.source_key,
                i.company,
            )
            for i in tx.intents.unsettled(flow.name)
        ]

    groups: dict[tuple[Side, str, str, str], list[str]] = defaultdict(list)
    for side, connection, company, variant, key, _ in await run.runtime.state.write(take):
        groups[side, connection, company if side == "right" else "", variant].append(key)
    for (side, connection, company, variant), keys in groups.items():
        end = flow.left if side == "left" else flow.rights.get(connection)
        if end is None or variant not in end.mappings:
            continue
        place = company if side == "right" else end.companies[0]
        for at in range(0, len(keys), BATCH):
            await pipeline.keys(end, end.mappings[variant], place, keys[at : at + BATCH])


# -- capture ---------------------------------------------------------------------------------------


async def _is_new(run: Run) -> bool:
    """Has the flow never finished a first load?"""
    known = await run.runtime.state.read(lambda tx: tx.cursors.all(run.flow.name))
    return not known


async def _sweep_due(run: Run) -> bool:
    """Has the time between sweeps that the flow asks for gone by?"""
    every = run.flow.config.sweep
    if every is None or run.plan_only:
        return False

    def last(tx: Tx) -> datetime | None:
        done = [
            row
            for mode in ("sweep", "first")
            for row in tx.runs.page(flow=run.flow.name, mode=mode, state=("done", "issues"), limit=1)
        ]
        return max((row.started_at for row in done), default=None)

    swept = await run.runtime.state.read(last)
    return swept is None or run.now - swept >= every


async def _changes(run: Run, pipeline: Pipeline) -> None:
    for end in run.flow.ends():
        for company in end.companies:
            for compiled in end.mappings.values():
                await _changes_of(run, pipeline, end, company, compiled)


async def _changes_of(run: Run, pipeline: Pipeline, end: End, company: str, compiled: CompiledMapping) -> None:
    variant = compiled.mapping.variant
    name = run.flow.name
    known = await run.runtime.state.read(lambda tx: tx.cursors.get(name, end.side, end.connection, company, variant))
    if known is None:
        # A company or variant that was added to the flow later: all of it is new.
        await _scan(run, pipeline, end, company, compiled, mark=False)
        return
    overlap = run.flow.config.overlap
    seconds = None if overlap is None else overlap.total_seconds()
    query = Query("changes", compiled.mapping, company=company, cursor=known.value, overlap=seconds)
    async for page in run.pages(end, query):
        if page.expired:
            await _scan(run, pipeline, end, company, compiled, mark=False)
            return
        cursor = None
        if page.cursor is not None:
            cursor = Cursor(name, end.side, end.connection, company, variant, page.cursor, run.now)
        if page.suspects:  # before the cursor passes them: they are not told again
            await pipeline.keys(end, compiled, company, page.suspects)
        await pipeline.page(end, compiled, company, page.records, cursor=cursor)


async def _scan(run: Run, pipeline: Pipeline, end: End, company: str, compiled: CompiledMapping, *, mark: bool) -> None:
    """Every record of one place through the cycle; marks their links when a sweep wants to know."""
    query = Query("scan", compiled.mapping, company=company)
    async for page in run.pages(end, query):
        cursor = None
        if page.cursor is not None:
            cursor = Cursor(
                run.flow.name, end.side, end.connection, company, compiled.mapping.variant, page.cursor, run.now
            )
        await pipeline.page(end, compiled, company, page.records, cursor=cursor)
        if mark and not run.plan_only:
            await _mark(run, end, company, [record.key for record in page.records])


async def _mark(run: Run, end: End, company: str, keys: Sequence[str]) -> None:
    flow = run.flow
    connections = list(flow.rights) if end.side == "left" else [end.connection]

    def write(tx: Tx) -> None:
        for connection in connections:
            heads = tx.links.heads(flow.entity.name, flow.left.connection, connection, end.side, None, company, keys)
            tx.links.mark([head.id for found in heads.values() for head in found], run.epoch)

    await run.runtime.state.write(write)


async def _sweep(run: Run, pipeline: Pipeline) -> None:
    """Read both sides whole: what no timestamp shows comes to light, and what is missing is asked for."""
    sides: tuple[Side, Side] = ("left", "right")
    for turn, side in enumerate(sides):
        run.epoch = 2 * (int(run.started.timestamp()) - 1_700_000_000) + turn
        for end in run.flow.ends():
            if end.side != side:
                continue
            for company in end.companies:
                for compiled in end.mappings.values():
                    await _scan(run, pipeline, end, company, compiled, mark=True)
        if not run.plan_only:
            await deletes.unseen(run, side, run.epoch)


async def _followed(run: Run, pipeline: Pipeline) -> None:
    """Records whose system changes them without a trace are read by key while the mapping says so."""
    flow = run.flow
    if not any(c.follow is not None for end in flow.ends() for c in end.mappings.values()):
        return
    for connection in flow.rights:
        after = 0
        while True:

            def read(tx: Tx, after: int = after, connection: str = connection) -> list[Link]:
                return tx.links.page(
                    after,
                    BATCH,
                    entity=flow.entity.name,
                    follow=True,
                    left_connection=flow.left.connection,
                    right_connection=connection,
                )

            links = await run.runtime.state.read(read)
            if not links:
                break
            after = links[-1].id
            await _read_followed(run, pipeline, links)


async def _read_followed(run: Run, pipeline: Pipeline, links: Sequence[Link]) -> None:
    groups: dict[tuple[Side, str, str, str], list[str]] = defaultdict(list)
    for link in links:
        left = run.flow.left.mappings.get(link.left_variant)
        right = run.flow.rights[link.right_connection].mappings.get(link.right_variant)
        if left is not None and left.follow is not None:
            groups["left", link.left_connection, link.left_company, link.left_variant].append(link.left_key)
        if right is not None and right.follow is not None:
            groups["right", link.right_connection, link.right_company, link.right_variant].append(link.right_key)
    for (side, connection, company, variant), keys in groups.items():
        end = run.flow.end(side, connection)
        query = Query("keys", end.mappings[variant].mapping, company=company, keys=keys)
        async for page in run.pages(end, query):
            await pipeline.page(end, end.mappings[variant], company, page.records)


# -- hints and issues ------------------------------------------------------------------------------


async def _pending(run: Run, pipeline: Pipeline) -> None:
    """Records that events, people or other runs asked to be looked at again."""
    if run.plan_only:
        return
    seen: set[tuple[str, str, str, str]] = set()
    while True:
        hints = await run.runtime.state.read(lambda tx: tx.hints.peek(run.flow.name, BATCH))
        fresh = [h for h in hints if (h.connection, h.object, h.company, h.key) not in seen]
        if not fresh:
            break
        seen.update((h.connection, h.object, h.company, h.key) for h in fresh)
        await _hinted(run, pipeline, fresh)
    issues = await run.runtime.state.read(lambda tx: tx.issues.due(run.now, run.flow.name, 5_000))
    await _retry(run, pipeline, issues)


async def _hinted(run: Run, pipeline: Pipeline, hints: Sequence[PendingHint]) -> None:
    groups: dict[tuple[str, str, str], list[PendingHint]] = defaultdict(list)
    for hint in hints:
        groups[hint.connection, hint.company, hint.object].append(hint)
    for (connection, company, object_name), group in groups.items():
        keys = [hint.key for hint in group if hint.key]
        found = _reading(run.flow, connection, object_name)
        if found is not None:
            end, mappings = found
            places = [company] if company else list(end.companies)
            for compiled in mappings:
                for place in places:
                    if keys:
                        await pipeline.keys(end, compiled, place, keys)
                    if len(keys) < len(group):
                        await _scan(run, pipeline, end, place, compiled, mark=False)
        await run.runtime.state.write(partial(_drop_hints, group))


def _drop_hints(hints: Sequence[PendingHint], tx: Tx) -> None:
    tx.hints.done(hints)


def _postpone(issues: Sequence[int], until: datetime, tx: Tx) -> None:
    tx.issues.schedule_many([(issue, until) for issue in issues])


def _reading(flow: Flow, connection: str, object_name: str) -> tuple[End, list[CompiledMapping]] | None:
    """The end and the mappings that read an object."""
    for end in flow.ends():
        if end.connection == connection:
            mappings = [c for c in end.mappings.values() if c.mapping.object.read == object_name]
            if mappings:
                return end, mappings
    return None


async def _retry(run: Run, pipeline: Pipeline, issues: Sequence[Issue]) -> None:
    """Look again at records whose issue is due. A next try that fails renews the issue."""
    groups: dict[tuple[Side, str, str, str], list[Issue]] = defaultdict(list)
    for issue in issues:
        if issue.kind == "delete" and issue.edited:
            await _delete_decided(run, pipeline, issue)
        elif issue.key and issue.side:
            side: Side = "left" if issue.side == "left" else "right"
            groups[side, issue.connection, issue.company, issue.object].append(issue)
    for (_, connection, company, object_name), group in groups.items():
        found = _reading(run.flow, connection, object_name)
        ids = [issue.id for issue in group]
        later = run.now + run.flow.config.retry.longest
        await run.runtime.state.write(partial(_postpone, ids, later))
        if found is None:
            continue
        end, mappings = found
        for compiled in mappings:
            await pipeline.keys(end, compiled, company, [issue.key for issue in group])


async def _delete_decided(run: Run, pipeline: Pipeline, issue: Issue) -> None:
    """A person said what happens to the counterpart of a deleted record."""
    link = None
    if issue.link_id is not None:
        link = await run.runtime.state.read(lambda tx: tx.links.get(issue.link_id or 0))
    settlement = Settlement(run)
    if link is not None:
        gone: Side = "left" if link.state == "left_gone" else "right"
        hint = await deletes.decided(run, link, str(issue.edited.get("choice")), gone, settlement)
        if hint is not None:
            connection = link.right_connection if gone == "left" else link.left_connection
            settlement.hints.append((connection, hint))
    await settlement.commit()
    await run.runtime.state.write(
        lambda tx: tx.issues.close_many([issue.id], at=run.now, reason=f"decided: {issue.edited}")
    )


async def _fetch_parents(child: Run, flow_name: str, connection: str, object_name: str, keys: list[str]) -> int:
    """Bring parents into agreement inside their child's run; returns how many were looked at."""
    runtime = child.runtime
    lock = await runtime.state.try_lock(f"flow:{flow_name}")
    if lock is None:
        return 0
    try:
        flow = await build(runtime, flow_name)
        run = Run(runtime, flow, "keys", lock=lock, depth=child.depth + 1)
        found = _reading(flow, connection, object_name)
        if found is None:
            return 0
        row = RunRow(run.id, flow_name, "keys", run.started)
        await runtime.state.write(lambda tx: tx.runs.start(row))
        end, mappings = found
        pipeline = _pipeline(run)
        for compiled in mappings:
            for company in end.companies:
                await pipeline.keys(end, compiled, company, keys)
        await _finish(run, "done", 0)
        child.excluded_parents.update(run.excluded_parents)
        return run.counts.total()
    finally:
        lock.release()
