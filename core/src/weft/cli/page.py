"""The page ``docs/commands.md``: ``python -m weft.cli.page > docs/commands.md``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import click

from weft.cli.context import App
from weft.cli.root import LAZY, cli

_INTRO = """\
# Commands

`weft` works on one configuration file (see [configuration](configuration.md)). A first round:

```sh
weft init --crm creatio --erp bc   # writes weft.yaml
weft check                         # configuration, secrets, connections, mappings
weft plan                          # what would be written, to the field
weft sync                          # writes it
weft status                        # how it stands
weft issues                        # what needs a person
weft verify                        # the proof that both sides agree, with totals
```

What people decide (`issues`, `conflicts`, `links`) is stored at once and carried out by the next
`sync`. `plan`, `status`, `verify`, `journal` and every `list` and `show` also work while a sync is
running. Commands that act on a SQLite state do so through the daemon (`weft run`) while it holds the state;
any other process that has it is named.

The pages below are written from the code (`python -m weft.cli.page > docs/commands.md`).

## Exit codes

| Code | Meaning |
|---|---|
| 0 | all agreed, all in order |
| 1 | finished with issues: a record needs a person, sides differ, a chain is broken |
| 2 | usage or configuration: wrong argument, wrong file, missing plugin, state in use |
| 3 | a system does not answer or refuses the login, or the database server of the state is away |
| 130 | interrupted with Ctrl-C |

Errors are one sentence on standard error, in the system's own words where a system said them; secrets
are masked. `--debug` adds the traceback. Data goes to standard output, remarks and progress to standard
error, so `--json` can be piped.
"""

_EXAMPLES = {
    "weft init": "weft init --connection crm=creatio --connection eu=bc --output eu.yaml",
    "weft check": "weft check --offline\nweft check --flow customers --json | jq '.findings[]'",
    "weft plan": "weft plan customers --limit 20",
    "weft sync": "weft sync\nweft sync customers --sweep",
    "weft issues": "weft issues list customers --kind failed\nweft issues edit 17 payment_terms=NET30\n"
    "weft issues retry --kind waiting",
    "weft conflicts": "weft conflicts resolve 12 --field phone=left --field credit_limit=right",
    "weft links": "weft links import customers pairs.csv --dry-run\nweft links export customers -o links.csv",
    "weft journal": "weft journal --key 10000 --since 7d\nweft journal --csv audit.csv --since 2026-01-01\n"
    "weft journal verify",
    "weft doctor": "weft doctor\nweft doctor --json | jq '.findings[] | select(.level != \"ok\")'",
    "weft prune": "weft prune --compact",
    "weft backup": "weft backup /backup/weft-$(date +%F).backup\nweft backup --check /backup/weft-2026-03-02.backup",
    "weft restore": "weft --config on-postgresql.yaml restore weft.backup",
    "weft alerts test": "weft alerts test mail",
    "weft verify": "weft verify orders invoices --json > proof.json",
    "weft token": "weft token anna --role operator --days 90",
    "weft schema": "weft schema -o weft.schema.json",
    "weft simulate": (
        "weft simulate bc --records 500 --port 8443     # prints its CA and a connection to paste\n"
        "CONTROL=https://127.0.0.1:8443/_control/bc\n"
        "curl --cacert CA_FILE $CONTROL/commands             # what people can do in it\n"
        "curl --cacert CA_FILE $CONTROL/command/edit \\\n"
        """  -d '{"set": "customers", "key": "C10001", "values": {"displayName": "Fabrikam"}}'\n"""
        """curl --cacert CA_FILE $CONTROL/faults -d '{"kind": "error_before", "status": 503, "count": 20}'\n"""
        "curl --cacert CA_FILE -X DELETE $CONTROL/faults     # well again"
    ),
    "weft new-connector": "weft new-connector acme-erp\npip install -e './weft-acme-erp[test]' && pytest weft-acme-erp",
}


def commands_page() -> str:
    """The whole page."""
    context = click.Context(cli, info_name="weft", obj=App())
    pieces = [_INTRO, "## Global options\n", "\n".join(_options(cli, context)) + "\n"]
    for name in LAZY:
        found = cli.get_command(context, name) if name in cli.lazy else None
        if found is not None:
            pieces.append("\n".join(_command(found, f"weft {name}", context, "##")))
    pieces.append(
        "## weft KIND …\n\nA connector may bring commands of its own, mounted under its kind: `weft creatio --help`,\n"
        "`weft bc --help`. `weft plugins` says which have some. They are described in the connector's README.\n"
    )
    return "\n".join(pieces)


def _command(command: click.Command, path: str, parent: click.Context, level: str) -> Iterator[str]:
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    yield f"{level} {path}\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```\n{path} {usage}\n```\n"
    yield from _paragraphs(command.help or "")
    if path in _EXAMPLES:
        yield f"```sh\n{_EXAMPLES[path]}\n```\n"
    options = list(_options(command, context))
    if options:
        yield "\n".join(options) + "\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _command(inner, f"{path} {name}", context, level + "#")


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            yield "```\n" + paragraph.removeprefix("\b\n") + "\n```\n"
        else:
            yield paragraph + "\n"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    rows = []
    for option in command.get_params(context):
        if not isinstance(option, click.Option) or "--help" in option.opts:
            continue
        record = option.get_help_record(context)
        if record is not None:
            names, words = record
            shown = ", ".join(f"`{name.strip()}`" for name in names.split(", "))
            rows.append(f"| {shown.replace('|', '&#124;')} | {words.replace('|', '&#124;')} |")
    if rows:
        yield "| Option | Meaning |\n|---|---|"
        yield from rows


if __name__ == "__main__":
    sys.stdout.write(commands_page())
