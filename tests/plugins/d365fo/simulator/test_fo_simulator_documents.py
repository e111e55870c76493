"""Orders, quotations, invoices: what the server fills in, what it refuses, what posting makes of them."""

from __future__ import annotations

from typing import Any

ORDER = "SalesOrderHeadersV2"


def order(fo: Any, **header: Any) -> str:
    account = header.pop("account", None) or fo.customer(SiteId="1", WarehouseId="11")["CustomerAccount"]
    return str(fo.ok("POST", ORDER, {"OrderingCustomerAccountNumber": account, **header})["SalesOrderNumber"])


def test_a_minimal_order_is_filled_from_the_customer_and_the_item(fo: Any) -> None:
    account = fo.customer(SiteId="1", WarehouseId="11", PaymentTerms="Net30")["CustomerAccount"]
    head = fo.ok("POST", ORDER, {"OrderingCustomerAccountNumber": account, "PaymentTermsName": ""})
    assert head["InvoiceCustomerAccountNumber"] == account
    assert head["CurrencyCode"] == "USD"
    assert head["SalesOrderStatus"] == "Backorder"
    assert head["PaymentTermsName"] == "", "an empty text that was sent is no omitted one"
    line = fo.ok("POST", "SalesOrderLines", {"SalesOrderNumber": head["SalesOrderNumber"], "ItemNumber": "D000002"})
    item = fo.ok("GET", "ReleasedProductsV2(dataAreaId='usmf',ItemNumber='D000002')")
    assert (line["SalesUnitSymbol"], line["SalesPrice"], line["OrderedSalesQuantity"]) == ("ea", item["SalesPrice"], 1)
    assert (line["LineAmount"], line["ShippingSiteId"]) == (item["SalesPrice"], "1")
    assert line["InventoryLotId"]
    discounted = {"OrderedSalesQuantity": 3, "SalesPrice": 10, "LineDiscountPercentage": 10}
    key = f"SalesOrderLines(dataAreaId='usmf',InventoryLotId='{line['InventoryLotId']}')"
    fo.ok("PATCH", key, discounted)
    assert fo.ok("GET", key)["LineAmount"] == 27
    lines = fo.ok(
        "GET", f"{ORDER}(dataAreaId='usmf',SalesOrderNumber='{head['SalesOrderNumber']}')?$expand=SalesOrderLines"
    )
    assert [each["ItemNumber"] for each in lines["SalesOrderLines"]] == ["D000002"]


def test_what_an_order_line_lacks_is_told_in_the_words_of_the_infolog(fo: Any) -> None:
    number = order(fo, account=fo.customer()["CustomerAccount"])
    line = {"SalesOrderNumber": number, "ItemNumber": "D000001"}
    assert fo.refused(400, "POST", "SalesOrderLines", line) == (
        "Write failed for table row of type 'SalesOrderLineV2Entity'. Infolog: Warning: Inventory dimension Site is "
        "mandatory and must consequently be specified.; Error: Update has been canceled.."
    )
    assert fo.ok("POST", "SalesOrderLines", {**line, "ShippingWarehouseId": "21"})["ShippingSiteId"] == "2"
    message = fo.refused(400, "POST", "SalesOrderLines", {**line, "ItemNumber": "nix", "ShippingSiteId": "1"})
    assert "The value 'nix' in field 'Item number' is not found in the related table 'Released products'." in message
    fo.command("block_item", item="D000004", purpose="Purchase")
    vendor = fo.vendor()["VendorAccountNumber"]
    body = {"OrderVendorAccountNumber": vendor, "DefaultReceivingSiteId": "1"}
    purchase = fo.ok("POST", "PurchaseOrderHeadersV2", body)["PurchaseOrderNumber"]
    bought = {"PurchaseOrderNumber": purchase, "LineNumber": 1, "ItemNumber": "D000004"}
    message = fo.refused(400, "POST", "PurchaseOrderLinesV2", bought)
    assert (
        "Warning: Item 'D000004' is blocked for 'Purchase order'.; Warning: validateWrite failed on data source "
        in message
    )
    assert "'PurchLine (PurchLine)'." in message


