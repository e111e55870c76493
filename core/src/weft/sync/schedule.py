"""When a flow's turn comes: ``every`` and ``cron``. Pure functions of configuration and times.

Missed turns count as one. Around clock changes :mod:`cronsim` does what people expect of cron: 02:30 comes
once when the hour repeats, and right after the gap when it is skipped.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim

from weft.state.runs import AHEAD

if TYPE_CHECKING:
    from weft.config.flows import FlowConfig

BEHIND_PUSH = timedelta(minutes=5)
"""A flow that only waits for pushes looks for changes so often all the same: pushes get lost."""


def scheduled(config: FlowConfig) -> bool:
    """Does the flow run by itself at all?"""
    return config.enabled and (config.every is not None or config.cron is not None or config.on is not None)


def interval(config: FlowConfig) -> timedelta | None:
    """The time between two turns; None where cron says when."""
    if config.cron is not None:
        return None
    return config.every or (BEHIND_PUSH if config.on is not None else None)


def next_turn(config: FlowConfig, last: datetime) -> datetime | None:
    """The first turn after a time; None: there is none."""
    if config.cron is not None:
        local = last.astimezone(ZoneInfo(config.timezone))
        return next(CronSim(config.cron, local)).astimezone(UTC)
    every = interval(config)
    return None if every is None else last + every


def due(config: FlowConfig, last: datetime | None, now: datetime) -> bool:
    """Has a turn come since ``last``, the one before? None: there was none yet.

    A first turn by interval is due at once, by cron when its time comes.
    """
    if not scheduled(config):
        return False
    if last is None:
        return config.cron is None
    if last - now > AHEAD:
        return True
    turn = next_turn(config, last)
    return turn is not None and turn <= now
