"""How each flow stands, and what holds it up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from weft.desk.showing import span
from weft.state.cursors import Cursor
from weft.state.runs import AGREED, MOVING, PASSES, Run
from weft.state.tx import Tx
from weft.sync.held import held
from weft.sync.schedule import next_turn, scheduled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.config.loading import Config
    from weft.config.models import FlowConfig
    from weft.state.workers import Worker
    from weft.sync.held import Held

FEW = 100_000
RUNS = 100
"""How far back a run is looked for."""
LONGEST = 400
"""Characters of an error that a blocker repeats."""
STATES = {
    "conflict": "in conflict", "review": "to be looked at", "delete": "deleted on one side",
    "config": "kept back by the configuration", "approval": "waiting for approval",
}  # fmt: skip
"""What a record is that has an issue of a kind, where the kind's name does not say it."""
LATE = timedelta(minutes=5)
"""So long after its turn a flow is told to be late, when no daemon is up."""


@dataclass(slots=True)
class LastRun:
    """``error``: what stopped it."""

    id: str
    mode: str
    state: str
    started: datetime
    finished: datetime | None
    error: str | None = None


@dataclass(slots=True)
class ReadUpTo:
    """Up to when one side's changes have been read."""

    side: str
    connection: str
    company: str
    variant: str
    at: datetime


@dataclass(slots=True)
class FlowStatus:
    """``state``: never ran, off, or that of the last run. ``blocker`` is the one thing that keeps the flow
    from moving, empty when it moves. ``last_agreement`` is when a run last came to its end: all agreed but for what
    has an open issue. ``issues`` counts open ones by kind, ``links`` by state."""

    state: str
    entity: str
    between: list[str]
    last_run: LastRun | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    issues: dict[str, int] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=dict)
    cursors: list[ReadUpTo] = field(default_factory=list)
    hints: int = 0
    unsettled: int = 0
    in_doubt: int = 0
    next_try: datetime | None = None
    last_agreement: datetime | None = None
    blocker: str = ""
    flow: str = ""


@dataclass(slots=True)
class Shared:
    """What one query answers for all flows."""

    issues: dict[tuple[str, str], int]
    hints: dict[str, int]
    links: dict[tuple[str, str, str, Any], int]
    unsettled: list[Any]
    approvals: list[Any]
    held: dict[str, Held]
    workers: list[Worker]
    overdue: list[str]
    turns: dict[str, datetime]

    @property
    def daemons(self) -> bool:
        """Is a ``weft run`` up?"""
        return any(worker.carries_jobs for worker in self.workers)


def statuses(
    config: Config, tx: Tx, names: Sequence[str], now: datetime, links: dict[Any, int] | None = None
) -> list[FlowStatus]:
    """Every flow's status. ``links``: counts taken before, where counting anew would take too long."""
    shared = Shared(
        tx.issues.counts(),
        tx.hints.counts(),
        tx.links.counts() if links is None else links,
        tx.intents.unsettled(limit=FEW),
        tx.guards.approvals(),
        held(config.flows, tx, now),
        tx.workers.alive(),
        tx.workers.overdue(),
        tx.schedules.all(),
    )
    return [_status(config.flows[name], tx, name, now, shared) for name in names]


def idle(config: FlowConfig, name: str) -> FlowStatus:
    """A flow that has not run yet."""
    blocker = "it is switched off (enabled: false)" if not config.enabled else "it never ran; start it with weft sync"
    return FlowStatus(
        "never ran" if config.enabled else "off", config.entity, list(config.between), blocker=blocker, flow=name
    )


def _status(config: FlowConfig, tx: Tx, name: str, now: datetime, shared: Shared) -> FlowStatus:
    found = idle(config, name)
    run = _telling(tx, name)
    found.issues = {kind: n for (flow, kind), n in sorted(shared.issues.items()) if flow == name}
    for (entity, left, right, state), n in shared.links.items():
        if entity == config.entity and left == config.left and right in config.right:
            found.links[state] = found.links.get(state, 0) + n
    unsettled = [intent for intent in shared.unsettled if intent.flow == name]
    found.cursors = [_up_to(cursor) for cursor in tx.cursors.all(name)]
    found.last_agreement = tx.runs.last_ended(name, AGREED)
    found.hints = shared.hints.get(name, 0)
    found.unsettled = len(unsettled)
    found.in_doubt = sum(intent.state == "in_doubt" for intent in unsettled)
    found.next_try = tx.issues.next_due(name)
    if run is not None:
        found.last_run = LastRun(run.id, run.mode, run.state, run.started_at, run.finished_at, run.error)
        found.counts = run.counts or {}
        found.state = run.state if config.enabled else "off"
        asked = [approval for approval in shared.approvals if approval.flow == name]
        ended = run if run.finished_at is not None else _telling(tx, name, ended=True)
        found.blocker = _blocker(config, found, ended, len(asked), _guard(tx, name), shared, now)
    elif config.enabled and shared.daemons:
        found.blocker = _to_begin(config, name, shared.turns.get(name), now)
    if config.enabled:
        found.blocker = _held_up(config, found, shared) or found.blocker
    return found


def _to_begin(config: FlowConfig, name: str, turn: datetime | None, now: datetime) -> str:
    """A daemon is up and the flow has not run yet."""
    if not scheduled(config):
        return f"it has no every, cron or on: weft run leaves it alone, weft sync {name} runs it"
    first = next_turn(config, turn or now) if config.cron is not None else None
    when = f"at {first:%Y-%m-%d %H:%M} UTC" if first is not None else "when the worker has room for it"
    return f"it has not run yet; its first load begins {when}"


