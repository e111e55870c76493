"""``weft resume``: take a pause back."""

from __future__ import annotations

import click

from weft.cli import console
from weft.cli.context import App
from weft.desk import flows as desk
from weft.state.pauses import ALL


@click.command("resume")
@click.argument("flow", required=False)
@click.pass_obj
def command(app: App, flow: str | None) -> None:
    """Let FLOW go on, or without a name all flows that were paused together."""
    app.act(desk.resume, desk.ResumeFlow(flow=flow or ALL))
    console.note(f"{flow or 'all flows'} resumed")
