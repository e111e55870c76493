"""Pauses: flows that people keep from working for a while, and who took that back."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, insert, or_, select, update

from weft.state.tables import pauses as table

ALL = "*"
"""In place of a flow's name: every flow."""


@dataclass(slots=True)
class Pause:
    """``flow`` may be ``*`` for all; ``until`` None: until somebody resumes it."""

    flow: str
    by: str
    reason: str
    at: datetime
    until: datetime | None = None
    resumed_by: str | None = None
    resumed_at: datetime | None = None
    id: int = 0


_NAMES = tuple(f.name for f in fields(Pause))
_COLUMNS = [table.c[name] for name in _NAMES]
CURRENT = table.c.resumed_at.is_(None)


class Pauses:
    """Reached as ``tx.pauses``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def pause(self, flow: str, by: str, reason: str, at: datetime, until: datetime | None = None) -> Pause:
        """Pause a flow (``*``: all). A pause that stands already is replaced: the later word counts."""
        self._db.execute(update(table).where(table.c.flow == flow, CURRENT).values(resumed_by=by, resumed_at=at))
        row = {"flow": flow, "by": by, "reason": reason, "at": at, "until": until}
        self._db.execute(insert(table), row)
        return Pause(*self._db.execute(select(*_COLUMNS).where(table.c.flow == flow, CURRENT)).one())

    def resume(self, flow: str, by: str, at: datetime) -> bool:
        """Take a pause back. False: there is none for just this name."""
        over = [pause for pause in self.all() if pause.flow == flow and _holds(pause, at)]
        self._db.execute(update(table).where(table.c.flow == flow, CURRENT).values(resumed_by=by, resumed_at=at))
        return bool(over)

    def active(self, now: datetime) -> list[Pause]:
        """The pauses that hold at a time, oldest first."""
        query = select(*_COLUMNS).where(CURRENT, or_(table.c.until.is_(None), table.c.until > now))
        return [Pause(*row) for row in self._db.execute(query.order_by(table.c.id))]

    def of(self, flow: str, now: datetime) -> Pause | None:
        """The pause that keeps this flow from working: its own, else the one of all flows."""
        found = {pause.flow: pause for pause in self.active(now)}
        return found.get(flow) or found.get(ALL)

    def all(self, limit: int = 200) -> list[Pause]:
        """Current and past pauses, newest first."""
        return [Pause(*row) for row in self._db.execute(select(*_COLUMNS).order_by(table.c.id.desc()).limit(limit))]


def _holds(pause: Pause, now: datetime) -> bool:
    return pause.resumed_at is None and (pause.until is None or pause.until > now)
