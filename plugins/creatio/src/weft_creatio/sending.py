"""Sending writes: in batches, one reply each, and never a silent loss.

A reply says what is known: ``done``, ``failed`` (refused, with the error), ``unsent`` (surely not
processed), ``lost`` (it may have been). A batch that is refused as a whole is halved until the culprit
stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from weft.net.errors import AuthError, BadResponse, EndpointDown, MaybeSent, NetError, Throttled
from weft.net.odata.batch import Item as Request
from weft.net.odata.batch import Result
from weft.net.odata.errors import BatchRejected, ODataError
from weft.records import Intents
from weft_creatio.failures import is_outage
from weft_creatio.session import CreatioSession

State = Literal["done", "failed", "unsent", "lost"]


@dataclass(frozen=True, slots=True)
class Reply:
    state: State
    body: Any = None
    status: int | None = None
    error: NetError | None = None

    @property
    def refusal(self) -> ODataError | None:
        return self.error if self.state == "failed" and isinstance(self.error, ODataError) else None


class Sender:
    """Sends requests of one ``weft_write`` call. ``down`` is set once the site is found to be away."""

    def __init__(self, session: CreatioSession, intents: Intents) -> None:
        self._session = session
        self._intents = intents
        self.down: NetError | None = None

    async def send(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order.

        :raises weft.net.errors.AuthError: credentials refused; nothing more can be sent.
        """
        settings = self._session.settings
        size = 1 if settings.batch == "none" else settings.batch_size
        replies: list[Reply] = []
        for at in range(0, len(requests), size):
            chunk = list(requests[at : at + size])
            if self.down is not None:
                replies += [Reply("unsent", error=self.down)] * len(chunk)
            else:
                replies += await self._chunk(chunk)
        return replies

    async def _chunk(self, chunk: list[Request]) -> list[Reply]:
        if len(chunk) > 1 and not self._session.settings.continue_on_error:
            return await self._stopping(chunk)
        return await self._once(chunk)

    async def _stopping(self, chunk: list[Request]) -> list[Reply]:
        """A batch without continue-on-error ends at the first failure: send the rest again."""
        replies: list[Reply] = []
        left = chunk
        while left:
            found = await self._once(left)
            ran = next((n for n, reply in enumerate(found) if reply.state == "unsent"), len(found))
            if ran == 0 or self.down is not None:
                return replies + found
            replies += found[:ran]
            left = left[ran:]
        return replies

    async def _once(self, chunk: list[Request]) -> list[Reply]:
        await self._intents.still_mine()
        try:
            results = await self._session.send(chunk)
        except AuthError:
            raise
        except BatchRejected as error:
            return await self._refused(chunk, error)
        except (EndpointDown, Throttled) as error:
            self.down = error
            return [Reply("unsent", error=error)] * len(chunk)
        except (MaybeSent, BadResponse) as error:
            return [Reply("lost", error=error)] * len(chunk)
        return [_reply(result) for result in results]

    async def _refused(self, chunk: list[Request], error: BatchRejected) -> list[Reply]:
        if error.ran is None:
            return [Reply("lost", error=error)] * len(chunk)
        if is_outage(error):
            return [Reply("unsent", error=error)] * len(chunk)
        half = len(chunk) // 2
        replies = await self._once(chunk[:half])
        return replies + await self._once(chunk[half:])


def _reply(result: Result) -> Reply:
    if result.state == "done":
        return Reply("done", result.body, result.status)
    if result.state == "not_run" or result.status == 401:  # the session ended on the way: tried again with a new one
        return Reply("unsent", status=result.status, error=result.error)
    if result.state == "unknown":
        return Reply("lost", status=result.status)
    return Reply("failed", result.body, result.status, result.error)
