"""Savings that are worth it, over a year, with reads that are unknown, of tables nobody reads."""

from dataclasses import replace
from datetime import date
from random import Random

import pytest

from r2d2.plan.costs import TableRecipe, pays_from_bytes
from r2d2.plan.graph_file import TableFacts
from r2d2.plan.plan_file import kept_kind
from r2d2.plan.planner import (
    PLAN_TOO_LITTLE,
    REASONS,
    TOO_LITTLE,
    KnownRecipes,
    Reasons,
    SolvedPlan,
    choose,
)
from r2d2.plan.program import Choice, Option, Problem, Rule, solve, verify
from r2d2.plan.usage import Usage
from r2d2.recipes.grammar import Project
from r2d2.settings.plan import Limit, PlanLimits, PlanSettings, ViewRule
from tests.support.plan.graphs import random_problem, table
from tests.support.plan.program_oracle import enumerated_usd

DEFAULTS, GB = PlanSettings(), 10**9
SIZES = {"root": 1000 * GB, "large": 400 * GB, "medium": 50 * GB, "small": 10 * GB, "tiny": GB}


def planned(
    settings: PlanSettings = DEFAULTS,
    usage: dict[str, Usage] | None = None,
    sizes: dict[str, int] = SIZES,
) -> SolvedPlan:
    """The plan where each table comes back from the root."""
    facts = {name: TableFacts(size, size) for name, size in sorted(sizes.items())}
    recipes = tuple(TableRecipe(name, Project("root", ())) for name in facts if name != "root")
    known = KnownRecipes(facts, recipes, {}, seconds=3600.0)
    unread = {name: Usage(1, name, 0.0) for name in facts}
    return choose(known, settings, unread if usage is None else usage, None)


def deleted(plan: SolvedPlan) -> set[str]:
    tables = plan.problem.tables
    return {tables[c.table].name for c in plan.solution.choices if c.option is not None}


def reasons(plan: SolvedPlan) -> dict[str, str]:
    told = Reasons.of(plan)
    return {t.name: told.of_choice(number) for number, t in enumerate(plan.problem.tables)}


def test_nothing_is_deleted_for_less_than_the_minimum_and_its_reason_says_so() -> None:
    plan = planned()
    assert deleted(plan) == {"large", "medium"}
    told = reasons(plan)
    # By hand: 10 GB and 1 GB at 0.0214 for storage and 0.00455 for a scan; nobody reads them.
    assert told["small"] == f"{TOO_LITTLE}$0.26 a month, less than the minimum of $1.00"
    assert told["tiny"] == f"{TOO_LITTLE}$0.026 a month, less than the minimum of $1.00"
    kinds = {kept_kind({"reason": told[name]}) for name in ("small", "tiny")}
    assert kinds == {"deleting it would save less than the minimum of $1.00"}
    least = replace(PlanSettings(), plan=PlanLimits(min_saving_usd_per_month=0.0))
    assert deleted(planned(least)) == {"large", "medium", "small", "tiny"}


def test_a_plan_that_saves_too_little_in_all_deletes_nothing() -> None:
    dear = replace(PlanSettings(), plan=PlanLimits(min_plan_saving_usd_per_month=1000.0))
    plan = planned(dear)
    assert deleted(plan) == set()
    assert plan.solution.status.value == "optimal"
    told = reasons(plan)
    # By hand: (400 + 50) × 0.02595; what saves less than $1 would not be in the plan either.
    assert told["large"] == f"{PLAN_TOO_LITTLE}$11.68 a month, less than the minimum of $1,000.00"
    assert told["tiny"] == f"{TOO_LITTLE}$0.026 a month, less than the minimum of $1.00"


def test_what_a_rebuild_would_have_cost_is_in_the_reason_to_keep() -> None:
    usage = {"small": Usage(1, "small", 100.0)}
    told = reasons(planned(usage=usage, sizes={"root": 10 * GB, "small": 10 * GB}))["small"]
    # By hand: 100 × (10 × (0.0000477 + 0.000596) + (120 + 100 + 200) × 0.192 / 3600)
    assert told == "rebuilding it would cost $2.88 a month, more than keeping it"
    assert kept_kind({"reason": told}) == "rebuilding it would cost more than keeping it"
    views = replace(DEFAULTS, view=(ViewRule("*", 600.0),))
    told = reasons(planned(views, usage, {"root": 11 * GB, "small": 10 * GB}))["small"]
    # By hand: 100 × (1 × (0.00455 + 0.0000477) + 1 × 10 × 0.192 / 3600)
    assert told == "reading its parents in its place would cost $0.51 a month, more than keeping it"


