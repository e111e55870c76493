"""Connectors that are broken in values, in writing, and when things go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from refcases import caught_by
from refconnector import PAGE, ReferenceConnector, Session

import weft
from weft.net import errors as net
from weft.net import json as exact_json
from weft.net.auth import OAuthClientCredentials
from weft.net.response import Response
from weft.net.retry import Retry
from weft.records import (
    Context,
    Hint,
    Intents,
    Item,
    Outcome,
    Page,
    Query,
    Record,
    Reply,
    Request,
    Result,
    Subscription,
)

# -- values -------------------------------------------------------------------------------------------


@caught_by("money_is_read_exactly", "scan_delivers_everything")
class MoneyThroughFloat(ReferenceConnector):
    def native(self, row: dict[str, Any]) -> dict[str, Any]:
        native = super().native(row)
        return {name: float(value) if isinstance(value, Decimal) else value for name, value in native.items()}


@caught_by("money_is_read_exactly")
class MoneyThroughFloatAndBack(ReferenceConnector):
    """The same, better hidden."""

    def native(self, row: dict[str, Any]) -> dict[str, Any]:
        native = super().native(row)
        return {n: Decimal(repr(float(v))) if isinstance(v, Decimal) else v for n, v in native.items()}


@caught_by("money_is_written_exactly")
class MoneyWrittenThroughFloat(ReferenceConnector):
    def value(self, value: Any) -> Any:
        return float(value) if isinstance(value, Decimal) else value


@caught_by("blanks_are_empty")
class BlankIsAValue(ReferenceConnector):
    def native(self, row: dict[str, Any]) -> dict[str, Any]:
        return {name: "n/a" if value == "" else value for name, value in super().native(row).items()}


@caught_by("dates_are_days")
class DatesShift(ReferenceConnector):
    """Dates go through local midnight."""

    def value(self, value: Any) -> Any:
        return value - timedelta(days=1) if isinstance(value, date) and not isinstance(value, datetime) else value


@caught_by("moments_keep_their_zone")
class ZoneIsDropped(ReferenceConnector):
    def value(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) + timedelta(hours=1)
        return value


@caught_by("text_survives_in_every_script", "search_is_exact")
class TextIsLatin(ReferenceConnector):
    def native(self, row: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value.encode("latin-1", "replace").decode("latin-1") if isinstance(value, str) else value
            for name, value in super().native(row).items()
        }


@caught_by("every_field_comes_back")
class LeavesOutAField(ReferenceConnector):
    def native(self, row: dict[str, Any]) -> dict[str, Any]:
        native = super().native(row)
        native.pop("email", None)
        return native


# -- writing ------------------------------------------------------------------------------------------


@caught_by(
    "lost_answer_is_not_doubled", "gateway_timeout_is_not_doubled", "unusable_answer_is_not_doubled",
    "batch_answer_is_lost",
)  # fmt: skip
class RepeatsLostCreates(ReferenceConnector):
    """Sends a create again when its answer is lost."""

    async def deliver(self, session: Session, method: str, path: str, data: Any, headers: dict[str, str]) -> Response:
        try:
            return await super().deliver(session, method, path, data, headers)
        except (net.MaybeSent, net.BadResponse):
            return await super().deliver(session, method, path, data, headers)


@caught_by("gateway_timeout_is_not_doubled", "lost_answer_is_not_doubled")
class LostIsRetry(ReferenceConnector):
    """Says `retry` where nobody knows."""

    def unanswered(self, item: Item, error: net.NetError) -> Outcome:
        outcome = super().unanswered(item, error)
        return Outcome(outcome.id, "retry", error=outcome.error)


@caught_by("error_after_commit_is_not_doubled")
class ServerErrorIsRetry(ReferenceConnector):
    def failed(self, item: Item) -> Result:
        return "retry"


@caught_by("stale_version_is_a_conflict")
class IgnoresVersions(ReferenceConnector):
    def request(self, item: Item) -> tuple[str, str, Any, dict[str, str]]:
        method, path, data, _ = super().request(item)
        return method, path, data, {}


@caught_by("update_sends_only_what_is_given")
class SendsTheWholeRecord(ReferenceConnector):
    def body(self, item: Item) -> dict[str, Any]:
        return {"email": None, "notes": None, **super().body(item)} if item.op == "update" else super().body(item)


@caught_by("field_can_be_cleared")
class LeavesOutEmpties(ReferenceConnector):
    def body(self, item: Item) -> dict[str, Any]:
        return {name: value for name, value in super().body(item).items() if value is not None}


@caught_by("batch_answers_each_item", "batch_with_a_bad_record", "part_of_a_batch_fails")
class MixesUpABatch(ReferenceConnector):
    """Pairs answers with items in the wrong order."""

    def answers(self, items: Sequence[Item], parts: list[dict[str, Any]]) -> list[Outcome]:
        turned = [{**part, "id": str((int(part["id"]) + 1) % len(parts))} for part in parts]
        return super().answers(items, turned)


@caught_by("batch_with_a_bad_record")
class BatchStopsAtTheFirstError(ReferenceConnector):
    """Gives no outcome to what comes after a refused item."""

    def answers(self, items: Sequence[Item], parts: list[dict[str, Any]]) -> list[Outcome]:
        found: list[Outcome] = []
        for outcome in super().answers(items, parts):
            found.append(outcome)
            if outcome.result == "rejected":
                break
        return found


@caught_by("refusal_is_told_in_the_systems_words")
class WordsOfItsOwn(ReferenceConnector):
    def words(self, said: dict[str, Any]) -> str:
        return "the record could not be saved"


@caught_by("returned_record_is_the_record")
class ReturnsWhatItSent(ReferenceConnector):
    """Returns what was to be written in place of what the system made of it."""

    def returned(self, item: Item, record: Record) -> Record:
        record.data = {**record.data, "rank": 99}
        return record


@caught_by("own_key_is_kept")
class DropsTheOwnKey(ReferenceConnector):
    def body(self, item: Item) -> dict[str, Any]:
        return {name: value for name, value in super().body(item).items() if name != "external"}


@caught_by("lease_is_asked_for_before_each_send")
class SendsWithoutALease(ReferenceConnector):
    async def send(
        self, session: Session, intents: Intents, method: str, path: str, data: Any, headers: dict[str, str]
    ) -> Response | net.NetError:
        try:
            return await self.deliver(session, method, path, data, headers)
        except net.NetError as error:
            return error


@caught_by("own_writes_are_recognised")
class ForeignIdentity(ReferenceConnector):
    async def prove(self, ctx: Context, session: Session) -> None:
        await super().prove(ctx, session)
        session.identity = "somebody else"


# -- documents ----------------------------------------------------------------------------------------


@caught_by("killed_document_is_continued")
class ForgetsItsSteps(ReferenceConnector):
    """Does every line again, whatever was noted."""

    def steps_done(self, intents: Intents, item: Item) -> dict[str, dict[str, Any]]:
        return {name: step for name, step in intents.noted(item).items() if name == "header"}


@caught_by("lost_answer_within_a_document")
class LostLineIsPartial(ReferenceConnector):
    """Goes on with a line that may be there already."""

    def line_failed(self, item: Item, key: str | None, answer: Response | net.NetError) -> Outcome:
        outcome = super().line_failed(item, key, answer)
        return Outcome(item.id, "partial", key=key, error=outcome.error)


@caught_by("lines_come_with_the_document")
class LineKeysAreItsOwn(ReferenceConnector):
    def child_key(self, key: str) -> str:
        return f"{key}-x"


@caught_by("lines_come_with_the_document", "line_changes_are_written")
class ReadsNoLines(ReferenceConnector):
    def record(self, query: Query, row: dict[str, Any], object: str = "") -> Record:
        record = super().record(query, row, object)
        record.children = {name: [] for name in record.children}
        return record


# -- faults -------------------------------------------------------------------------------------------


class OnceSignedIn(OAuthClientCredentials):
    """Never takes a second token."""

    def rejected(self, response: Response) -> bool:
        return False


@caught_by("expired_token_is_renewed", "expired_token_does_not_double", "concurrent_calls_renew_once")
class NeverRenews(ReferenceConnector):
    def auth(self, settings: Any) -> OAuthClientCredentials:
        return OnceSignedIn(f"{settings.url}/token", settings.client_id, settings.client_secret)


@caught_by("concurrent_calls_renew_once")
class EverybodyLogsIn(ReferenceConnector):
    """Each call that meets the expired token signs in for itself."""

    async def get(self, session: Session, path: str, **query: Any) -> tuple[Any, str]:
        await session.http.auth.renew(session.http)
        return await super().get(session, path, **query)


@caught_by("retry_after_is_obeyed")
class ImpatientAfter429(ReferenceConnector):
    async def get(self, session: Session, path: str, **query: Any) -> tuple[Any, str]:
        async def at_once(seconds: float) -> None:
            await asyncio.sleep(0)

        session.http.limiter.throttled = lambda slot, hold: None  # type: ignore[method-assign, assignment]
        session.http._sleep = at_once
        return await super().get(session, path, **query)


@caught_by("calls_may_overlap")
class SharesItsQuery(ReferenceConnector):
    """Keeps the query under way in the session: calls that overlap read each other's."""

    current: Any = None

    async def by_keys(self, session: Session, query: Query, keys: Sequence[str]) -> Page:
        self.current = list(keys)
        await asyncio.sleep(0.001)
        return await super().by_keys(session, query, self.current[:PAGE])


