"""MSAL against a small Entra of our own, over TLS."""

from __future__ import annotations

import asyncio
import datetime as dt

import jwt
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from weft.net.entra import Certificate, ClientCredentials, check_certificate
from weft.net.errors import AuthError, EndpointDown, NotSent
from weft.net.secrets import Secret
from weft.net.session import HttpSession
from weft.net.settings import HttpSettings

TENANT = "0f8fad5b-d9cb-469f-a165-70867728950e"
SCOPE = "https://api.businesscentral.dynamics.com/.default"


class Entra:
    def __init__(self):
        self.forms = []
        self.answer = None
        self.base = ""

    async def discovery(self, request):
        root = f"{self.base}/{TENANT}"
        return web.json_response(
            {
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "issuer": f"{root}/v2.0",
            }
        )

    async def token(self, request):
        self.forms.append(dict(await request.post()))
        if self.answer:
            return self.answer()
        token = f"token-{len(self.forms)}"
        return web.json_response({"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    async def data(self, request):
        return web.json_response({"got": request.headers["Authorization"]})


@pytest.fixture
async def entra(serve):
    made = Entra()
    made.base = await serve(
        {
            f"GET /{TENANT}/v2.0/.well-known/openid-configuration": made.discovery,
            f"POST /{TENANT}/oauth2/v2.0/token": made.token,
            "GET /data": made.data,
        },
        tls=True,
    )
    return made


@pytest.fixture
def connect(entra, ca_file, clock):
    def make(**credentials):
        auth = ClientCredentials(
            TENANT,
            "app-1",
            scope=SCOPE,
            authority=entra.base + "/{tenant}",
            instance_discovery=False,
            verify=ca_file,
            clock=clock,
            **credentials,
        )
        return HttpSession(
            entra.base,
            system="erp",
            auth=auth,
            settings=HttpSettings(ca_file=ca_file),
            clock=clock,
            sleep=clock.sleep,
        )

    return make


def certificate(days_left: int, passphrase: bytes | None = None) -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weft")])
    now = dt.datetime.now(dt.UTC)
    ends = now + dt.timedelta(days=days_left)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=400))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return pem + cert.public_bytes(serialization.Encoding.PEM)


async def test_secret_single_flight_and_renewal_ahead(entra, connect, clock):
    async with connect(secret="swordfish") as session:
        answers = await asyncio.gather(*(session.request("GET", "data") for _ in range(20)))
        assert {a.json()["got"] for a in answers} == {"Bearer token-1"}
        assert len(entra.forms) == 1
        form = entra.forms[0]
        assert (form["grant_type"], form["client_id"], form["client_secret"]) == (
            "client_credentials",
            "app-1",
            "swordfish",
        )
        assert SCOPE in form["scope"]
        clock.now += 3599 - 299
        assert (await session.request("GET", "data")).json()["got"] == "Bearer token-2"
        assert "swordfish" not in repr(session.stats())
        assert session.stats().auth["kind"] == "entra"


async def test_entras_own_words_without_the_secret(entra, connect):
    told = "AADSTS7000215: Invalid client secret provided: swordfish. Trace ID: 1 Timestamp: 2"
    entra.answer = lambda: web.json_response({"error": "invalid_client", "error_description": told}, status=401)
    async with connect(secret="swordfish") as session:
        with pytest.raises(AuthError, match="AADSTS7000215: Invalid client secret provided") as caught:
            await session.request("GET", "data")
    assert caught.value.code == "AADSTS7000215"
    assert "swordfish" not in str(caught.value)
    assert "app-1" in str(caught.value)


async def test_an_outage_of_entra_is_not_a_refusal(entra, connect):
    entra.answer = lambda: web.Response(status=503, text="<html>busy</html>", headers={"Retry-After": "7"})
    async with connect(secret="swordfish") as session:
        with pytest.raises(EndpointDown, match="503") as caught:
            await session.request("GET", "data")
    assert caught.value.retry_after == 7.0


