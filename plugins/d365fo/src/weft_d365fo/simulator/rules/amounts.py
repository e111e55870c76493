"""Prices, line amounts, due dates: the arithmetic of documents."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from weft.testing.odata.store import Row
from weft_d365fo.simulator.schema import NO_DATE
from weft_d365fo.simulator.values import noon, plain
from weft_d365fo.simulator.world import Company, World

HUNDRED = Decimal(100)


def number(value: Any) -> Decimal:
    return Decimal(value)


def rounded(world: World, currency: str, value: Decimal) -> Decimal:
    """To the currency's rounding rule, halves away from zero."""
    row = world.get("Currencies", CurrencyCode=currency)
    rule = Decimal(row.get("GeneralRoundingRule") or "0.01") if row else Decimal("0.01")
    return plain((value / rule).quantize(Decimal(1), ROUND_HALF_UP) * rule)


def line_amount(
    world: World, currency: str, quantity: Any, price: Any, per: Any, discount: Any, percent: Any
) -> Decimal:
    """Quantity times price less the discount, which is for as many as the price (``SalesLineDisc``: "line discount in
    amount per price unit"), and the percentage."""
    each = (number(price) - number(discount)) / (number(per) or 1)
    return rounded(world, currency, number(quantity) * each * (HUNDRED - number(percent)) / HUNDRED)


def converted(world: World, home: Company, amount: Decimal, source: str, target: str, day: str) -> Decimal:
    """Through the accounting currency."""
    if source == target:
        return amount
    own = amount * number(world.rate(home, source, day)) / HUNDRED
    return own if target == home.currency else own * HUNDRED / number(world.rate(home, target, day))


def sales_price(world: World, home: Company, item: Row, account: str, currency: str, day: str) -> Decimal:
    """The agreement for the customer, for his price group or for all; else the base price in the currency asked."""
    customer = world.get("CustTable", dataAreaId=home.id, CustomerAccount=account) or {}
    group = customer.get("DiscountPriceGroupId", "")
    best: tuple[int, Row] | None = None
    for row in world.find("SalesPriceAgreements", "ItemNumber", item["ItemNumber"], home.id):
        whose, groups = row.get("CustomerAccountNumber", ""), row.get("PriceCustomerGroupCode", "")
        if row["PriceCurrencyCode"] != currency or whose not in ("", account) or groups not in ("", group):
            continue
        rank = 2 if whose else 1 if groups else 0
        if best is None or rank > best[0]:
            best = rank, row
    if best is not None:
        return number(best[1]["Price"]) / (number(best[1].get("SalesPriceQuantity") or 1))
    base = number(item.get("SalesPrice", 0)) / (number(item.get("SalesPriceQuantity") or 1))
    return rounded(world, currency, converted(world, home, base, home.currency, currency, day))


def priced_per(world: World, item: Row | None, column: str) -> Decimal:
    """For how many pieces the price of a new line is."""
    if item is None or world.settings.line_prices_per == "one":
        return Decimal(1)
    return number(item.get(column) or 1)


def due_date(world: World, company: str, terms: str, day: str) -> str:
    """By the terms of payment; the day itself where there are none."""
    if day == NO_DATE:
        return day
    row = world.get("PaymentTerms", dataAreaId=company, Name=terms) if terms else None
    days = int(row.get("NumberOfDays", 0)) if row else 0
    return noon((dt.date.fromisoformat(day[:10]) + dt.timedelta(days=days)).isoformat())


def tax(world: World, group: str, item_group: str, amount: Decimal, currency: str) -> Decimal:
    """Domestic sales of fully taxed goods bear the environment's rate."""
    percent = Decimal(world.settings.tax_percent)
    if not percent or group != "DOM" or item_group not in ("FULL", ""):
        return Decimal(0)
    return rounded(world, currency, amount * percent / HUNDRED)
