"""What the rules say, restated: a small model that knows nothing of the engine.

A *thing* (a record, or a line of a document) is on the left side, on the right, or on both. The model
knows what people did to it, in order, and when a synchronisation may have looked at it. From that
follows the set of states it may be in; what the systems really hold must be one of them.

The rules, per field: one side changed since both last agreed -> the other follows. Both changed it ->
the field's owner wins, or a person is asked and each side keeps its own. No agreement yet -> empty
fields are filled from the other side, and what differs is asked (or goes by owner). A thing on one side
only is created on the other, once; a thing deleted on one side after both agreed meets the delete rule,
and is a question if the other side was edited meanwhile.

Values are compared after :func:`weave.norm`, so spellings that mean the same are the same here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Values = tuple[Any, ...]
Winner = Literal["left", "right", "review", "newest"]
Deletes = Literal["ask", "delete", "ignore"]


@dataclass(frozen=True)
class Rules:
    """What the flow says about one kind of thing. ``winners`` goes by field, like ``Values``."""

    fields: tuple[str, ...]
    winners: tuple[Winner, ...]
    first: Literal["review", "owner"] = "review"
    owner: Literal["left", "right"] = "left"
    deletes: Deletes = "ask"
    to_left: bool = True
    whole: bool = True
    """False: it has lines of its own, whose edits count as edits of it and are not seen here."""


@dataclass(frozen=True)
class State:
    """One possible state: what each side holds (None: not there), and what they last agreed on.

    ``base`` None: never paired; a field of it is UNKNOWN while the two have differed ever since they
    were paired. ``chosen`` holds a person's choices by field index. ``unsure`` names fields that were
    written to a side and may not have been remembered (the process ended), with the base and the choice before: should
    a person overwrite such a value, nobody can tell whether the write or the person came first.
    """

    left: Values | None
    right: Values | None
    base: tuple[Any, ...] | None = None
    chosen: frozenset[tuple[int, str]] = frozenset()
    unsure: frozenset[tuple[int, str, Any, str | None]] = frozenset()


class _Unknown:
    def __repr__(self) -> str:
        return "?"


UNKNOWN = _Unknown()


MADE = -1
"""In place of a field's index: the whole thing was made there."""


@dataclass(frozen=True)
class Step:
    """The decision about one thing: values to write to each side, and whether a person is asked."""

    to_left: tuple[tuple[int, Any], ...] = ()
    to_right: tuple[tuple[int, Any], ...] = ()
    asked: frozenset[str] = frozenset()


def steps(state: State, rules: Rules) -> list[Step]:
    """The decisions the rules permit for a thing on both sides; several under *newest*."""
    assert state.left is not None
    assert state.right is not None
    found = [Step()]
    for index, name in enumerate(rules.fields):
        outcomes = _field(state, rules, index)
        found = [_add(step, name, index, state, outcome) for step in found for outcome in outcomes]
    return found


def _field(state: State, rules: Rules, index: int) -> list[str | None]:
    """Who wins one field: left, right, asked, or None when nothing is to be done."""
    left, right = state.left[index], state.right[index]  # type: ignore[index]
    base = UNKNOWN if state.base is None else state.base[index]
    if left == right:
        return [None]
    choice = dict(state.chosen).get(index)
    if base is UNKNOWN:
        if choice is not None:
            return [choice]
        if left is None:
            return ["right"] if rules.to_left else [None]
        if right is None:
            return ["left"]
        return _winner(rules, index) if rules.first == "owner" else ["asked"]
    moved_left, moved_right = left != base, right != base
    if moved_left and moved_right:
        return [choice] if choice is not None else _winner(rules, index)
    return ["left"] if moved_left else ["right"] if rules.to_left else [None]


def _winner(rules: Rules, index: int) -> list[str | None]:
    if not rules.to_left:
        return ["left"]
    winner = rules.winners[index]
    if winner == "newest":
        return ["left", "right"]
    return ["asked"] if winner == "review" else [winner]


def _add(step: Step, name: str, index: int, state: State, outcome: str | None) -> Step:
    if outcome == "left":
        return replace(step, to_right=(*step.to_right, (index, state.left[index])))  # type: ignore[index]
    if outcome == "right":
        return replace(step, to_left=(*step.to_left, (index, state.right[index])))  # type: ignore[index]
    return replace(step, asked=step.asked | {name}) if outcome == "asked" else step


def touched(state: State, rules: Rules) -> set[State]:
    """What one look may lead to: each side's write may succeed or not, independently of the other's."""
    lonely = _lonely(state, rules)
    if lonely is not None:
        made = frozenset({(MADE, "left" if state.left is None else "right", None, None)})
        return {replace(one, unsure=made) if one.left is not None and one.right is not None else one for one in lonely}
    found: set[State] = set()
    for step in steps(state, rules):
        for writes in ((step.to_left, step.to_right), (step.to_left, ()), ((), step.to_right), ((), ())):
            found.add(_agreed(state, *writes, sure=False))
    return found


def settled(state: State, rules: Rules) -> set[State]:
    """What a look leads to when nothing goes wrong: all writes are done."""
    lonely = _lonely(state, rules)
    if lonely is not None:
        if state.base is not None and (state.unsure or not rules.whole):
            return lonely  # an edit that is not told apart from a write: asking is right as well
        return lonely - {state} or {state}
    return {_agreed(state, step.to_left, step.to_right) for step in steps(state, rules)}


