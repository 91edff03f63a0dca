"""Times the finding and proving of all candidate recipes beside `find`, on the same lake.

    python -m benchmarks.recipes [--lake dev|csv|both|tpch ...] [--runs 5]

Each turn runs three processes: `find`, `propose` (inventory, candidates, proofs) on the graph that
`find` wrote, and `run` (the program, and the chosen recipes run and compared). Seconds are of the
whole process; "inside" leaves out the interpreter and the imports, for all of them alike. Recipes
that are run for the plan are reported beside, and are no part of the ratio.
"""

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.compare import spread
from benchmarks.lakes import BenchmarkLake, known, ready, size_bytes
from benchmarks.measure import Cost, measured
from benchmarks.table import aligned

if TYPE_CHECKING:
    from r2d2.model import Table
    from r2d2.plan.graph_file import GraphFile
    from r2d2.storage.local import Storage

HEADER = ("step", "wall s", "CPU s", "wall inside s", "CPU inside s", "peak MB")
Told = dict[str, Any]
Result = TypeVar("Result")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table for every lake chosen; with --one, what a single step took, as JSON."""
    chosen = parser().parse_args(arguments)
    if chosen.one:
        step, lake, run = chosen.one
        print(json.dumps(STEPS[step](lake, Path(run))))
        return 0
    for name in chosen.lake or ("dev", "csv", "both", "tpch"):
        lake = ready(lakes(chosen.work, chosen.shared)[name])
        megabytes = size_bytes(lake) / 1e6
        print(
            f"\n{name}: {megabytes:.0f} MB of Parquet, {os.cpu_count()} cores, {chosen.runs} runs"
        )
        print(report([turn(lake, chosen.work) for _ in range(chosen.runs)]), flush=True)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    options = argparse.ArgumentParser("python -m benchmarks.recipes")
    options.add_argument("--lake", nargs="+", choices=[*lakes(Path(), Path())])
    options.add_argument("--runs", type=int, default=5)
    shared = Path(os.environ.get("R2D2_SHARED", Path(__file__).parents[2] / "shared"))
    options.add_argument("--shared", type=Path, default=shared, help="$R2D2_SHARED, ../shared")
    work = Path(tempfile.gettempdir()) / "r2d2-benchmarks"
    options.add_argument("--work", type=Path, default=work, help="for lakes and output")
    options.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    return options


def lakes(work: Path, shared: Path) -> dict[str, BenchmarkLake]:
    """The lakes by name: two formats of the dev lake, both together, and those that are made."""
    more = (
        BenchmarkLake("csv", shared / "lakes/dev/csv"),
        BenchmarkLake("both", shared / "lakes/dev"),
    )
    return known(work, shared) | {lake.name: lake for lake in more}


def turn(lake: BenchmarkLake, work: Path) -> dict[str, tuple[Cost, Told]]:
    """What each step cost and told, one after the other, each in a process of its own."""
    run = work / "out" / f"recipes_{lake.name}"
    run.mkdir(parents=True, exist_ok=True)
    found = {}
    for step in STEPS:
        one = [sys.executable, "-m", "benchmarks.recipes", "--one"]
        log = run / "log.txt"
        cost = measured([*one, step, str(lake.folder), str(run)], log)
        found[step] = cost, json.loads(log.read_text().splitlines()[-1])
        print(f"  {lake.name} {step}: {cost.cpu_s:.2f} CPU s", file=sys.stderr, flush=True)
    return found


def report(turns: Sequence[Mapping[str, tuple[Cost, Told]]]) -> str:
    """A line a step, the ratios of propose to find turn by turn, and what was proposed."""
    rows: list[Sequence[str]] = [HEADER]
    for step in STEPS:
        costs = [found[step][0] for found in turns]
        told = [found[step][1] for found in turns]
        rows.append(
            [
                step,
                spread([cost.wall_s for cost in costs], 2),
                spread([cost.cpu_s for cost in costs], 2),
                spread([one["wall_s"] for one in told], 2),
                spread([one["cpu_s"] for one in told], 2),
                f"{statistics.median(cost.peak_mb for cost in costs):.0f}",
            ]
        )
    rows.append(["propose / find", *(spread(ratios(turns, cost_of), 2) for cost_of in COSTS), ""])
    last = turns[-1]
    return "\n".join([aligned(rows), *(f"{step}: {last[step][1]['found']}" for step in STEPS)])


def ratios(
    turns: Sequence[Mapping[str, tuple[Cost, Told]]], cost_of: Callable[[Cost, Told], float]
) -> list[float]:
    """Propose over find, turn by turn."""
    return [cost_of(*found["propose"]) / cost_of(*found["find"]) for found in turns]


COSTS: tuple[Callable[[Cost, Told], float], ...] = (
    lambda cost, _: cost.wall_s,
    lambda cost, _: cost.cpu_s,
    lambda _, told: float(told["wall_s"]),
    lambda _, told: float(told["cpu_s"]),
)


def timed(work: Callable[[], Result]) -> tuple[Result, Told]:
    """The work's result, and the seconds it took: on the wall, and of all processes' threads."""
    start, start_cpu = perf_counter(), sum(os.times()[:4])
    result = work()
    return result, {"wall_s": perf_counter() - start, "cpu_s": sum(os.times()[:4]) - start_cpu}


def find_step(lake: str, run: Path) -> Told:
    """Times `find`; its graph is left in the run's folder."""
    from r2d2 import find
    from r2d2.report import write_find
    from r2d2.settings.find import Settings, TableRule
    from r2d2.storage import storage_of

    # A lake that was made has a table a file, whatever numbers their names share.
    is_made = Path(lake) in (made.folder for made in known(run.parents[1], Path()).values())
    settings = Settings(tables=(TableRule(files="**/*.parquet"),) if is_made else ())
    graph, told = timed(lambda: find(lake, settings))
    write_find(run, graph, settings, storage_of(lake).url)
    return told | {"found": f"{len(graph.tables)} tables, {len(graph.edges)} edges"}


