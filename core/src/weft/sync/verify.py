"""Verify: prove that both sides agree, by reading both whole and comparing every linked pair.

Nothing is written, neither to the systems nor to the links. The counts add up: every record read is in
exactly one of agree, differ, only left, only right or **not compared** (excluded by a rule, not mapped
with the reason, or waiting for a link). Amounts are added up per currency for what was compared, and
each side's sum comes from that side alone.

People go on working meanwhile, so whatever did not agree is read a second time by its key, at the end, and only what
then still does not agree is told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from weft.records import Side
from weft.sync.capture import fetch, scan
from weft.sync.comparing import Difference, amounts, compare
from weft.sync.flow import Flow, build
from weft.sync.identify import from_link
from weft.sync.known import links_of, taken
from weft.sync.references import asked, translate
from weft.sync.run import Run
from weft.sync.scratch import Place, Scratch
from weft.sync.work import Caught, Work, label

if TYPE_CHECKING:
    from weft.runtime import Runtime
    from weft.state.links import Link
    from weft.state.tx import Tx
    from weft.sync.flow import End

Status = Literal["differ", "only_left", "only_right", "not_compared"]
SAMPLES = 200
PAGE = 500
AGAIN = 5_000
"""So many records are read a second time at most; where more do not agree, it is not for people at work."""
BATCH = 100
"""Records read by key at a time."""
LINKED = ("linked", "review")


@dataclass(frozen=True, slots=True)
class Sample:
    """One record that does not plainly agree, and why."""

    status: Status
    label: str
    left_key: str = ""
    right_key: str = ""
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    reason: str = ""


@dataclass(slots=True)
class Agreement:
    """What one flow's proof came to.

    ``totals`` goes by money field, then currency, then side. ``reasons`` counts why records were not
    compared. ``samples`` holds the first of those that do not agree.
    """

    flow: str
    agree: int = 0
    differ: int = 0
    only_left: int = 0
    only_right: int = 0
    not_compared: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    totals: dict[str, dict[str, dict[Side, Decimal]]] = field(default_factory=dict)
    proved_at: datetime | None = None

    @property
    def proven(self) -> bool:
        """Everything was compared and agrees."""
        return not (self.differ or self.only_left or self.only_right or self.not_compared)

    def add(self, sample: Sample) -> None:
        setattr(self, sample.status, getattr(self, sample.status) + 1)
        if sample.status == "not_compared":
            self.reasons[sample.reason] += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(sample)


async def verify(
    runtime: Runtime, names: Sequence[str] | None = None, *, progress: Callable[[Run], None] | None = None
) -> list[Agreement]:
    """Prove the agreement of some flows (all that are enabled, by default)."""
    wanted = names or [name for name, config in runtime.config.flows.items() if config.enabled]
    return [await _verify_flow(runtime, await build(runtime, name), progress) for name in wanted]


async def _verify_flow(runtime: Runtime, flow: Flow, progress: Callable[[Run], None] | None) -> Agreement:
    proof = _Proof(Run(runtime, flow, "verify", plan_only=True, progress=progress), Agreement(flow.name))
    await proof.read_all()
    await proof.read_again()
    proof.out.proved_at = proof.run.now
    return proof.out


Rights = Callable[[Place, Sequence[str]], Awaitable[dict[str, Caught]]]
"""Where the right half of pairs is got from: mapped records of a place, by key."""


Doubtful = dict[Place, dict[str, set[int]]]
"""Records to be read again, by key: which of their links did not agree; 0 when it had none."""


@dataclass(slots=True)
class _Proof:
    run: Run
    out: Agreement
    doubtful: Doubtful = field(default_factory=lambda: defaultdict(dict))
    asked: Doubtful | None = None
    """While they are read again: what it is about."""
    room: int = field(default_factory=lambda: AGAIN)

    # -- both sides whole --------------------------------------------------------------------------

    async def read_all(self) -> None:
        run, flow = self.run, self.run.flow
        with Scratch() as scratch:
            for end in flow.rights.values():
                for company in end.companies:
                    for variant in end.mappings:
                        await self._stage(end, Place(end.side, end.connection, company, variant), scratch)

            async def staged(place: Place, keys: Sequence[str]) -> dict[str, Caught]:
                scratch.mark(place, keys)
                return scratch.get(place, keys)

            for company in flow.left.companies:
                for variant, compiled in flow.left.mappings.items():
                    place = Place("left", flow.left.connection, company, variant)
                    async for caught, _, _ in scan(run, flow.left, compiled, company):
                        run.counts["read"] += len(caught)
                        await self._compare(place, caught, staged)
                        run.tell()
            for end in flow.rights.values():
                for company in end.companies:
                    for variant in end.mappings:
                        place = Place(end.side, end.connection, company, variant)
                        for page in scratch.pages(place, PAGE, unmarked=True):
                            await self._only_right(place, page)

    async def _stage(self, end: End, place: Place, scratch: Scratch) -> None:
        async for caught, _, _ in scan(self.run, end, end.mappings[place.variant], place.company):
            self.run.counts["read"] += len(caught)
            scratch.put(place, [one for one in caught if self._usable(one, "right")])
            self.run.tell()

    # -- what did not agree, once more -------------------------------------------------------------

    async def read_again(self) -> None:
        doubtful, self.doubtful, self.room = self.doubtful, defaultdict(dict), 0
        lefts: Doubtful = {place: keys for place, keys in doubtful.items() if place.side == "left"}
        rights = {place: set(keys) for place, keys in doubtful.items() if place.side == "right"}
        for place, wanted in rights.items():  # those that are linked by now are looked at from the left
            for link in await self._links(place, sorted(wanted)):
                there = Place("left", link.left_connection, link.left_company, link.left_variant)
                lefts.setdefault(there, {}).setdefault(link.left_key, set()).add(link.id)
        self.asked = lefts
        met: set[tuple[Place, str]] = set()

        async def fresh(place: Place, keys: Sequence[str]) -> dict[str, Caught]:
            met.update((place, key) for key in keys)
            found = await self._fetch(place, keys)
            return {key: one for key, one in found.items() if one.excluded is not None or self._usable(one, "right")}

        for place, every in lefts.items():
            for keys in _batches(every):
                found = await self._fetch(place, keys)
                for link in await self._links(place, [key for key in keys if key not in found]):
                    rights.setdefault(_right(link), set()).add(link.right_key)
                await self._compare(place, list(found.values()), fresh)
        for place, wanted in rights.items():
            for keys in _batches(key for key in sorted(wanted) if (place, key) not in met):
                found = await self._fetch(place, keys)
                await self._only_right(place, [one for one in found.values() if self._usable(one, "right")])

    async def _fetch(self, place: Place, keys: Sequence[str]) -> dict[str, Caught]:
        end = self._end(place)
        compiled = end.mappings.get(place.variant)
        if compiled is None or place.company not in end.companies:
            return {}
        return (await fetch(self.run, end, compiled, place.company, keys)).found

    # -- either time -------------------------------------------------------------------------------

    def _end(self, place: Place) -> End:
        flow = self.run.flow
        return flow.left if place.side == "left" else flow.rights[place.connection]

    def _tell(self, place: Place, key: str, sample: Sample, link: int = 0) -> None:
        """A record that does not agree: read it again while there is room, else say so."""
        if self.room > 0:
            self.room -= 1
            self.doubtful[place].setdefault(key, set()).add(link)
        else:
            self.out.add(sample)

    def _usable(self, caught: Caught, side: Side) -> bool:
        key = caught.record.key
        keys = (key, "") if side == "left" else ("", key)
        if caught.excluded is not None:
            return False  # outside the flow by configuration: neither side's agreement depends on it
        if caught.problems or caught.canonical is None:
            why = caught.problems[0].message if caught.problems else "not mapped"
            self.out.add(Sample("not_compared", key, *keys, reason=f"cannot be mapped: {why}"))
            return False
        return True

    async def _compare(self, place: Place, caught: Sequence[Caught], rights: Rights) -> None:
        run, flow = self.run, self.run.flow
        usable = [one for one in caught if self._usable(one, "left")]
        await self._outside(place, [one.record.key for one in caught if one.excluded is not None], rights)
        links = await links_of(run, flow.left, place.company, [one.record.key for one in usable])
        works: list[Work] = []
        unlinked: list[Caught] = []
        for one in usable:
            known = [link for link in links.get(one.record.key, ()) if link.state in LINKED]
            works += [from_link(run, link, "left", one) for link in known if self._concerns(place, link)]
            if not known:
                unlinked.append(one)
        elsewhere = await self._elsewhere(place, unlinked)
        for one in unlinked:
            if one.record.key not in elsewhere:
                name = label(one.canonical, flow.entity.label) if one.canonical else one.record.key
                self._tell(place, one.record.key, Sample("only_left", name, one.record.key, reason="not linked"))
        await self._join(place, works, rights)
        ready = [work for work in works if work.right.canonical is not None]
        translations = await translate(run.runtime.state, asked(ready))
        ids = [work.link.id for work in ready if work.link is not None]
        children = await run.runtime.state.read(lambda tx: tx.links.children(ids))
        for work in ready:
            found = compare(run, work, translations, children.get(work.link.id if work.link else 0, ()))
            self._judge(place, work, found)

    def _judge(self, place: Place, work: Work, found: Difference) -> None:
        left, right = work.left.canonical, work.right.canonical
        if left is None or right is None:
            return
        keys = (left.key, right.key)
        if (found.fields or found.unlinked) and self.room > 0:
            self._tell(place, left.key, Sample("differ", work.label, *keys), work.link.id if work.link else 0)
            return
        for name, currency, side, amount in amounts(self.run, work):
            sums = self.out.totals.setdefault(name, {}).setdefault(currency, {})
            sums[side] = sums.get(side, Decimal(0)) + amount
        if found.fields:
            told = Sample("differ", work.label, *keys, fields=found.fields, reason=", ".join(found.fields))
            self.out.add(told)
        elif found.unlinked:
            self.out.add(Sample("not_compared", work.label, *keys, reason=f"{', '.join(found.unlinked)} is not linked"))
        else:
            self.out.agree += 1

    def _concerns(self, place: Place, link: Link) -> bool:
        if self.asked is None:
            return True
        asked = self.asked.get(place, {}).get(link.left_key, set())
        return 0 in asked or link.id in asked

    async def _outside(self, place: Place, keys: Sequence[str], rights: Rights) -> None:
        """The counterparts of records outside the flow are outside as well: they are looked at, and not told of."""
        there: dict[Place, list[str]] = defaultdict(list)
        for link in await self._links(place, keys):
            there[_right(link)].append(link.right_key)
        for right, theirs in there.items():
            await rights(right, theirs)

    async def _join(self, at: Place, works: Sequence[Work], rights: Rights) -> None:
        groups: dict[Place, list[tuple[Work, Link]]] = defaultdict(list)
        for work in works:
            if work.link is not None:
                groups[_right(work.link)].append((work, work.link))
        for place, group in groups.items():
            found = await rights(place, [link.right_key for _, link in group])
            for work, link in group:
                work.right.caught = there = found.get(link.right_key)
                if there is not None and there.excluded is not None:
                    work.right.caught = None  # the pair is outside the flow
                elif there is None:
                    why = "its counterpart is not there, or outside the flow"
                    told = Sample("only_left", work.label, link.left_key, link.right_key, reason=why)
                    self._tell(at, link.left_key, told, link.id)

    async def _only_right(self, place: Place, caught: Sequence[Caught]) -> None:
        """Records of the right side that no record of the left side has led to."""
        links = {link.right_key: link for link in await self._links(place, [one.record.key for one in caught])}
        elsewhere = await self._elsewhere(place, [one for one in caught if one.record.key not in links])
        for one in caught:
            key, link = one.record.key, links.get(one.record.key)
            if key in elsewhere or one.canonical is None:
                continue
            why = "not linked" if link is None else "its counterpart is not there, or outside the flow"
            name = label(one.canonical, self.run.flow.entity.label)
            self._tell(place, key, Sample("only_right", name, link.left_key if link else "", key, reason=why))

    async def _links(self, place: Place, keys: Sequence[str]) -> list[Link]:
        if not keys:
            return []
        found = await links_of(self.run, self._end(place), place.company, keys)
        return [link for links in found.values() for link in links if link.state in LINKED]

    async def _elsewhere(self, place: Place, caught: Sequence[Caught]) -> set[str]:
        """Records that another flow of the entity keeps together with something else: it proves them."""
        if not caught:
            return set()
        end, keys = self._end(place), [one.record.key for one in caught]
        object_name = end.mappings[place.variant].mapping.object.read

        def read(tx: Tx) -> set[str]:
            return taken(self.run.flow, tx, end, object_name, place.company, keys)

        return await self.run.runtime.state.read(read)


def _right(link: Link) -> Place:
    return Place("right", link.right_connection, link.right_company, link.right_variant)


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    every = list(keys)
    for at in range(0, len(every), BATCH):
        yield every[at : at + BATCH]
