"""weft alerts: rules and what was told; a test message over a real connection."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest


def test_rules_channels_and_what_was_told(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.add("alerts: {channels: {chat: {url: '${env:CHAT}'}}, rules: {approval: null, down: {count: 7}}}\n")
    assert "issues" in shop.run("alerts").output
    shop.run("sync")
    from weft.state.alerts import Alert

    now = shop.clock.now()
    with shop.state() as state, state.begin() as tx:
        tx.alerts.put_many([Alert("down", "erp", "chat", "critical", "erp does not answer", "", 2, now, "told")])
        tx.alerts.hold("chat", "w", now, now)
        tx.alerts.sent("chat", "w", now, 3, "connection refused")
    found = shop.json("alerts")
    assert {rule["rule"]: rule["count"] for rule in found["rules"]}["down"] == 7
    assert "approval" not in [rule["rule"] for rule in found["rules"]]
    assert found["channels"] == [{"channel": "chat", "least": "info", "failures": 3, "error": "connection refused"}]
    told = shop.run("alerts").output
    assert "erp does not answer" in told
    assert "chat: connection refused" in told


def test_a_test_message_arrives_or_why_not_is_said(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200 if self.path == "/good" else 403)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the screen."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        monkeypatch.setenv("CHAT", f"json://user:t0p-s3cret@127.0.0.1:{server.server_port}/good")
        monkeypatch.setenv("OTHER", f"json://user:t0p-s3cret@127.0.0.1:{server.server_port}/bad")
        shop.add("alerts: {channels: {chat: {url: '${env:CHAT}'}, other: {url: '${env:OTHER}'}}}\n")
        assert "chat: sent" in shop.run("alerts", "test", "chat").output
        told = shop.run("alerts", "test", code=3).output
        assert "other: not sent" in told
        assert "t0p-s3cret" not in told
        assert len(got) == 3
    finally:
        server.shutdown()
        server.server_close()
    assert "did you mean 'chat'" in shop.run("alerts", "test", "chta", code=2).output


def test_mistakes_under_alerts_are_told_where_they_are(shop: Any) -> None:
    shop.add("alerts: {rules: {issues: {flows: custmers}, mine: {about: issues, to: mail}}}\n")
    told = shop.run("alerts", code=2).output
    assert "there is no channel 'mail'" in told
    assert "weft.yaml:" in told
