"""A first load shared among workers: whoever staged both sides offers what is new in portions, any worker takes one.

A portion holds a few staged records and the counterparts that were found for them among all that is staged, so
that whoever takes it decides as the one who staged would. It is under way until it is settled; only then does
the first load go on to the other side, and only when none is left does it store its cursors. What a worker that
failed or died gives back is brought in by the one who staged, whose failure is that of the load.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

import orjson

from weft.errors import StateError
from weft.model.values import Ref
from weft.records import Target
from weft.state.membership import elapsed
from weft.state.portions import Portion
from weft.state.workers import LeaseLost
from weft.sync.identify import Candidates, Matcher
from weft.sync.scratch import read_caught, write_caught
from weft.sync.work import Caught

if TYPE_CHECKING:
    from weft.state.adrift import Adrift
    from weft.state.tx import Tx
    from weft.sync.flow import End
    from weft.sync.run import Run

FEW, SIZE = 50, 100
"""Records of a portion, at least and at most: what a worker can send at once, so that all end about the same time."""
FEWEST, MOST = 2, 15
"""Portions that a worker has under way, as many as the requests it may send can be kept busy with."""
LOOK = 0.2
"""Seconds between two looks at what others have done, or offer."""
LENT = 60.0
"""Seconds after which a worker lets other jobs have their turn, and comes back if there is none."""
AGAIN = 1.0
"""Seconds until the database is asked again."""
IDLE = 2.0
"""Seconds after which a worker that finds no portion turns to something else."""


class Staged(NamedTuple):
    """What a portion holds: records of one place, read after the settlement ``mark``; by target what was found for
    each that belongs there; why records that they may refer to are excluded."""

    side: str
    connection: str
    company: str
    variant: str
    mark: int
    records: list[Caught]
    answers: dict[Target, dict[str, Candidates]]
    excluded: dict[str, str]


Bring = Callable[[Staged], Awaitable[None]]
"""Brings the records of a portion into agreement."""


def write(staged: Staged) -> str:
    """A portion as text."""
    answers = [
        [target.connection, target.company, key, found.rule, found.rivals, _packed(found.hits)]
        for target, by_key in staged.answers.items()
        for key, found in by_key.items()
    ]
    at, records = staged[:5], [write_caught(one) for one in staged.records]
    return orjson.dumps({"at": at, "records": records, "answers": answers, "excluded": staged.excluded}).decode()


def _packed(hits: Sequence[tuple[str, Caught]]) -> list[tuple[str, str]]:
    return [(variant, write_caught(hit)) for variant, hit in hits]


def read(text: str) -> Staged:
    """See :func:`write`."""
    body = orjson.loads(text)
    answers: dict[Target, dict[str, Candidates]] = defaultdict(dict)
    for connection, company, key, rule, rivals, hits in body["answers"]:
        found = [(variant, read_caught(hit)) for variant, hit in hits]
        answers[Target(connection, company)][key] = Candidates(tuple(rule), found, rivals)
    side, connection, company, variant, mark = body["at"]
    records = [read_caught(one) for one in body["records"]]
    return Staged(side, connection, company, variant, mark, records, answers, body["excluded"])


def excluded_of(run: Run, records: Sequence[Caught]) -> dict[str, str]:
    """Why records of the same entity that these refer to are not part of the flow, by key."""
    entity, known = run.flow.entity.name, run.excluded_parents
    if not known:
        return {}
    keys = {
        value.key
        for one in records
        if one.canonical is not None
        for value in one.canonical.fields.values()
        if isinstance(value, Ref)
    }
    return {key: known[entity, key] for key in keys if (entity, key) in known}


class GivenMatcher:
    """Answers for records of portions under way with what was found when they were staged; asks another matcher
    about all others."""

    def __init__(self, others: Matcher) -> None:
        self._others = others
        self._given: dict[tuple[str, Target, str], Candidates] = {}

    def give(self, staged: Staged) -> None:
        for target, found in staged.answers.items():
            for key, candidates in found.items():
                self._given[staged.side, target, key] = candidates

    def forget(self, staged: Staged) -> None:
        for target, found in staged.answers.items():
            for key in found:
                self._given.pop((staged.side, target, key), None)

    def values(self, run: Run, far: End, target: Target, caught: Caught) -> set[str]:
        side = "left" if far.side == "right" else "right"
        if (side, target, caught.record.key) in self._given:
            return set()  # everything was staged: duplicates were seen
        return self._others.values(run, far, target, caught)

    async def candidates(
        self, run: Run, origin: End, far: End, target: Target, records: Sequence[Caught]
    ) -> dict[str, Candidates]:
        unknown = [one for one in records if (origin.side, target, one.record.key) not in self._given]
        answer = await self._others.candidates(run, origin, far, target, unknown) if unknown else {}
        for one in records:
            given = self._given.get((origin.side, target, one.record.key))
            if given is not None:
                answer[one.record.key] = given
        return answer


class Hands:
    """Work on portions, a few at a time. ``load``: the run whose portions they are; None: anybody's, while nobody
    has failed at them."""

    def __init__(self, run: Run, matcher: GivenMatcher, bring: Bring, load: str | None = None) -> None:
        self._run = run
        self._matcher = matcher
        self._bring = bring
        self._load = load
        self._running: set[asyncio.Task[None]] = set()
        self._grabbed: int | None = None
        """One that is being taken, should the database not say so any more."""
        self.failed: Exception | None = None
        self.enough = False
        """Nothing more is to be taken."""
        self.done: set[int] = set()
        """Ids of those that were brought in here."""

    async def turn(self) -> bool:
        """Take what there is, and wait a moment for what is under way. False: nothing is."""
        while self.failed is None and not self.enough and len(self._running) < self._width():
            try:
                portion = await self._run.runtime.state.write(self._take)
            except (StateError, asyncio.CancelledError):  # one may be taken all the same
                self._let_go(self._grabbed)
                self._adrift.flow(self._run.flow.name)
                raise
            if portion is None:
                break
            self._grabbed = None  # it is in hand from now on
            self._running.add(asyncio.create_task(self._one(portion)))
        if not self._running:
            return False
        done, self._running = await asyncio.wait(self._running, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        return True

    def _width(self) -> int:
        return max(FEWEST, min(MOST, _at_once(self._run) // _size(self._run) + 1))

    async def close(self) -> None:
        """Cut off what is under way."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    @property
    def _adrift(self) -> Adrift:
        return self._run.runtime.state.adrift

    def _take(self, tx: Tx) -> Portion | None:
        self._let_go(self._grabbed)
        found = tx.portions.take(self._run.flow.name, self._run.runtime.state.worker, run=self._load)
        self._grabbed = None if found is None else found.id
        if found is not None:
            self._adrift.portions.add(found.id)
        return found

    def _let_go(self, id: int | None) -> None:
        if id is not None:
            self._adrift.portions.discard(id)

    async def _one(self, portion: Portion) -> None:
        state = self._run.runtime.state
        try:
            staged = read(portion.body)
            for key, why in staged.excluded.items():
                self._run.excluded_parents[self._run.flow.entity.name, key] = why
            self._matcher.give(staged)
            try:
                await self._bring(staged)
            finally:
                self._matcher.forget(staged)
            self.done.add(portion.id)
            await state.write(lambda tx: tx.portions.done(portion.id))
        except asyncio.CancelledError:
            try:
                await state.write(lambda tx: tx.portions.give_back(portion.id, failed=False))
            except StateError:
                self._adrift.flow(self._run.flow.name)
            raise
        except Exception as error:
            self.failed = self.failed or error
            await self._give_back(portion)
        finally:
            self._let_go(portion.id)

    async def _give_back(self, portion: Portion) -> None:
        """Whoever staged it waits for it: as long as this worker lives it must not keep what it is not at."""
        while True:
            try:
                await self._run.runtime.state.write(lambda tx: tx.portions.give_back(portion.id, failed=True))
                return
            except LeaseLost:
                return  # it is set free with this worker
            except StateError as error:
                self._run.runtime.log.warning("a portion of a first load is given back later: %s", error)
                await asyncio.sleep(AGAIN)


