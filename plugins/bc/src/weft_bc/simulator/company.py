"""One company: its tables, stamps, number series, and what happened in the running transaction."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from weft.testing.odata.store import Row, Store, Table
from weft.testing.simulator.clock import SimClock
from weft_bc.simulator.errors import BcError, no_record
from weft_bc.simulator.schema import ZERO_GUID, EntitySet, Schema
from weft_bc.simulator.settings import Settings
from weft_bc.simulator.tables import build, table_caption
from weft_bc.simulator.values import plain

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Change:
    """One committed write, as notifications and the replica need it. ``kind``: created, updated, deleted.
    ``silent``: a calculated field moved, or the row mirrors another; nobody is notified."""

    company: Company
    set: str
    key: str
    kind: str
    row: Row | None
    silent: bool


def rounded(value: Decimal, precision: Decimal = CENT) -> Decimal:
    """To a multiple of the currency's rounding precision, halves away from zero."""
    return plain((value / precision).quantize(Decimal(1), ROUND_HALF_UP) * precision)


class Company:
    """Reads and writes of one company. Rule modules call :meth:`insert`, :meth:`update`, :meth:`delete`."""

    def __init__(
        self,
        company_id: str,
        name: str,
        *,
        schema: Schema,
        settings: Settings,
        clock: SimClock,
        rng: random.Random,
        lcy: str = "USD",
        country: str = "US",
    ) -> None:
        self.id = company_id
        self.name = name
        self.lcy = lcy
        self.country = country
        self.schema = schema
        self.settings = settings
        self.clock = clock
        self.rng = rng
        self.store = Store()
        self.tables: dict[str, Table] = build(self.store, schema, settings)
        self.created_at = ""
        self.versions = 0
        self.roles: dict[str, str] = {}  # receivables, payables, bank, sales … -> account number
        self.on_commit: Callable[[list[Change]], None] = lambda changes: None
        self.filled: set[str] = set()  # derived sets computed so far
        self.dirty: dict[str, set[str]] = {"customers": set(), "vendors": set(), "contacts": set()}
        self.flow_day = ""
        self._pending: list[Change] = []
        self._depth = 0

    # Reading

    def table(self, name: str) -> Table:
        return self.tables[name]

    def get(self, name: str, key: str) -> Row | None:
        return self.table(name).get(key)

    def must(self, name: str, key: str) -> Row:
        """The row or 404."""
        row = self.table(name).get(key)
        if row is None:
            raise no_record(table_caption(self.schema[name]), key)
        return row

    def first(self, name: str, column: str, value: Any) -> Row | None:
        found = self.table(name).find(column, value)
        return found[0] if found else None

    @property
    def today(self) -> str:
        return self.clock.now().date().isoformat()

    def day(self) -> dt.date:
        return self.clock.now().date()

    def new_guid(self) -> str:
        text = f"{self.rng.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"

    # Writing

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; an inner one joins. Notifications leave with the outermost commit."""
        mark = len(self._pending)
        self._depth += 1
        try:
            with self.store.transaction():
                yield
        except BaseException:
            del self._pending[mark:]
            raise
        finally:
            self._depth -= 1
        if self._depth == 0 and self._pending:
            changes, self._pending = self._pending, []
            self.on_commit(changes)

    def stamp(self) -> str:
        return self.clock.stamp(3)

    def insert(self, name: str, values: Mapping[str, Any], *, silent: bool = False) -> Row:
        """Add a row: blanks, id, stamp and version are filled in."""
        entity_set = self.schema[name]
        self.versions += 1
        row: Row = {**entity_set.blanks, **values, "$v": self.versions}
        if entity_set.key == "id" and (not row["id"] or row["id"] == ZERO_GUID):
            row["id"] = self.new_guid()
        if name == "dimensionSetLines":
            row["$key"] = f"{row['parentId']}/{row['id']}"
        if entity_set.modified:
            row[entity_set.modified] = self.stamp()
        row = self.table(name).insert(row)
        self._note(entity_set, row, "created", silent)
        return row

    def update(
        self, name: str, row: Row, changes: Mapping[str, Any], *, silent: bool = False, stamp: bool = True
    ) -> Row:
        """Change columns. ``stamp=False``: neither version nor stamp moves (calculated fields)."""
        if not stamp and all(row.get(column) == value for column, value in changes.items()):
            return row
        entity_set = self.schema[name]
        written = dict(changes)
        if stamp:
            self.versions += 1
            written["$v"] = self.versions
            if entity_set.modified:
                written[entity_set.modified] = self.stamp()
        table = self.tables[name]
        row = table.update(row[table.entity.key], written)
        self._note(entity_set, row, "updated", silent or not stamp)
        return row

    def touch(self, name: str, row: Row) -> Row:
        return self.update(name, row, {})

    def delete(self, name: str, row: Row, *, silent: bool = False) -> None:
        table = self.tables[name]
        table.delete(row[table.entity.key])
        self._note(self.schema[name], row, "deleted", silent)

    def _note(self, entity_set: EntitySet, row: Row, kind: str, silent: bool) -> None:
        key = row[self.tables[entity_set.name].entity.key]
        if entity_set.name in self.dirty:
            self.mark_dirty(entity_set.name, key)
        self._pending.append(Change(self, entity_set.name, key, kind, None if kind == "deleted" else row, silent))

    def mark_dirty(self, name: str, key: str) -> None:
        """What is computed from this customer, vendor or contact has to be computed again."""
        if self.filled:
            self.dirty[name].add(key)

    def next_number(self, series: str, start: str) -> str:
        """The next number of a series; ``start`` is the one before the first."""
        table = self.tables["$series"]
        row = table.get(series)
        last = row["last"] if row else start
        digits = len(last) - len(last.rstrip("0123456789"))
        head, tail = (last[:-digits], last[-digits:]) if digits else (last, "0")
        number = f"{head}{int(tail) + 1:0{len(tail)}d}"
        if row:
            table.update(series, {"last": number})
        else:
            table.insert({"id": series, "last": number})
        return number

    # Money

    def is_lcy(self, code: str) -> bool:
        return code in ("", self.lcy)

    def precision(self, currency: str) -> Decimal:
        row = None if self.is_lcy(currency) else self.first("currencies", "code", currency)
        return row["amountRoundingPrecision"] if row and row["amountRoundingPrecision"] else CENT

    def rate(self, currency: str, date: str) -> Decimal:
        """How much LCY one unit of the currency is on that date."""
        if self.is_lcy(currency):
            return Decimal(1)
        best: Row | None = None
        for row in self.table("currencyExchangeRates").find("currencyCode", currency):
            if row["startingDate"] <= date and (best is None or row["startingDate"] >= best["startingDate"]):
                best = row
        if best is None:
            raise BcError(
                400,
                "Application_DialogException",
                f"There is no Currency Exchange Rate within the filter. Filters: Currency Code: {currency}, "
                f"Starting Date: ..{date}",
            )
        return Decimal(best["relationalExchangeRateAmount"]) / Decimal(best["exchangeRateAmount"])
