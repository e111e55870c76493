"""Which entities there are: core's own, those that plugins add, those declared in ``weft.yaml``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, Self

from weft.errors import ConfigError
from weft.model.declared import EntityDeclaration, entity_from_config
from weft.model.entities import (
    banking,
    crm,
    inventory,
    ledger,
    parties,
    payments,
    products,
    purchasing,
    reference,
    sales,
)
from weft.model.entities import time as working_time
from weft.model.entity import Entity, EntityType, entity_type

if TYPE_CHECKING:
    from weft.plugins import Plugins

CORE: tuple[type[Entity], ...] = (
    parties.Customer,
    parties.Contact,
    parties.Vendor,
    products.Product,
    products.Price,
    crm.Lead,
    crm.Opportunity,
    crm.Activity,
    crm.Project,
    sales.Quote,
    sales.SalesOrder,
    sales.SalesInvoice,
    sales.CreditMemo,
    sales.SalesReceipt,
    sales.StatementCharge,
    payments.Payment,
    purchasing.PurchaseOrder,
    purchasing.Bill,
    purchasing.VendorCredit,
    purchasing.BillPayment,
    banking.Deposit,
    banking.Check,
    banking.CardCharge,
    ledger.GlAccount,
    ledger.JournalEntry,
    ledger.ExchangeRate,
    working_time.TimeEntry,
    inventory.InventoryLevel,
    reference.Currency,
    reference.Country,
    reference.Region,
    reference.City,
    reference.Unit,
    reference.PaymentTerms,
    reference.PaymentMethod,
    reference.ShipmentMethod,
    reference.Tax,
    reference.CustomerGroup,
    reference.VendorGroup,
    reference.ItemGroup,
    reference.PriceList,
    reference.User,
    reference.Location,
    reference.BankAccount,
    reference.DimensionValue,
)


def core_entities() -> list[EntityType]:
    """The entities that weft itself brings, in the order of the documentation."""
    return [entity_type(cls) for cls in CORE]


class Declares(Protocol):
    """A configuration, as far as it declares entities."""

    @property
    def entities(self) -> dict[str, EntityDeclaration]: ...


class Catalogue:
    """All entities of one configuration, by name.

    ``sources`` maps where entities come from (``weft``, ``plugin bc``, ``weft.yaml``) to them; a name
    that two sources claim, or a reference to an entity nobody declares, is a :class:`ConfigError`.
    """

    def __init__(self, sources: Mapping[str, Iterable[EntityType]] | None = None) -> None:
        types: dict[str, EntityType] = {}
        origin: dict[str, str] = {}
        for source, entities in (sources if sources is not None else {"weft": core_entities()}).items():
            for entity in entities:
                if entity.name in types:
                    raise ConfigError(
                        f"entity {entity.name!r} of {source} exists already: {origin[entity.name]} "
                        "declares it. Give the new one another name"
                    )
                types[entity.name], origin[entity.name] = entity, source
        self.types: Mapping[str, EntityType] = MappingProxyType(types)
        self.origin: Mapping[str, str] = MappingProxyType(origin)
        for entity in types.values():
            self._check(entity, entity.name)

    @classmethod
    def of(cls, plugins: Plugins | None, config: Declares) -> Self:
        """core's entities, those of the loaded plugins, and those declared under ``entities:``."""
        sources: dict[str, Iterable[EntityType]] = {"weft": core_entities()}
        for kind, plugin in (plugins.loaded if plugins else {}).items():
            if "weft_entities" in plugin.hooks:
                sources[f"plugin {kind}"] = plugin.module.weft_entities()
        declared = config.entities.items()
        sources["the configuration"] = [entity_from_config(name, found) for name, found in declared]
        return cls(sources)

    def _check(self, entity: EntityType, path: str) -> None:
        for name, found in entity.fields.items():
            if found.entity and found.entity not in self.types:
                raise ConfigError(
                    f"{path}.{name} of {self.origin[path.split('.')[0]]} refers to entity {found.entity!r}, "
                    f"which does not exist{self.suggest(found.entity)}"
                )
        for name, line in entity.lines.items():
            self._check(line, f"{path}.{name}")

    def suggest(self, name: str) -> str:
        """``"; did you mean 'customer'?"`` or nothing."""
        close = difflib.get_close_matches(name, self.types, n=1)
        return f"; did you mean {close[0]!r}?" if close else ""

    def get(self, name: str) -> EntityType:
        """The entity of that name; a :class:`ConfigError` with the nearest name otherwise."""
        found = self.types.get(name)
        if found is None:
            raise ConfigError(f"there is no entity {name!r}{self.suggest(name)}")
        return found

    def __contains__(self, name: object) -> bool:
        return name in self.types

    def __iter__(self) -> Iterator[EntityType]:
        return iter(self.types.values())

    def __len__(self) -> int:
        return len(self.types)

    def is_reference(self, name: str) -> bool:
        """Whether references to the entity are codes rather than links."""
        return self.get(name).kind == "reference"
