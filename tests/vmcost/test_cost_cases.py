"""Small runs whose money a person can work out: bill and advice have one price for one thing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from r2d2.vmcost import pipeline
from r2d2.vmcost.advice.replay import replay
from r2d2.vmcost.bill import MOST_LISTED, Part
from r2d2.vmcost.bill.timeline import pod_share
from r2d2.vmcost.events import EventLogs
from r2d2.vmcost.machines import ClusterFacts
from r2d2.vmcost.model import (
    TASK,
    Application,
    Billing,
    Executor,
    Job,
    Outcome,
    Price,
    PriceKind,
    SparkStage,
)
from r2d2.vmcost.pipeline import CostedLogs, CostRequest, cost, cost_of
from r2d2.vmcost.prices import PriceList
from r2d2.vmcost.report.data import Costed, report_data
from r2d2.vmcost.settings import (
    JobSettings,
    PipelineSettings,
    RightSizeSettings,
    ServerlessSettings,
    SpotSettings,
    VmCostSettings,
)
from tests.support.vmcost.bill_apps import application, task
from tests.support.work import lines_run

LOGS = Path(__file__).with_name("logs")
XLARGE = ClusterFacts("aws", "here", "xlarge")
SERVERLESS = ServerlessSettings(
    "made up", date(2026, 9, 1), 50, 4, Fraction(16), usd_per_gb_second=Fraction("0.0000167")
)


def row(sku: str, usd: str, vcpu: int | None = None, kind: str = "on_demand") -> Price:
    day = date(2026, 9, 1)
    return Price("aws", "here", sku, vcpu, None, Fraction(usd), PriceKind(kind), "test", "1", day)


PRICES = PriceList.of(
    [
        replace(row("small", "0.024", 1), mem_mib=4096),
        replace(row("large", "0.096", 2), mem_mib=8192),
        replace(row("xlarge", "0.192", 4), mem_mib=16_384),
        row("F8s_v2", "0.424", 8),
        row("F8s", "0.498", 8),
        row("F8s_v2", "1.5", kind="dbu"),
        row("F8s", "1", kind="dbu"),
    ],
    "by hand",
)


def costed(*apps: Application, **settings: Any) -> CostedLogs:
    request = CostRequest(PRICES, replace(VmCostSettings(cluster=XLARGE), **settings))
    named = tuple(replace(app, files=(f"log {at}",)) for at, app in enumerate(apps))
    return cost_of(EventLogs(named, (), ()), request)


def advice(of: Costed, kind: str) -> Any:
    return next(each for each in of.advice if each["kind"] == kind)


def five_tasks() -> Application:
    """Five tasks of 100 s on four cores: 200 s."""
    tasks = [task(at // 4 * 100_000, (at // 4 + 1) * 100_000) for at in range(5)]
    executor = Executor("1", "h1", 4, 0, 200_000)
    return application(200_000, [executor], tasks, [Job(0, (0,), 0, 200_000)])


def spot_loss() -> Application:
    """Two hosts for 100 s, of which one is lost at 50 s with its task, which runs again."""
    executors = [Executor("1", "h1", 4, 0, 50_000), Executor("2", "h2", 4, 0)]
    tasks = [
        task(0, 50_000, executor=0, outcome=Outcome.FAILED),
        task(0, 100_000, executor=1, index=1),
        task(50_000, 100_000, executor=1, attempt=1),
    ]
    return application(100_000, executors, tasks, [Job(0, (0,), 0, 100_000)])


def test_without_an_executor_nothing_is_paid_and_that_is_said() -> None:
    driver_only = application(120_000, [])
    late = replace(application(120_000, [Executor("1", "h", 4, 130_000)]), id="app-2")
    wanted = {
        "right_size": RightSizeSettings(3600),
        "spot": SpotSettings(1.0, Fraction("0.1")),
        "serverless": SERVERLESS,
    }
    for each in costed(driver_only, late, **wanted).costed:
        assert each.bill.usd == 0
        assert each.bill.problems["no_executor_ran"] == 1
        assert not any("a fault of r2d2" in said["told"] for said in each.advice)


def test_bill_and_advice_have_one_price_with_dbus() -> None:
    asked = costed(
        five_tasks(),
        cluster=replace(XLARGE, vm="F8s_v2", count=1),
        billing=Billing(dbu_usd=Fraction("0.30")),
        right_size=RightSizeSettings(350, vms=("F8s_v2", "F8s"), counts=(1,)),
        spot=SpotSettings(0.0, Fraction("0.1"), trials=1),
        serverless=SERVERLESS,
        pipeline=PipelineSettings(350, ("F8s_v2", "F8s")),
        job=(JobSettings("five", "by hand"),),
    )
    (five,) = asked.costed
    assert five.bill.usd == Fraction("0.874") * 200 / 3600
    best, other = advice(five, "right_size")["candidates"]
    assert (best["vm"], best["usd"]) == ("F8s", pytest.approx(0.798 * 100 / 3600))
    assert other["usd"] == pytest.approx(0.874 * 100 / 3600)
    assert asked.besides["pipeline"]["usd"] == best["usd"]
    assert "spot is 37.1% cheaper" in advice(five, "spot")["told"]
    assert advice(five, "serverless")["ways"]["cluster"]["usd"] == float(five.bill.usd)


def test_the_cluster_beside_serverless_workers_is_the_one_of_the_bill() -> None:
    (lost,) = costed(spot_loss(), serverless=SERVERLESS).costed
    assert lost.bill.usd == Fraction("0.192") * (100 + 60) / 3600
    ways = advice(lost, "serverless")["ways"]
    assert ways["cluster"]["usd"] == float(lost.bill.usd)
    assert ways["cheapest"]["usd"] <= float(lost.bill.usd)


def test_one_applications_fault_does_not_cost_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    whole: Callable[..., Any] = pipeline.bill

    def faulty(app: Application, *others: Any) -> Any:
        if app.id == "app-2":
            raise ZeroDivisionError("nothing to divide")
        return whole(app, *others)

    monkeypatch.setattr(pipeline, "bill", faulty)
    found = costed(five_tasks(), replace(spot_loss(), id="app-2"))
    assert [each.application.id for each in found.costed] == ["app-1"]
    ((path, reason),) = found.logs.refused
    assert path == "log 1"
    assert "a fault of r2d2" in reason
    assert "ZeroDivisionError" in reason


def test_an_advices_fault_does_not_cost_the_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_: Any) -> Any:
        raise KeyError("lost")

    monkeypatch.setattr("r2d2.vmcost.advice.packing_advice", faulty)
    (five,) = costed(five_tasks()).costed
    assert five.bill.usd is not None
    assert "a fault of r2d2" in advice(five, "packing")["told"]


def test_empty_and_cut_logs_are_named_and_the_good_one_is_costed(tmp_path: Path) -> None:
    good = (LOGS / "find-cluster-2.zstd").read_bytes()
    (tmp_path / "good.zstd").write_bytes(good)
    (tmp_path / "cut.zstd").write_bytes(good[: len(good) // 2])
    (tmp_path / "cut_early.zstd").write_bytes(good[:3])
    (tmp_path / "empty").write_bytes(b"")
    found = cost([tmp_path], CostRequest(PRICES, VmCostSettings(cluster=XLARGE)))
    assert [each.application.files for each in found.costed] == [(str(tmp_path / "good.zstd"),)]
    assert [Path(path).name for path, _ in found.logs.refused] == ["cut_early.zstd", "empty"]
    assert [Path(path).name for path, _ in found.logs.repeated] == ["cut.zstd"]


def stream(batches: int) -> Application:
    """A job of one stage and four tasks each five seconds, on two hosts."""
    executors = [Executor(host, host, 2, 0) for host in "ab"]
    app = application(batches * 5000, executors)
    tasks = np.zeros(4 * batches, TASK)
    batch = np.arange(4 * batches) // 4
    tasks["stage"], tasks["index"], tasks["executor"] = batch, np.arange(4 * batches) % 4, batch % 2
    tasks["launch_ms"], tasks["finish_ms"] = batch * 5000, batch * 5000 + 900
    tasks["run_ms"] = 900
    return replace(
        app,
        tasks=tasks,
        jobs=tuple(Job(at, (at,), at * 5000, at * 5000 + 1000) for at in range(batches)),
        stages=tuple(
            SparkStage(at, 0, "batch", 4, at * 5000, at * 5000 + 1000) for at in range(batches)
        ),
    )


@pytest.mark.slow
def test_ten_times_the_stages_are_about_ten_times_the_work() -> None:
    def work(batches: int) -> int:
        def cost_and_report() -> None:
            settings = RightSizeSettings(1e9, counts=(1,))
            found = costed(app, right_size=settings, serverless=None)
            report_data(found.costed, date(2026, 9, 1))

        app = stream(batches)
        return lines_run(cost_and_report)

    work(10)  # what is computed once, and kept
    assert work(2_000) <= 11 * work(200)


def test_beyond_ten_thousand_jobs_and_stages_the_cheapest_are_one_row() -> None:
    (found,) = costed(stream(10_050)).costed
    (data,) = report_data([found], date(2026, 9, 1))["applications"]
    assert len(data["by_job"]) == len(data["by_stage"]) == MOST_LISTED + 1
    for rows in (data["by_job"], data["by_stage"]):
        assert rows[-1]["name"] == "50 others"
        assert rows[-1]["task_s"] == pytest.approx(50 * 4 * 0.9)
        assert sum(row["task_s"] for row in rows) == pytest.approx(10_050 * 4 * 0.9)
        assert sum(row["usd"] for row in rows) == pytest.approx(data["money"]["busy"], rel=1e-4)
    assert len(data["timeline"]["jobs"]) == MOST_LISTED


def thrash(reason: str = "") -> Application:
    """Ten executors of 10 s on one host, one a minute."""
    executors = [
        Executor(str(at), "h1", 4, at * 60_000, at * 60_000 + 10_000, reason) for at in range(10)
    ]
    jobs = [Job(at, (at,), at * 60_000, at * 60_000 + 10_000) for at in range(10)]
    tasks = [task(at * 60_000, at * 60_000 + 10_000, executor=at, stage=at) for at in range(10)]
    return application(600_000, executors, tasks, jobs)


@pytest.mark.parametrize("keep_vms", [None, True, False])
@pytest.mark.parametrize("reason", ["idle", "Spot instance terminated"])
def test_executors_that_come_again_cost_600_seconds_whether_their_vm_was_kept_or_not(
    reason: str, keep_vms: bool | None
) -> None:
    (found,) = costed(thrash(reason), billing=Billing(keep_vms=keep_vms)).costed
    assert found.bill.usd == Fraction("0.192") * 600 / 3600
    kept = reason == "idle" if keep_vms is None else keep_vms
    told = "vm_kept_between_executors" if kept else "vm_rented_anew"
    assert found.bill.problems == {told: 1}
    assert float(found.bill.parts[Part.ROUNDING].vm_s) == (0 if kept else 500)


def test_pods_pay_for_the_share_of_the_node_that_they_ask_for() -> None:
    pods = [Executor(str(at), f"10.0.0.{at}", 1, 0) for at in range(4)]
    tasks = [task(0, 3_600_000, executor=at) for at in range(4)]
    k8s = {"spark.master": "k8s://https://x", "spark.kubernetes.executor.request.cores": "500m"}
    app = application(3_600_000, pods, tasks, [Job(0, (0,), 0, 3_600_000)], k8s)
    wanted = {"spot": SpotSettings(0.0, Fraction("0.1"), trials=1)}
    (found,) = costed(app, **wanted).costed
    assert found.bill.usd == 4 * Fraction(1, 8) * Fraction("0.192")
    assert found.bill.parts[Part.BUSY].usd == found.bill.usd
    assert advice(found, "spot")["ways"]["on_demand"]["mean_usd"] == pytest.approx(0.192)


@pytest.mark.parametrize(
    ("request_cores", "memory_mib", "share"),
    [
        ("", None, "1/4"),
        ("0.5", None, "1/8"),
        ("250m", 4096, "1/4"),
        ("9", None, "1"),
        ("x", 0, "1/4"),
    ],
)
def test_a_pod_asks_for_cores_or_memory_whichever_is_more(
    request_cores: str, memory_mib: int | None, share: str
) -> None:
    named = {"spark.kubernetes.executor.request.cores": request_cores}
    app = application(1, [Executor("1", "a", 1, 0, memory_mib=memory_mib)], properties=named)
    assert pod_share(app, 4, 16_384) == Fraction(share)


def test_a_speculative_copy_that_won_is_busy_and_the_original_is_killed() -> None:
    tasks = [
        task(0, 60_000, outcome=Outcome.KILLED),
        task(40_000, 60_000, attempt=1, speculative=True),
        task(0, 100_000),
    ]
    app = application(100_000, [Executor("1", "h1", 4, 0)], tasks, [Job(0, (0,), 0, 100_000)])
    (found,) = costed(app).costed
    parts = {part: amount.vm_s * 4 for part, amount in found.bill.parts.items()}
    assert [parts[part] for part in (Part.BUSY, Part.FAILED, Part.IDLE_IN_JOBS)] == [120, 60, 220]


def two_profiles() -> Application:
    """Four tasks of one CPU for 50 s, then one of two CPUs on an executor with a GPU."""
    executors = [
        Executor("1", "h1", 4, 0),
        Executor("2", "h2", 2, 50_000, None, "", 1, 2, 4505, ("gpu",)),
    ]
    tasks = [task(0, 50_000) for _ in range(4)] + [task(50_000, 100_000, executor=1, stage=1)]
    app = application(100_000, executors, tasks, [Job(0, (0, 1), 0, 100_000)])
    stages = (SparkStage(0, 0, "a", 4, 0, 50_000), SparkStage(1, 0, "b", 1, 50_000, 100_000, (0,)))
    return replace(app, stages=stages)


def test_each_resource_profile_takes_its_own_cores_and_what_is_not_known_is_said() -> None:
    sizes = RightSizeSettings(1000, vms=("large", "xlarge", "small"), counts=(1,))
    (found,) = costed(two_profiles(), right_size=sizes).costed
    told = advice(found, "right_size")
    assert {each["vm"]: each["expected_s"] for each in told["candidates"]} == {
        "xlarge": 100,
        "large": 150,
    }
    assert told["left_out"] == {
        "aws here small on_demand": "1 vCPUs are fewer than a task takes (2)"
    }
    assert any("resource profile 1 ask for gpu" in problem for problem in found.facts.problems)
    assert "memory of some executors is not known" in advice(found, "packing")["told"]


@pytest.mark.parametrize(
    ("properties", "version", "told"),
    [
        ({"spark.emr.default.executor.cores": "3"}, "3.5.0", "EMR's fee, usually a quarter"),
        ({}, "3.3.0-amzn-0", "here $0.0027"),
        ({"spark.x": "/usr/local/share/google/dataproc/lib"}, "3.5.0", "here $0.0022"),
        ({"spark.synapse.poolname": "p"}, "3.5.0", "Synapse's own rate"),
        ({"spark.databricks.clusterUsageTags.x": "y"}, "3.5.0", "Databricks' fee, its DBUs"),
    ],
)
def test_a_services_fee_that_is_not_in_the_bill_is_named_with_its_usual_size(
    properties: dict[str, str], version: str, told: str
) -> None:
    app = replace(five_tasks(), properties=properties, spark_version=version)
    (found,) = costed(app).costed
    assert told in " ".join(found.not_included)
    (paid,) = costed(
        app, billing=Billing(uplift_usd_per_node_hour=Fraction("0.01"), dbu_usd=Fraction(1))
    ).costed
    assert "fee" not in " ".join(paid.not_included)


def test_what_the_bill_leaves_out_is_said_and_advice_names_what_it_saves() -> None:
    executor = Executor("1", "h1", 4, 5_000, 200_000)
    app = replace(five_tasks(), executors=(executor,), ended_ms=203_000)
    sizes = RightSizeSettings(1000, vms=("xlarge",), counts=(1,))
    (found,) = costed(app, right_size=sizes).costed
    told = " ".join(found.not_included)
    assert "the driver's VM" in told
    assert "5.0 s before the first executor and 3.0 s after the last one" in told
    assert "disks" in told
    said = advice(found, "right_size")
    assert said["today_usd"] == float(found.bill.usd or 0)
    assert said["saving_usd"] == pytest.approx(said["today_usd"] - said["usd"])
    assert "today $0.0104" in said["told"]
    (whole,) = costed(app, cluster=replace(XLARGE, count=1, driver_vm="xlarge")).costed
    (disks,) = whole.not_included
    assert disks.startswith("disks, network and storage requests (100 GB of gp3 on each VM")
    assert "are $0.0012: give disk_gb" in disks  # 200 GB · 0.08 / 730 h · 203 s / 3600


def test_the_logs_own_figures_are_told_as_they_are_though_they_overlap() -> None:
    tasks = [
        task(0, 10_000, gc_ms=9_000, run_ms=10_000, cpu_ns=8 * 10**9, spilled_memory_bytes=7),
        task(0, 10_000, gc_ms=9_000, spilled_disk_bytes=3, input_bytes=5, peak_memory_bytes=11),
    ]
    executor = Executor("1", "h1", 4, 0, memory_mib=1024)
    (found,) = costed(application(10_000, [executor], tasks)).costed
    (data,) = report_data([found], date(2026, 9, 1))["applications"]
    logged = data["logged"]
    assert (logged["gc_s"], logged["run_s"], logged["cpu_s"]) == (18, 10, 8)
    assert data["task_time"]["gc_s"] < logged["gc_s"]
    assert (logged["spilled_memory_bytes"], logged["spilled_disk_bytes"]) == (7, 3)
    assert (logged["input_bytes"], logged["peak_memory_bytes"]) == (5, 11)
    assert logged["executor_memory_bytes"] == 2**30


def test_spot_without_a_price_is_at_most_the_price_on_demand_and_that_is_said() -> None:
    (found,) = costed(five_tasks(), cluster=replace(XLARGE, spot=True)).costed
    assert found.bill.usd == Fraction("0.192") * 200 / 3600
    assert found.bill.problems == {"spot_priced_on_demand_at_most": 1}


@pytest.mark.slow
def test_the_cheapest_size_is_that_of_enumeration_with_fees_of_300_random_runs() -> None:
    for seed in range(300):
        chance = Random(seed)
        tasks = [task(0, 1000 * chance.randint(1, 90)) for _ in range(chance.randint(1, 12))]
        app = application(90_000, [Executor("1", "h1", 16, 0)], tasks, [Job(0, (0,), 0, 90_000)])
        rows = [
            replace(row(f"vm{cores}", str(Fraction(chance.randint(1, 99), 100)), cores), mem_mib=1)
            for cores in (1, 2, 4)
        ]
        fees = {price.sku: Fraction(chance.randint(1, 20), 10) for price in rows}
        dbus = [row(sku, str(dbu), kind="dbu") for sku, dbu in fees.items()]
        billing = Billing(
            quantum_s=Fraction(chance.choice([1, 60])),
            start_up_s=Fraction(chance.randint(0, 50)),
            uplift_usd_per_node_hour=Fraction(chance.randint(0, 9), 100),
            dbu_usd=Fraction(chance.randint(0, 9), 10),
        )
        sizes = RightSizeSettings(
            chance.randint(60, 400), vms=tuple(fees), counts=(1, 2, 3), relative_sd=0.0
        )
        asked = VmCostSettings(cluster=replace(XLARGE, vm="vm4"), billing=billing, right_size=sizes)
        request = CostRequest(PriceList.of([*rows, *dbus], "random"), asked)
        (found,) = cost_of(EventLogs((app,), (), ()), request).costed
        expected = []
        for price, count in product(rows, (1, 2, 3)):
            took_s = replay(app, count * (price.vcpu or 0)).predicted_s
            if took_s <= sizes.deadline_s:
                rented_s = max(
                    Fraction(60), Fraction(round(took_s * 1000), 1000) + billing.start_up_s
                )
                paid_s = -(-rented_s // billing.quantum_s) * billing.quantum_s
                hour_usd = price.usd_per_hour + billing.uplift_usd_per_node_hour
                hour_usd += fees[price.sku] * (billing.dbu_usd or 0)
                expected.append(float(count * paid_s * hour_usd / 3600))
        assert advice(found, "right_size")["usd"] == (min(expected) if expected else None), seed


def churn() -> Application:
    """Twenty executors of 10 s, each on its VM anew: 20 minutes are billed, 200 s were used."""
    executors = [
        Executor(str(n), f"h{n}", 4, n * 10_000, (n + 1) * 10_000, "spot interruption")
        for n in range(20)
    ]
    tasks = [task(n * 10_000, (n + 1) * 10_000, executor=n, index=n) for n in range(20)]
    return application(200_000, executors, tasks, [Job(0, (0,), 0, 200_000)])


def test_a_model_that_is_far_from_todays_run_claims_no_more_than_its_share() -> None:
    wanted = {
        "right_size": RightSizeSettings(3600, counts=(1,)),
        "spot": SpotSettings(0.0, Fraction("0.096"), trials=1),
    }
    (one,) = costed(churn(), **wanted).costed
    assert one.bill.usd == 20 * 60 * Fraction("0.192") / 3600
    spot, size = advice(one, "spot"), advice(one, "right_size")
    assert spot["ways"]["on_demand"]["mean_usd"] < float(one.bill.usd) / 2
    assert spot["saving_usd"] == pytest.approx(float(one.bill.usd) / 2)
    assert "by that share today's run would be $0.0320" in spot["told"]
    assert size["usd"] is None
    assert "too far for more than a hint" in size["told"]
    assert "saving_usd" not in size
