"""What a session repeats, what it does not, and what it says when it gives up."""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils
import gzip
import random
from decimal import Decimal

import pytest
from aiohttp import web

from weft.net.auth import Auth, NoAuth
from weft.net.errors import (
    AuthError,
    BadResponse,
    EndpointDown,
    InsecureUrl,
    MaybeSent,
    NotSent,
    RemoteError,
    Throttled,
    TooLarge,
)
from weft.net.fence import fenced
from weft.net.retry import Retry, retry_after
from weft.net.secrets import Redactor
from weft.net.session import HttpSession
from weft.net.settings import HttpSettings


@pytest.fixture
async def connect(clock):
    opened = []

    def make(url, auth=None, redactor=None, **settings):
        session = HttpSession(
            url,
            system="erp",
            auth=auth,
            redactor=redactor,
            settings=HttpSettings(**settings),
            clock=clock,
            wall=lambda: 1_700_000_000.0,
            sleep=clock.sleep,
            rng=random.Random(1),
        )
        opened.append(session)
        return session

    yield make
    for session in opened:
        await session.aclose()


def script(*answers):
    """A handler that gives the answers in turn (the last one for ever), and the list of what it was asked."""
    asked = []

    async def handler(request):
        asked.append((request.method, await request.read(), request.headers.copy()))
        status, *rest = answers[min(len(asked), len(answers)) - 1]
        headers = rest[0] if rest else {}
        body = rest[1] if len(rest) > 1 else b'{"ok":true}'
        return web.Response(status=status, headers={"Content-Type": "application/json", **headers}, body=body)

    return handler, asked


async def test_an_answer_with_exact_numbers(connect, serve):
    handler, asked = script((200, {}, b'{"amount": 12345678901234567.10}'))
    session = connect(await serve({"GET /data/x": handler}) + "/data/")
    answer = await session.request("GET", "x", params={"$top": 5, "cross-company": True, "q": "a&b ü"})
    assert answer.json() == {"amount": Decimal("12345678901234567.10")}
    assert str(answer.json()["amount"]) == "12345678901234567.10"
    assert answer.url.endswith("/data/x?$top=5&cross-company=true&q=a%26b%20%C3%BC")
    assert asked[0][2]["x-ms-client-request-id"] == answer.request_id
    assert answer.attempts == 1
    assert "12345" not in repr(answer)


async def test_throttling_is_obeyed_and_the_request_repeated(connect, serve, clock):
    handler, asked = script((429, {"Retry-After": "17"}), (201,))
    session = connect(await serve({"POST /x": handler}))
    answer = await session.request("POST", "x", json={"a": Decimal("1.10")})
    assert answer.status == 201
    assert answer.attempts == 2
    assert clock.slept == [17.0]
    assert [body for _, body, _ in asked] == [b'{"a":1.10}'] * 2
    stats = session.stats()
    assert (stats.throttled, stats.limit, stats.requests, stats.retries) == (1, 2, 2, 1)


async def test_retry_after_as_a_date(connect, serve, clock):
    date = email.utils.format_datetime(dt.datetime.fromtimestamp(1_700_000_042, dt.UTC), usegmt=True)
    handler, _ = script((503, {"Retry-After": date}), (200,))
    session = connect(await serve({"POST /x": handler}))
    await session.request("POST", "x")
    assert clock.slept == [42.0]


async def test_a_long_pause_is_told_instead_of_waited(connect, serve, clock):
    handler, asked = script(
        (
            429,
            {"Retry-After": "300"},
            b'{"error":{"code":"0x80072322","message":"Number of requests exceeded"}}',
        )
    )
    session = connect(await serve({"GET /x": handler}), retry=Retry(patience=60))
    with pytest.raises(Throttled) as caught:
        await session.request("GET", "x")
    assert caught.value.retry_after == 300.0
    with pytest.raises(Throttled):  # others are told at once too, without asking the server
        await session.request("GET", "x")
    assert len(asked) == 1
    clock.now += 300
    with pytest.raises(Throttled):
        await session.request("GET", "x")
    assert len(asked) == 2


