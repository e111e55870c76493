"""What ``weft run`` costs: start-up, idling, and what more workers bring.

    python -m benchmarks.daemon [--seconds N]                       start-up and idling, on SQLite
    python -m benchmarks.daemon --postgresql URL [--case first|hints] [--workers 1,2,4] [--records N]
                                [--latency SECONDS] [--requests N] [--batch N]

Business Central takes its time over every request. ``first``: the workers bring so many customers into an empty
company. ``hints``: they are given hints about customers that are linked, each edited on both sides. Each worker may
have so many requests under way at a connection: few, so that what is measured is bound by latency and not by the
cores. A connection's limit is shared among workers, so it is set to that number times the workers. ``URL`` is a
server on which databases may be created. Linux only: processes are looked at in ``/proc``.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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
limits: {{concurrency: {requests}}}
connections:
{connections}
flows:
  customers: {{entity: customer, between: [crm, erp], owner: crm, guards: {{}}, every: 1d, batch: {batch}}}
"""
Measured = tuple[int, float, float]
"""Records, seconds, and those of CPU that the workers used."""
TOGETHER = 8
"""Seconds after which all workers know of each other, and of their shares."""
PATIENCE = 600
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


def written(folder: Path, state: str, served: Served, requests: int = 64, batch: int = 100) -> Path:
    path = folder / "weft.yaml"
    text = CONFIG.format(state=state, connections=served.connections, requests=requests, batch=batch)
    path.write_text(text)
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


@dataclass(frozen=True, slots=True)
class Size:
    """What is measured: so many workers bring so many records in, with a system that takes so many seconds over each
    request; each worker has so many requests under way, of so many records."""

    workers: int
    records: int
    latency: float
    requests: int
    batch: int


def scaling(server: str, sizes: Sequence[Size], case: Callable[[str, Size], Measured]) -> None:
    from sqlalchemy import create_engine, make_url, text

    for size in sizes:
        name = f"weft_bench_{os.getpid()}_{size.workers}"
        admin = create_engine(make_url(server), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            url = make_url(server).set(database=name).render_as_string(hide_password=False)
            records, seconds, used = case(url, size)
            print(
                f"{size.workers} workers: {records / seconds:6.1f} records/s, "
                f"{seconds:.1f} s, {used / records * 1000:.1f} ms of CPU a record, {used / seconds:.2f} cores; "
                f"load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
        finally:
            with admin.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def hints(url: str, size: Size) -> Measured:
    """Until what the workers were hinted at is written to both sides."""
    pair, records = BusinessCentralPair(), size.records
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as name, pair.serve(records, records) as served:
        quick = written(Path(name), url, served)
        settle(quick, {"linked": records})
        with State.open(url) as state, state.begin() as tx:
            tx.schedules.put("customers", datetime.now(UTC))  # no pass comes in between
        config, [control] = _config(Path(name), url, served, size), served.controls
        keys = control.command("edit_some", every=1)["left"]
        control.add_fault(Fault("slow", seconds=size.latency, count=None))
        with at_work(config, size.workers) as workers, State.open(url) as state:
            time.sleep(TOGETHER)
            object_name, company = _place(state)
            some = [Hint(object_name, key, company) for key in keys]
            before = sum(worker.cpu for worker in workers)
            with state.begin() as tx:
                tx.hints.put_many("customers", "crm", some, datetime.now(UTC))
            begun = time.perf_counter()
            seconds = _until(state, lambda tx: not any(tx.hints.counts().values())) - begun
            used = sum(worker.cpu for worker in workers) - before
        control.clear_faults()
        settle(written(Path(name), url, served), {"unchanged": 2 * records}, sweep=True)
    return records, seconds, used


def first(url: str, size: Size) -> Measured:
    """From the moment all workers have sent something until the first load is done."""
    with (
        tempfile.TemporaryDirectory(prefix="weft-bench-") as name,
        BusinessCentralPair().serve(size.records, 0) as served,
        State.open(url) as state,
    ):
        config, [control] = _config(Path(name), url, served, size), served.controls
        with state.begin() as tx:
            tx.pauses.pause("*", "the benchmark", "all workers begin together", datetime.now(UTC))
        control.add_fault(Fault("slow", seconds=size.latency, count=None))
        with at_work(config, size.workers) as workers:
            time.sleep(TOGETHER)
            with state.begin() as tx:
                tx.pauses.resume("*", "the benchmark", datetime.now(UTC))
            begun = _until(state, lambda tx: len(_senders(tx)) == size.workers)
            before = sum(worker.cpu for worker in workers)
            with state.begin(writes=False) as tx:
                left = size.records - tx.links.count()
            seconds = _until(state, lambda tx: bool(tx.cursors.all("customers"))) - begun
            used = sum(worker.cpu for worker in workers) - before
        control.clear_faults()
        settle(written(Path(name), url, served), {"unchanged": 2 * size.records}, sweep=True)
    return left, seconds, used


def _config(folder: Path, url: str, served: Served, size: Size) -> Path:
    return written(folder, url, served, size.requests * size.workers, size.batch)


def _until(state: State, what: Callable[[Tx], bool]) -> float:
    """Wait until the state says so; what the clock shows then."""
    patience = time.perf_counter() + PATIENCE
    while True:
        with state.begin(writes=False) as tx:
            if what(tx):
                return time.perf_counter()
        if time.perf_counter() > patience:
            raise SystemExit("the workers did not come to an end")
        time.sleep(0.05)


def _senders(tx: Tx) -> set[str]:
    """Runs that have writes under way: one a worker."""
    return {intent.run for intent in tx.intents.unsettled("customers")}


def _place(state: State) -> tuple[str, str]:
    with state.begin(writes=False) as tx:
        [link] = tx.links.page(limit=1)
        return link.left_object, link.left_company


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.daemon", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="how long to watch it idle")
    parser.add_argument("--postgresql", metavar="URL", help="a server on which databases may be created")
    parser.add_argument("--case", choices=("first", "hints"), default="first")
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--records", type=int, default=2400)
    parser.add_argument("--requests", type=int, default=1, help="requests that a worker has under way at a connection")
    parser.add_argument("--batch", type=int, default=5, help="records that travel together")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds a request takes longer")
    given = parser.parse_args()
    if given.postgresql:
        sizes = [
            Size(int(count), given.records, given.latency, given.requests, given.batch)
            for count in given.workers.split(",")
        ]
        scaling(given.postgresql, sizes, first if given.case == "first" else hints)
    else:
        idling(given.seconds)


if __name__ == "__main__":
    main()
