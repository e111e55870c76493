"""weft init, check, plugins, schema, simulate, completion, and how fast and how the command fails."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from weft.cli.context import App
from weft.cli.root import cli
from weft.records import Property
from weft.testing.memory import MemoryObject, MemorySystem


def weft(*args: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "weft.cli", *args], capture_output=True, text=True, cwd=cwd, timeout=60,
        env={**os.environ, **env}, check=False,
    )  # fmt: skip


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = ("import sys; sys.argv = ['weft', '--help']\n"
            "from weft.cli import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "heavy = ('pydantic', 'sqlalchemy', 'httpx', 'aiohttp', 'msal', 'yaml', 'asyncio', 'dbos')\n"
            "print('HEAVY', [name for name in heavy if name in sys.modules])")  # fmt: skip
    times = []
    for _ in range(3):  # CPU time: how long it takes on the wall is the machine's affair
        start = os.times()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        end = os.times()
        times.append(end.children_user + end.children_system - start.children_user - start.children_system)
    assert "HEAVY []" in done.stdout
    assert "Bring flows into agreement once" in done.stdout
    assert min(times) < 0.5, times


def test_completion_is_quick_and_complete() -> None:
    start = os.times()
    done = weft(_WEFT_COMPLETE="bash_complete", COMP_WORDS="weft is", COMP_CWORD="1")
    end = os.times()
    took = end.children_user + end.children_system - start.children_user - start.children_system
    assert done.stdout.split() == ["plain,issues"]
    assert took < 1.5, took
    options = weft(_WEFT_COMPLETE="bash_complete", COMP_WORDS="weft issues retry --", COMP_CWORD="3").stdout
    assert "plain,--kind" in options
    for shell in ("bash", "zsh", "fish"):
        assert "_WEFT_COMPLETE" in weft("completion", shell).stdout


def test_errors_are_text_and_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = weft("sync", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: weft.yaml: there is no such file; `weft init` writes one\n"
    done = weft("--debug", "sync", cwd=tmp_path)
    assert "Traceback" in done.stderr
    assert weft("sync", "--nope", cwd=tmp_path).returncode == 2
    assert weft("nonsense", cwd=tmp_path).returncode == 2


def test_a_defect_is_told_without_a_traceback_and_without_secrets(shop: Any) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("no answer to tok-en-5f3a9c")

    shop.crm._all = broken
    told = shop.run("sync", code=1).output
    assert "RuntimeError: no answer to ***" in told
    assert "Traceback" not in told
    told = shop.run("--debug", "sync", code=1).output
    assert "Traceback" in told
    assert "in broken" in told
    assert "tok-en-5f3a9c" not in told


def test_logs_mask_secrets(shop: Any) -> None:
    shop.add("log: {level: debug, file: weft.log, format: json}\n")
    log = logging.getLogger("weft.crm")
    shop.crm.check = lambda *_: log.warning("sent %s", {"password": "hunter22", "token": "tok-en-5f3a9c"})
    shop.erp.put("Customers", Name="Contoso")
    shop.run("sync")
    lines = [json.loads(line) for line in (shop.folder / "weft.log").read_text("utf-8").splitlines()]
    told = next(line for line in lines if line["message"].startswith("sent"))
    assert "hunter22" not in told["message"]
    assert "tok-en-5f3a9c" not in told["message"]
    assert told["level"] == "warning"


# -- init ------------------------------------------------------------------------------------------


def test_init_writes_a_file_that_loads(shop: Any) -> None:
    shop.config.unlink()
    shop.run("init", "--crm", "memcrm", "--erp", "memerp=books")
    text = shop.config.read_text("utf-8")
    assert "between: [crm, books]" in text
    assert "  # contacts:" in text  # not mapped by both
    shop.run("check", "--offline")
    again = shop.run("init", "--crm", "memcrm", "--erp", "memerp", code=2)
    assert "exists already; --force overwrites it" in again.output
    assert shop.config.read_text("utf-8") == text
    shop.run("init", "--force", "--connection", "a=memcrm", "--connection", "b=memerp")
    assert "between: [a, b]" in shop.config.read_text("utf-8")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--connection", "crm"], "write NAME=KIND"),
        (["--connection", "a=memcrm", "--connection", "a=memerp"], "given twice"),
        (["--connection", "a=memcrm", "--crm", "memcrm"], "either by --connection or by --crm and --erp"),
        (["--crm", "memcrm", "--erp", "memerp=crm"], "both connections would be called 'crm'"),
        (["--crm", "memcrn", "--erp", "memerp"], "no connector of kind 'memcrn' is installed; did you mean 'memcrm'"),
    ],
)
def test_init_refuses_what_it_cannot_do(shop: Any, args: list[str], told: str) -> None:
    shop.config.unlink()
    assert told in shop.run("init", *args, code=2).output
    assert not shop.config.exists()


# -- check -----------------------------------------------------------------------------------------


def messages(shop: Any, *args: str, code: int) -> str:
    found = shop.json("check", *args, code=code)
    return "\n".join(
        f"{one['level']} {one['area']} {one['where']} {one['about']} {one['message']} {one['suggestion']}"
        for one in found["findings"]
    )


def test_check_of_what_is_in_order(shop: Any) -> None:
    result = shop.run("check")
    assert "0 errors, 0 warnings" in result.output
    assert "connection crm: opened" in result.output
    assert "flow customers: 6 fields on crm and 6 fields on erp, held against live metadata" in result.output
    assert shop.json("check")["ok"] is True
    assert shop.crm.writes == []
    assert not (shop.folder / "weft.db").exists()


def test_check_holds_mappings_against_live_metadata(make_shop: Any) -> None:
    fields = {"Id": "text", "Name": Property("Name", "text", max_length=20), "Phone": "integer", "Number": "text",
              "Group": Property("Group", "text", required=True)}  # fmt: skip
    text = """
        entity: customer
        object: Customers
        key: [Id]
        fields: {Name: name, Phone: phone, Nmber: number}
        """
    shop = make_shop(erp=MemorySystem([MemoryObject("Customers", fields)], text))
    told = messages(shop, code=2)
    assert "Customers has no field 'Nmber' did you mean 'Number'?" in told
    assert "is of type integer, the canonical field phone is of type text" in told
    assert "Customers.Group is mandatory, and the mapping does not write it" in told
    assert "texts of up to 60 characters may arrive, 20 fit" in told
    assert "Nmber" not in messages(shop, "--offline", code=0)


def test_check_names_every_mistake_of_the_file(shop: Any) -> None:
    text = shop.config.read_text("utf-8")
    shop.config.write_text(text.replace("number: erp", "numbr: erp").replace("[crm, erp]", "[crm, rp]"))
    told = shop.run("check", code=2).output
    assert "weft.yaml:7:20" in told
    assert "there is no connection 'rp', did you mean 'erp'?" in told
    assert "customer has no field 'numbr', did you mean 'number'?" in told


def test_check_tells_secrets_that_weft_run_will_lack(shop: Any) -> None:
    shop.add(
        "webhooks: {erp: {secret: '${env:NO_HOOK}'}}\n"
        "server: {enabled: true, tokens: [{name: anna, token: '${env:NO_TOKEN}'}]}\n"
        "alerts: {channels: {mail: {url: '${env:NO_MAIL}'}}}\n"
    )
    told = shop.run("check", "--offline", code=2).output
    for key, name in (
        ("webhooks.erp.secret", "HOOK"), ("server.tokens.0.token", "TOKEN"), ("alerts.channels.mail.url", "MAIL"),
    ):  # fmt: skip
        assert f"{key}" in told
        assert f"the environment variable NO_{name} is not set" in told


def test_check_tells_missing_and_clear_secrets(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLI_TEST_TOKEN")
    assert "the environment variable CLI_TEST_TOKEN is not set" in messages(shop, "--offline", code=2)
    shop.config.write_text(shop.config.read_text("utf-8").replace("${env:CLI_TEST_TOKEN}", "tok-en-5f3a9c"))
    told = shop.run("check").output
    assert "connections.crm.token: is a secret in clear text" in told
    assert "tok-en-5f3a9c" not in told


def test_check_tells_systems_that_do_not_answer_by_exit_code(shop: Any) -> None:
    shop.erp.down = "closed for stocktaking"
    assert "closed for stocktaking" in messages(shop, code=3)
    shop.add("    when: typ = 'Customer'\n")
    assert "there is no field 'typ', did you mean 'type'?" in messages(shop, "--offline", code=2)


def test_check_tells_rules_with_unknown_fields_and_wrong_plugins(shop: Any) -> None:
    shop.add("    approve: credit_limit > 1000 and\n")
    told = messages(shop, code=2)
    assert f"error rule  customers.approve {shop.config}:11:14: " in told
    assert told.count("Unexpected end of expression") == 1
    shop.config.write_text(shop.config.read_text("utf-8").replace("memerp", "memrep"))
    assert "did you mean 'memerp'?" in messages(shop, code=2)


CIRCLE = """\
connections:
  a: {kind: left}
  b: {kind: right}