def test_an_invoiced_order_is_read_back_with_totals_and_cannot_change(fo: Any) -> None:
    number = order(fo, CustomersOrderReference="weft-7")
    fo.ok(
        "POST",
        "SalesOrderLines",
        {"SalesOrderNumber": number, "ItemNumber": "D000001", "SalesPrice": 40, "OrderedSalesQuantity": 2},
    )
    assert fo.rows(f"{ORDER}?$filter=CustomersOrderReference eq 'weft-7'")[0]["OrderTotalAmount"] == 0
    posted = fo.command("post", set=ORDER, number=number)
    assert posted["TotalInvoiceAmount"] == "80"
    head = fo.rows(f"{ORDER}?$filter=CustomersOrderReference eq 'weft-7'")[0]
    assert (head["SalesOrderStatus"], head["OrderTotalAmount"]) == ("Invoiced", 80)
    journal = fo.rows(f"SalesInvoiceHeadersV2?$filter=SalesOrderNumber eq '{number}'&$expand=SalesInvoiceLinesV3")[0]
    assert journal["InvoiceNumber"] == posted["InvoiceNumber"]
    assert [line["LineAmount"] for line in journal["SalesInvoiceLinesV3"]] == [80]
    feed = fo.rows(f"CustInvoiceJourBiEntities?$filter=InvoiceId eq '{posted['InvoiceNumber']}'")[0]
    assert (feed["SalesId"], feed["InvoiceAmount"]) == (number, 80)
    key = f"{ORDER}(dataAreaId='usmf',SalesOrderNumber='{number}')"
    assert "has the status Invoiced" in fo.refused(400, "PATCH", key, {"SalesOrderName": "x"})
    assert "Infolog" in fo.refused(400, "DELETE", key)


def test_an_open_order_goes_with_its_lines(fo: Any) -> None:
    number = order(fo)
    fo.ok("POST", "SalesOrderLines", {"SalesOrderNumber": number, "ItemNumber": "D000001"})
    fo.ok("DELETE", f"{ORDER}(dataAreaId='usmf',SalesOrderNumber='{number}')")
    assert fo.rows(f"SalesOrderLines?$filter=SalesOrderNumber eq '{number}'") == []


def test_a_quotation_becomes_an_order(fo: Any) -> None:
    account = fo.customer(SiteId="1")["CustomerAccount"]
    quote = fo.ok("POST", "SalesQuotationHeadersV2", {"RequestingCustomerAccountNumber": account})[
        "SalesQuotationNumber"
    ]
    line = {"SalesQuotationNumber": quote, "ItemNumber": "D000003", "RequestedSalesQuantity": 4, "SalesPrice": 5}
    assert fo.ok("POST", "SalesQuotationLines", line)["LineAmount"] == 20
    made = fo.command("confirm_quotation", number=quote)
    head = fo.rows(f"SalesQuotationHeadersV2?$filter=SalesQuotationNumber eq '{quote}'")[0]
    assert (head["SalesQuotationStatus"], head["GeneratedSalesOrderNumber"]) == ("Confirmed", made["SalesOrderNumber"])
    lines = fo.rows(f"SalesOrderLines?$filter=SalesOrderNumber eq '{made['SalesOrderNumber']}'")
    assert [(each["OrderedSalesQuantity"], each["LineAmount"]) for each in lines] == [(4, 20)]


