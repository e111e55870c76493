"""A scenario: rounds of edits, faults, kills and restarts, then quiet, then the reckoning."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from harness.people import People
from harness.world import FLOWS, SIDES, Violation, World, look

QUIET = 8
"""So many synchronisations may it take until nothing more is to be done."""

EFFECTS = ("lose_answer", "lose_answer", "lose_request", "reject", "throttle", "down", "crash")


def run(seed: int, folder: Path, template: Path, mutant: str = "") -> World:
    """Play one seed; the world holds the log.

    :raises Violation: what the rules do not permit has happened.
    """
    world = World(seed, folder, template, mutant)
    try:
        Scenario(world).play()
    except AssertionError as error:
        error.world = world  # type: ignore[attr-defined]
        raise
    return world


class Scenario:
    rounds = (2, 5)

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = random.Random(f"{world.seed}:scenario")
        self.people = People(world)
        self.plan: dict[int, int] = {}
        world.server.before = self._meanwhile

    def play(self) -> None:
        for kind, most in (("customer", 4), ("product", 3), ("order", 2)):
            for _ in range(self.rng.randint(0, most) if kind in self.world.pair.kinds else 0):
                self.people.create(kind)
        for _ in range(self.rng.randint(*self.rounds)):
            self.round()
        self.quiet()

    def round(self) -> None:
        rng, world = self.rng, self.world
        for _ in range(rng.randint(0, 4)):
            self.people.act()
        if rng.random() < 0.3:
            self._decide()
        self._faults()
        world.server.late_chance = rng.choice([0, 0, 0.15])
        for attempt in range(3):
            self.plan = {rng.randint(1, 25): rng.randint(1, 2) for _ in range(rng.choice([0, 0, 1, 3]))}
            kill, kill_write = self._kill() if attempt < 2 else (None, None)
            told = world.sync(sweep=rng.random() < 0.15, kill=kill, kill_write=kill_write)
            self.plan = {}
            world.server.wait(rng.choice([0, 0, 1, 3, 60]))
            if told is not None:
                break
            for _ in range(rng.choice([0, 0, 1, 2])):
                self.people.act()
        world.server.wait(rng.choice([0, 1, 3, 40, 4000, 90_000]))

    def _meanwhile(self, request: int) -> None:
        if not self.world.running:
            return
        for _ in range(self.plan.pop(request, 0)):
            self.people.act()

    def _kill(self) -> tuple[int | None, tuple[int, str] | None]:
        kind = self.rng.choice(["no", "no", "step", "write"])
        if kind == "step":
            return self.rng.randint(1, max(2, self.world.usual["steps"])), None
        if kind == "write":
            return None, (self.rng.randint(1, 3), self.rng.choice(["before", "after", "after"]))
        return None, None

    def _faults(self) -> None:
        rng = self.rng
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            side = rng.choice(SIDES)
            effect = rng.choice(EFFECTS)
            on = "read" if effect == "down" and rng.random() < 0.5 else "write"
            kind = rng.choice([*self.world.pair.kinds, None])
            about: dict[str, Any] = {"on": on, "times": rng.randint(1, 2)}
            if kind is not None:
                about["object"] = self.world.pair.objects[side][kind]
            if effect == "throttle":
                about["retry_after"] = rng.choice([None, 2, 30])
            self.world.pair.systems[side].fail(effect, **about)
            self.world.note(f"fault {side} {effect} {about}")
        if rng.random() < 0.05:
            side = rng.choice(SIDES)
            self.world.pair.systems[side].forget_cursors()
            self.world.note(f"fault {side} forgets its cursors")

    def _decide(self) -> None:
        """Somebody answers an open question about a field."""
        world = self.world
        open_ones = [i for i in world.last.issues if i["kind"] == "conflict"]
        if not open_ones or world.server.pending:
            return
        issue = self.rng.choice(open_ones)
        kind, name = world.names[issue["side"], issue["object"], issue["key"]]
        from harness.world import SPELT

        fields = sorted(one for one in issue["payload"] if SPELT.get(one, one) in world.pair.fields[kind])
        if not fields:
            return
        chosen = self.rng.choice(fields)
        side = self.rng.choice(SIDES)
        self._faultless("answer", choices=[(issue["id"], {**(issue["edited"] or {}), chosen: side})], retry=False)
        world.things[kind, name].chose(world.pair.fields[kind].index(SPELT.get(chosen, chosen)), side)
        world.note(f"somebody chose {side} for {chosen} of {kind} {name}")

    def _faultless(self, what: str, **options: Any) -> Any:
        with self.world.server.calm():
            return self.world.ask(what, **options)

    # -- the end -----------------------------------------------------------------------------------

    def quiet(self) -> None:
        """No more faults, no more people; then both sides must come to rest and hold what they must."""
        world = self.world
        world.server.heal()
        world.server.wait(3600)
        world.note("quiet")
        for number in range(QUIET):
            if any(one["kind"] in ("failed", "waiting", "ambiguous") for one in world.last.issues) or number == 0:
                world.last = world.ask("answer", choices=[], retry=True)
            writes = self._writes()
            world.sync(sweep=number >= 1)
            world.server.wait(7200)
            if number >= 1 and self._writes() == writes and not world.last.hints:
                break
        else:
            raise Violation(f"still writing after {QUIET} synchronisations: a loop")
        self._reckon()

    def _writes(self) -> int:
        return self.world.server.writes()

    def _reckon(self) -> None:
        world = self.world
        world.note("reckoning")
        left, right = look(world.pair, "left"), look(world.pair, "right")
        lonely = left.things.keys() ^ right.things.keys()
        for issue in world.last.issues:
            # A document may wait for a record whose counterpart was deleted: that question is open as well.
            orphan = issue["code"] == "waiting" and any(kind in ("customer", "product") for kind, _ in lonely)
            orphan |= issue["code"] == "waiting" and self._dangling(issue, left if issue["side"] == "left" else right)
            if issue["kind"] not in ("conflict", "delete") and not orphan:
                raise Violation(f"in trouble though nothing is wrong: {issue}")
        if world.last.intents:
            raise Violation(f"intents nobody settled: {world.last.intents}")
        for key, number in right.numbers.items():
            if key in left.numbers and left.numbers[key] != number:
                raise Violation(f"{key}: the ERP's number is {number}, the CRM shows {left.numbers[key]}")
        told = world.ask("prove")
        if told.chains:
            raise Violation(f"journals with broken chains: {told.chains}")
        self._proofs(told)

    def _dangling(self, issue: dict[str, Any], seen: Any) -> bool:
        """Does a document refer to a customer or product that was deleted on both sides?"""
        pair = self.world.pair
        kind, name = self.world.names[issue["side"], issue["object"], issue["key"]]
        held = seen.things.get((kind, name))
        if kind != "order" or held is None:
            return False
        wanted = {("customer", held[pair.fields["order"].index("customer")])}
        wanted |= {
            ("product", line.split("/")[1])
            for what, line in seen.things
            if (what, line.split("/")[0]) == ("line", name)
        }
        return not wanted <= seen.things.keys()

    def _proofs(self, told: Any) -> None:
        """``verify`` finds no difference but those that questions are open about."""
        world = self.world
        seen = look(world.pair, "left"), look(world.pair, "right")
        asked = {world.names[i["side"], i["object"], i["key"]] for i in told.issues}
        flows = {flow: kind for kind, flow in FLOWS.items()}
        for proof in told.proofs:
            kind = flows[proof["flow"]]
            for status, left, right, reason in proof["samples"]:
                side, key = ("left", left) if left else ("right", right)
                record = world.names.get((side, self.world.pair.objects[side][kind], key))
                lone = status in ("only_left", "only_right") and world.deletes == "ignore"
                # The ERP tidied what the CRM still shows as typed: verify says so, and nothing moves.
                tidied = world.pair.strict and seen[0].things.get(record) == seen[1].things.get(record)
                if record not in asked and not lone and not tidied:
                    raise Violation(f"verify: {record} {status}: {reason}, and no question is open about it")
