from __future__ import annotations

import uuid
from decimal import Decimal

import pytest
from aiohttp import web

from weft.net.errors import BadResponse, MaybeSent
from weft.net.odata.client import ODataClient
from weft.net.odata.errors import ODataError
from weft.net.odata.literals import resource
from weft.net.odata.query import Query, gt
from weft.net.session import HttpSession


@pytest.fixture
async def connect(clock):
    sessions = []

    def make(url, **options):
        session = HttpSession(url, system="erp", clock=clock, sleep=clock.sleep)
        sessions.append(session)
        return ODataClient(session, "/data", **options)

    yield make
    for session in sessions:
        await session.aclose()


async def drain(pages):
    return [page async for page in pages]


async def test_get_find_and_not_found(connect, serve):
    async def customer(request):
        if "C1" in request.raw_path:
            return web.json_response({"@odata.etag": 'W/"1"', "No": "C1", "Balance": 1.10})
        if "C2" in request.raw_path:
            return web.json_response({"error": {"code": "BadRequest_NotFound", "message": "No C2"}}, status=404)
        return web.Response(
            status=404,
            text="<html><h1>404 - File or directory not found.</h1></html>",
            content_type="text/html",
        )

    client = connect(await serve({"GET /data/{tail:.*}": customer}))
    row = await client.get("Customers", "C1")
    assert row["Balance"] == Decimal("1.10")
    assert await client.find("Customers", "C2") is None
    with pytest.raises(ODataError, match=r"erp: GET .* answered 404: BadRequest_NotFound: No C2") as caught:
        await client.get("Customers", "C2")
    assert (caught.value.status, caught.value.code, caught.value.message) == (
        404,
        "BadRequest_NotFound",
        "No C2",
    )
    with pytest.raises(ODataError, match="404 - File or directory not found"):
        await client.find("Customers", "C3")  # says nothing about the customer


async def test_pages_follow_links_verbatim_with_the_same_headers(connect, serve):
    asked = []

    async def pages(request):
        asked.append((request.raw_path, request.headers.get("Prefer"), request.headers.get("Accept-Language")))
        number = len(asked)
        document = {"@odata.count": 5, "value": [{"n": number}]}
        if number == 1:
            document["@odata.nextLink"] = f"{request.url.origin()}/data/Customers?aid=FIN&$skiptoken=5d11-%27x%27"
        elif number == 2:
            document["@odata.nextLink"] = "Customers?$skiptoken=3"
        else:
            document["@odata.deltaLink"] = f"{request.url.origin()}/data/Customers?$deltatoken=9"
        return web.json_response(document)

    client = connect(await serve({"GET /data/Customers": pages}), headers={"Accept-Language": "en-US"})
    query = Query(filter=gt("n", 0), count=True)
    got = await drain(client.pages("Customers", query, page_size=1, headers={"Prefer": "odata.include-annotations=*"}))
    assert [p.rows[0]["n"] for p in got] == [1, 2, 3]
    assert got[0].count == 5
    assert got[2].delta_link.endswith("$deltatoken=9")
    assert [path for path, _, _ in asked[1:]] == [
        "/data/Customers?aid=FIN&$skiptoken=5d11-%27x%27",
        "/data/Customers?$skiptoken=3",
    ]
    assert {(p, a) for _, p, a in asked} == {("odata.include-annotations=*,odata.maxpagesize=1", "en-US")}
    again = await drain(client.pages("Customers", start=got[2].delta_link))
    assert asked[-1][0] == "/data/Customers?$deltatoken=9"
    assert len(again) == 1


@pytest.mark.parametrize(
    "link", ["https://evil.example/data/Customers?p=2", "//evil.example/x", "http://127.0.0.1:1/data/x"]
)
async def test_links_to_another_origin_are_refused(connect, serve, link):
    async def page(request):
        return web.json_response({"value": [1], "@odata.nextLink": link})

    client = connect(await serve({"GET /data/Customers": page}))
    with pytest.raises(BadResponse, match="link to another origin"):
        await drain(client.pages("Customers"))


async def test_a_link_in_a_circle_is_noticed(connect, serve):
    async def page(request):
        return web.json_response({"value": [1], "@odata.nextLink": str(request.url)})

    client = connect(await serve({"GET /data/Customers": page}))
    with pytest.raises(BadResponse, match="the same page again"):
        await drain(client.pages("Customers"))


