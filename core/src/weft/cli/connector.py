"""``weft <kind> …``: the commands a connector brings."""

from __future__ import annotations

from importlib import import_module

import click

from weft.cli.context import App
from weft.errors import PluginError


def group_of(app: App, kind: str) -> click.Command:
    """The click group that a connector names in ``Connector.commands``, imported now.

    :raises PluginError: it is not installed properly, or has none.
    """
    connector = app.plugins({kind}).connector(kind)
    if connector.commands is None:
        raise click.UsageError(f"the connector {kind!r} ({connector.title}) has no commands of its own")
    module, colon, name = connector.commands.partition(":")
    try:
        found = getattr(import_module(module), name) if colon else None
    except (ImportError, AttributeError) as error:
        raise PluginError(f"the commands of the connector {kind!r} cannot be loaded: {error}") from error
    if not isinstance(found, click.Command):
        raise PluginError(
            f"the connector {kind!r} names {connector.commands!r} as its commands; that is no click command"
        )
    return found
