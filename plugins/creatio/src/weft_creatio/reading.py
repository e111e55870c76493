"""The four ways of reading: changes, scan, keys, search."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from weft.errors import EndpointDown
from weft.net.odata.batch import Result
from weft.net.odata.literals import guid
from weft.net.odata.query import Term, and_, eq, ge, gt, le, lt, ne, or_, startswith
from weft.net.odata.rows import Row, plain
from weft.records import Condition, Page, Record
from weft.records import Query as Read
from weft_creatio.base_currency import COLUMN, known_base_currency
from weft_creatio.changes import Cursor, watched, watermark
from weft_creatio.children import attach, author, lists
from weft_creatio.failures import is_denied, is_missing, reading
from weft_creatio.outbox import Outbox
from weft_creatio.paging import by_id, by_stamp, grouped
from weft_creatio.selection import Plan
from weft_creatio.session import CreatioSession
from weft_creatio.values import Unaskable, asked, path_of, stamp

_OPERATORS = {"eq": eq, "ne": ne, "gt": gt, "ge": ge, "lt": lt, "le": le}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the records of one mapping."""

    session: CreatioSession
    plan: Plan
    read: Read

    @property
    def size(self) -> int:
        return self.read.page_size or self.session.settings.page_size

    async def records(self, rows: Sequence[Row]) -> list[Record]:
        """Rows as records, with their lines and parts."""
        plan = self.plan
        found = [
            Record(
                plan.object, str(row["Id"]).lower(), plain(row),
                version=row.get(plan.version) if plan.version else None,
                changed_at=stamp(row.get(plan.changed)) if plan.changed else None,
                changed_by=author(row.get(plan.changed_by)) if plan.changed_by else None,
            )
            for row in rows
        ]  # fmt: skip
        if plan.base_currency and found:
            code = await known_base_currency(self.session)
            for record in found:
                record.data[COLUMN] = code
        if plan.children and found:
            await attach(self.session, plan.children, found)
        return found

    # -- everything ----------------------------------------------------------------------------------

    async def scan(self) -> AsyncIterator[Page]:
        # The marks are taken first: what changes while reading is then read again.
        cursor = await self._now()
        query = replace(self.plan.query(), filter=self.plan.where)
        async for rows in by_id(self.session, self.plan.object, query, self.size):
            yield Page(await self.records(rows))
        yield Page(cursor=cursor.text())

    async def _now(self) -> Cursor:
        """Where ``changes`` goes on from."""
        marks = {
            source.name: await watermark(self.session, source) for source in await watched(self.session, self.plan)
        }
        outbox = await Outbox.of(self.session, self.plan)
        return Cursor(marks, await outbox.mark() if outbox is not None else None)

    # -- what is new -----------------------------------------------------------------------------------

    async def changes(self) -> AsyncIterator[Page]:
        text = self.read.cursor
        if text is None:
            yield Page(cursor=(await self._now()).text())
            return
        cursor = Cursor.parse(text)
        if cursor is None:
            yield Page(expired=True)
            return
        fresh = await self._now()
        plan, overlap = self.plan, self.session.settings.overlap
        seen: set[str] = set()
        related: dict[str, None] = {}
        for source in await watched(self.session, plan):
            since = cursor.since(source.name, overlap)
            if source.main:
                query = replace(plan.query(), filter=plan.where)
                async for rows in by_stamp(
                    self.session, source.object, query, self.size, field=source.field, since=since
                ):
                    seen.update(str(row["Id"]).lower() for row in rows)
                    yield Page(await self.records(rows))
            else:
                async for keys in source.parents(self.session, self.size, since):
                    related.update(dict.fromkeys(keys))
        suspects: list[str] = []
        outbox = await Outbox.of(self.session, plan)
        if outbox is not None:
            told = await outbox.read(cursor.outbox, overlap, self.size)
            related.update(dict.fromkeys(told.changed))
            suspects = [key for key in told.deleted if key not in seen]
        async for page in self._related([key for key in related if key not in seen]):
            yield page
        yield Page(suspects=suspects, cursor=fresh.text(cursor))
        if outbox is not None:
            await outbox.prune()

    async def _related(self, keys: Sequence[str]) -> AsyncIterator[Page]:
        """Records whose lines or parts changed; those outside the mapping's conditions are left out."""
        for at in range(0, len(keys), self.size):
            rows = await self._by_ids(keys[at : at + self.size], self.plan.where)
            if rows:
                yield Page(await self.records(rows))

    async def _by_ids(self, keys: Sequence[str], where: Term | None) -> list[Row]:
        limit = self.session.settings.filter_ids
        queries = [replace(self.plan.query(), filter=term, top=limit) for term in grouped(keys, "Id", limit, where)]
        return [row for rows in await lists(self.session, self.plan.object, queries) for row in rows]

    # -- by key ----------------------------------------------------------------------------------------

    async def keys(self) -> AsyncIterator[Page]:
        for at in range(0, len(self.read.keys), self.size):
            yield await self._keyed(list(dict.fromkeys(self.read.keys[at : at + self.size])))

    async def _keyed(self, keys: list[str]) -> Page:
        page = Page()
        ids: dict[str, str] = {}
        for key in keys:
            try:
                ids[str(guid(key))] = key
            except ValueError:
                page.gone.append(key)  # no row can have such a key
        rows = await self._by_ids(list(ids), None) if ids else []
        there = {str(row["Id"]).lower() for row in rows}
        absent = [id for id in ids if id not in there]
        url = self.session.client.relative
        single = replace(self.plan.query(), filter=None)
        found = await self.session.gets([url(self.plan.object, guid(id), single) for id in absent])
        for id, result in zip(absent, found, strict=True):
            fate = self._fate(id, result)
            if isinstance(fate, dict):
                rows.append(fate)
            else:
                (page.gone if fate == "gone" else page.invisible).append(ids[id])
        page.records = await self.records(rows)
        for record in page.records:
            record.key = ids.get(record.key, record.key)
        return page

    def _fate(self, id: str, result: Result) -> Row | str:
        """The row, or `gone`, or `invisible`. Rights on records hide rows silently, so that missing means
        deleted only to a user who may see everything.

        :raises EndpointDown, AuthError, ConfigError: the answer says nothing about the row.
        """
        error = result.error
        if error is None and result.status == 200 and isinstance(result.body, dict):
            row: Row = result.body
            if str(row.get("Id") or "").lower() == id:
                return row
        elif error is not None and is_denied(error):
            return "invisible"
        elif error is not None and not is_missing(error):
            with reading():
                raise error
        elif result.state not in ("done", "failed"):
            raise EndpointDown(f"{self.session.http.system}: {self.plan.object}({id}) was not answered")
        return "gone" if self.session.settings.admin_reader else "invisible"

    # -- by value --------------------------------------------------------------------------------------

    async def search(self) -> AsyncIterator[Page]:
        groups = [await self._in_base_currency(group) for group in self.read.search]
        terms = [term for group in groups if (term := self._term(group)) is not None]
        queries = []
        for chunk in _chunks(terms, self.plan.where):
            queries.append(replace(self.plan.query(), filter=and_(or_(*chunk), self.plan.where), top=self.size))
        seen: set[str] = set()
        for query, rows in zip(queries, await lists(self.session, self.plan.object, queries), strict=True):
            if len(rows) >= self.size:
                rows = [row async for more in by_id(self.session, self.plan.object, query, self.size) for row in more]
            fresh = [row for row in rows if str(row["Id"]) not in seen]
            seen.update(str(row["Id"]) for row in fresh)
            if fresh:
                yield Page(await self.records(fresh))

    async def _in_base_currency(self, group: Sequence[Condition]) -> Sequence[Condition]:
        """Conditions without the one on the currency that rates are paid in, which holds for all or for none."""
        others = [condition for condition in group if condition.field != COLUMN]
        if len(others) == len(group):
            return group
        code = await known_base_currency(self.session)
        wanted = all(condition.value == code for condition in group if condition.field == COLUMN)
        return others if wanted else []

    def _term(self, group: Sequence[Condition]) -> Term | None:
        """Conditions joined by and; None when no record can satisfy them."""
        type_ = self.plan.type
        terms = []
        for condition in group:
            path = path_of(type_, condition.field)
            try:
                value = asked(condition.value, type_.properties.get(condition.field))
                if condition.op == "startswith":
                    terms.append(startswith(path, str(value)))
                else:
                    terms.append(_OPERATORS[condition.op](path, value))
            except Unaskable:
                return None
        return and_(*terms) if terms else None


def _chunks(terms: Sequence[Term], where: Term | None) -> list[list[Term]]:
    """Groups that stay below 100 nodes (a comparison costs up to 9) and 12 comparisons."""
    spent = where.terms if where is not None else 0
    room = max(1, 10 - spent)
    chunks: list[list[Term]] = []
    used = room + 1
    for term in terms:
        if used + term.terms > room:
            chunks.append([])
            used = 0
        chunks[-1].append(term)
        used += term.terms
    return chunks
