"""Held: flows that must not work now, because somebody paused them or a blackout window holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from weft.config.windows import Window
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


def blackout(config: FlowConfig, now: datetime) -> Window | None:
    """The blackout window that holds now."""
    local = now.astimezone(ZoneInfo(config.timezone))
    return next((window for window in config.blackout if window.holds(local)), None)
