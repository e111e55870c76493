"""What is the same for every new state is worked out once in a process: hundreds of tests begin with one of their own.

Alembic migrates a new database once; its statements are then repeated for other new ones. And all engines of a database
share what SQLAlchemy has compiled, which each would otherwise compile again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.util import LRUCache

from weft.jobs import engine as queues
from weft.state import engine as engines
from weft.state.tables import VERSION_TABLE


def remember() -> None:
    """From now on, in this process."""
    command.upgrade = repeating(command.upgrade)
    engines.create_engine = queues.create_engine = sharing(create_engine)


def repeating(upgrade: Callable[[Config, str], None]) -> Callable[[Config, str], None]:
    """Databases that hold something are migrated as ever."""
    known: dict[tuple[str, str], list[tuple[str, Any]]] = {}

    def upgraded(config: Config, to: str) -> None:
        connection: Connection = config.attributes["connection"]
        kind = (connection.dialect.name, to)
        if inspect(connection).has_table(VERSION_TABLE):
            upgrade(config, to)
        elif kind in known:
            for statement, parameters in known[kind]:
                connection.exec_driver_sql(statement, parameters or None)
        else:
            known[kind] = recorded(connection, lambda: upgrade(config, to))

    return upgraded


def recorded(connection: Connection, work: Callable[[], None]) -> list[tuple[str, Any]]:
    """What work tells the database to do, without what it asks."""
    told: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: bool) -> None:
        if statement.lstrip().split()[0].upper() not in ("SELECT", "PRAGMA", "BEGIN"):
            told.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return told


def sharing(create: Callable[..., Engine]) -> Callable[..., Engine]:
    """A dialect is part of the key under which SQL is kept, so that is shared as well."""
    known: dict[str, Any] = {}
    kept = LRUCache(2000)

    def created(*args: Any, **more: Any) -> Engine:
        engine = create(*args, **more)
        engine.dialect = known.setdefault(engine.dialect.name, engine.dialect)
        engine._compiled_cache = kept
        return engine

    return created
