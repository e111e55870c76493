"""Each fault, seen from the client's side of a real TLS connection."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from weft.testing.simulator import Fault, serve
from weft.testing.simulator.faults import KINDS, fault_from_json


class Client:
    def __init__(self, sim: Any, served: Any, http: aiohttp.ClientSession) -> None:
        self.sim, self.served, self.http = sim, served, http
        self.url = served.url(sim)

    async def call(self, method: str, path: str, json: Any = None, **kw: Any) -> tuple[int, Any]:
        async with self.http.request(method, self.url + path, json=json, **kw) as answer:
            body = await answer.read()
            return answer.status, (await answer.json() if "json" in answer.content_type else body)

    async def create(self, key: str) -> int:
        return (await self.call("POST", "/notes", {"id": key, "text": "x"}))[0]

    async def ids(self) -> list[str]:
        return [row["id"] for row in (await self.call("GET", "/notes"))[1]["value"]]


@pytest.fixture
async def client(notes_module: Any) -> AsyncIterator[Client]:
    sim = notes_module.NoteSimulator()
    async with serve(sim) as served:
        trust = ssl.create_default_context(cafile=served.ca_file)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as http:
            yield Client(sim, served, http)


async def test_throttle_then_served(client: Client) -> None:
    client.sim.faults.add(Fault("throttle", retry_after=2, count=2))
    for _ in range(2):
        async with client.http.get(client.url + "/notes") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "2")
            assert await answer.json() == {"oops": "Too many requests."}
    assert await client.ids() == []


async def test_matching_by_method_path_and_turn(client: Client) -> None:
    fault = client.sim.faults.add(Fault("error_before", method="POST|PATCH", path=r"/notes\?x=", skip=1, status=503))
    assert await client.create("a") == 201
    assert (await client.call("GET", "/notes?x=1"))[0] == 200
    assert (await client.call("POST", "/notes?x=1", {"id": "b"}))[0] == 201
    assert (await client.call("POST", "/notes?x=1", {"id": "c"}))[0] == 503
    assert (await client.call("POST", "/notes?x=1", {"id": "c"}))[0] == 201
    assert (fault.seen, fault.struck) == (2, 1)
    assert await client.ids() == ["a", "b", "c"]


async def test_probability_is_seeded(client: Client) -> None:
    async def pattern() -> list[int]:
        client.sim.faults.clear()
        client.sim.faults.add(Fault("error_before", probability=0.5, seed=7, count=None))
        return [(await client.call("GET", "/notes"))[0] for _ in range(20)]

    first = await pattern()
    assert first == await pattern()
    assert {200, 500} == set(first)


async def test_error_after_commit_and_not_after_a_refusal(client: Client) -> None:
    fault = client.sim.faults.add(Fault("error_after_commit", method="POST"))
    assert (await client.call("POST", "/notes", {"text": "no id"}))[0] == 400
    assert fault.struck == 0
    assert await client.create("a") == 500
    assert await client.ids() == ["a"]


async def test_lost_answer_and_drop(client: Client) -> None:
    client.sim.faults.add(Fault("lost_answer", method="POST"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.create("kept")
    client.sim.faults.add(Fault("drop_before", method="POST"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.create("dropped")
    assert await client.ids() == ["kept"]
    assert client.sim.counters["no_answer"] == 2


async def test_truncated_and_html(client: Client) -> None:
    assert await client.create("a") == 201
    client.sim.faults.add(Fault("truncate"))
    async with client.http.get(client.url + "/notes") as answer:
        text = await answer.read()
        assert int(answer.headers["Content-Length"]) == len(text)
        with pytest.raises(ValueError):  # noqa: PT011 - several texts
            await answer.json()
    client.sim.faults.add(Fault("truncate", framed=False))
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.ids()
    client.sim.faults.add(Fault("html", method="POST"))
    status, body = await client.call("POST", "/notes", {"id": "b"})
    assert (status, body[:9]) == (200, b"<!DOCTYPE")
    assert await client.ids() == ["a"]


async def test_slow_uses_the_injected_sleep(client: Client) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    client.sim.sleep = sleep
    client.sim.faults.add(Fault("slow", seconds=30))
    client.sim.faults.add(Fault("slow", seconds=40, late=True, method="POST"))
    await client.ids()
    await client.create("a")
    assert waits == [30, 40]
    client.sim.settings.latency = 0.25
    await client.ids()
    assert waits[2:] == [0.25]


async def test_token_expiry(client: Client) -> None:
    headers = {"Authorization": "Bearer t1"}
    assert (await client.call("GET", "/secure", headers=headers))[0] == 200
    client.sim.faults.add(Fault("token_expiry"))
    assert (await client.call("GET", "/secure", headers=headers))[0] == 401


async def test_late_commit_by_requests_and_by_release(client: Client) -> None:
    client.sim.clock.freeze()
    fault = client.sim.faults.add(Fault("late_commit", requests=2))
    assert await client.ids() == []
    assert fault.struck == 0  # reading commits nothing
    assert await client.create("early") == 201
    client.sim.clock.advance(5)
    assert await client.create("later") == 201
    assert await client.ids() == ["later"]
    rows = (await client.call("GET", "/notes"))[1]["value"]
    stamps = {row["id"]: row["at"] for row in rows}
    assert stamps["early"] < stamps["later"]
    client.sim.faults.add(Fault("late_commit"))
    assert await client.create("held") == 201
    for _ in range(5):
        assert "held" not in await client.ids()
    assert client.sim.release() == 1
    assert "held" in await client.ids()


async def test_clock_skew_lasts_while_listed(client: Client) -> None:
    client.sim.clock.freeze()
    true = client.sim.clock.now_ns()
    fault = client.sim.faults.add(Fault("clock_skew", seconds=-90))
    assert client.sim.clock.now_ns() == true - 90 * 10**9
    client.sim.faults.remove(fault.id)
    assert client.sim.clock.now_ns() == true


async def test_hide_lasts_while_listed(client: Client) -> None:
    for key in ("a", "b", "c"):
        await client.create(key)
    some = client.sim.faults.add(Fault("hide", object="notes", keys=["a"]))
    both = client.sim.faults.add(Fault("hide", object="Note", keys=["a", "b"]))
    assert await client.ids() == ["c"]
    client.sim.faults.remove(both.id)
    client.sim.faults.remove(some.id)
    assert await client.ids() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="no table 'Memo'"):
        client.sim.faults.add(Fault("hide", object="Memo"))
    assert client.sim.faults.listed() == []


def _batch(*keys: str) -> dict[str, Any]:
    return {
        "requests": [{"method": "POST", "url": "notes", "id": key, "headers": {}, "body": {"id": key}} for key in keys]
    }


async def test_partial_and_lost_batch(client: Client) -> None:
    client.sim.faults.add(Fault("partial_batch", index=1, status=503))
    status, body = await client.call("POST", "/$batch", _batch("a", "b", "c"))
    assert (status, [part["status"] for part in body["responses"]]) == (200, [201, 503, 201])
    client.sim.faults.add(Fault("partial_batch", index=0, late=True))
    _, body = await client.call("POST", "/$batch", _batch("d"))
    assert [part["status"] for part in body["responses"]] == [500]
    client.sim.faults.add(Fault("lost_answer", after=2))
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.call("POST", "/$batch", _batch("e", "f", "g"))
    assert await client.ids() == ["a", "c", "d", "e", "f"]


async def test_log_counts_and_hides_secrets(client: Client) -> None:
    await client.call("GET", "/notes?client_secret=hush&$skiptoken=abc")
    await client.call("GET", "/nowhere")
    entries = list(client.sim.request_log)
    assert entries[0].path == "/notes?client_secret=***&$skiptoken=abc"
    assert (entries[0].status, entries[0].bytes_out) == (200, len(b'{"value":[]}'))
    assert entries[1].status == 404
    assert client.sim.counters["requests"] == 2
    assert (await client.call("GET", "/crash"))[0] == 500
    assert client.sim.counters["handler_errors"] == 1


async def test_control_endpoint(client: Client) -> None:
    root = "/_control/notes"
    assert (await client.call("GET", "/_control"))[1] == {"simulators": ["notes"]}
    status, fault = await client.call("POST", f"{root}/faults", {"kind": "throttle", "count": None})
    assert (status, fault["id"], fault["count"]) == (200, 1, None)
    assert (await client.call("GET", "/notes"))[0] == 429
    assert (await client.call("GET", f"{root}/faults"))[1]["faults"][0]["struck"] == 1
    assert (await client.call("GET", f"{root}/stats"))[1]["counters"]["status_429"] == 1
    assert (await client.call("DELETE", f"{root}/faults/1"))[0] == 200
    assert (await client.call("DELETE", f"{root}/faults/1"))[0] == 404
    await client.create("a")
    status, answer = await client.call("POST", f"{root}/command/shout", {"note": "a"})
    assert answer["result"]["text"] == "X"
    assert (await client.call("POST", f"{root}/command/shout", {"nota": "a"}))[0] == 400
    assert (await client.call("POST", f"{root}/command/whisper", {}))[0] == 404
    assert (await client.call("GET", f"{root}/commands"))[1] == {"commands": {"shout": "upper-case a note"}}
    _, clock = await client.call("POST", f"{root}/clock", {"freeze": "2024-05-01T00:00:00Z", "advance": 0})
    assert clock == {"now": "2024-05-01T00:00:00Z"}
    _, clock = await client.call("POST", f"{root}/clock", {"advance": 1.5})
    assert clock == {"now": "2024-05-01T00:00:01.5Z"}
    for bad in ({}, {"warp": 9}, {"advance": "soon"}, {"freeze": "2024-05-01T00:00:00"}):
        assert (await client.call("POST", f"{root}/clock", bad))[0] == 400
    assert (await client.call("POST", f"{root}/release", {}))[1] == {"released": 0}
    assert (await client.call("GET", "/_control/other/stats"))[0] == 404
    assert len((await client.call("GET", f"{root}/log"))[1]["requests"]) == 2
    await client.call("POST", f"{root}/expire_tokens")
    assert client.sim.valid_tokens == set()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([], "object with 'kind'"),
        ({"kind": "throttle", "times": 2}, "no field 'times'"),
        ({"kind": "throttle", "count": "2"}, "count: int"),
        ({"kind": "throttle", "count": True}, "count: int"),
        ({"kind": "throttle", "id": 3}, "no field 'id'"),
    ],
)
def test_faults_from_json_are_checked(data: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        fault_from_json(data)


def test_bad_faults_are_refused(notes_module: Any) -> None:
    faults = notes_module.NoteSimulator().faults
    for bad in (
        Fault("throttle", path="("), Fault("meteor"), Fault("hide"), Fault("throttle", status=99),
        Fault("slow", probability=2),
    ):  # fmt: skip
        with pytest.raises(ValueError):  # noqa: PT011 - several texts
            faults.add(bad)
    assert fault_from_json({"kind": "slow", "seconds": 1}).seconds == 1
    assert all(kind in (Fault.__doc__ or "") for kind in KINDS)
