"""Writing to a site: creates that find themselves again, guarded updates, documents with lines."""

from __future__ import annotations

import uuid
from dataclasses import replace
from decimal import Decimal

import pytest

from weft.errors import AuthError, EndpointDown
from weft.records import Child, Item
from weft.testing.simulator import Fault
from weft_creatio import connector
from weft_creatio.package.names import Names

CUSTOMER = "03a75490-53e6-df11-971b-001d60e938c6"
EMAIL = "ee1c85c3-cfcb-df11-9b2a-001d60e938c6"
EUR = "c0057119-53e6-df11-971b-001d60e938c6"
POSTED = Names().row("PaymentStatus", "Posted")


def new(mapping, data, *, children=(), own_key=None):
    key = own_key or str(uuid.uuid4())
    return Item(
        uuid.uuid4().hex, "create", mapping.mapping, mapping.mapping.object.read,
        {"Id": key, **mapping.mapping.where, **data}, own_key=key, children=list(children),
    )  # fmt: skip


def change(mapping, key, data, version=None, *, op="update", children=()):
    return Item(
        uuid.uuid4().hex, op, mapping.mapping, mapping.mapping.object.read, data, key=key, version=version,
        children=list(children),
    )  # fmt: skip


def line(op, data=None, key=None, version=None, name=None):
    return Child("lines", op, name or uuid.uuid4().hex, key, version, data or {})


async def only(crm, item):
    return (await crm.write([item]))[item.id]


async def record(crm, mapping, key):
    return (await crm.read("keys", mapping, keys=[key])).by_key[key]


@pytest.fixture
async def stocked(crm):
    """An account and a product to write documents about."""
    person = crm.sim.as_user()
    account = person.create("Account", {"Name": "Adatum", "TypeId": CUSTOMER})
    product = person.create("Product", {"Name": "Pump", "Code": "P-1", "Price": Decimal("10.00")})
    return crm, account, product


@pytest.fixture(params=["json", "multipart", "none", "stopping"])
async def any_batch(request, open_crm):
    """A session in each form of batch."""
    connection = {"continue_on_error": False} if request.param == "stopping" else {"batch": request.param}
    return await open_crm(connection=connection)


# -- single records ----------------------------------------------------------------------------------


async def test_a_batch_of_creates_keeps_one_result_each(any_batch):
    crm, customers = any_batch, any_batch.mapping("customer", "account")
    good = [new(customers, {"Name": f"Adatum {n}", "email": {"Number": f"a{n}@adatum.example"}}) for n in range(5)]
    bad = new(customers, {"Name": "Wrong", "CountryId": str(uuid.uuid4())})
    outcomes = await crm.write([*good[:2], bad, *good[2:]])
    assert outcomes[bad.id].result == "rejected"
    assert outcomes[bad.id].error.fault == "record"
    assert "foreign key" in outcomes[bad.id].error.message
    for item in good:
        assert (outcomes[item.id].result, outcomes[item.id].key) == ("created", item.own_key)
        found = await record(crm, customers, item.own_key)
        assert found.children["email"][0].data["Number"] == item.data["email"]["Number"]
        assert found.changed_by == crm.session.identity
    assert len(crm.sim.site.db.rows("Account", "TypeId=?", (CUSTOMER,))) == 5


async def test_values_come_back_as_they_were_written(crm):
    customers = crm.mapping("customer", "account")
    limit = Decimal("12345678901234.56")
    text = "Łódź 'O''Brien' \"quoted\" 大阪 \\ / <b> & 100%"
    item = new(customers, {"Name": text, "UsrCreditLimit": limit, "Notes": "line\nline"})
    assert (await only(crm, item)).result == "created"
    data = (await record(crm, customers, item.own_key)).data
    assert (data["Name"], data["UsrCreditLimit"], data["Notes"]) == (text, limit, "line\nline")
    assert isinstance(data["UsrCreditLimit"], Decimal)


