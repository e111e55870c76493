"""``weft backup``: the state in one file, while others work on it."""

from __future__ import annotations

from pathlib import Path

import click

from weft.cli import console
from weft.cli.context import App


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
@click.option("--check", "check_only", is_flag=True, help="Write nothing: hold an existing file against its checksum.")
@click.option("--json", "as_json", is_flag=True, help="Print what is in it as JSON.")
@click.pass_obj
def command(app: App, file: Path, force: bool, check_only: bool, as_json: bool) -> None:
    """Write the state to FILE as it is at one moment; a sync or a daemon may be at work meanwhile.

    The file is the same from SQLite and PostgreSQL and restores into either. It holds customers' data and is
    readable by its owner only.
    """
    from weft.state.backup import backup, check

    if check_only:
        summary = check(file)
    else:
        with app.reading() as state:
            summary = backup(state, file, force=force)
    if as_json:
        head = {"file": str(file), "sha256": summary.sha256, "bytes": summary.size}
        console.print_json({**head, "at": summary.header.at, "schema": summary.header.schema, "rows": summary.rows})
        return
    console.pairs({
        "file": f"{file} ({summary.size:,} bytes)", "of": f"{summary.header.origin}, {console.when(summary.header.at)}",
        "schema": f"{summary.header.schema} (weft {summary.header.weft})", "sha256": summary.sha256,
        "rows": ", ".join(f"{count:,} {table}" for table, count in summary.rows.items() if count) or "none",
    })  # fmt: skip
