"""How r2d2's cost grows with the lake: the same tables at three sizes."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.compare import Outcome, spread
from benchmarks.table import aligned

SCALES = (0.521, 2.084, 8.336)
"""Of lineitem: 3.1, 12.5 and 50 million rows in the full table, 2.6 times that in its schema."""


@dataclass(frozen=True, slots=True)
class Grown:
    """One size: the lake's bytes, and what a contender took."""

    scale: float
    size_bytes: int
    outcome: Outcome


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The slope of log cost over log size, by least squares.

    >>> round(exponent([1, 4, 16], [3, 6, 12]), 6)
    0.5
    """
    return statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    ).slope


def growth_table(steps: Sequence[Grown]) -> str:
    """One line a size, then the exponents of wall clock and CPU in bytes."""
    rows = [["scale", "MB", "wall s", "CPU s", "peak MB", "edges"]]
    rows += [
        [
            f"{step.scale:g}",
            f"{step.size_bytes / 1e6:.0f}",
            spread([cost.wall_s for cost in step.outcome.costs], 2),
            spread([cost.cpu_s for cost in step.outcome.costs], 2),
            f"{max(cost.peak_mb for cost in step.outcome.costs):.0f}",
            str(len(step.outcome.edges)),
        ]
        for step in steps
    ]
    sizes = [float(step.size_bytes) for step in steps]
    wall = [statistics.median(cost.wall_s for cost in step.outcome.costs) for step in steps]
    cpu = [statistics.median(cost.cpu_s for cost in step.outcome.costs) for step in steps]
    slopes = f"wall {exponent(sizes, wall):.2f}, CPU {exponent(sizes, cpu):.2f}"
    return f"{aligned(rows)}\nexponent in bytes: {slopes}"
