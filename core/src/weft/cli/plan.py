"""``weft plan``: what a sync would write, to the field."""

from __future__ import annotations

from collections import Counter
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from weft.cli import console
from weft.cli.context import App

if TYPE_CHECKING:
    from weft.state.store import State
    from weft.sync.cycle import Report
    from weft.sync.run import Planned


@click.command("plan")
@click.argument("flows", nargs=-1, metavar="[FLOW]...")
@click.option("--sweep", is_flag=True, help="Compare every record, as weft sync --sweep does.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=0,
    help="Writes shown of each flow and side; 0: all. The counts are always complete.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_context
def command(ctx: click.Context, flows: tuple[str, ...], sweep: bool, limit: int, as_json: bool) -> None:
    """Show exactly what a sync would write to both sides; nothing is written, not even to the state.

    Records that will be created by one flow are not yet there for the flows that refer to them: those
    are told as waiting. May be used while a sync is running.
    """
    app = ctx.find_object(App) or App()
    reports = app.run(_plan(app, flows, sweep))
    for report in reports:
        report.error = app.redactor(report.error)
    if as_json:
        console.print_json([_as_data(report) for report in reports])
    else:
        for report in reports:
            _print(report, limit)
    ctx.exit(max((report.exit_code for report in reports), default=0))


async def _plan(app: App, flows: tuple[str, ...], sweep: bool) -> list[Report]:
    names = app.flows(flows)
    if app.has_state():
        with app.reading() as state:
            return await _with(app, state, names, sweep)
    from weft.state.store import State

    with TemporaryDirectory(prefix="weft-") as folder, State.open(f"sqlite:///{folder}/plan.db") as state:
        return await _with(app, state, names, sweep)


async def _with(app: App, state: State, names: list[str] | None, sweep: bool) -> list[Report]:
    from weft.sync.cycle import sync

    progress = console.Progress()
    async with app.runtime(state) as runtime:
        try:
            return await sync(runtime, names, sweep=sweep, plan_only=True, progress=progress)
        finally:
            progress.clear()


def _as_data(report: Report) -> dict[str, Any]:
    return {
        "flow": report.flow, "state": report.state, "counts": report.counts, "error": report.error,
        "planned": report.planned, "held": report.held, "exit_code": report.exit_code,
    }  # fmt: skip


def _print(report: Report, limit: int) -> None:
    planned = report.planned
    counts = Counter(one.op for one in planned)
    nothing = "nothing to write" if report.state == "done" else click.style(report.state, fg="red")
    told = ", ".join(f"{n} to {name}" for name, n in sorted(counts.items())) or nothing
    held = {name: report.counts[name] for name in ("conflict", "waiting", "ambiguous", "failed", "approval", "review",
            "rejected", "asked", "unmatched", "excluded", "kept elsewhere") if report.counts.get(name)}  # fmt: skip
    more = "".join(f", {n} {name}" for name, n in held.items())
    click.echo(click.style(report.flow, bold=True) + f": {told}{more}")
    if report.error:
        console.note(f"  {report.error}")
    for kept in report.held[: limit or None]:
        console.note(f"  {kept.kind}: {console.clean(kept.label or kept.key)}: {console.clean(kept.reason)}")
    sides: dict[tuple[str, str], list[Planned]] = {}
    for one in planned:
        sides.setdefault((one.place or one.connection, one.side), []).append(one)
    for (place, side), group in sides.items():
        click.echo(f"  {click.style(place, fg='cyan')} ({side})")
        for one in group[: limit or None]:
            _one(one)
        if limit and len(group) > limit:
            click.echo(f"    … and {len(group) - limit} more; --limit 0 shows all")


def _one(planned: Planned) -> None:
    key = f" ({planned.key})" if planned.key and planned.key != planned.label else ""
    colour = {"create": "green", "delete": "red", "deactivate": "red"}.get(planned.op, "yellow")
    name = console.clean(f"{planned.label}{key}")
    click.echo(f"    {click.style(planned.op, fg=colour)} {planned.object} {name}")
    for field, step in planned.fields.items():
        click.echo("      " + console.clean(f"{field}: {movement(step)}"))


def movement(step: dict[str, Any]) -> str:
    """``'from' -> 'to' (rule)`` of one field; a line of a document shows its fields."""
    rule = f"  ({step['rule']})" if step.get("rule") else ""
    if "op" in step:
        inner = ", ".join(f"{n}: {console.show(v)}" for n, v in (step.get("to") or {}).items())
        return f"{step['op']} {inner}".rstrip()
    if "to" not in step:
        return ", ".join(f"{n} {console.show(v)}" for n, v in step.items())
    before = f"{console.show(step['from'])} -> " if "from" in step else ""
    return f"{before}{console.show(step['to'])}{rule}"
