"""Sessions: who is signed in to the dashboard. Only a digest of a session's secret is kept."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from weft.state.tables import sessions as table


@dataclass(slots=True)
class Session:
    """``id`` is the digest of what the browser holds; ``token`` the name of the access token it was
    opened with, ``mark`` a digest of that token: a changed token ends its sessions."""

    id: str
    token: str
    mark: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str = ""
    agent: str = ""


_NAMES = tuple(f.name for f in fields(Session))
_COLUMNS = [table.c[name] for name in _NAMES]


class Sessions:
    """Reached as ``tx.sessions``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def put(self, session: Session) -> None:
        self._db.execute(insert(table), {n: getattr(session, n) for n in _NAMES})

    def get(self, id: str) -> Session | None:
        row = self._db.execute(select(*_COLUMNS).where(table.c.id == id)).one_or_none()
        return None if row is None else Session(*row)

    def seen(self, id: str, at: datetime) -> None:
        self._db.execute(update(table).where(table.c.id == id).values(seen_at=at))

    def end(self, id: str) -> bool:
        """False: there was none."""
        return self._db.execute(delete(table).where(table.c.id == id)).rowcount == 1

    def end_of(self, token: str) -> int:
        """End all sessions opened with a token. Returns how many."""
        return self._db.execute(delete(table).where(table.c.token == token)).rowcount

    def all(self, now: datetime) -> list[Session]:
        """Those that have not expired, last seen first."""
        query = select(*_COLUMNS).where(table.c.expires_at > now).order_by(table.c.seen_at.desc(), table.c.id)
        return [Session(*row) for row in self._db.execute(query)]

    def prune(self, now: datetime) -> int:
        """Forget expired ones. Returns how many."""
        return self._db.execute(delete(table).where(table.c.expires_at <= now)).rowcount
