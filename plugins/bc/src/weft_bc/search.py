"""Search by values. The service joins conditions by OR on one field only, so groups of several
conditions travel as single requests of one batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

from weft.errors import EndpointDown
from weft.net.limiter import Lane
from weft.net.odata import query as odata
from weft.net.odata.batch import Item, send_batch
from weft.net.odata.literals import Value
from weft.net.odata.query import Term, and_, any_of
from weft.net.odata.rows import Row
from weft.records import Condition, Page, Query
from weft_bc.failures import reading
from weft_bc.journals import readable_path
from weft_bc.rows import TERMS, chunks, records
from weft_bc.selection import Plan
from weft_bc.session import BcSession, Primary
from weft_bc.values import Unaskable, asked

PER_BATCH = 50


async def search(session: BcSession, plan: Plan, query: Query, *, lane: Lane) -> AsyncIterator[Page]:
    """Records that satisfy any group of conditions; repeats within one answer are left out.

    A value that no record can hold (too long, no guid, a control character) finds nothing.
    """
    headers = dict(Primary) if query.fresh else {}
    path = await readable_path(session, query.company, plan)
    singles, several = await _sorted(session, plan, query.search)
    filters = [any_of(name, some) for name, values in singles.items() for some in chunks(values, TERMS)]
    seen: set[str] = set()
    for filter_ in filters:
        asked_ = plan.query(filter=and_(plan.where, filter_))
        with reading():
            async for page in session.client.pages(path, asked_, headers=headers, lane=lane):
                yield await _page(session, plan, query, page.rows, seen, headers, lane)
    for some in chunks(several, PER_BATCH):
        rows, links = await _batch(session, plan, path, some, headers, lane)
        yield await _page(session, plan, query, rows, seen, headers, lane)
        for link in links:
            with reading():
                async for page in session.client.pages(path, headers=headers, lane=lane, start=link):
                    yield await _page(session, plan, query, page.rows, seen, headers, lane)


async def _sorted(
    session: BcSession, plan: Plan, groups: Sequence[Sequence[Condition]]
) -> tuple[dict[str, list[Value]], list[Term]]:
    """Equalities on one field by that field; everything else as a term of its own."""
    meta = await session.metadata()
    captions = session.settings.enum_literals == "caption"
    singles: dict[str, list[Value]] = defaultdict(list)
    several: list[Term] = []
    for group in groups:
        try:
            typed = [
                (one, asked(one.value, plan.type.properties.get(one.field), meta, captions=captions)) for one in group
            ]
            if len(typed) == 1 and typed[0][0].op == "eq":
                odata.eq(typed[0][0].field, typed[0][1]).render(session.client.dialect.literal)
                singles[typed[0][0].field].append(typed[0][1])
            elif typed:
                term = and_(*(_term(one, value) for one, value in typed))
                term.render(session.client.dialect.literal)  # refused here, it spoils no other group
                several.append(term)
        except (Unaskable, ValueError, TypeError) as error:
            session.log.warning("%s: nothing can be found: %s", plan.object, error)
    return {name: list(dict.fromkeys(values)) for name, values in singles.items()}, several


def _term(condition: Condition, value: Value) -> Term:
    if condition.op == "startswith":
        return odata.startswith(condition.field, str(value))
    compare = {
        "eq": odata.eq, "ne": odata.ne, "gt": odata.gt, "ge": odata.ge, "lt": odata.lt, "le": odata.le
    }[condition.op]  # fmt: skip
    return compare(condition.field, value)


async def _batch(
    session: BcSession, plan: Plan, path: str, terms: Sequence[Term], headers: dict[str, str], lane: Lane
) -> tuple[list[Row], list[str]]:
    client = session.client
    head = {**headers, "Accept-Language": session.settings.language}
    items = [
        Item(str(n), "GET", client.relative(path, None, plan.query(filter=and_(plan.where, term))), headers=head)
        for n, term in enumerate(terms)
    ]
    with reading():
        answers = await send_batch(client, items, prefer="odata.continue-on-error", lane=lane)
    rows: list[Row] = []
    links: list[str] = []
    for answer in answers:
        if answer.error is not None:
            with reading():
                raise answer.error
        if answer.state != "done" or not isinstance(answer.body, dict):
            raise EndpointDown(f"{session.http.system}: a search in {plan.object} was not answered")
        rows += client.dialect.rows(answer.body) or []
        link = client.dialect.next_link(answer.body)
        if link is not None:
            links.append(link)
    return rows, links


async def _page(
    session: BcSession,
    plan: Plan,
    query: Query,
    rows: Sequence[Row],
    seen: set[str],
    headers: dict[str, str],
    lane: Lane,
) -> Page:
    fresh: dict[str, Row] = {}
    for row in rows:
        key = str(row[plan.key])
        if key not in seen:
            fresh[key] = row
    seen |= fresh.keys()
    return Page(await records(session, plan, query.company, list(fresh.values()), headers=headers, lane=lane))
