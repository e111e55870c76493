"""Identify: which record on the other side is the same one.

Linked records are joined through their link and the other side is read fresh. Records without a link
are recognised by the mapping's ``match`` rules, in order; the first rule that finds anything decides.
Two candidates make the record ``ambiguous``: weft never guesses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from weft.records import Canonical, Condition, Moved, Query, Side, Target
from weft.state.links import Link
from weft.sync.capture import Fetched, fetch
from weft.sync.claims import place
from weft.sync.known import key_of
from weft.sync.references import recast
from weft.sync.work import Base, Caught, Half, Work, other

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.state.tx import Tx
    from weft.sync.claims import Claim
    from weft.sync.flow import End
    from weft.sync.run import Run


@dataclass(slots=True)
class Candidates:
    """What the match rules found for one record: the rule, and (variant, record) of each hit.

    ``rivals`` names records that claim the same hit: duplicates on the record's own side.
    """

    rule: tuple[str, ...] = ()
    hits: list[tuple[str, Caught]] = field(default_factory=list)
    rivals: list[str] = field(default_factory=list)


class Matcher(Protocol):
    """Finds counterparts of records without a link."""

    async def candidates(
        self, run: Run, origin: End, far: End, target: Target, records: Sequence[Caught]
    ) -> dict[str, Candidates]:
        """By the key of the record asked about. Candidates that are linked already may be included."""

    def values(self, run: Run, far: End, target: Target, caught: Caught) -> set[str]:
        """What records that might be the same have in common, to be claimed."""


@dataclass(slots=True)
class Identified:
    """Works to decide; records that were found to be gone, moved or hidden; ambiguous ones."""

    works: list[Work] = field(default_factory=list)
    ambiguous: list[tuple[Work, Candidates]] = field(default_factory=list)
    moved: list[tuple[Link, Side, Moved]] = field(default_factory=list)
    rivals: dict[int, Link] = field(default_factory=dict)
    """By id of links whose record moved to one that has a link already: that link."""
    refused: set[str] = field(default_factory=set)
    """Keys of records whose counterpart, or a duplicate of theirs, somebody else is at."""


def from_link(run: Run, link: Link, origin: Side, caught: Caught) -> Work:
    """A work for a linked record; the other half is still to be read."""
    pair = run.flow.pair(link.left_variant, link.right_connection, link.right_variant)
    work = Work(
        pair,
        origin,
        Half(base=Base.read(link.left_base)),
        Half(base=Base.read(link.right_base)),
        Target(link.right_connection, link.right_company),
        link,
    )
    work.half(origin).caught = caught
    return work


async def read_others(run: Run, works: Sequence[Work], out: Identified) -> None:
    """Read the other half of linked works, a batch per place."""
    places: dict[tuple[Side, str, str, str], list[Work]] = defaultdict(list)
    for work in works:
        if work.link is None:
            continue
        side = other(work.origin)
        company = work.link.right_company if side == "right" else work.link.left_company
        mapping = work.pair.mapping(side)
        places[side, work.pair.connection_of(side), company, mapping.mapping.variant].append(work)
    for (side, connection, company, variant), group in places.items():
        end = run.flow.end(side, connection)
        keys = [key_of(work.link, side) for work in group if work.link is not None]
        held = {key_of(work.link, side): work.half(side).base.fields for work in group if work.link is not None}
        fetched = await fetch(run, end, end.mappings[variant], company, keys, held)
        for work in group:
            if work.link is not None:
                _take(work, work.link, side, fetched, out)


def _take(work: Work, link: Link, side: Side, fetched: Fetched, out: Identified) -> None:
    key = key_of(link, side)
    half = work.half(side)
    if key in fetched.found:
        half.caught = fetched.found[key]
    elif key in fetched.moved:
        half.gone = "moved"
        out.moved.append((link, side, fetched.moved[key]))
    else:
        half.gone = "gone" if key in fetched.gone else "invisible"


async def match(
    run: Run, origin: End, wanted: Sequence[tuple[Caught, str, Target]], matcher: Matcher, claim: Claim
) -> Identified:
    """Pair unlinked records. ``wanted``: (record, its variant, where it belongs on the right side).

    A record without any candidate becomes a work whose other half is missing. Candidates are claimed, and so
    are the values they are looked for by: of two duplicates that come in at once, one has to see the other.
    """
    flow = run.flow
    out = Identified()
    far_side = other(origin.side)
    groups: dict[Target, list[tuple[Caught, str]]] = defaultdict(list)
    for caught, variant, target in wanted:
        groups[target].append((caught, variant))
    for target, members in groups.items():
        far = flow.rights[target.connection] if far_side == "right" else flow.left
        out.refused |= await claim.more({c.record.key: matcher.values(run, far, target, c) for c, _ in members})
        members = [one for one in members if one[0].record.key not in out.refused]
        found = await matcher.candidates(run, origin, far, target, [caught for caught, _ in members])
        out.refused |= await claim.more({key: _places(far, candidates) for key, candidates in found.items()})
        members = [one for one in members if one[0].record.key not in out.refused]
        found = {key: candidates for key, candidates in found.items() if key not in out.refused}
        free, left_over = await _unlinked(run, origin, far, target, found)
        claims: dict[str, int] = defaultdict(int)
        for caught, _ in members:
            for _, hit in free.get(caught.record.key, Candidates()).hits:
                claims[hit.record.key] += 1
        for caught, variant in members:
            candidates = free.get(caught.record.key, Candidates())
            hits = candidates.hits
            if not hits:
                out.works.append(_unpaired(run, origin, caught, variant, target))
                continue
            hit_variant, hit = hits[0]
            work = _paired(run, origin, caught, variant, target, hit, hit_variant)
            work.replaces = left_over.get(hit.record.key)
            if len(hits) > 1 or claims[hit.record.key] > 1 or candidates.rivals:
                if flow.config.ambiguous == "create":
                    out.works.append(_unpaired(run, origin, caught, variant, target))
                else:
                    out.ambiguous.append((work, candidates))
            else:
                out.works.append(work)
    return out


def _places(far: End, candidates: Candidates) -> set[str]:
    return {place(far.connection, hit.record.company, hit.record.object, hit.record.key) for _, hit in candidates.hits}


async def _unlinked(
    run: Run, origin: End, far: End, target: Target, found: Mapping[str, Candidates]
) -> tuple[dict[str, Candidates], dict[str, Link]]:
    """Leave out candidates that belong to somebody else; if nothing else is left, name that rival. The counterpart of
    a record that is gone is free again: its link comes by its key."""
    keys = list({hit.record.key for candidates in found.values() for _, hit in candidates.hits})
    if not keys:
        return dict(found), {}
    left, right, entity = run.flow.left.connection, target.connection, run.flow.entity.name

    def read(tx: Tx) -> dict[str, Link]:
        company = target.company if far.side == "right" else None
        linked = tx.links.by_keys(entity, left, right, far.side, None, company, keys)
        return {key: link for key, links in linked.items() for link in links if link.right_company == target.company}

    links = await run.runtime.state.read(read)
    gone = f"{origin.side}_gone"
    left_over = {key: link for key, link in links.items() if link.state == gone}
    taken = {key: key_of(link, origin.side) for key, link in links.items() if link.state != gone}
    free: dict[str, Candidates] = {}
    for key, candidates in found.items():
        hits = [(variant, hit) for variant, hit in candidates.hits if hit.record.key not in taken]
        rivals = candidates.rivals
        if candidates.hits and not hits:
            hits = candidates.hits
            rivals = [*rivals, *{taken[hit.record.key] for _, hit in hits}]
        free[key] = Candidates(candidates.rule, hits, rivals)
    return free, left_over


def _paired(run: Run, origin: End, caught: Caught, variant: str, target: Target, hit: Caught, hit_variant: str) -> Work:
    if origin.side == "left":
        pair = run.flow.pair(variant, target.connection, hit_variant)
        return Work(pair, "left", Half(caught), Half(hit), target)
    pair = run.flow.pair(hit_variant, target.connection, variant)
    return Work(pair, "right", Half(hit), Half(caught), target)


def _unpaired(run: Run, origin: End, caught: Caught, variant: str, target: Target) -> Work:
    if caught.canonical is None:
        raise LookupError("only mapped records are matched")
    flow = run.flow
    if origin.side == "left":
        home = flow.rights[target.connection].variant_for(caught.canonical).mapping.variant
        return Work(flow.pair(variant, target.connection, home), "left", Half(caught), Half(), target)
    home = flow.left.variant_for(caught.canonical).mapping.variant
    return Work(flow.pair(home, target.connection, variant), "right", Half(), Half(caught), target)


class LiveMatcher:
    """Asks the other system, as live changes come in: a search per rule and place."""

    def values(self, run: Run, far: End, target: Target, caught: Caught) -> set[str]:
        if caught.canonical is None:
            return set()
        entity = run.flow.entity.name
        return {
            place(target.connection, target.company, f"match {entity} {'+'.join(rule)}", "\x1e".join(value))
            for compiled in far.mappings.values()
            for rule in rules_of(run, compiled)
            if (value := match_value(compiled, caught.canonical, rule)) is not None
        }

    async def candidates(
        self, run: Run, origin: End, far: End, target: Target, records: Sequence[Caught]
    ) -> dict[str, Candidates]:
        answer: dict[str, Candidates] = {}
        company = target.company if far.side == "right" else (far.companies or ("",))[0]
        known = [one.canonical for one in records if one.canonical is not None]
        rules = {name for compiled in far.listed.values() for rule in rules_of(run, compiled) for name in rule}
        recasts = await recast(run, origin, far, target.company, known, rules)
        wanted = {one.key: one for one in recasts}
        for variant, compiled in far.listed.items():
            for rule in rules_of(run, compiled):
                asking = {key: one for key, one in wanted.items() if key not in answer}
                if asking:
                    await self._by_rule(run, far, compiled, variant, company, rule, asking, answer)
        return answer

    async def _by_rule(
        self,
        run: Run,
        far: End,
        compiled: CompiledMapping,
        variant: str,
        company: str,
        rule: tuple[str, ...],
        asking: Mapping[str, Canonical],
        answer: dict[str, Candidates],
    ) -> None:
        tables = run.tables(far, company)
        await tables.load(compiled.references())
        wanted: dict[tuple[str, ...], list[str]] = defaultdict(list)
        groups: dict[tuple[str, ...], list[tuple[Condition, ...]]] = {}
        for name, canonical in asking.items():
            values = match_value(compiled, canonical, rule)
            if values is None:
                continue
            search = compiled.search(rule, canonical, tables)
            if search:
                wanted[values].append(name)
                groups[values] = search
        if not wanted:
            return
        search = list(dict.fromkeys(group for several in groups.values() for group in several))
        query = Query("search", compiled.mapping, company=company, search=search, fresh=True)
        async for page in run.pages(far, query):
            for hit in await run.catch(far, compiled, company, page.records):
                values = match_value(compiled, hit.canonical, rule) if hit.canonical else None
                for key in wanted.get(values, ()) if values is not None else ():
                    found = answer.setdefault(key, Candidates(rule))
                    if found.rule == rule and all(h.record.key != hit.record.key for _, h in found.hits):
                        found.hits.append((variant, hit))


def rules_of(run: Run, compiled: CompiledMapping) -> list[tuple[str, ...]]:
    """The match rules in force: the flow's own, else those of the mapping."""
    rules = run.flow.config.match or compiled.mapping.match
    return [tuple(rule) for rule in rules]


def match_value(compiled: CompiledMapping, canonical: Canonical, rule: Sequence[str]) -> tuple[str, ...] | None:
    """A record's values under one rule, ready for comparison; None when one is missing."""
    return compiled.match_values(canonical, [rule])[0]
