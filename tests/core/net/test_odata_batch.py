from __future__ import annotations

import email
import email.policy
from decimal import Decimal

import pytest
from aiohttp import web

from weft.net import json
from weft.net.errors import EndpointDown, MaybeSent, NotSent, Throttled
from weft.net.odata.batch import Item, send_batch
from weft.net.odata.client import ODataClient
from weft.net.odata.errors import BatchRejected
from weft.net.retry import Retry
from weft.net.session import HttpSession
from weft.net.settings import HttpSettings

ITEMS = [
    Item("a", "POST", "Customers", {"Name": "Adatum", "Credit": Decimal("1.10")}),
    Item("b", "PATCH", "Customers('C%2F1')", {"City": "Bonn"}, {"If-Match": 'W/"1"'}),
    Item("c", "DELETE", "Customers('C2')"),
]


@pytest.fixture
async def connect(clock):
    sessions = []

    def make(url):
        settings = HttpSettings(retry=Retry(attempts=2))
        session = HttpSession(url, system="erp", settings=settings, clock=clock, sleep=clock.sleep)
        sessions.append(session)
        return ODataClient(session, "/data")

    yield make
    for session in sessions:
        await session.aclose()


@pytest.fixture
async def batch(serve, connect):
    """`await batch(answer)` -> client and the list of requests; answer(request) gives the response."""
    asked = []

    async def make(answer):
        async def handler(request):
            asked.append((request.headers.copy(), await request.read()))
            return answer()

        return connect(await serve({"POST /data/$batch": handler})), asked

    return make


def responses(*entries, status=200):
    return lambda: web.Response(
        body=json.dumps({"responses": list(entries)}), content_type="application/json", status=status
    )


def states(results):
    return [(r.id, r.state, r.status) for r in results]


async def test_json_results_are_matched_by_id(batch):
    client, asked = await batch(
        responses(
            {"id": "c", "status": 204, "headers": {"OData-Version": "4.0"}},
            {
                "id": "a",
                "status": 201,
                "headers": {"Location": "x"},
                "body": {"No": "C9", "Credit": Decimal("1.10")},
            },
            {"id": "b", "status": 412, "body": {"error": {"code": "0x80060882", "message": "mismatch"}}},
        )
    )
    results = await send_batch(client, ITEMS, prefer="odata.continue-on-error")
    assert states(results) == [("a", "done", 201), ("b", "failed", 412), ("c", "done", 204)]
    assert results[0].body == {"No": "C9", "Credit": Decimal("1.10")}
    assert results[0].headers["location"] == "x"
    assert results[1].error.code == "0x80060882"
    assert "PATCH" in str(results[1].error)
    headers, body = asked[0]
    assert (headers["Accept"], headers["Prefer"]) == ("application/json", "odata.continue-on-error")
    sent = json.loads(body)["requests"]
    assert sent[0] == {
        "method": "POST",
        "id": "a",
        "url": "Customers",
        "headers": {"Content-Type": "application/json"},
        "body": {"Name": "Adatum", "Credit": Decimal("1.10")},
    }
    assert sent[1]["headers"]["If-Match"] == 'W/"1"'
    assert "body" not in sent[2]


async def test_what_comes_after_the_stop_was_not_run(batch):
    client, _ = await batch(
        responses({"id": "a", "status": 201}, {"id": "b", "status": 400, "body": {"Message": "no"}})
    )
    assert states(await send_batch(client, ITEMS)) == [
        ("a", "done", 201),
        ("b", "failed", 400),
        ("c", "not_run", None),
    ]


@pytest.mark.parametrize("prefer", ["continue-on-error", None])
async def test_silence_without_a_reason_is_unknown(batch, prefer):
    first = {"id": "a", "status": 400 if prefer else 201, "body": {"Message": "no"}}
    client, _ = await batch(responses(first, {"id": "c", "status": 204}))
    results = await send_batch(client, ITEMS, prefer=prefer)
    assert states(results)[1] == ("b", "unknown", None)


async def test_a_failed_dependency_was_not_run(batch):
    client, _ = await batch(
        responses(
            {"id": "a", "status": 400, "body": {"Message": "no"}},
            {"id": "b", "status": 424},
            {"id": "c", "status": 204},
        )
    )
    assert [r.state for r in await send_batch(client, ITEMS)] == ["failed", "not_run", "done"]


