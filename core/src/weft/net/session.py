"""One HTTP session per connection: credentials, limits, retries, and answers that can be trusted."""

from __future__ import annotations

import asyncio
import email.utils
import logging
import random
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from http import client as http_client
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote, urlencode

import httpx

from weft.logscope import about
from weft.meter import Meter
from weft.net import fence
from weft.net import json as exact_json
from weft.net.auth import Auth, NoAuth
from weft.net.errors import (
    AuthError,
    EndpointDown,
    InsecureUrl,
    MaybeSent,
    NetError,
    NotSent,
    RemoteError,
    Throttled,
    place,
)
from weft.net.exchange import exchange
from weft.net.limiter import AdaptiveLimiter, Lane, Sleep
from weft.net.login import SingleLogin
from weft.net.response import Response
from weft.net.retry import IDEMPOTENT, retry_after
from weft.net.secrets import Redactor
from weft.net.settings import HttpSettings, SessionStats
from weft.net.transport import AiohttpTransport, require_secure
from weft.net.words import explain

LOG = logging.getLogger("weft.net")
REMOTE_IDS = ("request-id", "x-ms-service-request-id", "req_id", "x-ms-request-id", "x-ms-correlation-id")
"""Headers in which systems tell their own id of a request, the more specific first."""
Params = Mapping[str, str | int | bool] | None
Ok = Collection[int] | Literal["any"] | None


def origin(url: httpx.URL) -> str:
    port = url.port if url.port is not None else {"https": 443, "http": 80}.get(url.scheme)
    return f"{url.scheme}://{url.host}:{port}"


