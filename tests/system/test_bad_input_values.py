"""Values that are too long, odd or extreme: they arrive exactly as they are, or are refused by name."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

LONG = "Adatum " * 20  # 140 characters, Business Central holds 100


def test_text_too_long(pair: Any) -> None:
    """Refused before it is sent, with both names of the field; other records and other systems go on."""
    long = pair.account(LONG.strip(), Zip="10115")
    code = pair.account("Contoso", Zip="1" * 30)
    pair.account("Fabrikam", Zip="20095")
    pair.weft("plan", code=None).says("1 to create", "2 rejected")
    ran = pair.weft("sync", code=1)
    ran.says("2 rejected", "weft issues shows what needs a person")
    told = pair.weft("issues")
    told.says(
        "name: displayName: the text has 139 characters, 100 fit; shorten it or set `cut: true`",
        "address.postal_code: postalCode: the text has 30 characters, 20 fit; shorten it or set `cut: true`",
    )
    assert {one["code"] for one in pair.issues()} == {"too_long"}
    assert set(pair.customers()) == {"Fabrikam"}
    pair.edit_account(long, Name="Adatum")
    pair.edit_account(code, Zip="30303")
    pair.wait(100)
    pair.agree("Adatum", "Contoso", "Fabrikam")
    assert pair.issues() == []


def test_text_that_may_be_cut(pair: Any) -> None:
    """``cut: true`` shortens what is sent; the longer text on the other side is not touched by it."""
    fields = pair.config["mappings"]["erp"]["customer"]["default"]["fields"]
    fields["displayName"] = {"from": "name", "max": 100, "cut": True}
    pair.account(LONG.strip(), Zip="10115")
    pair.weft("sync")
    pair.weft("sync", "--sweep")
    assert set(pair.accounts()) == {LONG.strip()}
    assert set(pair.customers()) == {LONG[:100].strip()}
    assert pair.issues() == []


def test_text_too_long_for_the_system_only(pair: Any) -> None:
    """A mapping that promises too much: the check says so, the system's own words reach the user."""
    fields = pair.config["mappings"]["erp"]["customer"]["default"]["fields"]
    fields["displayName"] = {"from": "name", "max": 250}
    pair.weft("check", code=2).says(
        pair.line("displayName:"), "displayName: `max: 250` is more than the 100 characters that fit",
        "set `max: 100`",
    )  # fmt: skip
    pair.account(LONG.strip(), Zip="10115")
    pair.weft("sync", code=1)
    (issue,) = pair.issues()
    assert "The length of the string is 139, but it must be less than or equal to 100" in issue["reason"]
    del fields["displayName"]
    pair.edit_account(pair.accounts()[LONG.strip()]["Id"], Name="Adatum")
    pair.wait(7200)
    pair.agree("Adatum")


def test_control_characters(pair: Any) -> None:
    """What no system holds is refused by place and code point, and never reaches the terminal."""
    bad = {"Nul\x00x": "U+0000 at place 4", "Esc\x1b[31mred": "U+001B at place 4", "Bell\x07": "U+0007 at place 5"}
    keys = {name: pair.account(name, Zip=f"1011{n}") for n, name in enumerate(bad)}
    theirs = pair.customer("Vertical\x0btab", email="tab@contoso.example")
    good = ["Tab\there", "Line\nbreak", "Zero\u200bwidth", "Right\u202eleft", "Em 😀 Żółć", "e\u0301 combined"]
    for n, name in enumerate(good):
        pair.account(name, Zip=f"2011{n}")
    pair.weft("sync", code=1)
    told = pair.weft("issues")
    for place in (*bad.values(), "U+000B at place 9"):
        told.says(f"the text holds the control character {place}; remove it in the source")
    shown = "".join(ran.text for ran in pair.ran)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", shown)
    assert set(pair.customers()) == {*good, "Vertical\x0btab"}
    for n, key in enumerate(keys.values()):
        pair.edit_account(key, Name=f"Clean {n}")
    pair.edit_customer(theirs, displayName="Clean tab")
    pair.wait(100)
    pair.agree(*good, "Clean 0", "Clean 1", "Clean 2", "Clean tab")
    assert pair.issues() == []


