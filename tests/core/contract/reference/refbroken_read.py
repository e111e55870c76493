"""Connectors that are broken in what they say about themselves, in opening and in reading."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel
from refcases import caught_by
from refconnector import ReferenceConnector, Session

import weft
from weft import errors
from weft.hookspecs import Connector
from weft.net import errors as net
from weft.net import json as exact_json
from weft.net.json import utc_text
from weft.net.response import Response
from weft.net.retry import Retry
from weft.net.secrets import Secret
from weft.records import Context, Page, Query, Record

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
        return exact_json.dumps({"since": utc_text(datetime.now(UTC) + timedelta(seconds=2))}).decode()


@caught_by("cursor_passes_no_unread_page", "failed_scan_raises")
class CursorTooEarly(ReferenceConnector):
    """Every page of a scan carries the cursor."""

    def with_cursor(self, page: Page, started: str, last: bool) -> Page:
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


@caught_by("required_hooks")
class HasNoTitle(ReferenceConnector):
    @weft.hookimpl
    def weft_connector(self) -> Connector:
        return Connector(title=" ", settings=self.settings, companies=True)


@caught_by("mappings_answer_the_same")
class MapsByMood(ReferenceConnector):
    calls = 0

    def maps(self) -> list[dict[str, Any]]:
        self.calls += 1
        return [{**one, "settle_seconds": self.calls} for one in super().maps()]


@caught_by("companies_are_listed")
class ListsNoCompanies(ReferenceConnector):
    @weft.hookimpl
    async def weft_companies(self, session: Session) -> dict[str, str]:
        return {"elsewhere": "Elsewhere"}


@caught_by("requests_can_be_bounded")
class KeepsItsLimiterToItself(ReferenceConnector):
    async def prove(self, ctx: Context, session: Session) -> None:
        await super().prove(ctx, session)
        del session.limiter


@caught_by("base_currencies_are_codes")
class SpellsCurrenciesOut(ReferenceConnector):
    @weft.hookimpl
    async def weft_base_currencies(self, session: Session) -> dict[str, str]:
        return dict.fromkeys(await self.weft_companies(session), "Euro")


@caught_by("version_follows_the_record")
class VersionStandsStill(ReferenceConnector):
    def record(self, query: Query, row: dict[str, Any], object: str = "") -> Record:
        record = super().record(query, row, object)
        record.version = "1"
        return record


@caught_by("changes_without_a_cursor")
class StartsWithEverything(ReferenceConnector):
    async def changes(self, session: Session, query: Query) -> AsyncIterator[Page]:
        if query.cursor is None:
            query.cursor = self.cursor("2000-01-01T00:00:00Z")
        async for page in super().changes(session, query):
            yield page


@caught_by("keys_only_tells_the_same_keys")
class KeysWithoutVersions(ReferenceConnector):
    def record(self, query: Query, row: dict[str, Any], object: str = "") -> Record:
        record = super().record(query, row, object)
        if query.keys_only:
            record.version = None
        return record


@caught_by("search_finds_nothing")
class SearchFindsTheNextBest(ReferenceConnector):
    async def rows(self, session: Session, query: Query, order: str, **options: Any) -> AsyncIterator[Any]:
        found = [one async for one in super().rows(session, query, order, **options)]
        if "where" in options and not any(page.records for page, _, _ in found):
            options.pop("where")
            found = [one async for one in super().rows(session, query, order, **options)]
        for one in found:
            yield one


@caught_by("search_finds_what_was_just_written")
class SearchesAReplica(ReferenceConnector):
    """What was written within the last minute is not there yet."""

    async def rows(self, session: Session, query: Query, order: str, **options: Any) -> AsyncIterator[Any]:
        async for page, now, last in super().rows(session, query, order, **options):
            if "where" in options:
                minute = datetime.fromisoformat(now) - timedelta(minutes=1)
                page.records = [one for one in page.records if one.changed_at is not None and one.changed_at < minute]
            yield page, now, last


@caught_by("short_outage_is_survived")
class TakesAnOutageForTheEnd(ReferenceConnector):
    async def get(self, session: Session, path: str, **query: Any) -> tuple[Any, str]:
        session.http.settings = replace(session.http.settings, retry=Retry(attempts=1))
        try:
            return await super().get(session, path, **query)
        except errors.EndpointDown:
            return {"rows": [], "more": False}, "2024-01-01T00:00:00Z"
