from __future__ import annotations

import time

import pytest

from weft.net.odata.metadata import MetadataError, parse

EDMX = b"""<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
  <edmx:DataServices>
    <Schema Namespace="Microsoft.NAV" Alias="NAV" xmlns="http://docs.oasis-open.org/odata/ns/edm">
      <EnumType Name="contactType"><Member Name="Company" Value="0"/>
        <Member Name="Person" Value="1"/></EnumType>
      <EnumType Name="flags" IsFlags="true"><Member Name="A"/></EnumType>
      <EntityType Name="crmbaseentity" Abstract="true"><Key><PropertyRef Name="id"/></Key>
        <Property Name="id" Type="Edm.Guid" Nullable="false"/></EntityType>
      <EntityType Name="customer" BaseType="NAV.crmbaseentity" OpenType="true" HasStream="true">
        <Property Name="number" Type="Edm.String" MaxLength="20"/>
        <Property Name="notes" Type="Edm.String" MaxLength="max"/>
        <Property Name="type" Type="NAV.contactType"/>
        <Property Name="balance" Type="Edm.Decimal" Precision="38" Scale="2" Nullable="true"/>
        <Property Name="rate" Type="Edm.Decimal" Scale="Variable"/>
        <Property Name="tags" Type="Collection(Edm.String)"/>
        <Property Name="currencyId" Type="Edm.Guid"/>
        <NavigationProperty Name="currency" Type="NAV.currency" Partner="customers">
          <ReferentialConstraint Property="currencyId" ReferencedProperty="id"/>
        </NavigationProperty>
        <NavigationProperty Name="lines" Type="Collection(Microsoft.NAV.line)" ContainsTarget="true"/>
        <Annotation Term="OData.Community.Keys.V1.AlternateKeys"><Collection><Record>
          <PropertyValue Property="Name" String="x"/></Record></Collection></Annotation>
      </EntityType>
      <EntityType Name="currency"><Key><PropertyRef Name="a"/><PropertyRef Name="b"/></Key>
        <Property Name="a" Type="Edm.String"/><Property Name="b" Type="Edm.Int32"/></EntityType>
      <ComplexType Name="address"><Property Name="street" Type="Edm.String"/></ComplexType>
      <Action Name="post" IsBound="true"><Parameter Name="bindingParameter" Type="NAV.customer"/>
        <ReturnType Type="Edm.String"/></Action>
      <Function Name="f"><Parameter Name="p" Type="Edm.Int32"/></Function>
      <EntityContainer Name="default">
        <EntitySet Name="customers" EntityType="Microsoft.NAV.customer">
          <NavigationPropertyBinding Path="currency" Target="currencies"/></EntitySet>
        <EntitySet Name="currencies" EntityType="NAV.currency"/>
        <Singleton Name="me" Type="NAV.customer"/>
      </EntityContainer>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>"""


def test_types_of_a_set_with_what_they_inherit():
    meta = parse(EDMX)
    assert meta.sets == {"customers": "Microsoft.NAV.customer", "currencies": "Microsoft.NAV.currency"}
    customer = meta.entity("customers")
    assert customer.keys == ("id",)
    assert list(customer.properties) == [
        "id",
        "number",
        "notes",
        "type",
        "balance",
        "rate",
        "tags",
        "currencyId",
    ]
    assert (customer.open, customer.has_stream) == (True, True)
    number, balance = customer.properties["number"], customer.properties["balance"]
    assert (number.type, number.max_length, number.nullable) == ("Edm.String", 20, True)
    assert (balance.precision, balance.scale) == (38, 2)
    assert customer.properties["rate"].scale is None
    assert customer.properties["notes"].max_length is None
    assert customer.properties["id"].nullable is False
    tags = customer.properties["tags"]
    assert (tags.type, tags.collection) == ("Edm.String", True)
    assert customer.properties["type"].type == "Microsoft.NAV.contactType"
    assert meta.entity("me").name == "Microsoft.NAV.customer"
    assert meta.entity("currencies").keys == ("a", "b")


