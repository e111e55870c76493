"""The token endpoint, as the real msal library sees it over TLS."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from weft.testing.entra import EntraSettings, EntraSimulator
from weft.testing.simulator import Fault, SimClock, serve_in_thread

TENANT = "11111111-1111-1111-1111-111111111111"
APP = "22222222-2222-2222-2222-222222222222"
SCOPE = "https://api.businesscentral.dynamics.com/.default"


class Setup:
    def __init__(self, sim: EntraSimulator, served: Any) -> None:
        self.sim, self.served = sim, served

    def app(self, credential: Any, *, tenant: str = TENANT, client_id: str = APP) -> msal.ConfidentialClientApplication:
        return msal.ConfidentialClientApplication(
            client_id,
            authority=f"{self.served.url(self.sim)}/{tenant}",
            client_credential=credential,
            verify=self.served.ca_file,
            instance_discovery=False,
        )

    def token(self, credential: Any, *, scope: str = SCOPE, **which: str) -> dict[str, Any]:
        found: dict[str, Any] = self.app(credential, **which).acquire_token_for_client([scope])
        return found


@pytest.fixture(scope="module")
def setup() -> Iterator[Setup]:
    sim = EntraSimulator(EntraSettings(), clock=SimClock())
    resource = SCOPE.removesuffix("/.default")
    sim.add_app(TENANT, APP, secret="s3cret", domain="contoso.onmicrosoft.com", scopes=(resource,))
    with serve_in_thread(sim) as served:
        yield Setup(sim, served)


@pytest.fixture(autouse=True)
def no_foreign_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """requests lets these variables win over the ``verify`` it is given."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def _certificate(*, days: int = 10) -> tuple[str, str, str]:
    """(private key PEM, certificate PEM, SHA-1 thumbprint)"""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weft test")])
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=30)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(start).not_valid_after(start + dt.timedelta(days=30 + days))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    return private.decode(), public.decode(), made.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - what MSAL asks for


def test_secret(setup: Setup) -> None:
    answer = setup.token("s3cret")
    assert answer["expires_in"] == 3599
    header = f"Bearer {answer['access_token']}"
    claims = setup.sim.validate(header, audience="https://api.businesscentral.dynamics.com")
    assert claims is not None
    assert (claims.tenant, claims.client_id) == (TENANT, APP)
    assert setup.sim.validate(header, audience="https://other.example") is None
    assert setup.sim.validate(None) is None
    assert setup.sim.validate("Bearer nonsense") is None
    assert setup.token("s3cret", tenant="contoso.onmicrosoft.com")["token_type"] == "Bearer"


@pytest.mark.parametrize(
    ("which", "error", "code"),
    [
        ({"credential": "wrong"}, "invalid_client", 7000215),
        ({"credential": "s3cret", "client_id": "33333333-3333-3333-3333-333333333333"}, "unauthorized_client", 700016),
        ({"credential": "s3cret", "scope": "https://elsewhere.example/.default"}, "invalid_resource", 500011),
        ({"credential": "s3cret", "scope": "https://api.businesscentral.dynamics.com/read"}, "invalid_scope", 1002012),
    ],
)
def test_refusals(setup: Setup, which: dict[str, str], error: str, code: int) -> None:
    answer = setup.token(**which)
    assert answer["error"] == error
    assert answer["error_codes"] == [code]
    assert answer["error_description"].startswith(f"AADSTS{code}: ")
    assert "s3cret" not in str(answer)


def test_unknown_tenant(setup: Setup) -> None:
    tenant = "44444444-4444-4444-4444-444444444444"
    with pytest.raises(ValueError, match="check your tenant name"):
        setup.token("s3cret", tenant=tenant)
    answer = requests.get(
        f"{setup.served.url('entra')}/{tenant}/v2.0/.well-known/openid-configuration",
        verify=setup.served.ca_file,
        timeout=10,
    )
    assert answer.status_code == 400
    assert (answer.json()["error"], answer.json()["error_codes"]) == ("invalid_tenant", [90002])


def test_certificate(setup: Setup) -> None:
    private, public, thumbprint = _certificate()
    credential = {"private_key": private, "thumbprint": thumbprint}
    assert setup.token(credential)["error_codes"] == [700027]
    setup.sim.add_app(TENANT, APP, certificate_pem=public)
    assert "error" not in setup.token(credential)
    assert "error" not in setup.token({"private_key": private, "public_certificate": public})
    foreign, _, _ = _certificate()
    answer = setup.token({"private_key": foreign, "thumbprint": thumbprint})
    assert "signature validation" in answer["error_description"]
    private, public, thumbprint = _certificate(days=-1)
    setup.sim.add_app(TENANT, APP, certificate_pem=public)
    answer = setup.token({"private_key": private, "thumbprint": thumbprint})
    assert "The key used is expired" in answer["error_description"]


def test_tokens_expire_with_the_clock_and_on_command() -> None:
    sim = EntraSimulator(clock=SimClock(manual=True))
    sim.add_app(TENANT, APP, secret="a", secret_expires=sim.clock.now() + dt.timedelta(days=1))
    with serve_in_thread(sim) as served:
        setup = Setup(sim, served)
        header = f"Bearer {setup.token('a')['access_token']}"
        assert sim.validate(header) is not None
        sim.clock.advance(3598)
        assert sim.validate(header) is not None
        sim.clock.advance(1)
        assert sim.validate(header) is None
        header = f"Bearer {setup.token('a')['access_token']}"
        sim.expire_all()
        assert sim.validate(header) is None
        sim.clock.advance(2 * 86400)
        assert setup.token("a")["error_codes"] == [7000222]
        sim.faults.add(Fault("error_before", path="token", status=503))
        with pytest.raises(msal.exceptions.MsalServiceError, match="503"):
            setup.token("a")
