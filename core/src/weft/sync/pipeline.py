"""One page through the cycle: identify, decide, route, deliver, settle.

A page may take several waves: what a system assigned by itself travels back at once, a stale version
is read again and decided again, a document is posted once its totals agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from weft.records import Hint, Problem, Record, Side, Target
from weft.state.cursors import Cursor
from weft.state.links import Link
from weft.sync import deletes, moves, orphans, results
from weft.sync.capture import Fetched, fetch, unsettled
from weft.sync.claims import AT_ONCE, SOON, Claim
from weft.sync.deliver import deliver
from weft.sync.doubt import clear_doubts, ours
from weft.sync.guards import allow
from weft.sync.held import go_on
from weft.sync.identify import Identified, LiveMatcher, Matcher, from_link, match, read_others
from weft.sync.known import find_links, taken
from weft.sync.learn import look
from weft.sync.prepare import prepare
from weft.sync.route import Router, route
from weft.sync.settle import SOLVED, Settlement
from weft.sync.work import Caught, Work, other

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.state.issues import Issue
    from weft.state.tx import Tx
    from weft.sync.flow import End
    from weft.sync.parents import Parents
    from weft.sync.run import Run

WAVES = 5
HANDED = 20
"""So many changed records of a page are worth the help of other workers."""
REMEMBERED = 10_000
"""So many excluded records are kept in mind, to tell those that wait for one at once."""


class Pipeline:
    """Takes pages of one run through the cycle."""

    def __init__(self, run: Run, parents: Parents, matcher: Matcher | None = None) -> None:
        self.run = run
        self.parents = parents
        self.matcher: Matcher = matcher or LiveMatcher()
        self.router = Router(run)

    async def page(
        self,
        end: End,
        compiled: CompiledMapping,
        company: str,
        records: Sequence[Record],
        *,
        mark: int | None,
        force: bool = False,
        cursor: Cursor | None = None,
        settlement: Settlement | None = None,
    ) -> None:
        """Bring some records of one end into agreement; store the cursor together with the results.

        ``mark`` is the last settlement there was before they were read. ``force`` looks even at records whose
        fingerprint says that nothing happened.

        Raises what stopped the writing, after everything that was done is settled; the cursor is not stored then.
        """
        run = self.run
        await go_on(run)
        settlement = settlement or Settlement(run)
        with run.runtime.meter.page(
            run.flow.name, end.connection, compiled.mapping.object.read or "", "settle"
        ) as span:
            span.note(records=len(records))
            changed, prints = await unsettled(run, end, compiled, company, records, force)
            if self._hand_over(changed):
                settlement.handed += [
                    (end.connection, Hint(compiled.mapping.object.read, one.key, company)) for one in changed
                ]
                run.counts["handed over"] += len(changed)
                changed = []
            async with self.claimed(end, compiled, company, [one.key for one in changed], settlement, mark) as claim:
                mine = [at for at, one in enumerate(changed) if one.key not in claim.refused]
                caught = await run.catch(end, compiled, company, [changed[i] for i in mine], [prints[i] for i in mine])
                await self.caught(end, compiled, company, caught, settlement, claim)
                if cursor is not None:
                    settlement.cursors.append(cursor)
                await settlement.commit(claim)
        run.tell()

    def _hand_over(self, changed: Sequence[Record]) -> bool:
        """May other workers have these? They read them by key, so it pays for many only."""
        run = self.run
        idle = run.runtime.helpers > 0 and not run.plan_only
        return idle and run.mode in ("changes", "sweep") and len(changed) >= HANDED

    @asynccontextmanager
    async def claimed(
        self,
        end: End,
        compiled: CompiledMapping,
        company: str,
        keys: Sequence[str],
        settlement: Settlement,
        mark: int | None = None,
    ) -> AsyncIterator[Claim]:
        """Records of one end as this page's own; those that are refused are looked at again a little later."""
        claim = Claim(self.run)
        try:
            if keys:
                object_name = compiled.mapping.object.read
                await claim.records(end, company, object_name, keys, mark)
                settlement.postpone(end, company, object_name, claim.refused)
            yield claim
        finally:
            await claim.release()

    async def keys(self, end: End, compiled: CompiledMapping, company: str, keys: Sequence[str]) -> Fetched:
        """Read records by key, fresh, and bring them into agreement whatever their fingerprints say."""
        settlement = Settlement(self.run)
        async with self.claimed(end, compiled, company, list(dict.fromkeys(keys)), settlement) as claim:
            wanted = [key for key in keys if key not in claim.refused]
            fetched = await fetch(self.run, end, compiled, company, wanted)
            await self.caught(end, compiled, company, list(fetched.found.values()), settlement, claim)
            lost = [*fetched.gone, *fetched.moved, *fetched.invisible]
            await settlement.commit(None if lost else claim)
            if lost:
                links = {key: claim.links[key] for key in lost if key in claim.links}
                await deletes.asked(self.run, end.side, [link for many in links.values() for link in many])
                unlinked = [key for key in fetched.gone if key not in links]
                if unlinked and not self.run.plan_only:
                    await orphans.settle(self.run, end, compiled, company, unlinked)
        self.run.tell()
        return fetched

    async def caught(
        self,
        end: End,
        compiled: CompiledMapping,
        company: str,
        caught: Sequence[Caught],
        settlement: Settlement,
        claim: Claim,
    ) -> None:
        """As :meth:`page`, for records that are mapped already; the caller has claimed them, and commits."""
        if not caught:
            return
        run = self.run
        links = claim.links
        identified = Identified()
        wanted: list[tuple[Caught, str, Target]] = []
        fresh: list[Caught] = []
        linked: list[Work] = []
        for one in caught:
            known = links.get(one.record.key, [])
            if one.excluded is not None:
                self._excluded(end, one, known, settlement)
            elif one.canonical is None or one.problems:
                settlement.caught_problem(end, one)
            elif known and all(link.state == "broken" for link in known):
                run.counts["unlinked"] += 1  # a person said to leave it alone
            elif known:
                known = [link for link in known if link.state != "broken"]
                linked += [from_link(run, link, end.side, one) for link in known]
                if end.side == "left" and run.flow.several_targets:
                    fresh.append(one)
            else:
                fresh.append(one)
        await read_others(run, linked, identified)
        identified.rivals = await moves.rivals(run, identified.moved)
        gone: dict[Side, list[Work]] = defaultdict(list)
        for work in linked:
            other_half = work.right if work.origin == "left" else work.left
            if other_half.gone is not None:
                if deletes.other_side_missing(run, work, identified, settlement):
                    gone[other(work.origin)].append(work)
            elif other_half.caught is not None and other_half.caught.excluded is not None:
                settlement.excluded(work, other(work.origin), other_half.caught.excluded)
            elif other_half.caught is not None and other_half.canonical is None:
                settlement.unreadable(work)
            else:
                identified.works.append(work)
        for side, works in gone.items():
            await deletes.vanished(run, side, works, settlement)
        fresh = await self._still_new(end, compiled, company, fresh, settlement, claim)
        wanted += await self._targets(end, compiled, company, fresh, links, settlement)
        matched = await match(run, end, wanted, self.matcher, claim)
        settlement.postpone(end, company, compiled.mapping.object.read, dict.fromkeys(matched.refused, SOON))
        for work, candidates in matched.ambiguous:
            settlement.ambiguous(work, candidates)
        works = [*identified.works, *matched.works]
        await self._choices(works, settlement)
        await self.waves(works, settlement)

    async def _still_new(
        self,
        end: End,
        compiled: CompiledMapping,
        company: str,
        fresh: Sequence[Caught],
        settlement: Settlement,
        claim: Claim,
    ) -> list[Caught]:
        """Records without a link, except those that a create of ours is about to link."""
        run = self.run
        unlinked = [one for one in fresh if one.record.key not in claim.links]
        mine = await ours(run, end, company, unlinked, settlement)
        if unlinked:
            object_name = compiled.mapping.object.read
            keys = [one.record.key for one in unlinked if one.record.key not in mine]

            def read(tx: Tx) -> tuple[set[str], set[str]]:
                flow = run.flow
                return set(find_links(flow, tx, end, company, keys)), taken(flow, tx, end, object_name, company, keys)

            # A create that was settled between the look at the links and that at the intents shows in neither.
            born, elsewhere = await run.runtime.state.read(read)
            if not run.plan_only:
                settlement.postpone(end, company, object_name, dict.fromkeys(born, AT_ONCE))
                mine |= born
            if elsewhere:
                run.counts["kept elsewhere"] += len(elsewhere)
            mine |= elsewhere
        return [one for one in fresh if one.record.key not in mine]

    def _excluded(self, end: End, one: Caught, known: Sequence[Link], settlement: Settlement) -> None:
        run = self.run
        reason = one.excluded or ""
        place = (end.side, end.connection, one.record.company, one.record.object, one.record.key)
        settlement.solved.append((*place, SOLVED, None))  # what is outside the flow needs nobody
        if len(run.excluded_parents) < REMEMBERED:
            run.excluded_parents[run.flow.entity.name, one.record.key] = reason
        for link in known:
            settlement.excluded(from_link(run, link, end.side, one), end.side, reason)
        if not known:
            run.counts["excluded"] += 1

    async def _targets(
        self,
        end: End,
        compiled: CompiledMapping,
        company: str,
        fresh: Sequence[Caught],
        links: dict[str, list[Link]],
        settlement: Settlement,
    ) -> list[tuple[Caught, str, Target]]:
        variant = compiled.mapping.variant
        if end.side == "right":
            return [(one, variant, Target(end.connection, company)) for one in fresh]
        canonicals = [one.canonical for one in fresh if one.canonical is not None]
        routed = await route(self.run, self.router, canonicals)
        wanted = []
        for one, targets in zip(fresh, routed, strict=True):
            if isinstance(targets, Problem):
                one.problems.append(targets)
                settlement.caught_problem(end, one)
                continue
            known = links.get(one.record.key, [])
            pinned = {(link.right_connection, link.right_company) for link in known}
            if not targets and not known:
                settlement.unrouted(end, one)
            if (
                known
                and len(targets) == 1
                and len(pinned) == 1
                and pinned != {(targets[0].connection, targets[0].company)}
            ):
                deletes.rerouted(self.run, from_link(self.run, known[0], "left", one), targets[0], settlement)
                continue
            if known:  # the rule agrees again with what was chosen, should it have been a question
                settlement.solve(from_link(self.run, known[0], "left", one), ("review",))
            wanted += [
                (one, variant, target) for target in targets if (target.connection, target.company) not in pinned
            ]
        return wanted

    async def _choices(self, works: Sequence[Work], settlement: Settlement) -> None:
        """What people decided about these records: sides of conflicts, edited values, approvals."""
        run = self.run
        if not works:
            return
        groups: dict[tuple[Side, str, str, str], list[Work]] = defaultdict(list)
        for work in works:
            sides: tuple[Side, Side] = ("left", "right")
            for side in sides:
                caught = work.half(side).caught
                if caught is not None:
                    record = caught.record
                    place = (side, work.pair.connection_of(side), record.company, record.object)
                    groups[place].append(work)

        def read(tx: Tx) -> tuple[dict[tuple[Side, str, str, str], dict[str, list[Issue]]], dict[str, Any]]:
            found = {}
            for place, group in groups.items():
                side = place[0]
                keys = [c.record.key for w in group if (c := w.half(side).caught) is not None]
                found[place] = tx.issues.for_keys(run.flow.name, *place, keys)
            granted = {a.subject: a.detail for a in tx.guards.approvals(run.flow.name, ("granted",))}
            settlement.flips.load(tx, [work.link.id for work in works if work.link is not None])
            return found, granted

        issues, settlement.granted = await run.runtime.state.read(read)
        for place, group in groups.items():
            for work in group:
                caught = work.half(place[0]).caught
                for issue in issues[place].get(caught.record.key, []) if caught is not None else []:
                    if issue.target not in ("", work.place):
                        continue  # about another of its counterparts
                    if issue.kind == "failed":
                        work.failures = max(work.failures, issue.attempts)
                        work.told = work.told or place[0]
                    if not issue.edited:
                        continue
                    if issue.kind == "conflict":
                        work.chosen.add(issue)
                    elif isinstance(issue.edited, dict):
                        work.edited.update(issue.edited)
                        told = issue.payload if isinstance(issue.payload, dict) else {}
                        work.edited_to = told.get("side", work.edited_to)

    async def waves(self, works: Sequence[Work], settlement: Settlement) -> None:
        """Decide, deliver and settle until nothing is left to do for these works in this run."""
        run = self.run
        current = list(works)
        for _ in range(WAVES):
            if not current:
                break
            current = await clear_doubts(run, current, settlement)
            prepared = await prepare(run, current, self.parents, settlement)
            deliveries = await allow(run, prepared.deliveries, settlement)
            stopped = await deliver(run, deliveries)
            if run.plan_only:
                results.plan(run, deliveries, settlement)
                return
            afters = await look(run, [d for d in deliveries if d.outcome is not None])
            current = await results.settle(run, prepared.quiet, deliveries, afters, settlement)
            if stopped is not None:
                await settlement.commit()
                raise stopped
            if current:
                await settlement.commit()
        for work in current:
            # It never came to rest: told, and looked at again, rather than passed over.
            settlement.issue(
                work, "failed", "the record does not settle: each write makes another one necessary",
                code="unsettled", retry_in=60,
            )  # fmt: skip
