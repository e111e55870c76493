"""The ERPs that scenarios over the real protocols are played with: where they are, and what people do in them."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar

import weft_bc.connector
import weft_bc.session  # what sessions import, once and not in every fork
import weft_bc.simulator.server as bc
import weft_d365fo.connector
import weft_d365fo.session
import weft_d365fo.simulator.server as fo
from weft.testing.simulator.control_client import ControlClient
from weft.testing.simulator.serve import Served

Row = Mapping[str, Any]
Names = Mapping[str, Mapping[str, str]]


class Erp:
    """An ERP as :class:`harness.real.RealPair` shows its right side. Fields and objects are spelled as it does."""

    kind: ClassVar[str]
    plugin: ClassVar[ModuleType]
    simulators: ClassVar[str]
    """Factory in :mod:`harness.sims`."""

    path: ClassVar[str]
    """Where the API is served, as a pattern; faults strike there."""

    objects: ClassVar[Mapping[str, str]]
    names: ClassVar[Names]
    number: ClassVar[str]
    """Field with the number a customer is given."""

    tells_times: ClassVar[bool] = True
    """Do records show when they were changed?"""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.control: ControlClient = served.control(self.kind)

    def connection(self, page_size: int) -> list[str]:
        """The connection ``erp`` of ``weft.yaml``, and what follows the connections."""
        raise NotImplementedError

    def key(self, kind: str, row: Row) -> str:
        """The key of a row as the connector spells it."""
        raise NotImplementedError

    def rows(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control.command("list", set=self.objects[kind], limit=10_000)
        return found

    def put(self, kind: str, values: Row) -> str:
        """A person enters a record; returns its key."""
        raise NotImplementedError

    def edit(self, kind: str, key: str, values: Row) -> None:
        raise NotImplementedError

    def _common(self, page_size: int) -> str:
        """Settings that both have."""
        return (
            f"kind: {self.kind}, url: '{self.served.url(self.kind)}', ca_file: '{self.served.ca_file}', "
            f"authority: '{self.served.url('entra')}/{{tenant}}', page_size: {page_size}, overlap: 5, "
            "settle_seconds: 10, retry_attempts: 2"
        )


class BusinessCentral(Erp):
    kind = "bc"
    plugin = weft_bc.connector
    simulators = "harness.sims:with_bc"
    path = r"/api/v2\.0"
    objects: ClassVar[Mapping[str, str]] = {"customer": "customers", "product": "items"}
    names: ClassVar[Names] = {
        "customer": {
            "name": "displayName", "phone": "phoneNumber", "limit": "creditLimit", "_": "taxRegistrationNumber"
        },
        "product": {"name": "displayName", "price": "unitPrice", "_": "number"},
    }  # fmt: skip
    number = "number"

    def connection(self, page_size: int) -> list[str]:
        company = self.control.command("companies")[0]["name"]
        return [
            f"  erp: {{{self._common(page_size)}, tenant: {bc.Settings().tenant}, company: '{company}', "
            f"auth: {{client_id: {bc.CLIENT_ID}, client_secret: {bc.CLIENT_SECRET}}}}}",
            "mappings:",
            "  erp: {customer: {default: {fields: {taxAreaId: null, taxLiable: null}}}}",
        ]

    def key(self, kind: str, row: Row) -> str:
        return str(row["id"]).lower()

    def put(self, kind: str, values: Row) -> str:
        return self.key(kind, self.control.command("create", set=self.objects[kind], values=values))

    def edit(self, kind: str, key: str, values: Row) -> None:
        self.control.command("edit", set=self.objects[kind], key=key, values=values)


class FinanceOperations(Erp):
    """Names stand in tables of their own, so records carry no change time, and changes are seen by version tags."""

    kind = "d365fo"
    plugin = weft_d365fo.connector
    simulators = "harness.sims:with_d365fo"
    path = "/data/"
    objects: ClassVar[Mapping[str, str]] = {"customer": "CustomersV3", "product": "ReleasedProductsV2"}
    names: ClassVar[Names] = {
        "customer": {
            "name": "OrganizationName", "phone": "PrimaryContactPhone", "limit": "CreditLimit", "_": "TaxExemptNumber"
        },
        "product": {"name": "ProductName", "price": "SalesPrice", "_": "ItemNumber"},
    }  # fmt: skip
    number = "CustomerAccount"
    tells_times = False
    company = "usmf"
    new_product: ClassVar[Row] = {
        "ProductGroupId": "Parts",
        "ItemModelGroupId": "FIFO",
        "StorageDimensionGroupName": "SiteWH",
        "TrackingDimensionGroupName": "None",
    }
    new_customer: ClassVar[Row] = {"PartyType": "Organization", "CustomerGroupId": "10", "SalesCurrencyCode": "USD"}
    keys: ClassVar[Mapping[str, str]] = {"customer": "CustomerAccount", "product": "ItemNumber"}

    def connection(self, page_size: int) -> list[str]:
        defaults = ", ".join(f"{name}: '{value}'" for name, value in self.new_product.items())
        return [
            f"  erp: {{{self._common(page_size)}, tenant: {fo.Settings().tenant}, company: {self.company}, "
            f"sweep_every: 0, product_defaults: {{{defaults}}}, "
            f"auth: {{client_id: {fo.CLIENT_ID}, client_secret: {fo.CLIENT_SECRET}}}}}",
        ]

    def key(self, kind: str, row: Row) -> str:
        return str(row[self.keys[kind]])

    def rows(self, kind: str) -> list[dict[str, Any]]:
        found = super().rows(kind)
        if kind == "product":
            shared = self.control.command("list", set="ProductsV2", limit=10_000)
            named = {row["ProductNumber"]: row["ProductName"] for row in shared}
            return [{**row, "ProductName": named[row["ProductNumber"]]} for row in found]
        return found

    def put(self, kind: str, values: Row) -> str:
        if kind == "customer":
            made = self.control.command("create", set="CustomersV3", values={**self.new_customer, **values})
        else:
            made = self.control.command("release", values={**self.new_product, **values})
        return self.key(kind, made)

    def edit(self, kind: str, key: str, values: Row) -> None:
        """The name of a product is the shared product's."""
        if "ProductName" in values:
            self.control.command("edit", set="ProductsV2", key={"ProductNumber": key}, values=values)
        else:
            whole = {"dataAreaId": self.company, self.keys[kind]: key}
            self.control.command("edit", set=self.objects[kind], key=whole, values=values)


ERPS: Mapping[str, type[Erp]] = {erp.kind: erp for erp in (BusinessCentral, FinanceOperations)}
