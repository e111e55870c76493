"""Moves: a record that lives on elsewhere (it was posted, converted, merged) takes its link along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from weft.records import Hint, Moved, Side
from weft.state.aliases import Alias
from weft.sync.known import key_of
from weft.sync.work import Work, other

if TYPE_CHECKING:
    from weft.state.links import Link
    from weft.state.tx import Tx
    from weft.sync.run import Run
    from weft.sync.settle import Settlement


def follow(run: Run, work: Work, side: Side, moved: Moved, settlement: Settlement, rival: Link | None = None) -> None:
    """A record lives on elsewhere: the link goes along where the flow maps that object, else it ends. ``rival``: the
    link of whatever it has become; a record has one counterpart only, so a person must say."""
    link = work.link
    if link is None:
        return
    end = run.flow.end(side, link.left_connection if side == "left" else link.right_connection)
    now = run.now
    settlement.aliases.append(
        Alias(
            run.flow.entity.name,
            end.connection,
            link.left_company if side == "left" else link.right_company,
            link.left_object if side == "left" else link.right_object,
            moved.key,
            link.id if rival is None else rival.id,
            moved.reason,
            now,
        )
    )
    variant = next((name for name, c in end.mappings.items() if c.mapping.object.read == moved.to_object), None)
    if variant is None:
        note_gone(link, side, settlement)
        reason = f"{moved.reason or 'moved'} to {moved.to_object}({moved.to_key})"
        settlement.journal(None, "move", "moved", reason, side=side, left=link.left_key, right=link.right_key)
        return
    if rival is not None:
        note_gone(link, side, settlement)
        here = other(side)
        reason = (
            f"{key_of(link, side)} on {end.connection} is now {moved.to_key} ({moved.reason or 'moved'}), which is "
            f"linked to {key_of(rival, here)}: merge the two records here as well, or unlink this one"
        )
        settlement.issue(work, "review", reason, code="moved", side=here)
        settlement.journal(work, "move", "review", reason, side=side, left=link.left_key, right=link.right_key)
        return
    if side == "left":
        link.left_object, link.left_key, link.left_variant = moved.to_object, moved.to_key, variant
        link.left_company, link.left_print = moved.to_company or link.left_company, None
    else:
        link.right_object, link.right_key, link.right_variant = moved.to_object, moved.to_key, variant
        link.right_company, link.right_print = moved.to_company or link.right_company, None
    settlement.links[link.id] = link
    settlement.hints.append((end.connection, Hint(moved.to_object, moved.to_key, moved.to_company)))
    settlement.journal(None, "move", "moved", moved.reason, side=side, left=link.left_key, right=link.right_key)


async def rivals(run: Run, moves: Sequence[tuple[Link, Side, Moved]]) -> dict[int, Link]:
    """Links that cannot go along with a record that moved, by id: the link that is there already."""

    def read(tx: Tx) -> dict[int, Link]:
        found: dict[int, Link] = {}
        going: dict[tuple[Side, str, str, str, tuple[str, str]], Link] = {}
        for link, side, moved in moves:
            company = moved.to_company or (link.left_company if side == "left" else link.right_company)
            far = _far(link, side)
            there = tx.links.by_keys(
                run.flow.entity.name, link.left_connection, link.right_connection, side, moved.to_object, company,
                [moved.to_key],
            )  # fmt: skip
            others = [one for one in there.get(moved.to_key, ()) if one.id != link.id and _far(one, side) == far]
            rival = others[0] if others else going.setdefault((side, moved.to_object, moved.to_key, company, far), link)
            if rival is not link:
                found[link.id] = rival
        return found

    return await run.runtime.state.read(read) if moves else {}


def _far(link: Link, side: Side) -> tuple[str, str]:
    """Connection and company of the other end."""
    return (link.right_connection, link.right_company) if side == "left" else (link.left_connection, link.left_company)


def note_gone(link: Link, side: Side, settlement: Settlement) -> None:
    """What was there of a pair is there no more, and the link stays to say so."""
    link.state = "left_gone" if side == "left" else "right_gone"
    settlement.links[link.id] = link
