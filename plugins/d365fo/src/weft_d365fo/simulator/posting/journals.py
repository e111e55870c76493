"""Journals are posted as a whole: payments with what they settle, vendor invoices, ledger entries."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from weft.testing.odata.store import Row
from weft_d365fo.simulator.dimensions import split
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.posting.transactions import Entry, current, enter, remaining, settle
from weft_d365fo.simulator.rules.amounts import HUNDRED, due_date, number, rounded
from weft_d365fo.simulator.rules.journals import lines_of, open_invoice, posted
from weft_d365fo.simulator.schema import NO_DATE
from weft_d365fo.simulator.world import Company, World

ZERO = Decimal(0)
_SETTLED = {"Cust": "PaymentJournalLineSettledInvoices", "Vend": "VendorPaymentJournalLineSettledInvoices"}
_EVENTS = {
    "CustomerPayment": "CustomerPaymentPostedBusinessEvent",
    "VendorPayment": "VendorPaymentPostedBusinessEvent",
    "VendorInvoice": "VendorInvoicePostedBusinessEvent",
}


def post(world: World, home: Company, header: Row) -> Row:
    """Gives the header as it then is. Raises Refused."""
    number_ = header["JournalBatchNumber"]
    if header.get("IsPosted") == "Yes":
        raise posted(number_)
    lines = lines_of(world, home.id, number_)
    if not lines:
        raise refused("Error", f"Journal {number_} has no lines.")
    _balanced(world, home, lines)
    kind = header["$type"]
    for line in lines:
        for side in ("", "Offset"):
            _enter_side(world, home, kind, line, side)
        if kind in _EVENTS:
            world.tell(_EVENTS[kind], home.id, {"LegalEntity": home.id})
    return world.update("LedgerJournalTable", header, {"IsPosted": "Yes"})


def amount_of(line: Row) -> Decimal:
    """Debit positive."""
    return number(line.get("DebitAmount", 0)) - number(line.get("CreditAmount", 0))


def _balanced(world: World, home: Company, lines: list[Row]) -> None:
    """Per voucher, in the accounting currency; an offset account balances its line."""
    sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for line in lines:
        if not line.get("AccountDisplayValue"):
            raise refused("Error", f"Line {line['LineNumber']} has no account.")
        if line.get("OffsetAccountDisplayValue"):
            continue
        rate = number(world.rate(home, line["CurrencyCode"], line["TransDate"]))
        sums[line["Voucher"]] += rounded(world, home.currency, amount_of(line) * rate / HUNDRED)
    for voucher, total in sums.items():
        if total:
            raise refused(
                "Error",
                f"The transactions on voucher {voucher} do not balance. (accounting currency: {total:f})",
            )


def _enter_side(world: World, home: Company, kind: str, line: Row, side: str) -> None:
    """The account or the offset account of a line, where it is that of a customer or a vendor."""
    party, value = line.get(f"{side}AccountType"), line.get(f"{side}AccountDisplayValue")
    if party not in ("Cust", "Vend") or not value:
        return
    account = split(value, world.settings.delimiter)[0]
    amount = amount_of(line) if not side else -amount_of(line)
    pays = kind.endswith("Payment")
    invoice = "" if pays else line.get("Invoice", "")
    terms = line.get("TermsOfPayment", "")
    due = line.get("DueDate", NO_DATE)
    entry = Entry(
        account,
        amount,
        line["CurrencyCode"],
        line["TransDate"],
        due if due != NO_DATE else due_date(world, home.id, terms, line["TransDate"]),
        line["Voucher"],
        invoice,
        "Payment" if pays else ("Vend" if party == "Vend" else "GeneralJournal"),
        text=line.get("Text", ""),
        document=line.get("Document", ""),
        method=line.get("PaymentMethodName", ""),
        reference=line.get("PaymentReference", ""),
        prepayment=line.get("IsPrepayment") == "Yes",
        rate=_own_rate(line) if pays and not side else None,
    )
    row = enter(world, home, party, entry)
    if pays and not side:
        _settle_line(world, home, kind, party, account, line, row)
        if party == "Cust" and line.get("UseABankDepositSlip") == "Yes":
            slip = world.next_number(home.id, "deposit slips", "DEP{:06d}")
            line = world.update("LedgerJournalTrans", line, {"DepositNumber": slip})
        if party == "Vend" and line.get("PaymentMethodName") == "CHECK" and not line.get("CheckNumber"):
            world.update("LedgerJournalTrans", line, {"CheckNumber": world.next_number(home.id, "checks", "{:06d}")})


def _own_rate(line: Row) -> Decimal | None:
    """A rate the line was given; 100 stands for none where the currency is foreign."""
    rate = number(line.get("ExchangeRate", 0))
    return rate if rate not in (ZERO, HUNDRED) else None


def _settle_line(world: World, home: Company, kind: str, party: str, account: str, line: Row, payment: Row) -> None:
    """What the line is marked to settle: the list of invoices, or the one invoice it names."""
    marks = [
        (row["InvoiceNumber"], number(row["SettlementAmountInInvoiceCurrency"]))
        for row in world.find(_SETTLED[party], "JournalBatchNumber", line["JournalBatchNumber"])
        if str(row["JournalLineCompany"]).lower() == home.id and row["JournalLineNumber"] == line["LineNumber"]
    ]
    if not marks and line.get("MarkedInvoice"):
        marks = [(line["MarkedInvoice"], ZERO)]
    for invoice_number, wanted in marks:
        invoice = open_invoice(world, kind, home.id, account, invoice_number)
        if invoice is None:
            raise refused("Error", f"Invoice {invoice_number} of account {account} is not open.")
        _settle_invoice(world, party, invoice, current(world, party, payment), wanted)
    if world.settings.settled_after_posting == "gone":
        for row in list(world.find(_SETTLED[party], "JournalBatchNumber", line["JournalBatchNumber"])):
            if str(row["JournalLineCompany"]).lower() == home.id and row["JournalLineNumber"] == line["LineNumber"]:
                world.delete(_SETTLED[party], row)


def _settle_invoice(world: World, party: str, invoice: Row, payment: Row, wanted: Decimal) -> None:
    """As much as both have; ``wanted`` in the invoice's currency, 0: all."""
    sign = Decimal(1) if remaining(invoice) > 0 else Decimal(-1)
    cross = number(payment["ExchRate"]) / number(invoice["ExchRate"])
    if payment["CurrencyCode"] == invoice["CurrencyCode"]:
        cross = Decimal(1)
    available = abs(remaining(payment)) * cross
    amount = min(abs(remaining(invoice)), abs(wanted) or abs(remaining(invoice)), available)
    amount = rounded(world, invoice["CurrencyCode"], amount)
    paid = rounded(world, payment["CurrencyCode"], amount / cross)
    if amount:
        settle(world, party, invoice, payment, sign * amount, sign * paid)