async def test_throttled_for_good_tells_the_systems_words(connect, serve):
    body = b'{"error":{"code":"0x80072322","message":"Number of requests exceeded the limit"}}'
    handler, asked = script((429, {"Retry-After": "1"}, body))
    session = connect(await serve({"GET /x": handler}), retry=Retry(attempts=3))
    with pytest.raises(
        Throttled, match=r"erp: GET .*/x answered 429 Too Many Requests: 0x80072322: Number of"
    ) as caught:
        await session.request("GET", "x")
    assert len(asked) == 3
    assert caught.value.code == "0x80072322"


async def test_an_absurd_retry_after_is_capped(connect, serve, clock):
    handler, _ = script((429, {"Retry-After": "9999999"}), (200,))
    session = connect(await serve({"GET /x": handler}), retry=Retry(retry_after_cap=50))
    await session.request("GET", "x")
    assert clock.slept == [50.0]


@pytest.mark.parametrize("status", [502, 503, 504, 408])
async def test_reads_are_repeated_on_outage_with_growing_pauses(connect, serve, clock, status):
    handler, asked = script((status,), (status,), (status,), (200,))
    session = connect(await serve({"GET /x": handler}))
    answer = await session.request("GET", "x")
    assert answer.attempts == len(asked) == 4
    first, second, third = clock.slept
    assert 0.25 <= first <= 0.5 <= second <= 1.0 <= third <= 2.0


@pytest.mark.parametrize("status", [502, 503, 504, 408])
async def test_writes_answered_by_a_gateway_are_in_doubt(connect, serve, status):
    handler, asked = script((status, {"Content-Type": "text/html"}, b"<html><title>Bad Gateway</title></html>"))
    session = connect(await serve({"POST /x": handler}))
    with pytest.raises(MaybeSent, match="Bad Gateway — it is not known whether") as caught:
        await session.request("POST", "x", json={})
    assert caught.value.status == status
    assert len(asked) == 1


@pytest.mark.parametrize(("setting", "tries"), [("always", 5), ("never", 1), ("with_retry_after", 5)])
async def test_503_to_a_write_with_retry_after(connect, serve, setting, tries):
    handler, asked = script((503, {"Retry-After": "1"}))
    session = connect(await serve({"POST /x": handler}), retry=Retry(unprocessed_503=setting))
    with pytest.raises(MaybeSent if setting == "never" else EndpointDown):
        await session.request("POST", "x", json={})
    assert len(asked) == tries


async def test_lost_answer_read_repeats_write_does_not(connect, serve_raw, read_request):
    requests = []

    async def drop_first(reader, writer):
        requests.append(await read_request(reader))
        if len(requests) % 2 == 0:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()

    session = connect(await serve_raw(drop_first))
    assert (await session.request("GET", "x")).content == b"ok"
    assert len(requests) == 2
    with pytest.raises(MaybeSent) as caught:
        await session.request("POST", "x", content=b"1")
    assert len(requests) == 3
    assert caught.value.request_id
    assert (await session.request("POST", "x", content=b"2", idempotent=True)).content == b"ok"


async def test_reads_that_never_get_an_answer_end_as_endpoint_down(connect, serve_raw, read_request):
    async def drop(reader, writer):
        await read_request(reader)

    session = connect(await serve_raw(drop), retry=Retry(attempts=3))
    with pytest.raises(EndpointDown, match="given up after 3 attempts"):
        await session.request("GET", "x")


async def test_a_write_that_was_not_sent_is_repeated(connect, clock):
    session = connect("http://127.0.0.1:1", retry=Retry(attempts=4))
    with pytest.raises(NotSent):
        await session.request("POST", "x", json={})
    assert len(clock.slept) == 3


async def test_errors_of_the_system_are_told_in_its_words(connect, serve):
    body = (
        b'{"error":{"code":"","message":"An error has occurred.","innererror":{'
        b'"message":"Write failed for table '
        b"row of type 'CustCustomerV3Entity'.\","
        b'"internalexception":{"message":"Customer group 99 does not exist."}}}}'
    )
    handler, asked = script((400, {}, body))
    session = connect(await serve({"POST /x": handler}))
    with pytest.raises(
        RemoteError, match=r"400 Bad Request: An error has occurred\. \| Write failed .* \| Customer group 99"
    ):
        await session.request("POST", "x?secret=1", json={})
    answer = await session.request("POST", "x", json={}, ok="any")
    assert answer.status == 400
    assert (await session.request("POST", "x", json={}, ok={400})).status == 400
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("headers", "body", "told"),
    [
        ({}, b'{"value": [1, 2', "broken or truncated JSON"),
        (
            {"Content-Type": "text/html"},
            b"<html><body>Sign in</body></html>",
            "an HTML page where JSON was expected",
        ),
        ({}, b"", "an empty body"),
        ({}, b'{"a": NaN}', "NaN is not a JSON number"),
    ],
)
async def test_what_is_not_json_says_so(connect, serve, headers, body, told):
    handler, _ = script((200, headers, body))
    session = connect(await serve({"GET /x": handler}))
    answer = await session.request("GET", "x")
    with pytest.raises(BadResponse, match=told) as caught:
        answer.json()
    assert caught.value.status == 200
    assert "content-type" in str(caught.value)


