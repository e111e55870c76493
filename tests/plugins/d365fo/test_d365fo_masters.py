"""Master data: what is made through another set, belongs to a party, or is shared by all companies."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from weft.model.values import Ref


async def test_product_is_made_released_priced_and_renamed(bench):
    fields = {"name": "Desk lamp", "description": "With a long arm", "type": "inventory", "item_group": "Parts",
              "unit": "ea"}  # fmt: skip
    key = await bench.create("product", fields)
    price = bench.item("product", "update", {"unit_price": Decimal("39.90")}, key=key)
    assert (await bench.write("product", price))[price.id].result == "updated"
    back = await bench.read("product", key)
    assert (back.fields["name"], back.fields["unit_price"], back.fields["unit"]) == ("Desk lamp", Decimal("39.9"), "ea")
    rename = bench.item("product", "update", {"name": "Reading lamp", "sales_unit": "box"}, key=key)
    assert (await bench.write("product", rename))[rename.id].result == "updated"
    after = await bench.read("product", key)
    assert (after.fields["name"], after.fields["sales_unit"]) == ("Reading lamp", "box")


async def test_contact_belongs_to_the_party_of_its_customer(bench):
    buyer = Ref("CustomersV3", bench.first("CustTable", "CustomerAccount"))
    key = await bench.create("contact", {"customer": buyer, "name": "Robin Vale", "email": "robin@vale.example"})
    back = await bench.read("contact", key)
    assert (back.fields["customer"], back.fields["first_name"], back.fields["last_name"]) == (buyer, "Robin", "Vale")


async def test_person_and_vendor(bench):
    person = {"party_type": "person", "first_name": "Mira", "last_name": "Holt", "name": "Mira Holt", "currency": "USD"}
    key = await bench.create("customer", person)
    assert (await bench.read("customer", key)).fields["name"] == "Mira Holt"
    vendor = await bench.create("vendor", {"name": "Northwind", "party_type": "organization", "currency": "USD",
                                           "address.country": "DE", "blocked": "payment"})  # fmt: skip
    back = await bench.read("vendor", vendor)
    assert (back.fields["address.country"], back.fields["blocked"], back.fields["active"]) == ("DE", "payment", True)


async def test_project_rate_and_account(bench):
    project = await bench.create("project", {"name": "Roof", "group": "TM", "start_date": date(2026, 5, 4)})
    assert (await bench.read("project", project)).fields["start_date"] == date(2026, 5, 4)
    rate = {"currency": "GBP", "to_currency": "USD", "valid_from": date(2026, 6, 1), "rate": Decimal("1.3015")}
    key = await bench.create("exchange_rate", rate)
    assert key == "Default|GBP|USD|2026-06-01"
    assert (await bench.read("exchange_rate", key)).fields["rate"] == Decimal("1.3015")
    fields = {"number": "618999", "name": "Fees", "category": "expense", "custom.chart": "Shared"}
    account = await bench.create("gl_account", fields)
    assert (await bench.read("gl_account", account)).fields["name"] == "Fees"
    rows = await bench.records("dimension_value", "scan")
    assert "Department|022" in {key.replace("||", "|") for key in rows}


async def test_deletes_and_deactivations(bench):
    key = await bench.create("customer", {"name": "Gone soon", "party_type": "organization", "currency": "USD"})
    off = bench.item("customer", "deactivate", {}, key=key)
    assert (await bench.write("customer", off))[off.id].result == "updated"
    assert (await bench.read("customer", key)).fields["active"] is False
    gone = bench.item("customer", "delete", {}, key=key)
    assert (await bench.write("customer", gone))[gone.id].result == "deleted"
    [page] = await bench.pages("customer", "keys", keys=[key])
    assert page.gone == [key]


async def test_an_item_number_with_an_asterisk_is_no_other_item(bench):
    """In a filter an asterisk stands for any text; what is asked for is one item all the same."""
    for number in ("M8*20", "M8X20"):
        await bench.create("product", {"number": number, "name": number, "type": "inventory", "item_group": "Parts",
                                       "unit": "ea"})  # fmt: skip
    price = {"currency": "EUR", "company": "usmf"}
    mine = await bench.sim.command("set_price", item="M8*20", price=5, since="2025-01-01", until="2025-06-30", **price)
    await bench.sim.command("set_price", item="M8X20", price=999, since="2025-01-01", **price)
    [page] = await bench.pages("price", "keys", keys=[str(mine["RecordId"])])
    assert (page.moved, page.gone, page.records) == ([], [str(mine["RecordId"])], [])
    assert list(await bench.records("product", "keys", keys=["M8*20"])) == ["M8*20"]
