"""Documents of every kind: made by weft, posted by people, read back in canonical terms."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from weft.model.values import Ref

DAY = date(2026, 5, 4)


def customer(bench):
    return Ref("CustomersV3", bench.first("CustTable", "CustomerAccount"))


def vendor(bench):
    return Ref("VendorsV2", bench.first("VendTable", "VendorAccountNumber"))


def item(bench):
    return Ref("ReleasedProductsV2", bench.first("InventTable", "ItemNumber"))


def account(number):
    return Ref("MainAccounts", f"Shared|{number}")


async def test_free_text_invoice_is_posted_and_paid(bench):
    lines = [
        {"description": "Chairs", "quantity": Decimal(3), "unit_price": Decimal(100), "discount_percent": Decimal(10)},
        {"account": account("401180"), "description": "Delivery", "quantity": Decimal(1), "unit_price": Decimal(30)},
    ]
    fields = {"customer": customer(bench), "date": DAY, "currency": "USD", "customer_reference": "PO 7"}
    fields |= {"dimensions.department": "022", "dimensions.business_unit": "001"}
    key = await bench.create("sales_invoice", fields, lines)
    draft = await bench.read("sales_invoice", key)
    assert draft.fields["status"] == "draft"
    assert draft.fields["number"] is None
    assert draft.fields["date"] == DAY
    assert draft.fields["dimensions.department"] == "022"
    assert [(one.fields["account"], one.fields["net_amount"]) for one in draft.lines["lines"]] == [
        (account("401100"), Decimal(270)), (account("401180"), Decimal(30)),
    ]  # fmt: skip
    posted = await bench.sim.command("post", set="FreeTextInvoiceHeaders", number=key, company="usmf")
    after = await bench.read("sales_invoice", key)
    assert after.fields["number"] == posted["InvoiceNumber"]
    assert after.fields["status"] == "posted"
    assert after.locked
    total = after.fields["gross_amount"]
    assert total >= 300
    await bench.sim.command("receive_payment", invoice=posted["InvoiceNumber"], amount="100", company="usmf")
    paid = await bench.read("sales_invoice", key)
    assert (paid.fields["status"], paid.fields["paid_amount"]) == ("partially_paid", Decimal(100))
    assert paid.fields["remaining_amount"] == total - 100


async def test_credit_memo_is_an_invoice_with_negative_quantities(bench):
    lines = [{"description": "Returned", "quantity": Decimal(2), "unit_price": Decimal("12.50")}]
    key = await bench.create("credit_memo", {"customer": customer(bench), "date": DAY, "currency": "USD"}, lines)
    back = await bench.read("credit_memo", key)
    [line] = back.lines["lines"]
    assert (line.fields["quantity"], line.fields["unit_price"], line.fields["net_amount"]) == (2, Decimal("12.5"), 25)
    held = bench.sim.world.find("FreeTextInvoiceLines", "ParentRecId", int(key))
    assert [row["Quantity"] for row in held] == [-2]
    record = (await bench.records("sales_invoice", "keys", keys=[key]))[key]
    [mapped] = bench.compiled("sales_invoice").read([record], bench.tables)
    assert mapped.excluded


async def test_receipts_and_charges_are_told_apart_from_invoices(bench):
    terms = bench.settings.cash_terms
    assert bench.sim.world.get("PaymentTerms", dataAreaId="usmf", Name=terms), "the simulator lacks cash terms"
    line = {"description": "Paid at once", "quantity": Decimal(1), "unit_price": Decimal(9)}
    base = {"customer": customer(bench), "date": DAY, "currency": "USD"}
    receipt = await bench.create("sales_receipt", base, [line])
    charge = await bench.create("statement_charge", base, [line])
    assert (await bench.read("sales_receipt", receipt)).fields["status"] == "draft"
    assert (await bench.read("statement_charge", charge)).fields["status"] == "draft"
    kinds = {
        entity: await bench.records(entity, "scan") for entity in ("sales_receipt", "statement_charge", "sales_invoice")
    }
    assert receipt in kinds["sales_receipt"]
    assert receipt not in kinds["statement_charge"]
    for key in (receipt, charge):
        [mapped] = bench.compiled("sales_invoice").read([kinds["sales_invoice"][key]], bench.tables)
        assert mapped.excluded


async def test_order_and_quote_with_discounts_and_the_orders_invoice(bench):
    lines = [
        {"product": item(bench), "description": "Two", "quantity": Decimal(2), "unit_price": Decimal(50),
         "discount_amount": Decimal(7)},
        {"product": item(bench), "description": "Five", "quantity": Decimal(5), "unit_price": Decimal(8),
         "discount_percent": Decimal(25), "tax": "FULL"},
    ]  # fmt: skip
    fields = {"customer": customer(bench), "delivery_date": DAY, "shipping_address.street": "1 Dock Road"}
    fields |= {"shipping_address.country": "US", "dimensions.cost_centre": "007"}
    quote = await bench.create("quote", fields, lines)
    told = await bench.read("quote", quote)
    assert [one.fields["net_amount"] for one in told.lines["lines"]] == [93, 30]
    order = await bench.create("sales_order", {**fields, "quote": Ref("SalesQuotationHeadersV2", quote)}, lines)
    back = await bench.read("sales_order", order)
    told = [[one.fields[name] for name in ("net_amount", "discount_amount", "discount_percent")]
            for one in back.lines["lines"]]  # fmt: skip
    assert told == [[93, 7, 7], [30, 10, 25]]
    assert back.fields["shipping_address.street"] == "1 Dock Road"
    assert back.fields["dimensions.cost_centre"] == "007"
    posted = await bench.sim.command("post", set="SalesOrderHeadersV2", number=order, company="usmf")
    after = await bench.read("sales_order", order)
    assert (after.fields["status"], after.fields["invoice_number"]) == ("invoiced", posted["InvoiceNumber"])
    [key] = [k for k in await bench.records("sales_invoice", "scan", "posted") if posted["InvoiceNumber"] in k]
    invoice = await bench.read("sales_invoice", key, "posted")
    assert invoice.fields["sales_order"] == Ref("SalesOrderHeadersV2", order)
    assert [one.fields["net_amount"] for one in invoice.lines["lines"]] == [93, 30]


async def test_an_invoice_of_goods_priced_by_the_hundred_tells_what_one_costs(bench):
    """Lines of posted invoices show the price and not how many pieces it is for."""
    order = await bench.create("sales_order", {"customer": customer(bench), "delivery_date": DAY})
    for quantity, price, per, more in (
        (40, "450", 100, {}),
        (40, "450", 100, {"LineDiscountAmount": 25}),
        (1000, "123.45", 100, {"LineDiscountPercentage": 60}),
        (7, "1.23456", 1, {}),
        (3, "30", 1, {"LineDiscountPercentage": 70}),
    ):
        values = {"dataAreaId": "usmf", "SalesOrderNumber": order, "ItemNumber": item(bench).key, "ShippingSiteId": "1",
                  "OrderedSalesQuantity": quantity, "SalesPrice": price, "SalesPriceQuantity": per, **more}  # fmt: skip
        await bench.sim.command("create", set="SalesOrderLines", values=values)
    posted = await bench.sim.command("post", set="SalesOrderHeadersV2", number=order, company="usmf")
    [key] = [k for k in await bench.records("sales_invoice", "scan", "posted") if posted["InvoiceNumber"] in k]
    told = [
        [one.fields[name] for name in ("unit_price", "discount_amount", "net_amount")]
        for one in (await bench.read("sales_invoice", key, "posted")).lines["lines"]
    ]
    assert told == [
        [Decimal("4.5"), 0, 180], [Decimal("4.5"), 10, 170], [Decimal("1.2345"), Decimal("740.7"), Decimal("493.8")],
        [Decimal("1.23456"), 0, Decimal("8.64")], [30, 63, 27],
    ]  # fmt: skip


async def test_bills_of_two_vendors_with_one_number_are_told_apart(bench):
    """Vendors number their invoices; a payment settles those of its own account."""
    both = [Ref("VendorsV2", row["VendorAccountNumber"]) for row in bench.sim.world.rows("VendTable", "usmf")[:2]]
    line = {"product": item(bench), "description": "Bought", "quantity": Decimal(1), "unit_price": Decimal(11)}
    bills, settled = {}, "VendorPaymentJournalLineSettledInvoices"
    for one in both:
        fields = {"vendor": one, "external_number": "1001", "date": DAY, "currency": "USD"}
        key = await bench.create("bill", fields, [line])
        posted = await bench.sim.command("post", set="VendorInvoiceHeaders", number=key, company="usmf")
        bills[one] = Ref("VendInvoiceJourBiEntities", str(posted["SourceKey"]))
    for one in both:
        pay = {"vendor": one, "bill": bills[one], "date": DAY, "amount": Decimal(11), "currency": "USD"}
        payment = await bench.create("bill_payment", pay)
        journal, number = payment.split("|")
        due = next(
            row["DueDate"] for row in bench.sim.world.rows("VendTrans", "usmf")
            if (row["Invoice"], row["AccountNum"]) == ("1001", one.key)
        )  # fmt: skip
        await bench.sim.command("create", set=settled, values={
            "JournalLineCompany": "usmf", "JournalBatchNumber": journal, "JournalLineNumber": Decimal(number),
            "InvoiceNumber": "1001", "InvoiceCompany": "usmf", "InvoiceDueDate": due,
            "SettlementAmountInInvoiceCurrency": 11})  # fmt: skip
        back = await bench.read("bill_payment", payment)
        assert back.fields["bill"] == bills[one]
        assert [line.fields["bill"] for line in back.lines["applications"]] == [bills[one]]


async def test_bill_moves_to_the_posted_one(bench):
    lines = [{"product": item(bench), "description": "Bought", "quantity": Decimal(4), "unit_price": Decimal(11)}]
    fields = {"vendor": vendor(bench), "external_number": "V-1001", "date": DAY, "currency": "USD"}
    key = await bench.create("bill", fields, lines)
    back = await bench.read("bill", key)
    assert (back.fields["external_number"], back.lines["lines"][0].fields["net_amount"]) == ("V-1001", 44)
    posted = await bench.sim.command("post", set="VendorInvoiceHeaders", number=key, company="usmf")
    remembered = {key: {"external_number": "V-1001", "vendor": vendor(bench)}}
    [page] = await bench.pages("bill", "keys", keys=[key], remembered=remembered)
    [moved] = page.moved
    assert (moved.to_object, moved.to_key) == ("VendInvoiceJourBiEntities", str(posted["SourceKey"]))
    known = await bench.read("bill", moved.to_key, "posted")
    assert (known.fields["external_number"], known.fields["status"]) == ("V-1001", "posted")
    pay = {"vendor": vendor(bench), "bill": Ref("VendInvoiceJourBiEntities", moved.to_key), "date": DAY,
           "amount": known.fields["gross_amount"], "currency": "USD", "bank_account": "USMF OPER"}  # fmt: skip
    payment = await bench.create("bill_payment", pay)
    assert (await bench.read("bill_payment", payment)).fields["invoice_number"] == "V-1001"
    await bench.sim.command("post", set="VendorPaymentJournalHeaders", number=payment.partition("|")[0], company="usmf")
    assert (await bench.read("bill", moved.to_key, "posted")).fields["status"] == "paid"
    assert (await bench.read("bill_payment", payment)).fields["status"] == "applied"


async def test_vendor_credit_and_purchase_order(bench):
    line = {"product": item(bench), "description": "Back", "quantity": Decimal(3), "unit_price": Decimal(5)}
    fields = {"vendor": vendor(bench), "external_number": "C-1", "date": DAY, "currency": "USD"}
    credit = await bench.create("vendor_credit", fields, [line])
    back = await bench.read("vendor_credit", credit)
    assert (back.lines["lines"][0].fields["quantity"], back.lines["lines"][0].fields["net_amount"]) == (3, 15)
    order = await bench.create("purchase_order", {"vendor": vendor(bench), "delivery_date": DAY}, [line, line])
    told = await bench.read("purchase_order", order)
    assert [one.fields["position"] for one in told.lines["lines"]] == [1, 2]
    assert told.fields["status"] == "open"


async def test_lines_of_shared_journals(bench):
    base = {"date": DAY, "currency": "USD", "bank_account": "USMF OPER"}
    pays = [bench.item("payment", "create", {**base, "customer": customer(bench), "amount": Decimal(n)})
            for n in range(1, 6)]  # fmt: skip
    outcomes = await bench.write("payment", *pays)
    keys = {str(outcome.key) for outcome in outcomes.values() if outcome.result == "created"}
    assert len(keys) == 5
    assert len({key.partition("|")[0] for key in keys}) == 1, "one open journal takes them all"
    deposit = await bench.create("deposit", {**base, "customer": customer(bench), "amount": Decimal(40)})
    check = await bench.create("check", {**base, "vendor": vendor(bench), "amount": Decimal(12)})
    card = await bench.create("card_charge", {**base, "account": account("606300"), "amount": Decimal(8)})
    assert (await bench.read("deposit", deposit)).fields["amount"] == 40
    assert (await bench.read("check", check)).fields["vendor"] == vendor(bench)
    charge = await bench.read("card_charge", card)
    assert (charge.fields["account"], charge.fields["bank_account"]) == (account("606300"), "USMF OPER")
    first = sorted(keys)[0]
    assert (await bench.read("payment", first)).fields["status"] == "open"
    journal = first.partition("|")[0]
    await bench.sim.command("post", set="CustomerPaymentJournalHeaders", number=journal, company="usmf")
    assert (await bench.read("payment", first)).fields["status"] == "posted"
    again = await bench.create("payment", {**base, "customer": customer(bench), "amount": Decimal(3)})
    assert again.partition("|")[0] != journal, "a posted journal takes no more"


async def test_payments_of_one_voucher_are_told_apart(bench):
    """A journal may have one voucher for all its lines; what is open is that of each one's own customer."""
    accounts = [row["CustomerAccount"] for row in bench.sim.world.rows("CustTable", "usmf")[:2]]
    base = {"date": DAY, "currency": "USD", "bank_account": "USMF OPER"}
    keys = [
        await bench.create("payment", {**base, "customer": Ref("CustomersV3", one), "amount": Decimal(amount)})
        for one, amount in zip(accounts, (100, 250), strict=True)
    ]
    journal = keys[0].partition("|")[0]
    lines = bench.sim.world.find("LedgerJournalTrans", "JournalBatchNumber", journal, "usmf")
    for line in lines:
        bench.sim.world.update("LedgerJournalTrans", line, {"Voucher": lines[0]["Voucher"]})
    await bench.sim.command("post", set="CustomerPaymentJournalHeaders", number=journal, company="usmf")
    told = [(await bench.read("payment", key)).fields["unapplied_amount"] for key in keys]
    assert told == [100, 250]


