"""httpx over aiohttp, with failures that tell whether the request can have reached the server.

httpx's own pool costs 2–4 ms CPU a request; aiohttp's costs a fraction. What this transport promises:

- a failure before the request's head was written is `NotSent`, any later one is `MaybeSent`;
- nothing is sent twice behind the caller's back (aiohttp repeats GET, PUT and DELETE on a stale
  keep-alive connection; that is switched off, repeating is the session's decision);
- redirects are not followed, cookies and decompression are left to httpx, the environment
  (`HTTP_PROXY`, `.netrc`) is not read, TLS certificates are always verified, plain http is for
  loopback only.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx
from yarl import URL

from weft.errors import ConfigError
from weft.net.address import is_loopback
from weft.net.errors import InsecureUrl, MaybeSent, NotSent, place

SENT = "weft.sent"  # request extension: the `Sent` of this attempt


class Sent:
    """How far one attempt got. `head` is set right before the request's head is written."""

    __slots__ = ("head", "reused", "status")

    def __init__(self) -> None:
        self.head = False
        self.reused = False
        self.status: int | None = None


def tls_context(ca_file: str | Path | None = None) -> ssl.SSLContext:
    """A verifying TLS context: the system's CAs (certifi's where there are none), plus `ca_file` (PEM)."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not paths.capath:
        import certifi

        context.load_verify_locations(certifi.where())
    if ca_file is not None:
        try:
            context.load_verify_locations(str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"ca_file {ca_file}: cannot be read as PEM certificates ({error})") from error
    return context


def require_secure(url: httpx.URL, system: str = "") -> None:
    """Raise InsecureUrl unless https, or http to loopback."""
    if url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host)):
        return
    name = f"{system}: " if system else ""
    raise InsecureUrl(
        f"{name}{url.scheme or 'no scheme'}://{url.host} is refused: credentials and data travel over https "
        "only (plain http is allowed to localhost). Change the connection's url to https; for a private "
        "certificate authority set ca_file."
    )


async def _on_head(session: Any, context: SimpleNamespace, params: Any) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.head = True


async def _on_reuse(session: Any, context: SimpleNamespace, params: Any) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.reused = True


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse, request: httpx.Request, system: str) -> None:
        self._answer = answer
        self._request = request
        self._system = system

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
            self._answer.close()
            why = "the read timed out" if isinstance(error, TimeoutError) else _words(error)
            raise MaybeSent(
                f"{place(self._system, self._request.method, self._request.url)} answered "
                f"{self._answer.status}, but the answer broke off: {why}",
                status=self._answer.status,
            ) from error

    async def aclose(self) -> None:
        # release() keeps the connection only if the body was read to its end
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()


def _words(error: BaseException) -> str:
    text = str(error).strip()
    return f"{text} ({type(error).__name__})" if text else type(error).__name__


def _not_sent_reason(error: BaseException, host: str, connect: float | None) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return (
            f"the TLS certificate of {host} is not trusted: {error.certificate_error}. "
            "For a private certificate authority set ca_file"
        )
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"TLS with {host} failed: {_words(error)}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the host name {host} cannot be resolved"
    if isinstance(error, TimeoutError):
        return f"no connection to {host} " + (f"within {connect:g} s" if connect else "in time")
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {host}: {error.os_error.strerror or error.os_error}"
    return _words(error)


class AiohttpTransport(httpx.AsyncBaseTransport):
    """One per connection. The number of simultaneous requests is the limiter's affair, not the pool's."""

    def __init__(
        self,
        *,
        ca_file: str | Path | None = None,
        system: str = "",
        proxy: str | None = None,
        keepalive: float = 30.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if tls is not None and (tls.verify_mode != ssl.CERT_REQUIRED or not tls.check_hostname):
            raise ValueError("a TLS context that does not verify certificates and host names is refused")
        self._tls = tls or tls_context(ca_file)
        self._system = system
        self._proxy = proxy
        self._keepalive = keepalive
        self._session: aiohttp.ClientSession | None = None
        self._timeouts: dict[tuple[float | None, ...], aiohttp.ClientTimeout] = {}

    @property
    def tls(self) -> ssl.SSLContext:
        """The verifying context, for helpers that must trust the same authorities."""
        return self._tls

    def _open(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_on_head)
        trace.on_connection_reuseconn.append(_on_reuse)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls, keepalive_timeout=self._keepalive),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            raise_for_status=False,
            trace_configs=[trace],
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        if not hasattr(session, "_retry_connection"):
            raise RuntimeError(
                f"aiohttp {aiohttp.__version__} offers no way to switch off its own repeats; "
                "a DELETE could be sent twice"
            )
        session._retry_connection = False
        return session

    def _timeout(self, request: httpx.Request) -> aiohttp.ClientTimeout:
        wanted: dict[str, float | None] = request.extensions.get("timeout", {})
        key = (wanted.get("connect"), wanted.get("read"))
        timeout = self._timeouts.get(key)
        if timeout is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=key[0], sock_read=key[1])
            self._timeouts[key] = timeout
        return timeout

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        require_secure(request.url, self._system)
        if self._session is None:
            self._session = self._open()
        sent: Sent = request.extensions.get(SENT) or Sent()
        timeout = self._timeout(request)
        try:
            data: Any = request.content or None
        except httpx.RequestNotRead:
            data = request.stream
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in request.headers.raw
            if name.lower() != b"transfer-encoding"
        ]
        try:
            answer = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                data=data,
                headers=headers,
                allow_redirects=False,
                proxy=self._proxy,
                timeout=timeout,
                trace_request_ctx=sent,
            )
        except (TimeoutError, aiohttp.ClientError, OSError, ssl.SSLError) as error:
            raise self._failure(request, sent, timeout, error) from error
        sent.status = answer.status
        reason = (answer.reason or "").encode("latin-1", "replace")
        return httpx.Response(
            answer.status,
            headers=list(answer.raw_headers),
            stream=_Body(answer, request, self._system),
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": reason},
        )

    def _failure(
        self, request: httpx.Request, sent: Sent, timeout: aiohttp.ClientTimeout, error: BaseException
    ) -> NotSent | MaybeSent:
        where = place(self._system, request.method, request.url)
        if not sent.head:
            reason = _not_sent_reason(error, request.url.host, timeout.sock_connect)
            return NotSent(f"{where} was not sent: {reason}")
        if isinstance(error, TimeoutError):
            limit = f" within {timeout.sock_read:g} s" if timeout.sock_read else " in time"
            why = f"no answer{limit}"
        elif isinstance(error, aiohttp.ServerDisconnectedError):
            kept = " (the connection had been kept open from an earlier request)" if sent.reused else ""
            why = f"the server closed the connection without an answer{kept}"
        else:
            why = _words(error)
        return MaybeSent(f"{where} was sent, but {why}; whether it was carried out is not known")

    async def aclose(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()
