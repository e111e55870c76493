"""Reading many rows without losing one: by Id, by ModifiedOn, or where neither can be compared, by offset.

Creatio gives no next links and caps an answer at 20,000 rows, so every read says ``$top`` and goes on
from the last row. Whether ``Id gt <guid>`` is accepted differs by build; where it is not, rows with equal
stamps are paged by overlapping offsets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from weft.errors import ConfigError
from weft.net.odata.errors import ODataError
from weft.net.odata.literals import Moment, Value, guid
from weft.net.odata.query import Query, Term, after, and_, any_of, eq, ge, gt
from weft.net.odata.rows import Row
from weft_creatio.session import CreatioSession
from weft_creatio.values import stamp


async def by_id(session: CreatioSession, object: str, query: Query, size: int) -> AsyncIterator[list[Row]]:
    """Every row once, in the order of Id; rows without a stamp (stock lookups have none) included."""
    if session.guid_comparison is False:
        async for rows in _by_stamp_with_blanks(session, object, query, size):
            yield rows
        return
    last: str | None = None
    window = replace(query, orderby=("Id",), top=size)
    while True:
        asking = window if last is None else window.where(gt("Id", guid(last)))
        try:
            rows = await session.rows(object, asking)
        except ConfigError as error:
            if last is None or not _refused_guid(session, error):
                raise
            # Start again another way: repeats are harmless, a gap is not.
            async for again in _by_stamp_with_blanks(session, object, query, size):
                yield again
            return
        if last is not None:
            session.guid_comparison = True
        if rows:
            yield rows
        if len(rows) < size:
            return
        last = str(rows[-1]["Id"])


async def by_stamp(
    session: CreatioSession, object: str, query: Query, size: int, *, field: str, since: str | None
) -> AsyncIterator[list[Row]]:
    """Rows with a stamp from ``since`` on (None: all that have one), in the order of their stamps.

    A row that changes meanwhile moves to the end and comes again.
    """
    if not session.stamps_are_true:
        async for rows in _by_skip(session, object, query, size, field=field, since=since):
            yield rows
        return
    keyset = session.guid_comparison is not False
    start = _from(field, since)
    window = replace(query.where(start), orderby=(field, "Id"), top=size)
    position: tuple[str, str] | None = None
    while keyset:
        asking = window
        if position is not None:
            where: list[tuple[str, Value]] = [(field, Moment(position[0])), ("Id", guid(position[1]))]
            asking = replace(query, orderby=(field, "Id"), top=size).where(after(where))
        try:
            rows = await session.rows(object, asking)
        except ConfigError as error:
            if position is None or not _refused_guid(session, error):
                raise
            since = position[0]
            break
        if position is not None:
            session.guid_comparison = True
            if _before(rows, field, position[0]):
                # Rows from before the place that was asked for: what stamps say is not what filters mean.
                session.doubt_stamps("rows older than those asked for came back")
                async for again in _by_skip(session, object, query, size, field=field, since=since):
                    yield again
                return
        if rows:
            yield rows
        if len(rows) < size:
            return
        position = (str(rows[-1][field]), str(rows[-1]["Id"]))
    async for rows in _by_offset(session, object, query, size, field=field, since=since):
        yield rows


async def _by_offset(
    session: CreatioSession, object: str, query: Query, size: int, *, field: str, since: str | None
) -> AsyncIterator[list[Row]]:
    """``field ge last``, and within rows of one stamp by offsets that overlap by half a page: rows that
    leave the stamp meanwhile shift the others to the left."""
    skip, start = 0, since
    seen: set[str] = set()
    while True:
        window = replace(query.where(_from(field, since)), orderby=(field, "Id"), top=size, skip=skip)
        rows = await session.rows(object, window)
        if since != start and _before(rows, field, since):
            session.doubt_stamps("rows older than those asked for came back")
            async for again in _by_skip(session, object, query, size, field=field, since=start):
                yield again
            return
        fresh = [row for row in rows if f"{row['Id']} {row[field]}" not in seen]
        if fresh:
            yield fresh
        if len(rows) < size:
            return
        last = str(rows[-1][field])
        if last == since:
            skip += max(1, size // 2)
            seen.update(f"{row['Id']} {row[field]}" for row in rows)
        else:
            since, skip = last, 0
            seen = {f"{row['Id']} {row[field]}" for row in rows if row[field] == last}


async def _by_skip(
    session: CreatioSession, object: str, query: Query, size: int, *, field: str, since: str | None
) -> AsyncIterator[list[Row]]:
    """From ``since`` on by offsets alone, for a site whose stamps cannot be asked for. Offsets overlap by
    half a page, because a row that changes meanwhile moves to the end and shifts the others."""
    skip = 0
    seen: set[str] = set()
    while True:
        window = replace(query.where(_from(field, since)), orderby=(field, "Id"), top=size, skip=skip)
        rows = await session.rows(object, window)
        fresh = [row for row in rows if f"{row['Id']} {row[field]}" not in seen]
        seen.update(f"{row['Id']} {row[field]}" for row in fresh)
        if fresh:
            yield fresh
        if len(rows) < size:
            return
        skip += max(1, size // 2)


async def _by_stamp_with_blanks(
    session: CreatioSession, object: str, query: Query, size: int
) -> AsyncIterator[list[Row]]:
    wanted = query if "ModifiedOn" in query.select else replace(query, select=(*query.select, "ModifiedOn"))
    walk = _by_offset if session.stamps_are_true else _by_skip
    async for rows in walk(session, object, wanted, size, field="ModifiedOn", since=None):
        yield rows
    # Rows without a stamp are stock lookup rows, which nobody adds or removes while being read.
    skip = 0
    while True:
        window = replace(wanted.where(eq("ModifiedOn", None)), orderby=("Id",), top=size, skip=skip)
        rows = await session.rows(object, window)
        if rows:
            yield rows
        if len(rows) < size:
            return
        skip += len(rows)


def _from(field: str, since: str | None) -> Term:
    return ge(field, Moment(since or "0001-01-02T00:00:00Z"))


def _before(rows: Sequence[Row], field: str, since: str | None) -> bool:
    first, asked = stamp(rows[0][field]) if rows else None, stamp(since)
    return first is not None and asked is not None and first < asked


def _refused_guid(session: CreatioSession, error: ConfigError) -> bool:
    cause = error.__cause__
    told = isinstance(cause, ODataError) and cause.status in (400, 500)
    if session.guid_comparison is None and told:
        session.log.info("the site does not compare GUIDs; reading goes on by time stamps")
        session.guid_comparison = False
        return True
    return False


def grouped(ids: Sequence[str], path: str, size: int, extra: Term | None = None) -> list[Term]:
    """`path eq a or path eq b …` in groups that stay below the limit of 100 nodes a filter."""
    width = path.count("/") + 6
    spent = 0 if extra is None else extra.terms * 9
    room = max(1, min(size, (98 - spent) // width))
    found = []
    for at in range(0, len(ids), room):
        found.append(and_(any_of(path, map(guid, ids[at : at + room])), extra))
    return found
