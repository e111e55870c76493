"""What the tables do on writes: defaults, checks, number sequences, and what follows from a write."""

from __future__ import annotations

from weft_d365fo.simulator.rules.base import Rule


def all_rules() -> dict[str, Rule]:
    """Table -> its rule; tables without one only check mandatory fields."""
    from weft_d365fo.simulator.rules import (
        invoices,
        journals,
        ledger,
        parties,
        price_journals,
        products,
        purchasing,
        sales,
    )

    found: dict[str, Rule] = {}
    for module in (parties, products, price_journals, sales, purchasing, invoices, journals, ledger):
        found.update(module.rules())
    return found
