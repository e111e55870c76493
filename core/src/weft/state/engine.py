"""The SQLAlchemy engine of a place, set up so that what is committed stays committed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, Pool, create_engine, event

from weft.state.place import Place

BUSY_MS = 30_000
WRITES = "weft_writes"
"""Execution option: this connection's transaction will write."""


def sessions_of(worker: str) -> str:
    """What a PostgreSQL server knows a worker's sessions by, whatever their kind: their names end with it."""
    return f"weft {worker}"


def make_engine(place: Place, *, read_only: bool, worker: str = "", poolclass: type[Pool] | None = None) -> Engine:
    """Parameters stay out of error texts: they are customers' data. ``worker``: whose sessions these are."""
    more: dict[str, Any] = {"hide_parameters": True}
    if poolclass is not None:
        more["poolclass"] = poolclass
    if not place.sqlite:
        # An intent must survive a crash of the server before its create is sent, whatever the server's default.
        options = {
            "application_name": sessions_of(worker).strip(),
            "options": "-c TimeZone=UTC -c synchronous_commit=on",
            "connect_timeout": 10,
        }
        options = {k: v for k, v in options.items() if k not in place.url.query}
        return (
            create_engine(place.url, connect_args=options, pool_pre_ping=True, pool_size=10, **more)
            if poolclass is None
            else create_engine(place.url, connect_args=options, **more)
        )
    engine = create_engine(place.url, connect_args={"timeout": BUSY_MS / 1000, "check_same_thread": False}, **more)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN would come late and never IMMEDIATE; we say it ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        cursor.execute("PRAGMA foreign_keys=ON")
        # FULL, not NORMAL: an intent must survive a power cut before its create is sent. WAL with FULL
        # costs one fsync a transaction, and records travel in batches.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA cache_size=-32000")
        cursor.execute("PRAGMA temp_store=MEMORY")
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # IMMEDIATE takes the write lock at once: a transaction that read first and writes later would
        # fail with SQLITE_BUSY and no amount of waiting.
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
