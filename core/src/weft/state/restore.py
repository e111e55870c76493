"""Restoring a backup into a state, on either database: all of it, or nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError

from weft.errors import StateError
from weft.state import failures, place
from weft.state.backup import COUNTERS, Header, Summary, check, read_rows
from weft.state.engine import WRITES, make_engine
from weft.state.lock import FileLock
from weft.state.migrate import migrate
from weft.state.place import Place
from weft.state.tables import VERSION_TABLE, hints, intents, meta, metadata, runs
from weft.state.workers import LOST

_FULL = ("links", "journal", "runs", "issues", "intents")
"""Tables of which a row means that a state is in use."""
_FUNCTIONS = ("weft_journal_is_append_only", "weft_journal_of_a_pruned_run")


def restore(url: str, path: Path, *, force: bool = False) -> tuple[Summary, Path | None]:
    """Put a backup in place of the state at ``url``. Returns what was restored, and where the SQLite file
    went that was there before.

    ``force``: also where there is a state already. On SQLite its file is kept beside; on PostgreSQL it is
    dropped in the same transaction.

    :raises StateError: the backup is damaged, somebody acts on the state, or it is not empty.
    """
    summary = check(path)
    where = place.parse(url)
    try:
        if where.sqlite:
            return summary, _into_file(where, path, summary, force)
        _into_server(where, path, summary, force)
        return summary, None
    except DBAPIError as error:
        explained = failures.explain(error, where)
        if explained is None:
            raise
        raise explained from error


def _into_file(where: Place, path: Path, summary: Summary, force: bool) -> Path | None:
    target = where.path
    assert target is not None
    if not target.parent.is_dir():
        raise StateError(f"the state {target} cannot be made: the folder {target.parent} does not exist")
    lock = FileLock(target)
    fresh = target.with_name(target.name + ".restoring")
    try:
        if not force and _holds_anything(where):
            raise _not_empty(where)
        _remove(fresh)
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        engine = make_engine(place.parse(f"sqlite:///{fresh}"), read_only=False)
        try:
            with engine.connect() as connection, connection.execution_options(**{WRITES: True}).begin():
                _fill(connection, where, path, summary)
            _use_wal(engine)
        finally:
            engine.dispose()
        kept = _put_aside(target)
        fresh.replace(target)
        return kept
    except OSError as error:
        raise StateError(f"{error.filename or target} cannot be written: {error.strerror}") from error
    finally:
        _remove(fresh)
        lock.release()


def _use_wal(engine: Engine) -> None:
    """Write-ahead logging is a property of the file; what was loaded is in the file itself already."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode=WAL").fetchone()
    finally:
        raw.close()


def _put_aside(target: Path) -> Path | None:
    """Rename a state file with what belongs to it; None where there is none."""
    if not target.exists():
        return None
    kept = target.with_name(f"{target.name}.replaced-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    for end in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{target}{end}").rename(f"{kept}{end}")
    return kept


def _remove(file: Path) -> None:
    for end in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{file}{end}").unlink()


def _holds_anything(where: Place) -> bool:
    """Whether there is a state with content, or a file that cannot even be read."""
    assert where.path is not None
    if not where.path.exists() or where.path.stat().st_size == 0:
        return False
    engine = make_engine(where, read_only=True)
    try:
        with engine.connect() as connection:
            return _in_use(connection)
    except DBAPIError:
        return True
    finally:
        engine.dispose()


def _in_use(connection: Connection) -> bool:
    there = set(inspect(connection).get_table_names())
    strange = there - set(metadata.tables) - {VERSION_TABLE}
    full = any(
        connection.execute(select(func.count()).select_from(select(text("1")).select_from(metadata.tables[name])
                                                            .limit(1).subquery())).scalar_one()
        for name in _FULL if name in there
    )  # fmt: skip
    return full or (bool(strange) and VERSION_TABLE not in there)


def _not_empty(where: Place) -> StateError:
    return StateError(
        f"there is a state at {where} already; name another one under state:, or replace it with --force "
        "(back it up first)"
    )


