"""Lines of journals: readable through their batch only, and posted with it."""

from __future__ import annotations

from collections.abc import Mapping

from weft.errors import ConfigError
from weft.net.limiter import Lane
from weft.net.odata.query import Query, any_of, eq
from weft.records import Moved
from weft_bc.failures import reading
from weft_bc.rows import TERMS, chunks
from weft_bc.selection import Plan
from weft_bc.session import BcSession

BATCHES = {
    "customerPayments": "customerPaymentJournals",
    "vendorPayments": "vendorPaymentJournals",
    "journalLines": "journals",
}
NAMED_BY = "journalDisplayName"


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


async def posted_lines(
    session: BcSession, company: str, numbers: Mapping[str, str], headers: dict[str, str], lane: Lane
) -> dict[str, Moved]:
    """Which vanished lines, by key, were posted: the general ledger has entries of their document number."""
    found: dict[str, Moved] = {}
    by_number = {number: key for key, number in numbers.items()}
    for some in chunks(list(by_number), TERMS):
        query = Query(
            select=("id", "entryNumber", "documentNumber"), filter=any_of("documentNumber", some),
            orderby=("entryNumber desc",),
        )  # fmt: skip
        with reading():
            path = session.path(company, "generalLedgerEntries")
            async for page in session.client.pages(path, query, headers=headers, lane=lane):
                for row in page.rows:
                    key = by_number.get(str(row["documentNumber"]))
                    if key is not None:
                        reason = f"posted as document {row['documentNumber']}"
                        found.setdefault(key, Moved(key, "generalLedgerEntries", str(row["id"]), company, reason))
    return found


async def batch_id(session: BcSession, company: str, lines: str, code: str) -> str:
    """The id of a journal batch by its code. :raises ConfigError: there is none."""
    batches = BATCHES[lines]
    query = Query(select=("id", "code"), filter=eq("code", code))
    with reading():
        async for page in session.client.pages(session.path(company, batches), query):
            for row in page.rows:
                return str(row["id"])
    raise ConfigError(
        f"{session.http.system}: there is no journal {code!r} among {batches}; create it in Business Central, or "
        "name another one under payment_journal"
    )
