"""The sets of API v2.0: their properties, keys, rights, navigation and actions.

Facts come from ``schema.json``, extracted from Microsoft's AL pages (BCApps, app version 29) and the
published resource pages. A property is one string: a letter for the type (S text, N decimal, B boolean,
D date, T date and time, G guid, I int32, L int64, M stream, E:name enum), the greatest length, ``!`` for
read-only and ``@version`` for the app version that brought it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import orjson

EDM = {
    "S": "Edm.String", "N": "Edm.Decimal", "B": "Edm.Boolean", "D": "Edm.Date", "T": "Edm.DateTimeOffset",
    "G": "Edm.Guid", "I": "Edm.Int32", "L": "Edm.Int64", "M": "Edm.Stream",
}  # fmt: skip
ZERO_GUID = "00000000-0000-0000-0000-000000000000"
NO_DATE = "0001-01-01"
NO_TIME = "0001-01-01T00:00:00Z"
BLANKS: dict[str, Any] = {
    "S": "", "N": 0, "B": False, "D": NO_DATE, "T": NO_TIME, "G": ZERO_GUID, "I": 0, "L": 0, "M": None,
}  # fmt: skip

# Fields of AL type Code: stored in capitals and compared so.
CODES = frozenset(
    {
        "number", "code", "currencyCode", "relationalCurrencyCode", "salespersonCode", "salesperson",
        "purchaser", "country", "postalCode", "itemCategoryCode", "taxGroupCode", "taxCode",
        "baseUnitOfMeasureCode", "generalProductPostingGroupCode", "inventoryPostingGroupCode",
        "unitOfMeasureCode", "lineObjectNumber", "customerNumber", "billToCustomerNumber", "vendorNumber",
        "payToVendorNumber", "companyNumber", "itemNumber", "employeeNumber", "jobNumber", "jobTaskNumber",
        "shortcutDimension1Code", "shortcutDimension2Code", "accountNumber", "balancingAccountNumber",
        "documentNumber", "appliesToInvoiceNumber", "valueCode", "dimensionCode", "dimensionValueCode",
        "sellToCountry", "sellToPostCode", "billToCountry", "billToPostCode", "shipToCountry",
        "shipToPostCode", "buyFromCountry", "buyFromPostCode", "payToCountry", "payToPostCode",
        "irs1099Code", "statisticsGroupCode", "gtin", "journalDisplayName", "invoiceNumber",
    }
)  # fmt: skip

_PROPERTY = re.compile(r"(?:E:(?P<enum>\w+)|(?P<kind>[SNBDTGILM])(?P<max>\d+)?)(?P<ro>!)?(?:@(?P<since>[\d.]+))?")


def version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@dataclass(frozen=True)
class Property:
    name: str
    kind: str
    max_length: int | None
    enum_name: str
    members: tuple[str, ...]
    read_only: bool
    code: bool

    @property
    def edm(self) -> str:
        return f"Microsoft.NAV.{self.enum_name}" if self.kind == "E" else EDM[self.kind]

    @property
    def blank(self) -> Any:
        return self.members[0] if self.kind == "E" else BLANKS[self.kind]


@dataclass(frozen=True)
class Navigation:
    name: str
    target: str
    many: bool
    contained: bool
    on: tuple[tuple[str, str], ...]  # (property of the target, property of this set)
    const: tuple[tuple[str, str], ...]
    when: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class EntitySet:
    name: str
    type: str
    key: str
    can: str
    webhook: bool
    needs_parent: bool
    properties: dict[str, Property]
    nav: dict[str, Navigation]
    actions: dict[str, str]  # lower case -> as documented
    lower: dict[str, str]  # lower-case property name -> name
    blanks: dict[str, Any]
    modified: str  # name of the stamp, "" where the set has none

    def property(self, name: str) -> Property | None:
        """By name without regard to case, as $select is read."""
        real = self.lower.get(name.lower())
        return self.properties[real] if real else None


@dataclass(frozen=True, eq=False)
class Schema:
    sets: dict[str, EntitySet]
    enums: dict[str, tuple[str, ...]]
    by_type: dict[str, str]

    def __getitem__(self, name: str) -> EntitySet:
        return self.sets[name]


def caption(member: str) -> str:
    """``In_x0020_Review`` -> ``In Review``."""
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), member)


@cache
def load(version: str = "29.0") -> Schema:
    """The schema as an environment of that app version shows it. Made once; nobody changes it."""
    raw = orjson.loads(resources.files(__package__).joinpath("schema.json").read_bytes())
    limit = version_key(version)
    enums = {name: tuple(members) for name, members in raw["enums"].items()}
    sets: dict[str, EntitySet] = {}
    for name, entry in raw["sets"].items():
        if version_key(entry["since"]) <= limit:
            sets[name] = _entity_set(name, entry, enums, limit)
    for entity_set in sets.values():
        for nav in [n for n in entity_set.nav.values() if n.target not in sets]:
            del entity_set.nav[nav.name]
    return Schema(sets, enums, {s.type: s.name for s in sets.values()})


def _entity_set(
    name: str, entry: dict[str, Any], enums: dict[str, tuple[str, ...]], limit: tuple[int, ...]
) -> EntitySet:
    properties: dict[str, Property] = {}
    for prop, code in entry["properties"].items():
        found = _PROPERTY.fullmatch(code)
        if found is None:
            raise ValueError(f"schema.json: {name}.{prop}: {code!r} is not a property code")
        if found["since"] and version_key(found["since"]) > limit:
            continue
        properties[prop] = Property(
            prop,
            "E" if found["enum"] else found["kind"],
            int(found["max"]) if found["max"] else None,
            found["enum"] or "",
            enums[found["enum"]] if found["enum"] else (),
            bool(found["ro"]),
            prop in CODES and found["kind"] == "S",
        )
    nav = {
        nav_name: Navigation(
            nav_name,
            link["set"],
            link.get("many", False),
            link.get("contained", False),
            tuple(link.get("on", {}).items()),
            tuple(link.get("const", {}).items()),
            tuple(link.get("when", {}).items()),
        )
        for nav_name, link in entry.get("nav", {}).items()
    }
    stamps = ("lastModifiedDateTime", "lastModfiedDateTime", "systemModifiedAt")
    return EntitySet(
        name,
        entry["type"],
        entry["key"],
        entry["can"],
        entry.get("webhook", False),
        not entry.get("parentless", True),
        properties,
        nav,
        {action.lower(): action for action in entry.get("actions", ())},
        {prop.lower(): prop for prop in properties},
        {prop: p.blank for prop, p in properties.items() if p.kind != "M"},
        next((stamp for stamp in stamps if stamp in properties), ""),
    )
