"""Exchange rates as Creatio understands them: for ``Division`` of its base currency, new ones in an order.

Of the rows that are valid on a day, Creatio takes the one that was *created* last, not the one that
begins last. So rates are created oldest first, and one that comes late, for days before a rate weft has
brought already, ends where that begins.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import ROUND_HALF_UP, Decimal

from weft.net.odata.literals import Moment, guid
from weft.net.odata.query import Query, and_, eq, gt
from weft.net.odata.rows import Row
from weft.records import Error
from weft_creatio.base_currency import RATES, known_base_currency
from weft_creatio.children import lists
from weft_creatio.lines import Money
from weft_creatio.preparing import Job
from weft_creatio.session import CreatioSession
from weft_creatio.values import moment, number, stamp

PLACES = Decimal("0.00000001")
"""What a column for rates holds."""


async def quoted(money: Money, jobs: Sequence[Job], before: Mapping[str, Row]) -> None:
    """Rates for one unit of base currency become those for as many as the currency's ``Division`` says. One against
    another currency has no place in Creatio: its job is rejected. ``before``: rows as they are, by Id.

    :raises EndpointDown, ConfigError: what the site says about its currencies cannot be read.
    """
    for job in jobs:
        if job.object != RATES or job.outcome is not None:
            continue
        own = await known_base_currency(money.session) if job.base_currency is not None else None
        if job.base_currency != own:
            told = (
                f"the rate is paid in {job.base_currency}, and rates in Creatio are against the base currency, {own}; "
                f"leave it out with `when: to_currency = '{own}'` in the flow"
            )
            job.fail("rejected", Error("record", told, field="to_currency"))
        elif job.data.get("Rate") is not None:
            currency = job.data.get("CurrencyId") or before.get(job.key, {}).get("CurrencyId")
            exact = Decimal(number(job.data["Rate"])) * await money.division(currency)
            job.data["Rate"] = exact.quantize(PLACES, ROUND_HALF_UP)


@asynccontextmanager
async def in_turn(session: CreatioSession, jobs: Sequence[Job]) -> AsyncIterator[list[Job]]:
    """The jobs in the order they are to be sent; rates of two batches are not mixed.

    :raises EndpointDown, ConfigError: the rates that are there cannot be read.
    """
    if not any(job.object == RATES for job in jobs):
        yield list(jobs)
        return
    async with session.rates:
        due = sorted(jobs, key=lambda job: str(job.data.get("StartDate") or ""))
        await _end_before_later(session, [job for job in due if job.object == RATES])
        yield due


async def _end_before_later(session: CreatioSession, jobs: Sequence[Job]) -> None:
    asking = [job for job in jobs if job.data.get("CurrencyId") and job.data.get("StartDate")]
    asking = [job for job in asking if not job.data.get("EndDate")]
    if session.identity is None or not asking:
        return
    mine = eq("CreatedBy/Id", guid(session.identity))
    queries = [
        Query(
            select=("Id", "StartDate"), orderby=("StartDate",), top=1,
            filter=and_(
                eq("Currency/Id", guid(str(job.data["CurrencyId"]))), mine,
                gt("StartDate", Moment(str(job.data["StartDate"]))),
            ),
        )
        for job in asking
    ]  # fmt: skip
    for job, rows in zip(asking, await lists(session, RATES, queries), strict=True):
        later = stamp(rows[0].get("StartDate")) if rows else None
        if later is not None and "EndDate" in job.type.properties:
            job.data["EndDate"] = moment(later.date() - dt.timedelta(days=1))
