"""A page of records gives what its records give one by one, however they differ."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.records import Record

FIELDS = """
parts:
  mail: {object: Mails, join: {AccountId: Id}}
lines:
  lines:
    object: OrderLines
    parent: OrderId
    key: Id
    when: "Kind != 'Text'"
    fields:
      No: position
      ProductId: {ref: product}
fields:
  Number: number
  Date: date
  CurrencyId: {from: currency, ref: currency, by: id}
  Customer: {ref: customer}
  Total: {from: gross_amount, blank: [0]}
  mail.Address: {from: custom.mail}
  Status: {from: status, values: {open: [O, N], closed: C}}
  Other: {from: status, on: read}
  Kind#join: {from: custom.kind, in: "Kind & '-' & Status"}
"""
values = {
    "Number": st.sampled_from(["1", "2", "", " ", 7, None]),
    "Date": st.sampled_from(["2024-01-31", "1900-01-01", "soon"]),
    "CurrencyId": st.sampled_from(["cur-1", "cur-2", "nowhere", None, 5]),
    "Customer": st.sampled_from(["k", "K", "", 12]),
    "Total": st.sampled_from([0, Decimal("1.10"), "2.5", "much", 1.5, True]),
    "Status": st.sampled_from(["O", "N", "C", "?", "", None]),
    "Other": st.sampled_from(["x", None, 1.5]),
    "Kind": st.sampled_from(["a", "b", None, 3]),
}
row = st.fixed_dictionaries({}, optional=values)
line = st.fixed_dictionaries(
    {"No": st.integers(1, 3)}, optional={"Kind": st.just("Text"), "ProductId": st.sampled_from(["p", 4.5])}
)
children = st.fixed_dictionaries(
    {},
    optional={
        "mail": st.lists(
            st.fixed_dictionaries({}, optional={"Address": st.sampled_from(["a@b", "", 8])}).map(
                lambda data: Record("Mails", "m", data)
            ),
            max_size=1,
        ),
        "lines": st.lists(line.map(lambda data: Record("OrderLines", "l", data)), max_size=3),
    },
)
records = st.builds(lambda data, more: Record("Orders", "o", data, children=more), row, children)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records, max_size=8))
def test_a_page_is_read_as_its_records_are(build, tables, page):
    compiled = build("entity: sales_order\nobject: Orders\nkey: [Id]\n" + FIELDS)
    assert compiled.read(page, tables) == [compiled.read([one], tables)[0] for one in page]


def test_records_share_no_list_that_an_expression_made(build, tables):
    compiled = build("fields: {Name#parts: {from: custom.parts, in: \"$split(Name, ' ')\"}}")
    first, second = compiled.read([Record("Accounts", key, {"Name": "a b"}) for key in "12"], tables)
    first.canonical.fields["custom.parts"].append("c")
    assert second.canonical.fields["custom.parts"] == ["a", "b"]
