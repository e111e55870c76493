"""What sales and purchase documents have in common."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Literal

from weft.model.entities.parts import Address, Dimensions
from weft.model.entity import Entity, Money, about, code, ref
from weft.model.values import Ref

TOTALS = ("net_amount", "tax_amount", "gross_amount")
"""Each is the sum of the lines' field of the same name; a line's amounts are after every discount."""


class TaxLine(Entity, kind="document", label=("tax",)):
    """Tax of a document, summed by tax code."""

    position: int | None = about("Place among the tax lines, from 1")
    tax: str | None = code("tax", "Tax code")
    tax_percent: Decimal | None = about("Rate, per cent")
    base_amount: Money | None = about("Amount the tax is computed on", currency="currency")
    tax_amount: Money | None = about("Tax", currency="currency")


class Line(Entity, kind="document", label=("position", "description")):
    """What every line of a trade document has. Amounts are in the document's currency."""

    position: int | None = about("Place in the document, in ascending order")
    external_id: str | None = about("The other system's own id of the line")
    type: Literal["product", "account", "resource", "charge", "comment"] | None = about("What is traded")
    product: Ref | None = ref("product", "Product traded")
    account: Ref | None = ref("gl_account", "Ledger account, for a line without a product")
    description: str | None = about("Text of the line")
    description2: str | None = about("Second line of the text")
    quantity: Decimal | None = about("Quantity ordered or invoiced, in the line's unit")
    unit: str | None = code("unit", "Unit of the quantity")
    unit_price: Money | None = about("Price of one unit before discount", currency="currency")
    discount_percent: Decimal | None = about("Discount on the line, per cent")
    discount_amount: Money | None = about("Discount on the line", currency="currency")
    net_amount: Money | None = about("Amount after all discounts, without tax", currency="currency")
    tax: str | None = code("tax", "Tax code or group of the line")
    tax_percent: Decimal | None = about("Tax rate, per cent")
    tax_amount: Money | None = about("Tax on the line", currency="currency")
    gross_amount: Money | None = about("Amount after all discounts, with tax", currency="currency")
    delivery_date: datetime.date | None = about("Day of delivery asked for or planned")
    location: str | None = code("location", "Warehouse the goods leave or reach")
    project: Ref | None = ref("project", "Project the line belongs to")
    dimensions: Dimensions | None = about("Financial dimensions of the line")
    notes: str | None = about("Free text")


class Document(Entity, kind="document", currency="currency", label=("number", "external_number"), totals=TOTALS):
    """What every trade document has."""

    number: str | None = about("Document number, assigned by the system of record")
    external_number: str | None = about("Number the other system or the other party gave the document")
    description: str | None = about("Title or subject")
    date: datetime.date | None = about("Date of the document")
    posting_date: datetime.date | None = about("Date it is posted on")
    currency: str | None = code("currency", "Currency of all amounts")
    exchange_rate: Decimal | None = about("Company currency paid for one unit of the document's currency")
    prices_include_tax: bool | None = about("Whether unit prices contain tax")
    payment_terms: str | None = code("payment_terms", "When payment is due")
    payment_method: str | None = code("payment_method", "How payment is made")
    shipment_method: str | None = code("shipment_method", "Terms of delivery")
    tax: str | None = code("tax", "Tax group of the document")
    discount_percent: Decimal | None = about("Discount on the whole document, per cent")
    discount_amount: Money | None = about("Discount on the whole document", currency="currency")
    net_amount: Money | None = about("Total without tax", currency="currency")
    tax_amount: Money | None = about("Total tax", currency="currency")
    gross_amount: Money | None = about("Total with tax", currency="currency")
    owner: str | None = code("user", "Who is responsible: CRM owner, salesperson, buyer")
    project: Ref | None = ref("project", "Project it belongs to")
    location: str | None = code("location", "Warehouse the goods leave or reach")
    language: str | None = about("Language of the document, IETF tag such as en-GB")
    address: Address | None = about("Address of the party (billing)")
    shipping_address: Address | None = about("Address of delivery")
    dimensions: Dimensions | None = about("Financial dimensions of the document")
    notes: str | None = about("Free text")
    taxes: list[TaxLine] | None = about("Tax summed by tax code")
