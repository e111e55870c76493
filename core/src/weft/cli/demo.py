"""``weft demo``: the main job on two simulated systems, told as a story."""

from __future__ import annotations

import shutil
import time
from importlib import import_module
from pathlib import Path

import click

from weft.cli.context import App
from weft.errors import ConfigError, PluginError


@click.command("demo")
@click.option(
    "--edition", metavar="KIND", help="Which story, by the connector that brings it; default: the first there is."
)
@click.option("--records", default=1500, show_default=True, help="How many customers to begin with.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Where the configuration and the state of the demonstration go.",
)
@click.option("--keep", is_flag=True, help="Leave the simulators running until Ctrl-C, to look around.")
@click.pass_context
def command(ctx: click.Context, edition: str | None, records: int, folder: Path, keep: bool) -> None:
    """Watch weft bring two simulated systems into agreement.

    Nothing outside this machine is touched. The folder is made anew each time.
    """
    from weft.cli.stage import Stage

    app = ctx.find_object(App) or App()
    plugins = app.plugins()
    stories = {kind: p.connector.demo for kind, p in plugins.loaded.items() if p.connector and p.connector.demo}
    if edition is None:
        if not stories:
            raise PluginError("no connector here brings a story: install weft-creatio and weft-bc or weft-d365fo")
        edition = min(stories)
    path = stories.get(edition)
    if path is None:
        plugins.connector(edition)
        raise PluginError(f"the connector {edition!r} brings no story; those that do: {', '.join(stories) or 'none'}")
    module, _, name = path.partition(":")
    _empty(folder)
    began = time.monotonic()
    with Stage(folder.absolute(), plugins, records) as stage:
        getattr(import_module(module), name)(stage)
        click.echo(f"\n   That took {time.monotonic() - began:.0f} s. Everything is in {folder}/.")
        if keep:
            click.echo(f"   The simulators run on; try: cd {folder} && weft status. Ctrl-C ends them.")
            while True:
                time.sleep(3600)


def _empty(folder: Path) -> None:
    """Make the folder anew, but never delete one that is not ours."""
    marker = folder / ".weft-demo"
    if folder.exists() and any(folder.iterdir()):
        if not marker.exists():
            raise ConfigError(f"{folder}/ is not empty and no earlier demonstration; name another --folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
