"""Chaos: several workers on PostgreSQL, killed, stopped and cut off from their database, which is restarted, too,
while people edit both systems. When all is quiet, both sides agree, nothing is there twice, and nothing is lost.

``make test`` plays one short seed; ``make chaos`` longer ones (``WEFT_CHAOS=seconds``, ``WEFT_CHAOS_SEED=n``).
"""

from __future__ import annotations

import asyncio
import math
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
RESTARTS = 0.042
AWAY = (0.1, 0.5, 3.0)
"""Seconds that the database is away: the longest is longer than a lease."""


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


class Database:
    """The server that the workers' state is on, as somebody would treat it who does not know of them."""

    def __init__(self, server: Any, url: str) -> None:
        self.server, self.url = server, url.replace("postgresql+psycopg://", "postgresql://")
        self.back_at: float | None = None
        self.ended: Counter[str] = Counter()

    def stop(self, rng: random.Random) -> None:
        """As ``pg_ctl restart`` begins; it is back a moment or more than a lease later."""
        how = rng.choice(("fast", "immediate"))
        self.server.stop(how)
        self.back_at = time.monotonic() + rng.choice(AWAY)
        self.ended[f"stopped, {how}"] += 1

    def look(self, *, now: bool = False) -> None:
        if self.back_at is not None and (now or time.monotonic() > self.back_at):
            self.server.start()
            self.back_at = None

    def drop_connections(self, rng: random.Random) -> None:
        """End some or all sessions."""
        chance = rng.choice((0.3, 1.0))
        self._ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < %s",
            (chance,),
        )
        self.ended["sessions ended"] += 1

    def open_work(self) -> list[tuple[Any, ...]]:
        """What is left to be looked at."""
        return self._ask(
            "SELECT 'hint', key, taken_by FROM hints UNION ALL SELECT 'intent', source_key, state FROM intents "
            "WHERE state IN ('open', 'in_doubt') UNION ALL SELECT kind, key, reason FROM issues WHERE state = 'open'"
        )

    def _ask(self, query: Any, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            with psycopg.connect(self.url, autocommit=True) as connection:
                return connection.execute(query, values).fetchall()
        except psycopg.OperationalError as error:
            return [("the database is away", str(error))]


@pytest.mark.timeout(SECONDS * 2 + 240)
async def test_killed_and_stopped_workers_lose_and_double_nothing(own_postgres_server: Any, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    both = systems()
    people = People(both, rng)
    for _ in range(60):
        people.act()
    before = len(both["right"].rows("customers"))
    socket = tmp_path / "systems.sock"
    server = await serve(both, socket)
    url = own_postgres_server.url("postgres")
    database = Database(own_postgres_server, url)
    troupe = Troupe(tmp_path, url, socket, SEED)
    try:
        troupe.look(WORKERS)
        began = time.monotonic()
        for _ in range(600):
            if len(both["right"].rows("customers")) > before:  # the first load has begun
                break
            await asyncio.sleep(0.1)
        loaded = time.monotonic()
        restart = loaded + SECONDS / 3  # once at least
        while time.monotonic() < loaded + SECONDS:
            people.act()
            fate = rng.random()
            if fate < 0.012:
                troupe.kill(rng)
            elif fate < 0.03:
                troupe.stop(rng)
            elif fate < 0.04:
                await asyncio.to_thread(database.drop_connections, rng)
            elif (fate < RESTARTS and database.back_at is None) or time.monotonic() > restart:
                database.stop(rng)
                restart = math.inf
            troupe.look(WORKERS)
            database.look()
            await asyncio.sleep(rng.uniform(0.01, 0.08))
        calm = time.monotonic()
        (tmp_path / "calm").touch()
        database.look(now=True)
        quiet = calm + PATIENCE + SECONDS
        while True:
            troupe.look(2)
            wrong = difference(both)
            left = await asyncio.to_thread(database.open_work)
            if not wrong and not left:
                break
            assert time.monotonic() < quiet, f"{wrong}\n{left}\n{troupe.ended}\n{troupe.logs()}"
            await asyncio.sleep(0.25)
        assert (troupe.ended["killed"] + troupe.ended["stopped"] > 0 and database.ended) or SECONDS < 3
        ended = f"{dict(troupe.ended)}, {troupe.number} workers; database: {dict(database.ended)}"
        times = f"{loaded - began:.1f} s to begin, {calm - loaded:.1f} s of chaos, {time.monotonic() - calm:.1f} s"
        print(f"chaos: {people.made} customers, {ended}; {times} to agree")
    finally:
        troupe.close()
        server.close()
