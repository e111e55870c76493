"""A world from a seed: both systems, people who edit them, faults, kills, and what must come of it."""

from __future__ import annotations

import random
import shutil
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.child import Asked, Engine, Told
from harness.model import Rules, Thing
from harness.pair import Pair, norm
from harness.server import Server

SIDES = ("left", "right")
FLOWS = {"customer": "customers", "product": "products", "order": "orders"}


class Violation(AssertionError):
    """The systems hold something that the rules do not permit."""


@dataclass
class Seen:
    """What a side holds, by kind and name; ``keys`` are its own keys, ``twice`` names held more than once."""

    things: dict[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    numbers: dict[tuple[str, str], Any] = field(default_factory=dict)
    twice: list[tuple[str, str]] = field(default_factory=list)

    def add(self, kind: str, name: str, key: str, values: tuple[Any, ...]) -> None:
        if (kind, name) in self.things:
            self.twice.append((kind, name))
        self.things[kind, name], self.keys[kind, name] = values, key


def look(pair: Pair, side: str) -> Seen:
    """Read one side whole. Records are named by what people never change: tax number, code, reference."""
    seen = Seen()
    names, called = pair.names[side], pair.called
    for kind in pair.kinds:
        for key, row in pair.rows(side, kind).items():
            name = called[side, kind, key] = str(row[names[kind]["_"]])
            values = []
            for one in pair.fields[kind]:
                value = row[names[kind][one]]
                if one == "customer":
                    values.append(called.get((side, "customer", value), f"?{value}"))
                else:
                    values.append(norm(one, value))
            seen.add(kind, name, key, tuple(values))
            seen.numbers[kind, name] = pair.numbers(side, kind, row)
    if "order" not in pair.kinds:
        return seen
    spelt = names["line"]
    for key, row in pair.rows(side, "line").items():
        order = called.get((side, "order", row[spelt["order"]]))
        if order is not None and ("order", order) in seen.keys:
            product = called.get((side, "product", row[spelt["_"]]), f"?{row[spelt['_']]}")
            values = [norm(one, row[spelt[one]]) for one in pair.fields["line"]]
            seen.add("line", f"{order}/{product}", key, tuple(values))
    return seen


@dataclass
class World:
    """Runs synchronisations, keeps the model in step, and compares."""

    seed: int
    folder: Path
    template: Path
    mutant: str = ""
    log: list[str] = field(default_factory=list)
    made: Any = None
    """``made(world)`` gives the systems and what serves them; None: in memory."""

    def __post_init__(self) -> None:
        self.rng = rng = random.Random(self.seed)
        self.strategy = {kind: rng.choice(["left", "right", "review", "newest"]) for kind in FLOWS}
        self.field_owner = rng.choice([None, "left", "right", "review"])
        self.first = rng.choice(["review", "owner"])
        self.deletes = rng.choice(["ask", "ask", "delete", "ignore"])
        self.both = rng.random() < 0.5
        self.stepwise = rng.random() < 0.5
        self.page_size = rng.choice([1, 2, 3, 1000])
        self.pair = self.made.pair if self.made is not None else self._in_memory()
        kinds = self.pair.kinds
        self.things: dict[tuple[str, str], Thing] = {}
        self.names: dict[tuple[str, str, str], tuple[str, str]] = {}
        self.rules = {kind: self._rules(kind) for kind in kinds}
        if "order" in kinds:
            self.rules["line"] = Rules(
                self.pair.fields["line"],
                (self._line_winner(),) * 2,
                self._first_of("order"),
                self._owner_of("order"),
                "delete",
                self.both,
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.template, self.folder / "weft.db")
        late = random.Random(f"{self.seed}:late")
        if self.made is not None:
            self.server: Any = self.made.server(self.folder, self._config(), late)
        else:
            self.server = Server(self.pair, self.folder, Engine.of(self.pair, self._config(), self.stepwise), late)
        self.number = 0
        self.last: Told = Told()
        self.usual = {"steps": 1500, "writes": 4}
        self.meddled = 0

    def _in_memory(self) -> Pair:
        rng = self.rng
        pair = Pair(answers={side: rng.random() < 0.6 for side in SIDES}, strict=rng.random() < 0.3)
        batch = rng.choice([1, 3, 100])
        for system in pair.systems.values():
            system.max_batch = batch
        return pair

    # -- configuration -----------------------------------------------------------------------------

    def _owner_of(self, kind: str) -> Any:
        strategy = self.strategy[kind]
        return strategy if strategy in SIDES else "left"

    def _first_of(self, kind: str) -> Any:
        return self.first

    def _line_winner(self) -> Any:
        return self._timeless("order")  # a line has no change time of its own

    def _timeless(self, kind: str) -> Any:
        """The winner where nobody can say which is newest: a person is asked."""
        strategy = self.strategy[kind]
        return "review" if strategy == "newest" else strategy

    def _rules(self, kind: str) -> Rules:
        winner = self.strategy[kind] if self.pair.tells_times else self._timeless(kind)
        winners = [winner] * len(self.pair.fields[kind])
        if kind == "customer" and self.field_owner is not None:
            winners[self.pair.fields[kind].index("limit")] = self.field_owner
        return Rules(
            self.pair.fields[kind], tuple(winners), self._first_of(kind), self._owner_of(kind),
            self.deletes, self.both or kind != "order", kind != "order",
        )  # type: ignore[arg-type]  # fmt: skip

    def _config(self) -> str:
        spelt = {"left": "crm", "right": "erp", "review": "review"}
        flows = []
        for kind in self.pair.kinds:
            flow = FLOWS[kind]
            entity = "sales_order" if kind == "order" else kind
            options = [f"entity: {entity}", "between: [crm, erp]", f"owner: {spelt[self._owner_of(kind)]}"]
            strategy = self.strategy[kind]
            options.append(f"on_conflict: {strategy if strategy in ('review', 'newest') else 'owner'}")
            options.append(f"first_differences: {self.first}")
            options.append(f"deletes: {self.deletes}")
            options.append("guards: {deletes: null}")
            if kind == "order" and not self.both:
                options.append("direction: left_to_right")
            if kind == "customer" and self.field_owner is not None:
                options.append(f"fields: {{credit_limit: {spelt[self.field_owner]}}}")
            flows.append(f"  {flow}: {{{', '.join(options)}}}")
        return "\n".join(
            [
                "state: sqlite:///weft.db", "connections:",
                *self.pair.connections(self.page_size),
                "flows:", *flows,
            ]
        )  # fmt: skip

    def note(self, text: str) -> None:
        self.log.append(f"{self.pair.clock.at:%H:%M:%S.%f} {text}")

    # -- what people do ----------------------------------------------------------------------------

    def thing(self, kind: str, name: str) -> Thing:
        found = self.things.get((kind, name))
        if found is None:
            found = self.things[kind, name] = Thing(f"{kind} {name}", self.rules[kind])
        return found

    def edited(self, side: str, kind: str, name: str, values: tuple[Any, ...] | None, what: str) -> None:
        """A person did something; while a synchronisation runs it may have looked just before or after."""
        thing = self.thing(kind, name)
        if self.running:
            thing.may_be_touched()
        thing.edited(side, values, what)
        if self.running:
            self.meddled += 1
            thing.may_be_touched()
        self.note(f"{'  meanwhile ' if self.running else ''}{side} {kind} {name}: {what}")

    running = False

    # -- synchronisation ---------------------------------------------------------------------------

    def ask(self, what: str, **options: Any) -> Told:
        """Something that is done without faults, edits or kills."""
        self.number += 1
        told = self.server.run(Asked(what, options, f"{self.seed}:{self.number}", mutant=self.mutant))
        if told is None:
            raise Violation(f"{what} ended before its time")
        return told

    def sync(self, *, sweep: bool = False, kill: Any = None, kill_write: Any = None) -> Told | None:
        """One synchronisation in a process of its own, then a look at what the systems hold."""
        self.number += 1
        self.running, self.meddled, self.server.struck, self.server.requests = True, 0, 0, 0
        for thing in self.things.values():
            thing.history.append(f"-- sync {self.number}")
        unsettled = {key: set(thing.states) for key, thing in self.things.items()}
        for thing in self.things.values():
            thing.may_be_touched()
        asked = Asked("sync", {"sweep": sweep}, f"{self.seed}:{self.number}", kill, kill_write, self.mutant)
        self.note(f"sync {self.number}{' sweep' if sweep else ''} kill={kill or kill_write}")
        told = self.server.run(asked)
        self.running = False
        for thing in self.things.values():
            thing.may_be_touched()
        if told is None:
            self.note("  killed")
        else:
            self.last = told
            self.usual = {"steps": told.steps, "writes": told.writes}
            self.note(f"  {[(r[0], r[1], r[2], dict(r[3])) for r in told.reports]} struck={self.server.struck}")
            for issue in told.issues:
                self.note(f"  issue {issue['kind']} {issue['side']} {issue['key']} {issue['reason']}")
        quiet = told is not None and not self.meddled and not self.server.struck and not self.server.pending
        quiet = quiet and told is not None and all(one[1] in ("done", "issues") for one in told.reports)
        quiet = quiet and told is not None and not told.hints and not told.intents
        self._compare(told, unsettled if quiet else None)
        return told

    def _compare(self, told: Told | None, before: dict[tuple[str, str], set[Any]] | None) -> None:
        left, right = look(self.pair, "left"), look(self.pair, "right")
        for side, seen in (("left", left), ("right", right)):
            if seen.twice:
                raise Violation(f"{side} holds twice: {seen.twice}")
            for (kind, name), key in seen.keys.items():
                self.names[side, self.pair.objects[side][kind], key] = (kind, name)
        unknown = (left.things.keys() | right.things.keys()) - self.things.keys()
        if unknown:
            raise Violation(f"nobody made {sorted(unknown)}")
        if self.server.pending:
            return
        troubled, asked = self._issues(told)
        for key, thing in self.things.items():
            record = key if key[0] != "line" else ("order", key[1].split("/")[0])
            if key[0] == "line" and (record not in left.things or record not in right.things):
                continue  # its document is gone or not there yet
            settled = before is not None and record not in troubled
            if settled and before is not None:
                thing.states = before[key]
                thing.is_settled()
            expected = set(thing.states)
            if not thing.observe(left.things.get(key), right.things.get(key)):
                states = "\n    ".join(str(one) for one in sorted(expected, key=str)[:12])
                raise Violation(
                    f"{thing.name}: left holds {left.things.get(key)}, right holds {right.things.get(key)}; "
                    f"{'after a quiet synchronisation ' if settled else ''}the rules permit\n    {states}"
                )
            if settled and key[0] != "line":
                self._questions(thing, asked.get(key, {}))

    def _issues(self, told: Told | None) -> tuple[set[tuple[str, str]], dict[tuple[str, str], dict[str, Any]]]:
        """Records that are in trouble, and the questions asked about others: field (or delete) -> issue."""
        troubled: set[tuple[str, str]] = set()
        asked: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
        for issue in told.issues if told is not None else ():
            record = self.names.get((issue["side"], issue["object"], issue["key"]))
            if record is None:
                raise Violation(f"an issue about a record nobody knows: {issue}")
            if issue["edited"] is not None:
                troubled.add(record)  # answered, and not carried out yet
            if issue["kind"] == "conflict":
                for name in issue["payload"]:
                    asked[record][SPELT.get(name, name)] = issue
            elif issue["kind"] == "delete":
                asked[record]["delete"] = issue
            else:
                troubled.add(record)
        return troubled, asked

    def _questions(self, thing: Thing, asked: dict[str, Any]) -> None:
        from harness.model import asked as must

        wanted = [must(state, self.rules[thing.name.split()[0]]) for state in thing.states]
        found = {name for name in asked if not name.startswith("lines[")}
        if not any(found == one for one in wanted):
            expected = " or ".join(str(sorted(one)) for one in wanted)
            raise Violation(f"{thing.name}: questions are open about {sorted(found)}, the rules ask about {expected}")


SPELT = {"credit_limit": "limit", "unit_price": "price", "description": "note"}
