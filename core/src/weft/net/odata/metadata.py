"""`$metadata` (EDMX 4.0, CSDL XML) as plain objects: what fields an entity set has, their types and limits.

Parsed with expat directly: 1.4 MB with 1,400 entity types takes a fraction of a second. A document type
declaration is refused, so no entity, internal or external, is ever expanded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat


class MetadataError(ValueError):
    """Not an EDMX document; the message gives line and column."""


@dataclass(frozen=True, slots=True)
class Property:
    """`type` is the Edm or qualified enum type; `collection` if it was Collection(…).

    `max_length` in characters, None for unlimited or unknown. `scale` is None for variable. `annotations`:
    term as written -> text, `true`/`false` or the member of an enum.
    """

    name: str
    type: str
    nullable: bool = True
    max_length: int | None = None
    precision: int | None = None
    scale: int | None = None
    collection: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Navigation:
    """`type` is the qualified entity type it leads to."""

    name: str
    type: str
    collection: bool = False
    nullable: bool = True
    partner: str = ""
    contains: bool = False
    constraints: Mapping[str, str] = field(default_factory=dict)
    """This type's property -> the target's property, where the document says so."""


@dataclass(slots=True)
class EntityType:
    """An entity or complex type, by its qualified name; `keys` is empty for a complex type."""

    name: str
    base: str = ""
    keys: tuple[str, ...] = ()
    properties: dict[str, Property] = field(default_factory=dict)
    navigation: dict[str, Navigation] = field(default_factory=dict)
    abstract: bool = False
    open: bool = False
    has_stream: bool = False
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EnumType:
    name: str
    members: Mapping[str, int | None]
    flags: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """An action or function; `parameters` maps names to types, the binding parameter first if bound."""

    name: str
    action: bool
    bound: bool
    parameters: Mapping[str, str]
    returns: str = ""


@dataclass(slots=True)
class Metadata:
    """`sets` maps entity set (and singleton) names to qualified type names."""

    sets: dict[str, str] = field(default_factory=dict)
    singletons: dict[str, str] = field(default_factory=dict)
    types: dict[str, EntityType] = field(default_factory=dict)
    enums: dict[str, EnumType] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)

    def entity(self, name: str) -> EntityType:
        """The type of an entity set or singleton with inherited members included; KeyError if unknown."""
        qualified = self.sets.get(name) or self.singletons.get(name)
        if qualified is None:
            raise KeyError(name)
        return self.type(qualified)

    def type(self, qualified: str) -> EntityType:
        """A type by qualified name, inherited members included."""
        chain: list[EntityType] = []
        seen: set[str] = set()
        while qualified and qualified not in seen:
            seen.add(qualified)
            found = self.types.get(qualified)
            if found is None:
                if not chain:
                    raise KeyError(qualified)
                break  # a base type of a schema that is only referenced
            chain.append(found)
            qualified = found.base
        top = chain[0]
        if len(chain) == 1:
            return top
        merged = EntityType(top.name, top.base, abstract=top.abstract)
        for part in reversed(chain):
            merged.keys = part.keys or merged.keys
            merged.properties |= part.properties
            merged.navigation |= part.navigation
            merged.annotations |= part.annotations
            merged.open = merged.open or part.open
            merged.has_stream = merged.has_stream or part.has_stream
        return merged


def parse(document: bytes) -> Metadata:
    """Parse an EDMX document; MetadataError if it is none."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        head = document[:80].decode("utf-8", "replace").strip()
        raise MetadataError(f"$metadata is not well-formed XML: {error}; it begins: {head!r}") from error
    if not reader.edmx:
        raise MetadataError(f"$metadata is XML, but its root element is {reader.root!r}, not edmx:Edmx")
    return reader.resolved()


def _refuse_doctype(*_: object) -> None:
    raise MetadataError("$metadata with a document type declaration is refused")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def _element(type_name: str) -> tuple[str, bool]:
    if type_name.startswith("Collection(") and type_name.endswith(")"):
        return type_name[11:-1], True
    return type_name, False


