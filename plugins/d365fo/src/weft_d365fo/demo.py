"""What Finance & Operations does in the story of ``weft demo --edition d365fo``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from weft.cli.story import Erp, tell

if TYPE_CHECKING:
    from weft.cli.stage import Stage

COMPANY = "usmf"
CONNECTION = """
  erp:
    kind: d365fo
    url: {url}
    authority: {url}/{{tenant}}
    ca_file: {ca}
    tenant: {tenant}
    company: {company}
    revenue_account: "401100"
    site: "1"
    product_defaults: {{ProductGroupId: Parts, ItemModelGroupId: FIFO, StorageDimensionGroupName: SiteWH,
                       TrackingDimensionGroupName: None}}
    overlap: 60
    sweep_every: 0          # few records: their version tags are compared in every run
    settle_seconds: 2       # the simulator answers at once or never
    auth: {{client_id: {client_id}, client_secret: "${{file:erp.secret}}"}}
"""


MAPPINGS = """
mappings:
  erp:
    product:
      default:
        fields:
          InventoryUnitSymbol: {values: {h: hr, pcs: pcs}}
"""


class FinanceOperations(Erp):
    kind = "d365fo"
    title = "Finance & Operations"
    mappings = MAPPINGS

    def start(self, stage: Stage, parties: Sequence[dict[str, Any]]) -> str:
        from weft_d365fo.simulator import CLIENT_ID, CLIENT_SECRET, Settings

        stage.secret("erp.secret", CLIENT_SECRET)
        url = stage.simulator("d365fo", records=0, documents=0, parties=parties, companies=[COMPANY])
        return CONNECTION.format(
            url=url, ca=stage.ca_file("d365fo"), tenant=Settings().tenant, company=COMPANY, client_id=CLIENT_ID
        )

    def post(self, stage: Stage, key: str) -> tuple[str, Any]:
        posted = stage.hand("d365fo").command("post", set="FreeTextInvoiceHeaders", number=key)
        return posted["InvoiceNumber"], posted["TotalInvoiceAmount"]

    def pay(self, stage: Stage, number: str, amount: Any) -> None:
        stage.hand("d365fo").command("receive_payment", invoice=number, amount=amount)

    def edit(self, stage: Stage, key: str, name: str, website: str) -> None:
        values = {"OrganizationName": name, "PrimaryContactURL": website}
        who = {"dataAreaId": COMPANY, "CustomerAccount": key}
        stage.hand("d365fo").command("edit", set="CustomersV3", key=who, values=values)

    def lose_next_answer(self, stage: Stage) -> None:
        from weft.testing.simulator.faults import Fault

        stage.hand("d365fo").add_fault(Fault("lost_answer", method="POST", path=r"/data/(CustomersV3|\$batch)$"))

    def names(self, stage: Stage) -> list[str]:
        rows = stage.hand("d365fo").command("list", set="CustomersV3", company=COMPANY, limit=100_000)
        return [row["OrganizationName"] for row in rows]


def story(stage: Stage) -> None:
    """Tell it."""
    tell(stage, FinanceOperations())
