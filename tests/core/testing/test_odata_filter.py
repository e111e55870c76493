"""$filter: parsing, types, nulls; and against a naive evaluator and every access path at random."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.testing.odata.compile import compile_filter
from weft.testing.odata.errors import ODataQueryError
from weft.testing.odata.filter import Call, Compare, Literal, Logic, Path, columns_or_mixed, count_nodes
from weft.testing.odata.parse import parse_filter
from weft.testing.odata.plan import find_rows
from weft.testing.odata.query import OrderItem
from weft.testing.odata.values import instant_ns


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("'O''Neil'", "Edm.String", "O'Neil"),
        ("''", "Edm.String", ""),
        ("ABCDEF01-0000-0000-0000-000000000001", "Edm.Guid", "abcdef01-0000-0000-0000-000000000001"),
        ("2024-01-31", "Edm.Date", "2024-01-31"),
        ("2024-01-31T10:00:00.1230000Z", "Edm.DateTimeOffset", "2024-01-31T10:00:00.123Z"),
        ("2024-01-31T10:00:00+02:00", "Edm.DateTimeOffset", "2024-01-31T08:00:00Z"),
        ("10:20:30", "Edm.TimeOfDay", "10:20:30"),
        ("12", "Edm.Int32", 12),
        ("-3000000000", "Edm.Int64", -3000000000),
        ("12.50", "Edm.Decimal", Decimal("12.50")),
        ("true", "Edm.Boolean", True),
        ("null", "Null", None),
        ("duration'PT1H'", "Edm.Duration", "PT1H"),
        ("Microsoft.NAV.status'Open'", "Microsoft.NAV.status", "Open"),
    ],
)
def test_literal_kinds_are_kept(text: str, kind: str, value: object) -> None:
    node = parse_filter(f"A eq {text}")
    assert isinstance(node, Compare)
    assert isinstance(node.right, Literal)
    assert (node.right.kind, node.right.value, node.right.position) == (kind, value, 5)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("Name eq", 7),
        ("Name eq 'open", 8),
        ("Name == 'x'", 5),
        ("(Name eq 'x'", 12),
        ("Name eq 'x')", 11),
        ("Name eq 'x' Name", 12),
        ("Name eq 2024-13-01", 8),
        ("ModifiedOn gt 2024-01-01T00:00:00", 14),
        ("and", 0),
        ("Name in ()", 9),
        ("Account/ eq 1", 12),
    ],
)
def test_syntax_errors_tell_the_place(text: str, position: int) -> None:
    with pytest.raises(ODataQueryError) as caught:
        parse_filter(text)
    assert caught.value.kind == "syntax"
    assert caught.value.facts["position"] == position


def test_deep_nesting_is_refused_and_long_chains_are_not(world):
    with pytest.raises(ODataQueryError) as caught:
        parse_filter("(" * 5000 + "Rank eq 1" + ")" * 5000)
    assert caught.value.kind == "syntax"
    chain = parse_filter(" or ".join(f"Rank eq {number}" for number in range(5000)))
    assert compile_filter(chain, world.scope())({"Rank": 4999}) is True


def test_precedence_and_shape() -> None:
    node = parse_filter("A eq 1 or B eq 2 and not (contains(C,'x'))")
    assert isinstance(node, Logic)
    assert node.operator == "or"
    assert isinstance(node.right, Logic)
    assert node.right.operator == "and"
    inner = parse_filter("contains(Account/Name,'x')")
    assert inner == Call("contains", (Path(("Account", "Name"), 9), Literal("Edm.String", "x", 22)), 0)


def test_node_count() -> None:
    one = count_nodes(parse_filter("Id eq 00000000-0000-0000-0000-000000000001"))
    assert one == 5  # operator, property with its range variable, constant with its conversion
    chain = " or ".join(["Id eq 00000000-0000-0000-0000-000000000001"] * 16)
    assert count_nodes(parse_filter(chain)) == 95
    assert count_nodes(parse_filter("Id eq 1"), literal_nodes=1) == 4


def test_or_over_different_columns_is_seen() -> None:
    assert not columns_or_mixed(parse_filter("A eq 1 or A eq 2 or A gt 5"))
    assert columns_or_mixed(parse_filter("X eq 1 and (A eq 1 or B eq 2)"))
    assert columns_or_mixed(parse_filter("(M gt 1) or (M eq 1 and Id gt 2)"))


@pytest.mark.parametrize(
    ("text", "left", "right", "operator"),
    [
        ("ModifiedOn gt '2024-01-01T00:00:00Z'", "Edm.DateTimeOffset", "Edm.String", "GreaterThan"),
        ("Id eq '00000000-0000-0000-0000-000000000001'", "Edm.Guid", "Edm.String", "Equal"),
        ("Name eq 5", "Edm.String", "Edm.Int32", "Equal"),
        ("Active eq 'true'", "Edm.Boolean", "Edm.String", "Equal"),
        ("Rank in (1,'2')", "Edm.Int32", "Edm.String", "In"),
        ("Name and Active", "Edm.String", "Edm.Boolean", "And"),
        ("Name add 1 eq 2", "Edm.String", "Edm.Int32", "Add"),
    ],
)
def test_types_that_do_not_fit(world, text: str, left: str, right: str, operator: str) -> None:
    with pytest.raises(ODataQueryError) as caught:
        compile_filter(parse_filter(text), world.scope())
    assert caught.value.kind == "types"
    assert caught.value.facts == {"left": left, "right": right, "operator": operator}


def test_unknown_names(world) -> None:
    for text, name in [("Foo eq 1", "Foo"), ("City/Foo eq 1", "Foo"), ("Name/Foo eq 1", "Foo")]:
        with pytest.raises(ODataQueryError) as caught:
            compile_filter(parse_filter(text), world.scope())
        assert (caught.value.kind, caught.value.facts["name"]) == ("property", name)
    with pytest.raises(ODataQueryError) as caught:
        parse_filter("soundslike(Name,'x')")
    assert caught.value.kind == "function"
    with pytest.raises(ODataQueryError, match="single boolean"):
        compile_filter(parse_filter("Name"), world.scope())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name eq 'Acme'", True),
        ("name eq 'Acme'", None),
        ("tolower(Name) eq 'acme'", True),
        ("substring(Name,1,2) eq 'cm'", True),
        ("length(Name) eq 4 and indexof(Name,'m') eq 2", True),
        ("concat(Name,'!') eq 'Acme!'", True),
        ("year(ModifiedOn) eq 2024 and month(ModifiedOn) eq 3 and hour(ModifiedOn) eq 10", True),
        ("date(ModifiedOn) eq 2024-03-05", True),
        ("ModifiedOn gt 2024-03-05", True),
        ("ModifiedOn eq 2024-03-05T12:30:00.5+02:00", True),
        ("Due lt 2024-03-05T00:00:00.1Z", True),
        ("Amount eq 10.5 and Amount gt 10 and Amount lt 11", True),
        ("Amount mul 2 eq 21", True),
        ("Rank div 2 eq 1 and Rank mod 2 eq 1", True),
        ("Rank div 0 eq 1", False),
        ("round(Amount) eq 11 and floor(Amount) eq 10", True),
        ("Code eq null", True),
        ("Code ne 'x'", True),
        ("Code gt 'a'", False),
        ("not (Code gt 'a')", True),
        ("contains(Code,'a')", False),
        ("not contains(Code,'a')", False),
        ("-Rank eq -3", True),
        ("City/Name eq 'Riga'", True),
        ("City/Id eq 00000000-0000-4000-8000-000000000001", True),
        ("Active", True),
        ("Rank in (1,3)", True),
    ],
)  # fmt: skip
def test_evaluation(world, text: str, expected: bool | None) -> None:
    world.cities.insert({"Id": world.guid(1), "Name": "Riga"})
    row = world.account(
        1, Name="Acme", Code=None, CityId=world.guid(1), Amount=Decimal("10.50"), Rank=3, Active=True,
        ModifiedOn="2024-03-05T10:30:00.5Z", Due="2024-03-05",
    )  # fmt: skip
    if expected is None:
        with pytest.raises(ODataQueryError):
            compile_filter(parse_filter(text), world.scope())
        relaxed = compile_filter(parse_filter(text), world.scope(ignore_case_names=True))
        assert relaxed(row) is True
    else:
        assert bool(compile_filter(parse_filter(text), world.scope())(row)) is expected


def test_blanks_stand_for_null(world) -> None:
    scope = world.scope(blanks={"Edm.String": "", "Edm.Guid": "00000000-0000-0000-0000-000000000000"})
    row = world.account(1, Name="", CityId="00000000-0000-0000-0000-000000000000")
    assert compile_filter(parse_filter("Name eq null and City/Id eq null"), scope)(row)
    assert not compile_filter(parse_filter("Name ne null"), scope)(row)


def test_lambda_only_when_served(world) -> None:
    with pytest.raises(ODataQueryError) as caught:
        compile_filter(parse_filter("Lines/any(l: l/Amount gt 1)"), world.scope())
    assert caught.value.kind == "unsupported"


# --- random filters against a naive evaluator ---------------------------------------------------------------

_NAMES = ["", "a", "A", "b", "ab", "Ba", None]
_INSTANTS = ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.1Z", "2024-01-01T00:00:00.12Z", "2024-01-01T00:00:01Z"]
_rows = st.lists(
    st.fixed_dictionaries(
        {
            "Name": st.sampled_from(_NAMES),
            "Rank": st.one_of(st.none(), st.integers(-2, 3)),
            "ModifiedOn": st.sampled_from([*_INSTANTS, None]),
            "CityId": st.one_of(st.none(), st.integers(1, 3)),
            "Amount": st.sampled_from([Decimal("0.00"), Decimal("1.50"), Decimal("2")]),
        }
    ),
    max_size=25,
)
_operators = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])


def _leaf(column: str, values: st.SearchStrategy) -> st.SearchStrategy:
    return st.tuples(st.just("cmp"), st.just(column), _operators, values)


_leaves = st.one_of(
    _leaf("Name", st.sampled_from([name for name in _NAMES if name is not None])),
    _leaf("Rank", st.integers(-2, 3)),
    _leaf("ModifiedOn", st.sampled_from(_INSTANTS)),
    _leaf("Id", st.integers(0, 25)),
    _leaf("CityId", st.integers(1, 3)),
    _leaf("Amount", st.sampled_from([Decimal("1.5"), Decimal(0), Decimal(2)])),
    st.tuples(st.just("null"), st.sampled_from(["Name", "Rank", "CityId"]), st.sampled_from(["eq", "ne"])),
    st.tuples(st.just("contains"), st.just("Name"), st.sampled_from(["a", "B", ""])),
    st.tuples(st.just("in"), st.just("Id"), st.lists(st.integers(0, 25), min_size=1, max_size=4)),
    st.tuples(st.just("keyset"), st.sampled_from(["gt", "lt"]), st.sampled_from(_INSTANTS), st.integers(0, 25)),
)
_trees = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.tuples(st.just("and"), inner, inner),
        st.tuples(st.just("or"), inner, inner),
        st.tuples(st.just("not"), inner),
    ),
    max_leaves=6,
)


def _number(value: str) -> int:
    return int(value[-12:])


def _text(tree: tuple) -> str:
    match tree:
        case ("cmp", "Name", operator, value):
            return f"Name {operator} '{value}'"
        case ("cmp", ("Id" | "CityId") as column, operator, value):
            return f"{column} {operator} 00000000-0000-4000-8000-{value:012d}"
        case ("cmp", column, operator, value):
            return f"{column} {operator} {value}"
        case ("null", column, operator):
            return f"{column} {operator} null"
        case ("contains", column, value):
            return f"contains({column},'{value}')"
        case ("in", column, values):
            return f"{column} in ({','.join(f'00000000-0000-4000-8000-{value:012d}' for value in values)})"
        case ("keyset", operator, stamp, number):
            key = f"00000000-0000-4000-8000-{number:012d}"
            return f"((ModifiedOn {operator} {stamp}) or (ModifiedOn eq {stamp} and Id {operator} {key}))"
        case ("not", inner):
            return f"not ({_text(inner)})"
        case (word, left, right):
            return f"({_text(left)}) {word} ({_text(right)})"
    raise AssertionError(tree)


def _plain(column: str, value):
    """A value in a form Python compares as OData should, by another way than the code under test."""
    if value is None:
        return None
    if column == "ModifiedOn":
        return instant_ns(value)
    if column in ("Id", "CityId") and isinstance(value, str):
        return _number(value)
    return value


def _naive(tree: tuple, row: dict) -> bool | None:
    match tree:
        case ("cmp", column, operator, wanted):
            value, wanted = _plain(column, row[column]), _plain(column, wanted)
            if operator == "eq":
                return value == wanted
            if operator == "ne":
                return value != wanted
            if value is None:
                return False
            return {"gt": value > wanted, "ge": value >= wanted, "lt": value < wanted, "le": value <= wanted}[operator]
        case ("null", column, operator):
            return (row[column] is None) == (operator == "eq")
        case ("contains", column, part):
            return None if row[column] is None else part in row[column]
        case ("in", column, values):
            return _plain(column, row[column]) in values
        case ("keyset", operator, stamp, number):
            after = _naive(("cmp", "ModifiedOn", operator, stamp), row)
            same = _naive(("cmp", "ModifiedOn", "eq", stamp), row) and _naive(("cmp", "Id", operator, number), row)
            return bool(after or same)
        case ("not", inner):
            value = _naive(inner, row)
            return None if value is None else not value
        case (word, left, right):
            a, b = _naive(left, row), _naive(right, row)
            decisive = word == "or"
            if a is decisive or b is decisive:
                return decisive
            return None if a is None or b is None else not decisive
    raise AssertionError(tree)


_orders = st.lists(
    st.tuples(st.sampled_from(["ModifiedOn", "Rank", "Name", "Id"]), st.booleans()),
    max_size=2,
    unique_by=lambda item: item[0],
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_rows, tree=_trees, order=_orders, skip=st.integers(0, 3), top=st.one_of(st.none(), st.integers(0, 5)),
       from_row=st.integers(0, 30), hide=st.sets(st.integers(0, 5), max_size=2))  # fmt: skip
def test_random_queries_agree_with_a_naive_evaluator(make_world, rows, tree, order, skip, top, from_row, hide) -> None:
    world = make_world()
    made = []
    for number, values in enumerate(rows):
        city = values["CityId"]
        made.append(world.account(number, **{**values, "CityId": None if city is None else world.guid(city)}))
    world.accounts.load(made[::-1])
    world.accounts.hide([world.guid(number) for number in hide])

    wanted = [row for number, row in enumerate(made) if number not in hide and _naive(tree, row) is True]
    key_down = bool(order) and all(down for _, down in order)
    full = [*order, *([] if any(name == "Id" for name, _ in order) else [("Id", key_down)])]
    for name, down in reversed(full):
        wanted.sort(key=lambda row, name=name: _place(row, name), reverse=down)
    total = len(wanted)
    after = made[from_row] if from_row < len(made) and wanted else None
    if after is not None:
        # everything behind `after` in the full order, whether or not `after` itself matches
        ranked = [*wanted, *([] if after in wanted else [after])]
        for name, down in reversed(full):
            ranked.sort(key=lambda row, name=name: _place(row, name), reverse=down)
        wanted = ranked[ranked.index(after) + 1 :]

    found = find_rows(
        world.scope(), where=parse_filter(_text(tree)), order=[OrderItem((name,), down) for name, down in order],
        skip=skip, top=top, count=True, after=after,
    )  # fmt: skip
    expected = wanted[skip:] if top is None else wanted[skip : skip + top]
    assert [row["Id"] for row in found.rows] == [row["Id"] for row in expected], found.plan
    assert found.count == total
    assert found.more is (top is not None and len(wanted) > skip + top)


def _place(row: dict, name: str) -> tuple:
    """Nulls first."""
    return (row[name] is not None, _plain(name, row[name]) or ("" if name == "Name" else 0))


@pytest.mark.parametrize(
    ("text", "order", "plan"),
    [
        ("Id eq {0}", [], "range Id"),
        ("Id in ({0},{1})", [], "key"),
        ("Id eq {0} or Id eq {1}", [], "key"),
        ("City/Id eq {1}", [], "hash CityId"),
        ("ModifiedOn ge 2024-01-01T00:03:00Z", ["ModifiedOn"], "range ModifiedOn,Id"),
        (
            "(ModifiedOn gt 2024-01-01T00:03:00Z) or (ModifiedOn eq 2024-01-01T00:03:00Z and Id gt {0})",
            ["ModifiedOn", "Id"],
            "range ModifiedOn,Id",
        ),
        ("Code eq 'C00007'", [], "range Code,Id"),
        ("Rank eq 3", ["Name"], "range Rank,Name,Id"),
        ("contains(Name,'9')", [], "order"),
        ("contains(Name,'9')", ["Amount"], "scan"),
    ],
)  # fmt: skip
def test_the_shortest_way_is_taken(world, text: str, order: list[str], plan: str) -> None:
    world.accounts.load(world.account(number, CityId=world.guid(number % 90)) for number in range(300))
    query = parse_filter(text.format(world.guid(5), world.guid(7)))
    found = find_rows(world.scope(), where=query, order=[OrderItem((name,)) for name in order], top=10, count=True)
    assert found.plan == plan
    keep = compile_filter(query, world.scope())
    assert found.count == sum(1 for row in world.accounts if keep(row))
    assert found.count


def test_text_of_a_folding_table(make_world) -> None:
    world = make_world(fold=True)
    world.accounts.insert(world.account(1, Name="ACME", Code="ab"))
    for text in ("Name eq 'acme'", "contains(Name,'cM')", "Code eq 'AB'"):
        assert len(find_rows(world.scope(), where=parse_filter(text)).rows) == 1
    with pytest.raises(world.code_taken):
        world.accounts.insert(world.account(2, Code="AB"))
    assert find_rows(world.scope(fold=False), where=parse_filter("Code eq 'AB'")).rows == []


def test_default_order_of_a_table(make_world) -> None:
    world = make_world(order=("Code",))
    world.accounts.load([world.account(1, Code="z"), world.account(2, Code="a")])
    assert [row["Code"] for row in find_rows(world.scope()).rows] == ["a", "z"]
