"""A Creatio and a Business Central, served for real, a ``weft.yaml`` that joins them, and the ``weft`` command.

Everything goes the way a user's does: people work in the simulated systems, the command is the real one
over real sockets. Whatever a command prints is kept, and when a test ends, it is searched for secrets
together with the log, the state file and everything else in the folder.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
import yaml
from click.testing import CliRunner, Result
from tests.system.installing import make as make
from tests.system.installing import wheels as wheels

COMPANY = "CRONUS USA, Inc."
CUSTOMER = "03a75490-53e6-df11-971b-001d60e938c6"
"""The account type whose accounts are customers."""
CRM_SECRET = "crm-Pa55word-7f3b9c"
ERP_SECRET = "erp~client~secret-41aa9e"
ERP_CLIENT = "3d0f7f52-2a8c-4c0e-9f0e-6f2d8d1b7a10"

CONFIG: dict[str, Any] = {
    "state": "sqlite:///weft.db",
    "log": {"level": "debug", "file": "weft.log"},
    "connections": {
        "crm": {
            "kind": "creatio",
            "retry_attempts": 2,
            "retry_base": 0.001,
            "retry_patience": 0.05,
            "auth": {"username": "Supervisor", "password": "${env:BAD_INPUT_CRM}"},
        },
        "erp": {
            "kind": "bc",
            "company": COMPANY,
            "retry_attempts": 2,
            "retry_patience": 0.05,
            "settle_seconds": 2,
            "auth": {"client_id": ERP_CLIENT, "client_secret": "${env:BAD_INPUT_ERP}"},
        },
    },
    "flows": {
        "customers": {
            "entity": "customer",
            "between": ["crm", "erp"],
            "variants": {"crm": ["account"]},
            "owner": "crm",
            "fields": {"credit_limit": "erp", "payment_terms": "erp", "currency": "erp"},
            "first_differences": "owner",
        }
    },
    # Tax is Business Central's own affair in these tests.
    "mappings": {"erp": {"customer": {"default": {"fields": {"taxAreaId": None, "taxLiable": None}}}}},
}


@dataclass
class Clock:
    """Weft's clock: the real time, and what a test skipped."""

    skipped: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skipped


@dataclass
class Ran:
    """One call of the command. ``text`` is what a person saw, both streams."""

    args: tuple[str, ...]
    code: int
    out: str
    text: str

    def __str__(self) -> str:
        return f"weft {' '.join(self.args)} -> {self.code}\n{self.text}"

    def says(self, *pieces: str) -> None:
        """Every piece stands somewhere in what was printed."""
        flat = " ".join(self.text.split())
        for piece in pieces:
            assert piece in flat, f"{piece!r} is missing in:\n{self}"


