"""The files in deploy/: systemd takes the unit, the container files fit together, the sample configuration loads;
the runbook knows every alert and issue, and every command it names is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import click
import pytest
import yaml

from weft.alerts.wording import _KINDS
from weft.cli.context import App
from weft.cli.root import LAZY, cli
from weft.config.jobs import Jobs
from weft.config.loading import load
from weft.config.watching import About
from weft.errors import ConfigError, StateDown
from weft.state.workers import LeaseLost

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "weft.service"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit_and_finds_little_exposed(tmp_path: Path) -> None:
    unit = tmp_path / "weft.service"
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/weft/bin/weft", "/bin/true"), "utf-8")
    checked = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60, check=False
    )
    assert (checked.returncode, checked.stderr + checked.stdout) == (0, "")
    asked = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=25", unit]
    rated = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert rated.returncode == 0, rated.stdout[-300:] + rated.stderr


def test_the_unit_stops_gracefully_and_does_not_retry_a_mistake() -> None:
    settings = dict(line.split("=", 1) for line in UNIT.read_text("utf-8").splitlines() if re.match(r"\w+=", line))
    assert settings["KillSignal"] == "SIGTERM"
    assert int(settings["TimeoutStopSec"]) > Jobs().drain.total_seconds()
    assert settings["RestartPreventExitStatus"] == "2" == str(ConfigError.exit_code)
    for passing in (LeaseLost, StateDown):  # it is started again, however often
        assert passing.exit_code not in (0, 2)
    assert settings["StartLimitIntervalSec"] == "0"
    assert settings["ExecStart"].endswith(" run")


def test_images_are_named_without_a_registry() -> None:
    images = [service["image"] for service in COMPOSE["services"].values()]
    images += re.findall(r"^FROM (\S+)", (DEPLOY / "Containerfile").read_text("utf-8"), re.M)
    assert {"postgres:16", "python:3.11-slim", "weft"} == set(images)
    assert not any("/" in image for image in images)


def test_the_compose_file_fits_together() -> None:
    weft, database = COMPOSE["services"]["weft"], COMPOSE["services"]["database"]
    assert (DEPLOY / weft["build"]["context"] / weft["build"]["dockerfile"]).resolve() == DEPLOY / "Containerfile"
    assert set(weft["secrets"]) | set(database["secrets"]) == set(COMPOSE["secrets"])
    assert weft["depends_on"]["database"]["condition"] == "service_healthy"
    assert database["healthcheck"]["test"]
    assert weft["stop_grace_period"] == "3m"
    mounted = {line.split(":")[1] for line in weft["volumes"]}
    assert mounted == set(re.findall(r"WEFT_CONFIG=(\S+)", (DEPLOY / "Containerfile").read_text("utf-8")))
    assert weft["read_only"] is True


def test_the_sample_configuration_loads_and_uses_what_compose_provides() -> None:
    pytest.importorskip("weft_creatio")
    config = load(DEPLOY / "weft.yaml")
    text = (DEPLOY / "weft.yaml").read_text("utf-8")
    assert set(re.findall(r"/run/secrets/(\w+)", text)) == set(COMPOSE["services"]["weft"]["secrets"])
    assert "@database/weft" in config.state
    environment = COMPOSE["services"]["database"]["environment"]
    assert f"//{environment['POSTGRES_USER']}:" in config.state
    assert config.state.endswith(environment["POSTGRES_DB"])


def test_what_the_container_copies_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+)", (DEPLOY / "Containerfile").read_text("utf-8"), re.M)
    assert copied
    assert all((ROOT / name).exists() for name in copied)
    extras = re.search(r"core\[([\w,]+)\]", (DEPLOY / "Containerfile").read_text("utf-8"))
    assert extras is not None
    declared = (ROOT / "core/pyproject.toml").read_text("utf-8")
    assert all(f"\n{extra} = [" in declared for extra in extras[1].split(","))


# -- the runbook -----------------------------------------------------------------------------------------

RUNBOOK = (ROOT / "docs/operations.md").read_text("utf-8")


def test_the_runbook_knows_every_alert_and_every_issue() -> None:
    for about in get_args(About):
        assert f"\n| `{about}` |" in RUNBOOK
    issues = RUNBOOK.split("### Issues by kind")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", issues, re.M)) == set(_KINDS)


def test_every_command_in_the_runbook_is_there() -> None:
    named = set(re.findall(r"(?:^|[ `/])weft (?:-c \S+ )?((?:[a-z]+ ?)+)", RUNBOOK, re.M))
    context = click.Context(cli, info_name="weft", obj=App())
    words = {tuple(words.split()[:2]) for words in named}
    checked = 0
    for first, *rest in words:
        if first not in LAZY or first == "run":
            continue
        command = cli.get_command(context, first)
        assert command is not None
        checked += 1
        if rest and isinstance(command, click.Group) and re.search(rf"`weft {first} {rest[0]}", RUNBOOK):
            assert rest[0] in command.commands, f"weft {first} {rest[0]}"
    assert checked >= 10
