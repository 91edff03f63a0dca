"""A table is kept, rebuilt or a view: what each costs, when each is chosen, what check holds."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.cli.plan_text import plan_lines, table_lines
from r2d2.plan import make_plan, what_if
from r2d2.plan.check import check_plan
from r2d2.plan.costs import Rebuild, TableRecipe, view_p95_s, view_usd
from r2d2.plan.graph_file import TableFacts
from r2d2.plan.planner import KnownRecipes, SolvedPlan, choose
from r2d2.plan.program import solve, verify
from r2d2.plan.usage import Usage
from r2d2.recipes.constants import RowNumber
from r2d2.recipes.grammar import (
    Cast,
    Field,
    Output,
    Patch,
    Project,
    Rendered,
    Residual,
    ResidualKind,
    Source,
)
from r2d2.settings.plan import PlanSettings, Prices, Rates, ViewRule
from tests.support.plan.graphs import random_problem, with_views
from tests.support.plan.program_oracle import enumerated_usd

GB = 10**9
ANYWHERE = replace(PlanSettings(), view=(ViewRule("*", 1e6),))


def planned(
    settings: PlanSettings,
    reads: float,
    parent_gb: int = 100,
    child_gb: int = 90,
    columns: tuple[Output, ...] = (),
) -> SolvedPlan:
    """The plan for a table that is all rows of a parent and read so often a month."""
    sizes = {"child": child_gb * GB, "parent": parent_gb * GB}
    facts = {name: TableFacts(size, size) for name, size in sizes.items()}
    plan = replace(settings.plan, min_saving_usd_per_month=0.0, min_plan_saving_usd_per_month=0.0)
    known = KnownRecipes(facts, (TableRecipe("child", Project("parent", columns)),), {})
    return choose(known, replace(settings, plan=plan), {"child": Usage(1, "child", reads)}, None)


def way(plan: SolvedPlan) -> str:
    """The choice for the child."""
    option = plan.solution.choices[0].option
    if option is None:
        return "keep"
    return "rebuild" if plan.problem.options[option].view_of is None else "view"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Field(("a",)), "view"),
        (Cast(("a",), "int32", "int64"), "view"),
        (Cast(("a",), "double", "decimal(21, 2)"), "keep"),
        (Rendered(("a",), "int:plain | null="), "keep"),
        (RowNumber("int64"), "keep"),
    ],
)
def test_a_recipe_that_no_dialect_can_express_is_no_view(source: Source, expected: str) -> None:
    assert way(planned(ANYWHERE, 10.0, columns=(Output("a", source),))) == expected


def test_a_view_pays_for_the_bytes_beyond_the_tables_own_and_for_their_time() -> None:
    prices = Prices(scan_usd_per_gb=0.5, read_usd_per_gb=0.1, vm_usd_per_hour=3600.0)
    rates = Rates(read_p50_s_per_gb=2.0)
    assert view_usd(Rebuild(30 * GB, 10 * GB), 3.0, prices, rates) == pytest.approx(
        3 * (20 * 0.6 + 20 * 2.0)
    )
    assert view_usd(Rebuild(10 * GB, 30 * GB), 3.0, prices, rates) == 0.0


def test_a_view_takes_the_time_of_the_bytes_beyond_the_tables_own() -> None:
    rates = Rates(read_p50_s_per_gb=2.0, read_p95_s_per_gb=6.0)
    assert view_p95_s(Rebuild(30 * GB, 10 * GB), rates) == pytest.approx(20 * 6.0)
    assert view_p95_s(Rebuild(30 * GB, 10 * GB, measured_s=9.0), rates) == pytest.approx(18.0)
    assert view_p95_s(Rebuild(10 * GB, 10 * GB, measured_s=9.0), rates) == 0.0


def test_the_cheapest_of_three_is_chosen_by_reads() -> None:
    """90 of 100 GB: a view reads 10 GB more; 1 of 100 GB: 99 times its bytes."""
    assert way(planned(ANYWHERE, 10.0)) == "view"
    assert way(planned(PlanSettings(), 10.0)) == "keep"
    assert way(planned(ANYWHERE, 0.0)) == "rebuild"
    assert way(planned(ANYWHERE, 1.0, child_gb=1)) == "keep"
    assert way(planned(ANYWHERE, 1000.0)) == "keep"


def test_a_view_stands_only_where_a_rule_lets_it_and_in_time() -> None:
    assert way(planned(replace(ANYWHERE, view=(ViewRule("other/*", 1e6),)), 10.0)) == "keep"
    assert way(planned(replace(ANYWHERE, view=(ViewRule("*", 200.0),)), 10.0)) == "view"
    assert way(planned(replace(ANYWHERE, view=(ViewRule("*", 199.0),)), 10.0)) == "keep"
    later = (ViewRule("*", 1e6), ViewRule("child", 1.0))
    assert way(planned(replace(ANYWHERE, view=later), 10.0)) == "keep"


def test_a_recipe_with_rows_kept_aside_is_no_view() -> None:
    aside = Residual(ResidualKind.ROWS, "residuals/x", 5, 1000)
    patch = Patch(Project("parent", ()), aside, None)
    costing = planned(ANYWHERE, 10.0).costing
    assert costing.views((TableRecipe("child", patch),)) == []
    assert costing.views((TableRecipe("child", Project("parent", ())),)) == [0]


@pytest.mark.parametrize("seed", range(100))
def test_keep_rebuild_or_view_costs_what_enumeration_finds(seed: int) -> None:
    chance = Random(seed)
    problem = replace(
        with_views(chance, random_problem(chance, capped=seed % 2 == 1)),
        min_saving_usd_per_month=chance.choice([0.0, 0.0, 0.5]),
    )
    solution = solve(problem)
    assert verify(problem, solution.choices, solution.cost_usd_per_month) == ()
    assert solution.cost_usd_per_month == pytest.approx(enumerated_usd(problem), rel=1e-9)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a lake of a table and one that has most of its rows, read often."""
    folder = tmp_path_factory.mktemp("views")
    (folder / "lake").mkdir()
    rows = pa.table({"x": range(4000), "y": [n % 7 for n in range(4000)]})
    pq.write_table(rows, folder / "lake/all.parquet")
    pq.write_table(rows.slice(0, 3600), folder / "lake/most.parquet")
    assert main(["find", str(folder / "lake"), "--out", str(folder / "run")]) == 0
    return folder / "run"


