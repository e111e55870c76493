"""Three-way decision per field. Pure: no I/O, no clock, no knowledge of systems.

For every field there are up to four values: what each side holds now (left, right) and what each
side held when they last agreed (its *base*). Who moved decides::

    base known | left moved | right moved | both now equal | then
    -----------+------------+-------------+----------------+------------------------------------
    yes        | no         | no          |                | nothing
    yes        | yes        | no          |                | left's value goes right
    yes        | no         | yes         |                | right's value goes left
    yes        | yes        | yes         | yes            | agreed, learn both
    yes        | yes        | yes         | no             | conflict: owner, newest or review
    no         |            |             | yes            | agreed, learn both
    no         |            |             | no             | first policy (fill, left, right, …)

An EMPTY wins over a value only where the base shows that this side held the value and cleared it.
A field that one side cannot read, or did not deliver this time (ABSENT), never counts as moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from weft.model.values import ABSENT, EMPTY, Absent, Fields, Value
from weft.records import Side

Same = Callable[[str, Any, Any], bool]
First = Literal["fill", "pair", "left", "right", "review"]
CHOSEN = "chosen by a person"
OnConflict = Literal["owner", "newest", "review"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What the flow says about differences.

    ``to_left`` and ``to_right`` are the canonical fields that may be written there. ``owner`` is the
    side that is system of record; ``owners`` overrides it by field. ``first`` and
    ``first_differences`` speak for pairs without a base.
    """

    to_left: frozenset[str]
    to_right: frozenset[str]
    owner: Side | None = None
    owners: Mapping[str, Side | Literal["newest", "review"]] = field(default_factory=dict)
    on_conflict: OnConflict = "owner"
    first: First = "fill"
    first_differences: Literal["review", "owner"] = "review"


