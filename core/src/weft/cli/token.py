"""``weft token``: let somebody use the API and the dashboard."""

from __future__ import annotations

from datetime import timedelta

import click

from weft.cli import console
from weft.cli.context import App


@click.command("token")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["viewer", "operator", "admin"]),
    default="viewer",
    show_default=True,
    help="viewer sees everything, operator also decides, admin also says who is signed in.",
)
@click.option("--days", type=click.IntRange(min=1), help="Days after which it is refused; default: never.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_obj
def command(app: App, name: str, role: str, days: int | None, as_json: bool) -> None:
    """Make an access token for NAME, and print what to write into weft.yaml.

    The token itself is shown this once and kept nowhere: the configuration holds its hash. Restart weft run
    to let it in; take the entry away to shut it out, sessions included.
    """
    from weft.server.people import hash_of, make_token

    token = make_token()
    expires = f"{app.now() + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" if days is not None else None
    entry = {"name": name, "role": role, "hash": hash_of(token), **({"expires": expires} if expires else {})}
    if as_json:
        console.print_json({"token": token, **entry})
        return
    click.echo(token)
    written = ", ".join(
        f'{key}: "{value}"' if key in ("hash", "name") else f"{key}: {value}" for key, value in entry.items()
    )
    console.note(f"it is shown this once; write into weft.yaml:\n\nserver:\n  tokens:\n    - {{{written}}}")
