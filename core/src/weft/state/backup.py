"""Backing a state up into one file, the same from either database, while others work on it.

The file is gzip over lines of JSON: a header; then of each table its name, its rows as arrays, and how many
there were; last a SHA-256 over all lines before it. Values are what the tables hold: canonical JSON stays
text, times are UTC text. What belongs to running processes (:data:`LEFT_OUT`) is not in it.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import orjson
from sqlalchemy import Boolean, Connection, Integer, Table, select, text

from weft import __version__
from weft.errors import StateError
from weft.state import sql
from weft.state.migrate import SCHEMA
from weft.state.store import State
from weft.state.tables import metadata
from weft.state.types import UtcTime, time_text

FORMAT = 1
LEFT_OUT = frozenset({"claims", "portions", "sessions", "workers"})
"""Tables of running processes and of people who are signed in."""
COUNTERS = ("link_ids", "settlements")
"""Sequences on PostgreSQL, rows of ``meta`` on SQLite."""
ROWS = 5000
_LEVEL = 3


class BadBackup(StateError):
    """A file that is no backup, was damaged, or comes from a newer weft."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a backup says of itself. ``tables`` gives columns as (name, form); ``next`` is the highest number
    given so far by table or counter."""

    schema: str
    weft: str
    instance: str
    at: datetime
    origin: str
    tables: dict[str, list[tuple[str, str]]]
    next: dict[str, int]


@dataclass(frozen=True, slots=True)
class Summary:
    """What is in a backup."""

    header: Header
    rows: dict[str, int]
    sha256: str
    size: int


def backup(state: State, path: Path, *, force: bool = False) -> Summary:
    """Write a backup of one moment; ``path`` appears when it is complete. Readable by its owner only.

    :raises StateError: the file exists (unless ``force``) or cannot be written.
    """
    if path.exists() and not force:
        raise StateError(f"{path} exists already; name another file, or overwrite it with --force")
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            with state.begin(writes=False) as tx:
                header, rows, digest = _write(tx.connection, file, state)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StateError(f"the backup {path} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()
    return Summary(header, rows, digest, path.stat().st_size)


def _write(connection: Connection, file: IO[bytes], state: State) -> tuple[Header, dict[str, int], str]:
    tables = [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]
    header = Header(
        SCHEMA, __version__, state.instance, datetime.now(UTC), "sqlite" if state.place.sqlite else "postgresql",
        {str(table.name): [(str(column.name), _form(column)) for column in table.columns] for table in tables},
        _next(connection, tables),
    )  # fmt: skip
    digest, rows = hashlib.sha256(), dict[str, int]()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_LEVEL, mtime=0, filename="") as packed:

        def put(data: bytes) -> None:
            digest.update(data)
            packed.write(data)

        put(_line({"weft": "state backup", "format": FORMAT, "schema": header.schema, "version": header.weft,
                   "instance": header.instance, "at": time_text(header.at), "from": header.origin,
                   "tables": header.tables, "next": header.next}))  # fmt: skip
        for table in tables:
            name, count = str(table.name), 0
            put(_line({"table": name}))
            for batch in _rows(connection, table):
                count += len(batch)
                put(b"".join(_line(row) for row in batch))
            put(_line({"end": name, "rows": count}))
            rows[name] = count
        found = digest.hexdigest()
        packed.write(_line({"sha256": found}))
    return header, rows, found


def _form(column: Any) -> str:
    if isinstance(column.type, UtcTime):
        return "time"
    if isinstance(column.type, Boolean):
        return "bool"
    return "number" if isinstance(column.type, Integer) else "text"


def _rows(connection: Connection, table: Table) -> Iterator[list[list[Any]]]:
    """The raw rows in batches; PostgreSQL's times as the text that SQLite holds."""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    order = ", ".join(f'"{column.name}"' for column in table.primary_key.columns)
    query = text(f'SELECT {names} FROM "{table.name}" ORDER BY {order}')  # noqa: S608 - names of our own tables
    times = [] if sql.is_sqlite(connection) else [i for i, c in enumerate(table.columns) if _form(c) == "time"]
    options = {"stream_results": True, "yield_per": ROWS}
    for batch in connection.execute(query, execution_options=options).partitions():
        rows = [list(row) for row in batch]
        for at in times:
            for row in rows:
                if row[at] is not None:
                    row[at] = time_text(row[at])
        yield rows


