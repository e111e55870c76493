"""``weft issues``: records that need a person or a later event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click

from weft.cli import console
from weft.cli.context import App
from weft.desk import issues as desk

if TYPE_CHECKING:
    from weft.state.issues import Issue, IssueState


@click.group("issues", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, explain, retry, edit, skip and approve what needs a person.

    Without a further word: the list of open issues. What is decided here is done by the next sync, or at once where
    weft run is up.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


def filters(function: Any) -> Any:
    """Options that pick issues."""
    for option in (
        click.option("--text", help="Part of the key, the name or the reason."),
        click.option("--entity", help="Only this entity."),
        click.option("--kind", multiple=True, help="Only this kind, such as failed or waiting; may be repeated."),
    ):
        function = option(function)
    return function


@command.command("list")
@click.argument("flow", required=False)
@filters
@click.option(
    "--state",
    type=click.Choice(["open", "closed", "skipped", "all"]),
    default="open",
    show_default=True,
    help="Which ones.",
)
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_obj
def list_(
    app: App,
    flow: str | None = None,
    kind: tuple[str, ...] = (),
    entity: str | None = None,
    text: str | None = None,
    state: str = "open",
    limit: int = 100,
    as_json: bool = False,
) -> None:
    """List issues, oldest first, of all flows or of FLOW."""
    _known(app, flow)
    with app.reading() as opened, opened.begin(writes=False) as tx:
        found = tx.issues.page(
            flow=flow,
            kind=list(kind) or None,
            entity=entity,
            text=text,
            limit=limit + 1,
            state=None if state == "all" else cast("IssueState", state),
        )
    if as_json:
        console.print_json(found[:limit])
        return
    now = app.now()
    rows = [
        [i.id, i.flow, i.kind, i.label or i.key, console.ago(i.opened_at, now), i.attempts, i.reason]
        for i in found[:limit]
    ]
    if not rows:
        click.echo("no issues")
        return
    console.table(
        ["id", "flow", "kind", "record", "since", "tries", "reason"], rows, right=["id", "tries"], wide="reason"
    )
    if len(found) > limit:
        console.note(f"only the first {limit} are shown; --limit shows more")


@command.command("show")
@click.argument("id", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_obj
def show(app: App, id: int, as_json: bool) -> None:
    """Everything about one issue: the reason in the system's own words, values, choices, what to do."""
    with app.reading() as opened, opened.begin(writes=False) as tx:
        issue = desk.get(tx, id)
    if as_json:
        console.print_json(issue)
        return
    error = issue.error or {}
    place = "/".join(part for part in (issue.connection, issue.company, issue.object) if part)
    console.pairs({
        "issue": issue.id, "kind": issue.kind, "state": issue.state, "flow": issue.flow, "record": issue.label,
        "key": issue.key, "place": place, "reason": issue.reason, "code": issue.code or error.get("code"),
        "error": error.get("message"), "field": error.get("field"), "request id": error.get("request_id"),
        "since": console.when(issue.opened_at), "tries": issue.attempts, "next try": console.when(issue.next_try_at),
        "waits for": f"{issue.waits_entity} {issue.waits_key}" if issue.waits_key else None,
        "decided": _decided(issue.edited), "closed": issue.closed_reason, "run": issue.run,
    })  # fmt: skip
    _payload(app, issue)
    click.echo()
    click.echo(desk.advice(issue))


def _decided(edited: Any) -> Any:
    if not isinstance(edited, dict):
        return edited
    return ", ".join(f"{name} = {console.show(value)}" for name, value in edited.items())


def _payload(app: App, issue: Issue) -> None:
    payload = issue.payload
    if issue.kind == "conflict" and isinstance(payload, dict):
        click.echo()
        rows = [[name, *_sides(values)] for name, values in payload.items()]
        console.table(["field", "left", "right", "base", "why"], rows, wide="why")
    elif issue.kind == "approval" and isinstance(payload, dict):
        _asked(app, issue.flow, payload)
    elif isinstance(payload, dict) and isinstance(payload.get("fields"), dict):
        click.echo()
        console.table(["field", "value sent"], [[n, console.show(v)] for n, v in payload["fields"].items()])
    elif payload:
        console.pairs({"details": payload})
    if issue.choices and issue.kind not in ("conflict",):
        told = [c["label"] + f" ({c['key']})" if isinstance(c, dict) else str(c) for c in issue.choices]
        console.pairs({"choices": ", ".join(told)})