async def test_clearing_texts_lookups_dates_and_parts(crm):
    customers = crm.mapping("customer", "account")
    place = crm.sim.site.db.rows("City", "1=1", ())[0]
    item = new(customers, {"Name": "Adatum", "CityId": place["Id"], "Zip": "1000", "email": {"Number": "a@b.example"}})
    await only(crm, item)
    found = await record(crm, customers, item.own_key)
    outcome = await only(crm, change(
        customers, found.key, {"CityId": None, "Zip": None, "email": {"Number": None}}, found.version
    ))  # fmt: skip
    assert outcome.result == "updated"
    after = await record(crm, customers, item.own_key)
    assert after.data["CityId"].strip("0-") == ""
    assert after.data["Zip"] == ""
    assert after.children["email"] == []


async def test_an_email_is_changed_in_its_row_and_added_where_there_is_none(crm):
    customers = crm.mapping("customer", "account")
    item = new(customers, {"Name": "Adatum"})
    await only(crm, item)
    for address in ("first@adatum.example", "second@adatum.example"):
        assert (await only(crm, change(customers, item.own_key, {"email": {"Number": address}}))).result == "updated"
    rows = crm.sim.site.db.rows("AccountCommunication", "AccountId=? AND CommunicationTypeId=?", (item.own_key, EMAIL))
    assert [row["Number"] for row in rows] == ["second@adatum.example"]


async def test_a_stale_version_is_a_conflict_and_writes_nothing(any_batch):
    crm, customers = any_batch, any_batch.mapping("customer", "account")
    person = crm.sim.as_user()
    keys = [person.create("Account", {"Name": f"A{n}", "TypeId": CUSTOMER}) for n in range(3)]
    found = (await crm.read("keys", customers, keys=keys)).by_key
    crm.clock.advance(1)
    person.edit("Account", keys[1], {"Notes": "a person's"})
    items = [change(customers, key, {"Notes": "ours"}, found[key].version) for key in keys]
    outcomes = await crm.write(items)
    assert [outcomes[item.id].result for item in items] == ["updated", "conflict", "updated"]
    notes = [crm.sim.site.db.row("Account", key)["Notes"] for key in keys]
    assert notes == ["ours", "a person's", "ours"]


async def test_a_row_that_is_gone_is_a_conflict_although_patch_says_204(crm):
    customers = crm.mapping("customer", "account")
    outcome = await only(crm, change(customers, str(uuid.uuid4()), {"Notes": "x"}, "2024-01-01T00:00:00Z"))
    assert outcome.result == "conflict"
    assert "no longer there" in outcome.error.message


@pytest.mark.parametrize("build", ["reject", "ignore"])
async def test_unknown_columns_are_refused_before_anything_is_sent(open_crm, build):
    crm = await open_crm(unknown_property_on_patch=build)
    customers = crm.mapping("customer", "account")
    key = crm.sim.as_user().create("Account", {"Name": "Adatum", "TypeId": CUSTOMER})
    before = len(crm.requests("PATCH"))
    outcome = await only(crm, change(customers, key, {"Notes": "x", "UsrNothing": 1}))
    assert outcome.result == "rejected"
    assert outcome.error.fault == "configuration"
    assert outcome.error.field == "UsrNothing"
    assert len(crm.requests("PATCH")) == before
    assert crm.sim.site.db.row("Account", key)["Notes"] == ""


async def test_values_that_do_not_fit_are_the_records_fault(crm):
    product = crm.mapping("product")
    outcome = await only(crm, new(product, {"Name": "Pump", "UnitId": "no guid"}))
    assert outcome.result == "rejected"
    assert "UnitId" in outcome.error.message
    assert outcome.error.fault == "record"


async def test_deletes(crm):
    customers = crm.mapping("customer", "account")
    person = crm.sim.as_user()
    free, used, edited = (person.create("Account", {"Name": n, "TypeId": CUSTOMER}) for n in ("a", "b", "c"))
    person.create("Order", {"AccountId": used})
    found = (await crm.read("keys", customers, keys=[free, used, edited])).by_key
    crm.clock.advance(1)
    person.edit("Account", edited, {"Notes": "x"})
    items = {key: change(customers, key, {}, found[key].version, op="delete") for key in (free, used, edited)}
    missing = change(customers, str(uuid.uuid4()), {}, op="delete")
    outcomes = await crm.write([*items.values(), missing])
    results = {key: outcomes[item.id].result for key, item in items.items()}
    assert results == {free: "deleted", used: "rejected", edited: "conflict"}
    assert outcomes[missing.id].result == "deleted"
    assert "foreign key" in outcomes[items[used].id].error.message


