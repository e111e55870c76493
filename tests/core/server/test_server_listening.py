"""Listening for real: addresses, certificates, webhooks."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from weft.errors import ConfigError, WeftError
from weft.records import Reply, Request
from weft.server.serve import serve


class Unknown(WeftError):
    status = 404


class Gate:
    """Stands in for the daemon's receiver: one secret, and what came in."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Request]] = []

    async def __call__(self, connection: str, secret: str, request: Request) -> Reply:
        if secret != "right":
            raise Unknown("there is no such webhook")
        self.got.append((connection, request))
        token = request.query.get("validationToken")
        return Reply(200, token.encode(), "text/plain") if token else Reply(202)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def hooked(world: Any, gate: Gate) -> Iterator[str]:
    """Only webhooks, health and metrics are served: no API, no pages."""
    world.config += "server: {enabled: true, dashboard: false, listen: '127.0.0.1:0'}\n"
    with world.running(lambda runtime: _nothing(), receive=gate) as url:
        yield url


async def _nothing() -> None:
    return None


def test_webhooks_are_passed_on_with_the_reply_that_is_owed(hooked: str, gate: Gate) -> None:
    with httpx.Client(base_url=hooked) as sender:
        shaken = sender.post("/hooks/erp/right?validationToken=abc", content=b"", headers={"Host": "weft.example.com"})
        assert (shaken.status_code, shaken.text) == (200, "abc")
        told = sender.post("/hooks/erp/right", json={"value": []}, headers={"X-Own": "1"})
        assert told.status_code == 202
        connection, request = gate.got[-1]
        assert (connection, request.method, request.headers["x-own"]) == ("erp", "POST", "1")
        assert request.body == b'{"value":[]}'
        forged = sender.post("/hooks/erp/wrong", json={})
        assert (forged.status_code, forged.json()["error"]["message"]) == (404, "there is no such webhook")
        large = sender.post("/hooks/erp/right", content=b"x" * (1 << 20 | 1))
        assert large.status_code == 413
        assert len(gate.got) == 2
        for path in ("/", "/api/v1/status", "/login"):
            assert sender.get(path).status_code == 404


async def test_an_address_that_is_taken_is_named(world: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        world.config += f"server:\n  enabled: true\n  listen: 127.0.0.1:{port}\n"
        async with world.runtime() as runtime:
            with pytest.raises(ConfigError, match=rf"weft.yaml:\d+:\d+: server.listen: 127.0.0.1:{port}: Address"):
                async with serve(runtime):
                    pytest.fail("it was taken")
            assert not (world.folder / "weft.db.sock").exists()


async def test_a_certificate_that_is_none_is_named(world: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    for name, words in (("missing.pem", "No such file"), ("bad.pem", "server.tls: ")):
        world.config = world.config.partition("server:")[0]
        file = tmp_path / name
        world.guarded(f"  tls: {{certificate: {file}, key: {file}}}\n")
        async with world.runtime() as runtime:
            with pytest.raises(ConfigError, match=words):
                async with serve(runtime):
                    pytest.fail("it is none")


def test_it_speaks_https_with_its_own_certificate(world: Any, tmp_path: Path, tokens: dict[str, str]) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("localhost", "127.0.0.1")
    (tmp_path / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))
    made.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    world.guarded(f"  tls: {{certificate: {tmp_path / 'cert.pem'}, key: {tmp_path / 'key.pem'}}}\n")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with world.running(lambda runtime: _nothing()) as url, httpx.Client(base_url=url, verify=trusting) as http:
        assert url.startswith("https://127.0.0.1:")
        answer = http.get("/api/v1/status", headers={"Authorization": f"Bearer {tokens['viewer']}"})
        assert answer.status_code == 200
        assert "max-age" in answer.headers["strict-transport-security"]
        assert "__Host-weft-visit=" in http.get("/login").headers["set-cookie"]
        assert "server" not in answer.headers


def test_a_switched_off_server_still_has_its_control_socket(world: Any) -> None:
    with world.running(lambda runtime: _nothing()) as url:
        assert url is None
        assert (world.folder / "weft.db.sock").is_socket()
    assert not (world.folder / "weft.db.sock").exists()
