"""The example connector, as an author's would be: installed from a wheel, and in this process."""

from __future__ import annotations

import csv
import importlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.system.installing import Environment, Make

from weft.config.loading import load
from weft.config.secrets import state_url
from weft.plugins import Plugins
from weft.runtime import Runtime
from weft.state.store import State
from weft.sync.cycle import Report, sync

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "csv-folder"
COLUMNS = ["id", "name", "type", "tax_id", "email", "phone", "currency", "credit_limit", "active", "notes", "changed"]
YAML = """\
state: sqlite:///weft.db
connections:
  shop: {kind: csvdir, path: "%(folder)s/shop"}
  office: {kind: csvdir, path: "%(folder)s/office", delimiter: ";"}
flows:
  customers: {entity: customer, between: [shop, office], deletes: ask}
mappings:
%(overlays)s
"""
LACKING = ("number", "street", "city", "postal_code", "country")
OVERLAY = "  %s:\n    customer:\n      default:\n        fields: {" + ", ".join(f"{c}: null" for c in LACKING) + "}\n"


@dataclass
class File:
    """A CSV file as a person sees it."""

    path: Path
    delimiter: str

    def read(self) -> dict[str, dict[str, str]]:
        with self.path.open(encoding="utf-8", newline="") as file:
            return {row["name"]: row for row in csv.DictReader(file, delimiter=self.delimiter)}

    def write(self, rows: list[dict[str, str]]) -> None:
        with self.path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, delimiter=self.delimiter, restval="")
            writer.writeheader()
            writer.writerows(rows)

    def edit(self, name: str, **cells: str) -> None:
        rows = self.read()
        rows[name].update(cells)
        self.write(list(rows.values()))

    def drop(self, name: str) -> None:
        self.write([row for row in self.read().values() if row["name"] != name])

    def values(self) -> dict[str, dict[str, str]]:
        """By name, without what is each side's own."""
        own = ("id", "changed")
        return {name: {c: v for c, v in row.items() if c not in own} for name, row in self.read().items()}


@dataclass
class Folders:
    """Two folders and the weft.yaml that joins them."""

    config: Path
    shop: File
    office: File

    def agree(self) -> None:
        assert self.shop.values() == self.office.values()


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    files = {}
    for name, delimiter in (("shop", ","), ("office", ";")):
        (tmp_path / name).mkdir()
        files[name] = File(tmp_path / name / "customers.csv", delimiter)
    config = tmp_path / "weft.yaml"
    overlays = "".join(OVERLAY % name for name in files)
    config.write_text(YAML % {"folder": tmp_path.as_posix(), "overlays": overlays})
    common = {"type": "company", "currency": "EUR", "active": "true"}
    files["shop"].write(
        [
            common | {"id": "1", "name": "Adatum", "tax_id": "DE1", "credit_limit": "1000.10"},
            common | {"id": "2", "name": 'Contoso; Ltd, "North"', "tax_id": "DE2", "notes": "two\r\nlines"},
        ]
    )
    files["office"].write(
        [
            common | {"id": "D-1", "name": "Adatum", "tax_id": "DE1", "email": "info@adatum.example"},
            common | {"id": "D-3", "name": "Fabrikam Żółć", "tax_id": "DE3", "credit_limit": "12345678901234.56"},
        ]
    )
    return Folders(config, files["shop"], files["office"])


# -- in this process -------------------------------------------------------------------------------


@dataclass
class Weft:
    runtime: Runtime

    async def sync(self, **options: Any) -> Report:
        (report, *_) = await sync(self.runtime, **options)
        assert report.error == ""
        return report

    async def issues(self, kind: str) -> list[Any]:
        return await self.runtime.state.read(lambda tx: tx.issues.page(kind=kind))

    async def choose(self, issue: Any, edited: dict[str, Any]) -> None:
        await self.runtime.state.write(lambda tx: tx.issues.edit(issue.id, edited, self.runtime.clock.now()))


