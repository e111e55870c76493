"""The interface of a rule object, and the look-ups that several of them do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Company
from weft_bc.simulator.errors import dialog, table_relation
from weft_bc.simulator.schema import ZERO_GUID

Values = dict[str, Any]


@dataclass(frozen=True)
class Parent:
    """The record whose navigation the request went through."""

    set: str
    row: Row
    nav: str


class Rules:
    """Insert, change, delete of one set. Each runs inside the company's transaction and may raise BcError."""

    def insert(self, co: Company, name: str, values: Values, parent: Parent | None) -> Row:
        return co.insert(name, values)

    def modify(self, co: Company, name: str, row: Row, values: Values) -> Row:
        return co.update(name, row, changed(row, values)) if changed(row, values) else row

    def remove(self, co: Company, name: str, row: Row) -> None:
        co.delete(name, row)


def changed(row: Row, values: Values) -> Values:
    """Only what differs: a save that changes nothing neither stamps nor notifies."""
    return {name: value for name, value in values.items() if row.get(name) != value}


@dataclass(frozen=True)
class Relation:
    """A pair of properties, id and code, that point to one record of another set."""

    id: str
    code: str  # "" where the set only has the id
    set: str
    caption: str
    shown: str = ""  # a property that repeats the related displayName


CURRENCY = Relation("currencyId", "currencyCode", "currencies", "Currency")
PAYMENT_TERMS = Relation("paymentTermsId", "", "paymentTerms", "Payment Terms")
SHIPMENT_METHOD = Relation("shipmentMethodId", "", "shipmentMethods", "Shipment Method")
PAYMENT_METHOD = Relation("paymentMethodId", "", "paymentMethods", "Payment Method")
TAX_AREA = Relation("taxAreaId", "", "taxAreas", "Tax Area", "taxAreaDisplayName")


def article(word: str) -> str:
    return f"an {word}" if word[0] in "AEIOU" else f"a {word}"


def resolve(co: Company, values: Values, relation: Relation) -> Row | None:
    """Make the id and the code of a relation agree in ``values``; returns the related record.

    Words as in the AL pages: an id or code without a record, and an id and a code of different records,
    are refused.
    """
    given_id = values.get(relation.id)
    given_code = values.get(relation.code) if relation.code else None
    if given_id is None and given_code is None:
        return None
    is_currency = relation.set == "currencies"
    by_id = None
    if given_id not in (None, ZERO_GUID):
        by_id = co.get(relation.set, given_id)
        if by_id is None:
            raise dialog(f'The "{relation.id}" does not match to {article(relation.caption)}.')
    by_code = None
    if given_code and not (is_currency and co.is_lcy(given_code)):
        by_code = co.first(relation.set, "code", given_code)
        if by_code is None:
            raise dialog(f'The "{relation.code}" does not match to {article(relation.caption)}.')
    lcy_named = is_currency and given_code is not None and by_code is None
    if by_id is not None and ((by_code is not None and by_code["id"] != by_id["id"]) or (lcy_named and given_code)):
        words = re.sub(r"(?<!^)(?=[A-Z])", " ", relation.id[:-2]).lower()
        raise dialog(f"The {words} values do not match to a specific {relation.caption}.")
    found = by_id or by_code
    values[relation.id] = found["id"] if found else ZERO_GUID
    if relation.code:
        values[relation.code] = found["code"] if found else (co.lcy if is_currency else "")
    if relation.shown:
        values[relation.shown] = found["displayName"] if found else ""
    return found


def check_code(co: Company, values: Values, name: str, target: str, field: str, table: str, related: str) -> None:
    """A code field with a table relation: blank, or present in the related table."""
    code = values.get(name)
    if code and co.first(target, "code", code) is None:
        raise table_relation(field, table, code, related)