def test_quotes_and_percent_signs_in_keys(pair: Any) -> None:
    """Values that are searched for stand in URLs and filters: none of them may end one, or match another."""
    fields = pair.config["mappings"]["erp"]["customer"]["default"]["fields"]
    fields["number"] = {"from": "number", "on": "create"}
    names = [
        "It's 100% \"A&B\" #1 +/?", "O''Neil", "50%25 off", "a%27b", "semi;colon", "back\\slash", "*", "_", "'",
        "tab' or '1' eq '1", "$filter=name eq 'x'", "..", "(1)", "{{x}}", "NULL", "100%",
    ]  # fmt: skip
    for n, name in enumerate(names):
        match = {"UsrTaxId": f"T'{n}%{n}/"} if n % 2 else {"Zip": f"1%{n}'"}
        pair.account(name, **match)
    held = [('It\'s 100% "A&B" #1 +/?', {"postalCode": "1%0'"}), ("Other", {"taxRegistrationNumber": "T'3%3/"})]
    for n, (name, match) in enumerate(held):
        pair.customer(name, number=f"C'{n}%", **match)
    pair.weft("sync")
    assert len(pair.accounts()) == len(pair.customers()) == len(names)
    linked = pair.json("links", "list")
    assert len(linked) == len(names)
    pair.wait(10)
    pair.agree(*pair.accounts())
    for field in ("Zip", "UsrTaxId"):
        ours = {row["UsrErpNumber"]: row[field] for row in pair.accounts().values()}
        native = {"Zip": "postalCode", "UsrTaxId": "taxRegistrationNumber"}[field]
        theirs = {row["number"]: row[native] for row in pair.customers().values()}
        assert ours == theirs
    found = pair.json("issues", "list", "--text", "100%' OR 1=1 --")
    assert found == []


def test_amounts_of_16_digits(pair: Any) -> None:
    """Exact to the last digit, both ways, in every output."""
    pair.config["flows"]["customers"]["fields"] = {}
    amounts = {
        "Large": "12345678901234.56", "Larger": "9999999999999999.99", "Small": "0.01", "Odd": "1234567890123456.7",
        "Thirds": "3333333333333.33",
    }  # fmt: skip
    for n, (name, amount) in enumerate(amounts.items()):
        pair.account(name, UsrTaxId=f"DE{n}", UsrCreditLimit=Decimal(amount))
    back = pair.customer("Back", taxRegistrationNumber="DE99", creditLimit=Decimal("7777777777777777.77"))
    planned = pair.weft("plan").text
    assert all(amount in planned for amount in amounts.values())
    pair.agree(*amounts, "Back")
    theirs = {name: Decimal(row["creditLimit"]) for name, row in pair.customers().items()}
    ours = {name: Decimal(row["UsrCreditLimit"]) for name, row in pair.accounts().items()}
    assert (
        ours == theirs == {name: Decimal(a) for name, a in amounts.items()} | {"Back": Decimal("7777777777777777.77")}
    )
    pair.edit_customer(back, creditLimit=Decimal("7777777777777777.78"))
    pair.agree(*amounts, "Back")
    assert pair.accounts()["Back"]["UsrCreditLimit"] == Decimal("7777777777777777.78")
    total = sum(theirs.values()) + Decimal("0.01")
    proof = pair.json("verify")[0]["totals"]["credit_limit"]
    assert {side: Decimal(value) for side, value in next(iter(proof.values())).items()} == {
        "left": total, "right": total,
    }  # fmt: skip


