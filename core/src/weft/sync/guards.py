"""Guards: a flow that would delete or change too much stops and asks.

More than N *and* more than P per cent of the linked records within a rolling window need a one-time
approval. First loads create; the guard on creates is off unless it is configured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from weft.errors import WeftError
from weft.state.issues import Issue
from weft.sync.deliver import Delivery

if TYPE_CHECKING:
    from weft.state.tx import Tx
    from weft.sync.run import Run
    from weft.sync.settle import Settlement

Kind = Literal["deletes", "changes", "creates"]


class GuardStop(WeftError):
    """The flow stopped for an approval."""


def kind_of(delivery: Delivery) -> Kind:
    if delivery.op in ("delete", "deactivate"):
        return "deletes"
    return "creates" if delivery.op == "create" else "changes"


def _counted(run: Run, deliveries: Sequence[Delivery]) -> dict[Kind, tuple[int, int]]:
    """Of each guarded kind among these: how many, and the limit."""
    guards = run.flow.config.guards
    limits: dict[Kind, int | None] = {"deletes": guards.deletes, "changes": guards.changes, "creates": guards.creates}
    counted = Counter(kind_of(delivery) for delivery in deliveries)
    return {kind: (counted[kind], limit) for kind, limit in limits.items() if limit is not None and counted[kind]}


def watched(run: Run, deliveries: Sequence[Delivery]) -> bool:
    """Is a guard set on any of these?"""
    return bool(_counted(run, deliveries))


async def allow(run: Run, deliveries: Sequence[Delivery], settlement: Settlement) -> list[Delivery]:
    """The deliveries that may go out.

    :raises GuardStop: after the question is stored; nothing of this wave is sent.
    """
    guards = run.flow.config.guards
    found = _counted(run, deliveries)
    if not found:
        return list(deliveries)
    since = run.now - guards.window

    def read(tx: Tx) -> tuple[dict[Kind, int], int, set[str]]:
        done = {kind: tx.guards.window(run.flow.name, kind, since).happened for kind in found}
        granted = {a.subject for a in tx.guards.approvals(run.flow.name, ("granted",))}
        return done, tx.links.count(entity=run.flow.entity.name), granted

    done, total, granted = await run.runtime.state.read(read)
    for kind, (count, limit) in found.items():
        reached = done[kind] + count
        share = Decimal(reached * 100) / total if total else Decimal(100)
        subject = f"guard:{kind}"
        if reached <= limit or share <= guards.percent:
            continue
        if subject in granted:
            settlement.used.append(subject)
            settlement.reset.append(kind)
            continue
        await _stop(run, kind, reached, share, limit, settlement)
    return list(deliveries)


async def _stop(run: Run, kind: Kind, reached: int, share: Decimal, limit: int, settlement: Settlement) -> None:
    flow = run.flow
    reason = (
        f"{reached} {kind} within {flow.config.guards.window} are {share:.1f} % of all records of "
        f"{flow.name}; more than {limit} and {flow.config.guards.percent} % need an approval: "
        f"weft issues approve"
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
    raise GuardStop(reason)
