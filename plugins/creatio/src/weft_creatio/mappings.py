"""The packaged mapping documents, with the site's prefix, and without what its settings leave out."""

from __future__ import annotations

from collections.abc import Collection

from weft.mapping.document import Mapping
from weft.mapping.loading import packaged
from weft_creatio.package.model import load_model
from weft_creatio.package.names import Names
from weft_creatio.settings import CreatioSettings


def packaged_mappings(settings: CreatioSettings, entity: str) -> list[Mapping]:
    names = Names(settings.prefix)
    found = packaged("weft_creatio", entity, placeholders(names))
    if not settings.document_rates:
        rates = {"CurrencyRate", names.column("CurrencyRate")}
        found = [without(one, rates) for one in found]
    return found if settings.package else stock_only(found, names)


def placeholders(names: Names) -> dict[str, str]:
    """``{prefix}``, and the Ids of the rows the package brings: ``{payment_status_posted}``."""
    values = {"prefix": names.prefix}
    for lookup in load_model().objects:
        for row in lookup.rows:
            values[f"{_snake(lookup.name)}_{_snake(row.name)}"] = names.row(lookup.name, row.name)
    return values


def stock_only(mappings: list[Mapping], names: Names) -> list[Mapping]:
    """Mappings of objects that every site has, without the columns that weft's package adds."""
    model = load_model()
    own = {names.object(one.name) for one in model.objects if not one.extends}
    columns = {
        name
        for one in model.objects
        if one.extends
        for column in one.columns
        for name in (names.column(column.name), names.lookup(column.name))
    }
    found = []
    for mapping in mappings:
        if mapping.object.read in own or any(name in (mapping.when or "") for name in columns):
            continue
        found.append(without(mapping, columns))
    return found


def without(mapping: Mapping, columns: Collection[str]) -> Mapping:
    """The mapping less the fields of these columns, its lines' included."""
    data = mapping.model_dump(by_alias=True, exclude_unset=True)
    for fields in (data, *data.get("lines", {}).values()):
        fields["fields"] = {name: value for name, value in fields["fields"].items() if _native(name) not in columns}
    extra = {"source": mapping.source, "placeholders": mapping.placeholders, "positions": mapping.positions}
    return Mapping.model_validate({**data, **extra})


def _native(label: str) -> str:
    return label.partition("#")[0].rpartition(".")[2].partition("/")[0]


def _snake(name: str) -> str:
    text = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
    return "".join(c for c in text if c.isalnum() or c == "_")
