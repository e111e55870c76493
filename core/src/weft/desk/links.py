"""Links changed by a person: added, imported, removed, merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from weft.desk import linking
from weft.desk.action import Count, Number, Wanted, action
from weft.desk.desk import Desk
from weft.desk.errors import NotPossible, NotThere
from weft.desk.showing import plain
from weft.errors import ConfigError
from weft.records import Side
from weft.state.aliases import Alias
from weft.state.links import Link
from weft.state.tx import Tx
from weft.sync.flow import build

if TYPE_CHECKING:
    from weft.config.loading import Config

STATES = ("linked", "review", "left_gone", "right_gone", "broken")
PAGE = 1000


class Add(Wanted):
    """Pairs of a flow. ``check`` reads both records to see that they are there, ``dry_run`` stores nothing."""

    flow: str
    pairs: list[linking.WantedLink] = Field(min_length=1)
    check: bool = True
    dry_run: bool = False


class AddedLink(BaseModel):
    id: int
    left_key: str
    right_key: str


class Wrong(BaseModel):
    """Why a pair cannot be linked; ``line`` is the pair's."""

    line: int
    reason: str


class Added(BaseModel):
    """What was linked now, how many were linked already, and what cannot be."""

    added: list[AddedLink]
    known: int
    wrong: list[Wrong]


class Remove(Wanted):
    ids: list[Number] = Field(min_length=1, max_length=10_000)


class Merge(Wanted):
    """``gone``: the link whose records were merged into those of ``keep``."""

    keep: Number
    gone: Number


@action("links.add")
async def add(desk: Desk, wanted: Add) -> Added:
    """Say which records are the same. What differs between them is then treated as on a first load."""
    desk.config.flow(wanted.flow)
    runtime, now = desk.runtime(), desk.now
    flow = await build(runtime, wanted.flow)
    added: list[Link] = []
    asked: list[tuple[int, Link]] = []
    same, wrong = 0, []
    for one in wanted.pairs:
        try:
            asked.append((one.line, await linking.resolve(runtime, flow, one, now)))
        except ConfigError as error:
            wrong.append(Wrong(line=one.line, reason=str(error)))
    known = await desk.state.read(lambda tx: linking.Known(tx, [link for _, link in asked]))
    for line, link in asked:
        if known.same(link) is not None:
            same += 1
            continue
        why = known.clash(link)
        if wanted.check and not why:
            why = "; ".join(await linking.missing(runtime, flow, link))
        if why:
            wrong.append(Wrong(line=line, reason=why))
            continue
        known.add(link)
        added.append(link)
    if added and not wanted.dry_run:
        await desk.state.write(lambda tx: linking.store(tx, wanted.flow, added, desk.by, now))
    shown = [AddedLink(id=link.id, left_key=link.left_key, right_key=link.right_key) for link in added]
    return Added(added=shown, known=same, wrong=sorted(wrong, key=lambda one: one.line))


@action("links.remove")
async def remove(desk: Desk, wanted: Remove) -> Count:
    """Forget links, with what was open about them. The records stay and are looked at anew: where the match rules find
    them again, they are linked again."""
    now, reason = desk.now, f"removed by {desk.by}"

    def write(tx: Tx) -> int:
        for link in [get(tx, id) for id in dict.fromkeys(wanted.ids)]:
            flow = flow_of(desk.config, link)
            linking.note(tx, flow, [link], "unlinked", reason, now)
            linking.settle_issues(tx, link, f"link {link.id} was {reason}", now)
            linking.look_again(tx, flow, [link], now)
        return tx.links.delete_many(wanted.ids)

    return Count(count=await desk.state.write(write))


