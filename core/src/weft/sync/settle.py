"""Settle: links, bases, journal, issues and cursor move in one transaction.

During a page everything that must be remembered is collected in a :class:`Settlement`; nothing is
stored until :meth:`Settlement.commit`, and then all of it at once.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from weft.logscope import RECORDS
from weft.model.values import ABSENT, Fields
from weft.records import Error, Hint, Problem, Side
from weft.state.aliases import Alias
from weft.state.cursors import Cursor
from weft.state.issues import Issue
from weft.state.journal import Entry
from weft.state.links import ChildLink, Link
from weft.state.statistics import lag_name
from weft.sync import approvals
from weft.sync.claims import again
from weft.sync.decide import Unlinked
from weft.sync.flips import Flips
from weft.sync.possible import never_brought
from weft.sync.run import Held
from weft.sync.showing import all_shown, masked, shown
from weft.sync.waking import Wait, in_turn, wake
from weft.sync.work import Caught, Work, label, other

if TYPE_CHECKING:
    from weft.state.tx import Tx
    from weft.sync.claims import Claim
    from weft.sync.flow import End
    from weft.sync.identify import Candidates
    from weft.sync.run import Run

Solved = tuple[str, str, str, str, str, tuple[str, ...], str | None]
"""Whose issues are to be closed: side, connection, company, object, key, kinds, and the counterpart (None: all)."""

SOLVED = ("failed", "waiting", "ambiguous", "approval", "invisible", "config", "delete")
"""Kinds of issue that a record's success closes."""


