"""``weft links``: which record here is which record there."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from weft.cli import console
from weft.cli.context import App
from weft.desk import links as desk
from weft.desk.linking import WantedLink
from weft.errors import ConfigError

if TYPE_CHECKING:
    from weft.state.links import Link

NEEDED = ("left_key", "right_key")
OPTIONAL = ("left_company", "right_company", "left_variant", "right_variant", "right_connection")
EXPORTED = ("id", "entity", "left_connection", "left_company", "left_object", "left_variant", "left_key",
            "right_connection", "right_company", "right_object", "right_variant", "right_key", "state")  # fmt: skip


@click.group("links")
def command() -> None:
    """Look at, add, import and remove links between records."""


@command.command("list")
@click.argument("flow", required=False)
@click.option("--key", help="Only with this key on either side, else those whose key begins so.")
@click.option("--state", type=click.Choice(desk.STATES), multiple=True, help="Only in this state; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_obj
def list_(app: App, flow: str | None, key: str | None, state: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List links, of all flows or of FLOW."""
    with app.reading() as opened, opened.begin(writes=False) as tx:
        if key:
            found = [
                one for one in desk.by_key(tx, app.config, flow, key, limit + 1) if not state or one.state in state
            ]
        else:
            found = _limited(desk.pages(tx, app.config, flow, state=list(state) or None), limit + 1)
    if as_json:
        console.print_json([desk.data(link) for link in found[:limit]])
        return
    if not found:
        click.echo("no links")
        return
    rows = [
        [
            link.id,
            link.entity,
            desk.end(link, "left"),
            desk.end(link, "right"),
            link.state,
            console.when(link.updated_at),
        ]
        for link in found[:limit]
    ]  # fmt: skip
    console.table(["id", "entity", "left", "right", "state", "changed"], rows, right=["id"], status="state")
    if len(found) > limit:
        console.note(f"only the first {limit} are shown; --limit shows more")