def _held_up(config: FlowConfig, found: FlowStatus, shared: Shared) -> str:
    """What keeps a running daemon from this flow; empty when nothing does."""
    if why := shared.held.get(found.flow):
        return str(why)
    if not shared.workers:
        if shared.overdue and found.hints:
            return f"{found.hints} hints wait and no worker is alive: the last one ended without a word; start weft run"
        return ""
    loading = found.last_run is not None and found.last_run.mode == "first" and found.last_run.finished is None
    if loading and found.last_run is not None:
        return (
            f"its first load is under way, since {found.last_run.started:%Y-%m-%d %H:%M} UTC; live changes wait for it"
        )
    for worker in shared.workers:
        told = worker.info or {}
        for name in config.between:
            seconds = float(told.get("connections", {}).get(name, {}).get("held_for", 0))
            if seconds > 0:
                return f"{name} asked for a pause; {seconds:.0f} s of it are left"
        if (found.hints or found.unsettled) and told.get("state"):
            return f"worker {worker.id[:8]} on {worker.host} cannot look at its state: {told['state']}"
    return ""


def troubles(workers: Sequence[Worker]) -> dict[str, str]:
    """By connection: what workers told of it that keeps no flow from moving, but somebody should know."""
    found: dict[str, str] = {}
    for worker in workers:
        for name, problem in ((worker.info or {}).get("pushes") or {}).items():
            found[name] = f"does not push changes, so flows find them by their schedule alone: {problem}"
    return found


def _telling(tx: Tx, name: str, *, ended: bool = False) -> Run | None:
    """The run that says how a flow stands: its newest, but a pass that failed goes on to count while single records
    get through beside it. ``ended``: of those that came to an end."""
    last = _last(tx, name, ended=ended)
    if last is None or last.mode in PASSES or last.state not in ("done", "issues", "running"):
        return last
    return tx.runs.failed_pass(name) or last


def _last(tx: Tx, name: str, *, ended: bool = False) -> Run | None:
    """The newest run that was to bring records into agreement: a plan or a person's work on links is none, nor is
    a hand lent to a first load. ``ended``: the newest that came to an end."""
    runs = tx.runs.page(limit=RUNS, flow=name)
    moving = (run for run in runs if run.mode in MOVING and run.mode != "portions")
    return next((run for run in moving if run.finished_at is not None or not ended), None)


def _up_to(cursor: Cursor) -> ReadUpTo:
    return ReadUpTo(cursor.side, cursor.connection, cursor.company, cursor.mapping_variant, cursor.at)


def _guard(tx: Tx, name: str) -> str:
    """What a brake that waits for a person said, and how to let it go."""
    stops = tx.issues.page(flow=name, kind="approval", code="guard", limit=1)
    return f"{stops[0].reason}; weft issues approve {stops[0].id} lets it go on once" if stops else ""


def _blocker(
    config: FlowConfig, found: FlowStatus, ended: Run | None, asked: int, guard: str, shared: Shared, now: datetime
) -> str:
    """The one thing that keeps the flow from moving, the most severe first; empty when it moves. ``ended``: the last
    run that came to an end; while a system is away, another one is under way most of the time."""
    if not config.enabled:
        return "it is switched off (enabled: false)"
    if guard:
        return f"stopped by a guard: {guard}"
    if found.state == "running" and found.last_run is not None and not shared.workers:
        age = span((now - found.last_run.started).total_seconds())
        return f"a run began {age} ago; if no weft process is running, it was cut off: start weft run, or run weft sync"
    words, state = (_words(ended.error), ended.state) if ended is not None else ("", found.state)
    again = "; another run is under way" if found.state == "running" else ""
    if state == "down":
        return f"a system did not answer in the last run{words or '; weft check says which'}{again}"
    if state == "failed":
        return f"the last run failed{words or f'; weft sync {found.flow} says why'}{again}"
    if state == "stopped" and not again:
        return "a guard stopped the last run and has been answered; the next run goes on"
    if state == "lost" and not again and not shared.daemons:
        return f"the last run was cut off{words.removeprefix(': cut off')}; weft sync {found.flow} goes on from there"
    if not found.cursors and found.state != "running":
        whoever = "the next run" if shared.daemons else f"weft sync {found.flow}"
        return f"its first load has not finished; {whoever} begins it anew"
    if late := _late(config, found, shared, now):
        return late
    if found.in_doubt:
        many = "1 write is" if found.in_doubt == 1 else f"{found.in_doubt} writes are"
        return f"{many} in doubt; the next run looks what became of them"
    if asked:
        many = "1 approval is" if asked == 1 else f"{asked} approvals are"
        return f"{many} asked for; weft issues list {found.flow} --kind approval"
    if found.issues:
        kind, count = max(found.issues.items(), key=lambda one: (one[0] != "waiting", one[1]))
        many = "1 record is" if count == 1 else f"{count} records are"
        return f"{many} {STATES.get(kind, kind)}; weft issues list {found.flow} --kind {kind}"
    return ""


def _words(error: str | None) -> str:
    """What stopped a run, as the rest of a sentence."""
    text = " ".join((error or "").split())
    return f": {text[:LONGEST]}{'…' if len(text) > LONGEST else ''}" if text else ""


def _late(config: FlowConfig, found: FlowStatus, shared: Shared, now: datetime) -> str:
    """A flow that runs by itself, and nobody is up to run it."""
    if shared.daemons or found.last_run is None or not scheduled(config):
        return ""
    last = max(found.last_run.started, shared.turns.get(found.flow, found.last_run.started))
    turn = next_turn(config, last)
    if turn is None or now - turn < LATE:
        return ""
    return f"its turn came {span((now - turn).total_seconds())} ago and no weft run is up to take it: start weft run"
