"""The few places where the two databases are asked differently."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar, cast

import orjson
from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Table,
    Text,
    any_,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler

T = TypeVar("T")

CHUNK = 5000
"""Keys per SELECT. They travel as one parameter, so the limit only bounds memory."""


def is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def among(connection: Connection, column: ColumnElement[Any], values: Sequence[str]) -> ColumnElement[bool]:
    """``column IN values`` for text, with the values as one parameter: the statement is the same for
    any number of them, so it is compiled and planned once."""
    if is_sqlite(connection):
        listed = func.json_each(bindparam(None, orjson.dumps(list(values)).decode(), type_=Text))
        return column.in_(select(literal_column("value")).select_from(listed))
    return column == any_(bindparam(None, list(values), type_=postgresql.ARRAY(Text)))


def among_ids(connection: Connection, column: ColumnElement[Any], ids: Sequence[int]) -> ColumnElement[bool]:
    """``column IN ids`` for row ids; see :func:`among`."""
    if is_sqlite(connection):
        listed = func.json_each(bindparam(None, orjson.dumps(list(ids)).decode(), type_=Text))
        return column.in_(select(literal_column("value")).select_from(listed))
    return column == any_(bindparam(None, list(ids), type_=postgresql.ARRAY(column.type)))


def listed(connection: Connection, values: Sequence[str]) -> ColumnElement[str]:
    """The values as rows of a SELECT, in their order."""
    if is_sqlite(connection):
        table = func.json_each(bindparam(None, orjson.dumps(list(values)).decode(), type_=Text)).table_valued("value")
        return table.c.value
    return func.unnest(bindparam(None, list(values), type_=postgresql.ARRAY(Text)))


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def in_turn(connection: Connection, name: str, *, shared: bool = False) -> None:
    """Until the transaction ends nobody else gets past here with this name, ``shared``: but those that share it, too.
    SQLite has one writer at a time anyway."""
    if not is_sqlite(connection):
        key = int.from_bytes(hashlib.sha256(f"weft {name}".encode()).digest()[:8], "big", signed=True)
        take = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        connection.execute(select(take(key)))


def upsert(connection: Connection, table: Table) -> Any:
    """An INSERT that knows ``on_conflict_do_update`` and ``excluded`` on either database."""
    return sqlite.insert(table) if is_sqlite(connection) else postgresql.insert(table)


class Upsert:
    """An INSERT of a table that overwrites where a row with the same ``keys`` is there, made once for each of the
    databases: making one costs more than carrying it out.

    ``changed`` says, given what was to be inserted, what the row that is there becomes; by default the columns
    named are overwritten.
    """

    def __init__(
        self,
        table: Table,
        keys: Sequence[str],
        changed: Sequence[str] | Callable[[Any], dict[str, Any]],
        *,
        where: ClauseElement | None = None,
    ) -> None:
        self._table, self._keys, self._changed, self._where = table, keys, changed, where
        self._made: dict[bool, Any] = {}

    def on(self, connection: Connection) -> Any:
        found = self._made.get(is_sqlite(connection))
        if found is None:
            statement = upsert(connection, self._table)
            new = statement.excluded
            changed = self._changed(new) if callable(self._changed) else {name: new[name] for name in self._changed}
            found = statement.on_conflict_do_update(index_elements=self._keys, index_where=self._where, set_=changed)
            self._made[is_sqlite(connection)] = found
        return found


def many(connection: Connection, statement: Executable, names: tuple[str, ...], rows: Iterable[Sequence[Any]]) -> None:
    """Execute an INSERT or UPDATE once a row, given as values in the order of ``names``: columns of an insert,
    bind parameters of an update.

    Straight to the driver: what SQLAlchemy works out for each value of each row is worked out once here.
    """
    ready = _prepared(connection.dialect, statement, names)
    given = [ready.row(values) for values in rows]
    if given:
        connection.exec_driver_sql(ready.text, given)


class _Ready(NamedTuple):
    text: str
    positions: tuple[int, ...] | None
    """Where the driver counts parameters: which value each one is. None: it wants them by name."""
    names: tuple[str, ...]
    converted: tuple[tuple[int, Callable[[Any], Any]], ...]

    def row(self, values: Sequence[Any]) -> Any:
        made = list(values)
        for index, convert in self.converted:
            made[index] = convert(made[index])
        if self.positions is None:
            return dict(zip(self.names, made, strict=True))
        return tuple([made[index] for index in self.positions])


@lru_cache(maxsize=200)
def _prepared(dialect: Dialect, statement: Executable, names: tuple[str, ...]) -> _Ready:
    compiled = cast(ClauseElement, statement).compile(dialect=dialect, column_keys=list(names))
    assert isinstance(compiled, SQLCompiler)
    types = [compiled.binds[name].type.dialect_impl(dialect) for name in names]
    converters = enumerate(type_.bind_processor(dialect) for type_ in types)
    order = compiled.positiontup
    return _Ready(
        str(compiled),
        None if order is None else tuple(names.index(name) for name in order),
        names,
        tuple((index, convert) for index, convert in converters if convert is not None),
    )
