"""Reading: sweeps, changes, records by key, and search."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import AsyncIterator, Sequence

from weft.errors import ConfigError
from weft.net.limiter import Lane
from weft.net.odata.query import Query as ODataQuery
from weft.net.odata.query import eq
from weft.net.odata.rows import Row
from weft.records import Context, Page, Query, Record
from weft_d365fo import agreements
from weft_d365fo.bykeys import by_keys, find
from weft_d365fo.cursor import Cursor
from weft_d365fo.failures import reading
from weft_d365fo.feeds import feeds_of
from weft_d365fo.paging import every
from weft_d365fo.rows import ETAG, TERMS, chunks, document_version, folded, line_key, records
from weft_d365fo.search import search
from weft_d365fo.selection import Plan
from weft_d365fo.session import KEPT_SNAPSHOTS, FoSession
from weft_d365fo.snapshots import Marks, keep, mark, recall

LISTED = 10_000
"""Rows a page of a list of keys: the most the service gives."""


async def read(ctx: Context, session: FoSession, query: Query) -> AsyncIterator[Page]:
    """The four modes of :class:`weft.records.Query`."""
    meta = await session.metadata()
    reference = ctx.entity is not None and ctx.entity.kind == "reference"
    if reference and query.mapping.object.read not in meta.sets:
        # an environment without this set: there are no such codes, and nothing else need stop for it
        ctx.log.warning("%s: this environment has no %s", ctx.connection, query.mapping.object.read)
        yield Page()
        return
    plan = session.plans.plan(query, ctx.entity, meta)
    if plan.shape.company is not None and not query.company:
        raise ConfigError(
            f"{session.http.system}: {plan.object} live in companies: name one under company in the connection, or in "
            "the flow's company rule"
        )
    if plan.missing:
        ctx.log.debug("%s: this environment has no %s", plan.object, ", ".join(plan.missing))
    day = agreements.today(ctx)
    if query.mode == "keys":
        pages = by_keys(session, plan, query, day=day, lane=ctx.lane)
    elif query.mode == "search":
        pages = search(session, await agreements.in_force(session, plan, day), query, lane=ctx.lane)
    else:
        pages = Sweep(ctx, session, await agreements.in_force(session, plan, day), query).pages()
    async for page in pages:
        yield page


class Sweep:
    """A read of everything, or of everything that changed."""

    def __init__(self, ctx: Context, session: FoSession, plan: Plan, query: Query) -> None:
        self.ctx = ctx
        self.session = session
        self.plan = plan
        self.query = query
        self.company = query.company
        self.lane: Lane = ctx.lane
        self.size = query.page_size or session.settings.page_size
        self.feeds = feeds_of(session, plan, query)
        self.sweeps: set[str] = {one.sweep for one in plan.mapping.capture if one.sweep}
        if not self.feeds:
            self.sweeps.add("etag")
        mapping = plan.mapping
        self.where = (plan.object, self.company, ctx.flow, mapping.entity, mapping.variant)

    async def pages(self) -> AsyncIterator[Page]:
        if self.query.mode == "scan":
            async for page in self._everything(await self._now()):
                yield page
            return
        if self.query.cursor is None:
            cursor = await self._now()
            if self.sweeps:
                cursor.seen = self._keep(await self._marks())
            yield Page(cursor=cursor.text())
            return
        known = Cursor.parse(self.query.cursor)
        if known is None:
            yield Page(expired=True)
            return
        async for page in self._changes(known):
            yield page

    async def _now(self) -> Cursor:
        """The newest stamps before the read; taken from the rows, so no clock of ours is involved."""
        return Cursor({feed.object: await feed.newest(self.company, self.lane) for feed in self.feeds})

    def _keep(self, marks: Marks) -> str:
        return keep(self.session, self.where, marks, KEPT_SNAPSHOTS)

    async def _records(self, rows: Sequence[Row]) -> list[Record]:
        return await records(self.session, self.plan, self.company, rows, lane=self.lane)

    # -- everything --------------------------------------------------------------------------------

    async def _everything(self, cursor: Cursor) -> AsyncIterator[Page]:
        """The last page has the cursor, with the tags of what was delivered: whatever changes after its page was
        read differs from them."""
        plan, query = self.plan, self.plan.query(self.company)
        marks: Marks = {}
        with reading():
            total = await self.session.client.count(plan.object, query, lane=self.lane)
            async for rows in every(self.session, plan.object, query, plan.shape, self.size, self.lane):
                found = await self._records(rows)
                marks |= {record.key: mark(record.version) for record in found}
                yield Page(found, total=total)
        if self.sweeps:
            cursor.seen = self._keep(marks)
        yield Page(cursor=cursor.text(), total=total)

    # -- changes -----------------------------------------------------------------------------------

    async def _changes(self, cursor: Cursor) -> AsyncIterator[Page]:
        before = recall(self.session, self.where, cursor.seen)
        due = before is None or time.monotonic() - before.at >= self.session.settings.sweep_every
        if self.sweeps and (before is None or ("print" in self.sweeps and due)):
            # nothing to compare with, or nothing that would show a change: all is delivered, core compares
            async for page in self._everything(await self._now()):
                yield page
            return
        after = Cursor(dict(cursor.feeds), cursor.seen)
        wanted: dict[str, None] = {}
        suspects: list[str] = []
        marks: Marks | None = None
        if self.sweeps and due and before is not None:
            marks = await self._marks()
            wanted = dict.fromkeys(before.changed(marks))
            suspects = before.lacking(marks)
        for feed in self.feeds:
            overlap = self.session.settings.overlap if self.query.overlap is None else self.query.overlap
            since = _earlier(cursor.feeds.get(feed.object), overlap)
            async for keys, newest in feed.keys(self.company, since, self.lane):
                wanted |= dict.fromkeys(keys)
                after.feeds[feed.object] = newest or after.feeds.get(feed.object)
        if suspects:  # what has gone on elsewhere is known by then when it is seen there
            yield Page(suspects=suspects)
        async for page in self._fetched(list(wanted), marks):
            yield page
        if marks is not None:
            after.seen = self._keep(marks)
        yield Page(cursor=after.text())

    async def _fetched(self, keys: Sequence[str], marks: Marks | None) -> AsyncIterator[Page]:
        for some in chunks(keys, max(1, min(TERMS, self.size))):
            rows = await find(self.session, self.plan, self.company, some, self.lane)
            if rows is None:
                raise ConfigError(f"{self.session.http.system}: the user may not read {self.plan.object}")
            found = await self._records(rows)
            if marks is not None:  # as delivered, which may be newer than as listed
                marks.update({record.key: mark(record.version) for record in found})
            yield Page(found)

    async def _marks(self) -> Marks:
        """The tags of all records, as :func:`rows.records` makes versions of them."""
        plan = self.plan
        query = ODataQuery(select=plan.type.keys, filter=plan.query(self.company).filter)
        tags: dict[str, str | None] = {}
        documents: list[tuple[str, Row]] = []
        mine = [name for line in plan.lines for _, name in line.joined]
        with reading():
            wanted = ODataQuery(select=tuple(dict.fromkeys([*query.select, *mine])), filter=query.filter)
            async for rows in every(self.session, plan.object, wanted, plan.shape, LISTED, self.lane):
                for row in rows:
                    key = plan.shape.spell(row)
                    tags[key] = row.get(ETAG)
                    if plan.lines:
                        documents.append((key, {name: row[name] for name in mine}))
        if not plan.lines:
            return {key: mark(tag) for key, tag in tags.items()}
        lines = await self._line_tags(documents)
        return {key: mark(document_version(tag, lines.get(key, ()))) for key, tag in tags.items()}

    async def _line_tags(self, documents: Sequence[tuple[str, Row]]) -> dict[str, list[tuple[str, str | None]]]:
        found: dict[str, list[tuple[str, str | None]]] = {}
        for line in self.plan.lines:
            known = line.shape.company
            mine = eq(known, self.company) if known is not None and self.company else None
            theirs = [name for name, _ in line.joined]
            keys: dict[tuple[str, ...], list[str]] = {}
            for key, document in documents:
                keys.setdefault(folded(document[name] for _, name in line.joined), []).append(key)
            select = tuple(dict.fromkeys([*line.shape.fields, *theirs, line.map.key]))
            query = ODataQuery(select=select).where(mine, line.where)
            with reading():
                async for rows in every(self.session, line.map.object, query, line.shape, LISTED, self.lane):
                    for row in rows:
                        for key in keys.get(folded(row[name] for name in theirs), ()):
                            found.setdefault(key, []).append((line_key(line, row), row.get(ETAG)))
        return found


def _earlier(at: dt.datetime | None, seconds: float) -> dt.datetime | None:
    if at is None:
        return None
    try:
        return at - dt.timedelta(seconds=seconds)
    except OverflowError:
        return None
