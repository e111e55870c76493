"""One attempt: send a request, read the answer to its end, within the limits of time and size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx

from weft.net.errors import BadResponse, MaybeSent, NotSent, TooLarge, place
from weft.net.response import Response
from weft.net.settings import HttpSettings
from weft.net.transport import SENT, Sent


async def exchange(
    client: httpx.AsyncClient,
    request: httpx.Request,
    settings: HttpSettings,
    *,
    system: str,
    clock: Callable[[], float],
) -> Response:
    """Raises NotSent, MaybeSent, BadResponse (does not unpack) or TooLarge; any status is an answer."""
    sent = request.extensions[SENT] = Sent()
    begun = clock()
    where = place(system, request.method, request.url)
    try:
        async with asyncio.timeout(settings.total_timeout):
            answer = await client.send(request, stream=True)
            try:
                content = await _read(answer, request.method, where, settings.max_response)
            finally:
                await answer.aclose()
    except TimeoutError as error:
        limit = f"{settings.total_timeout:g} s"
        if not sent.head:
            raise NotSent(f"{where} was not sent: no connection within {limit}") from error
        raise MaybeSent(f"{where} was sent, but not answered whole within {limit}", status=sent.status) from error
    return Response(
        status=answer.status_code,
        headers=answer.headers,
        content=content,
        method=request.method,
        url=str(request.url),
        elapsed=clock() - begun,
        system=system,
    )


async def _read(answer: httpx.Response, method: str, where: str, limit: int) -> bytes:
    declared = answer.headers.get("content-length", "")
    size = int(declared) if declared.isdigit() and method != "HEAD" else 0
    chunks: list[bytes] = []
    try:
        if size <= limit:
            size = 0
            async for chunk in answer.aiter_bytes():
                size += len(chunk)
                chunks.append(chunk)
                if size > limit:
                    break
    except httpx.DecodingError as error:
        raise BadResponse(
            f"{where} answered {answer.status_code} with a body that cannot be unpacked "
            f"({answer.headers.get('content-encoding')}): {error}",
            status=answer.status_code,
        ) from error
    if size > limit:
        raise TooLarge(
            f"{where} answered {answer.status_code} with more than {limit:,} bytes (max_response): "
            "ask for smaller pages or raise the limit",
            status=answer.status_code,
        )
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
