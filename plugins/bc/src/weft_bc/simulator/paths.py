"""The resource path of a request: companies({id})/{set}({id})/{navigation}/Microsoft.NAV.{action}."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from weft_bc.simulator.errors import BcError, bad_request, resource_not_found
from weft_bc.simulator.values import GUID

_SEGMENT = re.compile(r"(?P<name>[A-Za-z_$][\w$.]*)(?:\((?P<key>.*)\))?")


@dataclass(frozen=True)
class Segment:
    name: str
    key: str | None  # None: no parentheses


def parse_path(path: str) -> list[Segment]:
    """Segments of the decoded path below the API root. Raises BcError for what is no path."""
    segments: list[Segment] = []
    for part in path.strip("/").split("/"):
        text = unquote(part)
        found = _SEGMENT.fullmatch(text)
        if found is None:
            raise resource_not_found(text)
        segments.append(Segment(found["name"], found["key"]))
    return segments


def guid_key(segment: Segment) -> str:
    """The key in the parentheses: an unquoted guid. Alternate keys and quoted guids are refused."""
    key = (segment.key or "").strip()
    if key.lower().startswith("id="):
        key = key[3:]
    if not GUID.fullmatch(key):
        raise BcError(
            400,
            "BadRequest_InvalidRequestUrl",
            f"The format of the key '{segment.key}' of '{segment.name}' is not valid: "
            "a guid without quotes is expected.",
        )
    return key.lower()


def string_key(segment: Segment) -> str:
    """A quoted text key, as subscriptions have."""
    key = (segment.key or "").strip()
    if len(key) < 2 or key[0] != "'" or key[-1] != "'":
        raise bad_request(f"The key '{segment.key}' of '{segment.name}' must be a text in quotes.")
    return key[1:-1].replace("''", "'")
