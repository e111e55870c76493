"""Deliver: write what was decided, in batches, and never create anything twice.

Before a create is sent, its intent is on disk with weft's own key. An answer that got lost leaves the
intent *in doubt*; :mod:`weft.sync.doubt` finds out what became of it before anything is repeated. Each
item of a batch has its own outcome; a failed item never takes the others with it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from weft.errors import EndpointDown
from weft.model.values import Fields
from weft.net.fence import fenced
from weft.records import (
    Canonical,
    Error,
    Item,
    LineChange,
    Mapped,
    Outcome,
    Problem,
    Side,
)
from weft.state.intents import Intent
from weft.state.workers import LeaseLost
from weft.sync import recall
from weft.sync.notes import Notes
from weft.sync.reference_rows import create_rows
from weft.sync.work import Work, other

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.state.tx import Tx
    from weft.sync.flow import End
    from weft.sync.run import Run


@dataclass(slots=True)
class Delivery:
    """One write: what is sent for a work to one side, and what came of it."""

    work: Work
    side: Side
    op: str
    fields: Fields
    changes: list[LineChange] = field(default_factory=list)
    actions: tuple[str, ...] = ()
    intent: Intent | None = None
    item: Item | None = None
    problems: list[Problem] = field(default_factory=list)
    outcome: Outcome | None = None
    instead: Fields = field(default_factory=dict)
    """What would have been sent of fields that a person gave another value for."""

    @property
    def company(self) -> str:
        work = self.work
        if self.side == "right":
            return work.target.company
        return work.link.left_company if work.link is not None else work.pair.flow.left.companies[0]

    @property
    def compiled(self) -> CompiledMapping:
        return self.work.pair.mapping(self.side)

    @property
    def end(self) -> End:
        return self.work.pair.end(self.side)

    @property
    def object(self) -> str:
        """The system's object that is written."""
        if self.item is not None and self.item.object:
            return self.item.object
        mapped = self.compiled.mapping.object
        return mapped.to_create if self.op == "create" else mapped.to_update

    @property
    def source_key(self) -> str:
        """The key of the record the values come from."""
        caught = self.work.half(other(self.side)).caught
        return caught.record.key if caught is not None else ""

    @property
    def creates(self) -> bool:
        """Does it make the system create anything?"""
        return self.op == "create" or any(change.op == "create" for change in self.changes)


async def deliver(run: Run, deliveries: Sequence[Delivery]) -> Exception | None:
    """Fill in the outcome of every delivery. Returns the error that stopped the writing, if one did.

    Deliveries with problems get none: they are not sent.
    """
    mapped = [d for d in deliveries if d.op in ("create", "update")]
    await _map(run, mapped)
    for delivery in deliveries:
        if delivery.op not in ("create", "update"):
            _bare_item(delivery)
    ready = [d for d in deliveries if d.item is not None]
    if run.plan_only or not ready:
        return None
    await _open_intents(run, ready)
    groups: dict[tuple[Side, str, str, str, str], list[Delivery]] = defaultdict(list)
    for delivery in ready:
        variant = delivery.compiled.mapping.variant
        groups[delivery.side, delivery.end.connection, delivery.company, variant, delivery.op].append(delivery)
    tasks = []
    for group in groups.values():
        size = max(1, min(group[0].end.max_batch, run.flow.config.batch or group[0].end.max_batch))
        tasks += [_send(run, group[at : at + size]) for at in range(0, len(group), size)]
    # Every batch comes to its end, whatever happens to another: nothing may be written after the run.
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if isinstance(error, LeaseLost) or (isinstance(error, BaseException) and not isinstance(error, Exception)):
            raise error
    return next((error for error in ended if isinstance(error, Exception)), None)


