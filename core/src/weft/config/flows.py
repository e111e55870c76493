"""A flow: one entity kept in agreement between connections."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema, field_validator, model_validator

from weft.config.companies import Company
from weft.config.values import Duration, Names, Strict
from weft.config.windows import WeekWindow, Window, open_again

Direction = Literal["both", "left_to_right", "right_to_left"]
OnConflict = Literal["owner", "newest", "review"]
First = Literal["fill", "pair", "left", "right", "review"]
Deletes = Literal["ignore", "ask", "deactivate", "delete"]

Amount = Annotated[Decimal, Field(ge=0)]
CurrencyOrDefault = Annotated[str, StringConstraints(pattern=r"^([A-Z]{3}|default)$")]

RESERVED = ("owner", "newest", "review", "both", "none", "left", "right")
"""Words of the flow's own settings; no connection may be called so."""


def _field_rule(value: Any) -> Any:
    """``{owner: erp}`` and ``{on_conflict: newest}`` are the long forms of ``erp`` and ``newest``."""
    if isinstance(value, dict):
        if set(value) == {"owner"}:
            return value["owner"]
        if set(value) == {"on_conflict"}:
            if value["on_conflict"] in ("newest", "review"):
                return value["on_conflict"]
            raise ValueError("`on_conflict` of a field is `newest` or `review`; or name its `owner`")
        raise ValueError("write a connection, `newest`, `review`, or a mapping with just `owner` or `on_conflict`")
    return value


FieldRule = Annotated[
    str,
    BeforeValidator(_field_rule),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {
                        "owner": {"type": "string"},
                        "on_conflict": {"enum": ["newest", "review"]},
                    },
                    "additionalProperties": False,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ]
        }
    ),
]
"""Who wins a conflict of one field: a connection, ``newest`` or ``review``."""


class Guards(Strict):
    """Brakes: more than the number *and* more than the percentage stop the flow until approved."""

    deletes: int | None = Field(default=20, ge=0, description="deletes within the window; null: no guard on deletes")
    changes: int | None = Field(default=None, ge=0, description="updates within the window; null: no guard on updates")
    creates: int | None = Field(default=None, ge=0, description="creates within the window; null: no guard on creates")
    percent: Decimal = Field(
        default=Decimal(5),
        ge=0,
        le=100,
        description="share of the linked records that must be passed as well",
    )
    window: Duration = Field(default=timedelta(hours=24), description="time over which is counted")


class Totals(Strict):
    """How document totals are compared with the lines and between the sides."""

    check: bool = Field(default=True, description="false writes documents without comparing totals")
    tolerance: Amount | dict[CurrencyOrDefault, Amount] = Field(
        default=Decimal("0.01"),
        description="largest difference accepted, in the document's currency; or by currency: `{KWD: 0.005, "
        "default: 0.01}`",
    )

    def allowed(self, currency: str | None) -> Decimal:
        """The largest difference accepted in a currency; 0.01 where nothing is said of it."""
        if not isinstance(self.tolerance, dict):
            return self.tolerance
        usual = self.tolerance.get("default", Decimal("0.01"))
        return self.tolerance.get(currency or "", usual)


class Retry(Strict):
    """How often and how long after an error the write is tried again."""

    attempts: int = Field(default=8, ge=1, le=1000, description="tries before the record becomes an issue")
    backoff: Duration = Field(
        default=timedelta(seconds=30), description="wait after the first failure; doubles each time"
    )
    longest: Duration = Field(default=timedelta(hours=1), description="longest wait between two tries")


def _create(value: Any) -> Any:
    return None if value == "both" else [] if value == "none" else [value] if isinstance(value, str) else value


