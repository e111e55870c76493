"""Microsoft Entra ID tokens by client credentials, through MSAL.

MSAL blocks, so it runs in a thread; it is imported on first use (it is slow to import). Tokens are kept
in memory only: no persisted cache.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import urlencode

import httpx

from weft.net.auth import SKEW, TokenAuth
from weft.net.errors import AuthError, EndpointDown, MaybeSent, NotSent, Throttled
from weft.net.retry import retry_after
from weft.net.secrets import Redactor, Secret
from weft.net.settings import LOGIN, Reached
from weft.net.transport import require_secure, tls_context

if TYPE_CHECKING:
    from weft.net.session import HttpSession

_SOON = dt.timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client certificate: PEM with certificate and private key, as a file or as text.

    `thumbprint` (SHA-1, hex, as Entra shows it) is read off the certificate when not given.
    """

    pem: Path | Secret
    passphrase: Secret | None = None
    thumbprint: str | None = None

    def source(self) -> str:
        return f"file {self.pem}" if isinstance(self.pem, Path) else "certificate from the configuration"


class Application(Protocol):
    """What a connection's settings say of the application registered in Entra."""

    @property
    def client_id(self) -> str | None: ...
    @property
    def client_secret(self) -> Secret | None: ...
    @property
    def certificate(self) -> Path | None: ...
    @property
    def certificate_passphrase(self) -> Secret | None: ...


class ClientCredentials(TokenAuth):
    """Tokens for a registered application. Give either `secret` or `certificate`.

    `scope` is the resource with `/.default`. `authority` may be another cloud's or a private one, with
    `{tenant}` where the tenant goes; `instance_discovery` is for authorities that Microsoft knows, by default
    its public cloud alone. `verify` is a PEM file with further certificate authorities for the login host.
    """

    def __init__(
        self,
        tenant: str,
        client_id: str,
        *,
        scope: str,
        secret: Secret | str | None = None,
        certificate: Certificate | None = None,
        authority: str = LOGIN,
        instance_discovery: bool | None = None,
        verify: str | Path | None = None,
        proxy: str | None = None,
        login_timeout: float = 30.0,
        skew: float = SKEW,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(skew=skew, clock=clock)
        if (secret is None) == (certificate is None):
            raise ValueError("client credentials need either a client secret or a certificate")
        self._authority = authority.format(tenant=tenant)
        require_secure(httpx.URL(self._authority))
        self._client_id = client_id
        self._scope = scope
        self._secret = None if secret is None else Secret(secret)
        self._certificate = certificate
        self._instance_discovery = authority == LOGIN if instance_discovery is None else instance_discovery
        self._verify = verify
        self._proxy = proxy
        self._timeout = login_timeout
        self._app: Any = None
        self._http: _MsalHttp | None = None
        self._certificate_ends: dt.datetime | None = None

    @classmethod
    def of(cls, application: Application, connection: Reached, *, tenant: str, authority: str, scope: str) -> Self:
        """As a connection's settings have it."""
        certificate = None
        if application.certificate is not None:
            certificate = Certificate(application.certificate, application.certificate_passphrase)
        return cls(
            tenant,
            application.client_id or "",
            scope=scope,
            secret=application.client_secret,
            certificate=certificate,
            authority=authority,
            verify=connection.ca_file,
            proxy=connection.proxy,
        )

    def bind(self, redactor: Redactor) -> None:
        super().bind(redactor)
        if self._secret is not None:
            redactor.add(self._secret)
        if self._certificate is not None and self._certificate.passphrase is not None:
            redactor.add(self._certificate.passphrase)

    async def fetch(self, session: HttpSession) -> tuple[str, float]:
        try:
            answer = await asyncio.to_thread(self._acquire)
        except AuthError as error:
            raise AuthError(session.redact(f"{session.system}: {error}"), code=error.code) from error
        except _Unavailable as error:
            where = f"{session.system}: {self._authority}"
            told = session.redact(f"{where} answered {error.status}, no token can be had")
            if error.status == 429:
                raise Throttled(told, status=429, retry_after=error.retry_after) from error
            raise EndpointDown(told, status=error.status, retry_after=error.retry_after) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NotSent(f"{session.system}: {self._authority} cannot be reached: {error}") from error
        except httpx.TransportError as error:
            # a token request changes nothing, so it may be repeated; MaybeSent keeps the reason
            raise MaybeSent(f"{session.system}: {self._authority} did not answer: {error}") from error
        token = answer.get("access_token")
        if isinstance(token, str) and token:
            return token, float(answer.get("expires_in") or 3600)
        raise self._refused(session, answer)

    def _refused(self, session: HttpSession, answer: Mapping[str, Any]) -> AuthError:
        text = str(answer.get("error_description") or "").strip()
        code = text.partition(":")[0] if text.startswith("AADSTS") else str(answer.get("error") or "")
        words = " ".join(text.split()) or code or "no explanation"
        return AuthError(
            session.redact(
                f"{session.system}: {self._authority} gave no token to client {self._client_id} "
                f"for {self._scope}: {words}"
            ),
            code=code,
        )

    def _acquire(self) -> Mapping[str, Any]:
        """Runs in a thread. A fresh application each time: renewing means the cached token is not wanted."""
        import msal  # type: ignore[import-untyped]

        if self._certificate is not None:
            self._certificate_ends = check_certificate(self._certificate)
        if self._http is None:
            self._http = _MsalHttp(tls_context(self._verify), self._proxy, self._timeout)
        try:
            app = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=self._credential(),
                authority=self._authority,
                instance_discovery=self._instance_discovery,
                validate_authority=self._instance_discovery,
                http_client=self._http,
            )
        except ValueError as error:
            raise AuthError(f"{self._authority}: {' '.join(str(error).split())}") from error
        answer = app.acquire_token_for_client(scopes=[self._scope])
        return answer if isinstance(answer, Mapping) else {}

    def _credential(self) -> Any:
        if self._secret is not None:
            return self._secret.reveal()
        assert self._certificate is not None  # one of both, by __init__
        pem = _pem(self._certificate)
        credential: dict[str, Any] = {"private_key": pem, "thumbprint": thumbprint(self._certificate, pem)}
        if self._certificate.passphrase is not None:
            credential["passphrase"] = self._certificate.passphrase.reveal()
        return credential

    def state(self) -> Mapping[str, Any]:
        ends = self._certificate_ends
        warning = ends is not None and ends - dt.datetime.now(dt.UTC) < _SOON
        return {
            **super().state(),
            "kind": "entra",
            "client_id": self._client_id,
            "certificate_ends": ends.isoformat() if ends else None,
            "certificate_ends_soon": warning,
        }

    async def aclose(self) -> None:
        if self._http is not None:
            http, self._http = self._http, None
            await asyncio.to_thread(http.close)


