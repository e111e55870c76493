"""Records a run must look at for other reasons than a change: what an earlier run left in doubt, what
somebody hinted at, what an issue or a person brings back."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from weft.errors import StateError
from weft.records import Hint, Lane, Side
from weft.sync import deletes
from weft.sync.capture import Fetched, fetch
from weft.sync.changes import BATCH, scan_place
from weft.sync.claims import Claim
from weft.sync.flow import Flow
from weft.sync.held import go_on
from weft.sync.settle import Settlement
from weft.sync.work import other

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.state.hints import PendingHint
    from weft.state.intents import Intent
    from weft.state.issues import Issue
    from weft.state.links import Link
    from weft.state.tx import Tx
    from weft.sync.flow import End
    from weft.sync.pipeline import Pipeline
    from weft.sync.run import Run


SOME = 100
"""Hints that a job takes at a time; the next ones may be another worker's."""
LOOKED_UP = 100
"""Writes in doubt that are looked up at a time: what became of them is stored before the next are."""
AGAIN = timedelta(seconds=1)
"""After so long a record that was hinted at while it was looked at is looked at once more."""


async def leftovers(run: Run, pipeline: Pipeline) -> None:
    """Intents of a run that ended before it settled: find out what became of them, first of all."""
    if run.plan_only:
        return
    flow = run.flow

    def take(tx: Tx) -> list[Intent]:
        unsettled = tx.intents.left(flow.name)
        for one in unsettled:
            if one.state == "open" and one.sent_at is not None:
                # The process may have died long after the wave began: the wait counts from now.
                tx.intents.mark_in_doubt([one.id], max(one.settle_after or run.now, run.now + _longest(flow, one)))
        return unsettled

    groups: dict[tuple[Side, str, str, str], list[str]] = defaultdict(list)
    for intent in await run.runtime.state.write(take):
        payload = intent.payload
        side = other(intent.side)
        place = str(payload.get("source_company", ""))
        groups[side, payload["right_connection"], place, payload["far_variant"]].append(intent.source_key)
    for (side, connection, place, variant), keys in groups.items():
        end = flow.left if side == "left" else flow.rights.get(connection)
        if end is None or variant not in end.mappings or place not in end.companies:
            continue
        for at in range(0, len(keys), LOOKED_UP):
            await go_on(run)
            await pipeline.keys(end, end.mappings[variant], place, keys[at : at + LOOKED_UP])


def _longest(flow: Flow, intent: Intent) -> timedelta:
    """The longest time the server may still work on an unanswered write."""
    end = flow.end(intent.side, intent.connection)
    compiled = end.mappings.get(str(intent.payload["variant"]))
    return timedelta(seconds=compiled.mapping.settle_seconds if compiled is not None else 0)


async def pending(run: Run, pipeline: Pipeline) -> None:
    """Records that events, people or other runs asked to be looked at again."""
    if run.plan_only:
        return
    await hinted(run, pipeline)
    await retry_due(run, pipeline)


async def retry_due(run: Run, pipeline: Pipeline) -> None:
    """Records whose issue is due."""
    issues = await run.runtime.state.read(lambda tx: tx.issues.due(run.now, run.flow.name, 5_000))
    await _retry(run, pipeline, issues)


async def hinted(run: Run, pipeline: Pipeline, lane: Lane | None = None) -> None:
    """Every hint that is ready, each once; ``lane``: only those of one lane, and none for whole objects."""
    state = run.runtime.state
    seen: set[tuple[str, str, str, str]] = set()
    again: list[PendingHint] = []
    taken: list[PendingHint] = []

    def take(tx: Tx) -> list[PendingHint]:
        limit = BATCH if lane is None else SOME
        return tx.hints.take(run.flow.name, state.worker, run.now, lane=lane, limit=limit)

    try:
        try:
            while taken := await state.write(take):
                await go_on(run)
                fresh = [hint for hint in taken if _place(hint) not in seen]
                again += [hint for hint in taken if _place(hint) in seen]
                seen.update(map(_place, fresh))
                await _hinted(run, pipeline, fresh)
        finally:
            # What came in again meanwhile has its turn after the others.
            if again or taken:
                await state.write(lambda tx: tx.hints.give_back([*again, *taken], run.now + AGAIN))
    except (StateError, asyncio.CancelledError):  # some may be taken that nobody here knows of
        state.adrift.flow(run.flow.name)
        raise


def _place(hint: PendingHint) -> tuple[str, str, str, str]:
    return hint.connection, hint.object, hint.company, hint.key


