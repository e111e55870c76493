"""Business events: who subscribed to what, and the payloads that go out after a commit."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from weft.testing.odata.render import dumps
from weft.testing.simulator import Simulator
from weft.testing.simulator.events import Event, EventSender
from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.world import World

CATALOG: dict[str, tuple[str, str]] = {
    "SalesInvoicePostedBusinessEvent": ("Sales invoice posted", "SalesAndMarketing"),
    "CustFreeTextInvoicePostedBusinessEvent": ("Free text invoice posted", "AccountsReceivable"),
    "CustomerPaymentPostedBusinessEvent": ("Customer payment posted", "AccountsReceivable"),
    "VendorInvoicePostedBusinessEvent": ("Vendor invoice posted", "AccountsPayable"),
    "VendorPaymentPostedBusinessEvent": ("Vendor payment posted", "AccountsPayable"),
    "PurchaseOrderConfirmedBusinessEvent": ("Purchase order confirmed", "ProcurementAndSourcing"),
    "PurchaseOrderReceivedBusinessEvent": ("Purchase order received", "ProcurementAndSourcing"),
}
"""Id -> (name, module) of the events this environment knows. Those of sales, free text and vendor invoices are named
so in public; the others are named after the documented rule for names."""


class BusinessEvents:
    """An HTTPS endpoint reads its URL, a secret, from the key vault: here the URLs are kept beside the tables."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.vault: dict[str, str] = {}  # endpoint -> URL
        self.sender: EventSender | None = None
        self.control = 5_637_000_000
        world.on_event = self.raised

    def attach(self, sim: Simulator, ca_file: str | None) -> None:
        """Called when the simulator is served."""
        settings = self.world.settings
        self.sender = EventSender(
            sim,
            delay=0.0,
            timeout=settings.event_timeout,
            render=_render,
            retry_after=lambda attempt, status: (
                settings.event_retry_delay if attempt <= settings.event_retries else None
            ),
            ca_file=ca_file,
            together=False,
        )

    def subscribe(self, event: str, url: str, company: str, endpoint: str) -> None:
        """What an administrator does on the pages of business events: an endpoint, and the event activated for it.
        ``company`` empty: for all. Raises Refused."""
        if event not in CATALOG:
            raise refused("Error", f"The business event {event} does not exist.")
        self.vault[endpoint] = url
        if self.world.get("BusinessEventsEndpoints", Name=endpoint) is None:
            self.world.insert(
                "BusinessEventsEndpoints",
                {"Name": endpoint, "Type": "Http", "KeyVaultSecretName": endpoint},
            )
        key = {"BusinessEventsTable": event, "LegalEntity": company, "BusinessEventsEndpoint_Name": endpoint}
        if self.world.get("BusinessEventsConfigurations", **key) is None:
            self.world.insert("BusinessEventsConfigurations", key)

    def raised(self, event: str, company: str, contract: Mapping[str, Any]) -> None:
        """An event of the application: queue its payload for every endpoint it is activated for."""
        if not self.world.settings.events or self.sender is None:
            return
        for row in self.world.rows("BusinessEventsConfigurations"):
            wanted = row.get("LegalEntity", "")
            if row["BusinessEventsTable"] != event or row.get("Disabled") == "Yes" or wanted not in ("", company):
                continue
            url = self.vault.get(row["BusinessEventsEndpoint_Name"])
            if url is not None:
                payload = self._payload(event, company, contract)
                self.sender.put(Event(url, payload, str(payload["EventId"])))

    def _payload(self, event: str, company: str, contract: Mapping[str, Any]) -> dict[str, Any]:
        self.control += self.world.rng.randrange(1, 20)
        now = self.world.clock.now_ns()
        payload = {
            "BusinessEventId": event,
            "BusinessEventLegalEntity": company,
            "ContextRecordSubject": "",
            "ControlNumber": self.control,
            "EventId": str(uuid.UUID(int=self.world.rng.getrandbits(128), version=4)).upper(),
            "EventTime": f"/Date({now // 10**6})/",
            "InitiatingUserAADObjectId": str(uuid.UUID(int=self.world.rng.getrandbits(128), version=4)),
            "MajorVersion": 0,
            "MinorVersion": 0,
            "ParentContextRecordSubjects": [],
            **contract,
        }
        if self.world.settings.event_time == "both":
            payload["EventTimeIso8601"] = self.world.clock.stamp(7)
        return payload


def _render(entries: Sequence[Mapping[str, Any]]) -> bytes:
    """One event a POST."""
    return dumps(dict(entries[0]))
