"""``weft bc …`` against a served environment."""

from __future__ import annotations

import json

from click.testing import CliRunner

from weft.cli.context import App
from weft.testing.simulator import serve_in_process
from weft_bc.commands import bc
from weft_bc.simulator.server import CLIENT_ID, CLIENT_SECRET

CONFIG = """\
state: sqlite:///weft.db
connections:
  erp:
    kind: bc
    url: {url}
    tenant: f0f3a2ee-6c5a-4b0e-9a4f-0d3c5c1f9b6e
    authority: {login}/{{tenant}}
    ca_file: {ca_file}
    auth: {{client_id: {client}, client_secret: "{secret}"}}
flows: {{}}
"""


def test_companies_and_subscriptions(tmp_path, monkeypatch):
    monkeypatch.setenv("BC_SECRET", CLIENT_SECRET)
    with serve_in_process("weft_bc.simulator.server:simulators", {"records": 3}) as served:
        config = tmp_path / "weft.yaml"
        config.write_text(
            CONFIG.format(
                url=served.urls["bc"],
                login=served.urls["entra"],
                ca_file=served.ca_file,
                client=CLIENT_ID,
                secret="${env:BC_SECRET}",
            )
        )
        app = App(config_path=config)
        told = CliRunner().invoke(bc, ["companies", "erp", "--json"], obj=app, catch_exceptions=False)
        assert "CRONUS USA, Inc." in {row["name"] for row in json.loads(told.output)}
        told = CliRunner().invoke(bc, ["subscriptions", "erp", "--json"], obj=app, catch_exceptions=False)
        assert json.loads(told.output) == []
        told = CliRunner().invoke(bc, ["companies", "erp"], obj=app, catch_exceptions=False)
        assert "CRONUS" in told.output
        assert CLIENT_SECRET not in told.output
