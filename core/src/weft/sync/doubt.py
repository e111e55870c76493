"""In doubt: what became of a create whose answer was lost, or whose process died.

It is looked up (:mod:`weft.sync.lookup`). Found: the record is adopted, never made again.
Not found: wait out the server's longest operation, look once more, and only then create. Where nothing
can be searched, a person must say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from weft.records import Hint, Side
from weft.state.intents import Intent
from weft.sync import recall
from weft.sync.lookup import Found, holds, look
from weft.sync.work import Caught, Work, other

if TYPE_CHECKING:
    from weft.state.tx import Tx
    from weft.sync.flow import End
    from weft.sync.run import Run
    from weft.sync.settle import Settlement

Closed = tuple[str, Literal["done", "abandoned"], str | None]


async def clear_doubts(run: Run, works: Sequence[Work], settlement: Settlement) -> list[Work]:
    """Settle earlier writes for these records; returns the works that may go on."""
    if run.plan_only:
        return list(works)
    groups: dict[tuple[Side, str], list[Work]] = defaultdict(list)
    for work in works:
        sides: tuple[Side, Side] = ("left", "right")
        for side in sides:
            if work.half(other(side)).caught is not None:
                groups[side, work.pair.connection_of(side)].append(work)

    def read(tx: Tx) -> dict[tuple[Side, str], dict[str, list[Intent]]]:
        return {
            (side, connection): tx.intents.unsettled_for(
                run.flow.name, connection, [_source(work, side) for work in group]
            )
            for (side, connection), group in groups.items()
        }

    unsettled = await run.runtime.state.read(read)
    doubtful = [
        (work, mine)
        for (side, connection), group in groups.items()
        for work in group
        if (mine := _of(work, side, unsettled[side, connection]))
    ]
    asked = [(work, intent) for work, mine in doubtful for intent in mine if work.missing == intent.side]
    found = dict(zip((intent.id for _, intent in asked), await look(run, asked), strict=True))
    held: set[int] = set()
    closed: dict[int, list[Closed]] = defaultdict(list)
    for work, mine in doubtful:
        for intent in mine:
            before = len(settlement.intents)
            if not await _clear(run, work, intent, found.get(intent.id), settlement, alone=len(mine) == 1):
                held.add(id(work))
            closed[id(work)] += settlement.intents[before:]
            del settlement.intents[before:]
    free = [work for work in works if id(work) not in held]
    for work in free:
        # A create that was found to have happened is done when its link is remembered, and not before.
        settlement.intents += [one for one in closed[id(work)] if one[1] == "abandoned"]
        work.closing += [one for one in closed[id(work)] if one[1] == "done"]
    return free


def _of(work: Work, side: Side, unsettled: Mapping[str, Sequence[Intent]]) -> list[Intent]:
    """The unsettled writes to one side of a work."""
    return [
        intent
        for intent in unsettled.get(_source(work, side), ())
        if intent.side == side and (side == "left" or intent.company == work.target.company)
    ]


def _source(work: Work, side: Side) -> str:
    caught = work.half(other(side)).caught
    return caught.record.key if caught is not None else ""


async def _clear(
    run: Run, work: Work, intent: Intent, found: Found | None, settlement: Settlement, *, alone: bool
) -> bool:
    """True when the work may go on. ``found``: what was seen of a create whose record is not known. ``alone``: no
    other write to the record is unsettled."""
    if found is None or work.missing != intent.side:
        # The other record is known by now: whatever the intent made has been found or is compared anew.
        return await _clear_update(run, work, intent, settlement, alone=alone)
    remaining = (intent.settle_after - run.now).total_seconds() if intent.settle_after else 0
    if found.caught is not None and remaining > 0 and recall.lacks_lines(work, intent, found.caught):
        settlement.issue(
            work,
            "waiting",
            f"a create was not answered; the server may still make its lines for {remaining:.0f} s",
            code="in_doubt",
            retry_in=remaining,
        )
        return False
    lacking = found.caught is not None and recall.lacks_lines(work, intent, found.caught)
    # What was put right at the source since is not sent as it was: what is there is adopted, and then completed.
    if found.caught is not None and found.stopped_between and lacking and recall.as_sent(work, intent):
        work.resumed = replace(intent, result_key=found.caught.record.key)
        settlement.journal(work, "create", "resumed", "an earlier create stopped between its steps", side=intent.side)
        return True
    if found.caught is not None:
        return _adopted(run, work, intent, found, settlement)
    if found.ambiguous:
        settlement.issue(
            work,
            "ambiguous",
            "an earlier create may have made any of " + ", ".join(found.ambiguous),
            code="in_doubt",
            choices=[{"key": key, "label": key} for key in found.ambiguous],
        )
        return False
    if intent.sent_at is not None and remaining > 0:
        settlement.issue(
            work,
            "waiting",
            f"a create was not answered; the server may still carry it out for {remaining:.0f} s",
            code="in_doubt",
            retry_in=remaining,
        )
        return False
    if not found.searchable:
        settlement.issue(
            work,
            "failed",
            "a create was not answered and the record cannot be looked up by any "
            "key; look in the system, then link it (weft links add) or retry",
            code="in_doubt",
            choices=["retry"],
        )
        return work.edited.get("retry") is True
    work.own_key = intent.own_key
    settlement.intents.append((intent.id, "abandoned", None))
    settlement.journal(
        work, "create", "not created", "looked up by key: the earlier create had not happened", side=intent.side
    )
    return True


def _adopted(run: Run, work: Work, intent: Intent, found: Found, settlement: Settlement) -> bool:
    """Join the record found: both bases are what was sent then, so later edits show as movements."""
    work.half(intent.side).caught = found.caught
    recall.created(work, intent, stopped=found.stopped_between)
    settlement.intents.append((intent.id, "done", found.caught.record.key if found.caught is not None else None))
    reason = "an earlier create had been carried out: its record was found, none is made again"
    settlement.journal(work, "create", "adopted", reason, side=intent.side)
    return True


async def _clear_update(run: Run, work: Work, intent: Intent, settlement: Settlement, *, alone: bool) -> bool:
    remaining = (intent.settle_after - run.now).total_seconds() if intent.settle_after else 0
    caught = work.half(intent.side).caught
    if intent.op == "create":
        unsure = work.link is None and caught is not None and recall.lacks_lines(work, intent, caught)
    else:
        unsure = any(line["op"] == "create" for line in intent.payload.get("lines", ()))
    if unsure and intent.state == "in_doubt" and remaining > 0:
        settlement.issue(
            work,
            "waiting",
            f"lines were sent and not answered; the server may still carry it out for {remaining:.0f} s",
            code="in_doubt",
            retry_in=remaining,
        )
        return False
    if intent.op == "update":
        session = await run.runtime.session(intent.connection)
        me = getattr(session, "identity", None)
        # That we wrote it last tells of this write only where no other one may have been the last.
        last = me is not None and caught is not None and caught.record.changed_by == me
        ours = last and alone and caught is not None and not _overtaken(work, intent, caught)
        if not recall.updated(work, intent, ours=ours) and intent.state == "in_doubt" and remaining > 0:
            # It may still come through: then it is to be known for what it is. Writes are guarded by the
            # version, so what is sent meanwhile and this one cannot both be carried out.
            return True
    elif work.link is None and intent.op == "create":
        recall.created(work, intent)
    settlement.intents.append((intent.id, "done", caught.record.key if caught is not None else None))
    return True


def _overtaken(work: Work, intent: Intent, caught: Caught) -> bool:
    """Has the record been settled as it is now since the intent was sent?

    Then a later write of ours may be what made us its last writer, and says nothing about this one.
    """
    link = work.link
    if link is None or link.updated_at <= (intent.sent_at or intent.created_at):
        return False
    known = link.left_version if intent.side == "left" else link.right_version
    return known is None or known == caught.record.version


async def ours(run: Run, end: End, company: str, fresh: Sequence[Caught], settlement: Settlement) -> set[str]:
    """Keys of records that look new and are what an unsettled create of ours has made.

    They are left to that create: the record it comes from is looked at again, and adopts them.
    """

    def read(tx: Tx) -> tuple[list[Intent], dict[str, dict[str, dict[str, Any]]]]:
        intents = tx.intents.unsettled(run.flow.name, op="create", side=end.side, connection=end.connection)
        return intents, tx.intents.noted([one.id for one in intents]) if intents else {}

    if not fresh:
        return set()
    intents, noted = await run.runtime.state.read(read)
    intents = [one for one in intents if end.side == "left" or one.company == company]
    found: set[str] = set()
    for intent in intents:
        variant = str(intent.payload["variant"])
        compiled = end.mappings.get(variant)
        if compiled is None:
            continue
        far_variant = str(intent.payload["far_variant"])
        variants = (far_variant, variant) if end.side == "right" else (variant, far_variant)
        pair = run.flow.pair(variants[0], intent.payload["right_connection"], variants[1])
        own = compiled.mapping.own_key
        known = (noted.get(intent.id, {}).get("header") or {}).get("key") or intent.result_key
        for one in fresh:
            by_key = known is not None and (one.record.object, one.record.key) == (compiled.mapping.object.read, known)
            if own is not None and intent.own_key is not None:
                by_key = by_key or one.record.data.get(own.field) == intent.own_key
            if by_key or (own is None and holds(pair, intent, one)):
                found.add(one.record.key)
                far = pair.mapping(other(end.side)).mapping.object.read
                company_there = str(intent.payload.get("source_company", ""))
                hint = Hint(far, intent.source_key, company_there)
                settlement.hints.append((pair.connection_of(other(end.side)), hint))
    return found
