"""``weft init``: a commented ``weft.yaml`` to start from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from weft.cli import console
from weft.cli.context import App
from weft.errors import ConfigError

if TYPE_CHECKING:
    from weft.plugins import Plugins

CRM, ERP = "creatio", "bc"
"""Kinds proposed for the two sides when none is named."""


@click.command("init")
@click.option("--crm", metavar="KIND[=NAME]", help="Connector of the left side; default: creatio, called crm.")
@click.option("--erp", metavar="KIND[=NAME]", help="Connector of the right side; default: bc, called erp.")
@click.option(
    "--connection",
    "connections",
    metavar="NAME=KIND",
    multiple=True,
    help="A connection by name and kind, instead of --crm and --erp; the first one is the left side. May be repeated.",
)
@click.option("--edition", help="A pack of flows: professional. Without it a few flows to start from.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File to write; default: that of --config.")
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
@click.pass_obj
def command(
    app: App,
    crm: str | None,
    erp: str | None,
    connections: tuple[str, ...],
    edition: str | None,
    output: Path | None,
    force: bool,
) -> None:
    """Write a commented weft.yaml to start from.

    \b
    weft init --crm creatio --erp bc
    weft init --edition professional --crm creatio --erp bc
    weft init --connection crm=creatio --connection eu=bc --connection us=d365fo
    """
    from weft.config.template import template

    if edition is not None and connections:
        raise click.UsageError("an edition joins two systems: name them by --crm and --erp")
    if connections and (crm or erp):
        raise click.UsageError("name the connections either by --connection or by --crm and --erp")
    wanted = _named(connections) if connections else _sides(crm, erp)
    target = output or app.config_path
    if target.exists() and not force:
        raise ConfigError(f"{target} exists already; --force overwrites it, --output names another file")
    plugins = app.plugins(set(wanted.values()))
    connectors = {kind: plugins.connector(kind) for kind in wanted.values()}
    if edition is None:
        text = template(wanted, connectors, entities=_common(plugins, wanted))
    else:
        text = pack(plugins, wanted, edition)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    console.note(f"{target} is written; fill in addresses and credentials, then run: weft check")


def pack(plugins: Plugins, wanted: dict[str, str], edition: str) -> str:
    """The configuration of an edition; ``wanted`` is connection -> kind, the CRM first."""
    from types import SimpleNamespace

    from weft.cli.capabilities import entities_of
    from weft.config.edition import edition as found
    from weft.config.edition import parts
    from weft.config.edition_text import System, edition_text
    from weft.model.catalogue import Catalogue

    text = found(edition)
    catalogue = Catalogue.of(plugins, SimpleNamespace(entities={}))
    systems = []
    for name, kind in wanted.items():
        connector = plugins.connector(kind)
        settings = connector.settings.model_construct()
        said = {
            entity.name: plugins.call(kind, "weft_impossible", kind=kind, settings=settings, entity=entity.name)
            for entity in catalogue
        } if plugins.has(kind, "weft_impossible") else {}  # fmt: skip
        systems.append(
            System(name, kind, connector, parts(connector.editions, edition), entities_of(plugins, kind), said)
        )
    return edition_text(text, *systems)


def _named(given: tuple[str, ...]) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for text in given:
        name, equals, kind = text.partition("=")
        if not equals or not name or not kind:
            raise click.BadParameter(f"write NAME=KIND, such as crm=creatio, not {text!r}", param_hint="--connection")
        if name in wanted:
            raise click.BadParameter(f"the name {name!r} is given twice", param_hint="--connection")
        wanted[name] = kind
    return wanted


def _sides(crm: str | None, erp: str | None) -> dict[str, str]:
    left, _, left_name = (crm or CRM).partition("=")
    right, _, right_name = (erp or ERP).partition("=")
    left_name, right_name = left_name or "crm", right_name or "erp"
    if left_name == right_name:
        raise click.UsageError(f"both connections would be called {left_name!r}; write KIND=NAME to name them")
    return {left_name: left, right_name: right}


def _common(plugins: Plugins, wanted: dict[str, str]) -> set[str] | None:
    """Entities that every connector maps; None when one of them cannot tell without its settings."""
    from weft.cli.capabilities import entities_of

    found = [entities_of(plugins, kind) for kind in dict.fromkeys(wanted.values())]
    if any(one is None for one in found):
        return None
    return set.intersection(*(set(one) for one in found if one is not None))
