"""``weft pause``: keep flows from working for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from weft.cli import console
from weft.cli.context import App
from weft.config.values import parse_duration
from weft.desk import flows as desk
from weft.state.pauses import ALL


def _length(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("pause")
@click.argument("flow", required=False)
@click.option("--reason", default="paused at the command line", show_default=True, help="Why; shown by weft status.")
@click.option(
    "--for", "length", callback=_length, metavar="TIME", help="How long, such as 2h; default: until weft resume."
)
@click.pass_obj
def command(app: App, flow: str | None, reason: str, length: timedelta | None) -> None:
    """Keep FLOW, or all flows, from working until they are resumed.

    What is under way is finished first. What happens meanwhile is not lost: it is made up for afterwards. Every
    daemon keeps to it, and `weft sync` refuses the flow until then.
    """
    until = None if length is None else app.now() + length
    app.act(desk.pause, desk.PauseFlow(flow=flow or ALL, reason=reason, until=until), create=True)
    console.note(f"{flow or 'all flows'} paused" + (f" until {until:%Y-%m-%d %H:%M} UTC" if until is not None else ""))
