from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from weft.net.auth import Auth, Basic, OAuthClientCredentials
from weft.net.errors import AuthError, NotSent
from weft.net.retry import Retry
from weft.net.secrets import Redactor
from weft.net.session import HttpSession
from weft.net.settings import HttpSettings


def identity(issued, answer=None, lifetime=3600):
    async def token(request):
        form = await request.post()
        issued.append(dict(form))
        if answer is not None:
            return answer()
        return web.json_response(
            {"access_token": f"token-{len(issued)}", "expires_in": lifetime, "token_type": "Bearer"}
        )

    return token


async def test_oauth_token_is_fetched_once_used_and_renewed_ahead(serve, clock):
    issued, used = [], []

    async def data(request):
        used.append(request.headers["Authorization"])
        return web.json_response({})

    url = await serve({"POST /connect/token": identity(issued), "GET /0/odata/x": data})
    auth = OAuthClientCredentials(f"{url}/connect/token", "weft", "s3cret&more", scope="ApplicationAccess", clock=clock)
    async with HttpSession(f"{url}/0/odata", auth=auth, clock=clock, sleep=clock.sleep) as session:
        await asyncio.gather(*(session.request("GET", "x") for _ in range(20)))
        assert used == ["Bearer token-1"] * 20
        assert issued == [
            {
                "grant_type": "client_credentials",
                "client_id": "weft",
                "client_secret": "s3cret&more",
                "scope": "ApplicationAccess",
            }
        ]
        clock.now += 3600 - 301
        await session.request("GET", "x")
        assert len(issued) == 1
        clock.now += 2  # 299 s before expiry
        await session.request("GET", "x")
        assert used[-1] == "Bearer token-2"
        state = session.stats().auth
        assert state["renewals"] == 2
        assert "token-2" not in repr(session.stats())
        assert session.redact("got token-2") == "got ***"


async def test_short_lived_tokens_are_not_renewed_for_every_request(serve, clock):
    issued = []

    async def data(request):
        return web.json_response({})

    url = await serve({"POST /t": identity(issued, lifetime=60), "GET /x": data})
    auth = OAuthClientCredentials(f"{url}/t", "weft", "secret", clock=clock)
    async with HttpSession(url, auth=auth, clock=clock, sleep=clock.sleep) as session:
        await session.request("GET", "x")
        await session.request("GET", "x")
        assert len(issued) == 1
        clock.now += 31
        await session.request("GET", "x")
        assert len(issued) == 2


@pytest.mark.parametrize(
    ("answer", "told", "code"),
    [
        (
            lambda: web.json_response({"error": "invalid_client"}, status=400),
            "refused client weft with 400: invalid_client",
            "invalid_client",
        ),
        (
            lambda: web.Response(text="<html><title>Login</title></html>", content_type="text/html", status=404),
            "404",
            "",
        ),
        (lambda: web.json_response({"access_token": None}), "without an access_token", ""),
    ],
)
async def test_a_refused_client_is_told_without_the_secret(serve, answer, told, code):
    url = await serve({"POST /t": identity([], answer)})
    auth = OAuthClientCredentials(f"{url}/t", "weft", "swordfish")
    async with HttpSession(url, system="crm", auth=auth) as session:
        with pytest.raises(AuthError, match=told) as caught:
            await session.request("GET", "x")
    assert caught.value.code == code
    assert "swordfish" not in str(caught.value)


async def test_identity_service_away_means_nothing_was_sent(serve, clock):
    url = await serve({})
    auth = OAuthClientCredentials("http://127.0.0.1:1/t", "weft", "secret")
    settings = HttpSettings(retry=Retry(attempts=2))
    async with HttpSession(url, auth=auth, settings=settings, clock=clock, sleep=clock.sleep) as session:
        with pytest.raises(NotSent):
            await session.request("POST", "x", json={})


async def test_basic(serve):
    async def data(request):
        return web.json_response({}, status=200 if request.headers["Authorization"] == "Basic w7w6cMOkw58=" else 401)

    url = await serve({"GET /x": data})
    async with HttpSession(url, auth=Basic("ü", "päß")) as session:
        assert (await session.request("GET", "x")).status == 200
    redact = Redactor()
    async with HttpSession(url, system="nav", auth=Basic("tess", "wrong"), redactor=redact) as session:
        with pytest.raises(AuthError, match="nav: user tess was refused"):
            await session.request("GET", "x")
    assert redact("wrong dGVzczp3cm9uZw==") == "*** ***"
    with pytest.raises(ValueError, match="colon"):
        Basic("a:b", "c")


class FormsLogin(Auth):
    """A login page of the kind that answers with cookies and a token to repeat in a header."""

    uses_cookies = True

    def __init__(self):
        self.csrf = ""
        self.logins = 0

    def ready(self):
        return bool(self.csrf)

    def apply(self, request):
        request.headers["BPMCSRF"] = self.csrf

    def rejected(self, response):
        return response.status in (401, 302) or response.is_html

    async def renew(self, session):
        session.client.cookies.clear()
        answer = await session.bare("POST", "login", json={"UserName": "tess", "UserPassword": "pw"})
        if answer.json()["Code"] != 0:
            raise AuthError(answer.json()["Message"])
        self.csrf = session.client.cookies["BPMCSRF"]
        self.logins += 1


async def test_a_forms_login_fits_the_seam(serve):
    sessions = []

    async def login(request):
        assert "Cookie" not in request.headers
        sessions.append(f"s{len(sessions)}")
        answer = web.json_response({"Code": 0})
        answer.set_cookie("BPMCSRF", f"csrf-{sessions[-1]}")
        answer.set_cookie(".ASPXAUTH", sessions[-1], httponly=True)
        return answer

    async def data(request):
        if request.cookies.get(".ASPXAUTH") != sessions[-1] or request.headers["BPMCSRF"] != f"csrf-{sessions[-1]}":
            return web.Response(status=302, headers={"Location": "/Login/NuiLogin.aspx"})
        return web.json_response({"user": sessions[-1]})

    url = await serve({"POST /login": login, "POST /x": data})
    auth = FormsLogin()
    async with HttpSession(url, auth=auth) as session:
        assert (await session.request("POST", "x")).json() == {"user": "s0"}
        sessions.append("elsewhere")  # the session is taken over, ours expires
        answers = await asyncio.gather(*(session.request("POST", "x", json={}) for _ in range(10)))
        assert {a.json()["user"] for a in answers} == {"s2"}
        assert auth.logins == 2


async def test_cookies_are_dropped_unless_wanted(serve):
    async def data(request):
        assert "Cookie" not in request.headers
        answer = web.json_response({})
        answer.set_cookie("ARRAffinity", "x")
        return answer

    url = await serve({"GET /x": data})
    async with HttpSession(url) as session:
        for _ in range(2):
            assert (await session.request("GET", "x")).status == 200
