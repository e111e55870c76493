"""Verify: prove that both sides agree, by reading both whole and comparing every linked pair.

Nothing is written, neither to the systems nor to the links. The counts add up: every record read is in
exactly one of agree, differ, only left, only right or **not compared** (excluded by a rule, not mapped
with the reason, or waiting for a link). Amounts are added up per currency for what was compared, and
each side's sum comes from that side alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from weft.model.values import ABSENT, EMPTY
from weft.records import Side
from weft.sync.capture import scan
from weft.sync.decide import Policy, Unlinked
from weft.sync.flow import Flow, build
from weft.sync.identify import from_link
from weft.sync.known import links_of
from weft.sync.lines import align
from weft.sync.references import Translations, asked, theirs, translate
from weft.sync.run import Run
from weft.sync.scratch import Place, Scratch
from weft.sync.showing import shown
from weft.sync.work import Caught, Work, label, other

if TYPE_CHECKING:
    from weft.runtime import Runtime
    from weft.state.links import Link
    from weft.sync.flow import End, Pair

Status = Literal["differ", "only_left", "only_right", "not_compared"]
SAMPLES = 200
PAGE = 500


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
    run = Run(runtime, flow, "verify", plan_only=True, progress=progress)
    out = Agreement(flow.name)
    with Scratch() as scratch:
        for end in flow.rights.values():
            for company in end.companies:
                for variant in end.mappings:
                    await _stage(run, end, company, variant, scratch, out)
        seen: dict[Place, set[str]] = defaultdict(set)
        for company in flow.left.companies:
            for compiled in flow.left.mappings.values():
                async for caught, _, _ in scan(run, flow.left, compiled, company):
                    run.counts["read"] += len(caught)
                    await _compare_page(run, caught, company, scratch, seen, out)
                    run.tell()
        await _only_right(run, scratch, seen, out)
    out.proved_at = run.now
    return out


async def _stage(run: Run, end: End, company: str, variant: str, scratch: Scratch, out: Agreement) -> None:
    place = Place(end.side, end.connection, company, variant)
    async for caught, _, _ in scan(run, end, end.mappings[variant], company):
        run.counts["read"] += len(caught)
        usable = [one for one in caught if _usable(one, "right", out)]
        scratch.put(place, usable)
        run.tell()


def _usable(caught: Caught, side: Side, out: Agreement) -> bool:
    key = caught.record.key
    keys = (key, "") if side == "left" else ("", key)
    if caught.excluded is not None:
        return False  # outside the flow by configuration: neither side's agreement depends on it
    if caught.problems or caught.canonical is None:
        why = caught.problems[0].message if caught.problems else "not mapped"
        out.add(Sample("not_compared", key, *keys, reason=f"cannot be mapped: {why}"))
        return False
    return True


async def _compare_page(
    run: Run,
    caught: Sequence[Caught],
    company: str,
    scratch: Scratch,
    seen: dict[Place, set[str]],
    out: Agreement,
) -> None:
    usable = [one for one in caught if _usable(one, "left", out)]
    links = await links_of(run, run.flow.left, company, [one.record.key for one in usable])
    works: list[Work] = []
    for one in usable:
        known = [link for link in links.get(one.record.key, ()) if link.state in ("linked", "review")]
        if not known:
            name = label(one.canonical, run.flow.entity.label) if one.canonical else one.record.key
            out.add(Sample("only_left", name, left_key=one.record.key, reason="not linked"))
        works += [from_link(run, link, "left", one) for link in known]
    await _join(works, scratch, seen, out)
    ready = [work for work in works if work.right.canonical is not None]
    translations = await translate(run.runtime.state, asked(ready))
    children = await run.runtime.state.read(
        lambda tx: tx.links.children([work.link.id for work in ready if work.link is not None])
    )
    for work in ready:
        known_lines: dict[str, list[tuple[str, str | None, str | None]]] = defaultdict(list)
        for child in children.get(work.link.id if work.link else 0, ()):
            known_lines[child.collection].append((child.id, child.left_key, child.right_key))
        _compare(run, work, translations, known_lines, out)


async def _join(works: Sequence[Work], scratch: Scratch, seen: dict[Place, set[str]], out: Agreement) -> None:
    groups: dict[Place, list[tuple[Work, Link]]] = defaultdict(list)
    for work in works:
        link = work.link
        if link is not None:
            place = Place("right", link.right_connection, link.right_company, link.right_variant)
            groups[place].append((work, link))
    for place, group in groups.items():
        found = scratch.get(place, [link.right_key for _, link in group])
        for work, link in group:
            seen[place].add(link.right_key)
            work.right.caught = found.get(link.right_key)
            if work.right.caught is None:
                out.add(
                    Sample(
                        "only_left",
                        work.label,
                        link.left_key,
                        link.right_key,
                        reason="its counterpart is not there, or outside the flow",
                    )
                )


def _compare(
    run: Run,
    work: Work,
    translations: Translations,
    known_lines: dict[str, list[tuple[str, str | None, str | None]]],
    out: Agreement,
) -> None:
    left, right = work.left.canonical, work.right.canonical
    if left is None or right is None:
        return
    entity, pair = run.flow.entity, work.pair
    right_as_left = theirs(right, entity, work, "right", translations)
    differing: dict[str, dict[str, Any]] = {}
    unlinked: list[str] = []
    for name in sorted(compared(pair)):
        mine, yours = left.fields.get(name, ABSENT), right_as_left.get(name, ABSENT)
        if mine is ABSENT or yours is ABSENT:
            continue
        if isinstance(yours, Unlinked):
            unlinked.append(name)
        elif not work.same(name, mine, yours) and not _unsaid(pair.policy, name, mine, yours):
            differing[name] = {"left": shown(mine), "right": shown(yours)}
    for name in pair.collections:
        _compare_lines(run, work, name, known_lines[name], translations, differing)
    _add_up(run, work, out)
    keys = (left.key, right.key)
    if differing:
        out.add(Sample("differ", work.label, *keys, fields=differing, reason=", ".join(differing)))
    elif unlinked:
        out.add(Sample("not_compared", work.label, *keys, reason=f"{', '.join(unlinked)} is not linked"))
    else:
        out.agree += 1


def compared(pair: Pair) -> frozenset[str]:
    """Fields that are to agree: both sides show them and the flow carries them one way or the other."""
    return pair.left.readable & pair.right.readable & (pair.policy.to_left | pair.policy.to_right)


def _unsaid(policy: Policy, name: str, left: Any, right: Any) -> bool:
    """A field that travels one way only and is EMPTY where it comes from: the other side's own default
    contradicts nobody."""
    one_way_right = name in policy.to_right and name not in policy.to_left
    one_way_left = name in policy.to_left and name not in policy.to_right
    return (one_way_right and left is EMPTY) or (one_way_left and right is EMPTY)


def _compare_lines(
    run: Run,
    work: Work,
    name: str,
    known: list[tuple[str, str | None, str | None]],
    translations: Translations,
    differing: dict[str, dict[str, Any]],
) -> None:
    left, right = work.left.canonical, work.right.canonical
    if left is None or right is None:
        return
    entity, pair = run.flow.entity.lines[name], work.pair
    same = work.same_in(name)
    rules = pair.right.mapping.lines[name].match or pair.left.mapping.lines[name].match
    pairs = align(
        name,
        left.lines.get(name, []),
        right.lines.get(name, []),
        known,
        rules,
        lambda line: theirs(line, entity, work, "left", translations),
        same,
    )
    policy = pair.line_policies[name]
    both = pair.left.line_readable[name] & pair.right.line_readable[name] & (policy.to_left | policy.to_right)
    for number, line in enumerate(pairs, 1):
        place = f"{name}[{number}]"
        if line.left is None or line.right is None:
            there = "right" if line.left is None else "left"
            differing[place] = {
                "left": line.left is not None,
                "right": line.right is not None,
                "reason": f"only on the {there}",
            }
            continue
        terms = theirs(line.right, entity, work, "right", translations)
        for field_name in sorted(both):
            mine, yours = line.left.fields.get(field_name, ABSENT), terms.get(field_name, ABSENT)
            if mine is ABSENT or yours is ABSENT or same(field_name, mine, yours):
                continue
            if _unsaid(policy, field_name, mine, yours):
                continue
            differing[f"{place}.{field_name}"] = {"left": shown(mine), "right": shown(yours)}


def _add_up(run: Run, work: Work, out: Agreement) -> None:
    """Add both sides' amounts to the totals, each in its own currency."""
    pair = work.pair
    sides: tuple[Side, Side] = ("left", "right")
    for name in compared(pair):
        spec = run.flow.entity.field(name)
        if spec is None or spec.kind != "money":
            continue
        for side in sides:
            canonical = work.half(side).canonical
            amount = canonical.fields.get(name) if canonical is not None else None
            if canonical is None or not isinstance(amount, Decimal | int) or isinstance(amount, bool):
                continue
            currency = _currency(work, side, spec.currency)
            sums = out.totals.setdefault(name, {}).setdefault(currency, {})
            sums[side] = sums.get(side, Decimal(0)) + amount


def _currency(work: Work, side: Side, name: str | None) -> str:
    """The currency an amount is in: the record's own, else its counterpart's, else "-"."""
    for half in (work.half(side), work.half(other(side))):
        code = half.canonical.fields.get(name or "") if half.canonical is not None else None
        if code:
            return str(code)
    return "-"


async def _only_right(run: Run, scratch: Scratch, seen: dict[Place, set[str]], out: Agreement) -> None:
    flow = run.flow
    for end in flow.rights.values():
        for company in end.companies:
            for variant in end.mappings:
                place = Place("right", end.connection, company, variant)
                for page in scratch.pages(place, PAGE):
                    for one in page:
                        if one.record.key in seen[place] or one.canonical is None:
                            continue
                        out.add(
                            Sample(
                                "only_right",
                                label(one.canonical, flow.entity.label),
                                right_key=one.record.key,
                                reason="not linked",
                            )
                        )
