"""Deletes and moves: absence only makes a delete suspected; asked by key, a system says what happened.

``gone`` meets the delete policy, ``moved`` takes the link along, ``invisible`` is an issue (rights were
lost). A record changed on one side and deleted on the other is always a question.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from weft.records import Hint, Side, Target
from weft.state.links import Link
from weft.sync.capture import fetch
from weft.sync.claims import SOON, Claim
from weft.sync.deliver import Delivery, deliver
from weft.sync.guards import allow
from weft.sync.identify import Identified
from weft.sync.known import key_of
from weft.sync.moves import follow, note_gone, rivals
from weft.sync.settle import Settlement
from weft.sync.work import Base, Half, Work, other

if TYPE_CHECKING:
    from weft.state.tx import Tx
    from weft.sync.run import Run

CHOICES = ["delete", "recreate", "unlink"]


def other_side_missing(run: Run, work: Work, identified: Identified, settlement: Settlement) -> bool:
    """The origin's record is there, its counterpart could not be read. True: the delete is to be carried
    out, nobody has changed the origin's record meanwhile."""
    link = work.link
    if link is None:
        return False
    side = other(work.origin)
    why = work.half(side).gone
    if why == "moved":
        for moved_link, moved_side, moved in identified.moved:
            if moved_link is link:
                follow(run, work, moved_side, moved, settlement, identified.rivals.get(link.id))
        return False
    connection = work.pair.connection_of(side)
    if why == "invisible":
        settlement.issue(
            work,
            "invisible",
            f"the record {key_of(link, side)} on {connection} exists but cannot be "
            "read: the user's rights have changed; nothing is deleted for that",
            code="invisible",
        )
        settlement.journal(work, "read", "invisible", side=side)
        return False
    settlement.let_go(link)
    if link.state == f"{side}_gone":
        return False  # it was asked then, or is ignored
    policy = policy_of(run, work, work.origin)
    if policy in ("delete", "deactivate") and run.flow.writes(work.origin) and not _edited(work, work.origin):
        return True
    note_gone(link, side, settlement)
    if policy == "ignore":
        settlement.journal(work, "delete", "ignored", f"deleted on {connection}; the flow ignores deletes", side=side)
        return False
    settlement.issue(
        work,
        "delete",
        f"deleted on {connection}, but still there on "
        f"{work.pair.connection_of(work.origin)}; decide: delete it too, recreate it, or unlink",
        code="gone",
        choices=list(CHOICES),
        side=side,
    )
    settlement.journal(work, "delete", "asked", side=side)
    return False


def rerouted(run: Run, work: Work, target: Target, settlement: Settlement) -> None:
    """The company rule now names another place than the one the link is pinned to."""
    link = work.link
    if link is None:
        return
    pinned = run.runtime.place(link.right_connection, link.right_company)
    wanted = run.runtime.place(target.connection, target.company)
    settlement.issue(
        work,
        "review",
        f"the company rule now says {wanted}, the record is linked to {pinned}; weft does not make a second "
        "one: unlink it to let it move, or change it back",
        code="rerouted",
        choices=["unlink"],
    )
    settlement.journal(work, "route", "review", "the company rule changed its mind", side="right")


def policy_of(run: Run, work: Work, survivor: Side) -> str:
    """The delete policy in force for a pair of which ``survivor`` is still there. What cannot be marked
    inactive there is asked about."""
    configured = run.flow.config.deletes
    mapped = work.pair.left.mapping.deletes or work.pair.right.mapping.deletes
    policy = configured or mapped or "ask"
    if policy == "deactivate" and not work.pair.mapping(survivor).mapping.deactivate:
        return "ask"
    return policy


async def suspected(run: Run, side: Side, links: Sequence[Link]) -> None:
    """Ask for records by key that a sweep did not see; handle those that are really gone."""
    claim = Claim(run)
    try:
        free = await claim.pairs(links)
        await _later(run, side, links, {link.id for link in free})
        await asked(run, side, free)
    finally:
        await claim.release()


async def _later(run: Run, side: Side, links: Sequence[Link], free: set[int]) -> None:
    """Links that somebody else is at are looked at again."""
    settlement = Settlement(run)
    for link in links:
        if link.id not in free:
            object_name, key, company = _place(link, side)
            connection = link.left_connection if side == "left" else link.right_connection
            settlement.postpone(run.flow.end(side, connection), company, object_name, {key: SOON})
    if settlement.postponed:
        await settlement.commit()