@pytest.fixture
def csvdir(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The connector's module, as found without installing it."""
    monkeypatch.syspath_prepend(str(EXAMPLE / "src"))
    return importlib.import_module("weft_csvdir.connector")


@pytest.fixture
def weft(csvdir: Any, folders: Folders) -> Callable[[], Any]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Weft]:
        plugins = Plugins()
        plugins.register("csvdir", csvdir)
        config = load(folders.config, plugins)
        state = State.open(state_url(config))
        try:
            async with Runtime(config, state, plugins) as runtime:
                yield Weft(runtime)
        finally:
            state.close()

    return opened


async def test_first_load_pairs_fills_and_creates(weft: Any, folders: Folders) -> None:
    async with weft() as w:
        report = await w.sync()
    assert report.state == "done"
    assert report.counts["paired"] == 3
    folders.agree()
    shop, office = folders.shop.read(), folders.office.read()
    assert shop["Adatum"]["email"] == "info@adatum.example"
    assert office["Adatum"]["credit_limit"] == "1000.10"
    assert office["Adatum"]["id"] == "D-1"
    assert office['Contoso; Ltd, "North"']["notes"] == "two\r\nlines"
    assert shop["Fabrikam Żółć"]["credit_limit"] == "12345678901234.56"


async def test_a_second_run_changes_nothing(weft: Any, folders: Folders) -> None:
    async with weft() as w:
        await w.sync()
        before = folders.shop.path.read_bytes(), folders.office.path.read_bytes()
        again = await w.sync()
        swept = await w.sync(sweep=True)
    assert again.counts["unchanged"] == swept.counts["unchanged"] == 6
    assert (folders.shop.path.read_bytes(), folders.office.path.read_bytes()) == before


async def test_edits_travel_both_ways_field_by_field(weft: Any, folders: Folders) -> None:
    async with weft() as w:
        await w.sync()
        folders.shop.edit("Adatum", phone="+49 30 1", notes="")
        folders.office.edit("Adatum", credit_limit="7.00")
        folders.office.edit("Fabrikam Żółć", credit_limit="")
        report = await w.sync()
    assert report.state == "done"
    folders.agree()
    assert folders.shop.read()["Adatum"]["credit_limit"] == "7.00"
    assert folders.office.read()["Adatum"]["phone"] == "+49 30 1"
    assert folders.shop.read()["Fabrikam Żółć"]["credit_limit"] == ""


async def test_a_conflict_waits_for_a_person_and_the_rest_goes_on(weft: Any, folders: Folders) -> None:
    async with weft() as w:
        await w.sync()
        folders.shop.edit("Adatum", email="shop@adatum.example", notes="new")
        folders.office.edit("Adatum", email="office@adatum.example")
        report = await w.sync()
        assert report.state == "issues"
        assert folders.office.read()["Adatum"]["notes"] == "new"
        assert folders.office.read()["Adatum"]["email"] == "office@adatum.example"
        (issue,) = await w.issues("conflict")
        assert issue.payload["email"]["left"] == "shop@adatum.example"
        await w.choose(issue, {"email": "right"})
        report = await w.sync()
        assert report.state == "done"
        assert await w.issues("conflict") == []
    folders.agree()
    assert folders.shop.read()["Adatum"]["email"] == "office@adatum.example"


async def test_a_delete_is_asked_about(weft: Any, folders: Folders) -> None:
    async with weft() as w:
        await w.sync()
        folders.shop.drop("Fabrikam Żółć")
        report = await w.sync(sweep=True)
        assert report.state == "issues"
        assert "Fabrikam Żółć" in folders.office.read()
        (issue,) = await w.issues("delete")
        assert issue.choices == ["delete", "recreate", "unlink"]
        await w.choose(issue, {"choice": "delete"})
        report = await w.sync()
        assert report.state == "done"
    folders.agree()
    assert "Fabrikam Żółć" not in folders.office.read()


async def test_a_delete_can_be_undone(weft: Any, folders: Folders) -> None:
    async with weft() as w:
        await w.sync()
        folders.office.drop("Adatum")
        await w.sync(sweep=True)
        (issue,) = await w.issues("delete")
        await w.choose(issue, {"choice": "recreate"})
        await w.sync()
        report = await w.sync()
        assert report.state == "done"
    folders.agree()
    assert folders.office.read()["Adatum"]["credit_limit"] == "1000.10"


