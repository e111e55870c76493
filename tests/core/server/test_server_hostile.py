"""Hostile and broken requests: names and values that nobody should send, and a state that does not answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx

from weft.errors import StateError
from weft.server.app import make_app
from weft.server.site import Site
from weft.telemetry import health
from weft.telemetry.metrics import Metrics

Client = Callable[..., httpx.AsyncClient]
API = "/api/v1/status"
HUGE = 10**30


async def test_names_and_proofs_that_cannot_be_read_are_refused_in_words(open_site: Site, client: Client) -> None:
    async with client(open_site) as browser:
        for path in ("/", API, "/nothing"):
            answer = await browser.get(path, headers={"host": "["})
            assert (answer.status_code, "content-security-policy" in answer.headers) == (421, True), path
        # What a path is does not follow from the name the server is called by.
        assert (await browser.get(API, headers={"host": "localhost/health/?"})).status_code == 421
        await browser.get("/")
        for more in ({"headers": {"x-csrf-token": "é".encode("latin-1")}}, {"data": {"csrf": "é"}}):
            answer = await browser.post("/do/flows/pause", **more)  # type: ignore[arg-type]
            assert answer.status_code == 403, more


async def test_a_proxy_makes_nobody_somebody_on_this_machine(open_site: Site, client: Client) -> None:
    for header in ("x-forwarded-for", "forwarded", "via", "x-real-ip"):
        async with client(open_site, headers={header: "203.0.113.7"}) as stranger:
            answer = await stranger.get(API)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "passed_on"), header
            assert "server.tokens" in (await stranger.get("/")).text


async def test_a_token_opens_under_any_name_and_a_page_does_not(world: Any, client: Client) -> None:
    world.guarded("  public_url: https://weft.example.com\n")
    async with world.site() as site:
        app = make_app(site, health.routes(site.runtime, Metrics(site.runtime)))
        async with client(site, "viewer", app=app, base_url="http://weft:8787") as scraper:
            assert (await scraper.get("/metrics")).status_code == 200
            assert (await scraper.get(API)).status_code == 200
            shown = await scraper.get(API, headers={"sec-fetch-site": "same-origin"})
            assert shown.json()["error"]["code"] == "wrong_host"
        async with client(site, app=app, base_url="http://weft:8787") as nobody:
            assert (await nobody.get("/")).status_code == 421


async def test_an_old_token_that_is_tried_again_and_again_locks_nobody_out(guarded_site: Site, client: Client) -> None:
    async with client(guarded_site, "weft_of_last_year") as scraper:
        assert [(await scraper.get(API)).status_code for _ in range(15)] == [401] * 15
    async with client(guarded_site, "viewer") as same_address:
        assert (await same_address.get(API)).status_code == 200


UNFIT: list[tuple[str, str, Any]] = [
    ("GET", f"/api/v1/issues/{HUGE}", None),
    ("GET", f"/api/v1/issues?after={HUGE}", None),
    ("GET", f"/api/v1/links?after={HUGE}", None),
    ("GET", f"/api/v1/journal?before={HUGE}", None),
    ("GET", f"/api/v1/journal?link={HUGE}", None),
    ("GET", f"/api/v1/proofs/{HUGE}", None),
    ("GET", f"/issues/{HUGE}", None),
    ("GET", "/api/v1/journal?since=0001-01-01T00:00:00%2B14:00", None),
    ("GET", "/api/v1/journal.csv?key=%00", None),
    ("GET", "/api/v1/issues?text=a%00b", None),
    ("POST", "/api/v1/issues/retry", {"ids": [HUGE]}),
    ("POST", "/api/v1/issues/skip", {"ids": [1], "reason": "a\0b"}),
    ("POST", "/api/v1/issues/edit", {"id": 1, "values": {"phone": "\0"}}),
    ("POST", "/api/v1/links/merge", {"keep": 1, "gone": HUGE}),
    ("POST", "/api/v1/links/add", {"flow": "customers", "pairs": [{"left_key": "\0", "right_key": "1"}]}),
    ("POST", "/api/v1/flows/pause", {"flow": "*", "reason": "x", "until": "9999-12-31T23:59:59-12:00"}),
]


async def test_what_no_state_can_hold_does_not_fit(guarded_site: Site, client: Client) -> None:
    async with client(guarded_site, "operator") as operator:
        for method, path, body in UNFIT:
            answer = await operator.request(method, path, json=body)
            assert answer.status_code == 422, (path, body, answer.text)


async def test_a_full_disk_shuts_nobody_out_and_a_state_that_is_away_is_told(
    guarded_site: Site, client: Client, tokens: dict[str, str], csrf_of: Callable[[str], str], monkeypatch: Any
) -> None:
    async def full(_: Any) -> Any:
        raise StateError("the state weft.db is full")

    async with client(guarded_site) as browser:
        proof = csrf_of((await browser.get("/login")).text)
        await browser.post("/login", data={"token": tokens["viewer"], "csrf": proof})
        guarded_site.runtime.clock.offset += timedelta(minutes=2)
        state = guarded_site.runtime.state
        monkeypatch.setattr(state, "write", full)
        assert (await browser.get("/")).status_code == 200
        monkeypatch.setattr(state, "read", full)
        for path in ("/", API):
            answer = await browser.get(path)
            assert (answer.status_code, "is full" in answer.text) == (503, True), path
            assert answer.headers["x-frame-options"] == "DENY"


async def test_a_form_sent_after_the_session_says_so(
    guarded_site: Site, client: Client, tokens: dict[str, str], csrf_of: Callable[[str], str]
) -> None:
    async with client(guarded_site) as browser:
        proof = csrf_of((await browser.get("/login")).text)
        await browser.post("/login", data={"token": tokens["operator"], "csrf": proof})
        proof = csrf_of((await browser.get("/")).text)
        guarded_site.runtime.clock.offset += timedelta(hours=13)
        answer = await browser.post("/do/flows/pause", data={"flow": "*", "reason": "x", "csrf": proof})
        assert (answer.status_code, "the session has ended; sign in again" in answer.text) == (401, True)
        assert 'href="/login"' in answer.text


async def test_whatever_is_said_fits_a_cookie(open_site: Site, client: Client, csrf_of: Callable[[str], str]) -> None:
    async with client(open_site) as browser:
        proof = csrf_of((await browser.get("/")).text)
        said = await browser.post("/do/flows/resume", data={"flow": "織" * 900, "csrf": proof})
        assert len(said.headers["set-cookie"]) < 4096
        shown = (await browser.get("/")).text
        assert "織" * 100 in shown
        await browser.post("/do/issues/skip", data={"reason": "x", "csrf": proof})
        assert "Choose at least one first" in (await browser.get("/")).text
