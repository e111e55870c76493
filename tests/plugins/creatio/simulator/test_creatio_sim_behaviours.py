"""What the server does around saves: numbers, sums, base amounts, payments, address rows."""

from __future__ import annotations

from decimal import Decimal

import pytest

EUR = "c0057119-53e6-df11-971b-001d60e938c6"
PAID_ORDER = "4721338e-a5f1-4529-96be-d3f311518812"
PARTLY_ORDER = "a2f17c7b-956b-47c8-9ea5-b545b74a26f6"
PAID_INVOICE = "698d39fd-52e6-df11-971b-001d60e938c6"
CANCELED_INVOICE = "3fb932ea-f36b-1410-2691-00155d043205"
FINISHED = "e9eb323c-b1ed-4b4b-8dd9-414ad95075d3"
PAYMENT = "d868f4b7-4946-4bb1-94bb-6fb93a513ce4"
ZERO = "00000000-0000-0000-0000-000000000000"
RATE = 0.9245


async def order_in_euro(site, **more):
    return await site.create("Order", CurrencyId=EUR, CurrencyRate=RATE, **more)


async def test_order_number_is_in_the_echo_and_kept_when_sent(site):
    first, second = await site.create("Order"), await site.create("Order")
    assert first["Number"].startswith("ORD-")
    assert int(second["Number"][4:]) == int(first["Number"][4:]) + 1
    assert (await site.create("Order", Number="MINE-1"))["Number"] == "MINE-1"
    await site.patch("Order", first["Id"], Number="")
    assert (await site.row("Order", first["Id"]))["Number"] == f"ORD-{int(second['Number'][4:]) + 1}"


@pytest.mark.parametrize(
    ("entity", "column", "values"), [("Invoice", "Number", {}), ("Account", "Code", {"Name": "N"})]
)
async def test_late_numbers_are_missing_in_the_echo_and_do_not_move_modified_on(site, entity, column, values):
    echo = await site.create(entity, **values)
    assert echo[column] == ""
    row = await site.row(entity, echo["Id"])
    assert row[column] != ""
    assert row["ModifiedOn"][:26].rstrip("Z0") == echo["ModifiedOn"][:26].rstrip("Z0")


async def test_lead_name_is_rebuilt_after_the_save(site):
    need = (await site.get("LeadType", top="1", orderby="Name"))["value"][0]
    echo = await site.create("Lead", LeadTypeId=need["Id"], Contact="Pat Doe", Account="Adatum")
    assert echo["LeadName"] == ""
    row = await site.row("Lead", echo["Id"])
    assert row["LeadName"] == f"{need['Name']} / Pat Doe, Adatum"
    account = await site.create("Account", Name="Qualified Inc")
    await site.patch("Lead", echo["Id"], QualifiedAccountId=account["Id"])
    assert (await site.row("Lead", echo["Id"]))["LeadName"].endswith("Pat Doe, Qualified Inc")


async def test_order_lines_take_currency_and_sum_into_the_header(site):
    order = await order_in_euro(site, Amount=999)
    before = (await site.row("Order", order["Id"]))["ModifiedOn"]
    line = await site.create("OrderProduct", OrderId=order["Id"], Name="A", Price=10, Amount=20, TotalAmount=24)
    assert line["CurrencyId"] == EUR
    assert line["PrimaryTotalAmount"] == Decimal("25.96")
    header = await site.row("Order", order["Id"])
    assert (header["Amount"], header["PrimaryAmount"]) == (Decimal("24.00"), Decimal("25.96"))
    assert header["ModifiedOn"] > before
    second = await site.create("OrderProduct", OrderId=order["Id"], CurrencyId=EUR, CurrencyRate=RATE, TotalAmount=6)
    assert second["PrimaryTotalAmount"] == 0
    assert (await site.row("Order", order["Id"]))["Amount"] == 30
    await site.call("DELETE", f"OrderProduct({line['Id']})")
    assert (await site.row("Order", order["Id"]))["Amount"] == 6


