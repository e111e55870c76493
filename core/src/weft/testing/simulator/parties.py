"""Made-up companies and people, the same for the same index and seed whoever asks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

# Dictionary-free names: two syllable tables and a trade give tens of thousands of companies.
_FIRST = (
    "Adatum", "Alpine", "Bellows", "Blue Yonder", "City Power", "Coho", "Consolidated", "Contoso", "Datum", "Fabrikam",
    "First Up", "Fourth Coffee", "Graphic Design", "Humongous", "Lamna", "Liberty's", "Litware", "Lucerne", "Margie's",
    "Munson's", "Nod", "Northwind", "Proseware", "Relecloud", "School of Fine", "Southridge", "Tailspin", "Trey",
    "VanArsdel", "Wide World", "Wingtip", "Woodgrove",
)  # fmt: skip
_TRADE = (
    "Bicycles", "Ceramics", "Cabinets", "Dairy", "Electronics", "Fasteners", "Foods", "Furnishings", "Glassworks",
    "Hydraulics", "Instruments", "Joinery", "Kitchens", "Lighting", "Logistics", "Machining", "Marine", "Optics",
    "Packaging", "Paper", "Plastics", "Pumps", "Robotics", "Roofing", "Sports", "Stationery", "Textiles", "Tools",
    "Toys", "Traders", "Valves", "Wines",
)  # fmt: skip
_GIVEN = (
    "Alex", "Bo", "Casey", "Dana", "Eli", "Frankie", "Gale", "Harper", "Indy", "Jules", "Kit", "Lou", "Max", "Noor",
    "Ola", "Pat",
)  # fmt: skip
_SUR = (
    "Abbas", "Berg", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Hansen", "Ito", "Jensen", "Kovac", "Lopez",
    "Moreau", "Novak", "Okafor", "Park",
)  # fmt: skip
_STREET = (
    "Main Street",
    "Station Road",
    "Harbour View",
    "Mill Lane",
    "Oak Avenue",
    "Park Row",
    "Quay Street",
    "River Walk",
)
PLACES = {
    "US": (
        ("Atlanta", "GA", "30301"),
        ("Chicago", "IL", "60601"),
        ("Miami", "FL", "33101"),
        ("Seattle", "WA", "98101"),
    ),
    "GB": (
        ("London", "", "WC1 3DG"),
        ("Bristol", "", "BS3 6KL"),
        ("Leeds", "", "LS1 4AP"),
        ("Manchester", "", "M22 5TG"),
    ),
    "DE": (("Hamburg", "", "20097"), ("München", "", "80331"), ("Köln", "", "50667"), ("Düsseldorf", "", "40210")),
    "FR": (("Paris", "", "75001"), ("Lyon", "", "69001"), ("Nantes", "", "44000"), ("Évry", "", "91000")),
    "DK": (("København", "", "1050"), ("Aarhus", "", "8000"), ("Odense", "", "5000"), ("Ålborg", "", "9000")),
}
_LEGAL = {"US": "Inc.", "GB": "Ltd.", "DE": "GmbH", "FR": "SARL", "DK": "A/S"}
_DIAL = {"US": "+1 404", "GB": "+44 20", "DE": "+49 40", "FR": "+33 1", "DK": "+45 33"}
_COUNTRIES = ("US", "US", "US", "GB", "DE", "FR", "DK")


def party(index: int, seed: int = 0) -> dict[str, Any]:
    """One company: name, contact_name, email, phone, website, street, city, state, postal_code, country, tax_id."""
    pick = ((index + seed * 7919) * 2654435761) & 0xFFFFFFFF
    country = _COUNTRIES[pick % 7]
    city, state, postal = PLACES[country][(pick >> 3) & 3]
    first, trade = _FIRST[(pick >> 5) & 31], _TRADE[(pick >> 10) & 31]
    given, sur = _GIVEN[(pick >> 15) & 15], _SUR[(pick >> 19) & 15]
    slug = first.lower().replace(" ", "").replace("'", "")
    domain = f"{slug}{trade.lower()}{index}.example"
    return {
        "name": f"{first} {trade} {index} {_LEGAL[country]}",
        "contact_name": f"{given} {sur}",
        "email": f"{given.lower()}.{sur.lower()}@{domain}",
        "phone": f"{_DIAL[country]} 555 {index % 10000:04d}",
        "website": f"https://www.{domain}",
        "street": f"{(pick >> 23) % 240 + 1} {_STREET[pick >> 29]}",
        "city": city,
        "state": state,
        "postal_code": postal,
        "country": country,
        "tax_id": f"{country}{100000000 + index}",
    }


def parties(count: int, seed: int = 0, start: int = 0) -> Iterator[dict[str, Any]]:
    for index in range(start, start + count):
        yield party(index, seed)


def rng(seed: int, purpose: str) -> random.Random:
    """A generator of its own for each purpose, so that one more call here changes nothing there."""
    return random.Random(f"{seed}/{purpose}")
