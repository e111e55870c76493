"""From pairs to writes: translate references, decide, hold back what needs a person.

Nothing is sent here. Each work either yields deliveries, or an issue, or nothing because both sides
agree already.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.model.values import EMPTY, Fields
from weft.records import Canonical, LineChange, Side
from weft.sync import approvals, edits
from weft.sync.decide import Unlinked, View, decide
from weft.sync.deliver import Delivery
from weft.sync.isolate import of_record, problem
from weft.sync.lines import LinePair, LinesDecision, align, decide_lines
from weft.sync.references import Translations, asked, theirs, translate
from weft.sync.work import Work, other

if TYPE_CHECKING:
    from weft.model.entity import EntityType
    from weft.state.intents import Intent
    from weft.state.links import ChildLink
    from weft.state.tx import Tx
    from weft.sync.parents import Parents
    from weft.sync.run import Run
    from weft.sync.settle import Settlement


@dataclass(frozen=True, slots=True)
class _Wave:
    """What the works of one wave are decided with; ``children`` are the linked lines of documents, by link."""

    run: Run
    translations: Translations
    children: dict[int, list[ChildLink]]
    settlement: Settlement


@dataclass(slots=True)
class Prepared:
    """The writes of one wave, with what they were decided from."""

    deliveries: list[Delivery]
    quiet: list[Work]
    """Works with nothing to write; what was learnt is settled all the same."""


async def prepare(run: Run, works: Sequence[Work], parents: Parents, settlement: Settlement) -> Prepared:
    """Decide every work. Parents that are not linked yet are fetched once."""
    wanted = asked(works)
    translations = await translate(run.runtime.state, wanted)
    missing = {ask for ask in wanted if ask not in translations}
    if missing and await parents.fetch(missing):
        translations.update(await translate(run.runtime.state, missing))
    wave = _Wave(run, translations, await _children(run, works), settlement)
    out = Prepared([], [])
    for work in works:
        if work.due:
            out.deliveries.append(Delivery(work, "right", "action", {}, actions=work.due))
            work.due = ()
            continue
        try:
            deliveries = _deliveries(wave, work)
        except Exception as error:
            if not of_record(error):
                raise
            wrong = problem(run, error)
            settlement.issue(work, "failed", wrong.message, code=wrong.code)
            settlement.journal(work, "decide", "failed", wrong.message)
            continue
        if deliveries is None:
            continue
        if deliveries:
            out.deliveries.extend(deliveries)
        else:
            out.quiet.append(work)
    return out


async def _children(run: Run, works: Sequence[Work]) -> dict[int, list[ChildLink]]:
    if not any(work.pair.collections for work in works):
        return {}
    ids = [work.link.id for work in works if work.link is not None]

    def read(tx: Tx) -> dict[int, list[ChildLink]]:
        return tx.links.children(ids)

    return await run.runtime.state.read(read) if ids else {}


def _deliveries(wave: _Wave, work: Work) -> list[Delivery] | None:
    """As :func:`_decide`, for pairs of which one half is missing as well."""
    if work.missing is None:
        return _decide(wave, work)
    delivery = _create(wave, work, work.missing)
    return None if delivery is None else [delivery]


def _decide(wave: _Wave, work: Work) -> list[Delivery] | None:
    """The writes one pair needs; an empty list when it needs none, None when it must not go on."""
    settlement, translations = wave.settlement, wave.translations
    left, right = work.left.canonical, work.right.canonical
    if left is None or right is None:
        settlement.unreadable(work)
        return None
    pair = work.pair
    entity = wave.run.flow.entity
    right_as_left = theirs(right, entity, work, "right", translations)
    left_as_right = theirs(left, entity, work, "left", translations)
    shared = pair.shared
    work.left.base.forget(pair.left, left.fields)
    work.right.base.forget(pair.right, right.fields)
    decision = decide(
        View(_only(left.fields, shared), work.left.base.fields, right_as_left, left.changed_at),
        View(_only(right.fields, shared), work.right.base.fields, left_as_right, right.changed_at),
        pair.policy,
        work.same,
        chosen=work.chosen.among(left.fields, right.fields),
    )
    work.decision = decision
    work.lines = _lines(wave, work, left, right)
    settlement.quarantine(work)
    instead = edits.apply(work, decision, {"left": right_as_left, "right": left_as_right})
    settlement.conflicts(work)
    waiting = [*decision.waiting, *(work.lines.waiting if work.lines else [])]
    if waiting:
        settlement.waiting(work, waiting)
        if work.lines and work.lines.waiting:
            return None  # a document goes as a whole or not at all
    deliveries = []
    sides: tuple[Side, Side] = ("right", "left")
    for side in sides:
        fields = decision.to_right if side == "right" else decision.to_left
        changes = [] if work.lines is None else (work.lines.to_right if side == "right" else work.lines.to_left)
        if not fields and not changes:
            continue
        canonical = work.half(side).canonical
        if canonical is not None and canonical.locked:
            settlement.locked(work, side, canonical.locked, fields)
            continue
        deliveries.append(Delivery(work, side, "update", dict(fields), list(changes), instead=instead[side]))
    return approvals.allowed(settlement, work, deliveries)


def _lines(wave: _Wave, work: Work, left: Canonical, right: Canonical) -> LinesDecision | None:
    pair = work.pair
    if not pair.collections:
        return None
    types = wave.run.flow.entity.lines
    known: dict[str, list[tuple[str, str | None, str | None]]] = defaultdict(list)
    for child in wave.children.get(work.link.id, ()) if work.link is not None else ():
        known[child.collection].append((child.id, child.left_key, child.right_key))
    linked = {key for found in known.values() for one in found for key in one[1:]}
    for collection, line_id, left_key, right_key in work.recalled:
        if left_key not in linked and right_key not in linked:
            known[collection].append((line_id, left_key, right_key))

    def in_other_terms(collection: str, line: Canonical, side: Side) -> dict[str, Any]:
        return theirs(line, types[collection], work, side, wave.translations)

    pairs = []
    for name in pair.collections:
        if name not in left.lines or name not in right.lines:
            continue  # not read: nothing is known of the lines there
        pairs += align(
            name,
            left.lines.get(name, []),
            right.lines.get(name, []),
            known[name],
            pair.right.mapping.lines[name].match or pair.left.mapping.lines[name].match,
            lambda line, name=name: in_other_terms(name, line, "left"),  # type: ignore[misc]
            work.same_in(name),
        )
    return decide_lines(
        pairs,
        (work.left.base, work.right.base),
        pair.line_policies,
        pair.line_creators,
        in_other_terms,
        {name: work.same_in(name) for name in pair.collections},
        choose=work.chosen.of,
        changed=(left.changed_at, right.changed_at),
    )


def _create(wave: _Wave, work: Work, side: Side) -> Delivery | None:
    """The create of the missing half, unless it must wait for something or somebody."""
    run, settlement, translations = wave.run, wave.settlement, wave.translations
    if not run.flow.creates(side):
        settlement.unmatched(work, side)
        return None
    source = work.half(other(side)).canonical
    if source is None:
        settlement.unreadable(work)
        return None
    if work.resumed is not None:
        return _resumed(work, work.resumed, source)
    pair, entity = work.pair, run.flow.entity
    compiled = pair.mapping(side)
    if compiled.mapping.read_only or (compiled.accepts is not None and not compiled.accepts(source)):
        settlement.unmatched(work, side)
        return None
    fields: Fields = {}
    waiting: list[tuple[str, Side, Unlinked]] = []
    terms = theirs(source, entity, work, other(side), translations)
    given = {name: value for name, value in work.edited.items() if name in compiled.creatable}
    for name, value in {**terms, **given}.items():
        if name not in compiled.creatable:
            continue
        if isinstance(value, Unlinked):
            waiting.append((name, side, value))
        elif value is not EMPTY:
            fields[name] = value
    work.lines = _new_lines(work, entity, source, side, translations)
    waiting += work.lines.waiting
    if waiting:
        settlement.waiting(work, waiting)
        return None
    changes = work.lines.to_left if side == "left" else work.lines.to_right
    instead = {name: edits.said(terms.get(name, EMPTY)) for name in given}
    delivery = Delivery(work, side, "create", fields, list(changes), instead=instead)
    found = approvals.allowed(settlement, work, [delivery])
    return found[0] if found else None


def _resumed(work: Work, intent: Intent, source: Canonical) -> Delivery:
    """An earlier create as it was sent then; what changed since is seen once it is complete."""
    lines = LinesDecision()
    changes = lines.to_left if intent.side == "left" else lines.to_right
    for sent in intent.payload["lines"]:
        group = source.lines.get(sent["collection"], [])
        line = next((one for one in group if one.key == sent["source_key"]), None)
        halves = (None, line) if intent.side == "left" else (line, None)
        lines.pairs.append(LinePair(sent["collection"], sent["id"], *halves))
        changes.append(LineChange(sent["collection"], sent["op"], sent["id"], sent["key"], None, sent["fields"]))
    work.lines = lines
    delivery = Delivery(work, intent.side, "create", dict(intent.payload["fields"]), list(changes))
    delivery.intent = intent
    return delivery


def _new_lines(
    work: Work, entity: EntityType, source: Canonical, side: Side, translations: Translations
) -> LinesDecision:
    """All lines of a document that is to be created."""
    out = LinesDecision()
    compiled = work.pair.mapping(side)
    changes = out.to_left if side == "left" else out.to_right
    for collection in work.pair.collections:
        for line in source.lines.get(collection, []):
            pair = LinePair(collection, uuid.uuid4().hex, *((None, line) if side == "left" else (line, None)))
            fields: Fields = {}
            terms = theirs(line, entity.lines[collection], work, other(side), translations)
            for name, value in terms.items():
                if name not in compiled.line_writable[collection]:
                    continue
                if isinstance(value, Unlinked):
                    out.waiting.append((f"{collection}.{name}", side, value))
                elif value is not EMPTY:
                    fields[name] = value
            out.pairs.append(pair)
            changes.append(LineChange(collection, "create", pair.id, fields=fields))
    return out


def _only(fields: Fields, names: frozenset[str]) -> Fields:
    return {name: value for name, value in fields.items() if name in names}