async def test_ledger_entry_balances_over_accounts_of_several_kinds(bench):
    lines = [
        {"account": account("606300"), "debit_amount": Decimal(75), "currency": "USD", "description": "Paper",
         "dimensions.department": "024", "date": DAY},
        {"bank_account": "USMF OPER", "credit_amount": Decimal(75), "currency": "USD", "description": "Paper",
         "date": DAY},
    ]  # fmt: skip
    key = await bench.create("journal_entry", {"description": "Office", "date": DAY}, lines)
    back = await bench.read("journal_entry", key)
    paper, bank = back.lines["lines"]
    assert (paper.fields["account"], paper.fields["dimensions.department"]) == (account("606300"), "024")
    assert (bank.fields["bank_account"], bank.fields["credit_amount"], bank.fields["account"]) == (
        "USMF OPER", 75, None,
    )  # fmt: skip
    assert (back.fields["debit_amount"], back.fields["status"]) == (75, "open")


async def test_refused_lines_do_not_leave_a_second_header_behind(bench):
    lines = [{"product": item(bench), "description": "One", "quantity": Decimal(1), "unit": "furlong"}]
    order = bench.item("sales_order", "create", {"customer": customer(bench)}, lines)
    outcome = (await bench.write("sales_order", order))[order.id]
    assert (outcome.result, outcome.error.fault) == ("partial", "record")
    assert "furlong" in outcome.error.message
    order.children[0].data["SalesUnitSymbol"] = "ea"  # somebody puts it right
    again = (await bench.write("sales_order", order))[order.id]
    assert (again.result, again.key) == ("created", outcome.key)
    assert [len(r.children["lines"]) for r in (await bench.records("sales_order", "scan")).values()] == [1]


def test_a_new_configuration_names_what_documents_cannot_do_without() -> None:
    """Without them the first invoice of a product and the first order are refused."""
    from weft_d365fo.connector import weft_connector

    samples = weft_connector().samples
    assert samples["revenue_account"]
    assert samples["site"]
