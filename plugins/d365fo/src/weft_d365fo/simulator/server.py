"""The HTTP side: tokens, limits, /data and its $metadata, /metadata."""

from __future__ import annotations

import uuid
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from weft.testing.entra import EntraSimulator
from weft.testing.odata.edmx import service_document
from weft.testing.odata.parts import SubResponse
from weft.testing.odata.render import dumps
from weft.testing.simulator import Fault, SimClock, Simulator
from weft.testing.simulator.middleware import to_web
from weft_d365fo.simulator.batches import Batches
from weft_d365fo.simulator.commands import Commands
from weft_d365fo.simulator.dmf.actions import PackageActions
from weft_d365fo.simulator.dmf.blobs import Blobs
from weft_d365fo.simulator.dmf.jobs import Jobs
from weft_d365fo.simulator.errors import BUSY, INVALID_OPERATION, FoError
from weft_d365fo.simulator.events import BusinessEvents
from weft_d365fo.simulator.limits import Limiter, Throttled
from weft_d365fo.simulator.locks import Locks
from weft_d365fo.simulator.metadata import MetadataService, document, model
from weft_d365fo.simulator.office import Office
from weft_d365fo.simulator.service import Action, Call, Service
from weft_d365fo.simulator.settings import Settings
from weft_d365fo.simulator.world import User, World

CLIENT_ID = "3c1f6a0e-5a5f-4a52-8f0c-9a5d1b2c3d4e"
CLIENT_SECRET = "simulated-secret"  # noqa: S105 - of a simulated application
JSON = "application/json; odata.metadata=minimal; charset=utf-8"


