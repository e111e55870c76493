from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from weft.net.errors import EndpointDown
from weft_creatio.package.build import build_archive
from weft_creatio.package.cli import make_package_command, package_command
from weft_creatio.package.install import read_package
from weft_creatio.package.model import PackageModel, load_model

ROOT = "https://adatum.example/0"


def _run(*args: str, command: Any = package_command) -> Any:
    return CliRunner().invoke(command, list(args))


def test_output_is_the_archive(tmp_path: Path, model: PackageModel) -> None:
    target = tmp_path / "x.gz"
    result = _run("--output", str(target))
    assert result.exit_code == 0
    assert target.read_bytes() == build_archive(model)
    assert "CrtInvoice" in result.stderr
    result = _run("--output", str(target), "--prefix", "Adm", "--version", "3.2.1", "--maintainer", "Adatum")
    contents = read_package(target.read_bytes())
    assert (contents.name, contents.version, contents.maintainer) == ("AdmWeftErp", "3.2.1", "Adatum")


def test_depends_goes_into_the_archive(tmp_path: Path) -> None:
    target = tmp_path / "x.gz"
    uid = "0A0A0A0A-0000-4000-8000-000000000001"
    result = _run("--output", str(target), "--depends", f"CrtOrder={uid}")
    assert "CrtOrder," not in result.stderr
    assert "CrtOrder" in read_package(target.read_bytes()).depends_on


def test_list_as_table_and_as_json() -> None:
    table = _run("--list").stdout.splitlines()
    assert table[0] == f"UsrWeftErp {load_model().version}"
    assert table[2].split() == ["Object", "Kind", "Tracked", "Rows", "Columns"]
    line = next(line for line in table if line.startswith("UsrPaymentStatus "))
    assert line.split()[1:3] == ["lookup", "5"]
    data = json.loads(_run("--list", "--json").stdout)
    account = next(entry for entry in data["objects"] if entry["object"] == "Account")
    assert (account["kind"], account["tracked"]) == ("extends", True)
    limit = next(column for column in account["columns"] if column["name"] == "UsrCreditLimit")
    assert limit["type"] == "Money"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "nothing to do"),
        (("--json", "--output", "x"), "--json goes with --list"),
        (("--install", "crm"), "only available where"),
        (("--list", "--depends", "CrtOrder"), "NAME=UID"),
        (("--list", "--prefix", "u!"), "prefix 'u!'"),
    ],
)
def test_wrong_use_ends_with_2(args: tuple[str, ...], words: str) -> None:
    result = _run(*args)
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.fixture
def site(creatio: Any) -> Any:
    creatio.on("POST", "ServiceModel/", {"success": True, "value": False})
    creatio.on("GET", "ServiceModel/", b"")
    creatio.on("GET", "odata/", {"value": []})
    rows = [{"Name": "CrtInvoice", "UId": "aaaaaaaa-0000-4000-8000-000000000002", "Version": "8.1.0"}]
    creatio.on("GET", "odata/SysPackage", {"value": rows})
    creatio.on("GET", "odata/SysSettingsValue", {"value": [{"TextValue": "Usr"}]})
    return creatio


def _command(site: Any) -> Any:
    @asynccontextmanager
    async def opened(name: str) -> AsyncIterator[tuple[Any, str]]:
        assert name == "crm"
        yield site, ROOT

    return make_package_command(opened)


def test_install_takes_the_sites_packages_as_dependencies(site: Any) -> None:
    result = _run("--install", "crm", command=_command(site))
    assert result.exit_code == 0, result.output
    assert "UsrWeftErp is installed" in result.stdout
    assert "the site has no package CrtBase" in result.stderr
    uploaded = b"".join(
        request.content for request in site.seen("ServiceModel/PackageInstallerService.svc/UploadPackage")
    )
    assert "CrtInvoice" in read_package(uploaded).depends_on


def test_install_compares_the_prefix_first(site: Any) -> None:
    site.on("GET", "odata/SysSettingsValue", {"value": [{"TextValue": "Adm"}]})
    result = _run("--install", "crm", command=_command(site))
    assert result.exit_code == 1
    assert "use --prefix Adm" in result.stderr
    assert site.seen("ServiceModel/") == []


def test_designer_needs_its_package(site: Any) -> None:
    result = _run("--install", "crm", "--via", "designer", "--into", "UsrShop", command=_command(site))
    assert result.exit_code == 1
    assert "no package UsrShop" in result.stderr


def test_an_unreachable_site_ends_with_3(site: Any) -> None:
    site.on("GET", "odata/SysSettingsValue", EndpointDown("adatum.example does not answer"))
    result = _run("--install", "crm", command=_command(site))
    assert result.exit_code == 3
    assert "does not answer" in result.stderr
