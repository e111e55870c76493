"""The few places where the two databases are asked differently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import orjson
from sqlalchemy import ColumnElement, Connection, Table, Text, any_, bindparam, func, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite

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


def upsert(connection: Connection, table: Table) -> Any:
    """An INSERT that knows ``on_conflict_do_update`` and ``excluded`` on either database."""
    return sqlite.insert(table) if is_sqlite(connection) else postgresql.insert(table)