async def test_line_totals_are_only_computed_by_later_builds(site):
    order = await site.create("Order")
    values = {"OrderId": order["Id"], "Price": 10, "Quantity": 3, "DiscountPercent": 10, "DiscountTax": 20}
    assert (await site.create("OrderProduct", **values))["TotalAmount"] == 0
    site.sim.options.line_totals_on_server = True
    line = await site.create("OrderProduct", **values)
    assert (line["Amount"], line["DiscountAmount"], line["TaxAmount"], line["TotalAmount"]) == (
        30, 3, Decimal("5.40"), Decimal("32.40"),
    )  # fmt: skip


async def test_invoice_sums_come_by_direct_sql(site):
    invoice = await site.create("Invoice", CurrencyId=EUR, CurrencyRate=RATE)
    before = await site.row("Invoice", invoice["Id"])
    line = await site.create("InvoiceProduct", InvoiceId=invoice["Id"], Name="A", TotalAmount=24)
    assert line["PrimaryTotalAmount"] == Decimal("25.96")
    after = await site.row("Invoice", invoice["Id"])
    assert (after["Amount"], after["PrimaryAmount"]) == (24, Decimal("25.96"))
    assert after["ModifiedOn"] == before["ModifiedOn"]


async def test_opportunity_amount_is_the_sum_of_interests(site):
    opportunity = await site.create("Opportunity", Title="Deal")
    product = (await site.get("Product", top="1"))["value"][0]["Id"]
    for amount in (10, 15):
        await site.create(
            "OpportunityProductInterest", OpportunityId=opportunity["Id"], ProductId=product, Amount=amount
        )
    assert (await site.row("Opportunity", opportunity["Id"]))["Amount"] == 25


async def test_payment_status_of_an_order_follows_its_paid_amount(site):
    order = await site.create("Order")
    await site.create("OrderProduct", OrderId=order["Id"], TotalAmount=100)
    await site.patch("Order", order["Id"], PaymentAmount=40)
    assert (await site.row("Order", order["Id"]))["PaymentStatusId"] == PARTLY_ORDER
    await site.patch("Order", order["Id"], PaymentAmount=100)
    assert (await site.row("Order", order["Id"]))["PaymentStatusId"] == PAID_ORDER
    await site.patch("Order", order["Id"], PaymentAmount=0)
    assert (await site.row("Order", order["Id"]))["PaymentStatusId"] == PAID_ORDER


async def test_base_amount_is_filled_when_missing(site):
    order = await order_in_euro(site, Amount=92.45)
    assert order["PrimaryAmount"] == 100
    invoice = await site.create("Invoice", CurrencyId=EUR, CurrencyRate=2, Amount=92.45)
    assert (invoice["CurrencyRate"], invoice["PrimaryAmount"]) == (Decimal("0.92450000"), 100)


async def test_changed_rate_reprices_the_lines_silently(site):
    order = await order_in_euro(site)
    line = await site.create("OrderProduct", OrderId=order["Id"], Price=92.45, TotalAmount=92.45)
    stamp = (await site.row("OrderProduct", line["Id"]))["ModifiedOn"]
    await site.patch("Order", order["Id"], CurrencyRate=2)
    row = await site.row("OrderProduct", line["Id"])
    assert (row["Price"], row["TotalAmount"], row["ModifiedOn"]) == (200, 200, stamp)


async def test_invoice_payment_moves_instalments_and_the_order(site):
    order = await site.create("Order")
    invoice = await site.create("Invoice", OrderId=order["Id"])
    element = await site.create(
        "SupplyPaymentElement", Name="1", OrderId=order["Id"], InvoiceId=invoice["Id"], TypeId=PAYMENT,
        DatePlan="2024-01-01T00:00:00Z", AmountPlan=50,
    )  # fmt: skip
    await site.patch("Invoice", invoice["Id"], PaymentAmount=50, PrimaryPaymentAmount=50, PaymentStatusId=PAID_INVOICE)
    row = await site.row("SupplyPaymentElement", element["Id"])
    assert (row["AmountFact"], row["StateId"]) == (50, FINISHED)
    assert (await site.row("Order", order["Id"]))["PaymentAmount"] == 50
    await site.patch("Invoice", invoice["Id"], PaymentStatusId=CANCELED_INVOICE)
    assert (await site.row("SupplyPaymentElement", element["Id"]))["InvoiceId"] == ZERO
    assert (await site.row("Order", order["Id"]))["PaymentAmount"] == 0


