"""The state: a disk that is full, a file of a newer version or of somebody else, two processes at once."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("limits of a process are set the POSIX way", allow_module_level=True)


def command(pair: Any, *args: str, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, in which no file may grow beyond ``limit`` bytes: what a full disk
    or a quota does to it."""
    pair.write()
    # What is compiled would be cut off as well, and break every start after this one.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-m", "weft.cli", *args], cwd=pair.folder, text=True, capture_output=True, check=False,
        env=environment, preexec_fn=limited,
    )  # fmt: skip
    for secret in pair.secrets:
        assert secret not in done.stdout + done.stderr
    return done


def quiet(pair: Any) -> None:
    """Without a log file, which would be the first to be cut off."""
    pair.config["log"] = {"level": "error"}


def test_full_disk_at_the_start(pair: Any) -> None:
    quiet(pair)
    pair.account("Adatum", Zip="10115")
    done = command(pair, "sync", limit=20_000)
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"the state {pair.state}" in done.stderr
    assert "what was committed before is safe" in done.stderr
    assert "Traceback" not in done.stderr
    assert pair.customers() == {}
    pair.agree("Adatum")


@pytest.mark.parametrize("room", [16, 60, 120])
def test_full_disk_on_the_way(pair: Any, room: int) -> None:
    """Wherever a run is cut off: it says so, what was done stays done, and nothing is made twice.

    With 16 KiB nothing has been sent yet, with 60 all is made over there and nothing of it noted here, with
    120 it is noted.
    """
    quiet(pair)
    pair.account("Adatum", Zip="10115")
    pair.agree("Adatum")
    names = [f"Customer {n}" for n in range(12)]
    for n, name in enumerate(names):
        pair.account(name, Zip=f"1{n:04}")
    pair.customer("Contoso", email="office@contoso.example")
    done = command(pair, "sync", limit=room * 1024)
    told = done.stdout + done.stderr
    assert done.returncode == 2, told
    assert f"the state {pair.state}" in told
    assert "free space" in told or "Make room" in told
    assert "Traceback" not in told
    pair.wait(700)
    pair.agree("Adatum", "Contoso", *names)
    assert pair.issues() == []


def test_state_of_a_newer_version(pair: Any) -> None:
    pair.account("Adatum", Zip="10115")
    pair.agree("Adatum")
    pair.account("Contoso", Zip="20095")
    before = pair.writes()
    _schema(pair.state, "0099")
    was = pair.state.read_bytes()
    for name in ("check", "plan", "sync", "status", "issues", "verify", "journal"):
        pair.weft(name, code=2).says(
            f"the state {pair.state} has schema version 0099, this weft knows versions up to ",
            "upgrade weft, or use the version that wrote it",
        )
    assert pair.writes() == before
    assert pair.state.read_bytes() == was
    _schema(pair.state, _known())
    pair.agree("Adatum", "Contoso")


def _known() -> str:
    from weft.state.migrate import SCHEMA

    return SCHEMA


def _schema(path: Path, version: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE weft_schema SET version_num = ?", [version])
    connection.close()


def test_state_that_is_none(pair: Any) -> None:
    """Another program's file is left as it is."""
    pair.account("Adatum", Zip="10115")
    pair.state.write_bytes(b"my only copy of something\n" * 10)
    was = pair.state.read_bytes()
    for name in ("check", "sync", "status"):
        pair.weft(name, code=2).says(f"the state {pair.state} is not a SQLite database; name another file under state:")
    assert pair.state.read_bytes() == was
    pair.state.unlink()
    with sqlite3.connect(pair.state) as connection:
        connection.execute("CREATE TABLE orders (id)")
    connection.close()
    for name in ("check", "sync"):
        pair.weft(name, code=2).says("is a database of another program (it has the tables orders); name another one")
    pair.config["state"] = "sqlite:///no/such/folder/weft.db"
    pair.weft("sync", code=2).says("cannot be made: the folder", "does not exist")
    pair.config["state"] = "sqlite:///mine.db"
    pair.agree("Adatum")


def test_damaged_state(pair: Any) -> None:
    """A file cut short is said to be damaged; from its copy everything goes on."""
    pair.account("Adatum", Zip="10115")
    pair.agree("Adatum")
    for rest in (pair.state.with_name("weft.db-wal"), pair.state.with_name("weft.db-shm")):
        rest.unlink(missing_ok=True)
    copy = shutil.copy(pair.state, pair.folder / "copy.db")
    content = pair.state.read_bytes()
    pair.state.write_bytes(content[:4096] + b"\xff" * (len(content) - 8192) + content[-4096:])
    for name in ("sync", "status"):
        ran = pair.weft(name, code=2)
        ran.says(f"the state {pair.state} is damaged", "Restore it from a backup")
        assert "Traceback" not in ran.text
    shutil.copy(copy, pair.state)
    pair.account("Contoso", Zip="20095")
    pair.agree("Adatum", "Contoso")


def under_way(process: subprocess.Popen[Any], fault: Any) -> None:
    """Wait until the process has sent the request that the fault strikes."""
    until = time.monotonic() + 60
    while not fault.struck and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    assert fault.struck
    assert process.poll() is None, process.communicate()


def test_two_processes_on_one_file(pair: Any) -> None:
    """The second is told who has it, and does nothing; looking is allowed meanwhile."""
    quiet(pair)
    pair.account("Adatum", Zip="10115")
    pair.agree("Adatum")
    pair.account("Contoso", Zip="20095")
    slow = pair.fault("erp", "slow", method="POST", path="customers|batch", seconds=4.0, count=1)
    pair.write()
    first = subprocess.Popen(
        [sys.executable, "-m", "weft.cli", "sync", "--json"], cwd=pair.folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        under_way(first, slow)
        for refused in (pair.weft("sync", code=2), pair.weft("issues", "retry", "--all", code=2)):
            refused.says(
                f"{pair.state} is in use by process {first.pid} on ",
                "only one process may act on a SQLite state: stop that one, or use a PostgreSQL state",
            )
        pair.weft("status", code=(0, 1)).says("running")
        pair.weft("plan", code=(0, 1))
        pair.weft("check")
    finally:
        out, errors = first.communicate(timeout=60)
    assert first.returncode == 0, errors
    assert json.loads(out)[0]["counts"]["created"] == 1
    pair.agree("Adatum", "Contoso")


def test_a_process_that_was_killed_leaves_no_lock(pair: Any) -> None:
    quiet(pair)
    pair.account("Adatum", Zip="10115")
    slow = pair.fault("erp", "slow", method="POST", path="customers", seconds=5.0, late=True, count=1)
    pair.write()
    first = subprocess.Popen([sys.executable, "-m", "weft.cli", "sync"], cwd=pair.folder, stdout=subprocess.DEVNULL)
    under_way(first, slow)
    first.kill()
    first.wait(timeout=30)
    pair.heal()
    pair.wait(700)
    pair.weft("sync", code=(0, 1))
    pair.wait(700)
    pair.agree("Adatum")
    assert pair.issues() == []
