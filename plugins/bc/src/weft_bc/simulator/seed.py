"""Sample data, the same for the same seed: companies with setup, customers, vendors, items, contacts, documents."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from weft.testing.odata.store import Row
from weft.testing.simulator.parties import party, rng
from weft_bc.simulator.company import Company
from weft_bc.simulator.environment import Environment
from weft_bc.simulator.rules.actions import run
from weft_bc.simulator.rules.journal_posting import post_batch
from weft_bc.simulator.schema import ZERO_GUID
from weft_bc.simulator.seed_setup import load, setup
from weft_bc.simulator.values import plain, stamp

COMPANIES = ("CRONUS USA, Inc.", "CRONUS International Ltd.")
DAY = 86_400.0
_GOODS = (
    "Guest chair",
    "Swivel chair",
    "Desk",
    "Desk lamp",
    "Bookcase",
    "Filing cabinet",
    "Conference table",
    "Side panel",
    "Caster",
    "Monitor arm",
)
_FINISH = ("Athens", "Berlin", "London", "Paris", "Mexico", "Munich", "Rome", "Sydney", "Tokyo", "Seoul")


def fill(
    env: Environment,
    *,
    records: int,
    seed: int,
    companies: list[str] | None,
    parties: list[dict[str, Any]],
    documents: int | None,
) -> None:
    """Fill every company; the first gets ``records`` customers, the others a tenth, at most 50."""
    for index, name in enumerate(companies or COMPANIES):
        home = index % 2 == 0
        co = env.add_company(
            name, lcy="USD" if home else "GBP", country="US" if home else "GB", rng=rng(seed, f"company {index}")
        )
        count = records if index == 0 else min(50, records // 10)
        now = env.clock.now_ns() / 1e9
        setup(co, stamp(now - 90 * DAY), co.today)
        customers(co, [*(parties if index == 0 else ()), *(party(i, seed) for i in range(count))], now)
        vendors(co, max(3, count // 10), seed, now)
        items(co, max(20, count // 5), seed, now)
        wanted = documents if documents is not None and index == 0 else min(200, count // 100)
        history(env, co, wanted, seed)


def _stamps(now: float, count: int) -> Iterator[str]:
    """Rising stamps over the 60 days that ended 30 days ago."""
    step = 60 * DAY / max(count, 1)
    for index in range(count):
        yield stamp(now - 90 * DAY + index * step)


def _ids(co: Company, name: str) -> dict[str, Row]:
    return {row["code"]: row for row in co.tables[name]}


def customers(co: Company, found: list[dict[str, Any]], now: float) -> None:
    """Insert parties as customers, and a contact for every tenth of them."""
    terms, methods, ships = (list(co.tables[name]) for name in ("paymentTerms", "paymentMethods", "shipmentMethods"))
    areas = list(co.tables["taxAreas"])
    area_of = {area["code"].split(",")[0]: area for area in areas}
    currencies = _ids(co, "currencies")
    known = {row["code"] for row in co.tables["countriesRegions"]}
    euro = currencies.get("EUR")
    blanks = co.schema["customers"].blanks
    guid = co.new_guid
    rows: list[Row] = []
    contacts: list[Row] = []
    for index, (person, when) in enumerate(zip(found, _stamps(now, len(found)), strict=True)):
        country = person.get("country", "")
        abroad = country in ("DE", "FR") and euro is not None
        area = area_of.get(person.get("city", "").upper(), areas[0])
        domestic = country == co.country
        co.versions += 1
        row = {
            **blanks,
            "id": guid(),
            "number": person.get("number") or f"C{index + 10001:05d}",
            "displayName": person["name"][:100],
            "type": "Company",
            "addressLine1": person.get("street", "")[:100],
            "city": person.get("city", "")[:30],
            "state": person.get("state", "")[:30],
            "country": country if country in known else "",
            "postalCode": person.get("postal_code", "")[:20].upper(),
            "phoneNumber": person.get("phone", "")[:30],
            "email": person.get("email", "")[:80],
            "website": person.get("website", "")[:255],
            "taxRegistrationNumber": person.get("tax_id", "")[:50],
            "salespersonCode": "PS" if index % 3 else "AH",
            "creditLimit": Decimal((index % 20) * 1000),
            "taxLiable": domestic,
            "taxAreaId": area["id"] if domestic else ZERO_GUID,
            "taxAreaDisplayName": area["displayName"] if domestic else "",
            "currencyId": euro["id"] if abroad and euro else ZERO_GUID,
            "currencyCode": "EUR" if abroad else co.lcy,
            "paymentTermsId": terms[index % len(terms)]["id"],
            "shipmentMethodId": ships[index % len(ships)]["id"],
            "paymentMethodId": methods[index % len(methods)]["id"],
            "lastModifiedDateTime": when,
            "$v": co.versions,
        }
        rows.append(row)
        if index % 10 == 0:
            contacts.append(_contact(co, person, row, when, index))
    known_columns = {*co.schema["customers"].properties, "$v"}
    if "salespersonCode" not in known_columns:
        rows = [{k: v for k, v in row.items() if k in known_columns} for row in rows]
    co.tables["customers"].load(rows)
    if "contacts" in co.tables:
        co.tables["contacts"].load(contacts)
    if rows:
        co.tables["$series"].insert({"id": "customers", "last": f"C{len(rows) + 10000:05d}"})


def _contact(co: Company, person: dict[str, Any], customer: Row, when: str, index: int) -> Row:
    co.versions += 1
    name = person.get("contact_name") or person["name"]
    shared = ("addressLine1", "city", "state", "country", "postalCode", "phoneNumber", "email", "website")
    row = {**(co.schema["contacts"].blanks if "contacts" in co.schema.sets else {})}
    row |= {column: customer[column] for column in shared}
    row |= {
        "id": co.new_guid(),
        "number": f"CT{index // 10 + 1:06d}",
        "displayName": name,
        "type": "Person",
        "companyName": customer["displayName"],
        "searchName": name.upper(),
        "contactBusinessRelation": "Customer",
        "lastModifiedDateTime": when,
        "relatedId": customer["id"],
        "relatedType": "Customer",
        "$v": co.versions,
    }
    return row


def vendors(co: Company, count: int, seed: int, now: float) -> None:
    terms = list(co.tables["paymentTerms"])
    known = {row["code"] for row in co.tables["countriesRegions"]}
    rows = []
    for index, when in enumerate(_stamps(now, count)):
        person = party(5_000_000 + index, seed)
        co.versions += 1
        rows.append(
            {
                **co.schema["vendors"].blanks,
                "id": co.new_guid(),
                "number": f"V{index + 10001:05d}",
                "displayName": person["name"],
                "addressLine1": person["street"],
                "city": person["city"],
                "state": person["state"],
                "country": person["country"] if person["country"] in known else "",
                "postalCode": person["postal_code"],
                "phoneNumber": person["phone"],
                "email": person["email"],
                "website": person["website"],
                "taxRegistrationNumber": person["tax_id"],
                "currencyCode": co.lcy,
                "paymentTermsId": terms[index % len(terms)]["id"],
                "lastModifiedDateTime": when,
                "$v": co.versions,
            }
        )
    co.tables["vendors"].load(rows)
    co.tables["$series"].insert({"id": "vendors", "last": f"V{count + 10000:05d}"})


def items(co: Company, count: int, seed: int, now: float) -> None:
    units, groups, cats = _ids(co, "unitsOfMeasure"), _ids(co, "taxGroups"), list(co.tables["itemCategories"])
    products = _ids(co, "generalProductPostingGroups") if "generalProductPostingGroups" in co.tables else {}
    stock = _ids(co, "inventoryPostingGroups") if "inventoryPostingGroups" in co.tables else {}
    retail, resale = products.get("RETAIL"), stock.get("RESALE")
    properties = co.schema["items"].properties
    generator = rng(seed, "items")
    rows = []
    for index, when in enumerate(_stamps(now, count)):
        service = index % 10 == 9
        unit = units["HOUR"] if service else units["PCS"]
        group = groups["SERVICE"] if service else groups["TAXABLE" if index % 7 else "NONTAXABLE"]
        category = cats[-1] if service else cats[index % (len(cats) - 1)]
        cost = Decimal(generator.randrange(500, 90_000)) / 100
        co.versions += 1
        row = {
            **co.schema["items"].blanks,
            "id": co.new_guid(),
            "number": f"{1000 + index}",
            "displayName": f"{_FINISH[index // 10 % 10]} {_GOODS[index % 10]}"
            if not service
            else f"Assembly level {index // 10 + 1}",
            "type": "Service" if service else "Inventory",
            "itemCategoryId": category["id"],
            "itemCategoryCode": category["code"],
            "gtin": "" if service else f"{4000000000000 + index:013d}",
            "unitPrice": plain((cost * Decimal("1.6")).quantize(Decimal("0.01"))),
            "unitCost": plain(cost),
            "taxGroupId": group["id"],
            "taxGroupCode": group["code"],
            "baseUnitOfMeasureId": unit["id"],
            "baseUnitOfMeasureCode": unit["code"],
            "lastModifiedDateTime": when,
            "$v": co.versions,
        }
        if not service:
            row["inventory"] = Decimal(generator.randrange(5, 500))
        if retail and "generalProductPostingGroupId" in properties:
            row |= {"generalProductPostingGroupId": retail["id"], "generalProductPostingGroupCode": retail["code"]}
        if resale and "inventoryPostingGroupId" in properties and not service:
            row |= {"inventoryPostingGroupId": resale["id"], "inventoryPostingGroupCode": resale["code"]}
        rows.append(row)
    co.tables["items"].load(rows)
    co.tables["$series"].insert({"id": "items", "last": f"{999 + count}"})
    if rows:
        variants = (
            {"itemId": rows[0]["id"], "itemNumber": rows[0]["number"], "code": c, "description": d}
            for c, d in (("BLUE", "Blue"), ("RED", "Red"))
        )
        load(co, "itemVariants", variants, stamp(now - 90 * DAY))


def history(env: Environment, co: Company, count: int, seed: int) -> None:
    """Posted invoices, every third of them paid, made through the same rules as requests."""
    if not count or not len(co.tables["customers"]):
        return
    generator = rng(seed, f"history {co.name}")
    rules = env.writer.rules
    buyers, goods = list(co.tables["customers"]), list(co.tables["items"])
    batch = co.tables["customerPaymentJournals"].find("code", "GENERAL")[0]
    for index in range(count):
        buyer = buyers[generator.randrange(len(buyers))]
        with co.transaction():
            invoice = rules["salesInvoices"].insert(co, "salesInvoices", {"customerId": buyer["id"]}, None)
            for _ in range(generator.randrange(1, 4)):
                line = {
                    "documentId": invoice["id"],
                    "itemId": goods[generator.randrange(len(goods))]["id"],
                    "quantity": Decimal(generator.randrange(1, 9)),
                }
                rules["salesInvoiceLines"].insert(co, "salesInvoiceLines", line, None)
            _, invoice = run(co, "salesInvoices", "post", co.must("salesInvoices", invoice["id"]))
            if index % 3 == 0 and invoice["remainingAmount"] > 0:
                sign = -1 if co.settings.payment_sign == "raw" else 1
                payment = {
                    "journalId": batch["id"],
                    "amount": plain(invoice["remainingAmount"] * sign),
                    "appliesToInvoiceId": invoice["id"],
                }
                rules["customerPayments"].insert(co, "customerPayments", payment, None)
                post_batch(co, co.must("journals", batch["id"]))
