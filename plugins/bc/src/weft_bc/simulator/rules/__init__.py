"""What Business Central does with a record when it is inserted, changed or deleted: one rule object per set."""

from __future__ import annotations

from weft_bc.simulator.rules.base import Rules
from weft_bc.simulator.rules.dimensions import DefaultDimensionRules, DimensionSetLineRules
from weft_bc.simulator.rules.documents import DocumentRules
from weft_bc.simulator.rules.items import ItemRules, ItemVariantRules
from weft_bc.simulator.rules.journals import ApplyRules, BatchRules, JournalLineRules, PaymentRules
from weft_bc.simulator.rules.kinds import DOCUMENTS
from weft_bc.simulator.rules.lines import LineRules
from weft_bc.simulator.rules.parties import ContactRules, EmployeeRules, PartyRules, ProjectRules
from weft_bc.simulator.rules.setup import SetupRules, TimeRules


def all_rules() -> dict[str, Rules]:
    """Rules by set name; sets without an entry are read-only."""
    setup = SetupRules()
    rules: dict[str, Rules] = dict.fromkeys(
        (
            "companyInformation",
            "currencies",
            "unitsOfMeasure",
            "itemCategories",
            "locations",
            "paymentTerms",
            "paymentMethods",
            "shipmentMethods",
            "taxGroups",
            "taxAreas",
            "countriesRegions",
            "salespeoplePurchasers",
            "bankAccounts",
        ),
        setup,
    )
    rules |= {
        "customers": PartyRules("customers"),
        "vendors": PartyRules("vendors"),
        "contacts": ContactRules(),
        "employees": EmployeeRules(),
        "projects": ProjectRules(),
        "items": ItemRules(),
        "itemVariants": ItemVariantRules(),
        "defaultDimensions": DefaultDimensionRules(),
        "dimensionSetLines": DimensionSetLineRules(),
        "timeRegistrationEntries": TimeRules(),
        "journals": BatchRules("journals"),
        "customerPaymentJournals": BatchRules("customerPaymentJournals"),
        "vendorPaymentJournals": BatchRules("vendorPaymentJournals"),
        "journalLines": JournalLineRules(),
        "customerPayments": PaymentRules("customerPayments"),
        "vendorPayments": PaymentRules("vendorPayments"),
        "applyVendorEntries": ApplyRules(),
    }
    for kind in DOCUMENTS.values():
        rules[kind.set] = DocumentRules(kind)
        rules[kind.lines] = LineRules(kind)
    return rules
