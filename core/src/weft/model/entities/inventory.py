"""Stock."""

from __future__ import annotations

from decimal import Decimal

from weft.model.entity import Entity, Moment, about, code, ref
from weft.model.values import Ref


class InventoryLevel(Entity, kind="ledger", label=("product", "location")):
    """Stock of a product in one location."""

    product: Ref | None = ref("product", "Product in stock")
    variant: str | None = about("Variant of the product, by code")
    location: str | None = code("location", "Warehouse")
    unit: str | None = code("unit", "Unit of the quantities")
    on_hand_quantity: Decimal | None = about("Quantity physically there")
    reserved_quantity: Decimal | None = about("Quantity reserved for orders")
    available_quantity: Decimal | None = about("Quantity free to promise now")
    ordered_quantity: Decimal | None = about("Quantity on its way from vendors")
    as_of: Moment | None = about("When the quantities were taken")
