"""``weft bc …``: look at an environment without a flow."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from weft.cli.context import App
    from weft_bc.session import BcSession


@click.group()
def bc() -> None:
    """Business Central: companies, subscriptions."""


@bc.command()
@click.argument("connection")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def companies(app: App, connection: str, as_json: bool) -> None:
    """List the companies that CONNECTION sees, with their ids."""

    async def work(session: BcSession) -> dict[str, str]:
        return await session.companies()

    found = _run(app, connection, work)
    rows = [{"id": key, "name": name} for key, name in sorted(found.items(), key=lambda one: one[1])]
    _print(rows, as_json, lambda row: f"{row['id']}  {row['name']}")


@bc.command()
@click.argument("connection")
@click.option("--delete", "delete", multiple=True, metavar="ID", help="Delete this subscription; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def subscriptions(app: App, connection: str, delete: tuple[str, ...], as_json: bool) -> None:
    """List the webhook subscriptions of CONNECTION's environment, whoever made them."""

    async def work(session: BcSession) -> list[dict[str, Any]]:
        from weft_bc.failures import reading
        from weft_bc.rows import ETAG

        rows: list[dict[str, Any]] = []
        with reading():
            async for page in session.client.pages("subscriptions"):
                rows += page.rows
            for row in [row for row in rows if row.get("subscriptionId") in delete]:
                await session.client.delete(
                    "subscriptions", str(row["subscriptionId"]), if_match=str(row.get(ETAG) or "*")
                )
                rows.remove(row)
        names = ("subscriptionId", "resource", "notificationUrl", "expirationDateTime")
        return [{name: row.get(name) for name in names} for row in rows]

    _print(
        _run(app, connection, work),
        as_json,
        lambda row: f"{row['subscriptionId']}  {row['resource']}  until {row['expirationDateTime']}",
    )


def _run(app: App, connection: str, work: Callable[[BcSession], Awaitable[Any]]) -> Any:
    from weft.config.secrets import resolve
    from weft.errors import ConfigError
    from weft_bc.session import open_session
    from weft_bc.settings import BcSettings

    if app.config.connection(connection).kind != "bc":
        raise ConfigError(f"the connection {connection!r} is not of kind bc")
    settings = resolve(app.config, connection, BcSettings, redactor=app.redactor)

    async def run() -> Any:
        async with open_session(settings, connection, logging.getLogger(f"weft.{connection}")) as session:
            return await work(session)

    return app.run(run())


def _print(rows: list[dict[str, Any]], as_json: bool, line: Callable[[dict[str, Any]], str]) -> None:
    if as_json:
        from weft.cli.console import print_json

        print_json(rows)
        return
    for row in rows:
        click.echo(line(row))
