"""Proofs of agreement and plans, made in the background and kept."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from pydantic import BaseModel, Field

from weft.desk.action import Number, Wanted, action, question
from weft.desk.desk import Desk
from weft.desk.errors import NotPossible, NotThere
from weft.desk.showing import plain
from weft.errors import WeftError
from weft.state.proofs import Proof
from weft.state.runs import Run as RunRow
from weft.state.tx import Tx
from weft.sync.cycle import sync
from weft.sync.run import Run
from weft.sync.verify import verify

SILENT = timedelta(minutes=2)
"""A proof that nothing was heard of for so long is not under way any more."""
TELL = 2.0
"""Seconds between two words of a proof on how far it is."""
PLANNED = 2000
"""Writes of a plan that are kept; the counts are always complete."""


class Prove(Wanted):
    """Without flows: all that are enabled."""

    flows: list[str] = Field(default_factory=list)


class Started(BaseModel):
    """Ids of what was begun, by flow."""

    ids: dict[str, int | str]


@action("proofs.start")
async def start(desk: Desk, wanted: Prove) -> Started:
    """Read both sides of flows whole and compare every pair, in the background; nothing is written to them."""
    now = desk.now

    def write(tx: Tx) -> dict[str, int]:
        begun: dict[str, int] = {}
        for name in _flows(desk, wanted.flows):
            running = tx.proofs.running(name, now - SILENT)
            if running is not None:
                raise NotPossible(f"{name} is being verified already, since {running.started_at:%H:%M:%SZ}")
            begun[name] = tx.proofs.start(name, desk.by, now)
        return begun

    begun = await desk.state.write(write)
    desk.later(_prove_all(desk, begun))
    return Started(ids={**begun})


def _flows(desk: Desk, names: list[str]) -> list[str]:
    for name in names:
        desk.config.flow(name)
    return list(dict.fromkeys(names)) or [name for name, config in desk.config.flows.items() if config.enabled]


async def _prove_all(desk: Desk, begun: dict[str, int]) -> None:
    for flow, id in begun.items():
        await _guarded(desk, partial(_prove, desk, flow, id), partial(_failed, desk, id))


async def _failed(desk: Desk, id: int, why: str) -> None:
    now = desk.now
    await desk.state.write(lambda tx: tx.proofs.fail(id, now, why))


async def _guarded(desk: Desk, work: Callable[[], Awaitable[None]], fail: Callable[[str], Awaitable[None]]) -> None:
    runtime = desk.runtime()
    try:
        await work()
    except asyncio.CancelledError:
        await fail("weft was stopped before the end")
        raise
    except Exception as error:  # whatever stops it is told where the result would be
        if not isinstance(error, WeftError):
            runtime.log.error("work in the background failed", exc_info=error)
        words = str(error) if isinstance(error, WeftError) else f"{type(error).__name__}: {error}"
        await fail(runtime.redactor(words))


async def _tell(desk: Desk, id: int, read: int) -> None:
    now = desk.now
    await desk.state.write(lambda tx: tx.proofs.progress(id, read, now))


async def _prove(desk: Desk, flow: str, id: int) -> None:
    read = 0

    def told(run: Run) -> None:
        nonlocal read
        read = run.counts["read"]

    async def tell() -> None:
        while True:
            await asyncio.sleep(TELL)
            await _tell(desk, id, read)

    telling = asyncio.create_task(tell())
    try:
        [agreement] = await verify(desk.runtime(), [flow], progress=told)
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
    result, proven, now = plain(agreement), agreement.proven, desk.now
    await desk.state.write(lambda tx: tx.proofs.finish(id, now, read, proven, result))


# -- plans -----------------------------------------------------------------------------------------


@action("plans.start")
async def start_plan(desk: Desk, wanted: Prove) -> Started:
    """Work out in the background what a run would write, to the field; kept as a run of the mode ``plan``."""
    now = desk.now
    begun = {name: uuid.uuid4().hex for name in _flows(desk, wanted.flows)}

    def write(tx: Tx) -> None:
        for name, id in begun.items():
            tx.runs.start(RunRow(id, name, "plan", now))

    await desk.state.write(write)
    desk.later(_plan_all(desk, begun))
    return Started(ids={**begun})


async def _plan_all(desk: Desk, begun: dict[str, str]) -> None:
    for flow, id in begun.items():
        await _guarded(desk, partial(_plan, desk, flow, id), partial(_kept, desk, id, "failed", {}))


async def _plan(desk: Desk, flow: str, id: str) -> None:
    [report] = await sync(desk.runtime(), [flow], plan_only=True)
    plan = {
        "writes": [plain(one) for one in report.planned[:PLANNED]],
        "held": [plain(one) for one in report.held[:PLANNED]],
    }
    counts = {**report.counts, "planned": len(report.planned), "held": len(report.held)}
    await _kept(desk, id, report.state, counts, report.error, plan)


async def _kept(
    desk: Desk, id: str, state: str, counts: dict[str, int], error: str, plan: dict[str, Any] | None = None
) -> None:
    now, words = desk.now, desk.runtime().redactor(error)
    await desk.state.write(lambda tx: tx.runs.finish(id, state, now, counts, plan=plan, error=words))


# -- looking ---------------------------------------------------------------------------------------


class Which(Wanted):
    flow: str | None = None
    before: Number | None = Field(default=None, description="`next` of the page before")
    limit: int = Field(default=50, ge=1, le=500)


class OneProof(Wanted):
    id: Number


@dataclass(frozen=True, slots=True)
class ProofPage:
    """``next`` continues; None at the end. Results are left out; one proof shows its own."""

    items: list[Proof]
    next: int | None


@question("/proofs")
async def proofs(desk: Desk, wanted: Which) -> ProofPage:
    """Proofs of agreement, newest first."""
    found = await desk.state.read(
        lambda tx: tx.proofs.page(before_id=wanted.before, limit=wanted.limit + 1, flow=wanted.flow)
    )
    items = found[: wanted.limit]
    for one in items:
        one.result = None
    return ProofPage(items, items[-1].id if len(found) > wanted.limit else None)


@question("/proofs/{id}")
async def proof(desk: Desk, wanted: OneProof) -> Proof:
    """One proof with its result: counts, totals of money by currency and side, samples of what differs."""
    found = await desk.state.read(lambda tx: tx.proofs.get(wanted.id))
    if found is None:
        raise NotThere(f"there is no proof {wanted.id}")
    return found
