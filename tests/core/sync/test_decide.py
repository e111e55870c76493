"""The table of `weft.sync.decide`, case by case and by property."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.sync.decide import Decision, Policy, Unlinked, View, decide

BOTH = frozenset({"name", "city"})
EARLY = datetime(2024, 5, 1, 8, tzinfo=UTC)


def same(_: str, a: object, b: object) -> bool:
    return (a or None) == (b or None)


def run(left: dict, right: dict, base_left: dict, base_right: dict, policy: Policy | None = None, **times: datetime):
    chosen = times.pop("chosen", None)
    return decide(
        View(left, base_left, dict(right), times.get("left_at")),
        View(right, base_right, dict(left), times.get("right_at")),
        policy or Policy(BOTH, BOTH),
        same,
        chosen=chosen,
    )


def written(decision: Decision) -> tuple[dict, dict]:
    return decision.to_left, decision.to_right


BASE = {"name": "Adatum"}


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("Adatum", "Adatum", ({}, {})),
        ("Adatum Ltd", "Adatum", ({}, {"name": "Adatum Ltd"})),
        ("Adatum", "Adatum AG", ({"name": "Adatum AG"}, {})),
        ("Contoso", "Contoso", ({}, {})),
    ],
)
def test_with_a_base_the_side_that_moved_wins(left: str, right: str, expected: tuple) -> None:
    assert written(run({"name": left}, {"name": right}, BASE, BASE)) == expected


def test_both_moved_to_the_same_is_learnt_by_both() -> None:
    decision = run({"name": "Contoso"}, {"name": "Contoso"}, BASE, BASE)
    assert decision.learn_left == decision.learn_right == {"name": "Contoso"}
    assert decision.quiet


def test_a_conflict_stops_only_its_own_field() -> None:
    base = {"name": "Adatum", "city": "Bonn"}
    decision = run({"name": "A", "city": "Bonn"}, {"name": "B", "city": "Köln"}, base, base)
    assert [c.field for c in decision.open_conflicts] == ["name"]
    assert written(decision) == ({"city": "Köln"}, {})


@pytest.mark.parametrize(
    ("policy", "times", "winner"),
    [
        (Policy(BOTH, BOTH, owner="left"), {}, "left"),
        (Policy(BOTH, BOTH, owner="left", owners={"name": "right"}), {}, "right"),
        (Policy(BOTH, BOTH, on_conflict="newest"), {"left_at": EARLY, "right_at": EARLY + timedelta(1)}, "right"),
        (Policy(BOTH, BOTH, on_conflict="newest"), {"left_at": EARLY, "right_at": EARLY}, None),
        (Policy(BOTH, BOTH, on_conflict="newest"), {"left_at": EARLY}, None),
        (Policy(BOTH, BOTH, owner="left", on_conflict="review"), {}, None),
        (Policy(BOTH, BOTH), {}, None),
        (Policy(frozenset(), BOTH), {}, "left"),
    ],
)
def test_conflict_rules(policy: Policy, times: dict, winner: str | None) -> None:
    decision = run({"name": "A"}, {"name": "B"}, BASE, BASE, policy, **times)
    assert [c.winner for c in decision.conflicts] == [winner]
    expected = {"left": ({}, {"name": "A"}), "right": ({"name": "B"}, {}), None: ({}, {})}[winner]
    assert written(decision) == expected


def test_a_persons_choice_comes_before_every_rule() -> None:
    policy = Policy(BOTH, BOTH, owner="left")
    decision = run({"name": "A"}, {"name": "B"}, BASE, BASE, policy, chosen={"name": "right"})
    assert written(decision) == ({"name": "B"}, {})


@pytest.mark.parametrize(
    ("first", "left", "right", "expected", "conflicts"),
    [
        ("fill", None, "B", ({"name": "B"}, {}), 0),
        ("fill", "A", None, ({}, {"name": "A"}), 0),
        ("fill", "A", "B", ({}, {}), 1),
        ("pair", "A", "B", ({}, {}), 0),
        ("pair", None, "B", ({}, {}), 0),
        ("left", "A", "B", ({}, {"name": "A"}), 0),
        ("left", None, "B", ({"name": "B"}, {}), 0),
        ("right", "A", "B", ({"name": "B"}, {}), 0),
        ("right", "A", None, ({}, {"name": "A"}), 0),
        ("review", None, "B", ({"name": "B"}, {}), 0),
        ("review", "A", "B", ({}, {}), 1),
    ],
)
def test_without_a_base_the_first_policy_speaks(
    first: str, left: str | None, right: str | None, expected: tuple, conflicts: int
) -> None:
    decision = run({"name": left}, {"name": right}, {}, {}, Policy(BOTH, BOTH, first=first))  # type: ignore[arg-type]
    assert written(decision) == expected
    assert len(decision.open_conflicts) == conflicts


def test_first_differences_may_go_by_owner() -> None:
    policy = Policy(BOTH, BOTH, owner="right", first_differences="owner")
    assert written(run({"name": "A"}, {"name": "B"}, {}, {}, policy)) == ({"name": "B"}, {})


def test_empty_wins_only_where_the_base_shows_a_clearing() -> None:
    assert written(run({"name": None}, {"name": "Adatum"}, BASE, BASE)) == ({}, {"name": None})
    assert written(run({"name": None}, {"name": "Adatum"}, {}, {})) == ({"name": "Adatum"}, {})


def test_absent_never_counts_as_moved() -> None:
    assert written(run({}, {"name": "Adatum"}, BASE, BASE)) == ({}, {})


def test_a_side_that_cannot_show_a_field_still_gets_movements() -> None:
    assert written(run({"name": "A"}, {}, BASE, BASE)) == ({}, {"name": "A"})
    assert written(run({"name": "A"}, {}, {}, {})) == ({}, {"name": "A"})
    assert written(run({"name": "Adatum"}, {}, BASE, BASE)) == ({}, {})


def test_an_unlinked_reference_waits() -> None:
    target = Unlinked("customer", "Account", "17")
    decision = decide(
        View({"name": "Account(17)"}, BASE, {"name": "Adatum"}),
        View({"name": "Adatum"}, BASE, {"name": target}),
        Policy(BOTH, BOTH),
        same,
    )
    assert decision.waiting == [("name", "right", target)]
    assert written(decision) == ({}, {})


def test_what_may_not_be_written_is_only_noted() -> None:
    decision = run({"name": "Adatum"}, {"name": "B"}, BASE, BASE, Policy(frozenset(), BOTH))
    assert written(decision) == ({}, {})
    assert decision.learn_right == {"name": "B"}


def test_what_neither_side_may_write_is_nobodys_conflict() -> None:
    decision = run({"name": "A"}, {"name": "B"}, {}, {}, Policy(frozenset(), frozenset()))
    assert decision.quiet
    assert (decision.learn_left, decision.learn_right) == ({"name": "A"}, {"name": "B"})


value = st.one_of(st.none(), st.sampled_from(["A", "B", "C"]))
fields = st.dictionaries(st.sampled_from(["name", "city"]), value)


@given(fields, fields, fields, fields, st.sampled_from(["left", "right", None]))
def test_properties(left: dict, right: dict, base_left: dict, base_right: dict, owner: str | None) -> None:
    policy = Policy(BOTH, BOTH, owner=owner, on_conflict="owner" if owner else "review")  # type: ignore[arg-type]
    decision = run(left, right, base_left, base_right, policy)
    for name in BOTH:
        to_left, to_right = name in decision.to_left, name in decision.to_right
        assert not (to_left and to_right), "a field never goes both ways"
        if to_right:
            assert same(name, decision.to_right[name], left[name]), "only values that are there are sent"
            assert name not in right or not same(name, right[name], left[name]), "nothing is sent that is there"
        if to_left:
            assert same(name, decision.to_left[name], right[name])
        open_conflict = name in {c.field for c in decision.open_conflicts}
        assert not (open_conflict and (to_left or to_right)), "nothing is written while a person must choose"
    mirrored = Policy(
        BOTH,
        BOTH,
        owner={"left": "right", "right": "left", None: None}[owner],  # type: ignore[arg-type]
        on_conflict=policy.on_conflict,
    )
    swapped = run(right, left, base_right, base_left, mirrored)
    assert swapped.to_left == decision.to_right, "left and right are treated alike"
    assert swapped.to_right == decision.to_left


@given(fields, fields, fields, fields)
def test_carrying_a_decision_out_leaves_nothing_to_decide(
    left: dict, right: dict, base_left: dict, base_right: dict
) -> None:
    policy = Policy(BOTH, BOTH, owner="left")
    decision = run(left, right, base_left, base_right, policy)
    after_left, after_right = {**left, **decision.to_left}, {**right, **decision.to_right}
    new_left = {**base_left, **decision.learn_left, **decision.to_left, **{n: left[n] for n in decision.to_right}}
    new_right = {**base_right, **decision.learn_right, **decision.to_right, **{n: right[n] for n in decision.to_left}}
    again = run(after_left, after_right, new_left, new_right, policy)
    for name in left.keys() & right.keys():
        assert name not in again.to_left
        assert name not in again.to_right
