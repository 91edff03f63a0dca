"""The printed results."""

import statistics
from collections.abc import Sequence

from benchmarks.compare import Outcome, agreement, ratios, spread

HEADER = (
    "contender",
    "wall s",
    "CPU s",
    "peak MB",
    "edges",
    "edges as",
    "wall / best",
    "CPU / best",
)


def result_table(outcomes: Sequence[Outcome]) -> str:
    """One line a contender: medians (least–most), edges, and how r2d2 compares.

    "best" is the better of DuckDB's `one_query` and `one_scan` in the same turn.
    """
    rivals = [outcome for outcome in outcomes if outcome.contender.is_rival and outcome.costs]
    header = list(HEADER)
    if rivals:
        header[5] = f"edges as {rivals[0].contender.name}"
    same = agreement(outcomes)
    lines = [
        result_line(outcome, rivals, same.get(outcome.contender.name, "")) for outcome in outcomes
    ]
    return aligned([header, *lines])


def result_line(outcome: Outcome, rivals: Sequence[Outcome], same: str) -> list[str]:
    """One contender's cells."""
    if not outcome.costs:
        return [outcome.contender.name, outcome.failure, *[""] * (len(HEADER) - 2)]
    others = () if outcome.contender.is_rival else rivals
    wall = ratios(outcome, others, lambda cost: cost.wall_s)
    cpu = ratios(outcome, others, lambda cost: cost.cpu_s)
    return [
        outcome.contender.name,
        spread([cost.wall_s for cost in outcome.costs], 2),
        spread([cost.cpu_s for cost in outcome.costs], 2),
        f"{statistics.median(cost.peak_mb for cost in outcome.costs):.0f}",
        str(len(outcome.edges)),
        same,
        spread(wall, 2) if wall else "",
        spread(cpu, 2) if cpu else "",
    ]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with columns of even width."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