def _asked(app: App, flow: str, payload: dict[str, Any]) -> None:
    """What would be written once it is approved, for each side."""
    of = app.config.flows.get(flow)
    names = {"left": of.left, "right": " or ".join(of.right)} if of is not None else {}
    for side in ("right", "left"):
        asked = payload.get(side)
        if not isinstance(asked, dict):
            continue
        writes = [(f"{asked['op']} on {names.get(side, side)}", asked["fields"])]
        writes += [(f"{line['op']} a line of {line['collection']}", line["fields"]) for line in asked.get("lines", ())]
        for what, fields in writes:
            click.echo()
            console.table([what, "value"], [[name, console.show(value)] for name, value in fields.items()])


def _sides(values: Any) -> list[str]:
    if not isinstance(values, dict):
        return [console.show(values), "", "", "the value goes back and forth"]
    base = values.get("base_left", values.get("base_right", ""))
    return [console.show(values[n]) if n in values else "" for n in ("left", "right")] + [
        console.show(base) if base != "" else "",
        str(values.get("rule", "")),
    ]


@command.command("retry")
@click.argument("ids", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All open issues.")
@click.option("--flow", help="All open issues of this flow.")
@filters
@click.pass_obj
def retry(
    app: App,
    ids: tuple[int, ...],
    everything: bool,
    flow: str | None,
    kind: tuple[str, ...],
    entity: str | None,
    text: str | None,
) -> None:
    """Try records again in the next sync: those with the IDs, or all that the options pick.

    A create whose answer was lost and that cannot be looked up is only sent again when its ID is given:
    look in the system first.
    """
    picked = everything or flow or kind or entity or text
    if bool(ids) == bool(picked):
        raise click.UsageError("give issue ids, or --all, --flow, --kind, --entity or --text")
    wanted = desk.Retry(ids=list(ids), all=everything, flow=flow, kind=list(kind), entity=entity, text=text)
    _told(app.act(desk.retry, wanted).count, f"to be tried again {app.carried_out()}")


@command.command("edit")
@click.argument("id", type=int)
@click.argument("values", nargs=-1, required=True, metavar="FIELD=VALUE...")
@click.pass_obj
def edit(app: App, id: int, values: tuple[str, ...]) -> None:
    """Send other values than the record has: once, with the next try.

    FIELD is a field of the entity, VALUE is read as the field's type; FIELD= (nothing) empties it.
    The value comes back to the record itself, where the flow may write there.
    """
    given: dict[str, str | None] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"write FIELD=VALUE, not {text!r}", param_hint="FIELD=VALUE")
        given[name] = value
    done = app.act(desk.edit, desk.Edit(id=id, values=given))
    shown = ", ".join(f"{name} = {console.show(value)}" for name, value in done.values.items())
    click.echo(f"issue {id}: {shown}; to be tried {app.carried_out()}")
    if done.stays:
        click.echo(
            f"{', '.join(done.stays)}: not written back to the record itself, so its two sides differ until it is "
            "corrected there"
        )


@command.command("skip")
@click.argument("ids", type=int, nargs=-1, required=True)
@click.option("--reason", required=True, help="Why; kept with the issue.")
@click.pass_obj
def skip(app: App, ids: tuple[int, ...], reason: str) -> None:
    """Close issues without syncing the record; a later change of the record opens a new one."""
    _told(app.act(desk.skip, desk.Skip(ids=list(ids), reason=reason)).count, "skipped")


@command.command("approve")
@click.argument("ids", type=int, nargs=-1, required=True)
@click.pass_obj
def approve(app: App, ids: tuple[int, ...]) -> None:
    """Allow, once, what an approval rule or a guard has stopped; the next sync does it."""
    done = app.act(desk.approve, desk.Approve(ids=list(ids)))
    _told(done.count, f"approved; done {app.carried_out()}")


@command.command("refuse")
@click.argument("ids", type=int, nargs=-1, required=True)
@click.option("--reason", default="refused", show_default=True, help="Why; kept with the issue.")
@click.pass_obj
def refuse(app: App, ids: tuple[int, ...], reason: str) -> None:
    """Refuse what waits for an approval; it is closed and not written."""
    _told(app.act(desk.refuse, desk.Refuse(ids=list(ids), reason=reason)).count, "refused")


@command.command("decide")
@click.argument("id", type=int)
@click.argument("choice", type=click.Choice(desk.CHOICES))
@click.pass_obj
def decide(app: App, id: int, choice: str) -> None:
    """Say what becomes of the counterpart of a record that was deleted.

    delete: delete it too; recreate: make the deleted one again; unlink: keep it and forget the link.
    """
    app.act(desk.decide, desk.Decide(id=id, choice=cast("desk.Choice", choice)))
    click.echo(f"issue {id}: {choice}; done {app.carried_out()}")


def _known(app: App, flow: str | None) -> None:
    if flow is not None:
        app.config.flow(flow)


def _told(count: int, what: str) -> None:
    click.echo(f"{count} {'issue' if count == 1 else 'issues'} {what}")
