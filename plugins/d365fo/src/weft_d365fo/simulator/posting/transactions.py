"""Transactions of customers and vendors, open amounts, settlement."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from weft.testing.odata.store import Row
from weft_d365fo.simulator.rules.amounts import HUNDRED, number
from weft_d365fo.simulator.schema import NO_DATE
from weft_d365fo.simulator.views import RECID
from weft_d365fo.simulator.world import Company, World

ZERO = Decimal(0)


@dataclass(frozen=True)
class Entry:
    """What goes into a party's ledger. ``amount`` in ``currency``: customers owe positive amounts, vendors are owed
    negative ones."""

    account: str
    amount: Decimal
    currency: str
    day: str
    due: str
    voucher: str
    invoice: str
    kind: str  # of LedgerTransType
    text: str = ""
    document: str = ""
    method: str = ""
    reference: str = ""
    prepayment: bool = False
    rate: Decimal | None = None  # of a payment with one of its own


def table_of(party: str) -> str:
    return "CustTrans" if party == "Cust" else "VendTrans"


def enter(world: World, home: Company, party: str, entry: Entry) -> Row:
    """File the transaction, open in full."""
    rate = number(entry.rate if entry.rate is not None else world.rate(home, entry.currency, entry.day))
    row = world.insert(
        table_of(party),
        {
            "dataAreaId": home.id,
            RECID: (recid := world.next_recid()),
            "AccountNum": entry.account,
            "AmountCur": entry.amount,
            "AmountMST": entry.amount * rate / HUNDRED,
            "CurrencyCode": entry.currency,
            "ExchRate": rate,
            "TransDate": entry.day,
            "DocumentDate": entry.day,
            "DueDate": entry.due,
            "Voucher": entry.voucher,
            "Invoice": entry.invoice,
            "TransType": entry.kind,
            "Txt": entry.text,
            "DocumentNum": entry.document,
            "PaymMode": entry.method,
            "PaymReference": entry.reference,
            "Prepayment": "Yes" if entry.prepayment else "No",
            "Approved": "Yes",
        },
    )
    if party == "Cust":
        world.insert(
            "CustTransOpen",
            {
                "dataAreaId": home.id, RECID: world.next_recid(), "RefRecId": recid, "AccountNum": entry.account,
                "AmountCur": entry.amount, "AmountMST": row["AmountMST"], "DueDate": entry.due, "TransDate": entry.day,
            },
        )  # fmt: skip
    return row


def remaining(row: Row) -> Decimal:
    """What is open of a transaction, in its currency."""
    return number(row.get("AmountCur", 0)) - number(row.get("SettleAmountCur", 0))


def settle(world: World, party: str, invoice: Row, payment: Row, amount: Decimal, paid: Decimal) -> None:
    """Settle ``amount`` of the invoice, in its currency, against ``paid`` of the payment in that of the payment. Both
    carry the sign of the invoice."""
    _settle(world, party, invoice, amount, payment)
    _settle(world, party, payment, -paid, invoice)


def _settle(world: World, party: str, row: Row, amount: Decimal, other: Row) -> None:
    settled = number(row.get("SettleAmountCur", 0)) + amount
    left = number(row["AmountCur"]) - settled
    day = max(row["TransDate"], other["TransDate"])
    changes: dict[str, Any] = {
        "SettleAmountCur": settled,
        "SettleAmountMST": settled * number(row["ExchRate"]) / HUNDRED,
        "LastSettleDate": day,
        "LastSettleVoucher": other["Voucher"],
        "LastSettleAccountNum": other["AccountNum"],
        "LastSettleCompany": other["dataAreaId"],
        "Closed": NO_DATE if left else day,
    }
    if party == "Vend":
        changes = {name: value for name, value in changes.items() if name in world.filed("VendTrans").blanks}
    world.update(table_of(party), row, changes)
    if party != "Cust":
        return
    for opened in world.find("CustTransOpen", "RefRecId", row[RECID]):
        if left:
            rate = number(row["ExchRate"]) / HUNDRED
            world.update("CustTransOpen", opened, {"AmountCur": left, "AmountMST": left * rate})
        else:
            world.delete("CustTransOpen", opened)


def current(world: World, party: str, row: Row) -> Row:
    """The transaction as it is now."""
    found = world.tables[table_of(party)].table.get(row["$key"])
    if found is None:
        raise KeyError(f"{table_of(party)} has no row {row['$key']}")
    return found
