"""Expressions over a text or two that Python evaluates as the engine would, without a call of the engine.

Known are texts, fields, ``&``, ``=``, ``!=``, ``? :``, ``$trim``, ``$contains``, ``$substringBefore`` and
``$substringAfter`` with a text to look for: what splits a column, joins two, or tells words apart. Whatever else
an expression holds is the engine's affair; a test holds both against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Evaluate = Callable[[Sequence[str]], Any]
"""The result for the texts of the fields, in the order they were given."""

LONGEST = 10_000
"""Longer texts go to the engine, which has limits of its own."""
_TOKEN = re.compile(r"""\s*(?:'([^'\\]*)'|"([^"\\]*)"|(\$?[A-Za-z_]\w*)|(!=|[&=?:(),]))""")
_BLANKS = re.compile(r"[ \t\n\r]+")


class _Node(NamedTuple):
    """``flag``: it gives true or false, otherwise text."""

    get: Evaluate
    flag: bool
    constant: str | None = None


class _Other(Exception):
    """Nothing this module knows."""


def shortcut(source: str, fields: Sequence[str]) -> Evaluate | None:
    """The expression over texts of these fields; None when it takes the engine."""
    try:
        return _Parser(source, fields).whole().get
    except _Other:
        return None


class _Parser:
    def __init__(self, source: str, fields: Sequence[str]) -> None:
        self.fields = list(fields)
        self.tokens: list[tuple[str, str]] = []
        at, end = 0, len(source.rstrip())
        while at < end:
            found = _TOKEN.match(source, at)
            if found is None:
                raise _Other
            kind = ("text", "text", "name", "sign")[(found.lastindex or 1) - 1]
            self.tokens.append((kind, found.group(found.lastindex or 1)))
            at = found.end()
        self.at = 0

    def whole(self) -> _Node:
        node = self.choice()
        if self.at < len(self.tokens):
            raise _Other
        return node

    def sign(self, text: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == ("sign", text):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.sign(text):
            raise _Other

    def choice(self) -> _Node:
        node = self.comparison()
        if not self.sign("?"):
            return node
        then = self.choice()
        self.expect(":")
        other = self.choice()
        if then.flag is not other.flag:
            raise _Other
        decide, yes, no = node.get, then.get, other.get
        return _Node(lambda texts: yes(texts) if decide(texts) else no(texts), then.flag)

    def comparison(self) -> _Node:
        left = self.joined()
        if not (equal := self.sign("=")) and not self.sign("!="):
            return left
        right = self.joined()
        if left.flag or right.flag:
            raise _Other
        a, b = left.get, right.get
        return _Node(lambda texts: (a(texts) == b(texts)) is equal, True)

    def joined(self) -> _Node:
        node = self.one()
        while self.sign("&"):
            other = self.one()
            if node.flag or other.flag:
                raise _Other
            node = _Node(lambda texts, a=node.get, b=other.get: a(texts) + b(texts), False)  # type: ignore[misc]
        return node

    def one(self) -> _Node:
        if self.sign("("):
            node = self.choice()
            self.expect(")")
            return node
        if self.at >= len(self.tokens):
            raise _Other
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "text":
            return _Node(lambda texts: text, False, text)
        if kind == "name" and text in self.fields:
            index = self.fields.index(text)
            return _Node(lambda texts: texts[index], False)
        if kind == "name" and text.startswith("$"):
            return self.call(text)
        raise _Other

    def call(self, name: str) -> _Node:
        self.expect("(")
        subject = self.choice()
        sought = None
        if self.sign(","):
            sought = self.choice().constant
        self.expect(")")
        if subject.flag:
            raise _Other
        get = subject.get
        if name == "$trim" and sought is None:
            return _Node(lambda texts: _BLANKS.sub(" ", get(texts)).strip(" "), False)
        if not sought:  # what is looked for must be known, and not empty
            raise _Other
        mark = sought
        if name == "$contains":
            return _Node(lambda texts: mark in get(texts), True)
        if name == "$substringBefore":
            return _Node(lambda texts: get(texts).partition(mark)[0], False)
        if name == "$substringAfter":
            return _Node(lambda texts: _after(get(texts), mark), False)
        raise _Other


def _after(text: str, sought: str) -> str:
    _, found, rest = text.partition(sought)
    return rest if found else text
