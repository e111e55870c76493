"""Settings, addresses, and the failures they lead to."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from weft.net.odata.metadata import EnumType, Metadata, Property
from weft_bc.commands import bc
from weft_bc.connector import weft_connector
from weft_bc.settings import BcSettings
from weft_bc.values import Unaskable, asked, caption, moment, written

APP = {"client_id": "a", "client_secret": "very-secret-value"}


def settings(**values) -> BcSettings:
    return BcSettings.model_validate({"tenant": "contoso.example", "auth": APP, **values})


def test_addresses_online_and_on_premises():
    online = "https://api.businesscentral.dynamics.com/v2.0"
    assert settings().root == f"{online}/contoso.example/production/api/v2.0"
    assert settings(environment="Sand box").root == f"{online}/contoso.example/Sand%20box/api/v2.0"
    basic = {"user": "u", "password": "key-of-44"}
    own = settings(url="https://bc.contoso.example:7048/", instance="BC250", auth=basic)
    assert own.root == "https://bc.contoso.example:7048/BC250/api/v2.0"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"auth": {"client_id": "a"}}, "either client_secret or certificate"),
        ({"auth": {**APP, "certificate": "c.pem"}}, "either client_secret or certificate"),
        ({"auth": {**APP, "user": "u"}}, "not both"),
        ({"auth": {"user": "u"}}, "user with password"),
        ({"auth": {"user": "u", "password": "passw"}}, "on premises only"),
        ({"tenant": None}, "tenant is required"),
        ({"company": "A", "companies": ["B"]}, "not both"),
        ({"url": "ftp://x"}, "https://"),
        ({"batch_size": 101}, "100"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_does_not_fit_is_said(values, words):
    with pytest.raises(ValidationError, match=words):
        settings(**values)


def test_no_secret_is_printed():
    assert "very-secret-value" not in repr(settings())
    assert "very-secret-value" not in settings().model_dump_json()


def test_every_setting_is_described_and_the_samples_are_valid():
    assert all(field.description for name, field in BcSettings.model_fields.items() if name != "auth")
    sample = weft_connector().samples
    BcSettings.model_validate(sample)


META = Metadata(enums={"NAV.e": EnumType("NAV.e", {"_x0020_": 0, "In_x0020_Review": 1})})


@pytest.mark.parametrize(
    ("type_", "blank"),
    [
        ("Edm.String", ""), ("Edm.Guid", "00000000-0000-0000-0000-000000000000"), ("Edm.Date", "0001-01-01"),
        ("Edm.DateTimeOffset", "0001-01-01T00:00:00Z"), ("Edm.Decimal", 0), ("Edm.Boolean", False),
        ("NAV.e", "_x0020_"),
    ],
)  # fmt: skip
def test_nothing_is_written_as_the_types_blank(type_, blank):
    assert written(None, Property("x", type_), META) == blank


def test_values_for_filters():
    assert str(asked("In_x0020_Review", Property("x", "NAV.e"), META, captions=True).member) == "In Review"
    assert asked("2024-01-31", Property("x", "Edm.Date"), META) == date(2024, 1, 31)
    assert asked("1.10", Property("x", "Edm.Decimal"), META) == Decimal("1.10")
    for type_, value in (("Edm.Guid", "x"), ("Edm.Decimal", "ten"), ("Edm.Boolean", "yes"), ("Edm.Date", "31.1.2024")):
        with pytest.raises(Unaskable, match="x cannot hold"):
            asked(value, Property("x", type_), META)
    with pytest.raises(Unaskable, match="longer than 3"):
        asked("four", Property("x", "Edm.String", max_length=3), META)


def test_captions_and_moments():
    assert caption("G_x002F_L_x0020_Account") == "G/L Account"
    assert caption("a_x_b_xyz") == "a_x_b_xyz"
    assert moment("2024-01-31T08:15:38.5Z") == datetime(2024, 1, 31, 8, 15, 38, 500000, tzinfo=UTC)
    assert moment("0001-01-01T00:00:00Z") is None


def test_the_commands_explain_themselves():
    result = CliRunner().invoke(bc, ["--help"])
    assert result.exit_code == 0
    assert "companies" in result.output
    assert "subscriptions" in result.output
