"""Edits: values a person gave to be sent instead of those a record holds, once.

A value that was given counts as changed on the side it was sent to: it travels back to the record it was given
for, where the flow may write there. Where not, both keep their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weft.model.values import EMPTY
from weft.sync.decide import Unlinked
from weft.sync.work import other

if TYPE_CHECKING:
    from weft.model.values import Fields
    from weft.records import Side
    from weft.sync.decide import Decision
    from weft.sync.deliver import Delivery
    from weft.sync.work import Work

GIVEN = "given by a person"


def apply(work: Work, decision: Decision, terms: Mapping[Side, Mapping[str, Any]]) -> dict[Side, Fields]:
    """Put what was given into what is to be written. ``terms``: what the other side says, in the terms of each.

    Returns what stands back for it, by side written.
    """
    instead: dict[Side, Fields] = {"left": {}, "right": {}}
    policy = work.pair.policy
    for name, value in work.edited.items():
        waits = next((to for field, to, _ in decision.waiting if field == name), None)
        side: Side = "left" if name in decision.to_left else "right" if name in decision.to_right else _to(work, waits)
        if name not in (policy.to_left if side == "left" else policy.to_right):
            continue
        (decision.to_left if side == "left" else decision.to_right)[name] = value
        decision.conflicts = [one for one in decision.conflicts if one.field != name]
        decision.waiting = [one for one in decision.waiting if one[0] != name]
        decision.why[name] = GIVEN
        instead[side][name] = said(terms[side].get(name, EMPTY))
    return instead


def _to(work: Work, waits: Side | None) -> Side:
    return waits or work.edited_to or other(work.origin)


def told(delivery: Delivery) -> list[str]:
    """What a person gave, and where it stays apart."""
    work = delivery.work
    back = work.pair.policy.to_left if delivery.side == "right" else work.pair.policy.to_right
    keeps = f"; {work.pair.connection_of(other(delivery.side))} keeps its own, the flow does not write it there"
    return [f"{name} {GIVEN}{'' if name in back else keeps}" for name in delivery.instead]


def said(value: Any) -> Any:
    """What the other side says, as a base can hold it."""
    return EMPTY if isinstance(value, Unlinked) else value
