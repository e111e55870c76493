"""The system itself: a folder of CSV files, or one sub-folder of them per company.

Everything here blocks; the connector calls it in threads. A file is replaced as a whole by renaming, so
a reader sees the old content or the new one, never half of either, and a write that fails has done
nothing. Writers of weft exclude one another by a lock on ``.weft.lock``; other programs are not asked
to take part, so the file is compared once more right before it is replaced.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from weft.errors import AuthError, ConfigError, EndpointDown
from weft_csvdir.lock import locked
from weft_csvdir.table import Table

T = TypeVar("T")
TRIES = 3


class Folder:
    """An open folder: the session of this connector."""

    identity: str | None = None
    """A CSV file does not tell who wrote a row."""

    def __init__(self, root: Path, delimiter: str = ",") -> None:
        self.root = root
        self.delimiter = delimiter

    def prove(self) -> None:
        """Raise unless the folder can be read."""
        with _explained(self.root):
            if not self.root.is_dir():
                raise EndpointDown(f"{self.root}: there is no such folder")
            os.listdir(self.root)

    def companies(self) -> dict[str, str]:
        """Sub-folders with CSV files in them; where there are none, the folder itself, as ''."""
        with _explained(self.root):
            found = [f for f in sorted(self.root.iterdir()) if f.is_dir() and any(f.glob("*.csv"))]
        return {folder.name: folder.name for folder in found} or {"": self.root.name}

    def names(self) -> list[str]:
        """The objects there are: file names without ``.csv``."""
        with _explained(self.root):
            places = [self.root / company for company in self.companies()]
            return sorted({file.stem for place in places for file in place.glob("*.csv")})

    def path(self, company: str, name: str) -> Path:
        """Where an object's file lies."""
        for part in (company, name):
            if part in (".", "..") or "/" in part or os.sep in part:
                raise ConfigError(f"{part!r} cannot be the name of a file or folder")
        return self.root / company / f"{name}.csv"

    def load(self, company: str, name: str, key: str = "") -> Table:
        """The table in a file as it is now."""
        path = self.path(company, name)
        return Table.parse(str(path), self._content(path), key, self.delimiter)

    def edit(self, company: str, name: str, key: str, change: Callable[[Table], T]) -> T:
        """Let ``change`` work on the table and write it back, all of it or nothing.

        ``change`` runs again when another program saved the file in between.
        """
        path = self.path(company, name)
        with _explained(path), locked(path.parent / ".weft.lock"):
            for _ in range(TRIES):
                before = self._content(path)
                table = Table.parse(str(path), before, key, self.delimiter)
                result = change(table)
                after = table.bytes()
                if after == before or self._replace(path, before, after):
                    return result
        raise EndpointDown(f"{path}: another program keeps saving it")

    def _content(self, path: Path) -> bytes:
        with _explained(path):
            return path.read_bytes()

    def _replace(self, path: Path, before: bytes, after: bytes) -> bool:
        fresh = path.with_name(f".{path.name}.weft")
        try:
            with fresh.open("wb") as file:
                file.write(after)
                file.flush()
                os.fsync(file.fileno())
            shutil.copymode(path, fresh)
            if path.read_bytes() != before:
                return False
            fresh.replace(path)
            return True
        finally:
            with suppress(FileNotFoundError):
                fresh.unlink()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors of the operating system as those weft knows, in the system's own words."""
    try:
        yield
    except PermissionError as error:
        raise AuthError(f"{error.filename or path}: {error.strerror}") from None
    except OSError as error:
        raise EndpointDown(f"{error.filename or path}: {error.strerror or error}") from None
