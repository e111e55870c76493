"""Credentials that are missing, wrong or expired; whatever happens, no secret is printed or kept."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

CRM_SECRET, ERP_SECRET = "crm-Pa55word-7f3b9c", "erp~client~secret-41aa9e"
CLEAR = "cl3ar-t3xt-s3cret-55"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("${env:BAD_INPUT_NOT_SET}", ["${env:BAD_INPUT_NOT_SET}: the environment variable", "is not set"]),
        ("${env:BAD_INPUT_EMPTY}", ["${env:BAD_INPUT_EMPTY}: is empty"]),
        ("${file:crm.secret}", ["${file:crm.secret}:", "crm.secret cannot be read: No such file or directory"]),
        ("${env:BAD_INPUT_CRM", ["a reference begins with ${ and is not closed with }"]),
        ("${vault:crm}", ["${vault:crm} is no reference; write ${env:NAME}, ${file:path} or ${keyring:service/name}"]),
        ("${keyring:crm}", ["${keyring:crm}: write service and name with a slash between them"]),
    ],
)
def test_missing_secret(pair: Any, monkeypatch: pytest.MonkeyPatch, written: str, words: list[str]) -> None:
    monkeypatch.setenv("BAD_INPUT_EMPTY", "")
    auth = pair.config["connections"]["crm"]["auth"]
    good, auth["password"] = auth["password"], written
    pair.account("Adatum", Zip="10115")
    for command in ("check", "plan", "sync"):
        ran = pair.weft(command, code=2)
        ran.says(pair.line("password:"), "connections.crm.auth.password: ", *words)
    assert pair.customers() == {}
    if written == "${file:crm.secret}":
        auth["password"] = good
        pair.agree("Adatum")


def test_secret_in_the_wrong_place(pair: Any) -> None:
    """A secret under a misspelt key, of the wrong type or within the address is never repeated."""
    pair.secrets |= {CLEAR, "8877665544332211"}
    crm, erp = (pair.config["connections"][name] for name in ("crm", "erp"))
    pair.account("Adatum", Zip="10115")
    crm["auth"] |= {"passwort": CLEAR}
    pair.weft("check", code=2).says(pair.line("passwort:"), "unknown key 'passwort', did you mean 'password'?")
    crm["auth"] = {"username": "Supervisor", "password": 8877665544332211}
    words = "connections.crm.auth.password: must be a text; put it into quotes, or use ${env:NAME}"
    pair.weft("check", code=2).says(pair.line("password:"), words)
    crm["auth"] = {"username": "Supervisor", "password": ["${env:BAD_INPUT_CRM}", CLEAR]}
    pair.weft("sync", code=2).says(words)
    crm["auth"] = {"username": "Supervisor", "password": "${env:BAD_INPUT_CRM}", "client_secret": CLEAR}
    pair.weft("sync", code=2).says("connections.crm.auth", "give username with password, or client_id")
    crm["auth"] = {"username": "Supervisor", "password": "${env:BAD_INPUT_CRM}"}
    for connection, good in ((crm, crm["url"]), (erp, erp["url"])):
        connection["url"] = good.replace("https://", f"https://weft:{CLEAR}@")
        pair.weft("sync", code=2).says("url: must not hold a user name or password; they belong under `auth`")
        pair.weft("check", code=2).says("url: must not hold a user name or password")
        connection["url"] = good
    pair.config["state"] = f"postgresql+psycopg://weft:{CLEAR}@127.0.0.1:1/weft"
    pair.weft("status", code=3).says("state postgresql+psycopg://weft:***@127.0.0.1:1/weft cannot be reached")
    pair.config["state"] = "sqlite:///weft.db"
    pair.agree("Adatum")


def test_secret_in_clear_text_is_a_warning(pair: Any) -> None:
    pair.config["connections"]["crm"]["auth"]["password"] = CRM_SECRET
    ran = pair.weft("check")
    assert ran.out.count("warning") == 2  # the finding, and the count of them
    ran.says(
        pair.line("password:"), "connections.crm.auth.password: is a secret in clear text; put it into the environment"
    )


@pytest.mark.parametrize("system", ["creatio password", "creatio oauth", "business central"])
def test_wrong_credentials(pair: Any, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    """The system's own words, exit code 3; the other connection is still checked."""
    wrong = "wr0ng-s3cret-91ce"
    pair.secrets.add(wrong)
    connections = pair.config["connections"]
    good = dict(connections["crm"]["auth"])
    pair.account("Adatum", Zip="10115")
    pair.agree("Adatum")
    pair.account("Contoso", Zip="20095")
    before = pair.writes()
    if system == "business central":
        monkeypatch.setenv("BAD_INPUT_ERP", wrong)
        words = ["erp: ", "AADSTS7000215: Invalid client secret provided."]
    elif system == "creatio oauth":
        monkeypatch.setenv("BAD_INPUT_OAUTH", wrong)
        connections["crm"]["auth"] = {"client_id": "weft-client", "client_secret": "${env:BAD_INPUT_OAUTH}"}
        words = ["crm: ", "refused client weft-client with 400: invalid_client"]
    else:
        monkeypatch.setenv("BAD_INPUT_CRM", wrong)
        words = ["crm: ", "refused the user Supervisor: You have entered an incorrect password"]
    name = words[0].removesuffix(": ")
    other = "crm" if name == "erp" else "erp"
    ran = pair.weft("check", code=3)
    ran.says(*words, f"{pair.line(f'{name}:')}3: {name}: ", f"connection {other}: opened")
    assert f"{name}: {name}:" not in ran.text
    for command in ("plan", "sync"):
        pair.weft(command, code=3).says("customers", *words)
    reports = pair.json("sync", code=3)
    assert words[1] in reports[0]["error"]
    assert (reports[0]["state"], reports[0]["exit_code"]) == ("failed", 3)
    assert pair.writes() == before
    monkeypatch.setenv("BAD_INPUT_CRM", CRM_SECRET)
    monkeypatch.setenv("BAD_INPUT_ERP", ERP_SECRET)
    connections["crm"]["auth"] = good
    pair.agree("Adatum", "Contoso")


