"""``weft plugins``: which connectors are installed, and what they can do."""

from __future__ import annotations

from typing import Any

import click

from weft.cli import console
from weft.cli.context import App


@click.command("plugins")
@click.argument("kind", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_obj
def command(app: App, kind: str | None, as_json: bool) -> None:
    """List installed connectors with version, entities and abilities, and those that failed to load.

    With KIND: everything about one of them. Exit code 2 when one failed to load.
    """
    found = gather(app)
    if kind is not None:
        app.plugins().connector(kind)
        found = {"plugins": [one for one in found["plugins"] if one["kind"] == kind], "failed": []}
    if as_json:
        console.print_json(found)
    elif kind is not None:
        _detail(found["plugins"][0])
    else:
        _print(found)
    click.get_current_context().exit(2 if found["failed"] else 0)


def gather(app: App) -> dict[str, Any]:
    """Everything the command shows, as data."""
    from weft.cli.capabilities import capabilities, entities_of

    plugins = app.plugins()
    shown = []
    for kind, plugin in sorted(plugins.loaded.items()):
        connector = plugin.connector
        entities = entities_of(plugins, kind) if connector is not None else {}
        settings = connector.settings.model_fields if connector is not None else {}
        shown.append({
            "kind": kind, "title": connector.title if connector is not None else "",
            "distribution": plugin.distribution, "version": plugin.version,
            "docs": connector.docs if connector is not None else "",
            "entities": entities, "capabilities": capabilities(plugins, kind),
            "hooks": list(plugin.hooks), "auth": list(connector.auth) if connector is not None else [],
            "settings": {info.alias or name: info.description or "" for name, info in settings.items()},
        })  # fmt: skip
    failed = [
        {"kind": one.kind, "distribution": one.distribution, "version": one.version, "reason": one.reason}
        for one in plugins.failed.values()
    ]
    return {"plugins": shown, "failed": failed}


def _print(found: dict[str, Any]) -> None:
    if not found["plugins"] and not found["failed"]:
        console.note("no connector is installed; try: pip install weft-creatio weft-bc")
        return
    rows = [
        [one["kind"], one["title"], one["version"], _count(one["entities"]), ", ".join(one["capabilities"])]
        for one in found["plugins"]
    ]
    if rows:
        console.table(["kind", "title", "version", "entities", "can"], rows, right=["entities"], wide="can")
    for one in found["failed"]:
        kind = click.style(one["kind"], fg="red", bold=True)
        console.note(f"{kind} ({one['distribution']} {one['version']}) could not be loaded: {one['reason']}")


def _count(entities: dict[str, list[str]] | None) -> str:
    return "by settings" if entities is None else str(len(entities))


def _detail(one: dict[str, Any]) -> None:
    console.pairs({
        "kind": one["kind"], "title": one["title"], "from": f"{one['distribution']} {one['version']}".strip(),
        "docs": one["docs"], "auth": ", ".join(one["auth"]), "can": ", ".join(one["capabilities"]),
        "hooks": ", ".join(one["hooks"]),
    })  # fmt: skip
    if one["entities"]:
        click.echo()
        rows = [[entity, ", ".join(variants)] for entity, variants in sorted(one["entities"].items())]
        console.table(["entity", "variants"], rows)
    if one["settings"]:
        click.echo()
        console.table(["setting", "meaning"], list(one["settings"].items()), wide="meaning")
