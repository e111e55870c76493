"""Which table each entity set shows, and under which names.

Several sets show one table: versions of an entity, the BI entities with their names of the database, the four
kinds of journals. A set that is not named here has a table of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

KEY, RECID, VERSION, MODIFIED, CREATED = "$key", "$recid", "$version", "$modified", "$created"


@dataclass(frozen=True)
class View:
    """``columns``: property -> column of another name. ``where``: rows shown, by column. ``partial``: properties that
    are neither named nor ``same`` are there but always empty."""

    table: str
    columns: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    partial: bool = False
    same: tuple[str, ...] = ()


_SYSTEM = {
    "SysModifiedDateTime": MODIFIED, "SysRecVersion": VERSION, "SourceKey": RECID, "SysCreatedDateTime": CREATED,
    "CreatedOn": CREATED, "SysDataAreaId": "dataAreaId",
}  # fmt: skip


def _bi(table: str, same: str = "", **columns: str) -> View:
    return View(table, {**_SYSTEM, **columns}, partial=True, same=("dataAreaId", *same.split()))


def _journal(kind: str, **columns: str) -> View:
    return View("LedgerJournalTrans", columns, {"$type": kind})


def _journal_head(kind: str) -> View:
    return View("LedgerJournalTable", {}, {"$type": kind})


JOURNALS = {
    "LedgerJournal": ("LedgerJournalHeaders", "LedgerJournalLines"),
    "CustomerPayment": ("CustomerPaymentJournalHeaders", "CustomerPaymentJournalLines"),
    "VendorPayment": ("VendorPaymentJournalHeaders", "VendorPaymentJournalLines"),
    "VendorInvoice": ("VendInvoiceJournalHeaders", "VendInvoiceJournalLines"),
}
"""Kind of a journal -> its sets of headers and lines."""

_PAYMENT_COLUMNS = {"TransactionDate": "TransDate", "TransactionText": "Text"}

VIEWS: dict[str, View] = {
    "CustomersV3": View("CustTable"),
    "CustomersV2": View("CustTable"),
    "CustomersBase": View("CustTable", {"Name": "OrganizationName"}),
    "CustTableBiEntities": _bi(
        "CustTable", "InvoiceAccount CreditRating ContactPersonId CustClassificationId IdentificationNumber",
        AccountNum="CustomerAccount", CustGroup="CustomerGroupId", Currency="SalesCurrencyCode",
        PaymTermId="PaymentTerms", PaymMode="PaymentMethod", Blocked="OnHoldStatus", CreditMax="CreditLimit",
        TaxGroup="SalesTaxGroup", DlvMode="DeliveryMode", DlvTerm="DeliveryTerms", VATNum="TaxExemptNumber",
        InventSiteId="SiteId", InventLocation="WarehouseId", Memo="SalesMemo", Party="$party",
    ),
    "VendorsV2": View("VendTable"),
    "VendorsV3": View("VendTable"),
    "VendTableBiEntities": _bi(
        "VendTable", "CreditRating", AccountNum="VendorAccountNumber", VendGroup="VendorGroupId",
        Currency="CurrencyCode", PaymTermId="DefaultPaymentTermsName", PaymMode="DefaultVendorPaymentMethodName",
        Blocked="OnHoldStatus", CreditMax="CreditLimit", TaxGroup="SalesTaxGroupCode", VATNum="TaxExemptNumber",
        InvoiceAccount="InvoiceVendorAccountNumber", BankAccount="BankAccountId", Party="$party",
    ),
    "PartyContactsV3": View("LogisticsElectronicAddress"),
    "LogisticsElectronicAddressBiEntities": _bi(
        "LogisticsElectronicAddress",
        "Description IsPrimary IsPrivate Locator Type IsMobilePhone IsInstantMessage LocatorExtension "
        "ElectronicAddressId CountryRegionCode",
    ),
    "PartyLocationPostalAddressesV2": View("LogisticsPostalAddress"),
    "LogisticsPostalAddressBiEntities": _bi(
        "LogisticsPostalAddress",
        "ValidFrom ValidTo IsPrivate Address Street City County State ZipCode CountryRegionId",
        Location="$location",
    ),
    "SalesOrderHeadersV2": View("SalesTable"),
    "SalesOrderHeadersV3": View("SalesTable"),
    "SalesOrderHeadersV4": View("SalesTable"),
    "SalesTableBiEntities": _bi(
        "SalesTable", "LanguageId CurrencyCode ContactPersonId Email URL",
        SalesId="SalesOrderNumber", CustAccount="OrderingCustomerAccountNumber",
        InvoiceAccount="InvoiceCustomerAccountNumber", SalesStatus="SalesOrderStatus", SalesName="SalesOrderName",
        CustomerRef="CustomersOrderReference", PurchOrderFormNum="CustomerRequisitionNumber",
        Payment="PaymentTermsName", PaymMode="CustomerPaymentMethodName", TaxGroup="SalesTaxGroupCode",
        DlvMode="DeliveryModeCode",
        DlvTerm="DeliveryTermsCode", SalesOriginId="SalesOrderOriginCode", SalesPoolId="SalesOrderPoolId",
        InventSiteId="DefaultShippingSiteId", InventLocationId="DefaultShippingWarehouseId", ProjId="ProjectId",
        QuotationId="QuotationNumber", ShippingDateRequested="RequestedShippingDate",
        ReceiptDateRequested="RequestedReceiptDate",
    ),
    "SalesOrderLines": View("SalesLine"),
    "SalesOrderLinesV3": View("SalesLine"),
    "SalesLineBiEntities": _bi(
        "SalesLine", "LineCreationSequenceNumber SalesPrice LineAmount CurrencyCode",
        SalesId="SalesOrderNumber", InventTransId="InventoryLotId", ItemId="ItemNumber", Name="LineDescription",
        SalesQty="OrderedSalesQuantity", SalesUnit="SalesUnitSymbol", SalesStatus="SalesOrderLineStatus",
        LineNum="LineNumber", ExternalItemId="ExternalItemNumber", LineDisc="LineDiscountAmount",
        LinePercent="LineDiscountPercentage", TaxGroup="SalesTaxGroupCode", TaxItemGroup="SalesTaxItemGroupCode",
        ShippingDateRequested="RequestedShippingDate",
    ),
    "PurchaseOrderHeadersV2": View("PurchTable"),
    "PurchTableBiEntities": _bi(
        "PurchTable", "LanguageId CurrencyCode Email AccountingDate",
        PurchId="PurchaseOrderNumber", OrderAccount="OrderVendorAccountNumber",
        InvoiceAccount="InvoiceVendorAccountNumber", PurchName="PurchaseOrderName", PurchStatus="PurchaseOrderStatus",
        DocumentState="DocumentApprovalStatus", VendorRef="VendorOrderReference", Payment="PaymentTermsName",
        DeliveryDate="RequestedDeliveryDate", TaxGroup="SalesTaxGroupCode", ProjId="ProjectId",
        InventSiteId="DefaultReceivingSiteId", InventLocationId="DefaultReceivingWarehouseId",
    ),
    "PurchaseOrderLinesV2": View("PurchLine"),
    "PurchLineBiEntities": _bi(
        "PurchLine", "LineNumber LineAmount",
        PurchId="PurchaseOrderNumber", InventTransId="InventoryLotId", ItemId="ItemNumber", Name="LineDescription",
        PurchQty="OrderedPurchaseQuantity", PurchUnit="PurchaseUnitSymbol", PurchPrice="PurchasePrice",
        PurchStatus="PurchaseOrderLineStatus",
    ),
    "SalesInvoiceHeadersV2": View("CustInvoiceJour"),
    "SalesInvoiceHeadersV4": View("CustInvoiceJour"),
    "CustInvoiceJourBiEntities": _bi(
        "CustInvoiceJour", "InvoiceDate LedgerVoucher CurrencyCode DueDate",
        InvoiceId="InvoiceNumber", InvoiceAccount="InvoiceCustomerAccountNumber", SalesId="SalesOrderNumber",
        InvoiceAmount="TotalInvoiceAmount", SumTax="TotalTaxAmount", CustomerRef="CustomersOrderReference",
        Payment="PaymentTermsName", OrderAccount="$orderAccount",
    ),
    "SalesInvoiceV3Lines": View("CustInvoiceTrans"),
    "SalesInvoiceV4Lines": View("CustInvoiceTrans"),
    "CustInvoiceTransBiEntities": _bi(
        "CustInvoiceTrans", "InvoiceDate LineCreationSequenceNumber SalesPrice LineAmount CurrencyCode",
        InvoiceId="InvoiceNumber", ItemId="ProductNumber", Name="ProductDescription", Qty="InvoicedQuantity",
        SalesUnit="SalesUnitSymbol", SalesId="$salesId", ParentRecId="$parent",
    ),
    "CustTransactions": View("CustTrans", {"SysRecId": RECID}),
    "CustTransBiEntities": _bi(
        "CustTrans",
        "AccountNum TransDate Voucher Invoice Txt AmountCur AmountMST CurrencyCode DueDate SettleAmountCur "
        "SettleAmountMST LastSettleDate LastSettleVoucher Closed TransType ExchRate PaymId PaymReference DocumentNum "
        "DocumentDate Prepayment PaymMode",
    ),
    "CustTransOpens": View("CustTransOpen", {"SysRecId": RECID}),
    "VendTransBiEntities": View("VendTrans", _SYSTEM),
    "VendInvoiceJourBiEntities": View("VendInvoiceJour", _SYSTEM),
    **{heads: _journal_head(kind) for kind, (heads, _) in JOURNALS.items()},
    "LedgerJournalLines": _journal("LedgerJournal"),
    "CustomerPaymentJournalLines": _journal("CustomerPayment", **_PAYMENT_COLUMNS),
    "VendorPaymentJournalLines": _journal("VendorPayment", **_PAYMENT_COLUMNS),
    "VendInvoiceJournalLines": _journal(
        "VendorInvoice", Date="TransDate", Description="Text", Debit="DebitAmount", Credit="CreditAmount",
        Currency="CurrencyCode", MethodOfPayment="PaymentMethodName",
    ),
    "LedgerJournalTableBiEntities": _bi(
        "LedgerJournalTable", "JournalName JournalTotalDebit JournalTotalCredit",
        JournalNum="JournalBatchNumber", Name="Description", Posted="IsPosted",
    ),
    "LedgerJournalTransBiEntities": _bi(
        "LedgerJournalTrans", "AccountType OffsetAccountType TransDate CurrencyCode Voucher Invoice",
        JournalNum="JournalBatchNumber", LineNum="LineNumber", Txt="Text", AmountCurDebit="DebitAmount",
        AmountCurCredit="CreditAmount", PaymReference="PaymentReference", DocumentNum="Document", Due="DueDate",
    ),
    "ReleasedProductsV2": View("InventTable"),
    "ReleasedProductCreationsV2": View("InventTable"),
    "ReleasedDistinctProductsV2": View("InventTable"),
    "InventTableBiEntities": _bi(
        "InventTable",
        ItemId="ItemNumber", PrimaryVendorId="PrimaryVendorAccountNumber", NameAlias="SearchName",
        ItemBuyerGroupId="BuyerGroupId",
    ),
    "ProductsV2": View("EcoResProduct"),
    "AllProducts": View("EcoResProduct"),
    "MainAccountBiEntities": _bi(
        "MainAccounts", "MainAccountId Name", LedgerChartOfAccounts="ChartOfAccountsRecId", Type="MainAccountType"
    ),
    "ProjectsV2": View("ProjTable"),
    "Projects": View(
        "ProjTable",
        {
            "ProjectID": "ProjectId", "ParentProject": "ParentProjectId", "CustomerAccount": "CustomerAccountNumber",
            "StartDate1": "ScheduleStartDate", "EndDate1": "ScheduleEndDate", "ProjectGroup": "ProjectGroupId",
            "ProjectContractID": "ProjectContractId", "SalesTaxGroup": "SalesTaxGroupId",
        },
    ),
    "ProjTableBiEntities": _bi(
        "ProjTable", "Email", ProjId="ProjectId", Name="ProjectName", CustAccount="CustomerAccountNumber",
        ProjGroupId="ProjectGroupId", ParentId="ParentProjectId", Status="ProjectStage",
    ),
    "ExchangeRateBiEntities": _bi(
        "ExchangeRates", ExchangeRateCurrencyPair="$pair", ValidFrom="StartDate", ValidTo="EndDate", ExchangeRate="Rate"
    ),
}  # fmt: skip

# The database's names of tables that messages name, where the one used here is that of the entity set.
TABLE_NAMES = {
    "CustomerGroups": "CustGroup", "VendorGroups": "VendGroup", "PaymentTerms": "PaymTerm",
    "MainAccounts": "MainAccount", "ContactPersons": "ContactPerson", "ProductGroups": "InventItemGroup",
    "Currencies": "Currency", "ExchangeRates": "ExchangeRate", "UnitsOfMeasure": "UnitOfMeasure",
    "Warehouses": "InventLocation", "OperationalSitesV2": "InventSite", "JournalNames": "LedgerJournalName",
    "BankAccounts": "BankAccountTable", "SalesQuotationHeadersV2": "SalesQuotationTable",
    "SalesQuotationLines": "SalesQuotationLine", "FreeTextInvoiceHeaders": "CustInvoiceTable",
    "FreeTextInvoiceLines": "CustInvoiceLine", "VendorInvoiceHeaders": "VendInvoiceInfoTable",
    "VendorInvoiceLines": "VendInvoiceInfoLine", "TimesheetTables": "TSTimesheetTable",
    "ProjectGroups": "ProjGroup", "ProjectContracts": "ProjInvoiceTable", "TaxGroups": "TaxGroupHeading",
    "TaxItemGroupHeadings": "TaxItemGroupHeading",
}  # fmt: skip

# Navigation whose columns do not have one name on both sides: set -> name -> (own column, other column).
JOINS: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("FreeTextInvoiceHeaders", "CustFreeTextInvoiceHeader"): (
        ("dataAreaId", "dataAreaId"),
        ("InvoiceIdentifier", "ParentRecId"),
    ),
}

# Columns an index serves besides the key: what is searched or joined by.
HASHED: dict[str, tuple[str, ...]] = {
    "CustTable": (
        "CustomerAccount", "PartyNumber", "OrganizationName", "PrimaryContactEmail", "OrganizationNumber",
        "TaxExemptNumber",
    ),
    "VendTable": (
        "VendorAccountNumber", "VendorPartyNumber", "VendorOrganizationName", "PrimaryEmailAddress", "TaxExemptNumber",
    ),
    "ContactPersons": (
        "ContactPersonId", "AssociatedPartyNumber", "ContactPersonPartyNumber", "PrimaryEmailAddress",
    ),
    "LogisticsElectronicAddress": ("PartyNumber", "Locator"),
    "LogisticsPostalAddress": ("PartyNumber", "LocationId"),
    "SalesTable": (
        "SalesOrderNumber", "OrderingCustomerAccountNumber", "InvoiceCustomerAccountNumber", "CustomersOrderReference",
        "CustomerRequisitionNumber",
    ),
    "SalesLine": ("SalesOrderNumber", "InventoryLotId", "ItemNumber", "ExternalItemNumber"),
    "SalesQuotationHeadersV2": ("SalesQuotationNumber", "RequestingCustomerAccountNumber", "CustomersReference"),
    "SalesQuotationLines": ("SalesQuotationNumber",),
    "PurchTable": ("PurchaseOrderNumber", "OrderVendorAccountNumber", "VendorOrderReference"),
    "PurchLine": ("PurchaseOrderNumber", "InventoryLotId"),
    "CustInvoiceJour": ("InvoiceNumber", "InvoiceCustomerAccountNumber", "SalesOrderNumber", "CustomersOrderReference"),
    "CustInvoiceTrans": ("InvoiceNumber",),
    "CustTrans": ("AccountNum", "Invoice", "Voucher", "LastSettleVoucher"),
    "CustTransOpen": ("AccountNum", "RefRecId"),
    "VendTrans": ("AccountNum", "Invoice", "Voucher"),
    "VendInvoiceJour": ("InvoiceId", "InvoiceAccount", "PurchId"),
    "FreeTextInvoiceHeaders": ("InvoiceIdentifier", "CustomerAccount", "FreeTextNumber", "CustomerReference"),
    "FreeTextInvoiceLines": ("ParentRecId",),
    "VendorInvoiceHeaders": ("HeaderReference", "InvoiceAccount", "InvoiceNumber"),
    "VendorInvoiceLines": ("HeaderReference",),
    "LedgerJournalTable": ("JournalBatchNumber", "$type"),
    "LedgerJournalTrans": (
        "JournalBatchNumber", "AccountDisplayValue", "PaymentReference", "Document", "Invoice", "Voucher",
    ),
    "PaymentJournalLineSettledInvoices": ("JournalBatchNumber", "InvoiceNumber"),
    "VendorPaymentJournalLineSettledInvoices": ("JournalBatchNumber", "InvoiceNumber"),
    "InventTable": ("ItemNumber", "ProductNumber", "SearchName"),
    "EcoResProduct": ("ProductName",),
    "ProductTranslations": ("ProductNumber",),
    "SalesPriceAgreements": ("ItemNumber", "CustomerAccountNumber"),
    "TradeAgreementJournalHeaders": ("JournalNumber", "JournalDescription"),
    "OpenSalesPriceJournalLinesV2": ("TradeAgreementJournalNumber", "ItemNumber"),
    "PurchasePriceAgreements": ("ItemNumber", "VendorAccountNumber"),
    "WarehousesOnHandV2": ("ItemNumber",),
    "InventorySitesOnHandV2": ("ItemNumber",),
    "ProjTable": ("ProjectId", "CustomerAccountNumber", "ProjectName"),
    "CDSInventoryOnHandEntries": ("RequestId",),
}  # fmt: skip


def view_of(name: str) -> View:
    return VIEWS.get(name) or View(name)