def _lonely(state: State, rules: Rules) -> set[State] | None:
    """Things that are not on both sides; None when it is on both."""
    left, right, base = state.left, state.right, state.base
    if left is not None and right is not None:
        return None
    if left is None and right is None:
        return {State(None, None)}
    there = left if left is not None else right
    assert there is not None
    if base is None:
        if left is None and not rules.to_left:
            return {state}
        return {state, State(there, there, there)}
    changed = any(b is not UNKNOWN and v != b for v, b in zip(there, base, strict=True))
    if rules.deletes != "delete" or changed or (right is None and not rules.to_left):
        return {state}
    return {state, State(None, None)}


def _agreed(
    state: State, to_left: Iterable[tuple[int, Any]], to_right: Iterable[tuple[int, Any]], *, sure: bool = True
) -> State:
    assert state.left is not None
    assert state.right is not None
    left, right = list(state.left), list(state.right)
    for index, value in to_left:
        left[index] = value
    for index, value in to_right:
        right[index] = value
    old = state.base or (UNKNOWN,) * len(left)
    base = tuple(a if a == b else known for a, b, known in zip(left, right, old, strict=True))
    equal = {index for index, (a, b) in enumerate(zip(left, right, strict=True)) if a == b}
    chosen = frozenset(one for one in state.chosen if one[0] not in equal)
    choices = dict(state.chosen)
    written = {
        (i, side, old[i], choices.get(i))
        for side, writes in (("left", to_left), ("right", to_right))
        for i, _ in writes
    }
    unsure = frozenset() if sure else state.unsure | written
    return State(tuple(left), tuple(right), base, chosen, unsure)


def asked(state: State, rules: Rules) -> frozenset[str]:
    """The questions that must be open in this state: field names, and ``delete``."""
    if state.left is not None and state.right is not None:
        return frozenset.intersection(*(step.asked for step in steps(state, rules)))
    if (state.left is None) != (state.right is None) and state.base is not None:
        there = state.left if state.left is not None else state.right
        assert there is not None
        changed = any(b is not UNKNOWN and v != b for v, b in zip(there, state.base, strict=True))
        if rules.deletes == "ask" or (rules.deletes == "delete" and (changed or state.unsure or not rules.whole)):
            return frozenset({"delete"})
    return frozenset()


def _outdated(state: State, side: str, values: Values | None) -> State:
    """A choice holds for the values that were seen, and for no others."""
    held = state.left if side == "left" else state.right
    if held is None or values is None:
        return state
    return replace(state, chosen=frozenset(one for one in state.chosen if held[one[0]] == values[one[0]]))


@dataclass
class Thing:
    """A record or a line, and every state it may be in."""

    name: str
    rules: Rules
    states: set[State] = field(default_factory=lambda: {State(None, None)})
    history: list[str] = field(default_factory=list)
    unseen: set[int] = field(default_factory=set)
    """Fields that were changed since the last synchronisation that nothing disturbed: questions about them may show
    what they were before."""

    def edited(self, side: str, values: Values | None, what: str) -> None:
        """A person changed, created or deleted it (None) on one side."""
        self.history.append(f"{side}: {what}")
        for one in self.states:
            held = one.left if side == "left" else one.right
            if held is None or values is None:
                self.unseen.update(range(len(self.rules.fields)))
            else:
                self.unseen.update(index for index, value in enumerate(values) if value != held[index])
        self.states = {
            self._fresh(replace(after, left=values) if side == "left" else replace(after, right=values))
            for before in self.states
            for after in self._doubted(_outdated(before, side, values), side, values)
        }

    @staticmethod
    def _doubted(state: State, side: str, values: Values | None) -> list[State]:
        """The state, and the same with the base before a write that is overwritten now."""
        held = state.left if side == "left" else state.right
        found = [state]
        if held is None or state.base is None:
            return found
        if values is None:  # made there and deleted before it was remembered: as if it had never been made
            made = any(index == MADE and target == side for index, target, _, _ in state.unsure)
            return [*found, replace(state, base=None, unsure=frozenset())] if made else found
        for index, target, before, choice in state.unsure:
            if index != MADE and target == side and values[index] != held[index]:
                base = (*state.base[:index], before, *state.base[index + 1 :])
                chosen = state.chosen | ({(index, choice)} if choice is not None else set())
                found += [replace(one, base=base, chosen=chosen) for one in found]
        return found

    @staticmethod
    def _fresh(state: State) -> State:
        return State(None, None) if state.left is None and state.right is None else state

    def chose(self, index: int, side: str) -> None:
        """A person answered the question about a field; for nothing, if it showed other values than there are."""
        self.history.append(f"chosen: {self.rules.fields[index]} = {side}")
        answered = {
            replace(one, chosen=frozenset({(i, s) for i, s in one.chosen if i != index} | {(index, side)}))
            for one in self.states
        }
        self.states = answered | self.states if index in self.unseen else answered

    def may_be_touched(self) -> None:
        """A synchronisation may look at it now, any number of times."""
        # Where a write fails and another question of the record changes, what was chosen may be asked anew.
        self.states |= {replace(one, chosen=frozenset()) for one in self.states}
        new = set(self.states)
        while new:
            new = {after for one in new for after in touched(one, self.rules)} - self.states
            self.states |= new

    def is_settled(self) -> None:
        """A synchronisation that nothing disturbed has looked at it."""
        self.history.append("settled")
        self.unseen.clear()
        for _ in range(3):
            self.states = {after for one in self.states for after in settled(one, self.rules)}

    def observe(self, left: Values | None, right: Values | None) -> bool:
        """Keep the states that fit what the systems hold. False: none does."""
        fitting = {one for one in self.states if one.left == left and one.right == right}
        self.history.append(f"seen: left={left} right={right}")
        if not fitting:
            return False
        self.states = fitting
        return True