def test_a_free_text_invoice_gets_its_number_when_it_is_posted(fo: Any, money: Any) -> None:
    made = fo.free_text_invoice(250, CustomerReference="weft-ref")
    key = f"FreeTextInvoiceHeaders(dataAreaId='usmf',InvoiceIdentifier={made['InvoiceIdentifier']})"
    before = fo.ok("GET", key)
    assert (before["IsPosted"], before["FreeTextNumber"]) == ("No", "")
    posted = fo.command("post", set="FreeTextInvoiceHeaders", number=made["InvoiceIdentifier"])
    after = fo.ok("GET", f"{key}?$expand=CustFreeTextInvoiceHeader")
    assert (after["IsPosted"], after["FreeTextNumber"]) == ("Yes", posted["InvoiceNumber"])
    assert [line["TransactionCurrencyAmount"] for line in after["CustFreeTextInvoiceHeader"]] == [250]
    assert "has been posted" in fo.refused(400, "PATCH", key, {"CustomerReference": "x"})
    owed = fo.rows(f"CustTransactions?$filter=Invoice eq '{posted['InvoiceNumber']}'")[0]
    assert (owed["AmountCur"], owed["Closed"]) == (250, "1900-01-01T12:00:00Z")
    rest = fo.rows(f"CustTransOpens?$filter=AccountNum eq '{owed['AccountNum']}'")
    assert [row["AmountCur"] for row in rest] == [250]


def test_cash_terms_settle_an_invoice_at_once(fo: Any) -> None:
    posted = fo.posted_invoice(30, TermsOfPayment="COD")
    owed = fo.rows(f"CustTransactions?$filter=Invoice eq '{posted['InvoiceNumber']}'")[0]
    assert owed["SettleAmountCur"] == 30
    assert owed["Closed"] != "1900-01-01T12:00:00Z"


def test_pending_vendor_invoices_are_gone_once_posted(fo: Any) -> None:
    vendor = fo.vendor(DefaultPurchaseSiteId="1")["VendorAccountNumber"]
    head = fo.ok("POST", "VendorInvoiceHeaders", {"InvoiceAccount": vendor, "InvoiceNumber": "B-17"})
    line = {"HeaderReference": head["HeaderReference"], "ItemNumber": "D000001", "ReceiveNow": 2, "UnitPrice": 15}
    assert fo.ok("POST", "VendorInvoiceLines", line)["NetAmount"] == 30
    duplicate = {"InvoiceAccount": vendor, "InvoiceNumber": "B-17"}
    assert "exists already" in fo.refused(400, "POST", "VendorInvoiceHeaders", duplicate)
    fo.command("post", set="VendorInvoiceHeaders", number=head["HeaderReference"])
    assert fo.rows(f"VendorInvoiceHeaders?$filter=InvoiceAccount eq '{vendor}'") == []
    posted = fo.rows(f"VendInvoiceJourBiEntities?$filter=InvoiceAccount eq '{vendor}'")[0]
    assert (posted["InvoiceId"], posted["InvoiceAmount"]) == ("B-17", 30)
    assert fo.rows(f"VendTransBiEntities?$filter=AccountNum eq '{vendor}'")[0]["AmountCur"] == -30
    assert "already used" in fo.refused(400, "POST", "VendorInvoiceHeaders", duplicate)


def test_a_purchase_order_runs_to_its_invoice(fo: Any) -> None:
    vendor = fo.vendor(DefaultPurchaseSiteId="1")["VendorAccountNumber"]
    number = fo.ok("POST", "PurchaseOrderHeadersV2", {"OrderVendorAccountNumber": vendor})["PurchaseOrderNumber"]
    line = {"PurchaseOrderNumber": number, "LineNumber": 1, "ItemNumber": "D000001", "OrderedPurchaseQuantity": 2}
    assert fo.ok("POST", "PurchaseOrderLinesV2", {**line, "PurchasePrice": 7})["LineAmount"] == 14
    assert "The record already exists.." in fo.refused(400, "POST", "PurchaseOrderLinesV2", line)
    key = f"PurchaseOrderHeadersV2(dataAreaId='usmf',PurchaseOrderNumber='{number}')"
    fo.command("confirm", set="PurchaseOrderHeadersV2", number=number)
    assert fo.ok("GET", key)["DocumentApprovalStatus"] == "Confirmed"
    fo.ok("PATCH", key, {"VendorOrderReference": "x"})
    assert fo.ok("GET", key)["DocumentApprovalStatus"] == "Approved", "a change opens the order again"
    fo.command("post", set="PurchaseOrderHeadersV2", number=number, invoice="INV-1")
    assert fo.ok("GET", key)["PurchaseOrderStatus"] == "Invoiced"
