"""How each flow stands, and what holds it up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from weft.desk.showing import span
from weft.state.cursors import Cursor
from weft.state.runs import MOVING, Run
from weft.state.tx import Tx
from weft.sync.held import held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.config.loading import Config
    from weft.config.models import FlowConfig
    from weft.state.workers import Worker

FEW = 100_000
RUNS = 100
"""How far back a run is looked for."""


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
    from moving, empty when it moves. ``issues`` counts open ones by kind, ``links`` by state."""

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
    held: dict[str, str]
    workers: list[Worker]
    overdue: list[str]


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
    run = _last(tx, name)
    found.issues = {kind: n for (flow, kind), n in sorted(shared.issues.items()) if flow == name}
    for (entity, left, right, state), n in shared.links.items():
        if entity == config.entity and left == config.left and right in config.right:
            found.links[state] = found.links.get(state, 0) + n
    unsettled = [intent for intent in shared.unsettled if intent.flow == name]
    found.cursors = [_up_to(cursor) for cursor in tx.cursors.all(name)]
    agreed = _last(tx, name, "done")
    found.hints = shared.hints.get(name, 0)
    found.unsettled = len(unsettled)
    found.in_doubt = sum(intent.state == "in_doubt" for intent in unsettled)
    found.next_try = tx.issues.next_due(name)
    found.last_agreement = agreed.finished_at if agreed else None
    if run is not None:
        found.last_run = LastRun(run.id, run.mode, run.state, run.started_at, run.finished_at, run.error)
        found.counts = run.counts or {}
        found.state = run.state if config.enabled else "off"
        asked = [approval for approval in shared.approvals if approval.flow == name]
        found.blocker = _blocker(config, found, len(asked), _guard(tx, name), now)
    if config.enabled:
        found.blocker = _held_up(config, found, shared) or found.blocker
    return found


def _held_up(config: FlowConfig, found: FlowStatus, shared: Shared) -> str:
    """What keeps a running daemon from this flow; empty when nothing does."""
    if why := shared.held.get(found.flow):
        return f"{why}; weft resume lets it go on" if why.startswith("paused") else why
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


def _last(tx: Tx, name: str, state: str | None = None) -> Run | None:
    """The newest run that was to bring records into agreement: a plan or a person's work on links is none, nor is
    a hand lent to a first load."""
    runs = tx.runs.page(limit=RUNS, flow=name, state=state)
    return next((run for run in runs if run.mode in MOVING and run.mode != "portions"), None)


def _up_to(cursor: Cursor) -> ReadUpTo:
    return ReadUpTo(cursor.side, cursor.connection, cursor.company, cursor.mapping_variant, cursor.at)


def _guard(tx: Tx, name: str) -> str:
    stops = [issue for issue in tx.issues.page(flow=name, kind="approval") if issue.code == "guard"]
    return stops[0].reason if stops else ""


def _blocker(config: FlowConfig, found: FlowStatus, asked: int, guard: str, now: datetime) -> str:
    """The one thing that keeps the flow from moving, the most severe first; empty when it moves."""
    if not config.enabled:
        return "it is switched off (enabled: false)"
    if guard:
        return f"stopped by a guard: {guard}"
    if found.state == "down":
        return "a system did not answer in the last run; weft check says which"
    if found.state in ("failed", "stopped"):
        return f"the last run {found.state}; weft sync {found.flow} says why"
    if found.state == "running" and found.last_run is not None:
        age = span((now - found.last_run.started).total_seconds())
        return f"a run began {age} ago; if no weft process is running, it was cut off: run weft sync"
    if not found.cursors:
        return "its first load has not finished; weft sync begins it anew"
    if found.in_doubt:
        many = "1 write is" if found.in_doubt == 1 else f"{found.in_doubt} writes are"
        return f"{many} in doubt; the next run looks what became of them"
    if asked:
        many = "1 approval is" if asked == 1 else f"{asked} approvals are"
        return f"{many} asked for; weft issues list --kind approval"
    if found.issues:
        kind, count = max(found.issues.items(), key=lambda one: one[1])
        many = "1 record is" if count == 1 else f"{count} records are"
        return f"{many} {kind}; weft issues list {found.flow} --kind {kind}"
    return ""