async def test_rights_are_the_configurations_fault(crm):
    customers = crm.mapping("customer", "account")
    crm.sim.site.deny("Account", "insert")
    outcome = await only(crm, new(customers, {"Name": "Adatum"}))
    assert outcome.result == "rejected"
    assert outcome.error.fault == "configuration"


async def test_oauth_learns_its_identity_from_the_first_record(open_crm):
    crm = await open_crm(oauth=True)
    assert crm.session.identity is None
    await only(crm, new(crm.mapping("product"), {"Name": "Pump"}))
    assert crm.session.identity == crm.sim.site.technical_user.contact


# -- lost answers ------------------------------------------------------------------------------------


async def test_a_lost_answer_leaves_creates_in_doubt_and_repeating_makes_no_second(crm):
    customers = crm.mapping("customer", "account")
    items = [new(customers, {"Name": f"Adatum {n}"}) for n in range(3)]
    crm.sim.faults.add(Fault("lost_answer", method="POST", path="batch", after=2))
    outcomes = await crm.write(items)
    assert {outcome.result for outcome in outcomes.values()} == {"in_doubt"}
    again = await crm.write(items)
    assert [(again[i.id].result, again[i.id].key) for i in items] == [("created", i.own_key) for i in items]
    assert len(crm.sim.site.db.rows("Account", "TypeId=?", (CUSTOMER,))) == 3


async def test_a_lost_answer_to_an_update_is_tried_again(crm):
    customers = crm.mapping("customer", "account")
    key = crm.sim.as_user().create("Account", {"Name": "Adatum", "TypeId": CUSTOMER})
    crm.sim.faults.add(Fault("lost_answer", method="PATCH"))
    item = change(customers, key, {"Notes": "x"})
    assert (await only(crm, item)).result == "retry"
    assert (await only(crm, item)).result == "updated"


@pytest.mark.parametrize("single", [True, False])
async def test_an_error_after_the_row_was_written_is_found_out(crm, single):
    customers = crm.mapping("customer", "account")
    items = [new(customers, {"Name": f"Adatum {n}"}) for n in range(1 if single else 3)]
    if single:
        crm.sim.faults.add(Fault("error_after_commit", method="POST", path="odata/Account", status=500))
    else:
        crm.sim.faults.add(Fault("partial_batch", method="POST", index=1, late=True))
    outcomes = await crm.write(items)
    assert {outcome.result for outcome in outcomes.values()} == {"created"}
    assert len(crm.sim.site.db.rows("Account", "TypeId=?", (CUSTOMER,))) == len(items)


async def test_a_failure_inside_a_batch_is_one_records(crm):
    customers = crm.mapping("customer", "account")
    items = [new(customers, {"Name": f"Adatum {n}"}) for n in range(3)]
    crm.sim.faults.add(Fault("partial_batch", method="POST", index=1))
    outcomes = await crm.write(items)
    assert [outcomes[item.id].result for item in items] == ["created", "retry", "created"]
    assert outcomes[items[1].id].error.fault == "endpoint"


async def test_a_session_that_ends_within_a_batch_is_nobodys_mistake(crm):
    account = crm.mapping("customer", "account")
    items = [new(account, {"Name": f"Tailspin {n}"}) for n in range(3)]
    crm.sim.faults.add(Fault("partial_batch", method="POST", index=1, status=401))
    outcomes = await crm.write(items)
    assert [outcomes[item.id].result for item in items] == ["created", "retry", "created"]
    assert (await only(crm, items[1])).result == "created"


async def test_an_expired_session_in_the_middle_of_writing(open_crm):
    for oauth in (False, True):
        crm = await open_crm(oauth=oauth)
        customers = crm.mapping("customer", "account")
        crm.sim.faults.add(Fault("token_expiry", method="POST", path="batch"))
        outcomes = await crm.write([new(customers, {"Name": f"A{n}"}) for n in range(3)])
        assert {outcome.result for outcome in outcomes.values()} == {"created"}


async def test_throttling_while_writing(crm):
    customers = crm.mapping("customer", "account")
    crm.sim.faults.add(Fault("throttle", method="POST", path="batch", retry_after=0))
    outcomes = await crm.write([new(customers, {"Name": f"A{n}"}) for n in range(3)])
    assert {outcome.result for outcome in outcomes.values()} == {"created"}
    assert len(crm.sim.site.db.rows("Account", "TypeId=?", (CUSTOMER,))) == 3