async def test_groups_in_json(batch):
    grouped = [Item(i.id, i.method, i.url, i.body, i.headers, "g1") for i in ITEMS[:2]] + [ITEMS[2]]
    client, asked = await batch(
        responses({"id": "b", "status": 400, "body": {"Message": "no"}}, {"id": "c", "status": 204})
    )
    results = await send_batch(client, grouped)
    assert [r.state for r in results] == ["not_run", "failed", "done"]
    assert [r.get("atomicityGroup") for r in json.loads(asked[0][1])["requests"]] == ["g1", "g1", None]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (responses({"id": "a", "status": 201}, {"id": "a", "status": 201}), "the same id"),
        (responses({"id": "z", "status": 201}), "not asked: z"),
        (responses({"id": "a"}), "without a status"),
        (lambda: web.Response(text='{"responses": [', content_type="application/json"), "truncated"),
        (lambda: web.Response(text="<html>Sign in</html>", content_type="text/html"), "HTML page"),
        (
            lambda: web.Response(text="--x\r\n", headers={"Content-Type": "multipart/mixed; boundary=x"}),
            "cut short",
        ),
        (
            lambda: web.Response(text="--x--", headers={"Content-Type": "multipart/mixed"}),
            "without a boundary",
        ),
        (
            lambda: web.Response(
                text="--x\r\nContent-Type: application/http\r\n\r\nrubbish\r\n--x--",
                headers={"Content-Type": "multipart/mixed; boundary=x"},
            ),
            "without a status line",
        ),
        (lambda: web.Response(status=504), "504"),
    ],
)
async def test_an_unusable_answer_leaves_the_batch_in_doubt(batch, answer, told):
    client, asked = await batch(answer)
    with pytest.raises(MaybeSent, match=told):
        await send_batch(client, ITEMS)
    assert len(asked) == 1


@pytest.mark.parametrize(("status", "ran"), [(400, False), (413, False), (500, None)])
async def test_a_batch_refused_as_a_whole(batch, status, ran):
    body = b'{"error":{"code":"Unknown","message":"The maximum is \'100\'."}}'
    client, _ = await batch(lambda: web.Response(status=status, body=body))
    with pytest.raises(BatchRejected, match="The maximum is '100'") as caught:
        await send_batch(client, ITEMS)
    assert caught.value.ran is ran


async def test_a_batch_that_surely_did_not_run(batch, connect):
    client, asked = await batch(lambda: web.Response(status=429, headers={"Retry-After": "1"}))
    with pytest.raises(Throttled):
        await send_batch(client, ITEMS)
    assert len(asked) == 2
    with pytest.raises(NotSent) as caught:
        await send_batch(connect("http://127.0.0.1:1"), ITEMS)
    assert isinstance(caught.value, EndpointDown)


async def test_lost_answers(connect, serve_raw, read_request):
    count = []

    async def drop(reader, writer):
        count.append(await read_request(reader))

    client = connect(await serve_raw(drop))
    with pytest.raises(MaybeSent):
        await send_batch(client, ITEMS)
    assert len(count) == 1
    with pytest.raises(EndpointDown):  # reads only: repeated, then given up, nothing in doubt
        await send_batch(client, [Item("r", "GET", "Customers")])
    assert len(count) == 3


GROUPED = [
    Item("1", "GET", "Customers('A')"),
    Item("2", "POST", "Orders", {"Name": "ü"}, {"Prefer": "return=representation"}, "g"),
    Item("3", "PATCH", "Orders(1)", {"x": 1}, {}, "g"),
    Item("4", "DELETE", "Orders(2)", None, {}, "h"),
]


async def test_multipart_request_is_what_a_mime_parser_reads(batch):
    client, asked = await batch(lambda: web.Response(status=400))
    with pytest.raises(BatchRejected):
        await send_batch(client, GROUPED, form="multipart")
    headers, body = asked[0]
    assert b"\n" not in body.replace(b"\r\n", b"")
    parsed = email.message_from_bytes(
        f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body, policy=email.policy.HTTP
    )
    assert not parsed.defects
    single, first, second = parsed.get_payload()
    assert single["Content-ID"] == "1"
    assert single.get_payload().splitlines()[0] == f"GET {client.root}/Customers('A') HTTP/1.1"
    post, patch = first.get_payload()
    assert (post["Content-Type"], post["Content-Transfer-Encoding"], post["Content-ID"]) == (
        "application/http",
        "binary",
        "2",
    )
    head, _, content = post.get_payload(decode=True).partition(b"\r\n\r\n")
    assert b"Prefer: return=representation" in head
    assert json.loads(content) == {"Name": "ü"}
    assert patch.get_payload().startswith(f"PATCH {client.root}/Orders(1) HTTP/1.1\r\n")
    assert len(second.get_payload()) == 1


