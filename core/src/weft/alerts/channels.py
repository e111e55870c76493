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
    """How sending went: ``ok`` when an address took it. ``words`` say why others did not, secrets masked."""

    ok: bool
    words: str = ""


class Channels:
    """The channels of a configuration."""

    def __init__(self, config: Config, redactor: Redactor) -> None:
        """
        :raises InvalidConfig: a secret is missing, or Apprise does not know an address; never shows one.
        """
        self._redactor = redactor
        self._opened: dict[str, list[apprise.Apprise]] = {}
        wrong: list[str] = []
        for name, channel in config.alerts.channels.items():
            self._opened[name] = []
            for index, written in enumerate(channel.url):
                path = ("alerts", "channels", name, "url", index)
                try:
                    url = reveal(config, written, path, redactor=redactor)
                except InvalidConfig as error:
                    wrong += error.problems
                    continue
                opened = apprise.Apprise()
                self._opened[name].append(opened)
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
        """Send one message to every address of a channel. It is told once one of them has taken it: were it sent
        again for the sake of another, the first would hear the same for as long as that one is gone."""
        title, text = self._redactor(title), self._redactor(text)
        with _listening() as said:
            answers = await asyncio.gather(*(self._send(one, title, text) for one in self._opened[channel]))
        if all(ok for ok, _ in answers):
            return Sent(True)
        words = [*said.words, *(words for _, words in answers if words)] or ["the service did not say why"]
        return Sent(any(ok for ok, _ in answers), self._redactor("; ".join(dict.fromkeys(words))))

    @staticmethod
    async def _send(address: apprise.Apprise, title: str, text: str) -> tuple[bool, str]:
        """Whether one address took it, and why not as far as its service did not say so itself."""
        try:
            async with asyncio.timeout(PATIENCE):
                ok = await address.async_notify(title=title, body=text, body_format=apprise.NotifyFormat.TEXT)
        except TimeoutError:
            return False, f"no answer within {PATIENCE:g} s"
        except Exception as error:  # whatever a service's plugin trips over, the others are still told
            return False, f"{type(error).__name__}: {error}"
        return bool(ok), ""


class _listening:
    def __enter__(self) -> _Said:
        self._said = _Said()
        logging.getLogger("apprise").addHandler(self._said)
        return self._said

    def __exit__(self, *error: object) -> None:
        logging.getLogger("apprise").removeHandler(self._said)
