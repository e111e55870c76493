"""What the author of a connector provides to the contract suite: a system to run against.

:class:`Harness` says which connector is meant and starts a system for it; :class:`Running` is that system
while one check uses it: its settings, and the hands of the people who work in it. :class:`Subject` names an
entity to exercise. What a harness cannot do is left out: the checks that need it are skipped and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from weft.model.values import Fields
from weft.records import Moved, Native, Request

On = Literal["read", "write", "any"]
"""Which requests a fault strikes."""


class Unsupported(Exception):
    """The harness or the system cannot do this; the check is skipped with the text as its reason."""


@dataclass(frozen=True, slots=True)
class LineSubject:
    """Lines of a document. ``sample(n)`` answers the canonical fields of line n; ``text`` is a canonical text
    field of a line that may be changed. ``editable``: lines of an existing document can be written."""

    sample: Callable[[int], Fields]
    collection: str = "lines"
    text: str = "description"
    editable: bool = True


@dataclass(frozen=True, slots=True)
class Subject:
    """An entity the suite exercises: one without ``lines`` for records, one with them for documents.

    ``sample(n)`` answers canonical fields of a record the system accepts, different for each n; every field
    in it must come back as it was sent. The roles name canonical fields in it, plainly mapped (no value
    table, no part): ``text`` free text of some 40 characters or more, ``money`` an amount, ``day`` a date,
    ``moment`` a time, ``clear`` one that may be emptied. A role of None skips its checks.

    ``typed(n)`` answers the same record as a person types it in, in native fields; default: ``sample(n)``
    through the connector's own mapping. ``minimal(n)`` is the native record with as little as the system
    takes, and ``blank`` the canonical fields that are EMPTY then. ``refused`` are canonical fields that the
    system refuses together with a part of its own words. ``places``: decimal places ``money`` keeps,
    ``digits``: significant digits.
    """

    entity: str
    sample: Callable[[int], Fields]
    variant: str | None = None
    text: str = "name"
    money: str | None = None
    day: str | None = None
    moment: str | None = None
    clear: str | None = None
    places: int = 2
    digits: int = 16
    negative: bool = True
    typed: Callable[[int], Native] | None = None
    minimal: Callable[[int], Native] | None = None
    blank: tuple[str, ...] = ()
    refused: tuple[Fields, str] | None = None
    lines: LineSubject | None = None
    creates: bool = True
    updates: bool = True
    deletes: bool = True


class Strike(Protocol):
    """A fault in force."""

    struck: int
    """How often it has struck so far."""


@dataclass
class Running:
    """A system while one check uses it. Subclass it; implement ``create``, ``edit``, ``delete`` and ``keys``.

    ``settings`` are the connection's settings as under its name in ``weft.yaml``, without ``kind``;
    ``wrong_settings`` the same with credentials the system refuses. ``secrets`` are texts that must appear
    nowhere. ``company`` is a company's key, '' where the system has none; ``other_company`` another one.
    """

    settings: Mapping[str, Any]
    subjects: Sequence[Subject]
    secrets: Sequence[str] = ()
    wrong_settings: Mapping[str, Any] | None = None
    company: str = ""
    other_company: str | None = None

    # -- a person's hand -----------------------------------------------------------------------------

    async def create(self, object: str, data: Native, company: str) -> str:
        """A person adds a record; answers its key as the connector spells it."""
        raise Unsupported("the harness has no person's hand: it cannot create a record")

    async def edit(self, object: str, key: str, data: Native, company: str) -> None:
        """A person changes fields of a record."""
        raise Unsupported("the harness has no person's hand: it cannot edit a record")

    async def delete(self, object: str, key: str, company: str) -> None:
        """A person deletes a record."""
        raise Unsupported("the harness has no person's hand: it cannot delete a record")

    async def keys(self, object: str, company: str) -> list[str]:
        """Keys of every record of an object, looked at inside the system and not through the connector."""
        raise Unsupported("the harness cannot look into the system")

    async def hide(self, object: str, key: str, company: str) -> None:
        """Take the connector's user the right to see a record."""
        raise Unsupported("the harness cannot hide a record from the connector's user")

    async def move(self, object: str, key: str, company: str) -> Moved:
        """Post, convert or merge a record, so that it lives on elsewhere; answers where. Asked for a record
        first, then, if that is Unsupported, for a document with lines."""
        raise Unsupported("the harness cannot move a record to another object (post, convert, merge)")

    # -- what goes wrong -----------------------------------------------------------------------------

    async def strike(self, kind: str, on: On = "any", **options: Any) -> Strike:
        """Put a fault in force: a kind and options of :class:`weft.testing.simulator.Fault`."""
        raise Unsupported(f"the harness cannot make the fault {kind!r}")

    async def calm(self) -> None:
        """End all faults."""

    def late(self) -> AbstractContextManager[None]:
        """What a person writes inside is stamped now and becomes visible with :meth:`release`."""
        raise Unsupported("the harness cannot hold a commit back")

    async def release(self) -> None:
        raise Unsupported("the harness cannot hold a commit back")

    def same_moment(self) -> AbstractContextManager[None]:
        """The system's clock stands still inside."""
        raise Unsupported("the harness cannot stop the system's clock")

    async def age(self, seconds: float) -> None:
        """Let the system's clock move on, so that everything in it is older by so much."""
        raise Unsupported("the harness cannot move the system's clock")

    async def stop(self) -> None:
        """Take the system off the net for the rest of the check."""
        raise Unsupported("the harness cannot take the system off the net")

    # -- what was seen -------------------------------------------------------------------------------

    def writes(self) -> int:
        """How many requests that may write the system has received so far."""
        raise Unsupported("the harness does not count the writing requests")

    def logins(self) -> int:
        """How many logins (tokens) the system has been asked for so far."""
        raise Unsupported("the harness does not count logins")

    def subscriptions(self) -> int:
        """How many push subscriptions the system keeps now."""
        raise Unsupported("the harness does not count the subscriptions the system keeps")

    def tokens(self) -> Sequence[str]:
        """Tokens the system has given out; they are secrets too."""
        return ()

    # -- notifications -------------------------------------------------------------------------------

    def push_url(self) -> str:
        """An address at which the system may push to us while it runs."""
        raise Unsupported("the harness has no address that the system could push to")

    def notification(self, object: str, key: str, company: str) -> Request:
        """The request the system pushes when a record changed."""
        raise Unsupported("the harness gives no sample of a pushed notification")

    def forged(self, object: str, key: str, company: str) -> Request:
        """The same from somebody who does not know the shared secret."""
        raise Unsupported("the harness gives no forged notification")

    def handshake(self) -> tuple[Request, bytes]:
        """What the system asks before it pushes anything, and the body it wants back."""
        raise Unsupported("the system asks nothing before it pushes")


class Harness(Protocol):
    """Which connector, and how to start a system for it.

    ``kind`` is the entry point's name; ``module`` the connector's module (or any object with its hooks), or
    None to load the installed entry point. ``page_size`` is small so that few records make several pages.
    """

    kind: str
    module: Any
    page_size: int

    def start(self) -> AbstractAsyncContextManager[Running]:
        """A fresh system, for one check."""
