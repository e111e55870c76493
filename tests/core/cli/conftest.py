"""Two systems in memory, a configuration that joins them, and the command to run on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from weft.cli.context import App
from weft.cli.root import cli
from weft.config.loading import load
from weft.config.secrets import state_url
from weft.plugins import Plugins
from weft.records import Property
from weft.state.store import State
from weft.testing.memory import MemoryObject, MemorySystem

FIELDS = {"Id": "text", "Name": Property("Name", "text", max_length=60), "Phone": "text", "Tax": "text",
          "Number": "text", "Limit": "money", "Currency": "text"}  # fmt: skip

CRM_MAP = """
entity: customer
variant: account
object: Accounts
key: [Id]
match: [[tax_id], [name]]
fields:
  Name: name
  Phone: phone
  Tax: tax_id
  Number: number
  Limit: credit_limit
  Currency: {ref: currency, by: code}
"""
ERP_MAP = """
entity: customer
object: Customers
key: [Id]
match: [[tax_id], [name]]
returns: [number]
fields:
  Name: name
  Phone: phone
  Tax: tax_id
  Number: {from: number, on: read}
  Limit: credit_limit
  Currency: {ref: currency, by: code}
"""
CONFIG = """\
connections:
  crm: {kind: memcrm, token: "${env:CLI_TEST_TOKEN}"}
  erp: {kind: memerp}
flows:
  customers:
    entity: customer
    between: [crm, erp]
    owner: crm
    on_conflict: review
    fields: {number: erp}
"""


@dataclass
class Clock:
    """A clock that a test moves."""

    at: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


@dataclass
class Shop:
    """``run`` is the command line; ``config`` may be rewritten."""

    folder: Path
    crm: MemorySystem
    erp: MemorySystem
    clock: Clock = field(default_factory=Clock)
    runner: CliRunner = field(default_factory=CliRunner)

    @property
    def config(self) -> Path:
        return self.folder / "weft.yaml"

    def add(self, text: str) -> None:
        """Append to the configuration, which ends within the flow ``customers``."""
        self.config.write_text(self.config.read_text("utf-8") + text, encoding="utf-8")

    def plugins(self) -> Plugins:
        plugins = Plugins()
        plugins.register("memcrm", self.crm, "weft-memcrm", "1.2.3")
        plugins.register("memerp", self.erp, "weft-memerp", "0.9")
        return plugins

    def run(self, *args: str, code: int | None = 0, input: str | None = None) -> Result:
        app = App(given_plugins=self.plugins(), clock=self.clock)
        try:
            result = self.runner.invoke(cli, ["-c", str(self.config), *args], obj=app, input=input)
        finally:
            app.close()
        assert code is None or result.exit_code == code, (args, result.exit_code, result.output)
        return result

    def json(self, *args: str, code: int | None = 0) -> Any:
        return json.loads(self.run(*args, "--json", code=code).stdout)

    def state(self) -> State:
        return State.open(state_url(load(self.config, self.plugins())), create=False)


@pytest.fixture
def make_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Shop]:
    """A shop whose systems are given or the usual ones; the CRM asks for a token."""
    monkeypatch.setenv("CLI_TEST_TOKEN", "tok-en-5f3a9c")

    def make(*, config: str = CONFIG, **more: Any) -> Shop:
        crm = MemorySystem([MemoryObject("Accounts", FIELDS)], CRM_MAP, title="Memory CRM", token="tok-en-5f3a9c")
        numbers = {"Number": "C{:05d}".format}
        erp = MemorySystem([MemoryObject("Customers", FIELDS, assigns=numbers)], ERP_MAP, title="Memory ERP")
        shop = Shop(tmp_path, more.get("crm", crm), more.get("erp", erp))
        shop.crm.clock = shop.erp.clock = shop.clock.now
        shop.config.write_text(config, encoding="utf-8")
        return shop

    return make


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop()
