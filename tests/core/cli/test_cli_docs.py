"""docs/commands.md describes each command and option, and generated connectors work."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from weft.cli.context import App
from weft.cli.page import commands_page
from weft.cli.root import cli

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"


def every() -> Iterator[tuple[str, click.Command]]:
    """All commands of core by their whole name."""
    context = click.Context(cli, info_name="weft", obj=App())

    def walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        yield path, command
        if isinstance(command, click.Group):
            for name, inner in command.commands.items():
                yield from walk(f"{path} {name}", inner)

    for name in cli.lazy:
        found = cli.get_command(context, name)
        assert found is not None
        yield from walk(f"weft {name}", found)


def test_the_page_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == commands_page(), "run: python -m weft.cli.page > docs/commands.md"


@pytest.mark.parametrize(("path", "command"), list(every()), ids=lambda one: one if isinstance(one, str) else "")
def test_each_command_and_option_is_described(path: str, command: click.Command) -> None:
    page = PAGE.read_text(encoding="utf-8")
    heading = f"# {path}\n"
    assert heading in page
    section = re.split(r"\n##+ ", page.split(heading, 1)[1], maxsplit=1)[0]
    assert command.help
    assert command.help.split("\n", 1)[0].strip() in section
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{path} {option.opts[0]} has no help"
            for spelling in option.opts:
                assert f"`{spelling}" in section, f"{path} {spelling}"
        else:
            assert str(option.make_metavar(click.Context(command))).strip("[].") in section


def test_every_command_that_prints_data_has_json() -> None:
    printing = {"weft check", "weft plan", "weft sync", "weft status", "weft verify", "weft plugins", "weft journal",
                "weft journal verify", "weft issues list", "weft issues show", "weft conflicts list",
                "weft conflicts show", "weft links list", "weft links show",
                "weft alerts", "weft backup", "weft restore", "weft prune", "weft doctor"}  # fmt: skip
    with_json = {path for path, command in every() for option in command.params if "--json" in option.opts}
    assert printing <= with_json


# -- new-connector -----------------------------------------------------------------------------------


def test_a_generated_connector_passes_its_tests_at_once(shop: Any) -> None:
    target = shop.folder / "made"
    told = shop.run("new-connector", "acme-erp", "--dir", str(target), "--title", "Acme ERP").output
    assert "src/weft_acme_erp/connector.py" in told
    project = tomllib.loads((target / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["entry-points"]["weft"] == {"acme_erp": "weft_acme_erp.connector"}
    assert not [path for path in target.rglob("*") if path.is_file() and "@@" in path.read_text("utf-8")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(target)],
        capture_output=True, text=True, timeout=200, cwd=target, check=False,
        env={"PYTHONPATH": str(target / "src"), "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    passed = int(done.stdout.rsplit(" passed", 1)[0].rsplit(maxsplit=1)[-1])
    assert passed >= 40, done.stdout


def test_a_generated_connector_builds_as_a_wheel_with_its_mappings(shop: Any) -> None:
    pytest.importorskip("hatchling")
    target = shop.folder / "made"
    shop.run("new-connector", "acme", "--dir", str(target))
    code = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, str(shop.folder)], cwd=target, capture_output=True, text=True,
                          timeout=120, check=True)  # fmt: skip
    import zipfile

    names = zipfile.ZipFile(shop.folder / done.stdout.split()[-1]).namelist()
    assert "weft_acme/maps/customer.yaml" in names
    assert "weft_acme/connector.py" in names


@pytest.mark.parametrize(
    ("name", "told"),
    [("Acme ERP", "is no name of"), ("1st", "is no name of a connector"), ("memcrm", "is installed already")],
)
def test_a_name_that_will_not_do_is_refused(shop: Any, name: str, told: str) -> None:
    target = shop.folder / "made"
    assert told in shop.run("new-connector", name, "--dir", str(target), code=2).output
    assert not target.exists()


def test_nothing_is_overwritten(shop: Any) -> None:
    (shop.folder / "made").mkdir()
    (shop.folder / "made" / "precious.txt").write_text("mine")
    assert "is not empty" in shop.run("new-connector", "acme", "--dir", str(shop.folder / "made"), code=2).output
