"""Which invoices a payment settles: rows that belong to a line of a payment journal.

A row names the invoice, the company it is in and the day it is due, so these are looked up in the account's open
transactions before anything is sent. Once a payment is posted its rows may be gone; what they were is not unsaid then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weft.net.odata.query import Query, and_, eq
from weft_d365fo import facets
from weft_d365fo.values import asked

if TYPE_CHECKING:
    from weft.records import Item, Record
    from weft_d365fo.selection import Plan
    from weft_d365fo.writing import Writer

TRANSACTIONS = {
    "PaymentJournalLineSettledInvoices": ("CustTransactions", "customer"),
    "VendorPaymentJournalLineSettledInvoices": ("VendTransBiEntities", "vendor"),
}
"""What settles -> where the transactions of its accounts are, and the facet that names the account."""
NUMBER, COMPANY, DUE = "InvoiceNumber", "InvoiceCompany", "InvoiceDueDate"


def forget_settled(plan: Plan, record: Record) -> None:
    """A posted payment without rows says nothing about what it settled."""
    header = record.children.get("header")
    posted = bool(header) and header[0].data.get("IsPosted") == "Yes" if header is not None else False
    for line in plan.lines:
        if posted and line.map.object in TRANSACTIONS and not record.children.get(line.name):
            record.children.pop(line.name, None)


async def settled(writer: Writer, item: Item, account: str) -> Item:
    """The item with its new rows' invoices named as the environment wants them.

    :raises Unresolved: an invoice has no number yet, or is not open for the account.
    """
    children = []
    for child in item.children:
        lines = item.mapping.lines.get(child.collection)
        if child.op == "create" and lines is not None and lines.object in TRANSACTIONS and DUE not in child.data:
            data = await facets.resolve(writer.session, item.company, child.data)
            data |= await _transaction(writer, item.company, lines.object, str(data.get(NUMBER) or ""), account)
            child = replace(child, data=data)
        children.append(child)
    return replace(item, children=children)


async def account_of(writer: Writer, data: dict[str, Any]) -> str:
    """The customer or vendor of a payment: of a new one's data, or of a row."""
    for _, facet in TRANSACTIONS.values():
        if data.get(f"AccountDisplayValue.{facet}"):
            return str(data[f"AccountDisplayValue.{facet}"])
    formats = await writer.session.formats()
    return "".join(formats.pieces(str(data.get("AccountDisplayValue") or ""))[:1])


async def _transaction(writer: Writer, company: str, object: str, number: str, account: str) -> dict[str, Any]:
    transactions, _ = TRANSACTIONS[object]
    session = writer.session
    meta = await session.metadata()
    known = await session.properties(transactions)
    terms = (eq(name, asked(value, known.get(name), meta)) for name, value in
             (("Invoice", number), ("AccountNum", account)))  # fmt: skip
    query = Query(select=("Invoice", "AccountNum", "AmountCur", "SettleAmountCur", "DueDate"), filter=and_(*terms))
    rows = await session.rows(transactions, query, company) if number else []
    left = [row for row in rows if row["AmountCur"] != row["SettleAmountCur"]]
    if not left:
        raise facets.Unresolved(
            f"the payment is to settle the invoice {number!r} of {account}, "
            + ("which is settled in full already" if rows else "which is not among the posted ones of that account")
        )
    return {COMPANY: company, DUE: left[0]["DueDate"]}
