"""Rules: which facts are to be told, as what, to whom. Pure: facts in, findings out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from weft.alerts.wording import Wording

if TYPE_CHECKING:
    from weft.alerts.facts import Facts, Failing
    from weft.config.watching import About, AlertRule, Severity

OTHERS_TELL = ("waiting", "approval")
"""Kinds of issue that a rule about issues must name to be told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found wrong with a subject, in words; ``to`` names channels, None means all."""

    rule: str
    subject: str
    severity: Severity
    title: str
    text: str
    count: int
    since: datetime
    to: tuple[str, ...] | None = None


def judge(rules: Mapping[str, AlertRule | None], facts: Facts, wording: Wording) -> list[Finding]:
    """What is wrong enough to be told, by the rules. One subject is found once by each rule."""
    found = []
    for name, rule in rules.items():
        if rule is None:
            continue
        for subject, count, since, (title, text) in _JUDGES[rule.about](rule, facts, wording):
            if count >= rule.count and facts.now - since >= rule.after:
                to = None if rule.to is None else tuple(rule.to)
                found.append(Finding(name, subject, rule.severity, title, text, count, since, to))
    return found


Told = tuple[str, str]
Judged = Iterator[tuple[str, int, datetime, Told]]


def _concerns(rule: AlertRule, flow: str) -> bool:
    return rule.flows is None or flow in rule.flows


def _issues(rule: AlertRule, facts: Facts, wording: Wording) -> Judged:
    for one in facts.issues:
        wanted = one.kind not in OTHERS_TELL if rule.kinds is None else one.kind in rule.kinds
        if wanted and _concerns(rule, one.flow):
            yield f"{one.flow}/{one.kind}", one.count, one.since, wording.issues(one)


def _approvals(rule: AlertRule, facts: Facts, wording: Wording) -> Judged:
    for one in facts.issues:
        if one.kind == "approval" and _concerns(rule, one.flow):
            yield one.flow, one.count, one.since, wording.issues(one)


def _failing(rule: AlertRule, facts: Facts, wording: Wording) -> Judged:
    for one in facts.failing:
        if not one.down and _concerns(rule, one.flow):  # a system that is down has a rule of its own
            yield one.flow, one.count, one.since, wording.failing(one)


def _down(rule: AlertRule, facts: Facts, wording: Wording) -> Judged:
    systems: dict[str, list[Failing]] = defaultdict(list)
    for one in facts.failing:
        if one.down and _concerns(rule, one.flow):
            systems[one.down].append(one)
    for system, flows in systems.items():
        count, since = max(one.count for one in flows), min(one.since for one in flows)
        yield system, count, since, wording.down(system, flows)


def _silence(rule: AlertRule, facts: Facts, wording: Wording) -> Judged:
    for one in facts.silent:
        if one.due < facts.now and _concerns(rule, one.flow):
            yield one.flow, rule.count, one.since, wording.silent(one)


def _workers(rule: AlertRule, facts: Facts, wording: Wording) -> Judged:
    for one in facts.lost:
        yield one.worker, rule.count, one.since, wording.lost(one)


def _guards(rule: AlertRule, facts: Facts, wording: Wording) -> Judged:
    for one in facts.stopped:
        if _concerns(rule, one.flow):
            yield f"{one.flow}/{one.subject}", rule.count, one.since, wording.stopped(one)


_JUDGES: dict[About, Callable[[AlertRule, Facts, Wording], Judged]] = {
    "issues": _issues,
    "approval": _approvals,
    "failing": _failing,
    "down": _down,
    "silence": _silence,
    "worker": _workers,
    "guard": _guards,
}
