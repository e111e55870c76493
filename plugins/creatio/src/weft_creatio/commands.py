"""``weft creatio``: commands of this connector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from weft_creatio.package.cli import make_package_command

if TYPE_CHECKING:
    from weft_creatio.package.service import HttpSession


@asynccontextmanager
async def open_connection(name: str) -> AsyncIterator[tuple[HttpSession, str]]:
    """A connection of ``weft.yaml`` by name: its session, and the root of Creatio's services.

    :raises click.ClickException: there is no such connection, or it is none of Creatio's.
    """
    from weft.config.loading import load
    from weft.config.secrets import resolve
    from weft.errors import WeftError
    from weft.net.secrets import Redactor
    from weft_creatio.session import open_http
    from weft_creatio.settings import CreatioSettings

    path = _config_path()
    try:
        config = load(path) if path else load()
        connection = config.connection(name)
        if connection.kind != "creatio":
            raise click.UsageError(f"connection {name!r} is of kind {connection.kind!r}, not creatio")
        settings = resolve(config, name, CreatioSettings, redactor=Redactor())
    except WeftError as error:
        raise click.ClickException(str(error)) from error
    async with open_http(settings, name) as http:
        yield http, ""


def _config_path() -> Any:
    """The file given to the surrounding ``weft`` command, if it was."""
    context = click.get_current_context(silent=True)
    found = context.find_root() if context is not None else None
    for place in (found.obj if found is not None else None, found.params if found is not None else None):
        for name in ("config", "config_path"):
            value = place.get(name) if isinstance(place, dict) else getattr(place, name, None)
            if isinstance(value, str) or hasattr(value, "__fspath__"):
                return value
    return None


@click.group()
def creatio() -> None:
    """Creatio: weft's package of objects and columns."""


creatio.add_command(make_package_command(open_connection))