async def test_the_lease_is_asked_before_every_send(crm):
    before = crm.notes.asked
    await crm.write([new(crm.mapping("product"), {"Name": "Pump"})])
    assert crm.notes.asked > before


# -- documents ---------------------------------------------------------------------------------------


def order_data(account, **more):
    return {"AccountId": account, "Date": "2024-01-15", "CurrencyId": EUR, **more}


async def test_an_order_with_lines_has_the_amounts_the_server_does_not_compute(stocked):
    crm, account, product = stocked
    orders = crm.mapping("sales_order", "order")
    lines = [
        line("create", {"ProductId": product, "Name": "Pump", "Quantity": Decimal("3"), "Price": Decimal("99.99"),
                        "DiscountPercent": Decimal("10"), "DiscountTax": Decimal("19")}),
        line("create", {"Name": "Freight", "Quantity": Decimal("1"), "Price": Decimal("12.30")}),
    ]  # fmt: skip
    item = new(orders, order_data(account), children=lines)
    outcome = await only(crm, item)
    assert outcome.result == "created"
    assert set(outcome.children) == {one.id for one in lines}
    found = await record(crm, orders, item.own_key)
    rows = {row.key: row.data for row in found.children["lines"]}
    pump, freight = (rows[outcome.children[one.id]] for one in lines)
    assert (pump["Amount"], pump["DiscountAmount"], pump["TaxAmount"], pump["TotalAmount"]) == (
        Decimal("299.97"), Decimal("30.00"), Decimal("51.29"), Decimal("321.26"))  # fmt: skip
    assert freight["TotalAmount"] == Decimal("12.30")
    assert found.data["Amount"] == Decimal("333.56")
    stored = crm.sim.site.db.row("Order", item.own_key)
    assert stored["CurrencyRate"] == 92_450_000  # the site's rate, not the column's default of 1
    canonical = orders.read([found], await crm.tables(orders))[0].canonical
    assert canonical.fields["gross_amount"] == Decimal("333.56")
    assert canonical.lines["lines"][0].fields["net_amount"] in (Decimal("269.97"), Decimal("12.30"))


async def test_amounts_of_the_other_side_are_kept_to_the_cent(stocked):
    crm, account, product = stocked
    invoices = crm.mapping("sales_invoice", "invoice")
    data = {
        "ProductId": product, "Quantity": Decimal("3"), "Price": Decimal("33.33"), "DiscountAmount": Decimal("0.01"),
        "TaxAmount": Decimal("19.98"), "TotalAmount": Decimal("119.96"),
    }  # fmt: skip
    item = new(invoices, {"AccountId": account, "CurrencyId": EUR, "StartDate": "2024-02-29"},
               children=[line("create", data)])  # fmt: skip
    assert (await only(crm, item)).result == "created"
    found = await record(crm, invoices, item.own_key)
    row = found.children["lines"][0].data
    assert (row["DiscountAmount"], row["TaxAmount"], row["TotalAmount"]) == (
        Decimal("0.01"), Decimal("19.98"), Decimal("119.96"))  # fmt: skip
    assert found.data["Amount"] == Decimal("119.96")
    assert found.data["StartDate"].startswith("2024-02-29T00:00:00")
    assert found.data["Number"].startswith("INV-")


async def test_lines_are_changed_added_and_removed(stocked):
    crm, account, product = stocked
    orders = crm.mapping("sales_order", "order")
    first = [line("create", {"ProductId": product, "Quantity": Decimal(n), "Price": Decimal("10")}) for n in (1, 2, 3)]
    item = new(orders, order_data(account), children=first)
    made = await only(crm, item)
    found = await record(crm, orders, item.own_key)
    rows = {row.key: row for row in found.children["lines"]}
    one, two, three = (rows[made.children[child.id]] for child in first)
    added = line("create", {"Name": "New", "Quantity": Decimal("4"), "Price": Decimal("5")})
    changes = [
        line("update", {"Quantity": Decimal("7")}, one.key, one.version),
        line("delete", None, two.key, two.version), added,
    ]  # fmt: skip
    crm.clock.advance(1)
    outcome = await only(crm, change(orders, found.key, {"Comment": "changed"}, found.version, children=changes))
    assert outcome.result == "updated"
    assert set(outcome.children) == {added.id}
    after = await record(crm, orders, item.own_key)
    assert after.data["Comment"] == "changed"
    totals = {row.key: row.data["TotalAmount"] for row in after.children["lines"]}
    fourth = outcome.children[added.id]
    assert totals == {one.key: Decimal("70.00"), three.key: Decimal("30.00"), fourth: Decimal("20.00")}
    assert after.data["Amount"] == Decimal("120.00")
    stored = crm.sim.site.db.row("OrderProduct", one.key)
    assert stored["PrimaryTotalAmount"] == 7572  # 70.00 / 0.9245, which the server leaves to the page


