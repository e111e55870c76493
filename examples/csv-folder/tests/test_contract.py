"""weft's contract suite, run against a folder in a temporary place.

One line is all it takes; the rest tells the suite how to start the system and how a person
works in it. People do not use the connector's code to edit a file, so neither does this.
"""

from __future__ import annotations

import csv
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import weft_csvdir.connector
from weft.model.values import Fields
from weft.testing import Running, Subject, connector_contract
from weft_csvdir.table import LONGEST, spell

CUSTOMERS = [
    "id", "name", "type", "number", "tax_id", "email", "phone", "street", "city", "postal_code", "country",
    "currency", "credit_limit", "active", "notes", "changed",
]  # fmt: skip
CONTACTS = [
    "id", "name", "first_name", "last_name", "customer", "job_title", "email", "phone", "birth_date", "changed",
]  # fmt: skip
PRODUCTS = [
    "sku", "name", "description", "type", "barcode", "unit", "price", "currency", "weight", "active", "changed",
]  # fmt: skip
FILES = {"customers": CUSTOMERS, "contacts": CONTACTS, "products": PRODUCTS}


def customer(n: int) -> dict[str, Any]:
    return {
        "name": f'Adatum {n}, "North"',
        "party_type": "organization",
        "tax_id": f"DE{n:09d}",
        "email": f"info{n}@adatum.example",
        "address.street": f"Kauffmannstraße {n}",
        "currency": "EUR",
        "credit_limit": Decimal("1000.10") + n,
        "active": True,
        "notes": "two\r\nlines",
    }


def contact(n: int) -> dict[str, Any]:
    return {
        "name": f"Zoë Muster {n}",
        "first_name": "Zoë",
        "last_name": f"Muster {n}",
        "job_title": "Buyer",
        "email": f"zoe{n}@adatum.example",
        "birth_date": date(1980, 2, 28) + timedelta(days=n),
    }


def product(n: int) -> dict[str, Any]:
    return {
        "number": f"P-{n:05d}",
        "name": f"Widget {n}",
        "description": "Round",
        "unit_price": Decimal("9.90") + n,
        "currency": "EUR",
    }


TOO_LONG: Fields = {"notes": "x" * (LONGEST + 1)}
CUSTOMER = Subject(
    "customer",
    customer,
    text="notes",
    money="credit_limit",
    clear="notes",
    minimal=lambda n: {"name": f"Bare {n}"},
    blank=("tax_id", "email", "credit_limit", "notes", "active"),
    refused=(TOO_LONG, f"a cell takes {LONGEST}"),
)
CONTACT = Subject("contact", contact, text="job_title", day="birth_date", clear="job_title")
PRODUCT = Subject("product", product, text="description", money="unit_price", clear="description", digits=20, places=4)


class FolderOfFiles(Running):
    """Two companies, each with its files; ``pending`` are edits that are not saved yet."""

    def __init__(self, root: Path, subject: Subject) -> None:
        settings = {"path": str(root), "page_size": Folders.page_size}
        super().__init__(settings, [subject], company="north", other_company="south")
        self.root = root
        self.pending: list[Callable[[], None]] = []
        self.holding = False
        self.still: int | None = None

    def _rows(self, company: str, name: str) -> list[dict[str, str]]:
        with (self.root / company / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def _save(self, company: str, name: str, change: Callable[[list[dict[str, str]]], None]) -> None:
        if self.holding:
            self.pending.append(lambda: self._now(company, name, change))
        else:
            self._now(company, name, change)

    def _now(self, company: str, name: str, change: Callable[[list[dict[str, str]]], None]) -> None:
        rows = self._rows(company, name)
        change(rows)
        path = self.root / company / f"{name}.csv"
        fresh = path.with_suffix(".editor")
        with fresh.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, FILES[name], restval="")
            writer.writeheader()
            writer.writerows(rows)
        if self.still is not None:
            os.utime(fresh, ns=(self.still, self.still))
        fresh.replace(path)

    async def create(self, object: str, data: dict[str, Any], company: str) -> str:
        column = FILES[object][0]
        key = spell(data.get(column)) or uuid.uuid4().hex[:8]
        row = {name: spell(value) for name, value in data.items()} | {column: key}
        self._save(company, object, lambda rows: rows.append(row))
        return key

    async def edit(self, object: str, key: str, data: dict[str, Any], company: str) -> None:
        cells = {name: spell(value) for name, value in data.items()}

        def change(rows: list[dict[str, str]]) -> None:
            for row in rows:
                if row[FILES[object][0]] == key:
                    row.update(cells)

        self._save(company, object, change)

    async def delete(self, object: str, key: str, company: str) -> None:
        def drop(rows: list[dict[str, str]]) -> None:
            rows[:] = [row for row in rows if row[FILES[object][0]] != key]

        self._save(company, object, drop)

    async def keys(self, object: str, company: str) -> list[str]:
        return [row[FILES[object][0]] for row in self._rows(company, object)]

    @contextmanager
    def late(self) -> Iterator[None]:
        self.holding = True
        yield
        self.holding = False

    async def release(self) -> None:
        for save in self.pending:
            save()
        self.pending.clear()

    @contextmanager
    def same_moment(self) -> Iterator[None]:
        self.still = 1_700_000_000_000_000_000
        yield
        self.still = None

    async def stop(self) -> None:
        self.root.rename(self.root.with_name("unmounted"))


class Folders:
    """Which connector, and how its system is started."""

    kind: str = "csvdir"
    module: Any = weft_csvdir.connector
    page_size: int = 3

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    @asynccontextmanager
    async def start(self) -> AsyncIterator[FolderOfFiles]:
        with tempfile.TemporaryDirectory() as place:
            root = Path(place) / "files"
            for company in ("north", "south"):
                (root / company).mkdir(parents=True)
                for name, columns in FILES.items():
                    (root / company / f"{name}.csv").write_text(",".join(columns) + "\n", encoding="utf-8")
            yield FolderOfFiles(root, self.subject)


TestContract = connector_contract(Folders(CUSTOMER))
TestContacts = connector_contract(Folders(CONTACT))
TestProducts = connector_contract(Folders(PRODUCT))
