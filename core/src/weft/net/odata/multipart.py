"""`multipart/mixed` batches: writing requests and reading answers (OData 4.01 §11.7.7, RFC 2046)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft.net import json as exact_json
from weft.net.response import Response

_DEPTH = 2  # a batch holds changesets, a changeset holds none


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch; `url` is relative to the root, `body` encoded JSON."""

    id: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; header names in lower case, `body` parsed if it is JSON, else bytes, None if empty."""

    id: str | None
    status: int
    headers: Mapping[str, str]
    body: Any


def write(units: Sequence[Part | list[Part]], boundary: str, root: str) -> bytes:
    """The batch body: single requests as they are, lists as changesets. Line ends are CRLF (LF is refused
    by Dataverse), URLs absolute, as F&O and Dataverse both take them."""
    out: list[bytes] = []
    for unit in units:
        out.append(f"--{boundary}\r\n".encode())
        if isinstance(unit, list):
            inner = f"changeset_{uuid.uuid4()}"
            out.append(f"Content-Type: multipart/mixed; boundary={inner}\r\n\r\n".encode())
            for part in unit:
                out.append(f"--{inner}\r\n".encode())
                out.append(_request(part, root))
            out.append(f"--{inner}--\r\n".encode())
        else:
            out.append(_request(unit, root))
    out.append(f"--{boundary}--\r\n".encode())
    return b"".join(out)


def _request(part: Part, root: str) -> bytes:
    head = {"Accept": "application/json", **part.headers}
    if part.body is not None:
        head.setdefault("Content-Type", "application/json")
    for name, value in (*head.items(), ("Content-ID", part.id)):
        if any(c in f"{name}{value}" for c in "\r\n\0"):
            raise ValueError(f"batch item {part.id!r}: header {name!r} holds a line break")
    lines = [
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        f"Content-ID: {part.id}",
        "",
        f"{part.method} {root}/{part.url} HTTP/1.1",
        *(f"{name}: {value}" for name, value in head.items()),
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + (part.body or b"") + b"\r\n"


def read(response: Response) -> list[Answer]:
    """All answers, changesets flattened. Raises BadResponse for a body that is broken or cut short."""
    return _entries(response, response.headers.get("content-type", ""), response.content, _DEPTH)


def _entries(response: Response, content_type: str, body: bytes, depth: int) -> list[Answer]:
    answers: list[Answer] = []
    for headers, content in _split(response, content_type, body):
        kind = headers.get("content-type", "")
        if kind.lower().startswith("multipart/mixed"):
            if depth <= 1:
                raise response.bad("a changeset inside a changeset")
            answers += _entries(response, kind, content, depth - 1)
        else:
            answers.append(_answer(response, headers, content))
    return answers


def _split(response: Response, content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    found = re.search(r'boundary=(?:"([^"]+)"|([^;\s]+))', content_type, re.IGNORECASE)
    if not found:
        raise response.bad("a multipart body without a boundary")
    mark = re.escape((found.group(1) or found.group(2)).encode())
    pieces = re.split(rb"(?:\A|\r?\n)--" + mark + rb"(--)?[ \t]*(?=\r?\n|\Z)", body)
    # pieces: preamble, end flag, part, end flag, part, …; the flag says whether the mark was the last one
    flags, parts = pieces[1::2], pieces[2::2]
    if b"--" not in flags:
        raise response.bad("a multipart body that is cut short")
    return [_head(part.removeprefix(b"\r").removeprefix(b"\n")) for part in parts[: flags.index(b"--")]]


def _head(part: bytes) -> tuple[dict[str, str], bytes]:
    """Split header lines from content; a part may begin with the blank line, having no headers."""
    if part.startswith((b"\r\n", b"\n")):
        return {}, part.lstrip(b"\r").removeprefix(b"\n")
    head, _, content = _cut(part)
    headers: dict[str, str] = {}
    for line in head.splitlines():
        name, _, value = line.partition(b":")
        headers[name.strip().lower().decode("latin-1")] = value.strip().decode("latin-1")
    return headers, content


def _cut(part: bytes) -> tuple[bytes, bytes, bytes]:
    blank = re.search(rb"\r?\n\r?\n", part)
    if blank is None:
        return part, b"", b""
    return part[: blank.start()], blank.group(), part[blank.end() :]


def _answer(response: Response, outer: Mapping[str, str], content: bytes) -> Answer:
    line, _, rest = content.lstrip(b"\r\n").partition(b"\n")
    found = re.match(rb"HTTP/\d(?:\.\d)? (\d{3})", line)
    if not found:
        raise response.bad("a batch part without a status line")
    headers, body = _head(rest)
    number = outer.get("content-id") or headers.get("content-id")
    parsed: Any = body if body.strip() else None
    if body.strip() and "json" in headers.get("content-type", "").lower():
        try:
            parsed = exact_json.loads(body)
        except ValueError as error:
            raise response.bad(f"a batch part with broken JSON ({error})") from error
    return Answer(number, int(found.group(1)), headers, parsed)
