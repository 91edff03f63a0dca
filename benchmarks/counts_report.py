"""The counts as text and as JSON."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.counts import GB, STEPS, Counted
from benchmarks.projection import (
    TARGET_S,
    Assumed,
    Growth,
    Projection,
    assumptions,
    growths,
    projections,
)
from benchmarks.table import aligned

UNITS = (
    "A GB is 10⁹ bytes: of files as stored, for decode and hash of rows in memory, for exchange of"
    " row hashes. Core-seconds are CPU seconds of the whole process and all that it started.",
    "once: CPU time outside of tasks (start, listing, footers, decisions, output), which more cores"
    " do not shorten: the serial part of Amdahl's law.",
)
FORMULA = (
    "e = slope of ln(core-seconds) over ln(GB of files), or over ln(rows read), by least squares"
)


def by_engine(counts: Sequence[Counted]) -> Mapping[str, list[Counted]]:
    """The points of each engine, smallest first."""
    found: dict[str, list[Counted]] = defaultdict(list)
    for point in sorted(counts, key=lambda point: point.gigabytes):
        found[point.engine].append(point)
    return found


def counts_text(counts: Sequence[Counted], assumed: Assumed) -> str:
    """Tables of the counts, of their steps and stages, their growth, and the projection."""
    engines = by_engine(counts).values()
    grown = [growth for points in engines for growth in growths(points)]
    projected = [each for points in engines for each in projections(points, assumed=assumed)]
    largest = max(point.gigabytes for point in counts)
    parts = [
        *UNITS,
        f"\n{whole_table(counts)}",
        f"\n{step_table(counts)}",
        f"\n{stage_table(counts)}",
        f"\ngrowth: {FORMULA}\n{growth_table(grown)}" if grown else "\nof one size: no growth",
        f"\nprojection\n{projection_table(projected)}",
        *verdicts([points[-1] for points in engines], assumed),
        "assumed:",
        *(f"- {sentence}" for sentence in assumptions(assumed, largest)),
    ]
    return "\n".join(parts)


def counts_data(counts: Sequence[Counted], assumed: Assumed) -> Mapping[str, Any]:
    """The same as plain data."""
    engines = by_engine(counts).values()
    largest = max(point.gigabytes for point in counts)
    return {
        "units": UNITS,
        "counts": [
            {**asdict(point), "steps_core_s": point.step_s, "steps_gb": point.step_gigabytes}
            for point in counts
        ],
        "growth_formula": FORMULA,
        "growth": [asdict(growth) for points in engines for growth in growths(points)],
        "assumed": {**asdict(assumed), "in_words": assumptions(assumed, largest)},
        "projection": [
            {**asdict(each), "seconds": each.seconds, "limit": each.limit}
            for points in engines
            for each in projections(points, assumed=assumed)
        ],
    }


def whole_table(counts: Sequence[Counted]) -> str:
    """One line an engine and size: what was there, and what the whole process took."""
    heads = ("engine", "GB", "files", "edges", "GB decoded", "M rows hashed", "GB shuffled")
    heads += ("wall s", "core s", "a GB of files", "a GB decoded", "peak MB", "load")
    heads += ("plan core s", "plan / find")
    rows = [
        (
            point.engine,
            f"{point.gigabytes:.2f}",
            str(point.files),
            str(point.edges),
            f"{decoded_gigabytes(point):.2f}",
            f"{point.work('rows_hashed') / 1e6:.1f}",
            f"{point.total('bytes_shuffled') / GB:.3f}",
            f"{point.wall_s:.1f}",
            f"{point.cpu_s:.1f}",
            f"{point.cpu_s / point.gigabytes:.2f}",
            f"{point.cpu_s / decoded_gigabytes(point):.2f}",
            f"{point.peak_mb:.0f}",
            f"{point.load:.1f}",
            "" if point.plan_cpu_s is None else f"{point.plan_cpu_s:.1f}",
            "" if point.plan_cpu_s is None else f"{point.plan_cpu_s / point.cpu_s:.2f}",
        )
        for point in counts
    ]
    return aligned([heads, *rows])


def step_table(counts: Sequence[Counted]) -> str:
    """One line a step of `find`: core-seconds, for each of its own GB and each GB of files."""
    heads = ("engine", "GB", "step", "its GB", "core s", "for its GB", "for a GB of files", "share")
    rows = [
        (
            point.engine,
            f"{point.gigabytes:.2f}",
            step,
            f"{point.step_gigabytes[step]:.3f}",
            f"{core_s:.2f}",
            f"{core_s / point.step_gigabytes[step]:.2f}" if point.step_gigabytes[step] else "",
            f"{core_s / point.gigabytes:.2f}",
            f"{core_s / point.cpu_s:.0%}",
        )
        for point in counts
        for step, core_s in point.step_s.items()
    ]
    return aligned([heads, *rows])


def stage_table(counts: Sequence[Counted]) -> str:
    """One line a stage of each engine at its largest size."""
    heads = ("engine", "GB", "stage", "MB read", "MB decoded", "M rows hashed", "MB shuffled")
    heads += ("core s", "of which tasks")
    rows = [
        (
            point.engine,
            f"{point.gigabytes:.2f}",
            row["stage"],
            f"{row['bytes_read'] / 1e6:.1f}",
            f"{row['work']['bytes_decoded'] / 1e6:.1f}",
            f"{row['work']['rows_hashed'] / 1e6:.2f}",
            f"{row['bytes_shuffled'] / 1e6:.1f}",
            f"{row['core_seconds']:.2f}",
            f"{sum(row['work'][f'{step}_s'] for step in STEPS):.2f}",
        )
        for points in by_engine(counts).values()
        for point in points[-1:]
        for row in point.funnel
    ]
    return aligned([heads, *rows])


def growth_table(grown: Sequence[Growth]) -> str:
    """One line for each exponent."""
    heads = ("engine", "core-seconds of", "e in bytes", "e in rows", "in rows, last two sizes")
    rows = [
        (
            each.engine,
            each.what,
            f"{each.in_bytes:.2f}",
            f"{each.in_rows:.2f}",
            f"{each.last:.2f}",
        )
        for each in grown
    ]
    return aligned([heads, *rows])


def projection_table(projected: Sequence[Projection]) -> str:
    """One line for each size and number of cores."""
    heads = ("engine", "TB", "cores", "core hours", "computing s", "reading s", "once s")
    heads += ("in all s", "limit", "with growth s")
    rows = [
        (
            each.engine,
            f"{each.terabytes:g}",
            str(each.cores),
            f"{each.core_s / 3600:.1f}",
            f"{each.compute_s:.0f}",
            f"{each.read_s:.0f}",
            f"{each.once_s:.0f}",
            f"{each.seconds:.0f}",
            each.limit,
            f"{each.grown_s:.0f}",
        )
        for each in projected
    ]
    return aligned([heads, *rows])


def verdicts(largest: Sequence[Counted], assumed: Assumed) -> Iterator[str]:
    """Whether all core-seconds a GB, for 1 TB on 64 cores, are within the time asked for."""
    for point in largest:
        for size, of in ((point.gigabytes, "of files"), (decoded_gigabytes(point), "decoded")):
            rate = point.cpu_s / size
            seconds = rate * 1000 / (64 * assumed.busy)
            done = "within" if seconds <= TARGET_S else "over"
            yield (
                f"{point.engine}: {rate:.2f} core-seconds in all for a GB {of}, so 1 TB {of} on"
                f" 64 cores at {assumed.busy:.0%} takes {seconds:.0f} s, {done} {TARGET_S:.0f} s"
            )


def decoded_gigabytes(point: Counted) -> float:
    """The GB of rows that were decoded."""
    return point.work("bytes_decoded") / GB
