"""What is told on which channel, and when: once, in digests, not at night, and again when it is well. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from weft.config.watching import SEVERITIES
from weft.state.alerts import Alert, AlertKey

if TYPE_CHECKING:
    from weft.alerts.rules import Finding
    from weft.config.watching import Alerts, QuietHours, Severity

GROWN = 10
"""Told again when there is so many times as much of it."""
PAUSES = (timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1))
"""Between tries on a channel that does not take a message."""


@dataclass(slots=True)
class Changes:
    """What becomes of what is stored: alerts to put, and to drop."""

    put: list[Alert] = field(default_factory=list)
    drop: list[AlertKey] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.put or self.drop)


def follow(settings: Alerts, findings: Iterable[Finding], known: Sequence[Alert]) -> Changes:
    """Bring what is stored into line with what is found now."""
    stored, changes = {alert.key: alert for alert in known}, Changes()
    current: set[AlertKey] = set()
    for found in findings:
        for channel in _channels(settings, found):
            key = AlertKey(found.rule, found.subject, channel)
            current.add(key)
            changed = _with(stored.get(key), key, found)
            if changed is not None:
                changes.put.append(changed)
    for key, alert in stored.items():
        if key in current:
            continue
        if alert.state == "told" and key.channel in settings.channels:
            changes.put.append(replace(alert, state="over"))
        elif alert.state == "waiting" and alert.told_at is not None and key.channel in settings.channels:
            changes.put.append(replace(alert, state="over"))  # had grown again, but was told before
        elif alert.state != "over" or key.channel not in settings.channels:
            changes.drop.append(key)  # never told, so there is nothing to take back
    return changes


def _channels(settings: Alerts, found: Finding) -> list[str]:
    wanted = settings.channels if found.to is None else found.to
    return [name for name in wanted if _at_least(found.severity, settings.channels[name].least)]


def _at_least(severity: str, least: Severity) -> bool:
    return SEVERITIES.index(severity) >= SEVERITIES.index(least)


def _with(known: Alert | None, key: AlertKey, found: Finding) -> Alert | None:
    """The alert as it is to be stored; None when nothing about it changes."""
    fresh = Alert(*key, found.severity, found.title, found.text, found.count, found.since)
    if known is None:
        return fresh
    if known.state == "waiting" or (known.state == "told" and found.count >= GROWN * known.told_count):
        fresh = replace(fresh, since=known.since, told_at=known.told_at, told_count=known.told_count)
    elif known.state == "over":  # came back before anybody was told that it was well
        return replace(known, state="told")
    else:
        return None
    return fresh if fresh != known else None


def due(settings: Alerts, channel: str, known: Iterable[Alert], now: datetime) -> list[Alert]:
    """What is to be told on a channel now, were it free to send."""
    mine = [alert for alert in known if alert.channel == channel and alert.state != "told"]
    if settings.quiet is not None and is_quiet(settings.quiet, now):
        unless = settings.quiet.unless
        mine = [alert for alert in mine if alert.state == "waiting" and _at_least(alert.severity, unless)]
    return mine


def is_quiet(quiet: QuietHours, now: datetime) -> bool:
    """Whether a time lies in the quiet hours, by the clock on the wall there."""
    local = now.astimezone(ZoneInfo(quiet.timezone))
    if quiet.weekend and local.weekday() >= 5:
        return True
    at = local.time().replace(tzinfo=None)
    if quiet.start <= quiet.end:
        return quiet.start <= at < quiet.end
    return at >= quiet.start or at < quiet.end


def told(alerts: Sequence[Alert], now: datetime) -> Changes:
    """What becomes of alerts that were sent."""
    waiting = [alert for alert in alerts if alert.state == "waiting"]
    return Changes(
        [replace(alert, state="told", told_at=now, told_count=alert.count) for alert in waiting],
        [alert.key for alert in alerts if alert.state == "over"],
    )


def pause(failures: int) -> timedelta:
    """How long to wait after so many failures in a row to send."""
    return PAUSES[min(failures, len(PAUSES)) - 1]
