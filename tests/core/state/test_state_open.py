"""Opening the state: schema, locks, and every way it can be the wrong thing."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from weft.errors import StateDown, StateError
from weft.state import Link, State
from weft.state.migrate import MIGRATIONS, SCHEMA
from weft.state.place import parse
from weft.state.tables import VERSION_TABLE, metadata

Make = Callable[..., Link]


def execute(state_url: str, *statements: str) -> None:
    engine = create_engine(state_url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_migrations_make_what_the_tables_say(state: State) -> None:
    with state.begin(writes=False) as tx:
        context = MigrationContext.configure(tx.connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_one_expected() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA]


def test_opening_again_keeps_everything(state_url: str, make_link: Make) -> None:
    with State.open(state_url) as first, first.begin() as tx:
        tx.links.insert_many([make_link("A1", "C1")])
    with State.open(state_url, create=False) as second, second.begin(writes=False) as tx:
        assert second.instance == first.instance
        assert tx.links.count() == 1


def test_only_asked_for_is_it_made(state_url: str) -> None:
    for options in ({"create": False}, {"exclusive": False}):
        with pytest.raises(StateError, match="made by the first sync"):
            State.open(state_url, **options)


def test_a_newer_schema_is_refused(state_url: str) -> None:
    State.open(state_url).close()
    execute(state_url, f"UPDATE {VERSION_TABLE} SET version_num = '0099'")
    with pytest.raises(StateError, match=f"has schema version 0099, this weft knows versions up to {SCHEMA}"):
        State.open(state_url)
    with pytest.raises(StateError, match="upgrade weft"):
        State.open(state_url, exclusive=False)


def test_a_reader_does_not_migrate(state_url: str) -> None:
    State.open(state_url).close()
    execute(state_url, f"UPDATE {VERSION_TABLE} SET version_num = '0000'")
    with pytest.raises(StateError, match="migrated by the next command that acts"):
        State.open(state_url, exclusive=False)


def test_a_state_that_others_work_on_is_not_migrated(postgres_url: str) -> None:
    """Workers of the earlier version would go on beside it."""
    with State.open(postgres_url) as old:
        with old.begin() as tx:
            tx.workers.join("w1", "alpha", 4711, "0.0.9", timedelta(minutes=1))
        execute(postgres_url, f"UPDATE {VERSION_TABLE} SET version_num = '0006'", "DROP INDEX ix_issues_open")
        with pytest.raises(StateError, match=r"others are at work on it: process 4711 on alpha \(weft 0\.0\.9\); stop"):
            State.open(postgres_url)
        execute(postgres_url, "UPDATE workers SET ended_at = now()")
    State.open(postgres_url).close()


def test_a_migration_that_fails_leaves_nothing(state_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema is made in one transaction: a crash halfway is as if it had not begun."""
    monkeypatch.setattr("weft.state.migrate.uuid.uuid4", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        State.open(state_url)
    monkeypatch.undo()
    State.open(state_url).close()


def test_another_programs_database_is_left_alone(state_url: str) -> None:
    execute(state_url, "CREATE TABLE links (url TEXT)")
    with pytest.raises(StateError, match=r"another program \(it has the tables links\)"):
        State.open(state_url)
    execute(state_url, "INSERT INTO links VALUES ('still here')")


def test_a_reader_reads_and_does_not_write(state_url: str, make_link: Make) -> None:
    with State.open(state_url) as writer, State.open(state_url, exclusive=False) as reader:
        with writer.begin() as tx:
            tx.links.insert_many([make_link("A1", "C1")])
        with reader.begin(writes=False) as tx:
            assert tx.links.count() == 1
        with pytest.raises(StateError, match="open for reading only"), reader.begin():
            pass


@pytest.mark.parametrize(
    ("content", "message"), [(b"PK\x03\x04 a zip archive", "is not a SQLite database"), (None, "is a folder")]
)
def test_a_file_that_is_no_sqlite(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "weft.db"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(StateError, match=message) as caught:
        State.open(f"sqlite:///{path}")
    assert str(path) in str(caught.value)
    assert content is None or path.read_bytes() == content


def test_a_damaged_file_says_so(tmp_path: Path, make_link: Make) -> None:
    path = tmp_path / "weft.db"
    with State.open(f"sqlite:///{path}") as state, state.begin() as tx:
        tx.links.insert_many([make_link(f"A{n}", f"C{n}", left_base="x" * 500) for n in range(500)])
    content = bytearray(path.read_bytes())
    content[4096 : len(content)] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"is damaged: .*Restore it from a backup"):
        State.open(f"sqlite:///{path}")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=f"the folder {tmp_path / 'none'} does not exist"):
        State.open(f"sqlite:///{tmp_path}/none/weft.db")


