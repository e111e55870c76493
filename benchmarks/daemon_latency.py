"""From Closed Won in Creatio to the sales order in Business Central, by push, at a steady rate of events.

    python -m benchmarks.daemon_latency [--rates 1 10 100] [--seconds 20] [--state URL]

``weft run`` is a process of its own between two simulators in processes of theirs. Each event is an opportunity
that a person sets to Closed Won and that a process of the site pushes to weft's hook. Measured is the time from the
edit's commit until weft has the order's number: header and lines are in the ERP then, and the link is stored.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from weft.state.store import State
from weft.testing.simulator import Simulator, serve_in_process

SECRET = "a-secret-of-the-benchmark"
COMPANY = "CRONUS USA, Inc."
CUSTOMER = "03a75490-53e6-df11-971b-001d60e938c6"
WON, PROPOSAL = "60d5310c-5be6-df11-971b-001d60e938c6", "423774cb-5ae6-df11-971b-001d60e938c6"
PATIENCE = 120
"""Seconds after the last event within which all must have arrived."""


def creatio(deals: int) -> list[Simulator]:
    """A site with weft's package, a customer, two products, and so many open opportunities with two lines each."""
    from weft_creatio.package.build import BuildOptions, build_archive
    from weft_creatio.package.contents import read_package
    from weft_creatio.package.model import load_model
    from weft_creatio.simulator import CreatioSimulator

    sim = CreatioSimulator.create(records=0)
    sim.installer.apply(read_package(build_archive(load_model(), BuildOptions())))
    person = sim.as_user()

    def one(entity: str, **wanted: str) -> str:
        rows = person.find(entity, "$top=5000")
        return str(next(row["Id"] for row in rows if all(row[n] == v for n, v in wanted.items())))

    country, currency = one("Country", Alpha2Code="US"), one("Currency", ShortName="USD")
    account = person.create("Account", {"Name": "Woodgrove", "TypeId": CUSTOMER, "CountryId": country, "Zip": "33101"})
    products = [
        person.create("Product", {"Name": name, "Code": name.upper(), "Active": True, "Price": Decimal(price)})
        for name, price in (("Chair", 150), ("Desk", 480))
    ]
    keys = []
    for number in range(deals):
        deal = {"Title": f"Branch {number}", "AccountId": account, "StageId": PROPOSAL, "UsrCurrencyId": currency,
                "DueDate": "2026-07-31T00:00:00Z"}  # fmt: skip
        keys.append(person.create("Opportunity", deal))
        for product, quantity, price in zip(products, (12, 4), (150, 480), strict=True):
            line = {"OpportunityId": keys[-1], "ProductId": product, "Quantity": Decimal(quantity),
                    "Price": Decimal(price), "Amount": Decimal(quantity * price)}  # fmt: skip
            person.create("OpportunityProductInterest", line)

    async def listed() -> list[str]:
        return keys

    sim.register("deals", listed, "keys of the opportunities")
    return [sim]


def business_central() -> list[Simulator]:
    from weft_bc.simulator import BusinessCentralSimulator

    sim = BusinessCentralSimulator.create(records=0, documents=0, companies=[COMPANY], webhooks=False)
    return [sim, sim.entra]


