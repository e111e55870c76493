"""``metadata.json`` of a schema: plain JSON without a parent, else a line diff against the parent.

The diff's operators, one change each (a JSON value may run over several lines)::

    = path value     set a member the parent has
    + path value     add a member, or append an object to a list
    - path           remove a member
    ~ path [uids]    order of a list

Paths start at ``MetaData.Schema``; members of a list are named by UId: ``MetaData.Schema.D2.["<uid>"].E16``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

from .errors import PackageError

Operator = Literal["=", "+", "-", "~"]
_ROOT = ("MetaData", "Schema")
_STEP = re.compile(r'\["([0-9A-Fa-f-]{36})"\]|([A-Za-z_][A-Za-z0-9_]*)')
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Change:
    """One line of a diff. ``path`` is without the leading ``MetaData.Schema``; list members are UIds."""

    op: Operator
    path: tuple[str, ...]
    value: Any = None
    line: int = 0


def parse_diff(text: str, where: str) -> list[Change]:
    """The changes of a diff in order; *where* names the file in errors."""
    changes: list[Change] = []
    at = 0
    text = text.replace("\r\n", "\n")
    while at < len(text):
        if text[at] == "\n":
            at += 1
            continue
        line = text.count("\n", 0, at) + 1
        place = f"{where}, line {line}"
        op = text[at]
        if op not in "=+-~" or text[at + 1 : at + 2] != " ":
            raise PackageError(f"{place}: expected '= ', '+ ', '- ' or '~ ', found {text[at : at + 12]!r}")
        end = re.compile(r"[ \n]|$").search(text, at + 2)
        stop = end.start() if end else len(text)
        path = _parse_path(text[at + 2 : stop], place)
        at = stop
        value: Any = None
        if op != "-":
            if text[at : at + 1] != " ":
                raise PackageError(f"{place}: '{op}' needs a value after the path")
            try:
                value, at = _DECODER.raw_decode(text, at + 1)
            except json.JSONDecodeError as error:
                raise PackageError(f"{place}: the value is not JSON ({error.msg})") from error
        if text[at : at + 1] not in ("", "\n"):
            raise PackageError(f"{place}: unexpected text after the change: {text[at : at + 20]!r}")
        changes.append(Change(cast(Operator, op), path, value, line))
    return changes


def render_diff(changes: Iterable[Change]) -> str:
    """Changes as the text of a ``metadata.json``; objects over several lines, lists on one, as seen."""
    lines = []
    for change in changes:
        path = "MetaData.Schema" + "".join(f'.["{step}"]' if "-" in step else f".{step}" for step in change.path)
        if change.op == "-":
            lines.append(f"- {path}")
        elif isinstance(change.value, dict):
            lines.append(f"{change.op} {path} {json.dumps(change.value, indent=2, ensure_ascii=False)}")
        else:
            value = json.dumps(change.value, separators=(",", ":"), ensure_ascii=False)
            lines.append(f"{change.op} {path} {value}")
    return "\n".join(lines)


def is_diff(text: str) -> bool:
    """Whether the text is a diff (True) or a whole schema in JSON (False)."""
    return not text.lstrip().startswith("{")


def _parse_path(text: str, place: str) -> tuple[str, ...]:
    steps: list[str] = []
    at = 0
    while True:
        match = _STEP.match(text, at)
        if match is None:
            raise PackageError(f"{place}: cannot read the path {text!r} at character {at + 1}")
        steps.append(match.group(1) or match.group(2))
        at = match.end()
        if at == len(text):
            break
        if text[at] != ".":
            raise PackageError(f"{place}: cannot read the path {text!r} at character {at + 1}")
        at += 1
    if tuple(steps[:2]) != _ROOT or len(steps) < 3:
        raise PackageError(f"{place}: the path {text!r} does not start with MetaData.Schema.")
    return tuple(steps[2:])
