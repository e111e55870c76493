"""The blob storage of the environment: files under URLs that carry their own permission."""

from __future__ import annotations

import secrets
from urllib.parse import quote, unquote

from aiohttp import web


class Blobs:
    """Served by the simulator itself under ``/blob/dmf``, where the real ones live at blob.core.windows.net."""

    def __init__(self) -> None:
        self.base_url = ""
        self._keys: dict[str, str] = {}  # file -> signature
        self._files: dict[str, bytes] = {}

    def routes(self) -> list[web.RouteDef]:
        return [web.put("/blob/dmf/{file}", self._put), web.get("/blob/dmf/{file}", self._get)]

    def url(self, name: str) -> str:
        """A URL that may write and read the file."""
        key = self._keys.setdefault(name, secrets.token_urlsafe(24))
        return f"{self.base_url}/blob/dmf/{quote(name, safe='')}?sv=2023-01-03&sr=b&sp=rcw&sig={key}"

    def store(self, name: str, data: bytes) -> str:
        """Keep a file of the server's own; its URL."""
        self._files[name] = data
        return self.url(name)

    def read(self, url: str) -> bytes | None:
        """What was uploaded under one of the URLs given out; None for another or before the upload."""
        path, _, query = url.partition("?")
        name = unquote(path.rpartition("/")[2])
        key = dict(part.partition("=")[::2] for part in query.split("&")).get("sig")
        if not path.startswith(f"{self.base_url}/blob/dmf/") or key is None or self._keys.get(name) != key:
            return None
        return self._files.get(name)

    def _allowed(self, request: web.Request) -> bool:
        key = self._keys.get(request.match_info["file"])
        return key is not None and secrets.compare_digest(key, request.query.get("sig", ""))

    async def _put(self, request: web.Request) -> web.Response:
        if not self._allowed(request):
            return _error(403, "AuthenticationFailed", "Server failed to authenticate the request.")
        if request.headers.get("x-ms-blob-type") != "BlockBlob":
            text = "An HTTP header that's mandatory for this request is not specified. x-ms-blob-type"
            return _error(400, "MissingRequiredHeader", text)
        self._files[request.match_info["file"]] = await request.read()
        return web.Response(status=201)

    async def _get(self, request: web.Request) -> web.Response:
        if not self._allowed(request):
            return _error(403, "AuthenticationFailed", "Server failed to authenticate the request.")
        data = self._files.get(request.match_info["file"])
        if data is None:
            return _error(404, "BlobNotFound", "The specified blob does not exist.")
        return web.Response(body=data, content_type="application/octet-stream")


def _error(status: int, code: str, text: str) -> web.Response:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{text}</Message></Error>'
    return web.Response(status=status, text=body, content_type="application/xml", headers={"x-ms-error-code": code})
