"""One login at a time, however many requests find the credentials expired."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from weft.net.auth import Auth
from weft.net.errors import AuthError

if TYPE_CHECKING:
    from weft.net.session import HttpSession


class SingleLogin:
    """Runs `auth.renew` once for all who wait. Credentials carry a generation: who saw an old one expire
    need not renew the new one. After a refusal no login is tried for `pause` seconds."""

    def __init__(self, auth: Auth, *, pause: float, clock: Callable[[], float]) -> None:
        self._auth = auth
        self._pause = pause
        self._clock = clock
        self._generation = 0
        self._task: asyncio.Task[None] | None = None
        self._refused: tuple[AuthError, float] | None = None

    async def ready(self, session: HttpSession) -> int:
        """Make sure there are credentials; returns the generation they belong to."""
        if not self._auth.ready():
            await self.renew(session, self._generation)
        return self._generation

    async def renew(self, session: HttpSession, seen: int) -> None:
        """Renew once for all who saw generation `seen` expire. Raises what `Auth.renew` raises."""
        if seen != self._generation:
            return
        if self._refused is not None:
            error, until = self._refused
            if self._clock() < until:
                raise AuthError(str(error), status=error.status, code=error.code, response=error.response)
            self._refused = None
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(session))
            self._task.add_done_callback(_retrieved)
        # shielded: one caller giving up must not cancel the login the others wait for
        await asyncio.shield(self._task)

    async def _run(self, session: HttpSession) -> None:
        try:
            await self._auth.renew(session)
            self._generation += 1
        except AuthError as error:
            # hammering a login with refused credentials locks the account
            self._refused = (error, self._clock() + self._pause)
            raise
        finally:
            self._task = None

    async def close(self) -> None:
        """Stop a login that nobody waits for any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _retrieved(task: asyncio.Task[None]) -> None:
    """Whoever waited was told; if nobody waits any more, nobody needs to hear of it."""
    if not task.cancelled():
        task.exception()
