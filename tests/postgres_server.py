"""Run as a script: one throw-away PostgreSQL cluster, for as long as the given process lives.

    python postgres_server.py BINDIR WATCHED_PID READY_FILE

Writes ``{"socket": …, "pid": …}`` to READY_FILE once the server accepts connections, or
``{"error": …}``. Ends, and removes the cluster, on SIGTERM or when the watched process is gone.
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


def start(bindir: Path, folder: Path) -> subprocess.Popen[bytes]:
    who = account()
    if who:
        os.chown(folder, who["user"], who["group"])
    data = folder / "data"
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    command = [bindir / "initdb", "-D", data, *options]
    made = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, **who)
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed: {made.stderr.strip()}")
    settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
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


def main(bindir: Path, watched: int, ready: Path) -> None:
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C reaches the whole group; pytest tells us itself
    folder = Path(tempfile.mkdtemp(prefix="weft-pg-"))
    server = None
    try:
        try:
            server = start(bindir, folder)
            answer = {"socket": str(folder), "pid": os.getpid()}
        except (RuntimeError, OSError) as error:
            answer = {"error": str(error)}
        partial = ready.with_suffix(".partial")
        partial.write_text(json.dumps(answer))
        partial.rename(ready)
        while server is not None and not stopping and alive(watched) and server.poll() is None:
            time.sleep(0.1)
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # "fast": disconnects clients, then a clean end
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
