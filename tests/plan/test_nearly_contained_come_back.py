"""The dev lake with near-containment: what is deleted comes back with the rows kept aside."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

import r2d2
from r2d2.plan import make_plan
from r2d2.plan.check import check_plan
from r2d2.plan.rebuild import rebuild
from r2d2.report.find import write_find
from r2d2.settings.plan import PlanSettings, Prices
from tests.support.plan.kinds_lake import contents

DEAR = PlanSettings(prices=Prices(storage_usd_per_gb_month=1e9))


@pytest.mark.shared
@pytest.mark.parametrize("format_", ["parquet", "csv"])
def test_nearly_contained_tables_of_the_dev_lake_come_back_equal(
    shared: Path, tmp_path: Path, format_: str
) -> None:
    original = shared / "lakes/dev" / format_
    lake, run, place = (tmp_path / name for name in ("lake", "run", "back"))
    shutil.copytree(original, lake)
    settings = r2d2.Settings(min_fraction=0.9)
    write_find(run, r2d2.find(lake, settings), settings, str(lake))
    plan = make_plan(run, DEAR)
    assert check_plan(plan) == ()
    gone = {t["table"]: t["recipe"] for t in plan["tables"] if t["choice"] == "delete"}
    for name in gone:
        (lake / name).unlink()
    list(rebuild(plan, run, gone, place))
    kinds = Counter(recipe["kind"] for recipe in gone.values())
    kept = [recipe[key] for recipe in gone.values() for key in ("plus", "minus") if key in recipe]
    print(f"\n{format_}: {sum(kinds.values())} tables, {sorted(kinds.items())}")
    print(f"{sum(file['size_bytes'] for file in kept)} bytes kept aside for patches")
    print(f"{plan['totals']['recipes_that_failed']} of {plan['totals']['recipes_run']} failed")
    assert kinds["patch"] > 25
    assert [name for name in gone if contents(place / name) != contents(original / name)] == []