async def asked(run: Run, side: Side, links: Sequence[Link]) -> None:
    """As :func:`suspected`, with the links claimed."""
    groups: dict[tuple[str, str, str], list[Link]] = defaultdict(list)
    for link in links:
        if link.state == f"{side}_gone" or not run.flow.adopt(link):
            continue
        connection = link.left_connection if side == "left" else link.right_connection
        company = link.left_company if side == "left" else link.right_company
        variant = link.left_variant if side == "left" else link.right_variant
        groups[connection, company, variant].append(link)
    for (connection, company, variant), group in groups.items():
        end = run.flow.end(side, connection)
        compiled = end.mappings.get(variant)
        if compiled is None:
            continue
        held = {key_of(link, side): Base.read(_base(link, side)).fields for link in group}
        fetched = await fetch(run, end, compiled, company, list(held), held)
        settlement = Settlement(run)
        taken = await rivals(
            run, [(one, side, fetched.moved[k]) for one in group if (k := key_of(one, side)) in fetched.moved]
        )
        gone: list[Work] = []
        for link in group:
            key = key_of(link, side)
            work = _lone(run, link, side)
            if key in fetched.gone and link.state == f"{other(side)}_gone":
                _gone_on_both(link, settlement)
            elif link.state == f"{other(side)}_gone":
                continue  # the question about the other one is open, or deletes are ignored
            elif key in fetched.gone:
                gone.append(work)
            elif key in fetched.moved:
                follow(run, work, side, fetched.moved[key], settlement, taken.get(link.id))
            elif key in fetched.invisible:
                settlement.issue(
                    work,
                    "invisible",
                    f"{key} on {connection} is no longer visible: the user's "
                    "rights have changed; nothing is deleted for that",
                    code="invisible",
                    side=side,
                )
        await vanished(run, side, gone, settlement)
        await settlement.commit()


def _base(link: Link, side: Side) -> str | None:
    return link.left_base if side == "left" else link.right_base


def _gone_on_both(link: Link, settlement: Settlement) -> None:
    """Nothing is left to be kept in agreement, and nothing to ask."""
    settlement.dropped_links.append(link.id)
    settlement.let_go(link, "delete")
    settlement.journal(None, "delete", "deleted", "gone on both sides", left=link.left_key, right=link.right_key)


def _lone(run: Run, link: Link, side: Side) -> Work:
    pair = run.flow.pair(link.left_variant, link.right_connection, link.right_variant)
    return Work(
        pair,
        side,
        Half(base=Base.read(link.left_base)),
        Half(base=Base.read(link.right_base)),
        Target(link.right_connection, link.right_company),
        link,
    )


async def vanished(run: Run, side: Side, works: Sequence[Work], settlement: Settlement) -> None:
    """Records deleted on one side, unchanged on the other as far as is known."""
    acting: list[Work] = []
    for work in works:
        link = work.link
        if link is None:
            continue
        policy = policy_of(run, work, other(side))
        connection = work.pair.connection_of(side)
        settlement.let_go(link)
        if policy == "ignore" or not run.flow.writes(other(side)):
            note_gone(link, side, settlement)
            settlement.journal(
                work,
                "delete",
                "ignored",
                f"deleted on {connection}",
                side=side,
                left=link.left_key,
                right=link.right_key,
            )
        elif policy == "ask":
            note_gone(link, side, settlement)
            settlement.issue(
                work,
                "delete",
                f"deleted on {connection}; decide what happens to the other one: delete it too, recreate it, or unlink",
                code="gone",
                choices=list(CHOICES),
                side=side,
            )
            settlement.journal(work, "delete", "asked", side=side, left=link.left_key, right=link.right_key)
        else:
            acting.append(work)
    if acting:
        await carry_out(run, other(side), acting, settlement)


