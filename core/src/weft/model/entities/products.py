"""What is sold and bought: products and their prices."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from weft.model.entities.parts import Dimensions
from weft.model.entity import Entity, Money, about, code, ref
from weft.model.values import Ref


class Product(Entity, currency="currency"):
    """Something sold or bought: goods, a service, a set."""

    number: str | None = about("Item number, assigned by the system of record")
    external_number: str | None = about("Number under which the other system knows the product")
    name: str | None = about("Name")
    name2: str | None = about("Second line of the name")
    search_name: str | None = about("Short name used for searching")
    description: str | None = about("Long description")
    type: Literal["inventory", "service", "non_inventory"] | None = about("Whether stock is kept")
    item_group: str | None = code("item_group", "Group or category that decides posting")
    brand: str | None = about("Brand or trade mark")
    barcode: str | None = about("GTIN or other bar code")
    unit: str | None = code("unit", "Unit of stock and of the prices here")
    sales_unit: str | None = code("unit", "Unit of selling, where it differs")
    purchase_unit: str | None = code("unit", "Unit of buying, where it differs")
    unit_price: Money | None = about("Sales price of one unit", currency="currency")
    unit_cost: Money | None = about("Cost of one unit", currency="currency")
    purchase_price: Money | None = about("Purchase price of one unit", currency="currency")
    price_includes_tax: bool | None = about("Whether the sales price contains tax")
    currency: str | None = code("currency", "Currency of the prices")
    tax: str | None = code("tax", "Tax group of the product")
    posting_group: str | None = about("Posting group or item model group, by code")
    inventory_posting_group: str | None = about("Inventory posting group, by code")
    vendor: Ref | None = ref("vendor", "Vendor it is usually bought from")
    vendor_item_number: str | None = about("The vendor's number for it")
    weight: Decimal | None = about("Net weight of one unit, kilograms")
    volume: Decimal | None = about("Volume of one unit, cubic metres")
    on_hand_quantity: Decimal | None = about("Stock on hand in all locations together")
    owner: str | None = code("user", "Who looks after the product")
    blocked: bool | None = about("Whether use in new documents is forbidden")
    active: bool | None = about("False when the product is no longer used")
    website: str | None = about("Web address of the product page")
    notes: str | None = about("Free text")
    dimensions: Dimensions | None = about("Default financial dimensions")


class Price(Entity, currency="currency", label=("product", "price_list", "currency")):
    """One price of a product: for a list, a customer or a group, from a quantity, for a time."""

    product: Ref | None = ref("product", "Product that is priced")
    price_list: str | None = code("price_list", "List the price belongs to")
    customer: Ref | None = ref("customer", "Customer the price is for, when for one only")
    customer_group: str | None = code("customer_group", "Group the price is for")
    unit: str | None = code("unit", "Unit that is priced")
    minimum_quantity: Decimal | None = about("Quantity from which the price holds")
    unit_price: Money | None = about("Price of one unit", currency="currency")
    currency: str | None = code("currency", "Currency of the price")
    discount_percent: Decimal | None = about("Discount off the price, per cent")
    includes_tax: bool | None = about("Whether the price contains tax")
    tax: str | None = code("tax", "Tax group")
    valid_from: date | None = about("First day the price holds")
    valid_to: date | None = about("Last day the price holds")
