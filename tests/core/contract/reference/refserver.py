"""A small booking system over HTTP: what the reference connector speaks to.

Members have keys of the server's own and an `external` field for the caller's; bookings are named by the
caller and have lines. Texts left blank are "", dates 0001-01-01. Every write is stamped; a line's write
stamps its booking.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from weft.net import json as exact_json
from weft.records import Moved
from weft.testing.odata.batch import parse_batch, render_json, run_batch
from weft.testing.odata.parts import SubRequest, SubResponse
from weft.testing.odata.schema import EntityType, Property, properties
from weft.testing.odata.store import DuplicateKey, Row, Store
from weft.testing.odata.values import instant_wire
from weft.testing.simulator import Fault, SimClock, SimSettings, Simulator
from weft.testing.simulator.middleware import to_web

CLIENT, SECRET, HOOK_SECRET = "weft-client", "s3cr3t-of-the-reference", "h00k-secret-of-the-reference"
NO_DAY = "0001-01-01"
JSON = {"Content-Type": "application/json; charset=utf-8"}

STAMPS = (Property("changed", "Edm.DateTimeOffset"), Property("changed_by"))
MEMBER = {
    "name": ("text", 80), "email": ("text", 80), "notes": ("text", 250), "external": ("text", 32),
    "balance": ("money", None), "joined": ("date", None), "seen": ("datetime", None), "active": ("boolean", None),
    "rank": ("integer", None),
}  # fmt: skip
BOOKING = {"title": ("text", 80), "day": ("date", None)}
LINE = {"booking_id": ("text", 36), "text": ("text", 80), "price": ("money", None)}
SETS = {"members": MEMBER, "bookings": BOOKING, "lines": LINE}
STAMPED = {"company": ("text", 20), "changed": ("datetime", None), "changed_by": ("text", 40)}
EDM = {
    "text": "Edm.String", "money": "Edm.Decimal", "date": "Edm.Date", "datetime": "Edm.DateTimeOffset",
    "boolean": "Edm.Boolean", "integer": "Edm.Int32",
}  # fmt: skip


def _type(name: str) -> EntityType:
    own = (Property(field, EDM[kind]) for field, (kind, _) in SETS[name].items())
    return EntityType(name, name, "id", properties(Property("id"), Property("company"), *own, *STAMPS))


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code

    def answer(self) -> SubResponse:
        body = {"error": {"code": self.code, "message": str(self)}}
        return SubResponse(self.status, dict(JSON), exact_json.dumps(body))


class BookingServer(Simulator):
    """`person` is the hand of somebody in the office; requests come from the client."""

    name = "booking"

    def __init__(self) -> None:
        super().__init__(SimSettings(), clock=SimClock(precision_ns=1_000_000))
        self.rows = Store()
        for name in SETS:
            self.rows.table(_type(name), hashed=["booking_id"] if name == "lines" else [])
        self.store = self.rows
        self.issued: list[str] = []
        self.valid: set[str] = set()
        self.gone: set[str] = set()
        self.moved: dict[str, Moved] = {}
        self.subscribed: dict[str, str] = {}
        self.counter = 0

    def stamp(self) -> str:
        """Always six digits, so that stamps order as texts do."""
        return instant_wire(self.clock.stamp_ns(), 6, trim=False)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/token", self.token),
            web.post("/batch", self.batch),
            web.route("*", "/{tail:.*}", self.serve),
        ]

    def expire_tokens(self) -> None:
        self.valid.clear()

    def fault_answer(self, status: int, fault: Fault | None, message: str) -> SubResponse:
        return Refused(status, "fault", message).answer()

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            refusal = {"error": "invalid_client", "error_description": "The client is not known."}
            return web.json_response(refusal, status=401)
        token = secrets.token_hex(16)
        self.issued.append(token)
        self.valid.add(token)
        return web.json_response({"access_token": token, "expires_in": 3600})

    def _known(self, request: web.Request) -> bool:
        return request.headers.get("Authorization", "").removeprefix("Bearer ") in self.valid

    async def serve(self, request: web.Request) -> web.Response:
        if not self._known(request):
            return to_web(Refused(401, "expired", "The token is not valid.").answer())
        body = await request.read()
        match = request.headers.get("If-Match")
        return to_web(self.handle(request.method, request.raw_path, body, match))

    async def batch(self, request: web.Request) -> web.Response:
        if not self._known(request):
            return to_web(Refused(401, "expired", "The token is not valid.").answer())

        async def one(part: SubRequest) -> SubResponse:
            match = {k.lower(): v for k, v in part.headers.items()}.get("if-match")
            return self.handle(part.method, part.url, part.body, match)

        parts = parse_batch(request.headers["Content-Type"], await request.read())
        answers = await run_batch(parts, one, continue_on_error=True, fault=self.batch_fault(request))
        return web.Response(body=render_json(answers), headers=JSON)

    def handle(self, method: str, url: str, body: bytes, match: str | None) -> SubResponse:
        now = self.stamp()
        try:
            split = urlsplit(url)
            steps = [step for step in split.path.split("/") if step]
            data = exact_json.loads(body) if body else {}
            if method == "GET":
                query = parse_qs(split.query).get("q")
                answer = self._get(steps, exact_json.loads(query[0]) if query else {})
            else:
                with self.rows.transaction():
                    answer = self._write(method, steps, data, match)
        except Refused as refused:
            return refused.answer()
        status = 201 if method == "POST" else 200
        return SubResponse(status, {**JSON, "X-Server-Time": now}, exact_json.dumps(answer))

    # -- reading -------------------------------------------------------------------------------------

    def _get(self, steps: list[str], query: dict[str, Any]) -> Any:
        if steps == ["meta"]:
            shown = {name: {**STAMPED, **fields} for name, fields in SETS.items()}
            return {
                name: {field: {"kind": kind, "length": length} for field, (kind, length) in fields.items()}
                for name, fields in shown.items()
            }
        if steps == ["companies"]:
            return {"north": "Adatum North", "south": "Adatum South"}
        if len(steps) != 1 or steps[0] not in SETS:
            raise Refused(404, "path", f"There is nothing at /{'/'.join(steps)}.")
        table = self.rows[steps[0]]
        if "ids" in query:
            rows = [row for key in query["ids"] if (row := table.get(key)) is not None]
            lost = {key: self._lost(steps[0], key) for key in query["ids"] if table.get(key) is None}
            return {"rows": [self.shown(steps[0], row) for row in rows], "lost": lost}
        order, top = query.get("order", "id"), query.get("top", 100)
        found = [row for row in table if row["company"] == query.get("company", "") and self._fits(row, query)]
        found.sort(key=lambda row: (row[order], row["id"]))
        skip = query.get("skip", 0)
        shown_rows = [self.shown(steps[0], row) for row in found[skip : skip + top]]
        return {"rows": shown_rows, "more": len(found) > skip + top}

    def _lost(self, name: str, key: str) -> Any:
        if key in self.moved:
            return ["moved", self.moved[key].to_object, self.moved[key].to_key]
        return "hidden" if key in self.rows[name].hidden else "gone"

    @staticmethod
    def _fits(row: Row, query: dict[str, Any]) -> bool:
        after = query.get("after")
        order = query.get("order", "id")
        if after is not None and (row[order], row["id"]) <= (after[0], after[1]):
            return False
        if "since" in query and datetime.fromisoformat(row["changed"]) < datetime.fromisoformat(query["since"]):
            return False
        groups = query.get("where")
        return groups is None or any(all(row.get(f) == v for f, _, v in group) for group in groups)

    def shown(self, name: str, row: Row) -> dict[str, Any]:
        shown = {**row, "_version": str(self.rows[name].version(row["id"]))}
        if name == "bookings":
            shown["lines"] = [self.shown("lines", line) for line in self.rows["lines"].find("booking_id", row["id"])]
        return shown

    # -- writing -------------------------------------------------------------------------------------

    def _write(self, method: str, steps: list[str], data: dict[str, Any], match: str | None) -> Any:
        name = steps[0]
        if name == "subscriptions":
            key = data.get("id") or secrets.token_hex(4)
            self.subscribed[key] = data["url"]
            return {"id": key}
        if name not in SETS:
            raise Refused(404, "path", f"There is nothing at /{name}.")
        if method == "POST":
            return self.insert(name, data, CLIENT)
        return self.alter(name, steps[1], data if method == "PATCH" else None, match, CLIENT)

    def insert(self, name: str, data: dict[str, Any], who: str) -> dict[str, Any]:
        self.counter += 1
        key = str(data.get("id") or f"{name[0].upper()}{self.counter:05d}")
        blank = {f: "" if k == "text" else NO_DAY if k == "date" else None for f, (k, _) in SETS[name].items()}
        row = {"id": key, "company": "", **blank, **self._checked(name, data)}
        row |= {"id": key, "changed": self.stamp(), "changed_by": who}
        try:
            self.rows[name].insert(row)
        except DuplicateKey:
            raise Refused(409, "duplicate", f"{name} {key} is there already.") from None
        self._stamp_booking(name, row, who)
        return self.shown(name, row)

    def alter(self, name: str, key: str, data: dict[str, Any] | None, match: str | None, who: str) -> dict[str, Any]:
        table = self.rows[name]
        row = table.get(key)
        if row is None:
            raise Refused(404, "missing", f"{name} {key} is not there.")
        if match is not None and match != str(table.version(key)):
            raise Refused(412, "changed", f"{name} {key} was changed by somebody else.")
        if data is None:
            for line in self.rows["lines"].find("booking_id", key) if name == "bookings" else ():
                self.rows["lines"].delete(line["id"])
            table.delete(key)
            self.gone.add(key)
            self._stamp_booking(name, row, who)
            return {}
        new = table.update(key, {**self._checked(name, data), "changed": self.stamp(), "changed_by": who})
        self._stamp_booking(name, new, who)
        return self.shown(name, new)

    def _stamp_booking(self, name: str, row: Row, who: str) -> None:
        if name == "lines":
            self.rows["bookings"].update(row["booking_id"], {"changed": self.stamp(), "changed_by": who})

    @staticmethod
    def _checked(name: str, data: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for field, value in data.items():
            if field in ("id", "company"):
                made[field] = value
                continue
            if field not in SETS[name]:
                raise Refused(422, "field", f"{name} has no field {field}.")
            kind, length = SETS[name][field]
            if value is None and kind in ("text", "date"):
                value = "" if kind == "text" else NO_DAY
            if kind == "text" and length and len(value) > length:
                raise Refused(422, "length", f"{field} holds {length} characters at most.")
            if field == "rank" and value is not None and value < 0:
                raise Refused(422, "rank", "The rank must not be negative.")
            if kind == "money" and isinstance(value, int):
                value = Decimal(value)
            made[field] = value
        return made

    # -- a person's hand -----------------------------------------------------------------------------

    def person_creates(self, name: str, data: dict[str, Any], company: str) -> str:
        data = exact_json.loads(exact_json.dumps(data))
        with self.rows.transaction():
            return str(self.insert(name, {**data, "company": company}, "office")["id"])

    def person_edits(self, name: str, key: str, data: dict[str, Any]) -> None:
        with self.rows.transaction():
            self.alter(name, key, data, None, "office")

    def person_deletes(self, name: str, key: str) -> None:
        with self.rows.transaction():
            self.alter(name, key, None, None, "office")

    def person_archives(self, name: str, key: str) -> Moved:
        self.person_deletes(name, key)
        self.moved[key] = Moved(key, "archive", f"A-{key}", reason="archived")
        return self.moved[key]