@dataclass
class Settlement:
    """What one page (or batch of keys) leaves behind."""

    run: Run
    new_links: list[Link] = field(default_factory=list)
    links: dict[int, Link] = field(default_factory=dict)
    children: list[tuple[Link, str, str, str | None, str | None, int]] = field(default_factory=list)
    dropped_children: list[tuple[int, str, str]] = field(default_factory=list)
    dropped_links: list[int] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    intents: list[tuple[str, Literal["done", "abandoned"], str | None]] = field(default_factory=list)
    doubts: list[tuple[str, float]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    """Creates that are known to have happened, (intent id, key), though the record cannot be read yet."""
    entries: list[Entry] = field(default_factory=list)
    issues: dict[tuple[str, str, str, str, str, str, str], Issue] = field(default_factory=dict)
    solved: list[Solved] = field(default_factory=list)
    hints: list[tuple[str, Hint]] = field(default_factory=list)
    handed: list[tuple[str, Hint]] = field(default_factory=list)
    """Records of a pass that any worker may bring into agreement."""
    postponed: list[tuple[str, Hint, timedelta]] = field(default_factory=list)
    """Records that others were at: (connection, hint, how soon to look at them again)."""
    cursors: list[Cursor] = field(default_factory=list)
    noted: Counter[str] = field(default_factory=Counter)
    """Writes that guards watch and that took place, by kind."""
    reserved: list[tuple[str, int, int]] = field(default_factory=list)
    """What guards have counted before it was sent: (kind, id of the note, how many)."""
    waits: list[Wait] = field(default_factory=list)
    approvals: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    granted: dict[str, Any] = field(default_factory=dict)
    """Approvals that were given, by subject: what was asked for."""
    used: list[str] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)
    """Subjects whose approval has let a write through."""
    flips: Flips = field(default_factory=Flips)
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    """(connection, source key) of updates that need not be settled any more."""

    # -- outcomes ----------------------------------------------------------------------------------

    def journal(
        self,
        work: Work | None,
        op: str,
        outcome: str,
        reason: str = "",
        *,
        side: str = "",
        fields: dict[str, Any] | None = None,
        error: Error | None = None,
        left: str | None = None,
        right: str | None = None,
    ) -> None:
        """Write one outcome down; keys and link come from the work."""
        run = self.run
        mask = run.runtime.redactor
        reason, error = mask(reason), masked(error, mask)
        run.counts[outcome] += 1
        if work is not None:
            self._lag(work, outcome, side)
            left = work.left.caught.record.key if work.left.caught else left
            right = work.right.caught.record.key if work.right.caught else right
        entry = Entry(
            at=run.now,
            flow=run.flow.name,
            entity=run.flow.entity.name,
            op=op,
            outcome=outcome,
            reason=reason,
            side=side,
            left_key=left,
            right_key=right,
            fields=fields,
            error=asdict(error) if error else None,
            request_id=error.request_id if error else None,
        )
        if work is not None and work.link is not None:
            entry.link_id = work.link.id or None
        self.entries.append(entry)
        log = run.runtime.log.getChild(RECORDS)
        if error is not None or log.isEnabledFor(logging.DEBUG):
            key = (left if side == "left" else right) or left or right
            level = logging.WARNING if error is not None else logging.DEBUG
            told = error.message if error is not None else reason
            extra = {"record": key, "remote_request": entry.request_id}
            log.log(level, "%s %s: %s", op, outcome, told, extra=extra)

    def issue(
        self,
        work: Work,
        kind: str,
        reason: str,
        *,
        code: str = "",
        error: Error | None = None,
        payload: Any = None,
        choices: list[Any] | None = None,
        waits: Unlinked | None = None,
        waits_on: Side | None = None,
        retry_in: float | None = None,
        side: Side | None = None,
    ) -> None:
        """Open (or renew) the issue of one kind for the record a work came from; a failure stays where it was told.
        ``waits_on``: the side of the record that is waited for, if not the same."""
        origin = side or (work.told if kind == "failed" else None) or work.origin
        half = work.half(origin)
        caught = half.caught
        now = self.run.now
        link = work.link
        if caught is not None:
            company, object_name, key = caught.record.company, caught.record.object, caught.record.key
        elif link is not None:
            left = origin == "left"
            company = link.left_company if left else link.right_company
            object_name = link.left_object if left else link.right_object
            key = link.left_key if left else link.right_key
        else:
            raise LookupError("an issue needs a record or a link")
        target = work.place if origin == "left" else ""
        told = f"{self.run.runtime.place(*target.split('/', 1))}: {reason}" if target else reason
        self.put_issue(
            Issue(
                flow=self.run.flow.name,
                entity=self.run.flow.entity.name,
                kind=kind,
                opened_at=now,
                updated_at=now,
                side=origin,
                connection=work.pair.connection_of(origin),
                company=company,
                object=object_name,
                key=key,
                target=target,
                link_id=link.id if link else None,
                label=work.label,
                reason=told,
                code=code,
                error=asdict(error) if error else None,
                payload=payload,
                choices=choices,
                waits_entity=waits.entity if waits else None,
                waits_connection=work.pair.connection_of(waits_on or origin) if waits else None,
                waits_key=waits.key if waits else None,
                next_try_at=None if retry_in is None else now + timedelta(seconds=retry_in),
                run=self.run.id,
            )
        )
        if waits is not None:
            side = waits_on or origin
            here, there = work.pair.connection_of(side), work.pair.connection_of(other(side))
            self.waits.append((waits.entity, here, there, waits.key))
        work.stop = reason

    def _lag(self, work: Work, outcome: str, side: str) -> None:
        """Count how old a change was when it was written; a first load writes what changed long ago."""
        source = work.right if side == "left" else work.left
        if outcome in ("created", "updated") and side and not self.run.loads and source.caught is not None:
            changed = source.caught.record.changed_at
            if changed is not None:
                self.run.lags[lag_name(max((self.run.now - changed).total_seconds(), 0))] += 1

    def put_issue(self, issue: Issue) -> None:
        if self.run.plan_only:
            self.run.held.append(Held(issue.flow, issue.kind, issue.label, issue.key, issue.reason))
        mask = self.run.runtime.redactor
        issue.reason = mask(issue.reason)
        if issue.error is not None:
            issue.error = {
                name: mask(value) if isinstance(value, str) else value for name, value in issue.error.items()
            }
        place = (issue.side, issue.connection, issue.company, issue.object, issue.key)
        self.issues[issue.kind, *place, issue.target] = issue

    def solve(self, work: Work, kinds: tuple[str, ...] = SOLVED) -> None:
        """Close what was open about both records of a work: it has succeeded."""
        sides: tuple[Side, Side] = ("left", "right")
        for side in sides:
            caught = work.half(side).caught
            if caught is not None:
                record = caught.record
                place = (side, work.pair.connection_of(side), record.company, record.object, record.key)
                self.solved.append((*place, kinds, work.place if side == "left" else None))

    def let_go(self, link: Link, *more: str) -> None:
        """One of a pair is gone: whatever else was open about the two has lost its purpose."""
        kinds = ("failed", "waiting", "ambiguous", "approval", "invisible", "conflict", "review", *more)
        self._close(link, kinds)
        self.forgotten += [(link.right_connection, link.left_key), (link.left_connection, link.right_key)]

    def _close(self, link: Link, kinds: tuple[str, ...]) -> None:
        several = self.run.flow.several_targets
        place = f"{link.right_connection}/{link.right_company}" if several else None
        self.solved += [
            ("left", link.left_connection, link.left_company, link.left_object, link.left_key, kinds, place),
            ("right", link.right_connection, link.right_company, link.right_object, link.right_key, kinds, None),
        ]

    def postpone(self, end: End, company: str, object_name: str, keys: Mapping[str, timedelta]) -> None:
        """Have records looked at again, fresh: somebody else is at them, or has settled them since the read."""
        for key, soon in keys.items():
            self.run.counts["postponed"] += 1
            later = again(soon, self.run.hinted.get((end.connection, object_name, key)), self.run.now)
            self.postponed.append((end.connection, Hint(object_name, key, company), later))

    # -- what stops a record -----------------------------------------------------------------------

    def caught_problem(self, end: End, caught: Caught) -> None:
        """A record that cannot be mapped in."""
        now, record, run = self.run.now, caught.record, self.run
        reason = "; ".join(f"{p.field}: {p.message}" if p.field else p.message for p in caught.problems)
        name = label(caught.canonical, run.flow.entity.label) if caught.canonical else record.key
        self.put_issue(
            Issue(
                flow=run.flow.name,
                entity=run.flow.entity.name,
                kind="failed",
                opened_at=now,
                updated_at=now,
                side=end.side,
                connection=end.connection,
                company=record.company,
                object=record.object,
                key=record.key,
                label=name,
                reason=reason,
                code=caught.problems[0].code,
                run=run.id,
            )
        )
        keys = {"left": record.key} if end.side == "left" else {"right": record.key}
        self.journal(None, "read", "failed", reason, side=end.side, **keys)  # type: ignore[arg-type]

    def unrouted(self, work_end: End, caught: Caught) -> None:
        """No company rule matches."""
        caught.problems.append(
            Problem(
                "", "no company rule of the flow matches this record; extend the flow's company rule", code="unrouted"
            )
        )
        self.caught_problem(work_end, caught)

    def ambiguous(self, work: Work, candidates: Candidates) -> None:
        choices = [
            {
                "key": hit.record.key,
                "label": label(hit.canonical, self.run.flow.entity.label) if hit.canonical else hit.record.key,
            }
            for _, hit in candidates.hits
        ]
        rule = ", ".join(candidates.rule)
        found = "; ".join(f"{choice['label']} ({choice['key']})" for choice in choices)
        if len(choices) > 1:
            reason = f"{len(choices)} records match by {rule}: {found}"
        elif candidates.rivals:
            reason = f"matches {found} by {rule}, and so does {', '.join(candidates.rivals[:3])}: a duplicate?"
        else:
            reason = f"several records match {found} by {rule}"
        reason += "; merge the duplicates, or link the right one with weft links add"
        self.issue(work, "ambiguous", reason, code="ambiguous", choices=choices)
        self.journal(work, "identify", "ambiguous", reason, side=work.origin)

    def excluded(self, work: Work, side: Side, why: str) -> None:
        """One of a linked pair is outside the flow by now: that the two are no longer kept in agreement is told, and
        nobody is asked about them any more."""
        link = work.link
        if link is not None:
            self._close(link, (*SOLVED, "conflict", "review"))
            self.journal(work, "capture", "excluded", why, side=side, left=link.left_key, right=link.right_key)
            work.stop = why

    def unmatched(self, work: Work, side: Side) -> None:
        """A record without a counterpart, where the flow does not create one."""
        self.run.counts["unmatched"] += 1
        work.stop = f"no counterpart, and the flow creates nothing on the {side} side"

    def unreadable(self, work: Work) -> None:
        sides: tuple[Side, Side] = ("left", "right")
        for side in sides:
            half = work.half(side)
            if half.caught is not None and half.caught.problems:
                self.caught_problem(work.pair.end(side), half.caught)
                work.stop = "a record of the pair cannot be mapped"

    def waiting(self, work: Work, waiting: Sequence[tuple[str, Side, Unlinked]]) -> None:
        name, side, target = waiting[0]
        there = other(side)
        reason = f"waiting for {target.entity} {target.object}({target.key}), which {name} refers to"
        flows, to = self.run.runtime.config.flows, work.pair.end(side).connection
        if never := never_brought(flows, target.entity, to):
            reason += f"; {never}"
        why = self.run.excluded_parents.get((target.entity, target.key))
        if why:
            reason += f"; it is excluded: {why}"
        self.issue(work, "waiting", reason, code="waiting", waits=target, waits_on=there)
        self.journal(work, "deliver", "waiting", reason, side=side)

    def locked(self, work: Work, side: Side, why: str, fields: Fields) -> None:
        names = ", ".join(sorted(fields)) or "lines"
        reason = (
            f"{names} changed, but the document on {work.pair.connection_of(side)} must not be edited "
            f"({why}); correct it there by a credit memo or reversal, or undo the change"
        )
        self.issue(work, "failed", reason, code="locked", payload={"fields": all_shown(fields)})
        self.journal(work, "update", "rejected", reason, side=side)

    def conflicts(self, work: Work) -> None:
        """Open one issue for all fields a person must decide; it closes when none is left."""
        found = [*(work.decision.conflicts if work.decision else []), *(work.lines.conflicts if work.lines else [])]
        open_ones = [c for c in found if c.winner is None]
        for conflict in found:
            if conflict.winner is not None:
                self.run.counts["resolved_by_rule"] += 1
        if not open_ones:
            if work.link is not None and not work.chosen:  # a person's choice is kept until it is carried out
                self.solve(work, ("conflict",))
            return
        payload = {
            c.field: {
                name: shown(value)
                for name, value in (
                    ("left", c.left),
                    ("right", c.right),
                    ("base_left", c.base_left),
                    ("base_right", c.base_right),
                )
                if value is not ABSENT
            }
            | {"rule": c.rule}
            for c in open_ones
        }
        names = ", ".join(payload)
        reason = f"{names}: {open_ones[0].rule}; choose a side with weft conflicts resolve"
        stop = work.stop
        self.issue(
            work,
            "conflict",
            reason,
            code="flip" if all(c.bounces for c in open_ones) else "conflict",
            payload=payload,
            choices=["left", "right"],
            side="left" if work.left.caught else "right",
        )
        work.stop = stop  # the other fields of the record go on
        self.journal(work, "decide", "conflict", reason, fields=payload)

    def quarantine(self, work: Work) -> None:
        """Take out fields whose value goes back and forth between the two sides: a person must choose."""
        for conflict in self.flips.held(work, self.run.now):
            if work.decision is not None:
                work.decision.conflicts.append(conflict)
            values = {"left": shown(conflict.left), "right": shown(conflict.right)}
            self.journal(work, "decide", "quarantined", conflict.rule, fields={conflict.field: values})

    # -- the transaction ---------------------------------------------------------------------------

    async def commit(self, claim: Claim | None = None) -> None:
        """Store everything in one transaction, then be empty again. ``claim`` is given up with it."""
        if self.run.plan_only:
            self.clear()
            return

        def write(tx: Tx) -> None:
            self._store(tx)
            if claim is not None:
                claim.give_up(tx)

        await self.run.runtime.state.write(write)
        if claim is not None:
            claim.released()
        self.clear()

    def clear(self) -> None:
        self.__init__(self.run, flips=self.flips, granted=self.granted, passed=self.passed)  # type: ignore[misc]

    def _store(self, tx: Tx) -> None:
        now = self.run.now
        flow = self.run.flow
        in_turn(tx, self.new_links, self.waits)
        if self.dropped_links or self.new_links or self.links:
            self._number(tx)
        if self.dropped_links:
            tx.links.delete_many(self.dropped_links)
        tx.links.insert_many(self.new_links)
        tx.links.update_many([link for link in self.links.values() if link.id not in self.dropped_links])
        tx.links.put_children(
            [ChildLink(link.id, *rest) for link, *rest in self.children]  # type: ignore[arg-type]
        )
        tx.links.delete_children(self.dropped_children)
        tx.aliases.put_many(self.aliases)
        tx.intents.close_many(self.intents)
        for connection, key in self.forgotten:
            intents = tx.intents.unsettled_for(flow.name, connection, [key]).get(key, [])
            tx.intents.close_many([(one.id, "abandoned", None) for one in intents if one.op == "update"])
        tx.intents.note_many([(intent_id, "header", key, None, now) for intent_id, key in self.headers])
        for intent_id, seconds in self.doubts:
            tx.intents.mark_in_doubt([intent_id], now + timedelta(seconds=seconds))
        happened = Counter(self.noted)
        for kind, note, count in self.reserved:
            if happened[kind] < count:
                tx.guards.correct(note, happened[kind])
            happened[kind] = max(0, happened[kind] - count)
        for subject in self.used:
            tx.guards.use(flow.name, subject, now)
        if flow.approve is not None:  # a question about what has succeeded without an answer is none any more
            tx.guards.withdraw_many(flow.name, approvals.settled(self.solved))
        for subject, detail in self.approvals:
            tx.guards.ask(flow.name, subject, now, detail)
        # One statement a group, not a record: this is most of what settling a page costs.
        solved: dict[tuple[str, str, str, str, tuple[str, ...], str | None], list[str]] = defaultdict(list)
        for side, connection, company, object_name, key, kinds, target in self.solved:
            solved[side, connection, company, object_name, kinds, target].append(key)
        reason = f"solved by run {self.run.id}"
        for (side, connection, company, object_name, kinds, target), keys in solved.items():
            tx.issues.close_for(
                flow.name, side, connection, company, object_name, keys,
                at=now, reason=reason, kinds=kinds, target=target,
            )  # fmt: skip
        tx.issues.upsert_many(list(self.issues.values()))
        wake(tx, self.new_links, self.waits, now)
        for connection, hint in self.hints:
            tx.hints.put_many(flow.name, connection, [hint], now)
        for connection in {connection for connection, _ in self.handed}:
            tx.hints.put_many(flow.name, connection, [h for at, h in self.handed if at == connection], now, lane="bulk")
        later: dict[tuple[str, timedelta], list[Hint]] = defaultdict(list)
        for connection, hint, soon in self.postponed:
            later[connection, soon].append(hint)
        for (connection, soon), some in later.items():
            tx.hints.put_many(flow.name, connection, some, now, not_before=now + soon if soon else None)
        self.flips.store(tx, now)
        tx.cursors.put_many(self.cursors)
        by_key = {(link.left_key, link.right_key): link.id for link in self.new_links}
        for entry in self.entries:
            if entry.link_id is None:
                entry.link_id = by_key.get((entry.left_key or "", entry.right_key or ""))
        tx.journal.append_many(self.run.id, self.entries)

    def _number(self, tx: Tx) -> None:
        """Every link says in which settlement it was last touched."""
        number = tx.links.settlement()
        for link in (*self.new_links, *self.links.values()):
            link.settled = number
        if self.dropped_links:
            tx.links.note_dropped(self.run.flow.entity.name, number)
