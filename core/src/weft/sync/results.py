"""What became of the writes: links, bases, intents and journal entries follow from the outcomes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from weft.model.values import ABSENT
from weft.records import Hint, Outcome, Record, Side
from weft.state.links import Link
from weft.sync import edits
from weft.sync.deliver import Delivery
from weft.sync.guards import kind_of
from weft.sync.learn import WRITTEN, Afters, learn
from weft.sync.run import Planned
from weft.sync.settle import SOLVED, Settlement
from weft.sync.showing import all_shown, shown
from weft.sync.work import Base, Work, other

if TYPE_CHECKING:
    from weft.sync.run import Run

STALE_TRIES = 3


async def settle(
    run: Run, quiet: Sequence[Work], deliveries: Sequence[Delivery], afters: Afters, settlement: Settlement
) -> list[Work]:
    """Note the results of one wave; returns the works that need another one."""
    again: list[Work] = []
    for work in quiet:
        learn(work, [], afters)
        _remember(run, work, True, settlement)  # what still differs has an issue that brings it back
        if work.stop is None:
            _solve(work, settlement)
            again += _actions(run, work, settlement)
    by_work: dict[int, list[Delivery]] = defaultdict(list)
    works: dict[int, Work] = {}
    for delivery in deliveries:
        by_work[id(delivery.work)].append(delivery)
        works[id(delivery.work)] = delivery.work
    for key, group in by_work.items():
        work = works[key]
        again += _one(run, work, group, afters, settlement)
    return again


def _one(run: Run, work: Work, group: Sequence[Delivery], afters: Afters, settlement: Settlement) -> list[Work]:
    stale = False
    failed = False
    for delivery in group:
        outcome = delivery.outcome
        if outcome is None:
            _not_sent(run, delivery, settlement)
            failed = True
            continue
        if outcome.result == "conflict":
            stale = True
        elif outcome.result not in ("created", "updated", "unchanged", "deleted"):
            failed = True
        _note(run, delivery, outcome, settlement)
    settled = learn(work, group, afters)
    created = next((d for d in group if d.op == "create" and d.outcome and d.outcome.result in WRITTEN), None)
    if created is not None and work.half(created.side).caught is None:
        # Its key is kept with the intent: the next look finds the record there and adopts it whole.
        settlement.issue(work, "waiting", "created, but it cannot be read back yet", code="unread", retry_in=60)
        _keep_in_doubt(created, settlement)
        return []
    if any(d.op == "create" for d in group) and created is None:
        return []
    _remember(run, work, settled, settlement)
    if work.decision is not None:
        _remember_flips(run, work, group, settlement)
    if stale:
        run.counts["stale"] += 1
    if failed or stale:
        return []  # an issue brings it back
    if settled:
        _solve(work, settlement)
        return _actions(run, work, settlement)
    return [replace(work, decision=None, lines=None, edited={})]


def _solve(work: Work, settlement: Settlement) -> None:
    open_ones = [*(work.decision.open_conflicts if work.decision else [])]
    open_ones += [c for c in (work.lines.conflicts if work.lines else []) if c.winner is None]
    settlement.solve(work, SOLVED if open_ones else (*SOLVED, "conflict"))


def _note(run: Run, delivery: Delivery, outcome: Outcome, settlement: Settlement) -> None:
    """Journal, issue and intent of one outcome."""
    work, side = delivery.work, delivery.side
    fields = _movement(delivery)
    error = outcome.error
    reason = error.message if error else ""
    intent = delivery.intent
    result = outcome.result
    settlement.journal(
        work,
        delivery.op,
        result,
        reason or _why(delivery),
        side=side,
        fields=fields,
        error=error,
        left=outcome.key if side == "left" else None,
        right=outcome.key if side == "right" else None,
    )
    if result not in ("rejected", "conflict", "retry"):
        settlement.noted[kind_of(delivery)] += 1
    if result in ("created", "updated", "unchanged", "deleted"):
        if intent is not None:
            settlement.intents.append((intent.id, "done", outcome.key))
    elif result == "rejected":
        if intent is not None:
            settlement.intents.append((intent.id, "abandoned", None))
        retry = _backoff(run, work) if error and error.fault != "record" else None
        settlement.issue(
            work,
            "failed",
            reason or "rejected",
            code=error.code if error else "",
            error=error,
            payload={"side": side, "fields": all_shown(delivery.fields)},
            retry_in=retry,
        )
    elif result == "in_doubt":
        seconds = delivery.compiled.mapping.settle_seconds
        if intent is not None:
            settlement.doubts.append((intent.id, seconds))
            settlement.issue(
                work,
                "waiting",
                f"no answer to the {delivery.op}: {reason}; weft looks whether it "
                "was carried out before it repeats anything",
                code="in_doubt",
                error=error,
                retry_in=0,
            )
        else:
            settlement.issue(work, "failed", reason, code="in_doubt", error=error, retry_in=0)
    elif result == "conflict":
        # Read again and decided again; at once the first times, then with growing patience.
        if intent is not None:
            settlement.intents.append((intent.id, "abandoned", None))
        wait = 0 if work.failures < STALE_TRIES else _backoff(run, work)
        settlement.issue(
            work, "failed", reason or "the record was changed while it was written", code="stale", error=error,
            retry_in=wait,
        )  # fmt: skip
    else:  # retry, partial
        if result == "retry" and intent is not None:
            settlement.intents.append((intent.id, "abandoned", None))  # nothing of it was carried out
        wait = _backoff(run, work)
        if wait is not None and error is not None and error.retry_after is not None:
            wait = max(float(error.retry_after), 0.0)
        settlement.issue(
            work, "failed", reason or result, code=error.code if error else result, error=error, retry_in=wait
        )


def _backoff(run: Run, work: Work) -> float | None:
    """Seconds until the record is tried again by itself; None once it has been tried often enough."""
    retry = run.flow.config.retry
    if work.failures >= retry.attempts:
        return None
    wait: float = retry.backoff.total_seconds() * 2 ** min(work.failures, 20)
    return min(wait, retry.longest.total_seconds())


def _not_sent(run: Run, delivery: Delivery, settlement: Settlement) -> None:
    """The values could not be mapped out, or a guard or plugin held the write back."""
    work = delivery.work
    if not delivery.problems:
        return
    reason = "; ".join(f"{p.field}: {p.message}" if p.field else p.message for p in delivery.problems)
    code = delivery.problems[0].code
    settlement.issue(
        work, "failed", reason, code=code, payload={"side": delivery.side, "fields": all_shown(delivery.fields)}
    )
    settlement.journal(work, delivery.op, "rejected", reason, side=delivery.side, fields=_movement(delivery))


def _remember(run: Run, work: Work, settled: bool, settlement: Settlement) -> None:
    """Put the pair's link, bases and lines into the settlement."""
    left, right = work.left.caught, work.right.caught
    if left is None or right is None:
        return
    now = run.now
    link = work.link
    if link is None:
        link = link_between(run, work, left.record, right.record)
        work.link = link
        settlement.new_links.append(link)
        if work.replaces is not None:
            settlement.dropped_links.append(work.replaces.id)
            settlement.let_go(work.replaces, "delete")
        if not run.plan_only:
            run.counts["linked"] += 1
    elif link.id:
        settlement.links[link.id] = link
    conflicted = bool(work.decision and work.decision.open_conflicts)
    _remember_lines(work, link, settlement)
    work.left.base.mapped, work.right.base.mapped = Base.mark(work.pair.left), Base.mark(work.pair.right)
    link.left_base, link.right_base = work.left.base.text(), work.right.base.text()
    link.left_print = left.print if settled else None
    link.right_print = right.print if settled else None
    link.left_version, link.right_version = left.record.version, right.record.version
    link.left_changed_at, link.right_changed_at = left.record.changed_at, right.record.changed_at
    link.state = "review" if conflicted else "linked"
    link.updated_at = now
    link.follow = _follow(work)
    settlement.intents += work.closing
    work.closing = []


