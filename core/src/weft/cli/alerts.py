"""``weft alerts``: who is told what, what has been told, and a test message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from weft.cli import console
from weft.cli.context import App
from weft.cli.extras import extra
from weft.config.loading import unknown
from weft.config.values import spell_duration
from weft.errors import ConfigError

if TYPE_CHECKING:
    from weft.state.alerts import Alert, Channel


@click.group("alerts", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show the rules, what was told on which channel, and channels that do not take messages."""
    if ctx.invoked_subcommand is not None:
        return
    app = ctx.find_object(App) or App()
    alerts, channels = _stored(app)
    if as_json:
        console.print_json({"rules": _rules(app), "channels": _channels(app, channels), "alerts": alerts})
        return
    rows = [[r["rule"], r["about"], r["flows"], r["kinds"], r["count"], r["after"], r["severity"], r["to"]]
            for r in _rules(app)]  # fmt: skip
    console.table(["rule", "about", "flows", "kinds", "count", "after", "severity", "to"], rows, right=["count"])
    if not app.config.alerts.channels:
        console.note("no channel is configured under alerts.channels: nobody is told")
    for one in _channels(app, channels):
        if one["error"]:
            click.echo(f"{click.style(one['channel'], bold=True)}: {console.clean(one['error'])}")
    if alerts:
        click.echo()
        shown = [[a.channel, a.state, console.when(a.since), a.severity, a.title] for a in alerts]
        console.table(["channel", "state", "since", "severity", "what"], shown, wide="what")


def _stored(app: App) -> tuple[list[Alert], dict[str, Channel]]:
    if not app.has_state():
        return [], {}
    with app.reading() as state, state.begin(writes=False) as tx:
        return tx.alerts.all(), tx.alerts.channels()


def _rules(app: App) -> list[dict[str, Any]]:
    return [
        {"rule": name, "about": rule.about, "flows": ", ".join(rule.flows or ["all"]),
         "kinds": ", ".join(rule.kinds or ()), "count": rule.count, "after": spell_duration(rule.after),
         "severity": rule.severity, "to": ", ".join(rule.to or ["all"])}
        for name, rule in app.config.alerts.rules.items() if rule is not None
    ]  # fmt: skip


def _channels(app: App, known: dict[str, Channel]) -> list[dict[str, Any]]:
    shown = []
    for name, channel in app.config.alerts.channels.items():
        state = known.get(name)
        shown.append({"channel": name, "least": channel.least, "failures": state.failures if state else 0,
                      "error": state.error if state else ""})  # fmt: skip
    return shown


@command.command("test")
@click.argument("channels", nargs=-1, metavar="[CHANNEL]...")
@click.pass_obj
def test(app: App, channels: tuple[str, ...]) -> None:
    """Send a test message on channels (default: all). Exit code 3 when one does not take it."""
    configured = app.config.alerts.channels
    for name in channels:
        if name not in configured:
            where = app.config.where("alerts", "channels")
            raise ConfigError(f"{where}: alerts.channels: {unknown('channel', name, configured)}")
    if not configured:
        raise ConfigError(f"{app.config_path}: no channel is declared under alerts.channels")
    failed = app.run(_send(app, list(channels) or list(configured)))
    raise click.exceptions.Exit(3 if failed else 0)


async def _send(app: App, names: list[str]) -> bool:
    with extra("daemon"):
        from weft.alerts.channels import Channels
    opened = Channels(app.config, app.redactor)
    failed = False
    for name in names:
        sent = await opened.send(name, "weft: test", "This is a test. What needs a person is told here.")
        failed = failed or not sent.ok
        words = click.style("sent", fg="green") if sent.ok else click.style("not sent", fg="red")
        click.echo(f"{name}: {words}" + (f": {console.clean(sent.words)}" if sent.words else ""))
    return failed
