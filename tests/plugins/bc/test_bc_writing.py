"""Creating, changing and deleting single records."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from weft.errors import EndpointDown
from weft.records import Outcome
from weft.state.workers import LeaseLost
from weft.testing.simulator import Fault
from weft_bc import connector
from weft_bc.simulator.server import CLIENT_ID


async def created(bench, name: str = "Adatum Maschinenbau", **data) -> Outcome:
    item = bench.item("customer", "create", {"displayName": name, **data})
    outcome = (await bench.write("customer", item))["i1"]
    assert outcome.result == "created", outcome.error
    return outcome


async def test_create_returns_the_record_with_its_number(bench):
    outcome = await created(bench, type="Person", creditLimit=Decimal("99999999999999.99"))
    record = outcome.record
    assert record is not None
    assert outcome.key == record.key
    assert outcome.version == record.version
    assert record.data["number"]
    assert record.data["type"] == "Person"
    assert record.data["creditLimit"] == Decimal("99999999999999.99")


async def test_unicode_and_nasty_text_round_trips(bench):
    name = 'Ärger & Söhne’s "Größe" 🚚 O\'Neil; DROP'
    outcome = await created(bench, name, addressLine1="a,b;(c)$filter=x'")
    found = await bench.search("customer", [("displayName", name)])
    assert list(found) == [outcome.key]
    assert found[outcome.key].data["addressLine1"] == "a,b;(c)$filter=x'"


async def test_empty_clears_by_type(bench):
    currency = next(iter((await bench.records("payment_terms", "scan")).values()))
    one = await created(bench, phoneNumber="1", paymentTermsId=currency.key, creditLimit=Decimal(5), taxLiable=True)
    data = {"phoneNumber": None, "paymentTermsId": None, "creditLimit": None, "taxLiable": None}
    item = bench.item("customer", "update", data, key=one.key, version=one.version)
    outcome = (await bench.write("customer", item))["i1"]
    assert outcome.result == "updated", outcome.error
    held = outcome.record.data
    assert held["phoneNumber"] == ""
    assert held["paymentTermsId"] == "00000000-0000-0000-0000-000000000000"
    assert held["creditLimit"] == 0
    assert held["taxLiable"] is False


@pytest.mark.parametrize("status", [409, 412])
async def test_a_stale_version_is_a_conflict_and_writes_nothing(open_bench, status):
    bench = await open_bench(stale_etag_status=status)
    one = await created(bench)
    await bench.command("edit", set="customers", key=one.key, values={"city": "Bergen"})
    item = bench.item("customer", "update", {"city": "Oslo"}, key=one.key, version=one.version)
    outcome = (await bench.write("customer", item))["i1"]
    assert outcome.result == "conflict"
    assert outcome.error.message.startswith("Another user has already changed the record.")
    assert (await bench.one("customer", one.key)).data["city"] == "Bergen"


async def test_nothing_to_send_is_unchanged(bench):
    one = await created(bench)
    item = bench.item("customer", "update", {}, key=one.key, version=one.version)
    assert (await bench.write("customer", item))["i1"].result == "unchanged"


async def test_delete_and_deactivate(bench):
    one, two = await created(bench, "One"), await created(bench, "Two")
    gone = bench.item("customer", "delete", {}, id="a", key=one.key, version=one.version)
    off = bench.item("customer", "deactivate", {"blocked": "All"}, id="b", key=two.key, version=two.version)
    outcomes = await bench.write("customer", gone, off)
    assert outcomes["a"].result == "deleted"
    assert outcomes["b"].result == "updated"
    assert (await bench.pages("customer", "keys", keys=[one.key], fresh=True))[-1].gone == [one.key]
    assert (await bench.one("customer", two.key)).data["blocked"] == "All"


async def test_a_batch_tells_each_item_its_own_outcome(bench):
    items = [
        bench.item("customer", "create", {"displayName": "Good"}, id="good"),
        bench.item("customer", "create", {"displayName": ""}, id="blank"),
        bench.item("customer", "create", {"displayName": "Long", "phoneNumber": "9" * 31}, id="long"),
        bench.item("customer", "create", {"displayName": "Odd", "noSuchField": 1}, id="odd"),
        bench.item("customer", "create", {"displayName": "Nowhere", "country": "QQ"}, id="nowhere"),
    ]
    outcomes = await bench.write("customer", *items)
    assert {k: o.result for k, o in outcomes.items()} == {
        "good": "created", "blank": "rejected", "long": "rejected", "odd": "rejected", "nowhere": "rejected",
    }  # fmt: skip
    assert 'The "displayName" cannot be blank.' in outcomes["blank"].error.message
    assert outcomes["blank"].error.fault == "record"
    assert outcomes["long"].error.code == "Application_StringExceededLength"
    assert outcomes["nowhere"].error.code == "Internal_InvalidTableRelation"
    assert outcomes["odd"].error.fault == "configuration"
    assert outcomes["odd"].error.field == "noSuchField"
    assert outcomes["good"].error is None
    assert bench.asked("POST") - bench.asked("/oauth2/") == 1  # one $batch for all


async def test_more_items_than_one_batch_takes(open_bench):
    bench = await open_bench(settings={"batch_size": 100})
    items = [bench.item("customer", "create", {"displayName": f"C{n}"}, id=f"i{n}") for n in range(130)]
    outcomes = await bench.write("customer", *items)
    assert {o.result for o in outcomes.values()} == {"created"}
    assert len({o.key for o in outcomes.values()}) == 130
    assert bench.asked("$batch") == 2


async def test_a_lost_answer_to_a_create_is_in_doubt_and_never_repeated(bench):
    bench.sim.faults.add(Fault("lost_answer", method="POST", path="customers"))
    outcome = (await bench.write("customer", bench.item("customer", "create", {"displayName": "Lost"})))["i1"]
    assert outcome.result == "in_doubt"
    assert len(await bench.search("customer", [("displayName", "Lost")])) == 1


async def test_a_lost_answer_to_a_batch_leaves_only_creates_in_doubt(bench):
    one = await created(bench)
    bench.sim.faults.add(Fault("lost_answer", method="POST", path="batch"))
    items = [
        bench.item("customer", "create", {"displayName": "New"}, id="new"),
        bench.item("customer", "update", {"city": "Rome"}, id="old", key=one.key, version=one.version),
    ]
    outcomes = await bench.write("customer", *items)
    assert outcomes["new"].result == "in_doubt"
    assert outcomes["old"].result == "retry"
    # it was carried out after all; repeating it is stopped by the tag
    again = (await bench.write("customer", items[1]))["old"]
    assert again.result == "conflict"


@pytest.mark.parametrize("late", [False, True])
async def test_one_failing_part_of_a_batch_spares_the_others(bench, late):
    bench.sim.faults.add(Fault("partial_batch", path="batch", index=1, late=late))
    items = [bench.item("customer", "create", {"displayName": f"P{n}"}, id=f"p{n}") for n in range(3)]
    outcomes = await bench.write("customer", *items)
    assert [outcomes[f"p{n}"].result for n in range(3)] == ["created", "in_doubt", "created"]
    assert len(await bench.search("customer", [("displayName", "P1")])) == (1 if late else 0)


async def test_500_after_commit_is_in_doubt(bench):
    bench.sim.faults.add(Fault("error_after_commit", method="POST", path="customers"))
    outcome = (await bench.write("customer", bench.item("customer", "create", {"displayName": "Half"})))["i1"]
    assert outcome.result == "in_doubt"


async def test_throttling_is_waited_out(bench):
    bench.sim.faults.add(Fault("throttle", method="POST", path="customers", retry_after=0))
    assert (await created(bench)).result == "created"


async def test_what_was_not_sent_is_tried_later_and_core_hears_of_it(open_bench):
    bench = await open_bench(settings={"retry_patience": 0})
    bench.sim.faults.add(Fault("throttle", count=None, method="POST", retry_after=120))
    outcomes = []
    items = [bench.item("customer", "create", {"displayName": f"T{n}"}, id=f"t{n}") for n in range(3)]

    async def collect() -> None:
        async for outcome in connector.weft_write(bench.ctx("customer"), bench.session, items, bench.notes):
            outcomes.append(outcome)

    with pytest.raises(EndpointDown):
        await collect()
    assert [o.result for o in outcomes] == ["retry"] * 3
    assert outcomes[0].error.fault == "endpoint"
    held = await bench.command("list", set="customers", limit=1000)
    assert not [c for c in held if c["displayName"] in ("T0", "T1", "T2")]


async def test_an_expired_token_is_renewed_in_between(bench):
    bench.sim.faults.add(Fault("token_expiry", method="POST", path="customers"))
    assert (await created(bench)).result == "created"


async def test_missing_rights_are_the_configurations_fault(bench):
    await bench.command("deny", client_id=CLIENT_ID, set="customers", method="POST")
    outcome = (await bench.write("customer", bench.item("customer", "create", {"displayName": "No"})))["i1"]
    assert outcome.result == "rejected"
    assert outcome.error.fault == "configuration"
    assert "permissions prevented the action" in outcome.error.message


async def test_nothing_is_sent_without_the_lease(bench):
    bench.notes.lose_at = 1
    with pytest.raises(LeaseLost):
        await bench.write("customer", bench.item("customer", "create", {"displayName": "Mine"}))
    assert not await bench.search("customer", [("displayName", "Mine")])


async def test_dates_are_dates(bench):
    customer = await created(bench)
    item = bench.item("sales_order", "create", {"customerId": customer.key, "orderDate": date(2024, 2, 29)})
    outcome = (await bench.write("sales_order", item))["i1"]
    assert outcome.record.data["orderDate"] == "2024-02-29"


async def test_a_number_that_is_taken_is_the_records_fault(open_bench):
    for status in (400, 409):
        bench = await open_bench(duplicate_key_status=status)
        data = {"displayName": "Twin", "number": "T-1"}
        first = (await bench.write("product", bench.item("product", "create", data)))["i1"]
        second = (await bench.write("product", bench.item("product", "create", data)))["i1"]
        assert first.result == "created"
        assert second.result == "rejected"
        assert second.error.code == "Internal_EntityWithSameKeyExists"
        assert second.error.fault == "record"
