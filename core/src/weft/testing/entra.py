"""Microsoft Entra ID's token endpoint, simulated: client credentials by secret or certificate.

Error codes and texts are those of Microsoft's published list of AADSTS codes. Other simulators share one instance
and call :meth:`EntraSimulator.validate` on each request.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

import jwt
from aiohttp import web

from weft.testing.entra_assertion import Certificate, check_assertion
from weft.testing.entra_errors import EntraError
from weft.testing.odata.parts import SubResponse
from weft.testing.odata.render import dumps
from weft.testing.simulator.base import SimSettings, Simulator
from weft.testing.simulator.clock import SimClock
from weft.testing.simulator.faults import Fault
from weft.testing.simulator.middleware import to_web

_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(slots=True)
class EntraSettings(SimSettings):
    """``token_seconds``: lifetime of a token as told in expires_in (3599 is what Entra says)."""

    token_seconds: int = 3599


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a valid token says. ``audience``: the scope's resource without ``/.default``; times in seconds of the
    simulator's clock."""

    tenant: str
    client_id: str
    audience: str
    issued: int
    expires: int


@dataclass(slots=True)
class _App:
    client_id: str
    secrets: list[tuple[str, datetime | None]] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    scopes: tuple[str, ...] | None = None


class EntraSimulator(Simulator):
    """Tenants and applications are registered with :meth:`add_app`; other simulators call :meth:`validate`."""

    name = "entra"

    def __init__(self, settings: EntraSettings | None = None, *, clock: SimClock | None = None) -> None:
        self._entra = settings or EntraSettings()
        super().__init__(self._entra, clock=clock)
        self._tenants: dict[str, dict[str, _App]] = {}
        self._aliases: dict[str, str] = {}
        self._tokens: dict[str, TokenClaims] = {}
        self._signing_key = secrets.token_bytes(32)

    def add_app(
        self,
        tenant: str,
        client_id: str,
        *,
        secret: str | None = None,
        certificate_pem: str | None = None,
        scopes: tuple[str, ...] | None = None,
        domain: str | None = None,
        secret_expires: datetime | None = None,
    ) -> None:
        """Register an application, or add a credential to one. ``tenant`` is its id, ``domain`` another name of the
        tenant. ``scopes``: resources the app may ask for, without ``/.default`` (None: any). ``certificate_pem``:
        the public certificate. Raises ValueError when it is none."""
        app = self._tenants.setdefault(tenant.lower(), {}).setdefault(client_id.lower(), _App(client_id))
        if domain is not None:
            self._aliases[domain.lower()] = tenant.lower()
        if secret is not None:
            app.secrets.append((secret, secret_expires))
        if certificate_pem is not None:
            app.certificates.append(Certificate.from_pem(certificate_pem))
        if scopes is not None:
            app.scopes = scopes

    def validate(self, authorization: str | None, *, audience: str | None = None) -> TokenClaims | None:
        """The claims behind an ``Authorization: Bearer …`` header, None when missing, unknown, expired, revoked or
        meant for another audience."""
        if authorization is None or authorization[:7].lower() != "bearer ":
            return None
        token = authorization[7:].strip()
        claims = self._tokens.get(token)
        if claims is None:
            return None
        if claims.expires <= self._now():
            del self._tokens[token]
            return None
        if audience is not None and claims.audience.rstrip("/") != audience.rstrip("/"):
            return None
        return claims

    def expire_all(self) -> None:
        """Every token issued so far is invalid."""
        self._tokens.clear()

    def expire_tokens(self) -> None:
        self.expire_all()

    def fault_answer(self, status: int, fault: Fault | None, message: str) -> SubResponse:
        code = 50196 if status == 429 else 90033
        text = "A transient error has occurred. Please try again." if code == 90033 else message
        return self._error(EntraError("temporarily_unavailable", code, text, status))

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/{tenant}/oauth2/v2.0/token", self._token),
            web.post("/{tenant}/oauth2/token", self._token_v1),
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", self._discovery),
            web.get("/{tenant}/.well-known/openid-configuration", self._discovery),
            web.get("/common/discovery/instance", self._instances),
        ]

    def _now(self) -> int:
        return self.clock.now_ns() // 1_000_000_000

    def _tenant(self, name: str, *, discovery: bool = False) -> str:
        tenant = self._aliases.get(name.lower(), name.lower())
        if tenant not in self._tenants:
            raise EntraError(
                "invalid_tenant" if discovery else "invalid_request",
                90002,
                f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing "
                "into the correct cloud. Check with your subscription administrator, this may happen if there are "
                "no active subscriptions for the tenant.",
                400,
            )
        return tenant

    async def _discovery(self, request: web.Request) -> web.Response:
        name = request.match_info["tenant"]
        try:
            tenant = self._tenant(name, discovery=True)
        except EntraError as error:
            return to_web(self._error(error))
        root = f"{self.base_url}/{tenant}"
        return _json(
            {
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post", "private_key_jwt", "client_secret_basic",
                ],
                "jwks_uri": f"{root}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": f"{root}/v2.0",
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
                "tenant_region_scope": "EU",
            }
        )  # fmt: skip

    async def _instances(self, request: web.Request) -> web.Response:
        """MSAL asks here about a host it does not know."""
        host = request.host
        tenant = request.query.get("authorization_endpoint", "").removeprefix(f"https://{host}/").partition("/")[0]
        return _json(
            {
                "tenant_discovery_endpoint": f"{self.base_url}/{tenant}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
            }
        )

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            return _json(self._grant(request.match_info["tenant"], form))
        except EntraError as error:
            return to_web(self._error(error))

    async def _token_v1(self, request: web.Request) -> web.Response:
        """The older endpoint: a resource in place of a scope, and numbers in the answer are texts."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            form["scope"] = f"{_required(form, 'resource')}/.default"
            answer = self._grant(request.match_info["tenant"], form)
        except EntraError as error:
            return to_web(self._error(error))
        return _json({name: str(value) for name, value in answer.items()} | {"resource": form["resource"]})

    def _grant(self, tenant_name: str, form: dict[str, str]) -> dict[str, object]:
        tenant = self._tenant(tenant_name)
        grant = _required(form, "grant_type")
        if grant != "client_credentials":
            raise EntraError(
                "unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{grant}'.", 400
            )
        client_id = _required(form, "client_id")
        app = self._tenants[tenant].get(client_id.lower())
        if app is None:
            raise EntraError(
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id}' was not found in the directory '{tenant_name}'. This "
                "can happen if the application has not been installed by the administrator of the tenant or "
                "consented to by any user in the tenant. You may have sent your authentication request to the "
                "wrong tenant.",
                400,
            )
        self._authenticate(tenant, tenant_name, app, form)
        audience = _audience(app, tenant_name, _required(form, "scope"))
        now = self._now()
        lifetime = self._entra.token_seconds
        claims = TokenClaims(tenant, app.client_id, audience, now, now + lifetime)
        self._tokens[self._signed(claims)] = claims
        token = next(reversed(self._tokens))
        self.counters["tokens_issued"] += 1
        return {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token}

    def _authenticate(self, tenant: str, tenant_name: str, app: _App, form: dict[str, str]) -> None:
        assertion = form.get("client_assertion")
        if assertion is not None:
            if form.get("client_assertion_type") != _JWT_BEARER:
                raise EntraError(
                    "invalid_request", 900144,
                    "The request body must contain the following parameter: 'client_assertion_type'.", 400,
                )  # fmt: skip
            names = {tenant, tenant_name}
            audiences = [f"{self.base_url}/{name}/oauth2/v2.0/token" for name in names]
            audiences += [f"{self.base_url}/{name}/v2.0" for name in names]
            check_assertion(assertion, app.client_id, app.certificates, audiences, self._now())
            return
        secret = form.get("client_secret")
        if not secret:
            raise EntraError(
                "invalid_client",
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
                401,
            )
        held = [item for item in app.secrets if secrets.compare_digest(item[0].encode(), secret.encode())]
        if not held:
            raise EntraError(
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{app.client_id}'.",
                401,
            )
        if all(until is not None and until <= self.clock.now() for _, until in held):
            raise EntraError(
                "invalid_client",
                7000222,
                f"The provided client secret keys for app '{app.client_id}' are expired. Visit the Azure portal to "
                "create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate "
                "credentials for added security: https://aka.ms/certCreds.",
                401,
            )

    def _signed(self, claims: TokenClaims) -> str:
        """A JWT in shape; simulators know tokens by heart, nobody verifies the signature."""
        return jwt.encode(
            {
                "aud": claims.audience,
                "iss": f"https://sts.windows.net/{claims.tenant}/",
                "iat": claims.issued,
                "nbf": claims.issued,
                "exp": claims.expires,
                "appid": claims.client_id,
                "tid": claims.tenant,
                "uti": secrets.token_urlsafe(16),
                "ver": "1.0",
            },
            self._signing_key,
            algorithm="HS256",
        )

    def _error(self, error: EntraError) -> SubResponse:
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        stamp = datetime.fromtimestamp(self._now(), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        body = {
            "error": error.error,
            "error_description": f"AADSTS{error.code}: {error.text} Trace ID: {trace} "
            f"Correlation ID: {correlation} Timestamp: {stamp}",
            "error_codes": [error.code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={error.code}",
        }
        return SubResponse(error.status, {"Content-Type": "application/json; charset=utf-8"}, dumps(body))


def _json(value: object) -> web.Response:
    return web.Response(body=dumps(value), content_type="application/json", charset="utf-8")


def _required(form: dict[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise EntraError(
            "invalid_request", 900144, f"The request body must contain the following parameter: '{name}'.", 400
        )
    return value


def _audience(app: _App, tenant: str, scope: str) -> str:
    if not scope.endswith("/.default") or " " in scope:
        raise EntraError(
            "invalid_scope",
            1002012,
            f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value "
            "with /.default suffixed to the resource identifier (application ID URI).",
            400,
        )
    audience = scope.removesuffix("/.default")
    if app.scopes is not None and all(audience.rstrip("/") != allowed.rstrip("/") for allowed in app.scopes):
        raise EntraError(
            "invalid_resource",
            500011,
            f"The resource principal named {audience} was not found in the tenant named {tenant}. This can happen "
            "if the application has not been installed by the administrator of the tenant or consented to by any "
            "user in the tenant. You might have sent your authentication request to the wrong tenant.",
            400,
        )
    return audience
