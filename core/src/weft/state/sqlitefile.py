"""The SQLite file itself, before SQLite touches it."""

from __future__ import annotations

import os
from pathlib import Path

from weft.errors import StateError

_MAGIC = b"SQLite format 3\x00"


def prepare(path: Path, *, create: bool) -> None:
    """Make sure ``path`` is a SQLite file or (``create``) an empty one of ours.

    It is created readable by its owner only: it holds customers' data.
    """
    try:
        if path.is_dir():
            raise StateError(f"the state {path} is a folder; name a file under state:")
        if not path.exists():
            if not create:
                raise StateError(f"the state {path} does not exist yet; it is made by the first sync")
            if not path.parent.is_dir():
                raise StateError(f"the state {path} cannot be made: the folder {path.parent} does not exist")
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError as error:
        raise StateError(f"the state {path} cannot be opened: {error.strerror}") from error
    if start and start != _MAGIC:
        raise StateError(f"the state {path} is not a SQLite database; name another file under state:")