class FinanceOperationsSimulator(Simulator):
    """One environment of Finance & Operations with its companies.

    ``entra`` issues the tokens; its routes are also served here, so one URL is authority and API at once.
    """

    name = "d365fo"
    settings: Settings

    def __init__(
        self, settings: Settings | None = None, *, clock: SimClock | None = None, entra: EntraSimulator | None = None
    ) -> None:
        chosen = settings or Settings()
        super().__init__(chosen, clock=clock or SimClock(precision_ns=1_000_000))
        self.config = chosen
        self.entra = entra or EntraSimulator(clock=self.clock)
        self.entra.add_app(chosen.tenant, CLIENT_ID, secret=CLIENT_SECRET)
        self.world = World(chosen, self.clock)
        self.store = self.world.store
        self.limiter = Limiter(chosen, self.clock)
        self.events = BusinessEvents(self.world)
        self.blobs = Blobs()
        self.service = Service(self.world)
        self.jobs = Jobs(self.world, self.service.writer, self.service.reader)
        self.service.actions = {**self._probes(), **PackageActions(self.world, self.jobs, self.blobs).table()}
        self.locks = Locks(self.world)
        self.batches = Batches(self.world, self.service, self.locks)
        self.about = MetadataService(self.world)
        commands = Commands(self)
        for name, (function, text) in {**commands.table(), **Office(commands).table()}.items():
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
    ) -> FinanceOperationsSimulator:
        """A filled environment.

        ``records``: customers of the first company (products: a fifth, at least 20; vendors: a tenth).
        ``companies``: ids; the first gets the records and is the default company of the user. ``parties``:
        customers to insert first, each with name and any of email, phone, website, street, city, state,
        postal_code, country, tax_id, number. ``documents``: sales orders, most of them invoiced (default: a hundredth
        of the records, at most 200); a third as many purchase orders. ``settings``: fields of :class:`Settings`.
        """
        from weft_d365fo.simulator import seed_documents
        from weft_d365fo.simulator.seed import fill

        sim = cls(Settings(seed=seed, **settings), clock=clock, entra=entra)
        fill(sim.world, records=records, client_id=CLIENT_ID, companies=companies, parties=parties or [])
        seed_documents.fill(sim.world, sim.service.writer, documents, records)
        return sim

    # Serving

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", "/data", self._serve),
            web.route("*", "/data/{tail:.*}", self._serve),
            web.get("/metadata/{tail:.*}", self._about),
            *self.blobs.routes(),
            *self.entra.routes(),
        ]

    async def start(self) -> None:
        self.service.root = f"{self.base_url}/data"
        self.blobs.base_url = self.base_url
        self.jobs.sleep = self.sleep
        self.entra.base_url = self.entra.base_url or self.base_url
        self.entra.add_app(self.config.tenant, CLIENT_ID, scopes=(self.base_url,))
        self.events.attach(self, self.config.event_ca or self.ca_file)
        if self.config.events and self.config.event_every is not None and self.events.sender is not None:
            self.events.sender.begin(self.config.event_every)

    async def stop(self) -> None:
        await self.jobs.stop()
        if self.events.sender is not None:
            await self.events.sender.close()

    def connection(self, ca_file: str | None) -> dict[str, Any]:
        return {
            "kind": "d365fo",
            "url": self.base_url,
            "authority": f"{self.entra.base_url}/{{tenant}}",
            "tenant": self.config.tenant,
            "company": next(iter(self.world.companies)),
            "ca_file": ca_file,
            "auth": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
        }

    def fault_answer(self, status: int, fault: Fault | None, message: str) -> SubResponse:
        if status == 429:
            return self._throttled(Throttled(BUSY, None))
        return self.service.failure(FoError(status, message, INVALID_OPERATION))

    def expire_tokens(self) -> None:
        self.entra.expire_all()

    def map_client(self, client_id: str, user: str, company: str | None, companies: list[str] | None) -> None:
        """As on the page Microsoft Entra ID applications: the app runs as that user."""
        world = self.world
        home = (company or next(iter(world.companies))).lower()
        if home not in world.companies:
            raise KeyError(f"there is no company {home!r}")
        known = world.users.setdefault(user, User(user, home))
        known.company = home
        known.companies = None if companies is None else frozenset(c.lower() for c in companies)
        row = world.get("SysAADClients", AADClientId=client_id)
        if row is None:
            world.insert("SysAADClients", {"AADClientId": client_id, "Name": client_id, "UserId": user})
        else:
            world.update("SysAADClients", row, {"UserId": user})

    # Requests

    def _user(self, request: web.Request) -> User | SubResponse:
        """Who asks, or the answer that he may not."""
        claims = self.entra.validate(request.headers.get("Authorization"), audience=self.base_url)
        failed = dumps(
            {
                "Message": "Authentication failed.",
                "StackTrace": None,
                "ExceptionType": "System.InvalidOperationException",
            }
        )
        headers = {"content-type": "application/json; charset=utf-8", "p3p": 'CP="No P3P policy defined."'}
        if claims is None or claims.tenant.lower() != self.config.tenant.lower():
            return SubResponse(401, {**headers, "www-authenticate": "Bearer"}, failed)
        row = self.world.get("SysAADClients", AADClientId=claims.client_id)
        user = self.world.users.get(row["UserId"]) if row else None
        if user is None:
            return SubResponse(self.config.unmapped_status, headers, failed)
        try:
            self.limiter.admit(claims.client_id)
        except Throttled as throttled:
            return self._throttled(throttled)
        return user

    def _throttled(self, throttled: Throttled) -> SubResponse:
        headers = {} if throttled.retry_after is None else {"retry-after": str(throttled.retry_after)}
        form = self.config.throttle_body
        if form == "text":
            return SubResponse(
                429, {"content-type": "text/plain; charset=utf-8", **headers}, throttled.message.encode()
            )
        if form == "message":
            body = dumps({"Message": throttled.message})
            return SubResponse(429, {"content-type": "application/json; charset=utf-8", **headers}, body)
        return self.service.failure(FoError(429, throttled.message, INVALID_OPERATION, headers))

    async def _serve(self, request: web.Request) -> web.Response:
        answer = await self._answer(request)
        answer.headers.setdefault("odata-version", "4.0")
        answer.headers["date"] = format_datetime(self.clock.now(), usegmt=True)
        answer.headers["server-timing"] = "edge;dur=1"
        answer.headers["ms-dyn-aid"] = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        return to_web(answer)

    async def _answer(self, request: web.Request) -> SubResponse:
        user = self._user(request)
        if isinstance(user, SubResponse):
            return user
        path = request.rel_url.raw_path.removeprefix("/data").strip("/")
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        if path == "$batch":
            return await self.batches.answer(request.method, headers, body, user, self.batch_fault(request), self.sleep)
        if path in ("", "$metadata"):
            return self._describe(request, path)
        url = f"{self.base_url}{request.rel_url.raw_path}"
        call = Call(request.method, path, request.rel_url.raw_query_string, headers, body, user, url)
        async with self.locks.held([call], self.sleep) as conflicts:
            conflict = self.locks.conflict(call, conflicts)
            return self.service.failure(conflict) if conflict else await self.service.handle(call)

    def _describe(self, request: web.Request, path: str) -> SubResponse:
        if request.method != "GET":
            return self.service.failure(FoError(405, "The requested resource does not support that http method."))
        if path:
            return SubResponse(200, {"content-type": "application/xml; charset=utf-8"}, document())
        return SubResponse(200, {"content-type": JSON}, service_document(model(), self.service.root))

    async def _about(self, request: web.Request) -> web.Response:
        user = self._user(request)
        if isinstance(user, SubResponse):
            return to_web(user)
        tail = unquote(request.match_info["tail"])
        name, bracket, key = tail.partition("(")
        found: Any
        if name == "Labels" and bracket:
            found = self.about.label(key.rstrip(")"))
        else:
            found = self.about.answer(name, key.rstrip(")") if bracket else None, request.query.get("$filter", ""))
        if found is None:
            error = FoError(404, f"Resource not found for the segment '{name}'.")
            return to_web(self.service.failure(error))
        return to_web(SubResponse(200, {"content-type": JSON}, dumps(found)))

    def _probes(self) -> dict[tuple[str, str], Action]:
        config = self.config

        async def application(arguments: dict[str, Any], user: User) -> str:
            return config.application_version

        async def platform(arguments: dict[str, Any], user: User) -> str:
            return config.platform_version

        probes = "DataManagementEntities"
        return {
            (probes, "GetApplicationVersion"): application,
            (probes, "GetApplicationBuildVersion"): application,
            (probes, "GetPlatformBuildVersion"): platform,
        }


def simulators(**options: Any) -> list[Simulator]:
    """Factory for ``serve_in_process``: the environment and its Entra, on ports of their own."""
    sim = FinanceOperationsSimulator.create(**options)
    return [sim, sim.entra]
