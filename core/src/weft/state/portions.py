"""Portions: staged records of a first load, for whichever worker has time to bring them into agreement.

They belong to the run that staged them and to nobody else: they are gone with it, and a next try stages anew.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from weft.state.tables import portions as table


@dataclass(slots=True)
class Portion:
    """``run`` is the first load it is a part of; ``body`` is the caller's text; ``tries`` says how often a
    worker has given it back undone."""

    flow: str
    run: str
    body: str
    tries: int = 0
    id: int = 0


_NAMES = tuple(f.name for f in fields(Portion))
_COLUMNS = [table.c[name] for name in _NAMES]
_FREE = table.c.taken_by.is_(None)
_FRESH = and_(_FREE, table.c.tries == 0)


class Portions:
    """Reached as ``tx.portions``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def put(self, portion: Portion) -> int:
        """Offer a portion; returns its id."""
        row = {name: getattr(portion, name) for name in _NAMES if name != "id"}
        return int(self._db.execute(insert(table).returning(table.c.id), row).scalar_one())

    def take(self, flow: str, by: str, *, run: str | None = None) -> Portion | None:
        """The oldest that nobody has; it is the worker's until it is done or given back. Without the ``run`` only
        one that nobody has given back: those are left to whoever staged them."""
        query = select(*_COLUMNS).where(table.c.flow == flow, _FRESH if run is None else _FREE)
        if run is not None:
            query = query.where(table.c.run == run)
        row = self._db.execute(query.order_by(table.c.id).limit(1).with_for_update(skip_locked=True)).one_or_none()
        if row is None:
            return None
        found = Portion(*row)
        self._db.execute(update(table).where(table.c.id == found.id).values(taken_by=by))
        return found

    def give_back(self, id: int, *, failed: bool) -> None:
        """Let others have it. ``failed``: what went wrong is not a matter of this worker's end."""
        tries = table.c.tries + int(failed)
        self._db.execute(update(table).where(table.c.id == id).values(taken_by=None, tries=tries))

    def let_go(self, by: str, flows: Collection[str], kept: Collection[int]) -> None:
        """Give back what a worker has taken of some flows, but for those that it keeps."""
        mine = (table.c.taken_by == by, table.c.flow.in_(sorted(flows)), table.c.id.not_in(sorted(kept)))
        self._db.execute(update(table).where(*mine).values(taken_by=None))

    def done(self, id: int) -> None:
        self._db.execute(delete(table).where(table.c.id == id))

    def left(self, run: str) -> set[int]:
        """Those of a run that are not done."""
        return set(self._db.execute(select(table.c.id).where(table.c.run == run)).scalars())

    def withdraw(self, run: str) -> None:
        """Take back those of a run that nobody has."""
        self._db.execute(delete(table).where(table.c.run == run, _FREE))

    def clear(self, flow: str) -> None:
        """Forget all of a flow's, whoever has them."""
        self._db.execute(delete(table).where(table.c.flow == flow))

    def ready(self) -> dict[str, int]:
        """How many any worker could take, by flow."""
        rows = self._db.execute(select(table.c.flow, func.count()).where(_FRESH).group_by(table.c.flow))
        return {str(flow): int(n) for flow, n in rows}

    def offered(self, flow: str) -> bool:
        """Is there any of a flow, taken or not?"""
        query = select(table.c.id).where(table.c.flow == flow).limit(1)
        return self._db.execute(query).one_or_none() is not None
