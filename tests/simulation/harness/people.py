"""What people do to the systems, drawn from the seed. Every value they type is new."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from harness.pair import norm
from harness.world import SIDES, World, look


class People:
    """Several persons in both systems."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = random.Random(f"{world.seed}:people")
        self.count = 0

    def act(self) -> None:
        """One thing somebody does somewhere."""
        actions = [self.edit, self.create, self.clear, self.line, self.delete]
        weights = [10, 3, 2, 4, 1] if "order" in self.world.pair.kinds else [10, 3, 2, 0, 0]
        self.rng.choices(actions, weights)[0]()

    def clearable(self, kind: str) -> list[str]:
        return [one for one in self.world.pair.fields[kind] if one in self.world.pair.clearable]

    # -- creating ----------------------------------------------------------------------------------

    def create(self, kind: str | None = None, sides: tuple[str, ...] | None = None) -> None:
        rng, world = self.rng, self.world
        kind = kind or rng.choice(
            [one for one in ("customer", "customer", "product", "order") if one in world.pair.kinds]
        )
        if sides is None:
            sides = (rng.choice(SIDES),)
            if kind != "order" and not world.running and rng.random() < 0.2:
                sides = SIDES
        if kind == "order":
            self._order("left" if not world.both else sides[0])
            return
        self.count += 1
        name = f"{'T' if kind == 'customer' else 'P'}{self.count}"
        for side in sides:
            given = {one: self.value(one) for one in self.world.pair.fields[kind]}
            for one in self.clearable(kind):
                if rng.random() < 0.4:
                    given[one] = None
            self._put(side, kind, name, given)

    def _order(self, side: str) -> None:
        seen = look(self.world.pair, side)
        customers = sorted(n for k, n in seen.keys if k == "customer")
        products = sorted(n for k, n in seen.keys if k == "product")
        if not customers or not products:
            return
        self.count += 1
        name = f"R{self.count}"
        key = self._put(side, "order", name, {"note": self.value("note"), "customer": self.rng.choice(customers)})
        for product in self.rng.sample(products, min(len(products), self.rng.randint(0, 3))):
            self._add_line(side, name, key, product)

    def _add_line(self, side: str, order: str, key: str, product: str) -> None:
        spelt = self.world.pair.names[side]["line"]
        given = {one: self.value(one) for one in self.world.pair.fields["line"]}
        product_key = look(self.world.pair, side).keys["product", product]
        row = {spelt["_"]: product_key, spelt["order"]: key, **{spelt[one]: v for one, v in given.items()}}
        values = tuple(norm(one, given[one]) for one in self.world.pair.fields["line"])
        self.world.edited(side, "line", f"{order}/{product}", values, f"added {values}")
        self.world.pair.systems[side].put(self.world.pair.objects[side]["line"], by=self.person(), **row)

    def _put(self, side: str, kind: str, name: str, given: dict[str, Any]) -> str:
        spelt = self.world.pair.names[side][kind]
        row = {spelt["_"]: name}
        for one, value in given.items():
            row[spelt[one]] = look(self.world.pair, side).keys["customer", value] if one == "customer" else value
        values = tuple(norm(one, given[one]) for one in self.world.pair.fields[kind])
        self.world.edited(side, kind, name, values, f"created {values}")
        key = self.world.pair.systems[side].put(self.world.pair.objects[side][kind], by=self.person(), **row)
        self.world.names[side, self.world.pair.objects[side][kind], key] = (kind, name)
        return key

    # -- changing ----------------------------------------------------------------------------------

    def edit(self) -> None:
        self._change(lambda kind: self.rng.choice(self.world.pair.fields[kind]), None)

    def clear(self) -> None:
        self._change(lambda kind: self.rng.choice(self.clearable(kind) or [None]), "")

    def _change(self, choose: Any, value: Any) -> None:
        side = self.rng.choice(SIDES)
        seen = look(self.world.pair, side)
        records = sorted(one for one in seen.keys if one[0] != "line" and self._may(side, one[0]))
        if not records:
            return
        kind, name = self.rng.choice(records)
        one = choose(kind)
        if one is None:
            return
        new: Any = self.value(one) if value is None else None if one in ("limit", "price") else value
        stored = new
        if one == "customer":
            customers = sorted(n for k, n in seen.keys if k == "customer")
            new = self.rng.choice(customers)
            stored = seen.keys["customer", new]
        values = list(seen.things[kind, name])
        index = self.world.pair.fields[kind].index(one)
        if values[index] == norm(one, new):
            return
        values[index] = norm(one, new)
        self.world.edited(side, kind, name, tuple(values), f"{one} = {new!r}")
        system = self.world.pair.systems[side]
        system.edit(
            self.world.pair.objects[side][kind],
            seen.keys[kind, name],
            by=self.person(),
            **{self.world.pair.names[side][kind][one]: stored},
        )

    def line(self) -> None:
        """Somebody adds, changes or deletes a line."""
        side = self.rng.choice(SIDES)
        if not self._may(side, "order"):
            return
        seen = look(self.world.pair, side)
        lines = sorted(n for k, n in seen.keys if k == "line")
        what = self.rng.choice(["add", "change", "change", "delete"])
        system = self.world.pair.systems[side]
        if what == "add" or not lines:
            self._new_line(side, seen)
            return
        name = self.rng.choice(lines)
        key = seen.keys["line", name]
        if what == "delete":
            self.world.edited(side, "line", name, None, "deleted")
            system.remove(self.world.pair.objects[side]["line"], key)
            return
        one = self.rng.choice(self.world.pair.fields["line"])
        new = self.value(one)
        values = list(seen.things["line", name])
        values[self.world.pair.fields["line"].index(one)] = norm(one, new)
        self.world.edited(side, "line", name, tuple(values), f"{one} = {new}")
        system.edit(
            self.world.pair.objects[side]["line"],
            key,
            by=self.person(),
            **{self.world.pair.names[side]["line"][one]: new},
        )

    def _new_line(self, side: str, seen: Any) -> None:
        orders = sorted(n for k, n in seen.keys if k == "order")
        if not orders:
            return
        order = self.rng.choice(orders)
        used = {n.split("/")[1] for k, n in self.world.things if k == "line" and n.split("/")[0] == order}
        free = sorted(n for k, n in seen.keys if k == "product" and n not in used)
        if free:
            self._add_line(side, order, seen.keys["order", order], self.rng.choice(free))

    def delete(self) -> None:
        """Somebody deletes a record nothing refers to."""
        side = self.rng.choice(SIDES)
        seen = look(self.world.pair, side)
        used = set()
        for one in SIDES:
            other = look(self.world.pair, one)
            used |= {("customer", v[1]) for (k, _), v in other.things.items() if k == "order"}
            used |= {("product", n.split("/")[1]) for k, n in other.keys if k == "line"}
        free = sorted(k for k in seen.keys if k[0] != "line" and k not in used and self._may(side, k[0]))
        if not free:
            return
        kind, name = self.rng.choice(free)
        self.world.names[side, self.world.pair.objects[side][kind], seen.keys[kind, name]] = (kind, name)
        system = self.world.pair.systems[side]
        self.world.edited(side, kind, name, None, "deleted")
        system.remove(self.world.pair.objects[side][kind], seen.keys[kind, name])
        if kind == "order":
            for line in [n for k, n in seen.keys if k == "line" and n.split("/")[0] == name]:
                system.remove(self.world.pair.objects[side]["line"], seen.keys["line", line])

    def _may(self, side: str, kind: str) -> bool:
        return kind != "order" or side == "left" or self.world.both

    def person(self) -> str:
        return self.rng.choice(["ann", "bob", "eve"])

    def value(self, name: str) -> Any:
        """Something nobody typed before."""
        self.count += 1
        n = self.count
        if name in ("limit", "price"):
            return Decimal(n) + Decimal(self.rng.randint(0, 99)) / 100
        if name == "quantity":
            return Decimal(n)
        if name == "phone":
            return f"+49 {n:04d}"
        if name == "email":
            return f"{self.rng.choice(['u', 'U'])}{n}@adatum.example"
        return f"{name} {n}" + self.rng.choice(["", "", "  ", " Ä"])
