"""$batch: change sets that hold or fall together, journals held meanwhile."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from weft.testing.odata.batch import BatchFault, parse_batch, render_batch, run_batch
from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.parts import SubRequest, SubResponse
from weft_d365fo.simulator.errors import FoError, bad_request
from weft_d365fo.simulator.locks import Locks
from weft_d365fo.simulator.service import Call, Service
from weft_d365fo.simulator.world import User, World

_REFERENCE = re.compile(r"^(?:https?://[^/]+)?(?:/data)?/?\$(\w+)")


class Batches:
    def __init__(self, world: World, service: Service, locks: Locks) -> None:
        self.world = world
        self.service = service
        self.locks = locks

    async def answer(
        self, method: str, headers: Mapping[str, str], body: bytes, user: User, fault: BatchFault | None,
        sleep: Callable[[float], Awaitable[None]],
    ) -> SubResponse:  # fmt: skip
        """The outer answer is 200 whatever becomes of the parts."""
        settings = self.world.settings
        if method != "POST":
            return self.service.failure(FoError(405, "A $batch is sent with POST."))
        kind = headers.get("content-type", "").lower()
        as_json = kind.startswith("application/json") and settings.json_batch
        if not as_json and not kind.startswith("multipart/mixed"):
            return self.service.failure(FoError(415, f"The content type '{kind}' of a batch is not supported."))
        try:
            parts = parse_batch(headers["content-type"], body)
        except ODataQueryError as error:
            return self.service.failure(bad_request(error.message))
        if len(parts) > settings.batch_limit:
            text = f"The current change set or batch exceeds the limit of {settings.batch_limit} operations."
            return self.service.failure(bad_request(text))
        return render_batch(await self._run(parts, user, fault, sleep), as_json=as_json)

    async def _run(
        self, parts: Sequence[SubRequest], user: User, fault: BatchFault | None,
        sleep: Callable[[float], Awaitable[None]],
    ) -> list[SubResponse]:  # fmt: skip
        calls = {id(part): self._call(part, user) for part in parts}
        made: dict[tuple[str | None, str | None], str] = {}  # (change set, Content-ID) -> address
        async with self.locks.held(list(calls.values()), sleep) as conflicts:

            async def handle(part: SubRequest) -> SubResponse:
                call = calls[id(part)]
                conflict = self.locks.conflict(call, conflicts)
                if conflict is not None:
                    return self.service.failure(conflict)
                answer = await self.service.handle(self._resolved(call, part, made))
                if "location" in answer.headers:
                    made[part.group, part.id] = answer.headers["location"]
                return answer

            return await run_batch(
                parts,
                handle,
                continue_on_error=not self.world.settings.batch_stops,
                atomic=self.world.store.transaction,
                fault=fault,
            )

    def _resolved(self, call: Call, part: SubRequest, made: Mapping[tuple[str | None, str | None], str]) -> Call:
        """``$1`` made into the address of what that part created, where the environment does so."""
        found = _REFERENCE.match(part.url) if self.world.settings.batch_references else None
        address = made.get((part.group, found[1])) if found else None
        if found is None or address is None:
            return call
        path = urlsplit(address).path + part.url[found.end() :]
        return replace(call, path=path.removeprefix("/data").lstrip("/"))

    def _call(self, part: SubRequest, user: User) -> Call:
        split = urlsplit(part.url)
        path = split.path.removeprefix("/data").lstrip("/")
        headers = dict(part.headers)
        if part.body:
            headers.setdefault("content-type", "application/json")
        return Call(part.method.upper(), path, split.query, headers, part.body, user, part.url)
