"""Where the state lives: what ``state:`` in ``weft.yaml`` may say, and how to name it without secrets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from weft.errors import StateError

_FORMS = "use sqlite:///path/to/weft.db or postgresql+psycopg://user@host/database"
_SECRET_OPTIONS = ("password", "sslpassword")


@dataclass(frozen=True)
class Place:
    """A parsed state URL; ``path`` is set for SQLite. ``str()`` never shows a password."""

    url: URL
    path: Path | None

    def __str__(self) -> str:
        if self.path is not None:
            return str(self.path)
        shown = self.url
        for option in _SECRET_OPTIONS:
            if option in shown.query:
                shown = shown.update_query_dict({option: "***"})
        return shown.render_as_string(hide_password=True)

    def __repr__(self) -> str:
        return f"Place({self})"

    @property
    def sqlite(self) -> bool:
        return self.path is not None

    def mask(self, text: str) -> str:
        """``text`` without the passwords of the URL, however they are spelled."""
        secrets = [self.url.password, *(self.url.query.get(o) for o in _SECRET_OPTIONS)]
        for secret in secrets:
            if isinstance(secret, str) and secret:
                for spelling in sorted({secret, quote(secret, safe=""), quote_plus(secret)}, key=len, reverse=True):
                    text = text.replace(spelling, "***")
        return text


def parse(text: str) -> Place:
    """Read a state URL; raises StateError that says which forms there are."""
    try:
        url = make_url(text)
    except ArgumentError:
        # The text itself is not repeated: what cannot be parsed may still hold a password.
        raise StateError(f"state: this is not a database URL; {_FORMS}") from None
    if url.get_backend_name() == "sqlite":
        if url.drivername not in ("sqlite", "sqlite+pysqlite"):
            raise StateError(f"state: the driver {url.drivername} is not supported; {_FORMS}")
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            raise StateError(f"state: SQLite needs a plain file, in-memory databases forget; {_FORMS}")
        path = Path(url.database).expanduser().absolute()
        return Place(URL.create("sqlite", database=str(path)), path)
    if url.drivername in ("postgresql", "postgresql+psycopg", "postgres"):
        return Place(url.set(drivername="postgresql+psycopg"), None)
    raise StateError(f"state: {url.drivername} is not supported; {_FORMS}")


def control_socket(state: Path) -> Path:
    """Where the daemon that holds a SQLite state listens for the command line."""
    return state.with_name(state.name + ".sock")