async def test_an_authority_that_is_away_means_not_sent(ca_file):
    auth = ClientCredentials(
        TENANT,
        "app-1",
        scope=SCOPE,
        secret="x",
        authority="https://localhost:1/{tenant}",
        instance_discovery=False,
    )
    async with HttpSession("https://localhost:1", auth=auth) as session:
        with pytest.raises(NotSent, match="localhost:1"):
            await session.request("POST", "x")


async def test_an_unknown_tenant_is_told(entra, connect, ca_file):
    auth = ClientCredentials(
        "no-such-tenant",
        "app-1",
        scope=SCOPE,
        secret="x",
        authority=entra.base + "/{tenant}",
        instance_discovery=False,
        verify=ca_file,
    )
    async with HttpSession(entra.base, auth=auth, settings=HttpSettings(ca_file=ca_file)) as session:
        with pytest.raises(AuthError, match="no-such-tenant"):
            await session.request("GET", "data")


@pytest.mark.parametrize("passphrase", [None, "open sesame"])
@pytest.mark.parametrize("where", ["file", "text"])
async def test_certificate(entra, connect, tmp_path, passphrase, where):
    pem = certificate(30, passphrase.encode() if passphrase else None)
    path = tmp_path / "app.pem"
    path.write_bytes(pem)
    source = path if where == "file" else Secret(pem.decode())
    given = Certificate(source, Secret(passphrase) if passphrase else None)
    async with connect(certificate=given) as session:
        assert (await session.request("GET", "data")).json()["got"] == "Bearer token-1"
        assert session.stats().auth["certificate_ends_soon"] is False
    form = entra.forms[0]
    assert "client_secret" not in form
    cert = x509.load_pem_x509_certificate(pem)
    claims = jwt.decode(
        form["client_assertion"],
        cert.public_key(),
        algorithms=["RS256", "PS256"],
        audience=f"{entra.base}/{TENANT}/oauth2/v2.0/token",
    )
    assert claims["iss"] == "app-1"
    header = jwt.get_unverified_header(form["client_assertion"])
    assert header.get("x5t") or header.get("x5t#S256")


async def test_an_expired_certificate_names_file_and_date(entra, connect, tmp_path):
    path = tmp_path / "old.pem"
    path.write_bytes(certificate(-2))
    day = (dt.datetime.now(dt.UTC) - dt.timedelta(days=2)).date().isoformat()
    async with connect(certificate=Certificate(path)) as session:
        with pytest.raises(AuthError, match=rf"old\.pem: the certificate expired on {day}"):
            await session.request("GET", "data")
    assert entra.forms == []


def test_unusable_certificates(tmp_path):
    pem = certificate(30, b"right")
    key_only = certificate(30).split(b"-----BEGIN CERTIFICATE")[0]
    cases = [
        (Certificate(tmp_path / "none.pem"), "none.pem: cannot be read"),
        (Certificate(Secret(pem.decode()), Secret("wrong")), "the passphrase is wrong"),
        (Certificate(Secret(pem.decode())), "[Pp]assword was not given"),
        (Certificate(Secret("no pem at all")), "no private key in PEM form"),
    ]
    for given, told in cases:
        with pytest.raises(AuthError, match=told):
            check_certificate(given)
    assert check_certificate(Certificate(Secret(key_only.decode()), thumbprint="AB:CD")) is None


async def test_a_key_without_certificate_needs_a_thumbprint(entra, connect):
    key_only = certificate(30).split(b"-----BEGIN CERTIFICATE")[0].decode()
    async with connect(certificate=Certificate(Secret(key_only))) as session:
        with pytest.raises(AuthError, match="set thumbprint"):
            await session.request("GET", "data")
    async with connect(certificate=Certificate(Secret(key_only), thumbprint="AB:" * 19 + "AB")) as session:
        assert (await session.request("GET", "data")).json()["got"] == "Bearer token-1"


def test_bad_configuration():
    with pytest.raises(ValueError, match="either a client secret or a certificate"):
        ClientCredentials(TENANT, "app", scope=SCOPE)
    with pytest.raises(ValueError, match="is refused"):
        ClientCredentials(TENANT, "app", scope=SCOPE, secret="x", authority="http://login.example/{tenant}")
