"""A group whose commands are imported when they are used, so that help and completion are quick."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

CORE = "Commands"


class LazyGroup(click.Group):
    """``lazy`` maps a name to the module that holds its ``command`` and the line help shows for it.

    A module that is not there (a part of weft that is not installed) is not listed.
    """

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.lazy = {name: found for name, found in lazy.items() if find_spec(found[0]) is not None}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.lazy:
            found: click.Command = import_module(self.lazy[cmd_name][0]).command
            return found
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, rows in self.sections(ctx):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def sections(self, ctx: click.Context) -> list[tuple[str, list[tuple[str, str]]]]:
        """What help lists: headings with (name, line)."""
        return [(CORE, [(name, line) for name, (_, line) in self.lazy.items()])]
