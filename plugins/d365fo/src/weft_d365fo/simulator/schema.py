"""The entity sets: their properties, keys, enums and navigation, read from ``schema.json``.

The properties of a set are words ``Name:code``. The code is a letter for the type (S text with its greatest
length, N decimal, I int32, L int64, B boolean, D date, T date and time, G guid, X binary) or the name of an
enum, followed by ``*`` where it is mandatory on create, ``!`` read-only, ``#`` given by the server when
omitted, ``=`` not to be changed after create. An enum's members are words, with ``=value`` where they do not
count from 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import orjson

NAMESPACE = "Microsoft.Dynamics.DataEntities"
EDM = {
    "S": "Edm.String", "N": "Edm.Decimal", "I": "Edm.Int32", "L": "Edm.Int64", "B": "Edm.Boolean",
    "D": "Edm.DateTimeOffset", "T": "Edm.DateTimeOffset", "G": "Edm.Guid", "X": "Edm.Binary",
}  # fmt: skip
AX_TYPES = {
    "S": "String", "N": "Real", "I": "Int32", "L": "Int64", "B": "Int32", "D": "Date", "T": "UtcDateTime",
    "G": "Guid", "X": "Container", "E": "Enum",
}  # fmt: skip
NO_DATE = "1900-01-01T12:00:00Z"
NO_TIME = "1900-01-01T00:00:00Z"
NEVER = "2154-12-31T23:59:59Z"
BLANKS: dict[str, Any] = {
    "S": "", "N": 0, "I": 0, "L": 0, "B": False, "D": NO_DATE, "T": NO_TIME,
    "G": "00000000-0000-0000-0000-000000000000", "X": "",
}  # fmt: skip

_CODE = re.compile(r"(?:(?P<kind>[SNILBDTGX])(?P<max>\d+)?|(?P<enum>[A-Za-z]\w+))(?P<marks>[*!#=]*)")


@dataclass(frozen=True)
class Property:
    """``members`` of an enum: name -> value. ``blank``: what stands for nothing; None for an enum without a 0."""

    name: str
    kind: str
    max_length: int | None
    enum: str
    members: dict[str, int]
    mandatory: bool
    read_only: bool
    assigned: bool
    fixed: bool
    is_key: bool

    @property
    def edm(self) -> str:
        return f"{NAMESPACE}.{self.enum}" if self.kind == "E" else EDM[self.kind]

    @property
    def blank(self) -> Any:
        if self.kind != "E":
            return BLANKS[self.kind]
        return next((name for name, value in self.members.items() if value == 0), None)

    @property
    def is_dimension(self) -> bool:
        return self.kind == "S" and self.name.endswith("DisplayValue")

    @property
    def label(self) -> str:
        return label_of(self.name)


@dataclass(frozen=True)
class EntitySet:
    """``navigation``: name -> (target set, is it a collection)."""

    name: str
    type: str
    aot: str
    label: str
    key: tuple[str, ...]
    read_only: bool
    properties: dict[str, Property]
    navigation: dict[str, tuple[str, bool]]

    @property
    def company_key(self) -> bool:
        return "dataAreaId" in self.properties


@dataclass(frozen=True)
class Schema:
    sets: dict[str, EntitySet]
    enums: dict[str, dict[str, int]]

    def __getitem__(self, name: str) -> EntitySet:
        return self.sets[name]


_LABELS = {
    "CustomerGroupId": "Customer group", "VendorGroupId": "Vendor group", "SalesCurrencyCode": "Currency",
    "CurrencyCode": "Currency", "OrganizationName": "Name", "CustomerAccount": "Customer account",
    "OrderingCustomerAccountNumber": "Customer account", "InvoiceCustomerAccountNumber": "Invoice account",
    "OrderVendorAccountNumber": "Vendor account", "InvoiceVendorAccountNumber": "Invoice account",
    "RequestedShippingDate": "Requested ship date", "JournalBatchNumber": "Journal batch number",
    "AssociatedPartyNumber": "Contact for", "ItemNumber": "Item number", "PaymentTerms": "Terms of payment",
}  # fmt: skip


def label_of(name: str) -> str:
    """The label of a field, as messages name it: ``DeliveryModeCode`` -> ``Delivery mode``."""
    known = _LABELS.get(name)
    if known is not None:
        return known
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    if len(words) > 1 and words[-1] in ("Id", "Code", "Symbol"):
        words.pop()
    return " ".join([words[0], *(word if word.isupper() else word.lower() for word in words[1:])]) if words else name


@cache
def load() -> Schema:
    """Made once; nobody changes it."""
    raw = orjson.loads(resources.files(__package__).joinpath("schema.json").read_bytes())
    enums = {name: _members(words) for name, words in raw["enums"].items()}
    sets = {name: _entity_set(name, entry, enums) for name, entry in raw["sets"].items()}
    return Schema(sets, enums)


def _members(words: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for at, word in enumerate(words.split()):
        name, _, value = word.partition("=")
        found[name] = int(value) if value else at
    return found


def _entity_set(name: str, entry: dict[str, Any], enums: dict[str, dict[str, int]]) -> EntitySet:
    properties: dict[str, Property] = {}
    for word in " ".join(entry["properties"]).split():
        prop, _, code = word.partition(":")
        found = _CODE.fullmatch(code)
        if found is None:
            raise ValueError(f"schema.json: {name}.{prop}: {code!r} is not a property code")
        marks = found["marks"]
        properties[prop] = Property(
            prop,
            found["kind"] or "E",
            int(found["max"]) if found["max"] else None,
            found["enum"] or "",
            enums[found["enum"]] if found["enum"] else {},
            "*" in marks,
            "!" in marks,
            "#" in marks,
            "=" in marks,
            prop in entry["key"],
        )
    navigation = {
        nav: (target[11:-1], True) if target.startswith("Collection(") else (target, False)
        for nav, target in entry["navigation"].items()
    }
    return EntitySet(
        name, entry["type"], entry["aot"], entry["label"], tuple(entry["key"]), entry.get("readOnly", False),
        properties, navigation,
    )  # fmt: skip
