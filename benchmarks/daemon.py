"""What ``weft run`` costs: start-up, idling, and what more workers bring.

    python -m benchmarks.daemon [--seconds N]                       start-up and idling, on SQLite
    python -m benchmarks.daemon --postgresql URL [--workers 1,2,4] [--records N] [--latency SECONDS]

The workers are given hints about so many customers, each edited on both sides, while Business Central takes its time
over every request. ``URL`` is a server on which databases may be created. Linux only: processes are looked
at in ``/proc``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.cases import expect
from benchmarks.systems import BusinessCentralPair, Served
from weft.config.loading import load_text
from weft.plugins import Plugins
from weft.records import Hint
from weft.runtime import Runtime
from weft.state.store import State
from weft.state.tx import Tx
from weft.sync.cycle import run_flow
from weft.testing.simulator import Fault

CONFIG = """
state: {state}
limits: {{concurrency: 64}}
connections:
{connections}
flows:
  customers: {{entity: customer, between: [crm, erp], owner: crm, guards: {{}}, every: 1d}}
"""
TICKS = os.sysconf("SC_CLK_TCK")


class Worker:
    """One ``weft run``. ``started``: seconds until it was at work."""

    def __init__(self, config: Path, log: Path) -> None:
        begun = time.perf_counter()
        self._log = log.open("wb")
        command = [str(Path(sys.executable).with_name("weft")), "--config", str(config), "run"]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        while b"at work" not in log.read_bytes():
            if self.process.poll() is not None or time.perf_counter() - begun > 120:
                raise SystemExit(f"weft run did not start:\n{log.read_text()}")
            time.sleep(0.02)
        self.started = time.perf_counter() - begun

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def memory(self) -> float:
        """Resident megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self._log.close()


@contextmanager
def at_work(config: Path, count: int) -> Iterator[list[Worker]]:
    with ExitStack() as stack:
        workers: list[Worker] = []
        for number in range(count):
            workers.append(Worker(config, config.with_name(f"worker{number}.log")))
            stack.callback(workers[-1].stop)
        yield workers


def settle(config: Path, expected: dict[str, int], *, sweep: bool = False) -> None:
    """One run of the flow in this process, which must come to this."""
    asyncio.run(_settle(config.read_text(), expected, sweep))


async def _settle(config: str, expected: dict[str, int], sweep: bool) -> None:
    plugins = Plugins.discover(only=["bc"])
    loaded = load_text(config, "weft.yaml", plugins)
    with State.open(loaded.state) as state:
        async with Runtime(loaded, state, plugins) as runtime:
            expect(await run_flow(runtime, "customers", sweep=sweep), **expected)


def written(folder: Path, state: str, served: Served) -> Path:
    path = folder / "weft.yaml"
    path.write_text(CONFIG.format(state=state, connections=served.connections))
    return path


def idling(seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as name, BusinessCentralPair().serve(200, 200) as served:
        config = written(Path(name), f"sqlite:///{name}/weft.db", served)
        settle(config, {"linked": 200})
        with at_work(config, 1) as [worker]:
            up = worker.cpu
            time.sleep(10)  # whatever follows a start is over
            before = worker.cpu
            time.sleep(seconds)
            share = (worker.cpu - before) / seconds * 100
            print(f"start-up: {worker.started:.1f} s until it is at work, {up:.1f} s of CPU")
            print(f"idling: {share:.1f} % of a core, {worker.memory:.0f} MB resident, over {seconds:.0f} s")


def scaling(server: str, counts: Sequence[int], records: int, latency: float) -> None:
    from sqlalchemy import create_engine, make_url, text

    for count in counts:
        name = f"weft_bench_{os.getpid()}_{count}"
        admin = create_engine(make_url(server), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            url = make_url(server).set(database=name).render_as_string(hide_password=False)
            one_size(url, count, records, latency)
        finally:
            with admin.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def one_size(url: str, count: int, records: int, latency: float) -> None:
    pair = BusinessCentralPair()
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as name, pair.serve(records, records) as served:
        config, [control] = written(Path(name), url, served), served.controls
        settle(config, {"linked": records})
        keys = control.command("edit_some", every=1)["left"]
        control.add_fault(Fault("slow", seconds=latency, count=None))
        with at_work(config, count) as workers, State.open(url) as state:
            time.sleep(5)  # all of them know of each other
            before = sum(worker.cpu for worker in workers)
            place = _place(state)
            hints = [Hint(place[0], key, place[1]) for key in keys]
            with state.begin() as tx:
                tx.hints.put_many("customers", "crm", hints, datetime.now(UTC))
            begun = time.perf_counter()
            while _left(state):
                if time.perf_counter() - begun > 600:
                    raise SystemExit("the workers did not come to an end")
                time.sleep(0.05)
            seconds = time.perf_counter() - begun
            used = sum(worker.cpu for worker in workers) - before
        control.clear_faults()
        settle(config, {"unchanged": 2 * records}, sweep=True)
    print(
        f"{count} workers: {records / seconds:6.1f} records/s, {seconds:.1f} s, "
        f"{used / records * 1000:.1f} ms of CPU a record, {used / seconds:.2f} cores"
    )


def _place(state: State) -> tuple[str, str]:
    with state.begin(writes=False) as tx:
        [link] = tx.links.page(limit=1)
        return link.left_object, link.left_company


def _left(state: State) -> bool:
    def any_left(tx: Tx) -> bool:
        return any(tx.hints.counts().values())

    with state.begin(writes=False) as tx:
        return any_left(tx)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.daemon", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="how long to watch it idle")
    parser.add_argument("--postgresql", metavar="URL", help="a server on which databases may be created")
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds a request takes longer")
    given = parser.parse_args()
    if given.postgresql:
        counts = [int(count) for count in given.workers.split(",")]
        scaling(given.postgresql, counts, given.records, given.latency)
    else:
        idling(given.seconds)


if __name__ == "__main__":
    main()