def multipart_answer(text):
    return lambda: web.Response(
        body=text.replace("\n", "\r\n").encode(),
        headers={"Content-Type": "multipart/mixed; boundary=batchresponse_1"},
    )


DONE = """--batchresponse_1
Content-Type: application/http
Content-Transfer-Encoding: binary

HTTP/1.1 200 OK
Content-Type: application/json; odata.metadata=minimal
OData-Version: 4.0

{"No":"A","Balance":1.10}
--batchresponse_1
Content-Type: multipart/mixed; boundary=changesetresponse_2

--changesetresponse_2
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 3

HTTP/1.1 204 No Content


--changesetresponse_2
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 2

HTTP/1.1 201 Created
ETag: W/"7"
Location: https://erp.example/data/Orders(9)
Content-Type: application/json

{"id":9}
--changesetresponse_2--
--batchresponse_1
Content-Type: multipart/mixed; boundary=changesetresponse_3

--changesetresponse_3
Content-Type: application/http
Content-ID: 4

HTTP/1.1 404 Not Found
Content-Type: application/json

{"error":{"code":"","message":"gone"}}
--changesetresponse_3--
--batchresponse_1--
"""


async def test_multipart_results(batch):
    client, _ = await batch(multipart_answer(DONE))
    results = await send_batch(client, GROUPED, form="multipart")
    assert states(results) == [
        ("1", "done", 200),
        ("2", "done", 201),
        ("3", "done", 204),
        ("4", "failed", 404),
    ]
    assert results[0].body == {"No": "A", "Balance": Decimal("1.10")}
    assert (results[1].headers["etag"], results[1].body) == ('W/"7"', {"id": 9})
    assert results[2].body is None
    assert results[3].error.message == "gone"


@pytest.mark.parametrize("named", [True, False])
async def test_a_failed_changeset_undoes_its_items_and_stops_the_rest(batch, named):
    mark = "Content-ID: 3\n" if named else ""
    text = (
        DONE.partition("--batchresponse_1\nContent-Type: multipart")[0]
        + "--batchresponse_1\nContent-Type: multipart/mixed; boundary=cs\n\n"
        + "--cs\nContent-Type: application/http\n"
        + mark
        + '\nHTTP/1.1 400 Bad Request\nContent-Type: application/json\n\n{"Message":"no"}\n--cs--\n'
        + "--batchresponse_1--\n"
    )
    client, _ = await batch(multipart_answer(text))
    results = await send_batch(client, GROUPED, form="multipart")
    failed = "3" if named else "2"
    assert [r.state for r in results] == [
        "done",
        *("failed" if r == failed else "not_run" for r in "23"),
        "not_run",
    ]


async def test_a_truncated_multipart_answer_is_in_doubt(batch):
    client, _ = await batch(multipart_answer(DONE[:-120]))
    with pytest.raises(MaybeSent, match="cut short"):
        await send_batch(client, GROUPED, form="multipart")


@pytest.mark.parametrize(
    "items",
    [
        [Item("a", "GET", "x"), Item("a", "GET", "y")],
        [Item("", "GET", "x")],
        [Item("a\r\nX: y", "GET", "x")],
        [Item("a", "GET", "x", group="g")],
        [Item("a", "POST", "x", group="g"), Item("b", "POST", "x"), Item("c", "POST", "x", group="g")],
        [Item("a", "GET", "https://evil.example/x")],
        [Item("a", "GET", "//evil.example/x")],
        [Item("a", "GET", "x HTTP/1.1\r\nHost: evil")],
    ],
)
async def test_bad_batches_are_refused_before_sending(connect, items):
    with pytest.raises(ValueError, match=r"batch item id|do not stand together|changeset holds no|must be relative"):
        await send_batch(connect("https://erp.example"), items)


async def test_headers_cannot_smuggle_lines_into_multipart(connect):
    with pytest.raises(ValueError, match="holds a line break"):
        await send_batch(
            connect("https://erp.example"), [Item("a", "POST", "x", {}, {"A": "b\r\nC: d"})], form="multipart"
        )


async def test_an_empty_batch_sends_nothing(connect):
    assert await send_batch(connect("https://erp.example"), []) == []
