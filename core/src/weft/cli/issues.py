"""``weft issues``: records that need a person or a later event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import click

from weft.cli import console
from weft.cli.context import App, user
from weft.errors import ConfigError

if TYPE_CHECKING:
    from weft.state.issues import Issue, IssueState
    from weft.state.tx import Tx

KINDS = ("failed", "waiting", "conflict", "approval", "ambiguous", "review", "delete", "invisible", "config")
DECISIONS = ("delete", "recreate", "unlink")
PAGE = 500


@click.group("issues", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, explain, retry, edit, skip and approve what needs a person.

    Without a further word: the list of open issues. What is decided here is done by the next sync.
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
        issue = get(tx, id)
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
        "decided": issue.edited, "closed": issue.closed_reason, "run": issue.run,
    })  # fmt: skip
    _payload(issue)
    click.echo()
    click.echo(advice(issue))


def _payload(issue: Issue) -> None:
    payload = issue.payload
    if issue.kind == "conflict" and isinstance(payload, dict):
        click.echo()
        rows = [[name, *_sides(values)] for name, values in payload.items()]
        console.table(["field", "left", "right", "base", "why"], rows, wide="why")
    elif isinstance(payload, dict) and isinstance(payload.get("fields"), dict):
        click.echo()
        console.table(["field", "value sent"], [[n, console.show(v)] for n, v in payload["fields"].items()])
    elif payload:
        console.pairs({"details": payload})
    if issue.choices and issue.kind not in ("conflict",):
        told = [c["label"] + f" ({c['key']})" if isinstance(c, dict) else str(c) for c in issue.choices]
        console.pairs({"choices": ", ".join(told)})


def _sides(values: Any) -> list[str]:
    if not isinstance(values, dict):
        return [console.show(values), "", "", "the value goes back and forth"]
    base = values.get("base_left", values.get("base_right", ""))
    return [console.show(values[n]) if n in values else "" for n in ("left", "right")] + [
        console.show(base) if base != "" else "",
        str(values.get("rule", "")),
    ]


def advice(issue: Issue) -> str:
    """What a person can do about an issue."""
    if issue.state != "open":
        return "nothing is left to do"
    by_kind = {
        "conflict": f"weft conflicts resolve {issue.id} --all left|right, or --field NAME=left|right",
        "delete": f"weft issues decide {issue.id} {'|'.join(DECISIONS)}",
        "approval": f"weft issues approve {issue.id}, or weft issues refuse {issue.id}",
        "ambiguous": f"merge the duplicates, or: weft links add {issue.flow} LEFT-KEY RIGHT-KEY",
        "waiting": f"it goes on by itself once what it waits for is linked; weft issues retry {issue.id} tries at once",
        "invisible": f"give weft's user the right to read the record, then: weft issues retry {issue.id}",
    }
    if issue.code == "rerouted":
        return f"change the record back, or let it move by: weft links remove {issue.link_id}"
    if _unsearchable(issue):
        return (
            f"look in the system. Is the record there: weft links add {issue.flow} LEFT-KEY RIGHT-KEY. "
            f"Is it not: weft issues retry {issue.id}"
        )
    other = (
        f"correct the record in its system, or: weft issues edit {issue.id} FIELD=VALUE, "
        f"weft issues retry {issue.id}, weft issues skip {issue.id} --reason …"
    )
    return by_kind.get(issue.kind, other)


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
    _known(app, flow)
    with app.acting() as opened, opened.begin() as tx:
        now = app.now()
        for id in ids:
            if _unsearchable(is_open(get(tx, id))):
                tx.issues.edit(id, {"retry": True}, now)
        chosen = list(ids) or [issue.id for issue in every(tx, flow=flow, kind=kind, entity=entity, text=text)]
        count = tx.issues.retry(chosen, now)
    _told(count, "to be tried again by the next weft sync")


@command.command("edit")
@click.argument("id", type=int)
@click.argument("values", nargs=-1, required=True, metavar="FIELD=VALUE...")
@click.pass_obj
def edit(app: App, id: int, values: tuple[str, ...]) -> None:
    """Send other values than the record has: once, with the next try.

    FIELD is a field of the entity, VALUE is read as the field's type; FIELD= (nothing) empties it.
    """
    from weft.model.catalogue import Catalogue

    with app.acting() as opened, opened.begin() as tx:
        issue = is_open(get(tx, id))
        if issue.kind in ("conflict", "delete", "approval", "ambiguous"):
            raise ConfigError(f"issue {id} is {issue.kind}; {advice(issue)}")
        catalogue = Catalogue.of(app.plugins(app.config.kinds()), app.config)
        given = parsed(values, catalogue.get(issue.entity))
        tx.issues.edit(id, {**(issue.edited or {}), **given}, app.now())
    shown = ", ".join(f"{name} = {console.show(value)}" for name, value in given.items())
    click.echo(f"issue {id}: {shown}; to be tried by the next weft sync")


def parsed(values: Sequence[str], entity: Any) -> dict[str, Any]:
    """``field=value`` as canonical values.

    :raises ConfigError: an unknown field, or a value that is not of the field's type.
    """
    from weft.cli.typed import typed
    from weft.yamlpos import suggest

    found: dict[str, Any] = {}
    for text in values:
        name, equals, value = text.partition("=")
        field = entity.field(name)
        if not equals:
            raise click.BadParameter(f"write FIELD=VALUE, not {text!r}", param_hint="FIELD=VALUE")
        if field is None:
            raise ConfigError(f"{entity.name} has no field {name!r}{suggest(name, list(entity.fields))}")
        found[name] = typed(field, value)
    return found


@command.command("skip")
@click.argument("ids", type=int, nargs=-1, required=True)
@click.option("--reason", required=True, help="Why; kept with the issue.")
@click.pass_obj
def skip(app: App, ids: tuple[int, ...], reason: str) -> None:
    """Close issues without syncing the record; a later change of the record opens a new one."""
    with app.acting() as opened, opened.begin() as tx:
        for id in ids:
            is_open(get(tx, id))
        count = tx.issues.close_many(ids, at=app.now(), reason=f"{reason} (by {user()})", state="skipped")
    _told(count, "skipped")


@command.command("approve")
@click.argument("ids", type=int, nargs=-1, required=True)
@click.pass_obj
def approve(app: App, ids: tuple[int, ...]) -> None:
    """Allow, once, what an approval rule or a guard has stopped; the next sync does it."""
    _answer(app, ids, "granted")


@command.command("refuse")
@click.argument("ids", type=int, nargs=-1, required=True)
@click.option("--reason", default="refused", show_default=True, help="Why; kept with the issue.")
@click.pass_obj
def refuse(app: App, ids: tuple[int, ...], reason: str) -> None:
    """Refuse what waits for an approval; it is closed and not written."""
    _answer(app, ids, "refused", reason)


def _answer(app: App, ids: Sequence[int], answer: Any, reason: str = "") -> None:
    by, now = user(), app.now()
    with app.acting() as opened, opened.begin() as tx:
        for id in ids:
            issue = is_open(get(tx, id))
            subject = issue.payload.get("subject") if isinstance(issue.payload, dict) else None
            if issue.kind != "approval" or not subject:
                raise ConfigError(f"issue {id} is {issue.kind}, it waits for no approval; {advice(issue)}")
            if not tx.guards.answer(issue.flow, str(subject), answer, by, now):
                raise ConfigError(
                    f"issue {id}: the question is no longer open; run weft sync {issue.flow} to ask again"
                )
            if answer == "refused":
                tx.issues.close_many([id], at=now, reason=f"{reason} (by {by})", state="skipped")
            elif issue.key and issue.side:
                tx.issues.retry([id], now)
            else:  # a guard stopped the whole flow: no record is to be looked at again, the flow goes on
                tx.issues.close_many([id], at=now, reason=f"approved by {by}")
    _told(len(ids), "approved; the next weft sync goes on" if answer == "granted" else "refused")


@command.command("decide")
@click.argument("id", type=int)
@click.argument("choice", type=click.Choice(DECISIONS))
@click.pass_obj
def decide(app: App, id: int, choice: str) -> None:
    """Say what becomes of the counterpart of a record that was deleted.

    delete: delete it too; recreate: make the deleted one again; unlink: keep it and forget the link.
    """
    with app.acting() as opened, opened.begin() as tx:
        issue = is_open(get(tx, id))
        if issue.kind != "delete":
            raise ConfigError(f"issue {id} is {issue.kind}, not about a deleted record; {advice(issue)}")
        tx.issues.edit(id, {"choice": choice}, app.now())
    click.echo(f"issue {id}: {choice}; done by the next weft sync")


def _unsearchable(issue: Issue) -> bool:
    """A create in doubt that no key finds: a person who names the issue says that it did not happen."""
    return issue.code == "in_doubt" and issue.choices == ["retry"]


# -- shared ----------------------------------------------------------------------------------------


def get(tx: Tx, id: int) -> Issue:
    """An issue by id. :raises ConfigError: there is none."""
    issue = tx.issues.get(id)
    if issue is None:
        raise ConfigError(f"there is no issue {id}; weft issues lists those that are open")
    return issue


def is_open(issue: Issue) -> Issue:
    """The issue, if it still is open. :raises ConfigError: what closed it."""
    if issue.state != "open":
        raise ConfigError(f"issue {issue.id} is {issue.state} already: {issue.closed_reason or 'no reason was given'}")
    return issue


def every(
    tx: Tx, *, flow: str | None = None, kind: Sequence[str] = (), entity: str | None = None, text: str | None = None
) -> list[Issue]:
    """All open issues that these filters pick."""
    found: list[Issue] = []
    while True:
        after = found[-1].id if found else 0
        page = tx.issues.page(after_id=after, limit=PAGE, flow=flow, kind=list(kind) or None, entity=entity, text=text)
        found += page
        if len(page) < PAGE:
            return found


def _known(app: App, flow: str | None) -> None:
    if flow is not None:
        app.config.flow(flow)


def _told(count: int, what: str) -> None:
    click.echo(f"{count} {'issue' if count == 1 else 'issues'} {what}")