def test_amounts_that_are_none(pair: Any) -> None:
    """An edit by hand of the wrong type is refused with what is expected."""
    pair.account(LONG.strip(), Zip="10115")
    pair.weft("sync", code=1)
    number = str(pair.issues()[0]["id"])
    pair.weft("issues", "edit", number, "credit_limit=1,000.00", code=2).says("credit_limit: '1,000.00' is not")
    pair.weft("issues", "edit", number, "credit_limit=NaN", code=2).says("credit_limit: 'NaN' is not")
    pair.weft("issues", "edit", number, "nme=x", code=2).says("customer has no field 'nme', did you mean 'name'?")
    pair.weft("issues", "edit", number, "name=Adatum", "credit_limit=1234567890123456.78")
    pair.weft("sync")
    assert pair.customers()["Adatum"]["creditLimit"] == "1234567890123456.78"


ZONE = re.compile(rb'("(?:ModifiedOn|lastModifiedDateTime)":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z"')


@pytest.mark.parametrize("system", ["crm", "erp"])
def test_stamps_without_a_zone(pair: Any, system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that leaves the zone out of its own stamps loses no change, and nothing is made twice."""
    from weft.testing.simulator import middleware

    sim = {"crm": pair.crm, "erp": pair.erp}[system]
    first = pair.account("Adatum", Zip="10115")
    other = pair.customer("Contoso", email="office@contoso.example")
    pair.agree("Adatum", "Contoso")
    pair.edit_account(first, Zip="10117")
    pair.edit_customer(other, email="new@contoso.example")
    answered = middleware._answered
    cut = 0

    async def zoneless(served: Any, request: Any, handler: Any) -> Any:
        nonlocal cut
        answer = await answered(served, request, handler)
        if served is sim and isinstance(getattr(answer, "body", None), bytes):
            answer.body, count = ZONE.subn(rb'\1"', answer.body)
            cut += count
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(middleware, "_answered", zoneless)
        pair.weft("sync")
    assert cut
    pair.wait(7200)
    pair.agree("Adatum", "Contoso")
    assert pair.customers()["Adatum"]["postalCode"] == "10117"
    assert pair.accounts()["Contoso"]["Id"]
    assert pair.issues() == []


def test_values_without_a_zone(pair: Any) -> None:
    """A time without a zone is no moment: the record is an issue that names the field and the value."""
    pair.config["entities"] = {"reminder": {"kind": "master", "fields": {"name": "text", "at": "datetime"}}}
    where = {"TypeId": "03a75490-53e6-df11-971b-001d60e938c6"}
    common = {"key": ["Id"], "changed": "ModifiedOn", "where": where, "match": [["name"]]}
    crm = {"object": "Account", **common, "fields": {"Name": "name", "AlternativeName": "at"}}
    erp = {"object": "customers", "key": ["id"], "changed": "lastModifiedDateTime", "match": [["name"]],
           "fields": {"displayName": "name", "addressLine2": "at"}}  # fmt: skip
    pair.config["mappings"]["crm"] = {"reminder": {"default": crm}}
    pair.config["mappings"]["erp"]["reminder"] = {"default": erp}
    flow = {"entity": "reminder", "between": ["crm", "erp"], "owner": "crm"}
    pair.config["flows"] = {"reminders": flow}
    pair.account("Adatum", AlternativeName="2026-03-02T09:00:00+01:00")
    key = pair.account("Contoso", AlternativeName="2026-03-02T09:00:00")
    other = pair.account("Fabrikam", AlternativeName="next Monday")
    pair.weft("sync", code=1)
    told = pair.weft("issues")
    told.says("at: AlternativeName: the time 2026-03-02T09:00:00 has no time zone")
    told.says("at: AlternativeName: 'next Monday' is not a time (YYYY-MM-DDThh:mm:ssZ)")
    assert set(pair.customers()) == {"Adatum"}
    assert pair.customers()["Adatum"]["addressLine2"].startswith("2026-03-02T08:00:00")
    assert pair.accounts()["Contoso"]["AlternativeName"] == "2026-03-02T09:00:00"
    pair.edit_account(key, AlternativeName="2026-03-02T09:00:00Z")
    pair.edit_account(other, AlternativeName="2026-03-09T09:00:00Z")
    pair.wait(100)
    pair.agree("Adatum", "Contoso", "Fabrikam")
    assert pair.issues() == []
