"""The story of ``weft demo --edition bc``: a Creatio and a Business Central come to agree.

Both are simulators in processes of their own. What people do in them goes through their control
endpoints; what weft does goes through the real command.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.cli.stage import Stage
    from weft.records import Canonical

COMPANY = "CRONUS USA, Inc."
CLOSED_WON = "60d5310c-5be6-df11-971b-001d60e938c6"

CRM = """
state: sqlite:///weft.db
connections:
  crm:
    kind: creatio
    url: {url}
    ca_file: {ca}
    package: {package}
    auth: {{username: Integration, password: "${{file:crm.secret}}"}}
"""

ERP = """
  erp:
    kind: bc
    url: {url}
    authority: {authority}/{{tenant}}
    ca_file: {ca}
    tenant: {tenant}
    company: "{company}"
    overlap: 60
    settle_seconds: 2       # the simulator answers at once or never
    auth: {{client_id: {client_id}, client_secret: "${{file:erp.secret}}"}}
"""

FLOWS = """
flows:
  products:
    entity: product
    between: [crm, erp]
    owner: erp
    first_differences: owner
  customers:                       # both ways; where both typed something else, Creatio is right
    entity: customer
    between: [crm, erp]
    owner: crm
    fields: {credit_limit: erp, payment_terms: erp, currency: erp}
    first: fill
    first_differences: owner
    on_conflict: review
  deals:                           # a won opportunity becomes an invoice
    entity: sales_invoice
    between: [crm, erp]
    variants: {crm: [opportunity]}
    direction: left_to_right
  payments:                        # what Business Central received, for the salesperson to see
    entity: payment
    between: [crm, erp]
    direction: right_to_left
mappings:
  erp:
    customer:
      default:
        fields:
          taxAreaId: null          # tax is Business Central's own affair here
          taxLiable: null
