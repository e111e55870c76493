"""Lines of journals: readable through their batch only, and posted with it."""

from __future__ import annotations

from weft.errors import ConfigError
from weft.net.odata.query import Query, eq
from weft_bc.failures import reading
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
