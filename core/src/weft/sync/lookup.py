"""Look-up: was a create carried out whose answer was lost, or whose process died?

In order: the key a noted step recorded; weft's own key; the match rules, with the values that were sent. Creates that
are looked up by a key share their reads, so that hundreds of them cost few; each has an answer of its own.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from weft.model.values import EMPTY, Ref
from weft.records import Canonical, Condition, Query, Side
from weft.sync.capture import fetch
from weft.sync.identify import LiveMatcher, match_value, rules_of
from weft.sync.references import recast
from weft.sync.work import Caught, Work, other

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.mapping.document import OwnKey
    from weft.state.intents import Intent
    from weft.state.tx import Tx
    from weft.sync.flow import End, Pair
    from weft.sync.run import Run

AT_ONCE = 8
"""Searches by match rules under way at a time."""
TOGETHER = 50
"""Own keys that are searched for with one query."""


@dataclass(slots=True)
class Found:
    """The answer to *was it created?*: the record, or why that cannot be told."""

    caught: Caught | None = None
    stopped_between: bool = False
    """Steps were noted: the connector can go on where it stopped."""
    ambiguous: list[str] | None = None
    searchable: bool = True


@dataclass(slots=True)
class _Asked:
    """One create: ``work`` holds the record it comes from, which need only be known as it was sent."""

    work: Work
    intent: Intent
    noted: dict[str, dict[str, Any]]
    compiled: CompiledMapping = field(init=False)
    found: Found | None = None

    def __post_init__(self) -> None:
        variant = str(self.intent.payload.get("variant"))
        self.compiled = self.end.mappings.get(variant) or self.work.pair.mapping(self.intent.side)

    @property
    def end(self) -> End:
        return self.work.pair.end(self.intent.side)

    @property
    def place(self) -> tuple[Side, str, str, str]:
        intent = self.intent
        return intent.side, self.end.connection, intent.company, self.compiled.mapping.variant

    @property
    def own(self) -> OwnKey | None:
        return self.compiled.mapping.own_key

    @property
    def by_id(self) -> bool:
        """Is weft's own key the record's key?"""
        return self.own is not None and self.compiled.mapping.key == [self.own.field]

    @property
    def key(self) -> str | None:
        """The record's key, if it is known."""
        key = (self.noted.get("header") or {}).get("key") or self.intent.result_key
        return str(key) if key is not None else self.intent.own_key if self.by_id else None


async def look(run: Run, creates: Sequence[tuple[Work, Intent]]) -> list[Found]:
    """What became of each of these creates."""
    if not creates:
        return []
    ids = [intent.id for _, intent in creates]
    noted = await run.runtime.state.read(lambda tx: tx.intents.noted(ids))
    asked = [_Asked(work, intent, noted.get(intent.id, {})) for work, intent in creates]
    for group in _by_place(one for one in asked if one.key is not None):
        await _by_key(run, group)
    for group in _by_place(one for one in asked if one.found is None and one.own is not None and one.intent.own_key):
        for at in range(0, len(group), TOGETHER):
            await _by_own_key(run, group[at : at + TOGETHER])
    await _by_rules(run, [one for one in asked if one.found is None])
    await _leave_to_others(run, asked)
    return [one.found or Found() for one in asked]


def _by_place(asked: Iterable[_Asked]) -> list[list[_Asked]]:
    places: dict[tuple[Side, str, str, str], list[_Asked]] = defaultdict(list)
    for one in asked:
        places[one.place].append(one)
    return list(places.values())


async def _by_key(run: Run, group: Sequence[_Asked]) -> None:
    first = group[0]
    keys = [one.key for one in group if one.key is not None]
    fetched = await fetch(run, first.end, first.compiled, first.intent.company, keys)
    for one in group:
        caught = fetched.found.get(one.key or "")
        if caught is not None:
            one.found = Found(caught, stopped_between=bool(one.noted))
        elif one.by_id:
            one.found = Found()


async def _by_own_key(run: Run, group: Sequence[_Asked]) -> None:
    first, own = group[0], group[0].own
    if own is None:
        return
    query = Query(
        "search",
        first.compiled.mapping,
        company=first.intent.company,
        search=[(Condition(own.field, "eq", one.intent.own_key),) for one in group],
        fresh=True,
    )
    hits: list[Caught] = []
    async for page in run.pages(first.end, query):
        hits += await run.catch(first.end, first.compiled, first.intent.company, page.records)
    by_key = {str(hit.record.data.get(own.field)): hit for hit in reversed(hits)}
    if len(group) > 1 and by_key.keys() - {one.intent.own_key for one in group}:
        for one in group:  # the system spells keys in its own way: whose record is whose shows one by one
            await _by_own_key(run, [one])
        return
    for one in group:
        one.found = Found(hits[0] if len(group) == 1 and hits else by_key.get(one.intent.own_key or ""))


async def _by_rules(run: Run, asked: Sequence[_Asked]) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one_of(one: _Asked) -> None:
        async with gate:
            one.found = await _by_match(run, one.work, one.intent)

    ended = await asyncio.gather(*map(one_of, asked), return_exceptions=True)
    for error in ended:
        if error is not None:
            raise error


async def _leave_to_others(run: Run, asked: Sequence[_Asked]) -> None:
    """A record that was linked to somebody else meanwhile, or that two creates may have made: a person must say."""
    for group in _by_place(asked):
        found = [(one, one.found.caught.record.key) for one in group if one.found and one.found.caught is not None]
        taken = await _linked(run, group[0].work, group[0].intent.side, [key for _, key in found])
        wanted: dict[str, set[int]] = defaultdict(set)
        for one, key in found:
            wanted[key].add(id(one.work))
        for one, key in found:
            if key in taken or len(wanted[key]) > 1:
                one.found = Found(ambiguous=[key])


async def _linked(run: Run, work: Work, side: Side, keys: Sequence[str]) -> set[str]:
    flow = run.flow

    def read(tx: Tx) -> set[str]:
        return set(tx.links.heads(flow.entity.name, flow.left.connection, work.pair.connection, side, None, None, keys))

    return await run.runtime.state.read(read) if keys else set()


def holds(pair: Pair, intent: Intent, hit: Caught) -> bool:
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


async def _by_match(run: Run, work: Work, intent: Intent) -> Found:
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
    exact = [hit for hit in free if holds(work.pair, intent, hit)]
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
