"""Identifiers of stock Creatio that a package refers to, from Creatio 8.1.0.

Schema, column and data type UIds are the same in every installation. They were read off deployed
packages (a real estate demo application and the generated C# of its site); 8.1.0.6704 is that build.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

BUILD: Final = "8.1.0.6704"
SOURCE_CODE_ROOT: Final = "50e3acc0-26fc-4237-a095-849a1d534bd3"
"""HD1 of every source-code schema seen."""
EVENTS_PROCESS_OWNER: Final = "bb4d6607-026b-4b27-b640-8f5c77c1e89d"
"""EG1.BK37.A3 and A4 in every object seen."""

DATA_TYPES: Final = MappingProxyType(
    {
        "Guid": "23018567-a13c-4320-8687-fd6f9e3699bd",
        "Text": "8b3f29bb-ea14-4ce5-a5c5-293a929b6ba2",
        "ShortText": "325a73b8-0f47-44a0-8412-7606f78003ac",
        "MediumText": "ddb3a1ee-07e8-4d62-b7a9-d0e618b00fbd",
        "LongText": "5ca35f10-a101-4c67-a96a-383da6afacfc",
        "MaxSizeText": "c0f04627-4620-4bc0-84e5-9419dc8516b1",
        "Integer": "6b6b74e2-820d-490e-a017-2b73d4ccf2b0",
        "Boolean": "90b65bf8-0ffc-4141-8779-2420877af907",
        "Lookup": "b295071f-7ea9-4e62-8d1a-919bf3732ff2",
        "PhoneText": "26cba63c-daf1-4f36-b2ea-73c0d675d90c",
        "WebText": "26cba64c-daf1-4f36-b2ea-73c0d675d90c",
        "EmailText": "66cba64c-daf1-4f36-b8ea-73c0d695d90c",
        "Money": "969093e2-2b4e-463b-883a-3d3b8c61f0cd",
        "Float1": "07ba84ce-0bf7-44b4-9f2c-7b15032eb98c",
        "Float2": "5cc8060d-6d10-4773-89fc-8c12d6f659a6",
        "Float3": "3f62414e-6c25-4182-bcef-a73c9e396f31",
        "Float4": "ff22e049-4d16-46ee-a529-92d8808932dc",
        "Float8": "a4aaf398-3531-4a0d-9d75-a587f5b5b59e",
        "DateTime": "d21e9ef4-c064-4012-b286-fa1a8171da44",
        "Date": "603d4960-a1a2-45e9-b232-206a54421b01",
    }
)
"""Creatio's data type names to DataValueType UIds (column code S2)."""

DESIGNER_TYPES: Final = MappingProxyType(
    {
        "Guid": 0,
        "Text": 1,
        "Integer": 4,
        "Money": 6,
        "DateTime": 7,
        "Date": 8,
        "Lookup": 10,
        "Boolean": 12,
        "ShortText": 27,
        "MediumText": 28,
        "MaxSizeText": 29,
        "LongText": 30,
        "Float1": 31,
        "Float2": 32,
        "Float3": 33,
        "Float4": 34,
        "Float8": 40,
        "PhoneText": 42,
        "WebText": 44,
        "EmailText": 45,
    }
)
"""Data type numbers of the designer services (clio's table)."""

MAX_LENGTH: Final = MappingProxyType(
    {"ShortText": 50, "MediumText": 250, "LongText": 500, "PhoneText": 250, "WebText": 250, "EmailText": 250}
)
SCALE: Final = MappingProxyType({"Money": 2, "Float1": 1, "Float2": 2, "Float3": 3, "Float4": 4, "Float8": 8})

SYSTEM_VALUES: Final = MappingProxyType(
    {
        "AutoGuid": "03fac162-6a98-4f29-8d28-dc2f23ab48da",
        "CurrentDateTime": "d7c295d3-3146-4ee1-ac49-3a7bd0edc45d",
        "CurrentDate": "91bd3856-9686-4eb2-9e7c-99f1e6ca0f02",
        "CurrentUserContact": "4f367ca9-549b-4a1a-b64e-a40123f52ac0",
    }
)
"""System values a column default may name (FB1 = 3)."""

