"""Bringing a state database to this version's schema, or saying why not."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

from sqlalchemy import Connection, func, insert, inspect, select, text

from weft.errors import NoState, OldSchema, StateError
from weft.state.place import Place
from weft.state.tables import VERSION_TABLE, meta, metadata, workers

SCHEMA = "0007"
"""The newest revision in ``migrations/versions`` (a test compares), so that opening needs no alembic."""

_LOCK = 0x77656674  # "weft": an arbitrary number for the advisory lock of a migration
MIGRATIONS = Path(__file__).parent / "migrations"


def found_version(connection: Connection) -> str | None:
    """The schema version in the database; None if weft has never been here."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    row = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).one_or_none()  # noqa: S608
    return None if row is None else str(row[0])


def is_current(connection: Connection, place: Place, *, may_write: bool, create: bool) -> bool:
    """True: nothing to do. False: :func:`migrate` is due. Raises StateError if that must not happen."""
    version = found_version(connection)
    if version == SCHEMA:
        return True
    if version is None:
        present = set(inspect(connection).get_table_names())
        strange = present if place.sqlite else present & set(metadata.tables)
        if strange:
            raise StateError(
                f"{place} is a database of another program "
                f"(it has the tables {', '.join(sorted(strange)[:5])}); name another one under state:"
            )
        if not create or not may_write:
            raise NoState(f"{place} holds no weft state yet; it is made by the first sync")
        return False
    if not re.fullmatch(r"\d{4}", version) or version > SCHEMA:
        raise StateError(
            f"the state {place} has schema version {version}, this weft knows versions up to {SCHEMA}; "
            "upgrade weft, or use the version that wrote it"
        )
    if not may_write:
        raise OldSchema(
            f"the state {place} has schema version {version}, this weft needs {SCHEMA}; "
            "it is migrated by the next command that acts on it (weft sync, weft run)"
        )
    return False


def _require_alone(connection: Connection, place: Place) -> None:
    """An earlier version does not know what the later one relies on: its workers must not write beside it."""
    if not inspect(connection).has_table(workers.name):
        return
    there = connection.execute(
        select(workers.c.host, workers.c.pid, workers.c.version)
        .where(workers.c.ended_at.is_(None), workers.c.expires_at > func.clock_timestamp())
        .order_by(workers.c.started_at)
    ).all()
    if there:
        names = ", ".join(f"process {one.pid} on {one.host} (weft {one.version})" for one in there)
        raise StateError(
            f"the state {place} must be migrated for this weft, and others are at work on it: {names}; "
            "stop them, which loses nothing, and start again"
        )


def migrate(connection: Connection, place: Place, *, to: str = SCHEMA) -> None:
    """Apply what is missing (up to a version) within the caller's transaction; all of it or nothing."""
    from alembic import command
    from alembic.config import Config

    if not place.sqlite:
        # Two machines may start at once; the second waits here and then finds nothing to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if found_version(connection) == to:
            return
        _require_alone(connection, place)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    if connection.execute(select(meta.c.value).where(meta.c.name == "instance")).one_or_none() is None:
        connection.execute(insert(meta), {"name": "instance", "value": uuid.uuid4().hex})
