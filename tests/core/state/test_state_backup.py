"""A backup of either database restores into either, to the last value; a damaged one restores nothing."""

from __future__ import annotations

import gzip
import hashlib
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from weft.errors import StateError
from weft.records import Hint
from weft.state import Entry, Run, State
from weft.state.backup import LEFT_OUT, BadBackup, backup, check
from weft.state.restore import restore
from weft.state.tables import metadata

Make = Callable[..., Any]
NOW = datetime(2024, 5, 1, 8, 0, 0, 123456, tzinfo=UTC)


def fill(state: State, make_link: Make, make_issue: Make, make_intent: Make) -> None:
    """Something in every table, with what is easily lost on the way."""
    with state.begin() as tx:
        links = [make_link(f"Ä{n}", f'C"{n}\n', follow=n == 1) for n in range(9)]
        tx.links.insert_many(links)
        tx.links.delete_many([link.id for link in links[-2:]])
        tx.runs.start(Run("r1", "customers", "changes", NOW, worker="w1"))
        values = {
            "name": {"from": "a\u2028b", "to": "ü😀", "rule": "owner"},
            "limit": {"to": Decimal("1000000000000.10")},
        }
        more = {"fields": values, "link_id": links[0].id, "left_key": "Ä0"}
        times = [NOW + timedelta(microseconds=n) for n in range(3)]
        tx.journal.append_many("r1", [Entry(at, "customers", "customer", "update", "updated", **more) for at in times])
        tx.issues.upsert_many([make_issue(f"k{n}", payload={"amount": Decimal("0.10")}) for n in range(3)])
        tx.issues.close_many([3], at=NOW, reason="done")
        tx.intents.open_many([make_intent("i1", payload={"n": 1}), make_intent("i2", "A2")])
        tx.intents.mark_sent(["i1"], NOW)
        tx.intents.note("i1", "header", "K1", {"n": Decimal("1.0")}, NOW)
        tx.hints.put_many("customers", "crm", [Hint(object="Account", key="A1")], NOW)
        tx.guards.note("customers", "deletes", 3, 100, NOW)
        tx.guards.ask("customers", "guard:deletes", NOW, {"count": 3})
        tx.pauses.pause("*", "kim", "stocktaking", NOW, NOW + timedelta(days=1))
        tx.workers.join("w1", "here", 1, "1", timedelta(seconds=-1))


def content(state: State) -> dict[str, list[Any]]:
    with state.begin(writes=False) as tx:
        return {
            name: sorted(map(tuple, tx.connection.execute(table.select())), key=repr)
            for name, table in metadata.tables.items()
            if name not in {*LEFT_OUT, "meta"}
        }


