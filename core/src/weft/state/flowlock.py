"""Locks by name that end with their holder: one flow, one worker."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress

from sqlalchemy import Connection, Engine, NullPool, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from weft.state import failures
from weft.state.engine import make_engine
from weft.state.place import Place


class FlowLock:
    """A lock that is held; give it back with :meth:`release` (any thread)."""

    def __init__(self, locks: FlowLocks, name: str, connection: Connection | None) -> None:
        self.name = name
        self._locks = locks
        self._connection = connection
        self._mutex = threading.Lock()

    def held(self) -> bool:
        """Whether it is still ours: on PostgreSQL it ends when the connection breaks. Blocks briefly."""
        with self._mutex:
            if not self._locks.is_held(self):
                return False
            if self._connection is None:
                return True
            try:
                self._connection.execute(text("SELECT 1"))
            except DBAPIError:
                return False
            return True

    def release(self) -> None:
        with self._mutex:
            self._locks.drop(self)
            if self._connection is not None:
                with suppress(SQLAlchemyError):  # it ends with the session in any case, but a moment after it is closed
                    self._connection.execute(text("SELECT pg_advisory_unlock_all()"))
                self._connection.close()
                self._connection = None


class FlowLocks:
    def __init__(self, place: Place, worker: str) -> None:
        self._place = place
        self._worker = worker
        self._engine: Engine | None = None
        self._mutex = threading.Lock()
        self.names: set[str] = set()
        self._held: dict[str, FlowLock] = {}

    def take(self, name: str) -> FlowLock | None:
        with self._mutex:
            if name in self.names:
                return None
            connection = None if self._place.sqlite else self._session(name)
            if connection is None and not self._place.sqlite:
                return None
            self.names.add(name)
            self._held[name] = FlowLock(self, name, connection)
            return self._held[name]

    def _session(self, name: str) -> Connection | None:
        """A session that holds the advisory lock, or None."""
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        try:
            if self._engine is None:
                self._engine = make_engine(self._place, read_only=False, worker=self._worker, poolclass=NullPool)
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                got = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one()
            except BaseException:
                connection.close()
                raise
        except DBAPIError as error:
            explained = failures.explain(error, self._place)
            if explained is None:
                raise
            raise explained from error
        if got:
            return connection
        connection.close()
        return None

    def is_held(self, lock: FlowLock) -> bool:
        """Is it this very lock that holds its name?"""
        return self._held.get(lock.name) is lock

    def drop(self, lock: FlowLock) -> None:
        with self._mutex:
            if self.is_held(lock):
                self.names.discard(lock.name)
                self._held.pop(lock.name, None)

    def close(self) -> None:
        for lock in list(self._held.values()):
            lock.release()
        if self._engine is not None:
            self._engine.dispose()
