"""Records by key, and what became of those that are not there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

from weft.errors import EndpointDown
from weft.net.limiter import Lane
from weft.net.odata.batch import Item, send_batch
from weft.net.odata.errors import ODataError
from weft.net.odata.query import Query as ODataQuery
from weft.net.odata.query import any_of
from weft.net.odata.rows import Row
from weft.records import Moved, Page, Query
from weft_bc.failures import is_missing, reading
from weft_bc.journals import BATCHES, posted_lines
from weft_bc.rows import TERMS, chunks, records
from weft_bc.selection import Plan
from weft_bc.session import BcSession, Primary

BECOMES = {"salesOrders": "salesInvoices", "purchaseOrders": "purchaseInvoices"}
"""Orders leave their set when they are invoiced in full; the invoice names them in ``orderId``."""
PER_BATCH = 100


async def by_keys(session: BcSession, plan: Plan, query: Query, *, lane: Lane) -> AsyncIterator[Page]:
    """The records with these keys. One that is missing from the list is asked for by itself: only an
    answer that *this* record is not there makes it gone."""
    headers = dict(Primary) if query.fresh else {}
    guids: list[str] = []
    alien: list[str] = []
    for key in dict.fromkeys(query.keys):
        try:
            session.key(key)
            guids.append(key)
        except ValueError:
            alien.append(key)
    if alien:
        shown = ", ".join(alien[:5])
        session.log.warning("%s: not a key of Business Central: %s", plan.object, shown)
        yield Page(invisible=alien)
    for some in chunks(guids, TERMS):
        try:
            rows = await _list(session, plan, query.company, some, headers, lane)
        except ODataError as error:
            if error.status != 403:
                with reading():
                    raise
            yield Page(invisible=list(some))
            continue
        page = Page(await records(session, plan, query.company, rows, headers=headers, lane=lane))
        there = {record.key.lower() for record in page.records}
        absent = [key for key in some if key.lower() not in there]
        if absent:
            await _tell_apart(session, plan, query, absent, page, headers, lane)
        yield page


async def _list(
    session: BcSession, plan: Plan, company: str, keys: Sequence[str], headers: dict[str, str], lane: Lane
) -> list[Row]:
    client, rows = session.client, []
    asked = plan.query(filter=any_of(plan.key, [session.key(key) for key in keys]))
    path = session.path(company, plan.object)
    async for page in client.pages(path, asked, headers=headers, lane=lane):
        rows += page.rows
    return rows


async def _tell_apart(
    session: BcSession,
    plan: Plan,
    query: Query,
    keys: Sequence[str],
    page: Page,
    headers: dict[str, str],
    lane: Lane,
) -> None:
    client, company = session.client, query.company
    head = {**headers, "Accept-Language": session.settings.language}
    one = ODataQuery(select=plan.select, expand=plan.expand)
    late: list[Row] = []
    missing: list[str] = []
    for some in chunks(keys, PER_BATCH):
        items = [
            Item(str(n), "GET", client.relative(session.path(company, (plan.object, session.key(key))), None, one),
                 headers=head)
            for n, key in enumerate(some)
        ]  # fmt: skip
        with reading():
            answers = await send_batch(client, items, prefer="odata.continue-on-error", lane=lane)
        for key, answer in zip(some, answers, strict=True):
            if answer.state == "done" and isinstance(answer.body, dict):
                late.append(answer.body)  # it appeared between the two requests
            elif answer.error is not None and is_missing(answer.error):
                missing.append(key)
            elif answer.status == 403:
                page.invisible.append(key)
            elif answer.error is not None:
                with reading():
                    raise answer.error
            else:
                raise EndpointDown(f"{session.http.system}: no answer about {plan.object}({key})")
    page.records += await records(session, plan, company, late, headers=headers, lane=lane)
    moved = await _moved(session, plan.object, company, missing, headers, lane)
    if plan.object in BATCHES:
        moved |= await posted_lines(session, company, _numbers(plan, query, missing), headers, lane)
    page.moved += moved.values()
    page.gone += [key for key in missing if key not in moved]


def _numbers(plan: Plan, query: Query, keys: Sequence[str]) -> dict[str, tuple[str, Decimal | None]]:
    """Document numbers and amounts that vanished lines of a journal had."""
    field = plan.mapping.fields.get("documentNumber")
    name = field.canonical if field is not None else None
    found: dict[str, tuple[str, Decimal | None]] = {}
    for key in keys:
        known = query.remembered.get(key, {})
        number, amount = known.get(name or "number"), known.get("amount")
        if isinstance(number, str) and number:
            found[key] = number, Decimal(amount) if isinstance(amount, int | Decimal) else None
    return found


async def _moved(
    session: BcSession, object: str, company: str, keys: Sequence[str], headers: dict[str, str], lane: Lane
) -> dict[str, Moved]:
    """Which of these orders live on as invoices."""
    target = BECOMES.get(object)
    if target is None or not keys:
        return {}
    known = await session.properties(target)
    if "orderId" not in known:  # before version 18 purchase invoices do not name their order
        return {}
    found: dict[str, Moved] = {}
    by_id = {key.lower(): key for key in keys}
    for some in chunks(keys, TERMS):
        query = ODataQuery(
            select=("id", "number", "orderId"), filter=any_of("orderId", [session.key(key) for key in some])
        )
        with reading():
            path = session.path(company, target)
            async for page in session.client.pages(path, query, headers=headers, lane=lane):
                for row in page.rows:
                    key = by_id.get(str(row["orderId"]).lower())
                    if key is not None:
                        reason = f"invoiced as {row.get('number') or row['id']}"
                        found[key] = Moved(key, target, str(row["id"]), company, reason)
    return found
