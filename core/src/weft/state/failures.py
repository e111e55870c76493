"""Database errors in a person's words: which database, what is wrong, what to do."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from weft.errors import StateDown, StateError
from weft.state.place import Place

_SQLITE = {
    "SQLITE_FULL": "is full: {error}. Make room on its disk; what was committed before is safe",
    "SQLITE_IOERR": "cannot be read or written: {error}. Check free space, quota and health of its disk; "
    "what was committed before is safe",
    "SQLITE_READONLY": "cannot be written: {error}. Check the permissions of the file and its folder",
    "SQLITE_PERM": "cannot be opened: {error}. Check the permissions of the file and its folder",
    "SQLITE_CANTOPEN": "cannot be opened: {error}. Check that its folder exists and is writable",
    "SQLITE_NOTADB": "is not a SQLite database. Name another file under state:, or remove this one",
    "SQLITE_CORRUPT": "is damaged: {error}. Restore it from a backup",
    "SQLITE_BUSY": "is locked by another program: {error}. Close what else has it open",
    "SQLITE_LOCKED": "is locked by another program: {error}. Close what else has it open",
    "SQLITE_NOLFS": "is too large for its file system: {error}",
    "SQLITE_TOOBIG": "refused a value that is too long: {error}",
}

_POSTGRES = {
    "53100": "has no disk space left: {error}. Make room on the server; what was committed before is safe",
    "53300": "has no connection to spare: {error}",
    "3D000": "does not exist: {error}. Create the database first",
    "28": "refused the login: {error}",
    "42501": "does not permit this: {error}. Grant the user rights on the schema",
    "25006": "is read-only: {error}. Connect to the primary",
    "57P": "is shutting down or starting: {error}",
    "08": "cannot be reached: {error}",
    "40": "kept refusing a transaction because of others: {error}",
}
_LATER = ("53", "25006", "57P", "08")
"""Codes of what is over without anybody changing a setting of weft."""


def _sqlite_name(error: BaseException | None) -> str:
    return getattr(error, "sqlite_errorname", None) or ""


def _sqlstate(error: BaseException | None) -> str:
    return getattr(error, "sqlstate", None) or ""


def retryable(error: BaseException) -> bool:
    """A serialisation failure, a deadlock, or a lock on the SQLite file: nothing was done, repeat."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return _sqlstate(origin) in ("40001", "40P01") or _sqlite_name(origin).startswith("SQLITE_BUSY")


def explain(error: BaseException, place: Place) -> StateError | None:
    """The StateError to raise from ``error``; None if it is a defect of the caller (a broken
    constraint, a wrong statement)."""
    if isinstance(error, ModuleNotFoundError | NoSuchModuleError):
        return StateError(f"state {place}: the PostgreSQL driver is missing; install weft[postgresql]")
    if isinstance(error, PoolTimeout):
        return StateError(f"the state {place} has no connection free; too many long transactions are open")
    if isinstance(error, IntegrityError) or not isinstance(error, DBAPIError | sqlite3.Error):
        return None
    origin = error.orig if isinstance(error, DBAPIError) else error
    words = place.mask(" ".join(str(origin).split()))
    if place.sqlite:
        # A foreign-key or check violation has its own class above; here only the file's own troubles count.
        for code, sentence in _SQLITE.items():
            if _sqlite_name(origin).startswith(code):
                return StateError(f"the state {place} " + sentence.format(error=words))
        return None
    state = _sqlstate(origin)
    if not state and "database" in words and "does not exist" in words:
        state = "3D000"  # libpq gives no code with a refused connection, only the server's words
    for code, sentence in _POSTGRES.items():
        if state.startswith(code):
            kind = StateDown if state.startswith(_LATER) else StateError
            return kind(f"the state {place} " + sentence.format(error=words))
    if isinstance(error, DBAPIError) and (error.connection_invalidated or not state):
        return StateDown(f"the state {place} cannot be reached: {words}")
    return None