def _into_server(where: Place, path: Path, summary: Summary, force: bool) -> None:
    engine = make_engine(where, read_only=False)
    try:
        with engine.connect() as connection, connection.execution_options(**{WRITES: True}).begin():
            there = set(inspect(connection).get_table_names())
            if "workers" in there:
                alive = "ended_at IS NULL AND expires_at > clock_timestamp()"
                query = text(f"SELECT host, pid FROM workers WHERE {alive} ORDER BY started_at")  # noqa: S608
                if there_are := connection.execute(query).all():
                    names = ", ".join(f"process {pid} on {host}" for host, pid in there_are)
                    raise StateError(f"others act on the state {where}: {names}; stop them first")
            if not force and _in_use(connection):
                raise _not_empty(where)
            _drop(connection, there)
            _fill(connection, where, path, summary)
    finally:
        engine.dispose()


def _drop(connection: Connection, there: set[str]) -> None:
    for name in sorted(there & {*metadata.tables, VERSION_TABLE}):
        connection.execute(text(f'DROP TABLE "{name}" CASCADE'))
    for name in COUNTERS:
        connection.execute(text(f'DROP SEQUENCE IF EXISTS "{name}"'))
    for name in _FUNCTIONS:
        connection.execute(text(f"DROP FUNCTION IF EXISTS {name}()"))


def _fill(connection: Connection, where: Place, path: Path, summary: Summary) -> None:
    """Make the tables as the backup had them, load them, and bring them to this version's schema."""
    header = summary.header
    migrate(connection, where, to=header.schema)
    connection.execute(delete(meta))
    load = _inserting(connection) if where.sqlite else _copying(connection)
    for table, rows in read_rows(path):
        columns = header.tables[table]
        _fit(rows, columns)
        load(table, [name for name, _ in columns], rows)
    for table, count in summary.rows.items():
        found = connection.execute(text(f'SELECT count(*) FROM "{table}"')).scalar_one()  # noqa: S608
        if found != count:
            raise StateError(f"{path}: of {count} rows of {table} only {found} arrived; nothing was changed")
    _count_on(connection, where, header)
    migrate(connection, where)
    _cut_off(connection)
    if not where.sqlite:
        connection.execute(text("ANALYZE"))  # the planner knows nothing of tables that were just filled


def _fit(rows: list[list[Any]], columns: Sequence[tuple[str, str]]) -> None:
    """SQLite says 1 and 0 where PostgreSQL says true and false; both drivers take a bool."""
    for at, (_, form) in enumerate(columns):
        if form == "bool":
            for row in rows:
                if row[at] is not None:
                    row[at] = bool(row[at])


Load = Callable[[str, Sequence[str], list[list[Any]]], None]


def _inserting(connection: Connection) -> Load:
    raw: Any = connection.connection.driver_connection

    def load(table: str, names: Sequence[str], rows: list[list[Any]]) -> None:
        listed = ", ".join(f'"{name}"' for name in names)
        marks = ", ".join("?" * len(names))
        raw.executemany(f'INSERT INTO "{table}" ({listed}) VALUES ({marks})', rows)  # noqa: S608 - our own names

    return load


def _copying(connection: Connection) -> Load:
    raw: Any = connection.connection.driver_connection

    def load(table: str, names: Sequence[str], rows: list[list[Any]]) -> None:
        listed = ", ".join(f'"{name}"' for name in names)
        with raw.cursor() as cursor, cursor.copy(f'COPY "{table}" ({listed}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)

    return load


def _count_on(connection: Connection, where: Place, header: Header) -> None:
    """Numbers go on from where they were, in the way of the database that is restored into."""
    connection.execute(delete(meta).where(meta.c.name.in_(COUNTERS)))
    for name, highest in header.next.items():
        if where.sqlite and name in COUNTERS:
            if highest:
                connection.execute(insert(meta), {"name": name, "value": str(highest)})
        elif where.sqlite:
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
            connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :seq)"), {"name": name, "seq": highest})
        else:
            sequence = name if name in COUNTERS else f"{name}_id_seq"
            query = text("SELECT setval(CAST(:name AS regclass), :value, :called)")
            connection.execute(query, {"name": sequence, "value": max(highest, 1), "called": highest > 0})


def _cut_off(connection: Connection) -> None:
    """Whatever a process was at when the backup was made, no process is at now."""
    now = datetime.now(UTC)
    doubted = intents.c.state == "open", intents.c.sent_at.is_not(None)
    connection.execute(update(intents).where(*doubted).values(state="in_doubt"))
    connection.execute(update(runs).where(runs.c.state == "running").values(state=LOST, finished_at=now))
    connection.execute(update(hints).values(taken_by=None))