"""


def story(stage: Stage) -> None:
    """Tell it."""
    _systems(stage)
    _first_load(stage)
    _deal(stage)
    _conflict(stage)
    _lost_answer(stage)
    _proof(stage)


def _systems(stage: Stage) -> None:
    from weft_bc.simulator import CLIENT_ID, CLIENT_SECRET, Settings

    stage.scene("Two systems that have never met")
    crm = stage.simulator("creatio", records=stage.records)
    (stage.folder / "crm.secret").write_text("Integration")
    (stage.folder / "erp.secret").write_text(CLIENT_SECRET)
    begin = CRM.format(url=crm, ca=stage.ca_file("creatio"), package="false")
    stage.write("weft.yaml", begin)
    accounts = stage.look("crm", "customer")
    parties = list(_parties(accounts, random.Random(7)))
    tenant = Settings().tenant
    erp = stage.simulator("bc", records=0, parties=parties, companies=[COMPANY])
    both = begin.replace("package: false", "package: true") + ERP.format(
        url=erp, authority=stage.url("bc", "entra"), ca=stage.ca_file("bc"), tenant=tenant, company=COMPANY,
        client_id=CLIENT_ID,
    )  # fmt: skip
    stage.write("weft.yaml", both + FLOWS)
    stage.say(f"""
        A Creatio with {len(accounts)} customers and a Business Central with {len(parties)}: most are the
        same companies, typed in twice, some with gaps, some in two copies. Creatio lacks what finance needs
        (a customer number, credit limit, payments), so weft's package is installed first.
    """)
    stage.weft("creatio", "package", "--install", "crm")
    stage.weft("check")


def _parties(accounts: list[Canonical], rng: random.Random) -> Iterator[dict[str, Any]]:
    """Business Central's customers: two thirds of Creatio's with gaps, a few twice, and some of its own."""
    for index, account in enumerate(accounts):
        if index % 3 == 2:
            continue
        fields = account.fields
        party = {
            "name": fields.get("name"), "email": fields.get("email"), "street": fields.get("address.street"),
            "city": fields.get("address.city"), "postal_code": fields.get("address.postal_code"),
            "country": fields.get("address.country"), "phone": fields.get("phone"),
        }  # fmt: skip
        for name in ("phone", "street"):
            if rng.random() < 0.3:
                party[name] = None
        yield {name: value for name, value in party.items() if value}
        if index % 150 == 0:
            yield {name: value for name, value in party.items() if value}
    for number in range(len(accounts) // 10):
        yield {"name": f"Walk-in Trading {number + 1}", "email": f"office@walkin{number + 1}.example",
               "postal_code": f"{10000 + number}", "country": "US", "city": "Atlanta"}  # fmt: skip


def _first_load(stage: Stage) -> None:
    stage.scene("The first load: pair what is the same, create what is missing")
    stage.weft("sync", expect=(0, 1))
    stage.say("""
        Pairs were found by e-mail, or by name and postal code. Gaps were filled from the other side, and the
        customer numbers that Business Central assigned were written back. Duplicates are never guessed: they
        wait for a person, with the candidates named.
    """)
    stage.weft("issues", "list", "--limit", "2", expect=(0, 1))


def _deal(stage: Stage) -> None:
    stage.scene("A deal is won, invoiced, posted and paid")
    crm, erp = stage.hand("creatio"), stage.hand("bc")
    deal = _open_deal(stage)
    crm.command("edit", entity="Opportunity", id=deal, values={"StageId": CLOSED_WON})
    stage.say("A salesperson sets the opportunity to Closed won.")
    stage.weft("sync", "deals", expect=(0, 1))
    link = _link(stage, "deals", deal)
    invoice = link["right_key"]
    posted = erp.command("post", set="salesInvoices", key=invoice)
    stage.say(f"""
        Accounting posts the draft in Business Central, as invoice {posted["number"]}, and the customer pays
        {posted["totalAmountIncludingTax"]}.
    """)
    erp.command("receive_payment", invoice=posted["number"], amount=posted["totalAmountIncludingTax"])
    stage.weft("sync", "deals", "payments", expect=(0, 1))
    stage.weft("journal", "--key", deal, "--limit", "10")


def _open_deal(stage: Stage) -> str:
    """An opportunity of a linked customer, with a product, about to be won."""
    crm = stage.hand("creatio")
    links = stage.data("links", "list", "customers", "--limit", "1")
    products = stage.data("links", "list", "products", "--limit", "1")
    account, product = links[0]["left_key"], products[0]["left_key"]
    deal = crm.command("create", entity="Opportunity", values={
        "Title": "Office chairs for the new branch", "AccountId": account,
        "StageId": "423774cb-5ae6-df11-971b-001d60e938c6",
    })  # fmt: skip
    key = str(deal["Id"] if isinstance(deal, dict) else deal)
    crm.command("create", entity="OpportunityProductInterest", values={
        "OpportunityId": key, "ProductId": product, "Quantity": 12, "Price": 150,
    })  # fmt: skip
    return key


def _link(stage: Stage, flow: str, left: str) -> dict[str, Any]:
    links = stage.data("links", "list", flow)
    return next(link for link in links if link["left_key"] == left)


def _conflict(stage: Stage) -> None:
    stage.scene("Two people change the same field at the same time")
    link = stage.data("links", "list", "customers", "--limit", "2")[1]
    stage.hand("creatio").command(
        "edit", entity="Account", id=link["left_key"], values={"Name": "Northwind Traders Ltd", "Zip": "30303"}
    )
    stage.hand("bc").command(
        "edit", set="customers", key=link["right_key"],
        values={"displayName": "Northwind Trading Inc", "website": "northwind.example"},
    )  # fmt: skip
    stage.say("""
        In Creatio the name and the postal code change, in Business Central the name and the web site. The
        postal code and the web site travel; the name is a conflict of that field only.
    """)
    stage.weft("sync", "customers", expect=(0, 1))
    conflicts = stage.data("conflicts", "list")
    number = str(next(one["id"] for one in conflicts if "Northwind" in str(one)))
    stage.weft("conflicts", "show", number, expect=(0, 1))
    stage.weft("conflicts", "resolve", number, "--field", "name=left")
    stage.weft("sync", "customers", expect=(0, 1))


def _lost_answer(stage: Stage) -> None:
    from weft.testing.simulator.faults import Fault

    stage.scene("An answer gets lost")
    erp = stage.hand("bc")
    account = stage.hand("creatio").command("create", entity="Account", values={
        "Name": "Tailspin Toys East", "TypeId": "03a75490-53e6-df11-971b-001d60e938c6", "Zip": "98052",
    })  # fmt: skip
    erp.add_fault(Fault("lost_answer", method="POST", path="/customers$"))
    stage.say("""
        A new customer is typed into Creatio. Business Central will carry the next request out and then drop
        the connection: nobody knows whether the customer exists now. Repeating it blindly would make a second.
    """)
    stage.weft("sync", "customers", expect=(0, 1))
    stage.weft("sync", "customers", expect=(0, 1))
    erp.clear_faults()
    found = erp.command("list", set="customers", limit=100_000)
    copies = [row for row in found if row["displayName"] == "Tailspin Toys East"]
    key = str(account["Id"] if isinstance(account, dict) else account)
    stage.say(f"Customers of that name in Business Central: {len(copies)}.")
    stage.weft("journal", "--key", key, "--limit", "5")


def _proof(stage: Stage) -> None:
    stage.scene("Proof")
    stage.say("""
        Both systems are read whole once more and compared, record by record; amounts are added up for each
        side on its own.
    """)
    stage.weft("verify", "--samples", "3", expect=(0, 1))
    stage.weft("status", expect=(0, 1))
    stage.say("To look further: cd into the folder and try weft issues, weft journal, weft links list.")