def test_navigation_enums_and_operations():
    meta = parse(EDMX)
    lines, currency = (meta.entity("customers").navigation[n] for n in ("lines", "currency"))
    assert (lines.type, lines.collection, lines.contains) == ("Microsoft.NAV.line", True, True)
    assert (currency.type, currency.collection, currency.partner) == (
        "Microsoft.NAV.currency",
        False,
        "customers",
    )
    assert currency.constraints == {"currencyId": "id"}
    assert meta.enums["Microsoft.NAV.contactType"].members == {"Company": 0, "Person": 1}
    assert meta.enums["Microsoft.NAV.flags"].flags
    post, function = meta.operations
    assert (post.name, post.action, post.bound, post.returns) == (
        "Microsoft.NAV.post",
        True,
        True,
        "Edm.String",
    )
    assert function.parameters == {"p": "Edm.Int32"}
    assert meta.type("Microsoft.NAV.address").keys == ()


def test_unknown_names():
    meta = parse(EDMX)
    with pytest.raises(KeyError, match="nope"):
        meta.entity("nope")
    with pytest.raises(KeyError):
        meta.type("Microsoft.NAV.nope")


def test_a_circle_of_base_types_ends():
    text = EDMX.replace(b'Name="crmbaseentity"', b'Name="crmbaseentity" BaseType="NAV.customer"')
    assert "number" in parse(text).entity("customers").properties


@pytest.mark.parametrize(
    "text",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><edmx:Edmx xmlns:edmx="u">&a;</edmx:Edmx>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><edmx:Edmx xmlns:edmx="u"/>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "b">]><Edmx>&a;</Edmx>'.encode("utf-16"),
    ],
)
def test_document_types_are_refused(text):
    with pytest.raises(MetadataError, match="document type"):
        parse(text)


@pytest.mark.parametrize("text", [b"", b"<html><body>Sign in", b"{}", b"<html/>", EDMX[:-30]])
def test_what_is_no_edmx(text):
    with pytest.raises(MetadataError, match=r"not well-formed|root element is 'html'"):
        parse(text)


def test_a_large_document_is_quick():
    """The size of Creatio's: 1,400 sets, some 1.9 MB."""
    column = b'<Property Name="Column%d" Type="Edm.String" MaxLength="250" Nullable="false"/>'
    types = b"".join(
        b'<EntityType Name="T%d"><Key><PropertyRef Name="Id"/></Key>%s</EntityType>'
        % (n, b"".join(column % i for i in range(17)))
        for n in range(1400)
    )  # fmt: skip
    sets = b"".join(b'<EntitySet Name="S%d" EntityType="A.T%d"/>' % (n, n) for n in range(1400))
    text = (
        b'<edmx:Edmx xmlns:edmx="u"><edmx:DataServices><Schema Namespace="A">'
        + types
        + b"<EntityContainer>"
        + sets
        + b"</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )
    begun = time.process_time()
    meta = parse(text)
    spent = time.process_time() - begun
    assert len(meta.sets) == 1400
    assert len(meta.entity("S1399").properties) == 17
    assert spent < 2.0


def test_annotations_of_fields_and_types():
    meta = parse(
        EDMX.replace(
            b'<Property Name="notes" Type="Edm.String" MaxLength="max"/>',
            b"""<Property Name="notes" Type="Edm.String"><Annotation Term="Core.IsRequired" Bool="true"/>
                <Annotation Term="Core.AXType"><EnumMember>Core.AXType/Date</EnumMember></Annotation></Property>""",
        )
        .replace(b"<ReferentialConstraint", b'<Annotation Term="Core.LabelId" String="nav"/><ReferentialConstraint')
        .replace(
            b'<Annotation Term="OData.Community',
            b'<Annotation Term="Core.LabelId" String="@SYS1"/><Annotation Term="OData.Community',
        )
    )
    customer = meta.entity("customers")
    notes = customer.properties["notes"]
    assert notes.annotations == {"Core.IsRequired": "true", "Core.AXType": "Core.AXType/Date"}
    assert customer.properties["number"].annotations == {}
    assert customer.annotations == {"Core.LabelId": "@SYS1"}
