"""weft run as a process of its own: jobs, server, metrics, readiness and alerts together, and a graceful end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

pytest.importorskip("weft_csvdir")

CONFIG = """\
connections:
  shop: {{kind: csvdir, path: {folder}/shop}}
  office: {{kind: csvdir, path: {folder}/office}}
server: {{enabled: true, listen: "127.0.0.1:{port}"}}
alerts: {{channels: {{chat: {{url: "json://127.0.0.1:{chat}/"}}}}}}
log: {{format: json}}
flows:
  customers: {{entity: customer, between: [shop, office], approve: name = 'Large', every: 1s}}
"""
HEADER = "id,name,email\n"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def until(found: Callable[[], Any], process: subprocess.Popen[str], seconds: float = 90) -> Any:
    """What is found, once it is; the process must live."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not come"
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    return value


@pytest.fixture
def chat() -> Iterator[tuple[int, list[Any]]]:
    """An endpoint that takes alerts, and what it was sent."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server.server_port, got
    server.shutdown()
    server.server_close()


def test_everything_runs_together_and_ends_when_it_is_told_to(tmp_path: Path, chat: tuple[int, list[Any]]) -> None:
    port, told = free_port(), chat[1]
    for folder in ("shop", "office"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "customers.csv").write_text(HEADER, "utf-8")
    shop, office = tmp_path / "shop/customers.csv", tmp_path / "office/customers.csv"
    shop.write_text(HEADER + "1,Adatum,a@example.com\n2,Large,l@example.com\n", "utf-8")
    config = tmp_path / "weft.yaml"
    config.write_text(CONFIG.format(folder=tmp_path, port=port, chat=chat[0]), "utf-8")
    weft = [sys.executable, "-m", "weft.cli", "-c", str(config)]
    first = subprocess.run([*weft, "sync"], capture_output=True, text=True, timeout=100, check=False)
    assert first.returncode == 1, first.stderr  # one record waits for approval
    process = subprocess.Popen([*weft, "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        base = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=base, trust_env=False) as http:

            def ready() -> bool:
                try:
                    return http.get("/health/ready").status_code == 200
                except httpx.TransportError:
                    return False

            until(ready, process)
            checks = http.get("/health/ready").json()["checks"]
            assert checks == dict.fromkeys(("state", "worker", "daemon"), "ok")
            until(lambda: told, process)
            assert told[0]["title"] == "weft: customers: 1 record waiting for approval"
            shop.write_text(shop.read_text("utf-8") + "3,Contoso,c@example.com\n", "utf-8")
            until(lambda: "Contoso" in office.read_text("utf-8"), process)
            metrics = until(lambda: 'outcome="created"' in (text := http.get("/metrics").text) and text, process)
            assert 'weft_workers{state="alive"} 1.0' in metrics
            assert 'weft_approvals_waiting{flow="customers"} 1.0' in metrics
            assert "weft_state_write_seconds_count" in metrics
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert any(line["level"] == "info" and "is at work on" in line["message"] for line in lines)
    assert any(line["message"].startswith("told weft: customers") for line in lines)
