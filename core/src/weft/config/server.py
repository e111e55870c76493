"""The server: where the API and the dashboard listen, and who may use them."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from weft.config.values import Duration, Strict

RoleName = Literal["viewer", "operator", "admin"]
HASH = re.compile(r"sha256:[0-9a-f]{64}")


class TokenConfig(Strict):
    """Somebody who may use the API and the dashboard. `weft token` makes one and says what to write here."""

    name: str = Field(min_length=1, max_length=100, description="who it is; kept with everything decided with it")
    role: RoleName = Field(
        default="viewer",
        description="`viewer` sees everything, `operator` also decides, `admin` also says who is signed in",
    )
    hash: str | None = Field(default=None, description="`sha256:…` of the token, as `weft token` prints it")
    token: str | None = Field(
        default=None, description="the token itself, at least 32 characters: `${env:…}` or `${file:…}`"
    )
    expires: date | datetime | None = Field(default=None, description="day or time (UTC) from which on it is refused")

    @field_validator("hash")
    @classmethod
    def _hash(cls, value: str | None) -> str | None:
        if value is not None and not HASH.fullmatch(value):
            raise ValueError("write `sha256:` and 64 hexadecimal digits; `weft token` prints it")
        return value

    @model_validator(mode="after")
    def _one(self) -> TokenConfig:
        if (self.hash is None) == (self.token is None):
            raise ValueError("give either `hash` or `token`")
        return self

    @property
    def until(self) -> datetime | None:
        """From when on the token is refused."""
        if self.expires is None or isinstance(self.expires, datetime):
            if self.expires is not None and self.expires.tzinfo is None:
                return self.expires.replace(tzinfo=UTC)
            return self.expires
        return datetime.combine(self.expires, time(), UTC)


class Tls(Strict):
    """The certificate the server shows. Where a proxy in front of it does that, leave it out."""

    certificate: str = Field(description="PEM file with the certificate and those that signed it")
    key: str = Field(description="PEM file with the private key")


class ServerConfig(Strict):
    """The HTTP server of `weft run`."""

    enabled: bool = Field(default=False, description="true: listen; false: only the command line reaches the daemon")
    dashboard: bool = Field(default=True, description="false: no API and no pages, only webhooks, health and metrics")
    listen: str = Field(default="127.0.0.1:8787", description="address and port; `[::1]:8787` for IPv6")
    public_url: str | None = Field(
        default=None,
        description="address by which browsers and other systems reach the server, where a proxy stands in front of it",
    )
    tokens: list[TokenConfig] = Field(
        default_factory=list,
        description="who may use it; needed on every address that other machines reach",
    )
    machine: RoleName = Field(
        default="operator",
        description="role of whoever comes from this machine while there are no tokens",
    )
    session: Duration = Field(default=timedelta(hours=12), description="how long a sign-in to the dashboard lasts")
    tls: Tls | None = Field(default=None, description="certificate, where the server itself speaks HTTPS")
    proxies: list[str] = Field(
        default_factory=list,
        description="addresses of proxies whose word on where a request comes from is taken",
    )

    @field_validator("listen", mode="before")
    @classmethod
    def _port_alone(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            raise ValueError(f"write an address and a port, such as `127.0.0.1:{value}`")
        return value

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        host, port = split(value)
        if not host or not 0 <= port <= 65535:
            raise ValueError("write an address and a port, such as `127.0.0.1:8787`")
        return value

    @field_validator("public_url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("write scheme and host, such as `https://weft.example.com`")
        return value.rstrip("/")

    @field_validator("tokens")
    @classmethod
    def _names(cls, value: list[TokenConfig]) -> list[TokenConfig]:
        names = [token.name for token in value]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"the name {min(twice)!r} stands twice: what was decided must be told apart")
        return value

    @model_validator(mode="after")
    def _safe(self) -> ServerConfig:
        if not self.enabled or not self.dashboard:
            return self
        if self.reachable and not self.tokens:
            raise ValueError(
                f"other machines reach {self.public_url or self.listen}: name who may use it under `tokens:` "
                "(`weft token` makes one), or listen on 127.0.0.1"
            )
        if not self.loopback and self.tls is None and not (self.public_url or "").startswith("https://"):
            raise ValueError(
                f"{self.listen} would carry tokens in clear: give `tls:`, or `public_url: https://…` "
                "where a proxy in front speaks HTTPS"
            )
        return self

    @property
    def host(self) -> str:
        return split(self.listen)[0]

    @property
    def port(self) -> int:
        return split(self.listen)[1]

    @property
    def loopback(self) -> bool:
        """Only this machine reaches the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def reachable(self) -> bool:
        """Others may reach it: the address is no loopback one, or a proxy passes requests on."""
        return not self.loopback or self.public_url is not None or bool(self.proxies)

    @property
    def https(self) -> bool:
        """Browsers come by HTTPS."""
        return self.tls is not None or (self.public_url or "").startswith("https://")


def split(listen: str) -> tuple[str, int]:
    """Host and port of ``host:port``; port -1 where there is none."""
    host, colon, port = listen.rpartition(":")
    return host.strip("[]"), int(port) if colon and port.isascii() and port.isdigit() else -1
