"""``$batch``: sub-requests run one after the other in process, with the stop, group and fault rules.

The two wire forms are read and written by :mod:`~weft.testing.odata.batch_json` and
:mod:`~weft.testing.odata.batch_multipart`; :func:`parse_batch` chooses by content type.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from weft.testing.odata.batch_json import parse_json, render_json
from weft.testing.odata.batch_multipart import parse_multipart, render_multipart
from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.parts import SubRequest, SubResponse

__all__ = [
    "BatchFault", "Handle", "LostAnswer", "SubRequest", "SubResponse", "parse_batch", "render_batch", "render_json",
    "render_multipart", "run_batch",
]  # fmt: skip

Handle = Callable[[SubRequest], Awaitable[SubResponse]]


@dataclass(frozen=True, slots=True)
class BatchFault:
    """Injected: sub-request ``index`` (0-based) is answered with ``response`` in place of being processed, or with
    ``after_commit`` after that; ``lose_after``: raise LostAnswer once that many have been processed."""

    index: int | None = None
    response: SubResponse | None = None
    after_commit: bool = False
    lose_after: int | None = None


class LostAnswer(Exception):
    """The batch's answer is to be lost: let it pass, the simulator's middleware closes the connection."""


class _GroupFailed(Exception):
    pass


def parse_batch(content_type: str, body: bytes) -> list[SubRequest]:
    """Raises ODataQueryError(kind="batch")."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return parse_json(body)
    if kind == "multipart/mixed":
        return parse_multipart(content_type, body)
    raise ODataQueryError("batch", f"A $batch cannot be '{content_type}'.", what="content type")


def render_batch(answers: Sequence[SubResponse], *, as_json: bool) -> SubResponse:
    """The answer to the whole, which is 200 whatever became of the parts."""
    if as_json:
        return SubResponse(200, {"content-type": "application/json"}, render_json(answers))
    kind, body = render_multipart(answers)
    return SubResponse(200, {"content-type": kind}, body)


async def run_batch(
    requests: Sequence[SubRequest],
    handle: Handle,
    *,
    continue_on_error: bool = False,
    atomic: Callable[[], AbstractContextManager[None]] | None = None,
    whole: bool = False,
    fault: BatchFault | None = None,
) -> list[SubResponse]:
    """Sequentially; stops after the first status >= 400 unless ``continue_on_error``.

    ``atomic`` makes a transaction (``store.transaction``), used for each group; None: groups are not atomic. A
    failed group is rolled back and answers with its failed sub-request alone. ``whole``: one transaction for
    all (Business Central's ``Isolation: snapshot``): rolled back on failure though the sub-responses so far stay
    as they were. ``handle`` must not await anything slow then. An exception of ``handle`` passes through.
    """
    run = _Run(handle, fault)
    answers: list[SubResponse] = []
    try:
        with atomic() if whole and atomic is not None else nullcontext():
            for members in _groups(requests):
                group = members[0].group
                if group is None or atomic is None or whole:
                    done = await _plain(run, members, continue_on_error)
                else:
                    done = await _atomic(run, members, atomic)
                if group is not None:
                    name = str(uuid.uuid4())  # the server's own name, as Creatio does
                    done = [replace(answer, group=name) for answer in done]
                answers.extend(done)
                if not continue_on_error and any(answer.status >= 400 for answer in done):
                    break
            if whole and any(answer.status >= 400 for answer in answers):
                raise _GroupFailed
    except _GroupFailed:
        pass
    run.lose_rest()
    return answers


class _Run:
    """Counts sub-requests so that the fault strikes at its place."""

    def __init__(self, handle: Handle, fault: BatchFault | None) -> None:
        self._handle, self._fault, self._done = handle, fault, 0

    async def __call__(self, request: SubRequest) -> SubResponse:
        fault, at = self._fault, self._done
        if fault is not None and fault.lose_after is not None and at >= fault.lose_after:
            raise LostAnswer
        struck = fault is not None and fault.index == at and fault.response is not None
        if struck and fault is not None and fault.response is not None and not fault.after_commit:
            self._done += 1
            return replace(fault.response, id=request.id)
        answer = await self._handle(request)
        self._done += 1
        if struck and fault is not None and fault.response is not None and answer.status < 400:
            answer = fault.response
        return replace(answer, id=request.id)

    def lose_rest(self) -> None:
        if self._fault is not None and self._fault.lose_after is not None:
            raise LostAnswer


def _groups(requests: Sequence[SubRequest]) -> list[list[SubRequest]]:
    groups: list[list[SubRequest]] = []
    for request in requests:
        if request.group is not None and groups and groups[-1][0].group == request.group:
            groups[-1].append(request)
        else:
            groups.append([request])
    return groups


async def _plain(run: _Run, members: list[SubRequest], continue_on_error: bool) -> list[SubResponse]:
    done: list[SubResponse] = []
    for request in members:
        done.append(await run(request))
        if done[-1].status >= 400 and not continue_on_error:
            break
    return done


async def _atomic(
    run: _Run, members: list[SubRequest], atomic: Callable[[], AbstractContextManager[None]]
) -> list[SubResponse]:
    done: list[SubResponse] = []
    try:
        with atomic():
            for request in members:
                done.append(await run(request))
                if done[-1].status >= 400:
                    raise _GroupFailed
    except _GroupFailed:
        return done[-1:]
    return done
