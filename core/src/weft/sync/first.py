"""The first load: read both sides whole, pair what is the same, then let live changes take over.

Both sides are staged on disk, so the size of the data does not matter. Pairs are found by joining match
values; duplicates on either side make a record ambiguous. The cursors stored at the end were taken
before reading began, so whatever changed meanwhile is read again. Started again after a crash, the
load begins anew: pairs that are linked by then are recognised by their fingerprint.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from weft.records import Canonical, Problem, Side, Target
from weft.state.cursors import Cursor
from weft.sync import deletes
from weft.sync.capture import scan
from weft.sync.held import go_on
from weft.sync.identify import Candidates, match_value, rules_of
from weft.sync.known import key_of, links_of
from weft.sync.portions import GivenMatcher, Shared, Staged, lend
from weft.sync.references import recast
from weft.sync.route import route
from weft.sync.scratch import Place, Scratch
from weft.sync.settle import Settlement
from weft.sync.work import Caught

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.state.links import Link
    from weft.state.tx import Tx
    from weft.sync.flow import End
    from weft.sync.pipeline import Pipeline
    from weft.sync.run import Run

PAGE = 500
AT_ONCE = 3
"""Pages under way on one worker: while the systems work on the writes of one, the next is decided."""
MOST = 16
"""Pages under way, however many workers there are."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch:
    """Some staged records of one place, which was read after the settlement ``mark``."""

    end: End
    company: str
    compiled: CompiledMapping
    records: Sequence[Caught]
    mark: int

    @property
    def keys(self) -> list[str]:
        return [one.record.key for one in self.records]


Value = tuple[tuple[str, ...], tuple[str, ...]]


class StagedMatcher:
    """Finds counterparts among the staged records.

    Pages that are under way have no links yet, so what their records were paired with is kept in mind
    until :meth:`release`: nothing is paired twice.
    """

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._claimed: dict[tuple[str, str, str, str], str] = {}

    def values(self, run: Run, far: End, target: Target, caught: Caught) -> set[str]:
        return set()  # everything is staged: duplicates are seen

    def release(self, origin: End, keys: Sequence[str]) -> None:
        """These records of one end are settled: their links tell from here on."""
        settled = set(keys)
        for hit in [h for h, key in self._claimed.items() if h[0] != origin.side and key in settled]:
            del self._claimed[hit]

    async def candidates(
        self, run: Run, origin: End, far: End, target: Target, records: Sequence[Caught]
    ) -> dict[str, Candidates]:
        answer: dict[str, Candidates] = {}
        companies = (target.company,) if far.side == "right" else far.companies
        known = [one.canonical for one in records if one.canonical is not None]
        wanted = {one.key: one for one in await _in_left_terms(run, origin, target.company, known)}
        for variant, compiled in far.listed.items():
            places = [Place(far.side, far.connection, company, variant) for company in companies]
            for rule in rules_of(run, compiled):
                asking = {key: one for key, one in wanted.items() if key not in answer}
                values = {key: match_value(compiled, canonical, rule) for key, canonical in asking.items()}
                found = self._scratch.matching(places, rule, {value for value in values.values() if value})
                for key, value in values.items():
                    if value is not None and value in found:
                        hits = [(variant, hit) for hit in found[value]]
                        rivals = self._scratch.rivals(origin.side, rule, value, key)
                        answer[key] = self._unclaimed(far, Candidates(rule, hits, rivals))
        for key, candidates in answer.items():
            if len(candidates.hits) == 1 and not candidates.rivals:
                self._claimed[_place(far, *candidates.hits[0])] = key
        return answer

    def _unclaimed(self, far: End, found: Candidates) -> Candidates:
        """Without what other pages have taken; if nothing else is left, with the name of that rival."""
        if not self._claimed:
            return found
        claimed = {hit.record.key: self._claimed.get(_place(far, variant, hit)) for variant, hit in found.hits}
        free = [(variant, hit) for variant, hit in found.hits if claimed[hit.record.key] is None]
        if free:
            return Candidates(found.rule, free, found.rivals)
        rivals = [key for key in claimed.values() if key is not None]
        return Candidates(found.rule, found.hits, [*found.rivals, *rivals])


def _place(far: End, variant: str, hit: Caught) -> tuple[str, str, str, str]:
    return far.side, far.connection, f"{hit.record.company}/{variant}", hit.record.key


async def first_load(run: Run, pipeline: Pipeline) -> None:
    """Stage both sides, pair them, create what is missing, store the cursors."""
    for last in (False, False, True):
        mark = await run.mark()
        with Scratch() as scratch:
            # Different systems are read side by side, the objects of one in turn.
            reads = [_stage_end(run, end, scratch) for end in run.flow.ends()]
            cursors = [cursor for found in await _together(reads) for cursor in found]
            if await _unseen(run, scratch) and not last:
                continue  # what a delete has removed from the other side is staged
            await _bring_staged(run, pipeline, scratch, mark)
            break
    settlement = Settlement(run)
    settlement.cursors.extend(cursors)
    await settlement.commit()


