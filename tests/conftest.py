"""Fixtures for the whole tree: a PostgreSQL server of the tests' own, shared by all workers."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import itertools
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

import pytest
from hypothesis import HealthCheck, settings

READY = "postgres.json"
FINISHED = pytest.StashKey[int]()
"""How many tests are over."""
EMPTY = """
DO $$ DECLARE name text; BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
  FOR name IN SELECT nspname FROM pg_namespace
      WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', name);
  END LOOP;
  CREATE SCHEMA public;
END $$
"""

# No test trusts an authority of the machine, whose list may take longer to read than a test has to do.
ssl.SSLContext.load_default_certs = lambda self, purpose=None: None  # type: ignore[method-assign]

MEMORY = Path("/dev/shm")  # noqa: S108
"""Each commit of a state waits for the disk; in memory it does not. Where there is room, folders of tests are there."""
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 2 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

settings.register_profile("weft", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("weft")  # a busy machine is slow at everything: that says nothing about the code


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Which worker has which test."""
    from tests.together import Together

    return Together(config, log)


def pytest_sessionstart() -> None:
    from tests.remembering import remember

    remember()


def pytest_collection_finish() -> None:
    """What is imported by now stays; the collector need not look at it again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Simulators are full of cycles, and megabytes of them hang on few objects that the collector counts."""
    yield
    item.session.config.stash[FINISHED] = finished = item.session.config.stash.get(FINISHED, 0) + 1
    if finished % 20 == 0:
        gc.collect()


@dataclass
class PostgresServer:
    """A running server; makes empty databases on request."""

    socket: str
    worker: str
    keeper: int
    """The process that keeps it."""
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.socket}"

    def run(self, statement: str, database: str = "postgres") -> None:
        import psycopg

        server = f"host={self.socket} user=postgres dbname={database}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(statement)

    def stop(self, how: Literal["fast", "immediate"]) -> None:
        """As ``pg_ctl stop -m`` does. For a server that nobody else uses."""
        os.kill(self.keeper, signal.SIGUSR1 if how == "fast" else signal.SIGUSR2)

    def start(self) -> None:
        """Start it again after :meth:`stop`."""
        os.kill(self.keeper, signal.SIGHUP)

    def empty(self, url: str) -> None:
        """Drop everything in a database, and whoever is still connected to it."""
        self.run(EMPTY, database=url.split("/")[3].split("?")[0])

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new, empty database, which is dropped at the end."""
        name = f"t_{self.worker}_{next(self.numbers)}"
        self.run(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")


def postgres_bindir() -> Path | None:
    """Where initdb and postgres are: pg_config, Debian's folders (newest first), PATH."""
    places: list[Path] = []
    if config := shutil.which("pg_config"):
        asked = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        places += [Path(asked.stdout.strip())] if asked.returncode == 0 else []
    packaged = Path("/usr/lib/postgresql").glob("*/bin")
    places += sorted(packaged, key=lambda p: float(p.parent.name), reverse=True)
    if found := shutil.which("initdb"):
        places.append(Path(found).resolve().parent)
    return next((p for p in places if (p / "initdb").exists() and (p / "postgres").exists()), None)


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """The folder all xdist workers of this session see."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def give_up(reason: str) -> NoReturn:
    if os.environ.get("WEFT_REQUIRE_POSTGRES") == "1":
        pytest.fail(f"{reason} (WEFT_REQUIRE_POSTGRES=1)")
    pytest.skip(reason)


def started(ready: Path, watched: int) -> tuple[str, int]:
    """Start a server of its own that lives as long as a process, unless ``ready`` says that it runs. Returns its
    socket and the process that keeps it."""
    bindir = postgres_bindir()
    if bindir is None:
        give_up("PostgreSQL is not installed: no initdb and postgres by pg_config, in /usr/lib, on PATH")
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        give_up(f"psycopg cannot be imported: {error}")
    if not ready.exists():
        script = Path(__file__).with_name("postgres_server.py")
        command = [sys.executable, str(script), str(bindir), str(watched), str(ready)]
        null = subprocess.DEVNULL
        keeper = subprocess.Popen(command, stdin=null, stdout=null, stderr=null)
        while not ready.exists() and keeper.poll() is None:
            time.sleep(0.02)
    answer = json.loads(ready.read_text()) if ready.exists() else {"error": "its keeper died"}
    if "error" in answer:
        give_up(f"PostgreSQL cannot be started: {answer['error']}")
    return answer["socket"], answer["pid"]


def ended(socket: str, keeper: int) -> None:
    """Stop a server, and wait until it is gone."""
    deadline = time.monotonic() + 30
    with contextlib.suppress(ProcessLookupError):
        os.kill(keeper, signal.SIGTERM)
    while Path(socket).exists() and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> PostgresServer:
    """Skips where PostgreSQL is not installed; fails instead if WEFT_REQUIRE_POSTGRES=1."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    session = os.getppid() if worker != "main" else os.getpid()
    ready = shared_folder(tmp_path_factory) / READY
    with ready.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        socket, keeper = started(ready, session)
    return PostgresServer(socket, worker, keeper)


@pytest.fixture
def own_postgres_server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server for one test alone, which may stop and start it."""
    socket, keeper = started(tmp_path / READY, os.getpid())
    yield PostgresServer(socket, "own", keeper)
    ended(socket, keeper)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the server, from the process that outlives all workers, and wait until it is gone."""
    if hasattr(session.config, "workerinput"):
        return
    ready = session.config._tmp_path_factory.getbasetemp() / READY
    if not ready.exists():
        return
    answer = json.loads(ready.read_text())
    ready.unlink()
    if "error" in answer:
        return
    ended(answer["socket"], answer["pid"])


@pytest.fixture(scope="session")
def postgres_database(postgres_server: PostgresServer) -> Iterator[str]:
    """This worker's own database: making one takes long, emptying it does not."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_database: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    yield postgres_database
    postgres_server.empty(postgres_database)


@pytest.fixture(params=["sqlite", "postgresql"])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A state URL on each database; nothing is there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'weft.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
