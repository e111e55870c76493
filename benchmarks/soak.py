"""Hours of work in minutes: ``weft run`` between Creatio and an ERP while people edit both and everything goes wrong.

    python -m benchmarks.soak [--erp bc|d365fo] [--seconds 300] [--rate 3] [--state URL] [--seed 1]

Flows that would run every five minutes run every five seconds, sweeps every minute. The systems throttle, fail before
and after they have committed, lose answers, cut connections, are slow, forget tokens; what they push comes late, twice
and out of order. Then all is quiet, and ``weft verify`` must prove that every flow agrees. Exit code 1 when it does
not, when something is left to be looked at, or when memory has grown.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.daemon_latency import SECRET, daemon, free_port, say
from benchmarks.soak_systems import ERPS, Erp, Site
from weft.state.store import State
from weft.testing.simulator import serve_in_process
from weft.testing.simulator.control_client import ControlClient
from weft.testing.simulator.faults import Fault

ERP_SECRET = "another-secret-of-the-benchmark"
PATIENCE = 240
"""Seconds after the last edit within which all must agree."""
GROWTH = 1.15
"""Memory of the last quarter beside that of the second one: more than this has grown."""
PASSES = ("changes", "sweep")
UNTOLD = timedelta(seconds=2)
"""So late may the site tell of an edit."""
WRITES = "POST|PATCH|PUT"
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "throttle", "probability": 0.03, "retry_after": 1},
    {"kind": "error_before", "probability": 0.015, "status": 503},
    {"kind": "error_after_commit", "probability": 0.03, "status": 500, "method": WRITES},
    {"kind": "lost_answer", "probability": 0.03, "method": WRITES},
    {"kind": "drop_before", "probability": 0.005},
    {"kind": "truncate", "probability": 0.01},
    {"kind": "slow", "probability": 0.03, "seconds": 2.0},
    {"kind": "slow", "probability": 0.015, "seconds": 2.0, "late": True},
    {"kind": "token_expiry", "probability": 0.005},
    {"kind": "late_commit", "probability": 0.01, "requests": 4},
    {"kind": "partial_batch", "probability": 0.03},
    {"kind": "partial_batch", "probability": 0.03, "index": 1, "late": True},
)
EVENTS: tuple[dict[str, Any], ...] = (
    {"kind": "duplicate_event", "probability": 0.2},
    {"kind": "reorder_events", "probability": 0.2},
)


def configuration(people: Erp, site: Any, served: Any, port: int, state: str) -> dict[str, Any]:
    crm = {"kind": "creatio", "url": site.url("creatio"), "ca_file": str(site.ca_file), "overlap": 5,
           "auth": {"username": "Integration", "password": "Integration"}}  # fmt: skip
    erp = {"kind": people.kind, "url": served.url(people.kind), "authority": f"{served.url('entra')}/{{tenant}}",
           "ca_file": str(served.ca_file), "overlap": 5, "settle_seconds": 10,
           **people.connection()}  # fmt: skip
    retry = {"backoff": "2s", "longest": "10s", "attempts": 50}
    flow = {"between": ["crm", "erp"], "every": "5s", "sweep": "60s", "owner": "crm", "retry": retry, "guards": {}}
    return {
        "state": state,
        "connections": {"crm": crm, "erp": erp},
        "flows": {
            "products": {**flow, "entity": "product"},
            "customers": {**flow, "entity": "customer", "variants": {"crm": ["account"]}},
            "orders": {**flow, "entity": "sales_order", "variants": {"crm": ["opportunity"]},
                       "direction": "left_to_right", "on": "webhook"},
        },
        "webhooks": {"crm": {"secret": SECRET}, "erp": {"secret": ERP_SECRET}},
        "server": {"enabled": True, "dashboard": False, "listen": f"127.0.0.1:{port}", "public_url": f"http://127.0.0.1:{port}"},
        "log": {"level": "info"},
    }  # fmt: skip


class Pusher(threading.Thread):
    """The processes of the site that tell weft of changes: up to two seconds late, in any order, some twice."""

    def __init__(self, port: int, rng: random.Random) -> None:
        super().__init__(daemon=True)
        self.url, self.rng = f"http://127.0.0.1:{port}/hooks/crm/{SECRET}", rng
        self.waiting: list[tuple[float, str, str]] = []
        self.answers: Counter[int] = Counter()
        self.lock = threading.Lock()
        self.over = threading.Event()

    def tell(self, entity: str, key: str) -> None:
        for _ in range(2 if self.rng.random() < 0.2 else 1):
            with self.lock:
                self.waiting.append((time.monotonic() + self.rng.uniform(0, 2), entity, key))

    def run(self) -> None:
        with httpx.Client(timeout=30, trust_env=False) as client:
            while not self.over.wait(0.05):
                now = time.monotonic()
                with self.lock:
                    due = [one for one in self.waiting if one[0] <= now]
                    self.waiting = [one for one in self.waiting if one[0] > now]
                for _, entity, key in due:
                    self.answers[client.post(self.url, json={"entity": entity, "id": key}).status_code] += 1


class Memory(threading.Thread):
    """Resident megabytes of the daemon, every second."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.process, self.seen = process, [process.memory_info().rss / 2**20]
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(1) and self.process.is_running():
            self.seen.append(self.process.memory_info().rss / 2**20)

    def quarters(self) -> list[float]:
        size = max(1, len(self.seen) // 4)
        return [statistics.fmean(self.seen[at * size : (at + 1) * size]) for at in range(4)]


class Soak:
    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.erp = ERPS[given.erp]
        self.rng = random.Random(given.seed)

    def run(self) -> bool:
        """True: both sides agree, nothing is left, memory is flat."""
        given, started = self.given, f"{self.given.seed}x"
        with (
            serve_in_process("benchmarks.soak_systems:creatio", {}, timeout=120) as crm,
            serve_in_process(self.erp.factory, {}, timeout=120) as served,
            tempfile.TemporaryDirectory(prefix="weft-soak-") as name,
        ):
            folder, port = Path(name), free_port()
            self.state = given.state or f"sqlite:///{folder}/weft.db"
            site = Site(crm.control("creatio"), self.rng, started)
            people = self.erp(served.control(self.erp.kind), self.rng, started)
            config = configuration(people, crm, served, port, self.state)
            for _ in range(30):
                site.act()
                people.act()
            with daemon(folder, config) as process:
                self.good = True
                self._work(process, site, people, port, list(config["flows"]))
                self._verify(folder)
            if not self.good and given.log:
                given.log.write_bytes((folder / "daemon.log").read_bytes())
        return self.good

    def _work(self, process: psutil.Process, site: Site, people: Erp, port: int, flows: list[str]) -> None:
        controls = [site.control, people.control]
        memory, pusher = Memory(process), Pusher(port, random.Random(self.given.seed))
        for thread in (memory, pusher):
            thread.start()
        arm(site.control, "/", self.given.seed)
        arm(people.control, self.erp.path, self.given.seed + 1)
        begun, edits = time.monotonic(), 0
        cpu = process.cpu_times()
        while (elapsed := time.monotonic() - begun) < self.given.seconds:
            pusher.tell(*site.act())
            people.act()
            edits += 2
            time.sleep(max(0.0, begun + edits / 2 / self.given.rate - time.monotonic()))
        struck: Counter[str] = Counter()
        for control in controls:
            for fault in control.call("GET", "faults")["faults"]:
                struck[fault["kind"]] += fault["struck"]
            control.clear_faults()
            control.release()
        calm = time.monotonic()
        left = self._quiet(calm + PATIENCE, datetime.now(UTC) + UNTOLD, flows)
        memory.over.set()
        pusher.over.set()
        after = process.cpu_times()
        used = after.user + after.system - cpu.user - cpu.system
        self._tell(elapsed, edits, site.deals, time.monotonic() - calm, used, struck, pusher.answers, left)
        quarters = memory.quarters()
        say("memory by quarters: " + ", ".join(f"{one:.0f} MB" for one in quarters))
        self.good = self.good and not left and quarters[3] <= quarters[1] * GROWTH

    def _quiet(self, deadline: float, since: datetime, flows: list[str]) -> list[str]:
        """Wait until every flow has had a pass that began after a moment and nothing is left to be looked at; what is
        left in the end."""
        while True:
            with State.open(self.state, create=False, exclusive=False) as state, state.begin(writes=False) as tx:
                left = [f"{one.flow}: {one.kind} {one.label}: {one.reason}" for one in tx.issues.page(limit=500)]
                left += [f"{flow}: {count} records were hinted at" for flow, count in tx.hints.counts().items()]
                left += [f"{one.flow}: {one.op} {one.source_key} is {one.state}" for one in tx.intents.unsettled()]
                for flow in flows:
                    passes = [
                        tx.runs.page(flow=flow, mode=mode, state="done", limit=1) for mode in ("changes", "sweep")
                    ]
                    if not any(one.started_at >= since for some in passes for one in some):
                        left.append(f"{flow}: no pass since the last edit")
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(1)

    def _tell(
        self, elapsed: float, edits: int, deals: int, calm: float, used: float, struck: Counter[str],
        answers: Counter[int], left: list[str],
    ) -> None:  # fmt: skip
        with State.open(self.state, create=False, exclusive=False) as state, state.begin(writes=False) as tx:
            counts: Counter[str] = Counter()
            for run in tx.runs.page(limit=100_000):
                counts.update({name: count for name, count in (run.counts or {}).items() if count})
                counts["runs"] += 1
            opened: Counter[str] = Counter()
            for (_, kind), count in [*tx.issues.counts().items(), *tx.issues.counts(state="closed").items()]:
                opened[kind] += count
            worker = tx.workers.all(1)[0]
        written = counts["created"] + counts["updated"]
        say(f"{elapsed:.0f} s, {edits} edits ({edits / elapsed:.1f} a second), {deals} deals won")
        say(f"{written} records written, {written / (elapsed + calm):.1f} a second; {used:.0f} s of CPU")
        say("counts: " + shown(counts))
        say("faults that struck: " + shown(struck))
        for name, one in sorted((worker.info or {}).get("connections", {}).items()):
            say(f"{name}: " + shown({what: one[what] for what in ("requests", "retries", "throttled", "failures")}))
        say("issues opened: " + (shown(opened) or "none") + f"; pushes answered: {shown(answers)}")
        say(f"{calm:.0f} s after the last edit until nothing was left" if not left else "LEFT:\n" + "\n".join(left))

    def _verify(self, folder: Path) -> None:
        command = [sys.executable, "-m", "weft.cli", "-c", str(folder / "weft.yaml"), "verify", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if not done.stdout:
            say(f"weft verify failed:\n{done.stderr}")
        for one in json.loads(done.stdout or "[]"):
            words = {name: one[name] for name in ("agree", "differ", "only_left", "only_right", "not_compared")}
            say(f"verify {one['flow']}: {'proven' if one['proven'] else 'NOT PROVEN'}, {shown(words)}")
            if not one["proven"]:
                say(json.dumps(one, indent=1)[:4000])
        self.good = self.good and done.returncode == 0


def arm(control: ControlClient, path: str, seed: int) -> None:
    for number, fault in enumerate(FAULTS):
        control.add_fault(Fault(**fault, path=path, count=None, seed=seed * 100 + number))
    for number, fault in enumerate(EVENTS):
        control.add_fault(Fault(**fault, count=None, seed=seed * 100 + 50 + number))


def shown(counts: Any) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if count)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--erp", choices=sorted(ERPS), default="bc")
    parser.add_argument("--seconds", type=float, default=300, help="how long people edit and faults strike")
    parser.add_argument("--rate", type=float, default=3, help="edits a second on each side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", help="URL of an empty state; default: a SQLite file")
    parser.add_argument("--log", type=Path, help="where to keep the daemon's log should it end badly")
    sys.exit(0 if Soak(parser.parse_args()).run() else 1)


if __name__ == "__main__":
    main()
