"""``weft new-connector``: a package that works, to turn into a connector of one's own."""

from __future__ import annotations

import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from weft import __version__
from weft.cli.context import App
from weft.errors import ConfigError

NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
SUFFIX = ".in"


@click.command("new-connector")
@click.argument("name")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Folder to write; default: weft-NAME here.")
@click.option("--title", help="What people call the system; default: made from NAME.")
@click.pass_obj
def command(app: App, name: str, folder: Path | None, title: str | None) -> None:
    """Generate the package of a new connector called NAME, which is its kind in weft.yaml.

    It installs and passes its tests as generated: its system is a folder of JSON files, to be replaced
    by yours. The tests hold it against the contract of a connector.
    """
    if not NAME.fullmatch(name) or len(name) > 40:
        raise ConfigError(
            f"{name!r} is no name of a connector: write small letters, digits and hyphens, such as acme-erp"
        )
    kind = name.replace("-", "_")
    target = folder or Path(f"weft-{name.replace('_', '-')}")
    if kind in app.kinds():
        raise ConfigError(f"a connector {kind!r} is installed already; choose another name")
    if target.exists() and any(target.iterdir()):
        raise ConfigError(f"{target} exists and is not empty; --dir names another folder")
    shown = title or name.replace("-", " ").replace("_", " ").title()
    if any(c in shown for c in '"\\\n'):
        raise ConfigError("--title: leave out quotes, backslashes and line breaks")
    words = {"kind": kind, "dashed": kind.replace("_", "-"), "title": shown, "version": __version__}
    for path in _write(resources.files("weft.cli") / "templates" / "connector", target, words):
        click.echo(path)
    click.echo(f"\nnext: pip install -e '{target}[test]' && pytest {target}", err=True)


def _write(source: Traversable, target: Path, words: dict[str, str]) -> list[Path]:
    """Copy a folder of templates; ``@@word@@`` and KIND in names are filled in."""
    target.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for entry in sorted(source.iterdir(), key=lambda one: one.name):
        name = entry.name.replace("KIND", words["kind"])
        if entry.is_dir():
            written += _write(entry, target / name, words)
        elif name.endswith(SUFFIX):
            text = re.sub(r"@@(\w+)@@", lambda match: words[match.group(1)], entry.read_text(encoding="utf-8"))
            path = target / name.removesuffix(SUFFIX)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written
