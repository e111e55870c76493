"""`$batch`: many requests in one, each with its own result.

`send_batch` returns one `Result` per item, in the items' order, and raises only when nothing is known
about any of them:

- `NotSent`, `EndpointDown`, `Throttled`: nothing ran, the batch may be repeated;
- `BatchRejected`: refused as a whole; its `ran` is False for a 4xx (nothing ran), None for a 5xx;
- `MaybeSent`: the answer was lost or is unreadable; every write in it is in doubt.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from weft.net import json as exact_json
from weft.net.errors import BadResponse, MaybeSent, place
from weft.net.limiter import Lane
from weft.net.odata import multipart
from weft.net.odata.client import ODataClient
from weft.net.odata.errors import BatchRejected, ODataError, odata_error
from weft.net.response import Response
from weft.net.retry import IDEMPOTENT

State = Literal["done", "failed", "not_run", "unknown"]


@dataclass(frozen=True, slots=True)
class Item:
    """One request. `url` is relative to the root (see `ODataClient.relative`), `id` unique in the batch.

    Items that stand together and share a `group` form a changeset, run as one transaction where the
    system does so.
    """

    id: str
    method: str
    url: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one item.

    `done`: 2xx. `failed`: `error` tells. `not_run`: the batch stopped before it, its changeset was
    undone, or what it depends on failed (424). `unknown`: the answer is silent about it, so a write
    is in doubt.
    """

    id: str
    state: State
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    error: ODataError | None = None


async def send_batch(
    client: ODataClient,
    items: Sequence[Item],
    *,
    form: Literal["json", "multipart"] = "json",
    prefer: str | None = None,
    headers: Mapping[str, str] | None = None,
    lane: Lane = "bulk",
) -> list[Result]:
    """Send the items as one batch; see the module for what is raised.

    `prefer` is the Prefer header: with `odata.continue-on-error` (v4) or `continue-on-error` (older
    services) a failure does not stop the rest. The batch is repeated on a lost answer only if it is
    reads throughout.
    """
    _check(items)
    if not items:
        return []
    sent = {**(headers or {}), **({"Prefer": prefer} if prefer else {})}
    if form == "json":
        content = _json_request(items)
        sent |= {"Content-Type": "application/json", "Accept": "application/json"}
    else:
        boundary = f"batch_{uuid.uuid4()}"
        content = multipart.write(_parts(items), boundary, client.root)
        sent |= {"Content-Type": f"multipart/mixed; boundary={boundary}"}
        sent.setdefault("Accept", "multipart/mixed")
    reads_only = all(item.method.upper() in IDEMPOTENT for item in items)
    url = f"{client.root}/$batch"
    try:
        response = await client.send("POST", url, content=content, headers=sent, idempotent=reads_only, lane=lane)
        answers = _read(response)
    except BadResponse as error:  # also TooLarge: it ran, but the results are lost
        raise _in_doubt(error) from error
    except ODataError as error:
        raise _rejected(error) from error
    return _match(items, answers, response, continues="continue-on-error" in (prefer or ""))


def _check(items: Sequence[Item]) -> None:
    seen: set[str] = set()
    closed: set[str] = set()
    previous: str | None = None
    for item in items:
        if not item.id or item.id in seen or not item.id.isprintable():
            raise ValueError(f"batch item id {item.id!r} is empty, unprintable or used twice")
        seen.add(item.id)
        if item.group != previous and previous is not None:
            closed.add(previous)
        if item.group in closed:
            raise ValueError(f"items of group {item.group!r} do not stand together")
        if item.group is not None and item.method.upper() in IDEMPOTENT:
            raise ValueError(f"item {item.id!r}: a changeset holds no {item.method.upper()}")
        if urlsplit(item.url).scheme or item.url.startswith("//") or any(c in item.url for c in " \r\n\t"):
            raise ValueError(f"item {item.id!r}: the url must be relative to the root and percent-encoded")
        previous = item.group


def _json_request(items: Iterable[Item]) -> bytes:
    requests = []
    for item in items:
        request: dict[str, Any] = {"method": item.method.upper(), "id": item.id, "url": item.url}
        if item.group is not None:
            request["atomicityGroup"] = item.group
        head = dict(item.headers)
        if item.body is not None:
            head.setdefault("Content-Type", "application/json")
            request["body"] = item.body
        request["headers"] = head
        requests.append(request)
    return exact_json.dumps({"requests": requests})


