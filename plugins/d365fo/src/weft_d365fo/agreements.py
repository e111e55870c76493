"""Trade agreements: the one in force today counts, and a link goes along with it.

An open line of a journal is an agreement once somebody has posted the journal; an agreement that has ended is followed
by the next one for the same product, group and currency, or is gone as far as prices go. Whatever the environment
lists, at most one of them is a price today.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from weft.model.values import Ref
from weft.net.odata.query import Query as ODataQuery
from weft.net.odata.query import Term, and_, eq, ge, le, or_
from weft.net.odata.rows import Row
from weft.records import Context, Moved, Query
from weft_d365fo.journal_names import JOURNALS
from weft_d365fo.keys import KeyShape, split
from weft_d365fo.rows import folded
from weft_d365fo.selection import Plan
from weft_d365fo.session import FoSession
from weft_d365fo.values import asked, moment

AGREEMENTS, LINES = "SalesPriceAgreements", "OpenSalesPriceJournalLinesV2"
SINCE, UNTIL = "PriceApplicableFromDate", "PriceApplicableToDate"
_SAME = ("ItemNumber", "PriceCustomerGroupCode", "PriceCurrencyCode")
_ENDLESS = dt.date(1900, 1, 1)


def today(ctx: Context) -> dt.date:
    now: dt.datetime = ctx.clock.now()
    return now.date()


async def in_force(session: FoSession, plan: Plan, day: dt.date) -> Plan:
    """The plan, less the agreements that have ended or are still to come."""
    if plan.object != AGREEMENTS:
        return plan
    return replace(plan, where=and_(plan.where, await _on(session, day)))


async def _on(session: FoSession, day: dt.date) -> Term:
    meta, known = await session.metadata(), await session.properties(AGREEMENTS)

    def date(name: str, value: dt.date) -> Any:
        return asked(value.isoformat(), known.get(name), meta)

    ends = or_(ge(UNTIL, date(UNTIL, day)), eq(UNTIL, date(UNTIL, _ENDLESS)))
    return and_(le(SINCE, date(SINCE, day)), ends)


async def moved(
    session: FoSession, plan: Plan, query: Query, rows: Sequence[Row], missing: Sequence[str], day: dt.date
) -> dict[str, Moved]:
    """Where records asked for by key live on: agreements that have ended, among ``rows``, and journal lines that are
    ``missing``."""
    found: dict[str, Moved] = {}
    if plan.object == AGREEMENTS:
        for row in ended(plan, rows, day):
            key = plan.shape.spell(row)
            after = await _newest(session, query.company, {name: row.get(name) for name in _SAME}, day)
            if after is not None and plan.shape.spell(after) != key:
                found[key] = _to(plan.shape, key, after, query.company, "followed by")
    elif plan.object == LINES and missing:
        shape = KeyShape.of(await session.type_of(AGREEMENTS))
        for key in missing:
            wanted = _remembered(session, query.remembered.get(key, {}))
            if wanted is None or not await _posted(session, query.company, key):
                continue
            after = await _newest(session, query.company, wanted, None)
            if after is not None:
                found[key] = _to(shape, key, after, query.company, "in force as")
    return found


def ended(plan: Plan, rows: Sequence[Row], day: dt.date) -> list[Row]:
    """The agreements among these rows that are in force no more."""
    if plan.object != AGREEMENTS:
        return []
    return [row for row in rows if (until := moment(row.get(UNTIL))) is not None and until.date() < day]


def _to(shape: KeyShape, key: str, row: Row, company: str, how: str) -> Moved:
    return Moved(key, AGREEMENTS, shape.spell(row), company, f"{how} trade agreement {shape.spell(row)}")


async def _newest(session: FoSession, company: str, wanted: Mapping[str, Any], day: dt.date | None) -> Row | None:
    """The agreement for everybody or a group that was made last; ``day``: of those in force then."""
    shape = KeyShape.of(await session.type_of(AGREEMENTS))
    terms = [eq(name, str(value or "")) for name, value in wanted.items()]
    terms.append(eq("CustomerAccountNumber", ""))
    if day is not None:
        terms.append(await _on(session, day))
    asking = ODataQuery(select=(*shape.fields, "FromQuantity", *wanted), filter=and_(*terms))
    meant = folded(wanted.values())  # an asterisk in a number asked for stands for any text
    rows = [
        row for row in await session.rows(AGREEMENTS, asking, company)
        if row["FromQuantity"] <= 1 and folded(row.get(name) for name in wanted) == meant
    ]  # fmt: skip
    return max(rows, key=lambda row: int(row["RecordId"]), default=None)


def _remembered(session: FoSession, fields: Mapping[str, Any]) -> dict[str, Any] | None:
    product, currency = fields.get("product"), fields.get("currency")
    if not isinstance(product, Ref) or not isinstance(currency, str):
        return None
    group = fields.get("price_list")
    for_all = not isinstance(group, str) or group.casefold() == session.settings.base_price_list.casefold()
    return dict(zip(_SAME, (product.key, "" if for_all else group, currency), strict=True))


async def _posted(session: FoSession, company: str, line: str) -> bool:
    kind = JOURNALS[LINES]
    query = ODataQuery(select=(kind.number, kind.posted), filter=eq(kind.number, split(line)[0]))
    return any(row.get(kind.posted) == "Yes" for row in await session.rows(kind.headers, query, company))
