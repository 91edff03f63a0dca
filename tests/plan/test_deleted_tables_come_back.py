"""What a plan deletes comes back: rebuilt from a lake without it, compared by DuckDB."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

import r2d2
from r2d2.formats.uniform import uniform
from r2d2.lake.inventory import take_inventory
from r2d2.plan import make_plan
from r2d2.plan.plan_form import Data
from r2d2.plan.rebuild import RebuiltTable, rebuild
from r2d2.recipes.find.reading import read_batches
from r2d2.report import write_find
from r2d2.settings.plan import PlanSettings, Prices, load_plan_settings
from r2d2.storage import storage_of
from tests.support.formats.annotated import EPSG, put_annotated
from tests.support.recipes.differences import difference

REPOSITORY = Path(__file__).parents[2]
DEAR = PlanSettings(prices=Prices(storage_usd_per_gb_month=1e9))


def planned(lake: Path, run: Path, settings: PlanSettings) -> Data:
    """A plan for a copy of the lake."""
    chosen = r2d2.Settings()
    write_find(run, r2d2.find(lake, chosen), chosen, str(lake))
    return make_plan(run, settings)


def deleted(plan: Data) -> list[str]:
    return [table["table"] for table in plan["tables"] if table["choice"] == "delete"]


def come_back(lake: Path, run: Path, plan: Data, place: Path) -> list[RebuiltTable]:
    """Deletes from the lake what the plan deletes, and rebuilds it from what is left."""
    for name in deleted(plan):
        path = lake / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    back = list(rebuild(plan, run, deleted(plan), place))
    found = [table for table in back if isinstance(table, RebuiltTable)]
    assert found == back
    return found


def differences(one: Path, other: Path) -> Sequence[object]:
    """By DuckDB: rows of either that the other lacks or has less often; columns, types, order."""
    with duckdb.connect() as base:
        own, made = (f"(SELECT * FROM read_parquet('{path}'))" for path in (one, other))
        described = [base.sql(f"DESCRIBE {rows}").fetchall() for rows in (own, made)]
        if described[0] != described[1]:
            return described
        both = f"({own} EXCEPT ALL {made}) UNION ALL ({made} EXCEPT ALL {own})"
        return base.sql(both).fetchall()


def test_every_table_that_the_plan_deletes_from_the_sample_lake_comes_back_equal(
    tmp_path: Path,
) -> None:
    original, lake, place = REPOSITORY / "sample_lake", tmp_path / "lake", tmp_path / "back"
    shutil.copytree(original, lake)
    settings = load_plan_settings(original / "plan.toml")
    plan = planned(lake, tmp_path / "run", settings)
    back = come_back(lake, tmp_path / "run", plan, place)
    assert {Path(found.table).suffix for found in back} >= {".parquet", ".csv", ".orc", ".avro", ""}
    rows = []
    for root in (original, place):
        storage = storage_of(str(root))
        tables = {t.location: t for t in take_inventory(storage, r2d2.Settings()).tables}
        rows.append(
            {
                found.table: uniform(
                    list(read_batches(storage, tables[found.table], tables[found.table].columns))
                )
                for found in back
            }
        )
    for found in back:
        assert difference(rows[0][found.table], rows[1][found.table]) is None, found.table


def test_a_table_of_uuids_comes_back_as_one_and_no_literal_is_of_them(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    with duckdb.connect() as base:
        base.sql(
            "CREATE TABLE b AS SELECT lpad((i // 50)::VARCHAR, 32, '0')::UUID u, i,"
            " ('{\"k\": ' || i % 3 || '}')::JSON j FROM range(400) r(i)"
        )
        base.sql(f"COPY b TO '{lake}/base.parquet'")
        few = "SELECT * FROM b WHERE u = '00000000-0000-0000-0000-000000000003'"
        base.sql(f"COPY ({few}) TO '{lake}/few.parquet'")
    shutil.copytree(lake, tmp_path / "before")
    plan = planned(lake, tmp_path / "run", DEAR)
    assert deleted(plan) == ["few.parquet"]
    (recipe,) = (table["recipe"] for table in plan["tables"] if table["choice"] == "delete")
    assert "binary" not in repr(recipe)
    come_back(lake, tmp_path / "run", plan, tmp_path / "back")
    assert not differences(tmp_path / "before/few.parquet", tmp_path / "back/few.parquet")


@pytest.mark.parametrize(("kind", "goes"), [("", 1), (EPSG, 1), ("enum", 0)])
def test_a_table_whose_annotation_cannot_be_written_back_is_kept(
    tmp_path: Path, kind: str, goes: int
) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    for name in ("one", "other"):
        put_annotated(lake / f"{name}.parquet", [b"%d" % number for number in range(300)], kind)
    plan = planned(lake, tmp_path / "run", DEAR)
    assert len(deleted(plan)) == goes
    assert ("r2d2 cannot write back" in json.dumps(plan)) == (kind == "enum")
