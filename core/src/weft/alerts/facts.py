"""What is wrong right now, read off the state in one look."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim
from sqlalchemy import func, select

from weft.config.windows import open_again
from weft.state.pauses import ALL
from weft.state.runs import AGREED
from weft.state.tables import issues as issue_table

if TYPE_CHECKING:
    from weft.config.loading import Config
    from weft.config.models import FlowConfig
    from weft.state.issues import Issue
    from weft.state.tx import Tx

SAMPLES = 5
"""Records of a kind that a message names."""
HORIZON = timedelta(days=7)
"""So long a worker that died and was never replaced is spoken of."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One record: what people call it, its key, the system, and what that said."""

    label: str
    key: str
    connection: str
    words: str


@dataclass(frozen=True, slots=True)
class OpenIssues:
    """Open issues of one kind in a flow, the oldest from ``since``."""

    flow: str
    kind: str
    count: int
    since: datetime
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class Failing:
    """Runs of a flow that failed one after the other; ``down`` is the system that did not answer, if that is why."""

    flow: str
    count: int
    since: datetime
    words: str
    down: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker that died and that no later one replaced."""

    worker: str
    host: str
    pid: int
    since: datetime
    alive: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """A brake that holds a flow until a person approves."""

    flow: str
    subject: str
    since: datetime
    words: str


@dataclass(frozen=True, slots=True)
class Silent:
    """A flow that should have come to an end again after ``due``; ``last`` is when one did, ``since`` from when on
    its silence counts."""

    flow: str
    due: datetime
    last: datetime | None
    since: datetime


@dataclass(slots=True)
class Facts:
    """``silent`` holds every flow with its due time, whether that has come or not."""

    now: datetime
    issues: list[OpenIssues] = field(default_factory=list)
    failing: list[Failing] = field(default_factory=list)
    silent: list[Silent] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    stopped: list[Stopped] = field(default_factory=list)


def gather(tx: Tx, config: Config, now: datetime, watched_since: datetime) -> Facts:
    """One look. ``watched_since`` stands in for the last agreement of a flow that never ran."""
    facts = Facts(now, lost=_lost(tx, now))
    facts.issues, facts.stopped = _issues(tx)
    paused = {pause.flow for pause in tx.pauses.active(now)}
    freed = _freed(tx)
    for name, flow in config.flows.items():
        if not flow.enabled:
            continue
        failing = tx.runs.failing(name)
        if failing:
            words = failing[0].error or ""
            down = (_system(words, config) or f"a system of {name}") if failing[0].state == "down" else ""
            first = failing[-1].finished_at or failing[-1].started_at
            facts.failing.append(Failing(name, len(failing), first, words, down))
        if name in paused or ALL in paused:
            continue
        last = tx.runs.last_ended(name, AGREED)
        due = _due(flow, max([last or watched_since, *(freed[one] for one in (name, ALL) if one in freed)]))
        if due is not None:
            due = _outside(flow, due)
            # A turn at a time of the clock has only begun then: it is silent from then on, not since the one before.
            since = due if last is None or flow.cron is not None else last
            facts.silent.append(Silent(name, due, last, since))
    return facts


def _freed(tx: Tx) -> dict[str, datetime]:
    """When the last pause of a flow (``*``: of all) ended, for those that had one."""
    found: dict[str, datetime] = {}
    for pause in tx.pauses.all():  # newest first
        ends = [at for at in (pause.resumed_at, pause.until) if at is not None]
        if ends:
            found[pause.flow] = max(min(ends), found.get(pause.flow, min(ends)))
    return found


def _outside(flow: FlowConfig, due: datetime) -> datetime:
    """The due time, put off by a blackout window that holds then: it has its time once that is over."""
    opens = open_again(flow.blackout, due.astimezone(ZoneInfo(flow.timezone)))
    if not flow.blackout or opens is None or opens <= due:
        return due
    return _due(flow, opens.astimezone(due.tzinfo)) or due


def _issues(tx: Tx) -> tuple[list[OpenIssues], list[Stopped]]:
    found, stopped = [], []
    since = select(issue_table.c.flow, issue_table.c.kind, func.min(issue_table.c.opened_at))
    since = since.where(issue_table.c.state == "open").group_by(issue_table.c.flow, issue_table.c.kind)
    oldest = {(flow, kind): at for flow, kind, at in tx.connection.execute(since)}
    for (flow, kind), count in sorted(tx.issues.counts().items()):
        guards = tx.issues.page(flow=flow, kind=kind, code="guard") if kind == "approval" else []
        page = tx.issues.page(flow=flow, kind=kind, limit=SAMPLES + len(guards))
        stopped += [Stopped(flow, one.key.removeprefix("guard:"), one.opened_at, one.reason) for one in guards]
        others = [_sample(issue) for issue in page if issue.code != "guard"][:SAMPLES]
        if count > len(guards):
            at = oldest.get((flow, kind), page[0].opened_at)
            found.append(OpenIssues(flow, kind, count - len(guards), at, tuple(others)))
    return found, stopped


def _sample(issue: Issue) -> Sample:
    said = str((issue.error or {}).get("message") or "")
    return Sample(issue.label, issue.key, issue.connection, said or issue.reason)


def _due(flow: FlowConfig, last: datetime) -> datetime | None:
    """When the flow should have come to an end again, by its own schedule; None: it has none."""
    if flow.every is not None:
        return last + 2 * flow.every
    if flow.cron is not None:
        return next(CronSim(flow.cron, last.astimezone(ZoneInfo(flow.timezone)))).astimezone(last.tzinfo)
    if flow.on is not None and flow.sweep is not None:
        return last + flow.sweep
    return None


def _system(words: str, config: Config) -> str:
    """The connection that an error of :mod:`weft.net` begins with; a connector's own words may not say it."""
    name = words.partition(":")[0]
    return name if name in config.connections else ""


def _lost(tx: Tx, now: datetime) -> list[Lost]:
    """Daemons that died and were not replaced; a command that was cut off is none, and none replaces one."""
    alive = [worker for worker in tx.workers.alive() if worker.carries_jobs]
    newest = max((worker.started_at for worker in alive), default=None)
    overdue = set(tx.workers.overdue())
    found = []
    for worker in tx.workers.all():
        died = worker.carries_jobs and (worker.id in overdue or worker.taken_by is not None)
        replaced = newest is not None and newest > worker.heartbeat_at
        if died and not replaced and now - worker.heartbeat_at < HORIZON:
            found.append(Lost(worker.id, worker.host, worker.pid, worker.heartbeat_at, len(alive)))
    return found
