"""``weft prune``: forget what is older than the configuration keeps."""

from __future__ import annotations

from dataclasses import asdict

import click

from weft.cli import console
from weft.cli.context import App


@click.command("prune")
@click.option("--compact", is_flag=True, help="SQLite: give the room back to the disk; takes as much room meanwhile.")
@click.option("--json", "as_json", is_flag=True, help="Print what was forgotten as JSON.")
@click.pass_obj
def command(app: App, compact: bool, as_json: bool) -> None:
    """Forget what `retention:` does not keep: journals of whole runs, idle runs, settled writes, closed issues.

    `weft run` does the same once a day by itself.
    """
    from weft.retention import prune, told

    with app.acting() as state:
        out = app.run(prune(state, app.config, app.now()))
        if compact:
            state.compact()
    if as_json:
        console.print_json(asdict(out))
    else:
        told(click.echo, out)
