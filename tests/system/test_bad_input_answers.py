"""Systems that answer nonsense, refuse, or send too much: nothing is lost, nothing is made twice."""

from __future__ import annotations

from typing import Any

import pytest

CUT = [("truncate", {}), ("truncate", {"framed": False})]
PAGES = [("html", {}), ("html", {"status": 404}), ("html", {"status": 500})]
READ = {"crm": r"odata/Account\?", "erp": r"/customers\?"}
WRITE = {"crm": r"odata/(Account|\$batch)", "erp": r"/(customers|\$batch)$"}


@pytest.mark.parametrize("system", ["crm", "erp"])
def test_unusable_answer_to_a_read(pair: Any, system: str) -> None:
    """HTML or cut JSON in place of records: the system is down, and nothing is taken for deleted."""
    pair.account("Adatum", Zip="10115")
    pair.customer("Contoso", email="office@contoso.example")
    pair.agree("Adatum", "Contoso")
    before = pair.writes()
    for kind, options in [*CUT, *PAGES]:
        pair.fault(system, kind, method="GET", path=READ[system], count=None, **options)
        ran = pair.weft("sync", "--sweep", code=3)
        words = {"html": "Sign in"}.get(kind) or (
            "but the answer broke off" if "framed" in options else "broken or truncated JSON"
        )
        ran.says(f"customers: {system}: GET https://127.0.0.1:", words)
        assert "Traceback" not in ran.text
        pair.heal()
    assert pair.writes() == before
    assert pair.issues() == []
    pair.agree("Adatum", "Contoso")


@pytest.mark.parametrize("system", ["crm", "erp"])
def test_unusable_answer_to_metadata(pair: Any, system: str) -> None:
    pair.account("Adatum", Zip="10115")
    for kind in ("truncate", "html"):
        pair.fault(system, kind, path="metadata", count=None)
        for command in ("check", "sync"):
            ran = pair.weft(command, code=3)
            ran.says(f"{system}: GET https://127.0.0.1:", "/$metadata")
            assert "Traceback" not in ran.text
            assert "--debug" not in ran.text
        pair.heal()
    pair.agree("Adatum")


@pytest.mark.parametrize("system", ["crm", "erp"])
@pytest.mark.parametrize("kind", ["html", "truncate"])
def test_unusable_answer_to_a_write(pair: Any, system: str, kind: str) -> None:
    """Whichever request of a create it strikes: afterwards there is exactly one record on each side."""
    names = []
    struck = 0
    for number, options in enumerate([{}, {"skip": 1}, {"skip": 2}, {"framed": False, "skip": 1}]):
        if kind == "html":
            options.pop("framed", None)
        names.append(f"Walk-in {number}")
        if system == "crm":
            pair.customer(names[-1], email=f"w{number}@walkin.example")
        else:
            pair.account(names[-1], Zip=f"1000{number}")
        fault = pair.fault(system, kind, method="POST", path=WRITE[system], count=1, **options)
        ran = pair.weft("sync", code=(0, 1, 3))
        assert "Traceback" not in ran.text
        struck += fault.struck
        if fault.struck and ran.code == 3:
            ran.says(f"{system}: POST https://127.0.0.1:")
        pair.heal()
        pair.wait(1000)
    assert struck >= 2
    pair.agree(*names)
    assert pair.issues() == []


