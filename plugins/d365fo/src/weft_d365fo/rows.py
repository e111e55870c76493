"""Rows of an answer as records, with the rows that belong to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from weft.net.limiter import Lane
from weft.net.odata.query import Query, Term, and_, any_of, eq, or_
from weft.net.odata.rows import Row, plain
from weft.records import Record
from weft_d365fo.facets import ACCOUNT, derive
from weft_d365fo.keys import COMPANY, number_text
from weft_d365fo.selection import LinePlan, PartPlan, Plan
from weft_d365fo.session import FoSession
from weft_d365fo.settled import forget_settled
from weft_d365fo.values import Unaskable, asked, moment

ETAG = "@odata.etag"
TERMS = 50
"""Values joined by OR in one filter: about 2,000 characters of URL. Of keys of several fields so many fewer."""


def chunks(values: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    for at in range(0, len(values), size):
        yield values[at : at + size]


def document_version(etag: str | None, lines: Iterable[tuple[str, str | None]]) -> str | None:
    """The version of a document: its header's tag does not change with its lines, so theirs stand beside it."""
    if etag is None:
        return None
    digest = blake2b(digest_size=8)
    for key, tag in sorted((key, tag or "") for key, tag in lines):
        digest.update(f"{key}\0{tag}\0".encode())
    return f"{etag} {digest.hexdigest()}"


def header_tag(version: str | None) -> str | None:
    """The header's own tag in a document's version."""
    return version.partition(" ")[0] if version is not None else None


async def records(
    session: FoSession, plan: Plan, company: str, rows: Sequence[Row], *, lane: Lane = "bulk"
) -> list[Record]:
    """Records of the plan's object; lines, parts and made fields are added."""
    data = [plain(row) for row in rows]
    await derive(session, company, plan.made, data)
    found = [_record(plan, company, row, one) for row, one in zip(rows, data, strict=True)]
    for line in plan.lines:
        await _attach_lines(session, line, company, found, lane)
    for part in plan.parts:
        await _attach_part(session, part, company, found, lane)
    if plan.lines:
        for record in found:
            forget_settled(plan, record)
            every = [(row.key, row.version) for line in plan.lines for row in record.children.get(line.name, ())]
            record.version = document_version(record.version, every)
    return found


def _record(plan: Plan, company: str, row: Row, data: Row) -> Record:
    where = row.get(plan.shape.company) if plan.shape.company is not None else None
    changed = plan.mapping.changed
    return Record(
        plan.object,
        plan.shape.spell(row),
        data,
        company=str(where).lower() if where else company,
        version=row.get(ETAG),
        changed_at=moment(row.get(changed)) if changed else None,
    )


def line_key(line: LinePlan, row: Row) -> str:
    """A line's key within its document."""
    if not line.map.join:
        return number_text(row[line.map.key])
    theirs = [name for name, _ in line.joined]
    return replace(line.shape, fields=tuple(name for name in line.shape.fields if name not in theirs)).spell(row)


def same_document(line: LinePlan, row: Row, document: Mapping[str, Any]) -> bool:
    """Does a line belong to the document?"""
    return folded(row.get(name) for name, _ in line.joined) == folded(document.get(name) for _, name in line.joined)


async def line_rows(
    session: FoSession, line: LinePlan, company: str, values: Sequence[Any], lane: Lane = "bulk"
) -> list[Row]:
    """The lines of the documents with these values in the parent field."""
    found: list[Row] = []
    meta = await session.metadata()
    prop = line.shape.properties.get(line.map.parent)
    for some in chunks(list(dict.fromkeys(values)), TERMS):
        query = Query(
            select=line.select,
            filter=any_of(line.map.parent, [asked(value, prop, meta) for value in some]),
            orderby=line.order,
        )
        elsewhere = line.shape.company not in (None, COMPANY) and company
        mine = eq(str(line.shape.company), company) if elsewhere else None
        where = and_(*(term for term in (line.where, mine) if term is not None)) if elsewhere else line.where
        found += await session.rows(line.map.object, query, company, where, lane=lane)
    return found


async def _attach_lines(session: FoSession, line: LinePlan, company: str, found: Sequence[Record], lane: Lane) -> None:
    by_value: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in found:
        record.children[line.name] = []
        by_value[folded(record.data[mine] for _, mine in line.joined)].append(record)
    rows = await line_rows(session, line, company, [record.data[line.mine] for record in found], lane)
    data = [plain(row) for row in rows]
    for one in data:
        for record in by_value.get(folded(one[theirs] for theirs, _ in line.joined), ()):
            if not one.get(ACCOUNT) and record.data.get(ACCOUNT):  # whose invoices a payment settles
                one[ACCOUNT] = record.data[ACCOUNT]
    await derive(session, company, line.made, data)
    for row, one in zip(rows, data, strict=True):
        child = Record(line.map.object, line_key(line, row), one, company=company, version=row.get(ETAG))
        for record in by_value.get(folded(row[theirs] for theirs, _ in line.joined), ()):
            record.children[line.name].append(child)


async def _attach_part(session: FoSession, part: PartPlan, company: str, found: Sequence[Record], lane: Lane) -> None:
    by_values: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    wanted: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for record in found:
        record.children[part.name] = []  # an empty list says: asked, and there is none
        values = {theirs: record.data.get(mine) for theirs, mine in part.map.join.items()}
        if any(value in (None, "") for value in values.values()):
            continue
        key = tuple(_folded(value) for value in values.values())
        by_values[key].append(record)
        wanted.setdefault(key, values)
    for some in chunks(list(wanted.values()), max(1, TERMS // len(part.map.join))):
        term = await _joined(session, part, some)
        if term is None:
            continue
        where = company if part.company else ""
        query = Query(select=part.select, filter=term)
        for row in await session.rows(part.map.object, query, where, part.where, lane=lane):
            key = tuple(_folded(row.get(theirs)) for theirs in part.map.join)
            for record in by_values.get(key, ()):
                name = part.shape.spell(row)
                child = Record(part.map.object, name, plain(row), company=company, version=row.get(ETAG))
                record.children[part.name].append(child)


async def _joined(session: FoSession, part: PartPlan, some: Sequence[Mapping[str, Any]]) -> Term | None:
    meta = await session.metadata()
    terms: list[Term] = []
    for values in some:
        try:
            terms.append(
                and_(*(eq(name, asked(value, part.shape.properties.get(name), meta)) for name, value in values.items()))
            )
        except Unaskable as error:
            session.log.warning("%s: %s", part.map.object, error)
    return or_(*terms) if terms else None


def folded(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(_folded(value) for value in values)


def _folded(value: Any) -> str:
    """A value as the environment compares it: without regard to case."""
    return number_text(value).casefold()
