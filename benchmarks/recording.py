"""Write down every request that leaves weft, and how many were under way when it left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from weft.net.transport import AiohttpTransport


@dataclass(slots=True)
class Sent:
    """One request as it went over the wire, credentials included. ``in_flight`` counts itself."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes
    in_flight: int
    status: int = 0


@dataclass(slots=True)
class Recording:
    requests: list[Sent] = field(default_factory=list)
    in_flight: int = 0

    @property
    def concurrency(self) -> int:
        """The most requests that were under way at once."""
        return max((one.in_flight for one in self.requests), default=0)


class _Counted(httpx.AsyncByteStream):
    """The body of an answer; a request is over when its answer is closed."""

    def __init__(self, stream: httpx.AsyncByteStream, recording: Recording) -> None:
        self._stream = stream
        self._recording = recording
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            self._recording.in_flight -= 1
        await self._stream.aclose()


@contextmanager
def recording() -> Iterator[Recording]:
    """Everything sent through weft's transport meanwhile, in the order of sending."""
    found = Recording()
    send = AiohttpTransport.handle_async_request

    async def noted(self: AiohttpTransport, request: httpx.Request) -> httpx.Response:
        found.in_flight += 1
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        sent = Sent(request.method, str(request.url), headers, request.content, found.in_flight)
        found.requests.append(sent)
        try:
            answer = await send(self, request)
        except BaseException:
            found.in_flight -= 1
            raise
        sent.status = answer.status_code
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        answer.stream = _Counted(answer.stream, found)
        return answer

    AiohttpTransport.handle_async_request = noted  # type: ignore[method-assign]
    try:
        yield found
    finally:
        AiohttpTransport.handle_async_request = send  # type: ignore[method-assign]
