"""Links, their lines, aliases and quarantine on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from weft.model.values import decode, encode
from weft.records import Side
from weft.state import Alias, ChildLink, Flip, Head, Link, State

Make = Callable[..., Link]
Later = Callable[[float], datetime]


def ask(state: State, side: str, keys: list[str], company: str | None = None) -> dict[str, list[Link]]:
    with state.begin(writes=False) as tx:
        return tx.links.by_keys("customer", "crm", "erp", side, None, company, keys)


async def test_a_link_comes_back_as_it_was(state: State, make_link: Make, later: Later) -> None:
    base = encode({"name": "Adatum", "credit_limit": Decimal("100000000000000.10")})
    link = make_link(
        "A1", "C1", left_base=base, left_print="p", right_version='W/"1"', left_changed_at=later(-5),
        pinned=True, left_variant="account", state="review", epoch=3,
    )  # fmt: skip
    await state.write(lambda tx: tx.links.insert_many([link]))
    stored = await state.read(lambda tx: tx.links.get(link.id))
    assert stored == link
    assert link.id > 0
    assert decode(stored.left_base)["credit_limit"] == Decimal("100000000000000.10")


def test_each_side_finds_its_links_in_any_number(state: State, make_link: Make) -> None:
    links = [make_link(f"A{n}", f"C{n}", left_print=f"p{n}", left_version=f"v{n}") for n in range(12_000)]
    with state.begin() as tx:
        tx.links.insert_many(links)
    found = ask(state, "left", [f"A{n}" for n in range(0, 24_000, 2)])
    assert set(found) == {f"A{n}" for n in range(0, 12_000, 2)}
    assert [x.id for x in ask(state, "right", ["C7"])["C7"]] == [links[7].id]
    assert ask(state, "left", []) == {}
    with state.begin(writes=False) as tx:
        heads = tx.links.heads("customer", "crm", "erp", "left", "Account", "", ["A5", "nobody"])
        assert tx.links.heads("customer", "crm", "erp", "right", "CustomersV3", "other", ["C5"]) == {}
    assert heads == {"A5": [Head(links[5].id, "A5", "p5", "v5", "linked")]}


def test_one_record_may_be_linked_into_several_companies(state: State, make_link: Make) -> None:
    links = [make_link("A1", "C1", right_company=c) for c in ("usmf", "demf")]
    with state.begin() as tx:
        tx.links.insert_many(links)
    assert {x.right_company for x in ask(state, "left", ["A1"])["A1"]} == {"usmf", "demf"}
    assert [x.right_company for x in ask(state, "right", ["C1"], "demf")["C1"]] == ["demf"]


@pytest.mark.parametrize(("left", "right"), [("A1", "C2"), ("A2", "C1")])
def test_a_record_is_linked_once_per_target(state: State, make_link: Make, left: str, right: str) -> None:
    with state.begin() as tx:
        tx.links.insert_many([make_link("A1", "C1")])
    with pytest.raises(IntegrityError), state.begin() as tx:
        tx.links.insert_many([make_link("A3", "C3"), make_link(left, right)])
    with state.begin(writes=False) as tx:
        assert tx.links.count() == 1
    with state.begin() as tx:  # the same keys may be another entity's
        tx.links.insert_many([make_link("A1", "C1", entity="vendor")])


def test_ids_are_not_given_twice(state: State, state_url: str, make_link: Make) -> None:
    first, lost, second = make_link("A1", "C1"), make_link("A2", "C2"), make_link("A3", "C3")
    with state.begin() as tx:
        tx.links.insert_many([first])

    def lose() -> None:
        with state.begin() as tx:
            tx.links.insert_many([lost])
            raise KeyError

    with pytest.raises(KeyError):
        lose()
    with state.begin() as tx:
        tx.links.insert_many([second])
        assert tx.links.delete_many([second.id]) == 1
    state.close()
    with State.open(state_url) as again:
        third = make_link("A4", "C4")
        with again.begin() as tx:
            tx.links.insert_many([third])
    assert len({first.id, lost.id, second.id, third.id}) == 4


def test_whole_and_partial_updates(state: State, make_link: Make, later: Later) -> None:
    a, b = make_link("A1", "C1", left_base="{}"), make_link("A2", "C2")
    with state.begin() as tx:
        tx.links.insert_many([a, b])
        a.state, a.right_key = "right_gone", "C9"
        tx.links.update_many([a])
        tx.links.set_many(
            [
                {"id": a.id, "left_version": "7", "updated_at": later(9)},
                {"id": b.id, "left_version": "8", "updated_at": later(9)},
                {"id": b.id, "pinned": True},
            ]
        )
        tx.links.mark([b.id], 5)
    with state.begin(writes=False) as tx:
        after = tx.links.get_many([a.id, b.id])
        assert [x.id for x in tx.links.page(epoch_not=5)] == [a.id]
    assert (after[a.id].right_key, after[a.id].left_version, after[a.id].left_base) == ("C9", "7", "{}")
    assert (after[b.id].pinned, after[b.id].left_version, after[b.id].updated_at) == (True, "8", later(9))


def test_pages_go_on_where_they_ended(state: State, make_link: Make) -> None:
    with state.begin() as tx:
        states = ["linked", "review"] * 4 + ["linked"]
        tx.links.insert_many([make_link(f"A{n}", f"C_{n}", state=s) for n, s in enumerate(states)])
    seen: list[str] = []
    after = 0
    with state.begin(writes=False) as tx:
        while page := tx.links.page(after, 2, state="review"):
            assert len(page) <= 2
            seen += [x.left_key for x in page]
            after = page[-1].id
        assert seen == ["A1", "A3", "A5", "A7"]
        assert tx.links.count(state=["review", "linked"], entity="customer") == 9
        place: tuple[str, str, str, Side] = ("customer", "crm", "erp", "right")
        assert [x.right_key for x in tx.links.beginning(*place, "C_3", 9)] == ["C_3"]
        assert tx.links.beginning(*place, "C%", 9) == []
        assert tx.links.counts() == {
            ("customer", "crm", "erp", "linked"): 5,
            ("customer", "crm", "erp", "review"): 4,
        }


def test_references_are_translated_both_ways(state: State, make_link: Make) -> None:
    links = [
        make_link("A1", "C1", right_company="demf"),
        make_link("A1", "C2", right_company="usmf"),
        make_link("A2", "C3", right_company="", right_object="Global"),
        make_link("A3", "C4", state="right_gone"),
        make_link("A4", "C5", state="broken"),
    ]
    refs = [("Account", f"A{n}") for n in range(1, 6)] + [("", "A1"), ("Contact", "A1")]
    with state.begin() as tx:
        tx.links.insert_many(links)
        usmf = tx.links.translate("customer", "crm", "erp", refs, to_company="usmf")
        anywhere = tx.links.translate("customer", "crm", "erp", refs)
        back = tx.links.translate("customer", "erp", "crm", [("CustomersV3", "C1"), ("CustomersV3", "C4")])
        wrong = tx.links.translate("customer", "erp", "crm", [("CustomersV3", "C1")], from_company="usmf")
        assert tx.links.translate("vendor", "crm", "erp", refs) == {}
    assert {ref: (t.object, t.key) for ref, t in usmf.items()} == {
        ("Account", "A1"): ("CustomersV3", "C2"),
        ("", "A1"): ("CustomersV3", "C2"),
        ("Account", "A2"): ("Global", "C3"),
    }
    assert anywhere["Account", "A1"].link_id == links[0].id
    assert back["CustomersV3", "C1"].key == "A1"
    assert back["CustomersV3", "C4"].key == "A3"  # only the other direction is gone
    assert wrong == {}


def test_lines_follow_their_document(state: State, make_link: Make) -> None:
    link = make_link("O1", "SO1", entity="sales_order")
    with state.begin() as tx:
        tx.links.insert_many([link])
        lines = [ChildLink(link.id, "lines", f"l{n}", f"L{n}", None, 3 - n) for n in range(3)]
        tx.links.put_children(lines)
        tx.links.put_children([ChildLink(link.id, "lines", "l1", "L1", "R1", 2)])
        tx.links.delete_children([(link.id, "lines", "l0")])
        children = tx.links.children([link.id, 99])
        assert list(children) == [link.id]
        found = [(c.id, c.right_key, c.position) for c in children[link.id]]
        assert found == [("l2", None, 1), ("l1", "R1", 2)]
        tx.links.delete_many([link.id])
        assert tx.links.children([link.id]) == {}


def test_aliases_lead_to_the_surviving_link(state: State, make_link: Make, now: datetime) -> None:
    a, b = make_link("A1", "C1"), make_link("A2", "C2")
    with state.begin() as tx:
        tx.links.insert_many([a, b])
        old = Alias("customer", "crm", "", "Account", "A0", a.id, "merged", now)
        tx.aliases.put_many([old])
        assert tx.aliases.resolve("customer", "crm", ["A0", "A1"]) == {"A0": [old]}
        old.link_id = b.id
        tx.aliases.put_many([old])
        assert tx.aliases.of(a.id) == []
        assert tx.aliases.of(b.id) == [old]
        assert tx.aliases.resolve("customer", "crm", ["A0"], object="Contact") == {}


def test_flips_keep_exact_values(state: State, make_link: Make, now: datetime, later: Later) -> None:
    link = make_link("A1", "C1")
    with state.begin() as tx:
        tx.links.insert_many([link])
        history = [[now, "left", Decimal("10.00")], [now, "right", None]]
        flip = Flip(link.id, "credit_limit", history, True, now)
        tx.quarantine.put_many([flip, Flip(link.id, "name", [], False, now)])
        assert tx.quarantine.get_many([link.id])[link.id]["credit_limit"] == flip
        assert tx.quarantine.prune(later(1)) == 1
        tx.quarantine.clear([(link.id, "credit_limit")])
        assert tx.quarantine.get_many([link.id]) == {}


def test_an_index_finds_keys_by_their_beginning_in_any_locale(postgres_url: str) -> None:
    """In the order of a language it cannot: a million links were read for one search."""
    query = "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_name = 'links'"
    with State.open(postgres_url) as state, state.begin(writes=False) as tx:
        found = tx.connection.execute(text(f"{query} AND column_name IN ('left_key', 'right_key')")).scalars().all()
    assert found == ["C"]