# -- notifications ------------------------------------------------------------------------------------


@caught_by("forged_notification_is_ignored")
class TrustsEverybody(ReferenceConnector):
    def genuine(self, settings: Any, request: Request) -> bool:
        return True


@caught_by("malformed_notifications_do_no_harm")
class ChokesOnNonsense(ReferenceConnector):
    def genuine(self, settings: Any, request: Request) -> bool:
        return isinstance(exact_json.loads(request.body), object) and super().genuine(settings, request)


@caught_by("notification_is_a_hint")
class HintsNothing(ReferenceConnector):
    def hints(self, body: bytes) -> list[Hint]:
        return []


@caught_by("subscriptions_are_renewed_not_doubled")
class SubscribesAgain(ReferenceConnector):
    known: list[Subscription]

    async def subscribed(self, session: Session, url: str, known: str | None) -> Subscription:
        return await super().subscribed(session, url, None)


@caught_by("control_characters_do_no_harm")
class ChokesOnControlCharacters(ReferenceConnector):
    def value(self, value: Any) -> Any:
        if isinstance(value, str) and not value.isprintable():
            raise ValueError("not printable")
        return value


@caught_by("create_answers_the_key")
class SpellsKeysInTwoWays(ReferenceConnector):
    def settled(self, item: Item, status: int, body: dict[str, Any]) -> Outcome:
        outcome = super().settled(item, status, body)
        return replace(outcome, key=outcome.key.lower() if outcome.key else None)