def _at_once(run: Run) -> int:
    """Records that this worker can have on their way to a system."""
    return min(run.runtime.share(end.connection) for end in run.flow.ends()) * run.flow.config.batch


def _size(run: Run) -> int:
    return min(SIZE, max(FEW, _at_once(run)))


async def lend(run: Run, matcher: GivenMatcher, bring: Bring) -> None:
    """Work on portions of a flow's first load, whoever staged it, until there have been none for a while.

    Raises what went wrong with one, which is left to whoever staged it; those under way are finished first.
    """
    hands = Hands(run, matcher, bring)
    try:
        began = last = elapsed()
        while True:
            hands.enough = elapsed() - began > LENT
            if await hands.turn():
                last = elapsed()
            elif hands.failed is not None:
                raise hands.failed
            elif hands.enough or elapsed() - last > IDLE or not await _offered(run):
                return
            else:
                await asyncio.sleep(LOOK)
    finally:
        await hands.close()


async def _offered(run: Run) -> bool:
    return await run.runtime.state.read(lambda tx: tx.portions.offered(run.flow.name))


class Shared:
    """The first load's side: offers portions and takes part in the work. Use as a context manager; nothing is
    offered unless asked for."""

    def __init__(self, run: Run, matcher: GivenMatcher, bring: Bring) -> None:
        self._run = run
        self._hands = Hands(run, matcher, bring, load=run.id)
        self._waiting: dict[int, tuple[int, asyncio.Future[None]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    async def __aenter__(self) -> Self:
        if not self._run.plan_only:
            name = self._run.flow.name
            await self._run.runtime.state.write(lambda tx: tx.portions.clear(name))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._hands.close()
        with suppress(StateError):  # a next try clears them first
            await self._run.runtime.state.write(lambda tx: tx.portions.withdraw(self._run.id))

    async def bring(self, staged: Staged) -> None:
        """Offer records and wait until they are settled, by whomever. Raises what stopped the load."""
        size = _size(self._run)
        offered = [
            staged._replace(
                records=(some := staged.records[at : at + size]),
                answers={target: _of(some, found) for target, found in staged.answers.items()},
                excluded=excluded_of(self._run, some),
            )
            for at in range(0, len(staged.records), size)
        ]
        flow, load = self._run.flow.name, self._run.id
        bodies = [write(one) for one in offered]
        ids = await self._run.runtime.state.write(
            lambda tx: [tx.portions.put(Portion(flow, load, body)) for body in bodies]
        )
        waiting: list[asyncio.Future[None]] = [asyncio.get_running_loop().create_future() for _ in ids]
        for id, one, future in zip(ids, offered, waiting, strict=True):
            self._waiting[id] = len(one.records), future
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        elif self._task.done():
            self._task.result()  # nobody would ever look at these: what ended the work is the load's failure
        self._wake.set()
        # All of them: after a failure, too, what others are at is waited for.
        for error in await asyncio.gather(*waiting, return_exceptions=True):
            if error is not None:
                raise error

    async def _work(self) -> None:
        try:
            while True:
                busy = await self._hands.turn()
                await self._look()
                if not self._waiting:
                    await self._wake.wait()
                    self._wake.clear()
                elif not busy:
                    await asyncio.sleep(LOOK)
        except BaseException as error:
            for _, future in self._waiting.values():
                if not future.done():
                    future.set_exception(error)
            raise

    async def _look(self) -> None:
        """See what is done. After a failure nothing is left to others, and what they are at is waited for."""
        failed, load = self._hands.failed, self._run.id
        asked = set(self._waiting)  # what is offered while the database is asked is not in its answer, nor done

        def look(tx: Tx) -> set[int]:
            if failed is not None:
                tx.portions.withdraw(load)
            return tx.portions.left(load)

        state = self._run.runtime.state
        left = await (state.write(look) if failed is not None else state.read(look))
        for id in asked - left:
            size, future = self._waiting.pop(id)
            if id in self._hands.done:
                self._hands.done.discard(id)
            elif failed is None:
                self._run.counts["handed over"] += size
            if not future.done():
                future.set_result(None) if failed is None else future.set_exception(failed)


def _of(records: Sequence[Caught], found: Mapping[str, Candidates]) -> dict[str, Candidates]:
    return {one.record.key: found[one.record.key] for one in records if one.record.key in found}
