"""``weft sync``: bring flows into agreement once."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from weft.cli import console
from weft.cli.context import App

if TYPE_CHECKING:
    from weft.cli.remote import Remote
    from weft.state.tx import Tx
    from weft.sync.cycle import Report

NAMED = ("read", "unchanged", "created", "updated", "deleted", "linked")
"""Counts with a column of their own; the others are told together."""
INNER = ("paired", "resolved_by_rule", "stale")
"""Counts of how something was done, which no outcome of a record is."""


@click.command("sync")
@click.argument("flows", nargs=-1, metavar="[FLOW]...")
@click.option("--sweep", is_flag=True, help="Compare every record, also those that no change was seen of.")
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON.")
@click.pass_context
def command(ctx: click.Context, flows: tuple[str, ...], sweep: bool, as_json: bool) -> None:
    """Bring flows into agreement once: all that are enabled, or those named.

    The first time a flow runs, both sides are read whole and paired. While a daemon holds the state, it does
    the work. A flow that is paused or in its blackout window does not run; one that was named is refused. Exit
    code 1 when a record needs a person, 3 when a system is down.
    """
    app = ctx.find_object(App) or App()
    daemon = app.daemon()
    if daemon is not None:
        reports, open_issues = _by_daemon(app, daemon, flows, sweep)
    else:
        reports, open_issues = app.run(_sync(app, flows, sweep))
    for report in reports:
        report.error = app.redactor(report.error)
    if as_json:
        console.print_json([as_data(report, open_issues.get(report.flow, 0)) for report in reports])
    else:
        print_reports(reports, open_issues)
    ctx.exit(max((report.exit_code for report in reports), default=0))


def _runnable(app: App, tx: Tx, flows: tuple[str, ...]) -> list[str]:
    """The flows to run, without those that must not work now, which are told."""
    from weft.sync.held import runnable

    names, kept = runnable(app.config.flows, tx, app.now(), app.flows(flows) or ())
    for name, why in kept.items():
        console.note(f"{click.style(name, bold=True)} is left out: it is {why}")
    return names


async def _sync(app: App, flows: tuple[str, ...], sweep: bool) -> tuple[list[Report], dict[str, int]]:
    from weft.jobs.sharing import sharing
    from weft.sync.cycle import sync

    progress = console.Progress()
    with app.acting(create=True) as state:
        names = await state.read(lambda tx: _runnable(app, tx, flows))
        async with app.runtime(state) as runtime, sharing(runtime):
            try:
                reports = await sync(runtime, names, sweep=sweep, progress=progress)
            finally:
                progress.clear()
        counts = await state.read(lambda tx: tx.issues.counts())
    return reports, _by_flow(counts)


def _by_daemon(app: App, daemon: Remote, flows: tuple[str, ...], sweep: bool) -> tuple[list[Report], dict[str, int]]:
    """The same, by the daemon that holds the state."""
    from weft.cli.remote import EXIT_CODES
    from weft.sync.cycle import Report

    with app.reading() as state, state.begin(writes=False) as tx:
        names = _runnable(app, tx, flows)
    reports = [
        Report(
            run["flow"], run["id"], run["state"], run["counts"] or {}, datetime.fromisoformat(run["started_at"]),
            datetime.fromisoformat(run["finished_at"]), run["error"] or "", EXIT_CODES.get(run["state"], 1),
        )
        for run in daemon.sync(names, sweep=sweep, note=console.note)
    ]  # fmt: skip
    with app.reading() as state, state.begin(writes=False) as tx:
        return reports, _by_flow(tx.issues.counts())


def _by_flow(counts: dict[tuple[str, str], int]) -> dict[str, int]:
    by_flow: dict[str, int] = {}
    for (flow, _), count in counts.items():
        by_flow[flow] = by_flow.get(flow, 0) + count
    return by_flow


def as_data(report: Report, open_issues: int) -> dict[str, object]:
    """A report as JSON shows it."""
    return {
        "flow": report.flow, "run": report.run, "state": report.state, "counts": report.counts,
        "open_issues": open_issues, "started": report.started, "finished": report.finished,
        "seconds": round((report.finished - report.started).total_seconds(), 3), "error": report.error,
        "exit_code": report.exit_code,
    }  # fmt: skip


def print_reports(reports: list[Report], open_issues: dict[str, int]) -> None:
    """One line a flow, then what stopped those that stopped."""
    by_flow: dict[str, list[Report]] = {}
    for report in reports:
        by_flow.setdefault(report.flow, []).append(report)
    rows = []
    for flow, group in by_flow.items():
        totals: dict[str, int] = {}
        for report in group:
            for name, count in report.counts.items():
                totals[name] = totals.get(name, 0) + count
        seconds = sum((report.finished - report.started).total_seconds() for report in group)
        worst = max(group, key=lambda report: report.exit_code)
        others = ", ".join(
            f"{n} {name}" for name, n in sorted(totals.items()) if n and name not in NAMED and name not in INNER
        )
        rows.append(
            [
                flow,
                worst.state,
                *(totals.get(name, 0) for name in NAMED),
                open_issues.get(flow, 0),
                console.span(seconds),
                others,
            ]
        )
    headers = ["flow", "state", *NAMED, "issues", "took", "also"]
    console.table(headers, rows, right=[*NAMED, "issues", "took"], status="state", wide="also")
    for report in reports:
        if report.error:
            console.note(f"{click.style(report.flow, bold=True)}: {report.error}")
    if any(open_issues.get(flow) for flow in by_flow):
        console.note("weft issues shows what needs a person")
