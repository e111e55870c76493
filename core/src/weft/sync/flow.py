"""A flow, compiled: its two ends, how their mappings meet, and what the configuration allows.

Built once per run by :func:`build`; holds no state of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from weft.errors import ConfigError
from weft.mapping.comparison import Comparator
from weft.mapping.rules import compile_rule
from weft.records import Canonical, Side
from weft.sync.decide import Policy
from weft.sync.possible import hindrances

if TYPE_CHECKING:
    from weft.config.models import FlowConfig
    from weft.mapping.compile import CompiledMapping
    from weft.model.entity import EntityType
    from weft.model.values import Fields
    from weft.runtime import Runtime
    from weft.state.links import Link

CURRENCY = "currency"
"""The field that holds the currency of amounts, where an entity does not name another."""
Rule = Callable[[Canonical], bool]


@dataclass(frozen=True, slots=True)
class End:
    """One connection of a flow: which companies and which mapping variants it takes part with."""

    side: Side
    connection: str
    kind: str
    companies: tuple[str, ...]
    mappings: Mapping[str, CompiledMapping]
    max_batch: int

    @property
    def listed(self) -> Mapping[str, CompiledMapping]:
        """The mappings whose records are listed and searched; to the others records only move."""
        return {name: one for name, one in self.mappings.items() if not one.mapping.only_moved}

    def places(self, company: str) -> tuple[str, ...]:
        """The companies of the flow that something told of a company is about, all of them where it names none. A
        system tells of companies that are no part of the flow, too: those are none of its business."""
        if not company or self.companies == ("",):
            return self.companies
        return tuple(one for one in self.companies if one.casefold() == company.casefold())

    def variant_for(self, canonical: Canonical) -> CompiledMapping:
        """The variant in which a record from the other side is created here."""
        fallback: CompiledMapping | None = None
        for compiled in self.mappings.values():
            if compiled.mapping.read_only or compiled.mapping.only_moved:
                continue
            if compiled.accepts is None:
                fallback = fallback or compiled
            elif compiled.accepts(canonical):
                return compiled
        if fallback is not None:
            return fallback
        # Nothing can be created here; the first variant stands for what is missing.
        return next(iter(self.mappings.values()))


@dataclass(frozen=True)
class Pair:
    """A left mapping and a right mapping joined: what can be compared, and what may be written."""

    flow: Flow
    left: CompiledMapping
    right: CompiledMapping
    connection: str
    """The right connection."""

    def mapping(self, side: Side) -> CompiledMapping:
        return self.left if side == "left" else self.right

    def connection_of(self, side: Side) -> str:
        return self.flow.left.connection if side == "left" else self.connection

    def end(self, side: Side) -> End:
        return self.flow.left if side == "left" else self.flow.rights[self.connection]

    @cached_property
    def comparator(self) -> Comparator:
        return Comparator(self.flow.entity, self.left, self.right)

    @cached_property
    def line_comparators(self) -> dict[str, Comparator]:
        return {name: Comparator(self.flow.entity, self.left, self.right, collection=name) for name in self.collections}

    def currency_of(self, *held: Fields) -> str | None:
        """Code of the currency that amounts are in, as the first of these says that knows it."""
        name = self.flow.entity.currency or CURRENCY
        return next((str(fields[name]) for fields in held if fields.get(name)), None)

    @cached_property
    def collections(self) -> tuple[str, ...]:
        """Line collections that both sides map."""
        return tuple(name for name in self.left.mapping.lines if name in self.right.mapping.lines)

    @cached_property
    def shared(self) -> frozenset[str]:
        """Canonical fields that both sides know, one way or the other."""
        left = self.left.readable | self.left.writable
        return left & (self.right.readable | self.right.writable)

    @cached_property
    def policy(self) -> Policy:
        config = self.flow.config
        owners: dict[str, Side | str] = {
            name: self.flow.side_of(rule) if rule in config.between else rule for name, rule in config.fields.items()
        }
        return Policy(
            to_left=self._allowed("left", self.left.updatable, self.right.readable, self.right.writable),
            to_right=self._allowed("right", self.right.updatable, self.left.readable, self.left.writable),
            owner=self.flow.side_of(config.owner) if config.owner else None,
            owners=owners,  # type: ignore[arg-type]
            on_conflict=config.on_conflict,
            first=config.first,
            first_differences=config.first_differences,
        )

    def _allowed(
        self, to: Side, updatable: frozenset[str], readable: frozenset[str], writable: frozenset[str]
    ) -> frozenset[str]:
        """Fields that may be written to one side.

        Against the flow's direction only results travel: what the other side alone can say, such as
        an assigned number or a paid amount.
        """
        if self.end(to).side == to and self.mapping(to).mapping.read_only:
            return frozenset()
        carried = updatable & readable
        if self.flow.writes(to):
            return carried
        owned = {
            name
            for name, rule in self.flow.config.fields.items()
            if rule in self.flow.config.between and self.flow.side_of(rule) != to
        }
        return frozenset(n for n in carried if n not in writable or n in owned)

    @cached_property
    def line_policies(self) -> dict[str, Policy]:
        return {
            name: Policy(
                to_left=self._line_fields(name, "left"),
                to_right=self._line_fields(name, "right"),
                owner=self.policy.owner,
                on_conflict=self.policy.on_conflict,
                first=self.policy.first,
                first_differences=self.policy.first_differences,
            )
            for name in self.collections
        }

    def _line_fields(self, collection: str, to: Side) -> frozenset[str]:
        here, there = (self.left, self.right) if to == "left" else (self.right, self.left)
        if here.mapping.read_only or not here.mapping.lines[collection].editable:
            return frozenset()
        carried = here.line_writable[collection] & there.line_readable[collection]
        if self.flow.writes(to):
            return carried
        return carried - there.line_writable[collection]

    @cached_property
    def line_creators(self) -> dict[str, frozenset[Side]]:
        """Sides on which lines of each collection may be created and deleted."""
        sides: tuple[Side, Side] = ("left", "right")
        return {
            name: frozenset(
                side
                for side in sides
                if self.flow.writes(side)
                and not self.mapping(side).mapping.read_only
                and self.mapping(side).mapping.lines[name].editable
            )
            for name in self.collections
        }


@dataclass(frozen=True)
class Flow:
    """One entity kept in agreement between a left end and one or more right ends."""

    name: str
    config: FlowConfig
    entity: EntityType
    left: End
    rights: Mapping[str, End]
    when: Rule | None = None
    approve: Rule | None = None
    _pairs: dict[tuple[str, str, str], Pair] = field(default_factory=dict)

    def ends(self) -> Iterator[End]:
        yield self.left
        yield from self.rights.values()

    def end(self, side: Side, connection: str) -> End:
        return self.left if side == "left" else self.rights[connection]

    def pair(self, left: str, connection: str, right: str) -> Pair:
        """The pair of a left variant and a variant of one right connection."""
        key = (left, connection, right)
        found = self._pairs.get(key)
        if found is None:
            found = Pair(self, self.left.mappings[left], self.rights[connection].mappings[right], connection)
            self._pairs[key] = found
        return found

    def adopt(self, link: Link) -> bool:
        """Make a link this flow's own. Another flow of the same entity may have made it under a variant that
        is not used here (an open opportunity's quote, now that the opportunity is won): the link then goes
        over to the variant here that is about the same object. False: there is none."""
        left = _variant(self.left, link.left_variant, link.left_object)
        right = _variant(self.rights[link.right_connection], link.right_variant, link.right_object)
        if left is None or right is None:
            return False
        link.left_variant, link.right_variant = left, right
        return True

    def side_of(self, connection: str) -> Side:
        return "left" if connection == self.left.connection else "right"

    def rule_for(self, compiled: CompiledMapping) -> Rule | None:
        """The flow's ``when``, where a mapping reads every field the rule names.

        A side that lacks one of them cannot tell; its records count as inside.
        """
        text = self.config.when
        if self.when is None or text is None:
            return None
        named = {name for name in self.entity.fields if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text)}
        return self.when if named <= compiled.readable else None

    @property
    def several_targets(self) -> bool:
        """May one left record have counterparts in several places?"""
        return len(self.rights) > 1 or any(len(end.companies) > 1 for end in self.rights.values())

    def writes(self, side: Side) -> bool:
        """May records on this side be created and changed by the flow, as its direction goes?"""
        return self.config.direction == "both" or self.config.direction.endswith(side)

    def creates(self, side: Side) -> bool:
        """May missing records be created on this side?"""
        if not self.writes(side):
            return False
        if self.config.create is None:
            return True
        ends = [self.left] if side == "left" else list(self.rights.values())
        return any(end.connection in self.config.create for end in ends)

    def actions(self, connection: str) -> tuple[str, ...]:
        """Steps due after a record was written on a connection (``post``)."""
        return tuple(self.config.after.get(connection, ()))

    def depends_on(self) -> set[str]:
        """Entities that records of this flow refer to."""
        return {e for end in self.ends() for m in end.mappings.values() for e in m.links()} - {self.entity.name}


def _variant(end: End, variant: str, object: str) -> str | None:
    if variant in end.mappings:
        return variant
    return next((name for name, one in end.mappings.items() if one.mapping.object.read == object), None)


async def build(runtime: Runtime, name: str) -> Flow:
    """Compile a flow of the configuration.

    :raises ConfigError: unknown flow, plugin, entity, variant or company, each by name.
    """
    config = runtime.config.flow(name)
    entity = runtime.catalogue.get(config.entity)
    first, *others = config.between
    left = await _end(runtime, name, config, entity, "left", first)
    rights = {other: await _end(runtime, name, config, entity, "right", other) for other in others}

    def at(key: str) -> str:
        return runtime.config.where("flows", name, key, value=True)

    return Flow(
        name,
        config,
        entity,
        left,
        rights,
        compile_rule(config.when, at=at("when"), fields=entity.fields) if config.when else None,
        compile_rule(config.approve, at=at("approve"), fields=entity.fields) if config.approve else None,
    )


async def _end(runtime: Runtime, flow: str, config: FlowConfig, entity: EntityType, side: Side, connection: str) -> End:
    kind = runtime.kind(connection)
    compiled = runtime.mappings(connection, entity.name)
    for hindrance in hindrances(runtime, config, connection):
        raise ConfigError(f"{runtime.config.where('flows', flow)}: {hindrance}")
    chosen = config.variants.get(connection)
    if chosen is not None:
        unknown = [variant for variant in chosen if variant not in compiled]
        if unknown:
            raise ConfigError(
                f"{runtime.config.where('flows', flow, 'variants', connection)}: {kind} has no variant "
                f"{unknown[0]!r} of {entity.name}; there are: {', '.join(compiled) or 'none'}"
            )
        compiled = {variant: compiled[variant] for variant in chosen}
    else:
        compiled = {variant: c for variant, c in compiled.items() if not c.mapping.optional} or compiled
    if not compiled:
        raise ConfigError(
            f"{runtime.config.where('flows', flow)}: the connector {kind!r} has no mapping for the entity "
            f"{entity.name!r}; add one under mappings.{connection}.{entity.name} in the configuration"
        )
    for action in config.after.get(connection, ()):
        endless = [c for c in compiled.values() if action in c.mapping.actions and c.mapping.locked is None]
        if endless:
            raise ConfigError(
                f"{runtime.config.where('flows', flow, 'after')}: {action!r} would be repeated for ever: the mapping "
                f"{entity.name}/{endless[0].mapping.variant} of {kind} has no `locked` rule that says when it is done"
            )
    companies = await runtime.companies(connection, config, side)
    return End(side, connection, kind, companies, compiled, runtime.plugins.connector(kind).max_batch)