class _Reader:
    """Expat callbacks; one element of interest is open at a time, as CSDL does not nest types."""

    def __init__(self) -> None:
        self.edmx = False
        self.root = ""
        self._meta = Metadata()
        self._aliases: dict[str, str] = {}
        self._namespace = ""
        self._type: EntityType | None = None
        self._keys: list[str] | None = None
        self._enum: tuple[str, bool, dict[str, int | None]] | None = None
        self._navigation: tuple[Navigation, dict[str, str]] | None = None
        self._annotated: dict[str, str] | None = None
        """What an annotation met now belongs to."""
        self._term = ""
        self._member_text = False
        self._operation: tuple[str, bool, bool, dict[str, str], list[str]] | None = None

    def start(self, tag: str, given: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if not self.root:
            self.root = tag
            self.edmx = tag == "Edmx"
        begin = _STARTS.get(tag)
        if begin is not None:
            begin(self, given)

    def end(self, tag: str) -> None:
        finish = _ENDS.get(tag.rpartition(":")[2])
        if finish is not None:
            finish(self)

    def text(self, data: str) -> None:
        if self._member_text and self._annotated is not None and data.strip():
            self._annotated[self._term] = data.strip()

    def _schema(self, given: dict[str, str]) -> None:
        self._namespace = given.get("Namespace", "")
        if given.get("Alias"):
            self._aliases[given["Alias"]] = self._namespace

    def _full(self, name: str) -> str:
        return f"{self._namespace}.{name}" if self._namespace else name

    def _entity_type(self, given: dict[str, str]) -> None:
        self._type = EntityType(
            self._full(given.get("Name", "")),
            given.get("BaseType", ""),
            abstract=given.get("Abstract") == "true",
            open=given.get("OpenType") == "true",
            has_stream=given.get("HasStream") == "true",
        )
        self._meta.types[self._type.name] = self._type
        self._annotated = self._type.annotations

    def _end_type(self) -> None:
        self._type = self._annotated = None

    def _key(self, given: dict[str, str]) -> None:
        self._keys = []

    def _end_key(self) -> None:
        if self._type is not None and self._keys:
            self._type.keys = tuple(self._keys)
        self._keys = None

    def _key_part(self, given: dict[str, str]) -> None:
        if self._keys is not None:
            self._keys.append(given.get("Name", ""))

    def _property(self, given: dict[str, str]) -> None:
        if self._type is None:
            return
        kind, collection = _element(given.get("Type", "Edm.String"))
        name = given.get("Name", "")
        self._annotated = {}
        self._type.properties[name] = Property(
            name,
            kind,
            given.get("Nullable") != "false",
            _number(given.get("MaxLength")),
            _number(given.get("Precision")),
            _number(given.get("Scale")),
            collection,
            self._annotated,
        )

    def _end_property(self) -> None:
        self._annotated = None if self._type is None else self._type.annotations

    def _annotation(self, given: dict[str, str]) -> None:
        self._term = given.get("Term", "")
        value = given.get("String", given.get("Bool", given.get("Int", given.get("EnumMember"))))
        if self._annotated is not None and value is not None:
            self._annotated[self._term] = value

    def _enum_member(self, given: dict[str, str]) -> None:
        self._member_text = True

    def _end_enum_member(self) -> None:
        self._member_text = False

    def _navigation_property(self, given: dict[str, str]) -> None:
        if self._type is None:
            return
        kind, collection = _element(given.get("Type", given.get("ToRole", "")))
        name = given.get("Name", "")
        constraints: dict[str, str] = {}
        self._annotated = None  # an annotation met now is about the navigation
        self._type.navigation[name] = Navigation(
            name,
            kind,
            collection,
            given.get("Nullable") != "false",
            given.get("Partner", ""),
            given.get("ContainsTarget") == "true",
            constraints,
        )
        self._navigation = (self._type.navigation[name], constraints)

    def _end_navigation(self) -> None:
        self._navigation = None
        self._annotated = None if self._type is None else self._type.annotations

    def _constraint(self, given: dict[str, str]) -> None:
        if self._navigation is not None and "Property" in given:
            self._navigation[1][given["Property"]] = given.get("ReferencedProperty", "")

    def _enum_type(self, given: dict[str, str]) -> None:
        self._enum = (self._full(given.get("Name", "")), given.get("IsFlags") == "true", {})

    def _member(self, given: dict[str, str]) -> None:
        if self._enum is not None:
            value = given.get("Value")
            try:
                self._enum[2][given.get("Name", "")] = None if value is None else int(value)
            except ValueError:
                raise MetadataError(f"enum {self._enum[0]}: member value {value!r} is no number") from None

    def _end_enum(self) -> None:
        if self._enum is not None:
            name, flags, members = self._enum
            self._meta.enums[name] = EnumType(name, members, flags)
        self._enum = None

    def _set(self, given: dict[str, str]) -> None:
        self._meta.sets[given.get("Name", "")] = given.get("EntityType", "")

    def _singleton(self, given: dict[str, str]) -> None:
        self._meta.singletons[given.get("Name", "")] = given.get("Type", "")

    def _begin_operation(self, given: dict[str, str], action: bool) -> None:
        self._operation = (self._full(given.get("Name", "")), action, given.get("IsBound") == "true", {}, [])

    def _action(self, given: dict[str, str]) -> None:
        self._begin_operation(given, True)

    def _function(self, given: dict[str, str]) -> None:
        self._begin_operation(given, False)

    def _parameter(self, given: dict[str, str]) -> None:
        if self._operation is not None:
            self._operation[3][given.get("Name", "")] = given.get("Type", "")

    def _returns(self, given: dict[str, str]) -> None:
        if self._operation is not None:
            self._operation[4].append(given.get("Type", ""))

    def _end_operation(self) -> None:
        if self._operation is not None:
            name, action, bound, parameters, returns = self._operation
            self._meta.operations.append(Operation(name, action, bound, parameters, returns[0] if returns else ""))
        self._operation = None

    def resolved(self) -> Metadata:
        """The metadata with schema aliases replaced by namespaces."""
        meta = self._meta
        if not self._aliases:
            return meta
        meta.sets = {k: self._real(v) for k, v in meta.sets.items()}
        meta.singletons = {k: self._real(v) for k, v in meta.singletons.items()}
        for entity in meta.types.values():
            entity.base = self._real(entity.base)
            for p in entity.properties.values():
                if self._real(p.type) != p.type:
                    entity.properties[p.name] = Property(
                        p.name,
                        self._real(p.type),
                        p.nullable,
                        p.max_length,
                        p.precision,
                        p.scale,
                        p.collection,
                        p.annotations,
                    )
            for n in entity.navigation.values():
                if self._real(n.type) != n.type:
                    entity.navigation[n.name] = Navigation(
                        n.name,
                        self._real(n.type),
                        n.collection,
                        n.nullable,
                        n.partner,
                        n.contains,
                        n.constraints,
                    )
        return meta

    def _real(self, name: str) -> str:
        prefix, dot, last = name.rpartition(".")
        return f"{self._aliases[prefix]}.{last}" if dot and prefix in self._aliases else name


_STARTS = {
    "Schema": _Reader._schema,
    "EntityType": _Reader._entity_type,
    "ComplexType": _Reader._entity_type,
    "Key": _Reader._key,
    "PropertyRef": _Reader._key_part,
    "Property": _Reader._property,
    "Annotation": _Reader._annotation,
    "EnumMember": _Reader._enum_member,
    "NavigationProperty": _Reader._navigation_property,
    "ReferentialConstraint": _Reader._constraint,
    "EnumType": _Reader._enum_type,
    "Member": _Reader._member,
    "EntitySet": _Reader._set,
    "Singleton": _Reader._singleton,
    "Action": _Reader._action,
    "Function": _Reader._function,
    "Parameter": _Reader._parameter,
    "ReturnType": _Reader._returns,
}
_ENDS = {
    "EntityType": _Reader._end_type,
    "ComplexType": _Reader._end_type,
    "Key": _Reader._end_key,
    "Property": _Reader._end_property,
    "EnumMember": _Reader._end_enum_member,
    "NavigationProperty": _Reader._end_navigation,
    "EnumType": _Reader._end_enum,
    "Action": _Reader._end_operation,
    "Function": _Reader._end_operation,
}
