"""The top of the ``weft`` command: global options, the list of commands, errors as text."""

from __future__ import annotations

import io
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from weft import __version__
from weft.cli.context import App
from weft.cli.lazy import LazyGroup
from weft.errors import WeftError

LAZY = {
    "demo": ("weft.cli.demo", "Try weft on two simulated systems, without any account"),
    "init": ("weft.cli.init", "Write a commented weft.yaml to start from"),
    "check": ("weft.cli.check", "Check configuration, secrets, connections and mappings; write nothing"),
    "doctor": ("weft.cli.doctor", "Examine everything around weft, and say what helps"),
    "plan": ("weft.cli.plan", "Show exactly what a sync would write to both sides"),
    "sync": ("weft.cli.sync", "Bring flows into agreement once"),
    "run": ("weft.cli.run", "Keep flows in agreement until stopped"),
    "pause": ("weft.cli.pause", "Keep flows from working for a while"),
    "resume": ("weft.cli.resume", "Take a pause back"),
    "status": ("weft.cli.status", "Show how each flow stands and what holds it up"),
    "issues": ("weft.cli.issues", "List, explain, retry, edit, skip and approve what needs a person"),
    "conflicts": ("weft.cli.conflicts", "Decide fields that changed on both sides"),
    "links": ("weft.cli.links", "Look at, add, import and remove links between records"),
    "journal": ("weft.cli.journal", "Search, export and verify the journal"),
    "backup": ("weft.cli.backup", "Write the state to a file, while others work on it"),
    "restore": ("weft.cli.restore", "Restore a backup, into SQLite or PostgreSQL"),
    "prune": ("weft.cli.prune", "Forget what is older than the configuration keeps"),
    "alerts": ("weft.cli.alerts", "Show who is told what, and send a test message"),
    "verify": ("weft.cli.verify", "Read both sides whole and prove that they agree, with totals"),
    "token": ("weft.cli.token", "Make an access token for the API and the dashboard"),
    "plugins": ("weft.cli.plugins", "List installed connectors and what they can do"),
    "schema": ("weft.cli.schema", "Write the JSON Schema of weft.yaml for editors"),
    "simulate": ("weft.cli.simulate", "Run a simulator of a system on this machine"),
    "new-connector": ("weft.cli.new_connector", "Generate the package of a new connector"),
    "completion": ("weft.cli.completion", "Print the completion script of a shell"),
}


class Failure(click.ClickException):
    """An error that a person is told about in words."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click declares it for the class

    def show(self, file: Any = None) -> None:
        click.echo(f"{click.style('error:', fg='red', bold=True)} {self.message}", err=True)


class Root(LazyGroup):
    """Adds the commands of connectors, and turns errors into text and an exit code."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        if found is None and cmd_name in _app(ctx).kinds():
            from weft.cli.connector import group_of

            found = group_of(_app(ctx), cmd_name)
        return found

    def sections(self, ctx: click.Context) -> list[tuple[str, list[tuple[str, str]]]]:
        kinds = [kind for kind in _app(ctx).kinds() if kind not in self.lazy]
        own = [(kind, f"Commands of the connector {kind}") for kind in kinds]
        return [*super().sections(ctx), ("Connectors", own)]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            raise Failure(
                "interrupted; everything that was settled stays, the next run goes on from there", 130
            ) from None
        except Exception as error:
            raise _failure(_app(ctx), error) from error


def _app(ctx: click.Context) -> App:
    return ctx.ensure_object(App)


def _failure(app: App, error: Exception) -> Failure:
    if app.debug:
        text = "".join(traceback.format_exception(error)).rstrip("\n")
        click.echo(app.redactor(text), err=True)
    if isinstance(error, WeftError):
        return Failure(app.redactor(str(error)), error.exit_code)
    if isinstance(error, OSError) and error.filename is not None:
        return Failure(app.redactor(f"{error.filename}: {error.strerror}"), 2)
    more = "" if app.debug else "; --debug shows where it happened"
    return Failure(app.redactor(f"{type(error).__name__}: {error}{more}"), 1)


@click.group(cls=Root, lazy=LAZY, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path),
    envvar="WEFT_CONFIG",
    default=Path("weft.yaml"),
    help="Configuration file; default: weft.yaml in this folder, or $WEFT_CONFIG.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Least severe message shown; default: what the configuration says.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="weft")
@click.pass_context
def cli(ctx: click.Context, config: Path, log_level: str | None, debug: bool) -> None:
    """Keep Creatio CRM and the Microsoft Dynamics family in agreement.

    Start with `weft init`, then `weft check`, `weft plan` and `weft sync`.

    Exit codes: 0 all agreed, 1 finished with issues, 2 usage or configuration error, 3 an endpoint is down.
    """
    app = ctx.ensure_object(App)
    app.config_path, app.log_level, app.debug = config, log_level, debug
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a letter must not end the command
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
