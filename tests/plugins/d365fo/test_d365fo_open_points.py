"""Behaviour that no source settles: the connector works whichever way the environment has it."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal

import pytest

from weft.errors import ConfigError
from weft.model.values import Ref
from weft.net import json as exact_json
from weft.records import Condition, Request
from weft_d365fo import connector


def named(n: int, **more: object) -> dict[str, object]:
    return {"name": f"Contoso {n}", "party_type": "organization", "currency": "USD", "email": f"c{n}@contoso.example",
            **more}  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"error_status": 500}, {"nested_errors": True}, {"batch_stops": True}])
async def test_one_refused_record_is_told_in_the_systems_words(open_bench, options):
    bench = await open_bench(**options)
    items = [bench.item("customer", "create", named(n, **({"payment_terms": "never"} if n == 2 else {})))
             for n in (1, 2, 3)]  # fmt: skip
    outcomes = await bench.write("customer", *items)
    assert [outcomes[item.id].result for item in items] == ["created", "rejected", "created"]
    error = outcomes[items[1].id].error
    assert error.fault == "record"
    assert "is not found in the related table" in error.message


@pytest.mark.parametrize(
    ("options", "settings"), [({}, {}), ({"stale_etag_status": None}, {"guard": "compare"})], ids=["tag", "compare"]
)
async def test_a_stale_version_overwrites_nothing(open_bench, options, settings):
    bench = await open_bench(settings=settings, **options)
    key = await bench.create("customer", named(1))
    seen = await bench.read("customer", key)
    who = {"dataAreaId": "usmf", "CustomerAccount": key}
    await bench.sim.command("edit", set="CustomersV3", key=who, values={"PrimaryContactEmail": "new@contoso.example"})
    update = bench.item("customer", "update", {"website": "https://contoso.example"}, key=key, version=seen.version)
    assert (await bench.write("customer", update))[update.id].result == "conflict"
    assert (await bench.read("customer", key)).fields["website"] is None
    fresh = bench.item("customer", "update", {"website": "https://contoso.example"}, key=key,
                       version=(await bench.read("customer", key)).version)  # fmt: skip
    assert (await bench.write("customer", fresh))[fresh.id].result == "updated"


@pytest.mark.parametrize("options", [{}, {"next_link": "token", "page_size": 3},
                                     {"unfilterable": ("CustomersV3.NameAlias",)}])  # fmt: skip
async def test_everything_is_read_however_pages_are_linked(open_bench, options):
    bench = await open_bench(records=11, settings={"page_size": 4}, **options)
    held = {row["CustomerAccount"] for row in bench.sim.world.rows("CustTable", "usmf")}
    assert set(await bench.records("customer", "scan")) == held


async def test_feed_shows_accounts_at_once_and_the_sweep_what_it_misses(open_bench):
    bench = await open_bench(settings={"sweep_every": 0})
    first, second = sorted(await bench.records("customer", "scan"))[:2]
    pages = await bench.pages("customer", "scan")
    cursor = pages[-1].cursor
    bench.session.settings = bench.settings.model_copy(update={"sweep_every": 3600.0})

    async def edit(key: str, **values: str) -> None:
        await bench.sim.command("edit", set="CustomersV3", key={"dataAreaId": "usmf", "CustomerAccount": key},
                                values=values)  # fmt: skip

    bench.sim.clock.advance(1000)
    await edit(first, PaymentTerms="Net30")
    await edit(second, OrganizationName="Another name")
    pages = await bench.pages("customer", "changes", cursor=cursor)
    found = {record.key for page in pages for record in page.records}
    assert (first in found, second in found) == (True, False)
    bench.session.settings = bench.settings
    pages = await bench.pages("customer", "changes", cursor=pages[-1].cursor)
    assert second in {record.key for page in pages for record in page.records}


@pytest.mark.parametrize("delimiter", ["-", "~~"])
async def test_dimension_text_keeps_the_segments_not_mentioned(open_bench, delimiter):
    bench = await open_bench(delimiter=delimiter)
    fields = {"dimensions.department": "022", "dimensions.business_unit": "001"}
    key = await bench.create("customer", named(1, **fields))
    row = next(r for r in bench.sim.world.rows("CustTable", "usmf") if r["CustomerAccount"] == key)
    assert row["DefaultDimensionDisplayValue"] == delimiter.join(["001", "022", "", ""])
    change = bench.item("customer", "update", {"dimensions.department": "024"}, key=key)
    assert (await bench.write("customer", change))[change.id].result == "updated"
    back = await bench.read("customer", key)
    assert (back.fields["dimensions.department"], back.fields["dimensions.business_unit"]) == ("024", "001")


async def test_without_an_active_format_dimensions_are_a_matter_of_configuration(open_bench):
    bench = await open_bench(dimension_formats=False)
    with pytest.raises(ConfigError, match="no active dimension format"):
        await bench.create("customer", named(1, **{"dimensions.department": "022"}))
    assert await bench.create("customer", named(2))


async def test_account_numbers_with_the_delimiter_travel_unharmed(open_bench):
    bench = await open_bench()
    account = bench.first("CustTable", "CustomerAccount")
    assert "-" in account
    pay = {"customer": Ref("CustomersV3", account), "amount": Decimal(5), "date": date(2026, 5, 4), "currency": "USD"}
    key = await bench.create("payment", pay)
    [row] = bench.sim.world.rows("CustPaymLines", "usmf") if "CustPaymLines" in bench.sim.world.tables else [None]
    assert row is None or row["AccountDisplayValue"] == account.replace("-", "\\-")
    assert (await bench.read("payment", key)).fields["customer"] == Ref("CustomersV3", account)


async def test_two_writers_share_a_journal(open_bench):
    bench = await open_bench(journal_write_time=0.01)
    other = connector.weft_open(bench.ctx("payment"))
    async with other as session:
        pay = {"customer": Ref("CustomersV3", bench.first("CustTable", "CustomerAccount")), "currency": "USD",
               "date": date(2026, 5, 4)}  # fmt: skip
        items = [bench.item("payment", "create", {**pay, "amount": Decimal(n)}) for n in range(1, 9)]
        await bench.create("payment", {**pay, "amount": Decimal(99)})  # the journal is there

        async def write(on, some):
            return [o async for o in connector.weft_write(bench.ctx("payment"), on, some, bench.notes)]

        done = await asyncio.gather(write(bench.session, items[:4]), write(session, items[4:]))
    results = [outcome.result for some in done for outcome in some]
    retried = [item for some in done for o in some for item in items if o.id == item.id and o.result == "retry"]
    assert set(results) <= {"created", "retry"}
    assert all(o.result == "created" for o in (await bench.write("payment", *retried)).values())
    amounts = sorted(r.data["CreditAmount"] for r in (await bench.records("payment", "scan")).values())
    assert amounts == [*range(1, 9), 99]


async def test_search_by_text_with_a_quote_and_by_what_cannot_be_found(bench):
    await bench.create("customer", named(1, name="O'Neil & Søn"))
    groups = [(Condition("OrganizationName", "eq", "O'Neil & Søn"),), (Condition("OnHoldStatus", "eq", "Nonsense"),)]
    found = await bench.records("customer", "search", search=groups)
    assert [record.data["OrganizationName"] for record in found.values()] == ["O'Neil & Søn"]


async def test_business_events_become_hints(bench):
    event = {"BusinessEventId": "SalesInvoicePostedBusinessEvent", "BusinessEventLegalEntity": "USMF",
             "ControlNumber": 5637166326, "SalesOrderId": "SO-000001", "InvoiceId": "CIV-000001"}  # fmt: skip
    ctx = bench.ctx("sales_order")
    reply = await connector.weft_receive(ctx, Request("POST", {}, {}, exact_json.dumps(event)))
    told = {(hint.object, hint.key, hint.company) for hint in reply.hints}
    assert reply.status == 200
    assert told == {("SalesOrderHeadersV2", "SO-000001", "usmf"), ("SalesInvoiceHeadersV2", None, "usmf")}
    unknown = exact_json.dumps({**event, "BusinessEventId": "FreeCoffeeBusinessEvent"})
    assert (await connector.weft_receive(ctx, Request("POST", {}, {}, unknown))).hints == ()
    for broken in (b"{", b"[1]", b"{}"):
        assert (await connector.weft_receive(ctx, Request("POST", {}, {}, broken))).status == 400


async def test_keys_of_many_fields_keep_addresses_short(bench):
    """Servers take no request line of more than 8 or 16 kilobytes."""
    stock = await bench.records("inventory_level", "scan")
    keys = [f"{key}{n}" for key in stock for n in range(50)][:50]
    asked: list[str] = []
    send = bench.session.client.send

    async def counted(method, url, **more):
        asked.append(url)
        return await send(method, url, **more)

    bench.session.client.send = counted
    [page] = await bench.pages("inventory_level", "keys", keys=[*stock, *keys][:50])
    assert page.records
    assert max(len(url) for url in asked) < 5000
