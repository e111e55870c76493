"""Chaos: several workers on PostgreSQL, killed, stopped and cut off from their database while people edit both
systems. When all is quiet, both sides agree, nothing is there twice, and nothing is lost.

``make test`` plays one short seed; ``make chaos`` longer ones (``WEFT_CHAOS=seconds``, ``WEFT_CHAOS_SEED=n``).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest

from .systems import OBJECTS, TAX, serve, systems

WORKER = Path(__file__).with_name("worker.py")
WORKERS = 3
SECONDS = float(os.environ.get("WEFT_CHAOS") or 4)
SEED = int(os.environ.get("WEFT_CHAOS_SEED") or 1)
PATIENCE = 60.0
STOPPED = 3.5
"""Seconds after which a stopped worker goes on: longer than its lease, and than a request may take."""


class Troupe:
    """The workers. One that has ended is replaced."""

    def __init__(self, folder: Path, state: str, socket: Path, seed: int) -> None:
        self.folder, self.state, self.socket, self.seed = folder, state, socket, seed
        self.running: list[subprocess.Popen[bytes]] = []
        self.stopped: dict[int, float] = {}
        self.number = 0
        self.ended: Counter[str] = Counter()

    def start(self) -> None:
        self.number += 1
        command = [sys.executable, str(WORKER), self.state, str(self.socket), f"{self.seed}:{self.number}"]
        with (self.folder / f"worker-{self.number}.log").open("wb") as log:
            self.running.append(subprocess.Popen(command, stdout=log, stderr=log))

    def kill(self, rng: random.Random) -> None:
        rng.choice(self.running).kill()
        self.ended["killed"] += 1

    def stop(self, rng: random.Random) -> None:
        rng.choice(self.running).send_signal(signal.SIGSTOP)
        self.ended["stopped"] += 1

    def look(self, wanted: int) -> None:
        """Let those that have been stopped for long enough go on; replace those that have ended."""
        now = time.monotonic()
        for process in list(self.running):
            if process.poll() is not None:
                self.running.remove(process)
                self.stopped.pop(process.pid, None)
                continue
            if _state(process.pid) == "T":
                if now - self.stopped.setdefault(process.pid, now) > STOPPED:
                    process.send_signal(signal.SIGCONT)
                    self.ended["went on"] += 1
                    del self.stopped[process.pid]
            else:
                self.stopped.pop(process.pid, None)
        while len(self.running) < wanted:
            self.start()

    def close(self) -> None:
        for process in self.running:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    def logs(self) -> str:
        return "\n".join(f"{p.name}:\n{p.read_text()[-1500:]}" for p in sorted(self.folder.glob("worker-*.log"))[-4:])


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


class People:
    """They add, rename and call on both sides."""

    def __init__(self, both: dict[str, Any], rng: random.Random) -> None:
        self.both, self.rng, self.made = both, rng, 0

    def act(self) -> None:
        side = self.rng.choice(("left", "right"))
        system = self.both[side]
        keys = list(system.rows(OBJECTS[side]))
        if self.rng.random() < 0.4 or not keys:
            self.made += 1
            name = "Name" if side == "left" else "displayName"
            system.put(OBJECTS[side], **{name: f"Customer {self.made}", TAX[side]: f"T{self.made}"})
            return
        if self.rng.random() < 0.5:
            name = "Name" if side == "left" else "displayName"
            system.edit(OBJECTS[side], self.rng.choice(keys), **{name: f"Renamed {self.rng.random():.6f}"})
        else:
            field = "Phone" if side == "left" else "phone"
            system.edit(OBJECTS[side], self.rng.choice(keys), **{field: f"+{self.rng.randrange(10**9)}"})


def difference(both: dict[str, Any]) -> str:
    """In what the two sides differ, in words; empty when they agree."""
    seen: dict[str, dict[str, tuple[Any, ...]]] = {}
    for side, names in (("left", ("Name", "Phone", "ErpNumber")), ("right", ("displayName", "phone", "number"))):
        rows = both[side].rows(OBJECTS[side]).values()
        twice = [tax for tax, count in Counter(row[TAX[side]] for row in rows).items() if count > 1]
        assert not twice, f"{side} holds twice: {twice}"
        seen[side] = {row[TAX[side]]: tuple(row[name] for name in names) for row in rows}
    left, right = seen["left"], seen["right"]
    return str({key: (left.get(key), right.get(key)) for key in left | right if left.get(key) != right.get(key)} or "")


def drop_connections(url: str, rng: random.Random) -> None:
    """The database ends some or all of the workers' sessions."""
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    chance = rng.choice((0.3, 1.0))
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < %s",
            (chance,),
        )


def open_work(url: str) -> list[tuple[Any, ...]]:
    """What is left to be looked at."""
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain) as connection:
        return connection.execute(
            "SELECT 'hint', key, taken_by FROM hints UNION ALL SELECT 'intent', source_key, state FROM intents "
            "WHERE state IN ('open', 'in_doubt') UNION ALL SELECT kind, key, reason FROM issues WHERE state = 'open'"
        ).fetchall()


@pytest.mark.timeout(SECONDS * 2 + 240)
async def test_killed_and_stopped_workers_lose_and_double_nothing(postgres_url: str, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    both = systems()
    people = People(both, rng)
    for _ in range(20):
        people.act()
    socket = tmp_path / "systems.sock"
    server = await serve(both, socket)
    troupe = Troupe(tmp_path, postgres_url, socket, SEED)
    try:
        troupe.look(WORKERS)
        began = time.monotonic()
        for _ in range(600):
            if len(both["right"].rows("customers")) >= 5:
                break
            await asyncio.sleep(0.1)
        loaded = time.monotonic()
        while time.monotonic() < loaded + SECONDS:
            people.act()
            fate = rng.random()
            if fate < 0.012:
                troupe.kill(rng)
            elif fate < 0.03:
                troupe.stop(rng)
            elif fate < 0.04:
                await asyncio.to_thread(drop_connections, postgres_url, rng)
            troupe.look(WORKERS)
            await asyncio.sleep(rng.uniform(0.01, 0.08))
        calm = time.monotonic()
        (tmp_path / "calm").touch()
        quiet = calm + PATIENCE + SECONDS
        while True:
            troupe.look(2)
            wrong = difference(both)
            left = await asyncio.to_thread(open_work, postgres_url)
            if not wrong and not left:
                break
            assert time.monotonic() < quiet, f"{wrong}\n{left}\n{troupe.ended}\n{troupe.logs()}"
            await asyncio.sleep(0.25)
        assert troupe.ended["killed"] + troupe.ended["stopped"] > 0 or SECONDS < 3
        took = (
            f"{loaded - began:.1f} s to begin, {calm - loaded:.1f} s of chaos, {time.monotonic() - calm:.1f} s to agree"
        )
        print(f"chaos: {people.made} customers, {dict(troupe.ended)}, {troupe.number} workers; {took}")
    finally:
        troupe.close()
        server.close()
