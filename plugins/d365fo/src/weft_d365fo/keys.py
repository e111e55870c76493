"""How a record's key is spelled, and the key of a row in a URL.

The company is no part of a record's key: it stands beside it. What is left is one field as a rule, and its
value is the key: ``US-001``. Several are joined by ``|``: ``00042|1``; a ``|`` or ``\\`` inside one is escaped by
``\\``. Dates are spelled as days, numbers without trailing zeros.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from weft.net.odata.literals import Value
from weft.net.odata.metadata import EntityType, Metadata, Property
from weft.net.odata.query import Term, and_, eq
from weft_d365fo.values import Unaskable, asked, is_date

COMPANY = "dataAreaId"
COMPANIES = (COMPANY, "JournalLineCompany")
"""Key fields that hold the record's company; the latter of what a journal line settles."""
_SPECIAL = re.compile(r"[\\|]")
_PARTS = re.compile(r"(?:\\.|[^\\|])*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class KeyShape:
    """The key of an object: its fields besides the company, with their types."""

    fields: tuple[str, ...]
    properties: Mapping[str, Property]
    company: str | None
    """Field that holds the company; None for what all companies share."""

    @classmethod
    def of(cls, type_: EntityType, company: str | None = None) -> KeyShape:
        if company is None:
            company = next((name for name in COMPANIES if name in type_.keys), None)
        fields = tuple(name for name in type_.keys if name != company)
        return cls(fields, type_.properties, company)

    def spell(self, row: Mapping[str, Any]) -> str:
        """The key of a row as the connector spells it."""
        if len(self.fields) == 1:
            return self._text(self.fields[0], row[self.fields[0]])
        return "|".join(_SPECIAL.sub(r"\\\g<0>", self._text(name, row[name])) for name in self.fields)

    def parse(self, key: str, meta: Metadata) -> dict[str, Value]:
        """Field -> typed value. :raises Unaskable: the text is no key of this object."""
        texts = [key] if len(self.fields) == 1 else split(key)
        if len(texts) != len(self.fields):
            raise Unaskable(f"{key!r} is no key of {len(self.fields)} fields ({', '.join(self.fields)})")
        return {
            name: asked(text, self.properties.get(name), meta)
            for name, text in zip(self.fields, texts, strict=True)
        }  # fmt: skip

    def url_key(self, key: str, company: str, meta: Metadata) -> dict[str, Value]:
        """The whole key for a URL."""
        found = self.parse(key, meta)
        return {self.company: company, **found} if self.company is not None else found

    def term(self, key: str, meta: Metadata) -> Term:
        """The condition that finds the key; the company comes from the query."""
        return and_(*(eq(name, value) for name, value in self.parse(key, meta).items()))

    def whole(self, row: Mapping[str, Any]) -> bool:
        return all(row.get(name) is not None for name in self.fields)

    def _text(self, name: str, value: Any) -> str:
        prop = self.properties.get(name)
        if prop is not None and is_date(prop):
            return str(value)[:10]
        return number_text(value)


def number_text(value: Any) -> str:
    """A key field's value as text: 1.0 and 1 are the same."""
    if isinstance(value, Decimal):
        return format(value.normalize() + 0, "f")
    return str(value)


def split(text: str) -> list[str]:
    """The parts of a key of several fields."""
    parts: list[str] = []
    at = 0
    while True:
        found = _PARTS.match(text, at)
        piece = found.group() if found is not None else ""
        parts.append(re.sub(r"\\(.)", r"\1", piece, flags=re.DOTALL))
        at += len(piece) + 1
        if at > len(text):
            return parts
