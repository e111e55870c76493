"""Transactions: all or nothing, many at once, full disks, lost connections, cancelled callers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from weft.errors import StateError
from weft.state import Cursor, Entry, Link, Run, State, Tx

Make = Callable[..., Link]


async def count(state: State) -> int:
    return await state.read(lambda tx: tx.links.count())


async def test_what_raises_is_undone_as_a_whole(state: State, make_link: Make, now: datetime) -> None:
    def settle(tx: Tx) -> None:
        tx.links.insert_many([make_link("A1", "C1")])
        tx.cursors.put(Cursor("f", "left", "crm", "", "", "1", now))
        raise KeyError("no")

    with pytest.raises(KeyError):
        await state.write(settle)
    assert await count(state) == 0
    assert await state.read(lambda tx: tx.cursors.all()) == []


async def test_many_writers_and_readers_at_once(state: State, make_link: Make, now: datetime) -> None:
    await state.write(lambda tx: tx.runs.start(Run("r", "f", "sync", now)))

    def work(tx: Tx, n: int) -> None:
        tx.links.insert_many([make_link(f"A{n}-{m}", f"C{n}-{m}") for m in range(5)])
        tx.journal.append_many("r", [Entry(now, "f", "customer", "create", "created", left_key=f"A{n}")])

    jobs = [state.write(lambda tx, n=n: work(tx, n)) for n in range(40)]
    *_, seen = await asyncio.gather(*jobs, *(count(state) for _ in range(20)))
    assert seen % 5 == 0  # a reader sees whole transactions only
    assert await count(state) == 200
    check = await state.read(lambda tx: tx.journal.verify_chain("r"))
    assert (check.ok, check.rows) == (True, 40)


async def test_a_reader_keeps_its_snapshot(state: State, make_link: Make) -> None:
    reading, written = threading.Event(), threading.Event()

    def look_twice(tx: Tx) -> tuple[int, int]:
        first = tx.links.count()
        reading.set()
        assert written.wait(20)
        return first, tx.links.count()

    looking = asyncio.ensure_future(state.read(look_twice))
    await asyncio.to_thread(reading.wait, 20)
    await state.write(lambda tx: tx.links.insert_many([make_link("A1", "C1")]))
    written.set()
    assert await looking == (0, 0)
    assert await count(state) == 1


async def test_a_cancelled_caller_knows_that_the_write_is_over(state: State, make_link: Make) -> None:
    started, go = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        tx.links.insert_many([make_link("A1", "C1")])
        started.set()
        assert go.wait(20)

    task = asyncio.ensure_future(state.write(slow))
    await asyncio.to_thread(started.wait, 20)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count(state) == 1


async def test_deadlocks_are_tried_again(postgres_url: str, make_link: Make) -> None:
    with State.open(postgres_url) as state:
        links = [make_link("A1", "C1"), make_link("A2", "C2")]
        await state.write(lambda tx: tx.links.insert_many(links))
        tries: list[int] = []
        both = threading.Barrier(2)

        def crosswise(tx: Tx, order: list[int]) -> None:
            tries.append(order[0])
            tx.links.set_many([{"id": order[0], "left_version": str(order)}])
            if len(tries) <= 2:
                both.wait(20)
            tx.links.set_many([{"id": order[1], "right_version": str(order)}])

        a, b = (link.id for link in links)
        await asyncio.gather(*(state.write(lambda tx, o=o: crosswise(tx, o)) for o in ([a, b], [b, a])))
        assert len(tries) >= 3  # one of the two was the victim, and went again
        after = await state.read(lambda tx: tx.links.get_many([a, b]))
    assert (after[a].left_version, after[a].right_version) == (str([a, b]), str([b, a]))


async def test_serialisation_failures_are_tried_again(postgres_url: str) -> None:
    with State.open(postgres_url) as state:
        tries: list[int] = []

        def fail_twice(tx: Tx) -> str:
            tries.append(1)
            if len(tries) < 3:
                tx.connection.execute(text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$"))
            return "done"

        assert await state.write(fail_twice) == "done"
        assert len(tries) == 3


async def test_a_server_that_ends_the_session_is_an_error_that_names_it(postgres_url: str) -> None:
    with State.open(postgres_url) as state:
        with pytest.raises(StateError, match=r"the state postgresql.* (shutting down|cannot be reached)"):
            await state.write(lambda tx: tx.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())")))
        assert await count(state) == 0  # the next transaction gets a new connection


async def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path, make_link: Make) -> None:
    path = tmp_path / "weft.db"
    with State.open(f"sqlite:///{path}") as state:
        await state.write(lambda tx: tx.links.insert_many([make_link("A1", "C1")]))

        def fill(tx: Tx) -> None:
            pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 5}")
            tx.links.insert_many([make_link(f"B{n}", f"D{n}", left_base="x" * 1000) for n in range(500)])

        with pytest.raises(StateError, match="is full") as caught:
            await state.write(fill)
        assert str(path) in str(caught.value)
        assert await count(state) == 1
        await state.write(lambda tx: tx.links.insert_many([make_link("A2", "C2")]))
    with State.open(f"sqlite:///{path}") as again:
        assert await count(again) == 2


def test_a_file_that_may_not_grow_loses_nothing_committed(tmp_path: Path) -> None:
    """As with a quota or a full volume: the operating system refuses the write in the middle."""
    code = """
        import asyncio, resource, signal, sys
        from datetime import UTC, datetime
        from weft.errors import StateError
        from weft.state import Link, State

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        now, base = datetime.now(UTC), "x" * 900
        async def main():
            state = State.open(sys.argv[1])
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
            done = 0
            try:
                while done < 10_000:
                    part = [
                        Link("customer", "crm", "A", f"A{n}", "erp", "C", f"C{n}", now, now, left_base=base)
                        for n in range(done, done + 50)
                    ]
                    await state.write(lambda tx: tx.links.insert_many(part))
                    done += 50
            except StateError as error:
                print(done)
                print(error)
        asyncio.run(main())
    """
    path = tmp_path / "weft.db"
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), f"sqlite:///{path}"],
        capture_output=True,
        text=True,
        check=True,
    )
    done, said = ran.stdout.splitlines()
    assert 0 < int(done) < 10_000
    assert f"the state {path} " in said
    assert "what was committed before is safe" in said
    with State.open(f"sqlite:///{path}") as state, state.begin() as tx:
        assert tx.links.count() == int(done)
        assert tx.connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def test_a_killed_writer_loses_nothing_committed(tmp_path: Path) -> None:
    code = """
        import os, signal, sys
        from datetime import UTC, datetime
        from weft.state import Intent, State
        state = State.open(sys.argv[1])
        now = datetime.now(UTC)
        intent = lambda id: Intent(id, "f", "r", "customer", "right", "erp", "C", "create", "A1", now)
        with state.begin() as tx:
            tx.intents.open_many([intent("committed")])
        with state.begin() as tx:
            tx.intents.open_many([intent("not committed")])
            os.kill(os.getpid(), signal.SIGKILL)
    """
    url = f"sqlite:///{tmp_path}/weft.db"
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code), url], check=False)
    assert ran.returncode == -9
    with State.open(url) as state, state.begin(writes=False) as tx:
        assert [i.id for i in tx.intents.unsettled()] == ["committed"]


async def test_a_lock_by_name_is_held_once(state: State, state_url: str) -> None:
    lock = await state.try_lock("flow/customers")
    assert lock.held()
    assert await state.try_lock("flow/customers") is None
    other = await state.try_lock("flow/orders")
    if not state.place.sqlite:
        with State.open(state_url) as elsewhere:  # another process's view
            assert await elsewhere.try_lock("flow/customers") is None
            lock.release()
            taken = await elsewhere.try_lock("flow/customers")
            assert taken.held()
            assert await state.try_lock("flow/customers") is None
    lock.release()
    assert not lock.held()
    assert other.held()
    again = await state.try_lock("flow/customers")
    assert again.held()
    state.close()
    assert not again.held()


async def test_a_lock_whose_connection_died_is_known_to_be_lost(postgres_url: str) -> None:
    with State.open(postgres_url) as state:
        lock = await state.try_lock("flow/customers")
        kill = (
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        await state.write(lambda tx: tx.connection.execute(text(kill)))
        assert not lock.held()
        lock.release()
        assert (await state.try_lock("flow/customers")).held()


def test_misuse_is_said_at_once(state: State) -> None:
    if state.place.sqlite:
        with pytest.raises(RuntimeError, match="already open in this thread"), state.begin(), state.begin():
            pass
    state.close()
    state.close()
    with pytest.raises(StateError, match="is closed"), state.begin():
        pass


def test_importing_the_package_does_not_import_sqlalchemy() -> None:
    code = "import sys, weft.state; assert 'sqlalchemy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_opening_a_current_state_does_not_import_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/weft.db"
    State.open(url).close()
    code = "import sys, weft.state as s; s.State.open(sys.argv[1]); assert 'alembic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, url], check=True)


def test_no_customer_data_in_error_texts(state: State, make_link: Make) -> None:
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError) as caught, state.begin() as tx:
        tx.links.insert_many([make_link("A1", "C1", left_base="Fabrikam's secrets", state="nonsense")])
    assert "SQL parameters hidden" in str(caught.value)
