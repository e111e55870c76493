"""What mapping costs: microseconds a record, each beside a floor measured in the same run.

The record has 25 fields of all kinds, as a system sends them. The floor for reading is a bare copy of
the 25 values into a dict, for a fingerprint the hashing of the whole record's JSON text.

    python benchmarks/mapping.py [records]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from decimal import Decimal
from hashlib import blake2b

import orjson

from weft import yamlpos
from weft.mapping.comparison import Comparator
from weft.mapping.compile import compile_mapping
from weft.mapping.expression import Expression
from weft.mapping.loading import parse
from weft.mapping.rules import compile_rule
from weft.mapping.tables import NoTables
from weft.model.entity import EntityType, Field
from weft.records import Canonical, Record

TEXTS = 12
CUSTOMER = EntityType(
    "customer",
    fields={
        **{f"text{n}": Field(f"text{n}") for n in range(TEXTS)},
        **{f"money{n}": Field(f"money{n}", "money", currency="currency") for n in range(3)},
        "count": Field("count", "integer"),
        "blocked": Field("blocked", "boolean"),
        "active": Field("active", "boolean"),
        "since": Field("since", "date"),
        "modified": Field("modified", "datetime"),
        "type": Field("type", values=("organization", "person")),
        "currency": Field("currency", "ref", entity="currency"),
        "country": Field("country", "ref", entity="country"),
        "parent": Field("parent", "ref", entity="customer"),
        "rating": Field("rating", "decimal"),
    },
    currency="currency",
)
ENTITIES = {
    "customer": CUSTOMER,
    **{name: EntityType(name, "reference", code="code") for name in ("currency", "country")},
}
TEXT_FIELDS = "".join(f"  Text{n}: {{from: text{n}, max: 100}}\n" for n in range(TEXTS))
MAPPING = f"""
entity: customer
object: Customers
key: [Id]
fields:
{TEXT_FIELDS}  Money0: money0
  Money1: {{from: money1, digits: 2}}
  Money2: {{from: money2, blank: [0]}}
  Count: count
  Blocked: {{from: blocked, values: {{true: All, false: _x0020_}}}}
  Active: active
  Since: since
  Modified: modified
  Type: {{from: type, values: {{organization: Company, person: Person}}}}
  Currency: {{ref: currency, by: code}}
  Country: {{ref: country, by: code, values: {{GB: UK}}}}
  ParentId: {{ref: customer, from: parent}}
  Rating: rating
"""
DATA = {
    "Id": "7f9f0d1e-0000-4000-8000-000000000001",
    **{f"Text{n}": f"Adatum Corporation {n}" for n in range(TEXTS - 2)},
    "Text10": "",
    "Text11": None,
    "Money0": Decimal("1234.56"),
    "Money1": Decimal("99.99"),
    "Money2": Decimal(0),
    "Count": 12,
    "Blocked": "_x0020_",
    "Active": True,
    "Since": "2024-01-31",
    "Modified": "2024-01-31T08:15:30.123Z",
    "Type": "Company",
    "Currency": "USD",
    "Country": "US",
    "ParentId": "7f9f0d1e-0000-4000-8000-000000000002",
    "Rating": Decimal("4.5"),
}


PAGE = 125
"""Records mapped at a stretch, as in a sync."""


def measure(name: str, count: int, work: Callable[[], object], floor: float | None = None, *, each: int = 1) -> float:
    """Print and return microseconds a call (a record, of ``each`` in a call), the best of five rounds."""
    work()
    best = min(_round(work, max(count // each, 1)) for _ in range(5)) * 1e6 / each
    ratio = f"  {best / floor:5.1f} x floor" if floor else ""
    print(f"{name:34} {best:8.2f} us{ratio}")
    return best


def _round(work: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - started) / count


def main(count: int) -> None:
    mapping = parse(yamlpos.load(MAPPING, "benchmark"))

    def compiled_anew() -> object:
        return compile_mapping(mapping, CUSTOMER, kind="bench", entities=ENTITIES, ref_object=lambda _: "Customers")

    compiled = compile_mapping(mapping, CUSTOMER, kind="bench", entities=ENTITIES, ref_object=lambda _: "Customers")
    tables, record = NoTables(), Record("Customers", "k", DATA)
    result = compiled.read([record], tables)[0]
    if result.canonical is None:
        raise SystemExit(f"the record does not map: {result.problems}")
    canonical = result.canonical
    few = Canonical("customer", "Customers", "k", {n: canonical.fields[n] for n in ("text0", "money0")})
    names = list(canonical.fields)
    copy = measure("floor: copy 25 values", count, lambda: {name: DATA.get(name) for name in DATA})
    hashed = measure(
        "floor: hash the JSON text", count,
        lambda: blake2b(orjson.dumps(DATA, str), digest_size=16).hexdigest(),
    )  # fmt: skip
    page = [Record("Customers", str(number), dict(DATA)) for number in range(PAGE)]
    measure("read, 25 fields, in pages", count, lambda: compiled.read(page, tables), copy, each=PAGE)
    measure("read, 25 fields, one record", count, lambda: compiled.read([record], tables), copy)
    measure("write a create, 25 fields", count, lambda: compiled.write(canonical, "create", tables), copy)
    measure("write an update, 2 fields", count, lambda: compiled.write(few, "update", tables))
    measure("fingerprint", count, lambda: compiled.fingerprint(record), hashed)
    comparator = Comparator(CUSTOMER, compiled, compiled)
    other = compiled.read([record], tables)[0].canonical
    if other is None:
        raise SystemExit("the record does not map")
    measure(
        "compare, 25 fields", count,
        lambda: [comparator.same(name, canonical.fields[name], other.fields[name]) for name in names],
    )  # fmt: skip
    rule = compile_rule("type = 'organization' and money0 > 1000", fields=CUSTOMER.fields)
    measure("rule, exact", count, lambda: rule(canonical))
    slow = compile_rule("$contains(text0, 'Adatum') and money0 > 1000", fields=CUSTOMER.fields)
    measure("rule, JSONata", count, lambda: slow(canonical))
    expression = Expression("Type = 'Company' ? Text0 & ', ' & Country : Text1")
    measure("expression over a record", count, lambda: expression.evaluate(DATA))
    measure("compile the mapping", max(count // 200, 1), compiled_anew)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
