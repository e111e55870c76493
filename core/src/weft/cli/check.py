"""``weft check``: what is wrong, before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from weft.cli import console
from weft.cli.context import App

if TYPE_CHECKING:
    from weft.cli.checking import Checked


@click.command("check")
@click.option("--flow", "flows", multiple=True, metavar="FLOW", help="Check only this flow; may be repeated.")
@click.option("--offline", is_flag=True, help="Open no connection: check what can be told from files alone.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def command(ctx: click.Context, flows: tuple[str, ...], offline: bool, as_json: bool) -> None:
    """Check configuration, plugins, secrets, connections and mappings; nothing is written anywhere.

    Each mapping is held against the live metadata of its system: unknown fields, wrong types, mandatory
    fields that nothing fills, texts that may be too long. So is what people have to set up in the systems, and
    that base currencies are the same where documents keep their exchange rate. Exit code 2 on errors, 3 when the
    only errors are systems that cannot be reached.
    """
    from weft.cli.checking import check

    app = ctx.find_object(App) or App()
    checked = app.run(check(app, flows, offline=offline))
    if as_json:
        console.print_json({"ok": checked.exit_code == 0, "passed": checked.passed, "findings": checked.findings})
    else:
        _print(checked)
    ctx.exit(checked.exit_code)


def _print(checked: Checked) -> None:
    for line in checked.passed:
        click.echo(f"{click.style('ok', fg='green'):<4}  {console.clean(line)}")
    for one in checked.findings:
        colour = {"error": "red", "warning": "yellow"}.get(one.level)
        where = f"{one.where}: " if one.where else ""
        about = f"{one.about}: " if one.about else ""
        hint = f" ({one.suggestion})" if one.suggestion else ""
        click.echo(f"{click.style(one.level, fg=colour)}  {console.clean(where + about + one.message + hint)}")
    errors, warnings = (sum(one.level == level for one in checked.findings) for level in ("error", "warning"))
    click.echo(f"{errors} errors, {warnings} warnings")
