"""An open state on both databases, and short ways to make rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from weft.state import Intent, Issue, Link, State

NOW = datetime(2024, 5, 1, 8, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def state(state_url: str) -> Iterator[State]:
    with State.open(state_url) as opened:
        yield opened


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def later() -> Callable[[float], datetime]:
    """A time so many seconds after ``now``."""
    return lambda seconds: NOW + timedelta(seconds=seconds)


@pytest.fixture
def make_link() -> Callable[..., Link]:
    def make(left: str, right: str, **more: Any) -> Link:
        given: dict[str, Any] = {
            "entity": "customer",
            "left_connection": "crm",
            "left_object": "Account",
            "left_key": left,
            "right_connection": "erp",
            "right_object": "CustomersV3",
            "right_key": right,
            "right_company": "usmf",
            "created_at": NOW,
            "updated_at": NOW,
        }
        return Link(**(given | more))

    return make


@pytest.fixture
def make_issue() -> Callable[..., Issue]:
    def make(key: str, kind: str = "failed", **more: Any) -> Issue:
        given: dict[str, Any] = {
            "flow": "customers",
            "entity": "customer",
            "kind": kind,
            "side": "left",
            "connection": "crm",
            "object": "Account",
            "key": key,
            "opened_at": NOW,
            "updated_at": NOW,
        }
        return Issue(**(given | more))

    return make


@pytest.fixture
def make_intent() -> Callable[..., Intent]:
    def make(id: str, source_key: str = "A1", **more: Any) -> Intent:
        given: dict[str, Any] = {
            "id": id,
            "flow": "customers",
            "run": "r1",
            "entity": "customer",
            "side": "right",
            "connection": "erp",
            "object": "CustomersV3",
            "company": "usmf",
            "op": "create",
            "source_key": source_key,
            "created_at": NOW,
        }
        return Intent(**(given | more))

    return make
