"""Guards: a flow that would delete or change too much stops and asks.

More than N *and* more than P per cent of the linked records within a rolling window need a one-time
approval. First loads create; the guard on creates is off unless it is configured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

from weft.config.values import spell_duration
from weft.errors import WeftError
from weft.state.issues import Issue
from weft.sync.deliver import Delivery

if TYPE_CHECKING:
    from weft.state.tx import Tx
    from weft.sync.run import Run
    from weft.sync.settle import Settlement

Kind = Literal["deletes", "changes", "creates"]
Counts = dict[Kind, tuple[int, int]]
"""Of each guarded kind: how many, and the limit."""


class _Over(NamedTuple):
    kind: Kind
    reached: int
    share: Decimal
    limit: int


class GuardStop(WeftError):
    """The flow stopped for an approval."""


def kind_of(delivery: Delivery) -> Kind:
    if delivery.op in ("delete", "deactivate"):
        return "deletes"
    return "creates" if delivery.op == "create" else "changes"


def _counted(run: Run, deliveries: Sequence[Delivery]) -> Counts:
    guards = run.flow.config.guards
    limits: dict[Kind, int | None] = {"deletes": guards.deletes, "changes": guards.changes, "creates": guards.creates}
    counted = Counter(kind_of(delivery) for delivery in deliveries)
    return {kind: (counted[kind], limit) for kind, limit in limits.items() if limit is not None and counted[kind]}


async def allow(run: Run, deliveries: Sequence[Delivery], settlement: Settlement) -> list[Delivery]:
    """The deliveries that may go out. They count from now on, for every run of the flow on every worker: what
    is settled later gives back what did not happen.

    :raises GuardStop: after the question is stored; nothing of this wave is sent.
    """
    found = _counted(run, deliveries)
    if not found:
        return list(deliveries)
    if run.plan_only:
        stop, _ = await run.runtime.state.read(lambda tx: _judge(run, found, tx))
    else:
        stop, settlement.reserved[len(settlement.reserved) :] = await run.runtime.state.write(
            lambda tx: _reserve(run, found, tx)
        )
    if stop is not None:
        await _stop(run, stop, settlement)
    return list(deliveries)


def _reserve(run: Run, found: Counts, tx: Tx) -> tuple[_Over | None, list[tuple[Kind, int, int]]]:
    """Judge and count in one go, one run after the other; returns (kind, note, count) of what was counted."""
    name = run.flow.name
    tx.guards.in_turn(name)
    stop, approved = _judge(run, found, tx)
    notes: list[tuple[Kind, int, int]] = []
    if stop is not None:
        return stop, notes
    total = tx.links.count(entity=run.flow.entity.name)
    for kind, (count, _) in found.items():
        if kind in approved:  # once; then an empty window begins
            tx.guards.use(name, f"guard:{kind}", run.now)
            tx.guards.reset(name, kind)
        else:
            notes.append((kind, tx.guards.note(name, kind, count, total, run.now), count))
    return None, notes


def _judge(run: Run, found: Counts, tx: Tx) -> tuple[_Over | None, set[Kind]]:
    """The first that is too much and not approved, if any; the kinds that are too much and are approved."""
    name, guards = run.flow.name, run.flow.config.guards
    approved: set[Kind] = set()
    for kind, (count, limit) in found.items():
        reached = tx.guards.window(name, kind, run.now - guards.window).happened + count
        if reached <= limit:
            continue
        total = tx.links.count(entity=run.flow.entity.name)
        share = Decimal(reached * 100) / total if total else Decimal(100)
        if share <= guards.percent:
            continue
        approval = tx.guards.approval(name, f"guard:{kind}")
        if approval is None or approval.state != "granted":
            return _Over(kind, reached, share, limit), approved
        approved.add(kind)
    return None, approved


async def _stop(run: Run, over: _Over, settlement: Settlement) -> None:
    kind, reached, share, limit = over
    flow = run.flow
    reason = (
        f"{reached} {kind} within {spell_duration(flow.config.guards.window)} are {share:.1f} % of all records of "
        f"{flow.name}; more than {limit} and {flow.config.guards.percent} % need an approval"
    )
    now = run.now
    settlement.put_issue(
        Issue(
            flow=flow.name,
            entity=flow.entity.name,
            kind="approval",
            opened_at=now,
            updated_at=now,
            key=f"guard:{kind}",
            label=f"guard on {kind}",
            reason=reason,
            code="guard",
            payload={"subject": f"guard:{kind}"},
            run=run.id,
        )
    )
    settlement.approvals.append((f"guard:{kind}", {"count": reached}))
    await settlement.commit()
    raise GuardStop(f"{reason}: weft issues list {flow.name} --kind approval")
