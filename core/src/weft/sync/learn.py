"""Learn what both sides hold after a write, without swallowing a person's edit.

The base of a side is what that side *now holds*. Taken, in this order: the representation the write
itself returned; else a read back, where a value we sent but find different is accepted as the
system's own spelling only when the last writer was us and wrote in a single call. Anything else is a
fresh movement: the base keeps what was sent, and the next look decides again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weft.model.values import ABSENT, EMPTY, Fields
from weft.records import Canonical, Record, Side
from weft.sync import recall
from weft.sync.capture import fetch
from weft.sync.decide import Same
from weft.sync.deliver import Delivery
from weft.sync.lines import LinePair
from weft.sync.work import Base, Caught, Work, other

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.sync.flow import End
    from weft.sync.run import Run

WRITTEN = ("created", "updated", "unchanged", "deleted")


@dataclass(slots=True)
class After:
    """What a side holds after our write. ``ours``: what it holds of the values we sent is our write's doing.
    ``returned``: what the write itself made of them, where it told and the record was read once more."""

    caught: Caught
    ours: bool
    returned: Fields = field(default_factory=dict)


@dataclass(slots=True)
class Afters:
    """Representations after writing, by identity of the delivery."""

    found: dict[int, After] = field(default_factory=dict)

    def of(self, delivery: Delivery) -> After | None:
        return self.found.get(id(delivery))


async def look(run: Run, deliveries: Sequence[Delivery]) -> Afters:
    """The representation of every record that was written, read back where the write returned none."""
    afters = Afters()
    places: dict[tuple[Side, str, str, str], list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        if delivery.outcome is not None and delivery.outcome.result in WRITTEN and delivery.op != "delete":
            place = (delivery.side, delivery.end.connection, delivery.company, delivery.compiled.mapping.variant)
            places[place].append(delivery)
    for (_, _, company, _), group in places.items():
        end, compiled = group[0].end, group[0].compiled
        # Where somebody wraps reading (to mask a field, say), what a write returned has not been through it.
        wrapped = run.runtime.plugins.wrapped(end.kind, "read")
        told = [d for d in group if not wrapped and d.outcome is not None and _complete(d, d.outcome.record)]
        records = [d.outcome.record for d in told if d.outcome is not None and d.outcome.record is not None]
        for delivery, caught in zip(told, await run.catch(end, compiled, company, records), strict=True):
            afters.found[id(delivery)] = After(caught, True)
        silent = [d for d in group if id(d) not in afters.found]
        keys = {id(d): (d.outcome.key if d.outcome else None) or (d.item.key if d.item else None) or "" for d in silent}
        fetched = await fetch(run, end, compiled, company, [key for key in keys.values() if key])
        headers = {} if wrapped else await _headers(run, end, compiled, company, silent)
        session = await run.runtime.session(end.connection)
        me = getattr(session, "identity", None)
        for delivery in silent:
            caught_back = fetched.found.get(keys[id(delivery)])
            if caught_back is not None:
                record = caught_back.record
                version = delivery.outcome.version if delivery.outcome else None
                last = (me is not None and record.changed_by == me) or (
                    version is not None and version == record.version
                )
                # With lines it took several calls, and the last of them says nothing about the others.
                ours = last and not delivery.changes
                afters.found[id(delivery)] = After(caught_back, ours, headers.get(id(delivery), {}))
    return afters


async def _headers(
    run: Run, end: End, compiled: CompiledMapping, company: str, deliveries: Sequence[Delivery]
) -> dict[int, Fields]:
    """The fields of representations that lack nothing but lines, by identity of the delivery."""
    told = [
        (id(delivery), record)
        for delivery in deliveries
        if delivery.outcome is not None
        and (record := delivery.outcome.record) is not None
        and all(name in record.children for name in compiled.mapping.parts)
    ]
    caught = await run.catch(end, compiled, company, [record for _, record in told])
    return {
        number: one.canonical.fields for (number, _), one in zip(told, caught, strict=True) if one.canonical is not None
    }


def _complete(delivery: Delivery, record: Record | None) -> bool:
    """Does a returned representation show everything the mapping reads?"""
    if record is None:
        return False
    needed = (*delivery.compiled.mapping.lines, *delivery.compiled.mapping.parts)
    return all(name in record.children for name in needed)


def learn(work: Work, deliveries: Sequence[Delivery], afters: Afters) -> bool:
    """Renew both bases of a work after its writes. True when nothing is left to be decided.

    Call with every delivery of the work; those that failed teach nothing.
    """
    decision, lines = work.decision, work.lines
    if decision is not None:
        work.left.base.fields.update(decision.learn_left)
        work.right.base.fields.update(decision.learn_right)
    if lines is not None and decision is not None:
        _merge_lines(work.left.base, lines.learn_left)
        _merge_lines(work.right.base, lines.learn_right)
    settled = True
    seen: list[tuple[Delivery, After]] = []
    for delivery in deliveries:
        if delivery.outcome is None or delivery.outcome.result not in WRITTEN:
            settled = False
            continue
        after = afters.of(delivery)
        if after is None:
            settled = False
            continue
        seen.append((delivery, after))
    # Both sides learn what was decided from, before either is replaced by what it holds now: a person may
    # have changed it since.
    restless = False
    replaced: list[tuple[LinePair, Side, Canonical | None]] = []
    for delivery, after in seen:
        restless |= _lines_moved(work, delivery, after)
        replaced += _learn_side(work, delivery, after)
    for delivery, after in seen:
        work.half(delivery.side).caught = after.caught
        if work.resumed is not None and delivery.intent is work.resumed:
            recall.created(work, work.resumed)  # both bases are what was sent then
            work.resumed = None
    for pair, side, line in replaced:
        if side == "left":
            pair.left = line
        else:
            pair.right = line
    return settled and not restless and not _moved(work)


def _learn_side(work: Work, delivery: Delivery, after: After) -> list[tuple[LinePair, Side, Canonical | None]]:
    side = delivery.side
    mine, yours = work.half(side), work.half(other(side))
    same = work.same
    now = after.caught.canonical.fields if after.caught.canonical is not None else {}
    for name, sent in delivery.fields.items():
        made_of_it = after.returned.get(name, ABSENT)
        held = _held(name, now.get(name, ABSENT), sent, after.ours, same)
        mine.base.fields[name] = held if made_of_it is ABSENT else made_of_it
        if name in delivery.instead:  # what a person gave has changed here, as far as the other side is concerned
            mine.base.fields[name] = delivery.instead[name]
        source = yours.canonical
        if source is not None and name in source.fields and name in work.pair.shared:
            yours.base.fields[name] = source.fields[name]
    if delivery.op == "create":
        _learn_created(work, delivery, now)
    return _learn_lines(work, delivery, after)


def _held(name: str, now: Any, sent: Any, ours: bool, same: Same) -> Any:
    if now is ABSENT:
        return sent
    return now if ours or same(name, now, sent) else sent


def _learn_created(work: Work, delivery: Delivery, now: Fields) -> None:
    """What we did not send was EMPTY as far as we are concerned: values found there were given by the
    system, count as its movement, and travel back like any other (an assigned number, a default). What
    cannot travel back is simply what this side holds: it needs no second look. What a create cannot carry
    and an update can follows the create."""
    side = delivery.side
    mine, yours = work.half(side), work.half(other(side))
    policy = work.pair.policy
    travels = policy.to_left if side == "right" else policy.to_right
    source = yours.canonical.fields if yours.canonical is not None else {}
    for name in work.pair.shared:
        if name in delivery.fields:
            continue
        if recall.follows(work, side, name):
            mine.base.fields[name], yours.base.fields[name] = now.get(name, EMPTY), EMPTY
            continue
        if name in now:
            mine.base.fields[name] = EMPTY if name in travels else now[name]
        if name in source:
            yours.base.fields[name] = source[name]


def _learn_lines(work: Work, delivery: Delivery, after: After) -> list[tuple[LinePair, Side, Canonical | None]]:
    """Returns the lines that are to be replaced by what the side holds now."""
    side = delivery.side
    mine, yours = work.half(side), work.half(other(side))
    replaced: list[tuple[LinePair, Side, Canonical | None]] = []
    if after.caught.canonical is None or work.lines is None:
        return replaced
    new_keys = dict(delivery.outcome.children) if delivery.outcome is not None else {}
    by_key = {line.key: line for group in after.caught.canonical.lines.values() for line in group}
    pairs = {pair.id: pair for pair in work.lines.pairs}
    for change in delivery.changes:
        pair = pairs.get(change.id)
        if pair is None:
            continue
        if change.op == "delete":
            mine.base.lines.get(change.collection, {}).pop(change.id, None)
            yours.base.lines.get(change.collection, {}).pop(change.id, None)
            replaced.append((pair, side, None))
            continue
        key = new_keys.get(change.id) or change.key
        line = by_key.get(key) if key is not None else None
        same = work.same_in(change.collection)
        if change.op == "create":  # of one that was there before nothing is left
            mine.base.lines.get(change.collection, {}).pop(change.id, None)
        held = mine.base.lines.setdefault(change.collection, {}).setdefault(change.id, {})
        for name, sent in change.fields.items():
            now = line.fields.get(name, ABSENT) if line is not None else ABSENT
            held[name] = _held(name, now, sent, after.ours, same)
        source = pair.on(other(side))
        if source is not None:
            known = yours.base.lines.setdefault(change.collection, {}).setdefault(change.id, {})
            shared = work.pair.mapping(side).line_readable[change.collection]
            told = shared if change.op == "create" else frozenset(change.fields)
            known.update({n: v for n, v in source.fields.items() if n in told or n in change.fields})
        if change.op == "create" and line is not None:
            for name, value in line.fields.items():
                # The system's own figures of a new line (amounts, tax) are what it now holds.
                held.setdefault(name, value)
        if line is not None:
            replaced.append((pair, side, line))
    return replaced


def _lines_moved(work: Work, delivery: Delivery, after: After) -> bool:
    """Has a line changed, come or gone on the side that was written, beyond what was sent there?"""
    canonical, outcome = after.caught.canonical, delivery.outcome
    if canonical is None or work.lines is None or outcome is None:
        return False
    before = {(p.collection, line.key): line for p in work.lines.pairs if (line := p.on(delivery.side)) is not None}
    sent: dict[tuple[str, str | None], Fields] = {}
    for change in delivery.changes:
        key = outcome.children.get(change.id) or change.key
        if change.op == "delete":
            before.pop((change.collection, str(change.key)), None)
        else:
            sent[change.collection, key] = change.fields
    for collection in work.pair.collections:
        same = work.same_in(collection)
        now = {line.key: line for line in canonical.lines.get(collection, [])}
        if now.keys() != {key for name, key in (*before, *sent) if name == collection}:
            return True
        for key, line in now.items():
            ours = sent.get((collection, key), {})
            was = before.get((collection, key))
            for name, value in line.fields.items():
                if name in ours:
                    if not after.ours and not same(name, value, ours[name]):
                        return True
                elif was is not None and name in was.fields and not same(name, value, was.fields[name]):
                    return True
    return False


def _merge_lines(base: Base, learnt: dict[str, dict[str, Fields]]) -> None:
    for collection, lines in learnt.items():
        base.lines.setdefault(collection, {}).update(lines)


def _moved(work: Work) -> bool:
    """Does either side now hold something its base does not know?"""
    same, shared = work.same, work.pair.shared
    sides: tuple[Side, Side] = ("left", "right")
    conflicts = {c.field for c in work.decision.conflicts if c.winner is None} if work.decision else set()
    for side in sides:
        half = work.half(side)
        if half.canonical is None:
            continue
        known = half.base.fields
        for name, value in half.canonical.fields.items():
            base = known.get(name, ABSENT)
            if base is value or base is ABSENT or name not in shared or name in conflicts:
                continue
            if not same(name, value, base):
                return True
    return False
