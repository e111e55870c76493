"""``weft status``: how each flow stands, and what holds it up."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from weft.cli import console
from weft.cli.context import App
from weft.cli.linking import BY_HAND

if TYPE_CHECKING:
    from weft.config.models import FlowConfig
    from weft.state.tx import Tx

FEW = 100_000
RUNS = 100
"""How far back a run is looked for."""


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
    ctx.exit(0 if all(flow["state"] in ("done", "off", "running") for flow in found["flows"]) else 1)


def gather(app: App, names: list[str]) -> dict[str, Any]:
    """Everything the command shows, as data."""
    if not app.has_state():
        flows = [{**_idle(app.config.flows[name]), "flow": name} for name in names]
        return {"state": _place(app), "flows": flows, "connections": _connections(app)}
    now = app.now()
    with app.reading() as state, state.begin(writes=False) as tx:
        shared = _shared(tx)
        flows = [_flow(app, tx, name, now, shared) for name in names]
        return {"state": str(state.place), "flows": flows, "connections": _connections(app)}


def _place(app: App) -> str:
    from weft.state.place import parse

    return f"{parse(app.state_url)} (not there yet)"


def _shared(tx: Tx) -> dict[str, Any]:
    """What one query answers for all flows."""
    return {
        "issues": tx.issues.counts(), "hints": tx.hints.counts(), "links": tx.links.counts(),
        "unsettled": tx.intents.unsettled(limit=FEW), "approvals": tx.guards.approvals(),
    }  # fmt: skip


def _idle(config: FlowConfig) -> dict[str, Any]:
    blocker = "it is switched off (enabled: false)" if not config.enabled else "it never ran; start it with weft sync"
    return {
        "state": "never ran" if config.enabled else "off", "entity": config.entity, "between": config.between,
        "last_run": None, "counts": {}, "issues": {}, "links": {}, "cursors": [], "hints": 0, "unsettled": 0,
        "in_doubt": 0, "next_try": None, "last_agreement": None, "blocker": blocker,
    }  # fmt: skip


def _flow(app: App, tx: Tx, name: str, now: datetime, shared: dict[str, Any]) -> dict[str, Any]:
    config = app.config.flows[name]
    runs = [run for run in tx.runs.page(limit=RUNS, flow=name) if run.mode != BY_HAND]
    run = runs[0] if runs else None
    issues = {kind: n for (flow, kind), n in sorted(shared["issues"].items()) if flow == name}
    links: dict[str, int] = {}
    for (entity, left, right, state), n in shared["links"].items():
        if entity == config.entity and left == config.left and right in config.right:
            links[state] = links.get(state, 0) + n
    unsettled = [intent for intent in shared["unsettled"] if intent.flow == name]
    cursors = [
        {"side": c.side, "connection": c.connection, "company": c.company, "variant": c.mapping_variant, "at": c.at}
        for c in tx.cursors.all(name)
    ]
    agreed = [one for one in tx.runs.page(limit=RUNS, flow=name, state="done") if one.mode != BY_HAND]
    found = {
        **_idle(config), "flow": name, "issues": issues, "links": links, "cursors": cursors,
        "hints": shared["hints"].get(name, 0), "unsettled": len(unsettled),
        "in_doubt": sum(intent.state == "in_doubt" for intent in unsettled), "next_try": tx.issues.next_due(name),
        "last_agreement": agreed[0].finished_at if agreed else None,
    }  # fmt: skip
    if run is not None:
        found["last_run"] = {
            "id": run.id,
            "mode": run.mode,
            "state": run.state,
            "started": run.started_at,
            "finished": run.finished_at,
        }
        found["counts"] = run.counts or {}
        found["state"] = run.state if config.enabled else "off"
        asked = [approval for approval in shared["approvals"] if approval.flow == name]
        found["blocker"] = _blocker(config, found, asked, _guard(tx, name), now)
    return found


def _guard(tx: Tx, name: str) -> str:
    stops = [issue for issue in tx.issues.page(flow=name, kind="approval") if issue.code == "guard"]
    return stops[0].reason if stops else ""


def _blocker(config: FlowConfig, found: dict[str, Any], asked: list[Any], guard: str, now: datetime) -> str:
    """The one thing that keeps the flow from moving, the most severe first; empty when it moves."""
    state, issues = found["state"], found["issues"]
    if not config.enabled:
        return "it is switched off (enabled: false)"
    if guard:
        return f"stopped by a guard: {guard}"
    if state == "down":
        return "a system did not answer in the last run; weft check says which"
    if state in ("failed", "stopped"):
        return f"the last run {state}; weft sync {found['flow']} says why"
    if state == "running":
        age = (now - found["last_run"]["started"]).total_seconds()
        return f"a run began {console.span(age)} ago; if no weft process is running, it was cut off: run weft sync"
    if not found["cursors"]:
        return "its first load has not finished; weft sync begins it anew"
    if found["in_doubt"]:
        return f"{found['in_doubt']} writes are in doubt; the next run looks what became of them"
    if asked:
        return f"{len(asked)} approvals are asked for; weft issues list --kind approval"
    if issues:
        kind, count = max(issues.items(), key=lambda one: one[1])
        return f"{count} records are {kind}; weft issues list {found['flow']} --kind {kind}"
    return ""


def _connections(app: App) -> list[dict[str, Any]]:
    return [
        {"connection": name, "kind": connection.kind, "flows": [
            flow for flow, config in app.config.flows.items() if name in config.between]}
        for name, connection in app.config.connections.items()
    ]  # fmt: skip


def _print(app: App, found: dict[str, Any]) -> None:
    now = app.now()
    console.pairs({"state": found["state"]})
    rows = []
    for flow in found["flows"]:
        run = flow["last_run"]
        oldest = min((cursor["at"] for cursor in flow["cursors"]), default=None)
        rows.append([
            flow["flow"], flow["state"], console.ago(run["started"], now) if run else "never",
            console.ago(flow["last_agreement"], now), flow["links"].get("linked", 0), sum(flow["issues"].values()),
            console.ago(oldest, now), flow["hints"], flow["unsettled"],
        ])  # fmt: skip
    headers = ["flow", "state", "last run", "last agreed", "linked", "issues", "read up to", "hints", "unsettled"]
    console.table(headers, rows, right=["linked", "issues", "hints", "unsettled"], status="state")
    for flow in found["flows"]:
        if flow["issues"]:
            told = ", ".join(f"{n} {kind}" for kind, n in flow["issues"].items())
            click.echo(f"{click.style(flow['flow'], bold=True)}: open issues: {told}")
        if flow["blocker"]:
            click.echo(f"{click.style(flow['flow'], bold=True)}: {console.clean(flow['blocker'])}")
    told = ", ".join(f"{one['connection']} ({one['kind']})" for one in found["connections"])
    click.echo(f"connections: {told or 'none'}")
