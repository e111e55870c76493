"""Secrets: references, what happens when one is missing, and that values never show."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring
import keyring.backend
import keyring.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.config.loading import Config, InvalidConfig, load_text
from weft.config.secrets import findings, resolve, secrets_in, state_url
from weft.hookspecs import Connector
from weft.net.secrets import Redactor, Secret

Load = Callable[[str], Config]

TEXT = """\
connections:
  loom:
    kind: loom
    url: https://loom.example
    auth: {method: app, client_id: weft, clientSecret: "%s"}
"""


class Vault(keyring.backend.KeyringBackend):
    priority = 1  # type: ignore[assignment]

    def __init__(self, entries: dict[tuple[str, str], str], locked: bool = False) -> None:
        super().__init__()
        self.entries, self.locked = entries, locked

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise keyring.errors.KeyringLocked("locked")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture
def vault() -> Any:
    before = keyring.get_keyring()
    backend = Vault({("weft", "erp"): "from-keyring", ("weft/eu", "erp"): "eu-keyring"})
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def test_environment(config: Load, loom: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOM_SECRET", "s3cret-value")
    monkeypatch.setenv("LOOM_PORT", "8443")
    loaded = config(TEXT % "${env:LOOM_SECRET}" + '    port: "${env:LOOM_PORT}"\n')
    redactor = Redactor()
    settings: Any = resolve(loaded, "loom", loom.settings, redactor=redactor)
    assert isinstance(settings.auth.client_secret, Secret)
    assert settings.auth.client_secret.reveal() == "s3cret-value"
    assert settings.port == 8443
    assert "s3cret" not in repr(settings)
    assert redactor("it was s3cret-value on 8443") == "it was *** on 8443"
    assert list(findings(loaded, "loom", settings)) == []


def test_file_relative_to_the_configuration(config: Load, loom: Connector, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "loom").write_text("line one\nline two\r\n")
    settings: Any = resolve(config(TEXT % "${file:keys/loom}"), "loom", loom.settings)
    assert settings.auth.client_secret.reveal() == "line one\nline two"


@pytest.mark.parametrize(("reference", "value"), [("weft/erp", "from-keyring"), ("weft/eu/erp", "eu-keyring")])
def test_keyring(config: Load, loom: Connector, vault: Any, reference: str, value: str) -> None:
    settings: Any = resolve(config(TEXT % f"${{keyring:{reference}}}"), "loom", loom.settings)
    assert settings.auth.client_secret.reveal() == value


def test_references_within_a_text(config: Load, loom: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "one")
    monkeypatch.setenv("B", "${env:A}")
    loaded = config(TEXT % "x" + '    headers: {h: "<${env:A}-${env:B}-$${env:A}-$5>"}\n')
    settings: Any = resolve(loaded, "loom", loom.settings)
    assert settings.headers == {"h": "<one-${env:A}-${env:A}-$5>"}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "${env:NOT_SET_ANYWHERE}",
            "environment variable NOT_SET_ANYWHERE is not set",
        ),
        ("${env:EMPTY}", "${env:EMPTY}: is empty"),
        ("${file:nothing}", "nothing cannot be read: No such file or directory"),
        ("${file:binary}", "is not UTF-8 text"),
        ("${file:big}", "is larger than 64 KiB"),
        ("${file:.}", "cannot be read"),
        ("${keyring:weft/none}", "the keyring has no entry 'none' of the service 'weft'"),
        ("${keyring:weft}", "write service and name with a slash"),
        ("${vault:x}", "${vault:x} is no reference; write ${env:NAME}"),
        ("${NAME}", "${NAME} is no reference"),
        ("${env:}", "${env:} is no reference"),
        ("${env:A${env:B}}", "references cannot be nested"),
        ("${env:OPEN", "is not closed with }"),
    ],
)
def test_what_is_missing_is_named(
    config: Load, loom: Connector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, vault: Any,
    reference: str, message: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("NOT_SET_ANYWHERE", raising=False)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "big").write_text("x" * 70_000)
    loaded = config(TEXT % reference)
    with pytest.raises(InvalidConfig) as caught:
        resolve(loaded, "loom", loom.settings)
    assert len(caught.value.problems) == 1
    assert message in str(caught.value)
    assert "weft.yaml:5:56: connections.loom.auth.clientSecret: " in str(caught.value)


def test_a_locked_keyring_is_told(config: Load, loom: Connector, vault: Any) -> None:
    vault.locked = True
    with pytest.raises(InvalidConfig, match="the keyring cannot be read: KeyringLocked: locked"):
        resolve(config(TEXT % "${keyring:weft/erp}"), "loom", loom.settings)


def test_a_keyring_that_is_not_installed_is_told(
    config: Load, loom: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(InvalidConfig, match=r"pip install 'weft\[keyring\]'"):
        resolve(config(TEXT % "${keyring:weft/erp}"), "loom", loom.settings)


def test_every_missing_reference_at_once(config: Load, loom: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("X1", raising=False)
    loaded = config(TEXT % "${env:X1}" + '    tokens: ["${env:X1}", "${file:nope}"]\n')
    with pytest.raises(InvalidConfig) as caught:
        resolve(loaded, "loom", loom.settings)
    assert len(caught.value.problems) == 3


def test_nothing_is_looked_up_while_loading(config: Load) -> None:
    assert config(TEXT % "${env:NOT_SET_ANYWHERE}").connection("loom").kind == "loom"


def test_settings_that_do_not_fit_are_told_without_values(
    config: Load, loom: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOM_SECRET", "s3cret-value")
    loaded = config(
        TEXT.replace("method: app", 'method: "${env:LOOM_SECRET}"') % "${env:LOOM_SECRET}"
        + '    port: "${env:LOOM_SECRET}"\n    prot: 5\n'
    )
    with pytest.raises(InvalidConfig) as caught:
        resolve(loaded, "loom", loom.settings)
    text = str(caught.value)
    assert "s3cret" not in text
    assert "connections.loom.port" in text
    assert "unknown key 'prot', did you mean 'port'?" in text
    assert "connections.loom.auth" in text


def test_secrets_in_clear_are_a_finding(config: Load, loom: Connector) -> None:
    loaded = config(TEXT % "in-clear" + '    tokens: ["also-clear", "$${x}"]\n')
    settings = resolve(loaded, "loom", loom.settings)
    found = list(findings(loaded, "loom", settings))
    assert [(f.severity, f.key) for f in found] == [
        ("warning", "connections.loom.auth.clientSecret"),
        ("warning", "connections.loom.tokens.0"),
        ("warning", "connections.loom.tokens.1"),
    ]
    assert found[0].where.endswith("weft.yaml:5:42")
    assert "in-clear" not in "".join(map(str, found))
    assert [secret.reveal() for _, secret in secrets_in(settings)] == ["in-clear", "also-clear", "${x}"]


def test_state_url(config: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DB_PASSWORD", "pa55word")
    url = state_url(config("state: postgresql+psycopg://weft:${env:DB_PASSWORD}@db/weft"))
    assert url == "postgresql+psycopg://weft:pa55word@db/weft"
    assert state_url(config("log: {}")) == f"sqlite:///{tmp_path}/weft.db"
    assert state_url(config("state: sqlite:///sub/a.db?x=1")) == f"sqlite:///{tmp_path}/sub/a.db?x=1"
    assert state_url(config("state: sqlite:////abs/a.db")) == "sqlite:////abs/a.db"
    assert state_url(config("state: 'sqlite:///:memory:'")) == "sqlite:///:memory:"
    redactor = Redactor()
    state_url(config("state: postgresql://weft:${env:DB_PASSWORD}@db/weft"), redactor=redactor)
    assert redactor("pa55word") == "***"
    with pytest.raises(InvalidConfig, match="DB_MISSING is not set"):
        state_url(config("state: sqlite:///${env:DB_MISSING}"))
    with pytest.raises(InvalidConfig, match=r"gives no sqlite:// or postgresql:// URL") as caught:
        state_url(config("state: ${env:DB_PASSWORD}"))
    assert "pa55word" not in str(caught.value)


@given(st.text(alphabet="ab${}:env", max_size=30))
def test_a_text_is_filled_or_refused_and_the_file_stays_as_it_is(text: str) -> None:
    from pydantic import BaseModel

    class Anything(BaseModel):
        value: str

    loaded = load_text("connections: {c: {kind: x}}")
    raw = {"value": text}
    loaded.connections["c"].__pydantic_extra__.update(copy.deepcopy(raw))  # type: ignore[union-attr]
    try:
        settings = resolve(loaded, "c", Anything)
    except InvalidConfig as error:
        assert "${" in text
        assert "connections.c.value" in str(error)  # noqa: PT017
    else:
        assert settings.value == text.replace("$${", "${")
    assert loaded.connection("c").settings == raw
