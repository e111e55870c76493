"""Lines of documents: recognising them, and what is decided for each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from weft.records import Canonical
from weft.sync.decide import Policy
from weft.sync.lines import LinePair, align, decide_lines
from weft.sync.work import Base

FIELDS = frozenset({"product", "quantity"})
BOTH = Policy(FIELDS, FIELDS)


def line(key: str, **fields: Any) -> Canonical:
    return Canonical("line", "Lines", key, fields)


def same(_: str, a: object, b: object) -> bool:
    return a == b


def paired(left: list[Canonical], right: list[Canonical], children: Any = (), rules: Any = ((("product",)),)):
    return align("lines", left, right, children, [["product"]], lambda one: one.fields, same)


def decided(
    pairs: list[LinePair],
    left: dict,
    right: dict,
    policy: Policy = BOTH,
    creators: Any = ("left", "right"),
    **more: Any,
):
    bases = (Base(lines={"lines": left}), Base(lines={"lines": right}))
    return decide_lines(
        pairs,
        bases,
        {"lines": policy},
        {"lines": frozenset(creators)},
        lambda _, one, side: dict(one.fields),
        {"lines": same},
        **more,
    )


def test_child_links_come_before_recognition() -> None:
    left = [line("a", product="chair"), line("b", product="chair")]
    right = [line("x", product="chair"), line("y", product="chair")]
    pairs = paired(left, right, [("1", "a", "y")])
    assert {(p.left.key, p.right.key) for p in pairs if p.left and p.right} == {("a", "y"), ("b", "x")}


def test_lines_without_a_counterpart_are_created() -> None:
    out = decided(paired([line("a", product="chair", quantity=1)], []), {}, {})
    assert [(c.op, c.fields) for c in out.to_right] == [("create", {"product": "chair", "quantity": 1})]


def test_a_line_deleted_on_one_side_is_deleted_on_the_other() -> None:
    pairs = paired([], [line("x", product="chair", quantity=1)], [("1", "a", "x")])
    base = {"1": {"product": "chair", "quantity": 1}}
    out = decided(pairs, base, base)
    assert [(c.op, c.key) for c in out.to_right] == [("delete", "x")]


def test_deleted_here_and_changed_there_is_a_question() -> None:
    pairs = paired([], [line("x", product="chair", quantity=9)], [("1", "a", "x")])
    base = {"1": {"product": "chair", "quantity": 1}}
    out = decided(pairs, base, base)
    assert out.to_right == []
    assert [c.winner for c in out.conflicts] == [None]


def test_fields_of_a_line_travel_one_by_one() -> None:
    pairs = paired(
        [line("a", product="chair", quantity=2)], [line("x", product="table", quantity=1)], [("1", "a", "x")]
    )
    base = {"1": {"product": "chair", "quantity": 1}}
    out = decided(pairs, base, base)
    assert [c.fields for c in out.to_right] == [{"quantity": 2}]
    assert [c.fields for c in out.to_left] == [{"product": "table"}]


def test_nothing_is_created_or_deleted_where_the_flow_does_not_write() -> None:
    gone = paired([], [line("x", product="chair", quantity=1)], [("1", "a", "x")])
    base = {"1": {"product": "chair", "quantity": 1}}
    assert decided(gone, base, base, creators=("left",)).quiet
    assert decided(paired([line("a", product="chair")], []), {}, {}, creators=("left",)).quiet


def test_lines_that_are_alike_in_everything_belong_together() -> None:
    left = [line("a", product="chair", quantity=1), line("b", product="chair", quantity=2)]
    right = [line("x", product="chair", quantity=2), line("y", product="chair", quantity=1)]
    assert {(p.left.key, p.right.key) for p in paired(left, right) if p.left and p.right} == {("a", "y"), ("b", "x")}


def test_the_newest_line_wins_by_the_time_of_its_document() -> None:
    left, right = (Canonical("line", "Lines", key, {"quantity": n}) for key, n in (("a", 2), ("x", 3)))
    pairs = paired([left], [right], [("1", "a", "x")])
    policy = Policy(FIELDS, FIELDS, on_conflict="newest")
    base = {"1": {"quantity": 1}}
    times = datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 2, tzinfo=UTC)
    out = decided(pairs, base, base, policy, changed=times)
    assert [c.fields for c in out.to_left] == [{"quantity": 3}]
