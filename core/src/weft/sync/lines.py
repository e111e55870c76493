"""Lines of a document: which line is which on the other side, and what each needs. Pure.

Lines are known to each other through child links. A line without one is recognised by the mapping's
``match`` fields when the pair is first seen; whatever then has no counterpart is new. A line that
was linked and is gone on one side was deleted there, and is deleted on the other unless somebody
changed it meanwhile, which is a conflict.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from weft.model.values import ABSENT, EMPTY, Fields
from weft.records import Canonical, LineChange, Side
from weft.sync.decide import Conflict, Policy, Same, Unlinked, View, decide
from weft.sync.work import Base, other

Choose = Callable[[str, Any, Any], Side | None]
"""(place of a conflict, left, right) -> the side a person chose for these two values, if somebody did."""
Translate = Callable[[str, Canonical, Side], Fields]
"""(collection, line, side it is on) -> its fields in the other side's terms."""


@dataclass(slots=True)
class LinePair:
    """A line on both sides, or on one."""

    collection: str
    id: str
    left: Canonical | None = None
    right: Canonical | None = None
    linked: bool = False

    def on(self, side: Side) -> Canonical | None:
        return self.left if side == "left" else self.right


def nobody(place: str, left: Any, right: Any) -> Side | None:
    """The choices of a person who was not asked."""
    return None


@dataclass(slots=True)
class LinesDecision:
    """What to do to the lines of each side, and what their bases become."""

    pairs: list[LinePair] = field(default_factory=list)
    to_left: list[LineChange] = field(default_factory=list)
    to_right: list[LineChange] = field(default_factory=list)
    learn_left: dict[str, dict[str, Fields]] = field(default_factory=dict)
    learn_right: dict[str, dict[str, Fields]] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    waiting: list[tuple[str, Side, Unlinked]] = field(default_factory=list)
    loose: list[LinePair] = field(default_factory=list)
    """Lines that are gone on one side and cannot be made there again: the other one is left as it is."""
    choose: Choose = nobody
    changed: tuple[datetime | None, datetime | None] = (None, None)

    @property
    def quiet(self) -> bool:
        return not (self.to_left or self.to_right or self.waiting or any(c.winner is None for c in self.conflicts))


def align(
    collection: str,
    left: Sequence[Canonical],
    right: Sequence[Canonical],
    children: Iterable[tuple[str, str | None, str | None]],
    rules: Sequence[Sequence[str]],
    theirs: Callable[[Canonical], Fields],
    same: Same,
) -> list[LinePair]:
    """Pair the lines of one collection.

    ``children`` are the child links (id, left key, right key); ``theirs`` gives a left line's fields
    in right's terms for matching.
    """
    by_left = {line.key: line for line in left}
    by_right = {line.key: line for line in right}
    pairs: list[LinePair] = []
    for line_id, left_key, right_key in children:
        mine = by_left.pop(left_key, None) if left_key else None
        yours = by_right.pop(right_key, None) if right_key else None
        pairs.append(LinePair(collection, line_id, mine, yours, bool(left_key and right_key)))
    spare = list(by_right.values())
    found: dict[str, Canonical] = {}
    for whole in (True, False):  # what is alike in everything comes first: an order may hold a product several times
        for line in by_left.values():
            if line.key not in found and (one := _recognise(line, spare, rules, theirs, same, whole)) is not None:
                spare.remove(one)
                found[line.key] = one
    pairs.extend(LinePair(collection, uuid.uuid4().hex, line, found.get(line.key)) for line in by_left.values())
    pairs.extend(LinePair(collection, uuid.uuid4().hex, None, line) for line in spare)
    return pairs


def _recognise(
    line: Canonical,
    candidates: list[Canonical],
    rules: Sequence[Sequence[str]],
    theirs: Callable[[Canonical], Fields],
    same: Same,
    whole: bool,
) -> Canonical | None:
    mine = theirs(line)
    for rule in rules:
        if any(mine.get(name) is EMPTY for name in rule):
            continue
        found = [c for c in candidates if all(same(n, c.fields.get(n), mine.get(n)) for n in rule)]
        if whole:
            found = [c for c in found if all(same(n, c.fields[n], v) for n, v in mine.items() if n in c.fields)]
        if found:
            return found[0]  # equal lines are interchangeable: the first in document order
    return None


