"""Sending writes to Business Central: batches in JSON, each operation by itself."""

from __future__ import annotations

from weft.net.limiter import Lane
from weft.net.odata.sending import Judge, Sender
from weft.records import Intents
from weft_bc.failures import fault_of, is_outage, told
from weft_bc.session import BcSession

JUDGE = Judge(is_outage, fault_of, told)


def sender(session: BcSession, intents: Intents, lane: Lane) -> Sender:
    settings = session.settings
    language = {"Accept-Language": settings.language}
    return Sender(session.client, intents, lane, JUDGE, size=settings.batch_size, headers=language)
