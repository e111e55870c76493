"""`weft creatio package`, through the command users type."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from weft.cli.root import cli
from weft.testing.simulator import serve_in_thread
from weft_creatio.simulator import CreatioSimulator

CONFIG = """
connections:
  crm:
    kind: creatio
    url: {url}
    ca_file: {ca}
    auth: {{username: Supervisor, password: "{password}"}}
  other:
    kind: bc
    tenant: contoso.example
    auth: {{client_id: a, client_secret: b}}
"""


def run(folder, *arguments):
    return CliRunner().invoke(cli, ["--config", str(folder / "weft.yaml"), "creatio", "package", *arguments])


@pytest.fixture
def site(tmp_path):
    sim = CreatioSimulator.create(0, 7)
    with serve_in_thread(sim) as served:
        text = CONFIG.format(url=served.url(sim), ca=served.ca_file, password="Supervisor")
        (tmp_path / "weft.yaml").write_text(text, encoding="utf-8")
        yield sim, tmp_path


def test_the_package_is_installed_on_a_connection(site):
    sim, folder = site
    result = run(folder, "--install", "crm")
    assert result.exit_code == 0, result.output
    assert {"UsrPayment", "UsrWeftOutbox"} <= set(sim.site.model.entities)
    assert "UsrTaxId" in sim.site.model.entities["Account"].columns


def test_weft_check_tells_of_a_missing_package_instead_of_each_column(site):
    _, folder = site
    path = folder / "weft.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["connections"]["other"] = {**config["connections"]["crm"], "package": False}
    config["flows"] = {"c": {"entity": "customer", "between": ["crm", "other"]}}
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    checked = CliRunner().invoke(cli, ["--config", str(folder / "weft.yaml"), "check", "--json"])
    found = [one for one in json.loads(checked.stdout)["findings"] if one["level"] == "error"]
    assert [(one["about"], one["message"][:34]) for one in found] == [("c: crm", "weft's package is not installed on")]
    assert "weft creatio package --install crm" in found[0]["suggestion"]


def test_wrong_connections_and_passwords_are_told(site):
    _, folder = site
    assert "crm" in run(folder, "--install", "cmr").output
    assert "not creatio" in run(folder, "--install", "other").output
    path = folder / "weft.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace('"Supervisor"', '"not-this-one"'), encoding="utf-8")
    refused = run(folder, "--install", "crm")
    assert refused.exit_code == 2
    assert "incorrect password" in refused.output
    assert "not-this-one" not in refused.output


def test_the_list_needs_no_configuration(tmp_path):
    result = run(tmp_path, "--list")
    assert result.exit_code == 0
    assert "UsrPayment" in result.output
