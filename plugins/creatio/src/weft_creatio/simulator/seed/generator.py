"""Small building blocks of sample rows: Ids, times, patterns and names."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import lru_cache

from weft_creatio.simulator.site import Site
from weft_creatio.simulator.values import cut_instant, raw_instant

STEMS = (
    "Adatum", "Alpine Ski", "Blue Yonder", "City Power", "Coho", "Consolidated", "Contoso", "Fabrikam",
    "Fourth Coffee", "Graphic Design", "Humongous", "Litware", "Lucerne", "Margie's", "Munson's", "Northwind",
    "Nod", "Proseware", "Relecloud", "School of Fine Art", "Southridge", "Tailspin", "Trey", "VanArsdel",
    "Wide World", "Wingtip", "Woodgrove",
)  # fmt: skip
FIELDS = (
    "Trading", "Traders", "Foods", "Toys", "Logistics", "Bank", "Insurance", "Components", "Pharmacy", "Publishing",
    "Research", "Textiles", "Vineyards", "Importers", "Energy", "Media", "Motors", "Optics",
)  # fmt: skip
FORMS = {
    "US": ("Inc.", "LLC"), "CA": ("Ltd.", "Inc."), "AU": ("Pty Ltd",), "DE": ("GmbH", "AG"), "FR": ("SARL", "SAS"),
    "GB": ("Ltd", "plc"), "PL": ("Sp. z o.o.",), "JP": ("株式会社",),
}  # fmt: skip
GIVEN = (
    "Anna", "Björn", "Chloé", "Daniel", "Eva", "Farid", "Grace", "Hiroshi", "Inés", "Jan", "Kasia", "Liam",
    "Mónica", "Noah", "Olga", "Pierre", "Quinn", "Rosa", "Søren", "Tomás",
)  # fmt: skip
FAMILY = (
    "Adler", "Bennett", "Côté", "Dąbrowski", "Evans", "Fischer", "García", "Hansen", "Ivanova", "Jørgensen",
    "Kowalski", "Lefèvre", "Müller", "Nakamura", "O'Brien", "Petrov", "Quist", "Rossi", "Schmidt", "Tanaka",
)  # fmt: skip


@lru_cache(maxsize=256)
def _form(pattern: str) -> tuple[str, int]:
    return pattern.replace("%", "%%").replace("#", "%s"), pattern.count("#")


class Generator:
    """A seeded source of sample values."""

    def __init__(self, site: Site, seed: int, topic: str) -> None:
        self.random = random.Random(f"{seed}/{topic}")
        self._digits = site.settings.fraction_digits
        self._end = site.clock.now_ns() // 1_000_000_000 - 3600
        self._start = int(datetime(2023, 1, 3, tzinfo=UTC).timestamp())

    def id(self) -> str:
        text = f"{self.random.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def moment(self, share: float) -> str:
        """A time that share of the way from the site's first day to an hour ago, to the microsecond."""
        second = self._start + int((self._end - self._start) * share)
        ns = second * 1_000_000_000 + self.random.randrange(1_000_000) * 1_000
        return cut_instant(raw_instant(ns), self._digits)

    def fill(self, pattern: str) -> str:
        """Each # of the pattern becomes a digit."""
        form, wanted = _form(pattern)
        return form % tuple(f"{self.random.getrandbits(80):024d}"[-wanted:])

    def company(self, number: int, alpha2: str) -> str:
        """A company name; the number keeps large sets apart."""
        stem = STEMS[number % len(STEMS)]
        field = FIELDS[(number // len(STEMS)) % len(FIELDS)]
        forms = FORMS[alpha2]
        series = number // (len(STEMS) * len(FIELDS))
        tail = f" {series + 1}" if series else ""
        return f"{stem} {field}{tail} {forms[number % len(forms)]}"
