"""The first load: read both sides whole, pair what is the same, then let live changes take over.

Both sides are staged on disk, so the size of the data does not matter. Pairs are found by joining match
values; duplicates on either side make a record ambiguous. The cursors stored at the end were taken
before reading began, so whatever changed meanwhile is read again. Started again after a crash, the
load begins anew: pairs that are linked by then are recognised by their fingerprint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from weft.records import Target
from weft.state.cursors import Cursor
from weft.sync.capture import scan
from weft.sync.identify import Candidates, links_of, match_value, rules_of
from weft.sync.scratch import Place, Scratch
from weft.sync.settle import Settlement
from weft.sync.work import Caught

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.sync.flow import End
    from weft.sync.pipeline import Pipeline
    from weft.sync.run import Run

PAGE = 500

Value = tuple[tuple[str, ...], tuple[str, ...]]


class StagedMatcher:
    """Finds counterparts among the staged records."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    async def candidates(
        self, run: Run, origin: End, far: End, target: Target, records: Sequence[Caught]
    ) -> dict[str, Candidates]:
        answer: dict[str, Candidates] = {}
        company = target.company if far.side == "right" else None
        for caught in records:
            found = self._of(run, origin, far, company, caught)
            if found is not None:
                answer[caught.record.key] = found
        return answer

    def _of(self, run: Run, origin: End, far: End, company: str | None, caught: Caught) -> Candidates | None:
        if caught.canonical is None:
            return None
        companies = far.companies if company is None else (company,)
        for variant, compiled in far.mappings.items():
            for rule in rules_of(run, compiled):
                value = match_value(compiled, caught.canonical, rule)
                if value is None:
                    continue
                hits = [
                    (variant, hit)
                    for one in companies
                    for hit in self._scratch.matching(Place(far.side, far.connection, one, variant), rule, value)
                ]
                if hits:
                    rivals = self._scratch.rivals(origin.side, rule, value, caught.record.key)
                    return Candidates(rule, hits, rivals)
        return None


async def first_load(run: Run, pipeline: Pipeline) -> None:
    """Stage both sides, pair them, create what is missing, store the cursors."""
    cursors: list[Cursor] = []
    with Scratch() as scratch:
        for end in run.flow.ends():
            for company in end.companies:
                for compiled in end.mappings.values():
                    cursors += await _stage(run, end, company, compiled, scratch)
        live, pipeline.matcher = pipeline.matcher, StagedMatcher(scratch)
        try:
            await _bring_all(run, pipeline, scratch)
        finally:
            pipeline.matcher = live
    settlement = Settlement(run)
    settlement.cursors.extend(cursors)
    await settlement.commit()


async def _bring_all(run: Run, pipeline: Pipeline, scratch: Scratch) -> None:
    for end in run.flow.ends():
        for company in end.companies:
            for variant, compiled in end.mappings.items():
                place = Place(end.side, end.connection, company, variant)
                for page in scratch.pages(place, PAGE):
                    await _bring(run, pipeline, end, company, compiled, page)


async def _stage(run: Run, end: End, company: str, compiled: CompiledMapping, scratch: Scratch) -> list[Cursor]:
    """Read one place whole; returns its cursor."""
    place = Place(end.side, end.connection, company, compiled.mapping.variant)
    settlement = Settlement(run)
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
        scratch.put(place, usable, [_values(run, end, compiled, one) for one in usable])
        await settlement.commit()
        run.tell()
    if cursor is None:
        return []
    return [Cursor(run.flow.name, end.side, end.connection, company, compiled.mapping.variant, cursor, run.now)]


def _values(run: Run, end: End, compiled: CompiledMapping, caught: Caught) -> list[Value]:
    """A record's match values, under its own rules and under those of the other side."""
    flow = run.flow
    others = [c for e in (flow.rights.values() if end.side == "left" else [flow.left]) for c in e.mappings.values()]
    values: dict[Value, None] = {}
    if caught.canonical is not None:
        for mapping in (compiled, *others):
            for rule in rules_of(run, mapping):
                value = match_value(mapping, caught.canonical, rule)
                if value is not None:
                    values[rule, value] = None
    return list(values)


async def _bring(
    run: Run, pipeline: Pipeline, end: End, company: str, compiled: CompiledMapping, page: Sequence[Caught]
) -> None:
    """One staged page through the cycle. What is linked by now is read fresh, if it needs a look at all:
    the staged copy may be older than what this very load has written."""
    links = await links_of(run, end, company, [one.record.key for one in page])
    fresh: list[Caught] = []
    reread: list[str] = []
    for one in page:
        known = links.get(one.record.key)
        if not known:
            fresh.append(one)
            continue
        prints = {link.left_print if end.side == "left" else link.right_print for link in known}
        incomplete = end.side == "left" and len(known) < len(run.flow.rights)
        if prints == {one.print} and not incomplete:
            run.counts["unchanged"] += 1
        elif None in prints or incomplete or any(link.updated_at < run.started for link in known):
            reread.append(one.record.key)
    settlement = Settlement(run)
    await pipeline.caught(end, compiled, company, fresh, settlement)
    await settlement.commit()
    if reread:
        await pipeline.keys(end, compiled, company, reread)
    run.counts["paired"] = run.counts["linked"]
    run.tell()
