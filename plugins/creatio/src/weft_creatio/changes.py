"""Cursors, and the objects whose rows tell that a record changed.

A cursor holds, for each watched object, the newest ModifiedOn when the read began, or the server's Date
where that is earlier: both are the server's own clock, and one build labels local time as UTC. Reading
goes on from there minus the overlap, because a save is stamped before others can see it.
"""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import orjson

from weft.errors import ConfigError
from weft.net.json import utc_text
from weft.net.odata.metadata import EntityType
from weft.net.odata.query import Query, Term
from weft_creatio.failures import reading
from weft_creatio.paging import by_stamp
from weft_creatio.selection import Plan, where_term
from weft_creatio.session import CreatioSession
from weft_creatio.values import stamp

_SHAPE = 1
_AHEAD = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Source:
    """An object whose rows are watched by time. ``name`` is its place in the cursor."""

    name: str
    object: str
    field: str
    main: bool
    key: str = "Id"
    """Column that names the mapping's record."""
    where: Term | None = None

    async def parents(self, session: CreatioSession, size: int, since: str | None) -> AsyncIterator[list[str]]:
        """Keys of the records whose rows here changed."""
        select = tuple(dict.fromkeys(("Id", self.field, self.key)))
        query = Query(select=select, filter=self.where)
        async for rows in by_stamp(session, self.object, query, size, field=self.field, since=since):
            keys = [str(row[self.key] or "").lower() for row in rows]
            yield [key for key in keys if key.strip("0-")]


async def watched(session: CreatioSession, plan: Plan) -> list[Source]:
    """The main object (by ``changed``) and what the mapping's ``capture`` names, as far as the site has it."""
    found: list[Source] = []
    if plan.changed is not None:
        found.append(Source(plan.object, plan.object, plan.changed, True))
    for index, one in enumerate(plan.mapping.capture):
        if one.object is None or one.sweep is not None or one.object == plan.object:
            continue
        key = one.key if isinstance(one.key, str) else next(iter(one.key)) if one.key else None
        at = plan.mapping.at("capture", index)
        if key is None or one.field is None:
            raise ConfigError(f"{at}: needs `field` and `key`, the column that names the {plan.object}")
        type_ = await session.type_of(one.object, at)
        for column in (key, one.field):
            if column not in type_.properties:
                raise ConfigError(f"{at}: {one.object} has no column {column!r}")
        name = f"{one.object}.{key}"
        found.append(Source(name, one.object, one.field, False, key, _part_where(plan, one.object, type_)))
    return found


def _part_where(plan: Plan, object: str, type_: EntityType) -> Term | None:
    """Of an object that is one of the parts (or lines), only rows that count as such matter."""
    conditions = [one.where for one in plan.mapping.parts.values() if one.object == object]
    conditions += [one.where for one in plan.mapping.lines.values() if one.object == object]
    return where_term(conditions[0], type_) if len(conditions) == 1 else None


async def watermark(session: CreatioSession, source: Source) -> str | None:
    """The newest stamp of an object now; None when it has no stamped row."""
    query = Query(select=("Id", source.field), orderby=(f"{source.field} desc",), top=1)
    with reading():
        url = session.client.url(source.object, None, query)
        response = await session.client.send("GET", url, lane="live")
        rows = response.json().get("value") or []
    newest = stamp(rows[0].get(source.field)) if rows else None
    if newest is None:
        return None
    sent = response.headers.get("date")
    if sent:
        try:
            now = email.utils.parsedate_to_datetime(sent)
        except ValueError:
            session.log.debug("the Date header %r cannot be read", sent)
        else:
            if newest - now > _AHEAD:
                session.doubt_stamps(f"its newest stamp is {newest - now} ahead of its clock")
            newest = min(newest, now)
    return utc_text(newest)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Marks by source; ``outbox`` is the mark of the outbox."""

    marks: dict[str, str | None] = field(default_factory=dict)
    outbox: str | None = None

    def since(self, name: str, overlap: float) -> str | None:
        """Where reading starts: the mark minus the overlap. None reads everything that has a stamp: a
        source that had no row, or was added to the mapping since."""
        return earlier(self.marks.get(name), overlap)

    def text(self, before: Cursor | None = None) -> str:
        """As stored. A mark that fell back (rows deleted) is kept where it was."""
        marks = dict(self.marks)
        for name, old in (before.marks if before is not None else {}).items():
            if name in marks and old and (marks[name] is None):
                marks[name] = old
        outbox = self.outbox or (before.outbox if before is not None else None)
        return orjson.dumps({"v": _SHAPE, "marks": marks, "outbox": outbox}, option=orjson.OPT_SORT_KEYS).decode()

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """None for a cursor of another version of weft: a full sweep is then due."""
        try:
            data = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(data, dict) or data.get("v") != _SHAPE or not isinstance(data.get("marks"), dict):
            return None
        return replace(cls(), marks=data["marks"], outbox=data.get("outbox"))


def earlier(mark: str | None, seconds: float) -> str | None:
    at = stamp(mark)
    return utc_text(at - dt.timedelta(seconds=seconds)) if at is not None else None
