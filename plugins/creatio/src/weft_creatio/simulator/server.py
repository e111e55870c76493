"""The Creatio simulator: the site of :mod:`.site` behind its HTTP endpoints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from weft.testing.odata.batch import SubRequest, SubResponse, parse_batch, render_batch, run_batch
from weft.testing.odata.errors import ODataQueryError
from weft.testing.simulator import Fault, SimClock, Simulator
from weft.testing.simulator.middleware import to_web

from . import errors
from .commands import Person, register_commands
from .designer import Designer
from .errors import ODataError
from .odata import Call, ODataService, error_response
from .packages import FAILURE, SUCCESS, Installer
from .seed import fill
from .sessions import LOGIN_HTML, LOGIN_PAGES, Caller, LoginRedirectError, Sessions, user_name_cookie
from .settings import CreatioSettings
from .site import Site

BATCH_LIMIT = 100
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class CreatioSimulator(Simulator):
    """A Creatio site. Use :meth:`create`; `site` is its state, for tests that look behind the protocol."""

    name = "creatio"

    def __init__(self, settings: CreatioSettings | None = None, *, clock: SimClock | None = None) -> None:
        options = settings or CreatioSettings()
        super().__init__(options, clock=clock)
        self.options = options
        self.site = Site(options, self.clock)
        self.sessions = Sessions(self.site)
        self.odata = ODataService(self.site)
        self.installer = Installer(self.site)
        self.designer = Designer(self.site, self.installer)
        self.store = self.site.db
        register_commands(self)

    @classmethod
    def create(
        cls,
        records: int = 100,
        seed: int = 7,
        settings: CreatioSettings | Mapping[str, Any] | None = None,
        *,
        clock: SimClock | None = None,
        **changes: Any,
    ) -> CreatioSimulator:
        """A site with `records` sample accounts. `settings`: an object, or its attributes as a mapping;
        `changes` are further attributes (`database="mssql"`)."""
        if not isinstance(settings, CreatioSettings):
            settings = CreatioSettings(**{"seed": seed, **(settings or {}), **changes})
        elif changes:
            raise TypeError("give the settings as an object or as keywords, not both")
        sim = cls(settings, clock=clock)
        fill(sim.site, records, seed)
        return sim

    def as_user(self, name: str | None = None) -> Person:
        """Act as a person: a system user by name, by default the first of the sample sellers."""
        if name is None:
            name = next((n for n in self.site.users if n not in (self.options.user, self.options.technical_user)),
                        self.options.user)  # fmt: skip
        return Person(self.odata, self.site, self.site.user(name))

    # -- what the base asks for

    def connection(self, ca_file: str | None) -> dict[str, Any]:
        return {
            "kind": "creatio",
            "url": self.base_url,
            "runtime": self.options.runtime,
            "ca_file": ca_file,
            "auth": {"username": self.options.technical_user, "password": self.options.technical_user},
        }

    def routes(self) -> list[web.RouteDef]:
        prefix = self.options.prefix
        login = "/ServiceModel/AuthService.svc/{method}"
        routes = [
            web.route("*", login, self._auth),
            web.get(LOGIN_PAGES[self.options.runtime], self._login_page),
            web.post("/connect/token", self._token),
            web.get("/api/HealthCheck/Ping", self._ping),
            web.get(f"{prefix}/api/OAuthHealthCheck", self._oauth_health),
            web.get(f"{prefix}/ping", self._session_ping),
            web.post(f"{prefix}/ServiceModel/PackageInstallerService.svc/{{method}}", self._package),
            web.get(f"{prefix}/ServiceModel/PackageInstallerService.svc/GetLogFile", self._package_log),
            web.post(f"{prefix}/ServiceModel/WorkspaceExplorerService.svc/{{method}}", self._workspace),
            web.post(f"{prefix}/ServiceModel/EntitySchemaDesignerService.svc/{{method}}", self._designer),
            web.post(f"{prefix}/DataService/json/SyncReply/SchemaDesignerRequest", self._designer),
            web.route("*", f"{prefix}/odata", self._odata),
            web.route("*", f"{prefix}/odata/{{tail:.*}}", self._odata),
        ]
        if prefix:
            routes += [
                web.route("*", f"{prefix}{login}", self._auth_refused),
                web.post(f"{prefix}/connect/token", self._token),
            ]
        return routes

    async def start(self) -> None:
        self.site.listeners.attach(self, self.options.push_ca or self.ca_file)
        sender = self.site.listeners.sender
        if self.options.push_every is not None and sender is not None:
            sender.begin(self.options.push_every)

    async def stop(self) -> None:
        if self.site.listeners.sender is not None:
            await self.site.listeners.sender.close()

    def fault_answer(self, status: int, fault: Fault | None, message: str) -> SubResponse:
        """Injected failures look like those of the application, or of the web server in front of it."""
        if status in (502, 503, 504, 429):
            page = f"<html><head><title>{status}</title></head><body><h1>{message}</h1></body></html>"
            return SubResponse(status, {"Content-Type": "text/html"}, page.encode())
        return error_response(errors.odata_error(status, errors.GENERIC, message, "System.Exception"))

    def expire_tokens(self) -> None:
        self.sessions.expire_all()

    def stats(self) -> dict[str, Any]:
        return {**super().stats(), "odata_calls": self.odata.calls}

    # -- sign-in

    async def _auth(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["method"] != "Login" or request.method != "POST":
            return web.Response(status=403)
        answer, session = self.sessions.login(await request.read())
        response = web.json_response(answer)
        if session is not None:
            secure = request.scheme == "https"
            response.set_cookie("BPMLOADER", session.loader, httponly=True, samesite="Lax")
            response.set_cookie(".ASPXAUTH", session.ticket, httponly=True, secure=secure, samesite="Lax")
            response.set_cookie("BPMCSRF", session.csrf, samesite="Lax")
            name = user_name_cookie(session.user.name)
            response.set_cookie("UserName", name, httponly=True, max_age=30 * 86_400, samesite="Lax")
        return response

    async def _auth_refused(self, request: web.Request) -> web.StreamResponse:
        """The login service lives outside `/0` on .NET Framework."""
        return to_web(error_response(errors.unauthorized()))

    async def _login_page(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=LOGIN_HTML, content_type="text/html")

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        status, body = self.sessions.token({name: value for name, value in form.items() if isinstance(value, str)})
        return web.json_response(body, status=status)

    def _caller(self, request: web.Request, *, service: bool = False) -> Caller:
        return self.sessions.authenticate(
            request.method, request.path, request.headers, request.cookies, service=service
        )

    async def _guarded(
        self,
        request: web.Request,
        work: Callable[[Caller, bytes], web.StreamResponse],
        *,
        service: bool = True,
    ) -> web.StreamResponse:
        """Authenticate, do the work, and give the session its BPMSESSIONID on the first call."""
        try:
            caller = self._caller(request, service=service)
        except LoginRedirectError as redirect:
            return web.Response(status=302, headers={"Location": redirect.location})
        except ODataError as error:
            return to_web(error_response(error))
        return self._seen(caller, work(caller, await request.read()))

    def _seen(self, caller: Caller, response: web.StreamResponse) -> web.StreamResponse:
        session = caller.session
        if session is not None and session.server_session is None:
            session.server_session = f"{self.site.rng.getrandbits(96):024x}"
            response.set_cookie("BPMSESSIONID", session.server_session, httponly=True, samesite="Lax")
        return response

    # -- health

    async def _ping(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text="pong")

    async def _session_ping(self, request: web.Request) -> web.StreamResponse:
        return await self._guarded(request, lambda caller, body: web.json_response({}))

    async def _oauth_health(self, request: web.Request) -> web.StreamResponse:
        body = {
            "HasProblem": False, "IsSystemSettingsFilledIn": True, "IsIdentityServiceAvailable": True,
            "IsAccessTokenRetrievableForSystemActions": True,
        }  # fmt: skip
        return await self._guarded(request, lambda caller, _: web.json_response(body))

    # -- OData

    async def _odata(self, request: web.Request) -> web.StreamResponse:
        try:
            caller = self._caller(request)
        except LoginRedirectError as redirect:
            return web.Response(status=302, headers={"Location": redirect.location})
        except ODataError as error:
            return to_web(error_response(error))
        body = await request.read() if request.can_read_body else b""
        path = request.match_info.get("tail", "")
        root = f"{request.scheme}://{request.host}{self.options.odata_root}"
        if path == "$batch":
            return self._seen(caller, await self._batch(request, caller, root, body))
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.method, path, request.rel_url.raw_query_string, headers, body, caller.user, root)
        return self._seen(caller, to_web(self.odata.handle(call)))

    async def _batch(self, request: web.Request, caller: Caller, root: str, body: bytes) -> web.StreamResponse:
        try:
            if request.method != "POST":
                raise errors.method_not_allowed(request.method)
            self.odata.check_built(f"{root}/$batch", "$batch")
            parts = parse_batch(request.headers.get("Content-Type", ""), body)
            if len(parts) > BATCH_LIMIT:
                raise errors.odata_error(
                    self.options.batch_over_limit_status,
                    f"The current batch message contains too many parts. Only batch messages with up to {BATCH_LIMIT} "
                    "parts are allowed.",
                )
        except ODataQueryError as error:
            return to_web(error_response(errors.odata_error(400, error.message)))
        except ODataError as error:
            return to_web(error_response(error))

        async def handle(part: SubRequest) -> SubResponse:
            return self.odata.handle(_call_of(part, caller, root))

        answers = await run_batch(
            parts,
            handle,
            continue_on_error="continue-on-error" in request.headers.get("Prefer", "").lower(),
            atomic=self.site.db.transaction if self.options.atomic_groups else None,
            fault=self.batch_fault(request),
        )
        asked = request.content_type, request.headers.get("Accept", "")
        answer = render_batch(answers, as_json=any("application/json" in one for one in asked))
        answer.headers["OData-Version"] = "4.0"
        return to_web(answer)

    # -- packages

    async def _package(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]

        def work(caller: Caller, body: bytes) -> web.StreamResponse:
            match method:
                case "UploadPackage":
                    found = _RANGE.fullmatch(request.headers.get("Content-Range", ""))
                    start = int(found[1]) if found else 0
                    self.installer.upload(request.query.get("fileName", ""), body, start)
                    return web.json_response(SUCCESS)
                case "CreateBackup":
                    return web.json_response(SUCCESS)
                case "InstallPackage":
                    return self._install(body)
            return web.Response(status=404)

        return await self._guarded(request, work)

    def _install(self, body: bytes) -> web.StreamResponse:
        try:
            name = json.loads(body)
        except ValueError:
            name = None
        if not isinstance(name, str) or not self.installer.install(name):
            return web.json_response(FAILURE)
        self.odata.rebuild()
        return web.json_response(SUCCESS)

    async def _package_log(self, request: web.Request) -> web.StreamResponse:
        return await self._guarded(request, lambda caller, body: web.Response(text=self.installer.log))

    async def _designer(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info.get("method")

        def work(caller: Caller, body: bytes) -> web.StreamResponse:
            try:
                given = json.loads(body)
            except ValueError:
                given = None
            if not isinstance(given, dict):
                return web.Response(status=400)
            if method is not None:
                answer = self.designer.call(method, given)
                return web.Response(status=404) if answer is None else web.json_response(answer)
            answer, published = self.designer.request(given)
            if published:
                self.odata.rebuild()
            return web.json_response(answer)

        return await self._guarded(request, work)

    async def _workspace(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]

        def work(caller: Caller, body: bytes) -> web.StreamResponse:
            if method == "RunODataBuild":
                self.odata.rebuild()
                return web.json_response(SUCCESS)
            if method == "IsODataBuildRunning":
                return web.json_response({"value": self.odata.rebuilding, **SUCCESS})
            return web.Response(status=404)

        return await self._guarded(request, work)


def _call_of(part: SubRequest, caller: Caller, root: str) -> Call:
    """A part's URL may be absolute, rooted, or relative to the service root."""
    split = urlsplit(part.url)
    path = split.path
    service = urlsplit(root).path
    if path.startswith(service + "/"):
        path = path[len(service) :]
    return Call(part.method, path.lstrip("/"), split.query, part.headers, part.body, caller.user, root)
