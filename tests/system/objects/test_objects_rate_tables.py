"""Exchange rates themselves, as each system quotes them: for one unit, for ten, for a hundred."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest

KINDS = ["bc", "d365fo"]
QUOTED = {"bc": {"EUR": ("1.25", 1), "GBP": ("12.5", 10), "JPY": ("0.67", 100)},
          "d365fo": {"EUR": ("1.25", 1), "GBP": ("1250", 1000), "JPY": ("0.67", 100)}}  # fmt: skip
"""Dollars for so many units, as accountants enter them."""


def day(ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=ago)).date().isoformat()


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def world(make_world: Any, kind: str) -> Any:
    direction = "right_to_left" if kind == "bc" else "both"
    when = "to_currency = 'USD' and currency in ['CAD', 'EUR', 'GBP', 'JPY']"
    flow = {"entity": "exchange_rate", "between": ["crm", "erp"], "direction": direction, "when": when}
    made = make_world({"rates": flow}, kind=kind)
    made.edit("Currency", made.currency("JPY"), Division=100)
    for currency, (rate, per) in QUOTED[kind].items():
        set_rate(made, currency, rate, per, day(3))
    made.sync()
    return made


def set_rate(world: Any, currency: str, rate: Any, per: int, date: str) -> None:
    world.served.run(lambda: world.erp.command("set_rate", currency=currency, rate=rate, per=per, date=date))


def held(world: Any, currency: str, date: str) -> D:
    [row] = [
        one
        for one in world.rows("CurrencyRate", CurrencyId=world.currency(currency))
        if one["StartDate"].startswith(date)
    ]
    return D(row["Rate"])


def there(world: Any, currency: str, date: str) -> dict[str, Any]:
    rows = world.served.run(lambda: world.erp.command("list", set="ExchangeRates", limit=1000))
    [row] = [
        one
        for one in rows
        if (one["FromCurrency"], one["ToCurrency"]) == (currency, "USD") and one["StartDate"].startswith(date)
    ]
    return dict(row)


def test_rates_are_turned_round_whatever_they_are_quoted_for(world: Any, kind: str) -> None:
    """Units of the currency for `Division` dollars: 0.8 euros for one, 14,925.37 yen for a hundred."""
    assert (held(world, "EUR", day(3)), held(world, "GBP", day(3))) == (D("0.8"), D("0.8"))
    assert held(world, "JPY", day(3)) == D("14925.37313433")
    yen = world.currency("JPY")
    order = world.add("Order", AccountId=world.account(), CurrencyId=yen, CurrencyRate=held(world, "JPY", day(3)))
    world.line("OrderProduct", order, world.product(), 1, 10_000)
    assert world.row("Order", order)["PrimaryAmount"] == 67
    world.quiet("rates")


def test_a_changed_rate_is_quoted_for_the_division_as_well(world: Any, kind: str) -> None:
    set_rate(world, "JPY", "0.8", 100, day(3))
    world.sync("rates", sweep=True)
    assert held(world, "JPY", day(3)) == D("12500")
    world.quiet("rates")


@pytest.mark.parametrize("kind", ["d365fo"], indirect=True)
def test_rates_of_creatio_go_over_for_a_hundred(world: Any, kind: str) -> None:
    for currency, rate in (("CAD", D("1.6")), ("JPY", D("12800"))):
        world.add("CurrencyRate", CurrencyId=world.currency(currency), StartDate=f"{day(1)}T00:00:00Z", Rate=rate)
    world.sync("rates")
    cad, yen = there(world, "CAD", day(1)), there(world, "JPY", day(1))
    assert (D(cad["Rate"]), cad["ConversionFactor"], cad["RateTypeName"]) == (D("62.5"), "Hundred", "Default")
    assert (D(yen["Rate"]), yen["ConversionFactor"]) == (D("0.78125"), "Hundred")
    world.quiet("rates")
    row = world.one("CurrencyRate", CurrencyId=world.currency("CAD"), StartDate=f"{day(1)}T00:00:00Z")
    world.edit("CurrencyRate", row["Id"], Rate=D("1.25"))
    world.sync("rates")
    assert D(there(world, "CAD", day(1))["Rate"]) == 80
    world.quiet("rates")


def test_a_rate_against_another_currency_is_refused(make_world: Any) -> None:
    """It has no place in Creatio, and would pass for one against its base currency."""
    flow = {"entity": "exchange_rate", "between": ["crm", "erp"], "direction": "right_to_left",
            "when": "currency = 'GBP'"}  # fmt: skip
    world = make_world({"rates": flow}, kind="d365fo")
    world.sync(states=("issues",))
    [issue] = world.issues("rates")
    assert "the rate is paid in EUR" in issue.reason
    assert "leave it out with `when: to_currency = 'USD'`" in issue.reason
    assert len(world.rows("CurrencyRate", CurrencyId=world.currency("GBP"))) == 2  # Creatio's own, and the one in USD
