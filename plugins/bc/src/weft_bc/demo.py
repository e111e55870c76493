"""What Business Central does in the story of ``weft demo --edition bc``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from weft.cli.story import Erp, tell

if TYPE_CHECKING:
    from weft.cli.stage import Stage

COMPANY = "CRONUS USA, Inc."
CONNECTION = """
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
JOURNALS = (
    ("customerPaymentJournals", "WEFT"), ("customerPaymentJournals", "WEFTSR"), ("vendorPaymentJournals", "WEFT"),
    ("journals", "WEFTDEP"), ("journals", "WEFTCHK"), ("journals", "WEFTCARD"),
)  # fmt: skip
MAPPINGS = """
mappings:
  erp:
    customer:
      default:
        fields:
          taxAreaId: null          # tax is Business Central's own affair here
          taxLiable: null
"""


class BusinessCentral(Erp):
    kind = "bc"
    title = "Business Central"
    mappings = MAPPINGS

    def start(self, stage: Stage, parties: Sequence[dict[str, Any]]) -> str:
        from weft_bc.simulator import CLIENT_ID, CLIENT_SECRET, Settings

        stage.secret("erp.secret", CLIENT_SECRET)
        url = stage.simulator("bc", records=0, parties=parties, companies=[COMPANY])
        self._make_journals(stage)
        return CONNECTION.format(
            url=url, authority=stage.url("bc", "entra"), ca=stage.ca_file("bc"), tenant=Settings().tenant,
            company=COMPANY, client_id=CLIENT_ID,
        )  # fmt: skip

    def _make_journals(self, stage: Stage) -> None:
        """Those that weft enters payments and the like in, as an administrator makes them once."""
        hand = stage.hand("bc")
        bank = hand.command("list", set="bankAccounts", limit=1)[0]["id"]
        for name, code in JOURNALS:
            balancing = {} if name == "journals" else {"balancingAccountId": bank}
            hand.command("create", set=name, values={"code": code, "displayName": code, **balancing})

    def post(self, stage: Stage, key: str) -> tuple[str, Any]:
        posted = stage.hand("bc").command("post", set="salesInvoices", key=key)
        return posted["number"], posted["totalAmountIncludingTax"]

    def pay(self, stage: Stage, number: str, amount: Any) -> None:
        stage.hand("bc").command("receive_payment", invoice=number, amount=amount)

    def edit(self, stage: Stage, key: str, name: str, website: str) -> None:
        stage.hand("bc").command("edit", set="customers", key=key, values={"displayName": name, "website": website})

    def lose_next_answer(self, stage: Stage) -> None:
        from weft.testing.simulator.faults import Fault

        stage.hand("bc").add_fault(Fault("lost_answer", method="POST", path="/customers$"))

    def names(self, stage: Stage) -> list[str]:
        rows = stage.hand("bc").command("list", set="customers", limit=100_000)
        return [row["displayName"] for row in rows]


def story(stage: Stage) -> None:
    """Tell it."""
    tell(stage, BusinessCentral())