@pytest.mark.parametrize("body", ["{}", "[]", '{"value": 5}', '"x"'])
async def test_what_is_no_list_is_a_bad_response(connect, serve, body):
    async def page(request):
        return web.Response(text=body, content_type="application/json")

    client = connect(await serve({"GET /data/Customers": page}))
    with pytest.raises(BadResponse):
        await drain(client.pages("Customers"))


@pytest.mark.parametrize(
    ("rows", "size", "top", "sizes"), [(5, 2, None, [2, 2, 1]), (4, 2, None, [2, 2, 0]), (9, 4, 6, [4, 2])]
)
async def test_paging_by_skip(connect, serve, rows, size, top, sizes):
    async def page(request):
        skip, take = int(request.query.get("$skip", 0)), int(request.query["$top"])
        return web.json_response({"value": [{"n": n} for n in range(rows)][skip : skip + take]})

    client = connect(await serve({"GET /data/Customers": page}))
    got = await drain(client.pages_by_skip("Customers", Query(orderby=("n",), top=top), size=size))
    assert [len(p.rows) for p in got] == sizes
    assert [r["n"] for p in got for r in p.rows] == list(range(min(rows, top or rows)))
    with pytest.raises(ValueError, match="needs an order"):
        await drain(client.pages_by_skip("Customers", Query(), size=2))


async def test_paging_by_key_types_its_literals(connect, serve):
    ids = [str(uuid.UUID(int=n)) for n in range(5)]
    rows = [{"ModifiedOn": "2024-01-31T08:15:30.1234567Z", "Id": i} for i in ids]
    filters = []

    async def page(request):
        given = request.query.get("$filter", "")
        filters.append(given)
        start = ids.index(given.rpartition(" gt ")[2].rstrip(")")) + 1 if given else 0
        return web.json_response({"value": rows[start : start + 2]})

    client = connect(await serve({"GET /data/Account": page}))
    query = Query(orderby=("ModifiedOn", "Id"), select=("ModifiedOn", "Id"))
    types = {"ModifiedOn": "Edm.DateTimeOffset", "Id": "Edm.Guid"}
    got = await drain(client.pages_by_key("Account", query, size=2, types=types))
    assert [r["Id"] for p in got for r in p.rows] == ids
    at = "2024-01-31T08:15:30.1234567Z"
    assert filters[1] == f"ModifiedOn gt {at} or (ModifiedOn eq {at} and Id gt {ids[1]})"
    for bad in (
        Query(),
        Query(orderby=("a desc",)),
        Query(orderby=("a",), select=("b",)),
        Query(orderby=("a",)),
    ):
        with pytest.raises(ValueError, match="keyset paging"):
            await drain(client.pages_by_key("Account", bad, size=2, types={}))


async def test_writes(connect, serve):
    seen = []

    async def write(request):
        seen.append((request.method, request.raw_path, request.headers.get("If-Match"), await request.read()))
        if request.method == "POST" and "Microsoft.NAV" in request.raw_path:
            return web.Response(status=204, headers={"Location": "/data/salesInvoices(1)"})
        if request.method == "POST":
            return web.json_response({"@odata.etag": 'W/"1"', "id": 7}, status=201, headers={"Location": "/data/x(7)"})
        if request.method == "PATCH":
            return web.Response(status=204, headers={"ETag": 'W/"2"'})
        return web.Response(status=204)

    client = connect(await serve({"* /data/{tail:.*}": write}))
    company = uuid.UUID(int=1)
    path = resource(("companies", company), "customers")
    made = await client.create(path, {"displayName": "Adatum", "credit": Decimal("1.10")})
    assert (made.status, made.row["id"], made.etag, made.location) == (201, 7, 'W/"1"', "/data/x(7)")
    changed = await client.update(path, "A/1", {"city": None}, if_match=made.etag)
    assert (changed.status, changed.row, changed.etag) == (204, None, 'W/"2"')
    await client.delete(path, company, if_match="*")
    posted = await client.action("salesInvoices", company, "Microsoft.NAV.post")
    assert posted.location == "/data/salesInvoices(1)"
    await client.put_stream("SysImage", company, "Data", b"\x00\x01")
    assert seen == [
        ("POST", f"/data/companies({company})/customers", None, b'{"displayName":"Adatum","credit":1.10}'),
        ("PATCH", f"/data/companies({company})/customers('A%2F1')", 'W/"1"', b'{"city":null}'),
        ("DELETE", f"/data/companies({company})/customers({company})", "*", b""),
        ("POST", f"/data/salesInvoices({company})/Microsoft.NAV.post", None, b""),
        ("PUT", f"/data/SysImage({company})/Data", None, b"\x00\x01"),
    ]