class FlowConfig(Strict):
    """One entity kept in agreement between a left connection and one or more right ones."""

    entity: str = Field(description="canonical entity, such as `customer`")
    between: list[str] = Field(
        min_length=2, description="the connections: the left one first, then one or more right ones"
    )
    enabled: bool = Field(default=True, description="false: the flow is checked but never run")
    direction: Direction = Field(default="both", description="`both`, `left_to_right` or `right_to_left`")
    variants: dict[str, Names] = Field(
        default_factory=dict,
        description="connection -> mapping variants used there; default: all the connector brings",
    )
    owner: str | None = Field(default=None, description="system of record: connection whose values win conflicts")
    fields: dict[str, FieldRule] = Field(
        default_factory=dict,
        description="canonical field -> what decides a conflict of it: the connection that owns it, `newest` "
        "or `review`; in full `{owner: erp}`, `{on_conflict: newest}`",
    )
    on_conflict: OnConflict = Field(
        default="review",
        description="what decides when both sides changed a field: `owner`, `newest` or `review`; "
        "default: `owner` where there is one, else `review`",
    )
    when: str | None = Field(
        default=None,
        description="JSONata over the canonical record: only where it is true is a record kept in agreement",
    )
    first: First = Field(
        default="fill",
        description="what the first load does with a pair that differs: `fill` empties from the other side, "
        "`pair` link only, `left` or `right` wins, `review` ask",
    )
    first_differences: Literal["review", "owner"] = Field(
        default="review",
        description="with `first: fill`: what happens to fields that differ and are not empty",
    )
    company: Company | None = Field(
        default=None,
        description="company each record goes to: a name, several names, "
        "`{by: field, VALUE: company, default: …}` or a list of `{when: rule, to: company}`",
    )
    create: Annotated[
        list[str] | None,
        BeforeValidator(_create),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    ] = Field(
        default=None,
        description="connections in which records may be created: `both` (default), `none`, or names",
    )
    deletes: Deletes | None = Field(
        default=None,
        description="what a delete on one side does on the other: `ignore`, `ask`, `deactivate`, `delete`; "
        "default: the mapping's policy",
    )
    match: list[list[str]] | None = Field(
        default=None,
        description="canonical fields that recognise a record, best rule first; default: the mapping's",
    )
    ambiguous: Literal["issue", "create"] = Field(
        default="issue",
        description="several candidates match: `issue` asks a person, `create` makes a new record",
    )
    guards: Guards = Field(default_factory=Guards, description="brakes on mass changes")
    approve: str | None = Field(
        default=None,
        description="JSONata over the canonical record: where it is true a person must approve the write",
    )
    after: dict[str, Names] = Field(
        default_factory=dict,
        description="connection -> actions of the mapping due once the data is in, such as `post`",
    )
    totals: Totals = Field(default_factory=Totals, description="comparison of document totals")
    retry: Retry = Field(default_factory=Retry, description="repetition after errors")
    batch: int = Field(default=100, ge=1, le=10_000, description="records that travel together")
    overlap: Duration | None = Field(
        default=None,
        description="how far behind the last change seen each read begins, for what is committed late; "
        "default: the connector's own",
    )
    sweep: Duration | None = Field(
        default=timedelta(hours=24),
        description="how often every record is compared, whatever the watermarks say; null: never",
    )
    every: Duration | None = Field(default=None, description="how often the flow runs")
    cron: str | None = Field(default=None, description="when the flow runs, five cron fields in `timezone`")
    blackout: list[WeekWindow] = Field(
        default_factory=list,
        description="when the flow must not work, in `timezone`: `mon-fri 08:00-18:00`, `sat,sun`, `23:30-01:00`; "
        "what happens meanwhile is made up for afterwards",
    )
    on: Literal["webhook"] | None = Field(
        default=None, description="`webhook`: also runs when a system pushes a change"
    )
    timezone: str = Field(default="UTC", description="time zone of `cron` and `blackout`, such as `Europe/Berlin`")

    @model_validator(mode="before")
    @classmethod
    def _system_of_record(cls, data: Any) -> Any:
        """A flow with an owner follows it unless it says otherwise."""
        if isinstance(data, dict) and data.get("owner") and "on_conflict" not in data:
            return {**data, "on_conflict": "owner"}
        return data

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone; write one such as Europe/Berlin") from None
        return value

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        if value is None:
            return value
        if len(value.split()) != 5:
            raise ValueError("write five fields: minute hour day month weekday, such as `0 2 * * *`")
        try:
            CronSim(value, datetime(2024, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            raise ValueError(f"is no cron expression: {error}") from None
        return value

    @field_validator("blackout")
    @classmethod
    def _blackout(cls, value: list[Window]) -> list[Window]:
        if value and open_again(value, datetime(2024, 1, 1)) is None:
            raise ValueError("covers the whole week: the flow would never work; write `enabled: false` instead")
        return value

    @field_validator("every", "sweep")
    @classmethod
    def _positive(cls, value: Any) -> Any:
        if value is not None and value.total_seconds() < 1:
            raise ValueError("must be at least one second")
        return value

    @model_validator(mode="after")
    def _fits(self) -> FlowConfig:
        if len(set(self.between)) != len(self.between):
            raise ValueError("`between` names a connection twice")
        if self.on_conflict == "owner" and self.owner is None:
            raise ValueError("`on_conflict: owner` needs `owner: <connection>`")
        if self.first_differences == "owner" and self.owner is None:
            raise ValueError("`first_differences: owner` needs `owner: <connection>`")
        if self.every is not None and self.cron is not None:
            raise ValueError("`every` and `cron` exclude each other")
        return self

    @property
    def left(self) -> str:
        return self.between[0]

    @property
    def right(self) -> tuple[str, ...]:
        return tuple(self.between[1:])

    def writes_to(self, connection: str) -> bool:
        """Whether the direction lets anything be written to the connection."""
        return self.direction == "both" or (self.direction == "right_to_left") == (connection == self.left)

    def may_create(self, connection: str) -> bool:
        """Whether new records may be created there."""
        return self.writes_to(connection) and (self.create is None or connection in self.create)

    def companies_named(self, connection: str) -> list[str]:
        """Companies of the connection that the rules name, in order; empty when there are no rules."""
        found = [
            target.company
            for target in (self.company.targets() if self.company else ())
            if target.connection == connection or (target.connection is None and connection in self.right)
        ]
        return list(dict.fromkeys(found))