def configuration(crm: Any, erp: Any, port: int, state: str) -> dict[str, Any]:
    from weft_bc.simulator import CLIENT_ID, CLIENT_SECRET
    from weft_bc.simulator.settings import Settings

    flow = {"between": ["crm", "erp"], "every": "1h"}
    return {
        "state": state,
        "connections": {
            "crm": {"kind": "creatio", "url": crm.url("creatio"), "ca_file": str(crm.ca_file),
                    "auth": {"username": "Integration", "password": "Integration"}},
            "erp": {"kind": "bc", "url": erp.url("bc"), "authority": f"{erp.url('entra')}/{{tenant}}",
                    "ca_file": str(erp.ca_file), "tenant": Settings().tenant, "company": COMPANY,
                    "auth": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}},
        },
        "flows": {
            "products": {**flow, "entity": "product", "owner": "crm"},
            "customers": {**flow, "entity": "customer", "variants": {"crm": ["account"]}, "owner": "crm"},
            "orders": {**flow, "entity": "sales_order", "variants": {"crm": ["opportunity"]},
                       "direction": "left_to_right", "on": "webhook"},
        },
        "webhooks": {"crm": {"secret": SECRET}},
        "server": {"enabled": True, "listen": f"127.0.0.1:{port}"},
        "log": {"level": "warning"},
    }  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def daemon(folder: Path, config: dict[str, Any]) -> Iterator[psutil.Process]:
    """``weft run``, once every flow has had its first load."""
    (folder / "weft.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "weft.cli", "-c", str(folder / "weft.yaml"), "run"]
    with (folder / "daemon.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            deadline = time.monotonic() + 120
            while not _loaded(config["state"], set(config["flows"])):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"weft run did not come up:\n{(folder / 'daemon.log').read_text()[-3000:]}")
                time.sleep(0.2)
            yield psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _loaded(url: str, flows: set[str]) -> bool:
    from weft.errors import StateError

    try:
        with State.open(url, create=False, exclusive=False) as state, state.begin(writes=False) as tx:
            return {cursor.flow for cursor in tx.cursors.all()} == flows
    except StateError:
        return False


async def events(control: Any, keys: list[str], rate: float, port: int) -> dict[str, float]:
    """Win the deals at a rate and push each; returns when each was committed."""
    at: dict[str, float] = {}
    url = f"http://127.0.0.1:{port}/hooks/crm/{SECRET}"
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:

        async def one(key: str) -> None:
            await asyncio.to_thread(control.command, "edit", entity="Opportunity", id=key, values={"StageId": WON})
            at[key] = time.time()
            answer = await client.post(url, content=json.dumps({"entity": "Opportunity", "id": key}))
            answer.raise_for_status()

        began = time.monotonic()
        tasks = []
        for number, key in enumerate(keys):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            tasks.append(asyncio.create_task(one(key)))
        await asyncio.gather(*tasks)
    return at


def arrivals(url: str, keys: set[str], patience: float) -> dict[str, float]:
    """When each order's create was journalled, by the opportunity's key."""
    deadline = time.monotonic() + patience
    while True:
        found: dict[str, datetime] = {}
        with State.open(url, create=False, exclusive=False) as state, state.begin(writes=False) as tx:
            after = 0
            while entries := tx.journal.page(after_id=after, flow="orders", limit=1000):
                after = max(entry.id for entry in entries)
                for entry in entries:
                    if entry.op == "create" and entry.outcome == "created" and entry.left_key:
                        found.setdefault(entry.left_key, entry.at)
        if keys <= found.keys() or time.monotonic() > deadline:
            return {key: at.timestamp() for key, at in found.items() if key in keys}
        time.sleep(0.5)


def measure(rates: list[float], seconds: float, state: str | None) -> list[dict[str, Any]]:
    counts = [max(10, round(rate * seconds)) for rate in rates]
    shop = {"deals": sum(counts)}
    with (
        serve_in_process("benchmarks.daemon_latency:creatio", shop, timeout=600) as crm,
        serve_in_process("benchmarks.daemon_latency:business_central", {}) as erp,
        tempfile.TemporaryDirectory() as name,
    ):
        folder, port = Path(name), free_port()
        url = state or f"sqlite:///{folder}/weft.db"
        control = crm.control("creatio")
        keys = control.command("deals")
        results = []
        with daemon(folder, configuration(crm, erp, port, url)) as process:
            time.sleep(2)
            before = process.cpu_times()
            time.sleep(5)
            after = process.cpu_times()
            idle = (after.user + after.system - before.user - before.system) / 5
            say(f"idle: {idle:.1%} of a core, {process.memory_info().rss / 2**20:.0f} MiB")
            for rate, count in zip(rates, counts, strict=True):
                mine, keys = keys[:count], keys[count:]
                sent = asyncio.run(events(control, mine, rate, port))
                there = arrivals(url, set(mine), PATIENCE)
                times = sorted(there[key] - sent[key] for key in mine if key in there)
                told = {"rate": rate, "events": count, "arrived": len(times), "sent_in": _spread(sent)}
                if times:
                    told |= {
                        "p50": statistics.median(times),
                        "p99": times[int(len(times) * 0.99) - 1],
                        "max": times[-1],
                    }
                say(" ".join(f"{n} {v:.3f}" if isinstance(v, float) else f"{n} {v}" for n, v in told.items()))
                results.append(told)
        return results


def _spread(sent: dict[str, float]) -> float:
    return max(sent.values()) - min(sent.values())


def say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.daemon_latency", description=__doc__)
    parser.add_argument("--rates", type=float, nargs="+", default=[1, 10, 100], help="events a second")
    parser.add_argument("--seconds", type=float, default=20, help="how long each rate is kept up")
    parser.add_argument("--state", help="URL of an empty state; default: a SQLite file")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    given = parser.parse_args()
    say(f"{os.cpu_count()} cores")
    results = measure(given.rates, given.seconds, given.state)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
