"""Issues: what can be done about records that need a person. The next run carries it out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from weft.config.watching import IssueKind
from weft.desk import editing
from weft.desk.action import Count, Number, Wanted, action
from weft.desk.causes import ids_of
from weft.desk.desk import Desk
from weft.desk.errors import NotPossible, NotThere
from weft.desk.typed import typed
from weft.errors import ConfigError
from weft.state.issues import Issue
from weft.state.requests import What
from weft.state.tx import Tx
from weft.state.types import dump
from weft.yamlpos import suggest

KINDS: tuple[IssueKind, ...] = get_args(IssueKind)
Choice = Literal["delete", "recreate", "unlink"]
CHOICES: tuple[Choice, ...] = ("delete", "recreate", "unlink")

Ids = list[Number]


class SomeIssues(Wanted):
    """Issues by id."""

    ids: Ids = Field(min_length=1, max_length=10_000)


class Retry(Wanted):
    """Issues by id, or open ones by what they have in common."""

    ids: Ids = Field(default_factory=list, max_length=10_000)
    all: bool = False
    flow: str | None = None
    kind: list[str] = Field(default_factory=list)
    entity: str | None = None
    cause: str | None = Field(default=None, description="key of a cause, as /causes gives it")
    text: str | None = Field(default=None, max_length=200)

    @model_validator(mode="after")
    def _either(self) -> Retry:
        picked = self.all or self.flow or self.kind or self.entity or self.text or self.cause
        if bool(self.ids) == bool(picked):
            raise ValueError("give ids, or all, flow, kind, entity, cause or text")
        return self


def _picked(tx: Tx, wanted: Retry) -> Sequence[int]:
    ids = tx.issues.ids(flow=wanted.flow, kind=wanted.kind or None, entity=wanted.entity, text=wanted.text)
    if wanted.cause is None:
        return ids
    same = set(ids_of(tx, wanted.cause))
    return [id for id in ids if id in same]


class Approve(SomeIssues):
    """``seen``: for each of the ids the ``mark`` of what was looked at, as ``/issues/{id}`` gives it; what has
    changed since is refused."""

    seen: list[str] = Field(default_factory=list, max_length=10_000)

    @model_validator(mode="after")
    def _each(self) -> Approve:
        if self.seen and len(self.seen) != len(self.ids):
            raise ValueError("give one seen for each of ids, or none")
        return self


def mark(issue: Issue) -> str:
    """Tells what an issue asks for apart from what it asked for before."""
    return hashlib.sha256(dump(issue.payload).encode()).hexdigest()[:16]


class Edit(Wanted):
    """Values to send instead: field -> text, read as the field's type; null or "" empties it."""

    id: Number
    values: dict[str, str | None] = Field(min_length=1)


class Edited(Wanted):
    """The values as they will be sent. ``stays``: fields that the flow does not write back to the record they are given
    for, so that its two sides differ until one of them is corrected."""

    id: int
    values: dict[str, Any]
    stays: list[str]


class Skip(SomeIssues):
    reason: str = Field(min_length=1, max_length=1000)


class Refuse(SomeIssues):
    reason: str = Field(default="refused", min_length=1, max_length=1000)


class Decide(Wanted):
    id: Number
    choice: Choice


class Decided(Wanted):
    id: int
    choice: str


@action("issues.retry")
async def retry(desk: Desk, wanted: Retry) -> Count:
    """Try records again with the next run: those with the ids, or all open ones that the rest picks.

    A create whose answer was lost and that cannot be looked up is only sent again when its id is given:
    look in the system first.
    """
    if wanted.flow is not None:
        desk.config.flow(wanted.flow)
    now = desk.now

    def write(tx: Tx) -> int:
        for id in wanted.ids:
            if unsearchable(is_open(get(tx, id))):
                tx.issues.edit(id, {"retry": True}, now)
        return tx.issues.retry(wanted.ids or _picked(tx, wanted), now)

    return Count(count=await desk.state.write(write))


@action("issues.edit")
async def edit(desk: Desk, wanted: Edit) -> Edited:
    """Send other values than the record has: once, with the next try.

    They come back to the record, where the flow may write there.
    """
    runtime, now = desk.runtime(), desk.now

    def write(tx: Tx) -> Edited:
        issue = is_open(get(tx, wanted.id))
        if not sends(issue):
            raise NotPossible(
                f"issue {issue.id} ({issue.kind}) is not about values that are to be sent; {advice(issue)}"
            )
        given = _typed(wanted.values, runtime.catalogue.get(issue.entity))
        stays = editing.stays(runtime, issue, given)
        tx.issues.edit(issue.id, {**(issue.edited or {}), **given}, now)
        return Edited(id=wanted.id, values=given, stays=stays)

    return await desk.state.write(write)


def sends(issue: Issue) -> bool:
    """Is an issue about values on their way to a system?"""
    payload = issue.payload if isinstance(issue.payload, dict) else {}
    if issue.kind == "failed":
        return issue.code != "locked" and bool(issue.error or payload.get("fields"))
    return issue.kind == "waiting"


