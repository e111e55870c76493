"""The HTTP side: tokens, limits, $metadata, $batch, and each request handed to the service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from aiohttp import web

from weft.testing.entra import EntraSimulator
from weft.testing.odata.batch import parse_batch, render_batch, run_batch
from weft.testing.odata.edmx import service_document
from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.parts import SubRequest, SubResponse
from weft.testing.odata.render import dumps
from weft.testing.simulator import Fault, SimClock, Simulator
from weft.testing.simulator.middleware import to_web
from weft_bc.simulator.commands import Commands
from weft_bc.simulator.environment import Environment, described, published
from weft_bc.simulator.errors import BcError, bad_request
from weft_bc.simulator.limits import Limiter
from weft_bc.simulator.service import JSON, Call
from weft_bc.simulator.settings import Settings

AUDIENCE = "https://api.businesscentral.dynamics.com"
CLIENT_ID = "7b0fcb5e-3c0a-4d7d-9a57-0a1c2d3e4f50"
CLIENT_SECRET = "simulated-secret"  # noqa: S105 - of a simulated application


class BusinessCentralSimulator(Simulator):
    """One environment of Business Central online with its companies.

    ``entra`` issues the tokens; its routes are also served here, so one URL is authority and API at once.
    """

    name = "bc"
    settings: Settings

    def __init__(
        self, settings: Settings | None = None, *, clock: SimClock | None = None, entra: EntraSimulator | None = None
    ) -> None:
        chosen = settings or Settings()
        super().__init__(chosen, clock=clock or SimClock(precision_ns=1_000_000))
        self.config = chosen
        self.entra = entra or EntraSimulator(clock=self.clock)
        self.entra.add_app(chosen.tenant, CLIENT_ID, secret=CLIENT_SECRET, scopes=(AUDIENCE,))
        self.env = Environment(chosen, self.clock, self.counters)
        self.store = self.env.stores
        self.limiter = Limiter(chosen, self.clock)
        self.commands_of = Commands(self.env)
        for name, (function, text) in self.commands_of.table().items():
            self.register(name, function, text)

    @classmethod
    def create(
        cls,
        *,
        records: int = 100,
        seed: int = 0,
        companies: list[str] | None = None,
        parties: list[dict[str, Any]] | None = None,
        documents: int | None = None,
        clock: SimClock | None = None,
        entra: EntraSimulator | None = None,
        **settings: Any,
    ) -> BusinessCentralSimulator:
        """A filled environment.

        ``records``: customers of the first company (items: a fifth, at least 20; vendors: a tenth). ``companies``:
        names; the first gets the records. ``parties``: customers to insert first, each with name and any of email,
        phone, website, street, city, state, postal_code, country, tax_id, number. ``documents``: posted invoices
        (default: a hundredth of the records, at most 200). ``settings``: fields of :class:`Settings`.
        """
        from weft_bc.simulator.seed import fill

        sim = cls(Settings(seed=seed, **settings), clock=clock, entra=entra)
        fill(sim.env, records=records, seed=seed, companies=companies, parties=parties or [], documents=documents)
        return sim

    # Serving

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", "/v2.0/{tail:.*}", self._serve), *self.entra.routes()]

    async def start(self) -> None:
        self.env.root = f"{self.base_url}{self.api_path}"
        self.entra.base_url = self.entra.base_url or self.base_url
        self.env.hooks.attach(self, self.config.webhook_ca or self.ca_file)
        sender = self.env.hooks.sender
        if self.config.webhooks and self.config.notify_every is not None and sender is not None:
            sender.begin(self.config.notify_every)

    async def stop(self) -> None:
        if self.env.hooks.sender is not None:
            await self.env.hooks.sender.close()

    @property
    def api_path(self) -> str:
        return f"/v2.0/{self.config.tenant}/{self.config.environment}/api/v2.0"

    def connection(self, ca_file: str | None) -> dict[str, Any]:
        return {
            "kind": "bc",
            "url": self.base_url,
            "authority": f"{self.entra.base_url}/{{tenant}}",
            "tenant": self.config.tenant,
            "company": next(iter(self.env.companies.values())).name,
            "ca_file": ca_file,
            "auth": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
        }

    @property
    def api_url(self) -> str:
        """The API root, once served."""
        return f"{self.base_url}{self.api_path}"

    def fault_answer(self, status: int, fault: Fault | None, message: str) -> SubResponse:
        codes = {429: "Unknown", 503: "Internal_TenantUnavailable", 401: "Authentication_InvalidCredentials"}
        error = BcError(status, codes.get(status, "Internal_ServerError"), message)
        return SubResponse(status, {"content-type": "application/json; charset=utf-8"}, dumps(error.body()))

    def expire_tokens(self) -> None:
        self.entra.expire_all()

    async def _serve(self, request: web.Request) -> web.Response:
        try:
            return to_web(await self._answer(request))
        except BcError as error:
            return to_web(
                SubResponse(
                    error.status,
                    {"content-type": "application/json; charset=utf-8", **error.headers},
                    dumps(error.body()),
                )
            )

    async def _answer(self, request: web.Request) -> SubResponse:
        claims = self.entra.validate(request.headers.get("Authorization"), audience=AUDIENCE)
        if claims is None or claims.tenant.lower() != self.config.tenant.lower():
            raise BcError(
                401, "Authentication_InvalidCredentials", "The server has rejected the client credentials.",
                {"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        path = below_root(request.rel_url.raw_path, self.config)
        async with self.limiter.admit(claims.client_id):
            if self.config.operation_time > 0:
                await self.sleep(min(self.config.operation_time, self.config.operation_limit))
                if self.config.operation_time > self.config.operation_limit:
                    raise BcError(408, "Unknown", "The operation took longer than the operation timeout.")
            body = await request.read()
            headers = {name.lower(): value for name, value in request.headers.items()}
            if path == "$batch":
                return await self._batch(request, headers, body, claims.client_id)
            if path in ("", "$metadata"):
                return self._describe(request, path)
            call = Call(request.method, path, request.rel_url.raw_query_string, headers, body, claims.client_id)
            answer = await self.env.service.handle(call)
            answer.headers["odata-version"] = "4.0"
            return answer

    def _describe(self, request: web.Request, path: str) -> SubResponse:
        if request.method != "GET":
            raise BcError(405, "BadRequest_MethodNotAllowed", f"The method {request.method} is not allowed.")
        if path:
            return SubResponse(200, {"content-type": "application/xml"}, described(self.env.schema))
        return SubResponse(200, {"content-type": JSON}, service_document(published(self.env.schema), self.env.root))

    # $batch

    async def _batch(self, request: web.Request, headers: Mapping[str, str], body: bytes, client: str) -> SubResponse:
        if request.method != "POST":
            raise BcError(405, "BadRequest_MethodNotAllowed", "A $batch is sent with POST.")
        try:
            parts = parse_batch(headers.get("content-type", ""), body)
        except ODataQueryError as error:
            raise bad_request(error.message) from None
        if len(parts) > self.config.batch_limit:
            raise BcError(
                500,
                "Unknown",
                f"The number of operations in the batch request exceeds the maximum '{self.config.batch_limit}'.",
            )
        outer = Call(request.method, "$batch", "", headers, b"")
        snapshot = headers.get("isolation", "").lower() == "snapshot"
        answers = await run_batch(
            parts,
            lambda part: self._part(part, headers, client),
            continue_on_error=outer.prefers("continue-on-error") not in (None, "false"),
            atomic=self.env.transaction if snapshot else None,
            whole=snapshot,
            fault=self.batch_fault(request),
        )
        return render_batch(answers, as_json="application/json" in headers.get("accept", ""))

    async def _part(self, part: SubRequest, outer: Mapping[str, str], client: str) -> SubResponse:
        url = part.url
        parts = urlsplit(url)
        raw = parts.path
        if parts.scheme or raw.startswith("/v2.0/"):
            raw = below_root(raw, self.config)
        headers = dict(part.headers)
        for inherited in ("accept-language", "company"):
            if inherited in outer:
                headers.setdefault(inherited, outer[inherited])
        if part.body:
            headers.setdefault("content-type", "application/json")
        call = Call(part.method.upper(), raw.lstrip("/"), parts.query, headers, part.body, client)
        answer = await self.env.service.handle(call)
        answer.headers["odata-version"] = "4.0"
        return answer


def below_root(raw_path: str, settings: Settings) -> str:
    """The part of a path below …/{environment}/api/v2.0; the tenant's guid may stand before the environment."""
    found = re.fullmatch(r"/v2\.0/(?:([^/]+)/)?([^/]+)/api/v2\.0(?:/(.*))?", raw_path)
    if found is None:
        raise BcError(404, "BadRequest_NotFound", "Resource not found for the request URL.")
    tenant, environment = unquote(found[1] or ""), unquote(found[2])
    if tenant and tenant.lower() != settings.tenant.lower() and "." not in tenant:
        raise BcError(401, "Authentication_InvalidCredentials", "The server has rejected the client credentials.")
    if environment.lower() != settings.environment.lower():
        raise BcError(404, "BadRequest_NotFound", f"No environment with the name '{environment}' was found.")
    return found[3] or ""


def simulators(**options: Any) -> list[Simulator]:
    """Factory for ``serve_in_process``: the environment and its Entra, on ports of their own."""
    sim = BusinessCentralSimulator.create(**options)
    return [sim, sim.entra]
