"""Everything one environment holds: tables, companies, number sequences, users."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from weft.testing.odata.store import Row, Store
from weft.testing.simulator.clock import SimClock
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.schema import Schema, load
from weft_d365fo.simulator.settings import Settings
from weft_d365fo.simulator.tables import Filed, Shown, build
from weft_d365fo.simulator.values import noon
from weft_d365fo.simulator.views import CREATED, KEY, MODIFIED, RECID, VERSION

FIRST_RECID = 5_637_144_576
SYSTEM = "dat"
FACTORS = {"One": 1, "Ten": 10, "Hundred": 100, "Thousand": 1000, "TenThousand": 10_000}
"""How many units of the currency an exchange rate is shown for, by its ConversionFactor."""


@dataclass
class Company:
    """``id`` in lower case, as it goes over the wire."""

    id: str
    name: str
    currency: str
    country: str
    language: str = "en-us"


@dataclass
class User:
    """What a request runs as. ``companies`` None: all."""

    id: str
    company: str
    language: str = "en-us"
    companies: frozenset[str] | None = None
    denied: set[tuple[str, str]] = field(default_factory=set)  # (set, method), "*" for any

    def sees(self, company: str) -> bool:
        return self.companies is None or company in self.companies


class World:
    """Reads and writes below the entities. Columns are those of the tables."""

    def __init__(self, settings: Settings, clock: SimClock) -> None:
        self.settings = settings
        self.clock = clock
        self.rng = random.Random(settings.seed)
        self.schema: Schema = load()
        self.store = Store()
        self.tables, self.shown = build(self.store, fold=not settings.case_sensitive)
        self.companies: dict[str, Company] = {}
        self.users: dict[str, User] = {}
        self.sequences: dict[tuple[str, str], int] = {}
        self.recid = FIRST_RECID
        self.parties = 0
        self.on_event: Callable[[str, str, dict[str, Any]], None] = lambda event, company, contract: None
        self._told: list[tuple[str, str, dict[str, Any]]] = []

    # Companies, time, numbers

    def add_company(self, company: Company) -> Company:
        self.companies[company.id] = company
        return company

    def company(self, name: str) -> Company | None:
        return self.companies.get(name.lower())

    def stamp(self) -> str:
        return self.clock.stamp(self.settings.stamp_digits)

    @property
    def today(self) -> str:
        return noon(self.clock.now().date().isoformat())

    def next_recid(self) -> int:
        self.recid += 1
        return self.recid

    def next_number(self, company: str, sequence: str, form: str) -> str:
        """The next number, ``form`` as ``SO{:06d}``. Numbers of a request that fails are lost, as they are there."""
        self.sequences[company, sequence] = self.sequences.get((company, sequence), 0) + 1
        return form.format(self.sequences[company, sequence])

    def next_party(self) -> str:
        self.parties += 1
        return f"{self.parties:09d}"

    # Reading

    def filed(self, table: str) -> Filed:
        return self.tables[table]

    def shown_set(self, name: str) -> Shown:
        return self.shown[name]

    def get(self, table: str, **key: Any) -> Row | None:
        """By the columns the table is filed under."""
        filed = self.tables[table]
        return filed.table.get(filed.key_of(key))

    def find(self, table: str, column: str, value: Any, company: str | None = None) -> list[Row]:
        """Rows with that value, in one company or all."""
        found = self.tables[table].table.find(column, value)
        return found if company is None else [row for row in found if row.get("dataAreaId") == company]

    def rows(self, table: str, company: str | None = None) -> list[Row]:
        return [row for row in self.tables[table].table if company is None or row.get("dataAreaId") == company]

    def value(self, table: str, row: Row, column: str) -> Any:
        """What the row holds, its blank where it holds nothing."""
        return row.get(column, self.tables[table].blanks.get(column))

    # Writing

    def complete(self, table: str, values: Mapping[str, Any], stamp: str | None = None) -> Row:
        """A row ready to be filed: key, record id, version and stamps, and every column an index needs."""
        filed = self.tables[table]
        when = stamp or self.stamp()
        row: Row = {column: filed.blanks[column] for column in filed.indexed}
        row.update(values)
        row[RECID] = row.get(RECID) or self.next_recid()
        row[KEY] = filed.key_of(row)
        row[VERSION] = 1
        row[MODIFIED] = row[CREATED] = when
        return row

    def insert(self, table: str, values: Mapping[str, Any]) -> Row:
        """Raises DuplicateKey."""
        return self.tables[table].table.insert(self.complete(table, values))

    def load(self, table: str, rows: Iterable[Mapping[str, Any]], stamp: str | None = None) -> None:
        """Sample data, many rows at once."""
        self.tables[table].table.load(self.complete(table, row, stamp) for row in rows)

    def update(self, table: str, row: Row, changes: Mapping[str, Any], *, touch: bool = True) -> Row:
        """Change columns. ``touch=False``: another table behind the entity changed, this one keeps its stamp."""
        written = dict(changes)
        written[VERSION] = self.rng.randrange(2, 2**31)
        if touch:
            written[MODIFIED] = self.stamp()
        return self.tables[table].table.update(row[KEY], written)

    def delete(self, table: str, row: Row) -> None:
        self.tables[table].table.delete(row[KEY])

    @contextmanager
    def posting(self) -> Iterator[None]:
        """One transaction; its business events leave when it is committed."""
        try:
            with self.store.transaction():
                yield
        except BaseException:
            self._told.clear()
            raise
        told, self._told = self._told, []
        for event, company, contract in told:
            self.on_event(event, company, contract)

    def tell(self, event: str, company: str, contract: dict[str, Any]) -> None:
        """A business event of the posting that runs."""
        self._told.append((event, company, contract))

    # Money

    def rate(self, company: Company, currency: str, day: str) -> Any:
        """Units of the accounting currency for 100 of the currency, as journals show it; 100 for its own."""
        if currency == company.currency:
            return 100
        best: Row | None = None
        for row in self.find("ExchangeRates", "FromCurrency", currency):
            fits = row["ToCurrency"] == company.currency and row["StartDate"] <= day
            if fits and (best is None or row["StartDate"] > best["StartDate"]):
                best = row
        if best is None:
            raise refused(
                "Error",
                f"Exchange rate for exchange rate type Default between currency {currency} and "
                f"{company.currency} on exchange rate date {day[:10]} does not exist.",
            )
        return Decimal(best["Rate"]) * 100 / FACTORS[best["ConversionFactor"]]


def must(world: World, table: str, column: str, value: Any, company: str | None, label: str) -> Row:
    """The row an administrator names, or a Refused that says what is missing."""
    found = world.find(table, column, value, company)
    if not found:
        raise refused("Error", f"{label} {value} does not exist.")
    return found[0]
