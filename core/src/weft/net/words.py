"""The system's own words in an error answer, whatever shape they come in.

Known shapes: OData `{"error":{"code","message","innererror":{…}}}`, Web API
`{"Message","MessageDetail"|"ExceptionMessage"}`, OAuth `{"error","error_description"}`, OData v3
`{"odata.error":{"code","message":{"value"}}}`, HTML pages (their title or heading), plain text, nothing.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

from weft.net import json as exact_json
from weft.net.response import Response

_TITLE = re.compile(r"(?is)<(title|h1|h2)[^>]*>(.*?)</\1>")
_TAGS = re.compile(r"(?s)<(script|style)\b.*?</\1>|<[^>]+>")
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Words:
    """`inner` holds the nested messages, outermost first, each once; `target` a field if one is named."""

    message: str = ""
    code: str = ""
    inner: tuple[str, ...] = ()
    target: str = ""

    def __str__(self) -> str:
        parts: list[str] = []
        for text in (self.message, *self.inner):
            if text and not any(text in earlier for earlier in parts):
                parts.append(text)
        told = " | ".join(parts)
        return f"{self.code}: {told}" if self.code and told else self.code or told


def explain(response: Response) -> Words:
    """Read an error answer; never raises."""
    body = response.content.strip()
    if not body:
        return Words()
    if body[:1] == b"{" or body[:4] == b"\xef\xbb\xbf{":
        try:
            document = exact_json.loads(body.removeprefix(b"\xef\xbb\xbf"))
        except ValueError:
            return Words(message=response.excerpt())
        if isinstance(document, dict):
            return explain_document(document) or Words(message=response.excerpt())
    if response.is_html:
        return Words(message=_html_words(response.text))
    return Words(message=response.excerpt(500))


def explain_document(document: dict[str, Any]) -> Words | None:
    """Words of a parsed error body, or None if it has no known shape."""
    error = document.get("error", document.get("odata.error"))
    if isinstance(error, dict):
        return _odata(error)
    if isinstance(error, str):
        return Words(message=_text(document.get("error_description")), code=error)
    if any(key in document for key in ("Message", "ExceptionMessage", "message")):
        inner = [_text(document.get("MessageDetail")), _text(document.get("ExceptionMessage"))]
        nested = document.get("InnerException")
        while isinstance(nested, dict):
            inner.append(_text(nested.get("ExceptionMessage")) or _text(nested.get("Message")))
            nested = nested.get("InnerException")
        return Words(
            message=_text(document.get("Message")) or _text(document.get("message")),
            code=_text(document.get("code")),
            inner=_distinct(inner),
        )
    return None


def _odata(error: dict[str, Any]) -> Words:
    inner: list[str] = []
    for detail in error.get("details") or ():
        if isinstance(detail, dict):
            inner.append(_text(detail.get("message")))
    nested = error.get("innererror") or error.get("innerError")
    depth = 0
    while isinstance(nested, dict) and depth < 20:
        inner.append(_text(nested.get("message")))
        nested = nested.get("internalexception") or nested.get("innererror") or nested.get("innerError")
        depth += 1
    return Words(
        message=_text(error.get("message")),
        code=_text(error.get("code")),
        inner=_distinct(inner),
        target=_text(error.get("target")),
    )


def _text(value: Any) -> str:
    if isinstance(value, dict):  # v3: {"lang": "en-US", "value": "…"}
        value = value.get("value")
    if value is None or isinstance(value, (dict, list)):
        return ""
    text = str(value).strip()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _distinct(texts: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _html_words(page: str) -> str:
    page = page[:20_000]
    heads = [" ".join(html.unescape(_TAGS.sub(" ", m.group(2))).split()) for m in _TITLE.finditer(page)]
    told = " | ".join(dict.fromkeys(h for h in heads if h))
    return (told or " ".join(html.unescape(_TAGS.sub(" ", page)).split()))[:300]
