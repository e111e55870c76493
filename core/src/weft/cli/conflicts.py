"""``weft conflicts``: fields that changed on both sides."""

from __future__ import annotations

from typing import Any, cast

import click

from weft.cli import console, issues
from weft.cli.context import App
from weft.desk import conflicts as desk


@click.group("conflicts", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Decide fields that changed on both sides, or whose value goes back and forth.

    Without a further word: the list of open conflicts.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@command.command("list")
@click.argument("flow", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_obj
def list_(app: App, flow: str | None = None, limit: int = 100, as_json: bool = False) -> None:
    """List open conflicts, one line a field."""
    if flow is not None:
        app.config.flow(flow)
    with app.reading() as state, state.begin(writes=False) as tx:
        found = tx.issues.page(flow=flow, kind="conflict", limit=limit + 1)
    if as_json:
        console.print_json(found[:limit])
        return
    rows = [
        [issue.id, issue.flow, issue.label or issue.key, name, *_two(values), (issue.edited or {}).get(name, "")]
        for issue in found[:limit]
        for name, values in (issue.payload or {}).items()
    ]
    if not rows:
        click.echo("no conflicts")
        return
    console.table(["id", "flow", "record", "field", "left", "right", "chosen"], rows, right=["id"], wide="record")
    if len(found) > limit:
        console.note(f"only the first {limit} records are shown; --limit shows more")


def _two(values: Any) -> list[str]:
    if not isinstance(values, dict):
        return [console.show(values), ""]
    return [console.show(values[side]) if side in values else "" for side in ("left", "right")]


@command.command("show")
@click.argument("id", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def show(ctx: click.Context, id: int, as_json: bool) -> None:
    """Both values of each field, what they were when the sides last agreed, and why no rule decides."""
    ctx.invoke(issues.show, id=id, as_json=as_json)


@command.command("resolve")
@click.argument("id", type=int)
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME=left|right",
    help="Which side's value a field gets; may be repeated.",
)
@click.option("--all", "everything", type=click.Choice(["left", "right"]), help="The side that wins every field.")
@click.pass_obj
def resolve(app: App, id: int, fields: tuple[str, ...], everything: str | None) -> None:
    """Choose the side whose value wins, for all fields or for single ones; the next sync writes it."""
    if bool(fields) == bool(everything):
        raise click.UsageError("give --all left|right, or --field NAME=left|right")
    side = cast("desk.Which | None", everything)
    done = app.act(desk.resolve, desk.Resolve(id=id, all=side, fields=_chosen(fields) or None))
    told = ", ".join(f"{name} from the {side}" for name, side in done.chosen.items())
    click.echo(f"conflict {id}: {told}; written {app.carried_out()}")


def _chosen(fields: tuple[str, ...]) -> dict[str, desk.Which]:
    chosen: dict[str, desk.Which] = {}
    for text in fields:
        name, _, side = text.partition("=")
        if side not in ("left", "right"):
            raise click.BadParameter(f"write NAME=left or NAME=right, not {text!r}", param_hint="--field")
        chosen[name] = cast("desk.Which", side)
    return chosen
