"""Forms login: cookies and the BPMCSRF header.

A session that ended shows as 401 or, where ForceUseSession is not honoured, as a redirect to the login
page or that page itself; a stale BPMCSRF as 403. Each makes the HTTP session sign in again once and
replay the request once; a 403 that outlives this is about rights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from weft.net.auth import Auth
from weft.net.errors import AuthError
from weft.net.response import Response
from weft.net.secrets import Redactor, Secret
from weft.net.session import HttpSession


class FormsLogin(Auth):
    """`login_url`: ``{site}/ServiceModel/AuthService.svc/Login``, never under /0."""

    uses_cookies = True

    def __init__(self, login_url: str, user: str, password: Secret) -> None:
        self._url = login_url
        self._host = httpx.URL(login_url).host
        self._user = user
        self._password = password
        self._csrf: str | None = None
        self._logins = 0
        self._redactor: Redactor | None = None

    def bind(self, redactor: Redactor) -> None:
        self._redactor = redactor
        redactor.add_login(self._user, self._password)

    def ready(self) -> bool:
        return self._csrf is not None

    def apply(self, request: httpx.Request) -> None:
        request.headers["ForceUseSession"] = "true"
        if self._csrf:
            request.headers["BPMCSRF"] = self._csrf

    def rejected(self, response: Response) -> bool:
        if response.status in (401, 403, 301, 302, 303, 307):
            return True
        # No service weft calls answers with a page: whoever did so has not processed the request.
        return response.status == 200 and response.is_html

    async def renew(self, session: HttpSession) -> None:
        session.client.cookies.clear()
        body = {"UserName": self._user, "UserPassword": self._password.reveal()}
        headers = {"ForceUseSession": "true", "Accept": "application/json"}
        response = await session.bare("POST", self._url, json=body, headers=headers)
        system = session.system or "creatio"
        if response.status == 403:
            raise AuthError(f"{system}: {self._host} refused the login call itself (403): is the address right?")
        if not response.ok:
            raise AuthError(f"{system}: {self._host} answered the login with {response.status}: {response.excerpt()}")
        answer = response.json()
        if not isinstance(answer, dict) or answer.get("Code") != 0:
            raise AuthError(response.redact(f"{system}: {self._refusal(answer)}"), status=200)
        tokens = [cookie.value for cookie in session.client.cookies.jar if cookie.name == "BPMCSRF"]
        self._csrf = tokens[0] if tokens and tokens[0] else ""
        self._logins += 1
        if self._redactor is not None:
            for cookie in session.client.cookies.jar:
                if cookie.name in ("BPMCSRF", ".ASPXAUTH", "BPMLOADER") and cookie.value:
                    self._redactor.add(cookie.value)

    def _refusal(self, answer: Any) -> str:
        words = ""
        if isinstance(answer, dict):
            exception = answer.get("Exception")
            inner = exception.get("Message") if isinstance(exception, dict) else None
            words = str(answer.get("Message") or inner or "")
            if answer.get("PasswordChangeUrl"):
                words = (words + " the password has expired and must be changed").strip()
            words = words or f"Code {answer.get('Code')}"
        return f"{self._host} refused the user {self._user}: {words or 'an answer without a Code'}"

    def state(self) -> Mapping[str, Any]:
        return {"kind": "forms", "user": self._user, "logins": self._logins}