@action("links.merge")
async def merge(desk: Desk, wanted: Merge) -> Count:
    """Say that the records of one link were merged into those of another.

    The link of the merged ones is forgotten; their keys lead to the one that is kept, so that what
    refers to them still finds its way.
    """
    now = desk.now

    def write(tx: Tx) -> int:
        if wanted.keep == wanted.gone:
            raise NotPossible(f"link {wanted.keep} cannot be merged with itself")
        keep, gone = get(tx, wanted.keep), get(tx, wanted.gone)
        if (keep.entity, keep.left_connection, keep.right_connection) != (
            gone.entity, gone.left_connection, gone.right_connection,
        ):  # fmt: skip
            raise NotPossible(f"links {keep.id} and {gone.id} are not of the same entity between the same connections")
        former = tx.aliases.of(gone.id)
        reason = f"merged into link {keep.id} by {desk.by}"
        linking.note(tx, flow_of(desk.config, gone), [gone], "merged", reason, now)
        linking.settle_issues(tx, gone, reason, now)
        tx.links.delete_many([gone.id])
        aliases = [
            Alias(gone.entity, connection, company, object_name, key, keep.id, reason, now)
            for connection, company, object_name, key in ends(gone)
            if (connection, company, object_name, key) not in ends(keep)
        ]
        aliases += [Alias(a.entity, a.connection, a.company, a.object, a.key, keep.id, a.reason, a.at) for a in former]
        tx.aliases.put_many(aliases)
        for one in aliases:
            tx.issues.wake(one.entity, one.connection, [one.key], now)
        return len(aliases)

    return Count(count=await desk.state.write(write))


# -- looking ---------------------------------------------------------------------------------------


def get(tx: Tx, id: int) -> Link:
    """A link by id. :raises NotThere: there is none."""
    link = tx.links.get(id)
    if link is None:
        raise NotThere(f"there is no link {id}; weft links list shows those there are")
    return link


def pages(tx: Tx, config: Config, flow: str | None, *, after: int = 0, **wanted: Any) -> Iterator[Link]:
    """Links of a flow (None: of all), in order of id within each right connection."""
    rights: Sequence[str | None] = (None,)
    if flow is not None:
        of = config.flow(flow)
        rights = of.right
        wanted = {"entity": of.entity, "left_connection": of.left, **wanted}
    for right in rights:
        last = after
        while page := tx.links.page(last, PAGE, right_connection=right, **wanted):
            yield from page
            last = page[-1].id


def by_key(tx: Tx, config: Config, flow: str | None, key: str, limit: int) -> list[Link]:
    """Those with exactly this key on either side; else as many as fit of those whose key begins so."""
    places = [
        (of.entity, of.left, right)
        for of in ([config.flow(flow)] if flow is not None else config.flows.values())
        for right in of.right
    ]
    sides: tuple[Side, ...] = ("left", "right")
    found: dict[int, Link] = {}
    for place in places:
        for side in sides:
            for link in tx.links.by_keys(*place, side, None, None, [key]).get(key, ()):
                found[link.id] = link
    for place in places if not found else ():
        for side in sides:
            found |= {link.id: link for link in tx.links.beginning(*place, side, key, limit)}
    return [found[id] for id in sorted(found)]


def flow_of(config: Config, link: Link) -> str:
    """The flow a link belongs to, as far as the configuration still has it."""
    for name, flow in config.flows.items():
        same = (flow.entity, flow.left) == (link.entity, link.left_connection)
        if same and link.right_connection in flow.right:
            return name
    return ""


def ends(link: Link) -> tuple[tuple[str, str, str, str], ...]:
    """(connection, company, object, key) of both sides."""
    return (
        (link.left_connection, link.left_company, link.left_object, link.left_key),
        (link.right_connection, link.right_company, link.right_object, link.right_key),
    )


def end(link: Link, side: str) -> str:
    """Where one side's record is, for people."""
    place = "/".join(p for p in (getattr(link, f"{side}_connection"), getattr(link, f"{side}_company")) if p)
    return f"{place} {getattr(link, f'{side}_object')}({getattr(link, f'{side}_key')})"


@dataclass(frozen=True, slots=True)
class LinkBrief:
    """A link without its bases."""

    id: int
    entity: str
    left_connection: str
    left_company: str
    left_object: str
    left_key: str
    left_variant: str
    left_version: str | None
    left_changed_at: datetime | None
    right_connection: str
    right_company: str
    right_object: str
    right_key: str
    right_variant: str
    right_version: str | None
    right_changed_at: datetime | None
    state: str
    pinned: bool
    follow: bool
    created_at: datetime
    updated_at: datetime


def brief(link: Link) -> LinkBrief:
    return LinkBrief(**{f.name: getattr(link, f.name) for f in fields(LinkBrief)})


def data(link: Link) -> dict[str, Any]:
    """A link as JSON shows it, without its bases."""
    found: dict[str, Any] = plain(brief(link))
    return found
