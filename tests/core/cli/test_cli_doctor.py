"""weft doctor finds what is wrong around weft and says what helps."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
import trustme

from weft.net.settings import SessionStats
from weft.state.tables import VERSION_TABLE


def found(shop: Any, *args: str, code: int | None = 0) -> dict[str, list[dict[str, Any]]]:
    """Findings by check."""
    out: dict[str, list[dict[str, Any]]] = {}
    for one in shop.json("doctor", *args, code=code)["findings"]:
        out.setdefault(one["check"], []).append(one)
    return out


def test_all_well(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Contoso")
    shop.run("sync")
    with shop.state():  # a daemon that is at work
        out = found(shop)
    levels = {one["level"] for check, many in out.items() for one in many if check != "alerts"}
    assert levels == {"ok"}
    assert "SQLite" in out["versions"][0]["message"]
    assert [one["message"] for one in out["plugins"]] == ["memcrm: weft-memcrm 1.2.3", "memerp: weft-memerp 0.9"]
    assert "1 links" in out["state"][0]["message"]
    assert out["integrity"][0]["message"] == "the file is sound"
    assert "are whole" in out["journal"][0]["message"]
    assert len(out["connection"]) == 2
    assert "weft alerts test" in out["alerts"][0]["remedy"]


def test_each_thing_that_is_wrong_comes_with_what_helps(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.run("sync")
    (shop.folder / "secret.txt").write_text("s3cret-of-the-file")
    os.chmod(shop.folder / "secret.txt", 0o644)
    os.chmod(shop.folder / "weft.db", 0o640)
    text = shop.config.read_text("utf-8").replace("${env:CLI_TEST_TOKEN}", "${file:secret.txt}")
    shop.config.write_text(text + 'alerts: {channels: {chat: {url: "nosuchservice://x"}}}\n', "utf-8")
    shop.erp.down = "the maintenance window lasts until 6"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))  # type: ignore[attr-defined]
    out = found(shop, code=2)
    [secret] = out["secrets"]
    assert secret["remedy"] == f"chmod 600 {shop.folder / 'secret.txt'}"
    assert any("mode 0640" in one["message"] for one in out["state"])
    assert (out["disk"][0]["level"], "make room" in out["disk"][0]["remedy"]) == ("error", True)
    refused, down = out["connection"]
    assert "the access token is not valid" in refused["message"]
    assert "check user or client" in refused["remedy"]
    assert "maintenance window" in down["message"]
    assert "maintenance" in down["remedy"]
    assert "Apprise does not understand" in out["alerts"][0]["message"]
    told = shop.run("doctor", code=2).output
    assert "-> chmod 600" in told
    assert "s3cret-of-the-file" not in told


def test_a_system_that_is_down_alone_gives_3_and_a_broken_journal_1(shop: Any) -> None:
    from sqlalchemy import text

    shop.crm.put("Accounts", Name="Contoso")
    shop.run("sync")
    shop.erp.down = "asleep"
    shop.run("doctor", code=3)
    with shop.state() as state, state.begin() as tx:
        tx.connection.execute(text("DROP TRIGGER journal_no_update"))
        tx.connection.execute(text("UPDATE journal SET reason = 'x' WHERE seq = 1"))
    assert "its content was changed" in found(shop, "--offline", code=1)["journal"][0]["message"]


def test_a_damaged_file_is_found(shop: Any) -> None:
    for number in range(200):
        shop.crm.put("Accounts", Name=f"Contoso {number}")
    shop.run("sync")
    path = shop.folder / "weft.db"
    data = bytearray(path.read_bytes())
    for page in range(20, len(data) // 4096, 7):
        data[page * 4096 + 8 : page * 4096 + 400] = os.urandom(392)
    path.write_bytes(data)
    out = found(shop, "--offline", code=2)
    told = [one for one in [*out.get("integrity", []), *out["state"]] if one["level"] == "error"]
    assert told
    assert "weft restore FILE --force" in told[0]["remedy"]


@pytest.mark.parametrize(("skew", "level"), [(2.0, "ok"), (-90.0, "warning"), (600.0, "error")])
def test_clocks_that_disagree(shop: Any, skew: float, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from weft.runtime import Runtime

    opened = Runtime._opened

    async def measured(self: Runtime, connection: str) -> Any:
        self.meter.opened(connection, lambda: SessionStats(0, 0, 4, 0.0, 1, 0, 0, 0, {}, skew=skew))
        return await opened(self, connection)

    monkeypatch.setattr(Runtime, "_opened", measured)
    out = found(shop, code=None)
    assert {one["level"] for one in out["clock"]} == {level}
    assert level == "ok" or "NTP" in out["clock"][0]["remedy"]


def test_what_cannot_be_read_is_said_and_the_rest_is_left_out(shop: Any) -> None:
    shop.config.write_text("flows: {a: {entity: customer}}\n", "utf-8")
    out = found(shop, code=2)
    assert set(out) == {"versions", "configuration"}


@pytest.mark.parametrize(("body", "level", "words"), [
    ('{"status":"alive"}', "ok", "leads to weft"), ("<h1>It works</h1>", "error", "which is not weft"),
    (None, "error", "cannot be reached"),
], ids=["weft", "something else", "nothing"])  # fmt: skip
def test_the_address_for_webhooks_is_tried(shop: Any, body: str | None, level: str, words: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/health/live"
            self.send_response(200)
            self.end_headers()
            self.wfile.write((body or "").encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the screen."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        if body is None:
            server.server_close()
        shop.add(f"server: {{public_url: 'http://127.0.0.1:{server.server_port}'}}\n")
        [one] = found(shop, code=None)["webhooks"]
        assert (one["level"], words in one["message"]) == (level, True)
    finally:
        server.shutdown()
        server.server_close()


def test_packages_of_the_daemon_that_are_missing_are_named(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from weft.cli import symptoms

    assert {"apprise", "prometheus-client", "dbos"} <= set(symptoms._of_extra("daemon"))
    monkeypatch.setattr(symptoms, "_installed", lambda name: name != "apprise")
    [one] = found(shop, "--offline")["packages"]
    assert (one["level"], one["remedy"]) == ("warning", "pip install 'weft[daemon]'")
    assert one["message"].endswith(": apprise")


def test_a_folder_that_can_hold_no_state_is_found_before_the_first_sync(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shop.config.read_text("utf-8")
    shop.config.write_text(text + "state: sqlite:///missing/weft.db\n", "utf-8")
    [told] = found(shop, code=2)["state"]
    assert (told["level"], "missing does not exist" in told["message"]) == ("error", True)
    shop.config.write_text(text, "utf-8")
    shop.run("sync")
    monkeypatch.setattr(os, "access", lambda path, _: path != shop.folder)
    told = found(shop, code=2)["state"][0]
    assert (told["level"], "cannot be written by" in told["message"]) == ("error", True)


def test_a_state_before_its_upgrade_is_a_warning(shop: Any) -> None:
    shop.run("sync")
    with shop.state() as state, state.begin() as tx:
        tx.connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '0001'")
    [told] = found(shop)["state"]
    assert (told["level"], "has schema version 0001" in told["message"]) == ("warning", True)


@pytest.mark.parametrize(("days", "level"), [(365, "ok"), (20, "warning"), (-1, "error")])
def test_the_end_of_the_servers_own_certificate_is_seen_to_come(shop: Any, days: int, level: str) -> None:
    ends = shop.clock.at + timedelta(days=days)
    made = trustme.CA().issue_cert("weft.example.com", not_before=ends - timedelta(days=400), not_after=ends)
    made.cert_chain_pems[0].write_to_path(shop.folder / "weft.pem")
    made.private_key_pem.write_to_path(shop.folder / "weft.key")
    os.chmod(shop.folder / "weft.key", 0o600)
    tls = "server: {tls: {certificate: weft.pem, key: weft.key}}\n"
    shop.config.write_text(shop.config.read_text("utf-8") + tls, "utf-8")
    [told] = found(shop, "--offline", code=None)["server"]
    assert told["level"] == level
    (shop.folder / "weft.pem").write_text("nothing", "utf-8")
    assert "holds no certificate in PEM" in found(shop, "--offline", code=None)["server"][0]["message"]
