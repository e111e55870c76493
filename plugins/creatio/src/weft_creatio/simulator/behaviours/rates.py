"""Exchange rates and amounts in the base currency.

A rate says how many units of the currency make `Division` units of the base currency:
primary = amount * Division / rate.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from weft_creatio.simulator.database import Raw
from weft_creatio.simulator.site import Site

RATE_SCALE = 8
_UNIT = 100_000_000


def current_rate(site: Site, currency: str | None, day: str | None) -> int | None:
    """Raw rate in force: of the rows valid on the day, the one created last; not the one that starts last.

    With a numeric RateMantissa the whole part comes from Rate and the decimals from RateMantissa.
    """
    if currency is None or day is None:
        return None
    found = site.db.execute(
        "SELECT Rate, RateMantissa FROM CurrencyRate WHERE CurrencyId=? AND StartDate<=? "
        "AND (EndDate IS NULL OR EndDate>=?) ORDER BY CreatedOn DESC LIMIT 1",
        (currency, day, day),
    ).fetchone()
    if found is None:
        return None
    rate, mantissa = int(found[0]), str(found[1])
    if mantissa.isdecimal():
        return rate // _UNIT * _UNIT + int(mantissa[:RATE_SCALE].ljust(RATE_SCALE, "0"))
    return rate


def division(site: Site, currency: str | None) -> int:
    """How many base units a rate refers to; 1 when the currency does not say."""
    return int(site.db.value("SELECT Division FROM Currency WHERE Id=?", (currency,)) or 1)


def primary(raw: int, rate: int, per: int) -> int:
    """A raw amount (two decimals) in the base currency; a missing rate counts as 1."""
    exact = Decimal(raw) * per * _UNIT / (rate or _UNIT)
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def foreign(raw: int, rate: int, per: int) -> int:
    """A raw base amount in the currency of the rate."""
    exact = Decimal(raw) * (rate or _UNIT) / (per * _UNIT)
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


PRICED = ("Price", "Amount", "DiscountAmount", "TaxAmount", "TotalAmount")
"""Line columns that have a Primary twin."""


def fill_primary(row: Raw, rate: int, per: int) -> Raw:
    """The Primary twins of a line's amounts."""
    return {f"Primary{name}": primary(row[name], rate, per) for name in PRICED}