def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    State.open(f"sqlite:///{tmp_path}/weft.db").close()
    assert stat.S_IMODE((tmp_path / "weft.db").stat().st_mode) == 0o600


def test_settings_that_keep_what_is_committed(tmp_path: Path) -> None:
    with State.open(f"sqlite:///{tmp_path}/weft.db") as state, state.begin() as tx:
        pragmas = {
            name: tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


HOLD = """
    import sys, time
    from weft.state import State
    state = State.open(sys.argv[1])
    print("open", flush=True)
    time.sleep(60)
"""


def test_what_is_committed_outlives_the_server_whatever_its_default(postgres_url: str) -> None:
    with State.open(postgres_url) as state, state.begin() as tx:
        assert tx.connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"


def test_a_second_acting_process_is_told_who_acts(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/weft.db"
    holder = subprocess.Popen([sys.executable, "-c", textwrap.dedent(HOLD), url], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StateError, match=rf"in use by process {holder.pid} on .+ since \d{{4}}-"):
            State.open(url)
        State.open(url, exclusive=False).close()
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    State.open(url).close()  # the lock died with its holder


def test_the_lock_is_given_back_when_opening_fails(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/weft.db"
    execute(url, "CREATE TABLE other (x TEXT)")
    for _ in range(2):
        with pytest.raises(StateError, match="another program"):
            State.open(url)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody without rights")
def test_a_file_without_write_permission(tmp_path: Path) -> None:
    code = """
        import os, sys
        from weft.errors import StateError
        from weft.state import State
        import weft.state.store, alembic.command
        os.setgid(65534); os.setuid(65534)
        try:
            State.open(sys.argv[1])
        except StateError as error:
            print(error)
    """
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    State.open(f"sqlite:///{tmp_path}/weft.db").close()
    (tmp_path / "weft.db").chmod(0o444)
    said = subprocess.run([sys.executable, "-c", textwrap.dedent(code), f"sqlite:///{tmp_path}/weft.db"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert f"{tmp_path}/weft.db" in said.stdout
    assert "Permission denied" in said.stdout


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://u:s3cret@host/db", "mysql is not supported"),
        ("sqlite://", "in-memory databases forget"),
        ("sqlite:///:memory:", "in-memory databases forget"),
        ("sqlite+aiosqlite:///x.db", "driver sqlite\\+aiosqlite is not supported"),
        ("weft.db s3cret", "not a database URL"),
    ],
)
def test_urls_that_are_no_state(url: str, message: str) -> None:
    with pytest.raises(StateError, match=message) as caught:
        State.open(url)
    assert "sqlite:///path/to/weft.db" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("password", ["s3cret", "s3/cr+et@%"])
def test_passwords_are_never_shown(password: str) -> None:
    from urllib.parse import quote_plus

    spelled = quote_plus(password)
    for url in (
        f"postgresql://kim:{spelled}@127.0.0.1:1/weft",
        f"postgresql+psycopg://kim@127.0.0.1:1/weft?password={spelled}",
    ):
        place = parse(url)
        with pytest.raises(StateDown, match="cannot be reached") as caught:
            State.open(url)
        shown = [str(caught.value), str(place), repr(place), place.mask(f"<{password}|{spelled}>")]
        assert not [x for x in shown if password in x or spelled in x]
        assert "127.0.0.1" in str(caught.value)


def test_a_missing_database_is_said_to_be_missing(postgres_url: str) -> None:
    with pytest.raises(StateError, match=r"does not exist: .*Create the database first"):
        State.open(postgres_url.replace("/t_", "/none_"))
