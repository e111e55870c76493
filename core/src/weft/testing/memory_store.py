"""The tables behind :class:`weft.testing.memory.MemorySystem`: rows, their changes, and a person's hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from weft.errors import EndpointDown
from weft.records import Moved, ObjectSchema, Op, Property

Effect = Literal["lose_answer", "lose_request", "reject", "throttle", "down", "crash"]
Place = tuple[str, str, str]
"""object, company, key."""
Normalise = Callable[[str, dict[str, Any]], dict[str, Any]]


@dataclass
class MemoryObject:
    """A table. ``fields`` maps names to a kind of :class:`weft.records.Property`, or to a whole one; a write
    to any other field is refused. ``key`` fields that a create leaves out are assigned, as are those in
    ``assigns``: field -> function of a running number (``{"Number": "C{:05d}".format}``)."""

    name: str
    fields: Mapping[str, str | Property]
    key: tuple[str, ...] = ("Id",)
    assigns: Mapping[str, Callable[[int], Any]] = field(default_factory=dict)

    def schema(self) -> ObjectSchema:
        shown = {n: f if isinstance(f, Property) else Property(n, f) for n, f in self.fields.items()}
        return ObjectSchema(self.name, self.key, shown)


@dataclass
class Row:
    """One record as the system holds it."""

    data: dict[str, Any]
    version: int
    changed_at: datetime
    changed_by: str


@dataclass
class Fault:
    """What goes wrong with the next ``times`` reads or writes it is about.

    ``lose_answer`` carries the write out and loses the answer, ``lose_request`` does not carry it out;
    ``reject`` and ``throttle`` answer so for the item; ``down`` raises EndpointDown, before a read or a
    write; ``crash`` carries the write out and raises RuntimeError, as a defective connector would.
    """

    effect: Effect
    on: Literal["read", "write"] = "write"
    op: Op | str | None = None
    object: str | None = None
    times: int = 1
    message: str = "fault injected"
    retry_after: float | None = None

    def strikes(self, on: str, op: str, object: str) -> bool:
        fits = self.on == on and self.op in (None, op) and self.object in (None, object)
        if fits:
            self.times -= 1
        return fits


@dataclass
class Change:
    number: int
    place: Place
    data: dict[str, Any]


class MemoryStore:
    """Tables in memory. Every change is numbered as it is committed; a version counts the changes of a row.

    ``normalise`` is what the system makes of values it is given, per object.
    """

    def __init__(
        self,
        objects: Sequence[MemoryObject],
        *,
        title: str,
        normalise: Normalise | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.objects = {one.name: one for one in objects}
        self.title, self.clock = title, clock
        self.normalise: Normalise = normalise or (lambda _, data: data)
        self.faults: list[Fault] = []
        self.down: str | None = None
        """While set, nothing answers; the text says why."""
        self._rows: dict[Place, Row] = {}
        self._log: list[Change] = []
        self._moved: dict[Place, Moved] = {}
        self._hidden: set[Place] = set()
        self._numbers: dict[tuple[str, str], int] = defaultdict(int)
        self._epoch = 0

    def put(self, object: str, /, company: str = "", by: str = "person", **data: Any) -> str:
        """Create a record, or change the one with this key; returns the key."""
        known = self.objects[object]
        for name in known.key:
            if data.get(name) is None:
                data[name] = self._number(known, name)
        key = self.key_of(object, data)
        place = (object, company, key)
        if place not in self._rows:
            data = {**dict.fromkeys(known.fields), **self._assigned(known, data), **data}
        self._store(place, data, by)
        return key

    def edit(self, object: str, key: str, /, company: str = "", by: str = "person", **data: Any) -> None:
        """Change fields of a record; KeyError when there is none."""
        self._rows[object, company, key]
        self._store((object, company, key), data, by)

    def remove(self, object: str, key: str, company: str = "") -> None:
        """Delete a record; the rows that belong to it stay, as in a careless system."""
        place = (object, company, key)
        row = self._rows.pop(place)
        self._note(place, row.data)

    def move(self, object: str, key: str, to_object: str, to_key: str, company: str = "", reason: str = "") -> None:
        """The record lives on elsewhere (it was posted, say); put it there as well."""
        self.remove(object, key, company)
        self._moved[object, company, key] = Moved(key, to_object, to_key, company, reason)

    def hide(self, object: str, key: str, company: str = "", *, hidden: bool = True) -> None:
        """Take away the right to see a record, or give it back."""
        place = (object, company, key)
        self._hidden.add(place) if hidden else self._hidden.discard(place)

    def get(self, object: str, key: str, company: str = "") -> dict[str, Any] | None:
        """A copy of a record's fields, None when there is none."""
        row = self._rows.get((object, company, key))
        return dict(row.data) if row is not None else None

    def rows(self, object: str, company: str | None = None) -> dict[str, dict[str, Any]]:
        """Copies of all records of an object by key."""
        return {
            place[2]: dict(row.data)
            for place, row in sorted(self._rows.items(), key=lambda one: one[0])
            if place[0] == object and company in (None, place[1])
        }

    def fail(self, effect: Effect, **about: Any) -> Fault:
        """Inject a :class:`Fault`; further arguments are its fields."""
        fault = Fault(effect, **about)
        self.faults.append(fault)
        return fault

    def forget_cursors(self) -> None:
        """Cursors given out so far are no longer known."""
        self._epoch += 1

    def key_of(self, object: str, data: Mapping[str, Any]) -> str:
        return "|".join(str(data[name]) for name in self.objects[object].key)

    def _number(self, known: MemoryObject, name: str) -> Any:
        self._numbers[known.name, name] += 1
        number = self._numbers[known.name, name]
        made = known.assigns.get(name)
        if made is not None:
            return made(number)
        kind = known.schema().properties[name].kind
        return number if kind == "integer" else f"{known.name}-{number:04d}"

    def _assigned(self, known: MemoryObject, data: Mapping[str, Any]) -> dict[str, Any]:
        return {n: self._number(known, n) for n in known.assigns if data.get(n) is None and n not in known.key}

    def _store(self, place: Place, data: Mapping[str, Any], by: str) -> Row:
        row = self._rows.get(place)
        version = row.version + 1 if row is not None else 1
        full = {**(row.data if row is not None else {}), **self.normalise(place[0], dict(data))}
        row = self._rows[place] = Row(full, version, self.clock(), by)
        self._note(place, full)
        return row

    def _note(self, place: Place, data: Mapping[str, Any]) -> None:
        self._log.append(Change(len(self._log) + 1, place, dict(data)))

    def _struck(self, on: str, op: str, object: str) -> Fault | None:
        if self.down is not None:
            raise EndpointDown(f"{self.title}: {self.down}")
        found = next((fault for fault in self.faults if fault.strikes(on, op, object)), None)
        if found is not None:
            if found.times <= 0:
                self.faults.remove(found)
            if found.effect == "down":
                raise EndpointDown(f"{self.title}: {found.message}", retry_after=found.retry_after)
        return found
