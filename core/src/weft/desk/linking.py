"""Links made and removed by hand: where their ends are, and the journal entry each leaves."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from weft.errors import ConfigError

if TYPE_CHECKING:
    from weft.runtime import Runtime
    from weft.state.links import Link
    from weft.state.tx import Tx
    from weft.sync.flow import End, Flow

BY_HAND = "links"
"""Mode of the run under which links are changed by a person."""


@dataclass(frozen=True, slots=True)
class WantedLink:
    """Two records somebody says are one; empty texts are filled in from the flow. ``line`` is where it was read."""

    left_key: str
    right_key: str
    left_company: str = ""
    right_company: str = ""
    left_variant: str = ""
    right_variant: str = ""
    right_connection: str = ""
    line: int = 0


async def resolve(runtime: Runtime, flow: Flow, wanted: WantedLink, now: datetime) -> Link:
    """The link with everything filled in, not stored.

    :raises ConfigError: an unknown variant, company or connection, or several to choose from.
    """
    from weft.state.links import Link

    if not wanted.left_key or not wanted.right_key:
        raise ConfigError(f"{'left_key' if not wanted.left_key else 'right_key'} is empty")
    right = _right(flow, wanted.right_connection)
    left_variant = _variant(flow.left, wanted.left_variant)
    right_variant = _variant(right, wanted.right_variant)
    return Link(
        entity=flow.entity.name,
        left_connection=flow.left.connection,
        left_company=await _company(runtime, flow.left, wanted.left_company),
        left_object=flow.left.mappings[left_variant].mapping.object.read,
        left_key=wanted.left_key,
        left_variant=left_variant,
        right_connection=right.connection,
        right_company=await _company(runtime, right, wanted.right_company),
        right_object=right.mappings[right_variant].mapping.object.read,
        right_key=wanted.right_key,
        right_variant=right_variant,
        created_at=now,
        updated_at=now,
        pinned=flow.config.company is not None,
    )


def _right(flow: Flow, name: str) -> End:
    if name in flow.rights:
        return flow.rights[name]
    if not name and len(flow.rights) == 1:
        return next(iter(flow.rights.values()))
    wrong = f"{name!r} is no right connection of the flow" if name else "the flow has several right connections"
    raise ConfigError(f"{wrong}; give right_connection, one of: {', '.join(flow.rights)}")


def _variant(end: End, name: str) -> str:
    if name in end.mappings:
        return name
    if not name and len(end.mappings) == 1:
        return next(iter(end.mappings))
    wrong = f"{end.connection} has no variant {name!r}" if name else f"{end.connection} has several variants"
    raise ConfigError(f"{wrong}; give {end.side}_variant, one of: {', '.join(end.mappings)}")


async def _company(runtime: Runtime, end: End, name: str) -> str:
    if not name:
        if len(end.companies) == 1:
            return end.companies[0]
        raise ConfigError(
            f"{end.connection} has several companies; give {end.side}_company, one of: {', '.join(end.companies)}"
        )
    if end.companies == ("",):
        raise ConfigError(f"{end.connection} has no companies; leave {end.side}_company empty")
    found = await runtime.company(end.connection, name)
    if found not in end.companies:
        raise ConfigError(
            f"the flow does not work with the company {name!r} of {end.connection}; it works with: "
            f"{', '.join(end.companies)}"
        )
    return found


async def missing(runtime: Runtime, flow: Flow, link: Link) -> list[str]:
    """What is wrong with the records a link names: those that cannot be read, by key."""
    from weft.sync.capture import fetch
    from weft.sync.run import Run

    run = Run(runtime, flow, "keys", plan_only=True)
    wrong = []
    ends = (
        (flow.left, link.left_variant, link.left_company, link.left_key),
        (flow.rights[link.right_connection], link.right_variant, link.right_company, link.right_key),
    )
    for end, variant, company, key in ends:
        found = await fetch(run, end, end.mappings[variant], company, [key])
        if key not in found.found:
            why = (
                "is gone"
                if key in found.gone
                else "has moved"
                if key in found.moved
                else "is not there, or weft's user may not see it"
            )
            wrong.append(f"{end.mappings[variant].mapping.object.read} {key} on {end.connection} {why}")
        elif found.found[key].excluded:
            wrong.append(f"{key} on {end.connection} is not part of the flow: {found.found[key].excluded}")
    return wrong


class Known:
    """Links that stand in the way of others, or are those others already; read once for a whole file."""

    def __init__(self, tx: Tx, links: Sequence[Link]) -> None:
        self._ends: dict[tuple[str, ...], Link] = {}
        rights = {link.right_connection for link in links}
        for right in sorted(rights):
            of = [link for link in links if link.right_connection == right]
            entity, left = of[0].entity, of[0].left_connection
            for side, keys in (("left", [link.left_key for link in of]), ("right", [link.right_key for link in of])):
                found = tx.links.by_keys(entity, left, right, side, None, None, list(dict.fromkeys(keys)))  # type: ignore[arg-type]
                for group in found.values():
                    for link in group:
                        self.add(link)

    def add(self, link: Link) -> None:
        self._ends[_left(link)] = self._ends[_right_end(link)] = link

    def same(self, link: Link) -> Link | None:
        """This very link, if it is there already."""
        one = self._ends.get(_left(link))
        return one if one is not None and _right_end(one) == _right_end(link) else None

    def clash(self, link: Link) -> str:
        """Why the link cannot be made; empty when it can."""
        one = self._ends.get(_left(link))
        if one is not None:
            return f"{link.left_key} is linked to {one.right_key} already{_undo(one)}"
        one = self._ends.get(_right_end(link))
        return f"{link.right_key} is linked to {one.left_key} already{_undo(one)}" if one is not None else ""


def _left(link: Link) -> tuple[str, ...]:
    """What may occur once: a left record and the place on the right it is linked into."""
    return ("left", link.left_company, link.left_object, link.left_key, link.right_connection, link.right_company)


def _right_end(link: Link) -> tuple[str, ...]:
    return ("right", link.right_connection, link.right_company, link.right_object, link.right_key, link.left_company)


def _undo(link: Link) -> str:
    return f"; weft links remove {link.id} would free it" if link.id else " in this file"


def store(tx: Tx, flow: str, links: Sequence[Link], by: str, now: datetime) -> None:
    """Insert links, wake what waits for them, and have the next run look at each pair."""
    tx.links.insert_many(links)
    for link in links:
        tx.issues.wake(link.entity, link.left_connection, [link.left_key], now)
        tx.issues.wake(link.entity, link.right_connection, [link.right_key], now)
    look_again(tx, flow, links, now)
    note(tx, flow, links, "linked", f"linked by {by}", now)


def look_again(tx: Tx, flow: str, links: Sequence[Link], now: datetime) -> None:
    """Have the next run look at the left records of links; before the first load everything is read anyway."""
    from weft.records import Hint

    if flow and tx.cursors.all(flow):
        for link in links:
            hint = Hint(link.left_object, link.left_key, link.left_company)
            tx.hints.put_many(flow, link.left_connection, [hint], now)


def settle_issues(tx: Tx, link: Link, reason: str, now: datetime) -> None:
    """Close what is open about a link that ends: what is still wrong is told anew when its records are looked at."""
    tx.issues.close_many([issue.id for issue in tx.issues.page(link_id=link.id, limit=1000)], at=now, reason=reason)


def note(tx: Tx, flow: str, links: Sequence[Link], outcome: str, reason: str, now: datetime) -> None:
    """Write what a person did with links into the journal, under a run of its own."""
    from weft.state.journal import Entry
    from weft.state.runs import Run

    if not links:
        return
    run = Run(uuid.uuid4().hex, flow, BY_HAND, now)
    tx.runs.start(run)
    tx.journal.append_many(run.id, [
        Entry(at=now, flow=flow, entity=link.entity, op="link", outcome=outcome, reason=reason,
              link_id=link.id, left_key=link.left_key, right_key=link.right_key)
        for link in links
    ])  # fmt: skip
    tx.runs.finish(run.id, "done", now, {outcome: len(links)})
