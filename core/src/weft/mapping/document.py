"""The mapping document, as written in YAML.

A connector packages one document per (entity, variant); the user's ``weft.yaml`` may overlay it by
field. :mod:`weft.mapping.loading` reads and merges them, :mod:`weft.mapping.compile` turns one into
functions. Every model here refuses unknown keys.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Compare = Literal["exact", "casefold", "trim", "digits", "money", "minute", "second", "date", "unordered"]


class Part(BaseModel):
    """A strict piece of a document."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Missing(Part):
    """What to do when a reference has no counterpart: an issue (default), a default, or create it."""

    policy: Literal["issue", "default", "create", "empty"] = "issue"
    default: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"policy": data}
        if isinstance(data, dict) and "default" in data and "policy" not in data:
            return {"policy": "default", **data}
        return data


Native = str | bool | int | Decimal | None


def _spelled(value: Any) -> Any:
    """YAML reads `true:` and `1:` as a boolean and a number; canonical values are spelled as text."""
    if not isinstance(value, dict):
        return value
    return {str(k).lower() if isinstance(k, bool) else str(k or ""): v for k, v in value.items()}


ValueMap = Annotated[dict[str, Native | list[Native]], BeforeValidator(_spelled)]


class FieldMap(Part):
    """How one native field corresponds to a canonical one.

    Exactly one of ``from`` (a plain copy), ``ref`` (a reference), ``const`` or the pair ``in``/``out``
    (JSONata) gives the value. With ``in``/``out`` the canonical name stands in ``from``.
    """

    from_: str | None = Field(None, alias="from", description="canonical field")
    ref: str | None = Field(None, description="entity the native value refers to")
    by: str | None = Field(
        None,
        description="how the native value names the target: 'key' (default for master and document "
        "entities), 'code' (native value is the code itself), 'id' (native value is the key of a row of "
        "the reference entity's own object; core translates it to the code), or a native field of the target",
    )
    object: str | None = Field(
        None, description="with ref: the object the key belongs to, when it is not the target mapping's"
    )
    const: Any = Field(None, description="always written; never read")
    values: ValueMap | None = Field(
        None,
        description="canonical value -> native value, or a list of them: all are read, the first is written; "
        "the canonical value '' stands for EMPTY",
    )
    default: Any = Field(None, description="written on create when the canonical field is EMPTY or ABSENT")
    missing: Missing = Missing()
    on: Literal["both", "create", "update", "read", "write"] = Field(
        "both",
        description="'both': read and written; 'read': never written; 'write': never read; "
        "'create': read, written only on create; 'update': read, written only on update",
    )
    cast: Literal["text", "integer", "decimal", "boolean", "date", "datetime"] | None = None
    max: int | None = Field(None, description="longest text in characters; longer is a problem without cut")
    cut: bool = False
    digits: int | Literal["currency"] | None = Field(
        None, description="decimal places the system keeps; 'currency': those of the amount's currency"
    )
    blank: list[Any] = Field(default_factory=list, description="further native values that mean EMPTY")
    compare: Compare = "exact"
    in_: str | None = Field(None, alias="in", description="JSONata over the native record -> canonical value")
    out: str | None = Field(None, description="JSONata over the canonical record -> native value")
    required: bool = Field(False, description="a create without it is a problem, told before sending")
    needs: list[str] | None = Field(
        None, description="native fields that `in` reads, where that cannot be told from the expression"
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        return {"from": data} if isinstance(data, str) else data

    @property
    def readable(self) -> bool:
        return self.on != "write" and self.const is None

    @property
    def writable(self) -> bool:
        return self.on != "read"

    @property
    def canonical(self) -> str | None:
        """The canonical field this one feeds: ``from``, else the name of the reference."""
        return self.from_ or self.ref


def _fields(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: {"from": v} if isinstance(v, str) else v for k, v in value.items()}
    return value


FieldMaps = Annotated[dict[str, FieldMap], BeforeValidator(_fields)]
"""Native field -> how it maps. A field of a part is written ``part.Field``; one native field that
feeds several canonical fields is repeated with ``#`` and a note: ``Name#sort``."""


class Objects(Part):
    """Object names when a system wants different ones for reading and writing."""

    read: str
    create: str | None = None
    update: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        return {"read": data} if isinstance(data, str) else data

    @property
    def to_create(self) -> str:
        return self.create or self.read

    @property
    def to_update(self) -> str:
        return self.update or self.read


class Capture(Part):
    """One source of change: an object with a changed-time field, or a sweep."""

    object: str | None = None
    field: str | None = None
    key: dict[str, str] | str | None = Field(
        None, description="how a changed row names the mapping's record: its field -> our key field"
    )
    sweep: Literal["etag", "print"] | None = Field(
        None,
        description="what no timestamp shows: compare versions ('etag') or contents ('print') of all records",
    )


class PartMap(Part):
    """A further object whose row belongs to the same record."""

    object: str
    join: dict[str, str] = Field(description="field of the part -> field of the main object")
    where: dict[str, Any] = Field(default_factory=dict, description="fixed values of the part's row")
    create: bool = Field(True, description="write a row when there is none and a value is due")
    key: str | None = None


class LineMap(Part):
    """A collection of lines of a document."""

    object: str
    parent: str = Field(description="field of the line that holds the document's key")
    join: dict[str, str] = Field(
        default_factory=dict,
        description="further fields of the line that hold a part of the document's key -> the document's fields",
    )
    nav: str | None = Field(None, description="name under which the system nests the lines in the document")
    key: str
    order: str | None = Field(None, description="native field the lines are sorted by")
    when: str | None = Field(None, description="JSONata over the native line: is it one of these lines?")
    needs: list[str] | None = Field(
        None, description="native fields that `when` reads, where that cannot be told from the expression"
    )
    where: dict[str, Any] = Field(
        default_factory=dict, description="native field -> value the lines are filtered by; written on create"
    )
    match: list[list[str]] = Field(default_factory=list, description="canonical fields that recognise a line")
    own_key: OwnKey | None = None
    fields: FieldMaps
    editable: bool = Field(True, description="whether lines of an existing document can be changed")


class OwnKey(Part):
    """The native field that can hold weft's own key of a create, and the spelling it takes."""

    field: str
    form: Literal["guid", "text"] = "text"
    length: int = Field(default=32, description="most characters the field takes, the prefix among them")
    prefix: str = Field(
        default="", description="text every key begins with; by it a mapping's `when` knows its records again"
    )


class Mapping(Part):
    """How one object and one entity correspond; see the example in ``docs/mapping.md``."""

    entity: str
    variant: str = "default"
    object: Objects
    key: list[str]
    company: str | None = Field(None, description="native field that holds the company, if records carry it")
    changed: str | None = Field(None, description="native field with the time of the last change")
    changed_by: str | None = None
    created: str | None = None
    version: str | None = Field(None, description="native field that is the version where there is no ETag")
    where: dict[str, Any] = Field(
        default_factory=dict,
        description="native field (or path) -> value or list of values the system itself filters by; "
        "also written on create",
    )
    when: str | None = Field(None, description="JSONata over the native record: is it this entity?")
    locked: str | None = Field(
        None, description="JSONata over the native record: true, or the reason, when it must not be edited"
    )
    accepts: str | None = Field(
        None,
        description="rule over the canonical record: is a record of the other side created in this variant?",
    )
    follow: str | None = Field(
        None,
        description="rule over the canonical record: while it holds, the linked record is read again by key "
        "in every run, because the system changes it without a trace (the open amount of an invoice)",
    )
    optional: bool = Field(False, description="a flow uses this variant only where it names it")
    needs: list[str] | None = Field(
        None,
        description="native fields that `when` and `locked` read, where the expressions do not tell",
    )
    capture: list[Capture] = Field(default_factory=list)
    parts: dict[str, PartMap] = Field(default_factory=dict)
    lines: dict[str, LineMap] = Field(default_factory=dict)
    own_key: OwnKey | None = None
    match: list[list[str]] = Field(default_factory=list, description="canonical fields that recognise a record")
    returns: list[str] = Field(default_factory=list, description="canonical fields this system assigns")
    actions: dict[str, str] = Field(default_factory=dict, description="canonical step -> native action")
    deletes: Literal["ignore", "ask", "deactivate", "delete"] | None = None
    deactivate: dict[str, Any] = Field(default_factory=dict, description="native fields that mean inactive")
    settle_seconds: float = Field(
        0, description="the server's longest operation: how long an unanswered write may still land"
    )
    read_only: bool = False
    only_moved: bool = Field(
        False,
        description="records get here only by a move of a linked one (a posted line becomes a ledger entry): none is "
        "listed, searched or created here",
    )
    fields: FieldMaps
    source: str | None = Field(None, exclude=True, description="file the document came from")
    placeholders: dict[str, str] = Field(default_factory=dict, exclude=True)
    positions: dict[tuple[str | int, ...], str] = Field(default_factory=dict, exclude=True, repr=False)
    """Path within the document -> ``file:line:column``; filled in by :mod:`weft.mapping.loading`."""

    def at(self, *path: str | int) -> str:
        """Where ``path`` (or the nearest enclosing piece) is written: ``file:line:column``."""
        for length in range(len(path), -1, -1):
            found = self.positions.get(path[:length])
            if found is not None:
                return found
        return self.source or f"mapping {self.entity}/{self.variant}"


LineMap.model_rebuild()
Mapping.model_rebuild()