def link_between(run: Run, work: Work, left: Record, right: Record) -> Link:
    """A new link of two records; bases and fingerprints are still to be filled in."""
    now = run.now
    return Link(
        entity=run.flow.entity.name,
        left_connection=run.flow.left.connection,
        left_object=left.object,
        left_key=left.key,
        right_connection=work.pair.connection,
        right_object=right.object,
        right_key=right.key,
        left_company=left.company,
        right_company=work.target.company,
        left_variant=work.pair.left.mapping.variant,
        right_variant=work.pair.right.mapping.variant,
        created_at=now,
        updated_at=now,
        pinned=run.flow.config.company is not None,
    )


def _follow(work: Work) -> bool:
    sides: tuple[Side, Side] = ("left", "right")
    for side in sides:
        rule = work.pair.mapping(side).follow
        canonical = work.half(side).canonical
        if rule is not None and canonical is not None and rule(canonical):
            return True
    return False


def _remember_lines(work: Work, link: Link, settlement: Settlement) -> None:
    if work.lines is None:
        return
    for position, pair in enumerate(work.lines.pairs):
        if (pair.left is None and pair.right is None) or pair in work.lines.loose:
            for half in (work.left, work.right):
                half.base.lines.get(pair.collection, {}).pop(pair.id, None)
            if link.id:
                settlement.dropped_children.append((link.id, pair.collection, pair.id))
            continue
        left = pair.left.key if pair.left is not None else None
        right = pair.right.key if pair.right is not None else None
        if left and right:
            settlement.children.append((link, pair.collection, pair.id, left, right, position))


