"""Connectors that are broken in one way each, and the check that must find it out."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from refconnector import PAGE, ReferenceConnector, Session

from weft import errors
from weft.net import errors as net
from weft.net import json as exact_json
from weft.net.auth import OAuthClientCredentials
from weft.net.json import utc_text
from weft.net.response import Response
from weft.net.secrets import Secret
from weft.records import Context, Hint, Intents, Item, Outcome, Page, Query, Record, Request, Subscription


@dataclass(frozen=True)
class Case:
    """``caught_by``: checks of which every one must fail."""

    connector: type[ReferenceConnector]
    caught_by: tuple[str, ...]


CASES: list[Case] = []


def caught_by(*names: str) -> Any:
    def mark(connector: type[ReferenceConnector]) -> type[ReferenceConnector]:
        CASES.append(Case(connector, names))
        return connector

    return mark


# -- saying who one is, opening -----------------------------------------------------------------------


class LaxSettings(BaseModel):
    url: str
    client_id: str
    client_secret: Secret
    hook_secret: Secret = Secret("")


class BareSettings(BaseModel):
    model_config = {"extra": "forbid"}
    url: str
    client_id: str
    client_secret: str
    hook_secret: Secret = Secret("")


@caught_by("settings_forbid_unknown_keys")
class AcceptsAnySetting(ReferenceConnector):
    settings = LaxSettings  # type: ignore[assignment]


@caught_by("secrets_are_masked_in_settings")
class SecretIsPlainText(ReferenceConnector):
    settings = BareSettings  # type: ignore[assignment]


@caught_by("open_proves_credentials", "open_says_endpoint_down")
class OpensWithoutLooking(ReferenceConnector):
    async def prove(self, ctx: Context, session: Session) -> None:
        return None


@caught_by("secrets_are_in_no_error")
class SecretInAnError(ReferenceConnector):
    async def prove(self, ctx: Context, session: Session) -> None:
        try:
            await super().prove(ctx, session)
        except errors.AuthError as error:
            raise errors.AuthError(f"{error} (tried {ctx.settings.client_secret.reveal()})") from error


@caught_by("secrets_are_in_no_log")
class TokenInTheLog(ReferenceConnector):
    async def prove(self, ctx: Context, session: Session) -> None:
        await super().prove(ctx, session)
        request = session.http.client.build_request("GET", session.http.base_url)
        session.http.auth.apply(request)
        ctx.log.debug("signed in: %s", request.headers["Authorization"])


@caught_by("mappings_fit_the_system", "describe_knows_what_is_mapped")
class MapsAFieldThatIsNotThere(ReferenceConnector):
    def maps(self) -> list[dict[str, Any]]:
        maps = copy.deepcopy(super().maps())
        maps[0]["fields"]["nickname"] = "custom.nickname"
        return maps


@caught_by("companies_are_separated")
class MixesCompanies(ReferenceConnector):
    async def rows(self, session: Session, query: Query, order: str, **options: Any) -> AsyncIterator[Any]:
        for company in ("south", query.company):
            other = copy.copy(query)
            other.company = company
            async for page, now, last in super().rows(session, other, order, **options):
                yield page, now, last and company == query.company


# -- reading ------------------------------------------------------------------------------------------


@caught_by("scan_delivers_everything")
class SkipsAPage(ReferenceConnector):
    """Goes on behind the row after the last one."""

    async def rows(self, session: Session, query: Query, order: str, **options: Any) -> AsyncIterator[Any]:
        number = 0
        async for page in super().rows(session, query, order, **options):
            number += 1
            if number != 2 or page[2]:
                yield page


@caught_by("scan_delivers_everything")
class LosesTheLastPage(ReferenceConnector):
    """Stops when a page is full and none seems to follow: the border of a page."""

    async def rows(self, session: Session, query: Query, order: str, **options: Any) -> AsyncIterator[Any]:
        async for page, now, last in super().rows(session, query, order, **options):
            if last and len(page.records) == 1:
                page.records.clear()
            yield page, now, last


@caught_by("nothing_skipped_while_scanning")
class PagesByOffset(ReferenceConnector):
    """Rows shift when one is deleted, and what shifted over a border is not read, nor changed."""

    def onwards(self, options: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {**options, "skip": options.get("skip", 0) + len(rows)}


@caught_by("late_commit_not_missed")
class MissesLateCommits(ReferenceConnector):
    """Takes the newest stamp seen for the cursor, without an overlap."""

    def cursor(self, started: str) -> str:
        return exact_json.dumps({"since": started}).decode()


@caught_by("change_appears", "nothing_skipped_while_reading_changes", "equal_times_not_skipped")
class CursorFromTheEnd(ReferenceConnector):
    """A cursor that lies after the read, on our side of the clock."""

    def cursor(self, started: str) -> str:
        from datetime import UTC, datetime, timedelta

        return exact_json.dumps({"since": utc_text(datetime.now(UTC) + timedelta(seconds=2))}).decode()


@caught_by("cursor_passes_no_unread_page", "failed_scan_raises")
class CursorTooEarly(ReferenceConnector):
    """Every page of a scan carries the cursor."""

    def with_cursor(self, page: Page, started: str, last: bool) -> Page:
        from datetime import datetime

        page.cursor = exact_json.dumps({"since": utc_text(datetime.fromisoformat(started))}).decode()
        return page


@caught_by("cursor_outlives_the_process")
class CursorInMemory(ReferenceConnector):
    """The cursor names something the session remembers."""

    def __init__(self) -> None:
        self.remembered: dict[str, str] = {}

    async def prove(self, ctx: Context, session: Session) -> None:
        self.remembered.clear()
        await super().prove(ctx, session)

    def cursor(self, started: str) -> str:
        name = f"cursor {len(self.remembered)}"
        self.remembered[name] = super().cursor(started)
        return name

    def since(self, cursor: str) -> str | None:
        return super().since(self.remembered.get(cursor, ""))


@caught_by("quiet_after_a_scan", "late_commit_not_missed")
class CursorGrows(ReferenceConnector):
    """Remembers in the cursor all it has ever seen."""

    def cursor(self, started: str) -> str:
        return super().cursor(started) + " " * 9000


@caught_by("unknown_cursor_is_expired")
class TakesAnyCursor(ReferenceConnector):
    def since(self, cursor: str) -> str | None:
        return super().since(cursor) or "2999-01-01T00:00:00Z"


@caught_by("equal_times_not_skipped")
class PagesByTimeAlone(ReferenceConnector):
    """Goes on after the last time seen, whatever else has that time."""

    def onwards(self, options: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
        after = [rows[-1][options["order"]], "\U0010ffff" if options["order"] == "changed" else rows[-1]["id"]]
        return {**options, "after": after}


@caught_by("moved_is_not_gone")
class MovedIsGone(ReferenceConnector):
    def lost(self, page: Page, key: str, fate: Any) -> None:
        super().lost(page, key, "gone" if isinstance(fate, list) else fate)


@caught_by("hidden_is_not_gone")
class HiddenIsGone(ReferenceConnector):
    def lost(self, page: Page, key: str, fate: Any) -> None:
        super().lost(page, key, "gone" if fate == "hidden" else fate)


@caught_by("deleted_is_gone", "delete_removes_the_record")
class NeverSaysGone(ReferenceConnector):
    def lost(self, page: Page, key: str, fate: Any) -> None:
        super().lost(page, key, "hidden" if fate == "gone" else fate)


@caught_by("failed_key_read_says_nothing_of_gone")
class FailureIsGone(ReferenceConnector):
    """A read that fails is taken for records that are not there."""

    async def by_keys(self, session: Session, query: Query, keys: Sequence[str]) -> Page:
        try:
            return await super().by_keys(session, query, keys)
        except errors.EndpointDown:
            return Page(gone=list(keys))


@caught_by("key_reads_find")
class FirstKeysOnly(ReferenceConnector):
    async def by_keys(self, session: Session, query: Query, keys: Sequence[str]) -> Page:
        return await super().by_keys(session, query, keys[:10])


@caught_by("failed_scan_raises", "outage_is_endpoint_down", "html_in_place_of_data", "truncated_data")
class SwallowsFailures(ReferenceConnector):
    """A scan that fails ends as if nothing more were there."""

    async def rows(self, session: Session, query: Query, order: str, **options: Any) -> AsyncIterator[Any]:
        try:
            async for page in super().rows(session, query, order, **options):
                yield page
        except errors.EndpointDown:
            yield Page(), "2024-01-01T00:00:00Z", True


@caught_by("outage_is_endpoint_down", "html_in_place_of_data", "failed_scan_raises")
class RaisesItsOwnErrors(ReferenceConnector):
    def stopped(self, error: net.NetError) -> Exception:
        return RuntimeError(str(error))


@caught_by("html_in_place_of_data")
class HtmlIsAnEmptyAnswer(ReferenceConnector):
    def parse(self, response: Response) -> Any:
        return {"rows": [], "more": False} if response.is_html else response.json()

    async def get(self, session: Session, path: str, **query: Any) -> tuple[Any, str]:
        try:
            return await super().get(session, path, **query)
        except KeyError:
            return {"rows": [], "more": False}, "2024-01-01T00:00:00Z"


@caught_by("search_is_exact")
class SearchStripsQuotes(ReferenceConnector):
    def literal(self, value: Any) -> Any:
        return value.replace("'", "''") if isinstance(value, str) else value


@caught_by("search_joins_groups_by_or")
class SearchAsksTheFirstGroup(ReferenceConnector):
    async def rows(self, session: Session, query: Query, order: str, **options: Any) -> AsyncIterator[Any]:
        if "where" in options:
            options["where"] = options["where"][:1]
        async for page in super().rows(session, query, order, **options):
            yield page


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
        from datetime import date, datetime, timedelta

        return value - timedelta(days=1) if isinstance(value, date) and not isinstance(value, datetime) else value


@caught_by("moments_keep_their_zone")
class ZoneIsDropped(ReferenceConnector):
    def value(self, value: Any) -> Any:
        from datetime import UTC, datetime, timedelta

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


@caught_by("lost_answer_is_not_doubled", "gateway_timeout_is_not_doubled", "unusable_answer_is_not_doubled")
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
    def failed(self, item: Item) -> str:
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
        class Hurried(OAuthClientCredentials):
            pass

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
