"""Amounts of document lines, and exchange rates: what Creatio's pages compute and its server does not.

In 8.1 a line saved through the API keeps Amount, DiscountAmount, TaxAmount and TotalAmount as sent, and
the header's Amount is the sum of the lines' TotalAmount; so a line without them makes a document of 0.
Base amounts (Primary…) of an order's line are computed by the server only when the line is new and names
no currency. Builds that compute all of this themselves overwrite what is sent; it is read back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from weft.model.currencies import ISO, Currencies
from weft.net.odata.literals import guid
from weft.net.odata.metadata import EntityType
from weft.net.odata.query import Query, eq
from weft_creatio.session import CreatioSession
from weft_creatio.values import number, stamp

_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
MONEY = 2
"""Decimal places of Creatio's columns for money, whatever the currency."""
_DRIVERS = (
    "Quantity", "Price", "DiscountPercent", "DiscountAmount", "DiscountTax", "TaxId", "TaxAmount", "Amount",
    "TotalAmount",
)  # fmt: skip
_PRICED = ("Price", "Amount", "DiscountAmount", "TaxAmount", "TotalAmount")


def line_prefix(type_: EntityType, prefix: str) -> str | None:
    """'' for a stock line object, the prefix for one of weft's package, None for what has no line amounts."""
    for one in dict.fromkeys(("", prefix)):
        if all(f"{one}{name}" in type_.properties for name in ("Quantity", "Price", "Amount")):
            return one
    return None


def currency_columns(type_: EntityType, prefix: str) -> list[str]:
    """Where a document says its currency."""
    return [name for name in dict.fromkeys(("CurrencyId", f"{prefix}CurrencyId")) if name in type_.properties]


def needs_line(data: Mapping[str, Any], type_: EntityType, prefix: str) -> bool:
    """Does a change touch what the amounts depend on, so that the line's other figures must be known?"""
    one = line_prefix(type_, prefix)
    return one is not None and any(f"{one}{name}" in data for name in _DRIVERS)


def cents(value: Decimal) -> Decimal:
    """To what a column for money holds."""
    return to_places(value, MONEY)


def to_places(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), context=Context(prec=200, rounding=ROUND_HALF_UP))


def complete(
    data: dict[str, Any],
    before: Mapping[str, Any],
    type_: EntityType,
    prefix: str,
    percents: Mapping[str, Decimal],
    division: Decimal = Decimal(1),
    places: int = MONEY,
) -> None:
    """Add the amounts a line needs to ``data``. ``before`` is the line as it is, {} for a new one;
    ``percents`` the rate of each tax by Id; ``division`` that of the line's currency, ``places`` those that amounts
    of the document's have."""
    one = line_prefix(type_, prefix)
    if one is None or not any(f"{one}{name}" in data for name in _DRIVERS):
        return

    def given(name: str) -> bool:
        return f"{one}{name}" in data and data[f"{one}{name}"] is not None

    def held(name: str) -> Decimal:
        value = data.get(f"{one}{name}", before.get(f"{one}{name}"))
        return Decimal(number(value)) if value is not None else Decimal(0)

    def put(name: str, value: Decimal) -> Decimal:
        if f"{one}{name}" in type_.properties:
            data[f"{one}{name}"] = value
        return value

    bought = to_places(_EXACT.multiply(held("Price"), held("Quantity")), places)
    amount = held("Amount") if given("Amount") else put("Amount", bought)
    moved = given("Price") or given("Quantity") or given("Amount")
    if f"{one}DiscountAmount" in type_.properties:
        if not given("DiscountAmount") and (moved or given("DiscountPercent")):
            discount = put("DiscountAmount", to_places(_percent(amount, held("DiscountPercent")), places))
        else:
            discount = held("DiscountAmount")
            if given("DiscountAmount") and not given("DiscountPercent") and amount:
                put("DiscountPercent", cents(_EXACT.divide(discount * 100, amount)))
        if given("TaxId") and not given("DiscountTax") and data[f"{one}TaxId"] in percents:
            put("DiscountTax", percents[data[f"{one}TaxId"]])
        moved = moved or given("DiscountAmount") or given("DiscountPercent")
        if not given("TaxAmount") and (moved or given("DiscountTax") or given("TaxId")):
            tax = put("TaxAmount", to_places(_percent(amount - discount, held("DiscountTax")), places))
        else:
            tax = held("TaxAmount")
        if not given("TotalAmount"):
            put("TotalAmount", amount - discount + tax)
    _base_amounts(data, before, type_, division)


def _percent(amount: Decimal, percent: Decimal) -> Decimal:
    return _EXACT.divide(_EXACT.multiply(amount, percent), Decimal(100))


