"""read(write(x)) == x, for every kind of field."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.model.values import Ref
from weft.records import Canonical, Record

MAPPING = """
parts: {mail: {object: Mail, join: {Owner: Id}}}
fields:
  Name: name
  mail.Address: email
  Type: {from: type, values: {customer: [K, L], prospect: 2, '': None}}
  Country: {ref: country, from: address.country, by: code, values: {GB: UK}}
  Cur: {ref: currency, by: id}
  ParentA: {ref: customer, from: parent, object: Account}
  ParentC: {ref: customer, from: parent, object: Contact}
  Limit: credit_limit
  Employees: {from: employees, cast: text}
  Blocked: {from: blocked, values: {true: All, false: _x0020_}}
  Since: since
  Modified: modified
"""

texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=30).filter(
    lambda text: not text.isspace() and text != "00000000-0000-0000-0000-000000000000"
)
# UK is the native spelling of GB here, so a code UK would come back as GB.
codes = st.sampled_from(["GB", "US", "DE", "FR"])
values = {
    "name": texts,
    "email": texts,
    "type": st.sampled_from(["customer", "prospect"]),
    "address.country": codes,
    "currency": st.sampled_from(["EUR", "USD", "JPY"]),
    "parent": st.builds(Ref, st.sampled_from(["Account", "Contact"]), st.uuids(allow_nil=False).map(str)),
    "credit_limit": st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20),
    "employees": st.integers(),
    "blocked": st.booleans(),
    "since": st.dates(date(1901, 1, 1)),
    "modified": st.datetimes(datetime(1901, 1, 1), timezones=st.just(UTC)),
}
records = st.fixed_dictionaries({}, optional={name: st.none() | each for name, each in values.items()})
wire = {date: date.isoformat, datetime: datetime.isoformat, Decimal: lambda number: number}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=records)
def test_what_is_written_is_read_back(build, tables, fields):
    compiled = build(MAPPING)
    mapped = compiled.write(Canonical("customer", "Account", "k", fields), "update", tables)
    assert mapped.problems == []
    native = {name: wire.get(type(value), lambda same: same)(value) for name, value in mapped.native.items()}
    part = native.pop("mail", None)
    children = {} if part is None else {"mail": [Record("Mail", "m", part)]}
    back = compiled.read([Record("Account", "k", native, children=children)], tables)[0]
    assert back.problems == []
    expected = dict(fields)
    if "blocked" in expected and expected["blocked"] is None:
        assert native["Blocked"] is None
    assert back.canonical.fields == expected


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(["Name", "Limit", "Since", "Cur"]), amount=values["credit_limit"])
def test_fingerprint_does_not_depend_on_order(build, order, amount):
    compiled = build(MAPPING)
    data = {"Name": "x", "Limit": amount, "Since": "2024-01-01", "Cur": "cur-1"}
    shuffled = {name: data[name] for name in order}
    assert compiled.fingerprint(Record("Account", "k", data)) == compiled.fingerprint(Record("Account", "k", shuffled))
