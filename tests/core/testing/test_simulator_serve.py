"""Serving in the loop, in a thread, in a process; the clock; outgoing events."""

from __future__ import annotations

import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from aiohttp import web

from weft.testing.odata.render import dumps, loads
from weft.testing.simulator import Fault, SimClock, Simulator, serve, serve_in_process, serve_in_thread
from weft.testing.simulator.control_client import ControlError
from weft.testing.simulator.events import Delivery, Event, EventSender


def _get(url: str, ca_file: str | None) -> Any:
    context = ssl.create_default_context(cafile=ca_file) if ca_file else None
    with urllib.request.urlopen(url, context=context, timeout=30) as answer:  # noqa: S310 - made here
        return loads(answer.read())


def test_in_a_thread(notes_module: Any) -> None:
    sim = notes_module.make("hi")
    with serve_in_thread(sim) as served:
        assert served.url(sim).startswith("https://127.0.0.1:")
        assert _get(served.url("notes") + "/notes", served.ca_file)["value"][0]["text"] == "hi"
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            _get(served.url("notes") + "/notes", ssl.get_default_verify_paths().cafile)
        served.call(lambda: sim.faults.add(Fault("throttle", count=None)))
        with pytest.raises(urllib.error.HTTPError, match="429"):
            _get(served.url("notes") + "/notes", served.ca_file)
        served.control(sim).clear_faults()
        assert served.run(lambda: sim.command("shout", note="1"))["text"] == "HI"
        url = served.url(sim)
    assert not Path(served.ca_file).exists()
    with pytest.raises(urllib.error.URLError, match="refused"):
        _get(url + "/notes", None)


