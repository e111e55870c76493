"""Which company a record belongs to: the ``company:`` rule of a flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from weft.config.values import Strict


class CompanyTarget(Strict):
    """One destination: a company, or a connection and a company in it."""

    connection: str | None = Field(
        default=None, description="connection the record goes to; default: every connection of the other side"
    )
    company: str = Field(default="", description="company in it; empty where the system has none")


def _target(value: Any) -> Any:
    return {"company": value} if isinstance(value, str) else value


def _targets(value: Any) -> Any:
    return [_target(item) for item in value] if isinstance(value, list) else [_target(value)]


_ONE = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"connection": {"type": "string"}, "company": {"type": "string"}},
            "additionalProperties": False,
        },
    ]
}
_MANY = {"anyOf": [*_ONE["anyOf"], {"type": "array", "items": _ONE, "minItems": 1}]}
Targets = Annotated[list[CompanyTarget], Field(min_length=1), BeforeValidator(_targets), WithJsonSchema(_MANY)]


class CompanyWhen(Strict):
    """One rule of a list: the first that holds decides."""

    when: str | None = Field(default=None, description="JSONata over the canonical record; left out: always")
    to: Targets = Field(description="company, list of companies, or `{connection: …, company: …}`")


class CompanyRules(BaseModel):
    """Where records go, in one of three forms: ``by`` a field's value, a list of rules, or one company."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)
    __pydantic_extra__: dict[str, Targets]

    by: str | None = Field(
        default=None,
        description="canonical field whose value picks the company; every further key is a value",
    )
    default: Targets | None = Field(
        default=None,
        description="company for all other values; left out: a record with another value is an issue",
    )
    rules: list[CompanyWhen] = Field(default_factory=list, description="rules in order")

    @model_validator(mode="after")
    def _one_form(self) -> CompanyRules:
        if self.by is None and (self.values or self.default):
            named = next(iter(self.values), "default")
            raise ValueError(f"{named!r} needs `by: <field>` beside it")
        if self.by is not None and self.rules:
            raise ValueError("`by` and a list of rules exclude each other")
        if self.by is not None and not self.values and not self.default:
            raise ValueError(f"`by: {self.by}` needs at least one `<value>: <company>`")
        return self

    @property
    def values(self) -> dict[str, list[CompanyTarget]]:
        """Value of the field ``by`` -> where it goes."""
        return dict(self.__pydantic_extra__ or {})

    def targets(self) -> Iterator[CompanyTarget]:
        """Every destination any rule names, in order, repeats included."""
        for found in self.values.values():
            yield from found
        yield from self.default or ()
        for rule in self.rules:
            yield from rule.to


def _company(value: Any) -> Any:
    """All spellings in one form. Plain names in a list mean that a record goes to all of them."""
    if isinstance(value, str):
        return {"rules": [{"to": value}]}
    if isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            return {"rules": [{"to": value}]}
        return {"rules": [{"to": item} if isinstance(item, str) else item for item in value]}
    if isinstance(value, dict) and "rules" in value:
        raise ValueError("write the rules as a list directly under `company:`")
    return value


Company = Annotated[
    CompanyRules,
    BeforeValidator(_company),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "description": "every record goes to this company"},
                {
                    "type": "array",
                    "description": "companies a record all goes to, or rules in order",
                    "items": {
                        "anyOf": [
                            {"type": "string"},
                            {
                                "type": "object",
                                "properties": {"when": {"type": "string"}, "to": _MANY},
                                "required": ["to"],
                                "additionalProperties": False,
                            },
                        ]
                    },
                },
                {
                    "type": "object",
                    "description": "company by the value of a canonical field",
                    "properties": {"by": {"type": "string"}, "default": _MANY},
                    "required": ["by"],
                    "additionalProperties": _MANY,
                },
            ]
        }
    ),
]
