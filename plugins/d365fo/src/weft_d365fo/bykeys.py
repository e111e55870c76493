"""Records by key, and what became of those that are not there."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from typing import Literal

from weft.model.values import Ref
from weft.net.limiter import Lane
from weft.net.odata.errors import ODataError
from weft.net.odata.query import Query as ODataQuery
from weft.net.odata.query import any_of, eq, or_
from weft.net.odata.rows import Row
from weft.records import Moved, Page, Query
from weft_d365fo import agreements
from weft_d365fo.failures import is_missing, reading
from weft_d365fo.keys import KeyShape
from weft_d365fo.rows import TERMS, chunks, records
from weft_d365fo.selection import Plan
from weft_d365fo.session import FoSession
from weft_d365fo.values import Unaskable

State = Literal["missing", "invisible"]


async def by_keys(session: FoSession, plan: Plan, query: Query, *, day: dt.date, lane: Lane) -> AsyncIterator[Page]:
    """The records with these keys as of a ``day``. One that is missing from the list is asked for by itself: only an
    answer that *this* record is not there makes it gone."""
    good: list[str] = []
    alien: list[str] = []
    meta = await session.metadata()
    for key in dict.fromkeys(query.keys):
        try:
            plan.shape.parse(key, meta)
            good.append(key)
        except Unaskable:
            alien.append(key)
    if alien:
        session.log.warning("%s: not a key of this object: %s", plan.object, ", ".join(alien[:5]))
        yield Page(invisible=alien)
    for some in chunks(good, TERMS):
        rows = await find(session, plan, query.company, some, lane)
        if rows is None:
            yield Page(invisible=list(some))
            continue
        followed = await agreements.moved(session, plan, query, rows, (), day)
        ended = {plan.shape.spell(row) for row in agreements.ended(plan, rows, day)}
        rows = [row for row in rows if plan.shape.spell(row) not in ended]
        page = Page(await records(session, plan, query.company, rows, lane=lane), moved=list(followed.values()))
        page.gone += sorted(ended - followed.keys())
        there = {record.key.casefold(): record for record in page.records}
        for key in some:  # under the spelling it was asked by
            if key.casefold() in there:
                there[key.casefold()].key = key
        absent = [key for key in some if key.casefold() not in there and key not in ended]
        if absent:
            await _tell_apart(session, plan, query, absent, page, day, lane)
        yield page


async def find(session: FoSession, plan: Plan, company: str, keys: Sequence[str], lane: Lane) -> list[Row] | None:
    """The rows with these keys that there are; None when the user may not read the object."""
    meta = await session.metadata()
    meant = {key.casefold() for key in keys}
    fields, rows = plan.shape.fields, []
    for some in chunks(keys, max(1, TERMS // len(fields))):
        if len(fields) == 1:
            term = any_of(fields[0], [plan.shape.parse(key, meta)[fields[0]] for key in some])
        else:
            term = or_(*(plan.shape.term(key, meta) for key in some))
        query = ODataQuery(select=plan.select, filter=term).where(plan.mine(company))
        try:
            async for page in session.client.pages(plan.object, query, lane=lane):
                # an asterisk in a key asked for stands for any text
                rows += [row for row in page.rows if plan.shape.spell(row).casefold() in meant]
        except ODataError as error:
            if error.status != 403:
                with reading():
                    raise
            return None
    return rows


async def _tell_apart(
    session: FoSession, plan: Plan, query: Query, keys: Sequence[str], page: Page, day: dt.date, lane: Lane
) -> None:
    company = query.company
    meta = await session.metadata()
    gate = asyncio.Semaphore(session.settings.max_concurrency)

    async def one(key: str) -> Row | State:
        select = plan.select if plan.object not in session.client.whole else ()
        whole_key = plan.shape.url_key(key, company, meta)
        try:
            async with gate:
                return await session.client.get(plan.object, whole_key, ODataQuery(select=select), lane=lane)
        except ODataError as error:
            if error.status == 403:
                return "invisible"
            if is_missing(error):
                return "missing"
            with reading():
                raise
            raise AssertionError("reading() always raises") from error

    answers = await asyncio.gather(*(one(key) for key in keys))
    late = [row for row in answers if isinstance(row, dict)]
    missing = [key for key, answer in zip(keys, answers, strict=True) if answer == "missing"]
    page.invisible += [key for key, answer in zip(keys, answers, strict=True) if answer == "invisible"]
    page.records += await records(session, plan, company, late, lane=lane)
    moved = await _moved(session, plan, query, missing)
    moved |= await agreements.moved(session, plan, query, (), missing, day)
    page.moved += moved.values()
    page.gone += [key for key in missing if key not in moved]


PENDING, BECOMES = "VendorInvoiceHeaders", "VendInvoiceJourBiEntities"


async def _moved(session: FoSession, plan: Plan, query: Query, keys: Sequence[str]) -> dict[str, Moved]:
    """Which of these pending vendor invoices live on as posted ones.

    A pending invoice leaves its set when it is posted, and its key with it; the posted one has the invoice's
    number and account, which are remembered from when it was last in agreement.
    """
    if plan.object != PENDING or not keys:
        return {}
    shape = KeyShape.of(await session.type_of(BECOMES))
    found: dict[str, Moved] = {}
    for key in keys:
        fields = query.remembered.get(key, {})
        number, vendor = fields.get("external_number"), fields.get("vendor")
        if not isinstance(number, str) or not number or not isinstance(vendor, Ref):
            continue
        asked = ODataQuery(select=(*shape.fields, "InvoiceId"), filter=eq("InvoiceId", number))
        for row in await session.rows(BECOMES, asked, query.company, eq("InvoiceAccount", vendor.key)):
            if str(row["InvoiceId"]).casefold() != number.casefold():
                continue  # an asterisk in a number asked for stands for any text
            found[key] = Moved(key, BECOMES, shape.spell(row), query.company, f"posted as {row['InvoiceId']}")
    return found
