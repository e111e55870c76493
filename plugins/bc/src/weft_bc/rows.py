"""Rows of an answer as records, with the rows that belong to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from weft.net.limiter import Lane
from weft.net.odata.query import Query, and_, any_of
from weft.net.odata.rows import Row, plain
from weft.records import Record
from weft_bc.failures import reading
from weft_bc.selection import LOCAL_CURRENCY, POSTED, PREFIX, LinePlan, PartPlan, Plan, dimension_rows, where_term
from weft_bc.session import BcSession
from weft_bc.values import Unaskable, asked, moment

ETAG = "@odata.etag"
TERMS = 40
"""Values joined by OR in one filter: with guids about 2,400 characters of URL."""


def chunks(values: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    for at in range(0, len(values), size):
        yield values[at : at + size]


async def records(
    session: BcSession,
    plan: Plan,
    company: str,
    rows: Sequence[Row],
    *,
    headers: dict[str, str] | None = None,
    lane: Lane = "bulk",
) -> list[Record]:
    """Records of the plan's object; lines and parts are attached under their names."""
    found = [_record(plan, company, row) for row in rows]
    if plan.local_currency and found:
        currency = await session.local_currency(company)
        for record in found:
            record.data[LOCAL_CURRENCY] = currency
    for part in plan.parts:
        if part.expand is None:
            await _attach(session, part, company, found, headers, lane)
    return found


def _record(plan: Plan, company: str, row: Row) -> Record:
    data, key = plain(row), str(row[plan.key])
    children: dict[str, list[Record]] = {}
    for line in plan.lines:
        if line.expand.name in data:
            del data[line.expand.name]
            children[line.name] = line_records(line, company, row)
    if plan.object == "journals" and plan.lines:
        data[POSTED] = children.get("lines") == []
        if data[POSTED]:
            children.clear()  # posting has taken them out of the batch: they are not there to be compared
    _name_dimensions(plan.object, data, plan.dimensions)
    for part in plan.parts:
        if part.expand is not None and part.expand.name in data:
            nested = data.pop(part.expand.name)
            children[part.name] = [_part_row(part, company, nested, key)] if nested else []
    return Record(
        plan.object,
        key,
        data,
        company,
        row.get(ETAG),
        moment(row.get(plan.changed)) if plan.changed else None,
        None,
        children,
    )


def _part_row(part: PartPlan, company: str, row: Row, key: str) -> Record:
    key = str(row.get(part.map.key or "id") or key)
    return Record(part.map.object, key, plain(row), company=company, version=row.get(ETAG))


def line_records(line: LinePlan, company: str, row: Row) -> list[Record]:
    found = [
        Record(line.map.object, str(one[line.map.key]), plain(one), company=company, version=one.get(ETAG))
        for one in row.get(line.expand.name) or ()
    ]
    for record in found:
        _name_dimensions(line.map.object, record.data, line.dimensions)
    return found


def _name_dimensions(object: str, data: Row, codes: Sequence[str]) -> None:
    """The rows of its dimensions as a field for each dimension; one without a row is empty."""
    where = dimension_rows(object)
    rows = data.pop(where.nav, None)
    if rows is None:
        return  # not asked for
    held = {str(one[where.code]).upper(): one[where.value] for one in rows}
    for code in codes:
        data[f"{PREFIX}{code}"] = held.get(code.upper(), "")


async def _attach(
    session: BcSession,
    part: PartPlan,
    company: str,
    found: Sequence[Record],
    headers: dict[str, str] | None,
    lane: Lane,
) -> None:
    meta = await session.metadata()
    type_ = await session.type_of(part.map.object)
    by_value: dict[Any, list[Record]] = defaultdict(list)
    for record in found:
        record.children[part.name] = []  # an empty list says: asked, and there is none
        by_value[record.data.get(part.mine)].append(record)
    values = [value for value in by_value if value not in (None, "")]
    fixed = where_term(part.map.where, type_, meta)
    path = session.path(company, part.map.object)
    for some in chunks(values, TERMS):
        terms = []
        for value in some:
            try:
                terms.append(asked(value, type_.properties.get(part.theirs), meta))
            except Unaskable as error:
                session.log.warning("%s: %s", part.map.object, error)
        if not terms:
            continue
        query = Query(select=part.select, filter=and_(any_of(part.theirs, terms), fixed))
        with reading():
            async for page in session.client.pages(path, query, headers=headers, lane=lane):
                for row in page.rows:
                    for record in by_value.get(row.get(part.theirs), ()):
                        record.children[part.name].append(_part_row(part, company, row, record.key))
