"""Opening the state and running transactions on it."""

from __future__ import annotations

import asyncio
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine, select

from weft.errors import StateError
from weft.meter import Meter
from weft.state import failures, place
from weft.state.adrift import Adrift
from weft.state.claiming import Claims
from weft.state.engine import WRITES, make_engine
from weft.state.flowlock import FlowLock, FlowLocks
from weft.state.ids import LinkIds, Settlements
from weft.state.joining import Joined
from weft.state.lock import FileLock
from weft.state.migrate import is_current, migrate
from weft.state.place import Place
from weft.state.sqlitefile import prepare
from weft.state.tables import meta
from weft.state.tx import Tx

if TYPE_CHECKING:
    from weft.state.membership import Membership

T = TypeVar("T")
TRIES = 8


class State:
    """The state database. Open it once per process, with :meth:`open`; close it at the end.

    SQLite: one acting process, one thread that writes, several that read. PostgreSQL: any number
    of processes, transactions at READ COMMITTED; serialisation failures and deadlocks are retried,
    so the function given to :meth:`write` may run more than once.
    """

    def __init__(
        self, place: Place, engine: Engine, lock: FileLock | None, worker: str = "", *, read_only: bool
    ) -> None:
        self.place = place
        self.read_only = read_only
        self.engine = engine
        self._file_lock = lock
        self._ids = LinkIds()
        self._settlements = Settlements()
        self._readers = ThreadPoolExecutor(4, "weft-state-read")
        self._writers: Executor = ThreadPoolExecutor(1 if place.sqlite else 4, "weft-state-write")
        self._turn = threading.Lock()
        self._turn_of: int | None = None
        self.worker = worker or uuid.uuid4().hex
        """The id of this process among those that act on the state, new with every opening."""
        self._flow_locks = FlowLocks(place, self.worker)
        self._closed = False
        self.instance = ""
        self.written = 0
        """Transactions that this process has committed; exact on SQLite, where one writes at a time."""
        self.meter = Meter()
        """Told how long each writing transaction took; whoever measures puts another one here."""
        self.membership: Membership | None = None
        """Set while this process is entered as a worker."""
        self.claims = Claims(self)
        self.adrift = Adrift(self)
        self.join = Joined(self.write)
        """Small writes that share a transaction with others of the same moment."""

    @classmethod
    def open(cls, url: str, *, create: bool = True, exclusive: bool = True) -> State:
        """Open the state at ``url`` and bring it to this version's schema.

        ``exclusive``: the caller will write; on SQLite no other process may then. Without, the state
        is for reading only, next to whoever acts. ``create`` False: it must exist already.
        Raises :class:`weft.errors.StateError`, naming the place and what to do.
        """
        where = place.parse(url)
        lock = None
        if where.path is not None:
            prepare(where.path, create=create and exclusive)
            lock = FileLock(where.path) if exclusive else None
        state = None
        try:
            worker = uuid.uuid4().hex
            engine = cls._engine(where, worker, read_only=not exclusive)
            state = cls(where, engine, lock, worker, read_only=not exclusive)
            state._ready(create=create)
        except BaseException:
            if state is not None:
                state.close()
            elif lock is not None:
                lock.release()
            raise
        return state

    @staticmethod
    def _engine(where: Place, worker: str, *, read_only: bool) -> Engine:
        try:
            return make_engine(where, read_only=read_only, worker=worker)
        except Exception as error:
            explained = failures.explain(error, where)
            if explained is None:
                raise
            raise explained from error

    def _ready(self, *, create: bool) -> None:
        with self._connection(writes=False) as connection:
            current = is_current(connection, self.place, may_write=not self.read_only, create=create)
        if not current:
            if self.place.sqlite:
                self._use_wal()
            with self._connection(writes=True) as connection:
                migrate(connection, self.place)
        with self._connection(writes=False) as connection:
            query = select(meta.c.value).where(meta.c.name == "instance")
            self.instance = str(connection.execute(query).scalar_one())

    def _use_wal(self) -> None:
        """Write-ahead logging is a property of the file, so it is set once, when the file is ours."""
        try:
            raw = self.engine.raw_connection()
            try:
                mode = raw.cursor().execute("PRAGMA journal_mode=WAL").fetchone()[0]
            finally:
                raw.close()
        except Exception as error:
            raise failures.explain(error, self.place) or error from error
        if mode != "wal":
            raise StateError(
                f"the state {self.place} cannot use write-ahead logging (its file system answers {mode!r}); "
                "put it on a local disk"
            )

    # -- transactions

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """Run ``fn(tx)`` in one transaction in a worker thread; committed (on disk) on return.

        ``fn`` must be repeatable: on PostgreSQL it runs again after a deadlock. A cancelled caller
        still waits for the end of the transaction, so that nothing is committed behind its back.
        """
        begun = time.monotonic()
        try:
            return await self._in_thread(self._writers, lambda: self._run(fn, writes=True))
        finally:
            self.meter.state_write(time.monotonic() - begun)

    async def read(self, fn: Callable[[Tx], T]) -> T:
        """Run ``fn(tx)`` on one snapshot in a worker thread; it must not write."""
        return await self._in_thread(self._readers, lambda: self._run(fn, writes=False))

    @contextmanager
    def begin(self, *, writes: bool = True) -> Iterator[Tx]:
        """One transaction in this thread, for code without an event loop. Not retried."""
        with self._connection(writes=writes) as connection:
            yield Tx(connection, self._ids.take, self._settlements)

    async def _in_thread(self, executor: Executor, work: Callable[[], T]) -> T:
        if self._closed:  # the executor would say so in words of its own
            raise StateError(f"the state {self.place} is closed")
        future = asyncio.get_running_loop().run_in_executor(executor, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not future.done():
                await asyncio.wait([future])
            if not future.cancelled():
                future.exception()  # looked at, so that asyncio does not report it as lost
            raise

    def _run(self, fn: Callable[[Tx], T], *, writes: bool) -> T:
        for attempt in range(TRIES):
            try:
                with self._connection(writes=writes, explain=False) as connection:
                    tx = Tx(connection, self._ids.take, self._settlements)
                    if writes and self.membership is not None and not self.place.sqlite:
                        tx.workers.require(self.membership.lease)
                    return fn(tx)
            except Exception as error:
                if failures.retryable(error) and attempt + 1 < TRIES and not self.place.sqlite:
                    time.sleep(random.uniform(0.005, 0.02) * 2**attempt)
                    continue
                explained = failures.explain(error, self.place)
                if explained is None:
                    raise
                raise explained from error
        raise AssertionError("unreachable: the last try raises")

    @contextmanager
    def _connection(self, *, writes: bool, explain: bool = True) -> Iterator[Connection]:
        if self._closed:
            raise StateError(f"the state {self.place} is closed")
        if writes and self.read_only:
            raise StateError(f"the state {self.place} is open for reading only")
        try:
            with self._one_writer(writes), self.engine.connect() as connection:
                options: dict[str, Any] = {WRITES: writes}
                if not writes and not self.place.sqlite:
                    options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
                with connection.execution_options(**options).begin():
                    yield connection
                self.written += writes
        except Exception as error:
            explained = failures.explain(error, self.place) if explain else None
            if explained is None:
                raise
            raise explained from error

    @contextmanager
    def _one_writer(self, writes: bool) -> Iterator[None]:
        """SQLite has one writer at a time; taking turns here is fairer than its busy handler."""
        if not writes or not self.place.sqlite:
            yield
            return
        if self._turn_of == threading.get_ident():
            raise RuntimeError("a write transaction is already open in this thread")
        with self._turn:
            self._turn_of = threading.get_ident()
            try:
                yield
            finally:
                self._turn_of = None

    # -- locks and the end

    async def try_lock(self, name: str) -> FlowLock | None:
        """Take the lock ``name`` (a flow, say) for as long as this process and its connection live.

        None: somebody else has it. PostgreSQL: an advisory lock, seen by every machine. SQLite:
        within this process, which is the only one that acts.
        """
        return await self._in_thread(self._readers, lambda: self._flow_locks.take(f"{self.instance}/{name}"))

    @property
    def path(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        return self.place.path

    def compact(self) -> None:
        """SQLite: rewrite the file without the room of deleted rows. PostgreSQL does that by itself.

        :raises StateError: the disk has no room for the copy it needs meanwhile.
        """
        if not self.place.sqlite:
            return
        with self._one_writer(True):
            try:
                raw = self.engine.raw_connection()
                try:
                    raw.cursor().execute("VACUUM")
                finally:
                    raw.close()
            except Exception as error:
                raise failures.explain(error, self.place) or error from error

    def close(self) -> None:
        """Wait for running transactions, close all connections, release the locks. May be repeated."""
        if self._closed:
            return
        self._closed = True
        self._writers.shutdown()
        self._readers.shutdown()
        self._flow_locks.close()
        self.engine.dispose()
        if self._file_lock is not None:
            self._file_lock.release()

    async def aclose(self) -> None:
        await asyncio.to_thread(self.close)

    def __enter__(self) -> State:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> State:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()
