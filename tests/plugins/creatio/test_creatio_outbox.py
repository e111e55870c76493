"""The outbox of weft's package: deletions, and removed lines, without a sweep."""

from __future__ import annotations

from decimal import Decimal

CUSTOMER = "03a75490-53e6-df11-971b-001d60e938c6"


async def test_a_deleted_record_is_suspected_and_then_gone(crm):
    person, customers = crm.sim.as_user(), crm.mapping("customer", "account")
    key = person.create("Account", {"Name": "Adatum", "TypeId": CUSTOMER})
    cursor = (await crm.read("changes", customers)).cursor
    person.delete("Account", key)
    found = await crm.read("changes", customers, cursor=cursor)
    assert found.suspects == [key]
    assert (await crm.read("keys", customers, keys=found.suspects)).gone == [key]


async def test_a_removed_line_of_an_invoice_brings_the_invoice(crm):
    person, invoices = crm.sim.as_user(), crm.mapping("sales_invoice", "invoice")
    key = person.create("Invoice", {})
    line = person.create("InvoiceProduct", {"InvoiceId": key, "Name": "x", "TotalAmount": Decimal("5")})
    crm.clock.advance(3600)
    person.create("Account", {"Name": "Unrelated"})
    crm.clock.advance(3600)
    person.create("Invoice", {})
    cursor = (await crm.read("changes", invoices)).cursor
    crm.clock.advance(60)
    person.delete("InvoiceProduct", line)
    found = await crm.read("changes", invoices, cursor=cursor)
    assert found.by_key[key].children["lines"] == []
    assert found.by_key[key].data["Amount"] == 0
    assert found.suspects == []


async def test_without_the_package_changes_are_read_all_the_same(open_crm):
    crm = await open_crm(package=False)
    person, customers = crm.sim.as_user(), crm.mapping("customer", "account")
    key = person.create("Account", {"Name": "Adatum", "TypeId": CUSTOMER})
    cursor = (await crm.read("changes", customers)).cursor
    person.edit("Account", key, {"Notes": "x"})
    found = await crm.read("changes", customers, cursor=cursor)
    assert key in found.by_key
    assert found.suspects == []
    assert not crm.requests(path="WeftOutbox")


async def test_old_rows_are_deleted_and_fresh_ones_kept_for_other_flows(open_crm):
    crm = await open_crm(connection={"outbox_days": 1})
    person, customers = crm.sim.as_user(), crm.mapping("customer", "account")
    for n in range(3):
        person.create("Account", {"Name": f"Old {n}", "TypeId": CUSTOMER})
    crm.clock.advance(3 * 86_400)
    person.create("Account", {"Name": "Fresh", "TypeId": CUSTOMER})
    cursor = (await crm.read("changes", customers)).cursor
    await crm.read("changes", customers, cursor=cursor)
    assert len(crm.sim.site.db.rows("UsrWeftOutbox", "1=1", ())) == 1
