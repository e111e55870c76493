"""The bound actions. Each gives the set and the record that Location names."""

from __future__ import annotations

from collections.abc import Callable

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company
from weft_bc.simulator.errors import dialog
from weft_bc.simulator.rules.documents import draft_only, posted_only
from weft_bc.simulator.rules.journal_posting import post_batch
from weft_bc.simulator.rules.kinds import DOCUMENTS
from weft_bc.simulator.rules.ledger import apply_entries, invoice_entry
from weft_bc.simulator.rules.posting import (
    invoice_from,
    lines_of,
    post_in_place,
    remove_document,
    ship_and_invoice,
)

Result = tuple[str, Row]
CLOSED = "The invoice is closed. The corrective credit memo will not be applied to the invoice."


def run(co: Company, name: str, action: str, row: Row) -> Result:
    """Run an action by its documented name."""
    if name == "journals":
        post_batch(co, row)
        return name, row
    kind = DOCUMENTS[name]
    handler: Callable[[Company, str, Row], Result] = {
        "post": post,
        "postAndSend": post_and_send,
        "send": send,
        "cancel": cancel,
        "cancelAndSend": cancel_and_send,
        "makeCorrectiveCreditMemo": correct,
        "makeInvoice": make_invoice,
        "makeOrder": make_order,
        "shipAndInvoice": order_post,
        "receiveAndInvoice": order_post,
    }[action]
    return handler(co, kind.set, row)


def post(co: Company, name: str, row: Row) -> Result:
    return name, post_in_place(co, DOCUMENTS[name], row)


def send(co: Company, name: str, row: Row) -> Result:
    """Needs an address; a quote becomes Sent."""
    if not row.get("email"):
        noun = DOCUMENTS[name].noun
        raise dialog(
            f"The send-to email is empty. Specify email either for the customer or for the {noun} in email preview."
        )
    if name == "salesQuotes":
        row = co.update(name, row, {"status": "Sent", "sentDate": co.stamp()})
    return name, row


def post_and_send(co: Company, name: str, row: Row) -> Result:
    draft_only(DOCUMENTS[name], row)
    send(co, name, row)
    return post(co, name, row)


def cancel(co: Company, name: str, row: Row) -> Result:
    """Invoice: a corrective credit memo is posted against it. Credit memo: only the cancelling state is undone."""
    kind = DOCUMENTS[name]
    posted_only(kind, row)
    if row["status"] == "Canceled":
        raise dialog(f"The {kind.noun} cannot be canceled because it has already been canceled.")
    entry = invoice_entry(co, row)
    if kind.noun == "invoice" and entry is not None and entry["remaining"] != entry["amount"]:
        raise dialog(
            "Canceling the invoice failed because of the following error: \\\\You cannot cancel this posted invoice "
            "because it is fully or partially paid."
        )
    side = "sales" if kind.sales else "purchase"
    target = DOCUMENTS[f"{side}{'CreditMemos' if kind.noun == 'invoice' else 'Invoices'}"]
    made = invoice_from(co, kind, target, row, lines_of(co, kind, row), "quantity")
    if kind.noun == "invoice":
        made = co.update(target.set, made, {"invoiceId": row["id"], "invoiceNumber": row["number"]}, silent=True)
    elif not kind.sales:
        made = co.update(target.set, made, {"vendorInvoiceNumber": row["number"]}, silent=True)
    made = post_in_place(co, target, made)
    other = invoice_entry(co, made)
    if entry is not None and other is not None and kind.noun == "credit memo":
        apply_entries(co, entry, other)
    made = co.update(target.set, co.must(target.set, made["id"]), {"status": "Corrective"}, silent=True)
    changes = {"status": "Canceled"}
    return name, co.update(name, co.must(name, row["id"]), changes)


def cancel_and_send(co: Company, name: str, row: Row) -> Result:
    result = cancel(co, name, row)
    send(co, name, result[1])
    return result


def correct(co: Company, name: str, row: Row) -> Result:
    kind = DOCUMENTS[name]
    posted_only(kind, row)
    if row["status"] == "Canceled":
        raise dialog("The invoice cannot be canceled because it has already been canceled.")
    target = DOCUMENTS["salesCreditMemos"]
    made = invoice_from(co, kind, target, row, lines_of(co, kind, row), "quantity")
    return target.set, co.update(target.set, made, {"invoiceId": row["id"], "invoiceNumber": row["number"]})


def _convert(co: Company, name: str, target_name: str, row: Row) -> Result:
    kind, target = DOCUMENTS[name], DOCUMENTS[target_name]
    made = invoice_from(co, kind, target, row, lines_of(co, kind, row), "quantity")
    remove_document(co, kind, row)
    return target_name, made


def make_invoice(co: Company, name: str, row: Row) -> Result:
    return _convert(co, name, "salesInvoices", row)


def make_order(co: Company, name: str, row: Row) -> Result:
    return _convert(co, name, "salesOrders", row)


def order_post(co: Company, name: str, row: Row) -> Result:
    return ship_and_invoice(co, DOCUMENTS[name], row)
