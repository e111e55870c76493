from __future__ import annotations

import pytest

from weft_creatio.package.errors import PackageError
from weft_creatio.package.model import parse_model

GOOD = """\
package: {name: P, title: t, version: 1.0.0, released: 2025-01-01}
lookups:
  Kind: {caption: Kinds, columns: {Code: ShortText}, rows: {FirstOne: the first}}
objects:
  Doc:
    caption: Doc
    display: Number
    columns: {Number: MediumText, GLAccount: -> Account, Kind: {to: Kind, required: true}}
  Line:
    caption: Line
    display: Name
    tracked: true
    line_of: Doc
    columns: {Doc: -> Doc, Name: ShortText}
  Box: {caption: Box, display: Name, outbox: true, columns: {Name: ShortText}}
extends:
  OrderProduct: {line_of: Order, columns: {NetAmount: Money}}
"""


def test_shorthand_captions_and_rows() -> None:
    model = parse_model(GOOD, "m.yaml")
    number, account, kind = model.object("Doc").columns
    assert (number.caption, account.caption, account.ref) == ("Number", "GL account", "Account")
    assert (kind.required, kind.type) == (True, "Lookup")
    (row,) = model.object("Kind").rows
    assert (row.name, row.title, row.description) == ("FirstOne", "First one", "the first")
    assert model.object("OrderProduct").columns[0].caption == "Net amount"
    assert model.object("OrderProduct").caption == "Order product"
    parent = model.object("Line").parent_column
    assert parent is not None
    assert parent.name == "Doc"
    assert [spec.name for spec in model.tracked] == ["Line"]
    assert model.outbox.name == "Box"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("package:", "package: [", "m.yaml: not YAML"),
        ("objects:", "objekts:", "m.yaml: unknown objekts (known: extends,"),
        ("released: 2025-01-01", "released: soon", "package.released: a date"),
        ("Number: MediumText", "Number: Mediumtext", "objects.Doc.columns.Number: unknown type 'Mediumtext'"),
        ("-> Account", "-> Acount", "Doc.GLAccount: no object 'Acount'"),
        ("{to: Kind, required", "{type: Money, to: Kind, required", "a lookup is written"),
        ("GLAccount: -> Account", "GLAccount: Lookup", "a lookup is written"),
        ("display: Number", "display: Nummer", "objects.Doc.display: 'Nummer'"),
        ("caption: Doc", "captoin: Doc", "objects.Doc: unknown captoin"),
        ("required: true", "required: true, default: {source: Now}", "default: source Const"),
        ("required: true", "default: {source: SystemValue, value: Now}", "unknown system value 'Now'"),
        ("outbox: true, ", "", "exactly one object is the outbox"),
        ("line_of: Doc", "line_of: Box", "no column refers to Box"),
        ("line_of: Order", "line_of: Ordre", "no object 'Ordre'"),
        ("  OrderProduct:", "  Cashflow:", "extends.Cashflow: not a stock object"),
        ("  Box:", "  Account:", "objects.Account: Creatio has it already"),
        ("Doc: -> Doc, Name", "Doc: -> Doc, DocId: Guid, Name", "two columns are called DocId"),
        ("{Code: ShortText}", "{Name: ShortText}", "every lookup has one already"),
        ("  Box:", "  box:", "objects.box: an object name is a word"),
        ("FirstOne:", "first one:", "a row's key is a word"),
        ("{name: P,", "{name: 3,", "package.name: a text is needed"),
        ("{Number: MediumText", "{num ber: MediumText", "a column name is a word"),
        ("lookups:", "lookups: []\nx:", "unknown x"),
    ],
)
def test_mistakes_are_named_with_their_place(old: str, new: str, words: str) -> None:
    assert old in GOOD
    with pytest.raises(PackageError) as caught:
        parse_model(GOOD.replace(old, new, 1), "m.yaml")
    assert words in str(caught.value)
