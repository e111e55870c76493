"""Recall: what a write that was never settled has done, so that its traces are not taken for a person's edit.

The process may end, or an answer get lost, between a write and the moment its result is remembered. The
intent says what was sent and what it was taken from. Where the record holds what was sent, the write came
through: that is what both sides agreed on then, and whatever differs from it by now was changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weft.model.values import ABSENT, EMPTY, Ref
from weft.sync.work import other

if TYPE_CHECKING:
    from weft.model.values import Fields
    from weft.records import Canonical, Side
    from weft.state.intents import Intent
    from weft.sync.deliver import Delivery
    from weft.sync.work import Caught, Work


def noted(delivery: Delivery) -> dict[str, Any]:
    """What an intent keeps of a delivery: values sent, and the values on the other side they come from."""
    work, side = delivery.work, delivery.side
    source = work.half(other(side)).canonical
    known = source.fields if source is not None else {}
    pairs = {pair.id: pair for pair in work.lines.pairs} if work.lines is not None else {}
    lines = []
    for change in delivery.changes:
        pair = pairs.get(change.id)
        line = pair.on(other(side)) if pair is not None else None
        lines.append(
            {
                "collection": change.collection,
                "op": change.op,
                "id": change.id,
                "key": change.key,
                "fields": change.fields,
                "source_key": line.key if line is not None else None,
                "source": _held(line.fields, change.fields) if line is not None else {},
            }
        )
    return {
        "fields": delivery.fields,
        "source": _held(known, delivery.fields),
        "lines": lines,
        **({"instead": delivery.instead} if delivery.instead else {}),
    }


def _held(fields: Fields, names: Mapping[str, Any]) -> Fields:
    return {name: fields[name] for name in names if name in fields}


def created(work: Work, intent: Intent, *, stopped: bool = False) -> None:
    """The record an earlier create made is known: both bases are what was sent then. ``stopped``: between its steps;
    what the record lacks was in a step that is still due, and nobody has cleared it."""
    mine, yours = work.half(intent.side), work.half(other(intent.side))
    sent: dict[str, Any] = intent.payload["fields"]
    told: dict[str, Any] = intent.payload.get("source", {})
    instead: dict[str, Any] = intent.payload.get("instead", {})
    now = mine.canonical.fields if mine.canonical is not None else {}
    source = yours.canonical.fields if yours.canonical is not None else {}
    creatable = work.pair.mapping(intent.side).creatable
    for name in work.pair.shared:
        if name in sent and stopped and sent[name] is not EMPTY and now.get(name, ABSENT) is EMPTY:
            mine.base.fields[name] = yours.base.fields[name] = EMPTY
            continue
        if name in sent:
            mine.base.fields[name] = instead.get(name, sent[name])
            value = told.get(name, sent[name])
            yours.base.fields[name] = source.get(name, EMPTY) if isinstance(value, Ref) and name not in told else value
            continue
        if follows(work, intent.side, name):
            mine.base.fields[name], yours.base.fields[name] = now.get(name, EMPTY), EMPTY
            continue
        if name in now:
            mine.base.fields[name] = EMPTY
        if name in source:
            # What could have been sent and was not, was EMPTY then.
            yours.base.fields[name] = EMPTY if name in creatable else source[name]
    _lines(work, intent)


def follows(work: Work, side: Side, name: str) -> bool:
    """Does this value of the source reach the record made on ``side`` only by an update after the create?

    Then it has moved there, and what the system put in its place has not: nobody chose it.
    """
    source = work.half(other(side)).canonical
    policy = work.pair.policy
    allowed = policy.to_left if side == "left" else policy.to_right
    late = name in allowed and name not in work.pair.mapping(side).creatable
    return late and source is not None and source.fields.get(name, EMPTY) is not EMPTY


def updated(work: Work, intent: Intent, *, ours: bool) -> bool:
    """Where the record holds what an update sent, the update came through. ``ours``: we wrote it last.

    False: something of it is not there (yet).
    """
    mine, yours = work.half(intent.side), work.half(other(intent.side))
    now = mine.canonical.fields if mine.canonical is not None else {}
    same = work.same
    landed = True
    for name, value in intent.payload["fields"].items():
        held = now.get(name, ABSENT)
        if held is ABSENT:
            continue
        before = mine.base.fields.get(name, ABSENT)
        spelt = ours and before is not ABSENT and not same(name, held, before)
        if spelt or same(name, held, value):
            mine.base.fields[name] = intent.payload.get("instead", {}).get(name, held)
            if name in intent.payload.get("source", {}):
                yours.base.fields[name] = intent.payload["source"][name]
        else:
            landed = False
    _lines(work, intent)
    return landed


def _lines(work: Work, intent: Intent) -> None:
    side = intent.side
    mine, yours = work.half(side), work.half(other(side))
    if mine.canonical is None or yours.canonical is None:
        return
    taken: set[str] = set()
    for sent in intent.payload.get("lines", ()):
        collection, line_id = sent["collection"], sent["id"]
        if collection not in work.pair.collections or sent["op"] == "delete":
            continue
        lines = mine.canonical.lines.get(collection, [])
        line = _line(work, side, sent, [one for one in lines if one.key not in taken])
        if line is None or sent["source_key"] is None:
            continue
        taken.add(line.key)
        if sent["op"] == "create":
            keys = (line.key, sent["source_key"]) if side == "left" else (sent["source_key"], line.key)
            work.recalled.append((collection, line_id, *keys))
        same = work.same_in(collection)
        held = mine.base.lines.setdefault(collection, {}).setdefault(line_id, {})
        known = yours.base.lines.setdefault(collection, {}).setdefault(line_id, {})
        for name, value in sent["fields"].items():
            if sent["op"] == "create" or same(name, line.fields.get(name, ABSENT), value):
                held[name] = value
                if name in sent["source"]:
                    known[name] = sent["source"][name]


def lacks_lines(work: Work, intent: Intent, caught: Caught) -> bool:
    """Does a record made by an earlier create lack lines that were to be made with it?"""
    if caught.canonical is None:
        return False
    left = {name: list(lines) for name, lines in caught.canonical.lines.items()}
    for sent in intent.payload.get("lines", ()):
        lines = left.get(sent["collection"], [])
        line = _line(work, intent.side, sent, lines) if sent["collection"] in work.pair.collections else None
        if line is not None:
            lines.remove(line)
        elif sent["op"] == "create" and sent["collection"] in work.pair.collections:
            return True
    return False


def as_sent(work: Work, intent: Intent) -> bool:
    """Does the source still hold what an earlier create was made of? Lines added since do not count."""
    source = work.half(other(intent.side)).canonical
    if source is None:
        return True
    same = work.same
    if not _unchanged(source.fields, intent.payload.get("source", {}), same):
        return False
    for sent in intent.payload.get("lines", ()):
        lines = source.lines.get(sent["collection"], [])
        line = next((one for one in lines if one.key == sent["source_key"]), None)
        if line is None or sent["collection"] not in work.pair.collections:
            return False
        if not _unchanged(line.fields, sent["source"], work.same_in(sent["collection"])):
            return False
    return True


def _unchanged(now: Fields, then: Fields, same: Callable[[str, Any, Any], bool]) -> bool:
    return all(same(name, now.get(name, ABSENT), value) for name, value in then.items())


def _line(work: Work, side: Side, sent: Mapping[str, Any], lines: Sequence[Canonical]) -> Canonical | None:
    """The line an earlier write changed or made."""
    if sent["op"] == "update":
        return next((line for line in lines if line.key == sent["key"]), None)
    collection: str = sent["collection"]
    same = work.same_in(collection)
    rules = work.pair.right.mapping.lines[collection].match or work.pair.left.mapping.lines[collection].match
    fields: Fields = sent["fields"]
    for names in (tuple(fields), *(tuple(rule) for rule in rules)):
        for line in lines:
            if all(n in fields and same(n, line.fields.get(n, ABSENT), fields[n]) for n in names):
                return line
    return None
