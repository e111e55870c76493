"""The command line acts through the daemon that holds the state; two daemons cannot hold one."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from weft.cli.context import App
from weft.cli.root import cli
from weft.config.loading import load_text
from weft.plugins import Plugins
from weft.server.people import Tokens
from weft.state.runs import Run
from weft.state.store import State


class Terminal:
    """The command line beside a running daemon."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.file = world.folder / "weft.yaml"
        self.file.write_text(world.config, encoding="utf-8")

    def run(self, *args: str, code: int = 0) -> Result:
        plugins = Plugins()
        plugins.register("memcrm", self.world.crm)
        plugins.register("memerp", self.world.erp)
        app = App(given_plugins=plugins)
        try:
            result = CliRunner().invoke(cli, ["-c", str(self.file), *args], obj=app)
        finally:
            app.close()
        assert result.exit_code == code, (args, result.output)
        return result

    def issues(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("issues", "list", "--kind", kind, "--json").stdout)
        return found


@pytest.fixture
def beside(world: Any) -> Iterator[Terminal]:
    terminal = Terminal(world)
    with world.running():
        yield terminal


def test_decisions_go_through_the_daemon(beside: Terminal) -> None:
    socket = beside.world.folder / "weft.db.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    first, second = beside.issues("failed")
    assert "1 issue to be tried again" in beside.run("issues", "retry", str(first["id"])).output
    assert "phone = 77" in beside.run("issues", "edit", str(first["id"]), "phone=77").output
    beside.run("issues", "skip", str(second["id"]), "--reason", "not ours")
    told = beside.run("issues", "skip", str(second["id"]), "--reason", "again", code=2).output
    assert "is skipped already: not ours (by " in told
    [conflict] = beside.issues("conflict")
    assert "phone from the left" in beside.run("conflicts", "resolve", str(conflict["id"]), "--all", "left").output
    assert (
        "is failed, not a conflict"
        in beside.run("conflicts", "resolve", str(first["id"]), "--all", "left", code=2).output
    )
    [approval] = beside.issues("approval")
    assert "approved" in beside.run("issues", "approve", str(approval["id"])).output
    assert (
        "has no field 'phoen', did you mean 'phone'"
        in beside.run("issues", "edit", str(first["id"]), "phoen=1", code=2).output
    )


def test_links_go_through_the_daemon(beside: Terminal) -> None:
    pairs = beside.world.folder / "pairs.csv"
    pairs.write_text("left_key,right_key\nAccounts-0001,Customers-0001\nAccounts-0002,Customers-0009\n", "utf-8")
    told = beside.run("links", "import", "customers", str(pairs), code=1).output
    assert "pairs.csv:3: Accounts-0002 is linked to Customers-0002 already" in told
    assert "0 links imported, 1 were there already" in told
    assert "1 links removed" in beside.run("links", "remove", "5", "--yes").output
    assert "link " in beside.run("links", "add", "customers", "Accounts-0005", "Customers-0005").output


def test_sync_is_done_by_the_daemon(beside: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jobs nobody takes the request: the worker's part is played here."""
    socket = beside.world.folder / "weft.db.sock"
    asked: list[dict[str, Any]] = []

    def work(seconds: float) -> None:
        transport = httpx.HTTPTransport(uds=str(socket))
        with httpx.Client(transport=transport, base_url="http://weft") as daemon:
            asked.append(daemon.get("/api/v1/status").json())
        seen = datetime.now(UTC)
        state = beside.world.state

        def write(tx: Any) -> None:
            for name in ("customers", "products"):
                tx.runs.start(Run(f"run-{name}", name, "changes", seen))
                tx.runs.finish(f"run-{name}", "done", seen, {"updated": 2})
            tx.requests.taken(tx.requests.waiting())

        with state.begin() as tx:
            write(tx)

    monkeypatch.setattr("weft.cli.remote.time.sleep", work)
    reports = json.loads(beside.run("sync", "--json").stdout)
    assert {(one["flow"], one["run"], one["state"]) for one in reports} == {
        ("customers", "run-customers", "done"), ("products", "run-products", "done"),
    }  # fmt: skip
    assert [len(view["requests"]) for view in asked[0]["flows"]] == [1, 1]


def test_a_paused_flow_is_not_waited_for(beside: Terminal) -> None:
    beside.run("pause", "products", "--reason", "stock taking")
    told = beside.run("sync", "products", code=2).output
    assert "products is paused by" in told
    assert "stock taking; weft resume products lets it go on" in told
    beside.run("resume", "products")


def test_a_second_daemon_is_refused_and_a_dead_one_forgotten(world: Any) -> None:
    terminal = Terminal(world)
    with world.running():
        from weft.errors import StateError

        with pytest.raises(StateError, match="is in use by process"):
            State.open(world.state_url)
    assert not (world.folder / "weft.db.sock").exists()
    (world.folder / "weft.db.sock").touch()  # what a killed daemon leaves behind
    first, _ = terminal.issues("failed")
    assert "1 issue to be tried again" in terminal.run("issues", "retry", str(first["id"])).output
    with world.running(lambda runtime: _nothing()):
        assert (world.folder / "weft.db.sock").is_socket()
        terminal.run("issues", "retry", str(first["id"]))


async def _nothing() -> None:
    return None


def test_a_token_is_made_and_lets_in(world: Any, tmp_path: Path) -> None:
    terminal = Terminal(world)
    made = terminal.run("token", "anna", "--role", "operator", "--days", "30")
    token = made.stdout.strip()
    assert token.startswith("weft_")
    written = made.stderr.split("weft.yaml:\n\n")[1]
    assert token not in written
    config = load_text(world.config + written)
    from weft.net.secrets import Redactor

    found = Tokens.of(config, Redactor()).verify(token, datetime.now(UTC))
    assert (found.name, found.role) == ("anna", "operator")
    assert found.until is not None
    assert json.loads(terminal.run("token", "b", "--json").stdout)["role"] == "viewer"