SETTINGS = PlanSettings(
    prices=Prices(storage_usd_per_gb_month=1e9, vm_usd_per_hour=1e6),
    view=(ViewRule("most*", 60.0),),
)
USAGE = (Usage(1, "most", 100.0), Usage(2, "all", 1.0))


@pytest.fixture
def plan(run: Path) -> dict[str, Any]:
    return make_plan(run, SETTINGS, USAGE)


def entry(plan: Mapping[str, Any]) -> dict[str, Any]:
    return next(t for t in plan["tables"] if t["table"] == "most.parquet")


def test_a_view_is_planned_run_and_told(run: Path, plan: dict[str, Any]) -> None:
    most = entry(plan)
    assert (most["choice"], most["way"], most["evidence"]["run"]) == ("delete", "view", True)
    assert most["reason"].startswith("it can be a view of all.parquet: a read takes ")
    assert check_plan(plan, run) == check_plan(plan) == ()
    assert what_if(run, SETTINGS, USAGE) == plan
    assert any("select view" in line for line in plan_lines(plan))
    told = "\n".join(plan_lines(plan, "out/run"))
    assert "recipe show most.parquet --run out/run --dialect spark  " in told
    assert f"jobs/catalogue.py settle {plan['lake']}" in told
    assert "makes 1 view in Spark's catalogue, after `apply`" in told
    assert any("through a view costs" in line for line in table_lines(plan, "most.parquet"))


def test_applying_a_view_says_that_it_must_be_made_and_how(
    run: Path, plan: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["apply", str(run / "plan.json"), "--no-catalogue", "--dry-run"]) == 0
    told = capsys.readouterr().err
    assert "1 table is to be a view, which this command does not make: " in told
    assert f"`jobs/catalogue.py settle {plan['lake']}` or `jobs/apply_plan.py --views` does" in told


def test_without_the_rule_the_table_stays(run: Path, plan: dict[str, Any]) -> None:
    assert plan
    assert entry(what_if(run, replace(SETTINGS, view=()), USAGE))["choice"] == "keep"


@pytest.mark.parametrize("at_hand", [True, False], ids=["run", "plan alone"])
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"way": "rebuild"}, "cost-total"),
        ({"rebuild_usd_per_month": 1.0}, "figure"),
        ({"rebuild_p95_s": 1.0}, "figure"),
        ({"saving_at_least_usd_per_month": 1.0}, "figure"),
    ],
)
def test_check_knows_all_three_choices(
    run: Path, plan: dict[str, Any], change: dict[str, Any], rule: str, at_hand: bool
) -> None:
    changed = copy.deepcopy(plan)
    entry(changed).update(change)
    assert rule in {name for name, _ in check_plan(changed, run if at_hand else None)}


def test_check_refuses_a_view_that_no_rule_allows_or_that_takes_too_long(
    run: Path, plan: dict[str, Any]
) -> None:
    for rules in ([], [{"tables": "most*", "limit_s": 1e-9}]):
        changed = copy.deepcopy(plan)
        changed["settings"]["view"] = rules
        told = dict(check_plan(changed, run))
        assert told["known-recipe"] == "tables[most.parquet].way: it can be no view"
