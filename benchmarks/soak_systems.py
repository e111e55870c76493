"""The systems of the soak, in processes of their own, and what people do in them."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any, ClassVar

from weft.testing.simulator import Simulator
from weft.testing.simulator.control_client import ControlClient

COMPANY = "CRONUS USA, Inc."
CUSTOMER = "03a75490-53e6-df11-971b-001d60e938c6"
WON = "60d5310c-5be6-df11-971b-001d60e938c6"


def creatio() -> list[Simulator]:
    """An empty site with weft's package."""
    from weft_creatio.package.build import BuildOptions, build_archive
    from weft_creatio.package.contents import read_package
    from weft_creatio.package.model import load_model
    from weft_creatio.simulator import CreatioSimulator

    sim = CreatioSimulator.create(records=0)
    sim.installer.apply(read_package(build_archive(load_model(), BuildOptions())))

    async def find(entity: str, query: str = "") -> list[dict[str, Any]]:
        return sim.as_user().find(entity, query)

    sim.register("find", find, "records as OData shows them: entity, query")
    return [sim]


def business_central() -> list[Simulator]:
    """An empty company that tells of changes after a second, not thirty."""
    from weft_bc.simulator import BusinessCentralSimulator

    sim = BusinessCentralSimulator.create(
        records=0, documents=0, companies=[COMPANY], notification_delay=1.0, retry_delays=(1.0, 2.0, 5.0)
    )
    return [sim, sim.entra]


def finance_operations() -> list[Simulator]:
    """An empty company."""
    from weft_d365fo.simulator import FinanceOperationsSimulator

    sim = FinanceOperationsSimulator.create(records=0, documents=0, companies=["usmf"])
    return [sim, sim.entra]


