"""References between records: to master and document entities they are translated through links.

Reference entities (currency, unit …) are matched by code instead: :mod:`weft.reference_tables`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weft.errors import ConfigError
from weft.model.values import EMPTY, Ref
from weft.records import Canonical, Side
from weft.sync.decide import Unlinked
from weft.sync.work import Work, other

if TYPE_CHECKING:
    from weft.model.entity import EntityType
    from weft.state.store import State
    from weft.state.tx import Tx
    from weft.sync.flow import End
    from weft.sync.run import Run


@dataclass(frozen=True, slots=True)
class Asked:
    """One reference to translate: from which connection to which; companies None: any."""

    entity: str
    object: str
    key: str
    source: str
    target: str
    from_company: str | None
    to_company: str | None


Translations = dict[Asked, Ref]


def asked(works: Iterable[Work]) -> set[Asked]:
    """Every reference in these works, both ways."""
    wanted: set[Asked] = set()
    sides: tuple[Side, Side] = ("left", "right")
    for work in works:
        entity = work.pair.flow.entity
        for side in sides:
            canonical = work.half(side).canonical
            if canonical is None:
                continue
            wanted.update(_refs(canonical, entity, work, side))
            for collection, lines in canonical.lines.items():
                if collection in entity.lines:
                    for line in lines:
                        wanted.update(_refs(line, entity.lines[collection], work, side))
    return wanted


def _refs(record: Canonical, entity: EntityType, work: Work, side: Side) -> Iterator[Asked]:
    for name, value in record.fields.items():
        if isinstance(value, Ref):
            yield _ask(name, value, entity, work, side)


def _ask(name: str, value: Ref, entity: EntityType, work: Work, side: Side) -> Asked:
    company = work.target.company
    return Asked(
        _referred(name, entity),
        value.object,
        value.key,
        work.pair.connection_of(side),
        work.pair.connection_of(other(side)),
        company if side == "right" else None,
        company if side == "left" else None,
    )


def _referred(name: str, entity: EntityType) -> str:
    field = entity.field(name)
    if field is None or field.entity is None:
        raise ConfigError(f"the field {name!r} of {entity.name} holds a reference but is not declared as one")
    return field.entity


async def recast(
    run: Run, origin: End, far: End, company: str, records: Sequence[Canonical], names: Iterable[str]
) -> list[Canonical]:
    """Records of one end with the references among these fields in the other end's terms; what is not linked there is
    EMPTY. ``company``: the one on the right side."""
    entity = run.flow.entity
    fields = set(names)
    from_company, to_company = (None, company) if origin.side == "left" else (company, None)

    def ask(name: str, value: Ref) -> Asked:
        about = _referred(name, entity), value.object, value.key
        return Asked(*about, origin.connection, far.connection, from_company, to_company)

    held = [
        {name: ask(name, value) for name, value in one.fields.items() if name in fields and isinstance(value, Ref)}
        for one in records
    ]
    found = await translate(run.runtime.state, {one for asks in held for one in asks.values()})
    return [
        replace(one, fields={**one.fields, **{name: found.get(wanted, EMPTY) for name, wanted in asks.items()}})
        if asks
        else one
        for one, asks in zip(records, held, strict=True)
    ]


async def translate(state: State, wanted: Iterable[Asked]) -> Translations:
    """Look references up in the links, in as few statements as there are kinds of reference."""
    groups: dict[tuple[str, str, str, str | None, str | None], list[Asked]] = defaultdict(list)
    for ask in wanted:
        groups[ask.entity, ask.source, ask.target, ask.from_company, ask.to_company].append(ask)

    def read(tx: Tx) -> Translations:
        found: Translations = {}
        for (entity, source, target, from_company, to_company), asks in groups.items():
            refs = [(ask.object, ask.key) for ask in asks]
            hits = tx.links.translate(entity, source, target, refs, from_company=from_company, to_company=to_company)
            for ask, ref in zip(asks, refs, strict=True):
                hit = hits.get(ref)
                if hit is not None:
                    found[ask] = Ref(hit.object, hit.key)
        return found

    return await state.read(read) if groups else {}


def theirs(record: Canonical, entity: EntityType, work: Work, side: Side, translations: Translations) -> dict[str, Any]:
    """A record's fields in the other side's terms; references without a counterpart are Unlinked."""
    fields: dict[str, Any] = dict(record.fields)
    for name, value in record.fields.items():
        if isinstance(value, Ref):
            ask = _ask(name, value, entity, work, side)
            fields[name] = translations.get(ask) or Unlinked(ask.entity, value.object, value.key)
    return fields
