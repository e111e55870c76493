"""The multipart/mixed form of ``$batch``: application/http parts and nested change sets (RFC 2046)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import NoReturn

from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.parts import SubRequest, SubResponse

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_REQUEST_LINE = re.compile(r"([A-Za-z]+) (\S+) HTTP/1\.[01]")


def parse_multipart(content_type: str, body: bytes) -> list[SubRequest]:
    """Requests in order; those of a change set share ``group`` (its place and boundary, as change sets may share one).
    Raises ODataQueryError(kind="batch")."""
    found: list[SubRequest] = []
    for at, (headers, payload) in enumerate(_parts(content_type, body)):
        kind = headers.get("content-type", "")
        if kind.lower().startswith("multipart/mixed"):
            group = f"{at} {_boundary(kind)}"
            for inner_headers, inner in _parts(kind, payload):
                found.append(_request(inner_headers, inner, group))
        else:
            found.append(_request(headers, payload, None))
    return found


def _bad(what: str) -> NoReturn:
    raise ODataQueryError("batch", f"The batch cannot be read: {what}.", what=what)


def _boundary(content_type: str) -> str:
    match = _BOUNDARY.search(content_type)
    if match is None:
        _bad("the boundary is missing")
    return match[1] or match[2]


def _parts(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    mark = b"--" + re.escape(_boundary(content_type).encode())
    pieces = re.split(rb"(?:^|\r?\n)" + mark + rb"(--)?[ \t]*(?=\r?\n|$)", body)
    # pieces: preamble, end mark or None, part, end mark or None, part, … epilogue
    if len(pieces) < 3 or pieces[-2] != b"--":
        _bad("the closing boundary is missing")
    return [_split(piece) for piece in pieces[2:-1:2]]


def _split(text: bytes) -> tuple[dict[str, str], bytes]:
    text = re.sub(rb"\A\r?\n", b"", text)
    if re.match(rb"\r?\n", text):  # no headers at all
        return {}, re.sub(rb"\A\r?\n", b"", text)
    head, *rest = _BLANK_LINE.split(text, maxsplit=1)
    return _headers(head), rest[0] if rest else b""


def _headers(head: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in head.decode("latin-1").splitlines():
        if line:
            name, colon, value = line.partition(":")
            if not colon:
                _bad(f"'{line}' is no header")
            headers[name.strip().lower()] = value.strip()
    return headers


def _request(outer: dict[str, str], payload: bytes, group: str | None) -> SubRequest:
    if not outer.get("content-type", "").lower().startswith("application/http"):
        _bad("a part is not application/http")
    first, *rest = re.split(rb"\r?\n", payload.lstrip(b"\r\n"), maxsplit=1)
    match = _REQUEST_LINE.fullmatch(first.decode("latin-1").strip())
    if match is None:
        _bad(f"'{first.decode('latin-1')}' is no request line")
    headers, body = _split(b"\r\n" + rest[0]) if rest else ({}, b"")
    return SubRequest(
        id=outer.get("content-id") or headers.get("content-id"),
        method=match[1].upper(),
        url=match[2],
        headers=headers,
        body=body.strip(b"\r\n") if not headers.get("content-length") else body[: int(headers["content-length"])],
        group=group,
    )


def render_multipart(responses: Sequence[SubResponse]) -> tuple[str, bytes]:
    """(content type with boundary, body). Neighbours of one group become a change set."""
    boundary = f"batchresponse_{uuid.uuid4()}"
    out: list[bytes] = []
    at = 0
    while at < len(responses):
        group = responses[at].group
        end = at + 1
        if group is None:
            out.append(_part(boundary, responses[at]))
        else:
            while end < len(responses) and responses[end].group == group:
                end += 1
            inner = f"changesetresponse_{group}"
            out.append(f"--{boundary}\r\nContent-Type: multipart/mixed; boundary={inner}\r\n\r\n".encode())
            out.extend(_part(inner, answer) for answer in responses[at:end])
            out.append(f"--{inner}--\r\n".encode())
        at = end
    out.append(f"--{boundary}--\r\n".encode())
    return f"multipart/mixed; boundary={boundary}", b"".join(out)


def _part(boundary: str, answer: SubResponse) -> bytes:
    lines = [f"--{boundary}", "Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if answer.id is not None:
        lines.append(f"Content-ID: {answer.id}")
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines += ["", f"HTTP/1.1 {answer.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + answer.body + b"\r\n"
