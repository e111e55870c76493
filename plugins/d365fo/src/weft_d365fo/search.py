"""Search by values."""

from __future__ import annotations

from collections.abc import AsyncIterator

from weft.net.limiter import Lane
from weft.net.odata import query as odata
from weft.net.odata.query import Term, and_, or_
from weft.records import Condition, Page, Query
from weft_d365fo.facets import LOOKUPS, Unresolved, parts, resolve
from weft_d365fo.failures import reading
from weft_d365fo.paging import every
from weft_d365fo.rows import TERMS, chunks, records
from weft_d365fo.selection import Plan
from weft_d365fo.session import FoSession
from weft_d365fo.values import Unaskable, asked

_COMPARE = {"eq": odata.eq, "ne": odata.ne, "gt": odata.gt, "ge": odata.ge, "lt": odata.lt, "le": odata.le}


async def search(session: FoSession, plan: Plan, query: Query, *, lane: Lane) -> AsyncIterator[Page]:
    """Records that satisfy any group of conditions; repeats within one answer are left out.

    A value that no record can hold finds nothing. An asterisk in a text stands for any text here, and text
    comparisons do not look at case: what comes back is compared by core once more.
    """
    terms: list[Term] = []
    for group in query.search:
        try:
            term = and_(*[await _term(session, plan, query.company, one) for one in group])
            term.render(session.client.dialect.literal)  # refused here, it spoils no other group
            terms.append(term)
        except (Unaskable, Unresolved, ValueError, TypeError) as error:
            session.log.warning("%s: nothing can be found: %s", plan.object, error)
    seen: set[str] = set()
    for some in chunks(list(terms), TERMS):
        asked_ = plan.query(query.company, filter=or_(*some))
        with reading():
            async for rows in every(session, plan.object, asked_, plan.shape, session.settings.page_size, lane):
                fresh = {plan.shape.spell(row): row for row in rows}
                new = [row for key, row in fresh.items() if key not in seen]
                seen |= fresh.keys()
                yield Page(await records(session, plan, query.company, new, lane=lane))


async def _term(session: FoSession, plan: Plan, company: str, condition: Condition) -> Term:
    meta = await session.metadata()
    name, value = condition.field, condition.value
    both = parts(name)
    if both is not None:
        if both not in LOOKUPS:
            raise Unaskable(f"{name} is made of {both[0]}, which cannot be searched by it")
        name = both[0]
        value = (await resolve(session, company, {condition.field: value}))[name]
    prop = plan.type.properties.get(name)
    if condition.op == "startswith":
        return odata.eq(name, f"{value}*")
    text = prop is not None and prop.type == "Edm.String"
    if condition.op not in ("eq", "ne") and (text or (prop is not None and prop.type in meta.enums)):
        raise Unaskable(f"{name} is text: Finance & Operations compares text by eq and ne only")
    return _COMPARE[condition.op](name, asked(value, prop, meta))
