"""The model of ``weft.yaml``. Every key has a description: the schema and the docs are made from it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.config.flows import RESERVED, FlowConfig
from weft.config.jobs import Jobs, Webhook
from weft.config.server import ServerConfig
from weft.config.values import ConnectionName, CurrencyCode, DecimalPlaces, Duration, Strict
from weft.config.watching import Alerts, Retention, Telemetry
from weft.model.declared import EntityDeclaration, Name


class Connection(BaseModel):
    """A connector with an address and credentials; everything but ``kind`` is the connector's own."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)
    kind: str = Field(description="connector, such as `creatio` or `bc`; `weft plugins` lists those installed")

    @property
    def settings(self) -> dict[str, Any]:
        """The connector's settings as written: secrets not resolved, nothing validated."""
        return dict(self.__pydantic_extra__ or {})

    def __repr_args__(self) -> Any:
        yield "kind", self.kind  # the rest may hold a password in clear


class Log(Strict):
    """What weft tells about its own work."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least severe message kept")
    format: Literal["text", "json"] = Field(default="text", description="`json` writes one object a line")
    file: str | None = Field(default=None, description="file to append to; default: standard error")


class ConnectionLimits(Strict):
    """Upper bounds for one connection; the limiter adapts below them to what the server answers."""

    concurrency: int | None = Field(default=None, ge=1, le=1000, description="requests under way at a time")
    timeout: Duration | None = Field(default=None, description="longest wait for one answer")


class Limits(Strict):
    """Upper bounds for all connections, and for single ones."""

    concurrency: int = Field(default=8, ge=1, le=1000, description="requests under way at a time, for each connection")
    timeout: Duration = Field(default=timedelta(seconds=100), description="longest wait for one answer")
    connections: dict[str, ConnectionLimits] = Field(
        default_factory=dict, description="connection -> bounds that differ there"
    )

    def of(self, connection: str) -> ConnectionLimits:
        """The bounds that hold for a connection."""
        own = self.connections.get(connection)
        return ConnectionLimits(
            concurrency=self.requests(connection),
            timeout=(own and own.timeout) or self.timeout,
        )

    def requests(self, connection: str) -> int:
        """How many requests may be under way at a time on a connection, from all workers together."""
        own = self.connections.get(connection)
        return (own and own.concurrency) or self.concurrency


__all__ = ["Connection", "ConnectionLimits", "Document", "FlowConfig", "Limits", "Log"]

Overlays = dict[str, dict[str, dict[str, dict[str, Any]]]]


class Document(Strict):
    """A whole ``weft.yaml``."""

    state: str = Field(
        default="sqlite:///weft.db",
        description="database that holds links, bases and the journal: `sqlite:///file` (relative to this "
        "file) or `postgresql+psycopg://…`; may contain `${env:…}`",
    )
    connections: dict[ConnectionName, Connection] = Field(
        default_factory=dict, description="the systems, by a name of your choice"
    )
    flows: dict[ConnectionName, FlowConfig] = Field(
        default_factory=dict, description="what is kept in agreement, by a name of your choice"
    )
    mappings: Overlays = Field(
        default_factory=dict,
        description="changes to packaged mappings, merged by field: connection -> entity -> variant -> mapping",
    )
    entities: dict[Name, EntityDeclaration] = Field(default_factory=dict, description="entities of your own, by name")
    currencies: dict[CurrencyCode, DecimalPlaces] = Field(
        default_factory=dict,
        description="decimal places of amounts by currency, where they are not those of ISO 4217: `{HUF: 0}`",
    )
    log: Log = Field(default_factory=Log, description="logging")
    limits: Limits = Field(default_factory=Limits, description="upper bounds on requests")
    server: ServerConfig = Field(default_factory=ServerConfig, description="HTTP API and dashboard of `weft run`")
    alerts: Alerts = Field(default_factory=Alerts, description="who is told when something needs a person")
    telemetry: Telemetry = Field(default_factory=Telemetry, description="metrics and traces")
    retention: Retention = Field(default_factory=Retention, description="how long weft remembers")
    jobs: Jobs = Field(default_factory=Jobs, description="how `weft run` works")
    webhooks: dict[ConnectionName, Webhook] = Field(
        default_factory=dict, description="connection -> the secret of the address to which its system pushes changes"
    )

    @field_validator("state")
    @classmethod
    def _state(cls, value: str) -> str:
        if not value.startswith(("sqlite://", "postgresql://", "postgresql+", "${")):
            raise ValueError("write `sqlite:///weft.db` or `postgresql+psycopg://user@host/database`")
        return value

    @field_validator("connections")
    @classmethod
    def _names(cls, value: dict[str, Connection]) -> dict[str, Connection]:
        for name in value:
            if name in RESERVED:
                raise ValueError(f"a connection cannot be called {name!r}: flows use the word for themselves")
        return value
