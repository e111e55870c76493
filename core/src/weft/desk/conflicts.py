"""Conflicts: fields that changed on both sides, and whose value wins."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from weft.desk.action import Number, Wanted, action
from weft.desk.desk import Desk
from weft.desk.errors import NotPossible
from weft.desk.issues import advice, get, is_open, mark
from weft.errors import ConfigError
from weft.state.tx import Tx
from weft.yamlpos import suggest

Which = Literal["left", "right"]


class Resolve(Wanted):
    """``all``: the side that wins every field; or ``fields``: field -> side. ``seen``: the ``mark`` of what was looked
    at, as ``/issues/{id}`` gives it; what has changed since is refused."""

    id: Number
    seen: str | None = None
    all: Which | None = None
    fields: dict[str, Which] | None = None

    @model_validator(mode="after")
    def _either(self) -> Resolve:
        if bool(self.fields) == bool(self.all):
            raise ValueError("give all, or fields")
        return self


class Resolved(Wanted):
    """The fields decided now and the side chosen for each."""

    id: int
    chosen: dict[str, Which]


@action("conflicts.resolve")
async def resolve(desk: Desk, wanted: Resolve) -> Resolved:
    """Choose the side whose value wins, for all fields or for single ones; the next run writes it.

    It holds for the values that both sides have now: where one of them changes before, it is asked anew.
    """
    now = desk.now

    def write(tx: Tx) -> dict[str, Which]:
        issue = is_open(get(tx, wanted.id))
        if issue.kind != "conflict":
            raise NotPossible(f"issue {issue.id} is {issue.kind}, not a conflict; {advice(issue)}")
        if wanted.seen not in (None, mark(issue)):
            raise NotPossible(f"issue {issue.id}: the values have changed since you looked; look at them again")
        known = list(issue.payload or {})
        for name in wanted.fields or ():
            if name not in known:
                raise ConfigError(f"{name!r} is not in conflict{suggest(name, known)}; in conflict: {', '.join(known)}")
        chosen = dict.fromkeys(known, wanted.all) if wanted.all else dict(wanted.fields or {})
        tx.issues.edit(issue.id, {**(issue.edited or {}), **chosen}, now)
        return chosen

    return Resolved(id=wanted.id, chosen=await desk.state.write(write))
