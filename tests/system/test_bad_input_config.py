"""A configuration that is wrong: every mistake is told with its place, and nothing is written anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

Broken = Callable[[str], str]


def refused(pair: Any, place: str, *words: str, commands: tuple[str, ...] = ("check", "sync")) -> None:
    """``check`` and ``sync`` end with 2, say these words at this place, and no system is written to."""
    for name in commands:
        ran = pair.weft(name, code=2, write=False)
        ran.says(place, *words)
        assert "Traceback" not in ran.text
    assert pair.writes() == 0


def recovers(pair: Any) -> None:
    """With the mistake taken away, one sync brings both sides together."""
    pair.account("Adatum", Zip="10115")
    pair.agree("Adatum")


@pytest.mark.parametrize(
    ("broken", "place", "words"),
    [
        pytest.param(
            lambda text: text.replace("kind: creatio", "kind: creatio: x"), "kind: creatio",
            ["mapping values are not allowed", "put text that holds ': ' into quotes"], id="colon",
        ),
        pytest.param(
            lambda text: text.replace("    kind: bc", "\tkind: bc"), "kind: bc",
            ["indent with blanks, not with tabs"], id="tab",
        ),
        pytest.param(
            lambda text: text.replace("entity: customer", "entity: [customer"), "between:",
            ["did not find expected ',' or ']'"], id="bracket left open",
        ),
        pytest.param(
            lambda text: text + "state: sqlite:///other.db\n", "sqlite:///other.db",
            ["the key 'state' appears twice, first on line 1"], id="key written twice",
        ),
        pytest.param(
            lambda text: text.replace("kind: bc", "kind: b\x00c"), "kind: b\x00c",
            ["the character U+0000 is not allowed in YAML; remove it"], id="control character",
        ),
        pytest.param(
            lambda text: text.replace("kind: bc", "kind: !!python/object:os.system bc"), "!!python",
            ["the tag !!python/object:os.system is not allowed here"], id="tag",
        ),
        pytest.param(
            lambda text: text + "entities: " + "[" * 200 + "]" * 200 + "\n", "entities:",
            ["nested more than 100 levels deep"], id="nested too deep",
        ),
    ],
)  # fmt: skip
def test_broken_yaml(pair: Any, broken: Broken, place: str, words: list[str]) -> None:
    pair.write()
    pair.yaml.write_text(broken(pair.yaml.read_text(encoding="utf-8")), encoding="utf-8")
    refused(pair, pair.line(place), *words)
    assert not pair.state.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such file; `weft init` writes one"),
        (b"", "is empty; `weft init` writes a configuration to start from"),
        (b"# only a remark\n", "is empty"),
        (b"state: \xff\xfe\n", "is not UTF-8 text (byte 7)"),
        (b"- a\n- b\n", "expected keys such as `connections:` and `flows:`"),
        (b"connections: {}\n---\nflows: {}\n", ":3:1: a second document begins here"),
    ],
)
def test_no_configuration(pair: Any, content: bytes | None, words: str) -> None:
    if content is not None:
        pair.yaml.write_bytes(content)
    refused(pair, "weft.yaml", words)


def test_broken_yaml_recovers(pair: Any) -> None:
    """One mistake end to end: also the commands that only look say it, as JSON too, and nothing is lost."""
    pair.account("Adatum", Zip="10115")
    pair.agree("Adatum")
    pair.account("Contoso", Zip="20095")
    before = pair.writes()
    pair.yaml.write_text(pair.yaml.read_text(encoding="utf-8").replace("owner: crm", "owner: crm: x"))
    for command in ("plan", "sync", "status", "verify", "issues"):
        pair.weft(command, code=2, write=False).says(pair.line("crm: x"), "mapping values are not allowed")
    told = yaml.safe_load(pair.weft("check", "--json", code=2, write=False).out)
    assert told["ok"] is False
    assert pair.line("crm: x") in told["findings"][0]["message"]
    assert pair.writes() == before
    pair.agree("Adatum", "Contoso")


def _set(*path: str, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        *outer, last = path
        for step in outer:
            config = config.setdefault(step, {})
        config[last] = to

    return change


FIELDS = ("mappings", "erp", "customer", "default", "fields")


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        pytest.param(
            _set("conections", to={}), "conections:",
            ["conections: unknown key 'conections', did you mean 'connections'?", "allowed: state, connections"],
            id="key of the file",
        ),
        pytest.param(
            _set("flows", "customers", "ownr", to="crm"), "ownr:",
            ["flows.customers.ownr: unknown key 'ownr', did you mean 'owner'?"], id="key of a flow",
        ),
        pytest.param(
            _set("connections", "erp", "environmet", to="x"), "environmet:",
            ["connections.erp.environmet: unknown key 'environmet', did you mean 'environment'?"],
            id="key of a connection",
        ),
        pytest.param(
            _set("mappings", "erp", "customer", "default", "filds", to={}), "filds:",
            ["unknown key 'filds', did you mean 'fields'?"], id="key of a mapping",
        ),
        pytest.param(
            _set("connections", "crm", "kind", to="creatoi"), "kind: creatoi",
            ["connections.crm.kind: no connector of kind 'creatoi' is installed", "did you mean 'creatio'?"],
            id="kind",
        ),
        pytest.param(
            _set("flows", "customers", "entity", to="custommer"), "custommer",
            ["flows.customers.entity: there is no entity 'custommer', did you mean 'customer'?"], id="entity",
        ),
        pytest.param(
            _set("mappings", "erp", "custmer", to={"default": {"fields": {}}}), "custmer",
            ["mappings.erp.custmer: there is no entity 'custmer', did you mean 'customer'?"], id="mapped entity",
        ),
        pytest.param(
            _set("mappings", "erp", "customer", "defalt", to={"fields": {}}), "defalt",
            ["there is no packaged variant 'defalt', did you mean 'default'?"], id="variant",
        ),
        pytest.param(
            _set("flows", "customers", "fields", "credit_limt", to="erp"), "credit_limt",
            ["flows.customers.fields.credit_limt: customer has no field 'credit_limt', did you mean 'credit_limit'?"],
            id="field of a rule",
        ),
        pytest.param(
            _set(*FIELDS, "displayName", to="nme"), "displayName: nme",
            ["fields.displayName: customer has no field 'nme', did you mean 'name'?", "or call it custom.nme"],
            id="mapped field",
        ),
        pytest.param(
            _set("flows", "customers", "when", to="typ = 'Customer'"), "when:",
            ["there is no field 'typ', did you mean 'type'?"], id="field of a condition",
        ),
        pytest.param(
            _set("flows", "customers", "when", to="type = 'Customer"), "when:",
            ["at character 8, near 'type = 'Customer'"], id="condition",
        ),
        pytest.param(
            _set("flows", "customers", "between", to=["crm", "ero"]), "- ero",
            ["flows.customers.between.1: there is no connection 'ero', did you mean 'erp'?; there are: crm, erp"],
            id="connection",
        ),
        pytest.param(
            _set("mappings", "ero", to={}), "ero:", ["mappings.ero: there is no connection 'ero'"],
            id="mapped connection",
        ),
        pytest.param(
            _set("flows", "customers", "company", to="CRONUS Nowhere"), "company: CRONUS Nowhere",
            ["flows.customers.company: connection 'erp': there is no company 'CRONUS Nowhere'",
             "or its user may not see it; it sees: CRONUS USA, Inc."], id="company of a flow",
        ),
        pytest.param(
            _set("connections", "erp", "company", to="My Company"), "company: My Company",
            ["connections.erp.company: connection 'erp': there is no company 'My Company'",
             "or its user may not see it; it sees: CRONUS USA, Inc."], id="company of a connection",
        ),
        pytest.param(
            _set("connections", "crm", "url", to="http://acme.example"), "url: http:",
            ["connections.crm.url: must begin with https://", "set `ca_file`"], id="plain http",
        ),
        pytest.param(
            _set("connections", "erp", "url", to="acme"), "url: acme",
            ["connections.erp.url: must be an address such as https://"], id="no address",
        ),
        pytest.param(
            _set("connections", "crm", "ca_file", to="no-such.pem"), "crm:",
            ["ca_file no-such.pem: cannot be read as PEM certificates"], id="certificate authority",
        ),
        pytest.param(
            _set("state", to="oracle://somewhere"), "state:",
            ["state: write `sqlite:///weft.db` or `postgresql+psycopg://user@host/database`"], id="state",
        ),
    ],
)  # fmt: skip
def test_unknown_name(pair: Any, change: Callable[[Any], None], place: str, words: list[str]) -> None:
    change(pair.config)
    pair.write()
    pair.account("Adatum", Zip="10115")
    pair.served.call(pair.crm.request_log.clear)
    checked = ("check", "sync") if "ca_file" not in words[0] else ("check",)
    refused(pair, pair.line(place), *words, commands=checked)
    if len(checked) == 1:
        refused(pair, "customers: ca_file", *words, commands=("sync",))


def test_unknown_flow(pair: Any) -> None:
    for command in ("sync", "plan", "status", "verify"):
        ran = pair.weft(command, "custmers", code=2)
        ran.says("weft.yaml: there is no flow 'custmers', did you mean 'customers'?; there are: customers")
    recovers(pair)


def test_all_mistakes_are_told_at_once(pair: Any) -> None:
    pair.config["flows"]["customers"] |= {"ownr": "crm", "first": "filll"}
    pair.config["conections"] = {}
    ran = pair.weft("sync", code=2)
    ran.says("'ownr'", "'conections'", "'filll' is not one of fill, pair, left, right, review, did you mean 'fill'?")
    del pair.config["flows"]["customers"]["ownr"], pair.config["conections"]
    pair.config["flows"]["customers"]["first"] = "fill"
    recovers(pair)


def test_field_the_live_system_lacks(pair: Any) -> None:
    """``check`` says it at its place; a record that needs it becomes an issue in the system's own words."""
    fields = pair.config["mappings"]["erp"]["customer"]["default"]["fields"]
    fields["displayNam"] = "search_name"
    pair.config["mappings"]["crm"] = {"customer": {"account": {"fields": {"UsrNoSuch": "search_name"}}}}
    ran = pair.weft("check", code=2)
    ran.says(
        f"{pair.line('displayNam:')}11: erp: bc customer/default displayNam: customers has no field 'displayNam' "
        "(did you mean 'displayName'?)",
        f"{pair.line('UsrNoSuch:')}11: crm: creatio customer/account UsrNoSuch: Account has no field 'UsrNoSuch'",
    )
    del pair.config["mappings"]["crm"]
    pair.account("Adatum", Zip="10115", AlternativeName="ADA")
    pair.customer("Contoso", email="office@contoso.example")
    pair.weft("sync", code=1)
    (issue,) = pair.issues()
    assert issue["label"] == "Adatum"
    assert "The property 'displayNam' does not exist on type 'Microsoft.NAV.customer'" in issue["reason"]
    assert set(pair.customers()) == {"Contoso"}
    assert pair.accounts()["Adatum"]["AlternativeName"] == "ADA"
    del fields["displayNam"]
    pair.wait(7200)
    pair.agree("Adatum", "Contoso")
    assert pair.issues() == []


def test_field_the_live_system_lost(pair: Any) -> None:
    """A field that disappears after it was synchronised empties nothing on the other side."""
    fields = pair.config["mappings"]["erp"]["customer"]["default"]["fields"]
    fields["addressLine2"] = "search_name"
    key = pair.account("Adatum", Zip="10115", AlternativeName="ADA")
    pair.agree("Adatum")
    fields |= {"addressLine2": None, "addressLineX": "search_name"}
    pair.edit_account(key, Zip="10117")
    pair.weft("check", code=2).says(pair.line("addressLineX:"), "customers has no field 'addressLineX'")
    pair.weft("sync", "--sweep")
    assert pair.accounts()["Adatum"]["AlternativeName"] == "ADA"
    assert pair.customers()["Adatum"]["postalCode"] == "10117"
    del fields["addressLineX"]
    fields["addressLine2"] = "search_name"
    pair.agree("Adatum")
    assert pair.accounts()["Adatum"]["AlternativeName"] == pair.customers()["Adatum"]["addressLine2"] == "ADA"