def _next(connection: Connection, tables: list[Table]) -> dict[str, int]:
    """The highest number each table and counter has given: numbers of deleted rows are not given again."""
    found: dict[str, int] = {}
    if sql.is_sqlite(connection):
        rows = connection.execute(text("SELECT name, seq FROM sqlite_sequence"))
        known = {str(table.name) for table in tables}
        found = {name: int(seq) for name, seq in rows if name in known}
        stored: dict[str, str] = {row[0]: row[1] for row in connection.execute(select(metadata.tables["meta"]))}
        return found | {name: int(stored[name]) for name in COUNTERS if name in stored}
    for name in [*(f"{table.name}_id_seq" for table in tables if numbered(table)), *COUNTERS]:
        last, called = connection.execute(text(f'SELECT last_value, is_called FROM "{name}"')).one()  # noqa: S608
        found[name.removesuffix("_id_seq")] = int(last) if called else 0
    return found


def numbered(table: Table) -> bool:
    """Whether the database gives the ids of a table."""
    keys = list(table.primary_key.columns)
    return len(keys) == 1 and keys[0].autoincrement is True and keys[0].name == "id"


def _line(value: Any) -> bytes:
    return orjson.dumps(value) + b"\n"


def _sync_folder(folder: Path) -> None:
    """Make the new name of a file last through a power cut, where the system knows how."""
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


# -- reading -----------------------------------------------------------------------------------------


def check(path: Path) -> Summary:
    """Read a backup to its end and hold it against its checksum.

    :raises BadBackup: it is none, or damaged.
    """
    rows: dict[str, int] = {}
    digest = hashlib.sha256()
    lines = _lines(path)
    header = _header(path, first := next(lines, b""))
    digest.update(first)
    found, last = "", b""
    table: str | None = None
    for line in lines:
        if last:
            digest.update(last)
        last = line
        if line.startswith(b"{"):
            try:
                told = orjson.loads(line)
            except ValueError:
                raise BadBackup(f"{path}: it is damaged; use another backup") from None
            if "table" in told:
                table = str(told["table"])
                rows[table] = 0
            elif "end" in told and (told["end"] != table or told["rows"] != rows.get(table or "")):
                raise BadBackup(f"{path}: rows of {table} are missing; the backup is damaged, use another one")
            found = str(told.get("sha256", ""))
        elif table is not None:
            rows[table] += 1
    if found != digest.hexdigest():
        raise BadBackup(f"{path}: its content does not fit its checksum; the backup is damaged, use another one")
    return Summary(header, rows, found, path.stat().st_size)


def read_rows(path: Path) -> Iterator[tuple[str, list[list[Any]]]]:
    """The rows of a backup that was checked, as (table, some rows), in an order that foreign keys allow."""
    table, batch = "", list[list[Any]]()
    lines = _lines(path)
    next(lines)
    for line in lines:
        if line.startswith(b"["):
            batch.append(orjson.loads(line))
            if len(batch) == ROWS:
                yield table, batch
                batch = []
            continue
        if batch:
            yield table, batch
            batch = []
        table = str(orjson.loads(line).get("table", ""))


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") as file:
            yield from file
    except gzip.BadGzipFile:
        raise BadBackup(f"{path} is no backup of weft's state") from None
    except (EOFError, zlib.error):
        raise BadBackup(f"{path}: it is cut short or damaged; use another backup") from None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from error


def _header(path: Path, line: bytes) -> Header:
    try:
        told = orjson.loads(line)
        known = told["weft"] == "state backup"
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise BadBackup(f"{path} is no backup of weft's state")
    if told["format"] > FORMAT or told["schema"] > SCHEMA:
        raise BadBackup(
            f"{path} was written by weft {told['version']} (schema {told['schema']}); this is weft {__version__}, "
            f"which knows schemas up to {SCHEMA}: upgrade weft first"
        )
    tables = {name: [(column, form) for column, form in columns] for name, columns in told["tables"].items()}
    at = datetime.fromisoformat(told["at"])
    return Header(told["schema"], told["version"], told["instance"], at, told["from"], tables, told["next"])
