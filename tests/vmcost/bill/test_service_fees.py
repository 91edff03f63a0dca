"""Fees of managed services and disks: by default from dated sources, and by hand in these tests."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from r2d2.errors import UsageError
from r2d2.vmcost.events import EventLogs
from r2d2.vmcost.machines import ClusterFacts
from r2d2.vmcost.model import Application, Billing, Executor, Job, Platform
from r2d2.vmcost.pipeline import CostRequest, cost_of
from r2d2.vmcost.prices import load_prices, parse_prices
from r2d2.vmcost.report.data import Costed
from r2d2.vmcost.settings import RightSizeSettings, VmCostSettings
from tests.support.vmcost.bill_apps import application, task

HOUR_MS = 3_600_000
DATAPROC = {"spark.x": "/usr/local/share/google/dataproc/lib"}
DATABRICKS = {"spark.databricks.clusterUsageTags.x": "y"}
AZURE = ClusterFacts("azure", "westus", "Standard_E8s_v3", 2, "Standard_DS3_v2")
GCP = ClusterFacts("gcp", "us-central1", "n1-standard-4", 1)


def an_hour(properties: dict[str, str], cores: int = 4) -> Application:
    executor = Executor("1", "h1", cores, 0)
    app = application(HOUR_MS, [executor], [task(0, HOUR_MS)], [Job(0, (0,), 0, HOUR_MS)])
    return replace(app, properties=properties, files=("log",))


def costed(app: Application, cluster: ClusterFacts, **settings: Any) -> Costed:
    request = CostRequest(load_prices(), VmCostSettings(cluster=cluster, **settings))
    (made,) = cost_of(EventLogs((app,), (), ()), request).costed
    return made


def test_databricks_on_azure_pays_the_dbus_of_each_vm_at_the_listed_price() -> None:
    found = costed(an_hour(DATABRICKS, 8), AZURE)
    # 2 workers of 2 DBUs and a driver of 0.75, each DBU $0.30; VMs at 2 · 0.56 + 0.279.
    assert found.bill.fees_usd == Fraction("4.75") * Fraction("0.30")
    assert found.bill.usd == 2 * Fraction("0.56") + Fraction("0.279") + found.bill.fees_usd
    assert any("another rate than a DBU of Jobs Compute" in said for said in found.not_included)
    days = {fee.as_of.isoformat() for rate in found.bill.rates for fee in rate.fees}
    assert days == {"2026-08-01"}


def test_dataproc_pays_a_cent_for_each_vcpu_hour() -> None:
    found = costed(an_hour(DATAPROC), GCP)
    assert found.bill.fees_usd == Fraction("0.04")
    (rate,) = found.bill.rates
    assert found.bill.usd == rate.machine.usd_per_hour + Fraction("0.04")
    assert not any("Dataproc" in said for said in found.not_included)


def test_the_advice_has_the_services_fee_too() -> None:
    sizes = RightSizeSettings(7200, vms=("n1-standard-4",), counts=(1,))
    found = costed(an_hour(DATAPROC), GCP, right_size=sizes)
    (said,) = [each for each in found.advice if each["kind"] == "right_size"]
    assert said["usd"] == pytest.approx(float(found.bill.usd or 0))


@pytest.mark.parametrize(
    "billing",
    [
        Billing(service=Platform.NONE),
        Billing(service=Platform.EMR),
        Billing(uplift_usd_per_node_hour=Fraction("0.5")),
    ],
)
def test_what_the_user_states_goes_before_the_listed_fee(billing: Billing) -> None:
    found = costed(an_hour(DATAPROC), GCP, billing=billing)
    bare = found.bill.rates[0]
    assert bare.fees == ()
    stated = billing.uplift_usd_per_node_hour
    assert bare.usd_per_hour == bare.machine.usd_per_hour + stated


def test_disks_are_priced_by_their_gigabytes_where_the_settings_name_them() -> None:
    found = costed(an_hour({}), GCP, billing=Billing(disk_gb=Fraction(730)))
    assert found.bill.fees_usd == Fraction("0.10")  # 730 GB · $0.10 a month / 730 h, one hour
    assert found.not_included[-1] == "network and storage requests"
    stated = Billing(disk_gb=Fraction(730), disk_usd_per_gb_month=Fraction("0.05"))
    assert costed(an_hour({}), GCP, billing=stated).bill.fees_usd == Fraction("0.05")


def test_a_disk_of_an_unknown_provider_asks_for_its_price() -> None:
    header = "provider,region,sku,vcpu,mem_mib,usd_per_hour,kind,source,source_version,as_of\n"
    prices = parse_prices(header + "acme,here,vm,4,100,1,on_demand,list,1,2026-09-01\n", "list")
    settings = VmCostSettings(
        cluster=ClusterFacts("acme", "here", "vm"), billing=Billing(disk_gb=Fraction(1))
    )
    logs = cost_of(EventLogs((an_hour({}),), (), ()), CostRequest(prices, settings))
    assert "give disk_usd_per_gb_month" in logs.logs.refused[0].reason
    with pytest.raises(UsageError, match="disk_gb = -1: give 0 or more"):
        Billing(disk_gb=Fraction(-1))
