"""Paging by offset loses no row, whatever is deleted and added between pages."""

from __future__ import annotations

import random

import pytest
from aiohttp import web

from weft.net.odata.client import ODataClient
from weft.net.odata.offset import pages_by_offset
from weft.net.odata.query import Query
from weft.net.session import HttpSession


@pytest.mark.parametrize("seed", range(8))
async def test_rows_that_stay_are_all_read(serve, seed):
    rng = random.Random(seed)
    rows = sorted(rng.sample(range(1000), 40))
    stay, seen = set(rows), []

    async def page(request):
        skip, top = int(request.query.get("$skip", 0)), int(request.query["$top"])
        return web.json_response({"value": [{"n": n} for n in rows[skip : skip + top]]})

    base = await serve({"GET /data/Things": page}, tls=False)
    async with HttpSession(base) as http:
        client = ODataClient(http, "data")
        query = Query(orderby=("n",))
        async for some in pages_by_offset(client, "Things", query, size=5, identity=lambda row: row["n"]):
            seen += [row["n"] for row in some]
            for _ in range(rng.randrange(8)):  # of those read already, so that the rest moves up
                gone = rng.choice(seen)
                if gone in rows:
                    rows.remove(gone)
            for new in rng.sample(range(1000), rng.randrange(3)):
                if new not in rows and new not in stay:
                    rows.append(new)
                    rows.sort()
    assert stay <= set(seen)
    assert len(seen) == len(set(seen))
