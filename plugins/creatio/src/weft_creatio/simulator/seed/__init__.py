"""Sample data: the stock lookups every site has, and any number of invented customers and documents."""

from __future__ import annotations

import gc

from weft_creatio.simulator.site import Site

from .documents import seed_documents
from .parties import seed_parties
from .products import seed_products
from .reference import seed_reference


def fill(site: Site, records: int, seed: int) -> None:
    """Fill an empty site: `records` accounts and what belongs to them. The same seed gives the same data."""
    collecting = gc.isenabled()
    gc.disable()  # a million rows make no cycles, and the collector would walk them again and again
    try:
        _fill(site, records, seed)
    finally:
        if collecting:
            gc.enable()


def _fill(site: Site, records: int, seed: int) -> None:
    with site.db.bulk():
        reference = seed_reference(site)
        products = seed_products(site, reference, records, seed)
        parties = seed_parties(site, reference, records, seed)
        seed_documents(site, reference, products, parties, seed)