async def carry_out(
    run: Run, side: Side, works: Sequence[Work], settlement: Settlement, policy: str | None = None
) -> None:
    """Delete or deactivate the counterparts of records that are gone."""
    places: dict[tuple[str, str, str], list[Work]] = defaultdict(list)
    for work in works:
        link = work.link
        if link is not None:
            company = link.left_company if side == "left" else link.right_company
            variant = work.pair.mapping(side).mapping.variant
            places[work.pair.connection_of(side), company, variant].append(work)
    deliveries = []
    for (connection, company, variant), group in places.items():
        end = run.flow.end(side, connection)
        keys = [key_of(work.link, side) for work in group if work.link is not None]
        fetched = await fetch(run, end, end.mappings[variant], company, keys)
        for work in group:
            if work.link is None:
                continue
            caught = fetched.found.get(key_of(work.link, side))
            if caught is None and key_of(work.link, side) in fetched.gone:
                _gone_on_both(work.link, settlement)
                continue
            if caught is None:
                settlement.issue(
                    work,
                    "invisible",
                    f"{key_of(work.link, side)} on {connection} is to be deleted and cannot be read",
                    code="invisible",
                    side=side,
                )
                continue
            work.half(side).caught = caught
            if policy is None and caught.excluded is not None:
                note_gone(work.link, other(side), settlement)  # it is outside the flow: nobody deletes it for that
                settlement.journal(work, "delete", "excluded", caught.excluded, side=side)
                continue
            if caught.canonical is not None and caught.canonical.locked:
                note_gone(work.link, other(side), settlement)
                settlement.issue(
                    work,
                    "delete",
                    f"deleted on {work.pair.connection_of(other(side))}, and the document on {connection} must not be "
                    f"deleted ({caught.canonical.locked}); correct it by a credit memo or reversal, then decide: "
                    "recreate the other one, or unlink",
                    code="locked",
                    choices=list(CHOICES),
                    side=other(side),
                )
                continue
            if policy is None and _edited(work, side):
                note_gone(work.link, other(side), settlement)
                settlement.issue(
                    work,
                    "delete",
                    f"deleted on {work.pair.connection_of(other(side))}, but changed on {connection} meanwhile; "
                    "decide: delete it too, recreate it, or unlink",
                    code="gone",
                    choices=list(CHOICES),
                    side=other(side),
                )
                settlement.journal(work, "delete", "asked", side=side)
                continue
            wanted = policy or policy_of(run, work, side)
            deliveries.append(Delivery(work, side, wanted, {}))
    deliveries = await allow(run, deliveries, settlement)
    stopped = await deliver(run, deliveries)
    for delivery in deliveries:
        outcome, work = delivery.outcome, delivery.work
        if run.plan_only or outcome is None or work.link is None:
            continue
        settlement.journal(
            work,
            delivery.op,
            outcome.result,
            outcome.error.message if outcome.error else "deleted on the other side",
            side=side,
            error=outcome.error,
        )
        if outcome.result in ("deleted", "updated", "unchanged"):
            settlement.noted["deletes"] += 1
            settlement.solve(work, ("delete", "failed"))
            if delivery.op == "deactivate":
                # The record is still there: without its link it would come back as a new one.
                note_gone(work.link, other(side), settlement)
            else:
                settlement.dropped_links.append(work.link.id)
        else:
            words = outcome.error.message if outcome.error else outcome.result
            settlement.issue(
                work, "failed", f"could not be deleted: {words}", code="delete", error=outcome.error, side=side
            )
    if stopped is not None:
        await settlement.commit()
        raise stopped


def _edited(work: Work, side: Side) -> bool:
    """Has somebody changed the record since both sides last agreed?"""
    half = work.half(side)
    canonical = half.canonical
    if canonical is None:
        return False
    same, base = work.same, half.base
    if any(not same(n, v, base.fields[n]) for n, v in canonical.fields.items() if n in base.fields):
        return True
    for name in work.pair.collections:
        lines, held = canonical.lines.get(name, []), base.lines.get(name, {})
        like = work.same_in(name)
        known = list(held.values())
        if len(lines) != len(known):
            return True
        for line in lines:
            fits = (b for b in known if all(like(n, line.fields.get(n), v) for n, v in b.items() if n in line.fields))
            found = next(fits, None)
            if found is None:
                return True
            known.remove(found)
    return False


async def decided(run: Run, link: Link, choice: str, gone: Side, settlement: Settlement) -> Hint | None:
    """Carry out what a person chose for a deleted record; returns what to look at again."""
    here = other(gone)
    work = _lone(run, link, here)
    if choice != "unlink" and await _is_back(run, link, gone):
        settlement.journal(None, "link", "kept", "the record is there again", left=link.left_key, right=link.right_key)
        return Hint(*_place(link, here))
    if choice == "delete":
        await carry_out(run, here, [work], settlement, policy="delete")
        return None
    settlement.journal(
        None, "link", "unlinked", f"chosen by a person: {choice}", left=link.left_key, right=link.right_key
    )
    if choice == "recreate":
        settlement.dropped_links.append(link.id)
        return Hint(*_place(link, here))
    # The record is left alone from now on; its link stays, so that it is not taken for a new one.
    link.state = "broken"
    settlement.links[link.id] = link
    return None


async def _is_back(run: Run, link: Link, side: Side) -> bool:
    """Is a record that was deleted there again?"""
    end = run.flow.end(side, link.left_connection if side == "left" else link.right_connection)
    compiled = end.mappings.get(link.left_variant if side == "left" else link.right_variant)
    if compiled is None:
        return False
    _, key, company = _place(link, side)
    return key in (await fetch(run, end, compiled, company, [key])).found


def _place(link: Link, side: Side) -> tuple[str, str, str]:
    if side == "left":
        return link.left_object, link.left_key, link.left_company
    return link.right_object, link.right_key, link.right_company


async def unseen(run: Run, side: Side, epoch: int, read_page: int = 500) -> None:
    """After a sweep of one side: everything it has not marked is suspected to be gone."""
    flow = run.flow
    after = 0
    connections = list(flow.rights)
    for connection in connections:
        after = 0
        while True:

            def read(tx: Tx, after: int = after, connection: str = connection) -> list[Link]:
                return tx.links.page(
                    after,
                    read_page,
                    entity=flow.entity.name,
                    left_connection=flow.left.connection,
                    right_connection=connection,
                    epoch_not=epoch,
                )

            links: list[Any] = await run.runtime.state.read(read)
            if not links:
                break
            after = links[-1].id
            await suspected(run, side, links)
