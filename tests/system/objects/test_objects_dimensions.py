"""Financial dimensions of customers, vendors and documents, from columns of the site's choice and back into them."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest
from tests.system.objects.pairs import ERPS, SUPPLIER, Pair

FLOWS = {
    "products": {"entity": "product", "between": ["crm", "erp"], "owner": "crm", "when": "name = 'Chair'"},
    "customers": {"entity": "customer", "between": ["crm", "erp"], "owner": "crm", "variants": {"crm": ["account"]}},
    "vendors": {"entity": "vendor", "between": ["crm", "erp"], "owner": "crm", "direction": "left_to_right"},
    "orders": {"entity": "sales_order", "between": ["crm", "erp"], "owner": "crm", "variants": {"crm": ["order"]}},
}
# A column of the site's choice instead of the package's.
MAPPINGS = {"crm": {"customer": {"account": {"fields": {"UsrDepartment": None, "GPSN": "dimensions.department"}}}}}


@pytest.fixture(scope="module", params=ERPS)
def pair(request: pytest.FixtureRequest, make_world: Any) -> Pair:
    from tests.system.objects.books_bc import BcBooks
    from tests.system.objects.books_fo import FoBooks

    books: Any = {"bc": BcBooks, "d365fo": FoBooks}[request.param]
    mappings = {**MAPPINGS, **books.mappings}
    world = make_world(FLOWS, kind=request.param, connections={"erp": books.connection}, mappings=mappings)
    made = Pair(world, books(world))
    chair = world.product("Chair", Price=D(100))
    world.sync()
    made.known["chair"] = (chair, made.sent("product", chair))
    return made


def column(name: str) -> str:
    return "GPSN" if name == "customer" else "UsrDepartment"


@pytest.mark.parametrize("entity", ["customer", "vendor"])
def test_defaults_of_a_party(pair: Pair, entity: str) -> None:
    world, books, flow, first = pair.world, pair.books, f"{entity}s", pair.books.departments
    more = {"TypeId": SUPPLIER} if entity == "vendor" else {}
    key = world.account(f"Litware {entity}", **more, **{column(entity): first[0]})
    world.sync(flow)
    there = pair.sent(entity, key)
    assert books.department(entity, there) == first[0]
    world.quiet(flow)
    world.edit("Account", key, **{column(entity): first[1]})
    world.sync(flow)
    assert books.department(entity, there) == first[1]
    world.edit("Account", key, **{column(entity): ""})
    world.sync(flow)
    assert books.department(entity, there) == ""
    world.quiet(flow)


def test_defaults_that_people_set_in_the_erp(pair: Pair) -> None:
    world, books, (first, second, _) = pair.world, pair.books, pair.books.departments
    there = books.master("customer", "Proseware")
    books.set_department("customer", there, first)
    world.sync("customers", sweep=True)
    here = pair.arrived("customer", there)
    assert world.row("Account", here)["GPSN"] == first
    for wanted in (second, ""):
        books.set_department("customer", there, wanted)
        # No time stamp need show it; a comparison of all records does.
        world.sync("customers", sweep=True)
        assert world.row("Account", here)["GPSN"] == wanted
    world.quiet("customers")


def test_a_value_that_the_erp_lacks(pair: Pair) -> None:
    """Refused in words that name it; put right, it is still one customer."""
    world, books = pair.world, pair.books
    key = world.account("Tailspin Toys", GPSN="NOWHERE")
    world.sync("customers", states=("issues",))
    [issue] = world.issues("customers")
    assert "NOWHERE" in issue.reason
    world.sync("customers", states=("issues",))
    assert world.row("Account", key)["GPSN"] == "NOWHERE"
    world.edit("Account", key, GPSN=books.departments[0])
    world.sync("customers", states=("done", "issues"))
    world.sync("customers")
    assert books.department("customer", pair.sent("customer", key)) == books.departments[0]
    assert books.count_of("customer", "Tailspin Toys") == len(world.rows("Account", Name="Tailspin Toys")) == 1
    world.quiet("customers")
    before = books.count("sales_order")
    order = world.add("Order", AccountId=key, CurrencyId=world.currency("USD"), UsrDepartment="NOWHERE")
    world.line("OrderProduct", order, pair.here("chair"), 2, 90, UsrDepartment="NOWHERE")
    world.sync("orders", states=("issues",))
    assert len(world.issues("orders")) == 1
    world.edit("Order", order, UsrDepartment=books.departments[1])
    [line] = world.rows("OrderProduct", OrderId=order)
    world.edit("OrderProduct", line["Id"], UsrDepartment=books.departments[2])
    world.sync("orders", states=("done", "issues"))
    world.sync("orders")
    there = pair.sent("sales_order", order)
    assert books.department("sales_order", there) == books.departments[1]
    assert books.line_departments("sales_order", there) == [books.departments[2]]
    assert books.count("sales_order") == before + 1
    world.quiet("orders")


def test_an_order_and_its_lines(pair: Pair) -> None:
    world, books, (first, second, third) = pair.world, pair.books, pair.books.departments
    account = world.account("Trey Research")
    world.sync("customers")
    order = world.add("Order", AccountId=account, CurrencyId=world.currency("USD"), UsrDepartment=first)
    line = world.line("OrderProduct", order, pair.here("chair"), 2, 90, UsrDepartment=second)
    world.sync("orders")
    there = pair.sent("sales_order", order)
    assert (books.department("sales_order", there), books.line_departments("sales_order", there)) == (first, [second])
    world.quiet("orders")
    books.set_department("sales_order", there, third)
    books.set_line_department("sales_order", there, first)
    world.sync("orders")
    assert world.row("Order", order)["UsrDepartment"] == third
    assert world.row("OrderProduct", line)["UsrDepartment"] == first
    world.quiet("orders")


@pytest.mark.parametrize("pair", ["bc"], indirect=True)
def test_what_demands_a_value_stays_without_one(pair: Pair) -> None:
    """In Business Central a default dimension may say that postings need some value: clearing it is no delete."""
    world, (first, second, _) = pair.world, pair.books.departments
    key = world.account("Lamna Healthcare", GPSN=first)
    world.sync("customers")
    there = pair.sent("customer", key)
    [row] = world.bc_rows("defaultDimensions", parentId=there)
    needed = {"postingValidation": "Code_x0020_Mandatory"}
    world.bc("edit", set="defaultDimensions", key=row["id"], values=needed)
    for wanted in ("", second):
        world.edit("Account", key, GPSN=wanted)
        world.sync("customers")
        [row] = world.bc_rows("defaultDimensions", parentId=there)
        assert (row["dimensionValueCode"], row["postingValidation"]) == (wanted, needed["postingValidation"])
    world.quiet("customers")
