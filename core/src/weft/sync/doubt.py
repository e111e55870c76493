"""In doubt: what became of a create whose answer was lost, or whose process died.

In order: the key a noted step recorded; a look-up by weft's own key; a look-up by the match rules,
with the values that were sent. Found: the record is adopted, never made again.
Not found: wait out the server's longest operation, look once more, and only then create. Where nothing
can be searched, a person must say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from weft.model.values import EMPTY, Ref
from weft.records import Canonical, Condition, Hint, Query, Side
from weft.state.intents import Intent
from weft.sync import recall
from weft.sync.capture import fetch
from weft.sync.identify import LiveMatcher, match_value, rules_of
from weft.sync.references import recast
from weft.sync.work import Caught, Work, other

if TYPE_CHECKING:
    from weft.state.tx import Tx
    from weft.sync.flow import End, Pair
    from weft.sync.run import Run
    from weft.sync.settle import Settlement


@dataclass(slots=True)
class Found:
    """The answer to *was it created?*: the record, or why that cannot be told."""

    caught: Caught | None = None
    stopped_between: bool = False
    """Steps were noted: the connector can go on where it stopped."""
    ambiguous: list[str] | None = None
    searchable: bool = True


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
    held: set[int] = set()
    closed: dict[int, list[Closed]] = defaultdict(list)
    for (side, connection), group in groups.items():
        known = unsettled[side, connection]
        for work in group if known else ():
            mine = [
                intent
                for intent in known.get(_source(work, side), [])
                if intent.side == side and (side == "left" or intent.company == work.target.company)
            ]
            for intent in mine:
                before = len(settlement.intents)
                if not await _clear(run, work, intent, settlement, alone=len(mine) == 1):
                    held.add(id(work))
                closed[id(work)] += settlement.intents[before:]
                del settlement.intents[before:]
    free = [work for work in works if id(work) not in held]
    for work in free:
        # A create that was found to have happened is done when its link is remembered, and not before.
        settlement.intents += [one for one in closed[id(work)] if one[1] == "abandoned"]
        work.closing += [one for one in closed[id(work)] if one[1] == "done"]
    return free


def _source(work: Work, side: Side) -> str:
    caught = work.half(other(side)).caught
    return caught.record.key if caught is not None else ""


async def _clear(run: Run, work: Work, intent: Intent, settlement: Settlement, *, alone: bool) -> bool:
    """True when the work may go on. ``alone``: no other write to the record is unsettled."""
    if work.missing != intent.side:
        # The other record is known by now: whatever the intent made has been found or is compared anew.
        return await _clear_update(run, work, intent, settlement, alone=alone)
    found = await look(run, work, intent)
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
        return bool(work.edited)
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


async def look(run: Run, work: Work, intent: Intent) -> Found:
    """Was it created? The source record need only be known as it was sent."""
    end = work.pair.end(intent.side)
    compiled = end.mappings.get(str(intent.payload.get("variant"))) or work.pair.mapping(intent.side)
    own = compiled.mapping.own_key
    noted = (await run.runtime.state.read(lambda tx: tx.intents.noted([intent.id]))).get(intent.id, {})
    key = (noted.get("header") or {}).get("key") or intent.result_key
    by_id = own is not None and compiled.mapping.key == [own.field]
    if key is None and by_id:
        key = intent.own_key
    if key is not None:
        fetched = await fetch(run, end, compiled, intent.company, [str(key)])
        caught = fetched.found.get(str(key))
        if caught is not None or by_id:
            found = await _free(run, work, intent, caught)
            found.stopped_between = bool(noted)
            return found
    if own is not None and intent.own_key:
        query = Query(
            "search",
            compiled.mapping,
            company=intent.company,
            search=[(Condition(own.field, "eq", intent.own_key),)],
            fresh=True,
        )
        async for page in run.pages(end, query):
            caught_all = await run.catch(end, compiled, intent.company, page.records)
            if caught_all:
                return await _free(run, work, intent, caught_all[0])
        return Found()
    return await _by_rules(run, work, intent)


async def _free(run: Run, work: Work, intent: Intent, caught: Caught | None) -> Found:
    """The record an intent made, unless it was linked to somebody else meanwhile: then a person must say."""
    if caught is None:
        return Found()
    taken = await _linked(run, work, intent.side, [caught.record.key])
    return Found(ambiguous=[caught.record.key]) if taken else Found(caught)


async def _linked(run: Run, work: Work, side: Side, keys: Sequence[str]) -> set[str]:
    flow = run.flow

    def read(tx: Tx) -> set[str]:
        return set(tx.links.heads(flow.entity.name, flow.left.connection, work.pair.connection, side, None, None, keys))

    return await run.runtime.state.read(read) if keys else set()


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
            if by_key or (own is None and _holds(pair, intent, one)):
                found.add(one.record.key)
                far = pair.mapping(other(end.side)).mapping.object.read
                company_there = str(intent.payload.get("source_company", ""))
                hint = Hint(far, intent.source_key, company_there)
                settlement.hints.append((pair.connection_of(other(end.side)), hint))
    return found


def _holds(pair: Pair, intent: Intent, hit: Caught) -> bool:
    """Does the record hold everything that was sent? A code the system does not know may have been left out."""
    if hit.canonical is None:
        return False
    now = hit.canonical.fields
    same = pair.comparator.in_currency(pair.currency_of(now, intent.payload["fields"])).same
    specs = pair.mapping(intent.side).fields
    optional = {spec.canonical for spec in specs if spec.map.missing.policy == "empty"}
    return all(
        same(n, now[n], v) or (n in optional and now[n] is EMPTY)
        for n, v in intent.payload["fields"].items()
        if n in now
    )


async def _by_rules(run: Run, work: Work, intent: Intent) -> Found:
    end = work.pair.end(intent.side)
    compiled = work.pair.mapping(intent.side)
    source = work.half(other(intent.side)).caught
    if source is None or source.canonical is None or not rules_of(run, compiled):
        return Found(searchable=False)
    # Looked for as it was sent: the record it came from may have been changed since.
    sent = {name: value for name, value in intent.payload["fields"].items() if not isinstance(value, Ref)}
    canonical = replace(source.canonical, fields={**source.canonical.fields, **sent})
    asking = replace(source, canonical=canonical)
    origin = work.pair.end(other(intent.side))
    names = {name for one in end.mappings.values() for rule in rules_of(run, one) for name in rule}
    [there] = await recast(run, origin, end, work.target.company, [canonical], names)
    if not await _searchable(run, end, intent.company, there):
        return Found(searchable=False)
    answer = await LiveMatcher().candidates(run, origin, end, work.target, [asking])
    candidates = answer.get(source.record.key)
    hits = [] if candidates is None else [hit for _, hit in candidates.hits]
    linked = await _linked(run, work, intent.side, [hit.record.key for hit in hits])
    free = [hit for hit in hits if hit.record.key not in linked]
    exact = [hit for hit in free if _holds(work.pair, intent, hit)]
    if len(exact) == 1 or run.flow.config.ambiguous == "create":
        free = exact  # others may have been there before: the flow creates in spite of them
    if len(free) > 1:
        return Found(ambiguous=[hit.record.key for hit in free])
    return Found(free[0]) if free else Found()


async def _searchable(run: Run, end: End, company: str, canonical: Canonical) -> bool:
    """Does this record have the values that at least one match rule looks for?"""
    tables = run.tables(end, company)
    for compiled in end.mappings.values():
        await tables.load(compiled.references())
        for rule in rules_of(run, compiled):
            if match_value(compiled, canonical, rule) is not None and compiled.search(rule, canonical, tables):
                return True
    return False
