"""Reading: sweeps, changes, records by key, and search."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from weft.net.limiter import Lane
from weft.net.odata.query import Query as ODataQuery
from weft.net.odata.rows import Row
from weft.net.odata.stamps import pages_by_stamp
from weft.records import Context, Page, Query, Record
from weft_bc.cursor import Cursor
from weft_bc.failures import reading
from weft_bc.journals import readable_path
from weft_bc.keys import by_keys
from weft_bc.rows import ETAG, records
from weft_bc.search import search
from weft_bc.selection import Plan
from weft_bc.session import BcSession, Primary, Replica
from weft_bc.values import moment

LARGEST_PAGE = 20_000
_ROUNDING = dt.timedelta(milliseconds=10)
"""A stamp is stored more coarsely than it is printed, so a comparison with a printed one may miss by this."""


async def read(ctx: Context, session: BcSession, query: Query) -> AsyncIterator[Page]:
    """The four modes of :class:`weft.records.Query`."""
    meta = await session.metadata()
    captions = session.settings.enum_literals == "caption"
    reference = ctx.entity is not None and ctx.entity.kind == "reference"
    if reference and query.mapping.object.read not in meta.sets:
        # an older version without this set: there are no such codes, and nothing else need stop for it
        ctx.log.warning("%s: this environment has no %s", ctx.connection, query.mapping.object.read)
        yield Page()
        return
    plan = session.plans.plan(query, ctx.entity, meta, captions=captions)
    if plan.missing:
        ctx.log.debug("%s: this environment has no %s", plan.object, ", ".join(plan.missing))
    if query.mode == "keys":
        async for page in by_keys(session, plan, query, lane=ctx.lane):
            yield page
    elif query.mode == "search":
        async for page in search(session, plan, query, lane=ctx.lane):
            yield page
    else:
        async for page in Sweep(ctx, session, plan, query).pages():
            yield page


class Sweep:
    """A read of everything, or of everything that changed."""

    def __init__(self, ctx: Context, session: BcSession, plan: Plan, query: Query) -> None:
        self.session = session
        self.plan = plan
        self.query = query
        self.company = query.company
        self.lane: Lane = ctx.lane
        self.size = query.page_size or session.settings.page_size
        self.headers: dict[str, str] = {}
        if query.fresh:
            self.headers = dict(Primary)
        elif session.settings.read_replica:
            self.headers = dict(Replica)
        self.path = session.path(query.company, plan.object)
        self.triggers = [one for one in plan.mapping.capture if one.object and one.field and one.object != plan.object]
        self.sweeps = any(one.sweep for one in plan.mapping.capture)

    async def pages(self) -> AsyncIterator[Page]:
        self.path = await readable_path(self.session, self.company, self.plan)
        if self.query.mode == "scan":
            now = await self._now()
            async for page in self._everything(now):
                yield page
            return
        if self.query.cursor is None:
            yield Page(cursor=(await self._now()).text())
            return
        cursor = Cursor.parse(self.query.cursor)
        if cursor is None:
            yield Page(expired=True)
            return
        async for page in self._changes(cursor):
            yield page

    # -- how far things are ------------------------------------------------------------------------

    async def _now(self) -> Cursor:
        """The newest stamps before the read; taken from the rows, so no clock of ours is involved."""
        since = None
        if self.plan.changed is not None:
            since = await self._newest(self.path, self.plan.changed)
        return Cursor(since, await self._triggered())

    async def _triggered(self) -> dict[str, dt.datetime]:
        found: dict[str, dt.datetime] = {}
        for one in self.triggers:
            path = self.session.path(self.company, one.object or "")
            newest = await self._newest(path, one.field or "")
            if newest is not None:
                found[one.object or ""] = newest
        return found

    async def _newest(self, path: str, field: str) -> dt.datetime | None:
        query = ODataQuery(select=(field,), orderby=(f"{field} desc",), top=1)
        with reading():
            async for page in self.session.client.pages(path, query, headers=self.headers, lane=self.lane):
                for row in page.rows:
                    return moment(row.get(field))
        return None

    # -- everything --------------------------------------------------------------------------------

    async def _everything(self, cursor: Cursor) -> AsyncIterator[Page]:
        """In the order of the primary key, following the service's links; the last page has the cursor.

        A row that moves within that order while pages are read was changed, and is in the next
        ``changes`` read.
        """
        client = self.session.client
        query = self.plan.query(filter=self.plan.where)
        total: int | None = None
        with reading():
            total = await client.count(self.path, query, lane=self.lane)
            async for page in client.pages(self.path, query, page_size=self.size, headers=self.headers, lane=self.lane):
                found = await self._records(page.rows)
                last = page.next_link is None
                yield Page(found, cursor=cursor.text() if last else None, total=total)

    async def _records(self, rows: Sequence[Row]) -> list[Record]:
        return await records(self.session, self.plan, self.company, rows, headers=self.headers, lane=self.lane)

    # -- changes -----------------------------------------------------------------------------------

    async def _changes(self, cursor: Cursor) -> AsyncIterator[Page]:
        if self.plan.changed is None:
            async for page in self._everything(Cursor()):
                yield page
            return
        if self.sweeps:
            seen = await self._triggered()
            if seen != cursor.triggers or not self.triggers:
                now = await self._now()
                async for page in self._everything(Cursor(now.since, seen)):
                    yield page
                return
        async for page in self._since(cursor):
            yield page

    async def _since(self, cursor: Cursor) -> AsyncIterator[Page]:
        """Rows in the order of their stamps."""
        field = self.plan.changed or ""
        start = None if cursor.since is None else _earlier(cursor.since, self.session.settings.overlap)
        with reading():
            async for found in pages_by_stamp(
                self.session.client,
                self.path,
                self.plan.query(filter=self.plan.where),
                field,
                since=start,
                newest=cursor.since,
                size=self.size,
                largest=LARGEST_PAGE,
                stamp=lambda row: moment(row.get(field)),
                identity=lambda row: (str(row[self.plan.key]), str(row.get(ETAG))),
                rest=self._rest,
                rounding=_ROUNDING,
                headers=self.headers,
                lane=self.lane,
            ):
                done = replace(cursor, since=found.newest).text() if found.last else None
                yield Page(await self._records(found.rows), cursor=done)

    async def _rest(self, query: ODataQuery) -> AsyncIterator[list[Row]]:
        """In the order of the primary key, following the service's links."""
        async for page in self.session.client.pages(
            self.path, query, page_size=LARGEST_PAGE, headers=self.headers, lane=self.lane
        ):
            yield page.rows


def _earlier(at: dt.datetime, seconds: float) -> dt.datetime | None:
    try:
        return at - dt.timedelta(seconds=seconds)
    except OverflowError:
        return None
