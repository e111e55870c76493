"""The ``weft`` command, one file a command.

Only :mod:`weft.cli.root` is imported to show help; a command's module is imported when it is used, and
imports what is heavy inside its functions.
"""

from __future__ import annotations


def main() -> None:
    """Entry point of the ``weft`` script."""
    from weft.cli.root import cli

    cli(prog_name="weft")