async def test_a_lost_answer_to_a_write_is_in_doubt(connect, serve_raw, read_request):
    count = []

    async def drop(reader, writer):
        count.append(await read_request(reader))

    client = connect(await serve_raw(drop))
    for write in (
        lambda: client.create("x", {}),
        lambda: client.update("x", 1, {}),
        lambda: client.delete("x", 1),
        lambda: client.action("x", 1, "post"),
    ):
        with pytest.raises(MaybeSent):
            await write()
    assert len(count) == 4


async def test_count_metadata_and_streams(connect, serve):
    async def count(request):
        assert request.query["$filter"] == "n gt 1"
        return web.Response(text="\ufeff42")

    async def metadata(request):
        return web.Response(text="<edmx/>", content_type="application/xml")

    async def data(request):
        return web.Response(body=b"\x89PNG", content_type="image/png")

    client = connect(
        await serve(
            {
                "GET /data/Customers/$count": count,
                "GET /data/$metadata": metadata,
                "GET /data/Items(1)/Picture": data,
            }
        )
    )
    assert await client.count("Customers", Query(filter=gt("n", 1), orderby=("n",))) == 42
    assert await client.metadata() == b"<edmx/>"
    assert await client.get_stream("Items", 1, "Picture") == b"\x89PNG"


@pytest.mark.parametrize("path", ["", "a b", "a?x=1", "../admin", "a/../b", "a#b"])
def test_paths_are_checked(connect, path):
    client = connect("https://erp.example")
    with pytest.raises(ValueError, match="not a resource path"):
        client.url(path)


@pytest.mark.parametrize(
    ("status", "body", "message", "inner", "target"),
    [
        (
            400,
            b'{"error":{"code":"","message":"The query specified in the URI is not valid. '
            b"Could not find a property"
            b" named 'Foo' on type 'Terrasoft.Configuration.OData.SysSchema'.\"}}",
            "The query specified in the URI is not valid. Could not find a property named 'Foo' on type "
            "'Terrasoft.Configuration.OData.SysSchema'.",
            (),
            "Foo",
        ),
        (
            500,
            b'{"error":{"code":"","message":"An error has occurred.","innererror":{"message":"m1","type":"t",'
            b'"internalexception":{"message":"Column by path AccountId not found in schema Contact."}}}}',
            "An error has occurred.",
            ("m1", "Column by path AccountId not found in schema Contact."),
            "",
        ),
        (
            404,
            b'{"Message":"No HTTP resource was found","MessageDetail":"No type was found that matches X."}',
            "No HTTP resource was found",
            ("No type was found that matches X.",),
            "",
        ),
        (
            500,
            b'{"Message":"An error has occurred.","ExceptionMessage":"null",'
            b'"ExceptionType":"System.NullReferenceException",'
            b'"InnerException":{"Message":"deep"}}',
            "An error has occurred.",
            ("null", "deep"),
            "",
        ),
        (400, b'{"odata.error":{"code":"x","message":{"lang":"en-US","value":"old"}}}', "old", (), ""),
        (
            400,
            b'{"error":{"code":"c","message":"m","target":"City","details":[{"code":"d","message":"dm"}]}}',
            "m",
            ("dm",),
            "City",
        ),
        (500, b"plain trouble", "plain trouble", (), ""),
        (500, b'{"error": [', '{"error": [', (), ""),
        (500, b'{"strange": 1}', '{"strange": 1}', (), ""),
        (403, b"", "", (), ""),
    ],
)
async def test_error_shapes(connect, serve, status, body, message, inner, target):
    async def refuse(request):
        return web.Response(status=status, body=body, headers={"Retry-After": "3"})

    client = connect(await serve({"POST /data/x": refuse}))
    with pytest.raises(ODataError) as caught:
        await client.create("x", {})
    error = caught.value
    assert (error.status, error.message, error.inner, error.target) == (status, message, inner, target)
    assert error.retry_after == 3.0
    assert error.request_id
    assert str(error).endswith(f"answered {status}: no explanation") is (body == b"")
