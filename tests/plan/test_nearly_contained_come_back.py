"""The dev lake with near-containment: what is deleted comes back with the rows kept aside."""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

import r2d2
from r2d2.plan import load_recipes, make_plan
from r2d2.plan.check import check_plan
from r2d2.plan.graph_file import load_graph
from r2d2.plan.plan_form import Data
from r2d2.plan.rebuild import rebuild
from r2d2.report import write_find
from r2d2.settings.plan import PlanSettings, Prices
from tests.support.plan.kinds_lake import contents
from tests.support.recipes.dev_lake_kinds import by_operation, check_kinds

pytestmark = pytest.mark.shared

DEAR = PlanSettings(prices=Prices(storage_usd_per_gb_month=1e9))


@dataclass(frozen=True, slots=True)
class NearRun:
    """A copy of the dev lake in one format, and the folder of a run with its plan."""

    original: Path
    lake: Path
    folder: Path
    plan: Data


@pytest.fixture(scope="module", params=["parquet", "csv"])
def near(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> NearRun:
    place = tmp_path_factory.mktemp("near")
    original, lake, run = shared / "lakes/dev" / request.param, place / "lake", place / "run"
    shutil.copytree(original, lake)
    settings = r2d2.Settings(min_fraction=0.9)
    write_find(run, r2d2.find(lake, settings), settings, str(lake))
    return NearRun(original, lake, run, make_plan(run, DEAR))


def test_what_was_filtered_or_projected_is_rebuilt_from_any_table_by_a_predicate(
    near: NearRun,
) -> None:
    suffix = near.original.name
    known = load_recipes(near.folder, load_graph(near.folder).sha256)
    check_kinds(by_operation(suffix, known), 1.0 if suffix == "parquet" else 0.95)


def test_nearly_contained_tables_of_the_dev_lake_come_back_equal(
    near: NearRun, tmp_path: Path
) -> None:
    plan = near.plan
    assert check_plan(plan) == ()
    gone = {t["table"]: t["recipe"] for t in plan["tables"] if t["choice"] == "delete"}
    for name in gone:
        (near.lake / name).unlink()
    list(rebuild(plan, near.folder, gone, tmp_path))
    kinds = Counter(recipe["kind"] for recipe in gone.values())
    kept = [recipe[key] for recipe in gone.values() for key in ("plus", "minus") if key in recipe]
    print(f"\n{near.original.name}: {sum(kinds.values())} tables, {sorted(kinds.items())}")
    print(f"{sum(file['size_bytes'] for file in kept)} bytes kept aside for patches")
    print(f"{plan['totals']['recipes_that_failed']} of {plan['totals']['recipes_run']} failed")
    assert kinds["patch"] > 25
    changed = [n for n in gone if contents(tmp_path / n) != contents(near.original / n)]
    assert changed == []
