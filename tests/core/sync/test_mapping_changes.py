"""A mapping that changes while records are linked by it."""

from __future__ import annotations

from typing import Any

MOVED = """
mappings:
  erp:
    product: {default: {fields: {displayName: null, colour: name}}}
"""


async def test_a_field_that_is_kept_elsewhere_now_has_not_been_cleared(world: Any) -> None:
    """The new place is empty, and that emptied the other side."""
    key = world.crm.put("Products", Code="P1", Name="Chair")
    await world.sync("products")
    [there] = world.erp.rows("items")
    world.erp.objects["items"].fields["colour"] = "text"
    world.erp.edit("items", there, colour="")
    world.config += MOVED
    world.erp.fail("reject", object="items")
    await world.sync("products", sweep=True)
    await world.sync("products", sweep=True)
    assert world.crm.rows("Products")[key]["Name"] == "Chair"
    assert world.erp.rows("items")[there]["colour"] == "Chair"
    assert await world.issues() == []
    world.erp.edit("items", there, colour="")  # cleared by a person this time
    await world.sync("products")
    assert not world.crm.rows("Products")[key]["Name"]
