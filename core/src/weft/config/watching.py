"""What weft tells of itself and how long it remembers: ``alerts:``, ``telemetry:`` and ``retention:``."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from weft.config.values import ConnectionName, Duration, Names, Strict

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")

IssueKind = Literal[
    "failed", "waiting", "conflict", "approval", "ambiguous", "review", "delete", "invisible", "config"
]  # fmt: skip
"""What a record may need: see the table of issues in docs/operations.md."""
IssueKinds = Annotated[
    list[IssueKind],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(get_args(IssueKind))},
                {"type": "array", "items": {"enum": list(get_args(IssueKind))}},
            ]
        }
    ),
]

About = Literal["issues", "failing", "silence", "down", "worker", "guard", "approval"]


def _time_of_day(value: Any) -> Any:
    """``22:00``; YAML of old read that as a number of minutes, here it is text."""
    if isinstance(value, time):
        return value
    try:
        hours, _, minutes = str(value).partition(":")
        return time(int(hours), int(minutes or 0))
    except ValueError:
        raise ValueError(f"{value!r} is no time of day; write one such as 22:00") from None


TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,2}(:\d{2})?$"}),
]


class AlertChannel(Strict):
    """Where messages go: one or more addresses as Apprise writes them."""

    url: Names = Field(
        description="address such as `mailtos://…`, `msteams://…` or `slack://…` "
        "(every form: Apprise's documentation); holds secrets, so write `${env:…}`. "
        "Of several, one that takes the message is enough"
    )
    least: Severity = Field(default="info", description="least severe message that is sent there")


class AlertRule(Strict):
    """What is told, to whom, and after how much of it."""

    about: About = Field(
        description="`issues` records that need somebody, `failing` runs that fail, `silence` no agreement for too "
        "long, `down` a system that does not answer, `worker` one that died, `guard` a brake that stopped a flow, "
        "`approval` a person is asked"
    )
    flows: Names | None = Field(default=None, description="only these flows; default: all")
    kinds: IssueKinds | None = Field(
        default=None, description="for `issues`: only these kinds; default: all but `waiting` and `approval`"
    )
    count: int = Field(default=1, ge=1, description="so many records, or failed runs in a row, before it is told")
    after: Duration = Field(default=timedelta(0), description="so long it must have lasted before it is told")
    severity: Severity = Field(default="warning", description="`info`, `warning` or `critical`")
    to: Names | None = Field(default=None, description="channels; default: all")


class QuietHours(Strict):
    """When nobody is to be disturbed; what comes up is told when they end."""

    start: TimeOfDay = Field(description="time of day at which they begin, such as `22:00`")
    end: TimeOfDay = Field(description="time of day at which they end; before `start`: the next day")
    weekend: bool = Field(default=False, description="true: Saturday and Sunday are quiet all day")
    timezone: str = Field(default="UTC", description="time zone of these times, such as `Europe/Berlin`")
    unless: Severity = Field(default="critical", description="from this severity on it is told all the same")

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone; write one such as Europe/Berlin") from None
        return value

    @model_validator(mode="after")
    def _lasts(self) -> QuietHours:
        if self.start == self.end and not self.weekend:
            raise ValueError("start and end are the same time, so no hour is quiet: write when it ends")
        return self


USUAL: dict[str, dict[str, Any]] = {
    "issues": {"about": "issues", "after": "5m"},
    "waiting": {"about": "issues", "kinds": ["waiting"], "after": "1d"},
    "failing": {"about": "failing", "count": 3, "severity": "critical"},
    "silence": {"about": "silence", "after": "1d"},
    "down": {"about": "down", "count": 2, "after": "10m", "severity": "critical"},
    "worker": {"about": "worker", "severity": "critical"},
    "guard": {"about": "guard", "severity": "critical"},
    "approval": {"about": "approval"},
}
"""The rules that hold unless the configuration changes them."""


def _usual() -> dict[str, AlertRule | None]:
    return {name: AlertRule(**rule) for name, rule in USUAL.items()}


class Alerts(Strict):
    """Who is told when something needs a person."""

    channels: dict[ConnectionName, AlertChannel] = Field(
        default_factory=dict, description="where messages go, by a name of your choice; none: nobody is told"
    )
    rules: dict[ConnectionName, AlertRule | None] = Field(
        default_factory=_usual,
        description="what is told, by name; merged by key over the usual ones, null switches one off",
    )
    digest: Duration = Field(
        default=timedelta(minutes=15),
        description="shortest time between two messages on one channel; what comes up meanwhile is told together",
    )
    quiet: QuietHours | None = Field(default=None, description="hours in which only the most severe is told")

    @field_validator("rules", mode="before")
    @classmethod
    def _over_the_usual(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        merged: dict[str, Any] = dict(USUAL)
        for name, rule in value.items():
            merged[name] = {**USUAL.get(name, {}), **rule} if isinstance(rule, dict) else rule
        return merged

    @model_validator(mode="after")
    def _fits(self) -> Alerts:
        for name, rule in self.rules.items():
            for channel in (rule.to if rule is not None else None) or ():
                if channel not in self.channels:
                    there = ", ".join(self.channels) or "none"
                    raise ValueError(f"rules.{name}.to: there is no channel {channel!r}; there are: {there}")
        return self


class Traces(Strict):
    """Where OpenTelemetry traces go."""

    endpoint: str = Field(description="address of an OTLP collector over HTTP, such as `http://127.0.0.1:4318`")
    headers: dict[str, str] = Field(default_factory=dict, description="headers it wants; may hold `${env:…}`")
    sample: float = Field(default=1.0, ge=0, le=1, description="share of runs that are traced")

    @field_validator("endpoint")
    @classmethod
    def _address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("write an address that begins with http:// or https://")
        return value


class Telemetry(Strict):
    """What `weft run` tells those who watch it."""

    metrics: bool = Field(default=True, description="serve `/metrics` for Prometheus while `weft run` is up")
    traces: Traces | None = Field(default=None, description="send OpenTelemetry traces; needs `weft[otel]`")


class Retention(Strict):
    """How long weft remembers; `weft run` forgets what is older once a day, `weft prune` at once."""

    journal: Duration | None = Field(
        default=None, description="journal of runs that ended so long ago, whole runs only; null: kept for ever"
    )
    runs: Duration | None = Field(default=timedelta(weeks=4), description="runs in which nothing was done")
    intents: Duration | None = Field(default=timedelta(weeks=4), description="settled writes and their steps")
    issues: Duration | None = Field(default=timedelta(weeks=52), description="issues that are closed")
    export: str | None = Field(
        default=None,
        description="folder that gets each run's journal as JSON lines before it is forgotten; "
        "`weft journal verify --file` checks such a file",
    )

    @field_validator("journal", "runs", "intents", "issues")
    @classmethod
    def _a_day(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value < timedelta(days=1):
            raise ValueError("must be at least one day: what runs refer to must not vanish under them")
        return value