BASE_COLUMNS: Final = MappingProxyType(
    {
        "Id": "ae0e45ca-c495-4fe7-a39d-3ab7278e1617",
        "CreatedOn": "e80190a5-03b2-4095-90f7-a193a960adee",
        "CreatedBy": "ebf6bb93-8aa6-4a01-900d-c6ea67affe21",
        "ModifiedOn": "9928edec-4272-425a-93bb-48743fee4b04",
        "ModifiedBy": "3015559e-cbc6-406a-88af-07f7930be832",
        "ProcessListeners": "3fabd836-6a53-4d8d-9069-6df88d9dae1e",
    }
)
LOOKUP_COLUMNS: Final = MappingProxyType(
    {
        "Name": "736c30a7-c0ec-4fa9-b034-2552b319b633",
        "Description": "9e53fd7c-dde4-4502-a64c-b9e34148108b",
    }
)
SETTING_COLUMNS: Final = MappingProxyType(
    {
        "Name": ("736c30a7-c0ec-4fa9-b034-2552b319b633", "MediumText"),
        "Code": ("13aad544-ec30-4e76-a373-f0cff3202e24", "ShortText"),
        "ValueTypeName": ("f7960a8a-1fd4-41d2-997a-fd78ea60075f", "MediumText"),
    }
)
"""Columns of SysSettings: UId and type."""
BASE_TYPES: Final = MappingProxyType(
    {
        "Id": "Guid",
        "CreatedOn": "DateTime",
        "CreatedBy": "Lookup",
        "ModifiedOn": "DateTime",
        "ModifiedBy": "Lookup",
        "ProcessListeners": "Integer",
        "Name": "MediumText",
        "Description": "MediumText",
    }
)

SCHEMAS: Final = MappingProxyType(
    {
        "BaseEntity": "1bab9dcf-17d5-49f8-9536-8e0064f1dce0",
        "BaseLookup": "11ab4bcb-9b23-4b6d-9c86-520fae925d75",
        "BaseCodeLookup": "2681062b-df59-4e52-89ed-f9b7dc909ab2",
        "Account": "25d7c1ab-1de0-4501-b402-02e0e5a72d6e",
        "Contact": "16be3651-8fe2-4159-8dd0-a803d4683dd3",
        "Order": "80294582-06b5-4faa-a85f-3323e5536b71",
        "OrderProduct": "a31247aa-b718-40ed-982e-5b569d7d7b0e",
        "Invoice": "bfb313dd-bb55-4e1b-8e42-3d346e0da7c5",
        "InvoiceProduct": "732baa21-890b-4894-a457-623630e33a6f",
        "Product": "4c7a6ead-4eb8-4fc0-863e-98a664569fed",
        "Currency": "2d36aca6-5b8c-4122-9648-baf3b7f8256d",
        "Opportunity": "ae46fb87-c02c-4ae8-ad31-a923cdd994cf",
        "Lead": "41af89e9-750b-4ebb-8cac-ff39b64841ec",
        "Contract": "897be3e4-0333-467d-88e2-b7a945c0d810",
        "Unit": "38f2220e-7085-494d-b4c9-396666b6327b",
        "Tax": "a32b5f57-0ef1-4d3d-a6ef-a6de2113fbe0",
        "SupplyPaymentElement": "28cc5afa-2b40-49e9-b516-ed35cbc4203e",
        "Activity": "c449d832-a4cc-4b01-b9d5-8a12c42a9f89",
        "Country": "09fce1f8-515c-4296-95cd-8cd93f79a6cf",
        "SysSettings": "27aeadd6-d508-4572-8061-5b55b667c902",
        "SysSettingsValue": "951b2bbb-0ba3-4049-9a29-b5d4c0b6d50f",
        "Lookup": "2aecdb97-990e-4c17-96f4-240ca6531c84",
        "SysImage": "93986bfe-2dbd-46bc-9bf9-d03dfefbf3b8",
    }
)

DISPLAY_COLUMNS: Final = MappingProxyType(
    {
        "Account": "Name",
        "Contact": "Name",
        "Order": "Number",
        "OrderProduct": "Name",
        "Invoice": "Number",
        "InvoiceProduct": "Name",
        "Product": "Name",
        "Currency": "Name",
        "Opportunity": "Title",
        "Lead": "LeadName",
        "Contract": "Number",
        "Unit": "Name",
        "Tax": "Name",
        "Activity": "Title",
        "Country": "Name",
    }
)
"""Primary display column of stock objects: a lookup's display name is lookup + this (code E18)."""

PACKAGES: Final = MappingProxyType(
    {
        "CrtCore": ("012e2e14-082b-ac2b-da5a-2fc87bad41d4", "7.8.0"),
        "CrtCoreBase": ("3a71e376-9ac3-3049-c62b-9c43b9abe054", "7.8.0"),
    }
)
"""Packages whose UId is known: name -> (UId, PackageVersion). Others are read from the site's SysPackage."""


def schema_name(uid: str) -> str | None:
    """The stock object with this UId, or None."""
    return next((name for name, known in SCHEMAS.items() if known == uid.lower()), None)


def data_type_name(uid: str) -> str | None:
    """The data type with this DataValueType UId, or None."""
    return next((name for name, known in DATA_TYPES.items() if known == uid.lower()), None)
