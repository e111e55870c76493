"""Channels: addresses of Apprise, looked up where they are secret, and sending to them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import apprise

from weft.config.loading import InvalidConfig
from weft.config.secrets import reveal

if TYPE_CHECKING:
    from weft.config.loading import Config
    from weft.net.secrets import Redactor

PATIENCE = 60.0
"""Seconds that sending one message may take."""

logging.getLogger("apprise").addHandler(logging.NullHandler())  # what it says is told in our own log, masked


class _Said(logging.Handler):
    """Keeps what Apprise says of a message that did not get through."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage())


@dataclass(frozen=True, slots=True)
class Sent:
    """How sending went; ``words`` say why not, secrets masked."""

    ok: bool
    words: str = ""


class Channels:
    """The channels of a configuration."""

    def __init__(self, config: Config, redactor: Redactor) -> None:
        """
        :raises InvalidConfig: a secret is missing, or Apprise does not know an address; never shows one.
        """
        self._redactor = redactor
        self._opened: dict[str, apprise.Apprise] = {}
        wrong: list[str] = []
        for name, channel in config.alerts.channels.items():
            opened = self._opened[name] = apprise.Apprise()
            for index, written in enumerate(channel.url):
                path = ("alerts", "channels", name, "url", index)
                try:
                    url = reveal(config, written, path, redactor=redactor)
                except InvalidConfig as error:
                    wrong += error.problems
                    continue
                with _listening():
                    if not opened.add(url):
                        where = config.where(*path, value=True)
                        wrong.append(
                            f"{where}: alerts.channels.{name}.url: Apprise does not understand this address; it begins "
                            "with a service such as mailtos://, msteams:// or slack://"
                        )
        if wrong:
            raise InvalidConfig(wrong)

    async def send(self, channel: str, title: str, text: str) -> Sent:
        """Send one message to every address of a channel."""
        title, text = self._redactor(title), self._redactor(text)
        with _listening() as said:
            try:
                async with asyncio.timeout(PATIENCE):
                    ok = await self._opened[channel].async_notify(
                        title=title, body=text, body_format=apprise.NotifyFormat.TEXT
                    )
            except TimeoutError:
                return Sent(False, f"no answer within {PATIENCE:g} s")
            except Exception as error:  # whatever a service's plugin trips over, the others are still told
                return Sent(False, self._redactor(f"{type(error).__name__}: {error}"))
        words = self._redactor("; ".join(dict.fromkeys(said.words)))
        return Sent(bool(ok), words or ("" if ok else "the service did not say why"))


class _listening:
    def __enter__(self) -> _Said:
        self._said = _Said()
        logging.getLogger("apprise").addHandler(self._said)
        return self._said

    def __exit__(self, *error: object) -> None:
        logging.getLogger("apprise").removeHandler(self._said)
