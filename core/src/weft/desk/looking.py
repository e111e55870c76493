"""What people look up: the overview, issues, links, the journal, runs."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from weft import __version__
from weft.desk import causes as causing
from weft.desk import links as linked
from weft.desk.action import Number, Wanted, question
from weft.desk.causes import Cause
from weft.desk.desk import Desk
from weft.desk.errors import NotThere
from weft.desk.issues import get, mark
from weft.desk.journal import Filter
from weft.desk.status import FlowStatus, statuses, troubles
from weft.state.aliases import Alias
from weft.state.issues import Issue
from weft.state.journal import Entry
from weft.state.links import ChildLink, Link
from weft.state.pauses import ALL, Pause
from weft.state.proofs import Proof
from weft.state.requests import Request
from weft.state.runs import Run
from weft.state.tx import Tx
from weft.state.workers import Worker
from weft.sync.held import blackout

COUNTED_FOR = timedelta(seconds=60)
"""How long counts of all links are used before they are counted anew."""
WAIT = 0.3
"""Seconds that a page waits for them."""
AGAIN = 20
"""What took long is used for so many times as long."""


class Nothing(Wanted):
    """No parameters."""


class One(Wanted):
    id: Number


# -- overview --------------------------------------------------------------------------------------


@dataclass(slots=True)
class FlowView:
    """A flow, the pause or the blackout window that holds it if any, what was asked of it and its latest proof
    (without result)."""

    status: FlowStatus
    pause: Pause | None
    blackout: str
    requests: list[Request]
    proof: Proof | None


@dataclass(slots=True)
class ConnectionView:
    """``live``: by worker, what it last told of the connection: limit, requests, token, errors. ``problem`` is what
    somebody should know of it though flows go on, such as changes it does not push."""

    name: str
    kind: str
    flows: list[str]
    live: dict[str, dict[str, Any]]
    problem: str = ""


@dataclass(slots=True)
class Overview:
    version: str
    state: str
    at: datetime
    flows: list[FlowView]
    connections: list[ConnectionView]
    workers: list[Worker]
    paused: Pause | None
    """The pause of all flows."""


@question("/status")
async def overview(desk: Desk, wanted: Nothing) -> Overview:
    """How each flow stands and what holds it up, the connections, the workers."""
    now, config = desk.now, desk.config
    links = await _link_counts(desk, now)

    def read(tx: Tx) -> Overview:
        found = statuses(config, tx, list(config.flows), now, links)
        pauses = {pause.flow: pause for pause in tx.pauses.active(now)}
        waiting, proofs, workers = tx.requests.waiting(), tx.proofs.latest(), tx.workers.alive()
        for proof in proofs.values():
            proof.result = None
        flows = [
            FlowView(
                one,
                pauses.get(one.flow) or pauses.get(ALL),
                str(blackout(config.flows[one.flow], now) or ""),
                [asked for asked in waiting if asked.flow == one.flow],
                proofs.get(one.flow),
            )
            for one in found
        ]
        place = str(desk.state.place)
        return Overview(__version__, place, now, flows, _connections(desk, workers), workers, pauses.get(ALL))

    return await desk.state.read(read)


async def _link_counts(desk: Desk, now: datetime) -> dict[Any, int]:
    """Counts of links a moment old. Counting millions takes longer than anybody waits: until it is done the
    last counts serve, or none."""
    counted = desk.memory.get("link counts")
    if counted is not None and now - counted[0] < COUNTED_FOR:
        return dict(counted[1])
    done = asyncio.Event()

    async def count() -> None:
        try:
            counts = await desk.state.read(lambda tx: tx.links.counts())
            desk.memory["link counts"] = (now, counts)
        finally:
            desk.memory.pop("counting links", None)
            done.set()

    if "counting links" not in desk.memory:
        desk.memory["counting links"] = (now, None)
        desk.later(count())
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), WAIT)
    return dict(desk.memory.get("link counts", (now, {}))[1])


def _connections(desk: Desk, workers: list[Worker]) -> list[ConnectionView]:
    found, problems = [], troubles(workers)
    for name, connection in desk.config.connections.items():
        live = {w.id: dict(told) for w in workers if (told := ((w.info or {}).get("connections") or {}).get(name))}
        flows = [flow for flow, config in desk.config.flows.items() if name in config.between]
        found.append(ConnectionView(name, connection.kind, flows, live, problems.get(name, "")))
    return found


# -- issues ----------------------------------------------------------------------------------------


class Issues(Wanted):
    """``cause``: key of a cause. ``after``: ``next`` of the page before."""

    flow: str | None = None
    kind: list[str] = Field(default_factory=list)
    entity: str | None = None
    text: str | None = Field(default=None, max_length=200)
    cause: str | None = None
    state: Literal["open", "closed", "skipped", "all"] = "open"
    after: Number = 0
    limit: int = Field(default=100, ge=1, le=1000)


@dataclass(frozen=True, slots=True)
class IssuePage:
    items: list[Issue]
    next: int | None


@question("/issues")
async def issues(desk: Desk, wanted: Issues) -> IssuePage:
    """Issues, oldest first."""

    def read(tx: Tx) -> list[Issue]:
        ids = None
        if wanted.cause is not None:
            ids = [id for id in causing.ids_of(tx, wanted.cause) if id > wanted.after][: wanted.limit + 1]
        return tx.issues.page(
            after_id=wanted.after, limit=wanted.limit + 1, flow=wanted.flow, kind=wanted.kind or None,
            entity=wanted.entity, text=wanted.text, ids=ids,
            state=None if wanted.state == "all" else wanted.state,
        )  # fmt: skip

    found = await desk.state.read(read)
    items = found[: wanted.limit]
    return IssuePage(items, items[-1].id if len(found) > wanted.limit else None)


class Causes(Wanted):
    flow: str | None = None
    kind: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CauseList:
    items: list[Cause]


@question("/causes")
async def causes(desk: Desk, wanted: Causes) -> CauseList:
    """Open issues by what caused them, the cause with most records first."""
    key = f"causes of {wanted.flow} {sorted(wanted.kind)}"
    known = desk.memory.get(key)
    if known is not None and desk.now < known[0]:
        return CauseList(known[1])
    began = time.monotonic()
    found = await desk.state.read(lambda tx: causing.causes(tx, wanted.flow, wanted.kind))
    took = time.monotonic() - began
    if took > WAIT:  # many thousands of issues: not again for every page that is looked at
        desk.memory[key] = (desk.now + timedelta(seconds=AGAIN * took), found)
    return CauseList(found)


@dataclass(frozen=True, slots=True)
class IssueDetail:
    """``history``: the last journal entries of the record. ``mark`` stands for what the issue asks for; an approval
    that says it (``seen``) holds for nothing else."""

    issue: Issue
    mark: str
    cause: str
    history: list[Entry]


@question("/issues/{id}")
async def issue(desk: Desk, wanted: One) -> IssueDetail:
    """One issue: the reason in the system's own words, values, choices, and the record's story."""

    def read(tx: Tx) -> IssueDetail:
        found = get(tx, wanted.id)
        cause = causing.cause_of(found.flow, found.kind, found.code, found.connection, found.reason)
        history: list[Entry] = []
        if found.link_id is not None:
            history = tx.journal.page(link_id=found.link_id, limit=10)
        elif found.key:
            history = tx.journal.page(key=found.key, flow=found.flow, limit=10)
        return IssueDetail(found, mark(found), cause.key, history)

    return await desk.state.read(read)


# -- links -----------------------------------------------------------------------------------------


class Links(Wanted):
    """``key``: the key of a record on either side, else the beginning of one; then there is no next page."""

    flow: str | None = None
    key: str | None = Field(default=None, max_length=400)
    state: list[str] = Field(default_factory=list)
    after: Number = 0
    limit: int = Field(default=100, ge=1, le=1000)


@dataclass(frozen=True, slots=True)
class LinkPage:
    items: list[linked.LinkBrief]
    next: int | None


@question("/links")
async def links(desk: Desk, wanted: Links) -> LinkPage:
    """Links in order of id; those with exactly this key, or else those whose key begins so."""
    states = [state for state in wanted.state if state in linked.STATES]

    def read(tx: Tx) -> list[Link]:
        if wanted.key:
            found = linked.by_key(tx, desk.config, wanted.flow, wanted.key, wanted.limit)
            return [link for link in found if not states or link.state in states]
        given: dict[str, Any] = {"state": states or None}
        if wanted.flow is not None:
            of = desk.config.flow(wanted.flow)
            given |= {"entity": of.entity, "left_connection": of.left}
            if len(of.right) == 1:
                given["right_connection"] = of.right[0]
        return tx.links.page(wanted.after, wanted.limit + 1, **given)

    found = await desk.state.read(read)
    items = found[: wanted.limit]
    more = len(found) > wanted.limit and not wanted.key
    return LinkPage([linked.brief(link) for link in items], items[-1].id if more else None)


@dataclass(frozen=True, slots=True)
class LinkDetail:
    """Bases are what each side held when they last agreed; ``going`` names fields that go back and forth."""

    link: linked.LinkBrief
    flow: str
    left_base: dict[str, Any]
    right_base: dict[str, Any]
    lines: list[ChildLink]
    aliases: list[Alias]
    issues: list[Issue]
    going: list[str]
    history: list[Entry]


@question("/links/{id}")
async def link(desk: Desk, wanted: One) -> LinkDetail:
    """One link: both ends, what they last agreed on, lines, former names, issues, story."""
    from weft.sync.work import Base

    def read(tx: Tx) -> LinkDetail:
        found = linked.get(tx, wanted.id)
        flips = tx.quarantine.get_many([found.id]).get(found.id, {})
        return LinkDetail(
            linked.brief(found),
            linked.flow_of(desk.config, found),
            Base.read(found.left_base).fields,
            Base.read(found.right_base).fields,
            tx.links.children([found.id]).get(found.id, []),
            tx.aliases.of(found.id),
            tx.issues.page(link_id=found.id),
            [name for name, flip in flips.items() if flip.quarantined],
            tx.journal.page(link_id=found.id, limit=20),
        )

    return await desk.state.read(read)


# -- journal and runs ------------------------------------------------------------------------------


class Entries(Filter):
    before: Number | None = Field(default=None, description="`next` of the page before")
    limit: int = Field(default=100, ge=1, le=1000)


@dataclass(frozen=True, slots=True)
class EntryPage:
    items: list[Entry]
    next: int | None


@question("/journal")
async def journal(desk: Desk, wanted: Entries) -> EntryPage:
    """Journal entries, newest first. ``/api/v1/journal.csv`` and ``journal.jsonl`` give all of them, oldest first."""
    found = await desk.state.read(
        lambda tx: tx.journal.page(before_id=wanted.before, limit=wanted.limit + 1, **wanted.columns(tx))
    )
    items = found[: wanted.limit]
    return EntryPage(items, items[-1].id if len(found) > wanted.limit else None)


class Runs(Wanted):
    """``before``: ``next`` of the page before."""

    flow: str | None = None
    state: list[str] = Field(default_factory=list)
    mode: str | None = None
    before: str | None = None
    limit: int = Field(default=50, ge=1, le=500)


@dataclass(frozen=True, slots=True)
class RunPage:
    """Plans are left out; one run shows its own."""

    items: list[Run]
    next: str | None


@question("/runs")
async def runs(desk: Desk, wanted: Runs) -> RunPage:
    """Runs, newest first."""

    def read(tx: Tx) -> list[Run]:
        before = None
        if wanted.before is not None:
            last = tx.runs.get(wanted.before)
            if last is None:
                raise NotThere(f"there is no run {wanted.before!r} to go on from")
            before = (last.started_at, last.id)
        return tx.runs.page(
            before=before, limit=wanted.limit + 1, flow=wanted.flow, state=wanted.state or None, mode=wanted.mode
        )

    found = await desk.state.read(read)
    items = found[: wanted.limit]
    return RunPage(items, items[-1].id if len(found) > wanted.limit else None)


class OneRun(Wanted):
    id: str


@question("/runs/{id}")
async def run(desk: Desk, wanted: OneRun) -> Run:
    """One run with its counts and, of the mode ``plan``, what it would write."""
    found = await desk.state.read(lambda tx: tx.runs.get(wanted.id))
    if found is None:
        raise NotThere(f"there is no run {wanted.id!r}")
    return found
