"""``weft restore``: a backup in place of the state, on the same or another database."""

from __future__ import annotations

from pathlib import Path

import click

from weft.cli import console
from weft.cli.context import App


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace a state that is there already.")
@click.option("--json", "as_json", is_flag=True, help="Print what was restored as JSON.")
@click.pass_obj
def command(app: App, file: Path, force: bool, as_json: bool) -> None:
    """Restore FILE into the state that the configuration names; all of it, or nothing.

    The checksum is verified first. A state that is there already is replaced only with --force: a SQLite
    file is kept beside the new one, a PostgreSQL state is dropped. To move to PostgreSQL, back up, change
    `state:`, and restore. Then look at `weft plan` before anything runs.
    """
    from weft.state.restore import restore

    summary, kept = restore(app.state_url, file, force=force)
    if as_json:
        console.print_json({"file": str(file), "sha256": summary.sha256, "rows": summary.rows, "kept": kept})
        return
    console.pairs({
        "restored": f"{sum(summary.rows.values()):,} rows as of {console.when(summary.header.at)}",
        "kept": f"the state before as {kept}" if kept else "",
    })  # fmt: skip
    console.note("next: weft plan shows what would be written; weft run goes on from there")