def _parts(items: Sequence[Item]) -> list[multipart.Part | list[multipart.Part]]:
    units: list[multipart.Part | list[multipart.Part]] = []
    group: str | None = None
    for item in items:
        body = None if item.body is None else exact_json.dumps(item.body)
        part = multipart.Part(item.id, item.method.upper(), item.url, dict(item.headers), body)
        last = units[-1] if units else None
        if item.group is None:
            units.append(part)
        elif item.group == group and isinstance(last, list):
            last.append(part)
        else:
            units.append([part])
        group = item.group
    return units


def _read(response: Response) -> list[multipart.Answer]:
    if response.content_type == "multipart/mixed":
        return multipart.read(response)
    document = response.json()
    entries = document.get("responses") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise response.bad("neither multipart nor a list of responses")
    answers = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("status"), int):
            raise response.bad("a batch response without a status")
        number = entry.get("id")
        head = {str(k).lower(): str(v) for k, v in (entry.get("headers") or {}).items()}
        answers.append(
            multipart.Answer(None if number is None else str(number), entry["status"], head, entry.get("body"))
        )
    return answers


def _match(
    items: Sequence[Item], answers: list[multipart.Answer], response: Response, *, continues: bool
) -> list[Result]:
    by_id = {answer.id: answer for answer in answers if answer.id is not None}
    if len(by_id) != sum(answer.id is not None for answer in answers):
        raise _unreadable(response, "two answers with the same id")
    strangers = set(by_id) - {item.id for item in items}
    if strangers:
        raise _unreadable(response, f"an answer to an id that was not asked: {sorted(strangers)[0]}")
    # answers without an id come in the order of what was asked (OData 4.01 §11.7.2, multipart)
    unnamed = iter([answer for answer in answers if answer.id is None])
    results: list[Result] = []
    stopped = False
    failed_groups = {item.group for item in items if item.id in by_id and by_id[item.id].status >= 400 and item.group}
    for item in items:
        answer = by_id.get(item.id)
        undone = answer is None and item.group is not None and item.group in failed_groups
        if answer is None and not undone:
            answer = next(unnamed, None)
            if answer is not None and answer.status >= 400 and item.group:
                failed_groups.add(item.group)
        if answer is None:
            # silence is explained by an earlier failure that stops the batch, or undoes the changeset
            results.append(Result(item.id, "not_run" if undone or (stopped and not continues) else "unknown"))
            continue
        results.append(_result(item, answer, response))
        stopped = stopped or answer.status >= 400
    return results


def _result(item: Item, answer: multipart.Answer, response: Response) -> Result:
    if answer.status < 400:
        return Result(item.id, "done", answer.status, answer.headers, answer.body)
    content = answer.body if isinstance(answer.body, bytes) else b""
    if answer.body is not None and not isinstance(answer.body, bytes):
        content = answer.body.encode() if isinstance(answer.body, str) else exact_json.dumps(answer.body)
    inner = Response(
        status=answer.status,
        headers=httpx.Headers(dict(answer.headers)),
        content=content,
        method=item.method.upper(),
        url=f"{response.url.rpartition('/')[0]}/{item.url}",
        request_id=response.request_id,
        system=response.system,
        redact=response.redact,
    )
    error = odata_error(inner)
    state: State = "not_run" if answer.status == 424 else "failed"
    return Result(item.id, state, answer.status, answer.headers, answer.body, error)


def _unreadable(response: Response, what: str) -> MaybeSent:
    return MaybeSent(
        f"{place(response.system, 'POST', response.url)} answered {response.status}, but with {what}; "
        "what the batch did is not known",
        status=response.status,
        request_id=response.request_id,
        response=response,
    )


def _in_doubt(error: BadResponse) -> MaybeSent:
    return MaybeSent(
        f"{error}; what the batch did is not known",
        status=error.status,
        request_id=error.request_id,
        response=error.response,
    )


def _rejected(error: ODataError) -> BatchRejected:
    assert error.response is not None  # odata_error always gives one
    rejected = odata_error(error.response, BatchRejected)
    assert isinstance(rejected, BatchRejected)
    rejected.ran = None if (rejected.status or 0) >= 500 else False
    return rejected
