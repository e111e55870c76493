"""Held: flows that must not work now, because somebody paused them or a blackout window holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from weft.config.windows import Window
from weft.errors import ConfigError, WeftError
from weft.state.pauses import ALL

if TYPE_CHECKING:
    from weft.config.flows import FlowConfig
    from weft.state.pauses import Pause
    from weft.state.tx import Tx
    from weft.sync.run import Run


class FlowHeld(WeftError):
    """A flow that runs has been paused, or its blackout window has begun."""


@dataclass(frozen=True, slots=True)
class Held:
    """Why a flow must not work now, and what lets it go on: two halves of a sentence about it."""

    why: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.why}; {self.way_out}"


def held(flows: Mapping[str, FlowConfig], tx: Tx, now: datetime) -> dict[str, Held]:
    """Flows that must not work now: somebody paused them, or a blackout window holds."""
    found: dict[str, Held] = {}
    pauses = {pause.flow: pause for pause in tx.pauses.active(now)}
    for name, config in flows.items():
        pause = pauses.get(name) or pauses.get(ALL)
        if pause is not None:
            found[name] = by_pause(pause)
        elif (window := blackout(config, now)) is not None:
            found[name] = Held(f"in its blackout window {window} ({config.timezone})", "it runs when that is over")
    return found


def by_pause(pause: Pause) -> Held:
    """What a pause keeps from working; one of all flows is taken back without a name."""
    until = f" until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until is not None else ""
    reason = f": {pause.reason}" if pause.reason else ""
    if pause.flow == ALL:
        return Held(f"paused with all flows by {pause.by}{until}{reason}", "weft resume lets them go on")
    return Held(f"paused by {pause.by}{until}{reason}", f"weft resume {pause.flow} lets it go on")


async def go_on(run: Run) -> None:
    """Before the next page of a run: may the flow still work?

    :raises FlowHeld: no, and why. What the run has come to is settled; the rest is for a later one.
    """
    flow = run.flow
    if run.plan_only:
        return
    why = (await run.runtime.state.read(lambda tx: held({flow.name: flow.config}, tx, run.now))).get(flow.name)
    if why is not None:
        raise FlowHeld(f"cut off: {flow.name} is {why}")


def runnable(
    flows: Mapping[str, FlowConfig], tx: Tx, now: datetime, names: Sequence[str]
) -> tuple[list[str], dict[str, Held]]:
    """Flows that a person may have run now: those named, else all enabled ones but those that must not work,
    which are told with the reason.

    :raises ConfigError: one that was named must not work now, or none may.
    """
    stopped = held(flows, tx, now)
    wanted = list(names) or [name for name, config in flows.items() if config.enabled]
    kept = {name: stopped[name] for name in wanted if name in stopped}
    free = [name for name in wanted if name not in kept]
    if kept and (names or not free):
        raise ConfigError("\n".join(f"{name} is {why}" for name, why in kept.items()))
    return free, kept


def blackout(config: FlowConfig, now: datetime) -> Window | None:
    """The blackout window that holds now."""
    local = now.astimezone(ZoneInfo(config.timezone))
    return next((window for window in config.blackout if window.holds(local)), None)
