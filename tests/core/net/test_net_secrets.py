from __future__ import annotations

import base64
import copy
import io
import logging
import pickle
from urllib.parse import quote

import pydantic
import pytest

from weft.net.secrets import MASK, RedactingFilter, Redactor, Secret

VALUE = 'p@ss w&rd"ü'


def test_a_secret_never_prints():
    secret = Secret(VALUE)
    assert VALUE not in f"{secret!r} {secret} {secret!s:>20} %s" % secret
    assert secret.reveal() == VALUE
    assert secret == Secret(VALUE) != Secret("other")
    assert copy.deepcopy({"a": secret})["a"] is secret
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)


def test_a_secret_in_a_pydantic_model():
    class Login(pydantic.BaseModel):
        password: Secret

    login = Login.model_validate({"password": VALUE})
    assert login.password.reveal() == VALUE
    assert Login.model_validate_json('{"password": "abcd"}').password == Secret("abcd")
    assert login.model_dump_json() == '{"password":"***"}'
    assert VALUE not in repr(login)
    assert Login.model_json_schema()["properties"]["password"]["format"] == "password"
    with pytest.raises(pydantic.ValidationError):
        Login.model_validate({"password": 5})


def test_registered_values_are_masked_in_every_spelling():
    redact = Redactor([Secret(VALUE)])
    redact.add_login("tess", "hunter22")
    basic = base64.b64encode(b"tess:hunter22").decode()
    text = f"plain {VALUE} url {quote(VALUE, safe='')} json {VALUE.replace(chr(34), chr(92) + chr(34))} {basic}"
    masked = redact(text)
    for trace in ("w&rd", "w%26rd", "hunter22", basic):
        assert trace not in masked
    assert masked.startswith(f"plain {MASK} url {MASK}")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc.def.SECRET12",
        "{'Authorization': 'Basic c2VjcmV0OlNFQ1JFVDEy', 'Accept': 'SECRET12-not'}"[:50],
        "Cookie: BPMSESSIONID=SECRET12; BPMCSRF=SECRET12",
        "Set-Cookie: .ASPXAUTH=SECRET12; HttpOnly",
        "grant_type=client_credentials&client_secret=SECRET12&scope=x",
        '{"access_token":"SECRET12","expires_in":3600}',
        '{"UserName":"Supervisor","UserPassword":"SECRET12"}',
        "https://host/hook?sig=SECRET12&x=1",
        "postgresql://weft:SECRET12@db/weft",
        "Driver={ODBC};UID=sa;PWD=SECRET12;",
        "token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJTRUNSRVQxMiJ9.SECRET12",
        "BPMCSRF=SECRET12",
        "{'Ocp-Key': 1, 'x-api-key': 'SECRET12'}",
    ],
)
def test_what_looks_like_a_secret_is_masked(text):
    masked = Redactor()(text)
    assert "SECRET12" not in masked
    assert "c2VjcmV0OlNFQ1JFVDEy" not in masked
    assert MASK in masked


def test_ordinary_text_stays():
    redact = Redactor(["abc"])  # too short to mask without shredding
    text = "customer C-100: basic price 12.50, author Kim; the signature field is missing; abc"
    assert redact(text) == text


def test_log_records_are_masked_with_their_exceptions():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter(Redactor(["swordfish"])))
    log = logging.getLogger("test_net_secrets")
    log.propagate = False
    log.addHandler(handler)
    try:
        log.warning("%s logs in with %s", "tess", "swordfish")
        try:
            raise RuntimeError("swordfish is wrong")
        except RuntimeError:
            log.exception("failed", stack_info=True)
    finally:
        log.removeHandler(handler)
    written = stream.getvalue()
    assert "swordfish" not in written
    assert "tess logs in with ***" in written
    assert "RuntimeError: *** is wrong" in written
