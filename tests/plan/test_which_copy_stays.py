"""Of equal copies the one stays that people would keep, for a reason that is told."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

import pytest

from r2d2.model import FileInfo
from r2d2.plan.costs import TableRecipe
from r2d2.plan.graph_file import TableFacts
from r2d2.plan.planner import KnownRecipes, Reasons, SolvedPlan, choose
from r2d2.plan.program import Choice, solve, verify
from r2d2.plan.usage import Usage
from r2d2.recipes.constants import Constant
from r2d2.recipes.grammar import Output, Project
from r2d2.settings.plan import (
    PlanSettings,
    Preference,
    Prices,
    Protection,
    UsageDefaults,
    load_plan_settings,
)
from tests.support.plan.graphs import random_problem, twins
from tests.support.plan.program_oracle import enumerated_usd
from tests.test_readme import REPOSITORY

# Reads cost nothing, so that who reads a table does not decide by money.
SETTINGS = PlanSettings(
    prices=Prices(
        storage_usd_per_gb_month=1000.0,
        read_usd_per_gb=0.0,
        write_usd_per_gb=0.0,
        vm_usd_per_hour=0.0,
    )
)
GOLD = (Preference("gold/*", "teams build on gold"), Preference("silver/*", "silver is cleaned"))


def facts(*paths: str, size_bytes: int = 10**9, kind: str = "parquet") -> TableFacts:
    return TableFacts(
        size_bytes,
        size_bytes,
        files=tuple(FileInfo(path, size_bytes, "1") for path in paths),
        format=kind,
    )


def planned(
    tables: dict[str, TableFacts],
    settings: PlanSettings = SETTINGS,
    usage: dict[str, Usage] | None = None,
) -> SolvedPlan:
    """The plan for tables each of which is all rows of each other."""
    names = sorted(tables)
    recipes = tuple(
        TableRecipe(child, Project(parent, ()))
        for child in names
        for parent in names
        if child != parent
    )
    known = KnownRecipes({name: tables[name] for name in names}, recipes, {})
    return choose(known, settings, usage or {}, None)


def kept(plan: SolvedPlan) -> list[str]:
    return [
        table.name
        for table, choice in zip(plan.problem.tables, plan.solution.choices, strict=True)
        if choice.option is None
    ]


def told(plan: SolvedPlan) -> dict[str, str]:
    """The reason of each deleted copy."""
    reasons = Reasons.of(plan)
    copies = {t.name: reasons.copy_that_stays(n) for n, t in enumerate(plan.problem.tables)}
    return {name: copy["because"] for name, copy in copies.items() if copy}


PLAIN = facts("a.parquet")


@pytest.mark.parametrize(
    ("tables", "stays", "because"),
    [
        ({"a.parquet": PLAIN, "b.parquet": PLAIN}, "a.parquet", "first of them by location"),
        ({"a.orders.copy": PLAIN, "b.parquet": PLAIN}, "b.parquet", "not named as a copy"),
        ({"backup/a": PLAIN, "orders": PLAIN}, "orders", "not named as a copy"),
        ({"a_old": PLAIN, "gold_orders": PLAIN}, "gold_orders", "not named as a copy"),
        ({"a_tmp_2": PLAIN, "b": PLAIN}, "b", "not named as a copy"),
        (
            {"a.csv": facts(kind="csv"), "b_tmp": facts(kind="delta")},
            "b_tmp",
            "in a format that serves readers better",
        ),
        (
            {"a": PLAIN, "b": facts("b/day=2026-01-01/x.parquet", "b/day=2026-01-02/x.parquet")},
            "b",
            "partitioned",
        ),
        ({"a": PLAIN, "silver/b": PLAIN}, "silver/b", "silver is cleaned"),
        ({"gold/a_old": PLAIN, "silver/b": PLAIN}, "gold/a_old", "teams build on gold"),
        (
            {"backup/gold/a": facts(size_bytes=10**9), "gold/b": facts(size_bytes=2 * 10**9)},
            "backup/gold/a",
            "that makes the plan cheapest",
        ),
    ],
)
def test_the_copy_stays_that_has_the_first_reason(
    tables: dict[str, TableFacts], stays: str, because: str
) -> None:
    plan = planned(tables, replace(SETTINGS, prefer=GOLD))
    assert kept(plan) == [stays]
    assert set(told(plan).values()) == {because}


@pytest.mark.parametrize(
    ("usage", "because"),
    [
        (Usage(2, "b", 9.0), "read more often"),
        (Usage(2, "b", 1.0, None, 4), "read by more consumers"),
        (Usage(2, "b", 1.0, date(2026, 9, 1)), "read more recently"),
    ],
)
def test_the_copy_that_is_read_stays(usage: Usage, because: str) -> None:
    plan = planned({"a": PLAIN, "b": PLAIN}, usage={"a": Usage(1, "a", 1.0), "b": usage})
    assert (kept(plan), told(plan)) == (["b"], {"a": because})


def test_a_rule_goes_before_readers_and_money_before_a_rule() -> None:
    tables = {"a": PLAIN, "gold/b": PLAIN}
    ruled = replace(SETTINGS, prefer=GOLD)
    assert kept(planned(tables, ruled, {"a": Usage(1, "a", 9.0)})) == ["gold/b"]
    paid = replace(
        ruled,
        prices=replace(SETTINGS.prices, vm_usd_per_hour=1.0),
        usage=UsageDefaults(reads_per_month=1.0),
    )
    assert kept(planned(tables, paid, {"a": Usage(1, "a", 9.0)})) == ["a"]


def test_of_many_copies_one_stays_and_each_other_tells_why() -> None:
    tables = dict.fromkeys(("a_copy", "b", "c_backup", "gold/d", "silver/e"), PLAIN)
    plan = planned(tables, replace(SETTINGS, prefer=GOLD))
    assert kept(plan) == ["gold/d"]
    assert told(plan) == {name: "teams build on gold" for name in tables if name != "gold/d"}


def test_a_plan_that_deletes_the_preferred_twin_at_no_gain_is_refused() -> None:
    problem = twins(1.0, 1.0)
    tables = (problem.tables[0], replace(problem.tables[1], rank=-1))
    ranked = replace(problem, tables=tables)
    assert solve(ranked).choices == (Choice(0, 0), Choice(1))
    (violation,) = verify(ranked, (Choice(0), Choice(1, 1)), 1.1)
    assert violation.rule.value == "preference"
    assert violation.sentence == "twin1 is preferred to twin0 at the same cost, and is deleted"


@pytest.mark.parametrize("seed", range(60))
def test_preferences_cost_nothing_and_no_preferred_twin_goes_for_nothing(seed: int) -> None:
    chance = Random(seed)
    plain = random_problem(chance, most=8, capped=seed % 2 == 1)
    # Prices of one or two dollars make many plans cost the same.
    even = tuple(
        replace(table, keep_usd_per_month=2.0, rank=chance.randrange(3)) for table in plain.tables
    )
    options = tuple(replace(o, usd_per_month=chance.choice([0.5, 1.0])) for o in plain.options)
    problem = replace(plain, tables=even, options=options)
    solution = solve(problem)
    assert verify(problem, solution.choices, solution.cost_usd_per_month) == ()
    assert solution.cost_usd_per_month == pytest.approx(enumerated_usd(problem))


def test_the_preferences_of_the_docs_mean_what_the_page_says(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "plan.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- preferences: [^>]+ -->\n```toml\n(.*?)```", page, re.S)
    (tmp_path / "r2d2.toml").write_text(shown)
    preferred = load_plan_settings(tmp_path / "r2d2.toml").prefer
    settings = replace(SETTINGS, prefer=preferred)
    copies = {f"{name}/a.parquet": facts() for name in ("silver", "gold/scratch", "gold")}
    assert kept(planned(copies, settings)) == ["gold/a.parquet"]
    del copies["gold/a.parquet"]
    assert kept(planned(copies, settings)) == ["gold/scratch/a.parquet"]


def test_a_table_with_a_constant_column_more_is_not_called_equal() -> None:
    more = (Output("source", Constant("string", "shop")),)
    tables = {"a": PLAIN, "b": PLAIN}
    recipes = (TableRecipe("a", Project("b", ())), TableRecipe("b", Project("a", more)))
    plan = choose(KnownRecipes(tables, recipes, {}), SETTINGS, {}, None)
    assert len(kept(plan)) == 1
    assert told(plan) == {}


def test_a_copy_that_had_to_stay_is_told_with_its_reason() -> None:
    tables = {"a": PLAIN, "ops/b": PLAIN}
    protected = replace(SETTINGS, protect=(Protection("ops/*", "operations write these"),))
    assert told(planned(tables, protected)) == {"a": "protected: operations write these"}
    held = {"a": PLAIN, "ops/b": replace(PLAIN, must_keep="a link leads to it")}
    assert told(planned(held)) == {"a": "it must be kept: a link leads to it"}


def test_a_copy_that_stays_as_it_is_read_too_often_is_told() -> None:
    paid = replace(SETTINGS, prices=replace(SETTINGS.prices, vm_usd_per_hour=100.0))
    usage = {"a": Usage(1, "a", 0.0), "b": Usage(2, "b", 10_000.0)}
    plan = planned({"a": PLAIN, "b": PLAIN}, paid, usage)
    assert kept(plan) == ["b"]
    assert told(plan) == {"a": "its deletion does not pay, and it is read more often"}
