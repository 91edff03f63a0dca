"""A plan for a modelled lake of 20,000 tables and 50 TB: what is proposed, and for how much.

    python -m benchmarks.lake_model [--tables 20000] [--terabytes 50] [--seed 1]

There is no data: sizes are lognormal, families grow by copies and by selections of recent tables,
reads are lognormal too and 55 % of the tables are not read at all. Recipes are priced by rates, as
none is run: a selection reads no more bytes than its table has. Each column is one way of planning
the same lake; `docs/plan.md` shows them.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from math import log
from random import Random
from statistics import median
from time import perf_counter

from benchmarks.table import aligned
from r2d2.plan.costs import TableRecipe
from r2d2.plan.graph_file import TableFacts
from r2d2.plan.planner import (
    PLAN_TOO_LITTLE,
    TOO_LITTLE,
    KnownRecipes,
    Reasons,
    SolvedPlan,
    choose,
)
from r2d2.plan.program import verify
from r2d2.plan.usage import Usage
from r2d2.recipes.grammar import Project, Select, parents
from r2d2.settings.plan import PlanLimits, PlanSettings, ViewRule
from r2d2.text_tables import human_bytes, usd

TODAY = date(2026, 9, 1)
LONELY, COPIES, UNREAD = 0.4, 0.15, 0.55
"""Shares: of tables without relatives, of copies among children, of tables that nobody reads."""
STEPS_USD = (0.0, 1.0, 10.0, 100.0, 1000.0, float("inf"))


@dataclass(frozen=True, slots=True)
class ModelledLake:
    """The recipes of a lake that is nowhere, and who reads its tables."""

    known: KnownRecipes
    usage: Mapping[str, Usage]


def modelled(chance: Random, tables: int, total_bytes: int) -> ModelledLake:
    """A lake of so many tables and about so many bytes."""
    sizes: list[float] = []
    ways: list[tuple[int, int, bool]] = []
    while len(sizes) < tables:
        base = len(sizes)
        sizes.append(chance.lognormvariate(log(0.1), 2.5))
        above: list[set[int]] = [set()]
        count = 0 if chance.random() < LONELY else round(chance.lognormvariate(log(4), 0.8))
        for number in range(1, min(count, tables - base)):
            parent = chance.randrange(max(0, number - 6), number)
            copy = chance.random() < COPIES
            sizes.append(sizes[base + parent] * (1 if copy else chance.uniform(0.02, 0.95)))
            above.append(above[parent] | {parent})
            if copy:
                above[parent].add(number)
                ways.append((base + parent, base + number, True))
            ways += [
                (base + number, base + rest, copy and rest == parent) for rest in above[number]
            ]
    scale = total_bytes / sum(sizes)
    names = [f"zone{number % 7}/t{number:06}" for number in range(len(sizes))]
    facts = {name: _facts(int(size * scale)) for name, size in zip(names, sizes, strict=True)}
    recipes = [
        TableRecipe(names[child], _recipe(names[parent], whole)) for child, parent, whole in ways
    ]
    recipes.sort(key=lambda recipe: (recipe.child, parents(recipe.recipe)))
    known = KnownRecipes(dict(sorted(facts.items())), tuple(recipes), {})
    return ModelledLake(known, {name: _usage(chance, name) for name in names})


def _facts(size_bytes: int) -> TableFacts:
    return TableFacts(size_bytes, size_bytes, format="parquet")


def _recipe(parent: str, whole: bool) -> Project | Select:
    if whole:
        return Project(parent, ())
    return Select(parent, (), ())


def _usage(chance: Random, name: str) -> Usage:
    if chance.random() < UNREAD:
        return Usage(0, name, 0.0, TODAY - timedelta(chance.randrange(100, 1000)))
    return Usage(0, name, chance.lognormvariate(0, 2), TODAY - timedelta(chance.randrange(30)))


def plans(lake: ModelledLake) -> dict[str, tuple[PlanSettings, Mapping[str, Usage]]]:
    """The settings and the usage of each plan, by name."""
    defaults = PlanSettings()
    views = replace(defaults, view=(ViewRule("*", 60.0),))
    return {
        "no minimum": (replace(defaults, plan=PlanLimits(1.0, 0.0, 0.0)), {}),
        "defaults": (defaults, {}),
        "with usage": (defaults, lake.usage),
        "and views": (views, lake.usage),
    }


def figures(plan: SolvedPlan, seconds: float) -> dict[str, str]:
    """What the plan proposes, by the name of the figure.

    Raises:
        SystemExit: it breaks a rule, such as a minimum.
    """
    problem, solution = plan.problem, plan.solution
    if broken := verify(problem, solution.choices, solution.cost_usd_per_month):
        raise SystemExit(broken[0].sentence)
    used = [c.option for c in solution.choices if c.option is not None]
    saved = [
        problem.tables[problem.options[o].child].keep_usd_per_month
        - problem.options[o].usd_per_month
        for o in used
    ]
    bounds = [
        plan.costing.saving_bounds_usd(
            plan.recipe_of(option), problem.options[option].view_of is not None
        )
        for option in used
    ]
    told = Reasons.of(plan)
    kept = [c.table for c in solution.choices if c.option is None]
    small = Counter(
        told.of_choice(table).startswith((TOO_LITTLE, PLAN_TOO_LITTLE)) for table in kept
    )
    freed = sum(problem.tables[problem.options[option].child].size_bytes for option in used)
    views = sum(problem.options[option].view_of is not None for option in used)
    return {
        "deleted": f"{len(used):,}",
        "of these views": f"{views:,}",
        "frees": human_bytes(freed),
        "saves a month": usd(sum(saved)),
        "saves a year": usd(12 * sum(saved)),
        "at most reads": usd(sum(least for least, _ in bounds)),
        "at no reads": usd(sum(most for _, most in bounds)),
        "median deletion": usd(median(saved)) if saved else "none",
        **{
            f"save {usd(low)} to {'more' if high == STEPS_USD[-1] else usd(high)}": str(
                sum(low <= amount < high for amount in saved)
            )
            for low, high in pairwise(STEPS_USD)
        },
        "left for a minimum": f"{small[True]:,}",
        "status": solution.status.value,
        "seconds": f"{seconds:.1f}",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures of each plan, side by side."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lake_model")
    parser.add_argument("--tables", type=int, default=20_000)
    parser.add_argument("--terabytes", type=float, default=50.0)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    lake = modelled(Random(chosen.seed), chosen.tables, int(chosen.terabytes * 10**12))
    sizes = [facts.size_bytes for facts in lake.known.facts.values()]
    total, middle = human_bytes(sum(sizes)), human_bytes(median(sizes))
    print(f"{len(sizes):,} tables, {total}, median {middle}, {len(lake.known.recipes):,} recipes")
    columns = {}
    for name, (settings, usage) in plans(lake).items():
        start = perf_counter()
        plan = choose(lake.known, settings, usage, None)
        columns[name] = figures(plan, perf_counter() - start)
    names = list(next(iter(columns.values())))
    rows = [[name, *(column[name] for column in columns.values())] for name in names]
    print(aligned([["", *columns], *rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
