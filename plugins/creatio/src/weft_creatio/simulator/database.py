# ruff: noqa: S608 - names come from the model, values are bound
"""Rows of the simulated site, in SQLite in memory: one table an object, with undo, redo and late commits.

Values are kept "raw": GUIDs as lower-case text or NULL, text never NULL, decimals as integers scaled by the
column's scale (exact and summable), booleans as 0/1, dates as `YYYY-MM-DDTHH:MM:SS.fffffff` (UTC) or NULL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from .model import Column, Entity, Model

Raw = dict[str, Any]
"""One stored row, by OData column name."""

INDEXED = {
    "AccountId", "ContactId", "OrderId", "InvoiceId", "ProductId", "OpportunityId", "LeadId", "ContractId",
    "SysSettingsId", "CurrencyId", "SupplyPaymentElementId", "ParentId", "CountryId", "PriceListId",
    "QualifiedAccountId", "QualifiedContactId", "PrimaryContactId",
}  # fmt: skip
SEARCHED = {"Name", "Code", "Number", "Email", "Title", "ShortName"}
LARGE = {
    "Account", "Contact", "AccountAddress", "ContactAddress", "AccountCommunication", "ContactCommunication",
    "AccountBillingInfo", "ContactCareer", "Lead", "Opportunity", "OpportunityProductInterest", "Order",
    "OrderProduct", "Invoice", "InvoiceProduct", "SupplyPaymentElement", "SupplyPaymentProduct", "Contract",
    "Product", "ProductPrice", "ProductUnit", "Activity", "CurrencyRate", "SysSettings", "SysSettingsValue",
}  # fmt: skip
_MSSQL_GUID = "||".join(
    f"substr(Id,{at},{length})"
    for at, length in ((25, 12), (20, 4), (17, 2), (15, 2), (12, 2), (10, 2), (7, 2), (5, 2), (3, 2), (1, 2))
)


def quoted(name: str) -> str:
    """A table or column name for SQL (`Order` is a keyword)."""
    return f'"{name}"'


class Database:
    """All tables. Nothing awaits, so a request is atomic; :meth:`transaction` adds rollback."""

    def __init__(self, model: Model, *, mssql: bool = False) -> None:
        self._sql = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=1024)
        self._sql.create_function("fold", 1, _fold, deterministic=True)
        self._sql.execute("PRAGMA page_size=1024")  # hundreds of tables and indexes, most of them all but empty
        self._sql.execute("PRAGMA synchronous=OFF")
        self._mssql = mssql
        self._depth = 0
        self._redo: list[tuple[str, str, str, Raw]] = []
        self._late: dict[int, list[tuple[str, str, str, Raw]]] = {}
        self._late_count = 0
        self.late_gate: Callable[[], bool] | None = None
        self.on_late: Callable[[int], None] | None = None
        self.hidden: dict[str, int] = {}
        self._model = model
        self.execute("CREATE TABLE _hidden (entity TEXT, id TEXT, PRIMARY KEY (entity, id)) WITHOUT ROWID")
        self.execute(
            "CREATE TABLE _stream (entity TEXT, id TEXT, col TEXT, type TEXT, data BLOB, PRIMARY KEY (entity, id, col))"
        )
        for entity in model.entities.values():
            self.create_table(entity)

    # -- structure

    def create_table(self, entity: Entity) -> None:
        columns = ", ".join(_declare(c) for c in entity.stored)
        self.execute(f"CREATE TABLE {quoted(entity.name)} ({columns})")

    def add_columns(self, entity: Entity) -> None:
        """Give a table the columns its entity has by now. It is made anew with its rows: ALTER TABLE reads the
        whole schema again for each column. Its indexes go."""
        table = quoted(entity.name)
        cursor = self.execute(f"SELECT * FROM {table} ORDER BY rowid")
        names = ",".join(quoted(one[0]) for one in cursor.description)
        marks = ",".join("?" * len(cursor.description))
        rows = cursor.fetchall()
        self.execute(f"DROP TABLE {table}")
        self.create_table(entity)
        self._sql.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)

    def build_indexes(self) -> None:
        """Indexes of the large tables and of custom objects; after the sample data, because that is faster."""
        for entity in self._model.entities.values():
            self.index(entity, entity.name in LARGE)

    def index(self, entity: Entity, large: bool = True) -> None:
        table = quoted(entity.name)
        self.execute(f'CREATE UNIQUE INDEX IF NOT EXISTS "pk_{entity.name}" ON {table} (Id)')
        if not large:
            return
        self.execute(f'CREATE INDEX IF NOT EXISTS "ix_{entity.name}_modified" ON {table} (ModifiedOn, Id)')
        if self._mssql:
            self.execute(f'CREATE INDEX IF NOT EXISTS "ix_{entity.name}_guid" ON {table} ({_MSSQL_GUID})')
        for column in entity.stored:
            name = column.name
            if name in INDEXED:
                self.execute(f'CREATE INDEX IF NOT EXISTS "ix_{entity.name}_{name}" ON {table} ({name})')
            elif name in SEARCHED:
                self.execute(f'CREATE INDEX IF NOT EXISTS "ix_{entity.name}_{name}" ON {table} (fold({name}))')

    def order_of_guid(self, alias: str) -> str:
        """SQL by which the site's database orders `Id`."""
        return _MSSQL_GUID.replace("Id", f"{alias}.Id") if self._mssql else f"{alias}.Id"

    # -- reading

    def execute(self, sql: str, args: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self._sql.execute(sql, args)

    def value(self, sql: str, args: Sequence[Any] = ()) -> Any:
        """First column of the first row, or None."""
        row = self._sql.execute(sql, args).fetchone()
        return row[0] if row else None

    def row(self, name: str, key: str | None) -> Raw | None:
        """A stored row, hidden or not."""
        if key is None:
            return None
        cursor = self._sql.execute(f"SELECT * FROM {quoted(name)} WHERE Id=?", (key,))
        found = cursor.fetchone()
        return dict(zip((d[0] for d in cursor.description), found, strict=True)) if found else None

    def rows(self, name: str, where: str, args: Sequence[Any] = ()) -> list[Raw]:
        """Stored rows that meet an SQL condition, oldest first."""
        cursor = self._sql.execute(f"SELECT * FROM {quoted(name)} WHERE {where} ORDER BY rowid", args)
        names = [d[0] for d in cursor.description]
        return [dict(zip(names, found, strict=True)) for found in cursor]

    def exists(self, name: str, key: str) -> bool:
        return self._sql.execute(f"SELECT 1 FROM {quoted(name)} WHERE Id=?", (key,)).fetchone() is not None

    # -- writing

    def insert(self, name: str, row: Raw) -> None:
        columns = ",".join(map(quoted, row))
        marks = ",".join("?" * len(row))
        self._sql.execute(f"INSERT INTO {quoted(name)} ({columns}) VALUES ({marks})", tuple(row.values()))
        if self._depth:
            self._redo.append(("insert", name, row["Id"], dict(row)))

    def update(self, name: str, key: str, changes: Raw) -> None:
        if not changes:
            return
        columns = ",".join(f"{quoted(c)}=?" for c in changes)
        self._sql.execute(f"UPDATE {quoted(name)} SET {columns} WHERE Id=?", (*changes.values(), key))
        if self._depth:
            self._redo.append(("update", name, key, dict(changes)))

    def delete(self, name: str, key: str) -> None:
        self._sql.execute(f"DELETE FROM {quoted(name)} WHERE Id=?", (key,))
        self._sql.execute("DELETE FROM _stream WHERE entity=? AND id=?", (name, key))
        if self._depth:
            self._redo.append(("delete", name, key, {}))

    def load(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Many rows at once, without redo: sample data. Call inside :meth:`bulk`.

        Columns this bundle does not have are left out.
        """
        known = self._model.entity(name).columns
        if not all(column in known for column in columns):
            kept = [at for at, column in enumerate(columns) if column in known]
            rows = ([row[at] for at in kept] for row in rows)
            columns = [columns[at] for at in kept]
        marks = ",".join("?" * len(columns))
        self._sql.executemany(f"INSERT INTO {quoted(name)} ({','.join(map(quoted, columns))}) VALUES ({marks})", rows)

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """For filling an empty site: one transaction that cannot be rolled back, indexes built at its end."""
        self._sql.execute("PRAGMA journal_mode=OFF")
        self._sql.execute("BEGIN")
        yield
        self.build_indexes()
        self._sql.execute("COMMIT")
        self._sql.execute("ANALYZE")
        self._sql.execute("PRAGMA journal_mode=MEMORY")

    @contextmanager
    def transaction(self, *, late: bool | None = None) -> Iterator[None]:
        """All or nothing; nested ones are savepoints. With `late` (None: ask `late_gate`) the changes of the
        outermost one stay invisible until :meth:`release`."""
        name = f"s{self._depth}"
        mark = len(self._redo)
        self._sql.execute("BEGIN" if self._depth == 0 else f"SAVEPOINT {name}")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            self._sql.execute("ROLLBACK" if self._depth == 0 else f"ROLLBACK TO {name}")
            if self._depth:
                self._sql.execute(f"RELEASE {name}")
            del self._redo[mark:]
            raise
        self._depth -= 1
        if self._depth:
            self._sql.execute(f"RELEASE {name}")
            return
        changes, self._redo = self._redo, []
        if late is None:
            late = bool(changes) and self.late_gate is not None and self.late_gate()
        if late:
            self._sql.execute("ROLLBACK")
            self._late_count += 1
            self._late[self._late_count] = changes
            if self.on_late is not None:
                self.on_late(self._late_count)
        else:
            self._sql.execute("COMMIT")

    def release(self, count: int | None = None) -> int:
        """Make the oldest late transactions visible; returns how many."""
        due = list(self._late)[:count]
        for late_id in due:
            self.release_one(late_id)
        return len(due)

    def release_one(self, late_id: int) -> bool:
        """Make one late transaction visible; False when it already is."""
        changes = self._late.pop(late_id, None)
        if changes is None:
            return False
        for verb, name, key, row in changes:
            match verb:
                case "insert":
                    self.insert(name, row)
                case "update":
                    self.update(name, key, row)
                case _:
                    self.delete(name, key)
        return True

    # -- rights

    def hide(self, name: str, where: Callable[[Raw], bool] | Iterable[str]) -> int:
        """Make rows invisible to the API (record rights lost); returns how many."""
        if callable(where):
            keys = [row["Id"] for row in self.rows(name, "1") if where(row)]
        else:
            keys = [key.lower() for key in where]
        self._sql.executemany("INSERT OR IGNORE INTO _hidden VALUES (?,?)", ((name, key) for key in keys))
        self.hidden[name] = self.value("SELECT count(*) FROM _hidden WHERE entity=?", (name,))
        return len(keys)

    def reveal(self, name: str | None = None) -> None:
        """Undo every hide of that object, or of all."""
        if name is None:
            self._sql.execute("DELETE FROM _hidden")
            self.hidden.clear()
        else:
            self._sql.execute("DELETE FROM _hidden WHERE entity=?", (name,))
            self.hidden.pop(name, None)

    def is_hidden(self, name: str, key: str) -> bool:
        return bool(self.hidden.get(name)) and (
            self.value("SELECT 1 FROM _hidden WHERE entity=? AND id=?", (name, key)) is not None
        )

    # -- streams

    def stream(self, name: str, key: str, column: str) -> tuple[str, bytes] | None:
        """(content type, bytes) of a stream column."""
        found = self._sql.execute(
            "SELECT type, data FROM _stream WHERE entity=? AND id=? AND col=?", (name, key, column)
        ).fetchone()
        return (found[0], bytes(found[1])) if found else None

    def put_stream(self, name: str, key: str, column: str, kind: str, data: bytes | None) -> None:
        """Store bytes, or remove them with None."""
        self._sql.execute("DELETE FROM _stream WHERE entity=? AND id=? AND col=?", (name, key, column))
        if data is not None:
            self._sql.execute("INSERT INTO _stream VALUES (?,?,?,?,?)", (name, key, column, kind, data))


def empty(column: Column) -> str | int | None:
    """The raw value of a column nothing was written to."""
    if column.kind == "text":
        return ""
    return 0 if column.kind in ("int", "decimal", "bool") else None


def _declare(column: Column) -> str:
    name = quoted(column.name)
    if column.name == "Id":
        return f"{name} TEXT NOT NULL"
    kind: Literal["TEXT", "INTEGER"] = "INTEGER" if column.kind in ("int", "decimal", "bool") else "TEXT"
    nothing = empty(column)
    return f"{name} {kind}" if nothing is None else f"{name} {kind} NOT NULL DEFAULT {nothing!r}"


def _fold(text: str | None) -> str | None:
    return text.lower() if text is not None else None
