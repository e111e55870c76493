"""Orphans: unsettled writes whose source record has been deleted meanwhile.

A create that was not answered may have made a record all the same. If it did, the pair existed, so the
delete rule decides about what is left of it; without that, the record would look new and come back to the
side where a person deleted it. Other writes have lost their purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from weft.records import Canonical, Record, Side, Target
from weft.state.links import Link
from weft.sync import deletes, recall
from weft.sync.lookup import look
from weft.sync.results import link_between
from weft.sync.settle import SOLVED, Settlement
from weft.sync.work import Caught, Half, Work, other

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.state.intents import Intent
    from weft.state.tx import Tx
    from weft.sync.flow import End
    from weft.sync.run import Run


async def settle(run: Run, end: End, compiled: CompiledMapping, company: str, keys: Sequence[str]) -> None:
    """For records of one end that are gone and were never linked: settle what was written for them."""
    flow = run.flow
    far: Side = other(end.side)
    connections = list(flow.rights) if end.side == "left" else [flow.left.connection]

    def read(tx: Tx) -> list[Intent]:
        found = [tx.intents.unsettled_for(flow.name, connection, keys) for connection in connections]
        return [
            one
            for by_key in found
            for intents in by_key.values()
            for one in intents
            if one.side == far and one.payload.get("source_company", company) == company
        ]

    settlement = Settlement(run)
    born: list[Work] = []
    open_keys: set[str] = set()
    unsettled = await run.runtime.state.read(read)
    creates = [(_work(run, end, compiled, company, one), one) for one in unsettled if one.op == "create"]
    made = dict(zip((one.id for _, one in creates), await look(run, creates), strict=True))
    works = {one.id: work for work, one in creates}
    for intent in unsettled:
        found = made.get(intent.id)
        if found is not None:
            if found.caught is not None:
                born.append(_join(run, works[intent.id], intent, found.caught, settlement))
                continue
            if intent.settle_after is not None and intent.settle_after > run.now:
                open_keys.add(intent.source_key)  # it may still come through: its issue brings it back
                continue
        settlement.intents.append((intent.id, "abandoned", None))
    for key in keys:
        if key not in open_keys:
            place = (end.side, end.connection, company, compiled.mapping.object.read, key)
            settlement.solved.append((*place, (*SOLVED, "conflict", "review"), None))
    await settlement.commit()
    if born:
        settlement = Settlement(run)
        await deletes.vanished(run, end.side, born, settlement)
        await settlement.commit()


def _work(run: Run, end: End, compiled: CompiledMapping, company: str, intent: Intent) -> Work:
    """The record as it was when the write was sent."""
    mapping = compiled.mapping
    payload = intent.payload
    fields = {**payload["fields"], **payload.get("source", {})}
    canonical = Canonical(
        run.flow.entity.name, mapping.object.read, intent.source_key, fields, company, variant=mapping.variant
    )
    half = Half(Caught(Record(mapping.object.read, intent.source_key, {}, company), "", canonical))
    variants = (mapping.variant, str(payload["variant"]))
    left, right = variants if end.side == "left" else variants[::-1]
    pair = run.flow.pair(left, payload["right_connection"], right)
    target = Target(payload["right_connection"], payload["right_company"])
    halves = (half, Half()) if end.side == "left" else (Half(), half)
    return Work(pair, end.side, *halves, target)


def _join(run: Run, work: Work, intent: Intent, caught: Caught, settlement: Settlement) -> Work:
    """Link what the write made to the record that is gone."""
    side = intent.side
    work.half(side).caught = caught
    recall.created(work, intent)
    settlement.intents.append((intent.id, "done", caught.record.key))
    settlement.journal(work, "create", "adopted", "an earlier create had succeeded", side=side)
    left, right = work.left.caught, work.right.caught
    if left is None or right is None:
        raise LookupError("both records of an orphan are known")
    link: Link = link_between(run, work, left.record, right.record)
    link.left_base, link.right_base = work.left.base.text(), work.right.base.text()
    work.link = link
    settlement.new_links.append(link)
    return work
