"""The database in which DBOS keeps its queues: beside the state, and worth nothing without it.

On SQLite it is a file of its own, ``weft.db-jobs`` beside ``weft.db``: every job is several small writes, which
would otherwise queue up with those of the state. On PostgreSQL it is a schema of its own in the same database.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event

from weft.errors import StateError
from weft.state.engine import sessions_of
from weft.state.place import Place

SCHEMA = "weft_jobs"
BUSY_MS = 30_000
SUBSEC_SINCE = (3, 42, 0)


def jobs_url(place: Place) -> URL:
    """Where the queues of a state are kept."""
    return place.url if place.path is None else URL.create("sqlite", database=f"{place.path}-jobs")


def make_engine(place: Place, worker: str, connections: int) -> Engine:
    """An engine for a worker's DBOS; parameters stay out of its error texts.

    :raises StateError: the file cannot be made.
    """
    url = jobs_url(place)
    if place.path is None:
        name = f"jobs of {sessions_of(worker)}"
        options = {"application_name": name, "options": "-c TimeZone=UTC", "connect_timeout": 10}
        options = {k: v for k, v in options.items() if k not in url.query}
        return create_engine(url, connect_args=options, pool_pre_ping=True, pool_size=connections, hide_parameters=True)
    _private(Path(str(url.database)))
    engine = create_engine(
        url, connect_args={"timeout": BUSY_MS / 1000, "check_same_thread": False}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # a power cut may cost jobs: the state finds them again
        connection.execute("PRAGMA foreign_keys=ON")
        if sqlite3.sqlite_version_info < SUBSEC_SINCE:
            connection.create_function("unixepoch", -1, _unixepoch)

    return engine


def _private(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StateError(f"the queues {path} cannot be made: {error.strerror}") from error


def _unixepoch(*given: Any) -> float | int:
    """``unixepoch('subsec')``, which SQLite before 3.42 answers with NULL: DBOS would not start there."""
    if set(given) - {"now", "subsec"}:
        raise ValueError(f"unixepoch{given} is not among what the queues ask for")
    return time.time() if "subsec" in given else int(time.time())
