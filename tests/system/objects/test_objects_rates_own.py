"""Every document and entry of the package that Finance & Operations keeps a rate for takes its own along, both ways."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest
from tests.system.objects.books_fo import RATES
from tests.system.objects.pairs import Pair, goods, make_pair

DOCUMENTS = [("statement_charge", "statement_charges", "StatementCharge", "buyer"),
             ("credit_memo", "credit_memos", "CreditMemo", "buyer"),
             ("sales_receipt", "receipts", "SalesReceipt", "buyer"),
             ("bill", "bills", "Bill", "seller"),
             ("vendor_credit", "vendor_credits", "VendorCredit", "seller")]  # fmt: skip
CARD = {"CardAccountId": "bank", "GLAccountId": "expense"}
ENTRIES = [("payment", "payments_received", "PaymentReceived", "buyer", {}),
           ("bill_payment", "bill_payments", "BillPayment", "seller", {"BankAccountId": "bank"}),
           ("deposit", "deposits", "Deposit", "buyer", {"BankAccountId": "bank", "GLAccountId": "income"}),
           ("check", "checks", "Check", "seller", {"BankAccountId": "bank", "GLAccountId": "expense"}),
           ("card_charge", "card_charges", "CardCharge", "seller", CARD)]  # fmt: skip


@pytest.fixture(scope="module")
def pair(make_pack: Any) -> Pair:
    connections = {"crm": {"document_rates": True}}
    return make_pair(lambda kind, changes: make_pack(kind, changes, connections), "d365fo")


def there(pair: Pair, entity: str, key: str) -> tuple[str, D]:
    """(currency, rate for a hundred) in Finance & Operations."""
    row = pair.books.row(entity, key)
    return row.get("CurrencyCode") or row["Currency"], D(row[RATES.get(entity, "ExchangeRate")])


def here(pair: Pair, name: str, key: str) -> tuple[str, D]:
    row = pair.world.row(f"Usr{name}", key)
    return row["UsrCurrencyId"], row["UsrCurrencyRate"]


def euros(pair: Pair) -> dict[str, Any]:
    """0.8 euros for a dollar."""
    return {"CurrencyId": pair.world.currency("EUR"), "CurrencyRate": D("0.8")}


@pytest.mark.parametrize(("entity", "flow", "name", "party"), DOCUMENTS, ids=[one[0] for one in DOCUMENTS])
def test_documents(pair: Pair, entity: str, flow: str, name: str, party: str) -> None:
    world = pair.world
    more = {"VendorInvoiceNumber": "RATE-1"} if entity == "bill" else {}
    key = pair.own(name, goods(pair), AccountId=pair.here(party), **euros(pair), **more)
    world.sync(flow)
    assert there(pair, entity, pair.sent(entity, key)) == ("EUR", 125)
    if world.config["flows"][flow]["direction"] == "both":
        line = (pair.there("chair"), 1, 100)
        typed = pair.books.document(
            entity, pair.there(party), [line], external=f"RATE-{entity}", currency="EUR", rate=D("92.45")
        )
        world.sync(flow)
        assert here(pair, name, pair.arrived(entity, typed)) == (world.currency("EUR"), D("1.08166577"))
        assert there(pair, entity, typed) == ("EUR", D("92.45"))
    world.quiet(flow)


@pytest.mark.parametrize(("entity", "flow", "name", "party", "columns"), ENTRIES, ids=[one[0] for one in ENTRIES])
def test_payments_and_bank_entries(
    pair: Pair, entity: str, flow: str, name: str, party: str, columns: dict[str, str]
) -> None:
    world = pair.world
    values = {column: pair.here(of) for column, of in columns.items()}
    if entity != "card_charge":
        values["AccountId"] = pair.here(party)
    key = pair.own(name, Amount=D("45.60"), Date="2026-05-04T00:00:00Z", **values, **euros(pair))
    typed = pair.books.entry(
        entity, D("12.30"), party=pair.there(party), account=pair.there("expense"), currency="EUR", rate=D("92.45")
    )
    world.sync(flow)
    assert there(pair, entity, pair.sent(entity, key)) == ("EUR", 125)
    assert here(pair, name, pair.arrived(entity, typed)) == (world.currency("EUR"), D("1.08166577"))
    world.quiet(flow)
    assert there(pair, entity, typed) == ("EUR", D("92.45"))


def test_lines_of_journal_entries(pair: Pair) -> None:
    world, books = pair.world, pair.books
    key = pair.own("JournalEntry", Description="Reclass", CurrencyId=world.currency("EUR"))
    for number, (account, debit, credit) in enumerate((("expense", 80, 0), ("income", 0, 80)), 1):
        world.add("UsrJournalEntryLine", UsrJournalEntryId=key, UsrLineNumber=number, UsrGLAccountId=pair.here(account),
                  UsrDescription=f"Line {number}", UsrDebit=D(debit), UsrCredit=D(credit),
                  UsrCurrencyId=world.currency("EUR"), UsrCurrencyRate=D("0.8"))  # fmt: skip
    world.sync("journal_entries")
    rows = books.rows("LedgerJournalLines", JournalBatchNumber=pair.sent("journal_entry", key))
    assert [(row["CurrencyCode"], D(row["ExchRate"])) for row in rows] == [("EUR", 125)] * 2
    typed = books.journal([(pair.there("expense"), D(15)), (pair.there("income"), D(-15))], currency="EUR",
                          rate=D("92.45"))  # fmt: skip
    world.sync("journal_entries")
    lines = world.rows("UsrJournalEntryLine", UsrJournalEntryId=pair.arrived("journal_entry", typed))
    assert [one["UsrCurrencyRate"] for one in lines] == [D("1.08166577")] * 2
    world.quiet("journal_entries")
