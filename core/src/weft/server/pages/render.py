"""Templates, and what every page shows around its own content."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from weft import __version__
from weft.desk import showing
from weft.desk.action import Role, may
from weft.errors import WeftError
from weft.server.answers import to_sign_in, told
from weft.server.doors import csrf_secret, drop_cookie, set_cookie, visit_cookie
from weft.server.people import Person, csrf_token

if TYPE_CHECKING:
    from weft.server.site import Site

HERE = Path(__file__).parents[1]
STATIC = HERE / "static"
NOTICE = "weft-notice"
COOKIE = 3500
"""Bytes of a value that every browser keeps, with its name and attributes: 4096 in all."""
Page = Callable[[Request, "Site", Person], Awaitable[Response]]

GOOD, CARE, BAD, CALM = "good", "care", "bad", "calm"
TONES = {
    "done": GOOD, "linked": GOOD, "created": GOOD, "updated": GOOD, "proven": GOOD, "adopted": GOOD, "merged": GOOD,
    "running": CALM, "off": CALM, "never ran": CALM, "paused": CALM, "closed": CALM, "skipped": CALM,
    "issues": CARE, "stopped": CARE, "review": CARE, "waiting": CARE, "conflict": CARE, "approval": CARE,
    "ambiguous": CARE, "delete": CARE, "asked": CARE, "left_gone": CARE, "right_gone": CARE, "quarantined": CARE,
    "failed": BAD, "down": BAD, "rejected": BAD, "broken": BAD, "invisible": BAD, "lost": BAD, "config": BAD,
    "not proven": BAD,
}  # fmt: skip
"""The colour of a word; what is not here is calm."""


@cache
def _version(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]


def static(name: str) -> str:
    return f"/static/{name}?v={_version(name)}"


def _when(value: Any) -> str:
    moment = value if isinstance(value, datetime) else None
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment is not None else ""


def _number(value: Any) -> str:
    """Digits in groups, with thin spaces that do not break."""
    if isinstance(value, Decimal):
        return f"{value:,f}".replace(",", "\u202f")
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else str(value)


def _show(value: Any) -> str:
    return showing.show(value, "the API gives all of it")


def _words(text: str) -> str:
    """A sentence without the commands it names: a page has buttons for them."""
    return re.sub(r"[;,:] (?:run |start it with |choose a side with )?weft [a-z].*$", "", text)


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    if value > 3600:
        return "over 1 h"
    return f"≤ {value:g} s" if value < 60 else f"≤ {value / 60:g} min"


def _ago(at: datetime | None, now: datetime) -> str:
    if at is not None and (now - at).total_seconds() < 10:
        return "just now"
    return showing.ago(at, now)


def _login(auth: Mapping[str, Any]) -> str:
    """How a connection is signed in, and for how long."""
    told = [str(auth.get("kind") or "–")]
    left = auth.get("expires_in")
    if left is not None:
        told.append(f"token for {showing.span(float(left))}" if left > 0 else "token expired")
    if auth.get("certificate_ends_soon"):
        told.append(f"certificate ends {str(auth.get('certificate_ends'))[:10]}")
    return ", ".join(told)


def _spark(values: list[int], width: int = 160, height: int = 36) -> Markup:
    """A row of bars as SVG."""
    most = max(values, default=0) or 1
    step = width / max(len(values), 1)
    bars = [
        f'<rect x="{i * step:.2f}" y="{height - max(v * height / most, 2):.2f}" width="{step * 0.72:.2f}" '
        f'height="{max(v * height / most, 2):.2f}" rx="1"/>'
        for i, v in enumerate(values)
        if v
    ]
    base = f'<path d="M0 {height - 0.5}H{width}"/>'
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="spark" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f"{base}{''.join(bars)}</svg>"
    )


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        "when": _when, "number": _number, "show": _show, "words": _words, "seconds": _seconds, "spark": _spark,
        "plain": showing.plain, "span": showing.span, "tone": lambda word: TONES.get(str(word), CALM),
        "label": lambda word: str(word).replace("_", " "),
    }  # fmt: skip
    made.globals |= {"static": static, "version": __version__, "may": may, "token_state": _login}
    return made


def viewing(site: Site, page: Page, role: Role = "viewer") -> Callable[[Request], Awaitable[Response]]:
    """A page for whoever may see it; others are asked to sign in."""

    async def view(request: Request) -> Response:
        person: Person | None = request.scope["weft.person"]
        if person is None:
            return to_sign_in(request)
        try:
            person.need(role)
            return await page(request, site, person)
        except (WeftError, ValidationError) as error:
            return told(request, error, site)

    return view


async def render(request: Request, site: Site, person: Person, template: str, **data: Any) -> Response:
    """A whole page."""
    counts = await site.runtime.state.read(lambda tx: tx.issues.counts())
    kinds: dict[str, int] = {}
    for (_, kind), n in counts.items():
        kinds[kind] = kinds.get(kind, 0) + n
    badges = {
        "issues": sum(kinds.values()) - kinds.get("conflict", 0) - kinds.get("approval", 0),
        "conflicts": kinds.get("conflict", 0),
        "approvals": kinds.get("approval", 0),
    }
    return finished(request, site, template, person=person, badges=badges, **data)


def finished(
    request: Request, site: Site, template: str, status: int = 200, headers: Mapping[str, str] | None = None,
    person: Person | None = None, **data: Any,
) -> Response:  # fmt: skip
    """A page with its forms' proof of origin, and the notice left by what was done before it."""
    now = site.now
    secret, fresh = csrf_secret(request, site, person), False
    if not secret:
        secret, fresh = secrets.token_urlsafe(24), True
    notice = unquote(request.cookies.get(NOTICE, ""))
    more = {"badges": {}, **data}
    text = environment().get_template(template).render(
        request=request, path=request.scope["path"], person=person, csrf=csrf_token(secret), now=now,
        flows=list(site.runtime.config.flows), config=site.runtime.config, ago=lambda at: _ago(at, now),
        query=lambda **changed: _query(request, changed), notice=notice, **more,
    )  # fmt: skip
    response = HTMLResponse(text, status, dict(headers or {}))
    if fresh:
        set_cookie(site, response, visit_cookie(site), secret)
    if notice:
        drop_cookie(site, response, NOTICE)
    return response


def leave_notice(site: Site, response: Response, text: str, *, good: bool = True) -> None:
    """Words that the next page shows."""
    text = text[:600]
    said = quote(text)
    while len(said) > COOKIE:  # letters that take many bytes; a browser drops what is too long without a word
        text = text[: len(text) * 9 // 10]
        said = quote(text)
    set_cookie(site, response, NOTICE, ("+" if good else "-") + said)


def _query(request: Request, changed: Mapping[str, Any]) -> str:
    """The query of this page with some parameters changed; None takes one away."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changed and value]
    return "?" + urlencode(kept + [(name, value) for name, value in changed.items() if value is not None])


def error_page(request: Request, site: Site, status: int, message: str, headers: Mapping[str, str]) -> Response:
    """What went wrong, for a person."""
    person = request.scope.get("weft.person")
    titles = {401: "Who are you?", 403: "Not for you", 404: "Not there", 409: "Not possible", 413: "Too large",
              421: "Wrong address", 422: "That does not fit", 429: "Too many tries", 503: "No state"}  # fmt: skip
    title = titles.get(status, "Something went wrong")
    return finished(request, site, "error.html", status, headers, person, title=title, message=message,
                    sign_in=status == 401)  # fmt: skip