async def test_a_line_somebody_changed_makes_the_document_a_conflict(stocked):
    crm, account, product = stocked
    orders = crm.mapping("sales_order", "order")
    child = line("create", {"ProductId": product, "Quantity": Decimal(1), "Price": Decimal("10")})
    item = new(orders, order_data(account), children=[child])
    made = await only(crm, item)
    found = await record(crm, orders, item.own_key)
    key = made.children[child.id]
    crm.clock.advance(1)
    crm.sim.as_user().edit("OrderProduct", key, {"Notes": "by hand"})
    row = found.children["lines"][0]
    outcome = await only(crm, change(
        orders, found.key, {"Comment": "ours"}, found.version,
        children=[line("update", {"Quantity": 2}, key, row.version)],
    ))  # fmt: skip
    assert outcome.result == "conflict"
    assert crm.sim.site.db.row("Order", item.own_key)["Comment"] == ""


async def test_a_document_interrupted_between_header_and_lines_is_finished(stocked):
    crm, account, product = stocked
    orders = crm.mapping("sales_order", "order")
    lines = [line("create", {"ProductId": product, "Quantity": Decimal(n), "Price": Decimal("10")}) for n in (1, 2)]
    item = new(orders, order_data(account), children=lines)
    crm.sim.faults.add(Fault("lost_answer", method="POST", path="batch", after=1))
    outcome = await only(crm, item)
    assert outcome.result == "partial"
    assert outcome.key == item.own_key
    again = await only(crm, item)
    assert again.result == "created"
    assert set(again.children) == {one.id for one in lines}
    found = await record(crm, orders, item.own_key)
    assert len(found.children["lines"]) == 2
    assert found.data["Amount"] == Decimal("30.00")


async def test_a_refused_line_leaves_a_partial_document(stocked):
    crm, account, product = stocked
    orders = crm.mapping("sales_order", "order")
    good = line("create", {"ProductId": product, "Quantity": Decimal(1), "Price": Decimal("10")})
    bad = line("create", {"ProductId": str(uuid.uuid4()), "Quantity": Decimal(1), "Price": Decimal("10")})
    outcome = await only(crm, new(orders, order_data(account), children=[bad, good]))
    assert outcome.result == "partial"
    assert good.id in outcome.children
    assert bad.id not in outcome.children
    assert outcome.error.fault == "record"
    assert "OrderProduct create" in outcome.error.message


async def test_builds_that_compute_totals_themselves_are_read_back(open_crm):
    crm = await open_crm(line_totals_on_server=True)
    orders = crm.mapping("sales_order", "order")
    account = crm.sim.as_user().create("Account", {"Name": "Adatum", "TypeId": CUSTOMER})
    child = line("create", {"Name": "x", "Quantity": Decimal(2), "Price": Decimal("10"), "TotalAmount": Decimal("999")})
    item = new(orders, order_data(account), children=[child])
    outcome = await only(crm, item)
    assert outcome.result == "created"
    assert outcome.record is None
    found = await record(crm, orders, item.own_key)
    assert found.data["Amount"] == Decimal("20.00")


