"""Receiving what a posted invoice still asks for: a line in a payment journal, applied to it, posted at once.

There is no action of the service for that. Each step looks first at what an earlier attempt left, and the line has a
number made of the invoice's id, which the service takes once: so nothing is paid twice.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from weft.net.odata.query import Query, eq
from weft.net.odata.rows import Row
from weft.net.odata.sending import Answer, Call, Sender
from weft.records import Item
from weft_bc.failures import DUPLICATE, reading
from weft_bc.journals import BATCHES, batch_id
from weft_bc.session import Primary

if TYPE_CHECKING:
    from weft_bc.session import BcSession

LINES = "customerPayments"
NUMBERS = 1_000_000_000
"""Line numbers made of ids lie below; as much again is left above for the lines that people add."""


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
            "lineNumber": uuid.UUID(str(invoice["id"])).int % NUMBERS + 1,
            "customerId": invoice["customerId"],
            "postingDate": invoice["postingDate"],
            "amount": -remaining if settings.payment_sign == "negative" else remaining,
            "appliesToInvoiceId": invoice["id"],
        }
        answer = await sender.send(Call(item, "POST", lines, body))
        made = answer.state == "done" or (answer.odata is not None and answer.odata.code == DUPLICATE)
        if not made:
            return _landed(answer, item)
    post = session.path(item.company, ("journals", session.key(journal)))
    answer = await sender.send(Call(item, "POST", f"{post}/Microsoft.NAV.post"))
    if answer.state == "refused" and await _open(session, sender, item, invoice) == 0:
        return None  # the journal was posted meanwhile with the line of another receipt, and this one with it
    return None if answer.state == "done" else answer


def _landed(answer: Answer, item: Item) -> Answer:
    """The answer; one that was lost is to be waited for until the request has landed, if it ever does."""
    if answer.state != "later" or answer.odata is not None or answer.error is None:
        return answer
    return replace(answer, error=replace(answer.error, retry_after=float(item.mapping.settle_seconds)))


async def _open(session: BcSession, sender: Sender, item: Item, invoice: Row) -> Decimal:
    """What an invoice still asks for by now."""
    path, query = session.path(item.company, item.object), Query(select=("id", "remainingAmount"))
    with reading():
        key = session.key(str(invoice["id"]))
        row = await session.client.get(path, key, query, headers=dict(Primary), lane=sender.lane)
    return Decimal(row["remainingAmount"])
