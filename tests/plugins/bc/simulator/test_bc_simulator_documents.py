"""Documents: headers, lines, amounts, posting."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest

DIALOG = "Application_DialogException"


def test_a_header_needs_its_customer(bc: Any) -> None:
    assert (
        bc.refused(400, DIALOG, "POST", "salesOrders", {}) == 'A "customerNumber" or a "customerId" must be provided.'
    )
    text = bc.refused(400, DIALOG, "POST", "salesOrders", {"customerId": str(uuid.uuid4())})
    assert text == "The sell-to customer cannot be found."
    other = bc.rows("customers?$filter=number eq 'C10002'")[0]
    text = bc.refused(400, DIALOG, "POST", "salesInvoices", {"customerNumber": "C10001", "customerId": other["id"]})
    assert text == "The sell-to customer values do not match to a specific Customer."
    assert (
        bc.refused(400, DIALOG, "POST", "purchaseInvoices", {"vendorNumber": "NOPE"}) == "The vendor cannot be found."
    )


def test_local_currency_is_shown_by_its_code(bc: Any) -> None:
    zero = "00000000-0000-0000-0000-000000000000"
    order = bc.ok("POST", "salesOrders", {"customerId": bc.customer()["id"]})
    assert (order["currencyCode"], order["currencyId"]) == ("USD", zero)
    named = bc.ok("POST", "salesOrders", {"customerId": bc.customer()["id"], "currencyCode": "USD"})
    assert named["currencyId"] == zero
    euro = bc.rows("currencies?$filter=code eq 'EUR'")[0]
    text = bc.refused(
        400,
        DIALOG,
        "POST",
        "salesOrders",
        {"customerNumber": "C10001", "currencyId": euro["id"], "currencyCode": "GBP"},
    )
    assert text == "The currency values do not match to a specific Currency."


def test_line_amounts_discounts_taxes_and_header_totals(bc: Any) -> None:
    area = bc.rows("taxAreas?$filter=code eq 'ATLANTA, GA'")[0]
    group = bc.rows("taxGroups?$filter=code eq 'TAXABLE'")[0]
    customer = bc.customer(taxLiable=True, taxAreaId=area["id"])
    item = bc.item(taxGroupId=group["id"], unitPrice=33.33)
    body = {
        "customerId": customer["id"],
        "discountAmount": 10,
        "salesOrderLines": [
            {"itemId": item["id"], "quantity": 3, "discountPercent": 10},
            {"itemId": item["id"], "quantity": 1},
        ],
    }
    order = bc.ok("POST", "salesOrders?$expand=salesOrderLines", body)
    first, second = order["salesOrderLines"]
    assert (first["discountAmount"], first["amountExcludingTax"]) == (10, Decimal("89.99"))
    assert first["totalTaxAmount"] == Decimal("6.3")
    assert first["invoiceDiscountAllocation"] + second["invoiceDiscountAllocation"] == 10
    net = first["netAmount"] + second["netAmount"]
    assert order["totalAmountExcludingTax"] == net == Decimal("113.32")
    assert order["totalTaxAmount"] == first["netTaxAmount"] + second["netTaxAmount"]
    assert order["totalAmountIncludingTax"] == net + order["totalTaxAmount"]
    line = bc.patch(f"salesOrderLines({second['id']})", {"quantity": 2})
    assert line["amountExcludingTax"] == Decimal("66.66")
    after = bc.ok("GET", f"salesOrders({order['id']})")
    assert after["totalAmountExcludingTax"] == Decimal("146.65")
    assert after["@odata.etag"] != order["@odata.etag"], "a line change moves the document's tag"


def test_deep_insert_is_one_transaction_and_hides_lines_unless_expanded(bc: Any) -> None:
    count = bc.raw("GET", "salesOrders/$count").text
    body = {
        "customerNumber": "C10001",
        "salesOrderLines": [{"itemId": bc.item()["id"], "quantity": 1}, {"itemId": str(uuid.uuid4())}],
    }
    assert bc.refused(400, DIALOG, "POST", "salesOrders", body) == "Item does not exist."
    assert bc.raw("GET", "salesOrders/$count").text == count
    body["salesOrderLines"].pop()
    assert "salesOrderLines" not in bc.ok("POST", "salesOrders", body)
    bc.refused(
        400, "BadRequest_InvalidOperation", "PATCH", f"salesOrders({bc.rows('salesOrders?$top=1')[0]['id']})",
        {"salesOrderLines": []}, If_Match="*",
    )  # fmt: skip


def test_line_rules(bc: Any) -> None:
    order = bc.ok("POST", "salesOrders", {"customerNumber": "C10001"})
    lines = f"salesOrders({order['id']})/salesOrderLines"
    item, other = bc.item(), bc.item()
    account = bc.rows("accounts?$filter=number eq '40200'")[0]
    first = bc.ok("POST", lines, {"itemId": item["id"], "quantity": 1})
    second = bc.ok(
        "POST", "salesOrderLines", {"documentId": order["id"], "lineType": "Item", "lineObjectNumber": other["number"]}
    )
    assert (first["sequence"], second["sequence"]) == (10000, 20000)
    assert bc.ok("POST", lines, {"accountId": account["id"], "quantity": 2, "unitPrice": 5})["lineType"] == "Account"
    assert bc.ok("POST", lines, {"description": "Thank you"})["lineType"] == "Comment"
    both = {"itemId": item["id"], "accountId": account["id"]}
    assert (
        bc.refused(400, DIALOG, "POST", lines, both)
        == 'Both "itemId" and "accountId" are specified. Specify only one of them.'
    )
    bc.refused(400, "Internal_EntityWithSameKeyExists", "POST", lines, {"itemId": item["id"], "sequence": 10000})
    unit = bc.rows("unitsOfMeasure?$filter=code eq 'PCS'")[0]
    assert "unit of measure" in bc.refused(
        400, DIALOG, "POST", lines, {"accountId": account["id"], "unitOfMeasureId": unit["id"]}
    )
    bc.refused(400, DIALOG, "POST", "salesOrderLines", {"itemId": item["id"]})
    path = f"salesOrderLines({first['id']})"
    for name, value, words in (
        ("sequence", 5, 'The value for "sequence" cannot be modified. Delete and insert the line again.'),
        ("documentId", str(uuid.uuid4()), 'The value for "documentId" cannot be modified.'),
        ("lineObjectNumber", other["number"], 'The value for "lineObjectNumber" cannot be modified.'),
    ):
        assert bc.refused(400, DIALOG, "PATCH", path, {name: value}, If_Match="*") == words


def test_posting_keeps_the_id_changes_the_number_and_freezes(bc: Any) -> None:
    item = bc.item()
    body = {"customerNumber": "C10001", "salesInvoiceLines": [{"itemId": item["id"], "quantity": 2}]}
    draft = bc.ok("POST", "salesInvoices", body)
    assert (draft["status"], draft["number"][:5]) == ("Draft", "S-INV")
    assert bc.refused(400, DIALOG, "POST", f"salesInvoices({draft['id']})/Microsoft.NAV.cancel").startswith(
        "The action can be applied to a posted invoice only."
    )
    answer = bc.raw("POST", f"salesInvoices({draft['id']})/Microsoft.NAV.POST")
    assert answer.status_code == 204
    assert answer.headers["Location"].endswith(f"salesInvoices({draft['id']})")
    posted = bc.ok("GET", f"salesInvoices({draft['id']})")
    assert (posted["status"], posted["number"][:6]) == ("Open", "PS-INV")
    assert posted["remainingAmount"] == posted["totalAmountIncludingTax"] == 200
    path = f"salesInvoices({draft['id']})"
    assert (
        bc.refused(400, DIALOG, "POST", f"{path}/Microsoft.NAV.post")
        == "The action can be applied to a draft invoice only."
    )
    bc.refused(400, DIALOG, "PATCH", path, {"externalDocumentNumber": "x"}, If_Match="*")
    bc.refused(400, DIALOG, "DELETE", path)
    bc.refused(400, DIALOG, "POST", f"{path}/salesInvoiceLines", {"itemId": item["id"]})
    assert bc.ok("GET", f"items({item['id']})")["inventory"] == -2
    entries = bc.rows(f"generalLedgerEntries?$filter=documentNumber eq '{posted['number']}'")
    assert sum(e["debitAmount"] - e["creditAmount"] for e in entries) == 0


def test_nothing_to_post(bc: Any) -> None:
    draft = bc.ok("POST", "salesInvoices", {"customerNumber": "C10001"})
    assert (
        bc.refused(400, DIALOG, "POST", f"salesInvoices({draft['id']})/Microsoft.NAV.post")
        == "There is nothing to post."
    )
    bc.refused(404, "BadRequest_NotFound", "POST", f"salesInvoices({draft['id']})/Microsoft.NAV.release")


def test_a_fully_invoiced_order_becomes_an_invoice(bc: Any) -> None:
    body = {
        "customerNumber": "C10001",
        "externalDocumentNumber": "WEFT-1",
        "salesOrderLines": [{"itemId": bc.item()["id"], "quantity": 4}],
    }
    order = bc.ok("POST", "salesOrders", body)
    line = bc.rows(f"salesOrders({order['id']})/salesOrderLines")[0]
    bc.patch(f"salesOrderLines({line['id']})", {"shipQuantity": 3, "invoiceQuantity": 1})
    part = bc.raw("POST", f"salesOrders({order['id']})/Microsoft.NAV.shipAndInvoice")
    assert part.headers["Location"].endswith(f"salesOrders({order['id']})")
    line = bc.ok("GET", f"salesOrderLines({line['id']})")
    assert (line["shippedQuantity"], line["invoicedQuantity"], line["shipQuantity"], line["invoiceQuantity"]) == (
        3,
        1,
        1,
        3,
    )
    whole = bc.raw("POST", f"salesOrders({order['id']})/Microsoft.NAV.shipAndInvoice")
    invoice = bc.ok("GET", whole.headers["Location"])
    assert "/salesInvoices(" in whole.headers["Location"]
    assert (invoice["orderNumber"], invoice["orderId"], invoice["externalDocumentNumber"]) == (
        order["number"],
        order["id"],
        "WEFT-1",
    )
    assert invoice["totalAmountIncludingTax"] == 300
    bc.refused(404, "BadRequest_ResourceNotFound", "GET", f"salesOrders({order['id']})")
    assert len(bc.rows(f"salesShipments?$filter=orderNumber eq '{order['number']}'")) == 2


def test_quote_becomes_an_order(bc: Any) -> None:
    quote = bc.ok(
        "POST",
        "salesQuotes",
        {"customerNumber": "C10001", "salesQuoteLines": [{"itemId": bc.item()["id"], "quantity": 2}]},
    )
    made = bc.raw("POST", f"salesQuotes({quote['id']})/Microsoft.NAV.makeOrder")
    order = bc.ok("GET", made.headers["Location"] + "?$expand=salesOrderLines")
    assert order["totalAmountExcludingTax"] == 200
    assert order["salesOrderLines"][0]["shipQuantity"] == 2
    bc.refused(404, "BadRequest_ResourceNotFound", "GET", f"salesQuotes({quote['id']})")


def test_cancel_makes_a_corrective_credit_memo(bc: Any) -> None:
    invoice = bc.posted_invoice(80)
    path = f"salesInvoices({invoice['id']})"
    assert bc.raw("POST", f"{path}/Microsoft.NAV.cancel").status_code == 204
    after = bc.ok("GET", path)
    assert (after["status"], after["remainingAmount"]) == ("Canceled", 0)
    memo = bc.rows(f"salesCreditMemos?$filter=invoiceId eq {invoice['id']}")[0]
    assert (memo["status"], memo["totalAmountIncludingTax"]) == ("Corrective", 80)
    bc.refused(400, DIALOG, "POST", f"{path}/Microsoft.NAV.cancel")


def test_credit_memo_lowers_the_invoice_it_names(bc: Any) -> None:
    invoice = bc.posted_invoice(100)
    made = bc.raw("POST", f"salesInvoices({invoice['id']})/Microsoft.NAV.makeCorrectiveCreditMemo")
    memo = bc.ok("GET", made.headers["Location"])
    assert (memo["status"], memo["invoiceNumber"]) == ("Draft", invoice["number"])
    line = bc.rows(f"salesCreditMemos({memo['id']})/salesCreditMemoLines")[0]
    bc.patch(f"salesCreditMemoLines({line['id']})", {"unitPrice": 40})
    bc.ok("POST", f"salesCreditMemos({memo['id']})/Microsoft.NAV.post")
    assert bc.ok("GET", f"salesInvoices({invoice['id']})")["remainingAmount"] == 60


def test_purchases_post_with_the_vendors_number(bc: Any) -> None:
    vendor = bc.rows("vendors?$top=1")[0]
    body = {"vendorId": vendor["id"], "purchaseInvoiceLines": [{"itemId": bc.item()["id"], "quantity": 1}]}
    invoice = bc.ok("POST", "purchaseInvoices", body)
    path = f"purchaseInvoices({invoice['id']})"
    assert "Vendor Invoice No. must have a value" in bc.refused(400, DIALOG, "POST", f"{path}/Microsoft.NAV.post")
    bc.patch(path, {"vendorInvoiceNumber": "V-1"})
    bc.ok("POST", f"{path}/Microsoft.NAV.post")
    assert bc.ok("GET", f"vendors({vendor['id']})")["balance"] == 60
    again = bc.ok("POST", "purchaseInvoices", {**body, "vendorInvoiceNumber": "V-1"})
    text = bc.refused(400, DIALOG, "POST", f"purchaseInvoices({again['id']})/Microsoft.NAV.post")
    assert text == "Purchase Invoice V-1 already exists for this vendor."
    order = bc.ok(
        "POST",
        "purchaseOrders",
        {"vendorId": vendor["id"], "purchaseOrderLines": [{"itemId": bc.item()["id"], "quantity": 2}]},
    )
    made = bc.raw("POST", f"purchaseOrders({order['id']})/Microsoft.NAV.receiveAndInvoice")
    assert bc.ok("GET", made.headers["Location"])["totalAmountIncludingTax"] == 120


def test_blocked_customer(bc: Any) -> None:
    customer = bc.customer(blocked="All")
    text = bc.refused(400, DIALOG, "POST", "salesOrders", {"customerId": customer["id"]})
    assert f"when Customer {customer['number']} is blocked with type All" in text


def test_dimension_lines(bc: Any) -> None:
    order = bc.ok("POST", "salesOrders", {"customerNumber": "C10001"})
    path = f"salesOrders({order['id']})/dimensionSetLines"
    made = bc.ok("POST", path, {"code": "DEPARTMENT", "valueCode": "SALES"})
    assert (made["valueDisplayName"], made["parentType"]) == ("Sales", "Sales_x0020_Order")
    bc.refused(400, "Internal_EntityWithSameKeyExists", "POST", path, {"code": "DEPARTMENT", "valueCode": "PROD"})
    assert bc.patch(f"{path}({made['id']})", {"valueCode": "PROD"})["valueCode"] == "PROD"
    assert bc.refused(400, DIALOG, "POST", path, {"valueCode": "PROD"}) == 'The "id" or "code" field must be filled in.'
    bc.refused(400, DIALOG, "POST", "dimensionSetLines", {"code": "DEPARTMENT", "valueCode": "PROD"})
    assert bc.raw("DELETE", f"{path}({made['id']})").status_code == 204
    assert bc.rows(path) == []


@pytest.mark.parametrize("delete", [True, False])
def test_a_customer_in_use_cannot_be_deleted(bc: Any, delete: bool) -> None:
    customer = bc.customer()
    order = bc.ok("POST", "salesOrders", {"customerId": customer["id"]})
    bc.refused(400, DIALOG, "DELETE", f"customers({customer['id']})")
    if delete:
        assert bc.raw("DELETE", f"salesOrders({order['id']})").status_code == 204
        assert bc.raw("DELETE", f"customers({customer['id']})").status_code == 204
