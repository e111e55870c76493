"""Where a run's records come from: changes since the cursor, sweeps of everything, records to follow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from weft.records import Query, Side
from weft.state.cursors import Cursor
from weft.state.runs import AHEAD
from weft.sync import deletes
from weft.sync.known import key_of
from weft.sync.settle import Settlement

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.state.links import Link
    from weft.state.tx import Tx
    from weft.sync.flow import End
    from weft.sync.pipeline import Pipeline
    from weft.sync.run import Run

BATCH = 500


async def is_new(run: Run) -> bool:
    """Has the flow never finished a first load?"""
    known = await run.runtime.state.read(lambda tx: tx.cursors.all(run.flow.name))
    return not known


async def sweep_due(run: Run) -> bool:
    """Has the time between sweeps that the flow asks for gone by?"""
    every = run.flow.config.sweep
    if every is None or run.plan_only:
        return False

    known = (run.now + AHEAD, "")

    def last(tx: Tx) -> datetime | None:
        done = [
            row
            for mode in ("sweep", "first")
            for row in tx.runs.page(flow=run.flow.name, mode=mode, state=("done", "issues"), before=known, limit=1)
        ]
        return max((row.started_at for row in done), default=None)

    swept = await run.runtime.state.read(last)
    return swept is None or run.now - swept >= every


async def changes(run: Run, pipeline: Pipeline) -> None:
    """What changed since the cursors; all there is, where a system no longer knows a cursor."""
    known = True
    new: list[Cursor] = []
    for end in run.flow.ends():
        for company in end.companies:
            for compiled in end.listed.values():
                known &= await _changes_of(run, pipeline, end, company, compiled, new)
    if any(one.side == "right" for one in new):
        await _offer_all(run, pipeline)
    if new:
        await _store(run, new)
    if not known:
        await sweep_all(run, pipeline)


async def _changes_of(
    run: Run, pipeline: Pipeline, end: End, company: str, compiled: CompiledMapping, new: list[Cursor]
) -> bool:
    """False: the cursor has expired, so that deletes may have been missed as well. ``new`` gets those of places that
    had none."""
    variant = compiled.mapping.variant
    name = run.flow.name
    known = await run.runtime.state.read(lambda tx: tx.cursors.get(name, end.side, end.connection, company, variant))
    if known is None:
        # A company or variant that was added to the flow later: all of it is new.
        new += await scan_place(run, pipeline, end, company, compiled, mark=False)
        return True
    overlap = run.flow.config.overlap
    seconds = None if overlap is None else overlap.total_seconds()
    query = Query("changes", compiled.mapping, company=company, cursor=known.value, overlap=seconds)
    mark = await run.mark()
    async for page in run.pages(end, query):
        if page.expired:
            return False
        cursor = None
        if page.cursor is not None:
            cursor = Cursor(name, end.side, end.connection, company, variant, page.cursor, run.now)
        if page.suspects:  # before the cursor passes them: they are not told again
            await pipeline.keys(end, compiled, company, page.suspects)
        await pipeline.page(end, compiled, company, page.records, mark=mark, cursor=cursor)
    return True


async def _offer_all(run: Run, pipeline: Pipeline) -> None:
    """What is on the left may belong to a place that is new on the right, though nothing about it has changed."""
    for company in run.flow.left.companies:
        for compiled in run.flow.left.listed.values():
            await scan_place(run, pipeline, run.flow.left, company, compiled, mark=False, force=True)


async def scan_place(
    run: Run, pipeline: Pipeline, end: End, company: str, compiled: CompiledMapping, *, mark: bool, force: bool = False
) -> list[Cursor]:
    """Every record of one place through the cycle; marks their links when a sweep wants to know. ``force``: also those
    that nothing happened to.

    Returns the cursor that continues from before it began. It passes deletes which nobody has told, so it
    may be stored only once what was not seen has been asked for.
    """
    query = Query("scan", compiled.mapping, company=company)
    variant = compiled.mapping.variant
    cursors: list[Cursor] = []
    began = await run.mark()
    async for page in run.pages(end, query):
        if page.cursor is not None:
            cursors = [Cursor(run.flow.name, end.side, end.connection, company, variant, page.cursor, run.now)]
        await pipeline.page(end, compiled, company, page.records, mark=began, force=force)
        if mark and not run.plan_only:
            await _mark(run, end, company, [record.key for record in page.records])
    return cursors


async def _store(run: Run, cursors: Sequence[Cursor]) -> None:
    settlement = Settlement(run)
    settlement.cursors.extend(cursors)
    await settlement.commit()


async def _mark(run: Run, end: End, company: str, keys: Sequence[str]) -> None:
    flow = run.flow
    connections = list(flow.rights) if end.side == "left" else [end.connection]

    def write(tx: Tx) -> None:
        for connection in connections:
            heads = tx.links.heads(flow.entity.name, flow.left.connection, connection, end.side, None, company, keys)
            tx.links.mark([head.id for found in heads.values() for head in found], run.epoch)

    await run.runtime.state.write(write)


async def sweep_all(run: Run, pipeline: Pipeline) -> None:
    """Read both sides whole: what no timestamp shows comes to light, and what is missing is asked for."""
    sides: tuple[Side, Side] = ("left", "right")
    for turn, side in enumerate(sides):
        run.epoch = 2 * int(run.started.timestamp() * 1000) + turn
        cursors: list[Cursor] = []
        for end in run.flow.ends():
            if end.side != side:
                continue
            for company in end.companies:
                for compiled in end.listed.values():
                    cursors += await scan_place(run, pipeline, end, company, compiled, mark=True)
        if not run.plan_only:
            await deletes.unseen(run, side, run.epoch)
        await _store(run, cursors)


async def followed(run: Run, pipeline: Pipeline) -> None:
    """Records whose system changes them without a trace are read by key while the mapping says so."""
    flow = run.flow
    if not any(c.follow is not None for end in flow.ends() for c in end.mappings.values()):
        return
    for connection in flow.rights:
        after = 0
        while True:

            def read(tx: Tx, after: int = after, connection: str = connection) -> list[Link]:
                return tx.links.page(
                    after,
                    BATCH,
                    entity=flow.entity.name,
                    follow=True,
                    left_connection=flow.left.connection,
                    right_connection=connection,
                )

            links = await run.runtime.state.read(read)
            if not links:
                break
            after = links[-1].id
            await _read_followed(run, pipeline, links)


async def _read_followed(run: Run, pipeline: Pipeline, links: Sequence[Link]) -> None:
    groups: dict[tuple[Side, str, str, str], list[Link]] = defaultdict(list)
    for link in links:
        left = run.flow.left.mappings.get(link.left_variant)
        right = run.flow.rights[link.right_connection].mappings.get(link.right_variant)
        if left is not None and left.follow is not None:
            groups["left", link.left_connection, link.left_company, link.left_variant].append(link)
        if right is not None and right.follow is not None:
            groups["right", link.right_connection, link.right_company, link.right_variant].append(link)
    for (side, connection, company, variant), group in groups.items():
        end = run.flow.end(side, connection)
        query = Query("keys", end.mappings[variant].mapping, company=company, keys=[key_of(one, side) for one in group])
        mark = await run.mark()
        vanished: set[str] = set()
        async for page in run.pages(end, query):
            await pipeline.page(end, end.mappings[variant], company, page.records, mark=mark)
            vanished.update(page.gone, (moved.key for moved in page.moved))
        if vanished:
            await deletes.suspected(run, side, [one for one in group if key_of(one, side) in vanished])