def test_a_table_that_would_save_enough_is_not_said_to_be_too_dear() -> None:
    free = PlanLimits(min_saving_usd_per_month=0.0, min_plan_saving_usd_per_month=0.0)
    half = replace(DEFAULTS, plan=replace(free, max_deleted_share=0.28))
    told = reasons(planned(half))
    assert told["medium"] == told["small"] == "the plan may delete 409.1 GB at most"
    sizes = {"a": 100 * GB, "b": 90 * GB, "c": 80 * GB}
    facts = {name: TableFacts(size, size) for name, size in sizes.items()}
    ways = (TableRecipe("b", Project("a", ())), TableRecipe("c", Project("b", ())))
    known = KnownRecipes(facts, ways, {})
    plan = choose(known, replace(DEFAULTS, plan=free), {n: Usage(1, n, 0.0) for n in facts}, None)
    assert deleted(plan) == {"b"}
    told_of_c = reasons(plan)["c"]
    assert told_of_c == "b, which it could be rebuilt from, is deleted"
    assert kept_kind({"reason": told_of_c}) == "what it could be rebuilt from is deleted"


@pytest.mark.parametrize("settings", [DEFAULTS, replace(DEFAULTS, plan=PlanLimits(0.1, 1e9, 1e9))])
def test_the_check_knows_every_reason_that_a_plan_gives(settings: PlanSettings) -> None:
    kept = [told for told in reasons(planned(settings)).values() if "rebuilt from" not in told]
    assert [told for told in kept if not REASONS.fullmatch(told)] == []


def test_a_minimum_is_reached_and_not_passed() -> None:
    lake = (table("a", 5.0), table("b", 3.0))
    problem = Problem(lake, (Option(1, (0,), 1.0, 1.0),), min_saving_usd_per_month=2.0)
    assert solve(problem).choices == (Choice(0), Choice(1, 0))
    above = replace(problem, min_saving_usd_per_month=2.1)
    assert solve(above).choices == (Choice(0), Choice(1))
    whole = replace(problem, min_plan_saving_usd_per_month=2.1)
    assert solve(whole).choices == (Choice(0), Choice(1))
    assert solve(whole).cost_usd_per_month == 8.0
    for broken in (above, whole):
        (violation,) = verify(broken, (Choice(0), Choice(1, 0)), 6.0)
        assert violation.rule is Rule.MIN_SAVING


@pytest.mark.parametrize("seed", range(60))
def test_minima_cost_what_enumeration_finds(seed: int) -> None:
    chance = Random(seed)
    problem = replace(
        random_problem(chance, most=9, capped=seed % 2 == 1),
        min_saving_usd_per_month=chance.choice([0.0, 0.1, 1.0, 10.0]),
        min_plan_saving_usd_per_month=chance.choice([0.0, 1.0, 30.0]),
    )
    solution = solve(problem)
    assert verify(problem, solution.choices, solution.cost_usd_per_month) == ()
    assert solution.cost_usd_per_month == pytest.approx(enumerated_usd(problem), rel=1e-9)
    assert solution.status.value == "optimal"


@pytest.mark.parametrize("reads", [0.0, 1.0, 3.0])
def test_a_deletion_pays_from_the_size_on_that_is_told(reads: float) -> None:
    limit = replace(DEFAULTS, limit=(Limit("*", 1e9),))
    size = pays_from_bytes(limit, reads)
    assert size is not None
    usage = {"t": Usage(1, "t", reads)}
    saved = {}
    for part in (1.0, 0.999):
        own = int(size * part)
        sizes = {"root": TableFacts(3 * size, 3 * size, format="parquet")}
        sizes["t"] = TableFacts(own, own, format="parquet")
        known = KnownRecipes(sizes, (TableRecipe("t", Project("root", ())),), {})
        whole = replace(limit, plan=PlanLimits(min_plan_saving_usd_per_month=0.0))
        saved[part] = deleted(choose(known, whole, usage, None))
    assert saved == {1.0: {"t"}, 0.999: set()}


def test_unknown_reads_bound_the_saving_both_ways_and_known_ones_do_not() -> None:
    usage = {"large": Usage(1, "large", 2.0), "medium": Usage(2, "medium")}
    costing = planned(usage=usage).costing
    known, unknown = (
        costing.saving_bounds_usd(TableRecipe(name, Project("root", ())))
        for name in ("large", "medium")
    )
    assert known[0] == known[1]
    assert unknown[0] < unknown[1]
    never = planned(usage={"medium": Usage(1, "medium", 0.0)}).costing
    often = planned(usage={"medium": Usage(1, "medium", 30.0)}).costing
    recipe = TableRecipe("medium", Project("root", ()))
    assert unknown == (often.saving_bounds_usd(recipe)[0], never.saving_bounds_usd(recipe)[1])


def test_a_table_that_nobody_read_for_long_may_take_a_day() -> None:
    usage = {
        "large": Usage(1, "large", 3.0, date(2026, 9, 1)),
        "medium": Usage(2, "medium", 3.0, date(2026, 5, 1)),
        "small": Usage(3, "small", 0.0),
        "tiny": Usage(4, "tiny"),
    }
    settings = replace(PlanSettings(), limit=(Limit("small", 60.0),))
    limits = {t.name: t.limit_s for t in planned(settings, usage).problem.tables}
    assert limits == {
        "large": 3600.0,
        "medium": 86400.0,
        "small": 60.0,
        "tiny": 3600.0,
        "root": 3600.0,
    }
    later = replace(settings, usage=replace(settings.usage, as_of=date(2027, 1, 1)))
    assert planned(later, usage).costing.unread() == {"large", "medium", "small"}
