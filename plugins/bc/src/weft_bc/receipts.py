"""Receiving what a posted invoice still asks for: a line in a payment journal, applied to it, posted at once.

There is no action of the service for that. Each step looks first at what an earlier attempt left, so that nothing is
paid twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.net.odata.query import Query, eq
from weft.net.odata.rows import Row
from weft.net.odata.sending import Answer, Call, Sender
from weft.records import Item
from weft_bc.failures import reading
from weft_bc.journals import BATCHES, batch_id

if TYPE_CHECKING:
    from weft_bc.session import BcSession

LINES = "customerPayments"


async def receive(session: BcSession, sender: Sender, item: Item, invoice: Row) -> Answer | None:
    """Pay an invoice in full. Returns the answer that was no success, if any."""
    remaining = invoice["remainingAmount"]
    if remaining == 0:
        return None
    settings = session.settings
    journal = await batch_id(session, item.company, LINES, settings.receipt_journal)
    lines = session.path(item.company, (BATCHES[LINES], session.key(journal)), LINES)
    query = Query(select=("id",), filter=eq("appliesToInvoiceId", session.key(str(invoice["id"]))))
    entered = False
    with reading():
        async for page in session.client.pages(lines, query, lane=sender.lane):
            entered = entered or bool(page.rows)
    if not entered:
        body = {
            "customerId": invoice["customerId"],
            "postingDate": invoice["postingDate"],
            "amount": -remaining if settings.payment_sign == "negative" else remaining,
            "appliesToInvoiceId": invoice["id"],
        }
        # The next look finds the line if the answer is lost, so it is safe to try again.
        answer = await sender.send(Call(item, "POST", lines, body))
        if answer.state != "done":
            return answer
    post = session.path(item.company, ("journals", session.key(journal)))
    answer = await sender.send(Call(item, "POST", f"{post}/Microsoft.NAV.post"))
    return None if answer.state == "done" else answer