async def test_what_was_paid_reaches_the_invoice_and_its_order(stocked):
    crm, account, product = stocked
    invoices, orders = crm.mapping("sales_invoice", "invoice"), crm.mapping("sales_order", "order")
    order = new(orders, order_data(account), children=[
        line("create", {"ProductId": product, "Quantity": Decimal(1), "Price": Decimal("100")})])  # fmt: skip
    await only(crm, order)
    item = new(invoices, {"AccountId": account, "CurrencyId": EUR, "OrderId": order.own_key}, children=[
        line("create", {"ProductId": product, "Quantity": Decimal(1), "Price": Decimal("100")})])  # fmt: skip
    await only(crm, item)
    found = await record(crm, invoices, item.own_key)
    values = invoices.mapping.fields["PaymentStatusId"].values
    outcome = await only(crm, change(invoices, found.key, {
        "PaymentAmount": Decimal("40.00"), "PaymentStatusId": values["partially_paid"]}, found.version))  # fmt: skip
    assert outcome.result == "updated"
    stored = crm.sim.site.db.row("Invoice", item.own_key)
    assert (stored["PaymentAmount"], stored["PrimaryPaymentAmount"]) == (4000, 4327)
    assert crm.sim.site.db.row("Order", order.own_key)["PaymentAmount"] == 4000
    canonical = invoices.read([await record(crm, invoices, item.own_key)], await crm.tables(invoices))[0].canonical
    assert canonical.fields["status"] == "partially_paid"
    assert canonical.fields["paid_amount"] == Decimal("40.00")


async def test_a_payment_is_a_record_of_the_package(stocked):
    crm, account, _ = stocked
    payments = crm.mapping("payment")
    item = new(payments, {
        "UsrNumber": "PAY-1", "UsrAccountId": account, "UsrAmount": Decimal("1234567890123.45"),
        "UsrCurrencyId": EUR, "UsrStatusId": POSTED, "UsrDate": "2024-03-31",
    })  # fmt: skip
    assert (await only(crm, item)).result == "created"
    canonical = payments.read([await record(crm, payments, item.own_key)], await crm.tables(payments))[0].canonical
    assert canonical.fields["amount"] == Decimal("1234567890123.45")
    assert canonical.fields["status"] == "posted"
    assert canonical.fields["currency"] == "EUR"
    assert canonical.fields["date"].isoformat() == "2024-03-31"
    assert crm.sim.site.db.row("UsrPayment", item.own_key)["UsrCurrencyRate"] == 92_450_000


async def test_rate_that_comes_with_a_document_is_for_the_currencys_division(stocked):
    """Like yen that are quoted for a hundred dollars: 0.8 for one are 80 here, and read as 1.25 again."""
    crm, account, _ = stocked
    crm.sim.site.db.update("Currency", EUR, {"Division": 100})
    settings = crm.settings.model_copy(update={"document_rates": True})
    packaged = connector.weft_mappings(settings=settings, entity="payment")
    payments = crm.compiled(next(one for one in packaged if one.variant == "default"))
    data = {"UsrNumber": "PAY-2", "UsrAccountId": account, "UsrAmount": 5, "UsrCurrencyId": EUR}
    item = new(payments, {**data, "UsrCurrencyRate": Decimal("0.8")})
    assert (await only(crm, item)).result == "created"
    assert crm.sim.site.db.row("UsrPayment", item.own_key)["UsrCurrencyRate"] == 80_00000000
    canonical = payments.read([await record(crm, payments, item.own_key)], await crm.tables(payments))[0].canonical
    assert canonical.fields["exchange_rate"] == Decimal("1.25")


async def test_refused_credentials_while_writing_stop_it_and_lose_nothing(crm):
    customers = crm.mapping("customer", "account")
    crm.sim.site.users["Supervisor"] = replace(crm.sim.site.users["Supervisor"], password="changed")
    await crm.session.metadata()
    crm.sim.sessions.expire_all()
    with pytest.raises(AuthError, match="incorrect password"):
        await crm.write([new(customers, {"Name": "Adatum"})])
    assert crm.sim.site.db.rows("Account", "TypeId=?", (CUSTOMER,)) == []


async def test_an_outage_is_told_for_each_item_and_then_raised(crm):
    customers = crm.mapping("customer", "account")
    await crm.session.metadata()
    crm.sim.faults.add(Fault("throttle", method="POST", path="batch", retry_after=0, count=None))
    items = [new(customers, {"Name": f"A{n}"}) for n in range(3)]
    ctx, told = crm.context("customer"), []
    with pytest.raises(EndpointDown):  # noqa: PT012 - what comes before the error is what is tested
        async for outcome in connector.weft_write(ctx=ctx, session=crm.session, items=items, intents=crm.notes):
            told.append(outcome.result)
    assert told == ["retry"] * 3