@pytest.fixture
def target_url(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    with request.getfixturevalue("postgres_server").database() as url:
        yield url


@pytest.mark.parametrize("target_url", ["sqlite", "postgresql"], indirect=True)
def test_what_was_backed_up_is_restored_on_either_database(
    state_url: str, target_url: str, tmp_path: Path, make_link: Make, make_issue: Make, make_intent: Make
) -> None:
    file = tmp_path / "weft.backup"
    with State.open(state_url) as state:
        fill(state, make_link, make_issue, make_intent)
        with State.open(state_url, create=False, exclusive=False) as reader:  # beside whoever acts
            made = backup(reader, file)
        before = content(state)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert check(file).rows == made.rows
    assert made.rows["links"] == 7
    restored, kept = restore(target_url, file)
    assert (restored.sha256, kept) == (made.sha256, None)
    with State.open(target_url, create=False) as state:
        assert state.instance == made.header.instance
        after = content(state)
        # What a process was at when the backup was made is cut off; everything else is the same.
        [run] = after["runs"]
        assert (run[5], run[-3]) == ("lost", "w1")
        assert {name for name in before if before[name] != after[name]} == {"runs", "intents"}
        with state.begin() as tx:
            assert tx.journal.verify_chain("r1").ok
            assert tx.intents.get_many(["i1"])["i1"].state == "in_doubt"
            assert tx.workers.all() == []
            # Numbers of rows that were deleted are not given again.
            tx.links.insert_many([link := make_link("new", "new")])
            assert link.id == 10
            assert tx.issues.open(make_issue("new")).id == 4
            tx.runs.start(Run("r2", "customers", "changes", NOW))
            tx.journal.append_many("r2", [Entry(NOW, "customers", "customer", "update", "updated")])
        with pytest.raises(Exception, match="append-only"), state.begin() as tx:
            tx.connection.execute(text("DELETE FROM journal"))


def test_a_state_in_use_is_replaced_only_by_force_and_kept(state_url: str, tmp_path: Path, make_link: Make) -> None:
    file = tmp_path / "weft.backup"
    with State.open(state_url) as state:
        with state.begin() as tx:
            tx.links.insert_many([make_link("A1", "C1")])
        backup(state, file)
        with pytest.raises(StateError, match="exists already"):
            backup(state, file)
        backup(state, file, force=True)
        with state.begin() as tx:
            tx.links.insert_many([make_link("A2", "C2")])
            if state.path is None:
                lease = tx.workers.join("w1", "here", 1, "1", timedelta(minutes=5))
        # Nobody's state is pulled away from under them.
        with pytest.raises(StateError, match=r"is in use by|others act on the state .*: process \d+ on "):
            restore(state_url, file, force=True)
        if state.path is None:
            with state.begin() as tx:
                tx.workers.leave(lease, tx.workers.clock())
    with pytest.raises(StateError, match="--force"):
        restore(state_url, file)
    _, kept = restore(state_url, file, force=True)
    with State.open(state_url, create=False) as state, state.begin(writes=False) as tx:
        assert tx.links.count() == 1
    if kept is not None:
        with State.open(f"sqlite:///{kept}", create=False) as old, old.begin(writes=False) as tx:
            assert tx.links.count() == 2


def test_an_older_backup_is_brought_to_this_schema(tmp_path: Path) -> None:
    """As a weft of the first schema wrote it: without the tables and columns that came later."""
    file, url = tmp_path / "old.backup", f"sqlite:///{tmp_path / 'weft.db'}"
    columns = ["id", "flow", "mode", "started_at", "state"]
    tables = {"meta": [["name", "text"], ["value", "text"]], "runs": [[name, "text"] for name in columns]}
    head = {"weft": "state backup", "format": 1, "schema": "0001", "version": "0.1", "instance": "i1",
            "at": "2024-05-01T08:00:00.000000Z", "from": "sqlite",
            "tables": tables, "next": {"journal": 7}}  # fmt: skip
    run = ["r1", "customers", "changes", "2024-05-01T08:00:00.123456Z", "done"]
    lines = [head, {"table": "meta"}, ["instance", "i1"], {"end": "meta", "rows": 1}, {"table": "runs"}, run,
             {"end": "runs", "rows": 1}]  # fmt: skip
    write(file, [orjson.dumps(line) for line in lines])
    restore(url, file)
    with State.open(url, create=False) as state, state.begin() as tx:
        [found] = tx.runs.page()
        assert (state.instance, found.started_at, found.error) == ("i1", NOW, None)
        tx.journal.append_many("r1", [Entry(NOW, "customers", "customer", "update", "updated")])
        assert tx.journal.page()[0].id == 8


def write(file: Path, lines: list[bytes]) -> None:
    body = b"".join(line + b"\n" for line in lines)
    end = b'{"sha256":"%s"}\n' % hashlib.sha256(body).hexdigest().encode()
    file.write_bytes(gzip.compress(body + end))


def test_a_damaged_or_strange_file_restores_nothing(tmp_path: Path, make_link: Make) -> None:
    file, url = tmp_path / "weft.backup", f"sqlite:///{tmp_path / 'weft.db'}"
    with State.open(f"sqlite:///{tmp_path / 'source.db'}") as state:
        with state.begin() as tx:
            tx.links.insert_many([make_link(f"A{n}", f"C{n}") for n in range(50)])
        backup(state, file)
    whole = file.read_bytes()
    lines = gzip.decompress(whole).splitlines(keepends=True)
    cut = next(n for n, line in enumerate(lines) if line.startswith(b"[1,"))
    newer = lines[0].replace(b'"schema":"', b'"schema":"9')
    damaged = {
        "cut short": (whole[:-40], "cut short or damaged"),
        "a flipped bit": (whole[:300] + bytes([whole[300] ^ 1]) + whole[301:], "damaged"),
        "a row less": (gzip.compress(b"".join(lines[:cut] + lines[cut + 1 :])), "rows of links are missing"),
        "a changed value": (gzip.compress(b"".join(lines).replace(b'"C7"', b'"C8"', 1)), "does not fit its checksum"),
        "no end": (gzip.compress(b"".join(lines[:-1])), "does not fit its checksum"),
        "something else": (gzip.compress(b"hello\n"), "is no backup"),
        "not packed": (b"hello\n", "is no backup"),
        "empty": (b"", "is no backup"),
        "of a newer weft": (gzip.compress(b"".join([newer, *lines[1:]])), "upgrade weft first"),
    }
    for name, (data, words) in damaged.items():
        file.write_bytes(data)
        with pytest.raises(BadBackup, match=words):
            restore(url, file)
        assert not (tmp_path / "weft.db").exists(), name
    with pytest.raises(StateError, match="cannot be read: No such file"):
        restore(url, tmp_path / "nowhere")


def test_a_failed_restore_leaves_the_old_state(
    tmp_path: Path, make_link: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, file = f"sqlite:///{tmp_path / 'weft.db'}", tmp_path / "weft.backup"
    with State.open(url) as state:
        with state.begin() as tx:
            tx.links.insert_many([make_link("A1", "C1")])
        backup(state, file)
        with state.begin() as tx:
            tx.links.insert_many([make_link("A2", "C2")])
    monkeypatch.setattr("weft.state.restore._count_on", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(StateError, match="cannot be written: No space left"):
        restore(url, file, force=True)
    with State.open(url, create=False) as state, state.begin(writes=False) as tx:
        assert tx.links.count() == 2
    assert sorted(path.name for path in tmp_path.glob("weft.db*")) == ["weft.db", "weft.db.lock"]
