"""The story that demonstrations tell: a Creatio and an ERP that have never met come to agree.

Both are simulators in processes of their own. What people do in them goes through their control endpoints;
what weft does goes through the real command. The ERP's connector brings an :class:`Erp` and calls :func:`tell`.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from weft.cli.stage import Stage
    from weft.records import Canonical

CLOSED_WON = "60d5310c-5be6-df11-971b-001d60e938c6"
NEW_OPPORTUNITY = "423774cb-5ae6-df11-971b-001d60e938c6"
CUSTOMER = "03a75490-53e6-df11-971b-001d60e938c6"

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
  payments:                        # what the ERP received, for the salesperson to see
    entity: payment
    between: [crm, erp]
    direction: right_to_left
"""


class Erp(ABC):
    """The other system. ``title`` is its name in the text, ``mappings`` what the configuration says besides."""

    kind: ClassVar[str]
    title: ClassVar[str]
    mappings: ClassVar[str] = ""

    @abstractmethod
    def start(self, stage: Stage, parties: Sequence[dict[str, Any]]) -> str:
        """Start the simulator with these customers; answers the connection ``erp`` in YAML."""

    @abstractmethod
    def post(self, stage: Stage, key: str) -> tuple[str, Any]:
        """An accountant posts an invoice; answers its number and what is to be paid."""

    @abstractmethod
    def pay(self, stage: Stage, number: str, amount: Any) -> None:
        """The customer pays it."""

    @abstractmethod
    def edit(self, stage: Stage, key: str, name: str, website: str) -> None:
        """A person changes a customer's name and web site."""

    @abstractmethod
    def lose_next_answer(self, stage: Stage) -> None:
        """The next customer that is created is created, and the answer to that is lost."""

    @abstractmethod
    def names(self, stage: Stage) -> list[str]:
        """The names of all customers."""


def tell(stage: Stage, erp: Erp) -> None:
    """Tell it."""
    stage.plugins.connector("creatio")
    _systems(stage, erp)
    _first_load(stage, erp)
    _deal(stage, erp)
    _conflict(stage, erp)
    _lost_answer(stage, erp)
    _edition(stage, erp)
    _proof(stage)


def _systems(stage: Stage, erp: Erp) -> None:
    stage.scene("Two systems that have never met")
    crm = stage.simulator("creatio", records=stage.records)
    stage.secret("crm.secret", "Integration")
    begin = CRM.format(url=crm, ca=stage.ca_file("creatio"), package="false")
    stage.write("weft.yaml", begin)
    accounts = stage.look("crm", "customer")
    parties = list(_parties(accounts, random.Random(7)))
    connection = erp.start(stage, parties)
    both = begin.replace("package: false", "package: true") + connection
    stage.write("weft.yaml", both + FLOWS + erp.mappings)
    stage.write("professional.yaml", both + _professional(stage, erp) + erp.mappings)
    stage.say(f"""
        A Creatio with {len(accounts)} customers and a {erp.title} with {len(parties)}: most are the
        same companies, typed in twice, some with gaps, some in two copies. Creatio lacks what finance needs
        (a customer number, credit limit, payments), so weft's package is installed first.
    """)
    stage.weft("creatio", "package", "--install", "crm")
    stage.weft("check")


def _parties(accounts: list[Canonical], rng: random.Random) -> Iterator[dict[str, Any]]:
    """The ERP's customers: two thirds of Creatio's with gaps, a few twice, and some of its own."""
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


def _first_load(stage: Stage, erp: Erp) -> None:
    stage.scene("The first load: pair what is the same, create what is missing")
    stage.weft("sync", expect=(0, 1))
    stage.say(f"""
        Pairs were found by e-mail, or by name and postal code. Gaps were filled from the other side, and the
        customer numbers that {erp.title} assigned were written back. Duplicates are never guessed: they
        wait for a person, with the candidates named.
    """)
    stage.weft("issues", "list", "--limit", "2", expect=(0, 1))


