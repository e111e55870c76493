"""Alerts: what is wrong, on which channel it was told, and who is about to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import Connection, delete, or_, select, update

from weft.state import sql
from weft.state.tables import alert_channels as channels
from weft.state.tables import alerts as table

AlertState = Literal["waiting", "told", "over"]


class AlertKey(NamedTuple):
    rule: str
    subject: str
    channel: str


@dataclass(slots=True)
class Alert:
    """``rule`` found ``subject`` wrong ``since`` then; on ``channel`` this is ``waiting`` to be told, ``told``
    (with ``told_count`` records), or well again and not said so yet (``over``)."""

    rule: str
    subject: str
    channel: str
    severity: str
    title: str
    text: str
    count: int
    since: datetime
    state: AlertState = "waiting"
    told_at: datetime | None = None
    told_count: int = 0

    @property
    def key(self) -> AlertKey:
        return AlertKey(self.rule, self.subject, self.channel)


@dataclass(slots=True)
class Channel:
    """A channel sends nothing before ``not_before``; ``failures`` in a row, the last one because of
    ``error``. Who holds it, until ``held_until``, is the only one to send."""

    channel: str
    held_by: str
    held_until: datetime
    not_before: datetime
    failures: int = 0
    error: str = ""


_NAMES = tuple(f.name for f in fields(Alert))
_COLUMNS = [table.c[name] for name in _NAMES]
_KEY = AlertKey._fields
_CHANNEL = [channels.c[f.name] for f in fields(Channel)]


class Alerts:
    """Reached as ``tx.alerts``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def all(self) -> list[Alert]:
        query = select(*_COLUMNS).order_by(*(table.c[name] for name in _KEY))
        return [Alert(*row) for row in self._db.execute(query)]

    def put_many(self, alerts: Sequence[Alert]) -> None:
        """Store alerts; what is there of the same rule, subject and channel is replaced."""
        if not alerts:
            return
        statement = sql.upsert(self._db, table)
        changed = {name: statement.excluded[name] for name in _NAMES if name not in _KEY}
        statement = statement.on_conflict_do_update(index_elements=_KEY, set_=changed)
        self._db.execute(statement, [{name: getattr(one, name) for name in _NAMES} for one in alerts])

    def drop_many(self, keys: Sequence[AlertKey]) -> None:
        for key in keys:
            self._db.execute(delete(table).where(*(table.c[n] == v for n, v in zip(_KEY, key, strict=True))))

    def channels(self) -> dict[str, Channel]:
        return {row.channel: Channel(*row) for row in self._db.execute(select(*_CHANNEL))}

    def hold(self, channel: str, by: str, now: datetime, until: datetime) -> bool:
        """Be the only one to send on a channel until a time. False: somebody else is."""
        free = {"channel": channel, "held_by": "", "held_until": now, "not_before": now, "failures": 0, "error": ""}
        self._db.execute(sql.upsert(self._db, channels).on_conflict_do_nothing(), free)
        taken = (
            update(channels)
            .where(channels.c.channel == channel, or_(channels.c.held_by.in_(["", by]), channels.c.held_until <= now))
            .values(held_by=by, held_until=until)
        )
        return self._db.execute(taken).rowcount == 1

    def sent(self, channel: str, by: str, not_before: datetime, failures: int = 0, error: str = "") -> bool:
        """Say how sending went, and let go of the channel. False: it was somebody else's by then."""
        statement = update(channels).where(channels.c.channel == channel, channels.c.held_by == by)
        values = {"held_by": "", "not_before": not_before, "failures": failures, "error": error}
        return self._db.execute(statement.values(values)).rowcount == 1
