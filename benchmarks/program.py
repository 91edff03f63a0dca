"""Times the integer program on generated lakes, each in a process of its own.

    python -m benchmarks.program [--solvers highs,cbc] [--runs 3] [--large]

`families` are containment families closed under containment and priced by bytes; `scattered`
options join any two tables, so that nothing is forced and all is one component. In `views`, half of
the families' recipes may be views too, and a deletion must save a dollar. A share below 1
caps the bytes to delete, which makes one model of everything. `greed` is the cost of the plan
that is made without a solver, over the optimum.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from time import perf_counter
from typing import NamedTuple

from benchmarks.compare import spread
from benchmarks.measure import measured
from benchmarks.table import aligned
from r2d2.plan.program import Solver, solve, verify
from tests.support.plan.graphs import families, scattered, with_cap, with_views


class Case(NamedTuple):
    """One problem for one solver."""

    lake: str
    tables: int
    options: int
    share: float
    solver: str


LAKES = ("families", "views", "scattered")
SMALL = tuple((lake, 2_000, 20_000, 1.0) for lake in LAKES)
LARGE = tuple((lake, 10_000, 100_000, 1.0) for lake in LAKES)
CAPPED = (("families", 2_000, 20_000, 0.2), ("scattered", 2_000, 20_000, 0.2))
LIMIT_S = 120.0
HEADER = (
    "lake",
    "tables",
    "options",
    "share",
    "solver",
    "solve s",
    "process s",
    "CPU s",
    "peak MB",
    "open",
    "models",
    "status",
    "gap",
    "greed",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table of all cases; with --one, what a single case gave, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.program")
    parser.add_argument("--solvers", default="highs,cbc")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="10,000 tables too")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.one:
        lake, tables, options, share, solver = chosen.one
        print(json.dumps(solved(Case(lake, int(tables), int(options), float(share), solver))))
        return 0
    shapes = (*SMALL, *CAPPED, *(LARGE if chosen.large else ()))
    cases = [Case(*shape, solver) for shape in shapes for solver in chosen.solvers.split(",")]
    rows = []
    for case in cases:
        rows.append(row(case, chosen.runs))
        print(" ".join(rows[-1]), file=sys.stderr, flush=True)
    print(aligned([HEADER, *rows]))
    return 0


def row(case: Case, runs: int) -> list[str]:
    """The cells of one case: medians (least–most) of its runs."""
    costs, told = [], []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        for _ in range(runs):
            one = [sys.executable, "-m", "benchmarks.program", "--one"]
            costs.append(measured([*one, *map(str, case)], log))
            told.append(json.loads(log.read_text().splitlines()[-1]))
    last = told[-1]
    return [
        case.lake,
        str(case.tables),
        str(last["options"]),
        f"{case.share:g}",
        last["version"],
        spread([run["seconds"] for run in told], 2),
        spread([cost.wall_s for cost in costs], 2),
        spread([cost.cpu_s for cost in costs], 2),
        f"{statistics.median(cost.peak_mb for cost in costs):.0f}",
        str(last["open"]),
        str(last["models"]),
        last["status"],
        f"{last['gap']:.1e}",
        f"{last['greedy']:.3f}",
    ]


def solved(case: Case) -> dict[str, object]:
    """What the solver did with one case, checked."""
    if case.lake == "views":
        recipes = families(Random(1), case.tables, case.options * 2 // 3)
        problem = replace(with_views(Random(2), recipes), min_saving_usd_per_month=1.0)
    else:
        make = {"families": families, "scattered": scattered}[case.lake]
        problem = make(Random(1), case.tables, case.options)
    if case.share < 1:
        problem = with_cap(problem, case.share)
    start = perf_counter()
    solution = solve(problem, Solver(case.solver), LIMIT_S)
    seconds = perf_counter() - start
    broken = verify(problem, solution.choices, solution.cost_usd_per_month)
    if broken:
        raise SystemExit(f"{case}: {broken[0].sentence}")
    greedy = solve(problem, Solver(case.solver), 0)
    return {
        "options": len(problem.options),
        "seconds": seconds,
        "status": solution.status.value,
        "gap": solution.gap,
        "open": solution.open_tables,
        "models": solution.models,
        "version": solution.version,
        "greedy": greedy.cost_usd_per_month / solution.cost_usd_per_month,
    }


if __name__ == "__main__":
    sys.exit(main())