def test_a_thread_that_cannot_start_says_why(notes_module: Any) -> None:
    with serve_in_thread(notes_module.make(), tls=False) as served:
        port = int(served.url("notes").rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"), serve_in_thread(notes_module.make(), port=port):
            pass


def test_in_a_process(notes_module: Any) -> None:
    before = set(psutil.Process().children())
    with serve_in_process("sample_simulator:make", {"text": "far"}) as served:
        assert _get(served.url("notes") + "/notes", served.ca_file)["value"][0]["text"] == "far"
        control = served.control("notes")
        fault = control.add_fault(Fault("error_before", method="GET", count=None))
        with pytest.raises(urllib.error.HTTPError, match="500"):
            _get(served.url("notes") + "/notes", served.ca_file)
        control.remove_fault(fault)
        assert control.command("shout", note="1")["text"] == "FAR"
        assert control.stats()["counters"]["status_500"] == 1
        control.advance(60)
        assert control.release() == 0
        with pytest.raises(ControlError, match="no command 'mutter'"):
            control.command("mutter")
        (child,) = set(psutil.Process().children()) - before
    assert not child.is_running()
    with pytest.raises(RuntimeError, match="No module named 'no_such_module'"), serve_in_process("no_such_module:make"):
        pass


def test_the_process_ends_with_its_parent(notes_module: Any) -> None:
    program = (
        "import os\n"
        "from weft.testing.simulator import serve_in_process\n"
        "with serve_in_process('sample_simulator:make', tls=False) as served:\n"
        "    print(served.url('notes'), flush=True)\n"
        "    os._exit(1)\n"
    )
    folder = str(notes_module.__file__).rpartition("/")[0]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({folder!r})\n" + program],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    port = int(done.stdout.strip().rpartition(":")[2])
    listening = [c for c in psutil.net_connections("tcp4") if c.status == "LISTEN" and c.laddr.port == port]
    psutil.wait_procs([psutil.Process(c.pid) for c in listening if c.pid], timeout=20)
    with pytest.raises(urllib.error.URLError, match="refused"):
        _get(f"http://127.0.0.1:{port}/notes", None)


async def test_several_share_ca_and_control(notes_module: Any) -> None:
    class Other(Simulator):
        name = "other"

    a, b = notes_module.make(), Other()
    async with serve(a, b) as served:
        trust = ssl.create_default_context(cafile=served.ca_file)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as http:
            for root in (served.url(a), served.url(b)):
                async with http.get(f"{root}/_control") as answer:
                    assert await answer.json() == {"simulators": ["notes", "other"]}
            async with http.post(f"{served.control_url}/other/expire_tokens") as answer:
                assert answer.status == 400
        assert a.ca_file == served.ca_file
    with pytest.raises(ValueError, match="different names"):
        async with serve(a, notes_module.make()):
            pass


def test_clock_precision_and_order() -> None:
    clock = SimClock(datetime(2024, 1, 1, tzinfo=UTC), manual=True, precision_ns=1_000_000)
    clock.advance(0.0015)
    assert (clock.stamp(), clock.stamp()) == ("2024-01-01T00:00:00.001Z", "2024-01-01T00:00:00.001Z")
    clock.distinct = True
    assert clock.stamp() == "2024-01-01T00:00:00.002Z"
    assert clock.stamp() == "2024-01-01T00:00:00.003Z"
    clock.set_skew(-60)
    assert clock.stamp() == "2023-12-31T23:59:00.001Z"
    clock.set_skew(0)
    assert clock.now() == datetime(2024, 1, 1, 0, 0, 0, 1500, tzinfo=UTC)
    with pytest.raises(ValueError, match="zone"):
        SimClock(datetime(2024, 1, 1))
    running = SimClock(datetime(2030, 1, 1, tzinfo=UTC))
    assert running.now().year == 2030
    stamps = [running.stamp_ns() for _ in range(100)]
    assert stamps == sorted(stamps)


class _Hook(Simulator):
    """A webhook receiver: answers what ``script`` says, 200 after that."""

    name = "hook"

    def __init__(self) -> None:
        super().__init__()
        self.script: list[int] = []
        self.bodies: list[list[str]] = []

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/{tail:.*}", self.receive)]

    async def receive(self, request: web.Request) -> web.Response:
        self.bodies.append([item["key"] for item in loads(await request.read())])
        return web.Response(status=self.script.pop(0) if self.script else 200)


async def test_events_merge_wait_retry_and_misbehave(notes_module: Any) -> None:
    sim, hook = notes_module.NoteSimulator(clock=SimClock(manual=True)), _Hook()
    results: list[Delivery] = []

    async def heard(delivery: Delivery) -> None:
        results.append(delivery)

    async with serve(hook, tls=False) as served:
        url = served.url(hook) + "/in"
        sender = EventSender(
            sim, delay=30, render=dumps, merge=lambda old, new: None if new["gone"] else new,
            retry_after=lambda attempt, status: 60 if attempt < 3 else None, on_result=heard,
        )  # fmt: skip

        def put(key: str, *, gone: bool = False, target: str = url) -> None:
            sender.put(Event(target, {"key": key, "gone": gone}, key))

        for key in ("a", "b", "a", "c"):
            put(key)
        put("c", gone=True)
        assert sender.waiting == 2
        assert await sender.flush(due_only=True) == []
        sim.clock.advance(30)
        await sender.flush(due_only=True)
        assert hook.bodies == [["a", "b"]]

        hook.script = [503, 503, 503]
        put("d")
        for attempt in (1, 2, 3):
            (delivery,) = await sender.flush()
            assert (delivery.status, delivery.attempt) == (503, attempt)
            assert await sender.flush(due_only=True) == []
        assert sender.waiting == 0
        hook.bodies.clear()

        sim.faults.add(Fault("duplicate_event"))
        put("e")
        await sender.flush()
        sim.faults.add(Fault("reorder_events"))
        put("f")
        put("g")
        put("h", target=url + "2")
        await sender.flush()
        assert hook.bodies == [["e"], ["e"], ["h"], ["g", "f"]]

        put("i")
        put("j")
        sender.cancel(url, lambda entry: entry["key"] != "i")
        await sender.flush()
        assert hook.bodies[-1] == ["j"]
    assert await sender.post(url, b"[]", {}) == (None, b"")
    await sender.close()
    assert [item.status for item in results].count(503) == 3
