from __future__ import annotations

import uuid

import pytest

from weft.net.odata.query import (
    Expand,
    Query,
    after,
    and_,
    any_of,
    contains,
    endswith,
    eq,
    ge,
    gt,
    le,
    lt,
    ne,
    not_,
    or_,
    startswith,
)


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (eq("Account/Id", uuid.UUID(int=0)), "Account/Id eq 00000000-0000-0000-0000-000000000000"),
        (
            and_(eq("a", 1), or_(ne("b", None), gt("c", 2)), le("d", 3)),
            "a eq 1 and (b ne null or c gt 2) and d le 3",
        ),
        (or_(and_(eq("a", 1), lt("b", 2)), eq("c", 3)), "(a eq 1 and b lt 2) or c eq 3"),
        (and_(and_(eq("a", 1), eq("b", 2)), eq("c", 3)), "a eq 1 and b eq 2 and c eq 3"),
        (not_(or_(contains("a", "x"), eq("b", True))), "not (contains(a,'x') or b eq true)"),
        (and_(None, startswith("a", "O'"), None), "startswith(a,'O''')"),
        (or_(endswith("a", "x")), "endswith(a,'x')"),
        (any_of("a", ["x", "y"]), "a eq 'x' or a eq 'y'"),
        (and_(not_(eq("a", 1)), ge("b", 1)), "not (a eq 1) and b ge 1"),
        (after([("ModifiedOn", 5), ("Id", "k")]), "ModifiedOn gt 5 or (ModifiedOn eq 5 and Id gt 'k')"),
        (after([("Id", 1)]), "Id gt 1"),
    ],
)
def test_terms(term, text):
    assert str(term) == text


def test_terms_count_their_comparisons():
    assert and_(any_of("a", range(12)), not_(eq("b", 1)), contains("c", "x")).terms == 14


def test_a_filter_of_nothing_is_refused():
    for empty in (lambda: and_(), lambda: or_(None), lambda: any_of("a", []), lambda: after([])):
        with pytest.raises(ValueError, match=r"no terms|without fields"):
            empty()


def test_all_options():
    query = Query(
        select=("Id", "Name"),
        filter=eq("Name", "A & B"),
        orderby=("ModifiedOn desc", "Id"),
        top=10,
        skip=20,
        expand=(
            "Type",
            Expand("Lines", select=("No",), filter=gt("Qty", 0), orderby=("No",), top=3, expand=("Item",)),
        ),
        count=True,
        extra={"cross-company": "true"},
    )
    assert dict(query.options()) == {
        "$select": "Id,Name",
        "$filter": "Name eq 'A & B'",
        "$orderby": "ModifiedOn desc,Id",
        "$top": "10",
        "$expand": "Type,Lines($select=No;$filter=Qty gt 0;$orderby=No;$top=3;$expand=Item)",
        "$skip": "20",
        "$count": "true",
        "cross-company": "true",
    }
    assert "$filter=Name%20eq%20'A%20%26%20B'" in query.text().replace("%27", "'")
    assert Query().text() == ""


def test_narrowing_and_windows():
    query = Query(filter=or_(eq("a", 1), eq("b", 2)), orderby=("a",), top=7)
    assert str(query.where(eq("c", 3), None).filter) == "(a eq 1 or b eq 2) and c eq 3"
    assert query.where(None) is query
    assert str(Query().where(eq("c", 3)).filter) == "c eq 3"
    moved = query.but(top=2, skip=4)
    assert (moved.top, moved.skip, moved.orderby) == (2, 4, ("a",))


@pytest.mark.parametrize(
    "query",
    [
        Query(select=("a b",)),
        Query(orderby=("a descending",)),
        Query(orderby=("a;drop",)),
        Query(top=-1),
        Query(skip=-5),
        Query(expand=("A($levels=max)",)),
    ],
)
def test_bad_options_are_refused(query):
    with pytest.raises(ValueError, match=r"name|write|must be"):
        query.text()
