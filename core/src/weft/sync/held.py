"""Held: flows that must not work now, because somebody paused them or a blackout window holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from weft.config.windows import Window
from weft.errors import ConfigError
from weft.state.pauses import ALL

if TYPE_CHECKING:
    from weft.config.flows import FlowConfig
    from weft.state.tx import Tx


def held(flows: Mapping[str, FlowConfig], tx: Tx, now: datetime) -> dict[str, str]:
    """Flows that must not work now, and why: somebody paused them, or a blackout window holds."""
    found: dict[str, str] = {}
    pauses = {pause.flow: pause for pause in tx.pauses.active(now)}
    for name, config in flows.items():
        pause = pauses.get(name) or pauses.get(ALL)
        if pause is not None:
            until = f" until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until is not None else ""
            found[name] = f"paused by {pause.by}{until}" + (f": {pause.reason}" if pause.reason else "")
        elif (window := blackout(config, now)) is not None:
            found[name] = f"in its blackout window {window} ({config.timezone})"
    return found


def runnable(
    flows: Mapping[str, FlowConfig], tx: Tx, now: datetime, names: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """Flows that a person may have run now: those named, else all enabled ones but those that must not work,
    which are told with the reason.

    :raises ConfigError: one that was named must not work now, or none may.
    """
    stopped = held(flows, tx, now)
    wanted = list(names) or [name for name, config in flows.items() if config.enabled]
    kept = {name: stopped[name] for name in wanted if name in stopped}
    free = [name for name in wanted if name not in kept]
    if kept and (names or not free):
        raise ConfigError("\n".join(f"{name} is {why}; {_way_out(why)}" for name, why in kept.items()))
    return free, kept


def _way_out(why: str) -> str:
    return "weft resume lets it go on" if why.startswith("paused") else "it runs when that is over"


def blackout(config: FlowConfig, now: datetime) -> Window | None:
    """The blackout window that holds now."""
    local = now.astimezone(ZoneInfo(config.timezone))
    return next((window for window in config.blackout if window.holds(local)), None)
