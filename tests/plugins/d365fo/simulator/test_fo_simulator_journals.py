"""Journals: numbers, defaults, accounts as display values, settlement, writers in each other's way."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

HEADS, LINES = "CustomerPaymentJournalHeaders", "CustomerPaymentJournalLines"


def journal(fo: Any, heads: str = HEADS, name: str = "CustPay") -> str:
    return str(fo.ok("POST", heads, {"JournalName": name})["JournalBatchNumber"])


def test_a_payment_line_is_defaulted_and_settles_the_invoice_it_names(fo: Any) -> None:
    account = fo.customer(CustomerAccount="US-108")["CustomerAccount"]
    invoice = fo.posted_invoice(100, CustomerAccount=account)["InvoiceNumber"]
    number = journal(fo)
    body = {"JournalBatchNumber": number, "LineNumber": 1, "CurrencyCode": "USD"}
    line = fo.ok("POST", LINES, body)
    assert (line["AccountType"], line["OffsetAccountType"], line["OffsetAccountDisplayValue"]) == (
        "Cust",
        "Bank",
        "USMF OPER",
    )
    assert line["Voucher"]
    key = f"{LINES}(dataAreaId='usmf',JournalBatchNumber='{number}',LineNumber=1)"
    wrong = fo.refused(400, "PATCH", key, {"AccountDisplayValue": "US-108"})
    assert "is not found in the related table 'Customers'." in wrong, "the hyphen of the account has to be escaped"
    paid = {
        "AccountDisplayValue": "US\\-108",
        "CreditAmount": 60,
        "MarkedInvoice": invoice,
        "PaymentReference": "weft-1",
    }
    fo.ok("PATCH", key, paid)
    assert fo.ok("GET", key)["CustomerName"] == "Adatum Lighting"
    fo.command("post", set=HEADS, number=number)
    owed = fo.rows(f"CustTransactions?$filter=Invoice eq '{invoice}'")[0]
    assert (owed["SettleAmountCur"], owed["LastSettleVoucher"]) == (60, line["Voucher"])
    assert fo.rows("CustTransOpens?$filter=AccountNum eq 'US-108'")[0]["AmountCur"] == 40
    assert "has been posted" in fo.refused(400, "PATCH", key, {"CreditAmount": 1})
    fo.command("receive_payment", invoice=invoice)
    assert fo.rows("CustTransOpens?$filter=AccountNum eq 'US-108'") == []
    assert fo.command("audit")["customers_open"] == fo.command("audit")["customers_listed"]


def test_one_payment_settles_several_invoices_in_another_currency(start: Any) -> None:
    fo = start(settled_due_dates=False)
    account = fo.customer(SalesCurrencyCode="EUR")["CustomerAccount"]
    first, second = (fo.posted_invoice(n, CustomerAccount=account)["InvoiceNumber"] for n in (100, 50))
    number = journal(fo)
    escaped = account.replace("-", "\\-")
    line = {"JournalBatchNumber": number, "LineNumber": 1, "CurrencyCode": "USD", "AccountDisplayValue": escaped}
    fo.ok("POST", LINES, {**line, "CreditAmount": 135})
    mark = {"JournalLineCompany": "usmf", "JournalBatchNumber": number, "JournalLineNumber": 1,
            "InvoiceCompany": "usmf",
            "InvoiceDueDate": "2026-01-31T12:00:00Z"}  # fmt: skip
    for invoice, amount in ((first, 100), (second, 20)):
        fo.ok(
            "POST",
            "PaymentJournalLineSettledInvoices",
            {**mark, "InvoiceNumber": invoice, "SettlementAmountInInvoiceCurrency": amount},
        )
    later = {**mark, "InvoiceNumber": second, "InvoiceDueDate": "2026-02-01T12:00:00Z"}
    too_much = {**later, "SettlementAmountInInvoiceCurrency": 51}
    assert "exceeds the open amount" in fo.refused(400, "POST", "PaymentJournalLineSettledInvoices", too_much)
    fo.command("post", set=HEADS, number=number)
    entries = fo.rows(f"CustTransactions?$filter=AccountNum eq '{account}'")
    settled = {row["Invoice"]: row["SettleAmountCur"] for row in entries}
    assert (settled[first], settled[second], settled[""]) == (100, 20, -135), "120 EUR are 135 USD"


def test_what_is_settled_names_the_day_it_is_due(fo: Any) -> None:
    account = fo.customer()["CustomerAccount"]
    invoice = fo.posted_invoice(100, CustomerAccount=account)["InvoiceNumber"]
    number = journal(fo)
    line = {"JournalBatchNumber": number, "LineNumber": 1, "CurrencyCode": "USD", "CreditAmount": 100}
    fo.ok("POST", LINES, {**line, "AccountDisplayValue": account.replace("-", "\\-")})
    mark = {"JournalLineCompany": "usmf", "JournalBatchNumber": number, "JournalLineNumber": 1,
            "InvoiceNumber": invoice, "InvoiceCompany": "usmf", "SettlementAmountInInvoiceCurrency": 100}  # fmt: skip
    wrong = {**mark, "InvoiceDueDate": "2020-01-31T12:00:00Z"}
    assert "not found" in fo.refused(400, "POST", "PaymentJournalLineSettledInvoices", wrong)
    [entry] = fo.rows(f"CustTransactions?$filter=Invoice eq '{invoice}'")
    fo.ok("POST", "PaymentJournalLineSettledInvoices", {**mark, "InvoiceDueDate": entry["DueDate"]})


def test_writers_to_one_journal_get_in_each_others_way(start: Any) -> None:
    fo = start()
    number = journal(fo)
    gate = threading.Event()

    async def held(seconds: float) -> None:
        await asyncio.to_thread(gate.wait, 20)

    def line(at: int) -> tuple[int, str]:
        body = {"JournalBatchNumber": number, "LineNumber": at, "CurrencyCode": "USD"}
        answer = fo.raw("POST", LINES, body)
        return answer.status_code, answer.text

    fo.sim.sleep = held
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(line, 1)
        deadline = time.monotonic() + 20
        while ("usmf", number) not in fo.sim.locks.busy:
            assert time.monotonic() < deadline, "the first line does not hold its journal"
            time.sleep(0.002)
        status, text = line(2)
        gate.set()
        assert first.result()[0] == 201
    assert status == 400
    assert "Cannot edit a record in Ledger journal table (LedgerJournalTable)" in text
    assert "An update conflict occurred due to another user process" in text
    assert line(2)[0] == 201
    assert len(fo.rows(f"{LINES}?$filter=JournalBatchNumber eq '{number}'")) == 2
    key = f"{HEADS}(dataAreaId='usmf',JournalBatchNumber='{number}')"
    message = fo.refused(400, "DELETE", key)
    assert "Ledger journal table cannot be deleted while dependent Journal lines exist." in message


def test_journals_of_one_kind_are_not_those_of_another(fo: Any) -> None:
    number = journal(fo, "LedgerJournalHeaders", "GenJrn")
    assert fo.call("GET", f"{HEADS}(dataAreaId='usmf',JournalBatchNumber='{number}')")[0] == 404
    assert number not in {row["JournalBatchNumber"] for row in fo.rows(HEADS)}
    wrong = fo.refused(400, "POST", HEADS, {"JournalName": "GenJrn"})
    assert "The value 'GenJrn' in field 'Journal name' is not found in the related table 'Journal names'." in wrong
    assert number in {row["JournalNum"] for row in fo.rows("LedgerJournalTableBiEntities?$select=JournalNum")}


def test_ledger_entries_balance_and_their_dimensions_exist(fo: Any) -> None:
    number = journal(fo, "LedgerJournalHeaders", "GenJrn")
    line = {"JournalBatchNumber": number, "CurrencyCode": "USD", "Voucher": "V1", "OffsetAccountDisplayValue": ""}
    first = {**line, "LineNumber": 1, "AccountDisplayValue": "606300-001-022--", "DebitAmount": 25}
    unknown = fo.refused(400, "POST", "LedgerJournalLines", {**first, "AccountDisplayValue": "606300-999---"})
    assert "999 is not a valid value for the financial dimension BusinessUnit." in unknown
    short = fo.refused(400, "POST", "LedgerJournalLines", {**first, "AccountDisplayValue": "606300-001"})
    assert "has 2 segments" in short
    fo.ok("POST", "LedgerJournalLines", first)
    with pytest.raises(ValueError, match="do not balance"):
        fo.command("post", set="LedgerJournalHeaders", number=number)
    fo.ok(
        "POST", "LedgerJournalLines", {**line, "LineNumber": 2, "AccountDisplayValue": "110110----", "CreditAmount": 25}
    )
    head = fo.rows(f"LedgerJournalHeaders?$filter=JournalBatchNumber eq '{number}'")[0]
    assert (head["JournalTotalDebit"], head["JournalTotalCredit"]) == (25, 25)
    fo.command("post", set="LedgerJournalHeaders", number=number)
    assert fo.rows(f"LedgerJournalHeaders?$filter=JournalBatchNumber eq '{number}'")[0]["IsPosted"] == "Yes"


def test_a_vendor_is_billed_and_paid_by_check(fo: Any) -> None:
    account = fo.vendor()["VendorAccountNumber"]
    number = journal(fo, "VendInvoiceJournalHeaders", "APInvoice")
    bill = {"JournalBatchNumber": number, "LineNumber": 1, "Currency": "USD", "AccountDisplayValue": account,
            "Credit": 80,
            "Invoice": "B-1", "OffsetAccountType": "Ledger", "OffsetAccountDisplayValue": "606300----"}  # fmt: skip
    fo.ok("POST", "VendInvoiceJournalLines", bill)
    fo.command("post", set="VendInvoiceJournalHeaders", number=number)
    assert fo.rows(f"VendTransBiEntities?$filter=AccountNum eq '{account}'")[0]["AmountCur"] == -80
    pay = journal(fo, "VendorPaymentJournalHeaders", "VendPay")
    line = {"JournalBatchNumber": pay, "LineNumber": 1, "CurrencyCode": "USD", "AccountDisplayValue": account,
            "DebitAmount": 80, "PaymentMethodName": "CHECK", "MarkedInvoice": "B-1"}  # fmt: skip
    assert fo.ok("POST", "VendorPaymentJournalLines", line)["CheckNumber"] == ""
    fo.command("post", set="VendorPaymentJournalHeaders", number=pay)
    assert fo.rows(f"VendorPaymentJournalLines?$filter=JournalBatchNumber eq '{pay}'")[0]["CheckNumber"]
    rows = fo.rows(f"VendTransBiEntities?$filter=AccountNum eq '{account}'")
    assert {row["Invoice"]: row["SettleAmountCur"] for row in rows} == {"B-1": -80, "": 80}


def test_a_trade_agreement_journal_takes_effect_when_it_is_posted(fo: Any) -> None:
    heads, lines = "TradeAgreementJournalHeaders", "OpenSalesPriceJournalLinesV2"
    assert "must be filled in" in fo.refused(400, "POST", heads, {"JournalDescription": "weft"})
    wrong = fo.refused(400, "POST", heads, {"TradeAgreementJournalNameId": "Nothing"})
    assert "is not found in the related table 'Trade agreement journal names'" in wrong
    header = fo.ok("POST", heads, {"TradeAgreementJournalNameId": "SalesPrice"})
    assert (header["Posted"], header["DefaultTradeAgreementType"]) == ("No", "PriceSales")
    number = header["JournalNumber"]
    body = {"TradeAgreementJournalNumber": number, "LineNumber": 1, "ItemNumber": "D000004", "Price": 12.5}
    assert "must be filled in" in fo.refused(400, "POST", lines, body)
    body["PriceCurrencyCode"] = "EUR"
    wrong = fo.refused(400, "POST", lines, {**body, "PriceCustomerGroupCode": "99"})
    assert "is not found in the related table 'Price customer groups'" in wrong
    line = fo.ok("POST", lines, body)
    assert (line["SalesPriceQuantity"], bool(line["QuantityUnitSymbol"])) == (1, True)
    key = f"{heads}(dataAreaId='usmf',JournalNumber='{number}')"
    assert "dependent Journal lines exist" in fo.refused(400, "DELETE", key)
    asked = "SalesPriceAgreements?$filter=ItemNumber eq 'D000004' and PriceCurrencyCode eq 'EUR' and Price eq 12.5"
    assert fo.rows(asked) == []
    fo.command("post", set=heads, number=number)
    [agreement] = fo.rows(asked)
    assert agreement["RecordId"] > 0
    assert fo.rows(f"{lines}?$filter=TradeAgreementJournalNumber eq '{number}'") == []
    assert "has been posted" in fo.refused(400, "POST", lines, {**body, "LineNumber": 2})
    assert "has been posted" in fo.refused(400, "PATCH", key, {"JournalDescription": "again"})