def decide_lines(
    pairs: Sequence[LinePair],
    bases: tuple[Base, Base],
    policies: Mapping[str, Policy],
    may_create: Mapping[str, frozenset[Side]],
    theirs: Translate,
    same: Mapping[str, Same],
    *,
    choose: Choose = nobody,
    changed: tuple[datetime | None, datetime | None] = (None, None),
) -> LinesDecision:
    """Decide all lines of a pair of documents.

    ``policies`` and ``same`` go by collection; ``may_create`` names the sides on which lines of a
    collection may be created and deleted. ``changed``: when the documents were.
    """
    out = LinesDecision(pairs=list(pairs), choose=choose, changed=changed)
    for pair in pairs:
        policy = policies[pair.collection]
        base_left = bases[0].lines.get(pair.collection, {}).get(pair.id, {})
        base_right = bases[1].lines.get(pair.collection, {}).get(pair.id, {})
        creatable = may_create[pair.collection]
        if pair.left is not None and pair.right is not None:
            _both(pair, base_left, base_right, policy, theirs, same[pair.collection], out)
        elif pair.left is not None:
            _single(pair, "left", base_left, policy, creatable, theirs, same[pair.collection], out)
        elif pair.right is not None:
            _single(pair, "right", base_right, policy, creatable, theirs, same[pair.collection], out)
    return out


def _both(
    pair: LinePair,
    base_left: Fields,
    base_right: Fields,
    policy: Policy,
    theirs: Translate,
    same: Same,
    out: LinesDecision,
) -> None:
    left, right = pair.left, pair.right
    if left is None or right is None:
        raise ValueError("both sides of the line are needed")
    place = f"{pair.collection}[{_name(left)}]"
    chosen = {n: out.choose(f"{place}.{n}", v, right.fields.get(n, ABSENT)) for n, v in left.fields.items()}
    # Few systems say when a line was changed; then it was when its document was.
    times = (left.changed_at, right.changed_at)
    at_left, at_right = out.changed if None in times else times
    decision = decide(
        View(left.fields, base_left, theirs(pair.collection, right, "right"), at_left),
        View(right.fields, base_right, theirs(pair.collection, left, "left"), at_right),
        policy,
        same,
        chosen={name: side for name, side in chosen.items() if side is not None},
    )
    out.conflicts.extend(replace(c, field=f"{place}.{c.field}") for c in decision.conflicts)
    out.waiting.extend(decision.waiting)
    out.learn_left.setdefault(pair.collection, {})[pair.id] = {**base_left, **decision.learn_left}
    out.learn_right.setdefault(pair.collection, {})[pair.id] = {**base_right, **decision.learn_right}
    if decision.to_left:
        out.to_left.append(LineChange(pair.collection, "update", pair.id, left.key, left.version, decision.to_left))
    if decision.to_right:
        out.to_right.append(LineChange(pair.collection, "update", pair.id, right.key, right.version, decision.to_right))


def _single(
    pair: LinePair,
    side: Side,
    base: Fields,
    policy: Policy,
    creatable: frozenset[Side],
    theirs: Translate,
    same: Same,
    out: LinesDecision,
) -> None:
    line = pair.on(side)
    if line is None:
        raise ValueError("the line is on neither side")
    opposite = other(side)
    if not pair.linked:
        if opposite in creatable:
            _create(pair, line, side, policy, theirs, out)
        return
    touched = any(not same(name, line.fields.get(name), value) for name, value in base.items() if name in line.fields)
    if side not in creatable:
        return
    if touched:
        gone = "deleted" if opposite == "left" else line.fields.get("description") or line.key
        kept = line.fields.get("description") or line.key if opposite == "left" else "deleted"
        place = f"{pair.collection}[{_name(line)}]"
        choice = out.choose(place, gone, kept)
        if choice is None:
            why = f"deleted on the {opposite}, changed on the {side}"
            out.conflicts.append(Conflict(place, EMPTY, EMPTY, gone, kept, why))
            return
        if choice == side:
            if opposite in creatable:
                _create(pair, line, side, policy, theirs, out)
            else:
                out.loose.append(pair)
            return
    change = LineChange(pair.collection, "delete", pair.id, line.key, line.version)
    (out.to_left if side == "left" else out.to_right).append(change)


def _create(pair: LinePair, line: Canonical, side: Side, policy: Policy, theirs: Translate, out: LinesDecision) -> None:
    opposite = other(side)
    allowed = policy.to_left if opposite == "left" else policy.to_right
    fields: Fields = {}
    for name, value in theirs(pair.collection, line, side).items():
        if name not in allowed:
            continue
        if isinstance(value, Unlinked):
            out.waiting.append((f"{pair.collection}.{name}", opposite, value))
        elif value is not EMPTY:
            fields[name] = value
    change = LineChange(pair.collection, "create", pair.id, fields=fields)
    (out.to_left if opposite == "left" else out.to_right).append(change)


def _name(line: Canonical) -> str:
    position = line.fields.get("position")
    return str(position) if position is not None else line.key