@dataclass
class Pair:
    """Both systems and the command. ``config`` may be changed before :meth:`weft`, it is written each time."""

    folder: Path
    crm: Any
    erp: Any
    served: Any
    config: dict[str, Any]
    clock: Clock = field(default_factory=Clock)
    ran: list[Ran] = field(default_factory=list)
    secrets: set[str] = field(default_factory=lambda: {CRM_SECRET, ERP_SECRET})

    # -- weft

    @property
    def yaml(self) -> Path:
        return self.folder / "weft.yaml"

    @property
    def state(self) -> Path:
        return self.folder / "weft.db"

    def write(self) -> None:
        """Write ``config`` into weft.yaml."""
        self.yaml.write_text(yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True), encoding="utf-8")

    def line(self, text: str) -> str:
        """``weft.yaml:7:``, of the first line that holds this text."""
        lines = self.yaml.read_text(encoding="utf-8").splitlines()
        return f"weft.yaml:{next(n for n, line in enumerate(lines, 1) if text in line)}:"

    def weft(self, *args: str, code: int | Sequence[int] | None = 0, write: bool = True) -> Ran:
        """The real command in this process; ``code`` is the exit code (or codes) it must end with."""
        from weft.cli.context import App
        from weft.cli.root import cli

        if write:
            self.write()
        app = App(clock=self.clock)
        try:
            result: Result = CliRunner().invoke(cli, ["-c", str(self.yaml), *args], obj=app)
        finally:
            app.close()
        ran = Ran(args, result.exit_code, result.stdout, result.output)
        self.ran.append(ran)
        failed = result.exception is not None and not isinstance(result.exception, SystemExit)
        assert not failed, f"{ran}\nended with {result.exception!r}"
        allowed = (code,) if isinstance(code, int) else code
        assert allowed is None or ran.code in allowed, str(ran)
        return ran

    def json(self, *args: str, code: int | Sequence[int] | None = 0) -> Any:
        return json.loads(self.weft(*args, "--json", code=code).out)

    def issues(self, **expected: Any) -> list[dict[str, Any]]:
        """Open issues; with keywords, those whose fields are so."""
        found = self.json("issues", "list")
        return [one for one in found if all(one[name] == value for name, value in expected.items())]

    def wait(self, seconds: float) -> None:
        """Time passes for weft and for both systems."""
        self.clock.skipped += timedelta(seconds=seconds)
        for sim in (self.crm, self.erp):
            self.served.call(lambda sim=sim: sim.clock.advance(seconds))

    # -- people

    def account(self, name: str, **values: Any) -> str:
        """Somebody types a customer into Creatio; returns its Id."""
        person = self.crm.as_user()
        return str(self.served.call(lambda: person.create("Account", {"Name": name, "TypeId": CUSTOMER, **values})))

    def edit_account(self, key: str, **values: Any) -> None:
        self.served.call(lambda: self.crm.as_user().edit("Account", key, values))

    def customer(self, name: str, **values: Any) -> str:
        """Somebody types a customer into Business Central; returns its id."""
        values = {"displayName": name, **values}
        made = self.served.run(lambda: self.erp.command("create", set="customers", values=values))
        return str(made["id"])

    def edit_customer(self, key: str, **values: Any) -> None:
        self.served.run(lambda: self.erp.command("edit", set="customers", key=key, values=values))

    def fault(self, system: str, kind: str, **options: Any) -> Any:
        """Put a fault in force; returns it."""
        from weft.testing.simulator.faults import Fault

        sim = {"crm": self.crm, "erp": self.erp}[system]
        return self.served.call(lambda: sim.faults.add(Fault(kind, **options)))

    def heal(self) -> None:
        """Take all faults away."""
        for sim in (self.crm, self.erp):
            self.served.call(sim.faults.clear)

    # -- what is there

    def accounts(self) -> dict[str, dict[str, Any]]:
        """Customers of Creatio by name; fails when two are called the same."""
        rows = self.served.call(lambda: self.crm.as_user().find("Account"))
        return _by_name([row for row in rows if row["TypeId"] == CUSTOMER], "Name")

    def customers(self) -> dict[str, dict[str, Any]]:
        """Customers of Business Central by name; fails when two are called the same."""
        rows = self.served.run(lambda: self.erp.command("list", set="customers", limit=10_000))
        return _by_name(rows, "displayName")

    def agree(self, *names: str) -> None:
        """A sync ends well, both sides hold exactly these customers once, and weft proves that they agree."""
        self.weft("sync")
        assert set(self.accounts()) == set(self.customers()) == set(names)
        proof = self.weft("verify")
        assert "proven" in proof.out
        self.weft("journal", "verify")

    def writes(self) -> int:
        """How many requests that change something the systems have seen, logins left out."""
        return sum(
            one.method in ("POST", "PATCH", "PUT", "DELETE") and not one.path.endswith(("/$batch", "/Login", "/token"))
            for sim in (self.crm, self.erp)
            for one in sim.request_log
        )

    def untold(self) -> None:
        """No secret, and no token or session ticket that was given for one, stands in anything that was printed
        or is left in the folder."""
        places = {f"the output of weft {' '.join(ran.args)}": ran.text.encode() for ran in self.ran}
        places |= {
            str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file() and path != self.yaml
        }
        tokens = {*self.crm.sessions._tokens, *self.crm.sessions._sessions, *self.erp.entra._tokens}
        spelt = {
            one.encode(): secret
            for secret in self.secrets
            for one in (secret, quote_plus(secret), base64.b64encode(secret.encode()).decode())
        }
        spelt |= {token.encode(): token for token in tokens}
        for place, content in places.items():
            for one, secret in spelt.items():
                assert one not in content, f"{place} holds the secret {secret!r}"


def _by_name(rows: list[dict[str, Any]], column: str) -> dict[str, dict[str, Any]]:
    twice = [name for name, n in Counter(row[column] for row in rows).items() if n > 1]
    assert not twice, f"held more than once: {twice}"
    return {row[column]: row for row in rows}


MakePair = Callable[..., Pair]


@pytest.fixture(scope="session")
def creatio_package() -> Any:
    """weft's package, as a site reads it."""
    from weft_creatio.package.build import BuildOptions, build_archive
    from weft_creatio.package.contents import read_package
    from weft_creatio.package.model import load_model

    return read_package(build_archive(load_model(), BuildOptions()))


@pytest.fixture
def make_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, creatio_package: Any) -> Iterator[MakePair]:
    """``make_pair(crm={"text_too_long": "truncate"}, erp={"companies": [...]})``: options of the simulators."""
    from weft.testing.simulator.serve import serve_in_thread
    from weft_bc.simulator import AUDIENCE, BusinessCentralSimulator
    from weft_creatio.simulator import CreatioSimulator

    monkeypatch.setenv("BAD_INPUT_CRM", CRM_SECRET)
    monkeypatch.setenv("BAD_INPUT_ERP", ERP_SECRET)
    made: list[Pair] = []
    with ExitStack() as stack:

        def make(*, crm: dict[str, Any] | None = None, erp: dict[str, Any] | None = None) -> Pair:
            left = CreatioSimulator.create(records=0, password=CRM_SECRET, **(crm or {}))
            left.installer.apply(creatio_package)
            right = BusinessCentralSimulator.create(
                **{"records": 0, "documents": 0, "companies": [COMPANY], "webhooks": False, **(erp or {})}
            )
            right.entra.add_app(right.config.tenant, ERP_CLIENT, secret=ERP_SECRET, scopes=(AUDIENCE,))
            served = stack.enter_context(serve_in_thread(left, right, right.entra))
            config = json.loads(json.dumps(CONFIG))
            config["connections"]["crm"] |= {"url": served.url(left), "ca_file": served.ca_file}
            config["connections"]["erp"] |= {
                "url": served.url(right),
                "ca_file": served.ca_file,
                "tenant": right.config.tenant,
                "authority": f"{served.url(right.entra)}/{{tenant}}",
            }
            folder = tmp_path / f"pair{len(made)}"
            folder.mkdir()
            pair = Pair(folder, left, right, served, config)
            made.append(pair)
            return pair

        yield make
        for pair in made:
            pair.untold()


@pytest.fixture
def pair(make_pair: MakePair) -> Pair:
    """Both systems without customers."""
    return make_pair()