def _base_amounts(data: dict[str, Any], before: Mapping[str, Any], type_: EntityType, division: Decimal) -> None:
    """The Primary twins of an order's line; the server computes those of an invoice's line always."""
    if not {"CurrencyId", "CurrencyRate", "PrimaryPrice"} <= type_.properties.keys():
        return
    if not before and not data.get("CurrencyId"):
        return  # the server copies currency and rate from the order and does the rest
    rate = Decimal(number(data.get("CurrencyRate", before.get("CurrencyRate")) or 1))
    for name in _PRICED:
        if name in data and f"Primary{name}" in type_.properties and data[name] is not None:
            data[f"Primary{name}"] = cents(_EXACT.divide(_EXACT.multiply(Decimal(number(data[name])), division), rate))


def is_paid(data: Mapping[str, Any], type_: EntityType) -> bool:
    """Does a document get a paid amount, whose base amount the server leaves to the page?"""
    return data.get("PaymentAmount") is not None and "PrimaryPaymentAmount" in type_.properties


async def with_paid_base(money: Money, data: dict[str, Any], before: Mapping[str, Any], type_: EntityType) -> None:
    """The base amount of what was paid; a change of it is also what updates an order and its instalments."""
    if is_paid(data, type_):
        division = await money.division(data.get("CurrencyId") or before.get("CurrencyId"))
        rate = Decimal(number(data.get("CurrencyRate", before.get("CurrencyRate")) or 1))
        paid = _EXACT.multiply(Decimal(number(data["PaymentAmount"])), division)
        data["PrimaryPaymentAmount"] = cents(_EXACT.divide(paid, rate))


# -- tables -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Money:
    """Rates and tax percentages of the site, read as they are needed; kept for one ``weft_write`` call."""

    session: CreatioSession
    currencies: Currencies = ISO
    _rates: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    _taxes: dict[str, Decimal] | None = None

    async def taxes(self) -> dict[str, Decimal]:
        """Percentage by the Id of the tax."""
        if self._taxes is None:
            rows = await self.session.rows("Tax", Query(select=("Id", "Percent"), orderby=("Id",), top=1000))
            self._taxes = {str(row["Id"]).lower(): Decimal(number(row.get("Percent") or 0)) for row in rows}
        return self._taxes

    async def division(self, currency: str | None) -> Decimal:
        """How many units of base currency the rate refers to; 1 when the currency does not say."""
        return Decimal(number((await self._currency(currency)).get("Division") or 1))

    async def places(self, currency: str | None) -> int:
        """Decimal places of amounts in a currency, at most those that a column holds."""
        row = await self._currency(currency)
        known = self.currencies.places(str(row.get("ShortName") or "") or None)
        return MONEY if known is None else min(MONEY, known)

    async def _currency(self, key: str | None) -> dict[str, Any]:
        if not key:
            return {}
        if key not in self._rows:
            query = Query(select=("Id", "ShortName", "Division"), filter=eq("Id", guid(key)), top=1)
            rows = await self.session.rows("Currency", query)
            self._rows[key] = rows[0] if rows else {}
        return self._rows[key]

    async def rate(self, currency: str, day: dt.date) -> Decimal | None:
        """The rate in force: of the rows valid that day the one created last, as Creatio chooses."""
        if currency not in self._rates:
            query = Query(
                select=("Id", "Rate", "RateMantissa", "StartDate", "EndDate", "CreatedOn"),
                filter=eq("Currency/Id", guid(currency)), orderby=("CreatedOn desc",), top=1000,
            )  # fmt: skip
            self._rates[currency] = await self.session.rows("CurrencyRate", query)
        for row in self._rates[currency]:
            start, end = stamp(row.get("StartDate")), stamp(row.get("EndDate"))
            if start is not None and start.date() <= day and (end is None or end.date() >= day):
                return effective(row.get("Rate"), row.get("RateMantissa"))
        return None


def effective(rate: Any, mantissa: Any) -> Decimal:
    """With a numeric RateMantissa the decimals come from it, and only the whole part from Rate."""
    value = Decimal(number(rate or 0))
    text = str(mantissa or "")
    if text.isascii() and text.isdigit():
        return Decimal(f"{int(value)}.{text[:8]}")
    return value


async def with_rate(money: Money, data: dict[str, Any], type_: EntityType, prefix: str, today: dt.date) -> None:
    """A document that gets a currency gets its rate: the column's default is 1, which suits only the base
    currency. A rate that came with it is for one unit of base currency, the column's for ``Division`` of them."""
    for one in dict.fromkeys(("", prefix)):
        currency = data.get(f"{one}CurrencyId")
        rate = f"{one}CurrencyRate"
        if not currency or rate not in type_.properties:
            continue
        if data.get(rate) is not None:
            data[rate] = _EXACT.multiply(Decimal(number(data[rate])), await money.division(str(currency)))
            continue
        days = (data.get(f"{one}{name}") for name in ("Date", "StartDate"))
        day = next((found.date() for text in days if (found := stamp(text)) is not None), today)
        in_force = await money.rate(str(currency), day)
        if in_force:
            data[rate] = in_force
