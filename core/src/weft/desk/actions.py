"""All that can be decided and looked up at the desk."""

from __future__ import annotations

from typing import Any

from weft.desk import conflicts, flows, issues, links, looking, proofs, statistics
from weft.desk.action import Action, Question

ACTIONS: tuple[Action[Any, Any], ...] = (
    issues.retry,
    issues.edit,
    issues.skip,
    issues.approve,
    issues.refuse,
    issues.decide,
    conflicts.resolve,
    links.add,
    links.remove,
    links.merge,
    flows.pause,
    flows.resume,
    flows.run,
    proofs.start,
    proofs.start_plan,
)

QUESTIONS: tuple[Question[Any], ...] = (
    looking.overview,
    statistics.series,
    looking.issues,
    looking.causes,
    looking.issue,
    looking.links,
    looking.link,
    looking.journal,
    looking.runs,
    looking.run,
    proofs.proofs,
    proofs.proof,
)
