"""``docs/hooks.md``, written from the contract itself: ``python -m weft.hookdocs > docs/hooks.md``."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

from weft import hookspecs, records
from weft.plugins import REQUIRED

_HEAD = """\
# Hooks

A connector is a module of functions marked with `@weft.hookimpl`. This page is written from
`weft.hookspecs` and `weft.records` (`python -m weft.hookdocs > docs/hooks.md`), so it is the contract;
[connectors.md](connectors.md) shows how to go about writing one.
"""

WRAPPED = {
    "weft_read": ("`read`", "async generator"),
    "weft_write": ("`write`", "async generator"),
    "weft_map": ("`map`", "async function"),
    "weft_route": ("`route`", "async function"),
}
"""Hooks that other plugins may wrap, by :func:`weft.around`."""

CALLED = {
    "weft_connector": "Once per process, right after the module is imported; on the event loop's thread.",
    "weft_entities": "Once per configuration, before any mapping is compiled.",
    "weft_mappings": "Once per connection and entity, before it is first opened; no session is there yet.",
    "weft_impossible": "Once per flow and connection, when a flow is compiled or checked.",
    "weft_open": "When a connection is first needed, once per process; left when the process ends.",
    "weft_describe": "By `weft check`, and where types must be known; any number of times.",
    "weft_companies": "Right after `weft_open`.",
    "weft_base_currencies": "By `weft check` and before runs, where documents keep their exchange rate.",
    "weft_check": "By `weft check`, once per flow and company.",
    "weft_read": "In every run: `scan` on the first load and in sweeps, `changes` otherwise; `keys` before a "
    "linked record is compared, after a write without a representation, for hints and suspected deletes; "
    "`search` to recognise records without a link and to find out what became of an unanswered create.",
    "weft_map": "For every batch of records read (`in`) and to be written (`out`).",
    "weft_route": "For every batch of records of the left connection that have no link yet.",
    "weft_write": "For every batch of decided writes of one object and operation; batches may overlap.",
    "weft_subscribe": "When `weft run` starts, hourly and before the earliest `expires`, for flows with `on: webhook`.",
    "weft_receive": "For every request that arrives at the address given to `weft_subscribe`.",
}
"""When core calls each hook."""

SHAPES = (
    "Context", "Query", "Condition", "Page", "Record", "Moved", "Item", "Child", "Outcome", "Error",
    "Canonical", "LineChange", "Mapped", "Problem", "Target", "ObjectSchema", "Property", "Concern", "Hint",
    "Watch", "Subscription", "Request", "Reply",
)  # fmt: skip
"""What travels through the hooks, from :mod:`weft.records`, in the order one meets it."""

_LONGEST = 96


def hooks() -> dict[str, Callable[..., Any]]:
    """Every hook's specification by name, in the order of the file."""
    return {
        name: function
        for name, function in vars(hookspecs).items()
        if name.startswith("weft_") and inspect.isfunction(function)
    }


def signature(name: str) -> str:
    """``weft_read(ctx: Context, …) -> AsyncIterator[Page]``, in several lines where it is long."""
    spec = inspect.signature(hooks()[name])
    parameters = [f"{each.name}: {_type(each.annotation)}" for each in spec.parameters.values()]
    returns = _type(spec.return_annotation)
    line = f"{name}({', '.join(parameters)}) -> {returns}"
    if len(line) <= _LONGEST:
        return line
    return "\n".join([f"{name}(", *(f"    {parameter}," for parameter in parameters), f") -> {returns}"])


def _type(annotation: Any) -> str:
    """An annotation as written: the contract's modules keep them as text."""
    return str(annotation).replace("'", '"')


def markdown(docstring: str) -> str:
    """A docstring of the contract as Markdown."""
    text = inspect.cleandoc(docstring)
    text = re.sub(r":(?:class|func|meth|mod|attr|data):`~?([^`]+)`", r"`\1`", text)
    text = text.replace("``", "`")
    lines: list[str] = []
    code = False
    for line in text.splitlines():
        if code and line and not line.startswith(" "):
            lines[len("\n".join(lines).rstrip().splitlines()) :] = ["```", ""]
            code = False
        if line.endswith("::"):
            lines += [line.removesuffix(":"), ""]
            code = True
        elif code:
            inside = line.removeprefix("    ")
            if not lines[-1] and line and not _open(lines):
                lines.append("```toml" if inside.startswith("[") else "```python")
            if line or _open(lines):
                lines.append(inside)
        else:
            lines.append(line)
    return "\n".join(lines).rstrip() + ("\n```" if code else "")


def _method(method: Callable[..., Any]) -> str:
    """``(self, item: Item) -> None``: a method's signature without the quotes around annotations."""
    return re.sub(r"'([^']*)'", r"\1", str(inspect.signature(method)))


def _open(lines: list[str]) -> bool:
    """Is a block of code begun and not ended?"""
    return sum(line.startswith("```") for line in lines) % 2 == 1


def _hook(name: str) -> Iterator[str]:
    function = hooks()[name]
    yield f"### {name}"
    yield f"```python\n{signature(name)}\n```"
    notes = ["Needed by every connector." if name in REQUIRED else "Optional."]
    if name in WRAPPED:
        hook, shape = WRAPPED[name]
        notes.append(f"Other plugins may wrap it: `@weft.around({hook.replace('`', chr(34))})` on an {shape}.")
    yield " ".join(notes)
    yield f"**Called:** {CALLED[name]}"
    yield markdown(function.__doc__ or "")


def _shape(name: str) -> Iterator[str]:
    cls = getattr(records, name)
    yield f"### {name}"
    yield from _dataclass(cls)


def _dataclass(cls: type[Any]) -> Iterator[str]:
    fields = []
    for field in dataclasses.fields(cls):
        default = ""
        if field.default is not dataclasses.MISSING:
            default = f" = {field.default!r}"
        elif field.default_factory is not dataclasses.MISSING:
            default = f" = {field.default_factory()!r}"
        fields.append(f"{field.name}: {_type(field.type)}{default}")
    yield "```python\n" + "\n".join(fields) + "\n```"
    yield markdown(cls.__doc__ or "")


def page() -> str:
    """The whole page."""
    contract = markdown(hookspecs.__doc__ or "").partition("\n\n")[2]
    pieces = [_HEAD.rstrip(), "## The rules", contract, "## The hooks"]
    for name in hooks():
        pieces += _hook(name)
    pieces += ["## What a connector says about itself", *_dataclass(hookspecs.Connector)]
    pieces += ["## What travels", markdown(records.__doc__ or "").partition("\n\n")[2]]
    for name in SHAPES:
        pieces += _shape(name)
    pieces += ["### Intents", markdown(records.Intents.__doc__ or "")]
    for name in ("note", "noted", "still_mine"):
        method = getattr(records.Intents, name)
        text = _method(method)
        kind = "async " if inspect.iscoroutinefunction(method) else ""
        pieces += [f"```python\n{kind}{name}{text}\n```", markdown(method.__doc__ or "")]
    return "\n\n".join(pieces) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
