"""The examples of docs/howto on cost, which a person can work out by hand."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from r2d2.vmcost.advice.packing import (
    Numa,
    Shape,
    best_shapes,
    fragment_rate,
    mib_per_core,
    pack,
    reserve,
    rooms_of,
)
from r2d2.vmcost.advice.right_size import rental_usd
from r2d2.vmcost.advice.serverless import choose
from r2d2.vmcost.advice.serverless.model import RentedCluster, RunStep, Serverless
from r2d2.vmcost.advice.serverless.prices import ResourceRate, ServerlessWorker
from r2d2.vmcost.advice.spot import SpotOffer, compare_spot_of
from r2d2.vmcost.events import EventLogs, read_applications
from r2d2.vmcost.machines import ClusterFacts
from r2d2.vmcost.model import Billing, Executor, Job, PriceKind
from r2d2.vmcost.pipeline import CostRequest, cost_of
from r2d2.vmcost.prices import load_prices
from r2d2.vmcost.profile import ProfiledRun, profile
from r2d2.vmcost.settings import PackingSettings, RightSizeSettings, VmCostSettings
from tests.support.vmcost.bill_apps import application, task
from tests.support.vmcost.replay_plans import one_job, step
from tests.support.vmcost.vm_prices import rate

GIB = 1024
EXACT = Billing(minimum_s=Fraction(0))
LOGS = Path(__file__).parents[1] / "logs"


def executors(*cores: int, mib: int | None = 12 * GIB) -> tuple[Executor, ...]:
    return tuple(Executor(str(at), "h", c, 0, memory_mib=mib) for at, c in enumerate(cores))


def test_packing_keeps_a_core_and_a_tenth_of_the_memory_for_the_system() -> None:
    app = application(1000, executors(4, 4, 4))
    kept = reserve(app, 16, 64 * GIB, PackingSettings())
    assert kept == (1, 64 * GIB // 10)
    rooms = rooms_of(16, 64 * GIB, 1, *kept)
    today = pack(rooms, Shape(4, 12 * GIB))
    assert (today.executors, today.stranded_cores) == (3, 3)
    best = best_shapes(rooms, 3 * GIB)[0]
    assert (best.shape.cores, best.executors, best.stranded_cores) == (15, 1, 0)


def test_the_reserve_is_no_more_than_todays_executors_leave() -> None:
    full = application(1000, executors(8, 8, mib=None))
    assert reserve(full, 16, 64 * GIB, PackingSettings())[0] == 0
    stated = PackingSettings(reserved_cores=2, reserved_mib=0)
    assert reserve(full, 16, 64 * GIB, stated) == (2, 0)


def test_fragments_and_numa_nodes_of_a_real_log() -> None:
    (app,) = read_applications([LOGS / "find-local-2.zstd"])
    cores, memory = app.executors[0].cores, mib_per_core(app)
    assert (cores, memory) == (2, 1024)
    # Of 7 free cores an executor of 2 leaves 1, of 5 too: 2 of 12.
    assert fragment_rate([7, 5], cores) == Fraction(1, 6)
    packed = pack(rooms_of(8, 32 * GIB, 1, 1), Shape(cores, cores * memory), Numa(1))
    assert (packed.executors, packed.stranded_cores) == (3, 1)
    assert "exceeds a NUMA node (2 cores of 1)" in packed.warning


def test_serverless_pays_for_starting_the_cluster_again() -> None:
    cluster = RentedCluster(Fraction(36), 16, billing=EXACT, again_ms=40_000)
    offer = Serverless(
        ServerlessWorker(1, Fraction(1)),
        ResourceRate(Fraction(10), "made up", date(2026, 1, 1)),
        10,
    )
    busy = RunStep((1,), 0, 60_000, 60_000, (60_000,))
    later = replace(busy, gap_ms=30_000)
    # One cent a second: keeping the cluster for 30 s costs 30 cents, starting it again 40.
    kept = choose([busy, later], cluster, offer)
    assert (kept.rentals_ms, kept.usd) == ((150_000,), Fraction("1.50"))
    free = choose([busy, later], replace(cluster, again_ms=0), offer)
    assert (free.rentals_ms, free.usd) == ((60_000, 60_000), Fraction("1.20"))


def test_unknown_memory_is_said_and_leaves_no_type_out() -> None:
    app = application(60_000, executors(4, mib=None), [task(0, 60_000)], [Job(0, (0,), 0, 60_000)])
    app = replace(app, files=("log",))
    sizes = RightSizeSettings(100, vms=("c5.xlarge",), counts=(1,))
    settings = VmCostSettings(
        cluster=ClusterFacts("aws", "us-east-1", "m5.xlarge"), right_size=sizes
    )
    logs = cost_of(EventLogs((app,), (), ()), CostRequest(load_prices(), settings))
    (said,) = [each for each in logs.costed[0].advice if each["kind"] == "right_size"]
    assert (
        said["told"]
        .partition("; today")[0]
        .endswith("the memory of 1 executor is not known: check that each type has enough")
    )
    assert [each["vm"] for each in said["candidates"]] == ["c5.xlarge"]


def test_the_shuffle_output_of_a_lost_vm_is_made_again() -> None:
    first = step(3_600_000)
    (only,) = first.tasks
    wrote = replace(first, tasks=(replace(only, written_bytes=100),))
    plan = one_job(wrote)
    spot = rate("m", "0.30", kind=PriceKind.SPOT)
    offer = SpotOffer(1, 1, rate("m", "1.00"), spot, 1.0)
    found = compare_spot_of(plan, 0, offer, EXACT, trials=200, seed=1)
    # Each loss begins the hour's task again, and with it its 100 bytes.
    assert found.bytes_again == 100 * found.tasks_again
    assert found.tasks_again == found.interruptions > 0


def test_start_up_is_told_as_a_distribution() -> None:
    runs = [
        ProfiledRun(
            application(900_000, [Executor("1", "h", 4, 1000 * start)]), rate("m", "1.00"), 1
        )
        for start in (10, 20, 30, 40, 100)
    ]
    (cluster,) = profile(runs)["clusters"]
    assert cluster["start_up_p95_s"] == 100.0
    assert cluster["start_up_s"] == pytest.approx(
        {
            "p5": 10.0,
            "p25": 20.0,
            "p50": 30.0,
            "p75": 40.0,
            "p95": 100.0,
            "mean": 40.0,
            "sd": 31.62,
        },
        abs=0.01,
    )


def test_a_rental_has_its_start_up_its_tail_and_its_rounding() -> None:
    billing = Billing(quantum_s=Fraction(60), start_up_s=Fraction(120), idle_tail_s=Fraction(300))
    # 1,000 s of work, 120 before, 300 after: 1,420 s, billed as 24 minutes at $0.60 an hour.
    assert rental_usd(1_000_000, rate("m", "0.60"), billing) == Fraction("0.24")
