"""Facts of the machines: stated, told by the log, contradicted, or the ones that would fit."""

from fractions import Fraction
from pathlib import Path

import pytest

from r2d2.errors import UsageError
from r2d2.vmcost.facts import Need, Stated, databricks_facts, find_facts, load_cluster_file, need_of
from r2d2.vmcost.model import Billing, Cluster, Executor
from tests.vmcost.bill_apps import application, price, prices

TAGS = {
    "cloudProvider": "Azure",
    "dataPlaneRegion": "westus",
    "clusterNodeType": "Standard_E8s_v3",
    "driverNodeType": "Standard_DS3_v2",
    "clusterWorkers": "2",
    "clusterScalingType": "fixed_size",
    "clusterAvailability": "ON_DEMAND_AZURE",
}
ALL = Stated("azure", "here", "worker", 3, "driver", False)
LOCAL = [Executor("driver", "a", 4, 0)]


def tags(**changes: str) -> dict[str, str]:
    return {f"spark.databricks.clusterUsageTags.{k}": v for k, v in {**TAGS, **changes}.items()}


def test_a_databricks_log_tells_its_machines_exactly() -> None:
    facts = find_facts(application(1, [], properties=tags()), Stated(), prices())
    expected = Cluster("azure", "westus", "Standard_E8s_v3", 2, "Standard_DS3_v2", False, "log")
    assert facts.cluster == expected
    assert facts.problems == ()


def test_a_databricks_cluster_that_scales_has_no_number_of_workers() -> None:
    assert databricks_facts(tags(clusterScalingType="autoscaling"))[0].count is None


def test_a_databricks_single_node_is_one_machine_for_driver_and_tasks() -> None:
    app = application(1, LOCAL, properties=tags(clusterWorkers="0"))
    facts = find_facts(app, Stated(), prices())
    assert facts.cluster is not None
    assert (facts.cluster.vm, facts.cluster.count) == ("Standard_DS3_v2", 1)
    assert facts.cluster.driver_vm is None


def test_a_spot_policy_says_what_it_leaves_open() -> None:
    policy = tags(clusterAvailability="SPOT_WITH_FALLBACK_AZURE", clusterFirstOnDemand="2")
    facts, said = databricks_facts(policy)
    assert facts.spot is True
    assert [text.split(";")[0] for text in said] == [
        "the log's spot policy keeps 1 workers on demand",
        "the log's spot policy falls back to on demand",
    ]


def test_photon_is_said_as_its_dbus_are_not_in_the_list() -> None:
    assert "Photon" in databricks_facts(tags(runtimeEngine="PHOTON"))[1][0]


def test_what_is_stated_wins_over_the_log_and_the_contradiction_is_said() -> None:
    app = application(1, [], properties=tags())
    facts = find_facts(app, Stated(vm="other", region="WESTUS", count=2), prices())
    assert facts.cluster == Cluster(
        "azure", "WESTUS", "other", 2, "Standard_DS3_v2", False, "flags over log"
    )
    assert facts.problems == (
        "vm: the flags say 'other', the log 'Standard_E8s_v3'; 'other' is taken",
    )


def test_flags_win_over_a_file() -> None:
    assert Stated(vm="flag", spot=False).over(Stated("p", "r", "file", 2, "d", True)) == Stated(
        "p", "r", "flag", 2, "d", False
    )


def test_stated_facts_need_no_log() -> None:
    facts = find_facts(application(1, []), ALL, prices(), source="file")
    assert facts.cluster == Cluster("azure", "here", "worker", 3, "driver", False, "file")


def test_a_driver_that_nobody_names_is_said_except_in_local_mode() -> None:
    stated = Stated("azure", "here", "worker")
    no_driver = "no VM of the driver is named: nothing is paid for it"
    assert find_facts(application(1, []), stated, prices()).problems == (no_driver,)
    assert find_facts(application(1, LOCAL), stated, prices()).problems == ()


def test_without_facts_the_machines_that_fit_are_listed_in_order_and_none_is_picked() -> None:
    executors = [
        Executor("0", "a", 2, 0, 500, memory_mib=600),
        Executor("1", "a", 2, 400, memory_mib=600),
        Executor("2", "b", 3, 500, memory_mib=100),
    ]
    rows = prices(
        price("eight", "1", 8), price("four dear", "9", 4), price("spot", "1", 4, "spot"),
        price("unknown", "1", None),
    )  # fmt: skip
    app = application(1_000, executors)
    assert need_of(app) == Need(4, 1_200)
    facts = find_facts(app, Stated("azure"), rows)
    assert facts.cluster is None
    assert facts.missing == ("region", "vm")
    assert facts.candidates == ()  # all have 1,024 MiB
    small = application(1_000, [Executor("0", "a", 4, 0, memory_mib=1_000)])
    assert [
        (one.price.sku, one.spare_cores, one.spare_mib)
        for one in find_facts(small, Stated(), rows).candidates
    ] == [("worker", 0, 24), ("four dear", 0, 24), ("eight", 4, 24)]
    assert find_facts(small, Stated(region="there"), rows).candidates == ()


def test_memory_counts_only_where_every_executor_tells_it() -> None:
    executors = [Executor("0", "a", 1, 0, memory_mib=9_999), Executor("1", "b", 1, 0)]
    assert need_of(application(1_000, executors)) == Need(1, None)
    assert need_of(application(1_000, [])) == Need(0, None)


def test_a_file_states_machines_and_billing_exactly(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text(
        '[cluster]\nprovider = "azure"\ncount = 2\nspot = false\n'
        "[billing]\nquantum_s = 1\nuplift_usd_per_node_hour = 0.07\ndbu_usd = 0.15\n"
    )
    found = load_cluster_file(path)
    assert found.stated == Stated(provider="azure", count=2, spot=False)
    assert found.billing == Billing(
        quantum_s=Fraction(1),
        uplift_usd_per_node_hour=Fraction(7, 100),
        dbu_usd=Fraction(15, 100),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[cluster]\n\nregoin = 'x'\n",
            r":3: unknown key 'regoin' \(did you mean 'region'\?\); kn",
        ),
        ("[machines]\n", r":1: unknown section 'machines'; known are \[cluster\], \[billing\]"),
        ("cluster = 1\n", r":1: write \[cluster\]"),
        ("[billing]\n[cluster] # x\ncount = 0\n", ":3: count = 0: expected a whole number, 1 or"),
        ("cluster.count = true\n", ":1: count = True: expected a whole number"),
        ("[cluster]\nvm = ''\n", ":2: vm = '': expected a text"),
        ("[cluster]\nspot = 'yes'\n", ":2: spot = 'yes': expected true or false"),
        ("[billing]\nquantum_s = 0\n", ":2: quantum_s = 0: expected a number"),
        ("[billing]\nminimum_s = -1.5\n", ":2: minimum_s = -1.5: expected a number, 0 or more"),
        ("[billing]\ndbu_usd = nan\n", ":2: dbu_usd = NaN: expected a number"),
        ("cluster = {vms = 2}\n", ": unknown key 'vms'"),
        ("[cluster\n", ": not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=f"cluster.toml{message}"):
        load_cluster_file(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_cluster_file(tmp_path / "none.toml")