@caught_by("update_of_a_deleted_record")
class MissingIsUpdated(ReferenceConnector):
    """Takes a record that is not there for one that is as it should be."""

    def settled(self, item: Item, status: int, body: dict[str, Any]) -> Outcome:
        if status == 404:
            return Outcome(item.id, "updated", key=item.key)
        return super().settled(item, status, body)


@caught_by("error_before_commit_creates_nothing", "batch_fails_as_a_whole", "part_of_a_batch_fails")
class ServerErrorIsRejected(ReferenceConnector):
    def failed(self, item: Item) -> Result:
        return "rejected"


@caught_by("connection_refused_is_no_doubt", "lost_update_is_not_created")
class UnansweredIsRejected(ReferenceConnector):
    def unanswered(self, item: Item, error: net.NetError) -> Outcome:
        return Outcome(item.id, "rejected", error=super().unanswered(item, error).error)


@caught_by("throttled_write_is_written_once")
class ThrottledIsRejected(ReferenceConnector):
    async def deliver(self, session: Session, method: str, path: str, data: Any, headers: dict[str, str]) -> Response:
        session.http.settings = replace(session.http.settings, retry=Retry(attempts=1))
        return await super().deliver(session, method, path, data, headers)

    def unanswered(self, item: Item, error: net.NetError) -> Outcome:
        outcome = super().unanswered(item, error)
        return replace(outcome, result="rejected") if isinstance(error, net.Throttled) else outcome


@caught_by("a_changed_line_changes_the_document")
class RemembersLines(ReferenceConnector):
    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def record(self, query: Query, row: dict[str, Any], object: str = "") -> Record:
        record = super().record(query, row, object)
        if any(record.children.values()):
            record.children = self.known.setdefault(record.key, record.children)
        return record


@caught_by("handshake_is_answered")
class KnowsNoHandshake(ReferenceConnector):
    @weft.hookimpl
    async def weft_receive(self, ctx: Context, request: Request) -> Reply:
        if not self.genuine(ctx.settings, request):
            return Reply(status=401)
        return Reply(hints=tuple(self.hints(request.body)))
