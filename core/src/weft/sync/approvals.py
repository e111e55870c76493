"""Approvals: writes that a rule holds back until a person has said yes to these very values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weft.state.types import dump
from weft.sync.showing import all_shown
from weft.sync.work import other

if TYPE_CHECKING:
    from weft.records import Canonical, LineChange
    from weft.sync.deliver import Delivery
    from weft.sync.settle import Settlement, Solved
    from weft.sync.work import Work


def subject_of(side: str, object_name: str, key: str, place: str) -> str:
    """What an approval is about: a record, and which of its counterparts where it has several."""
    return f"record:{side}:{object_name}({key})" + (f" {place}" if place else "")


def settled(solved: Iterable[Solved]) -> list[str]:
    """Subjects of records that have succeeded: whatever was asked about them is asked no more."""
    return [
        subject_of(side, object_name, key, place or "")
        for side, _, _, object_name, key, kinds, place in solved
        if "approval" in kinds
    ]


def allowed(settlement: Settlement, work: Work, deliveries: list[Delivery]) -> list[Delivery]:
    """Only what needs no approval, or has it: for what was asked, not for other values that came since."""
    rule = settlement.run.flow.approve
    if rule is None or not any(rule(_as_written(one)) for one in deliveries):
        return deliveries
    place = work.place if work.origin == "left" else ""
    subject, asked = subject_of(work.origin, work.source.object, work.source.key, place), asked_for(deliveries)
    if subject in settlement.granted and dump(settlement.granted[subject]) == dump(asked):
        settlement.passed.add(subject)
    if subject in settlement.passed:  # also with what follows from the write that was approved, such as a new number
        settlement.used.append(subject)
        return deliveries
    reason = f"needs approval: {settlement.run.flow.config.approve}"
    settlement.approvals.append((subject, asked))
    settlement.issue(work, "approval", reason, code="approval", payload={"subject": subject, **asked})
    settlement.journal(work, "deliver", "approval", reason, side=other(work.origin))
    return []


def _as_written(delivery: Delivery) -> Canonical:
    """What the rule is about: the record the values come from, with those that are sent instead."""
    work = delivery.work
    source = work.half(other(delivery.side)).canonical or work.source
    given = {name: delivery.fields[name] for name in delivery.instead}
    return replace(source, fields={**source.fields, **given}) if given else source


def asked_for(deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """What would be written, by side: ``{"op", "fields", "lines"}``, the last where there are any."""
    return {
        one.side: {
            "op": one.op,
            "fields": all_shown(one.fields),
            **({"lines": [_line(change) for change in one.changes]} if one.changes else {}),
        }
        for one in deliveries
    }


def _line(change: LineChange) -> dict[str, Any]:
    """Without core's own id: a line that is new gets another one each time it is looked at."""
    fields = all_shown(change.fields)
    return {"collection": change.collection, "op": change.op, "key": change.key, "fields": fields}
