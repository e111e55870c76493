"""Ways to break the engine, to prove that the simulation notices. Each is applied in a forked process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from weft.sync import changes, deliver, doubt, identify, learn, lookup, recall, results
from weft.sync.decide import Decision
from weft.sync.settle import Settlement


def no_intents() -> None:
    """Creates are sent without being made durable first."""

    async def nothing(*_: Any) -> None:
        return None

    deliver._open_intents = nothing


def blind_repeat() -> None:
    """A create in doubt is sent again at once."""

    async def all_clear(run: Any, works: Any, settlement: Any) -> list[Any]:
        return list(works)

    from weft.sync import pipeline

    pipeline.clear_doubts = all_clear


def learn_from_echo() -> None:
    """Whatever a side shows after a write becomes its base, even what a person typed meanwhile."""
    learnt = learn.learn

    def wrong(work: Any, deliveries: Any, afters: Any) -> bool:
        learnt(work, deliveries, afters)
        for half in (work.left, work.right):
            if half.canonical is not None:
                half.base.fields.update({n: v for n, v in half.canonical.fields.items() if n in work.pair.shared})
        return True

    results.learn = wrong


def no_recall() -> None:
    """What an unsettled update did is taken for a person's edit."""
    recall.updated = lambda work, intent, *, ours: True


def unguarded() -> None:
    """Updates are sent without the version seen."""
    made = deliver._item

    def without(delivery: Any, out: Any, result: Any) -> None:
        made(delivery, out, result)
        if delivery.item is not None:
            delivery.item.version = None

    deliver._item = without


def cursor_first() -> None:
    """The cursor is stored before the records it passes are settled."""
    whole = changes._changes_of

    async def early(run: Any, pipeline: Any, *more: Any) -> bool:
        page = pipeline.page

        async def paged(*args: Any, cursor: Any = None, **rest: Any) -> None:
            if cursor is not None:
                settlement = Settlement(run)
                settlement.cursors.append(cursor)
                await settlement.commit()
            await page(*args, **rest)

        pipeline.page = paged
        try:
            return await whole(run, pipeline, *more)
        finally:
            pipeline.page = page

    changes._changes_of = early


def left_always_wins() -> None:
    """Every difference goes to the right, whoever changed it."""
    from weft.sync import prepare

    decided = prepare.decide

    def wrong(left: Any, right: Any, policy: Any, same: Any, **more: Any) -> Decision:
        decision = decided(left, right, policy, same, **more)
        for name in [n for n in decision.to_left if n in policy.to_right and n in left.fields]:
            del decision.to_left[name]
            decision.to_right[name] = right.theirs[name]
        return decision

    prepare.decide = wrong


def no_matching() -> None:
    """Records are created without looking whether the other side has them."""

    class Nothing:
        async def candidates(self, *_: Any) -> dict[str, Any]:
            return {}

    identify.LiveMatcher.candidates = Nothing.candidates
    doubt.look = _not_found


async def _not_found(_: Any, creates: Any) -> Any:
    return [lookup.Found() for _ in creates]


def settle_in_pieces() -> None:
    """Links are stored without the bases."""
    stored = Settlement._store

    def wrong(self: Settlement, tx: Any) -> None:
        self.new_links = [replace(link, left_base=None, right_base=None) for link in self.new_links]
        stored(self, tx)

    Settlement._store = wrong


MUTANTS: dict[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        no_intents, blind_repeat, learn_from_echo, no_recall, unguarded, cursor_first, left_always_wins,
        no_matching, settle_in_pieces,
    )
}  # fmt: skip