@dataclass(slots=True)
class View:
    """One side of a pair: what it holds, what it held at the last agreement, both in its own terms.

    ``theirs`` is the other side's values in this side's terms: equal to the other's ``fields``
    except for references, which are translated through links. A reference that has no counterpart
    yet is an :class:`Unlinked` there.
    """

    fields: Fields
    base: Fields
    theirs: dict[str, Any]
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unlinked:
    """A reference whose target has no counterpart on the other side (yet)."""

    entity: str
    object: str
    key: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both sides moved a field, differently. ``winner`` is None when a person must choose. ``bounces``: its value goes
    back and forth."""

    field: str
    base_left: Value | Absent
    base_right: Value | Absent
    left: Value | Absent
    right: Value | Absent
    rule: str
    winner: Side | None = None
    bounces: bool = False


@dataclass(slots=True)
class Decision:
    """What to write to each side and what becomes the base once that is done.

    ``learn_left`` and ``learn_right`` hold the base values of fields that need no write. ``why``
    names the rule for every written field. ``waiting`` lists references to be linked first.
    """

    to_left: dict[str, Any] = field(default_factory=dict)
    to_right: dict[str, Any] = field(default_factory=dict)
    learn_left: Fields = field(default_factory=dict)
    learn_right: Fields = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)
    waiting: list[tuple[str, Side, Unlinked]] = field(default_factory=list)

    @property
    def quiet(self) -> bool:
        """Nothing to write and nothing to ask."""
        return not (self.to_left or self.to_right or self.open_conflicts or self.waiting)

    @property
    def open_conflicts(self) -> list[Conflict]:
        return [c for c in self.conflicts if c.winner is None]


def decide(
    left: View,
    right: View,
    policy: Policy,
    same: Same,
    *,
    chosen: Mapping[str, Side] | None = None,
) -> Decision:
    """Decide every field of one pair. ``same(field, a, b)`` compares two values in one side's terms.

    ``chosen`` are a person's choices; where the two sides differ they come before every rule.
    """
    decision = Decision()
    names = dict.fromkeys([*left.fields, *right.fields])
    for name in names:
        _decide_field(name, left, right, policy, same, (chosen or {}).get(name), decision)
    return decision


def _decide_field(
    name: str, left: View, right: View, policy: Policy, same: Same, choice: Side | None, out: Decision
) -> None:
    now_left = left.fields.get(name, ABSENT)
    now_right = right.fields.get(name, ABSENT)
    base_left = left.base.get(name, ABSENT)
    base_right = right.base.get(name, ABSENT)
    left_moved = _moved(name, now_left, base_left, same)
    right_moved = _moved(name, now_right, base_right, same)

    if now_left is ABSENT or now_right is ABSENT:
        # One side cannot show the field: carry the other's movement, compare nothing.
        if now_left is not ABSENT and (left_moved or base_left is ABSENT):
            _send(name, "right", left, right, policy, "only left has it", out)
        elif now_right is not ABSENT and (right_moved or base_right is ABSENT):
            _send(name, "left", left, right, policy, "only right has it", out)
        return

    equal = same(name, now_left, left.theirs.get(name, ABSENT))
    if equal:
        out.learn_left[name], out.learn_right[name] = now_left, now_right
        return
    if name not in policy.to_left and name not in policy.to_right:
        # Each system says its own (a balance, say): there is nothing to bring into agreement.
        out.learn_left[name], out.learn_right[name] = now_left, now_right
        return
    if choice is not None:  # also where only one side has moved: it may have gone back and forth
        _settle(name, choice, left, right, policy, CHOSEN, out)
    elif base_left is ABSENT or base_right is ABSENT:
        _first(name, left, right, policy, out)
    elif left_moved and right_moved:
        _conflict(name, left, right, policy, "both sides changed it", out)
    elif left_moved:
        _send(name, "right", left, right, policy, "left changed", out)
    elif right_moved:
        _send(name, "left", left, right, policy, "right changed", out)


def _moved(name: str, now: Any, base: Any, same: Same) -> bool:
    return now is not ABSENT and base is not ABSENT and not same(name, now, base)


def _first(name: str, left: View, right: View, policy: Policy, out: Decision) -> None:
    now_left, now_right = left.fields[name], right.fields[name]
    first = policy.first
    if first == "pair":
        out.learn_left[name], out.learn_right[name] = now_left, now_right
    elif now_left is EMPTY and right.fields[name] is not EMPTY and first != "left":
        _fill(name, "left", left, right, policy, out)
    elif now_right is EMPTY and left.fields[name] is not EMPTY and first != "right":
        _fill(name, "right", left, right, policy, out)
    elif first == "left" and now_left is not EMPTY:
        _send(name, "right", left, right, policy, "first: left", out)
    elif first == "right" and now_right is not EMPTY:
        _send(name, "left", left, right, policy, "first: right", out)
    elif first in ("left", "right"):
        # The deciding side is EMPTY: without a base that is no clearing, so its gap is filled.
        _fill(name, "left" if first == "left" else "right", left, right, policy, out)
    elif first == "fill" and policy.first_differences == "owner":
        _conflict(name, left, right, policy, "differed when first paired", out)
    else:
        out.conflicts.append(Conflict(name, ABSENT, ABSENT, now_left, now_right, "differed when first paired"))


def _fill(name: str, to: Side, left: View, right: View, policy: Policy, out: Decision) -> None:
    if name in (policy.to_left if to == "left" else policy.to_right):
        _send(name, to, left, right, policy, f"{to} was empty", out)
    else:
        out.learn_left[name], out.learn_right[name] = left.fields[name], right.fields[name]


def _conflict(name: str, left: View, right: View, policy: Policy, how: str, out: Decision) -> None:
    winner, rule = _winner(name, left, right, policy)
    out.conflicts.append(
        Conflict(
            name,
            left.base.get(name, ABSENT),
            right.base.get(name, ABSENT),
            left.fields[name],
            right.fields[name],
            f"{how}; {rule}",
            winner,
        )
    )
    if winner is not None:
        _settle(name, winner, left, right, policy, rule, out)


def _winner(name: str, left: View, right: View, policy: Policy) -> tuple[Side | None, str]:
    writable: dict[Side, bool] = {"left": name in policy.to_left, "right": name in policy.to_right}
    if writable["left"] != writable["right"]:
        # Only one side can be written at all, so the other one is the field's owner by nature.
        return ("right", "only right may change it") if writable["left"] else ("left", "only left may change it")
    rule = policy.owners.get(name)
    if rule == "left" or rule == "right":
        return rule, f"{rule} owns the field"
    how: str = rule or policy.on_conflict
    if how == "owner":
        if policy.owner is not None:
            return policy.owner, f"{policy.owner} is system of record"
        return None, "no owner is configured"
    if how == "newest":
        if left.changed_at is None or right.changed_at is None:
            return None, "newest wins, but a change time is missing"
        if left.changed_at == right.changed_at:
            return None, "newest wins, but both changed at the same time"
        side: Side = "left" if left.changed_at > right.changed_at else "right"
        return side, f"newest: left {left.changed_at.isoformat()}, right {right.changed_at.isoformat()}"
    return None, "review"


def _settle(name: str, winner: Side, left: View, right: View, policy: Policy, rule: str, out: Decision) -> None:
    _send(name, "right" if winner == "left" else "left", left, right, policy, rule, out)


def _send(name: str, to: Side, left: View, right: View, policy: Policy, why: str, out: Decision) -> None:
    target = right if to == "right" else left
    allowed = policy.to_right if to == "right" else policy.to_left
    if name not in allowed:
        # Not ours to write there: the movement is noted and that is all.
        if name in left.fields:
            out.learn_left[name] = left.fields[name]
        if name in right.fields:
            out.learn_right[name] = right.fields[name]
        return
    value = target.theirs.get(name, ABSENT)
    if isinstance(value, Unlinked):
        out.waiting.append((name, to, value))
        return
    if value is ABSENT:
        return
    (out.to_right if to == "right" else out.to_left)[name] = value
    out.why[name] = why
