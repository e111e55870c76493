"""Setup data of a sample company: chart of accounts, currencies, terms, taxes, units, dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from weft_bc.simulator.company import Company

# number, name, category, type, direct posting, role
CHART = (
    ("10000", "Assets", "Assets", "Begin_x002D_Total", False, ""),
    ("10100", "Checking account", "Assets", "Posting", True, "bank"),
    ("10400", "Inventory", "Assets", "Posting", False, "inventory"),
    ("10700", "Accounts receivable", "Assets", "Posting", False, "receivables"),
    ("10900", "Purchase tax", "Assets", "Posting", True, "purchase tax"),
    ("19990", "Total assets", "Assets", "End_x002D_Total", False, ""),
    ("20100", "Accounts payable", "Liabilities", "Posting", False, "payables"),
    ("20500", "Sales tax payable", "Liabilities", "Posting", True, "sales tax"),
    ("30100", "Capital stock", "Equity", "Posting", True, ""),
    ("40100", "Sales of goods", "Income", "Posting", True, "sales"),
    ("40200", "Sales of services", "Income", "Posting", True, ""),
    ("40990", "Freight charged", "Income", "Posting", True, ""),
    ("50100", "Cost of goods", "Cost_x0020_of_x0020_Goods_x0020_Sold", "Posting", True, "purchases"),
    ("60100", "Salaries", "Expense", "Posting", True, ""),
    ("60200", "Rent", "Expense", "Posting", True, ""),
    ("60300", "Travel", "Expense", "Posting", True, ""),
    ("60400", "Bank charges", "Expense", "Posting", True, ""),
    ("60900", "Rounding differences", "Expense", "Posting", True, ""),
)
# code, name, symbol, LCY (USD) for one unit, rounding
CURRENCIES = (
    ("USD", "US dollar", "$", "1", "0.01"),
    ("EUR", "Euro", "€", "1.0925", "0.01"),
    ("GBP", "Pound sterling", "£", "1.2744", "0.01"),
    ("DKK", "Danish krone", "kr", "0.1464", "0.01"),
    ("CHF", "Swiss franc", "CHF", "1.1301", "0.05"),
    ("JPY", "Yen", "¥", "0.00668", "1"),
    ("KWD", "Kuwaiti dinar", "KD", "3.25", "0.001"),
)
TERMS = (
    ("10 DAYS", "Net 10 days", "10D"),
    ("14 DAYS", "Net 14 days", "14D"),
    ("30 DAYS", "Net 30 days", "30D"),
    ("1M(8D)", "1 month / 2% 8 days", "1M"),
    ("CM", "Current month", "CM"),
    ("COD", "Cash on delivery", "0D"),
)
COUNTRIES = (
    ("US", "United States", "City_x002B_County_x002B_Post_x0020_Code"),
    ("GB", "Great Britain", "City_x002B_Post_x0020_Code"),
    ("DE", "Germany", "Post_x0020_Code_x002B_City"),
    ("FR", "France", "Post_x0020_Code_x002B_City"),
    ("DK", "Denmark", "Post_x0020_Code_x002B_City"),
    ("CA", "Canada", "City_x002B_County_x002B_Post_x0020_Code"),
    ("CH", "Switzerland", "Post_x0020_Code_x002B_City"),
    ("NL", "Netherlands", "Post_x0020_Code_x002B_City"),
    ("JP", "Japan", "Post_x0020_Code_x002B_City"),
    ("ES", "Spain", "Post_x0020_Code_x002B_City"),
)
UNITS = (
    ("PCS", "Piece", "EA"),
    ("BOX", "Box", "BX"),
    ("KG", "Kilogram", "KGM"),
    ("L", "Litre", "LTR"),
    ("M", "Metre", "MTR"),
    ("HOUR", "Hour", "HUR"),
    ("SET", "Set", "SET"),
)
CATEGORIES = (
    ("CHAIR", "Chairs"),
    ("DESK", "Desks"),
    ("LAMP", "Lamps"),
    ("MISC", "Miscellaneous"),
    ("PARTS", "Spare parts"),
    ("SERVICE", "Services"),
)
DIMENSIONS = {
    "BUSINESSGROUP": ("Business Group", (("HOME", "Home"), ("OFFICE", "Office"), ("INDUSTRIAL", "Industrial"))),
    "DEPARTMENT": ("Department", (("ADM", "Administration"), ("PROD", "Production"), ("SALES", "Sales"))),
    "CUSTOMERGROUP": ("Customer Group", (("SMALL", "Small"), ("MEDIUM", "Medium"), ("LARGE", "Large"))),
}
AREAS = {
    "US": (
        ("ATLANTA, GA", "Atlanta, GA", "7"),
        ("CHICAGO, IL", "Chicago, IL", "10.25"),
        ("MIAMI, FL", "Miami, FL", "7"),
        ("SEATTLE, WA", "Seattle, WA", "10.35"),
    ),
    "*": (
        ("DOMESTIC", "Domestic customers", "20"),
        ("EU", "Customers in the EU", "0"),
        ("EXPORT", "Other customers", "0"),
    ),
}


def load(co: Company, name: str, rows: Iterable[dict[str, Any]], stamp: str) -> None:
    """Fill a table: blanks, id, stamp and version added."""
    entity_set = co.schema.sets.get(name)
    if entity_set is None:
        return
    complete = []
    for row in rows:
        co.versions += 1
        made = {**entity_set.blanks, **row, "$v": co.versions}
        if entity_set.key == "id" and "id" not in row:
            made["id"] = co.new_guid()
        if entity_set.modified:
            made[entity_set.modified] = stamp
        complete.append(made)
    co.tables[name].load(complete)


def setup(co: Company, stamp: str, today: str) -> None:
    """Everything but customers, vendors, items and documents."""
    accounts = [
        {"number": number, "displayName": name, "category": category, "accountType": kind, "directPosting": direct}
        for number, name, category, kind, direct, _ in CHART
    ]
    load(co, "accounts", accounts, stamp)
    co.roles = {role: number for number, *_, role in CHART if role}
    own = next(Decimal(rate) for code, _, _, rate, _ in CURRENCIES if code == co.lcy)
    foreign = [currency for currency in CURRENCIES if currency[0] != co.lcy]
    load(
        co,
        "currencies",
        (
            {
                "code": code,
                "displayName": name,
                "symbol": symbol,
                "amountRoundingPrecision": Decimal(precision),
                "amountDecimalPlaces": {"1": "0:0", "0.001": "3:3"}.get(precision, "2:2"),
            }
            for code, name, symbol, _, precision in foreign
        ),
        stamp,
    )
    load(
        co,
        "currencyExchangeRates",
        (
            {
                "currencyCode": code,
                "startingDate": "2020-01-01",
                "exchangeRateAmount": Decimal(1),
                "relationalCurrencyCode": "",
                "relationalExchangeRateAmount": (Decimal(rate) / own).quantize(Decimal("0.00001")),
            }
            for code, _, _, rate, _ in foreign
        ),
        stamp,
    )
    load(co, "paymentTerms", ({"code": c, "displayName": n, "dueDateCalculation": f} for c, n, f in TERMS), stamp)
    load(
        co,
        "paymentMethods",
        (
            {"code": c, "displayName": n}
            for c, n in (("BANK", "Bank transfer"), ("CARD", "Card"), ("CASH", "Cash"), ("CHECK", "Check"))
        ),
        stamp,
    )
    load(
        co,
        "shipmentMethods",
        (
            {"code": c, "displayName": n}
            for c, n in (
                ("EXW", "Ex works"),
                ("FCA", "Free carrier"),
                ("DAP", "Delivered at place"),
                ("PICKUP", "Pickup"),
            )
        ),
        stamp,
    )
    load(co, "countriesRegions", ({"code": c, "displayName": n, "addressFormat": f} for c, n, f in COUNTRIES), stamp)
    load(
        co,
        "unitsOfMeasure",
        ({"code": c, "displayName": n, "internationalStandardCode": s} for c, n, s in UNITS),
        stamp,
    )
    load(co, "itemCategories", ({"code": c, "displayName": n} for c, n in CATEGORIES), stamp)
    kind = "Sales_x0020_Tax" if co.country == "US" else "VAT"
    load(
        co,
        "taxGroups",
        (
            {"code": c, "displayName": n, "taxType": kind, "$exempt": exempt}
            for c, n, exempt in (
                ("TAXABLE", "Taxable", False),
                ("NONTAXABLE", "Not taxable", True),
                ("SERVICE", "Services", False),
            )
        ),
        stamp,
    )
    load(
        co,
        "taxAreas",
        (
            {"code": c, "displayName": n, "taxType": kind, "$percent": p}
            for c, n, p in AREAS.get(co.country, AREAS["*"])
        ),
        stamp,
    )
    load(
        co,
        "salespeoplePurchasers",
        (
            {"code": c, "displayName": n, "email": f"{c.lower()}@cronus.example", "jobTitle": t}
            for c, n, t in (
                ("AH", "Annette Hill", "Sales Manager"),
                ("PS", "Peter Saddow", "Sales"),
                ("OF", "Otis Falls", "Purchaser"),
            )
        ),
        stamp,
    )
    load(
        co,
        "locations",
        (
            {"code": c, "displayName": n, "country": co.country}
            for c, n in (("MAIN", "Main warehouse"), ("WEST", "West warehouse"))
        ),
        stamp,
    )
    load(
        co,
        "generalProductPostingGroups",
        (
            {"code": c, "description": n}
            for c, n in (("RETAIL", "Retail"), ("SERVICES", "Services"), ("MISC", "Miscellaneous"))
        ),
        stamp,
    )
    load(
        co,
        "inventoryPostingGroups",
        ({"code": c, "description": n} for c, n in (("RESALE", "Resale items"), ("FINISHED", "Finished goods"))),
        stamp,
    )
    load(
        co,
        "bankAccounts",
        (
            {"number": n, "displayName": d, "currencyCode": co.lcy}
            for n, d in (("CHECKING", "Checking"), ("SAVINGS", "Savings"))
        ),
        stamp,
    )
    _dimensions(co, stamp)
    load(
        co,
        "companyInformation",
        (
            {
                "displayName": co.name,
                "addressLine1": "7122 South Ashford Street",
                "city": "Atlanta" if co.country == "US" else "London",
                "state": "GA" if co.country == "US" else "",
                "country": co.country,
                "postalCode": "31772" if co.country == "US" else "W2 8HG",
                "phoneNumber": "+1 425 555 0100",
                "currencyCode": co.lcy,
                "currentFiscalYearStartDate": f"{today[:4]}-01-01",
                "email": "info@cronus.example",
            },
        ),
        stamp,
    )
    load(
        co,
        "journals",
        (
            {"code": c, "displayName": d, "templateDisplayName": "GENERAL"}
            for c, d in (("DEFAULT", "Default journal"), ("DAILY", "Daily journal"))
        ),
        stamp,
    )
    bank = co.tables["bankAccounts"].find("number", "CHECKING")[0]
    for name, template in (("customerPaymentJournals", "CASHRCPT"), ("vendorPaymentJournals", "PAYMENT")):
        guid = co.new_guid()
        shared = {
            "id": guid,
            "code": "GENERAL",
            "displayName": "General",
            "balancingAccountId": bank["id"],
            "balancingAccountNumber": bank["number"],
        }
        load(co, name, (shared,), stamp)
        load(co, "journals", ({**shared, "templateDisplayName": template},), stamp)
    load(
        co,
        "employees",
        (
            {
                "number": number,
                "givenName": given,
                "surname": sur,
                "displayName": f"{given} {sur}",
                "jobTitle": title,
                "email": f"{given.lower()}@cronus.example",
                "country": co.country,
                "employmentDate": "2019-04-01",
                "status": "Active",
            }
            for number, given, sur, title in (
                ("AH", "Annette", "Hill", "Sales Manager"),
                ("EH", "Ester", "Henderson", "Secretary"),
                ("MH", "Marty", "Horst", "Production Manager"),
                ("OF", "Otis", "Falls", "Purchaser"),
            )
        ),
        stamp,
    )
    load(
        co,
        "projects",
        (
            {"number": f"PR{index:05d}", "displayName": name}
            for index, name in enumerate(("Office fit-out", "Warehouse move", "Show room"), 10)
        ),
        stamp,
    )


def _dimensions(co: Company, stamp: str) -> None:
    for code, (name, values) in DIMENSIONS.items():
        guid = co.new_guid()
        load(co, "dimensions", ({"id": guid, "code": code, "displayName": name},), stamp)
        load(co, "dimensionValues", ({"dimensionId": guid, "code": c, "displayName": n} for c, n in values), stamp)
