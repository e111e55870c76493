"""The ``weft.yaml`` of an edition: every flow that the two systems can keep, commented; the others with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from weft.config.edition import Edition, EditionFlow, Part, Parts, filled
from weft.config.template import HEAD, connection_lines
from weft.hookspecs import Connector
from weft.mapping.impossible import Impossible

WIDTH = 110
_NOTHING = Part.model_validate({})
_AWAY = {"crm": "right_to_left", "erp": "left_to_right"}
_TOWARDS = {"crm": "left_to_right", "erp": "right_to_left"}


@dataclass(frozen=True, slots=True)
class System:
    """One of the two systems: the connection's name, its connector, and what that can do.

    ``entities``: entity -> variants as packaged, None where that cannot be told without settings;
    ``impossible``: what the connector says cannot be done, by entity.
    """

    name: str
    kind: str
    connector: Connector
    parts: Parts
    entities: Mapping[str, Sequence[str]] | None = None
    impossible: Mapping[str, Sequence[Impossible]] = field(default_factory=dict)


def edition_text(edition: Edition, crm: System, erp: System) -> str:
    """The whole file."""
    systems = {"crm": crm, "erp": erp}
    lines = [HEAD.rstrip("\n")]
    for system in systems.values():
        lines += connection_lines(system.name, system.kind, system.connector, system.parts.settings)
        lines += [f"    # {line}" for note in system.parts.notes for line in wrap(note, WIDTH)]
        lines.append("")
    lines += [f"# {edition.title}. Each flow keeps one entity in agreement; leave out what you do not need.", "flows:"]
    for section in edition.sections:
        lines += ["", f"  # -- {section.about} " + "-" * (80 - len(section.about))]
        for flow in section.flows:
            lines += ["", *_flow(flow, systems)]
    return "\n".join(lines) + "\n"


def _flow(flow: EditionFlow, systems: Mapping[str, System]) -> Iterator[str]:
    roles = {role: system.name for role, system in systems.items()}
    parts = {role: system.parts.flows.get(flow.name, _NOTHING) for role, system in systems.items()}
    body = filled(flow.body, roles)
    reasons: list[str] = []
    out: list[str] = []
    for role, system in systems.items():
        mapped = system.entities is None or flow.entity in system.entities
        if parts[role].left_out:
            out.append(parts[role].left_out)
        elif not mapped and not system.impossible.get(flow.entity):
            out.append(f"{system.kind} does not map {flow.entity} as it is installed")
        for one in system.impossible.get(flow.entity, ()):
            body, reason = _narrowed(body, role, one, _variants(system, flow.entity, parts[role]))
            if reason:
                (out if one.impossible == "keep" or "direction:" not in body else reasons).append(reason)
    mark = "  # " if out else "  "
    for text in (flow.note, *out, *reasons):
        yield from (f"  # {line}" for line in wrap(text[:1].upper() + text[1:], WIDTH))
    yield f"{mark}{flow.name}:"
    yield f"{mark}  entity: {flow.entity}"
    yield f"{mark}  between: [{', '.join(roles.values())}]"
    variants = {roles[role]: part.variants for role, part in parts.items() if part.variants}
    if variants:
        yield f"{mark}  variants: {{{', '.join(f'{name}: [{_listed(found)}]' for name, found in variants.items())}}}"
    yield from (f"{mark}  {line}" for line in body.rstrip("\n").split("\n"))
    for role, part in parts.items():
        if part.after:
            yield f"{mark}  after: {{{roles[role]}: [{_listed(part.after)}]}}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _variants(system: System, entity: str, part: Part) -> Sequence[str]:
    return part.variants or list((system.entities or {}).get(entity, ()))


def _narrowed(body: str, role: str, one: Impossible, variants: Sequence[str]) -> tuple[str, str]:
    """The flow's body without what cannot be done, and the reason; '' where it does not matter to the flow."""
    found = re.search(r"^direction: (\w+)$", body, re.MULTILINE)
    direction = found[1] if found else "both"
    written = direction in ("both", _TOWARDS["erp" if role == "crm" else "crm"])
    read = direction in ("both", _AWAY["erp" if role == "crm" else "crm"])
    if not one.stops(variants, written=written, read=read):
        return body, ""
    wanted = {"write": _TOWARDS[role], "read": _AWAY[role]}.get(one.impossible)
    if wanted is None:
        return body, one.reason
    if direction != "both":
        return body.replace(found[0], "", 1) if found else body, one.reason
    return body.replace("direction: both", f"direction: {wanted}", 1), one.reason
