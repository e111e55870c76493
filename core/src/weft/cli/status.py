"""``weft status``: how each flow stands, and what holds it up."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from weft.cli import console
from weft.cli.context import App
from weft.desk.status import FlowStatus, idle, statuses, troubles

LITTLE = 256 * 1024
"""Bytes of free disk with which a transaction may fail."""


@click.command("status")
@click.argument("flows", nargs=-1, metavar="[FLOW]...")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def command(ctx: click.Context, flows: tuple[str, ...], as_json: bool) -> None:
    """Show how each flow stands: its last run, open issues, how old its cursors are, and what holds it up.

    Works while a sync is running. Exit code 1 when an issue is open or the last run did not finish.
    """
    app = ctx.find_object(App) or App()
    names = app.flows(flows) or list(app.config.flows)
    found = gather(app, names)
    if as_json:
        console.print_json(found)
    else:
        _print(app, found)
    ctx.exit(0 if all(_moves(flow) for flow in found["flows"]) else 1)


def _moves(flow: FlowStatus) -> bool:
    loading = flow.last_run is not None and flow.last_run.mode == "first"
    return flow.state in ("done", "off") or (flow.state == "running" and (loading or not flow.blocker))


def gather(app: App, names: list[str]) -> dict[str, Any]:
    """Everything the command shows, as data."""
    if not app.has_state():
        flows = [idle(app.config.flows[name], name) for name in names]
        place, connections = _place(app), _connections(app, {})
        return {"state": place, "problem": "", "workers": [], "flows": flows, "connections": connections}
    with app.reading() as state, state.begin(writes=False) as tx:
        flows, alive = statuses(app.config, tx, names, app.now()), tx.workers.alive()
        workers = [
            {"host": one.host, "pid": one.pid, "since": one.started_at, "stopping": one.stopping} for one in alive
        ]
        connections = _connections(app, troubles(alive))
        problem = _no_room(state.path)
    return {
        "state": str(state.place), "problem": problem, "workers": workers, "flows": flows, "connections": connections,
    }  # fmt: skip


def _no_room(state: Path | None) -> str:
    """A state on a full disk takes no word of its own on that."""
    if state is None or shutil.disk_usage(state.parent).free >= LITTLE:
        return ""
    return f"the disk of {state.parent} is full: nothing can be written until there is room"


def _workers(workers: list[dict[str, Any]], now: datetime) -> str:
    told = [
        f"process {one['pid']} on {one['host']}, " + ("stopping" if one["stopping"] else
                                                       f"started {console.ago(one['since'], now)}")
        for one in workers
    ]  # fmt: skip
    return "; ".join(told) or "none is up"


def _place(app: App) -> str:
    from weft.state.place import parse

    return f"{parse(app.state_url)} (not there yet)"


def _connections(app: App, problems: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"connection": name, "kind": connection.kind, "problem": problems.get(name, ""), "flows": [
            flow for flow, config in app.config.flows.items() if name in config.between]}
        for name, connection in app.config.connections.items()
    ]  # fmt: skip


def _print(app: App, found: dict[str, Any]) -> None:
    now = app.now()
    console.pairs({"state": found["state"], "workers": _workers(found["workers"], now)})
    if found["problem"]:
        click.secho(console.clean(found["problem"]), fg="red")
    rows = []
    flows: list[FlowStatus] = found["flows"]
    for flow in flows:
        run = flow.last_run
        oldest = min((cursor.at for cursor in flow.cursors), default=None)
        rows.append([
            flow.flow, flow.state, console.ago(run.started, now) if run else "never",
            console.ago(flow.last_agreement, now), flow.links.get("linked", 0), sum(flow.issues.values()),
            console.ago(oldest, now), flow.hints, flow.unsettled,
        ])  # fmt: skip
    headers = ["flow", "state", "last run", "last agreed", "linked", "issues", "read up to", "hints", "unsettled"]
    console.table(headers, rows, right=["linked", "issues", "hints", "unsettled"], status="state")
    for flow in flows:
        if flow.issues:
            told = ", ".join(f"{n} {kind}" for kind, n in flow.issues.items())
            click.echo(f"{click.style(flow.flow, bold=True)}: open issues: {told}")
        if flow.blocker:
            click.echo(f"{click.style(flow.flow, bold=True)}: {console.clean(flow.blocker)}")
    told = ", ".join(f"{one['connection']} ({one['kind']})" for one in found["connections"])
    click.echo(f"connections: {told or 'none'}")
    for one in found["connections"]:
        if one["problem"]:
            click.echo(f"{click.style(one['connection'], bold=True)} {console.clean(one['problem'])}")
