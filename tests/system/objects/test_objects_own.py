"""What a company adds without code: columns, fields that only pass through, entities of its own; and deletes."""

from __future__ import annotations

from typing import Any

import pytest

FLOWS = {
    "customers": {"entity": "customer", "between": ["crm", "erp"], "owner": "crm", "variants": {"crm": ["account"]}},
    "blocking": {"entity": "customer", "between": ["crm", "erp"], "owner": "crm", "variants": {"crm": ["account"]},
                 "deletes": "deactivate", "enabled": False},
    "categories": {"entity": "product_category", "between": ["crm", "erp"], "owner": "erp"},
}  # fmt: skip
MAPPINGS = {
    "crm": {
        # A column of the company's own instead of the stock one.
        "customer": {"account": {"fields": {"Web": None, "UsrShop": "custom.shop"}}},
        "product_category": {
            "default": {
                "object": "ProductCategory", "key": ["Id"], "changed": "ModifiedOn", "changed_by": "ModifiedById",
                "version": "ModifiedOn", "own_key": {"field": "Id", "form": "guid"}, "match": [["name"]],
                "fields": {"Name": {"from": "name", "required": True}, "Description": "code"},
            }
        },
    },
    "erp": {
        "customer": {"default": {"fields": {"website": {"from": "custom.shop", "max": 255}}}},
        "product_category": {
            "default": {
                "object": "itemCategories", "key": ["id"], "changed": "lastModifiedDateTime", "match": [["name"]],
                "fields": {
                    "code": {
                        "from": "code", "on": "create", "max": 20, "compare": "casefold", "in": "code",
                        "out": "code != '' ? code : $uppercase(name)",
                    },
                    "displayName": {"from": "name", "max": 100},
                },
            }
        },
    },
}  # fmt: skip
ENTITIES = {"product_category": {"title": "Product category", "fields": {"code": "text", "name": "text"}}}


@pytest.fixture(scope="module")
def world(make_world: Any) -> Any:
    from weft_creatio.package.contents import Column, ObjectDescription

    made = make_world(FLOWS, mappings=MAPPINGS, entities=ENTITIES)
    column = ObjectDescription("Account", "Account", True, (Column("UsrShop", "MediumText"),))
    made.served.call(lambda: made.crm.installer.add_objects([column], "Custom"))
    made.sync()
    return made


def test_own_column_passes_through(world: Any) -> None:
    key = world.account("Fourth Coffee", UsrShop="https://shop.fourth.example", Web="https://not.sent.example")
    world.sync("customers")
    customer = world.partner("customer", key)
    assert world.bc("get", set="customers", key=customer)["website"] == "https://shop.fourth.example"
    world.bc("edit", set="customers", key=customer, values={"website": "https://beans.example"})
    world.sync("customers")
    row = world.row("Account", key)
    assert (row["UsrShop"], row["Web"]) == ("https://beans.example", "https://not.sent.example")
    world.edit("Account", key, UsrShop="")
    world.sync("customers")
    assert world.bc("get", set="customers", key=customer)["website"] == ""
    world.quiet("customers")


def test_column_installed_later(world: Any) -> None:
    """weft runs when an administrator adds the column: a restart with the new mapping fills it."""
    from weft_creatio.package.contents import Column, ObjectDescription

    key = world.account("Coho Vineyard")
    world.sync("customers")
    customer = world.partner("customer", key)
    column = ObjectDescription("Account", "Account", True, (Column("UsrTerritory", "ShortText"),))
    world.served.call(lambda: world.crm.installer.add_objects([column], "Custom"))
    world.config["mappings"]["crm"]["customer"]["account"]["fields"]["UsrTerritory"] = "custom.territory"
    world.config["mappings"]["erp"]["customer"]["default"]["fields"]["addressLine2"] = {
        "from": "custom.territory", "max": 50,
    }  # fmt: skip
    world.reopen()
    world.edit("Account", key, UsrTerritory="North")
    world.sync("customers")
    assert world.bc("get", set="customers", key=customer)["addressLine2"] == "North"
    world.bc("edit", set="customers", key=customer, values={"addressLine2": "South"})
    world.sync("customers")
    assert world.row("Account", key)["UsrTerritory"] == "South"
    world.quiet("customers")


def test_entity_of_ones_own(world: Any) -> None:
    lamp = world.one("ProductCategory", Name="Lamps")
    assert lamp["Description"] == "LAMP"  # Business Central's, brought over by the first load
    software = world.one("ProductCategory", Name="Software")  # Creatio's: its code is made of the name, and comes back
    assert software["Description"] == world.bc_one("itemCategories", displayName="Software")["code"] == "SOFTWARE"
    mine = world.add("ProductCategory", Name="Garden", Description="GARDEN")
    theirs = world.bc("create", set="itemCategories", values={"code": "BATH", "displayName": "Bathroom"})
    world.sync("categories")
    garden = world.bc_one("itemCategories", displayName="Garden")
    assert (garden["code"], garden["id"]) == ("GARDEN", world.partner("product_category", mine))
    bath = world.one("ProductCategory", Name="Bathroom")
    assert bath["Description"] == "BATH"
    world.edit("ProductCategory", mine, Name="Garden and terrace")
    world.bc("edit", set="itemCategories", key=theirs["id"], values={"displayName": "Bathrooms"})
    world.sync("categories")
    assert world.bc("get", set="itemCategories", key=garden["id"])["displayName"] == "Garden and terrace"
    assert world.row("ProductCategory", bath["Id"])["Name"] == "Bathrooms"
    world.quiet("categories")


def test_deleted_customer_is_asked_about(world: Any) -> None:
    """On either side: the other one stays as it is until somebody decides."""
    here, there = world.account("Lucerne Publishing"), world.account("Margie's Travel")
    world.sync("customers")
    kept, gone = world.partner("customer", here), world.partner("customer", there)
    world.remove("Account", here)
    world.bc("delete", set="customers", key=gone)
    world.sync("customers", sweep=True, states=("issues",))
    found = {one.kind for one in world.issues("customers")}
    assert (found, len(world.issues("customers"))) == ({"delete"}, 2)
    assert world.bc("get", set="customers", key=kept)["blocked"] == "_x0020_"
    assert world.row("Account", there)["Name"] == "Margie's Travel"
    world.sync("customers", sweep=True, states=("issues",))
    assert len(world.issues("customers")) == 2
    assert world.bc_rows("customers", displayName="Margie's Travel") == []


def test_deleted_customer_is_blocked(world: Any) -> None:
    """With `deletes: deactivate`: Business Central can block a customer; Creatio has no such column, and asks."""
    here, there = world.account("Nod Publishers"), world.account("Humongous Insurance")
    world.sync("blocking", states=("done", "issues"))
    kept, gone = world.partner("customer", here), world.partner("customer", there)
    before = len(world.issues("blocking"))
    world.remove("Account", here)
    world.bc("delete", set="customers", key=gone)
    world.sync("blocking", sweep=True, states=("issues",))
    assert world.bc("get", set="customers", key=kept)["blocked"] == "All"
    assert world.row("Account", there)["Name"] == "Humongous Insurance"
    assert len(world.issues("blocking")) == before + 1
