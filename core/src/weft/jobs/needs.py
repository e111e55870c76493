"""Needs: which jobs there should be, as the state has it. Asked again and again; asking changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from weft.jobs.job import Job
from weft.state.runs import PASSES
from weft.sync.held import Held, held
from weft.sync.schedule import due

if TYPE_CHECKING:
    from weft.config.flows import FlowConfig
    from weft.state.requests import Request
    from weft.state.tx import Tx

BATCH = 100
"""So many hints are worth one job; more of them are shared out among several."""
PORTIONS = 2
"""So many portions of a first load are worth the help of another worker."""
SLOTS = 16


@dataclass(slots=True)
class Needs:
    """Jobs that should be queued; those of a flow that may not work now are left out."""

    jobs: list[Job] = field(default_factory=list)
    left: set[Job] = field(default_factory=set)
    """Those about nothing but writes in doubt, which may wait for a person: no need to ask every second."""
    hinted: set[Job] = field(default_factory=set)
    """Passes that nothing but hints ask for: those are there until a pass has come to its end."""
    new: list[str] = field(default_factory=list)
    """Flows that run at times of the clock and are seen for the first time: their first turn is yet to come."""
    held: dict[str, Held] = field(default_factory=dict)
    """Why flows may not work now."""


def quick(flows: Mapping[str, FlowConfig], tx: Tx, now: datetime) -> Needs:
    """What must not wait: hints, and records whose time has come."""
    needs = Needs(held=held(flows, tx, now))
    free = [name for name, config in flows.items() if config.enabled and name not in needs.held]
    ready = tx.hints.ready(now)
    again = tx.issues.flows_due(now)
    for name in free:
        if name not in again and not any(flow == name for flow, _ in ready):
            continue
        if not tx.cursors.all(name):
            continue  # all of it waits for the first load
        for (flow, lane), count in ready.items():
            if flow == name:
                needs.jobs += [Job(name, lane, "hints", slot) for slot in range(min(SLOTS, -(-count // BATCH)))]
        if name in again:
            needs.jobs.append(Job(name, "live", "due"))
    return needs


def steady(flows: Mapping[str, FlowConfig], tx: Tx, now: datetime) -> Needs:
    """Passes over whole flows, by schedule, by request, after a worker died; a hand in first loads; what was left in
    doubt."""
    needs = Needs(held=held(flows, tx, now))
    turns = tx.schedules.all()
    lost = tx.runs.lost(PASSES, now)
    whole = tx.hints.whole(now)
    left = tx.intents.flows_left(now)
    portions = tx.portions.ready()
    others = len(tx.workers.alive()) - 1 if portions else 0
    asked: dict[str, list[Request]] = {}
    for request in tx.requests.waiting():
        asked.setdefault(request.flow, []).append(request)
    for name, config in flows.items():
        if config.enabled and config.cron is not None and name not in turns:
            needs.new.append(name)
        if name in needs.held or not config.enabled:
            continue
        mine = asked.get(name, [])
        if lost.get(name) == "sweep" or any(request.what == "sweep" for request in mine):
            needs.jobs.append(Job(name, "bulk", "sweep"))
        elif due(config, turns.get(name), now) or name in lost or any(request.what == "sync" for request in mine):
            needs.jobs.append(Job(name, "bulk", "changes"))
        elif name in whole:
            needs.hinted.add(Job(name, "bulk", "changes"))
        slots = min(others, -(-portions.get(name, 0) // PORTIONS))
        needs.jobs += [Job(name, "bulk", "portions", slot) for slot in range(slots)]
        if name in left:
            needs.left.add(Job(name, "live", "due"))
    needs.jobs += [*needs.hinted, *needs.left]
    return needs
