"""What the transport promises: each failure tells whether the request can have reached the server."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl

import httpx
import pytest
from aiohttp import web

from weft.errors import ConfigError
from weft.net.errors import InsecureUrl, MaybeSent, NotSent
from weft.net.transport import AiohttpTransport, tls_context


@pytest.fixture
async def client():
    async with httpx.AsyncClient(transport=AiohttpTransport(), trust_env=False, timeout=5) as made:
        yield made


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


async def test_refused_connection_is_not_sent(client):
    with pytest.raises(NotSent, match=r"was not sent: no connection to 127\.0\.0\.1") as caught:
        await client.post(f"http://127.0.0.1:{free_port()}/x?token=hidden", content=b"{}")
    assert isinstance(caught.value, httpx.ConnectError)
    assert "hidden" not in str(caught.value)


async def test_unknown_host_is_not_sent(client):
    with pytest.raises(NotSent, match="cannot be resolved"):
        await client.get("https://does-not-exist.invalid/")


async def test_untrusted_certificate_is_not_sent_and_names_the_remedy(client, serve):
    hits = []

    async def answer(request):
        hits.append(1)
        return web.Response()

    url = await serve({"POST /x": answer}, tls=True)
    with pytest.raises(NotSent, match=r"certificate of localhost is not trusted.*ca_file"):
        await client.post(f"{url}/x")
    assert hits == []


async def test_private_authority_is_trusted_with_ca_file(serve, ca_file):
    async def answer(request):
        return web.Response(text="fine")

    url = await serve({"GET /x": answer}, tls=True)
    async with httpx.AsyncClient(transport=AiohttpTransport(ca_file=ca_file)) as trusting:
        assert (await trusting.get(f"{url}/x")).text == "fine"


async def test_certificate_for_another_name_is_refused(serve, ca_file):
    url = await serve({}, tls=True)
    wrong = AiohttpTransport(ca_file=ca_file)
    async with httpx.AsyncClient(transport=wrong) as trusting:
        with pytest.raises(NotSent, match="not trusted"):
            await trusting.get(url.replace("localhost", "127.0.0.1"))


async def test_tls_handshake_cut_short_is_not_sent(client, serve_raw):
    async def hang_up(reader, writer):
        await reader.read(10)

    url = await serve_raw(hang_up)
    with pytest.raises(NotSent):
        await client.post(url.replace("http://", "https://"), content=b"{}")


async def test_connect_timeout_is_not_sent(serve_raw):
    async def silent(reader, writer):  # accepts, but never completes TLS
        await reader.read()

    url = await serve_raw(silent)
    timeout = httpx.Timeout(5, connect=0.1)
    async with httpx.AsyncClient(transport=AiohttpTransport(), timeout=timeout) as impatient:
        with pytest.raises(NotSent, match=r"within 0\.1 s"):
            await impatient.post(url.replace("http://", "https://"))


async def test_disconnect_after_the_request_is_maybe_sent(client, serve_raw, read_request):
    seen = []

    async def take_and_leave(reader, writer):
        seen.append(await read_request(reader))

    url = await serve_raw(take_and_leave)
    with pytest.raises(MaybeSent, match="closed the connection without an answer") as caught:
        await client.post(f"{url}/orders", content=b'{"a":1}')
    assert isinstance(caught.value, httpx.ReadError)
    assert not isinstance(caught.value, NotSent)
    assert len(seen) == 1
    assert seen[0].endswith(b'{"a":1}')


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_stale_keep_alive_is_maybe_sent_and_never_repeated_by_itself(client, serve_raw, read_request, method):
    """The server answers once, then takes a second request on the kept connection and hangs up."""
    requests = []

    async def once(reader, writer):
        for _ in range(2):
            requests.append(await read_request(reader))
            if len(requests) == 1:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
            else:
                return

    url = await serve_raw(once)
    assert (await client.request(method, f"{url}/1")).text == "ok"
    with pytest.raises(MaybeSent, match="kept open from an earlier request"):
        await client.request(method, f"{url}/2")
    assert len(requests) == 2


async def test_read_timeout_is_maybe_sent(serve_raw, read_request):
    async def silent(reader, writer):
        await read_request(reader)
        await reader.read()

    url = await serve_raw(silent)
    timeout = httpx.Timeout(5, read=0.1)
    async with httpx.AsyncClient(transport=AiohttpTransport(), timeout=timeout) as impatient:
        with pytest.raises(MaybeSent, match=r"no answer within 0\.1 s"):
            await impatient.post(url)


async def test_garbage_instead_of_http_is_maybe_sent(client, serve_raw, read_request):
    async def babble(reader, writer):
        await read_request(reader)
        writer.write(b"220 smtp.example ESMTP\r\n\r\n")
        await writer.drain()

    url = await serve_raw(babble)
    with pytest.raises(MaybeSent):
        await client.post(url)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ],
)
async def test_truncated_body_is_maybe_sent_with_the_status(client, serve_raw, read_request, answer):
    async def cut(reader, writer):
        await read_request(reader)
        writer.write(answer)
        await writer.drain()

    url = await serve_raw(cut)
    with pytest.raises(MaybeSent, match="answered 201, but the answer broke off") as caught:
        await client.post(url)
    assert caught.value.status == 201


async def test_compressed_bodies_are_unpacked_once(client, serve):
    packed = gzip.compress(b"plain" * 100)

    async def zipped(request):
        assert "gzip" in request.headers["Accept-Encoding"]
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async def file(request):
        return web.Response(body=packed, content_type="application/gzip")

    url = await serve({"GET /zipped": zipped, "GET /file": file})
    assert (await client.get(f"{url}/zipped")).content == b"plain" * 100
    assert (await client.get(f"{url}/file")).content == packed


async def test_headers_cookies_redirects_and_url_arrive_untouched(client, serve):
    seen = {}

    async def look(request):
        seen["path"] = request.raw_path
        seen["headers"] = request.headers
        seen["body"] = await request.read()
        answer = web.Response(status=302, headers={"Location": "/login"})
        answer.headers.add("Set-Cookie", "a=1; Path=/")
        answer.headers.add("Set-Cookie", "b=2; Path=/")
        return answer

    url = await serve({"POST /{tail:.*}": look})
    path = "/data/Customers(dataAreaId='usmf',CustomerAccount='O%27%27N%2FX%20%26')?$filter=a%20eq%20%27%2B%27"
    answer = await client.post(f"{url}{path}", content=b"x", headers={"If-Match": 'W/"1"'})
    assert answer.status_code == 302
    assert answer.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]
    assert dict(client.cookies) == {"a": "1", "b": "2"}
    assert seen["path"].replace("'", "%27") == path.replace("'", "%27")
    assert seen["headers"].getall("User-Agent") == [f"python-httpx/{httpx.__version__}"]
    assert "Content-Type" not in seen["headers"]
    assert seen["headers"]["If-Match"] == 'W/"1"'
    assert seen["body"] == b"x"


async def test_streamed_request_body(client, serve):
    async def echo(request):
        return web.Response(body=await request.read())

    async def chunks():
        for _ in range(3):
            yield b"abc"

    url = await serve({"PUT /x": echo})
    assert (await client.put(f"{url}/x", content=chunks())).content == b"abc" * 3


async def test_an_unread_answer_frees_the_connection(client, serve):
    async def large(request):
        return web.Response(body=b"x" * 5_000_000)

    url = await serve({"GET /x": large})
    async with client.stream("GET", f"{url}/x") as answer:
        assert answer.status_code == 200
    assert (await client.get(f"{url}/x")).content == b"x" * 5_000_000


@pytest.mark.parametrize(
    "url", ["http://example.com/", "http://10.0.0.1/", "ftp://localhost/", "http://localhost.evil.example/"]
)
async def test_plain_http_is_for_loopback_only(client, url):
    with pytest.raises(InsecureUrl, match="is refused"):
        await client.get(url)


def test_verification_cannot_be_switched_off():
    lax = ssl.create_default_context()
    lax.check_hostname = False
    with pytest.raises(ValueError, match="is refused"):
        AiohttpTransport(tls=lax)
    context = tls_context()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_unusable_ca_file_names_the_file(tmp_path):
    bad = tmp_path / "ca.pem"
    bad.write_text("not a certificate")
    with pytest.raises(ConfigError, match=r"ca\.pem: cannot be read"):
        AiohttpTransport(ca_file=bad)
    with pytest.raises(ConfigError, match=r"none\.pem: cannot be read"):
        AiohttpTransport(ca_file=tmp_path / "none.pem")


async def test_environment_proxies_are_ignored(monkeypatch, serve):
    async def answer(request):
        return web.Response(text="direct")

    url = await serve({"GET /x": answer})
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with httpx.AsyncClient(transport=AiohttpTransport()) as made:
        assert (await made.get(f"{url}/x")).text == "direct"


async def test_a_configured_proxy_that_is_down_is_not_sent(serve):
    url = await serve({})
    proxy = f"http://127.0.0.1:{free_port()}"
    async with httpx.AsyncClient(transport=AiohttpTransport(proxy=proxy)) as made:
        with pytest.raises(NotSent):
            await made.post(f"{url}/x")


async def test_many_requests_share_kept_connections(client, serve):
    peers = set()

    async def answer(request):
        peers.add(request.transport.get_extra_info("peername"))
        await asyncio.sleep(0)
        return web.Response(text="x")

    url = await serve({"GET /x": answer})
    for _ in range(10):
        await client.get(f"{url}/x")
    assert len(peers) == 1
