"""The outbox of weft's package: a row for each save or delete of a tracked object.

Without the package a deletion is found only by a sweep, and a line removed from an invoice moves no
stamp at all. The rows are hints: records are read by key. They serve every flow, so none deletes
them when it has read them; they go once they are older than ``outbox_days``.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass, field

from weft.net.errors import NetError
from weft.net.json import utc_text
from weft.net.odata.batch import Item
from weft.net.odata.literals import Moment, guid
from weft.net.odata.query import Query, any_of, lt
from weft_creatio.changes import Source, earlier, watermark
from weft_creatio.paging import by_stamp
from weft_creatio.selection import Plan
from weft_creatio.session import CreatioSession
from weft_creatio.values import stamp

_STAMP = "CreatedOn"
_PAUSE = 3600.0


@dataclass(slots=True)
class Told:
    changed: list[str] = field(default_factory=list)
    """Records whose lines or parts changed or were deleted."""
    deleted: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outbox:
    session: CreatioSession
    plan: Plan
    object: str

    @classmethod
    async def of(cls, session: CreatioSession, plan: Plan) -> Outbox | None:
        """None where it is not installed or not wanted."""
        if not (session.settings.outbox and session.settings.package):
            return None
        object = session.names.object("WeftOutbox")
        return cls(session, plan, object) if await session.has(object) else None

    async def mark(self) -> str | None:
        return await watermark(self.session, Source(self.object, self.object, _STAMP, False))

    async def read(self, mark: str | None, overlap: float, size: int) -> Told:
        """What happened since a mark; None: everything that is there."""
        column = self.session.names.column
        name, record, operation = column("EntityName"), column("RecordId"), column("Operation")
        parent_name, parent = column("ParentName"), column("ParentId")
        lines = {one.object for one in self.plan.children if one.lines}
        objects = sorted({self.plan.object, *lines})
        query = Query(select=("Id", _STAMP, name, record, operation, parent_name, parent), filter=any_of(name, objects))
        told = Told()
        since = earlier(mark, overlap)
        async for rows in by_stamp(self.session, self.object, query, size, field=_STAMP, since=since):
            for row in rows:
                if row[name] == self.plan.object:
                    if row[operation] == "delete":
                        told.deleted.append(str(row[record]).lower())
                    else:
                        told.changed.append(str(row[record]).lower())
                elif row[parent_name] == self.plan.object:
                    told.changed.append(str(row[parent]).lower())
        told.deleted = list(dict.fromkeys(told.deleted))
        gone = set(told.deleted)
        told.changed = [key for key in dict.fromkeys(told.changed) if key not in gone and key.strip("0-")]
        return told

    async def prune(self) -> None:
        """Once an hour delete up to a batch of old rows. A failure is of no consequence: the next time will do."""
        now = asyncio.get_running_loop().time()
        if self.session.pruned is not None and now - self.session.pruned < _PAUSE:
            return
        self.session.pruned = now
        newest = stamp(await self.mark())
        if newest is None:
            return
        days = dt.timedelta(days=self.session.settings.outbox_days)
        query = Query(
            select=("Id",), filter=lt(_STAMP, Moment(utc_text(newest - days))), orderby=(_STAMP,),
            top=self.session.settings.batch_size,
        )  # fmt: skip
        rows = await self.session.rows(self.object, query)
        relative = self.session.client.relative
        items = [Item(str(n), "DELETE", relative(self.object, guid(str(row["Id"])))) for n, row in enumerate(rows)]
        if not items or self.session.settings.batch == "none":
            items = items[:1]
        if not items:
            return
        try:
            await self.session.send(items)
        except NetError as error:
            self.session.log.info("old rows of %s could not be deleted: %s", self.object, error)
