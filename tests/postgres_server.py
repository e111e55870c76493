"""Run as a script: one throw-away PostgreSQL cluster, for as long as the given process lives.

    python postgres_server.py BINDIR WATCHED_PID READY_FILE

Writes ``{"socket": …, "pid": …}`` to READY_FILE once the server accepts connections, or
``{"error": …}``. Ends, and removes the cluster, on SIGTERM or when the watched process is gone.

The server is stopped as by ``pg_ctl stop -m fast`` on SIGUSR1, as by ``-m immediate`` (it recovers from its log when it
starts again) on SIGUSR2, and started again on SIGHUP.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

START_SECONDS = 60.0
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}


def account() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: use another account then."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("PostgreSQL will not run as root, and there is no user postgres or nobody")


def is_ready(data: Path) -> bool:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


STOPS = {signal.SIGUSR1: signal.SIGINT, signal.SIGUSR2: signal.SIGQUIT}
"""What the server itself is told, by what this process is told."""


def make(bindir: Path, folder: Path) -> None:
    who = account()
    if who:
        os.chown(folder, who["user"], who["group"])
    data = folder / "data"
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    command = [bindir / "initdb", "-D", data, *options]
    made = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, **who)
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed: {made.stderr.strip()}")


def start(bindir: Path, folder: Path) -> subprocess.Popen[bytes]:
    who, data = account(), folder / "data"
    settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    (data / "postmaster.pid").unlink(missing_ok=True)  # left by one that was stopped at once
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            [bindir / "postgres", "-D", data, "-k", folder, *settings],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder, start_new_session=True, **who,
        )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while not is_ready(data):
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            raise RuntimeError(f"postgres did not start: {(folder / 'log').read_text()[-2000:]}")
        time.sleep(0.02)
    return server


def stop(server: subprocess.Popen[bytes], how: int) -> None:
    server.send_signal(how)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def main(bindir: Path, watched: int, ready: Path) -> None:
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGHUP, *STOPS):
        signal.signal(number, lambda number, frame: told.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C reaches the whole group; pytest tells us itself
    folder = Path(tempfile.mkdtemp(prefix="weft-pg-"))
    server = None
    try:
        try:
            make(bindir, folder)
            server = start(bindir, folder)
            answer = {"socket": str(folder), "pid": os.getpid()}
        except (RuntimeError, OSError) as error:
            answer = {"error": str(error)}
        partial = ready.with_suffix(".partial")
        partial.write_text(json.dumps(answer))
        partial.rename(ready)
        while signal.SIGTERM not in told and alive(watched) and "error" not in answer:
            number = told.pop(0) if told else None
            if number in STOPS and server is not None:
                stop(server, STOPS[number])
                server = None
            elif number == signal.SIGHUP and server is None:
                server = start(bindir, folder)
            elif server is not None and server.poll() is not None:
                break
            elif number is None:
                time.sleep(0.05)
    finally:
        if server is not None:
            stop(server, signal.SIGINT)  # "fast": disconnects clients, then a clean end
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
