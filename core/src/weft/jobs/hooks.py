"""Hooks: what systems push. A request is only ever a hint, so one that is replayed does no harm."""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

from weft.config.secrets import reveal
from weft.errors import ConfigError, StateError, WeftError
from weft.jobs import listening
from weft.records import Hint, Reply, Request

if TYPE_CHECKING:
    from weft.runtime import Runtime
    from weft.state.tx import Tx

LONGEST = 1 << 20
"""Bytes of the largest body that is looked at; Business Central's largest has 1,000 entries of 300."""
SHORTEST = 16
"""Characters of the shortest secret."""
MOST = 5_000
"""Hints that one request may give; a sender that has more to tell is told to let weft look for itself."""
METHODS = ("GET", "POST", "PUT")


class Refused(WeftError):
    """A request that is not taken; ``status`` is what the sender is answered."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Receiver:
    """Takes what is pushed to ``/hooks/{connection}/{secret}``. ``wake`` is called when there is something new.

    :raises ConfigError: a secret is missing or too short.
    """

    def __init__(self, runtime: Runtime, wake: Callable[[], None] = lambda: None) -> None:
        self._runtime = runtime
        self._wake = wake
        self._secrets = {name: secrets(runtime, name) for name in runtime.config.webhooks}
        self._objects: dict[str, dict[str, list[str]]] = {}
        self._log = runtime.log.getChild("hooks")

    async def receive(self, connection: str, secret: str, request: Request) -> Reply:
        """The reply that the sender is owed, once the hints are stored.

        :raises Refused: with the HTTP status: a wrong secret or connection 404, a method that no hook has 405,
            too large a body 413, one that the connector cannot read 400, no state to keep hints in 503.
        """
        if not self._fits(connection, secret):
            # One answer for both, so that nobody learns which connections there are.
            raise Refused(404, "there is no such hook")
        if request.method not in METHODS:
            raise Refused(405, f"a hook does not take {request.method}")
        if len(request.body) > LONGEST:
            raise Refused(413, f"a hook takes {LONGEST} bytes at most")
        runtime = self._runtime
        kind = runtime.kind(connection)
        if not runtime.plugins.has(kind, "weft_receive"):
            raise Refused(404, "there is no such hook")
        context = runtime.context(connection, lane="live")
        try:
            reply: Reply = await runtime.plugins.call(kind, "weft_receive", ctx=context, request=request)
        except Exception as error:  # a defect of the connector, not the sender's
            self._log.error("%s: what was pushed could not be read", connection, exc_info=error)
            raise Refused(500, "what was pushed could not be read") from error
        if reply.status >= 400:
            self._log.warning("%s: a push was refused with %d", connection, reply.status)
        if reply.hints:
            await self._keep(connection, reply.hints)
        return reply

    def _fits(self, connection: str, secret: str) -> bool:
        given = _digest(secret)
        # Compared with every secret there may be, whatever comes out first: the time taken says nothing.
        known = self._secrets.get(connection) or [_digest("")]
        matches = [hmac.compare_digest(given, one) for one in known]
        return connection in self._secrets and any(matches)

    async def _keep(self, connection: str, hints: tuple[Hint, ...]) -> None:
        runtime = self._runtime
        if len(hints) > MOST:
            raise Refused(413, f"a request may tell of {MOST} records at most")
        flows: dict[str, list[Hint]] = defaultdict(list)
        readers = self._readers(connection)
        for hint in hints:
            for flow in readers.get(hint.object, ()):
                flows[flow].append(hint)
        if not flows:
            return
        now = runtime.clock.now()

        def write(tx: Tx) -> None:
            for flow, told in flows.items():
                tx.hints.put_many(flow, connection, told, now)

        try:
            await runtime.state.join(write)
        except StateError as error:
            self._log.warning("%s: a push could not be kept: %s", connection, error)
            raise Refused(503, "not now, try again") from error
        self._wake()

    def _readers(self, connection: str) -> dict[str, list[str]]:
        """By object: the flows that listen to pushes and read it."""
        found = self._objects.get(connection)
        if found is None:
            found = defaultdict(list)
            for name, read in listening.objects(self._runtime, connection).items():
                for one in read:
                    found[one].append(name)
            self._objects[connection] = found
        return found


def secrets(runtime: Runtime, connection: str) -> list[bytes]:
    """Digests of a hook's secret and the one before."""
    return [_digest(one) for one in plain_secrets(runtime, connection)]


def plain_secrets(runtime: Runtime, connection: str) -> list[str]:
    """A hook's secret and, where there is one, the one before.

    :raises ConfigError: a reference leads nowhere, or the secret is too short.
    """
    config = runtime.config
    written = config.webhooks[connection]
    found = []
    for key, text in (("secret", written.secret), ("previous", written.previous)):
        if text is None:
            continue
        at = ("webhooks", connection, key)
        secret = reveal(config, text, at, redactor=runtime.redactor)
        if len(secret) < SHORTEST:
            raise ConfigError(
                f"{config.where(*at, value=True)}: webhooks.{connection}.{key} has {len(secret)} characters; "
                f"whoever guesses it can make weft read: write at least {SHORTEST}"
            )
        found.append(secret)
    return found


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
