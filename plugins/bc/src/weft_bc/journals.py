"""Lines of journals: readable through their batch only, and posted with it."""

from __future__ import annotations

from collections import abc, defaultdict
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

from weft.errors import ConfigError
from weft.mapping.document import Mapping
from weft.net.limiter import Lane
from weft.net.odata.query import Query, any_of, eq
from weft.net.odata.rows import Row
from weft.records import Concern, Item, Moved
from weft_bc.failures import reading
from weft_bc.rows import TERMS, chunks
from weft_bc.selection import LOCAL_CURRENCY, SETTLED, Plan
from weft_bc.session import BcSession

BATCHES = {
    "customerPayments": "customerPaymentJournals",
    "vendorPayments": "vendorPaymentJournals",
    "journalLines": "journals",
}
NAMED_BY = "journalDisplayName"
RECEIVE = "receive"
"""The action that pays a posted invoice through a journal."""
_MADE_AS = {
    "customerPaymentJournals": "a customer payment journal {code}, its balancing account the bank",
    "vendorPaymentJournals": "a vendor payment journal {code}, its balancing account the bank",
    "journals": "a general journal {code} of the default template, without a balancing account",
}
_SETTINGS = {
    "customerPaymentJournals": ("payment_journal", "receipt_journal"),
    "vendorPaymentJournals": ("vendor_payment_journal",),
    "journals": ("deposit_journal", "check_journal", "card_journal"),
}
"""Settings that name a journal of these."""


async def readable_path(session: BcSession, company: str, plan: Plan) -> str:
    """Where a plan's rows are listed: for lines of a journal inside the batch that `where` names."""
    batches = BATCHES.get(plan.object)
    if batches is None:
        return session.path(company, plan.object)
    code = plan.mapping.where.get(NAMED_BY)
    if not isinstance(code, str) or not code:
        raise ConfigError(f"{plan.mapping.at('where')}: {plan.object} are read from one journal: name its code "
                          f"as `where: {{{NAMED_BY}: …}}`")  # fmt: skip
    return session.path(company, (batches, session.key(await batch_id(session, company, plan.object, code))),
                        plan.object)  # fmt: skip


async def sayable(session: BcSession, item: Item) -> None:
    """Take out of an item's data what a line of a journal cannot say.

    :raises ValueError: it would be another amount, or another settlement, than what was meant.
    """
    for data in (item.data, *(child.data for child in item.children)):
        settled = data.pop(SETTLED, None)
        if settled is not None and settled > 1:
            raise ValueError(
                f"the payment settles {settled} documents, and a line of a journal names one in API v2.0; make a "
                "payment for each, or apply it in Business Central"
            )
        said = data.pop(LOCAL_CURRENCY, None)
        if said is None:
            continue
        invoice = data.get("appliesToInvoiceId")
        posted = await _invoiced(session, item, str(invoice)) if invoice else None
        posted = posted or await session.local_currency(item.company)
        if posted and said != posted:
            raise ValueError(
                f"the amount is in {said}, but a line of a journal has no currency of its own in API v2.0: it would be "
                f"posted in {posted}; enter it in Business Central, or in {posted}"
            )


async def _invoiced(session: BcSession, item: Item, key: str) -> str | None:
    """The currency of the invoice that a payment settles."""
    invoices = "salesInvoices" if item.object == "customerPayments" else "purchaseInvoices"
    query = Query(select=("id", "currencyCode"), filter=eq("id", session.key(key)))
    with reading():
        async for page in session.client.pages(session.path(item.company, invoices), query):
            for row in page.rows:
                return str(row.get("currencyCode") or "") or None
    return None


async def posted_lines(
    session: BcSession, company: str, numbers: abc.Mapping[str, tuple[str, Decimal | None]], headers: dict[str, str],
    lane: Lane,
) -> dict[str, Moved]:  # fmt: skip
    """Which vanished lines, by key, were posted: the general ledger has entries of their document number.

    Several lines may share a number: each has become another entry, one of its own amount where there is one.
    ``numbers``: number and amount by the line's key.
    """
    found: dict[str, Moved] = {}
    for some in chunks(list(dict.fromkeys(number for number, _ in numbers.values())), TERMS):
        query = Query(
            select=("id", "entryNumber", "documentNumber", "debitAmount", "creditAmount"),
            filter=any_of("documentNumber", some), orderby=("entryNumber desc",),
        )  # fmt: skip
        entries: dict[str, list[Row]] = defaultdict(list)
        with reading():
            path = session.path(company, "generalLedgerEntries")
            async for page in session.client.pages(path, query, headers=headers, lane=lane):
                for row in page.rows:
                    entries[str(row["documentNumber"])].append(row)
        for key, (number, amount) in sorted(numbers.items()):
            rows = entries.get(number)
            if rows:
                worth = abs(amount or 0)
                row = next((one for one in rows if worth in (one["debitAmount"], one["creditAmount"])), rows[0])
                if len(rows) > 1:
                    rows.remove(row)
                found[key] = Moved(key, "generalLedgerEntries", str(row["id"]), company, f"posted as document {number}")
    return found


async def batch_id(session: BcSession, company: str, lines: str, code: str) -> str:
    """The id of a journal batch by its code. :raises ConfigError: there is none."""
    found = await _batch(session, company, BATCHES[lines], code)
    if found is None:
        raise ConfigError(f"{session.http.system}: {_told(BATCHES[lines], code)}; {_remedy(BATCHES[lines], code)}")
    return found


async def missing(
    session: BcSession, company: str, mappings: Sequence[Mapping], actions: Sequence[str]
) -> AsyncIterator[Concern]:
    """The journals that a flow needs and nobody has made yet."""
    wanted = {
        (BATCHES[mapping.object.read], str(mapping.where.get(NAMED_BY) or ""))
        for mapping in mappings
        if mapping.object.read in BATCHES
    }
    if RECEIVE in actions:
        wanted.add((BATCHES["customerPayments"], session.settings.receipt_journal))
    for batches, code in sorted(wanted):
        if code and await _batch(session, company, batches, code) is None:
            yield Concern("error", _told(batches, code), _remedy(batches, code))


async def _batch(session: BcSession, company: str, batches: str, code: str) -> str | None:
    query = Query(select=("id", "code"), filter=eq("code", code))
    with reading():
        async for page in session.client.pages(session.path(company, batches), query):
            for row in page.rows:
                return str(row["id"])
    return None


def _told(batches: str, code: str) -> str:
    return f"there is no journal {code!r} among {batches}"


def _remedy(batches: str, code: str) -> str:
    settings = ", ".join(f"`{name}`" for name in _SETTINGS[batches])
    made = _MADE_AS[batches].format(code=code)
    return f"make {made} in Business Central, or name another one in the connection's settings ({settings})"