async def test_a_lost_file_is_down_and_deletes_nothing(weft: Any, folders: Folders) -> None:
    async with weft() as w:
        await w.sync()
        held = folders.shop.path.read_bytes()
        for content in (None, b"", held[: len(held) // 2 - 5]):
            if content is None:
                folders.shop.path.unlink()
            else:
                folders.shop.path.write_bytes(content)
            (report, *_) = await sync(w.runtime, sweep=True)
            assert (report.state, report.exit_code) == ("down", 3)
            assert len(folders.office.read()) == 3
            assert await w.issues("delete") == []
        folders.shop.path.write_bytes(held)
        assert (await w.sync(sweep=True)).state == "done"


async def test_plan_writes_nothing_and_says_what_it_would(weft: Any, folders: Folders) -> None:
    async with weft() as w:
        before = folders.shop.path.read_bytes(), folders.office.path.read_bytes()
        report = await w.sync(plan_only=True)
        assert (folders.shop.path.read_bytes(), folders.office.path.read_bytes()) == before
    planned = {(p.connection, p.op, p.label) for p in report.planned}
    assert planned == {
        ("shop", "update", "Adatum"),
        ("office", "update", "Adatum"),
        ("shop", "create", "Fabrikam Żółć"),
        ("office", "create", 'Contoso; Ltd, "North"'),
    }


# -- installed from wheels -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(make: Make) -> Environment:
    """An environment with wheels of weft and the example, and nothing else."""
    return make("weft", "weft-csvdir")


def _weft(environment: Environment, config: Path, *words: str, expect: int = 0) -> str:
    done = environment.weft("-c", str(config), *words)
    assert done.returncode == expect, f"{words} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_only_what_is_needed_is_installed(installed: Environment) -> None:
    code = "from importlib.metadata import distributions as d; import json; print(json.dumps([x.name for x in d()]))"
    names = {name.lower() for name in json.loads(installed.run("python", "-c", code).stdout)}
    assert {"weft", "weft-csvdir"} <= names
    assert names.isdisjoint({"zeep", "pyodbc", "dbos", "pytest", "weft-bc", "weft-creatio"})


def test_the_command_lists_the_plugin(installed: Environment) -> None:
    shown = installed.weft("plugins", "--json").stdout
    assert "csvdir" in shown
    assert "weft-csvdir" in shown


def test_the_command_syncs_two_folders(installed: Environment, folders: Folders) -> None:
    _weft(installed, folders.config, "sync")
    folders.agree()
    assert len(folders.shop.read()) == 3

    folders.shop.edit("Adatum", phone="+49 30 1", email="shop@adatum.example")
    folders.office.edit("Adatum", email="office@adatum.example", notes="seen")
    _weft(installed, folders.config, "sync", expect=1)
    assert folders.office.read()["Adatum"]["phone"] == "+49 30 1"
    assert folders.shop.read()["Adatum"]["notes"] == "seen"
    (conflict,) = json.loads(_weft(installed, folders.config, "conflicts", "list", "--json"))
    assert conflict["payload"]["email"]["right"] == "office@adatum.example"
    _weft(installed, folders.config, "conflicts", "resolve", str(conflict["id"]), "--all", "right")
    _weft(installed, folders.config, "sync")
    folders.agree()
    assert folders.shop.read()["Adatum"]["email"] == "office@adatum.example"

    folders.shop.drop("Fabrikam Żółć")
    _weft(installed, folders.config, "sync", "--sweep", expect=1)
    assert "Fabrikam Żółć" in folders.office.read()
    (issue,) = json.loads(_weft(installed, folders.config, "issues", "list", "--kind", "delete", "--json"))
    _weft(installed, folders.config, "issues", "decide", str(issue["id"]), "delete")
    _weft(installed, folders.config, "sync")
    folders.agree()
    assert len(folders.office.read()) == 2
