"""When two canonical values agree, given what both systems can hold.

Each field gets one function that brings a value into the coarsest form either side keeps: the fewer
decimal places, the shorter text, the coarser time. Two values agree when these forms are equal.
Decimals compare by value (1.0 equals 1.00); EMPTY equals ``""``; the number 0 is not EMPTY unless a
side lists 0 in ``blank``. References compare as they are: they must be in one key space.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from weft.mapping.compile import CompiledMapping
from weft.mapping.exact import rounded
from weft.mapping.spec import FieldSpec
from weft.model.currencies import ISO, USUAL, Currencies
from weft.model.entity import EntityType, Field
from weft.model.values import ABSENT

Normal = Callable[[Any], Any]
_NOT_DIGITS = re.compile(r"\D+")


class Places(NamedTuple):
    """How many decimal places amounts of a currency have."""

    currencies: Currencies
    currency: str | None

    @property
    def rounded(self) -> int:
        """Of amounts that are rounded by their currency. Where it is not known, those of the currencies with the
        most: no real difference is to be hidden."""
        known = self.currencies.places(self.currency)
        return self.currencies.most if known is None else known

    @property
    def compared(self) -> int:
        """Of what is compared as money: the currency's, and two at least, for a price may have more than an amount."""
        return max(self.currencies.places(self.currency) or 0, USUAL)


class Comparator:
    """Compares values of an entity's fields (or of one collection's lines) between two mappings.

    A None in place of a mapping stands for a side that keeps everything as it is. Amounts are compared to the places
    of ``currency``; ``in_currency`` gives the comparator of another one.
    """

    def __init__(
        self,
        entity: EntityType,
        left: CompiledMapping | None,
        right: CompiledMapping | None,
        collection: str | None = None,
        currency: str | None = None,
    ) -> None:
        self.entity = entity.lines[collection] if collection is not None else entity
        self._of: tuple[EntityType, CompiledMapping | None, CompiledMapping | None, str | None] = (
            entity, left, right, collection,
        )  # fmt: skip
        self._others: dict[str, Comparator] = {}
        known = left or right
        self._places = Places(known.currencies if known is not None else ISO, currency)
        self._specs: dict[str, list[FieldSpec]] = {}
        for side in (left, right):
            for spec in _specs(side, collection):
                if spec.canonical is not None:
                    self._specs.setdefault(spec.canonical, []).append(spec)
        self._normal: dict[str, Normal] = {
            name: _normal(found[0].field, found, self._places) for name, found in self._specs.items()
        }

    def in_currency(self, currency: str | None) -> Comparator:
        """The comparator of records whose amounts are in a currency; this one where it is not known."""
        if not currency:
            return self
        found = self._others.get(currency)
        if found is None:
            found = self._others[currency] = Comparator(*self._of, currency=currency)
        return found

    def normal(self, field: str, value: Any) -> Any:
        """``value`` in the coarsest form either side keeps; None for EMPTY, ABSENT for ABSENT."""
        if value is None or value is ABSENT:
            return value
        found = self._normal.get(field)
        if found is None:
            declared = self.entity.field(field) or Field(field, "any")
            found = self._normal[field] = _normal(declared, [], self._places)
        return found(value)

    def same(self, field: str, a: Any, b: Any) -> bool:
        """Whether two canonical values agree. ABSENT agrees with ABSENT only."""
        if a is b:
            return True
        if a is ABSENT or b is ABSENT:
            return False
        a, b = self.normal(field, a), self.normal(field, b)
        if isinstance(a, bool) is not isinstance(b, bool):
            return False
        return bool(a == b)


def _specs(side: CompiledMapping | None, collection: str | None) -> Iterator[FieldSpec]:
    if side is None:
        return
    if collection is None:
        yield from side.fields
    elif collection in side.lines:
        yield from side.lines[collection].fields


def _normal(field: Field, specs: list[FieldSpec], currency: Places) -> Normal:
    ways = {spec.map.compare for spec in specs} - {"exact"}
    blanks = {
        value
        for spec in specs
        for value in spec.map.blank
        if isinstance(value, int | Decimal | str) and not isinstance(value, bool)
    }
    steps: list[Normal] = []
    if "unordered" in ways:
        steps.append(_unordered)
    if "casefold" in ways or "trim" in ways:
        steps.append(lambda value: value.strip() if isinstance(value, str) else value)
    cuts = [spec.map.max for spec in specs if spec.map.cut and spec.map.max is not None]
    if cuts:
        limit = min(cuts)
        steps.append(lambda value: value[:limit].rstrip() if isinstance(value, str) else value)
    if "casefold" in ways:
        steps.append(lambda value: value.casefold() if isinstance(value, str) else value)
    if "digits" in ways:
        steps.append(lambda value: _NOT_DIGITS.sub("", value) if isinstance(value, str) else value)
    places = _places(specs, currency, money="money" in ways)
    if places is not None:
        number = places
        steps.append(lambda value: _round(value, number))
    if "date" in ways:
        steps.append(_day)
    elif "minute" in ways:
        steps.append(lambda value: _moment(value, second=0))
    elif "second" in ways:
        steps.append(lambda value: _moment(value, second=None))

    def normal(value: Any) -> Any:
        for step in steps:
            value = step(value)
        if value is None or value == "" or value == ():
            return None
        if blanks and not isinstance(value, bool | list | dict) and value in blanks:
            return None
        if value.__class__ is datetime:
            return value.astimezone(UTC)
        return value

    return normal


def _places(specs: list[FieldSpec], currency: Places, *, money: bool) -> int | None:
    """The fewest decimal places a side keeps."""
    found = [spec.map.digits for spec in specs if isinstance(spec.map.digits, int)]
    if any(spec.map.digits == "currency" for spec in specs):
        found.append(currency.rounded)
    if money:
        found.append(currency.compared)
    return min(found) if found else None


def _round(value: Any, places: int) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    return rounded(Decimal(value), places)


def _day(value: Any) -> Any:
    return value.astimezone(UTC).date() if isinstance(value, datetime) else value


def _moment(value: Any, *, second: int | None) -> Any:
    if not isinstance(value, datetime):
        return value
    utc = value.astimezone(UTC)
    return utc.replace(second=utc.second if second is None else second, microsecond=0)


def _unordered(value: Any) -> Any:
    """A list, or a text of several entries (comma, semicolon or line break), as a sorted tuple."""
    if isinstance(value, str):
        value = [entry.strip() for entry in re.split(r"[,;\n]", value)]
    if isinstance(value, list | tuple) and not isinstance(value, date):
        return tuple(sorted((str(entry) for entry in value if entry not in (None, "")), key=str))
    return value