async def test_excerpts_are_redacted(connect, serve):
    handler, _ = script((200, {}, b"oops: password=hunter22 token swordfish-1"))
    session = connect(await serve({"GET /x": handler}), redactor=Redactor(["swordfish-1"]))
    with pytest.raises(BadResponse) as caught:
        (await session.request("GET", "x")).json()
    assert "hunter22" not in str(caught.value)
    assert "swordfish" not in str(caught.value)
    assert "oops" in str(caught.value)


@pytest.mark.parametrize("packed", [True, False])
async def test_size_guard_counts_unpacked_bytes(connect, serve, packed):
    body = b"0" * 3_000_000

    async def bomb(request):
        if packed:
            return web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
        return web.Response(body=body)

    session = connect(await serve({"GET /x": bomb}), max_response=1_000_000)
    with pytest.raises(TooLarge, match=r"more than 1,000,000 bytes \(max_response\)"):
        await session.request("GET", "x")


async def test_an_endless_answer_is_not_read_on(connect, serve_raw, read_request):
    written = 0

    async def endless(reader, writer):
        nonlocal written
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(1000):
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
            written += 65536

    session = connect(await serve_raw(endless), max_response=100_000)
    with pytest.raises(TooLarge):
        await session.request("GET", "x")
    assert written < 30_000_000  # what fits the socket buffers, not all 65 MB


async def test_a_body_that_does_not_unpack(connect, serve):
    handler, _ = script((200, {"Content-Encoding": "gzip"}, b"not gzip"))
    session = connect(await serve({"GET /x": handler}))
    with pytest.raises(BadResponse, match="cannot be unpacked"):
        await session.request("GET", "x")


async def test_trickling_answers_end_at_the_total_timeout(connect, serve_raw, read_request):
    async def trickle(reader, writer):
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    session = connect(await serve_raw(trickle), total_timeout=0.15)
    with pytest.raises(MaybeSent, match=r"not answered whole within 0\.15 s") as caught:
        await session.request("POST", "x")
    assert caught.value.status == 200


async def test_credentials_do_not_leave_for_another_origin(connect, serve):
    session = connect("https://erp.example/data")
    for url in (
        "https://evil.example/data/x",
        "https://erp.example:8443/data",
        "https://erp.example.evil.example/",
    ):
        with pytest.raises(InsecureUrl, match="not an address of this connection"):
            await session.request("GET", url)
    with pytest.raises(InsecureUrl, match="is refused"):
        connect("http://erp.example")


class Numbered(Auth):
    """Tokens T1, T2, …; counts its renewals."""

    def __init__(self, fail=None):
        self.renewals = 0
        self.fail = fail

    def ready(self):
        return self.renewals > 0

    def apply(self, request):
        request.headers["Authorization"] = f"Bearer T{self.renewals}"

    async def renew(self, session):
        await asyncio.sleep(0.01)
        if self.fail:
            self.renewals_tried = getattr(self, "renewals_tried", 0) + 1
            raise self.fail
        self.renewals += 1


async def test_twenty_concurrent_calls_renew_once(connect, serve):
    valid = {"Bearer T2"}
    seen = []

    async def guarded(request):
        seen.append(request.headers["Authorization"])
        await asyncio.sleep(0.01)
        return web.json_response({}, status=200 if request.headers["Authorization"] in valid else 401)

    auth = Numbered()
    session = connect(await serve({"POST /x": guarded}), auth=auth, initial_concurrency=20, max_concurrency=20)
    answers = await asyncio.gather(*(session.request("POST", "x", json={}) for _ in range(20)))
    assert {a.status for a in answers} == {200}
    assert auth.renewals == 2  # the first login, and one renewal for all
    assert seen.count("Bearer T1") == 20
    assert seen.count("Bearer T2") == 20


