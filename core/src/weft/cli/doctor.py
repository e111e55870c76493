"""``weft doctor``: is everything around weft as it should be, and what helps where it is not."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from weft.cli import console
from weft.cli.context import App

if TYPE_CHECKING:
    from weft.cli.symptoms import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command("doctor")
@click.option("--offline", is_flag=True, help="Open no connection: look at this machine and the state only.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def command(ctx: click.Context, offline: bool, as_json: bool) -> None:
    """Examine versions, plugins, secrets, the state, its disk, connections, clocks, alerts and webhooks.

    Nothing is written anywhere. Each thing that is not well comes with what helps. Exit code 0 without
    errors, 3 when the only errors are systems that cannot be reached, else 2 (1: a journal is broken).
    """
    app = ctx.find_object(App) or App()
    found = app.run(_examined(app, offline))
    if as_json:
        console.print_json({"ok": not any(one.level == "error" for one in found), "findings": found})
    else:
        _print(found)
    ctx.exit(_code(found))


async def _examined(app: App, offline: bool) -> list[Finding]:
    from weft.cli.symptoms import Finding, examine

    mask = app.redactor
    return [
        Finding(one.check, one.level, mask(one.message), mask(one.remedy), one.code)
        async for one in examine(app, offline=offline)
    ]


def _code(found: list[Finding]) -> int:
    codes = {one.code for one in found if one.level == "error"}
    return 0 if not codes else codes.pop() if len(codes) == 1 else 2


def _print(found: list[Finding]) -> None:
    most = max(len(one.check) for one in found)
    for one in found:
        level = click.style(f"{one.level:<7}", fg=_COLOURS[one.level])
        click.echo(f"{level}  {one.check:<{most}}  {console.clean(one.message)}")
        if one.remedy and one.level != "ok":
            click.echo(textwrap.indent(f"-> {console.clean(one.remedy)}", " " * (most + 11)))
    errors, warnings = (sum(one.level == level for one in found) for level in ("error", "warning"))
    click.echo(f"{errors} errors, {warnings} warnings")
