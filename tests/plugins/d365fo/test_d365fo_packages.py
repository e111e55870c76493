"""Bulk loads as data packages: every row has its outcome, and nothing is made twice."""

from __future__ import annotations

from decimal import Decimal

import pytest

from weft.model.values import Ref
from weft.testing.simulator import Fault
from weft_d365fo.dmf import cell

PACKAGE = {"from_records": 5, "poll": 0.01, "patience": 20}
SETTINGS = {"package": PACKAGE, "own_keys": {"customer": "KnownAs"}, "page_size": 1000}


def party(n: int, **more: object) -> dict[str, object]:
    return {"name": f"Bulk {n}", "party_type": "organization", "currency": "USD", "credit_limit": Decimal(n), **more}


def imports(bench) -> int:
    return sum("ImportFromPackage" in request.path for request in bench.sim.request_log)


@pytest.mark.parametrize("options", [{}, {"error_record": "row"}, {"error_keys": "xml", "nested_values": True}])
async def test_good_rows_are_created_and_bad_ones_told(open_bench, options):
    bench = await open_bench(settings=SETTINGS, **options)
    items = [bench.item("customer", "create", party(n, **({"payment_terms": "never"} if n == 4 else {})))
             for n in range(1, 9)]  # fmt: skip
    outcomes = await bench.write("customer", *items)
    assert [outcomes[item.id].result for item in items].count("created") == 7
    bad = outcomes[items[3].id]
    assert bad.result == "rejected"
    assert "is not found in the related table" in bad.error.message
    assert imports(bench) == 1
    back = await bench.read("customer", outcomes[items[6].id].key)
    assert (back.fields["name"], back.fields["credit_limit"]) == ("Bulk 7", 7)


async def test_few_records_go_without_a_package(open_bench):
    bench = await open_bench(settings=SETTINGS)
    items = [bench.item("customer", "create", party(n)) for n in range(1, 5)]
    assert {o.result for o in (await bench.write("customer", *items)).values()} == {"created"}
    assert imports(bench) == 0


async def test_an_unanswered_import_is_asked_about_and_not_repeated(open_bench):
    bench = await open_bench(settings=SETTINGS)
    items = [bench.item("customer", "create", party(n)) for n in range(1, 7)]
    before = len(bench.sim.world.rows("CustTable", "usmf"))
    bench.sim.faults.add(Fault("lost_answer", method="POST", path="ImportFromPackage"))
    outcomes = await bench.write("customer", *items)
    assert {outcome.result for outcome in outcomes.values()} == {"created"}
    assert len(bench.sim.world.rows("CustTable", "usmf")) == before + 6


async def test_an_import_that_does_not_end_leaves_its_records_in_doubt(open_bench):
    bench = await open_bench(settings={**SETTINGS, "package": {**PACKAGE, "patience": 0.05}}, package_time=30.0)
    items = [bench.item("customer", "create", party(n)) for n in range(1, 7)]
    outcomes = await bench.write("customer", *items)
    assert {outcome.result for outcome in outcomes.values()} == {"in_doubt"}


async def test_documents_with_their_lines(open_bench):
    bench = await open_bench(settings=SETTINGS)
    buyer = Ref("CustomersV3", bench.first("CustTable", "CustomerAccount"))
    product = Ref("ReleasedProductsV2", bench.first("InventTable", "ItemNumber"))

    def order(n: int):
        lines = [
            {"product": product, "description": f"Order {n} line {at}", "quantity": Decimal(at),
             "unit_price": Decimal("9.95")}
            for at in (1, 2, 3)
        ]  # fmt: skip
        if n == 3:
            lines[1]["unit"] = "furlong"
        terms = {"payment_terms": "never"} if n == 5 else {}
        return bench.item("sales_order", "create", {"customer": buyer, **terms}, lines)

    items = [order(n) for n in range(1, 8)]
    outcomes = await bench.write("sales_order", *items)
    results = [outcomes[item.id].result for item in items]
    assert (results[4], results.count("created")) == ("rejected", 5)
    assert results[2] == "partial", "its header is in; the lines are due once the unit is put right"
    assert outcomes[items[2].id].key
    done = outcomes[items[6].id]
    back = await bench.read("sales_order", done.key)
    assert [line.fields["description"] for line in back.lines["lines"]] == [f"Order 7 line {n}" for n in (1, 2, 3)]
    assert set(done.children.values()) == {line.key for line in back.lines["lines"]}
    assert imports(bench) == 2


def test_numbers_in_a_file_of_rows_have_no_exponent() -> None:
    assert [cell(Decimal(text)) for text in ("1E+2", "0.00000001", "12.50")] == ["100", "0.00000001", "12.50"]