async def test_refused_after_renewal_is_an_auth_error(connect, serve):
    handler, asked = script((401, {}, b'{"Message":"Authorization has been denied for this request."}'))
    session = connect(await serve({"GET /x": handler}), auth=Numbered())
    with pytest.raises(AuthError, match="Authorization has been denied for this request") as caught:
        await session.request("GET", "x")
    assert len(asked) == 2
    assert caught.value.status == 401


async def test_a_403_that_outlives_a_fresh_login_is_about_rights(connect, serve):
    class Strict(Numbered):
        def rejected(self, response):
            return response.status in (401, 403)

    handler, asked = script((403, {}, b'{"Message":"no rights"}'))
    session = connect(await serve({"GET /x": handler}), auth=Strict())
    with pytest.raises(RemoteError, match="403 Forbidden: no rights"):
        await session.request("GET", "x")
    assert len(asked) == 2


async def test_a_refused_login_is_shared_and_not_hammered(connect, serve, clock):
    handler, asked = script((200,))
    auth = Numbered(fail=AuthError("bad password"))
    session = connect(await serve({"GET /x": handler}), auth=auth)
    results = await asyncio.gather(*(session.request("GET", "x") for _ in range(20)), return_exceptions=True)
    assert {str(r) for r in results} == {"bad password"}
    with pytest.raises(AuthError):
        await session.request("GET", "x")
    assert auth.renewals_tried == 1
    assert asked == []
    clock.now += 31
    with pytest.raises(AuthError):
        await session.request("GET", "x")
    assert auth.renewals_tried == 2


async def test_a_cancelled_caller_does_not_cancel_the_login_of_others(connect, serve):
    handler, _ = script((200,))
    auth = Numbered()
    session = connect(await serve({"GET /x": handler}), auth=auth)
    first = asyncio.create_task(session.request("GET", "x"))
    second = asyncio.create_task(session.request("GET", "x"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).status == 200
    assert auth.renewals == 1


async def test_no_auth_passes_401_on(connect, serve):
    handler, _ = script((401,))
    session = connect(await serve({"GET /x": handler}), auth=NoAuth())
    with pytest.raises(RemoteError, match="401"):
        await session.request("GET", "x")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5", 5.0), ("0.5", 0.5), ("-3", 0.0), ("", None), ("soon", None), ("nan", None), ("inf", None),
     ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0), ("Tue, 14 Nov 2023 00:00:00 GMT", 0.0)],
)  # fmt: skip
def test_retry_after(value, seconds):
    assert retry_after({"retry-after": value}, 1_700_000_000.0) == seconds


async def test_bare_repeats_outages_and_passes_the_rest(connect, serve, clock):
    handler, asked = script((503, {"Retry-After": "2"}), (400, {}, b'{"error":"invalid_client"}'))
    session = connect(await serve({"POST /token": handler}))
    answer = await session.bare("POST", "token", form={"client_secret": "a&b"})
    assert answer.status == 400
    assert clock.slept == [2.0]
    assert asked[0][1] == b"client_secret=a%26b"
    assert "Authorization" not in asked[0][2]


async def test_bare_gives_up(connect, serve):
    handler, asked = script((503,))
    session = connect(await serve({"POST /token": handler}), retry=Retry(attempts=2))
    with pytest.raises(EndpointDown, match="503"):
        await session.bare("POST", "token")
    assert len(asked) == 2


async def test_a_write_that_had_to_wait_is_asked_about_before_it_leaves(connect, serve):
    """Time passes between the question and a request that waits for its turn, or is repeated."""
    handler, asked = script((429, {"Retry-After": "20"}), (201,))
    session = connect(await serve({"POST /x": handler, "GET /x": handler}))
    questions = []

    async def ask():
        questions.append(len(asked))
        if questions == [0, 1]:
            raise LookupError("the lease is lost")

    with fenced(ask):
        with pytest.raises(LookupError):
            await session.request("POST", "x", json={})
        assert (len(asked), session.limiter.in_flight) == (1, 0)
        await session.request("GET", "x")  # who only looks is not asked
    await session.request("POST", "x", json={})
    assert (questions, len(asked)) == ([0, 1], 3)
