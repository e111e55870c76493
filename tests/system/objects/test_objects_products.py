"""Products and items: made on either side, prices, units, groups; and what is no longer sold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

FLOWS = {"products": {"entity": "product", "between": ["crm", "erp"], "owner": "crm", "deletes": "deactivate"}}
# The two systems spell one of the units differently; the others differ in case only, which does not count.
MAPPINGS = {"erp": {"product": {"default": {"fields": {"baseUnitOfMeasureCode": {"values": {"h": "HOUR"}}}}}}}


@pytest.fixture(scope="module")
def world(make_world: Any) -> Any:
    made = make_world(FLOWS, mappings=MAPPINGS)
    made.sync()
    return made


def test_product_becomes_an_item(world: Any) -> None:
    priced = {"Price": Decimal("1249.90"), "CurrencyId": world.currency("USD")}
    key = world.product("Oak Desk", UnitId=world.unit("pcs"), **priced)
    hour = world.product("Assembly", Price=Decimal("85.5"), UnitId=world.unit("h"))
    world.sync()
    item = world.bc("get", set="items", key=world.partner("product", key))
    assert (item["number"], item["displayName"]) == ("OAK-DESK", "Oak Desk")
    assert (item["unitPrice"], item["baseUnitOfMeasureCode"]) == (Decimal("1249.90"), "PCS")
    assert item["blocked"] is False
    there = world.bc("get", set="items", key=world.partner("product", hour))
    assert (there["baseUnitOfMeasureCode"], there["unitPrice"]) == ("HOUR", Decimal("85.5"))
    world.quiet()


def test_item_becomes_a_product(world: Any) -> None:
    item = world.bc("create", set="items", values={
        "displayName": "Reading Lamp", "unitPrice": Decimal("64.25"), "baseUnitOfMeasureCode": "BOX",
        "itemCategoryCode": "LAMP",
    })  # fmt: skip
    world.sync()
    row = world.row("Product", world.link("product", right=item["id"]).left_key)
    assert (row["Name"], row["Code"], row["Price"]) == ("Reading Lamp", item["number"], Decimal("64.25"))
    assert (row["UnitId"], row["CurrencyId"]) == (world.unit("box"), world.currency("USD"))
    assert row["UsrItemGroupId"] == world.id("UsrItemGroup", UsrCode="LAMP")
    world.quiet()


def test_an_item_whose_number_is_in_capitals_is_found_before_it_is_made_again(world: Any) -> None:
    """Business Central writes codes in capitals and compares them to the letter."""
    item = world.bc("create", set="items", values={"number": "SHELF-7B", "displayName": "Shelf 7b"})
    key = world.product("Shelf 7b", Code="Shelf-7b")
    [report] = world.sync()
    assert world.partner("product", key) == item["id"]
    assert report.counts.get("rejected", 0) == 0
    world.quiet()


def test_prices_and_units_are_changed_on_either_side(world: Any) -> None:
    key = world.product("Side Table", Price=Decimal(100), UnitId=world.unit("pcs"))
    world.sync()
    item = world.partner("product", key)
    world.edit("Product", key, Price=Decimal("119.95"))
    world.sync()
    assert world.bc("get", set="items", key=item)["unitPrice"] == Decimal("119.95")
    world.bc("edit", set="items", key=item, values={"unitPrice": Decimal("99.5"), "baseUnitOfMeasureCode": "BOX"})
    world.sync()
    row = world.row("Product", key)
    assert (row["Price"], row["UnitId"]) == (Decimal("99.5"), world.unit("box"))
    world.quiet()


def test_unit_that_the_other_side_lacks_is_made_there(world: Any) -> None:
    world.product("Wood Pellets", UnitId=world.unit("plt"))
    world.bc("create", set="unitsOfMeasure", values={"code": "ROLL", "displayName": "Roll"})
    world.bc("create", set="items", values={"displayName": "Felt", "baseUnitOfMeasureCode": "ROLL"})
    world.sync()
    item = world.bc_one("items", displayName="Wood Pellets")
    unit = world.bc("get", set="unitsOfMeasure", key=item["baseUnitOfMeasureId"])
    assert unit["code"] == "PLT"
    assert world.one("Product", Name="Felt")["UnitId"] == world.unit("ROLL")
    world.quiet()


def test_what_is_no_longer_sold_is_blocked(world: Any) -> None:
    key, gone = world.product("Old Stool"), world.product("Broken Stool")
    world.sync()
    item, other = world.partner("product", key), world.partner("product", gone)
    world.edit("Product", key, Active=False)
    world.sync()
    assert world.bc("get", set="items", key=item)["blocked"] is True
    world.bc("edit", set="items", key=item, values={"blocked": False})
    world.sync()
    assert world.row("Product", key)["Active"] is True
    # Deleted in Creatio: the item stays, because documents name it, but it cannot be sold any more.
    world.remove("Product", gone)
    world.sync(sweep=True)
    assert world.bc("get", set="items", key=other)["blocked"] is True
    world.quiet()
