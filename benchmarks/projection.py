"""From core-seconds at a few sizes to their growth, and to hours on many cores; with assumptions.

    growth      e = slope of ln(core-seconds) over ln(GB), and over ln(rows), by least squares
    done once   o(G) = fixed + rate · G, by least squares over the sizes, neither below 0;
                of one size: the same at all sizes
    tasks       t(G) = core-seconds a GB at the largest size measured · G; of Spark's JVMs, whose
                start is fixed, rate · G is added to the tasks and fixed to what is done once
    with growth t(G) · (G / largest)^(e - 1) where e of the tasks is above 1
    time        o(G) + max(t(G) / (cores · busy), G / (cores · bandwidth))

The part done once is the serial part of Amdahl's law (Validity of the single processor approach,
1967): no number of cores makes a run shorter than that.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.counts import GB, JVM, STEPS, Counted
from benchmarks.growth import exponent

TERABYTES = (1.0, 100.0)
CORES = (64, 1000)
BUSY = 0.6
MEGABYTES_A_CORE_S = 80.0
TARGET_S = 240.0


@dataclass(frozen=True, slots=True)
class Assumed:
    """The share of the cores' time that tasks use, and MB/s that a core gets of the store."""

    busy: float = BUSY
    megabytes_a_core_s: float = MEGABYTES_A_CORE_S


@dataclass(frozen=True, slots=True)
class Projection:
    """A lake of a size on many cores: seconds of each part."""

    engine: str
    terabytes: float
    cores: int
    core_s: float
    compute_s: float
    read_s: float
    once_s: float
    grown_s: float

    @property
    def seconds(self) -> float:
        """From start to end, in proportion to bytes."""
        return self.once_s + max(self.compute_s, self.read_s)

    @property
    def limit(self) -> str:
        """The part that takes longest."""
        parts = {"once": self.once_s, "computing": self.compute_s, "reading": self.read_s}
        return max(parts, key=lambda part: parts[part])


@dataclass(frozen=True, slots=True)
class Growth:
    """Exponents of what an engine took: in bytes of files, in rows read, and between two sizes.

    `last` is in rows, from the size before the largest to the largest.
    """

    engine: str
    what: str
    in_bytes: float
    in_rows: float
    last: float


def growths(points: Sequence[Counted]) -> list[Growth]:
    """The growth of each step of one engine, of `find` in all, and of `plan`; none of one size."""
    if len(points) < 2:
        return []
    sizes = [point.gigabytes for point in points]
    rows = [point.total("rows_read") for point in points]
    costs = {step: [point.step_s[step] for point in points] for step in points[0].step_s}
    costs["find"] = [point.cpu_s for point in points]
    costs["plan"] = [point.plan_cpu_s or 0.0 for point in points]
    return [
        Growth(
            points[0].engine,
            what,
            exponent(sizes, some),
            exponent(rows, some),
            exponent(rows[-2:], some[-2:]),
        )
        for what, some in costs.items()
        if min(some) > 0
    ]


def fixed_and_rate(sizes: Sequence[float], costs: Sequence[float]) -> tuple[float, float]:
    """The line through the costs by least squares, with neither part below 0.

    >>> fixed_and_rate([1, 2, 3], [5, 7, 9])
    (3.0, 2.0)
    >>> fixed_and_rate([1, 2], [1, 4])
    (0.0, 1.8)
    """
    if len(sizes) == 1:
        return costs[0], 0.0
    rate, fixed = statistics.linear_regression(sizes, costs)
    if rate < 0:
        return statistics.mean(costs), 0.0
    if fixed < 0:
        rate, _ = statistics.linear_regression(sizes, costs, proportional=True)
        return 0.0, rate
    return fixed, rate


def projections(
    points: Sequence[Counted],
    terabytes: Sequence[float] = TERABYTES,
    cores: Sequence[int] = CORES,
    assumed: Assumed | None = None,
) -> list[Projection]:
    """One engine's points, smallest first, as hours of lakes of the same shape on many cores."""
    assumed = assumed or Assumed()
    sizes = [point.gigabytes for point in points]
    once_s = [point.step_s["once"] for point in points]
    tasks_s = [sum(point.step_s[step] for step in STEPS) for point in points]
    jvm_fixed, jvm_rate = fixed_and_rate(sizes, [point.step_s.get(JVM, 0.0) for point in points])
    fixed, rate = fixed_and_rate(sizes, once_s)
    growth = max(0.0, exponent(sizes, tasks_s) - 1) if len(points) > 1 else 0.0
    found = []
    for terabyte in terabytes:
        size = terabyte * 1e12 / GB
        core_s = size * (tasks_s[-1] / sizes[-1] + jvm_rate)
        for count in cores:
            compute_s = core_s / (count * assumed.busy)
            read_s = size * GB / (count * assumed.megabytes_a_core_s * 1e6)
            own_s = fixed + jvm_fixed + rate * size
            grown = compute_s * (size / sizes[-1]) ** growth
            engine, grown_s = points[0].engine, own_s + max(grown, read_s)
            found.append(
                Projection(engine, terabyte, count, core_s, compute_s, read_s, own_s, grown_s)
            )
    return found


def assumptions(assumed: Assumed, largest: float) -> list[str]:
    """The assumptions in words, those first that hold least."""
    return [
        f"nothing was measured above {largest:.1f} GB: the rates there are taken for all sizes",
        "the lake keeps its shape: as many tables, of more rows; columns, compression and the share"
        " of true edges as here",
        f"tasks keep {assumed.busy:.0%} of all cores at work; one process of the local engine will"
        " not on 64 cores, since Python's lock holds threads up; on more than one machine only"
        " Spark's engine runs",
        "what is done once is on one core, and no task runs meanwhile; it is measured as all CPU"
        " time outside of tasks, so it is too much where a stage has threads of its own",
        f"every core gets {assumed.megabytes_a_core_s:g} MB/s of the object store, all at a time,"
        " while others compute; every byte of the files is read once; here files were in memory",
        "row hashes of a shuffle cross the network in no time, and a task that fails is none",
        "a core is as fast as one of this machine's, and as many share its memory",
    ]