def _deal(stage: Stage, erp: Erp) -> None:
    stage.scene("A deal is won, invoiced, posted and paid")
    crm = stage.hand("creatio")
    deal = _open_deal(stage)
    crm.command("edit", entity="Opportunity", id=deal, values={"StageId": CLOSED_WON})
    stage.say("A salesperson sets the opportunity to Closed won.")
    stage.weft("sync", "deals", expect=(0, 1))
    link = _link(stage, "deals", deal)
    number, amount = erp.post(stage, link["right_key"])
    stage.say(f"""
        Accounting posts the draft in {erp.title}, as invoice {number}, and the customer pays
        {amount}.
    """)
    erp.pay(stage, number, amount)
    stage.weft("sync", "deals", "payments", expect=(0, 1))
    stage.weft("journal", "--key", deal, "--limit", "10")


def _open_deal(stage: Stage) -> str:
    """An opportunity of a linked customer, with a product, about to be won."""
    crm = stage.hand("creatio")
    links = stage.data("links", "list", "customers", "--limit", "1")
    products = stage.data("links", "list", "products", "--limit", "1")
    account, product = links[0]["left_key"], products[0]["left_key"]
    deal = crm.command("create", entity="Opportunity", values={
        "Title": "Office chairs for the new branch", "AccountId": account, "StageId": NEW_OPPORTUNITY,
    })  # fmt: skip
    key = str(deal["Id"] if isinstance(deal, dict) else deal)
    crm.command("create", entity="OpportunityProductInterest", values={
        "OpportunityId": key, "ProductId": product, "Quantity": 12, "Price": 150,
    })  # fmt: skip
    return key


def _link(stage: Stage, flow: str, left: str) -> dict[str, Any]:
    links = stage.data("links", "list", flow, "--key", left)
    return next(link for link in links if link["left_key"] == left)


def _conflict(stage: Stage, erp: Erp) -> None:
    stage.scene("Two people change the same field at the same time")
    link = stage.data("links", "list", "customers", "--limit", "2")[1]
    stage.hand("creatio").command(
        "edit", entity="Account", id=link["left_key"], values={"Name": "Northwind Traders Ltd", "Zip": "30303"}
    )
    erp.edit(stage, link["right_key"], "Northwind Trading Inc", "northwind.example")
    stage.say(f"""
        In Creatio the name and the postal code change, in {erp.title} the name and the web site. The
        postal code and the web site travel; the name is a conflict of that field only.
    """)
    stage.weft("sync", "customers", expect=(0, 1))
    conflicts = stage.data("conflicts", "list")
    number = str(next(one["id"] for one in conflicts if "Northwind" in str(one)))
    stage.weft("conflicts", "show", number, expect=(0, 1))
    stage.weft("conflicts", "resolve", number, "--field", "name=left")
    stage.weft("sync", "customers", expect=(0, 1))


def _lost_answer(stage: Stage, erp: Erp) -> None:
    stage.scene("An answer gets lost")
    account = stage.hand("creatio").command("create", entity="Account", values={
        "Name": "Tailspin Toys East", "TypeId": CUSTOMER, "Zip": "98052",
    })  # fmt: skip
    erp.lose_next_answer(stage)
    stage.say(f"""
        A new customer is typed into Creatio. {erp.title} will carry the next request out and then drop
        the connection: nobody knows whether the customer exists now. Repeating it blindly would make a second.
    """)
    stage.weft("sync", "customers", expect=(0, 1))
    stage.weft("sync", "customers", expect=(0, 1))
    stage.hand(erp.kind).clear_faults()
    copies = erp.names(stage).count("Tailspin Toys East")
    key = str(account["Id"] if isinstance(account, dict) else account)
    stage.say(f"Customers of that name in {erp.title}: {copies}.")
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


def _professional(stage: Stage, erp: Erp) -> str:
    """The flows of the professional edition, as `weft init` writes them."""
    from weft.cli.init import pack

    text = pack(stage.plugins, {"crm": "creatio", "erp": erp.kind}, "professional")
    return text[text.index("\nflows:") :]


def _edition(stage: Stage, erp: Erp) -> None:
    stage.scene("The professional edition")
    stage.say(f"""
        So far there were four flows. professional.yaml joins the same two systems with all of accounts receivable and
        payable, as `weft init --edition professional --crm creatio --erp {erp.kind}` writes it: quotes, orders,
        receipts, credits, purchase orders, bills, payments, bank and ledger.
    """)
    stage.weft("-c", "professional.yaml", "check")
    stage.weft("-c", "professional.yaml", "sync", "accounts", "vendors", "quotes", expect=(0, 1))