def _keep_in_doubt(created: Delivery, settlement: Settlement) -> None:
    """Take back that a create is done; what is known of it is its key."""
    intent, outcome = created.intent, created.outcome
    if intent is None or outcome is None or outcome.key is None:
        return
    settlement.intents = [one for one in settlement.intents if one[0] != intent.id]
    settlement.headers.append((intent.id, outcome.key))
    settlement.doubts.append((intent.id, 0))


def _remember_flips(run: Run, work: Work, group: Sequence[Delivery], settlement: Settlement) -> None:
    if work.link is None or not work.link.id:
        return
    for delivery in group:
        if delivery.op == "update" and delivery.outcome and delivery.outcome.result == "updated":
            for name, value in delivery.fields.items():
                settlement.flips.note(work.link.id, name, other(delivery.side), value, run.now)


def _actions(run: Run, work: Work, settlement: Settlement) -> list[Work]:
    """Steps due on the right side once both sides agree; totals are compared first."""
    canonical = work.right.canonical
    wanted = run.flow.actions(work.pair.connection)
    if wanted and canonical is not None and canonical.locked:
        settlement.solve(work, ("review",))  # it was posted by hand: its totals are nobody's question any more
    if not wanted or canonical is None or canonical.locked or work.acted:
        return []
    wrong = totals_differ(run, work)
    if wrong:
        settlement.issue(
            work, "review", wrong + "; correct the document, it is not posted until they agree", code="totals"
        )
        settlement.journal(work, "action", "rejected", wrong, side="right")
        return []
    settlement.solve(work, ("review",))
    work.acted = True
    work.due = tuple(name for name in wanted if name in work.pair.right.mapping.actions)
    if not work.due:
        return []
    # Should the process end before the action is done, the hint brings the document back.
    record = work.right.caught.record if work.right.caught else None
    if record is not None:
        settlement.hints.append((work.pair.connection, Hint(record.object, record.key, record.company)))
    return [work]


def totals_differ(run: Run, work: Work) -> str | None:
    """Compare the totals of both documents as money; None when they agree or cannot be compared."""
    left, right = work.left.canonical, work.right.canonical
    config = run.flow.config.totals
    if left is None or right is None or not config.check:
        return None
    currency = work.currency
    allowed = config.allowed(currency)
    for name in run.flow.entity.totals:
        a, b = left.fields.get(name, ABSENT), right.fields.get(name, ABSENT)
        if isinstance(a, Decimal) and isinstance(b, Decimal) and abs(a - b) > allowed:
            unit = f" {currency}" if currency else ""
            return f"{name} differs by more than {allowed:f}{unit}: {a}{unit} on the left, {b}{unit} on the right"
    return None


def _movement(delivery: Delivery) -> dict[str, Any]:
    work, side = delivery.work, delivery.side
    half = work.half(side)
    now = half.canonical.fields if half.canonical is not None else {}
    moved: dict[str, Any] = {}
    for name, value in delivery.fields.items():
        step: dict[str, Any] = {"to": shown(value)}
        if name in now:
            step["from"] = shown(now[name])
        if name in half.base.fields:
            step["base"] = shown(half.base.fields[name])
        if work.decision is not None and name in work.decision.why:
            step["rule"] = work.decision.why[name]
        moved[name] = step
    for change in delivery.changes:
        moved[f"{change.collection}[{change.key or 'new'}]"] = {
            "op": change.op,
            "to": {n: shown(v) for n, v in change.fields.items()},
        }
    return moved


def _why(delivery: Delivery) -> str:
    if delivery.op == "create":
        rules = ["no counterpart was found"]
    else:
        why = delivery.work.decision.why if delivery.work.decision else {}
        rules = [why[n] for n in delivery.fields if n in why and n not in delivery.instead]
        rules += [f"{change.collection}: {change.op}" for change in delivery.changes]
    return "; ".join(dict.fromkeys([*rules, *edits.told(delivery)]))


def plan(run: Run, deliveries: Sequence[Delivery], settlement: Settlement) -> None:
    """Write down what would be written."""
    for delivery in deliveries:
        # A reference row that is to be created first is no obstacle.
        delivery.problems = [p for p in delivery.problems if p.code != "create_reference"]
        if delivery.problems:
            _not_sent(run, delivery, settlement)
            continue
        target = delivery.work.half(delivery.side).caught
        if target is not None:
            # A pair without a link is reached from both of its sides; its writes are planned once.
            place = (delivery.side, delivery.end.connection, target.record.company, target.record.key, delivery.op)
            if place in run.planned_places:
                continue
            run.planned_places.add(place)
        run.counts[f"would {delivery.op}"] += 1
        run.planned.append(
            Planned(
                run.flow.name,
                delivery.side,
                delivery.end.connection,
                delivery.company,
                delivery.object,
                delivery.op,
                delivery.work.label,
                target.record.key if target else "",
                _movement(delivery),
                run.runtime.place(delivery.end.connection, delivery.company),
            )
        )
