"""``weft simulate``: a simulator of a system, on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import signal
from importlib import import_module
from typing import Any

import click

from weft.cli import console
from weft.cli.context import App
from weft.errors import ConfigError, PluginError


@click.command("simulate")
@click.argument("kind")
@click.option("--records", type=click.IntRange(min=0), help="Records of the main object to begin with.")
@click.option("--seed", type=int, help="Seed of the sample data; the same seed gives the same data.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port of the first server; default: any free one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--no-tls", is_flag=True, help="Plain HTTP.")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the simulator; VALUE is JSON or plain text; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print addresses as one JSON line.")
@click.pass_obj
def command(
    app: App,
    kind: str,
    records: int | None,
    seed: int | None,
    port: int,
    host: str,
    no_tls: bool,
    options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run the simulator of a connector KIND until Ctrl-C.

    It speaks the system's real protocol, holds sample data in memory, and injects faults on command at
    its control address.
    """
    given = {name: value for name, value in (("records", records), ("seed", seed)) if value is not None}
    sims = made(app, kind, {**given, **_options(options)})
    asyncio.run(_serve(sims, host, port, tls=not no_tls, as_json=as_json))


def made(app: App, kind: str, arguments: dict[str, Any]) -> list[Any]:
    """The simulators of a connector, by its factory.

    :raises PluginError: it has none, or what it needs is not installed.
    """
    connector = app.plugins({kind}).connector(kind)
    if connector.simulator is None:
        raise PluginError(f"the connector {kind!r} ({connector.title}) brings no simulator")
    module, colon, name = connector.simulator.partition(":")
    if not colon:
        raise PluginError(
            f"the connector {kind!r} names {connector.simulator!r} as its simulator; expected module:factory"
        )
    try:
        import weft.testing.simulator  # noqa: F401 - to tell a missing extra from a defect of the plugin

        factory = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise PluginError(
            f"the simulator of {kind!r} needs the package {error.name!r}: pip install 'weft[testing]' "
            f"'weft-{kind}[simulator]'"
        ) from error
    try:
        result = factory(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the simulator of {kind!r} does not take these options: {error}") from error
    return list(result) if isinstance(result, list | tuple) else [result]


def _peopled(sims: list[Any]) -> list[str]:
    """Names of the simulators in which people can do something."""
    return [sim.name for sim in sims if sim.commands]


def _options(options: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in options:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"write KEY=VALUE, not {text!r}", param_hint="--option")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


async def _serve(sims: list[Any], host: str, port: int, *, tls: bool, as_json: bool) -> None:
    import yaml

    from weft.testing.simulator.serve import serve

    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end.set)
    except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt, which ends the loop as well
        console.note("Ctrl-C ends it")
    try:
        async with serve(*sims, tls=tls, host=host, port=port) as served:
            entries = {sim.name: sim.connection(served.ca_file) for sim in sims}
            connections = {name: entry for name, entry in entries.items() if entry}
            told = {
                "urls": served.urls, "ca_file": served.ca_file, "control_url": served.control_url,
                "connections": connections,
            }  # fmt: skip
            if as_json:
                click.echo(json.dumps(told))
            else:
                console.pairs({**served.urls, "CA file": served.ca_file, "control": served.control_url})
                if connections:
                    click.echo("\n" + yaml.safe_dump({"connections": connections}, sort_keys=False).rstrip() + "\n")
                trust = f"--cacert {served.ca_file} " if served.ca_file else ""
                for name in _peopled(sims):
                    console.note(f"what people can do in it: curl {trust}{served.control_url}/{name}/commands")
                console.note("Ctrl-C ends it")
            await end.wait()
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
