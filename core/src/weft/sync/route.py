"""Route: which connection and company a new record goes to.

The flow's ``company`` rule decides; several targets are allowed. The choice is pinned in the link: for
a linked record the rule is only asked to see whether it now says otherwise, which is a question for a
person, not a second record. No rule matches: an issue, never a default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from weft.mapping.rules import compile_rule
from weft.records import Canonical, Problem, Target
from weft.sync.isolate import isolated

if TYPE_CHECKING:
    from weft.config.companies import CompanyTarget
    from weft.sync.run import Run


class Router:
    """Core's own router: the flow's ``company`` rules, compiled."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._flow = run.flow
        self._rules = run.flow.config.company
        at = run.runtime.config.where("flows", run.flow.name, "company")
        self._compiled = [
            (compile_rule(rule.when, at=at, fields=run.flow.entity.fields) if rule.when else None, rule.to)
            for rule in (self._rules.rules if self._rules is not None else [])
        ]

    async def targets(self, canonical: Canonical) -> list[Target]:
        """Where this record belongs; empty when no rule matches."""
        if self._rules is None:
            return [Target(name, end.companies[0]) for name, end in self._flow.rights.items()]
        chosen = self._chosen(canonical)
        found = []
        for destination in chosen or ():
            for name in [destination.connection] if destination.connection else self._flow.rights:
                company = await self._run.runtime.company(name, destination.company)
                found.append(Target(name, company))
        return found

    def _chosen(self, canonical: Canonical) -> Sequence[CompanyTarget] | None:
        rules = self._rules
        if rules is None:
            return None
        if rules.by is not None:
            value = canonical.fields.get(rules.by)
            by_value = {name.casefold(): to for name, to in rules.values.items()}
            return by_value.get(str(value).casefold(), rules.default) if value is not None else rules.default
        for rule, to in self._compiled:
            if rule is None or rule(canonical):
                return to
        return None

    async def route(self, entities: Sequence[Canonical], **_: Any) -> list[list[Target]]:
        return [await self.targets(entity) for entity in entities]


async def route(run: Run, router: Router, records: Sequence[Canonical]) -> list[list[Target] | Problem]:
    """Targets of new records from the left side, with third parties' routers and wrappers heard; a Problem for a
    record on which a rule fails."""
    if not records:
        return []
    end = run.flow.left

    async def ask(some: Sequence[Canonical]) -> list[list[Target]]:
        return await run.runtime.plugins.await_around(
            end.kind, "route", router.route, ctx=run.context(end, ""), entities=some
        )

    return await isolated(run, f"weft_route of {end.kind}", records, ask)
