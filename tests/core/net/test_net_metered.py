"""What a session tells its meter and the log about each attempt of a request."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Self

import pytest
from aiohttp import web

from weft.meter import Meter, Meters, Span, Stats
from weft.net.errors import MaybeSent
from weft.net.retry import Retry
from weft.net.session import HttpSession
from weft.net.settings import HttpSettings


class Kept(Span):
    def __init__(self, about: tuple[str, ...], kept: list[Any]) -> None:
        self.about, self.kept, self.facts = about, kept, dict[str, Any]()

    def __enter__(self) -> Self:
        return self

    def note(self, **facts: str | int) -> None:
        self.facts |= facts

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kept.append((*self.about, self.facts, kind.__name__ if kind else ""))


class Notes(Meter):
    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.sessions: list[tuple[str, str]] = []

    def request(self, connection: str, method: str, url: str, request_id: str) -> Span:
        return Kept((connection, method, url, request_id), self.requests)

    def opened(self, connection: str, stats: Stats) -> None:
        self.sessions.append(("opened", connection))

    def closed(self, connection: str, stats: Stats) -> None:
        self.sessions.append(("closed", connection))


async def test_every_attempt_is_told_with_the_systems_own_id(
    serve: Any, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([503, 200])
    ahead = datetime.now(UTC) + timedelta(minutes=10)

    async def answer(request: web.Request) -> web.Response:
        headers = {"request-id": "srv-1", "Retry-After": "1", "Date": format_datetime(ahead, usegmt=True)}
        return web.json_response({}, status=next(answers), headers=headers)

    base = await serve({"GET /data": answer})
    first, second = Notes(), Notes()
    caplog.set_level(logging.DEBUG, "weft.net")
    settings = HttpSettings(retry=Retry(base=0.01))
    meter = Meters([first, second])
    async with HttpSession(
        base, system="erp", settings=settings, clock=clock, sleep=clock.sleep, meter=meter
    ) as session:
        await session.request("GET", "data", params={"token": "in-the-query"})
        skew = session.stats().skew
    assert first.requests == second.requests
    (*about, failed, _), (*again, good, raised) = first.requests
    assert about == again == ["erp", "GET", f"{base}/data", about[3]]
    assert (failed["status"], good["status"], good["remote_id"], raised) == (503, 200, "srv-1", "")
    assert first.sessions == [("opened", "erp"), ("closed", "erp")]
    assert [record.remote_request for record in caplog.records if record.name == "weft.net"] == ["srv-1", "srv-1"]
    assert "in-the-query" not in caplog.text + json.dumps(first.requests)
    assert skew is not None
    assert 590 < skew <= 600


async def test_an_answer_that_never_came_is_told_as_what_went_wrong(serve_raw: Any) -> None:
    async def hang_up(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    notes = Notes()
    async with HttpSession(await serve_raw(hang_up), system="erp", meter=notes) as session:
        with pytest.raises(MaybeSent):
            await session.request("POST", "data")
    [(*_, facts, raised)] = notes.requests
    assert (facts, raised) == ({}, "MaybeSent")


@pytest.mark.parametrize(("ahead", "told"), [(-90.0, -89.0), (-0.5, 0.0), (0.9, 0.9), (45.0, 45.0)])
async def test_the_clocks_differ_by_what_is_certain(serve: Any, ahead: float, told: float) -> None:
    """The Date header has whole seconds: a difference below one is none."""
    sent = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({}, headers={"Date": format_datetime(sent, usegmt=True)})

    base, begun = await serve({"GET /": answer}), iter([100.0] * 50)
    wall = sent.timestamp() - ahead
    async with HttpSession(base, clock=lambda: next(begun), wall=lambda: wall) as session:
        await session.request("GET", "")
        assert session.stats().skew == pytest.approx(told, abs=0.001)


def test_a_meter_that_forgets_says_nothing() -> None:
    meter = Meter()
    counts: Mapping[str, int] = {"created": 1}
    with meter.run("f", "changes", "1") as run, meter.request("c", "GET", "u", "i") as request:
        run.note(state="done")
        request.note(status=200)
    meter.records("f", counts)