async def _map(run: Run, deliveries: Sequence[Delivery]) -> None:
    groups: dict[tuple[Side, str, str, str], list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        variant = delivery.compiled.mapping.variant
        groups[delivery.side, delivery.end.connection, delivery.company, variant].append(delivery)
    for group in groups.values():
        for delivery in group:
            _name(run, delivery)
        await _map_group(run, group)
        if not run.plan_only:
            await _with_new_rows(run, group)


async def _map_group(run: Run, group: Sequence[Delivery]) -> None:
    first = group[0]
    outgoing = [_outgoing(delivery) for delivery in group]
    own_keys = [delivery.intent.own_key if delivery.intent else None for delivery in group]
    sources = [_full(delivery) for delivery in group]
    mapped = await run.map_out(first.end, first.compiled, first.company, outgoing, own_keys, sources)
    for delivery, out, result in zip(group, outgoing, mapped, strict=True):
        _item(delivery, out, result)


async def _with_new_rows(run: Run, group: Sequence[Delivery]) -> None:
    """Create reference rows that are missing, where the mapping says so, and map those records again."""
    lacking = [d for d in group if any(p.code == "create_reference" for p in d.problems)]
    if not lacking:
        return
    wanted = {
        (p.entity, p.key) for d in lacking for p in d.problems if p.code == "create_reference" and p.entity and p.key
    }
    failed = await create_rows(run, group[0].end, group[0].company, wanted)
    await _map_group(run, lacking)
    for delivery in lacking:
        delivery.problems = [
            replace(p, message=f"{p.message}, and creating it failed: {failed[p.entity or '', p.key or '']}")
            if (p.entity or "", p.key or "") in failed
            else p
            for p in delivery.problems
        ]


def _outgoing(delivery: Delivery) -> Canonical:
    work, compiled = delivery.work, delivery.compiled
    caught = work.half(delivery.side).caught
    creating = delivery.op == "create"
    return Canonical(
        compiled.entity.name,
        compiled.mapping.object.to_create if creating else compiled.mapping.object.to_update,
        "" if creating or caught is None else caught.record.key,
        delivery.fields,
        company=delivery.company,
        variant=compiled.mapping.variant,
        version=None if creating or caught is None else caught.record.version,
        changes=delivery.changes,
    )


def _full(delivery: Delivery) -> Canonical:
    """The record as it will be: for expressions that need more than the fields being sent."""
    work = delivery.work
    source = work.half(other(delivery.side)).canonical
    base = work.half(delivery.side).canonical or source
    if base is None:
        raise LookupError("a delivery needs a record on one side")
    fields = {**(source.fields if source else {}), **base.fields, **delivery.fields}
    return Canonical(base.entity, base.object, base.key, fields, lines=base.lines)


def _name(run: Run, delivery: Delivery) -> None:
    """Give a delivery its intent: an earlier one that is still open, or a new one.

    Updates have one as well: should their result never be remembered, their traces must not be taken for
    a person's edit.
    """
    if delivery.intent is not None:
        return
    work, compiled = delivery.work, delivery.compiled
    source = work.half(other(delivery.side)).caught
    number = uuid.uuid4().hex
    own_key = None
    if compiled.mapping.own_key and delivery.op == "create":
        own_key = work.own_key or compiled.own_key_of(number)
    delivery.intent = Intent(
        id=number,
        flow=run.flow.name,
        run=run.id,
        entity=run.flow.entity.name,
        side=delivery.side,
        connection=delivery.end.connection,
        company=delivery.company,
        object=compiled.mapping.object.to_create,
        op=delivery.op,
        source_key=delivery.source_key,
        created_at=run.now,
        link_id=work.link.id if work.link else None,
        own_key=own_key,
        payload={
            "variant": compiled.mapping.variant,
            "far_variant": work.pair.mapping(other(delivery.side)).mapping.variant,
            "right_connection": work.pair.connection,
            "right_company": work.target.company,
            "source_company": source.record.company if source is not None else "",
            **recall.noted(delivery),
        },
    )


def _item(delivery: Delivery, out: Canonical, result: Mapped) -> None:
    delivery.problems = list(result.problems)
    if result.excluded is not None:
        delivery.problems.append(Problem("", result.excluded, code="vetoed"))
    if delivery.problems or result.native is None:
        return
    intent = delivery.intent
    delivery.item = Item(
        id=intent.id if intent is not None else uuid.uuid4().hex,
        op=delivery.op,  # type: ignore[arg-type]
        mapping=delivery.compiled.mapping,
        object=out.object,
        data=result.native,
        company=delivery.company,
        key=(intent.result_key if intent is not None else None) or out.key or None,
        version=out.version,
        own_key=intent.own_key if intent is not None else None,
        children=result.children,
        actions=delivery.actions,
    )


def _bare_item(delivery: Delivery) -> None:
    """A delete, deactivation or action carries no mapped fields."""
    record = delivery.work.half(delivery.side).caught
    mapping = delivery.compiled.mapping
    if record is None:
        raise LookupError(f"a {delivery.op} needs the record it is for")
    delivery.item = Item(
        id=uuid.uuid4().hex,
        op=delivery.op,  # type: ignore[arg-type]
        mapping=mapping,
        object=record.record.object,
        data=dict(mapping.deactivate) if delivery.op == "deactivate" else {},
        company=delivery.company,
        key=record.record.key,
        version=record.record.version,
        actions=delivery.actions,
    )


async def _open_intents(run: Run, deliveries: Sequence[Delivery]) -> None:
    """Make intents durable, marked as sent: from here on their fate must be found out."""
    creating = [d for d in deliveries if d.intent is not None]
    if not creating:
        return
    now = run.now

    def write(tx: Tx) -> None:
        known = tx.intents.known([d.intent.id for d in creating if d.intent is not None])
        new: list[Intent] = []
        again: dict[float, list[str]] = defaultdict(list)
        for delivery in creating:
            intent, seconds = delivery.intent, delivery.compiled.mapping.settle_seconds
            if intent is None:
                continue
            if intent.id in known:
                again[seconds].append(intent.id)
            else:
                new.append(replace(intent, sent_at=now, settle_after=now + timedelta(seconds=seconds), attempts=1))
        tx.intents.open_many(new)
        for seconds, group in again.items():
            tx.intents.mark_sent(group, now, now + timedelta(seconds=seconds))

    await run.runtime.state.write(write)


async def _send(run: Run, batch: Sequence[Delivery]) -> Exception | None:
    """Send one batch; whatever has no outcome afterwards gets the one that is safe to assume."""
    end, company = batch[0].end, batch[0].company
    items = [d.item for d in batch if d.item is not None]
    by_id = {d.item.id: d for d in batch if d.item is not None}
    session = await run.runtime.session(end.connection)
    notes = await Notes.load(run, items)
    stopped: Exception | None = None
    try:
        outcomes = run.runtime.plugins.iterate_around(
            end.kind, "write", ctx=run.context(end, company), session=session, items=items, intents=notes
        )
        with fenced(notes.still_mine):
            async for outcome in outcomes:
                if outcome.id in by_id:
                    by_id[outcome.id].outcome = outcome
    except LeaseLost:
        raise  # somebody else has the flow by now: not even results are ours to remember
    except Exception as error:  # what was done is settled before the run stops for it
        stopped = error
    for delivery in by_id.values():
        if delivery.outcome is None:
            words = str(stopped) if stopped else "the connector reported no outcome"
            after = stopped.retry_after if isinstance(stopped, EndpointDown) else None
            # Before a plain outage a connector says what it is about to send; after anything else who knows.
            known = stopped is None or isinstance(stopped, EndpointDown)
            lost = delivery.intent is not None and (notes.sent(delivery.item) or not known)
            delivery.outcome = Outcome(
                delivery.item.id if delivery.item else "",
                "in_doubt" if lost else "retry",
                error=Error("endpoint", words, retry_after=after),
            )
    return stopped