class Site:
    """People at the Creatio site. Everything they type is new, so that nothing looks like going back and forth."""

    def __init__(self, control: ControlClient, rng: random.Random, started: str) -> None:
        self.control, self.rng, self.started = control, rng, started
        self.accounts: list[str] = []
        self.products: list[str] = []
        self.count = self.deals = 0
        for row in self.find("Product"):  # sold by the hour, which not every ERP does
            self.control.command("delete", entity="Product", id=row["Id"])
        self.currency = next(row["Id"] for row in self.find("Currency") if row["ShortName"] == "USD")
        self.country = next(row["Id"] for row in self.find("Country", "$top=5000") if row["Alpha2Code"] == "US")

    def find(self, entity: str, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control.command("find", entity=entity, query=query)
        return found

    def act(self) -> tuple[str, str]:
        """One thing somebody does; the object and key of what the site then tells weft."""
        self.count += 1
        chance = self.rng.random()
        if chance < 0.2 or len(self.accounts) < 5:
            return self._new_account()
        if chance < 0.25 or len(self.products) < 3:
            return self._new_product()
        if chance < 0.33:
            return self._deal()
        if chance < 0.5:
            key = self.rng.choice(self.products)
            self.control.command("edit", entity="Product", id=key, values={"Price": self._amount()})
            return "Product", key
        key = self.rng.choice(self.accounts)
        field = self.rng.choice(("Name", "Phone", "UsrCreditLimit"))
        self.control.command("edit", entity="Account", id=key, values={field: self._value(field)})
        return "Account", key

    def _value(self, field: str) -> Any:
        if field == "UsrCreditLimit":
            return self._amount()
        return f"Account {self.started}{self.count}" if field == "Name" else f"+1 425 555 {self.count:06d}"

    def _amount(self) -> Decimal:
        return Decimal(100 + self.count) + Decimal(self.rng.randrange(100)) / 100

    def _create(self, entity: str, **values: Any) -> str:
        made = self.control.command("create", entity=entity, values=values)
        return str(made["Id"] if isinstance(made, dict) else made)

    def _new_account(self) -> tuple[str, str]:
        key = self._create(
            "Account", Name=self._value("Name"), TypeId=CUSTOMER, CountryId=self.country, Zip="33101",
            UsrTaxId=f"T{self.started}{self.count}", Phone=self._value("Phone"),
        )  # fmt: skip
        self.accounts.append(key)
        return "Account", key

    def _new_product(self) -> tuple[str, str]:
        code = f"P{self.started}{self.count}"
        key = self._create("Product", Name=f"Product {self.count}", Code=code, Active=True, Price=self._amount())
        self.products.append(key)
        return "Product", key

    def _deal(self) -> tuple[str, str]:
        """An opportunity with up to three lines, won at once."""
        self.deals += 1
        deal = self._create(
            "Opportunity", Title=f"Deal {self.started}{self.count}", AccountId=self.rng.choice(self.accounts),
            UsrCurrencyId=self.currency, DueDate="2026-07-31T00:00:00Z",
        )  # fmt: skip
        for product in self.rng.sample(self.products, min(3, len(self.products))):
            price, quantity = self._amount(), Decimal(self.rng.randint(1, 9))
            self._create("OpportunityProductInterest", OpportunityId=deal, ProductId=product, Quantity=quantity,
                         Price=price, Amount=price * quantity)  # fmt: skip
        self.control.command("edit", entity="Opportunity", id=deal, values={"StageId": WON})
        return "Opportunity", deal


class Erp:
    """People at the ERP: they enter customers, and change customers and prices."""

    kind: ClassVar[str]
    factory: ClassVar[str]
    path: ClassVar[str]
    """Where its API is, as a pattern: faults strike there."""
    customers: ClassVar[str]
    products: ClassVar[str]
    name: ClassVar[str]
    phone: ClassVar[str]
    tax: ClassVar[str]
    limit: ClassVar[str]
    price: ClassVar[str]
    new: ClassVar[dict[str, Any]] = {}

    def __init__(self, control: ControlClient, rng: random.Random, started: str) -> None:
        self.control, self.rng, self.started, self.count = control, rng, started, 0

    def act(self) -> None:
        self.count += 1
        chance = self.rng.random()
        customers = self.rows(self.customers)
        products = self.rows(self.products)
        if chance < 0.15 or len(customers) < 5:
            values = {**self.new, self.name: self._name(), self.tax: f"E{self.started}{self.count}"}
            self.control.command("create", set=self.customers, values=values)
        elif chance < 0.4 and products:
            self.edit(self.products, self.rng.choice(products), {self.price: self._amount()})
        else:
            field = self.rng.choice((self.name, self.phone, self.limit))
            value = {self.name: self._name(), self.phone: f"+1 206 555 {self.count:06d}", self.limit: self._amount()}
            self.edit(self.customers, self.rng.choice(customers), {field: value[field]})

    def _name(self) -> str:
        return f"Customer {self.started}{self.count}"

    def _amount(self) -> Decimal:
        return Decimal(5_000 + self.count) + Decimal(self.rng.randrange(100)) / 100

    def rows(self, set: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control.command("list", set=set, limit=10_000)
        return found

    def edit(self, set: str, row: dict[str, Any], values: dict[str, Any]) -> None:
        raise NotImplementedError

    def connection(self) -> dict[str, Any]:
        """What its connection needs beside the address."""
        raise NotImplementedError


class BusinessCentral(Erp):
    kind, factory, path = "bc", "benchmarks.soak_systems:business_central", r"/api/v2\.0"
    customers, products = "customers", "items"
    name, phone, tax = "displayName", "phoneNumber", "taxRegistrationNumber"
    limit, price = "creditLimit", "unitPrice"

    def edit(self, set: str, row: dict[str, Any], values: dict[str, Any]) -> None:
        self.control.command("edit", set=set, key=str(row["id"]), values=values)

    def connection(self) -> dict[str, Any]:
        from weft_bc.simulator import CLIENT_ID, CLIENT_SECRET
        from weft_bc.simulator.settings import Settings

        return {
            "tenant": Settings().tenant, "company": COMPANY,
            "auth": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
        }  # fmt: skip


class FinanceOperations(Erp):
    kind, factory, path = "d365fo", "benchmarks.soak_systems:finance_operations", "/data/"
    customers, products = "CustomersV3", "ReleasedProductsV2"
    name, phone, tax = "OrganizationName", "PrimaryContactPhone", "TaxExemptNumber"
    limit, price = "CreditLimit", "SalesPrice"
    new: ClassVar[dict[str, Any]] = {"PartyType": "Organization", "CustomerGroupId": "10", "SalesCurrencyCode": "USD"}
    keys: ClassVar[dict[str, str]] = {"CustomersV3": "CustomerAccount", "ReleasedProductsV2": "ItemNumber"}

    def edit(self, set: str, row: dict[str, Any], values: dict[str, Any]) -> None:
        key = {"dataAreaId": "usmf", self.keys[set]: row[self.keys[set]]}
        self.control.command("edit", set=set, key=key, values=values)

    def connection(self) -> dict[str, Any]:
        from weft_d365fo.simulator import CLIENT_ID, CLIENT_SECRET, Settings

        return {
            "tenant": Settings().tenant, "company": "usmf", "site": "1", "sweep_every": 0,
            "product_defaults": {
                "ProductGroupId": "Parts", "ItemModelGroupId": "FIFO", "StorageDimensionGroupName": "SiteWH",
                "TrackingDimensionGroupName": "None",
            },
            "auth": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
        }  # fmt: skip


ERPS: dict[str, type[Erp]] = {one.kind: one for one in (BusinessCentral, FinanceOperations)}
