"""Who asks, and whether they are who they say: access tokens and sign-ins."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from weft.config.secrets import reveal
from weft.desk.action import Role, may
from weft.errors import ConfigError, StateError, WeftError
from weft.state.sessions import Session

if TYPE_CHECKING:
    from weft.config.loading import Config
    from weft.net.secrets import Redactor
    from weft.state.store import State
    from weft.state.tx import Tx

PREFIX = "weft_"
SHORTEST = 32
SEEN_EVERY = timedelta(minutes=1)


class Refused(WeftError):
    """Not let in: ``status`` 401 (who are you?), 403 (you may not), 429 (too many tries)."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after = status, code, retry_after


@dataclass(frozen=True, slots=True)
class Person:
    """``how`` they came: with a token, signed in, from this machine where nobody needs a token, or through
    the control socket."""

    name: str
    role: Role
    how: Literal["token", "session", "machine", "socket"]
    session: str = ""

    def need(self, role: Role) -> None:
        """:raises Refused: the role does not reach."""
        if not may(self.role, role):
            raise Refused(403, "wrong_role", f"this takes the role {role}; {self.name} is {self.role}")


def make_token() -> str:
    """A new access token: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def hash_of(token: str) -> str:
    """What the configuration keeps of a token. Tokens are random, so that no slow hash is needed."""
    return f"sha256:{digest(token)}"


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the server knows it: by its hash."""

    name: str
    role: Role
    hash: str
    until: datetime | None

    @property
    def mark(self) -> str:
        """Tells sessions of a changed token apart, and gives nothing away about it."""
        return digest(f"mark:{self.hash}")


class Tokens:
    """All access tokens."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tuple(tokens)

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def __iter__(self) -> Iterator[Token]:
        return iter(self._tokens)

    @classmethod
    def of(cls, config: Config, redactor: Redactor) -> Tokens:
        """The tokens of a configuration, secrets filled in.

        :raises ConfigError: a secret that is missing or too short.
        """
        found = []
        for index, one in enumerate(config.server.tokens):
            hashed = one.hash
            if one.token is not None:
                path = ("server", "tokens", index, "token")
                token = reveal(config, one.token, path, redactor=redactor)
                if len(token) < SHORTEST:
                    where = config.where(*path, value=True)
                    raise ConfigError(
                        f"{where}: server.tokens.{index}.token: is shorter than {SHORTEST} characters; "
                        "weft token makes one"
                    )
                hashed = hash_of(token)
            found.append(Token(one.name, one.role, hashed or "", one.until))
        return cls(found)

    def verify(self, presented: str, now: datetime) -> Token:
        """The token that was presented.

        :raises Refused: nobody knows it, or it has expired.
        """
        hashed = hash_of(presented)
        found = None
        for one in self._tokens:  # all of them, so that the time taken tells nothing
            if hmac.compare_digest(one.hash, hashed):
                found = one
        if found is None:
            raise Refused(401, "wrong_token", "the token is not known here")
        self._unexpired(found, now)
        return found

    @staticmethod
    def _unexpired(token: Token, now: datetime) -> None:
        if token.until is not None and token.until <= now:
            raise Refused(401, "expired_token", f"the token of {token.name} expired on {token.until:%Y-%m-%d %H:%M}Z")

    def of_session(self, session: Session, now: datetime) -> Token:
        """The token a session was opened with.

        :raises Refused: it has expired or was changed or taken away since, or the session has ended.
        """
        found = next((one for one in self._tokens if one.name == session.token), None)
        if found is None or not hmac.compare_digest(found.mark, session.mark):
            raise Refused(401, "ended_session", "the access token was changed; sign in again")
        if session.expires_at <= now:
            raise Refused(401, "ended_session", "the session has ended; sign in again")
        self._unexpired(found, now)
        return found


class SignIns:
    """Sessions of browsers, kept in the state so that every worker knows them."""

    def __init__(self, state: State, tokens: Tokens, lasts: timedelta) -> None:
        self._state, self._tokens, self._lasts = state, tokens, lasts

    async def open(self, token: Token, now: datetime, address: str, agent: str) -> tuple[str, datetime]:
        """Sign in; returns the secret for the cookie and when it ends."""
        secret = secrets.token_urlsafe(32)
        until = min(now + self._lasts, token.until or now + self._lasts)
        session = Session(digest(secret), token.name, token.mark, now, now, until, address[:100], agent[:200])

        def write(tx: Tx) -> None:
            tx.sessions.prune(now)
            tx.sessions.put(session)

        await self._state.write(write)
        return secret, until

    async def person(self, secret: str, now: datetime) -> Person:
        """Who a cookie belongs to.

        :raises Refused: the session is not known or has ended.
        """
        id = digest(secret)
        session = await self._state.read(lambda tx: tx.sessions.get(id))
        if session is None:
            raise Refused(401, "ended_session", "the session has ended; sign in again")
        token = self._tokens.of_session(session, now)
        if now - session.seen_at > SEEN_EVERY:
            with suppress(StateError):  # a full disk must not shut out who has come to see what is wrong
                await self._state.write(lambda tx: tx.sessions.seen(id, now))
        return Person(token.name, token.role, "session", id)

    async def close(self, secret: str) -> None:
        id = digest(secret)
        await self._state.write(lambda tx: tx.sessions.end(id))


def csrf_token(secret: str) -> str:
    """What a form must send along: only pages of this server know it, as only they see the cookie's secret."""
    return hmac.new(secret.encode(), b"weft csrf", hashlib.sha256).hexdigest()
