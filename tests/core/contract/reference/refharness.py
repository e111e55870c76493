"""The harness of the reference connector, as an author would write it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from refserver import CLIENT, HOOK_SECRET, SECRET, BookingServer

from weft.net import json as exact_json
from weft.records import Request
from weft.testing import LineSubject, SimulatorHarness, SimulatorRunning, Subject


def member(n: int) -> dict[str, Any]:
    return {
        "name": f"Member {n:03d}",
        "email": f"member{n}@adatum.example.com",
        "notes": f"Note on member {n}",
        "balance": Decimal("12.30") + n,
        "joined": date(2024, 2, 29),
        "seen": datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
        "active": True,
        "rank": n,
    }


def booking(n: int) -> dict[str, Any]:
    return {"title": f"Booking {n:03d}", "day": date(2024, 7, 1)}


def line(n: int) -> dict[str, Any]:
    return {"text": f"Line {n}", "price": Decimal("9.99") * n}


MEMBERS = Subject(
    "member",
    member,
    money="balance",
    day="joined",
    moment="seen",
    clear="notes",
    minimal=lambda n: {"name": f"Only a name {n}"},
    blank=("email", "notes", "joined", "seen"),
    refused=({"rank": -1}, "The rank must not be negative."),
)
BOOKINGS = Subject("booking", booking, text="title", day="day", lines=LineSubject(line, text="text"))


class BookingRunning(SimulatorRunning[BookingServer]):
    def push_url(self) -> str:
        return "https://weft.example.com/hooks/booking"

    def subscriptions(self) -> int:
        return len(self.sim.subscribed)

    def notification(self, object: str, key: str, company: str) -> Request:
        return self._pushed({"set": object, "id": key}, HOOK_SECRET)

    def forged(self, object: str, key: str, company: str) -> Request:
        return self._pushed({"set": object, "id": key}, "guessed")

    def handshake(self) -> tuple[Request, bytes]:
        return Request("POST", {"validation": "abc 123"}, {}, b""), b"abc 123"

    @staticmethod
    def _pushed(data: dict[str, Any], secret: str) -> Request:
        return Request("POST", {}, {"x-hook-secret": secret}, exact_json.dumps(data))


def harness_for(connector: Any) -> SimulatorHarness[BookingServer]:
    def settings(sim: BookingServer) -> dict[str, Any]:
        return {"url": sim.base_url, "client_id": CLIENT, "client_secret": SECRET, "hook_secret": HOOK_SECRET}

    return SimulatorHarness(
        kind="booking",
        module=connector,
        simulator=BookingServer,
        settings=settings,
        wrong=lambda sim: {**settings(sim), "client_secret": "wrong-" + SECRET[::-1]},
        secrets=lambda sim: (SECRET, HOOK_SECRET, "wrong-" + SECRET[::-1]),
        tokens=lambda sim: sim.issued,
        subjects=lambda sim: [MEMBERS, BOOKINGS],
        create=lambda sim, object, data, company: sim.person_creates(object, data, company),
        edit=lambda sim, object, key, data, company: sim.person_edits(object, key, data),
        delete=lambda sim, object, key, company: sim.person_deletes(object, key),
        keys=lambda sim, object, company: [row["id"] for row in sim.rows[object] if row["company"] == company],
        move=lambda sim, object, key, company: sim.person_archives(object, key),
        company=lambda sim: "north",
        other_company=lambda sim: "south",
        running=BookingRunning,
        tls=False,
    )
