"""Journals and payments."""

from __future__ import annotations

from typing import Any

import pytest

DIALOG = "Application_DialogException"


def payment_journal(bc: Any, code: str, balanced: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = {"code": code}
    if balanced:
        body["balancingAccountId"] = bc.rows("bankAccounts?$top=1")[0]["id"]
    return dict(bc.ok("POST", "customerPaymentJournals", body))


def test_a_payment_settles_the_invoice_and_the_journal_is_empty(bc: Any) -> None:
    invoice = bc.posted_invoice(100)
    journal = payment_journal(bc, "PAY1")
    lines = f"customerPaymentJournals({journal['id']})/customerPayments"
    made = bc.ok("POST", lines, {"amount": -30, "appliesToInvoiceId": invoice["id"]})
    assert (made["customerNumber"], made["appliesToInvoiceNumber"], made["lineNumber"]) == (
        invoice["customerNumber"], invoice["number"], 10000,
    )  # fmt: skip
    assert bc.ok("GET", f"salesInvoices({invoice['id']})")["remainingAmount"] == 100, "not before it is posted"
    assert bc.raw("POST", f"journals({journal['id']})/Microsoft.NAV.post").status_code == 204
    assert bc.rows(lines) == []
    part = bc.ok("GET", f"salesInvoices({invoice['id']})")
    assert (part["status"], part["remainingAmount"]) == ("Open", 70)
    bc.ok("POST", lines, {"amount": -100, "appliesToInvoiceId": invoice["id"]})
    bc.ok("POST", f"journals({journal['id']})/Microsoft.NAV.post")
    paid = bc.ok("GET", f"salesInvoices({invoice['id']})")
    assert (paid["status"], paid["remainingAmount"]) == ("Paid", 0)
    assert paid["lastModifiedDateTime"] == part["lastModifiedDateTime"] == invoice["lastModifiedDateTime"]
    detail = bc.ok("GET", f"customers({invoice['customerId']})/customerFinancialDetail")
    assert detail["balance"] == -30, "what was paid too much stays open"


def test_receipts_are_negative_in_the_journal(bc: Any) -> None:
    invoice = bc.posted_invoice(10)
    journal = payment_journal(bc, "PAY2")
    bc.ok("POST", "customerPayments", {"journalId": journal["id"], "amount": 10, "appliesToInvoiceId": invoice["id"]})
    text = bc.refused(400, DIALOG, "POST", f"journals({journal['id']})/Microsoft.NAV.post")
    assert text.startswith("Amount must be negative in Gen. Journal Line")
    assert len(bc.rows(f"customerPayments?$filter=journalId eq {journal['id']}")) == 1


def test_a_payment_applies_to_posted_invoices_only(bc: Any) -> None:
    draft = bc.ok("POST", "salesInvoices", {"customerNumber": "C10001"})
    journal = payment_journal(bc, "PAY3")
    text = bc.refused(
        400, DIALOG, "POST", f"customerPaymentJournals({journal['id']})/customerPayments",
        {"amount": -1, "appliesToInvoiceId": draft["id"]},
    )  # fmt: skip
    assert text == 'The "appliesToInvoiceId" should be set to the ID of an Open, Paid, Corrective, or Canceled Invoice.'


def test_batches_balance_before_they_post(bc: Any) -> None:
    journal = bc.ok("POST", "journals", {"code": "gl1"})
    assert (journal["code"], journal["templateDisplayName"]) == ("GL1", "GENERAL")
    post = f"journals({journal['id']})/Microsoft.NAV.post"
    assert bc.refused(400, DIALOG, "POST", post) == "There is nothing to post."
    lines = f"journals({journal['id']})/journalLines"
    bc.ok("POST", lines, {"accountNumber": "60200", "amount": 100.5, "documentNumber": "G1", "lineNumber": 10000})
    assert "out of balance by 100.5" in bc.refused(400, DIALOG, "POST", post)
    bc.ok("POST", lines, {"accountNumber": "10100", "amount": -100.5, "documentNumber": "G1"})
    bc.ok("POST", post)
    entries = bc.rows("generalLedgerEntries?$filter=documentNumber eq 'G1'")
    assert [(e["debitAmount"] - e["creditAmount"]) for e in entries] == [pytest.approx(100.5), pytest.approx(-100.5)]
    account = bc.rows("accounts?$filter=number eq '60200'")[0]
    assert float(account["netChange"]) == 100.5


def test_journal_line_rules(bc: Any) -> None:
    journal = bc.ok("POST", "journals", {"code": "GL2"})
    lines = f"journals({journal['id']})/journalLines"
    account = bc.rows("accounts?$filter=number eq '60200'")[0]
    line = bc.ok("POST", lines, {"accountId": account["id"], "amount": 1, "lineNumber": 10000})
    assert line["accountNumber"] == "60200"
    bc.refused(
        400, "Internal_EntityWithSameKeyExists", "POST", lines, {"accountId": account["id"], "lineNumber": 10000}
    )
    text = bc.refused(400, DIALOG, "POST", lines, {"accountId": account["id"], "accountNumber": "10100"})
    assert text == "The account values do not match to a specific Account."
    text = bc.refused(400, DIALOG, "POST", lines, {"accountNumber": "NONE"})
    assert text == 'The "accountNumber" does not match to an Account.'
    bc.refused(
        400,
        DIALOG,
        "PATCH",
        f"journalLines({line['id']})",
        {"journalId": journal["id"][::-1].replace("-", "")[:8] + "-0000-4000-8000-000000000000"},
        If_Match="*",
    )
    bc.refused(400, "Application_StringExceededLength", "POST", "journals", {"code": "TOO LONG CODE"})
    bc.refused(400, DIALOG, "POST", "journals", {})


def test_vendor_payment_by_marking_entries(bc: Any) -> None:
    vendor = bc.rows("vendors?$top=1&$skip=1")[0]
    body = {
        "vendorId": vendor["id"],
        "vendorInvoiceNumber": "A-7",
        "purchaseInvoiceLines": [{"itemId": bc.item()["id"], "quantity": 1}],
    }
    invoice = bc.ok("POST", "purchaseInvoices", body)
    bc.ok("POST", f"purchaseInvoices({invoice['id']})/Microsoft.NAV.post")
    bank = bc.rows("bankAccounts?$top=1")[0]
    journal = bc.ok("POST", "vendorPaymentJournals", {"code": "VPAY", "balancingAccountId": bank["id"]})
    payment = bc.ok(
        "POST", f"vendorPaymentJournals({journal['id']})/vendorPayments", {"vendorId": vendor["id"], "amount": 60}
    )
    entries = bc.rows(f"vendorPayments({payment['id']})/applyVendorEntries")
    assert [(e["documentType"], e["externalDocumentNumber"]) for e in entries] == [("Invoice", "A-7")]
    marked = bc.patch(f"vendorPayments({payment['id']})/applyVendorEntries({entries[0]['id']})", {"applied": True})
    assert marked["applied"] is True
    bc.ok("POST", f"journals({journal['id']})/Microsoft.NAV.post")
    assert bc.ok("GET", f"purchaseInvoices({invoice['id']})")["status"] == "Paid"
    assert bc.ok("GET", f"vendors({vendor['id']})")["balance"] == 0


def test_people_pay_through_commands_and_the_books_agree(bc: Any) -> None:
    invoice = bc.posted_invoice(55)
    part = bc.command("receive_payment", invoice=invoice["number"], amount="5.5")
    assert part["remainingAmount"] == "49.5"
    assert bc.command("receive_payment", invoice=invoice["id"])["status"] == "Paid"
    audit = bc.command("audit")
    assert audit["debit"] == audit["credit"]


def test_rates_are_the_administrators(bc: Any) -> None:
    bc.command("set_rate", currency="EUR", rate="2")
    order = bc.ok(
        "POST",
        "salesOrders",
        {
            "customerId": bc.customer(currencyCode="EUR")["id"],
            "salesOrderLines": [{"itemId": bc.item()["id"], "quantity": 1}],
        },
    )
    assert order["totalAmountExcludingTax"] == 50
    bc.refused(405, "BadRequest_MethodNotAllowed", "POST", "currencyExchangeRates", {})


def test_time_registration(bc: Any) -> None:
    employee = bc.rows("employees?$top=1")[0]
    path = f"employees({employee['id']})/timeRegistrationEntries"
    made = bc.ok("POST", path, {"date": "2026-05-04", "quantity": 7.5, "jobNumber": "PR00010"})
    assert (made["employeeNumber"], made["unitOfMeasureCode"], made["status"]) == (employee["number"], "HOUR", "Open")
    assert "lastModfiedDateTime" in made
    assert bc.patch(f"{path}({made['id']})", {"quantity": 8})["quantity"] == 8


def test_journals_with_their_lines_in_one_request(bc: Any) -> None:
    bank = bc.rows("bankAccounts?$top=1")[0]
    invoice = bc.posted_invoice(20)
    body = {
        "code": "DEEP1",
        "balancingAccountId": bank["id"],
        "customerPayments": [{"amount": -20, "appliesToInvoiceNumber": invoice["number"]}],
    }
    journal = bc.ok("POST", "customerPaymentJournals?$expand=customerPayments", body)
    assert journal["balancingAccountNumber"] == bank["number"]
    assert journal["customerPayments"][0]["appliesToInvoiceId"] == invoice["id"]
    bc.ok("POST", f"journals({journal['id']})/Microsoft.NAV.post")
    assert bc.ok("GET", f"salesInvoices({invoice['id']})")["status"] == "Paid"
    general = {
        "code": "DEEP2",
        "journalLines": [{"accountNumber": "60300", "amount": 5}, {"accountNumber": "10100", "amount": -5}],
    }
    made = bc.ok("POST", "journals", general)
    lines = bc.rows(f"journals({made['id']})/journalLines")
    assert len({line["documentNumber"] for line in lines}) == 1
    bc.ok("POST", f"journals({made['id']})/Microsoft.NAV.post")
    assert bc.raw("DELETE", f"customerPaymentJournals({journal['id']})").status_code == 204
    assert bc.call("GET", f"journals({journal['id']})")[0] == 404


def test_a_payment_of_a_settled_invoice_is_refused_and_nothing_is_posted(bc: Any) -> None:
    invoice = bc.posted_invoice(10)
    bc.command("receive_payment", invoice=invoice["id"])
    journal = payment_journal(bc, "PAY9")
    lines = f"customerPaymentJournals({journal['id']})/customerPayments"
    other = bc.posted_invoice(10)
    bc.ok("POST", lines, {"amount": -10, "appliesToInvoiceId": other["id"]})
    bc.ok("POST", lines, {"amount": -10, "appliesToInvoiceId": invoice["id"]})
    text = bc.refused(400, DIALOG, "POST", f"journals({journal['id']})/Microsoft.NAV.post")
    assert "There is no Cust. Ledger Entry within the filter." in text
    assert bc.ok("GET", f"salesInvoices({other['id']})")["status"] == "Open", "one transaction"
    assert len(bc.rows(lines)) == 2


def test_default_dimensions_of_a_customer(bc: Any) -> None:
    customer = bc.customer()
    dimension = bc.rows("dimensions?$filter=code eq 'DEPARTMENT'")[0]
    value = bc.rows(f"dimensions({dimension['id']})/dimensionValues")[0]
    path = f"customers({customer['id']})/defaultDimensions"
    body = {"dimensionId": dimension["id"], "dimensionValueId": value["id"], "postingValidation": "Same Code"}
    made = bc.ok("POST", path, body)
    assert (made["dimensionCode"], made["postingValidation"]) == ("DEPARTMENT", "Same_x0020_Code")
    assert made["parentType"] == "Customer"
    bc.refused(400, "Internal_EntityWithSameKeyExists", "POST", path, body)
    assert len(bc.rows(f"defaultDimensions?$filter=parentId eq {customer['id']}")) == 1
