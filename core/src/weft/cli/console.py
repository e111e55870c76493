"""What commands print: tables that fit the terminal, exact JSON, times, progress."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import click

from weft.desk.showing import ago as ago
from weft.desk.showing import clean as clean
from weft.desk.showing import plain as plain
from weft.desk.showing import show as show
from weft.desk.showing import span as span
from weft.desk.showing import when as when

COLOURS = {
    "done": "green", "ok": "green", "linked": "green", "running": "cyan",
    "issues": "yellow", "review": "yellow", "warning": "yellow", "stopped": "yellow", "never ran": "yellow",
    "failed": "red", "error": "red", "down": "red", "broken": "red",
}  # fmt: skip


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    marks = sum(bool(unicodedata.combining(c)) for c in text)
    return len(text) + wide - marks


def cut(text: str, most: int) -> str:
    """The text in at most so many columns."""
    if width(text) <= most:
        return text
    kept, room = "", most - 1
    for c in text:
        if width(kept + c) > room:
            break
        kept += c
    return kept + "…"


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    right: Sequence[str] = (),
    status: str = "",
    wide: str = "",
) -> None:
    """Print rows under headers. ``right``: headers of columns set to the right; ``status``: the column that
    gets colours; ``wide``: the column that is cut when the terminal is too narrow."""
    cells = [[clean(str("" if v is None else v)) for v in row] for row in rows]
    widths = [max(width(h), *(width(row[i]) for row in cells), 0) for i, h in enumerate(headers)]
    if wide in headers and sys.stdout.isatty():
        at = list(headers).index(wide)
        room = shutil.get_terminal_size().columns - sum(widths) - 2 * (len(widths) - 1) + widths[at]
        widths[at] = max(min(widths[at], room), 20)
    click.echo(_line(headers, headers, widths, right, "", bold=True))
    for row in cells:
        click.echo(_line(row, headers, widths, right, status))


def _line(
    row: Sequence[str],
    headers: Sequence[str],
    widths: Sequence[int],
    right: Sequence[str],
    status: str,
    *,
    bold: bool = False,
) -> str:
    pieces = []
    for i, (cell, header, most) in enumerate(zip(row, headers, widths, strict=True)):
        text = cut(cell, most)
        space = " " * (most - width(text))
        colour = COLOURS.get(cell) if header == status else None
        styled = click.style(text, fg=colour, bold=bold) if colour or bold else text
        last = i == len(widths) - 1
        pieces.append(space + styled if header in right else styled + ("" if last else space))
    return "  ".join(pieces).rstrip()


def pairs(items: Mapping[str, Any]) -> None:
    """Print names and values, one a line; what is None or empty text is left out."""
    shown = {name: clean(show(value)) for name, value in items.items() if value not in (None, "")}
    most = max((width(name) for name in shown), default=0)
    for name, value in shown.items():
        click.echo(f"{click.style(name, bold=True)}{' ' * (most - width(name))}  {value}")


def note(text: str) -> None:
    """A remark for the person at the terminal; not part of the output."""
    click.echo(text, err=True)


class Progress:
    """One line on standard error that says how far a run has come; nothing when that is no terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._length = 0

    def __call__(self, run: Any) -> None:
        if not self._shown:
            return
        total = sum(run.expected.values())
        read = run.counts.get("read", 0)
        of = f" of {total}" if total else ""
        others = ", ".join(
            f"{count} {name}"
            for name, count in sorted(run.counts.items())
            if name not in ("read", "unchanged", "paired") and count
        )
        self._put(f"{run.flow.name}: {read}{of} read" + (f", {others}" if others else ""))

    def _put(self, text: str) -> None:
        text = cut(clean(text), shutil.get_terminal_size().columns - 1)
        click.echo("\r" + text + " " * max(self._length - width(text), 0), nl=False, err=True)
        self._length = width(text)

    def clear(self) -> None:
        """Take the line away, before something else is printed."""
        if self._shown and self._length:
            click.echo("\r" + " " * self._length + "\r", nl=False, err=True)
            self._length = 0
