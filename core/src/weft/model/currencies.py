"""Decimal places of amounts: ISO 4217 minor units, and what a configuration says otherwise."""

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
"""Of the currencies that have not two."""


class Currencies:
    """How many decimal places amounts have, by currency. ``own``: code -> places where they are not the usual ones."""

    def __init__(self, own: Mapping[str, int] | None = None) -> None:
        self._own = dict(own or {})
        self._places = {**MINOR_UNITS, **{code.upper(): places for code, places in self._own.items()}}
        self.most = max(USUAL, *self._places.values())
        """The most that any currency has."""

    def __repr__(self) -> str:
        return f"Currencies({self._own or ''})"

    def places(self, currency: str | None) -> int | None:
        """Decimal places of amounts in a currency; None when the currency is not known."""
        return self._places.get(currency.upper(), USUAL) if currency else None


ISO = Currencies()