class HttpSession:
    """Use as an async context manager; share one among all flows of a connection.

    `base_url` is joined textually with relative URLs: `session.request("GET", "Customers")` under
    `https://host/data` asks for `https://host/data/Customers`. Clock, wall clock, sleep and randomness
    can be injected, so tests need not wait.
    """

    def __init__(
        self,
        base_url: str,
        *,
        system: str = "",
        auth: Auth | None = None,
        settings: HttpSettings | None = None,
        redactor: Redactor | None = None,
        limiter: AdaptiveLimiter | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
        rng: random.Random | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.settings = settings or HttpSettings()
        self.system = system
        self.base_url = base_url.rstrip("/")
        self.auth = auth or NoAuth()
        self.redact = redactor or Redactor()
        self.auth.bind(self.redact)
        url = httpx.URL(self.base_url)
        require_secure(url, system)
        self._origins = {origin(url), *(origin(httpx.URL(o)) for o in self.settings.trusted_origins)}
        self._clock, self._wall, self._sleep = clock, wall, sleep
        self._rng = rng or random.Random()
        self.limiter = limiter or AdaptiveLimiter(
            initial=min(self.settings.initial_concurrency, self.settings.max_concurrency),
            maximum=self.settings.max_concurrency,
            system=system,
            clock=clock,
            sleep=sleep,
        )
        jar = CookieJar(None if self.auth.uses_cookies else DefaultCookiePolicy(allowed_domains=[]))
        self.client = httpx.AsyncClient(
            transport=transport
            or AiohttpTransport(ca_file=self.settings.ca_file, system=system, proxy=self.settings.proxy),
            cookies=jar,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self.settings.read_timeout, connect=self.settings.connect_timeout),
            headers={"User-Agent": self.settings.user_agent, **self.settings.headers},
        )
        self._login = SingleLogin(self.auth, pause=self.settings.auth_pause, clock=clock)
        self._requests = self._retries = self._failures = 0
        self._skew: float | None = None
        self._meter = meter or Meter()

    async def __aenter__(self) -> Self:
        self._meter.opened(self.system, self.stats)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        self._meter.closed(self.system, self.stats)
        await self._login.close()
        try:
            await self.auth.aclose()
        finally:
            self.limiter.close()
            await self.client.aclose()

    def url(self, url: str, params: Params = None) -> str:
        """The absolute URL for a relative or absolute one; params are percent-encoded and appended."""
        if not url.startswith(("https://", "http://")):
            url = f"{self.base_url}/{url.lstrip('/')}" if url else self.base_url
        if params:
            text = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in params.items()}
            url += ("&" if "?" in url else "?") + urlencode(text, quote_via=quote, safe="$")
        return url

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Params = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Any = None,
        idempotent: bool | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the transport's own, not a cancellation
        lane: Lane = "live",
        ok: Ok = None,
    ) -> Response:
        """Send with credentials, under the limiter, repeating what is safe to repeat.

        `idempotent` defaults to True for GET, HEAD and OPTIONS. `timeout` replaces the read timeout.
        `ok`: statuses to return besides 2xx; "any" returns every answer of the system itself, except
        those about throttling and outage, which are dealt with here. Raises what `weft.net.errors` lists.
        """
        method = method.upper()
        repeatable = method in IDEMPOTENT if idempotent is None else idempotent
        if json is not None:
            content = exact_json.dumps(json)
            headers = {"Content-Type": "application/json", **(headers or {})}
        target = httpx.URL(self.url(url, params))  # parsed once: long filters make that dear
        if origin(target) not in self._origins:
            raise InsecureUrl(
                f"{place(self.system, method, target)} is refused: it is not an address of this connection, "
                f"and the credentials are for {self.base_url} only (see trusted_origins)"
            )
        return await self._deliver(method, target, headers, content, repeatable, timeout, lane, ok)

    async def _deliver(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str] | None,
        content: bytes | None,
        repeatable: bool,
        read_timeout: float | None,
        lane: Lane,
        ok: Ok,
    ) -> Response:
        retry = self.settings.retry
        expected = () if ok is None or ok == "any" else ok
        request_id = uuid.uuid4().hex
        started = self._clock()
        failed = sent = 0
        replayed = False
        while True:
            generation = await self._login.ready(self)
            patience = max(0.0, retry.patience - (self._clock() - started))
            pause: float | None = None
            async with self.limiter.slot(lane, patience=patience) as slot:
                request = self._build(method, url, headers, content, read_timeout, request_id)
                self.auth.apply(request)
                if method not in IDEMPOTENT:  # it may have waited, or be a repetition
                    await fence.passed()
                self._requests += 1
                sent += 1
                try:
                    response = await self._exchange(request, request_id)
                except (NotSent, MaybeSent) as error:
                    error.request_id = request_id
                    self._failures += 1
                    failed += 1
                    if failed >= retry.attempts or not (repeatable or isinstance(error, NotSent)):
                        if repeatable and isinstance(error, MaybeSent):
                            raise self._down(error, failed) from error
                        raise
                    pause = retry.backoff(failed, self._rng)
                else:
                    response.attempts = sent
                    wait = retry_after(response.headers, self._wall())
                    if response.status == 429 or (response.status == 503 and wait is not None):
                        hold = retry.backoff(failed + 1, self._rng) if wait is None else wait
                        self.limiter.throttled(slot, min(hold, retry.retry_after_cap))
                    elif response.status < 500:
                        self.limiter.succeeded(slot)
            if pause is not None:
                self._retries += 1
                await self._sleep(pause)
                continue
            # a 403 that outlives a fresh login is about rights, not about the login: an ordinary answer
            if self.auth.rejected(response) and not (replayed and response.status == 403):
                if replayed:
                    raise self._error(AuthError, response, "the credentials were refused, fresh ones too")
                replayed = True
                await self._login.renew(self, generation)
                continue
            if response.ok or response.status in expected:
                return response
            again = self._again(response, wait, repeatable)
            if again is None:
                if ok == "any":
                    return response
                raise self._error(RemoteError, response)
            self._failures += 1
            failed += 1
            if failed >= retry.attempts or not again:
                raise self._given_up(response, wait, repeatable)
            self._retries += 1
            if self.limiter.held_for <= 0:
                await self._sleep(retry.backoff(failed, self._rng))

    def _again(self, response: Response, wait: float | None, repeatable: bool) -> bool | None:
        """True: repeat. False: give up. None: an answer of the system itself, not about its health."""
        retry = self.settings.retry
        if response.status == 429:
            return True
        if response.status == 503:
            return repeatable or retry.repeats_503(wait)
        if response.status in retry.in_doubt:
            return repeatable
        return None

    def _given_up(self, response: Response, wait: float | None, repeatable: bool) -> NetError:
        if response.status == 429:
            return self._error(Throttled, response, wait=self.limiter.held_for or wait)
        if repeatable or (response.status == 503 and self.settings.retry.repeats_503(wait)):
            return self._error(EndpointDown, response, wait=wait)
        return self._error(MaybeSent, response, "it is not known whether the request was carried out")

    def _down(self, error: MaybeSent, attempts: int) -> EndpointDown:
        return EndpointDown(
            f"{error} (given up after {attempts} attempts)", status=error.status, request_id=error.request_id
        )

    def _error(
        self, kind: type[NetError], response: Response, remark: str = "", *, wait: float | None = None
    ) -> NetError:
        words = explain(response)
        told = self.redact(str(words))
        text = f"{place(self.system, response.method, response.url)} answered {response.status}"
        reason = f" {http_client.responses.get(response.status, '')}".rstrip()
        return kind(
            text + reason + (f": {told}" if told else "") + (f" — {remark}" if remark else ""),
            status=response.status,
            code=words.code,
            retry_after=wait,
            request_id=response.request_id,
            response=response,
        )

    def _build(
        self,
        method: str,
        url: httpx.URL | str,
        headers: Mapping[str, str] | None,
        content: bytes | None,
        read_timeout: float | None,
        request_id: str,
    ) -> httpx.Request:
        limits: Any = httpx.USE_CLIENT_DEFAULT
        if read_timeout is not None:
            limits = httpx.Timeout(read_timeout, connect=self.settings.connect_timeout)
        request = self.client.build_request(method, url, headers=headers, content=content, timeout=limits)
        request.headers[self.settings.request_id_header] = request_id
        return request

    async def _exchange(self, request: httpx.Request, request_id: str) -> Response:
        url = request.url
        where = f"{url.scheme}://{url.netloc.decode('ascii')}{url.path}"
        with self._meter.request(self.system, request.method, where, request_id) as span, about(request=request_id):
            response = await exchange(self.client, request, self.settings, system=self.system, clock=self._clock)
            response.request_id = request_id
            response.redact = self.redact
            remote_id = next((value for name in REMOTE_IDS if (value := response.headers.get(name))), "")
            span.note(status=response.status, remote_id=remote_id)
            if LOG.isEnabledFor(logging.DEBUG):
                told = f"{place(self.system, request.method, url)} answered {response.status}"
                LOG.debug("%s in %.0f ms", told, response.elapsed * 1000, extra={"remote_request": remote_id})
            self._keep_skew(response)
        return response

    def _keep_skew(self, response: Response) -> None:
        """How far the server's clock is ahead of ours; learnt once, from its Date header (whole seconds)."""
        if self._skew is None and (sent := response.headers.get("date")):
            try:
                then = email.utils.parsedate_to_datetime(sent).timestamp()
            except ValueError:
                return
            # The header was written somewhere between asking and having read the answer.
            now = self._wall()
            early, late = then + 1 - (now - response.elapsed), then - now
            self._skew = early if early < 0 else max(late, 0.0)

    async def bare(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """For `Auth.renew`: send without credentials, limiter or replay. Any https address is allowed.

        Lost connections and 429/502/503/504 are repeated with backoff; whatever else is answered is returned.
        Raises NotSent, EndpointDown or Throttled.
        """
        if form is not None:
            content = urlencode(form).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        elif json is not None:
            content = exact_json.dumps(json)
            headers = {"Content-Type": "application/json", **(headers or {})}
        retry = self.settings.retry
        request_id = uuid.uuid4().hex
        for attempt in range(1, retry.attempts + 1):
            request = self._build(method.upper(), self.url(url), headers, content, None, request_id)
            try:
                response = await self._exchange(request, request_id)
            except (NotSent, MaybeSent) as error:
                if attempt == retry.attempts:
                    raise (self._down(error, attempt) if isinstance(error, MaybeSent) else error) from error
                pause = retry.backoff(attempt, self._rng)
            else:
                if response.status not in (429, 502, 503, 504):
                    return response
                wait = retry_after(response.headers, self._wall())
                pause = retry.backoff(attempt, self._rng) if wait is None else wait
                if attempt == retry.attempts or pause > retry.patience:
                    kind = Throttled if response.status == 429 else EndpointDown
                    raise self._error(kind, response, wait=wait)
            await self._sleep(pause)
        raise AssertionError("a retry setting of 0 attempts")

    def stats(self) -> SessionStats:
        return SessionStats(
            in_flight=self.limiter.in_flight,
            waiting=self.limiter.waiting,
            limit=self.limiter.limit,
            held_for=self.limiter.held_for,
            requests=self._requests,
            retries=self._retries,
            throttled=self.limiter.throttled_count,
            failures=self._failures,
            auth=self.auth.state(),
            skew=self._skew,
        )