def _typed(values: dict[str, str | None], entity: Any) -> dict[str, Any]:
    """:raises ConfigError: an unknown field, or a value that is not of the field's type."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        field = entity.field(name)
        if field is None:
            raise ConfigError(f"{entity.name} has no field {name!r}{suggest(name, list(entity.fields))}")
        found[name] = typed(field, value or "")
    return found


@action("issues.skip")
async def skip(desk: Desk, wanted: Skip) -> Count:
    """Close issues without syncing the record; a later change of the record opens a new one."""
    now, reason = desk.now, f"{wanted.reason} (by {desk.by})"

    def write(tx: Tx) -> int:
        for id in wanted.ids:
            issue = is_open(get(tx, id))
            if issue.kind == "approval":  # its question would stay open
                raise NotPossible(f"issue {id} waits for an approval; {advice(issue)}")
        return tx.issues.close_many(wanted.ids, at=now, reason=reason, state="skipped")

    return Count(count=await desk.state.write(write))


@action("issues.approve")
async def approve(desk: Desk, wanted: Approve) -> Count:
    """Allow, once, what an approval rule or a guard has stopped; the next run does it.

    It holds for the values that are asked for now: where they change before they are written, it is asked anew.
    """
    return await _answer(desk, wanted.ids, "granted", seen=wanted.seen)


@action("issues.refuse")
async def refuse(desk: Desk, wanted: Refuse) -> Count:
    """Refuse what waits for an approval; it is closed and not written."""
    return await _answer(desk, wanted.ids, "refused", wanted.reason)


async def _answer(
    desk: Desk, ids: Sequence[int], answer: Literal["granted", "refused"], reason: str = "", seen: Sequence[str] = ()
) -> Count:
    by, now = desk.by, desk.now
    marks = dict(zip(ids, seen, strict=False))

    def write(tx: Tx) -> int:
        for id in ids:
            issue = is_open(get(tx, id))
            if marks.get(id, mark(issue)) != mark(issue):
                raise NotPossible(f"issue {id}: what is asked for has changed since you looked; look at it again")
            subject = issue.payload.get("subject") if isinstance(issue.payload, dict) else None
            if issue.kind != "approval" or not subject:
                raise NotPossible(f"issue {id} is {issue.kind}, it waits for no approval; {advice(issue)}")
            if not tx.guards.answer(issue.flow, str(subject), answer, by, now):
                raise NotPossible(
                    f"issue {id}: the question is no longer open; run weft sync {issue.flow} to ask again"
                )
            if answer == "refused":
                tx.issues.close_many([id], at=now, reason=f"{reason} (by {by})", state="skipped")
            elif issue.key and issue.side:
                tx.issues.retry([id], now)
            else:  # a guard stopped the whole flow: no record is to be looked at again, the flow goes on
                tx.issues.close_many([id], at=now, reason=f"approved by {by}")
                _go_on(tx, issue, by, now)
        return len(ids)

    return Count(count=await desk.state.write(write))


@action("issues.decide")
async def decide(desk: Desk, wanted: Decide) -> Decided:
    """Say what becomes of the counterpart of a record that was deleted.

    delete: delete it too; recreate: make the deleted one again; unlink: keep it and forget the link.
    """
    now = desk.now

    def write(tx: Tx) -> None:
        issue = is_open(get(tx, wanted.id))
        if issue.kind != "delete":
            raise NotPossible(f"issue {issue.id} is {issue.kind}, not about a deleted record; {advice(issue)}")
        tx.issues.edit(issue.id, {"choice": wanted.choice}, now)

    await desk.state.write(write)
    return Decided(id=wanted.id, choice=wanted.choice)


def _go_on(tx: Tx, issue: Issue, by: str, now: datetime) -> None:
    """A daemon takes up soon what a guard has stopped, not at the flow's next turn."""
    if any(worker.carries_jobs for worker in tx.workers.alive()):
        stopped = tx.runs.get(issue.run) if issue.run is not None else None
        what: What = "sweep" if stopped is not None and stopped.mode == "sweep" else "sync"
        tx.requests.put(issue.flow, what, by=by, at=now)


# -- shared ----------------------------------------------------------------------------------------


def get(tx: Tx, id: int) -> Issue:
    """An issue by id. :raises NotThere: there is none."""
    issue = tx.issues.get(id)
    if issue is None:
        raise NotThere(f"there is no issue {id}; weft issues lists those that are open")
    return issue


def is_open(issue: Issue) -> Issue:
    """The issue, if it still is open. :raises NotPossible: what closed it."""
    if issue.state != "open":
        raise NotPossible(f"issue {issue.id} is {issue.state} already: {issue.closed_reason or 'no reason was given'}")
    return issue


def unsearchable(issue: Issue) -> bool:
    """A create in doubt that no key finds: a person who names the issue says that it did not happen."""
    return issue.code == "in_doubt" and issue.choices == ["retry"]


def advice(issue: Issue) -> str:
    """What a person can do about an issue, as commands."""
    if issue.state != "open":
        return "nothing is left to do"
    by_kind = {
        "conflict": f"weft conflicts resolve {issue.id} --all left|right, or --field NAME=left|right",
        "delete": f"weft issues decide {issue.id} {'|'.join(CHOICES)}",
        "approval": f"weft issues approve {issue.id}, or weft issues refuse {issue.id}",
        "ambiguous": f"merge the duplicates, or: weft links add {issue.flow} LEFT-KEY RIGHT-KEY",
        "waiting": f"it goes on by itself once what it waits for is linked; weft issues retry {issue.id} tries at once",
        "invisible": f"give weft's user the right to read the record, then: weft issues retry {issue.id}",
        "review": f"put right in the systems what the reason says, then: weft issues retry {issue.id}",
        "config": f"change the configuration as the reason says, then: weft issues retry {issue.id}",
    }
    if issue.code == "rerouted":
        return f"change the record back, or let it move by: weft links remove {issue.link_id}"
    if unsearchable(issue):
        return (
            f"look in the system. Is the record there: weft links add {issue.flow} LEFT-KEY RIGHT-KEY. "
            f"Is it not: weft issues retry {issue.id}"
        )
    edit = f"weft issues edit {issue.id} FIELD=VALUE, " if sends(issue) else ""
    other = (
        f"correct the record in its system, or: {edit}"
        f"weft issues retry {issue.id}, weft issues skip {issue.id} --reason …"
    )
    return by_kind.get(issue.kind, other)