class _MsalHttp:
    """What MSAL expects of an HTTP client, over httpx: verified TLS, no environment, truthful outages."""

    def __init__(self, tls: ssl.SSLContext, proxy: str | None, timeout: float) -> None:
        self._client = httpx.Client(verify=tls, trust_env=False, timeout=timeout, proxy=proxy)

    def get(self, url: str, params: Any = None, headers: Mapping[str, str] | None = None, **_: Any) -> httpx.Response:
        return _available(self._client.get(url, params=params, headers=headers))

    def post(
        self,
        url: str,
        params: Any = None,
        data: Mapping[str, Any] | str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> httpx.Response:
        content: bytes | str | None
        head = dict(headers or {})
        if isinstance(data, Mapping):
            # urlencode takes MSAL's bytes (the signed assertion) as they are; httpx would write their repr
            content = urlencode({k: v for k, v in data.items() if v is not None})
            head.setdefault("Content-Type", "application/x-www-form-urlencoded")
        else:
            content = data
        return _available(self._client.post(url, params=params, content=content, headers=head))

    def close(self) -> None:
        self._client.close()


class _Unavailable(Exception):
    def __init__(self, status: int, retry_after: float | None) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.retry_after = retry_after


def _available(response: httpx.Response) -> httpx.Response:
    """MSAL reads any body as JSON; an outage page would become a parse error without this."""
    if response.status_code == 429 or response.status_code >= 500:
        raise _Unavailable(response.status_code, retry_after(response.headers, time.time()))
    return response


def _pem(certificate: Certificate) -> str:
    if isinstance(certificate.pem, Secret):
        return certificate.pem.reveal()
    try:
        return certificate.pem.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise AuthError(f"{certificate.source()}: cannot be read as PEM ({error})") from error


def _load(certificate: Certificate, pem: str) -> Any:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None


def thumbprint(certificate: Certificate, pem: str) -> str:
    """The SHA-1 thumbprint given, or read off the certificate in the PEM."""
    if certificate.thumbprint:
        return certificate.thumbprint.replace(":", "").replace(" ", "").upper()
    loaded = _load(certificate, pem)
    if loaded is None:
        raise AuthError(
            f"{certificate.source()} holds no certificate, only a key: add the certificate or set thumbprint"
        )
    from cryptography.hazmat.primitives import hashes

    digest: bytes = loaded.fingerprint(hashes.SHA1())  # noqa: S303 - Entra's x5t, not a safety measure
    return digest.hex().upper()


def check_certificate(certificate: Certificate, now: dt.datetime | None = None) -> dt.datetime | None:
    """When the certificate ends (None if the PEM holds only a key). AuthError if unusable now:
    expired, not yet valid, no private key, wrong passphrase."""
    pem = _pem(certificate)
    now = now or dt.datetime.now(dt.UTC)
    _check_key(certificate, pem)
    loaded = _load(certificate, pem)
    if loaded is None:
        return None
    ends: dt.datetime = loaded.not_valid_after_utc
    begins: dt.datetime = loaded.not_valid_before_utc
    if ends < now:
        raise AuthError(
            f"{certificate.source()}: the certificate expired on {ends:%Y-%m-%d}; "
            "create a new one and register it with the application in Entra",
            code="certificate_expired",
        )
    if begins > now:
        raise AuthError(f"{certificate.source()}: the certificate is valid only from {begins:%Y-%m-%d} on")
    return ends


def _check_key(certificate: Certificate, pem: str) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    passphrase = certificate.passphrase.reveal().encode() if certificate.passphrase else None
    try:
        load_pem_private_key(pem.encode(), passphrase)
    except TypeError as error:  # a passphrase missing, or given where none is needed
        raise AuthError(f"{certificate.source()}: {error}") from error
    except ValueError as error:
        why = "no private key in PEM form, or the passphrase is wrong" if passphrase else "no private key in PEM form"
        raise AuthError(f"{certificate.source()}: {why}") from error