async def _hinted(run: Run, pipeline: Pipeline, hints: Sequence[PendingHint]) -> None:
    groups: dict[tuple[str, str, str], list[PendingHint]] = defaultdict(list)
    for hint in hints:
        groups[hint.connection, hint.company, hint.object].append(hint)
    run.hinted = {(hint.connection, hint.object, hint.key): hint.at for hint in hints}
    for (connection, company, object_name), group in groups.items():
        keys = [hint.key for hint in group if hint.key]
        found = reading(run.flow, connection, object_name)
        if found is not None:
            end, mappings = found
            for compiled in mappings:
                for place in end.places(company):
                    if keys:
                        await pipeline.keys(end, compiled, place, keys)
                    if len(keys) < len(group) and not compiled.mapping.only_moved:
                        await scan_place(run, pipeline, end, place, compiled, mark=False)
        await run.runtime.state.write(partial(_drop_hints, group))


def _drop_hints(hints: Sequence[PendingHint], tx: Tx) -> None:
    tx.hints.done(hints)


def _postpone(issues: Sequence[int], until: datetime, tx: Tx) -> None:
    tx.issues.schedule_many([(issue, until) for issue in issues])


def reading(flow: Flow, connection: str, object_name: str) -> tuple[End, list[CompiledMapping]] | None:
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
            await _delete_decided(run, issue)
        elif issue.key and issue.side:
            side: Side = "left" if issue.side == "left" else "right"
            groups[side, issue.connection, issue.company, issue.object].append(issue)
    for (_, connection, company, object_name), group in groups.items():
        await go_on(run)
        found = reading(run.flow, connection, object_name)
        ids = [issue.id for issue in group]
        later = run.now + run.flow.config.retry.longest
        await run.runtime.state.write(partial(_postpone, ids, later))
        if found is None:
            continue
        end, mappings = found
        for compiled in mappings:
            for place in end.places(company):
                fetched = await pipeline.keys(end, compiled, place, [issue.key for issue in group])
                await close_gone(run, end, place, object_name, fetched)


async def close_gone(run: Run, end: End, company: str, object_name: str, fetched: Fetched) -> None:
    """A record that is gone needs nobody any more, unless it was linked: then its delete has an issue."""
    if not fetched.gone:
        return
    gone = list(fetched.gone)
    kinds = ("failed", "waiting", "ambiguous", "approval", "invisible", "review")

    def write(tx: Tx) -> None:
        tx.issues.close_for(
            run.flow.name, end.side, end.connection, company, object_name, gone,
            at=run.now, reason=f"the record is gone from {end.connection}", kinds=kinds,
        )  # fmt: skip

    await run.runtime.state.write(write)


async def recheck(run: Run) -> None:
    """After a sweep: issues of unlinked records that are gone by now are closed."""
    after = 0
    while True:
        issues = await run.runtime.state.read(partial(_page_of_issues, run.flow.name, after))
        if not issues:
            return
        after = issues[-1].id
        groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        # What is back, or decided by a rule that has changed, shows nowhere else.
        back = [
            one
            for one in issues
            if one.key and (one.kind == "conflict" or (one.link_id is not None and one.kind in ("invisible", "delete")))
        ]
        await run.runtime.state.write(partial(_look_again, run, back))
        for issue in issues:
            if issue.key and issue.side and issue.link_id is None:
                groups[issue.connection, issue.company, issue.object].append(issue.key)
        for (connection, company, object_name), keys in groups.items():
            found = reading(run.flow, connection, object_name)
            if found is None:
                continue
            end, mappings = found
            answers = [await fetch(run, end, compiled, company, keys) for compiled in mappings]
            there = {key for answer in answers for key in answer.found}
            answers[0].gone -= there
            await close_gone(run, end, company, object_name, answers[0])


def _look_again(run: Run, issues: Sequence[Issue], tx: Tx) -> None:
    """Records that were gone or hidden may be back, unchanged: nothing else would notice."""
    for one in issues:
        tx.hints.put_many(run.flow.name, one.connection, [Hint(one.object, one.key, one.company)], run.now)


def _page_of_issues(flow: str, after: int, tx: Tx) -> list[Issue]:
    return tx.issues.page(flow=flow, after_id=after, limit=BATCH)


async def _delete_decided(run: Run, issue: Issue) -> None:
    """A person said what happens to the counterpart of a deleted record."""
    link = None
    if issue.link_id is not None:
        link = await run.runtime.state.read(lambda tx: tx.links.get(issue.link_id or 0))
    claim = Claim(run)
    try:
        free = await claim.pairs([link]) if link is not None else []
        if link is None or free:
            await _carry_out(run, issue, free[0] if free else None)
    finally:
        await claim.release()


async def _carry_out(run: Run, issue: Issue, link: Link | None) -> None:
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
