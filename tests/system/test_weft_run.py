"""``weft run`` as a process between a Creatio and a Business Central: pushes, a second daemon, an orderly end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

COMPANY = "CRONUS USA, Inc."
CUSTOMER = "03a75490-53e6-df11-971b-001d60e938c6"
SECRETS = {"crm": "creatio-hook-secret-1", "erp": "central-hook-secret-2"}


class Daemon:
    """The process, and both systems as people see them."""

    def __init__(self, folder: Path, crm: Any, erp: Any, served: Any) -> None:
        self.folder, self.crm, self.erp, self.served = folder, crm, erp, served
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self.yaml = folder / "weft.yaml"
        self.process: Any = None

    def configure(self) -> None:
        from weft_bc.simulator import CLIENT_ID, CLIENT_SECRET

        served = self.served
        crm = {"kind": "creatio", "url": served.url(self.crm), "ca_file": str(served.ca_file),
               "auth": {"username": "Integration", "password": "Integration"}}  # fmt: skip
        erp = {"kind": "bc", "url": served.url(self.erp), "authority": f"{served.url(self.erp.entra)}/{{tenant}}",
               "ca_file": str(served.ca_file), "tenant": self.erp.config.tenant, "company": COMPANY,
               "auth": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}}  # fmt: skip
        flow = {"entity": "customer", "between": ["crm", "erp"], "variants": {"crm": ["account"]}, "owner": "crm",
                "on": "webhook"}  # fmt: skip
        document = {
            "state": "sqlite:///weft.db",
            "connections": {"crm": crm, "erp": erp},
            "flows": {"customers": flow},
            "webhooks": {name: {"secret": secret} for name, secret in SECRETS.items()},
            "server": {
                "enabled": True,
                "dashboard": False,
                "listen": self.url.removeprefix("http://"),
                "public_url": self.url,
            },
        }
        self.yaml.write_text(yaml.safe_dump(document))

    def weft(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "weft.cli", "-c", str(self.yaml), *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.weft(*arguments), capture_output=True, text=True, timeout=60, check=False)

    def start(self) -> None:
        with (self.folder / "daemon.log").open("w") as log:
            self.process = subprocess.Popen(self.weft("run"), stdout=log, stderr=log)

    def log(self) -> str:
        return (self.folder / "daemon.log").read_text()

    def until(self, holds: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + 60
        while not holds():
            assert self.process.poll() is None, f"weft run ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"{what} did not happen:\n{self.log()}"
            time.sleep(0.1)

    def accounts(self) -> dict[str, dict[str, Any]]:
        rows = self.served.call(lambda: self.crm.as_user().find("Account", "$top=100"))
        return {row["Name"]: row for row in rows}

    def customers(self, set: str = "customers") -> dict[str, dict[str, Any]]:
        rows = self.served.run(lambda: self.erp.command("list", set=set, company=COMPANY, limit=100))
        return {row["displayName"]: row for row in rows}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    from weft.testing.simulator.serve import serve_in_thread
    from weft_bc.simulator import BusinessCentralSimulator
    from weft_creatio.package.build import BuildOptions, build_archive
    from weft_creatio.package.contents import read_package
    from weft_creatio.package.model import load_model
    from weft_creatio.simulator import CreatioSimulator

    crm = CreatioSimulator.create(records=0)
    crm.installer.apply(read_package(build_archive(load_model(), BuildOptions())))
    erp = BusinessCentralSimulator.create(records=0, documents=0, companies=[COMPANY], notification_delay=0.2)
    with serve_in_thread(crm, erp, erp.entra) as served:
        made = Daemon(tmp_path, crm, erp, served)
        made.configure()
        try:
            yield made
        finally:
            if made.process is not None and made.process.poll() is None:
                made.process.kill()
                made.process.wait()


def test_pushes_from_both_sides_reach_the_other(daemon: Daemon) -> None:
    person = daemon.crm.as_user
    first = daemon.served.call(lambda: person().create("Account", {"Name": "Fabrikam", "TypeId": CUSTOMER}))
    daemon.start()
    daemon.until(lambda: "Fabrikam" in daemon.customers(), "the first load")
    daemon.until(lambda: "pushes changes" in daemon.log() or subscribed(daemon), "the subscription")

    daemon.served.call(lambda: person().edit("Account", first, {"Name": "Fabrikam Inc."}))
    hook = f"{daemon.url}/hooks/crm/"
    told = {"entity": "Account", "id": str(first)}
    assert httpx.post(hook + "a-forged-secret-of-some-length", json=told).status_code == 404
    assert httpx.post(hook + SECRETS["crm"], content=b"<xml/>").status_code == 400
    assert httpx.post(hook + SECRETS["crm"], json=told).status_code == 200
    daemon.until(lambda: "Fabrikam Inc." in daemon.customers(), "the push from Creatio")

    key = daemon.customers()["Fabrikam Inc."]["id"]
    change = {"set": "customers", "key": key, "values": {"phoneNumber": "+1 555 0100"}, "company": COMPANY}
    daemon.served.run(lambda: daemon.erp.command("edit", **change))
    daemon.until(lambda: daemon.accounts()["Fabrikam Inc."]["Phone"] == "+1 555 0100", "the push from Business Central")

    refused = daemon.run("run")
    assert refused.returncode == 2, refused.stderr
    assert f"process {daemon.process.pid}" in refused.stderr
    status = json.loads(daemon.run("status", "--json").stdout)
    assert status["flows"][0]["blocker"] == ""
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(30) == 0, daemon.log()
    for secret in SECRETS.values():
        assert secret not in daemon.log()
        assert secret.encode() not in (daemon.folder / "weft.db").read_bytes()


def subscribed(daemon: Daemon) -> bool:
    rows = daemon.erp.env.directory.tables["subscriptions"]
    return len(list(rows)) > 0
