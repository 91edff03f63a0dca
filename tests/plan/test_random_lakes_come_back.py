"""Random small lakes: what a plan deletes comes back, as the brute force reads it.

500 lakes, and what was seen on them, with

    R2D2_RANDOM_GRAPHS=500 python -m pytest -q -s tests/plan/test_random_lakes_come_back.py
"""

import os
import shutil
from collections import Counter
from pathlib import Path

from r2d2.plan import make_plan
from r2d2.plan.check import check_plan
from r2d2.plan.rebuild import rebuild
from r2d2.settings.plan import PlanSettings, Prices
from tests.support.oracle.reading import Rows, read_lake
from tests.support.plan.learnt_lakes import found

LAKES = int(os.environ.get("R2D2_RANDOM_GRAPHS", "60"))
DEAR = PlanSettings(prices=Prices(storage_usd_per_gb_month=1e9))


def multiset(rows: Rows) -> tuple[object, Counter[object]]:
    """The columns with their types in order, and how often each row occurs."""
    names = tuple(rows.columns)
    columns = [rows.columns[name] for name in names]
    every = zip(*columns, strict=True) if columns else iter([()] * rows.count)
    return [(name, rows.kinds[name]) for name in names], Counter(every)


def test_what_a_plan_deletes_from_a_random_lake_comes_back(tmp_path: Path) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(LAKES):
        lake, run, place = (tmp_path / f"{name}{seed}" for name in ("lake", "run", "back"))
        found(seed, tmp_path)
        before = read_lake(lake, widened=False)
        plan = make_plan(run, DEAR)
        assert check_plan(plan) == (), f"seed {seed}"
        gone = [table for table in plan["tables"] if table["choice"] == "delete"]
        for table in gone:
            path = lake / table["table"]
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        list(rebuild(plan, run, [table["table"] for table in gone], place))
        after = read_lake(place, widened=False) if gone else {}
        for table in gone:
            name = table["table"]
            assert multiset(after[name]) == multiset(before[name]), f"seed {seed}: {name}"
            kinds[table["recipe"]["kind"]] += 1
    told = ", ".join(f"{count} by {kind}" for kind, count in kinds.most_common())
    print(f"\n{LAKES} lakes, {sum(kinds.values())} tables came back: {told}")
