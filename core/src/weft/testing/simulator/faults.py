"""Faults injected on command. See :class:`Fault` for the kinds."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, Literal, get_args

FaultKind = Literal[
    "throttle", "error_before", "error_after_commit", "lost_answer", "drop_before", "slow", "truncate", "html",
    "token_expiry", "late_commit", "clock_skew", "partial_batch", "hide", "duplicate_event", "reorder_events",
]  # fmt: skip
KINDS: frozenset[str] = frozenset(get_args(FaultKind))
LASTING: frozenset[str] = frozenset({"clock_skew", "hide"})
EVENTS: frozenset[str] = frozenset({"duplicate_event", "reorder_events"})


@dataclass(slots=True)
class Fault:
    """One fault and when it strikes.

    Matching: ``method`` (regex, full match, e.g. ``POST|PATCH``), ``path`` (regex, searched in path?query as
    sent), then ``skip`` matching requests pass first, then it strikes ``count`` times (None: always), each time
    only with ``probability`` (own generator seeded by ``seed``).

    ==================  =====================================================================================
    throttle            429 with ``retry_after`` seconds (None: no header); ``status`` may say 503
    error_before        ``status`` (500) before anything is processed
    error_after_commit  processed; a successful answer is replaced by ``status`` (500)
    lost_answer         processed; the connection is closed without an answer. In a $batch: after the first
                        ``after`` sub-requests, the rest not processed (None: all are)
    drop_before         the connection is closed, nothing processed
    slow                ``seconds`` before processing, or after it with ``late=True``
    truncate            the body is cut in half; ``framed``: with a fitting Content-Length, else the connection
                        breaks in the middle
    html                an HTML page with ``status`` (200) in place of the answer, nothing processed
    token_expiry        all tokens and sessions issued so far are invalid from this request on
    late_commit         a write is visible only after ``requests`` further requests (None: when the control
                        verb ``release`` says so)
    clock_skew          the server's clock is off by ``seconds`` while the fault is listed
    partial_batch       sub-request ``index`` (0-based) of a $batch answers ``status`` (500) in place of being
                        processed, or with ``late=True`` after its commit
    hide                rows of ``object`` (with the given ``keys``, or all of now) are invisible while the
                        fault is listed
    duplicate_event     a webhook notification is delivered twice
    reorder_events      the waiting notifications of a flush go out in reverse order
    ==================  =====================================================================================

    ``struck`` counts the times it struck, ``seen`` the requests that matched.
    """

    kind: FaultKind
    method: str | None = None
    path: str | None = None
    skip: int = 0
    count: int | None = 1
    probability: float = 1.0
    seed: int = 0
    status: int | None = None
    retry_after: float | None = None
    seconds: float = 0.0
    late: bool = False
    framed: bool = True
    after: int | None = None
    index: int = 0
    requests: int | None = None
    object: str | None = None
    keys: list[str] | None = None
    message: str | None = None
    id: int = 0
    struck: int = 0
    seen: int = 0


@dataclass(slots=True)
class Effects:
    """What strikes one request; the middleware acts on it, handlers ask ``Simulator.batch_fault``."""

    faults: list[Fault] = field(default_factory=list)
    late: bool = False

    def first(self, *kinds: str) -> Fault | None:
        return next((fault for fault in self.faults if fault.kind in kinds), None)


@dataclass(slots=True)
class _Armed:
    fault: Fault
    method: re.Pattern[str] | None
    path: re.Pattern[str] | None
    rng: random.Random


class FaultControl:
    """The list of faults of one simulator. ``on_add``/``on_remove`` let the simulator act on lasting ones."""

    def __init__(
        self,
        *,
        on_add: Callable[[Fault], None] | None = None,
        on_remove: Callable[[Fault], None] | None = None,
    ) -> None:
        self._on_add, self._on_remove = on_add, on_remove
        self._armed: dict[int, _Armed] = {}
        self._next_id = 1

    def __bool__(self) -> bool:
        return bool(self._armed)

    def add(self, fault: Fault) -> Fault:
        """Put in force; the fault gets an ``id``. Raises ValueError for a bad kind, regex or number."""
        if fault.kind not in KINDS:
            raise ValueError(f"no fault {fault.kind!r}; there are {', '.join(sorted(KINDS))}")
        if fault.kind == "hide" and fault.object is None:
            raise ValueError("a 'hide' fault needs 'object'")
        if fault.status is not None and not 200 <= fault.status <= 599:
            raise ValueError(f"status {fault.status} is no HTTP status")
        if not 0 <= fault.probability <= 1:
            raise ValueError("probability is between 0 and 1")
        armed = _Armed(fault, _regex("method", fault.method), _regex("path", fault.path), random.Random(fault.seed))
        fault.id = self._next_id
        if self._on_add is not None:
            self._on_add(fault)
        self._next_id += 1
        self._armed[fault.id] = armed
        return fault

    def remove(self, fault_id: int) -> None:
        """Raises KeyError for an unknown id."""
        if fault_id not in self._armed:
            raise KeyError(f"no fault {fault_id}")
        fault = self._armed.pop(fault_id).fault
        if self._on_remove is not None:
            self._on_remove(fault)

    def clear(self) -> None:
        for fault_id in list(self._armed):
            self.remove(fault_id)

    def listed(self) -> list[Fault]:
        """Also those that have struck as often as they may: their counters tell."""
        return [armed.fault for armed in self._armed.values()]

    def strike(self, method: str, target: str, kinds: Iterable[str] | None = None) -> Effects:
        """Which faults strike this request (of ``kinds``; None: all that strike requests); counts them."""
        wanted = KINDS - LASTING - EVENTS if kinds is None else frozenset(kinds)
        effects = Effects()
        for armed in self._armed.values():
            fault = armed.fault
            if fault.kind not in wanted or (fault.count is not None and fault.struck >= fault.count):
                continue
            if armed.method is not None and armed.method.fullmatch(method) is None:
                continue
            if armed.path is not None and armed.path.search(target) is None:
                continue
            fault.seen += 1
            if fault.seen <= fault.skip or (fault.probability < 1 and armed.rng.random() >= fault.probability):
                continue
            fault.struck += 1
            effects.faults.append(fault)
        return effects


def _regex(name: str, text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"{name}: {error}") from None


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,), "int | None": (int,), "float": (int, float, Decimal), "float | None": (int, float, Decimal),
    "bool": (bool,), "str | None": (str,), "list[str] | None": (list,), "FaultKind": (str,),
}  # fmt: skip


def fault_from_json(data: Any) -> Fault:
    """Raises ValueError naming the unknown, missing or wrong field."""
    if not isinstance(data, dict) or "kind" not in data:
        raise ValueError("a fault is an object with 'kind'")
    known = {item.name: str(item.type) for item in fields(Fault) if item.name not in ("id", "struck", "seen")}
    for name, value in data.items():
        if name not in known:
            raise ValueError(f"a fault has no field {name!r}; it has {', '.join(known)}")
        allowed = _JSON_TYPES[known[name]]
        if value is None and known[name].endswith("None"):
            continue
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            raise ValueError(f"{name}: {known[name]} is expected")
    made: dict[str, Any] = {name: float(value) if isinstance(value, Decimal) else value for name, value in data.items()}
    return Fault(**made)
