"""Sample setup, the same for the same seed: companies, ledgers, groups, terms, units, dimensions, users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from weft_d365fo.simulator.dimensions import DEFAULT_FORMAT, DELIMITERS, LEDGER_FORMAT
from weft_d365fo.simulator.events import CATALOG
from weft_d365fo.simulator.schema import NEVER, NO_DATE
from weft_d365fo.simulator.world import Company, World

COMPANIES = (
    Company("usmf", "Contoso Entertainment System USA", "USD", "USA", "en-us"),
    Company("demf", "Contoso Entertainment System Germany", "EUR", "DEU", "de"),
)
CHART = "Shared"
RATES = {("EUR", "USD"): "112.5", ("GBP", "USD"): "129.25", ("USD", "EUR"): "88.88888889", ("GBP", "EUR"): "114.9",
         ("CAD", "USD"): "74.1", ("CAD", "EUR"): "66.2", ("JPY", "USD"): "0.68", ("JPY", "EUR"): "0.61",
         ("KWD", "USD"): "325"}  # fmt: skip
ACCOUNTS = (
    ("110110", "Bank account - main", "Asset"), ("110130", "Petty cash", "Asset"),
    ("130100", "Accounts receivable", "Asset"), ("140200", "Finished goods", "Asset"),
    ("200100", "Accounts payable", "Liability"), ("201100", "Accrued purchases", "Liability"),
    ("202140", "Sales tax payable", "Liability"), ("300160", "Retained earnings", "Equity"),
    ("401100", "Product sales", "Revenue"), ("401180", "Service sales", "Revenue"),
    ("403150", "Interest income", "Revenue"), ("500100", "Cost of goods sold", "Expense"),
    ("602100", "Travel", "Expense"), ("606300", "Office supplies", "Expense"), ("618160", "Bank charges", "Expense"),
    ("801400", "Exchange gain", "Revenue"), ("801300", "Exchange loss", "Expense"),
)  # fmt: skip
DIMENSION_VALUES = {
    "BusinessUnit": (("001", "Home"), ("002", "Retail"), ("003", "Online"), ("004", "Services")),
    "Department": (("022", "Sales"), ("023", "Operations"), ("024", "Finance"), ("025", "Support")),
    "CostCenter": (("007", "Marketing"), ("008", "Warehouse"), ("009", "Administration"), ("010", "Field service")),
    "Project": (),
}  # fmt: skip
COUNTRIES = (("USA", "US", "USD"), ("DEU", "DE", "EUR"), ("GBR", "GB", "GBP"), ("FRA", "FR", "EUR"),
             ("DNK", "DK", "DKK"), ("CAN", "CA", "CAD"), ("NLD", "NL", "EUR"), ("AUS", "AU", "AUD"),
             ("POL", "PL", "PLN"), ("JPN", "JP", "JPY"))  # fmt: skip
STATES = ("AL", "CA", "FL", "GA", "IL", "NY", "OR", "TX", "WA")
UNITS = (("ea", "Each", 0), ("pcs", "Pieces", 0), ("box", "Box", 0), ("hr", "Hour", 2), ("kg", "Kilogram", 3))


def put(world: World, table: str, *rows: Mapping[str, Any]) -> None:
    world.load(table, rows)


def named(company: str, key: str, text: str, rows: Iterable[tuple[str, str]], **more: Any) -> list[dict[str, Any]]:
    return [{"dataAreaId": company, key: code, text: name, **more} for code, name in rows]


def shared(world: World, client_id: str, user: str, company: str) -> None:
    """What no company owns."""
    currencies = ("USD", "EUR", "GBP", "CAD", "DKK", "JPY", "KWD")
    for code in currencies:
        digits = {"JPY": "1", "KWD": "0.001"}.get(code, "0.01")
        rules = {f"RoundingRule{kind}": Decimal(digits) for kind in ("SalesOrders", "PurchaseOrders", "Prices")}
        put(world, "Currencies", {"CurrencyCode": code, "Name": code, "GeneralRoundingRule": Decimal(digits), **rules})
    put(world, "ExchangeRateTypes", {"Name": "Default", "Description": "Default exchange rate type"})
    for (source, target), rate in RATES.items():
        pair = world.next_recid()
        values = {"RateTypeName": "Default", "FromCurrency": source, "ToCurrency": target,
                  "StartDate": "2020-01-01T12:00:00Z", "EndDate": NEVER[:10] + "T12:00:00Z", "Rate": Decimal(rate),
                  "ConversionFactor": "Hundred", "$pair": pair}  # fmt: skip
        put(world, "ExchangeRates", values)
        put(
            world,
            "ExchangeRateCurrencyPairs",
            {"FromCurrencyCode": source, "ToCurrencyCode": target, "ExchangeRateTypeName": "Default",
             "ExchangeRateDisplayFactor": "Hundred"},
        )  # fmt: skip
    put(world, "UnitsOfMeasure", *({"UnitSymbol": u, "UnitDescription": n, "DecimalPrecision": d} for u, n, d in UNITS))
    put(world, "UnitOfMeasureConversions", {"FromUnitSymbol": "box", "ToUnitSymbol": "ea", "Factor": 12})
    put(
        world,
        "AddressCountryRegions",
        *({"CountryRegion": c, "ISOcode": iso, "CurrencyCode": cur} for c, iso, cur in COUNTRIES),
    )
    put(world, "AddressStates", *({"CountryRegionId": "USA", "State": s, "Name": s} for s in STATES))
    chart = world.next_recid()
    put(world, "ChartOfAccounts", {"ChartOfAccounts": CHART, "ChartOfAccountsRecId": chart, "Description": CHART})
    for account, name, kind in ACCOUNTS:
        put(
            world,
            "MainAccounts",
            {"ChartOfAccounts": CHART, "MainAccountId": account, "Name": name, "MainAccountType": kind,
             "ChartOfAccountsRecId": chart, "MainAccountRecId": world.next_recid()},
        )  # fmt: skip
    _dimensions(world)
    _people(world, client_id, user, company)
    put(world, "BusinessEventsCatalogs", *(
        {"BusinessEventId": event, "Name": name, "Module": module} for event, (name, module) in CATALOG.items()
    ))  # fmt: skip
    put(world, "DataManagementEntities", *(
        {"EntityName": s.label, "TargetName": s.aot, "EntityIsEnabled": "Yes"}
        for s in world.schema.sets.values() if not s.name.endswith("BiEntities")
    ))  # fmt: skip


def _dimensions(world: World) -> None:
    settings = world.settings
    names = dict.fromkeys((*settings.default_dimensions, *settings.ledger_dimensions))
    for name in names:
        put(world, "DimensionAttributes", {"DimensionName": name, "UseValuesFrom": name, "ReportColumnName": name})
        for value, text in DIMENSION_VALUES.get(name, ()):
            put(
                world,
                "FinancialDimensionValues",
                {"FinancialDimension": name, "LegalEntityId": "", "DimensionValue": value, "Description": text},
            )
    active = "Yes" if settings.dimension_formats else "No"
    for kind, chosen in ((DEFAULT_FORMAT, settings.default_dimensions), (LEDGER_FORMAT, settings.ledger_dimensions)):
        put(
            world,
            "DimensionIntegrationFormats",
            {"DimensionFormatName": "Integration", "DimensionFormatType": kind, "IsActive": active,
             "FinancialDimensionFormat": settings.delimiter.join(chosen)},
        )  # fmt: skip
    put(world, "DimensionParameters", {"Key": 0, "DimensionSegmentDelimiter": DELIMITERS[settings.delimiter]})
    for table, name, kind in (
        ("BusinessUnits", "BusinessUnit", "OMBusinessUnit"),
        ("CostCenters", "CostCenter", "OMCostCenter"),
    ):
        put(world, table, *(
            {"OperatingUnitNumber": value, "Name": text, "OperatingUnitType": kind, "PartyNumber": world.next_party()}
            for value, text in DIMENSION_VALUES[name]
        ))  # fmt: skip
    put(world, "Departments", *(
        {"PartyNumber": world.next_party(), "OperatingUnitNumber": value, "Name": text, "PartyType": "OperatingUnit",
         "OperatingUnitTypes": "OMDepartment"}
        for value, text in DIMENSION_VALUES["Department"]
    ))  # fmt: skip


def _people(world: World, client_id: str, user: str, company: str) -> None:
    put(
        world,
        "SystemUsers",
        {"UserID": user, "UserName": user, "Company": company, "Enabled": True, "Language": "en-us"},
    )
    put(world, "SysAADClients", {"AADClientId": client_id, "Name": "weft", "UserId": user})
    for number, name in (("000001", "Alex Abbas"), ("000002", "Dana Berg"), ("000003", "Noor Costa")):
        put(world, "Workers", {"PersonnelNumber": number, "Name": name})
        put(
            world,
            "Employees",
            {"PersonnelNumber": number, "EmploymentLegalEntityId": company, "EmploymentStartDate": NO_DATE,
             "EmploymentEndDate": NEVER},
        )  # fmt: skip


def legal_entity(world: World, company: Company) -> None:
    """A company with all that its documents name."""
    world.add_company(company)
    party, own = world.next_party(), company.id
    put(
        world,
        "LegalEntities",
        {"LegalEntityId": own, "Name": company.name, "CompanyName": company.name, "LanguageId": company.language,
         "AddressCountryRegionId": company.country, "PartyNumber": party},
    )  # fmt: skip
    put(
        world,
        "Companies",
        {"DataArea": own, "Name": company.name, "LanguageId": company.language, "PartyNumber": party},
    )
    put(
        world,
        "Ledgers",
        {"LegalEntityId": own, "ChartOfAccounts": CHART, "AccountingCurrency": company.currency, "Name": own.upper(),
         "ExchangeRateType": "Default", "FiscalCalendar": "Fiscal", "ReportingCurrency": company.currency},
    )  # fmt: skip
    for table, key, text, rows in (
        ("CustomerGroups", "CustomerGroupId", "Description", (("10", "Wholesale"), ("20", "Major"), ("30", "Retail"))),
        ("VendorGroups", "VendorGroupId", "Description", (("10", "Parts vendors"), ("20", "Services"))),
        ("CustomerPaymentMethods", "Name", "Description", (("CHECK", "Check"), ("WIRE", "Wire"), ("CASH", "Cash"))),
        ("VendorPaymentMethods", "Name", "Description", (("CHECK", "Check"), ("WIRE", "Wire"), ("CARD", "Card"))),
        ("DeliveryTerms", "TermsCode", "TermsDescription", (("FOB", "Free on board"), ("CIF", "Insurance, freight"))),
        ("DeliveryModesV2", "ModeCode", "ModeDescription", (("10", "Truck"), ("20", "Air"), ("30", "Pick-up"))),
        ("TaxGroups", "TaxGroupCode", "Description", (("DOM", "Domestic"), ("EXP", "Export"), ("EXEMPT", "Exempt"))),
        ("TaxItemGroupHeadings", "TaxItemGroup", "Name", (("FULL", "Full rate"), ("NONE", "Not taxed"))),
        ("TaxCodes", "TaxCode", "Name", (("ST", "Sales tax"),)),
        ("OperationalSitesV2", "SiteId", "SiteName", (("1", "Main site"), ("2", "Second site"))),
        ("SalesOrderOriginCodes", "OriginCode", "OriginDescription", (("CRM", "CRM"), ("WEB", "Web"))),
        ("PriceCustomerGroups", "GroupCode", "GroupName", (("10", "Standard prices"), ("20", "Key accounts"))),
        ("SalesOrderPools", "PoolId", "PoolName", (("10", "Standard"),)),
    ):  # fmt: skip
        put(world, table, *named(own, key, text, rows))
    _terms(world, own)
    put(world, "Warehouses", *(
        {"dataAreaId": own, "WarehouseId": w, "WarehouseName": n, "OperationalSiteId": s}
        for w, n, s in (("11", "Main warehouse", "1"), ("12", "Spare parts", "1"), ("21", "Second warehouse", "2"))
    ))  # fmt: skip
    put(world, "ProductGroups", *(
        {"dataAreaId": own, "GroupId": g, "GroupName": n, "DefaultSalesSalesTaxItemGroupCode": t,
         "DefaultPurchaseSalesTaxItemGroupCode": t}
        for g, n, t in (("Audio", "Audio", "FULL"), ("Parts", "Parts", "FULL"), ("Services", "Services", "NONE"))
    ))  # fmt: skip
    _journal_names(world, own)
    put(world, "TradeAgreementJournalNames", {
        "dataAreaId": own, "TradeAgreementJournalNameId": "SalesPrice", "DefaultTradeAgreementType": "PriceSales",
        "DefaultJournalDescription": "Sales prices"})  # fmt: skip
    put(
        world,
        "BankAccounts",
        {"dataAreaId": own, "BankAccountId": f"{own.upper()} OPER", "Name": "Operating account",
         "CurrencyCode": company.currency, "BankMainAccountIdDisplayValue": "110110"},
    )  # fmt: skip
    put(world, "ProjectGroups", *(
        {"dataAreaId": own, "ProjectGroup": g, "Name": n, "ProjectType": t}
        for g, n, t in (
            ("TM", "Time and material", "TimeMaterial"),
            ("FP", "Fixed price", "FixedPrice"),
            ("INT", "Internal", "Internal"),
        )
    ))  # fmt: skip


def _terms(world: World, own: str) -> None:
    put(world, "PaymentTerms", *(
        {"dataAreaId": own, "Name": n, "Description": d, "NumberOfDays": days}
        for n, d, days in (("Net10", "Net 10 days", 10), ("Net30", "Net 30 days", 30), ("Net60", "Net 60 days", 60))
    ))  # fmt: skip
    put(
        world,
        "PaymentTerms",
        {"dataAreaId": own, "Name": "COD", "Description": "Cash on delivery", "IsCashPayment": "Yes",
         "CashPaymentMainAccountIdDisplayValue": "110130"},
    )  # fmt: skip


def _journal_names(world: World, own: str) -> None:
    put(world, "JournalNames", *(
        {"dataAreaId": own, "Name": n, "Description": d, "Type": t, "VoucherSeriesCode": n, **more}
        for n, d, t, more in (
            ("GenJrn", "General journal", "Daily", {}),
            ("CardJrn", "Company cards", "Daily", {}),
            ("CustPay", "Customer payments", "CustPayment",
             {"OffsetAccountType": "Bank", "OffsetAccountDisplayValue": f"{own.upper()} OPER"}),
            ("VendPay", "Vendor payments", "Payment",
             {"OffsetAccountType": "Bank", "OffsetAccountDisplayValue": f"{own.upper()} OPER"}),
            ("APInvoice", "Vendor invoices", "PurchaseLedger", {}),
        )
    ))  # fmt: skip