def propose_step(_: str, run: Path) -> Told:
    """Times the inventory and all that is learnt; that is left in the run's folder."""
    from r2d2.engines.local.recipes import LocalRecipes
    from r2d2.plan import recipes_text
    from r2d2.plan.graph_file import RECIPES_NAME, load_graph
    from r2d2.plan.planner import KnownRecipes, learn
    from r2d2.progress import Silence

    graph = load_graph(run)

    def work() -> KnownRecipes:
        storage, tables = inventory(run, graph)
        return learn(graph, tables, LocalRecipes(storage, graph.settings), Silence())

    learnt, told = timed(work)
    (run / RECIPES_NAME).write_text(recipes_text(learnt, sha256(run)), encoding="utf-8")
    kinds = Counter(type(one.recipe).__name__ for one in learnt.recipes)
    recipes = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return told | {"found": f"{recipes}; {sum(learnt.refused.values())} edges without"}


def run_step(_: str, run: Path) -> Told:
    """Times the program and the runs of what it chooses, at prices that keep next to nothing."""
    from r2d2.engines.local.recipes import LocalRecipes
    from r2d2.plan import load_recipes
    from r2d2.plan.graph_file import load_graph
    from r2d2.plan.plan_file import plan_data
    from r2d2.plan.planner import choose
    from r2d2.settings.plan import PlanSettings, Prices

    graph = load_graph(run)
    storage, tables = inventory(run, graph)
    try_out = partial(LocalRecipes(storage, graph.settings).try_out, tables, folder=run)
    learnt = load_recipes(run, sha256(run))
    settings = PlanSettings(prices=Prices(storage_usd_per_gb_month=STORAGE_USD))
    planned, told = timed(lambda: choose(learnt, settings, {}, try_out))
    totals = plan_data(planned, graph)["totals"]
    return told | {"found": ", ".join(f"{name} {totals[name]}" for name in TOTALS)}


def inventory(run: Path, graph: "GraphFile") -> tuple["Storage", dict[str, "Table"]]:
    """The storage of the graph's lake, and its tables as they are now."""
    from r2d2.plan.graph_file import tables_now
    from r2d2.storage import storage_of

    storage = storage_of(graph.lake)
    return storage, tables_now(run, graph, storage)


STORAGE_USD = 1e5
TOTALS = (
    "deleted",
    "tables",
    "freed_bytes",
    "bytes",
    "saving_usd_per_month",
    "recipes_run",
    "recipes_that_failed",
)
STEPS: Mapping[str, Callable[[str, Path], Told]] = {
    "find": find_step,
    "propose": propose_step,
    "run": run_step,
}


def sha256(run: Path) -> str:
    """The digest of the run's graph, by which what was learnt of it is known again."""
    return hashlib.sha256((run / "graph.json").read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
