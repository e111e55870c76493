"""Flows as a whole: pause, resume, run now."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from weft.desk.action import Count, Time, Wanted, action
from weft.desk.desk import Desk
from weft.desk.errors import NotPossible
from weft.errors import ConfigError
from weft.state.pauses import ALL
from weft.state.tx import Tx
from weft.sync.held import runnable


class PauseFlow(Wanted):
    """``flow`` ``*``: all of them. Without ``until`` it lasts until somebody resumes."""

    flow: str
    reason: str = Field(min_length=1, max_length=1000)
    until: Time | None = None


class ResumeFlow(Wanted):
    flow: str


class RunNow(Wanted):
    """``sweep``: compare every record, also those that no change was seen of. Without flows: all enabled."""

    flows: list[str] = Field(default_factory=list)
    what: Literal["sync", "sweep"] = "sync"


def _known(desk: Desk, flow: str) -> None:
    if flow != ALL:
        desk.config.flow(flow)


@action("flows.pause")
async def pause(desk: Desk, wanted: PauseFlow) -> Count:
    """Keep flows from working until they are resumed. What is under way is finished first."""
    _known(desk, wanted.flow)
    now, until = desk.now, wanted.until
    if until is not None and (until.tzinfo is None or until <= now):
        raise ConfigError("until: write a time to come, with its offset, such as 2030-01-31T08:00:00Z")
    await desk.state.write(lambda tx: tx.pauses.pause(wanted.flow, desk.by, wanted.reason, now, until))
    return Count(count=1)


@action("flows.resume")
async def resume(desk: Desk, wanted: ResumeFlow) -> Count:
    """Take a pause back."""
    _known(desk, wanted.flow)
    now = desk.now

    def write(tx: Tx) -> None:
        if not tx.pauses.resume(wanted.flow, desk.by, now):
            raise NotPossible(_not_paused(wanted.flow, [pause.flow for pause in tx.pauses.active(now)]))

    await desk.state.write(write)
    return Count(count=1)


def _not_paused(flow: str, paused: list[str]) -> str:
    """``paused``: the names that are, ``*`` among them."""
    if flow != ALL and ALL in paused:
        return f"{flow} is paused with all flows, not by itself: weft resume, without a name, lets them go on"
    if flow == ALL and paused:
        names = ", ".join(paused)
        return f"all flows together are not paused, only {names}: weft resume {paused[0]} lets it go on"
    return "no flow is paused" if flow == ALL else f"{flow} is not paused"


@action("flows.run")
async def run(desk: Desk, wanted: RunNow) -> Count:
    """Ask a worker to run flows soon; nothing happens while no worker is up. One that is paused or in its blackout
    window is refused; without names such flows are left out."""
    flows, now = desk.config.flows, desk.now
    for name in wanted.flows:
        if not desk.config.flow(name).enabled:
            raise NotPossible(f"{name} is switched off (enabled: false)")

    def write(tx: Tx) -> int:
        try:
            names, _ = runnable(flows, tx, now, wanted.flows)
        except ConfigError as error:
            raise NotPossible(str(error)) from None
        for name in names:
            tx.requests.put(name, wanted.what, by=desk.by, at=now)
        return len(names)

    return Count(count=await desk.state.write(write))
