"""``weft verify``: read both sides whole and prove that they agree."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from weft.cli import console
from weft.cli.context import App

if TYPE_CHECKING:
    from weft.state.store import State
    from weft.sync.verify import Agreement

COUNTS = ("agree", "differ", "only_left", "only_right", "not_compared")
WORDS = {"only_left": "only left", "only_right": "only right", "not_compared": "not compared"}


@click.command("verify")
@click.argument("flows", nargs=-1, metavar="[FLOW]...")
@click.option(
    "--samples",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Records shown of each flow that do not agree.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the proof as JSON.")
@click.pass_context
def command(ctx: click.Context, flows: tuple[str, ...], samples: int, as_json: bool) -> None:
    """Read both sides whole and compare every linked pair; nothing is written.

    Every record is counted once: agree, differ, only left, only right or not compared, with the reason.
    Amounts are added up per currency, each side's from that side alone. People may go on working: what
    does not agree is read a second time at the end, and told if it still does not. Exit code 1 when anything
    differs, exists on one side only or could not be compared.
    """
    app = ctx.find_object(App) or App()
    found = app.run(_verify(app, flows))
    if as_json:
        console.print_json([{**console.plain(one), "proven": one.proven} for one in found])
    else:
        for one in found:
            _print(one, samples)
    ctx.exit(0 if all(one.proven for one in found) else 1)


async def _verify(app: App, flows: tuple[str, ...]) -> list[Agreement]:
    names = app.flows(flows)
    if app.has_state():
        with app.reading() as state:
            return await _with(app, state, names)
    from weft.state.store import State

    with TemporaryDirectory(prefix="weft-") as folder, State.open(f"sqlite:///{folder}/empty.db") as state:
        return await _with(app, state, names)


async def _with(app: App, state: State, names: list[str] | None) -> list[Agreement]:
    from weft.sync.verify import verify

    progress = console.Progress()
    async with app.runtime(state) as runtime:
        try:
            return await verify(runtime, names, progress=progress)
        finally:
            progress.clear()


def _print(one: Agreement, samples: int) -> None:
    counts = {name: getattr(one, name) for name in COUNTS}
    total = sum(counts.values())
    verdict = click.style("proven", fg="green") if one.proven else click.style("not proven", fg="red")
    click.echo(f"{click.style(one.flow, bold=True)}: {verdict}, {total} records, {console.when(one.proved_at)}")
    click.echo("  " + ", ".join(f"{n} {WORDS.get(name, name)}" for name, n in counts.items()))
    rows = [
        [name, currency, *_money(sides)]
        for name, currencies in sorted(one.totals.items())
        for currency, sides in sorted(currencies.items())
    ]
    if rows:
        console.table(
            ["total of", "currency", "left", "right", "difference"], rows, right=["left", "right", "difference"]
        )
    for reason, count in one.reasons.most_common():
        click.echo(f"  not compared: {count} x {console.clean(reason)}")
    for sample in one.samples[:samples]:
        keys = " <-> ".join(key for key in (sample.left_key, sample.right_key) if key)
        name = console.clean(f"{sample.label} ({keys})")
        why = console.clean(f": {sample.reason}") if sample.reason else ""
        click.echo(f"  {click.style(WORDS.get(sample.status, sample.status), fg='yellow')}  {name}{why}")
        for field, sides in sample.fields.items():
            left, right = (console.show(sides[s]) if s in sides else "" for s in ("left", "right"))
            click.echo("      " + console.clean(f"{field}: {left} | {right}"))
    hidden = sum(counts[name] for name in COUNTS[1:]) - min(len(one.samples), samples)
    if hidden > 0:
        click.echo(f"  … and {hidden} more that do not agree")


def _money(sides: Any) -> list[str]:
    from decimal import Decimal

    left, right = sides.get("left", Decimal(0)), sides.get("right", Decimal(0))
    amounts = (left, right, left - right)
    places = max(2, *(-int(amount.as_tuple().exponent) for amount in amounts))
    return [f"{amount:,.{places}f}" for amount in amounts]
