"""Reading from a site: scan, changes, keys, search."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from weft.errors import AuthError, ConfigError, EndpointDown
from weft.records import Condition, Query
from weft.testing.simulator import Fault
from weft_creatio import connector

CUSTOMER = "03a75490-53e6-df11-971b-001d60e938c6"
PARTNER = "f2c0ce97-53e6-df11-971b-001d60e938c6"
EMAIL = "ee1c85c3-cfcb-df11-9b2a-001d60e938c6"
NOWHERE = "11111111-2222-4333-8444-555555555555"


def customers_of(crm):
    return {row["Id"] for row in crm.sim.site.db.rows("Account", "TypeId=?", (CUSTOMER,))}


@pytest.fixture(params=["postgres", "mssql", "without comparison", "multipart", "single"])
async def site_of(request, open_crm):
    """A site of 40 accounts, in each way that reading differs."""
    kinds = {
        "postgres": {},
        "mssql": {"database": "mssql"},
        "without comparison": {"guid_comparison": False},
        "multipart": {"connection": {"page_size": 7, "batch": "multipart"}},
        "single": {"connection": {"page_size": 7, "batch": "none"}},
    }
    return await open_crm(**{"records": 40, "connection": {"page_size": 7}, **kinds[request.param]})


async def test_scan_reads_every_customer_once(site_of):
    found = await site_of.read("scan", site_of.mapping("customer", "account"))
    if site_of.sim.options.guid_comparison:  # finding out that there is none repeats the first page
        assert len(found.records) == len(found.by_key)
    assert set(found.by_key) == customers_of(site_of)
    assert found.cursor is not None


async def test_a_record_carries_version_stamp_author_and_email(crm):
    person = crm.sim.as_user("Megan Bowen")
    key = person.create("Account", {"Name": "Adatum", "TypeId": CUSTOMER})
    for number, primary in (("old@adatum.example", False), ("main@adatum.example", True)):
        person.create("AccountCommunication", {
            "AccountId": key, "CommunicationTypeId": EMAIL, "Number": number, "Primary": primary,
        })  # fmt: skip
    customers = crm.mapping("customer", "account")
    record = (await crm.read("scan", customers)).by_key[key]
    assert record.version == record.data["ModifiedOn"]
    assert record.changed_by == person.user.contact
    assert record.changed_at is not None
    assert record.changed_at.tzinfo is not None
    assert [row.data["Number"] for row in record.children["email"]] == ["main@adatum.example"]
    canonical = customers.read([record], await crm.tables(customers))[0].canonical
    assert canonical.fields["email"] == "main@adatum.example"
    assert canonical.fields["party_type"] == "organization"


async def test_changes_without_a_cursor_begin_now(open_crm):
    crm = await open_crm(records=5)
    found = await crm.read("changes", crm.mapping("customer", "account"))
    assert found.records == []
    assert found.cursor is not None


async def test_changes_show_what_people_did_since(site_of):
    crm, customers = site_of, site_of.mapping("customer", "account")
    person = crm.sim.as_user()
    cursor = (await crm.read("scan", customers)).cursor
    crm.clock.advance(3600)
    keys = sorted(customers_of(crm))[:20]
    for number, key in enumerate(keys):
        person.edit("Account", key, {"Notes": f"changed {number}"})
    new = person.create("Account", {"Name": "New", "TypeId": CUSTOMER})
    found = await crm.read("changes", customers, cursor=cursor)
    assert set(found.by_key) >= {*keys, new}
    assert found.by_key[keys[3]].data["Notes"] == "changed 3"
    crm.clock.advance(3600)
    person.edit("Account", keys[0], {"Notes": "again"})
    again = await crm.read("changes", customers, cursor=found.cursor)
    assert keys[0] in again.by_key
    last = await crm.read("changes", customers, cursor=again.cursor)
    assert set(last.by_key) == {keys[0]}  # the overlap repeats it; what is older does not come again


async def test_rows_of_one_stamp_are_all_read(site_of):
    """As after a bulk statement in the database: more rows of one stamp than fit a page."""
    crm, customers = site_of, site_of.mapping("customer", "account")
    crm.sim.site.db.execute("UPDATE Account SET ModifiedOn='2024-05-05T05:05:05.1230000'")
    cursor = (await crm.read("changes", customers)).cursor
    found = await crm.read("changes", customers, cursor=cursor)
    assert set(found.by_key) == customers_of(crm)


async def test_a_changed_email_brings_its_account(crm):
    person = crm.sim.as_user()
    key = person.create("Account", {"Name": "Adatum", "TypeId": CUSTOMER})
    customers = crm.mapping("customer", "account")
    crm.clock.advance(3600)
    cursor = (await crm.read("changes", customers)).cursor
    crm.clock.advance(3600)
    person.create("AccountCommunication", {"AccountId": key, "CommunicationTypeId": EMAIL, "Number": "a@b.example"})
    found = await crm.read("changes", customers, cursor=cursor)
    assert found.by_key[key].children["email"][0].data["Number"] == "a@b.example"
    assert found.by_key[key].changed_by == person.user.contact


async def test_a_line_of_an_invoice_brings_the_invoice_whose_stamp_stays(open_crm):
    crm = await open_crm(records=20, connection={"outbox": False})
    invoices = crm.mapping("sales_invoice", "invoice")
    line = crm.sim.site.db.rows("InvoiceProduct", "1=1", ())[0]
    cursor = (await crm.read("changes", invoices)).cursor
    crm.clock.advance(3600)
    stamp = crm.sim.site.db.row("Invoice", line["InvoiceId"])["ModifiedOn"]
    person = crm.sim.as_user()
    person.edit("InvoiceProduct", line["Id"], {"TotalAmount": Decimal("777.77")})
    assert crm.sim.site.db.row("Invoice", line["InvoiceId"])["ModifiedOn"] == stamp
    found = await crm.read("changes", invoices, cursor=cursor)
    record = found.by_key[line["InvoiceId"]]
    changed = {row.key: row for row in record.children["lines"]}[line["Id"]]
    assert changed.data["TotalAmount"] == Decimal("777.77")
    assert record.changed_by == person.user.contact  # the line's author, although the header's is another


async def test_a_late_commit_is_caught_by_the_overlap(crm):
    person, customers = crm.sim.as_user(), crm.mapping("customer", "account")
    person.create("Account", {"Name": "First", "TypeId": CUSTOMER})
    cursor = (await crm.read("changes", customers)).cursor
    crm.sim.faults.add(Fault("late_commit", method="POST", path="odata/Account"))
    crm.clock.advance(60)
    written = await crm.session.client.create("Account", {"Name": "Late", "TypeId": CUSTOMER})
    crm.clock.advance(30)
    person.create("Account", {"Name": "Second", "TypeId": CUSTOMER})
    early = await crm.read("changes", customers, cursor=cursor)
    assert "Late" not in {record.data["Name"] for record in early.records}
    assert crm.sim.release() == 1
    late = await crm.read("changes", customers, cursor=early.cursor)
    assert written.row["Id"] in late.by_key


async def test_nothing_is_skipped_while_people_edit_during_paging(open_crm):
    crm = await open_crm(records=30, connection={"page_size": 5})
    person, customers = crm.sim.as_user(), crm.mapping("customer", "account")
    keys = sorted(customers_of(crm))
    seen = {}
    ctx = crm.context("customer")
    query = Query("scan", customers.mapping)
    crm.clock.advance(600)
    turn = 0
    async for page in connector.weft_read(ctx=ctx, session=crm.session, query=query):
        for record in page.records:
            seen[record.key] = record.data["Notes"]
        person.edit("Account", keys[turn % len(keys)], {"Notes": f"edit {turn}"})
        turn += 7
        cursor = page.cursor
    assert set(seen) == set(keys)
    later = await crm.read("changes", customers, cursor=cursor)
    now = {row["Id"]: row["Notes"] for row in crm.sim.site.db.rows("Account", "TypeId=?", (CUSTOMER,))}
    seen.update({key: record.data["Notes"] for key, record in later.by_key.items()})
    assert seen == now


@pytest.mark.parametrize("comparison", [True, False])
@pytest.mark.parametrize("offset", [120, -300])
async def test_local_time_labelled_utc_loses_nothing(open_crm, offset, comparison):
    crm = await open_crm(
        local_time_labelled_utc=True, server_utc_offset_minutes=offset, guid_comparison=comparison, skewed=False,
        connection={"page_size": 4, "outbox": False},
    )  # fmt: skip
    person, customers = crm.sim.as_user(), crm.mapping("customer", "account")
    person.create("Account", {"Name": "Before", "TypeId": CUSTOMER})
    cursor = (await crm.read("changes", customers)).cursor
    keys = {person.create("Account", {"Name": f"After {n}", "TypeId": CUSTOMER}) for n in range(15)}
    found = await crm.read("changes", customers, cursor=cursor)
    assert keys <= set(found.by_key)
    scanned = await crm.read("scan", customers)
    assert keys <= set(scanned.by_key)


async def test_a_cursor_of_another_version_asks_for_a_sweep(crm):
    for text in ('{"v": 99}', "rubbish", "[]"):
        pages = (await crm.read("changes", crm.mapping("customer", "account"), cursor=text)).pages
        assert pages[-1].expired


# -- by key ------------------------------------------------------------------------------------------


async def test_keys_tell_gone_from_invisible(open_crm):
    crm = await open_crm(records=30)
    customers = crm.mapping("customer", "account")
    keys = sorted(customers_of(crm))
    found = await crm.read("keys", customers, keys=[*keys, NOWHERE, "no guid"])
    assert sorted(found.by_key) == keys
    assert sorted(found.gone) == sorted([NOWHERE, "no guid"])
    assert found.invisible == []


async def test_a_record_that_left_the_mapping_is_not_gone(crm):
    person = crm.sim.as_user()
    key = person.create("Account", {"Name": "Partner now", "TypeId": PARTNER})
    found = await crm.read("keys", crm.mapping("customer", "account"), keys=[key.upper()])
    assert [record.key for record in found.records] == [key.upper()]
    assert found.gone == []


async def test_without_an_admin_reader_nothing_is_ever_gone(open_crm):
    crm = await open_crm(connection={"admin_reader": False})
    found = await crm.read("keys", crm.mapping("customer", "account"), keys=[NOWHERE])
    assert found.gone == []
    assert found.invisible == [NOWHERE]


@pytest.mark.parametrize("status", [403, 500])
async def test_no_right_to_read_is_an_error_and_no_deletion(open_crm, status):
    crm = await open_crm(records=3, no_rights_status=status)
    key = next(iter(customers_of(crm)))
    crm.sim.site.deny("Account", "read")
    with pytest.raises(ConfigError, match="does not have permissions"):
        await crm.read("keys", crm.mapping("customer", "account"), keys=[key])


@pytest.mark.parametrize("answer", ["404", "invalid"])
async def test_a_rebuild_of_the_model_is_an_outage_and_no_deletion(open_crm, answer):
    crm = await open_crm(records=3, rebuild_answer=answer)
    key = next(iter(customers_of(crm)))
    await crm.session.metadata()
    crm.sim.options.rebuild_requests = 50
    crm.sim.odata.rebuild()
    with pytest.raises(EndpointDown):
        await crm.read("keys", crm.mapping("customer", "account"), keys=[key])


async def test_keys_only_reads_no_data(open_crm):
    crm = await open_crm(records=5)
    found = await crm.read("scan", crm.mapping("customer", "account"), keys_only=True)
    assert found.records
    assert all(set(r.data) <= {"Id", "ModifiedOn", "ModifiedById"} for r in found.records)
    assert all(record.version for record in found.records)


# -- by value ----------------------------------------------------------------------------------------

NASTY = ["O'Brien & Söhne", "100% cotton + more?", "a/b\\c#d", "Łódź 大阪", "(brackets), commas; eq 1 or true",
         "quote '' doubled", "tab\tand\nline"]  # fmt: skip


async def test_search_finds_exact_values_however_they_are_spelled(crm):
    person, customers = crm.sim.as_user(), crm.mapping("customer", "account")
    keys = {name: person.create("Account", {"Name": name, "TypeId": CUSTOMER}) for name in NASTY}
    person.create("Account", {"Name": "O'Brien", "TypeId": CUSTOMER})
    groups = [(Condition("Name", "eq", name),) for name in NASTY]
    found = await crm.read("search", customers, search=groups)
    assert {record.data["Name"]: record.key for record in found.records} == keys


async def test_search_takes_many_groups_of_several_conditions(open_crm):
    crm = await open_crm(records=60, connection={"page_size": 9})
    customers = crm.mapping("customer", "account")
    rows = crm.sim.site.db.rows("Account", "TypeId=?", (CUSTOMER,))
    groups = [(Condition("Name", "eq", row["Name"]), Condition("Zip", "eq", row["Zip"]),
               Condition("CountryId", "eq", row["CountryId"])) for row in rows]  # fmt: skip
    groups.append((Condition("CountryId", "eq", "not a guid"),))
    found = await crm.read("search", customers, search=groups)
    assert set(found.by_key) == {row["Id"] for row in rows}
    assert len(found.records) == len(found.by_key)


async def test_search_by_number_date_and_flag(crm):
    products = crm.mapping("product")
    person = crm.sim.as_user()
    key = person.create("Product", {"Name": "Pump", "Code": "P-1", "Price": Decimal("12.50"), "Active": True})
    person.create("Product", {"Name": "Valve", "Code": "P-2", "Price": Decimal("12.51"), "Active": True})
    found = await crm.read("search", products, search=[(
        Condition("Price", "eq", Decimal("12.50")), Condition("Active", "eq", True),
        Condition("CreatedOn", "gt", date(2020, 1, 1)), Condition("Code", "startswith", "P-"),
    )])  # fmt: skip
    assert list(found.by_key) == [key]


# -- session -----------------------------------------------------------------------------------------


async def test_expired_sessions_are_renewed_on_the_way(open_crm):
    for oauth in (False, True):
        crm = await open_crm(records=20, oauth=oauth, connection={"page_size": 4})
        customers = crm.mapping("customer", "account")
        for skip in (1, 5):
            crm.sim.faults.add(Fault("token_expiry", path="Account", skip=skip))
        found = await crm.read("scan", customers)
        assert set(found.by_key) == customers_of(crm)


async def test_a_redirect_to_the_login_page_renews_the_session(open_crm):
    crm = await open_crm(records=5, runtime="core")
    customers = crm.mapping("customer", "account")
    crm.sim.sessions.expire_all()
    crm.sim.faults.add(Fault("html", path="odata", message="bootstrap.login", status=200))
    found = await crm.read("scan", customers)
    assert set(found.by_key) == customers_of(crm)


async def test_throttling_is_waited_out(open_crm):
    crm = await open_crm(records=10, connection={"page_size": 4})
    crm.sim.faults.add(Fault("throttle", path="Account", skip=1, count=2, retry_after=0))
    found = await crm.read("scan", crm.mapping("customer", "account"))
    assert set(found.by_key) == customers_of(crm)


async def test_an_outage_raises_endpoint_down(open_crm):
    crm = await open_crm(records=3)
    crm.sim.faults.add(Fault("error_before", path="Account", status=503, count=None))
    with pytest.raises(EndpointDown, match="503"):
        await crm.read("scan", crm.mapping("customer", "account"))


async def test_bad_credentials_are_told_in_the_sites_own_words(open_crm):
    secret = "wrong-password-1"
    with pytest.raises(AuthError, match="incorrect password") as caught:
        await open_crm(connection={"auth": {"username": "Supervisor", "password": secret}})
    assert secret not in str(caught.value)
    with pytest.raises(AuthError, match="invalid_client"):
        await open_crm(connection={"auth": {"client_id": "weft-client", "client_secret": secret}})


async def test_the_wrong_runtime_is_explained(open_crm):
    with pytest.raises(ConfigError, match="runtime"):
        await open_crm(runtime="core", connection={"runtime": "framework"}, oauth=True)


async def test_identity_is_the_contact_of_the_user(open_crm):
    assert (await open_crm()).session.identity == "410006e1-ca4e-4502-a9ec-e54d922d2c00"
    crm = await open_crm(oauth=True)
    assert crm.session.identity is None
    named = await open_crm(oauth=True, connection={"technical_user": "Integration"})
    assert named.session.identity == named.sim.site.technical_user.contact


async def test_a_smaller_bundle_lacks_columns_and_still_reads(open_crm, erp_package):
    crm = await open_crm(records=5, package=False, connection={"package": True})
    customers = crm.mapping("customer", "account")
    assert "UsrTaxId" in customers.native_fields()
    found = await crm.read("scan", customers)
    assert set(found.by_key) == customers_of(crm)
    assert all("UsrTaxId" not in record.data for record in found.records)
    with pytest.raises(ConfigError, match=r"UsrPayment.*weft creatio package"):
        await crm.read("scan", crm.mapping("payment"))
    crm.sim.installer.apply(erp_package)  # by somebody who did as he was told, while weft runs
    assert (await crm.read("scan", crm.mapping("payment"))).records == []
    assert all("UsrTaxId" in record.data for record in (await crm.read("scan", customers)).records)


async def test_the_site_is_described(crm):
    schemas = {s.name: s async for s in connector.weft_describe(session=crm.session, objects=["Account", "Nothing"])}
    assert list(schemas) == ["Account"]
    account = schemas["Account"].properties
    assert (account["TypeId"].kind, account["TypeId"].target) == ("ref", "AccountType")
    assert account["UsrCreditLimit"].kind == "decimal"
    assert account["ModifiedOn"].read_only
    assert "Logo" not in account


async def test_reference_rows_without_stamps_are_scanned(open_crm):
    crm = await open_crm(records=1, connection={"page_size": 3})
    found = await crm.read("scan", crm.mapping("currency"))
    assert {"USD", "EUR", "JPY"} <= {record.data["ShortName"] for record in found.records}
    assert found.records[0].changed_at is None or found.records[0].changed_at < datetime.now(UTC)
    users = await crm.read("scan", crm.mapping("user"))
    assert "Megan Bowen" in {record.data["Name"] for record in users.records}
