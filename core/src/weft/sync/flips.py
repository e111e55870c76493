"""Quarantine of values that go back and forth: A, B, A between the two sides, with nobody agreeing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from weft.model.values import ABSENT, EMPTY
from weft.state.quarantine import Flip
from weft.sync.decide import CHOSEN, Conflict, Unlinked
from weft.sync.showing import shown

if TYPE_CHECKING:
    from weft.state.tx import Tx
    from weft.sync.work import Work

WINDOW = timedelta(hours=1)
TURNS = 4
"""So many changes of direction in a row make a field bounce: one more than a person's A-B-A needs."""


@dataclass
class Flips:
    """Recent movements of fields, by link; loaded for the works of a page."""

    known: dict[int, dict[str, Flip]] = field(default_factory=dict)
    moved: dict[tuple[int, str], Flip] = field(default_factory=dict)

    def load(self, tx: Tx, link_ids: Sequence[int]) -> None:
        self.known.update(tx.quarantine.get_many(link_ids))

    def held(self, work: Work, now: datetime) -> Iterator[Conflict]:
        """Fields of a decision that bounce are taken out, and told."""
        decision, left, right = work.decision, work.left, work.right
        if work.link is None or decision is None:
            return
        histories = self.known.get(work.link.id, {})
        for fields, origin in ((decision.to_left, "right"), (decision.to_right, "left")):
            for name in list(fields):
                flip = histories.get(name)
                value = fields[name]
                if isinstance(value, Unlinked) or decision.why.get(name) == CHOSEN:
                    continue
                history = _recent(flip, now)
                if (flip is not None and flip.quarantined) or _bounces(history, origin, value):
                    fields.pop(name)
                    self.moved[work.link.id, name] = Flip(work.link.id, name, history, True, now)
                    now_left, now_right = (
                        half.canonical.fields.get(name) if half.canonical else EMPTY for half in (left, right)
                    )
                    reason = (
                        f"{name} goes back and forth between {shown(now_left)!r} (left) and {shown(now_right)!r} "
                        "(right); something else writes it on both sides"
                    )
                    base_left, base_right = (half.base.fields.get(name, ABSENT) for half in (left, right))
                    yield Conflict(name, base_left, base_right, now_left, now_right, reason, bounces=True)

    def note(self, link_id: int, name: str, origin: str, value: Any, now: datetime) -> None:
        """Remember that a value went from one side to the other."""
        flip = self.known.get(link_id, {}).get(name)
        history = [*_recent(flip, now), [now, origin, value]][-TURNS:]
        self.moved[link_id, name] = Flip(link_id, name, history, False, now)

    def store(self, tx: Tx, now: datetime) -> None:
        tx.quarantine.put_many(list(self.moved.values()))
        for (link_id, name), flip in self.moved.items():
            self.known.setdefault(link_id, {})[name] = flip
        self.moved.clear()


def _recent(flip: Flip | None, now: datetime) -> list[Any]:
    return [step for step in flip.history if now - step[0] <= WINDOW] if flip is not None else []


def _bounces(history: list[Any], origin: str, value: Any) -> bool:
    """Would this movement make A-B-A-B-A, each step from the other side?"""
    steps = [*history, [None, origin, value]]
    if len(steps) < TURNS + 1:
        return False
    last = steps[-(TURNS + 1) :]
    turns = all(a[1] != b[1] for a, b in pairwise(last))
    repeats = all(last[i][2] == last[i + 2][2] for i in range(len(last) - 2))
    return turns and repeats