def test_record_of_20_megabytes(pair: Any) -> None:
    """It is read; where it does not fit it is an issue, and what people are shown of it is bounded."""
    key = pair.account("Adatum", Zip="10115", Notes="x" * 20_000_000)
    pair.agree("Adatum")
    pair.account("Contoso", Zip="20095")
    fields = pair.config["mappings"]["erp"]["customer"]["default"]["fields"]
    fields["addressLine2"] = "notes"
    pair.edit_account(key, Notes="y" * 20_000_000)
    plan = pair.weft("plan")
    plan.says("notes: (empty) -> yyyy", "characters; --json shows all)", "create customers Contoso")
    assert len(plan.text) < 10_000
    pair.weft("sync", code=1)
    told = pair.weft("issues")
    told.says("Adatum", "The length of the string is 20000000, but it must be less than or equal to 50 characters.")
    assert len(told.text) < 20_000
    number = told.out.splitlines()[1].split()[0]
    shown = pair.weft("issues", "show", number)
    shown.says("correct the record in its system, or: weft issues edit")
    assert len(shown.text) < 20_000
    assert set(pair.customers()) == {"Adatum", "Contoso"}
    pair.edit_account(key, Notes="short")
    pair.wait(100)
    pair.agree("Adatum", "Contoso")
    assert pair.customers()["Adatum"]["addressLine2"] == "short"
    assert pair.issues() == []


def test_duplicate_key_on_the_far_side(pair: Any) -> None:
    """Its own words, the other records go on, and the record goes through once the key is free."""
    fields = pair.config["mappings"]["erp"]["customer"]["default"]["fields"]
    fields["number"] = {"from": "number", "on": "create"}
    pair.customer("Contoso", email="office@contoso.example", number="C77")
    key = pair.account("Adatum", Zip="10115", UsrErpNumber="C77")
    pair.account("Fabrikam", Zip="20095")
    pair.weft("sync", code=1)
    (issue,) = pair.issues()
    assert issue["label"].endswith("Adatum")
    assert issue["kind"] == "failed"
    assert "already exists" in issue["reason"]
    assert issue["code"] == "Internal_EntityWithSameKeyExists"
    assert sorted(pair.customers()) == ["Contoso", "Fabrikam"]
    assert sorted(pair.accounts()) == ["Adatum", "Contoso", "Fabrikam"]
    pair.edit_account(key, UsrErpNumber="C78")
    pair.wait(100)
    pair.agree("Adatum", "Contoso", "Fabrikam")
    assert pair.customers()["Adatum"]["number"] == "C78"
    assert pair.issues() == []


def test_company_the_user_loses_sight_of(make_pair: Any) -> None:
    """A company that is there, but not for this user: told with those it sees; nothing is taken for deleted."""
    pair = make_pair(erp={"companies": ["Contoso Ltd", "CRONUS USA, Inc."]})
    pair.account("Adatum", Zip="10115")
    pair.config["connections"]["erp"]["company"] = "Contoso Ltd"
    pair.weft("sync")
    pair.account("Fabrikam", Zip="20095")
    directory = pair.erp.env.directory.store
    first = next(iter(pair.erp.env.companies))
    assert pair.served.call(lambda: directory.hide("companies", [first])) == 1
    before = pair.writes()
    for command in ("check", "plan", "sync"):
        pair.weft(command, code=2).says(
            "connections.erp.company: connection 'erp': there is no company 'Contoso Ltd', or its user may not "
            "see it; it sees: CRONUS USA, Inc."
        )
    assert pair.writes() == before
    pair.served.call(directory.reveal)
    pair.agree("Adatum", "Fabrikam")


@pytest.mark.parametrize("right", ["read", "write"])
def test_rights_the_user_lacks(pair: Any, right: str) -> None:
    """In the system's own words; when the right is given, the record goes through."""
    client = pair.config["connections"]["erp"]["auth"]["client_id"]
    pair.account("Adatum", Zip="10115")
    method = "GET" if right == "read" else "POST"
    pair.served.run(lambda: pair.erp.command("deny", client_id=client, set="customers", method=method))
    ran = pair.weft("sync", code=(1, 2))
    told = ran.text + pair.weft("issues").text
    assert "permission" in told.lower(), told
    assert pair.customers() == {}
    pair.served.run(lambda: pair.erp.command("allow", client_id=client))
    pair.wait(7200)
    pair.agree("Adatum")
    assert pair.issues() == []
