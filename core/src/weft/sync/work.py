"""One unit of work: a pair of records, what is known of it, and what is to be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from weft.model.values import EMPTY, Fields, decode, encode
from weft.records import Canonical, Problem, Record, Side, Target
from weft.sync.choices import Choices

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.state.intents import Intent
    from weft.state.links import Link
    from weft.sync.decide import Decision
    from weft.sync.flow import Pair
    from weft.sync.lines import LinesDecision


@dataclass(slots=True)
class Base:
    """What one side held when the pair last agreed: fields, and lines by core's line id. ``mapped``: by which mapping,
    as :meth:`mark` tells it."""

    fields: Fields = field(default_factory=dict)
    lines: dict[str, dict[str, Fields]] = field(default_factory=dict)
    mapped: str = ""

    @classmethod
    def read(cls, text: str | None) -> Base:
        if not text:
            return cls()
        stored = decode(text)
        return cls(stored["f"], stored.get("l", {}), stored.get("m", ""))

    @staticmethod
    def mark(compiled: CompiledMapping) -> str:
        return f"{compiled.mapping.variant} {compiled.digest}"

    def forget(self, compiled: CompiledMapping, now: Fields) -> None:
        """Where the mapping has changed since, nobody need have cleared what the side holds nothing of now: it may be
        kept elsewhere, and of that nothing is known."""
        variant, _, digest = self.mapped.rpartition(" ")
        if not variant or variant != compiled.mapping.variant or digest == compiled.digest:
            return
        self.fields = {
            name: value for name, value in self.fields.items() if value is EMPTY or now.get(name, value) is not EMPTY
        }

    def text(self) -> str:
        stored: dict[str, Any] = {"f": self.fields}
        if self.lines:
            stored["l"] = self.lines
        if self.mapped:
            stored["m"] = self.mapped
        return encode(stored)


@dataclass(slots=True)
class Caught:
    """A record as read, with its fingerprint and (where mapping succeeded) its canonical form."""

    record: Record
    print: str
    canonical: Canonical | None = None
    problems: list[Problem] = field(default_factory=list)
    excluded: str | None = None


@dataclass(slots=True)
class Half:
    """One side of a pair: the record as caught, its base, and the fingerprint last settled."""

    caught: Caught | None = None
    base: Base = field(default_factory=Base)
    gone: str | None = None
    """Why the record could not be read, when the link says that it exists: gone, moved or invisible."""

    @property
    def canonical(self) -> Canonical | None:
        return self.caught.canonical if self.caught else None


@dataclass(slots=True)
class Work:
    """A pair on its way through the cycle.

    ``origin`` is the side whose record brought it here. ``target`` is where the missing side is to
    be created. ``stop`` says why the pair goes no further in this run; the issue is open by then.
    """

    pair: Pair
    origin: Side
    left: Half
    right: Half
    target: Target
    link: Link | None = None
    replaces: Link | None = None
    """The link of a record that is gone, whose counterpart this one takes over."""
    decision: Decision | None = None
    lines: LinesDecision | None = None
    chosen: Choices = field(default_factory=Choices)
    edited: Fields = field(default_factory=dict)
    """Values a person gave to be sent instead, once."""
    edited_to: Side | None = None
    """The side whose refusal they were given for."""
    stop: str | None = None
    closing: list[tuple[str, Literal["done", "abandoned"], str | None]] = field(default_factory=list)
    """Earlier intents that are settled once the pair is remembered."""
    resumed: Intent | None = None
    """An earlier create that stopped between its steps and is to be continued."""
    own_key: str | None = None
    """Weft's key of an earlier create that is taken not to have happened. The next one bears it again: should the
    first still come through, a system that keeps such keys apart refuses one of the two."""
    failures: int = 0
    """How often the record has failed so far, as its open issue counts."""
    told: Side | None = None
    """The side on whose record an issue of a failure is open already."""
    acted: bool = False
    recalled: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Lines an unsettled write has made: (collection, id, left key, right key); not linked yet."""
    due: tuple[str, ...] = ()
    """Actions of the right mapping to be done in the next wave."""

    def half(self, side: Side) -> Half:
        return self.left if side == "left" else self.right

    @property
    def currency(self) -> str | None:
        """Code of the currency the record's amounts are in, as either side says."""
        return self.pair.currency_of(
            *(half.canonical.fields for half in (self.left, self.right) if half.canonical is not None),
            self.left.base.fields, self.right.base.fields,
        )  # fmt: skip

    @property
    def same(self) -> Callable[[str, Any, Any], bool]:
        """Whether two values of a field agree."""
        return self.pair.comparator.in_currency(self.currency).same

    def same_in(self, collection: str) -> Callable[[str, Any, Any], bool]:
        """Whether two values of a line's field agree."""
        return self.pair.line_comparators[collection].in_currency(self.currency).same

    @property
    def source(self) -> Canonical:
        """The canonical record on the origin side."""
        canonical = self.half(self.origin).canonical
        if canonical is None:
            raise LookupError("a work has no record on its origin side")
        return canonical

    @property
    def missing(self) -> Side | None:
        """The side that has no record and no link to one."""
        if self.link is not None:
            return None
        if self.left.caught is None:
            return "left"
        return "right" if self.right.caught is None else None

    @property
    def place(self) -> str:
        """Which of a left record's counterparts this pair is about: ``connection/company`` of the right side;
        empty in flows where there can be but one."""
        if not self.pair.flow.several_targets:
            return ""
        company = self.link.right_company if self.link is not None else self.target.company
        return f"{self.pair.connection}/{company}"

    @property
    def label(self) -> str:
        """What a person would call the record."""
        for half in (self.half(self.origin), self.left, self.right):
            if half.canonical is not None:
                return label(half.canonical, self.pair.flow.entity.label)
        for half in (self.left, self.right):
            if half.base.fields:
                # The record cannot be read any more; what it was called is still known.
                return label(Canonical("", "", "", half.base.fields), self.pair.flow.entity.label)
        return ""


def label(canonical: Canonical, names: tuple[str, ...]) -> str:
    """The first of the naming fields that has a value, else the key."""
    shown = [str(canonical.fields[name]) for name in (*names, "description") if canonical.fields.get(name)]
    return " ".join(shown[:2]) or canonical.key


def other(side: Side) -> Side:
    return "right" if side == "left" else "left"
