"""One acting process per SQLite state: an advisory lock the operating system drops with the process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

from weft.errors import StateError

if sys.platform == "win32":
    import msvcrt

    # Locked bytes cannot be read on Windows: lock one far behind the text about the holder.
    _FAR = 1 << 30

    def _lock(fd: int) -> None:
        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """Held from construction to :meth:`release` on ``<state file>.lock``. The file stays behind: removing
    it would let two processes lock two files of the same name."""

    def __init__(self, state: Path) -> None:
        self.path = state.with_name(state.name + ".lock")
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StateError(
                f"cannot create the lock file {self.path}: {error.strerror}; the folder of the state must be writable"
            ) from error
        try:
            _lock(fd)
        except OSError as error:
            os.close(fd)
            raise StateError(
                f"{state} is in use by {_holder(self.path)}; only one process may act on a SQLite state: "
                "stop that one, or use a PostgreSQL state"
            ) from error
        self._fd: int | None = fd
        about = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            os.ftruncate(fd, 0)
            os.lseek(fd, 0, os.SEEK_SET)
            os.write(fd, json.dumps(about).encode())
        except OSError as error:
            self.release()
            raise StateError(f"cannot write the lock file {self.path}: {error.strerror}") from error

    def release(self) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)  # only a courtesy to readers; closing is what unlocks
            os.close(self._fd)
            self._fd = None


def _holder(path: Path) -> str:
    try:
        about = json.loads(path.read_text())
        return f"process {about['pid']} on {about['host']} since {about['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"another process (it holds {path})"