@command.command("show")
@click.argument("id", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_obj
def show(app: App, id: int, as_json: bool) -> None:
    """Everything about one link: both ends, what they last agreed on, lines, former names, issues, last entry."""
    from weft.sync.work import Base

    with app.reading() as opened, opened.begin(writes=False) as tx:
        link = desk.get(tx, id)
        lines = tx.links.children([id]).get(id, [])
        aliases, issues = tx.aliases.of(id), tx.issues.page(link_id=id)
        flips = tx.quarantine.get_many([id]).get(id, {})
        last = tx.journal.last_for([id]).get(id)
    left, right = Base.read(link.left_base).fields, Base.read(link.right_base).fields
    if as_json:
        console.print_json(
            {
                **desk.data(link),
                "left_base": left,
                "right_base": right,
                "lines": lines,
                "aliases": aliases,
                "issues": issues,
                "flips": flips,
                "last": last,
            }
        )
        return
    console.pairs({
        "link": link.id, "entity": link.entity, "left": desk.end(link, "left"), "right": desk.end(link, "right"),
        "state": link.state, "pinned": link.pinned, "linked": console.when(link.created_at),
        "changed": console.when(link.updated_at), "left version": link.left_version,
        "right version": link.right_version, "lines": len(lines) or None,
        "former names": ", ".join(f"{a.connection} {a.object}({a.key})" for a in aliases),
        "issues": ", ".join(f"{i.id} {i.kind}" for i in issues),
        "going back and forth": ", ".join(name for name, flip in flips.items() if flip.quarantined),
        "last": f"{console.when(last.at)} {last.op} {last.outcome} {last.reason}" if last is not None else None,
    })  # fmt: skip
    names = sorted({*left, *right})
    if names:
        click.echo()
        rows = [[n, *(console.show(base[n]) if n in base else "" for base in (left, right))] for n in names]
        console.table(["last agreed", "left", "right"], rows)


@command.command("add")
@click.argument("flow")
@click.argument("left_key")
@click.argument("right_key")
@click.option("--left-company", default="", help="Company of the left record, where there are several.")
@click.option("--right-company", default="", help="Company of the right record, where there are several.")
@click.option("--left-variant", default="", help="Mapping variant of the left record, where there are several.")
@click.option("--right-variant", default="", help="Mapping variant of the right record, where there are several.")
@click.option("--right-connection", default="", help="Right connection, where the flow has several.")
@click.option("--no-check", is_flag=True, help="Do not read both records to see that they are there.")
@click.pass_obj
def add(app: App, /, flow: str, left_key: str, right_key: str, no_check: bool, **more: Any) -> None:
    """Say that LEFT_KEY and RIGHT_KEY are the same record.

    What differs between them is then treated as on a first load (`first:` of the flow).
    """
    wanted = desk.Add(flow=flow, pairs=[WantedLink(left_key, right_key, **more)], check=not no_check)
    done = app.act(desk.add, wanted, create=True)
    if done.wrong:
        raise ConfigError(done.wrong[0].reason)
    click.echo("linked already" if done.known else f"link {done.added[0].id}: {left_key} <-> {right_key}")


@command.command("import")
@click.argument("flow")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--check", is_flag=True, help="Read both records of each line to see that they are there.")
@click.option("--dry-run", is_flag=True, help="Only say what would be imported and what is wrong.")
@click.pass_context
def import_(ctx: click.Context, flow: str, file: Path, check: bool, dry_run: bool) -> None:
    """Import links of FLOW from a CSV file with a header.

    Columns: left_key, right_key, and where needed left_company, right_company, left_variant,
    right_variant, right_connection. Lines in order are imported, the others are told with their number;
    importing a file again changes nothing. Exit code 1 when a line is wrong.
    """
    app = ctx.find_object(App) or App()
    pairs = list(read_csv(file))
    done = desk.Added(added=[], known=0, wrong=[])
    if pairs:
        done = app.act(desk.add, desk.Add(flow=flow, pairs=pairs, check=check, dry_run=dry_run), create=True)
    for one in done.wrong:
        console.note(f"{file}:{one.line}: {one.reason}")
    verb = "would be imported" if dry_run else "imported"
    click.echo(f"{len(done.added)} links {verb}, {done.known} were there already, {len(done.wrong)} lines are wrong")
    ctx.exit(1 if done.wrong else 0)


def read_csv(file: Path) -> Iterator[WantedLink]:
    """The lines of a CSV file; commas, semicolons or tabs.

    :raises ConfigError: the header lacks a column or has one nobody knows; the file is not UTF-8.
    """
    from weft.yamlpos import suggest

    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8 text (byte {error.start})") from None
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    rows = csv.DictReader(text.splitlines(), delimiter=delimiter)
    names = [name.strip() for name in rows.fieldnames or ()]
    rows.fieldnames = names
    lacking = [name for name in NEEDED if name not in names]
    if lacking:
        raise ConfigError(f"{file}:1: the column {lacking[0]} is missing; the header needs left_key and right_key")
    for name in names:
        if name not in (*NEEDED, *OPTIONAL, *EXPORTED):
            raise ConfigError(
                f"{file}:1: there is no column {name!r}{suggest(name, [*NEEDED, *OPTIONAL])}; "
                f"columns: {', '.join((*NEEDED, *OPTIONAL))}"
            )
    for row in rows:
        values = {name: (row.get(name) or "").strip() for name in (*NEEDED, *OPTIONAL)}
        yield WantedLink(**values, line=rows.line_num)


@command.command("remove")
@click.argument("ids", type=int, nargs=-1, required=True)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(app: App, ids: tuple[int, ...], yes: bool) -> None:
    """Forget links. The records stay; where the match rules find them again, they are linked again."""
    with app.reading() as state, state.begin(writes=False) as tx:
        links = [desk.get(tx, id) for id in ids]
    for link in links:
        click.echo(f"{link.id}  {desk.end(link, 'left')} <-> {desk.end(link, 'right')}")
    if not yes:
        click.confirm("Forget them? What is not matched again may be created a second time", abort=True)
    click.echo(f"{app.act(desk.remove, desk.Remove(ids=list(ids))).count} links removed")


@command.command("merge")
@click.argument("keep", type=int)
@click.argument("gone", type=int)
@click.pass_obj
def merge(app: App, keep: int, gone: int) -> None:
    """Say that the records of link GONE were merged into those of link KEEP, in their own systems.

    GONE is forgotten; the keys it had lead to KEEP from now on.
    """
    names = app.act(desk.merge, desk.Merge(keep=keep, gone=gone)).count
    click.echo(f"link {gone} is merged into {keep}; {names} former keys lead there")


@command.command("export")
@click.argument("flow", required=False)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=Path("-"),
    help="File to write; default: standard output.",
)
@click.pass_obj
def export(app: App, flow: str | None, output: Path) -> None:
    """Write links as CSV, of all flows or of FLOW; weft links import reads it back."""
    count = 0
    to = click.open_file(str(output), "w", encoding="utf-8")
    with app.reading() as state, state.begin(writes=False) as tx, to as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(EXPORTED)
        for link in desk.pages(tx, app.config, flow):
            writer.writerow([getattr(link, name) for name in EXPORTED])
            count += 1
    if str(output) != "-":
        console.note(f"{output}: {count} links")


def _limited(links: Iterator[Link], limit: int) -> list[Link]:
    return [link for link, _ in zip(links, range(limit), strict=False)]
