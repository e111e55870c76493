"""``weft schema``: the JSON Schema of ``weft.yaml``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weft.cli import console
from weft.cli.context import App

if TYPE_CHECKING:
    from weft.model.declared import EntityDeclaration


@click.command("schema")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="File to write; default: standard output."
)
@click.pass_obj
def command(app: App, output: Path | None) -> None:
    """Write the JSON Schema of weft.yaml, with the settings of every installed connector.

    Editors complete and check with it. Put this in the first line of weft.yaml:

    \b
    # yaml-language-server: $schema=weft.schema.json
    """
    from weft.config.schema import json_schema
    from weft.model.catalogue import Catalogue

    plugins = app.plugins()
    connectors = {kind: plugin.connector for kind, plugin in plugins.loaded.items() if plugin.connector is not None}
    declared = app.config.entities if app.config_path.exists() else {}
    schema = json_schema(connectors, Catalogue.of(plugins, Declared(declared)))
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        console.note(f"{output} is written")


class Declared:
    """Entities that the configuration declares, where there is one."""

    def __init__(self, entities: dict[str, EntityDeclaration]) -> None:
        self.entities = entities
