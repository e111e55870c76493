"""Forms login, CSRF, session expiry and OAuth."""

from __future__ import annotations

import pytest

LOGIN = "/ServiceModel/AuthService.svc/Login"
GOOD = {"UserName": "Supervisor", "UserPassword": "Supervisor"}


async def signed_in(http):
    answer = await http.post(LOGIN, json=GOOD, headers={"ForceUseSession": "true"})
    assert answer.json()["Code"] == 0
    return {"BPMCSRF": http.cookies["BPMCSRF"], "ForceUseSession": "true"}


async def test_login_sets_the_cookies_creatio_sets(site):
    async with site.anonymous() as http:
        answer = await http.post(LOGIN, json=GOOD)
        assert answer.status_code == 200
        assert answer.json() == {
            "Code": 0, "Message": "", "Exception": None, "PasswordChangeUrl": None, "RedirectUrl": None,
        }  # fmt: skip
        assert {"BPMLOADER", ".ASPXAUTH", "BPMCSRF", "UserName"} <= set(http.cookies)
        assert http.cookies["UserName"].strip('"').startswith("83|117|112")
        cookies = answer.headers.get_list("set-cookie")
        csrf = next(c for c in cookies if c.startswith("BPMCSRF"))
        loader = next(c for c in cookies if c.startswith("BPMLOADER"))
        assert "HttpOnly" not in csrf
        assert "HttpOnly" in loader


async def test_session_id_comes_with_the_first_call(site):
    async with site.anonymous() as http:
        headers = await signed_in(http)
        assert "BPMSESSIONID" not in http.cookies
        await http.get("/0/odata/Account?$top=1", headers=headers)
        assert "BPMSESSIONID" in http.cookies


async def test_bad_password_is_a_200_with_code_1(site):
    async with site.anonymous() as http:
        answer = await http.post(LOGIN, json={**GOOD, "UserPassword": "wrong"})
        assert answer.status_code == 200
        assert answer.json()["Code"] == 1
        assert answer.json()["Exception"]["Message"]
        assert not http.cookies


async def test_wrong_service_method_is_403_and_login_under_0_is_401(site):
    async with site.anonymous() as http:
        assert (await http.post("/ServiceModel/AuthService.svc/Nothing", json=GOOD)).status_code == 403
        assert (await http.post(f"/0{LOGIN}", json=GOOD)).status_code == 401


@pytest.mark.parametrize("csrf", [None, "0123456789a"])
async def test_missing_or_wrong_csrf_is_403(site, csrf):
    async with site.anonymous() as http:
        headers = await signed_in(http)
        headers.pop("BPMCSRF")
        if csrf:
            headers["BPMCSRF"] = csrf
        for method in ("GET", "POST"):
            answer = await http.request(method, "/0/odata/Account", headers=headers)
            assert answer.status_code == 403


async def test_get_without_csrf_when_the_site_allows_it(serve_site):
    site = await serve_site(csrf_on_get=False)
    async with site.anonymous() as http:
        await signed_in(http)
        assert (await http.get("/0/odata/Account?$top=1")).status_code == 200
        assert (await http.post("/0/odata/Account", json={"Name": "x"})).status_code == 403


async def test_unauthenticated_is_302_to_the_login_page_or_401(site):
    async with site.anonymous() as http:
        answer = await http.get("/0/odata/Account")
        assert answer.status_code == 302
        assert answer.headers["location"].startswith("/Login/NuiLogin.aspx?ReturnUrl=")
        page = await http.get("/0/odata/Account", follow_redirects=True)
        assert page.status_code == 200
        assert "bootstrap.login" in page.text
        forced = await http.get("/0/odata/Account", headers={"ForceUseSession": "true"})
        assert forced.status_code == 401
        assert forced.json() == {"Message": "Authorization has been denied for this request."}
        service = "/0/ServiceModel/WorkspaceExplorerService.svc/RunODataBuild"
        answer = await http.post(service, headers={"ForceUseSession": "true"})
        assert answer.status_code == 401
        assert answer.json()["Message"] == "Authentication failed."


async def test_idle_session_ends_after_the_timeout_of_the_setting(site):
    async with site.anonymous() as http:
        headers = await signed_in(http)
        for _ in range(3):
            site.sim.clock.advance(59 * 60)
            assert (await http.get("/0/odata/Account?$top=1", headers=headers)).status_code == 200
        site.sim.clock.advance(61 * 60)
        assert (await http.get("/0/odata/Account?$top=1", headers=headers)).status_code == 401


async def test_token_expires_and_bad_client_is_400(site):
    form = {"grant_type": "client_credentials", "client_id": "weft-client", "client_secret": "wrong"}
    answer = await site.http.post(f"{site.url}/connect/token", data=form)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_client"})
    assert (await site.call("GET", "Account?$top=1")).status_code == 200
    site.sim.clock.advance(3601)
    assert (await site.call("GET", "Account?$top=1")).status_code == 401


async def test_expire_tokens_ends_sessions_and_tokens(site):
    site.sim.expire_tokens()
    assert (await site.call("GET", "Account?$top=1")).status_code == 401


async def test_core_serves_odata_at_the_root(serve_site):
    site = await serve_site(runtime="core")
    assert site.root.endswith("/odata")
    assert "/0/" not in site.root
    assert (await site.get("Account", top="1"))["value"]
    async with site.anonymous() as http:
        assert (await http.get("/0/odata/Account")).status_code == 404
        answer = await http.get("/odata/Account")
        assert answer.headers["location"].startswith("/Login/Login.html")
        assert (await http.get("/api/HealthCheck/Ping")).status_code == 200
