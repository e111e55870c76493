"""$batch in both wire forms, and how a batch runs."""

from __future__ import annotations

import email.parser
import email.policy

import pytest

from weft.testing.odata.batch import (
    BatchFault,
    LostAnswer,
    SubRequest,
    SubResponse,
    parse_batch,
    render_json,
    render_multipart,
    run_batch,
)
from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.render import loads


def _requests(*urls: str, group: str | None = None) -> list[SubRequest]:
    return [SubRequest(str(at), "POST", url, {}, b"", group) for at, url in enumerate(urls)]


def test_json_requests() -> None:
    body = (
        b'{"requests":[{"method":"post","url":"City","id":"t1","atomicityGroup":"g1",'
        b'"headers":{"Content-Type":"application/json"},"body":{"Amount":1.50}},'
        b'{"method":"GET","url":"City(1)","id":2,"dependsOn":["t1"]}]}'
    )
    first, second = parse_batch("application/json; charset=utf-8", body)
    assert first == SubRequest("t1", "POST", "City", {"content-type": "application/json"}, b'{"Amount":1.50}', "g1")
    assert (second.id, second.body, second.depends_on) == ("2", b"", ("t1",))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b'{"requests":[1]}'),
        ("application/json", b'{"requests":[{"method":"GET"}]}'),
        ("application/json", b'{"requests":[{"method":"GET","url":"a","id":"1"},{"method":"GET","url":"a","id":"1"}]}'),
        ("application/json", b'{"requests":[{"method":"GET","url":"a","headers":{"a":1}}]}'),
        ("application/json", b'{"requests":[{"method":"GET","url":"a","verb":"x"}]}'),
        ("text/plain", b""),
        ("multipart/mixed", b""),
        ("multipart/mixed; boundary=b", b"--b\r\nContent-Type: application/http\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
        ("multipart/mixed; boundary=b", b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--"),
        ("multipart/mixed; boundary=b", b"--b\r\nContent-Type: application/http\r\n\r\nnonsense\r\n--b--"),
    ],
)
def test_unreadable_batches(kind: str, body: bytes) -> None:
    with pytest.raises(ODataQueryError) as caught:
        parse_batch(kind, body)
    assert caught.value.kind == "batch"


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_multipart_requests(newline: str) -> None:
    text = """--batch_1
Content-Type: application/http
Content-Transfer-Encoding: binary

GET City?$top=1 HTTP/1.1
Accept: application/json


--batch_1
Content-Type: multipart/mixed; boundary="change_1"

--change_1
Content-Type: application/http
Content-ID: 1

POST City HTTP/1.1
Content-Type: application/json

{"Name":"--batch_1 is no boundary here"}
--change_1
Content-Type: application/http
Content-ID: 2

PATCH City(1) HTTP/1.1
Content-Type: application/json
If-Match: *

{"Name":"B"}
--change_1--
--batch_1--
"""
    found = parse_batch("multipart/mixed; boundary=batch_1", text.replace("\n", newline).encode())
    assert [(item.id, item.method, item.url, item.group) for item in found] == [
        (None, "GET", "City?$top=1", None),
        ("1", "POST", "City", "1 change_1"),
        ("2", "PATCH", "City(1)", "1 change_1"),
    ]
    assert loads(found[1].body) == {"Name": "--batch_1 is no boundary here"}
    assert found[2].headers["if-match"] == "*"
    assert loads(found[2].body) == {"Name": "B"}


def test_json_answers() -> None:
    body = render_json(
        [
            SubResponse(201, {"Location": "x", "Content-Type": "application/json"}, b'{"A":0.00}', "1", "g"),
            SubResponse(204, {}, b"", None),
            SubResponse(500, {"Content-Type": "text/plain"}, b"oops", "3"),
        ]
    )
    assert b'"A":0.00' in body
    first, second, third = loads(body)["responses"]
    assert list(first) == ["id", "status", "atomicityGroup", "headers", "body"]
    assert first["headers"] == {"location": "x", "content-type": "application/json"}
    assert second == {"id": None, "status": 204, "headers": {}}
    assert third["body"] == "oops"


def test_multipart_answers_are_read_by_a_mime_parser() -> None:
    kind, body = render_multipart(
        [
            SubResponse(200, {"Content-Type": "application/json"}, b'{"A":1}', "0"),
            SubResponse(201, {}, b"", "1", "g"),
            SubResponse(204, {}, b"", "2", "g"),
        ]
    )
    parser = email.parser.BytesParser(policy=email.policy.default)
    message = parser.parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    single, changes = message.get_payload()
    assert single.get_payload(decode=True).endswith(b'{"A":1}')
    assert [part["Content-ID"] for part in changes.get_payload()] == ["1", "2"]
    assert b"HTTP/1.1 204 No Content" in changes.get_payload()[1].get_payload(decode=True)


async def test_stops_at_the_first_failure_unless_told_otherwise(world) -> None:
    async def handle(request: SubRequest) -> SubResponse:
        return SubResponse(400 if request.url == "bad" else 201)

    requests = _requests("a", "bad", "c")
    assert [(a.id, a.status) for a in await run_batch(requests, handle)] == [("0", 201), ("1", 400)]
    answers = await run_batch(requests, handle, continue_on_error=True)
    assert [a.status for a in answers] == [201, 400, 201]


def _inserter(world):
    async def handle(request: SubRequest) -> SubResponse:
        if request.url == "bad":
            return SubResponse(400)
        world.accounts.insert(world.account(int(request.url)))
        return SubResponse(201)

    return handle


async def test_a_group_is_all_or_nothing(world) -> None:
    requests = [*_requests("1"), *_requests("2", "bad", group="g"), *_requests("3")]
    answers = await run_batch(requests, _inserter(world), atomic=world.store.transaction, continue_on_error=True)
    assert [answer.status for answer in answers] == [201, 400, 201]
    assert answers[1].group not in (None, "g")
    assert [row["Rank"] for row in world.accounts] == [1, 3]


async def test_a_snapshot_batch_is_undone_though_it_answers_201(world) -> None:
    answers = await run_batch(_requests("1", "2", "bad"), _inserter(world), atomic=world.store.transaction, whole=True)
    assert [answer.status for answer in answers] == [201, 201, 400]
    assert len(world.accounts) == 0
    await run_batch(_requests("1", "2"), _inserter(world), atomic=world.store.transaction, whole=True)
    assert len(world.accounts) == 2


async def test_injected_failures_of_a_part(world) -> None:
    failure = SubResponse(503, {}, b"busy")
    before = BatchFault(index=1, response=failure)
    answers = await run_batch(_requests("1", "2", "3"), _inserter(world), fault=before, continue_on_error=True)
    assert [(a.id, a.status) for a in answers] == [("0", 201), ("1", 503), ("2", 201)]
    assert [row["Rank"] for row in world.accounts] == [1, 3]
    after = BatchFault(index=0, response=failure, after_commit=True)
    answers = await run_batch(_requests("4", "5"), _inserter(world), fault=after)
    assert [a.status for a in answers] == [503]
    assert world.accounts.get(world.guid(4)) is not None
    with pytest.raises(LostAnswer):
        await run_batch(_requests("5", "6"), _inserter(world), fault=BatchFault(lose_after=1))
    assert world.accounts.get(world.guid(5)) is not None
    assert world.accounts.get(world.guid(6)) is None
