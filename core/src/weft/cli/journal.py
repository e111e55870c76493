"""``weft journal``: what was done to every record, and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from weft.cli import console
from weft.cli.context import App
from weft.desk import journal as desk

if TYPE_CHECKING:
    from weft.state.journal import Entry
    from weft.state.tx import Tx

PAGE = 1000


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A day, a time, or how long ago: ``2024-05-01``, ``2024-05-01T08:00:00Z``, ``2h``, ``7d``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | timedelta:
        from weft.config.values import parse_duration

        if isinstance(value, datetime | timedelta):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            try:
                span: timedelta = parse_duration(value)
            except ValueError:
                self.fail(
                    f"{value!r} is no time; write 2024-05-01, 2024-05-01T08:00:00Z, or 2h for two hours ago", param, ctx
                )
            return span
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


MOMENT = Moment()


@click.group("journal", invoke_without_command=True)
@click.option("--run", "run", help="Only this run: its id, or the beginning of it.")
@click.option("--flow", help="Only this flow.")
@click.option("--entity", help="Only this entity.")
@click.option("--key", help="Only the record with this key, on either side.")
@click.option("--link", type=int, help="Only this link.")
@click.option("--outcome", multiple=True, help="Only this outcome, such as created or rejected; may be repeated.")
@click.option("--since", type=MOMENT, help="From this time on: 2024-05-01, 2024-05-01T08:00:00Z, or 2h ago as 2h.")
@click.option("--until", type=MOMENT, help="Before this time.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help="How many at most, newest first; 0: all. Default: 50 on the screen, all in a file.",
)
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write a CSV file instead; - is standard output.",
)
@click.option(
    "--jsonl",
    "jsonl_file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write a file of JSON lines instead; - is standard output.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the entries as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    run: str | None,
    flow: str | None,
    entity: str | None,
    key: str | None,
    link: int | None,
    outcome: tuple[str, ...],
    since: datetime | timedelta | None,
    until: datetime | timedelta | None,
    limit: int | None,
    csv_file: Path | None,
    jsonl_file: Path | None,
    as_json: bool,
) -> None:
    """Show or export what was done to every record, with values before and after and the rule.

    Newest first on the screen, oldest first in a file. Works while a sync is running.
    """
    if ctx.invoked_subcommand is not None:
        return
    if sum(map(bool, (csv_file, jsonl_file, as_json))) > 1:
        raise click.UsageError("choose one of --csv, --jsonl and --json")
    app = ctx.find_object(App) or App()
    if flow is not None:
        app.config.flow(flow)
    now = app.now()
    with app.reading() as state, state.begin(writes=False) as tx:
        wanted = desk.Filter(
            run=run, flow=flow, entity=entity, key=key, link=link, outcome=list(outcome), since=_moment(since, now),
            until=_moment(until, now),
        )  # fmt: skip
        if csv_file is not None:
            _write(csv_file, desk.as_csv(desk.oldest_first(tx, wanted, limit or 0)), heading=1)
        elif jsonl_file is not None:
            _write(jsonl_file, desk.as_json_lines(desk.oldest_first(tx, wanted, limit or 0)))
        else:
            _show(list(desk.newest_first(tx, wanted, 50 if limit is None else limit)), as_json)


def _moment(value: datetime | timedelta | None, now: datetime) -> datetime | None:
    return now - value if isinstance(value, timedelta) else value


def _show(entries: list[Entry], as_json: bool) -> None:
    if as_json:
        console.print_json(entries)
        return
    if not entries:
        click.echo("nothing is written there")
        return
    rows = []
    for entry in entries:
        keys = " <-> ".join(key for key in (entry.left_key, entry.right_key) if key)
        changed = ", ".join(entry.fields or {})
        why = "; ".join(part for part in (changed, entry.reason) if part)
        rows.append(
            [console.when(entry.at), entry.run_id[:8], entry.flow, keys, entry.side, entry.op, entry.outcome, why]
        )
    console.table(["at", "run", "flow", "record", "side", "op", "outcome", "what and why"], rows, wide="what and why")


def _write(path: Path, lines: Iterator[str], *, heading: int = 0) -> None:
    count = -heading
    with click.open_file(str(path), "w", encoding="utf-8") as file:
        for line in lines:
            count += 1
            file.write(line)
    if str(path) != "-":
        console.note(f"{path}: {count} entries")


@command.command("verify")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option(
    "--file",
    "files",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="A journal that was exported before it was forgotten, instead of the state; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def verify(ctx: click.Context, runs: tuple[str, ...], files: tuple[Path, ...], as_json: bool) -> None:
    """Walk the hash chain of runs (default: all) and tell whether an entry was changed, removed or added.

    Exit code 1 when a chain is broken.
    """
    app = ctx.find_object(App) or App()
    if files:
        from weft.retention import verify_file

        found = [verify_file(file) for file in files]
    else:
        with app.reading() as state, state.begin(writes=False) as tx:
            wanted = [desk.run_id(tx, run) for run in runs] if runs else list(_all_runs(tx))
            found = [tx.journal.verify_chain(run) for run in wanted]
    broken = [one for one in found if not one.ok]
    if as_json:
        console.print_json(found)
    else:
        for one in broken:
            click.echo(f"run {one.run_id}: {click.style('broken', fg='red')} at entry {one.bad_seq}: {one.problem}")
        entries = sum(one.rows for one in found)
        given_up = sum(one.ok and bool(one.problem) for one in found)
        more = f"; {given_up} were given up (retention)" if given_up else ""
        click.echo(f"{len(found) - len(broken)} of {len(found)} runs are whole, {entries} entries{more}")
    ctx.exit(1 if broken else 0)


def _all_runs(tx: Tx) -> Iterator[str]:
    before: tuple[datetime, str] | None = None
    while page := tx.runs.page(before=before, limit=PAGE):
        yield from (run.id for run in page)
        before = (page[-1].started_at, page[-1].id)
