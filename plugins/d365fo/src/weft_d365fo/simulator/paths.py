"""The resource path of a request: Set(key=…)/Navigation/Microsoft.Dynamics.DataEntities.Action."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from weft_d365fo.simulator.errors import FoError, RouteError
from weft_d365fo.simulator.schema import NAMESPACE, Property
from weft_d365fo.simulator.values import instant

_SEGMENT = re.compile(r"(?P<name>[A-Za-z_$][\w$.]*)(?:\((?P<key>.*)\))?", re.DOTALL)
_PART = re.compile(r"\s*(?P<name>\w+)\s*=\s*(?P<value>'(?:[^']|'')*'|[\w.]+'(?:[^']|'')*'|[^',]+?)\s*(?:,|$)")


@dataclass(frozen=True)
class Segment:
    name: str
    key: str | None  # None: no parentheses


def parse_path(path: str) -> list[Segment]:
    """Segments of the raw path below /data. Raises RouteError for what is no path."""
    segments: list[Segment] = []
    for part in path.strip("/").split("/"):
        found = _SEGMENT.fullmatch(unquote(part))
        if found is None:
            raise RouteError
        segments.append(Segment(found["name"], found["key"]))
    return segments


def key_values(text: str, wanted: dict[str, Property]) -> dict[str, Any]:
    """Named parts of a key, typed; every part has to be there. Raises RouteError when the form is wrong."""
    found: dict[str, Any] = {}
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or part["name"] not in wanted or part["name"] in found:
            raise RouteError
        found[part["name"]] = _literal(wanted[part["name"]], part["value"])
        position = part.end()
    if set(found) != set(wanted):
        raise RouteError
    return found


def _literal(prop: Property, text: str) -> Any:
    quoted = len(text) >= 2 and text[0] == "'" and text[-1] == "'"
    if prop.kind == "S":
        if not quoted:
            raise RouteError
        return text[1:-1].replace("''", "'")
    if prop.kind == "E":
        head = f"{NAMESPACE}.{prop.enum}'"
        if not text.startswith(head) or text[len(head) : -1] not in prop.members:
            raise RouteError
        return text[len(head) : -1]
    if quoted:
        raise RouteError
    if prop.kind in "DT":
        try:
            return instant(prop, text)
        except FoError:
            raise RouteError from None
    return _number(prop, text)


def _number(prop: Property, text: str) -> Any:
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        raise RouteError
    value = Decimal(text)
    if prop.kind in "IL":
        if value != value.to_integral_value():
            raise RouteError
        return int(value)
    return value