flows:
  customers: {entity: customer, between: [a, b]}
  contacts: {entity: contact, between: [a, b]}
"""


def circular(side: str) -> MemorySystem:
    text = """
    entity: customer
    object: Accounts
    key: [Id]
    fields: {Name: name, Main: {ref: contact, from: primary_contact}}
    ---
    entity: contact
    object: People
    key: [Id]
    fields: {Name: name, Account: {ref: customer, from: customer}}
    """
    objects = [
        MemoryObject("Accounts", {"Id": "text", "Name": "text", "Main": "text"}),
        MemoryObject("People", {"Id": "text", "Name": "text", "Account": "text"}),
    ]
    return MemorySystem(objects, textwrap.dedent(text), title=side)


def test_check_tells_circles_and_references_that_nobody_keeps(shop: Any) -> None:
    from weft.plugins import Plugins

    plugins = Plugins()
    for kind in ("left", "right"):
        plugins.register(kind, circular(kind))
    shop.plugins = lambda: plugins
    shop.config.write_text(CIRCLE)
    told = messages(shop, code=0)
    assert "refer to one another in a circle: " in told
    shop.config.write_text(CIRCLE.rsplit("  contacts", 1)[0])
    assert "customer refers to contact, which no enabled flow keeps in agreement" in messages(shop, code=0)


# -- plugins, schema, connector commands, simulate --------------------------------------------------


def test_plugins_lists_what_is_installed_and_what_failed(shop: Any) -> None:
    from weft.plugins import FailedPlugin

    plugins = shop.plugins()
    shop.plugins = lambda: plugins
    result = shop.run("plugins")
    assert "memcrm" in result.output
    assert "1.2.3" in result.output
    shown = shop.run("plugins", "memerp").output
    assert "customer" in shown
    assert "access token, where the system asks for one" in shown
    plugins.failed["bad"] = FailedPlugin("bad", "weft-bad", "1.0", "ImportError: No module named 'zeep'")
    result = shop.run("plugins", code=2)
    assert "bad (weft-bad 1.0) could not be loaded: ImportError: No module named 'zeep'" in result.output
    assert shop.json("plugins", code=2)["failed"][0]["kind"] == "bad"


def test_schema_knows_the_installed_connectors(shop: Any) -> None:
    schema = json.loads(shop.run("schema").stdout)
    assert "memcrm.settings" in schema["$defs"]
    out = shop.folder / "weft.schema.json"
    shop.run("schema", "-o", str(out))
    assert json.loads(out.read_text("utf-8")) == schema


@click.group()
def own_commands() -> None:
    """Commands of a connector in memory."""


@own_commands.command()
@click.pass_obj
def hello(app: Any) -> None:
    click.echo(f"hello from {app.config_path.name}")


def test_a_connectors_own_commands_are_mounted_by_its_kind(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "memcrm_commands", SimpleNamespace(group=own_commands))
    shop.crm.commands = "memcrm_commands:group"
    assert shop.run("memcrm", "hello").output == "hello from weft.yaml\n"
    assert "Commands of the connector memcrm" in shop.run("--help").output
    assert "has no commands of its own" in shop.run("memerp", "hello", code=2).output
    shop.crm.commands = "memcrm_commands:nothing"
    assert "the commands of the connector 'memcrm' cannot be loaded" in shop.run("memcrm", "hello", code=2).output


def test_simulate_says_what_is_missing(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "brings no simulator" in shop.run("simulate", "memcrm", code=2).output
    shop.crm.simulator = "a_module_that_is_not_there:make"
    told = shop.run("simulate", "memcrm", code=2).output
    assert "needs the package 'a_module_that_is_not_there'" in told
    assert "weft[testing]" in told

    def make(records: int = 1) -> list[Any]:
        raise AssertionError("not reached")

    monkeypatch.setitem(sys.modules, "memcrm_simulator", SimpleNamespace(make=make))
    shop.crm.simulator = "memcrm_simulator:make"
    assert (
        "unexpected keyword argument 'colour'"
        in shop.run("simulate", "memcrm", "--option", "colour=red", code=2).output
    )
    assert "write KEY=VALUE" in shop.run("simulate", "memcrm", "--option", "colour", code=2).output


def test_simulate_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    import signal
    import ssl
    import urllib.error
    import urllib.request

    (tmp_path / "sim_of_ours.py").write_text(
        "from weft.testing.simulator import Simulator\n\n"
        "def make(records=1):\n    assert records == 5\n    return Simulator()\n"
    )
    runner = tmp_path / "run.py"
    runner.write_text(
        "from weft.cli.context import App\nfrom weft.cli.root import cli\nfrom weft.plugins import Plugins\n"
        "from weft.testing.memory import MemoryObject, MemorySystem\n"
        "text = 'entity: customer\\nobject: A\\nkey: [Id]\\nfields: {Name: name}\\n'\n"
        "plugins = Plugins()\n"
        "objects = [MemoryObject('A', {'Id': 'text'})]\n"
        "plugins.register('mem', MemorySystem(objects, text, simulator='sim_of_ours:make'))\n"
        "cli(['simulate', 'mem', '--records', '5', '--json'], obj=App(given_plugins=plugins))\n"
    )
    process = subprocess.Popen([sys.executable, str(runner)], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        [url] = told["urls"].values()
        trusted = ssl.create_default_context(cafile=told["ca_file"])
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(f"{url}/nothing", context=trusted, timeout=10)  # noqa: S310
        assert raised.value.code == 404
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_command_works_without_any_connector(tmp_path: Path) -> None:
    from weft.plugins import Plugins

    result = CliRunner().invoke(cli, ["plugins"], obj=App(given_plugins=Plugins()))
    assert result.exit_code == 0
    assert "no connector is installed" in result.output
