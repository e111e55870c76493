"""A simulator of a tiny note keeper, for the tests of the simulator base."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from weft.testing.odata.batch import SubRequest, SubResponse, parse_batch, render_json, run_batch
from weft.testing.odata.parts import SubResponse as Answer
from weft.testing.odata.render import dumps, loads
from weft.testing.odata.schema import EntityType, Property, properties
from weft.testing.odata.store import Store
from weft.testing.simulator import Fault, SimClock, SimSettings, Simulator

NOTE = EntityType("Note", "notes", "id", properties(Property("id"), Property("text"), Property("at")))


class NoteSimulator(Simulator):
    name = "notes"

    def __init__(self, settings: SimSettings | None = None, *, clock: SimClock | None = None) -> None:
        super().__init__(settings, clock=clock)
        self.rows = Store()
        self.notes = self.rows.table(NOTE)
        self.store = self.rows
        self.valid_tokens = {"t1"}
        self.register("shout", self.shout, "upper-case a note")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/notes", self.list),
            web.post("/notes", self.create),
            web.post("/$batch", self.batch),
            web.get("/secure", self.secure),
            web.get("/crash", self.crash),
        ]

    def expire_tokens(self) -> None:
        self.valid_tokens.clear()

    def fault_answer(self, status: int, fault: Fault | None, message: str) -> Answer:
        return Answer(status, {"Content-Type": "application/json"}, dumps({"oops": message}))

    async def list(self, request: web.Request) -> web.Response:
        return web.Response(body=dumps({"value": list(self.notes)}), content_type="application/json")

    async def create(self, request: web.Request) -> web.Response:
        answer = self._create(await request.read())
        return web.Response(status=answer.status, body=answer.body, content_type="application/json")

    def _create(self, body: bytes) -> SubResponse:
        data = loads(body)
        if not data.get("id"):
            return SubResponse(400, {"Content-Type": "application/json"}, dumps({"oops": "id"}))
        with self.rows.transaction():
            row = self.notes.insert({"id": data["id"], "text": data.get("text"), "at": self.clock.stamp()})
        return SubResponse(201, {"Content-Type": "application/json"}, dumps(row))

    async def batch(self, request: web.Request) -> web.Response:
        async def handle(part: SubRequest) -> SubResponse:
            return self._create(part.body)

        parts = parse_batch(request.headers["Content-Type"], await request.read())
        answers = await run_batch(parts, handle, continue_on_error=True, fault=self.batch_fault(request))
        return web.Response(body=render_json(answers), content_type="application/json")

    async def secure(self, request: web.Request) -> web.Response:
        known = request.headers.get("Authorization", "").removeprefix("Bearer ") in self.valid_tokens
        return web.Response(status=200 if known else 401)

    async def crash(self, request: web.Request) -> web.Response:
        raise RuntimeError("a defect of the simulator")

    async def shout(self, note: str) -> Any:
        return self.notes.update(note, {"text": str(self.notes.rows[note]["text"]).upper()})


def make(text: str = "hello") -> NoteSimulator:
    sim = NoteSimulator()
    sim.notes.load([{"id": "1", "text": text, "at": sim.clock.stamp()}])
    return sim