async def test_instalment_facts_sum_into_the_order(site):
    order = await site.create("Order")
    element = await site.create(
        "SupplyPaymentElement", Name="1", OrderId=order["Id"], TypeId=PAYMENT, DatePlan="2024-01-01T00:00:00Z",
        AmountFact=30,
    )  # fmt: skip
    assert (await site.row("Order", order["Id"]))["PaymentAmount"] == 30
    await site.call("DELETE", f"SupplyPaymentElement({element['Id']})")
    assert (await site.row("Order", order["Id"]))["PaymentAmount"] == 0


async def test_account_address_and_phone_make_detail_rows(site):
    account = await site.create("Account", Name="Placed", Address="1 Mill Road", Zip="12345", Phone="100")
    mine = {"filter": f"Account/Id eq {account['Id']}"}
    (address,) = (await site.get("AccountAddress", **mine))["value"]
    assert (address["Address"], address["Primary"]) == ("1 Mill Road", True)
    (number,) = (await site.get("AccountCommunication", **mine))["value"]
    assert number["Number"] == "100"
    await site.patch("Account", account["Id"], Phone="200", Zip="54321")
    assert [row["Number"] for row in (await site.get("AccountCommunication", **mine))["value"]] == ["200"]
    assert [row["Zip"] for row in (await site.get("AccountAddress", **mine))["value"]] == ["54321"]
    await site.patch("Account", account["Id"], Phone="")
    assert (await site.get("AccountCommunication", **mine))["value"] == []


async def test_primary_address_writes_back_and_takes_primary_from_siblings(site):
    account = await site.create("Account", Name="Placed", Address="1 Mill Road")
    new = await site.create("AccountAddress", AccountId=account["Id"], Address="2 Harbor Street", Primary=True)
    assert (await site.row("Account", account["Id"]))["Address"] == "2 Harbor Street"
    mine = {"filter": f"Account/Id eq {account['Id']} and Primary eq true"}
    assert [row["Id"] for row in (await site.get("AccountAddress", **mine))["value"]] == [new["Id"]]


async def test_contact_name_is_split_and_career_kept(site):
    account = await site.create("Account", Name="Employer")
    contact = await site.create("Contact", Name="Ann Mary Lee", AccountId=account["Id"], Email="ann@lee.example")
    assert (contact["GivenName"], contact["MiddleName"], contact["Surname"]) == ("Ann", "Mary", "Lee")
    mine = {"filter": f"Contact/Id eq {contact['Id']}", "orderby": "CreatedOn"}
    assert len((await site.get("ContactCommunication", **mine))["value"]) == 1
    await site.patch("Contact", contact["Id"], AccountId="e308b781-3c5b-4ecb-89ef-5c1ed4da488e")
    careers = (await site.get("ContactCareer", **mine))["value"]
    assert [row["Current"] for row in careers] == [False, True]


async def test_rate_in_force_is_the_row_created_last(site):
    for start, rate in (("2024-06-01T00:00:00Z", 0.5), ("2024-01-01T00:00:00Z", 0.8)):
        await site.create("CurrencyRate", CurrencyId=EUR, StartDate=start, Rate=rate)
    invoice = await site.create("Invoice", CurrencyId=EUR, Amount=8)
    assert (invoice["CurrencyRate"], invoice["PrimaryAmount"]) == (Decimal("0.80000000"), 10)
    await site.create("CurrencyRate", CurrencyId=EUR, StartDate="2024-01-01T00:00:00Z", Rate=1.75, RateMantissa="25")
    invoice = await site.create("Invoice", CurrencyId=EUR, Amount=10)
    assert (invoice["CurrencyRate"], invoice["PrimaryAmount"]) == (Decimal("1.25000000"), 8)


async def test_a_failing_handler_rolls_everything_back(site):
    person = site.sim.as_user()
    before = site.sim.site.db.value("SELECT count(*) FROM Contact")
    site.sim.site.deny("ContactCareer", "insert")
    with pytest.raises(RuntimeError):
        person.create("Contact", {"Name": "Half Saved", "AccountId": "e308b781-3c5b-4ecb-89ef-5c1ed4da488e"})
    assert site.sim.site.db.value("SELECT count(*) FROM Contact") == before
