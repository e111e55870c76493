"""Change feeds: the companion sets (``CustTableBiEntities`` …) and fields that carry a time of change."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence

from weft.net.limiter import Lane
from weft.net.odata.metadata import EntityType
from weft.net.odata.query import Query, and_, eq, or_
from weft.net.odata.rows import Row
from weft.net.odata.stamps import pages_by_stamp
from weft.records import Query as Read
from weft_d365fo.failures import reading
from weft_d365fo.keys import COMPANY, KeyShape
from weft_d365fo.paging import every
from weft_d365fo.rows import ETAG, TERMS, chunks
from weft_d365fo.selection import Plan
from weft_d365fo.session import FoSession
from weft_d365fo.values import Unaskable, asked, moment

LARGEST = 10_000
_ROUNDING = dt.timedelta(seconds=1)
"""Stamps have whole seconds, printed or not."""


class Feed:
    """An object whose rows are stamped when they change, and how a row names the mapping's record."""

    def __init__(
        self,
        session: FoSession,
        plan: Plan,
        type_: EntityType,
        object: str,
        field: str,
        key: Mapping[str, str],
        size: int,
    ) -> None:
        self.session = session
        self.plan = plan
        self.object = object
        self.field = field
        self.key = key
        """Field of the feed -> field of the mapping's object."""
        self.size = size
        self.shape = KeyShape.of(type_)
        self.company = COMPANY in type_.properties

    def _query(self, company: str) -> Query:
        select = tuple(dict.fromkeys([*self.shape.fields, self.field, *self.key]))
        return Query(select=select).where(eq(COMPANY, company) if self.company and company else None)

    async def newest(self, company: str, lane: Lane) -> dt.datetime | None:
        query = self._query(company).but(top=1, orderby=(f"{self.field} desc",))
        with reading():
            async for page in self.session.client.pages(self.object, query, lane=lane):
                for row in page.rows:
                    return moment(row.get(self.field))
        return None

    async def keys(
        self, company: str, since: dt.datetime | None, lane: Lane
    ) -> AsyncIterator[tuple[list[str], dt.datetime | None]]:
        """Keys of records whose feed rows are stamped after ``since``, and the newest stamp so far."""

        async def rest(query: Query) -> AsyncIterator[list[Row]]:
            async for rows in every(self.session, self.object, query, self.shape, LARGEST, lane):
                yield rows

        with reading():
            async for found in pages_by_stamp(
                self.session.client,
                self.object,
                self._query(company),
                self.field,
                since=since,
                newest=since,
                size=self.size,
                largest=LARGEST,
                stamp=lambda row: moment(row.get(self.field)),
                identity=lambda row: (self.shape.spell(row), row.get(self.field), row.get(ETAG)),
                rest=rest,
                rounding=_ROUNDING,
                lane=lane,
            ):
                yield await self._named(company, found.rows, lane), found.newest

    async def _named(self, company: str, rows: Sequence[Row], lane: Lane) -> list[str]:
        """The keys of the mapping's records that these feed rows are about."""
        shape = self.plan.shape
        values = [{ours: row.get(theirs) for theirs, ours in self.key.items()} for row in rows]
        values = [one for one in values if all(value not in (None, "") for value in one.values())]
        if set(self.key.values()) == set(shape.fields):
            return list(dict.fromkeys(shape.spell(one) for one in values))
        meta = await self.session.metadata()
        terms = []
        for one in {tuple(one.items()) for one in values}:
            try:
                terms.append(and_(*(eq(name, asked(v, self.plan.type.properties.get(name), meta)) for name, v in one)))
            except Unaskable as error:
                self.session.log.warning("%s: %s", self.object, error)
        found: list[str] = []
        for some in chunks(terms, max(1, TERMS // len(self.key))):
            query = Query(select=self.plan.type.keys, filter=or_(*some)).where(self.plan.mine(company), self.plan.where)
            with reading():
                async for page in self.session.client.pages(self.plan.object, query, lane=lane):
                    found += [shape.spell(row) for row in page.rows]
        return found


def feeds_of(session: FoSession, plan: Plan, query: Read) -> list[Feed]:
    """The feeds a mapping names that this environment has."""
    meta = session.known_metadata
    size = query.page_size or session.settings.page_size
    found: list[Feed] = []
    if plan.mapping.changed and plan.mapping.changed in plan.type.properties:
        own = {name: name for name in plan.shape.fields}
        found.append(Feed(session, plan, plan.type, plan.object, plan.mapping.changed, own, size))
    for one in plan.mapping.capture:
        if one.object is None or one.field is None:
            continue
        if one.object not in meta.sets:
            session.log.warning("%s: this environment has no %s; sweeps have to do", plan.object, one.object)
            continue
        key = {one.key: plan.shape.fields[0]} if isinstance(one.key, str) else dict(one.key or {})
        own = {theirs: ours for theirs, ours in key.items() if ours != plan.shape.company}
        found.append(Feed(session, plan, meta.entity(one.object), one.object, one.field, own, size))
    return found