def test_credentials_that_expire_on_the_way(pair: Any) -> None:
    """Sessions and tokens that end in the middle of a run are renewed; when that fails too, the run is told."""
    pair.account("Adatum", Zip="10115")
    pair.customer("Contoso", email="office@contoso.example")
    pair.fault("crm", "token_expiry", method="POST", path="odata", count=1)
    pair.fault("erp", "token_expiry", path="customers", count=1)
    pair.agree("Adatum", "Contoso")


@pytest.mark.parametrize("system", ["BAD_INPUT_CRM", "BAD_INPUT_ERP"])
def test_tracebacks_and_debug_logs_are_masked(pair: Any, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    """``--debug`` and ``--log-level debug`` tell more, but no secret; the fixture searches all that was told."""
    wrong = "wr0ng/s3cret+22=&x"
    pair.secrets.add(wrong)
    monkeypatch.setenv(system, wrong)
    pair.account("Adatum", Zip="10115")
    del pair.config["log"]
    for command in (["check"], ["sync", "--json"]):
        pair.weft("--debug", "--log-level", "debug", *command, code=3)
    monkeypatch.setenv("BAD_INPUT_CRM", CRM_SECRET)
    monkeypatch.setenv("BAD_INPUT_ERP", ERP_SECRET)
    pair.fault("erp", "error_before", path="customers", message=f"cannot use {ERP_SECRET} here", status=400, count=2)
    pair.weft("--debug", "--log-level", "debug", "sync", code=(1, 2)).says("cannot use *** here")
    pair.heal()
    pair.agree("Adatum")


def test_the_search_for_secrets_finds_them(pair: Any) -> None:
    """The fixture's own search fails where it should."""
    pair.secrets.add("a-planted-secret")
    planted = pair.folder / "planted.txt"
    planted.write_text("password=a-planted-secret")
    with pytest.raises(AssertionError, match=r"planted\.txt holds the secret"):
        pair.untold()
    planted.unlink()


# -- certificates ----------------------------------------------------------------------------------


def expired(folder: Path, *, authority: bool = True) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that ended yesterday, with its key in one PEM file, and its authority."""
    import trustme

    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "old-ca.pem"))
    ended = datetime.now(UTC) - timedelta(days=1)
    made = ca.issue_cert("127.0.0.1", "localhost", not_before=ended - timedelta(days=30), not_after=ended)
    made.private_key_and_cert_chain_pem.write_to_path(str(folder / "old.pem"))
    return folder / "old.pem", folder / "old-ca.pem"


@contextmanager
def listening(pem: Path) -> Iterator[str]:
    """A TLS server with this certificate; nobody who verifies it gets as far as a request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # closed below
                return
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:  # the client breaks off: that is what is tested
                connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(timeout=10)


def test_expired_server_certificate(pair: Any) -> None:
    pair.account("Adatum", Zip="10115")
    pem, ca = expired(pair.folder)
    crm = pair.config["connections"]["crm"]
    good = {name: crm[name] for name in ("url", "ca_file")}
    with listening(pem) as url:
        crm |= {"url": url, "ca_file": str(ca)}
        for command in ("check", "sync"):
            pair.weft(command, code=3).says("crm: ", "the TLS certificate of 127.0.0.1", "certificate has expired")
    assert pair.customers() == {}
    crm |= good
    pair.agree("Adatum")


def test_expired_client_certificate(pair: Any) -> None:
    pair.account("Adatum", Zip="10115")
    pem, _ = expired(pair.folder)
    erp = pair.config["connections"]["erp"]
    good = dict(erp["auth"])
    erp["auth"] = {"client_id": good["client_id"], "certificate": str(pem)}
    for command in ("check", "sync"):
        pair.weft(command, code=3).says("erp: ", "old.pem", "expired")
    assert pair.customers() == {}
    erp["auth"] = good
    pair.agree("Adatum")


def test_unknown_authority(pair: Any) -> None:
    pair.account("Adatum", Zip="10115")
    known = pair.config["connections"]["crm"].pop("ca_file")
    for command in ("check", "sync"):
        pair.weft(command, code=3).says(
            "the TLS certificate of 127.0.0.1 is not trusted", "For a private certificate authority set ca_file"
        )
    pair.config["connections"]["crm"]["ca_file"] = known
    pair.agree("Adatum")
