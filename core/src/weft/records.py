"""What travels between core and connectors.

Native side: :class:`Record` (a row as the system holds it), :class:`Query` and :class:`Page` for
reading, :class:`Item` and :class:`Outcome` for writing. Canonical side: :class:`Canonical`.
:class:`Mapped` carries one across the other. Keys are opaque strings to core: a connector chooses
a spelling and keeps to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from weft.model.currencies import ISO, Currencies
from weft.model.values import Fields

if TYPE_CHECKING:
    import logging

    from weft.mapping.document import Mapping
    from weft.meter import Meter
    from weft.model.entity import EntityType

Side = Literal["left", "right"]
Lane = Literal["live", "bulk"]
"""Live: what just happened, by an event or a person's decision. It overtakes bulk: passes over many records."""
Native = dict[str, Any]


# -- reading ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Record:
    """One row of an object, as the system holds it.

    ``key`` identifies it within (connection, company, object). ``version`` is what a guarded write
    compares (an ETag), None where the system has none. ``changed_at`` is the system's own stamp,
    ``changed_by`` the user it names. ``children`` holds the rows of the mapping's ``lines`` under
    their collection name, and of its ``parts`` under the part's name; one that is left out was not read, and
    nothing is concluded from it.
    """

    object: str
    key: str
    data: Native
    company: str = ""
    version: str | None = None
    changed_at: datetime | None = None
    changed_by: str | None = None
    children: dict[str, list[Record]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moved:
    """A record that lives on elsewhere: a posted, converted or merged document. The link follows."""

    key: str
    to_object: str
    to_key: str
    to_company: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """``field op value`` on native fields; conditions of a query are joined by AND."""

    field: str
    op: Literal["eq", "ne", "gt", "ge", "lt", "le", "startswith"]
    value: Any


Mode = Literal["changes", "scan", "keys", "search"]


@dataclass(slots=True)
class Query:
    """What to read.

    * ``changes``: records changed since ``cursor`` (None: from now on, yields no record but a
      cursor), in any order, repeats allowed, nothing skipped;
    * ``scan``: every record the mapping covers; ``cursor`` of its last page continues ``changes``
      from *before* the scan began;
    * ``keys``: the records in ``keys``; those not found are told apart as gone, moved or invisible;
    * ``search``: records that satisfy any group of ``search`` (each a tuple of conditions).

    ``overlap`` is how many seconds before the last change seen a ``changes`` read begins (None: what the
    connector thinks right). ``fields`` limits the native fields (None: what the mapping needs). ``fresh`` asks for the
    primary copy where a system has replicas. ``keys_only`` wants keys and versions, no data. ``remembered`` goes
    with ``keys``: the canonical fields that linked records had when they were last in agreement, by key; what a
    vanished record was called may tell where it went.
    """

    mode: Mode
    mapping: Mapping
    company: str = ""
    cursor: str | None = None
    keys: Sequence[str] = ()
    search: Sequence[Sequence[Condition]] = ()
    fields: Sequence[str] | None = None
    page_size: int | None = None
    fresh: bool = False
    keys_only: bool = False
    overlap: float | None = None
    remembered: dict[str, Fields] = field(default_factory=dict)


@dataclass(slots=True)
class Page:
    """Some records and how far reading has come.

    ``cursor`` is safe to store once every record of this and all earlier pages is settled; None
    means: not yet. ``gone`` and ``invisible`` are keys, ``moved`` tells where a record went; only a
    ``keys`` query may report them (a ``changes`` query may report ``suspects``: keys that look
    deleted, to be asked for by key). ``expired`` says that the cursor's token is no longer known
    and a full sweep is due. ``total`` is the expected number of records, where known.
    """

    records: list[Record] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    invisible: list[str] = field(default_factory=list)
    suspects: list[str] = field(default_factory=list)
    cursor: str | None = None
    expired: bool = False
    total: int | None = None


# -- canonical -------------------------------------------------------------------------------------


@dataclass(slots=True)
class LineChange:
    """What is to happen to one line of a document: canonical fields, core's ``id`` for the line."""

    collection: str
    op: Literal["create", "update", "delete"]
    id: str
    key: str | None = None
    version: str | None = None
    fields: Fields = field(default_factory=dict)


@dataclass(slots=True)
class Canonical:
    """A record in canonical form, with where it came from.

    ``fields`` is flat (see :mod:`weft.model.values`), ``lines`` holds the children by collection.
    ``locked`` says why the record must not be edited, if so. On the way out ``fields`` holds just
    what is to be written, ``changes`` what is to happen to the lines, and ``key`` is empty for a
    create.
    """

    entity: str
    object: str
    key: str
    fields: Fields
    company: str = ""
    variant: str = ""
    version: str | None = None
    changed_at: datetime | None = None
    changed_by: str | None = None
    lines: dict[str, list[Canonical]] = field(default_factory=dict)
    locked: str | None = None
    changes: list[LineChange] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field of one record, and what to do about it."""

    field: str
    message: str
    code: str = "mapping"
    entity: str | None = None
    key: str | None = None
    """With ``code="waiting"``: the (entity, key) whose link must appear first."""


@dataclass(slots=True)
class Mapped:
    """The result of mapping one record: exactly one of ``canonical``, ``native`` is set, or neither
    when ``problems`` forbid it. ``excluded`` says why the record is not part of the entity."""

    canonical: Canonical | None = None
    native: Native | None = None
    children: list[Child] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    excluded: str | None = None


# -- writing ---------------------------------------------------------------------------------------

Op = Literal["create", "update", "delete", "deactivate", "action"]


@dataclass(slots=True)
class Child:
    """One line to create, update or delete within a document; ``id`` is core's name for the line."""

    collection: str
    op: Literal["create", "update", "delete"]
    id: str
    key: str | None = None
    version: str | None = None
    data: Native = field(default_factory=dict)


@dataclass(slots=True)
class Item:
    """One record to write.

    ``id`` is the intent's id and stays the same when the write is tried again. ``own_key`` is
    weft's key for a create; the mapping's ``own_key`` field is already set in ``data``. ``key`` and
    ``version`` are the record's as last read (None for a create; a create whose ``key`` is set was
    interrupted: the record exists and the rest of its steps are due). ``company`` is where it goes.
    ``actions`` are names of the mapping's ``actions``, due after the data is in (``post``).
    """

    id: str
    op: Op
    mapping: Mapping
    object: str
    data: Native
    company: str = ""
    key: str | None = None
    version: str | None = None
    own_key: str | None = None
    children: list[Child] = field(default_factory=list)
    actions: tuple[str, ...] = ()


Result = Literal["created", "updated", "deleted", "unchanged", "partial", "conflict", "rejected", "retry", "in_doubt"]
Fault = Literal["record", "endpoint", "configuration"]


@dataclass(frozen=True, slots=True)
class Error:
    """Why a write did not succeed, in the system's own words.

    ``fault`` answers whose it is: the *record*'s (a person must change it), the *endpoint*'s (down,
    throttled: later may help), the *configuration*'s (rights, credentials, mapping).
    """

    fault: Fault
    message: str
    code: str = ""
    field: str | None = None
    status: int | None = None
    retry_after: float | None = None
    request_id: str | None = None


@dataclass(slots=True)
class Outcome:
    """What became of one item.

    ``record`` is the representation the write itself returned, if any. ``children`` maps
    :attr:`Child.id` to the key that the system gave the line. A representation read after the write is no
    ``record``: it may hold somebody's edit, which would pass for ours. ``in_doubt`` means that the request
    may have been carried out: core finds out before anything is repeated. ``partial`` means that
    some noted steps are done and trying again continues there.
    """

    id: str
    result: Result
    key: str | None = None
    version: str | None = None
    company: str | None = None
    record: Record | None = None
    children: dict[str, str] = field(default_factory=dict)
    error: Error | None = None


class Intents(Protocol):
    """Durable notes about the steps of a write; given to ``weft_write``."""

    async def note(self, item: Item, step: str, key: str | None = None, **data: Any) -> None:
        """Make a finished step durable. Returns once it is on disk."""

    def noted(self, item: Item) -> dict[str, dict[str, Any]]:
        """The steps noted so far, by name: ``{"header": {"key": "…"}, "line:7": {"key": "…"}}``."""

    async def still_mine(self) -> None:
        """Raise if this worker lost its lease; call right before every send."""


# -- the rest of the contract ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """Where a record goes: a connection and a company in it ('' where the system has none)."""

    connection: str
    company: str = ""


@dataclass(frozen=True, slots=True)
class Property:
    """A native field as the live system describes it. ``kind`` as in :class:`weft.model.entity.Field`;
    ``create_only``: given when a record is created, and not changed afterwards."""

    name: str
    kind: str
    max_length: int | None = None
    precision: int | None = None
    scale: int | None = None
    required: bool = False
    read_only: bool = False
    target: str | None = None
    values: tuple[str, ...] = ()
    create_only: bool = False


@dataclass(frozen=True, slots=True)
class ObjectSchema:
    """An object as the live system describes it."""

    name: str
    key: tuple[str, ...]
    properties: dict[str, Property]
    can_create: bool = True
    can_update: bool = True
    can_delete: bool = True


@dataclass(frozen=True, slots=True)
class Concern:
    """Something in the live system that a person should see to. ``remedy`` says what to do. ``missing``: fields or
    objects of mappings are not there because of it, so that they need not be told one by one."""

    level: Literal["error", "warning"]
    message: str
    remedy: str = ""
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Hint:
    """*This key changed*: an event's content, never trusted for more. ``key`` None: sweep the object."""

    object: str
    key: str | None = None
    company: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """An object whose changes flows want to be told of; ``company`` "" where the system has none."""

    object: str
    company: str = ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A push subscription as the system knows it; ``expires`` None: never."""

    id: str
    object: str
    company: str = ""
    expires: datetime | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An incoming HTTP request of a hook: method, path, query, headers (lower case), body."""

    method: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """The HTTP answer the sender is owed, and what it told us."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    hints: tuple[Hint, ...] = ()


@dataclass(slots=True)
class Context:
    """Where a call belongs. ``entity`` and ``company`` are empty where they do not apply."""

    kind: str
    connection: str
    settings: Any
    clock: Any
    log: logging.Logger
    run: str = ""
    flow: str = ""
    entity: EntityType | None = None
    company: str = ""
    side: Side | None = None
    lane: Lane = "bulk"
    lookup: Any = None
    limits: Any = None
    """The connection's :class:`weft.config.models.ConnectionLimits`."""
    currencies: Currencies = ISO
    """How many decimal places amounts have, by currency."""
    meter: Meter | None = None
    """To be handed to the :class:`~weft.net.session.HttpSession`, so that requests are measured."""
