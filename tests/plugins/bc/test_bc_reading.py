"""Sweeps, changes, records by key, and search."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from weft.errors import AuthError, ConfigError, EndpointDown
from weft.records import Context, Query
from weft.testing.simulator import Fault
from weft_bc import connector
from weft_bc.cursor import Cursor
from weft_bc.simulator.server import CLIENT_ID


async def names(bench, cursor: str) -> tuple[list[str], str]:
    pages = await bench.pages("customer", "changes", cursor=cursor)
    assert pages[-1].cursor is not None
    assert all(page.cursor is None for page in pages[:-1])
    return [r.data["displayName"] for page in pages for r in page.records], pages[-1].cursor


async def edit(bench, key: str, **values) -> None:
    await bench.command("edit", set="customers", key=key, values=values)


async def new(bench, name: str) -> str:
    return (await bench.command("create", set="customers", values={"displayName": name}))["id"]


async def test_a_scan_reads_everything_once_in_pages(open_bench):
    bench = await open_bench(45, settings={"page_size": 10})
    pages = await bench.pages("customer", "scan")
    assert [len(page.records) for page in pages] == [10, 10, 10, 10, 5]
    assert len({r.key for page in pages for r in page.records}) == 45
    assert pages[0].total == 45
    assert [page.cursor is not None for page in pages] == [False] * 4 + [True]
    record = pages[0].records[0]
    assert record.version.startswith('W/"')
    assert record.changed_at.tzinfo is not None
    assert "@odata.etag" not in record.data
    assert record.children["financial"][0].data["balance"] is not None


async def test_only_the_mapped_fields_travel(bench):
    record = next(iter((await bench.records("currency", "scan")).values()))
    assert set(record.data) == {"id", "lastModifiedDateTime", "code", "displayName", "symbol"}
    keys = next(iter((await bench.records("customer", "scan", keys_only=True)).values()))
    assert set(keys.data) == {"id", "lastModifiedDateTime"}


async def test_changes_begin_with_a_cursor_and_no_records(bench):
    [page] = await bench.pages("customer", "changes", cursor=None)
    assert page.records == []
    assert page.cursor is not None


async def test_changes_deliver_what_changed(open_bench):
    bench = await open_bench(settings={"overlap": 0})
    keys = list(await bench.records("customer", "scan"))
    cursor = (await bench.pages("customer", "changes", cursor=None))[-1].cursor
    assert (await names(bench, cursor))[0] == []
    await edit(bench, keys[3], displayName="Changed")
    await new(bench, "Brand new")
    found, cursor = await names(bench, cursor)
    assert sorted(found) == ["Brand new", "Changed"]
    assert (await names(bench, cursor))[0] == []


async def test_a_cursor_that_is_none_of_ours_has_expired(bench):
    [page] = await bench.pages("customer", "changes", cursor="not json")
    assert page.expired


async def test_many_changes_of_one_moment_and_small_pages(open_bench):
    """A page smaller than the rows that share a stamp must not lose any of them."""
    bench = await open_bench(60, settings={"page_size": 7, "overlap": 0})
    cursor = Cursor(datetime(2000, 1, 1, tzinfo=UTC)).text()
    found = await bench.records("customer", "changes", cursor=cursor)
    assert found.keys() == (await bench.records("customer", "scan")).keys()


async def test_rows_that_change_while_pages_are_read_are_not_skipped(open_bench):
    bench = await open_bench(40, settings={"page_size": 8, "overlap": 1})
    keys = list(await bench.records("customer", "scan"))
    cursor = (await bench.pages("customer", "changes", cursor=None))[-1].cursor
    for key in keys:
        await edit(bench, key, city="Before")
    seen: dict[str, str] = {}
    query = Query("changes", bench.mapping("customer"), company=bench.company, cursor=cursor)
    rounds = 0
    async for page in connector.weft_read(bench.ctx("customer"), bench.session, query):
        seen.update({r.key: r.data["city"] for r in page.records})
        if page.records and rounds < 6:
            # the very row the next page would continue after, and one not read yet, move to the end
            await edit(bench, page.records[-1].key, city="After")
            await edit(bench, keys[-1 - rounds], city="After")
            rounds += 1
        cursor = page.cursor or cursor
    assert seen.keys() == set(keys)
    for record in (await bench.records("customer", "changes", cursor=cursor)).values():
        seen[record.key] = record.data["city"]
    assert seen == {c["id"]: c["city"] for c in await bench.command("list", set="customers")}


async def test_a_scan_and_the_changes_after_it_leave_no_gap(open_bench):
    bench = await open_bench(30, settings={"page_size": 5, "overlap": 1})
    query = Query("scan", bench.mapping("customer"), company=bench.company)
    seen: dict[str, str] = {}
    cursor, step = None, 0
    async for page in connector.weft_read(bench.ctx("customer"), bench.session, query):
        seen.update({r.key: r.data["displayName"] for r in page.records})
        step += 1
        await edit(bench, page.records[0].key, displayName=f"Moved {step}", number=f"A{step:04}")
        await new(bench, f"New {step}")
        cursor = page.cursor
    for record in (await bench.records("customer", "changes", cursor=cursor)).values():
        seen[record.key] = record.data["displayName"]
    held = {c["id"]: c["displayName"] for c in await bench.command("list", set="customers", limit=1000)}
    assert seen == held


async def test_a_late_commit_is_found_by_the_overlap(open_bench):
    bench = await open_bench()
    one, two, *_ = (await bench.records("customer", "scan")).values()
    cursor = (await bench.pages("customer", "changes", cursor=None))[-1].cursor
    bench.sim.faults.add(Fault("late_commit", method="PATCH", path="customers"))
    item = bench.item("customer", "update", {"displayName": "Stamped early"}, key=one.key, version=one.version)
    await bench.write("customer", item)
    bench.sim.clock.advance(60)
    await edit(bench, two.key, displayName="Stamped late")
    found, cursor = await names(bench, cursor)
    assert "Stamped late" in found
    assert "Stamped early" not in found
    bench.sim.release()
    assert "Stamped early" in (await names(bench, cursor))[0]


async def test_an_object_without_stamps_is_read_whole(bench):
    mapping = bench.mapping("customer").model_copy(update={"changed": None})
    pages = await bench.pages("customer", "changes", mapping=mapping, cursor=Cursor().text())
    assert sum(len(page.records) for page in pages) == 10


async def test_keys_tell_gone_from_invisible(open_bench):
    for status in (404, 400):
        bench = await open_bench(60, record_not_found_status=status)
        keys = list(await bench.records("customer", "scan"))
        gone = await new(bench, "Short lived")
        await bench.command("delete", set="customers", key=gone)
        pages = await bench.pages("customer", "keys", keys=[*keys, gone, "no guid"], fresh=True)
        found = [r.key for page in pages for r in page.records]
        assert sorted(found) == sorted(keys)
        assert [key for page in pages for key in page.gone] == [gone]
        assert [key for page in pages for key in page.invisible] == ["no guid"]


async def test_without_rights_nothing_is_gone(bench):
    keys = list(await bench.records("customer", "scan"))[:3]
    await bench.command("deny", client_id=CLIENT_ID, set="customers")
    pages = await bench.pages("customer", "keys", keys=keys)
    assert sorted(k for page in pages for k in page.invisible) == sorted(keys)
    assert not any(page.gone for page in pages)
    with pytest.raises(ConfigError, match="permissions prevented"):
        await bench.pages("customer", "scan")


async def test_a_failed_read_is_no_delete(bench):
    keys = list(await bench.records("customer", "scan"))[:3]
    bench.sim.faults.add(Fault("error_before", path="customers", status=500, count=None))
    with pytest.raises(EndpointDown):
        await bench.pages("customer", "keys", keys=keys)


async def test_an_unknown_company_or_set_is_the_configurations_fault(bench):
    with pytest.raises(ConfigError, match="Cannot find company"):
        await bench.pages("customer", "scan", company="11111111-1111-1111-1111-111111111111")
    with pytest.raises(ConfigError, match="lives in a company"):
        await bench.pages("customer", "scan", company="")
    mapping = bench.mapping("customer")
    other = mapping.model_copy(update={"object": mapping.object.model_copy(update={"read": "customerz"})})
    with pytest.raises(ConfigError, match="no entity set 'customerz'"):
        await bench.pages("customer", "scan", mapping=other)


async def test_search_by_one_and_by_several_fields(open_bench):
    bench = await open_bench(120)
    everyone = list((await bench.records("customer", "scan")).values())
    wanted = everyone[5:100]
    found = await bench.search("customer", *[[("email", r.data["email"])] for r in wanted])
    assert {r.key for r in wanted} <= found.keys()
    pairs = [[("displayName", r.data["displayName"]), ("postalCode", r.data["postalCode"])] for r in wanted]
    found = await bench.search("customer", *pairs)
    assert {r.key for r in wanted} == found.keys()
    assert await bench.search("customer", [("displayName", "Nobody"), ("postalCode", "1")]) == {}


async def test_search_survives_values_no_record_can_hold(bench):
    key = await new(bench, 'It\'s "100%" & more; +1 /x?y#z')
    found = await bench.search(
        "customer",
        [("displayName", 'It\'s "100%" & more; +1 /x?y#z')],
        [("number", "9" * 21)],
        [("paymentTermsId", "no guid")],
        [("displayName", "with a \x07 bell")],
        [("displayName", "' or 1 eq 1 or displayName eq '")],
    )
    assert list(found) == [key]


async def test_search_takes_blanks_and_enums(bench):
    mapping = bench.mapping("customer")
    everyone = await bench.records("customer", "scan", mapping=mapping)
    blank = {k for k, r in everyone.items() if r.data["state"] == ""}
    assert (await bench.search("customer", [("state", None)])).keys() == blank
    people = {k for k, r in everyone.items() if r.data["type"] == "Person"}
    assert (await bench.search("customer", [("type", "Person")])).keys() == people


@pytest.mark.parametrize("style", ["escaped", "caption"])
async def test_enum_values_in_filters_go_in_the_chosen_spelling(open_bench, style):
    bench = await open_bench(settings={"enum_literals": style}, enum_literals=style)
    mapping = bench.mapping("sales_order").model_copy(update={"where": {"status": "In_x0020_Review"}})
    assert await bench.pages("sales_order", "scan", mapping=mapping)


async def test_prices_are_exact_and_in_the_companys_currency(bench):
    price = Decimal("12345678901234.56")
    row = await bench.command("create", set="items", values={"displayName": "Turbine"})
    item = bench.item("product", "update", {"unitPrice": price}, key=row["id"], version="*")
    outcome = (await bench.write("product", item))["i1"]
    assert outcome.record.data["unitPrice"] == price
    assert outcome.record.data["weft.localCurrency"] == "USD"
    assert (await bench.one("product", row["id"])).data["unitPrice"] == price


async def test_the_replica_is_for_sweeps_only(open_bench):
    bench = await open_bench(settings={"read_replica": True}, replica_lag=3600)
    await bench.records("customer", "scan")  # the replica is taken here
    key = await new(bench, "Too fresh")
    assert key not in await bench.records("customer", "scan")
    assert key in await bench.records("customer", "keys", keys=[key], fresh=True)


async def test_an_older_version_lacks_some_fields_and_sets(open_bench):
    bench = await open_bench(version="24.0")
    record = next(iter((await bench.records("contact", "scan")).values()))
    assert "jobTitle" not in record.data
    assert "displayName" in record.data
    assert await bench.records("user", "scan") == {}


async def test_wrong_credentials_are_told_at_once(open_bench):
    with pytest.raises(AuthError, match="AADSTS"):
        await open_bench(settings={"auth": {"client_id": CLIENT_ID, "client_secret": "wrong-secret-value"}})


async def test_an_expired_token_and_throttling_go_unnoticed(bench):
    bench.sim.faults.add(Fault("token_expiry", method="GET", path="customers"))
    bench.sim.faults.add(Fault("throttle", method="GET", path="customers", retry_after=0))
    assert len(await bench.records("customer", "scan")) == 10


async def test_the_companies_are_those_the_credentials_see(bench):
    assert await connector.weft_companies(bench.session) == {co.id: co.name for co in bench.sim.env.companies.values()}


async def test_payments_are_what_was_settled_on_invoices(open_bench):
    for touches in (False, True):
        bench = await open_bench(20, documents=6, payment_touches_invoice=touches, settings={"overlap": 0})
        before = await bench.pages("payment", "scan")
        cursor = before[-1].cursor
        assert (await bench.pages("payment", "changes", cursor=cursor))[-1].records == []
        opened = next(
            r for r in (await bench.records("sales_invoice", "scan")).values()
            if r.data["status"] == "Open" and r.data["remainingAmount"] > 1
        )  # fmt: skip
        await bench.command("receive_payment", invoice=opened.key)
        found = await bench.records("payment", "changes", cursor=cursor)
        assert found[opened.key].data["remainingAmount"] == 0
        assert found[opened.key].data["status"] == "Paid"


def test_cursors_round_trip():
    at = datetime(2024, 5, 6, 7, 8, 9, 123000, tzinfo=UTC)
    cursor = Cursor(at, {"generalLedgerEntries": at + timedelta(seconds=1)})
    assert Cursor.parse(cursor.text()) == cursor
    assert Cursor.parse(Cursor().text()) == Cursor()
    assert Cursor.parse('{"since": "yesterday"}') is None
    assert Cursor.parse("[]") is None


async def test_a_closed_port_is_an_endpoint_that_is_down(bench):
    settings = bench.settings.model_copy(update={"url": "https://127.0.0.1:9"})
    ctx = Context(kind="bc", connection="erp", settings=settings, clock=None, log=bench.session.log)
    with pytest.raises(EndpointDown):
        async with connector.weft_open(ctx):
            raise AssertionError("opened")
