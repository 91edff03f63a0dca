"""Bills of real logs, beside a developer's checkout."""

from fractions import Fraction
from pathlib import Path

import pytest

from r2d2.vmcost.bill import Part, bill, printed_total_usd
from r2d2.vmcost.events import read_applications
from r2d2.vmcost.machines import ClusterFacts, known_machines
from r2d2.vmcost.model import Cluster
from r2d2.vmcost.prices import load_prices
from tests.support.vmcost.bill_apps import EXACT
from tests.support.vmcost.brute_bill import brute_seconds
from tests.vmcost.bill.test_bill_partition import SECOND, check, worker_seconds

pytestmark = pytest.mark.shared
PRICES = load_prices()
LOGS = (
    "databricks-azure-e8s_v3.zstd", "databricks-rolled", "emr-attempts", "emr-join-agg.zstd",
    "k8s-spark-3.5", "local-spark-2.3", "local-spark-4.1.zstd", "rolled",
    "yarn-dynamic-allocation.zstd", "yarn-executors-fail.zstd",
)  # fmt: skip


def cluster(count: int | None) -> Cluster:
    return Cluster("azure", "westus", "Standard_E8s_v3", count, "Standard_DS3_v2", False, "flags")


def test_the_databricks_run_costs_what_was_reckoned_by_hand(shared: Path) -> None:
    (app,) = read_applications([shared / "event-logs" / "databricks-azure-e8s_v3.zstd"])
    facts = known_machines(app, ClusterFacts(), PRICES)
    assert facts.cluster == Cluster(
        "azure", "westus", "Standard_E8s_v3", 2, "Standard_DS3_v2", False, "log"
    )
    made = bill(app, facts.cluster, PRICES)
    assert made.usd == Fraction("344.613") * (2 * Fraction("0.56") + Fraction("0.279")) / 3600
    assert printed_total_usd(made.usd) == 0.133920
    # 5,239.648 core-seconds were busy for 67.9 %; each VM has 8 cores.
    busy = (made.parts[Part.BUSY].vm_s + made.parts[Part.FAILED].vm_s) * 8
    assert float(busy) / 5_239.648 == pytest.approx(0.679, abs=5e-4)


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("count", [None, 2])
def test_the_parts_of_every_real_log_add_up_to_the_cent(
    shared: Path, name: str, count: int | None
) -> None:
    for app in read_applications([shared / "event-logs" / name]):
        check(bill(app, cluster(count), PRICES))
        check(bill(app, cluster(count), PRICES, SECOND))


@pytest.mark.parametrize("name", [name for name in LOGS if "executors-fail" not in name][:7])
def test_real_bills_are_what_brute_force_finds(shared: Path, name: str) -> None:
    for app in read_applications([shared / "event-logs" / name]):
        if len(app.tasks) > 150:
            continue
        made = worker_seconds(bill(app, cluster(None), PRICES, EXACT))
        expected = {part: vm_s for part, vm_s in brute_seconds(app, 8, None).items() if vm_s}
        assert {part: float(vm_s) for part, vm_s in made.items()} == pytest.approx(
            {part: float(vm_s) for part, vm_s in expected.items()}, abs=1e-6
        )
