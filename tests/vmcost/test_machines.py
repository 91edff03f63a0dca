"""The machines of an application: stated, told by its log, contradicted, or those that fit."""

from r2d2.vmcost.machines import ClusterFacts, HostNeed, databricks_facts, host_need, known_machines
from r2d2.vmcost.model import Cluster, Executor
from tests.support.vmcost.bill_apps import application, price, prices

TAGS = {
    "cloudProvider": "Azure",
    "dataPlaneRegion": "westus",
    "clusterNodeType": "Standard_E8s_v3",
    "driverNodeType": "Standard_DS3_v2",
    "clusterWorkers": "2",
    "clusterScalingType": "fixed_size",
    "clusterAvailability": "ON_DEMAND_AZURE",
}
ALL = ClusterFacts("azure", "here", "worker", 3, "driver", False)
LOCAL = [Executor("driver", "a", 4, 0)]


def tags(**changes: str) -> dict[str, str]:
    return {f"spark.databricks.clusterUsageTags.{k}": v for k, v in {**TAGS, **changes}.items()}


def test_a_databricks_log_tells_its_machines_exactly() -> None:
    facts = known_machines(application(1, [], properties=tags()), ClusterFacts(), prices())
    expected = Cluster("azure", "westus", "Standard_E8s_v3", 2, "Standard_DS3_v2", False, "log")
    assert facts.cluster == expected
    assert facts.problems == ()


def test_a_databricks_cluster_that_scales_has_no_number_of_workers() -> None:
    assert databricks_facts(tags(clusterScalingType="autoscaling"))[0].count is None


def test_a_databricks_single_node_is_one_machine_for_driver_and_tasks() -> None:
    app = application(1, LOCAL, properties=tags(clusterWorkers="0"))
    facts = known_machines(app, ClusterFacts(), prices())
    assert facts.cluster is not None
    assert (facts.cluster.vm, facts.cluster.count) == ("Standard_DS3_v2", 1)
    assert facts.cluster.driver_vm is None


def test_a_spot_policy_says_what_it_leaves_open() -> None:
    policy = tags(clusterAvailability="SPOT_WITH_FALLBACK_AZURE", clusterFirstOnDemand="2")
    facts, said = databricks_facts(policy)
    assert facts.spot is True
    assert [text.split(";")[0] for text in said] == [
        "the log's spot policy keeps 1 worker on demand",
        "the log's spot policy falls back to on demand",
    ]


def test_photon_is_said_as_its_dbus_are_not_in_the_list() -> None:
    assert "Photon" in databricks_facts(tags(runtimeEngine="PHOTON"))[1][0]


def test_what_is_stated_wins_over_the_log_and_the_contradiction_is_said() -> None:
    app = application(1, [], properties=tags())
    facts = known_machines(app, ClusterFacts(vm="other", region="WESTUS", count=2), prices())
    assert facts.cluster == Cluster(
        "azure", "WESTUS", "other", 2, "Standard_DS3_v2", False, "flags over log"
    )
    assert facts.problems == (
        "vm: the flags say 'other', the log 'Standard_E8s_v3'; 'other' is taken",
    )


def test_flags_win_over_a_file() -> None:
    flags, file = ClusterFacts(vm="flag", spot=False), ClusterFacts("p", "r", "file", 2, "d", True)
    assert flags.over(file) == ClusterFacts("p", "r", "flag", 2, "d", False)


def test_stated_facts_need_no_log() -> None:
    facts = known_machines(application(1, []), ALL, prices(), source="file")
    assert facts.cluster == Cluster("azure", "here", "worker", 3, "driver", False, "file")


def test_a_driver_that_nobody_names_is_said_except_in_local_mode() -> None:
    stated = ClusterFacts("azure", "here", "worker")
    no_driver = "no VM of the driver is named: nothing is paid for it"
    assert known_machines(application(1, []), stated, prices()).problems == (no_driver,)
    assert known_machines(application(1, LOCAL), stated, prices()).problems == ()


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
    assert host_need(app) == HostNeed(4, 1_200)
    facts = known_machines(app, ClusterFacts("azure"), rows)
    assert facts.cluster is None
    assert facts.missing == ("region", "vm")
    assert facts.candidates == ()  # all have 1,024 MiB
    small = application(1_000, [Executor("0", "a", 4, 0, memory_mib=1_000)])
    assert [
        (one.price.sku, one.spare_cores)
        for one in known_machines(small, ClusterFacts(), rows).candidates
    ] == [("worker", 0), ("four dear", 0), ("eight", 4)]
    assert known_machines(small, ClusterFacts(region="there"), rows).candidates == ()


def test_memory_counts_only_where_every_executor_tells_it() -> None:
    executors = [Executor("0", "a", 1, 0, memory_mib=9_999), Executor("1", "b", 1, 0)]
    assert host_need(application(1_000, executors)) == HostNeed(1, None)
    assert host_need(application(1_000, [])) == HostNeed(0, None)
