"""A small account/city model shared by the OData tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from weft.testing.odata.schema import EntityType, Navigation, Property, navigations, properties
from weft.testing.odata.scope import Scope
from weft.testing.odata.store import Row, Store, Table, Unique

CITY = EntityType("City", "City", "Id", properties(Property("Id", "Edm.Guid"), Property("Name")))
ACCOUNT = EntityType(
    "Account",
    "Account",
    "Id",
    properties(
        Property("Id", "Edm.Guid"),
        Property("Name"),
        Property("Code"),
        Property("CityId", "Edm.Guid"),
        Property("Amount", "Edm.Decimal"),
        Property("Rank", "Edm.Int32"),
        Property("Active", "Edm.Boolean"),
        Property("ModifiedOn", "Edm.DateTimeOffset"),
        Property("Due", "Edm.Date"),
    ),
    navigations(Navigation("City", "City", column="CityId")),
)


class CodeTaken(Exception):
    pass


def guid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def account(number: int, **values: Any) -> Row:
    row: Row = {
        "Id": guid(number),
        "Name": f"Name {number}",
        "Code": f"C{number:05d}",
        "CityId": None,
        "Amount": Decimal(number) / 4,
        "Rank": number % 7,
        "Active": number % 2 == 0,
        "ModifiedOn": f"2024-01-01T00:{number // 60 % 60:02d}:{number % 60:02d}Z",
        "Due": "2024-02-01",
    }
    row.update(values)
    return row


@dataclass
class World:
    store: Store
    accounts: Table
    cities: Table
    guid: Callable[[int], str]
    account: Callable[..., Row]
    code_taken: type[Exception]

    def scope(self, **options: Any) -> Scope:
        return Scope(self.store, self.accounts, **options)


@pytest.fixture
def make_world() -> Callable[..., World]:
    def make(*, fold: bool = False, order: tuple[str, ...] | None = None) -> World:
        store = Store()
        cities = store.table(CITY, fold=fold)
        accounts = store.table(
            ACCOUNT,
            sorted_by=[("ModifiedOn",), ("Code",), ("Rank", "Name")],
            hashed=["CityId"],
            unique=[Unique(("Code",), lambda row: CodeTaken(row["Code"]))],
            fold=fold,
            order=order,
        )
        return World(store, accounts, cities, guid, account, CodeTaken)

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture(scope="session")
def notes_module() -> Any:
    """The sample simulator's module, importable under the plain name it has in a child process."""
    import importlib
    import sys
    from pathlib import Path

    folder = str(Path(__file__).parent)
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("sample_simulator")
