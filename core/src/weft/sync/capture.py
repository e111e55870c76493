"""Capture: read records from one end, and tell at once those that nothing happened to.

A record whose fingerprint equals the one its link was settled with is what both sides agreed on; it
costs one hash and one row of an indexed lookup. Everything else goes on through the cycle.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weft.records import Moved, Query, Record
from weft.sync.work import Caught

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.model.values import Fields
    from weft.state.links import Link
    from weft.state.tx import Tx
    from weft.sync.flow import End
    from weft.sync.run import Run


@dataclass(slots=True)
class Fetched:
    """The answer to a read by key: what was found, and what became of the rest."""

    found: dict[str, Caught] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    moved: dict[str, Moved] = field(default_factory=dict)
    invisible: set[str] = field(default_factory=set)


async def fetch(
    run: Run,
    end: End,
    compiled: CompiledMapping,
    company: str,
    keys: Sequence[str],
    remembered: dict[str, Fields] | None = None,
) -> Fetched:
    """Read records by key, fresh. A key the connector says nothing about counts as invisible. ``remembered``: what
    linked ones held last, by key."""
    answer = Fetched()
    if not keys:
        return answer
    query = Query(
        "keys", compiled.mapping, company=company, keys=list(dict.fromkeys(keys)), fresh=True,
        remembered=remembered or {},
    )  # fmt: skip
    records: list[Record] = []
    async for page in run.pages(end, query):
        records.extend(page.records)
        answer.gone.update(page.gone)
        answer.invisible.update(page.invisible)
        answer.moved.update({moved.key: moved for moved in page.moved})
    for caught in await run.catch(end, compiled, company, records):
        answer.found[caught.record.key] = caught
    told = answer.found.keys() | answer.gone | answer.invisible | answer.moved.keys()
    answer.invisible.update(set(keys) - told)
    return answer


async def unsettled(
    run: Run, end: End, compiled: CompiledMapping, company: str, records: Sequence[Record], force: bool
) -> tuple[list[Record], list[str]]:
    """The records something happened to, with their fingerprints; counts the others as unchanged."""
    prints = [compiled.fingerprint(record) for record in records]
    if force:
        return list(records), prints
    flow = run.flow
    connections = list(flow.rights) if end.side == "left" else [end.connection]
    keys = [record.key for record in records]

    def read(tx: Tx) -> dict[str, list[str | None]]:
        known: dict[str, list[str | None]] = {}
        for connection in connections:
            heads = tx.links.heads(flow.entity.name, flow.left.connection, connection, end.side, None, company, keys)
            for key, found in heads.items():
                known.setdefault(key, []).extend(head.print for head in found)
        return known

    known = await run.runtime.state.read(read)
    changed: list[Record] = []
    changed_prints: list[str] = []
    for record, print_ in zip(records, prints, strict=True):
        settled = known.get(record.key)
        if settled is not None and all(one == print_ for one in settled):
            continue
        changed.append(record)
        changed_prints.append(print_)
    run.counts["read"] += len(records)
    run.counts["unchanged"] += len(records) - len(changed)
    return changed, changed_prints


async def scan(
    run: Run, end: End, compiled: CompiledMapping, company: str
) -> AsyncIterator[tuple[list[Caught], str | None, int | None]]:
    """All records of an end, mapped in: (records, cursor, expected total) a page. Of those that only move here,
    the linked ones."""
    if compiled.mapping.only_moved:
        async for keys in _linked(run, end, compiled, company):
            yield list((await fetch(run, end, compiled, company, keys)).found.values()), None, None
        return
    query = Query("scan", compiled.mapping, company=company)
    async for page in run.pages(end, query):
        yield await run.catch(end, compiled, company, page.records), page.cursor, page.total


async def _linked(run: Run, end: End, compiled: CompiledMapping, company: str) -> AsyncIterator[list[str]]:
    """Keys of the linked records of a mapping, a page at a time."""
    left, after = end.side == "left", 0
    while True:

        def read(tx: Tx, after: int = after) -> list[Link]:
            return tx.links.page(
                after, 500, entity=run.flow.entity.name,
                left_connection=end.connection if left else None, right_connection=None if left else end.connection,
            )  # fmt: skip

        links = await run.runtime.state.read(read)
        if not links:
            return
        after = links[-1].id
        mine = [
            link.left_key if left else link.right_key
            for link in links
            if (link.left_variant if left else link.right_variant) == compiled.mapping.variant
            and (link.left_company if left else link.right_company) == company
        ]
        if mine:
            yield mine
