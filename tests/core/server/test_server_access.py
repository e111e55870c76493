"""Who is let in, and what is refused: wrong, expired and weak tokens, forged and cross-site requests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from weft.config.loading import InvalidConfig, load_text
from weft.errors import ConfigError
from weft.server.app import make_app, make_control
from weft.server.people import SHORTEST, Tokens, hash_of, make_token
from weft.server.site import Site

Client = Callable[..., httpx.AsyncClient]
API = "/api/v1/status"
PAUSE = "/api/v1/flows/pause"
BODY = {"flow": "customers", "reason": "test"}
START = "connections: {crm: {kind: a}, erp: {kind: b}}\nflows: {}\n"


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("{enabled: true, listen: 0.0.0.0:8787}", "other machines reach 0.0.0.0:8787: name who may use it"),
        ("{enabled: true, listen: 9000}", "server.listen: write an address and a port, such as `127.0.0.1:9000`"),
        ("{enabled: true, public_url: https://weft.example.com}", "other machines reach https://weft.example.com"),
        ("{enabled: true, listen: '[::]:80', tokens: [{name: a, hash: 'sha256:X'}]}", "64 hexadecimal digits"),
        ("{enabled: true, tokens: [{name: a}]}", "give either `hash` or `token`"),
        ("{enabled: true, listen: localhost}", "write an address and a port"),
        ("{enabled: true, public_url: weft.example.com}", "write scheme and host"),
        ("{enabled: true, tokens: [{name: a, token: b}, {name: a, token: c}]}", "the name 'a' stands twice"),
        ("{enabled: true, tokens: [{name: a, role: root, token: b}]}", "viewer"),
    ],
)
def test_a_configuration_that_lets_strangers_in_is_refused(server: str, words: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load_text(f"{START}server: {server}\n")
    assert words in str(caught.value)
    assert "weft.yaml:3" in str(caught.value)


def test_tokens_in_clear_text_on_the_network_are_refused() -> None:
    tokens = f"tokens: [{{name: a, hash: '{hash_of(make_token())}'}}]"
    with pytest.raises(InvalidConfig, match="would carry tokens in clear"):
        load_text(f"{START}server: {{enabled: true, listen: 0.0.0.0:8787, {tokens}}}\n")
    load_text(f"{START}server: {{enabled: true, listen: 0.0.0.0:8787, public_url: https://w.example, {tokens}}}\n")
    load_text(f"{START}server: {{enabled: true, dashboard: false, listen: 0.0.0.0:8787}}\n")


def test_a_token_given_as_a_secret_is_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    from weft.net.secrets import Redactor

    config = load_text(f"{START}server: {{tokens: [{{name: a, token: '${{env:WEFT_T}}'}}]}}\n")
    monkeypatch.setenv("WEFT_T", "short")
    with pytest.raises(ConfigError, match=f"shorter than {SHORTEST} characters"):
        Tokens.of(config, Redactor())
    token = make_token()
    monkeypatch.setenv("WEFT_T", token)
    redactor = Redactor()
    assert Tokens.of(config, redactor).verify(token, datetime.now(UTC)).name == "a"
    assert token not in redactor(f"it was {token}")


async def test_roles_reach_as_far_as_they_say(guarded_site: Site, client: Client) -> None:
    async with client(guarded_site) as nobody:
        answer = await nobody.get(API)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "no_token")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert (await nobody.post(PAUSE, json=BODY)).status_code == 403
        page = await nobody.get("/issues?kind=failed")
        assert (page.status_code, page.headers["location"]) == (303, "/login?next=/issues%3Fkind%3Dfailed")
    async with client(guarded_site, "viewer") as viewer:
        assert (await viewer.get(API)).status_code == 200
        refused = await viewer.post(PAUSE, json=BODY)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "wrong_role")
        assert "takes the role operator; viewer is viewer" in refused.json()["error"]["message"]
        assert (await viewer.get("/access")).status_code == 403
        assert "Run now" not in (await viewer.get("/")).text
    async with client(guarded_site, "operator") as operator:
        assert (await operator.post(PAUSE, json=BODY)).status_code == 200
    async with client(guarded_site, "admin") as admin:
        assert (await admin.get("/access")).status_code == 200


async def test_a_token_expires(world: Any, client: Client, tokens: dict[str, str]) -> None:
    world.guarded()
    world.config = world.config.replace("role: viewer,", "role: viewer, expires: 2024-05-01,")
    async with world.site() as site, client(site, "viewer") as late:
        answer = await late.get(API)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "expired_token")
        assert "expired on 2024-05-01" in answer.json()["error"]["message"]


async def test_failed_tries_are_slowed_down(guarded_site: Site, client: Client) -> None:
    async with client(guarded_site) as guesser:
        guesses = [{"Authorization": f"Bearer weft_{number}"} for number in range(12)]
        answers = [(await guesser.get(API, headers=guess)).status_code for guess in guesses]
        assert answers == [401] * 10 + [429] * 2
        slow = await guesser.get(API, headers=guesses[0])
        assert 0 < int(slow.headers["retry-after"]) <= 300
    async with client(guarded_site, "viewer") as same_address:
        assert (await same_address.get(API)).status_code == 429
    guarded_site.runtime.clock.offset += timedelta(minutes=6)
    async with client(guarded_site, "viewer") as later:
        assert (await later.get(API)).status_code == 200


async def sign_in(browser: httpx.AsyncClient, token: str, csrf_of: Callable[[str], str]) -> httpx.Response:
    proof = csrf_of((await browser.get("/login")).text)
    return await browser.post("/login", data={"token": token, "csrf": proof, "next": "/issues"})


async def test_signing_in_and_out(
    guarded_site: Site, client: Client, tokens: dict[str, str], csrf_of: Callable[[str], str]
) -> None:
    async with client(guarded_site) as browser:
        wrong = await sign_in(browser, "weft_guess", csrf_of)
        assert wrong.status_code == 401
        assert "not known here" in wrong.text
        done = await sign_in(browser, tokens["operator"], csrf_of)
        assert (done.status_code, done.headers["location"]) == (303, "/issues")
        cookie = next(c for c in done.headers.get_list("set-cookie") if c.startswith("weft="))
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert tokens["operator"] not in cookie
        page = await browser.get("/")
        assert page.status_code == 200
        proof = csrf_of(page.text)
        forged = await browser.post("/do/flows/pause", data={**BODY, "next": "/"})
        assert forged.status_code == 403
        assert (await browser.post(PAUSE, json=BODY)).status_code == 403
        assert (await browser.post(PAUSE, json=BODY, headers={"x-csrf-token": proof})).status_code == 200
        led = await browser.post(
            "/do/flows/resume", data={"flow": "customers", "csrf": proof, "next": "//evil.example"}
        )
        assert (led.status_code, led.headers["location"]) == (303, "/")
        assert "Resumed" in (await browser.get("/")).text
        kept = dict(browser.cookies)
        await browser.post("/logout", data={"csrf": proof})
        browser.cookies.update(kept)
        assert (await browser.get("/")).status_code == 303
        assert (await browser.get(API)).json()["error"]["code"] == "ended_session"


async def test_sessions_end_with_time_by_an_admin_and_with_the_token(
    guarded_site: Site, client: Client, tokens: dict[str, str], csrf_of: Callable[[str], str]
) -> None:
    async with client(guarded_site) as browser, client(guarded_site) as admin:
        await sign_in(browser, tokens["viewer"], csrf_of)
        await sign_in(admin, tokens["admin"], csrf_of)
        proof = csrf_of((await admin.get("/access")).text)
        await admin.post("/access/end", data={"token": "viewer", "csrf": proof})
        assert (await browser.get(API)).status_code == 401
        await sign_in(browser, tokens["viewer"], csrf_of)
        assert (await browser.post("/access/end", data={"token": "admin", "csrf": proof})).status_code == 403
        guarded_site.runtime.clock.offset += timedelta(hours=13)
        assert (await browser.get(API)).status_code == 401
        guarded_site.runtime.clock.offset -= timedelta(hours=13)
        assert (await browser.get(API)).status_code == 200
        [session] = [s for s in await guarded_site.runtime.state.read(lambda tx: tx.sessions.all(guarded_site.now))
                     if s.token == "viewer"]  # fmt: skip
        assert session.id not in str(dict(browser.cookies))
        # The same name with another token: what was signed in with the old one is over.
        changed = [t for t in guarded_site.tokens if t.name != "viewer"]
        guarded_site.tokens._tokens = tuple(changed)
        assert (await browser.get(API)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://127.0.0.1:9999"},
    ],
)
async def test_requests_from_other_sites_are_refused(
    open_site: Site, client: Client, csrf_of: Callable[[str], str], headers: dict[str, str]
) -> None:
    async with client(open_site) as browser:
        proof = csrf_of((await browser.get("/")).text)
        answer = await browser.post(PAUSE, json=BODY, headers={**headers, "x-csrf-token": proof})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site")
        own = {"origin": "http://127.0.0.1:8787", "sec-fetch-site": "same-origin", "x-csrf-token": proof}
        assert (await browser.post(PAUSE, json=BODY, headers=own)).status_code == 200


async def test_a_name_led_to_this_machine_is_refused(open_site: Site, client: Client) -> None:
    for host, status in (("evil.example:8787", 421), ("", 421), ("localhost:8787", 200), ("[::1]:8787", 200)):
        async with client(open_site) as browser:
            assert (await browser.get(API, headers={"host": host})).status_code == status, host


async def test_every_unsafe_route_wants_proof_of_where_it_comes_from(open_site: Site, client: Client) -> None:
    from weft.server import api, pages

    unsafe = [
        route.path
        for route in (*api.routes(open_site), *pages.routes(open_site))
        if set(getattr(route, "methods", None) or ()) & {"POST", "PUT", "PATCH", "DELETE"}
    ]
    assert len(unsafe) > 30
    async with client(open_site) as browser:
        await browser.get("/")
        for path in unsafe:
            assert (await browser.post(path, data={"csrf": "0" * 64})).status_code == 403, path
            assert (await browser.post(path, json={})).status_code == 403, path


async def test_bodies_are_limited(guarded_site: Site, client: Client) -> None:
    async def slowly() -> Any:
        for _ in range(40):
            yield b"x" * 65536

    json_headers = {"content-type": "application/json"}
    async with client(guarded_site, "operator") as operator:
        told = await operator.post(PAUSE, content=b"x" * (1 << 20 | 1), headers=json_headers)
        assert (told.status_code, told.json()["error"]["code"]) == (413, "too_large")
        untold = await operator.post(PAUSE, content=slowly(), headers=json_headers)
        assert untold.status_code == 413
        hook = await operator.post("/hooks/erp/secret", content=slowly())
        assert hook.status_code in (404, 413)


async def test_every_answer_carries_the_headers_that_protect(guarded_site: Site, client: Client) -> None:
    async with client(guarded_site) as browser:
        for path in ("/login", "/", API, "/static/weft.css", "/nothing"):
            headers = (await browser.get(path)).headers
            policy = headers["content-security-policy"]
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert "strict-transport-security" not in headers
        assert (await browser.get("/login")).headers["cache-control"] == "no-store"


async def test_behind_https_cookies_are_bound_to_it(
    world: Any, client: Client, tokens: dict[str, str], csrf_of: Callable[[str], str]
) -> None:
    world.guarded("  public_url: https://weft.example.com\n")
    async with world.site() as site, client(site, base_url="https://weft.example.com") as browser:
        done = await sign_in(browser, tokens["viewer"], csrf_of)
        cookie = next(c for c in done.headers.get_list("set-cookie") if c.startswith("__Host-weft="))
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
        assert "max-age=31536000" in done.headers["strict-transport-security"]
        assert (await browser.get("/")).status_code == 200


async def test_the_control_socket_needs_no_token(guarded_site: Site, client: Client) -> None:
    async with client(guarded_site, app=make_control(guarded_site), headers={"x-weft-user": "ann"}) as terminal:
        assert (await terminal.post(PAUSE, json=BODY)).status_code == 200
        seen = (await terminal.get(API)).json()
        assert seen["flows"][0]["pause"]["by"] == "ann"
    async with client(guarded_site, app=make_app(guarded_site), headers={"x-weft-user": "ann"}) as stranger:
        assert (await stranger.get(API)).status_code == 401


async def test_what_is_stored_cannot_become_script(open_site: Site, client: Client) -> None:
    async with client(open_site) as browser:
        for path in ("/", "/issues", "/issues?view=list", "/journal"):
            text = (await browser.get(path)).text
            assert "<b>AG</b>" not in text
            assert "style=" not in text
            assert " onclick" not in text
