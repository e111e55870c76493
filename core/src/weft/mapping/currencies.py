"""Decimal places of currencies (ISO 4217 minor units) that are not two."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

USUAL = 2

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"

MINOR_UNITS: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(_NONE.split(), 0),
        **dict.fromkeys(_THREE.split(), 3),
        **dict.fromkeys(_FOUR.split(), 4),
    }
)


def minor_units(currency: str | None) -> int | None:
    """Decimal places of amounts in a currency; None when the currency is not known."""
    if not currency:
        return None
    return MINOR_UNITS.get(currency.upper(), USUAL)
