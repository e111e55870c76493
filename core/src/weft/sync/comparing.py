"""Comparing: what keeps a linked pair from agreeing, field by field and line by line, as ``verify`` asks it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from weft.model.values import ABSENT, EMPTY
from weft.records import Side
from weft.sync.decide import Policy, Unlinked
from weft.sync.lines import align
from weft.sync.references import Translations, theirs
from weft.sync.showing import shown
from weft.sync.work import Work, other

if TYPE_CHECKING:
    from weft.state.links import ChildLink
    from weft.sync.flow import Pair
    from weft.sync.run import Run


class Difference(NamedTuple):
    """``fields``: both values of what differs, and lines that only one side has. ``unlinked``: references whose
    target has no counterpart yet."""

    fields: dict[str, dict[str, Any]]
    unlinked: list[str]


def compare(run: Run, work: Work, translations: Translations, children: Sequence[ChildLink]) -> Difference:
    """What keeps a linked pair, of which both records are mapped, from agreeing."""
    left, right = work.left.canonical, work.right.canonical
    if left is None or right is None:
        return Difference({}, [])
    known_lines: dict[str, list[tuple[str, str | None, str | None]]] = defaultdict(list)
    for child in children:
        known_lines[child.collection].append((child.id, child.left_key, child.right_key))
    entity, pair = run.flow.entity, work.pair
    right_as_left = theirs(right, entity, work, "right", translations)
    found = Difference({}, [])
    for name in sorted(compared(pair)):
        mine, yours = left.fields.get(name, ABSENT), right_as_left.get(name, ABSENT)
        if mine is ABSENT or yours is ABSENT:
            continue
        if isinstance(yours, Unlinked):
            found.unlinked.append(name)
        elif not work.same(name, mine, yours) and not _unsaid(pair.policy, name, mine, yours):
            found.fields[name] = {"left": shown(mine), "right": shown(yours)}
    for name in pair.collections:
        _compare_lines(run, work, name, known_lines[name], translations, found)
    return found


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
    found: Difference,
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
            found.fields[place] = {
                "left": line.left is not None,
                "right": line.right is not None,
                "reason": f"only on the {there}",
            }
            continue
        terms = theirs(line.right, entity, work, "right", translations)
        for field_name in sorted(both):
            mine, yours = line.left.fields.get(field_name, ABSENT), terms.get(field_name, ABSENT)
            if mine is ABSENT or yours is ABSENT:
                continue
            if isinstance(yours, Unlinked):
                found.unlinked.append(f"{place}.{field_name}")
                continue
            if same(field_name, mine, yours) or _unsaid(policy, field_name, mine, yours):
                continue
            found.fields[f"{place}.{field_name}"] = {"left": shown(mine), "right": shown(yours)}


def amounts(run: Run, work: Work) -> Iterator[tuple[str, str, Side, Decimal]]:
    """Both sides' amounts of a pair: (field, currency, side, amount), each in its own currency."""
    sides: tuple[Side, Side] = ("left", "right")
    for name in compared(work.pair):
        spec = run.flow.entity.field(name)
        if spec is None or spec.kind != "money":
            continue
        for side in sides:
            canonical = work.half(side).canonical
            amount = canonical.fields.get(name) if canonical is not None else None
            if isinstance(amount, Decimal | int) and not isinstance(amount, bool):
                yield name, _currency(work, side, spec.currency), side, Decimal(amount)


def _currency(work: Work, side: Side, name: str | None) -> str:
    """The currency an amount is in: the record's own, else its counterpart's, else "-"."""
    for half in (work.half(side), work.half(other(side))):
        code = half.canonical.fields.get(name or "") if half.canonical is not None else None
        if code:
            return str(code)
    return "-"
