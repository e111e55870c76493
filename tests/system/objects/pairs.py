"""The professional edition between Creatio and an ERP, and masters that its documents need."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal as D
from typing import Any

ERPS = ["bc", "d365fo"]
SUPPLIER = "d34b9da2-53e6-df11-971b-001d60e938c6"
USD_ONLY = {"exchange_rates": {"when": "to_currency = 'USD' and currency in ['EUR', 'GBP']"}}


@dataclass
class Pair:
    """A world, its books, and masters that every document needs: linked, by name -> (Creatio's key, the ERP's)."""

    world: Any
    books: Any
    known: dict[str, tuple[str, str]] = field(default_factory=dict)

    def here(self, name: str) -> str:
        return self.known[name][0]

    def there(self, name: str) -> str:
        return self.known[name][1]

    def link(self, entity: str, *, left: str | None = None, right: str | None = None) -> Any:
        return self.world.link(entity, left=left, right=right)

    def sent(self, entity: str, left: str) -> str:
        """The ERP's key of what a row of Creatio became."""
        return str(self.link(entity, left=left).right_key)

    def arrived(self, entity: str, right: str) -> str:
        """Creatio's key of what a record of the ERP became."""
        return str(self.link(entity, right=right).left_key)

    def own(self, name: str, lines: list[tuple[str, Any, Any]] | None = None, **columns: Any) -> str:
        """A row of an object of weft's package, with its lines, typed into Creatio."""
        self.world.number += 1
        values = {f"Usr{column}": value for column, value in columns.items()}
        key = self.world.add(f"Usr{name}", **{"UsrNumber": f"{name}-{self.world.number}", **values})
        for number, (product, quantity, price) in enumerate(lines or (), 1):
            row = {f"Usr{name}Id": key, "UsrLineNumber": number, "UsrProductId": product, "UsrName": "Line"}
            self.world.add(f"Usr{name}Product", **row, UsrQuantity=D(quantity), UsrPrice=D(price))
        return str(key)

    def lines(self, name: str, key: str) -> list[tuple[str, Any, Any]]:
        rows = self.world.rows(f"Usr{name}Product", **{f"Usr{name}Id": key})
        rows.sort(key=lambda row: row["UsrLineNumber"])
        none = "00000000-0000-0000-0000-000000000000"
        return [
            (None if row["UsrProductId"] == none else row["UsrProductId"], row["UsrQuantity"], row["UsrPrice"])
            for row in rows
        ]


def make_pair(make_pack: Any, kind: str, changes: dict[str, dict[str, Any]] | None = None) -> Pair:
    """``changes`` are laid over the edition's flows."""
    world, books = make_pack(kind, USD_ONLY | (changes or {}))
    books.prepare()
    made = Pair(world, books)
    world.sync()
    buyer = world.account("Adatum")
    seller = world.add("Account", Name="Wide World Importers", TypeId=SUPPLIER)
    chair, desk = world.product("Chair", Price=D(100)), world.product("Desk", Price=D(250))
    for name in ("expense", "income"):
        number = getattr(books, name)
        made.known[name] = (world.one("UsrGLAccount", UsrNumber=number)["Id"], books.account(number))
    made.known["bank"] = (world.add("UsrBankAccount", Name="Checking", UsrCode=books.bank), books.bank)
    world.sync()
    made.known["buyer"] = (buyer, made.sent("customer", buyer))
    made.known["seller"] = (seller, made.sent("vendor", seller))
    for name, key in (("chair", chair), ("desk", desk)):
        made.known[name] = (key, made.sent("product", key))
    return made


def goods(pair: Pair) -> list[tuple[str, Any, Any]]:
    return [(pair.here("chair"), 2, 90), (pair.here("desk"), 1, D("249.50"))]


def same_goods(pair: Pair) -> list[tuple[str, Any, Any]]:
    return [(pair.there("chair"), 2, 90), (pair.there("desk"), 1, D("249.50"))]
