"""``$metadata`` and the service document out of a :class:`Model`."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from weft.testing.odata.render import dumps
from weft.testing.odata.schema import Action, EntityType, EnumType, Model, Navigation, Property


def metadata_xml(model: Model) -> bytes:
    """EDMX 4.0. Make once and keep: it can be large. Raises KeyError for a navigation to an unknown type."""
    out = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">',
        "<edmx:DataServices>",
        f'<Schema{_a("Namespace", model.namespace)} xmlns="http://docs.oasis-open.org/odata/ns/edm">',
    ]
    for entity in model.types.values():
        out += _entity(entity, model)
    for enum in model.enums.values():
        out += _enum(enum)
    for action in model.actions:
        out += _action(action, model)
    out += _container(model)
    out += ["</Schema>", "</edmx:DataServices>", "</edmx:Edmx>"]
    return "".join(out).encode()


def service_document(model: Model, root: str) -> bytes:
    """``{"@odata.context": root/$metadata, "value":[{"name","kind","url"}…]}``"""
    sets = [entity.set_name for entity in model.types.values() if entity.set_name is not None]
    return dumps(
        {
            "@odata.context": f"{root}/$metadata",
            "value": [{"name": name, "kind": "EntitySet", "url": name} for name in sets],
        }
    )


def _a(name: str, value: object) -> str:
    return f" {name}={quoteattr(str(value))}"


def _qualified(model: Model, edm: str) -> str:
    """Enum and entity types may be named without their namespace."""
    return edm if "." in edm else f"{model.namespace}.{edm}"


def _entity(entity: EntityType, model: Model) -> list[str]:
    keys = "".join(f"<PropertyRef{_a('Name', name)}/>" for name in entity.published_key or (entity.key,))
    out = [f"<EntityType{_a('Name', entity.name)}><Key>{keys}</Key>"]
    out += [_property(item, model) for item in entity.properties.values()]
    out += [_navigation(item, entity, model) for item in entity.navigations.values()]
    out.append(_annotations(entity.annotations))
    out.append("</EntityType>")
    return out


def _property(item: Property, model: Model) -> str:
    facets = _a("Name", item.name) + _a("Type", _qualified(model, item.type))
    if not item.nullable:
        facets += _a("Nullable", "false")
    for name, value in (("MaxLength", item.max_length), ("Precision", item.precision), ("Scale", item.scale)):
        if value is not None:
            facets += _a(name, value)
    if item.annotations:
        return f"<Property{facets}>{_annotations(item.annotations)}</Property>"
    return f"<Property{facets}/>"


def _annotations(annotations: Mapping[str, object]) -> str:
    out = ""
    for term, value in annotations.items():
        start = f"<Annotation{_a('Term', term)}"
        if isinstance(value, bool):
            out += f"{start}{_a('Bool', str(value).lower())}/>"
        elif isinstance(value, list):
            out += f"{start}><EnumMember>{escape(str(value[0]))}</EnumMember></Annotation>"
        else:
            out += f"{start}{_a('String', value)}/>"
    return out


def _navigation(item: Navigation, entity: EntityType, model: Model) -> str:
    target = model.types[item.target]
    name = f"{model.namespace}.{target.name}"
    text = _a("Name", item.name) + _a("Type", f"Collection({name})" if item.collection else name)
    if not item.nullable and not item.collection:
        text += _a("Nullable", "false")
    if item.partner is not None:
        text += _a("Partner", item.partner)
    if item.contains_target:
        text += _a("ContainsTarget", "true")
    if item.column is not None and item.column in entity.properties:
        link = _a("Property", item.column) + _a("ReferencedProperty", target.key)
        return f"<NavigationProperty{text}><ReferentialConstraint{link}/></NavigationProperty>"
    return f"<NavigationProperty{text}/>"


def _enum(enum: EnumType) -> list[str]:
    out = [f"<EnumType{_a('Name', enum.name)}>"]
    for at, member in enumerate(enum.members):
        name, value = (member, at) if isinstance(member, str) else member
        out.append(f"<Member{_a('Name', name)}{_a('Value', value)}/>")
    out.append("</EnumType>")
    return out


def _action(action: Action, model: Model) -> list[str]:
    bound = _qualified(model, action.bound_to)
    if action.on_collection:
        bound = f"Collection({bound})"
    out = [
        f'<Action{_a("Name", action.name)} IsBound="true">',
        f'<Parameter Name="bindingParameter"{_a("Type", bound)}/>',
    ]
    out += [f"<Parameter{_a('Name', name)}{_a('Type', _qualified(model, edm))}/>" for name, edm in action.parameters]
    if action.returns is not None:
        out.append(f"<ReturnType{_a('Type', _qualified(model, action.returns))}/>")
    out.append("</Action>")
    return out


def _container(model: Model) -> list[str]:
    out = [f"<EntityContainer{_a('Name', model.container)}>"]
    sets = {entity.name: entity.set_name for entity in model.types.values() if entity.set_name is not None}
    for entity in model.types.values():
        if entity.set_name is None:
            continue
        edm = f"{model.namespace}.{entity.name}"
        out.append(f"<EntitySet{_a('Name', entity.set_name)}{_a('EntityType', edm)}>")
        for item in entity.navigations.values():
            target = sets.get(item.target)
            if target is not None and not item.contains_target:
                out.append(f"<NavigationPropertyBinding{_a('Path', item.name)}{_a('Target', target)}/>")
        out.append("</EntitySet>")
    out.append("</EntityContainer>")
    return out