async def _bring_staged(run: Run, pipeline: Pipeline, scratch: Scratch, mark: int) -> None:
    matcher = StagedMatcher(scratch)
    given = GivenMatcher(matcher)
    live, pipeline.matcher = pipeline.matcher, given
    try:
        async with Shared(run, given, partial(_bring_portion, run, pipeline)) as shared:
            await _bring_all(run, pipeline, scratch, matcher, shared, mark)
    finally:
        pipeline.matcher = live


async def lend_a_hand(run: Run, pipeline: Pipeline) -> None:
    """Take part in the first load of a flow that another run has staged."""
    pipeline.matcher = given = GivenMatcher(pipeline.matcher)
    await lend(run, given, partial(_bring_portion, run, pipeline))


async def _bring_portion(run: Run, pipeline: Pipeline, staged: Staged) -> None:
    end = run.flow.end("left" if staged.side == "left" else "right", staged.connection)
    compiled = end.mappings[staged.variant]
    await _bring(run, pipeline, Batch(end, staged.company, compiled, staged.records, staged.mark))


async def _together(reads: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All of them at once; the first to fail ends the others, and its error is raised."""
    tasks = [asyncio.create_task(read) for read in reads]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _stage_end(run: Run, end: End, scratch: Scratch) -> list[Cursor]:
    cursors: list[Cursor] = []
    for company in end.companies:
        for compiled in end.listed.values():
            cursors += await _stage(run, end, company, compiled, scratch)
    return cursors


async def _unseen(run: Run, scratch: Scratch) -> bool:
    """Linked before, by an earlier try or by import, and not there now: the cursors will not tell it.
    True when there was any such record."""
    flow = run.flow
    any_missing = False
    if run.plan_only:
        return False
    for connection in flow.rights:
        after = 0
        while True:

            def read(tx: Tx, after: int = after, connection: str = connection) -> list[Link]:
                return tx.links.page(
                    after,
                    PAGE,
                    entity=flow.entity.name,
                    left_connection=flow.left.connection,
                    right_connection=connection,
                )

            links = await run.runtime.state.read(read)
            if not links:
                break
            after = links[-1].id
            sides: tuple[Side, Side] = ("left", "right")
            for side in sides:
                places: dict[Place, list[Link]] = defaultdict(list)
                for link in links:
                    places[_place_of(link, side)].append(link)
                for place, group in places.items():
                    found = scratch.get(place, [key_of(link, side) for link in group])
                    missing = [o for o in group if key_of(o, side) not in found and o.state != f"{side}_gone"]
                    any_missing |= bool(missing)
                    await deletes.suspected(run, side, missing)
    return any_missing


def _place_of(link: Link, side: Side) -> Place:
    if side == "left":
        return Place(side, link.left_connection, link.left_company, link.left_variant)
    return Place(side, link.right_connection, link.right_company, link.right_variant)


async def _bring_all(
    run: Run, pipeline: Pipeline, scratch: Scratch, matcher: StagedMatcher, shared: Shared, mark: int
) -> None:
    async def bring(batch: Batch) -> None:
        if run.runtime.others and not run.plan_only:
            await _offer(run, pipeline, batch, shared)
        else:
            await _bring(run, pipeline, batch)
        matcher.release(batch.end, batch.keys)

    for end in run.flow.ends():
        for company in end.companies:
            for variant, compiled in end.listed.items():
                size = max(PAGE, run.flow.config.batch)
                pages = scratch.pages(Place(end.side, end.connection, company, variant), size)

                await _overlapping(run, (Batch(end, company, compiled, page, mark) for page in pages), bring)


async def _offer(run: Run, pipeline: Pipeline, batch: Batch, shared: Shared) -> None:
    """What is new in a batch, for any worker; returns once all of it is settled."""
    end, company = batch.end, batch.company
    fresh, reread = await _sorted(run, batch)
    targets: dict[Target, list[Caught]] = defaultdict(list)
    if end.side == "right":
        targets[Target(end.connection, company)] = fresh
    else:
        routed = await route(run, pipeline.router, [one.canonical for one in fresh if one.canonical is not None])
        for one, wanted in zip(fresh, routed, strict=True):
            for target in () if isinstance(wanted, Problem) else wanted:  # whoever brings it in says what is wrong
                targets[target].append(one)
    answers: dict[Target, dict[str, Candidates]] = {}
    for target, ones in targets.items():
        far = run.flow.left if end.side == "right" else run.flow.rights[target.connection]
        found = await pipeline.matcher.candidates(run, end, far, target, ones)
        answers[target] = {one.record.key: found.get(one.record.key) or Candidates() for one in ones}
    variant = batch.compiled.mapping.variant
    if fresh:
        await shared.bring(Staged(end.side, end.connection, company, variant, batch.mark, fresh, answers, {}))
    if reread:
        await pipeline.keys(end, batch.compiled, company, reread)
    run.tell()


async def _overlapping(run: Run, batches: Iterator[Batch], bring: Callable[[Batch], Awaitable[None]]) -> None:
    """A few batches under way at a time. After a failure no other begins, those under way are finished:
    what they have sent must be settled."""
    running: set[asyncio.Future[None]] = set()
    failed: list[BaseException] = []
    try:
        for batch in batches:
            if len(running) >= min(AT_ONCE * (1 + run.runtime.others), MOST):
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                failed += [error for one in done if (error := one.exception()) is not None]
                if failed:
                    break
            running.add(asyncio.ensure_future(bring(batch)))
        if running:
            done, running = await asyncio.wait(running)
            failed += [error for one in done if (error := one.exception()) is not None]
    finally:
        for one in running:  # only when this task itself is cancelled
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    if failed:
        raise failed[0]


async def _stage(run: Run, end: End, company: str, compiled: CompiledMapping, scratch: Scratch) -> list[Cursor]:
    """Read one place whole; returns its cursor."""
    place = Place(end.side, end.connection, company, compiled.mapping.variant)
    settlement = Settlement(run)
    rules = _rules(run, end, compiled)
    cursor: str | None = None
    async for caught, given, total in scan(run, end, compiled, company):
        cursor = given or cursor
        run.counts["read"] += len(caught)
        if total is not None:
            run.expected[place] = total
        usable = []
        for one in caught:
            if one.excluded is not None:
                run.counts["excluded"] += 1
                if len(run.excluded_parents) < 10_000:
                    run.excluded_parents[run.flow.entity.name, one.record.key] = one.excluded
            elif one.problems or one.canonical is None:
                settlement.caught_problem(end, one)
            else:
                usable.append(one)
        known = [one.canonical for one in usable if one.canonical is not None]
        recasts = await _in_left_terms(run, end, company, known)
        scratch.put(place, usable, [_values(compiled, rules, one) for one in recasts])
        await settlement.commit()
        run.tell()
    if cursor is None:
        return []
    return [Cursor(run.flow.name, end.side, end.connection, company, compiled.mapping.variant, cursor, run.now)]


def _rules(run: Run, end: End, compiled: CompiledMapping) -> list[tuple[str, ...]]:
    """The rules a place's records are matched by: its own and those of the other side."""
    flow = run.flow
    others = [c for e in (flow.rights.values() if end.side == "left" else [flow.left]) for c in e.mappings.values()]
    return list(dict.fromkeys(rule for mapping in (compiled, *others) for rule in rules_of(run, mapping)))


async def _in_left_terms(run: Run, end: End, company: str, records: Sequence[Canonical]) -> Sequence[Canonical]:
    """References are matched as the left side names what they lead to."""
    if end.side == "left":
        return records
    names = {
        name for one in run.flow.ends() for c in one.mappings.values() for rule in rules_of(run, c) for name in rule
    }
    return await recast(run, end, run.flow.left, company, records, names)


def _values(compiled: CompiledMapping, rules: Sequence[tuple[str, ...]], canonical: Canonical) -> list[Value]:
    """A record's match values."""
    found = zip(rules, compiled.match_values(canonical, rules), strict=True)
    return [(rule, value) for rule, value in found if value is not None]


async def _bring(run: Run, pipeline: Pipeline, batch: Batch) -> None:
    """One batch through the cycle."""
    await go_on(run)
    end, company, compiled = batch.end, batch.company, batch.compiled
    fresh, reread = await _sorted(run, batch)
    settlement = Settlement(run)
    keys = [one.record.key for one in fresh]
    async with pipeline.claimed(end, compiled, company, keys, settlement, batch.mark) as claim:
        fresh = [one for one in fresh if one.record.key not in claim.refused]
        await pipeline.caught(end, compiled, company, fresh, settlement, claim)
        await settlement.commit(claim)
    if reread:
        await pipeline.keys(end, compiled, company, reread)
    run.counts["paired"] = run.counts["linked"]
    run.tell()


async def _sorted(run: Run, batch: Batch) -> tuple[list[Caught], list[str]]:
    """Records that have no link, and the keys of those that are to be read fresh: what is linked by now needs no
    look at all, or else its staged copy may be older than a link that was settled after the ``mark``."""
    end = batch.end
    links = await links_of(run, end, batch.company, batch.keys)
    fresh: list[Caught] = []
    reread: list[str] = []
    for one in batch.records:
        known = links.get(one.record.key)
        if not known:
            fresh.append(one)
            continue
        prints = {link.left_print if end.side == "left" else link.right_print for link in known}
        incomplete = end.side == "left" and len(known) < len(run.flow.rights)
        if prints == {one.print} and not incomplete:
            run.counts["unchanged"] += 1
        elif None in prints or incomplete or any(link.settled <= batch.mark for link in known):
            reread.append(one.record.key)
    return fresh, reread
