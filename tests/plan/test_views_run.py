"""Views run as `recipe show` prints them: each gives the table that it replaces, or is refused."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

import r2d2
from r2d2.cli import main
from r2d2.plan import make_plan
from r2d2.plan.plan_file import load_plan
from r2d2.plan.plan_form import Data
from r2d2.report import write_find
from r2d2.settings.plan import PlanSettings, Prices, Protection
from r2d2.storage.output import json_text, write_files
from tests.conftest import REPOSITORY
from tests.support.plan.kinds_lake import TEXT, write_lake
from tests.support.recipes.name_traps import (
    BACKSLASHES,
    write_folders,
    write_names,
    write_texts,
)
from tests.support.recipes.run_views import Compare, in_duckdb, in_spark, outcomes, shown

SETTINGS = PlanSettings(
    prices=Prices(storage_usd_per_gb_month=1e9), protect=(Protection("*parent*", "the source"),)
)


def planned(lake: Path, run: Path, **find: Any) -> Path:
    """The run's folder, with a plan that deletes whatever it can but tables named `parent`."""
    settings = r2d2.Settings(**find)
    write_find(run, r2d2.find(lake, settings), settings, str(lake))
    write_files(run, {"plan.json": json_text(make_plan(run, SETTINGS))})
    return run


@pytest.fixture(scope="module")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planned(REPOSITORY / "sample_lake", tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def kinds_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    write_lake(folder / "lake", count(101))
    return planned(folder / "lake", folder / "run", text=TEXT)


def wrong(
    run: Path,
    dialect: str,
    compare: Compare,
    folder: Path,
    wanted: Callable[[str], bool] = lambda _: True,
) -> Iterator[str]:
    """What is neither equal nor refused of the tables that are wanted; some are equal."""
    found = dict(outcomes(run, dialect, compare, folder, wanted))
    assert "equal" in found.values()
    return (f"{table}: {told}" for table, told in found.items() if not right(told))


def right(told: str) -> bool:
    return told == "equal" or told.startswith("-- ")


def test_every_view_of_the_sample_lake_gives_its_table_in_duckdb(
    sample_run: Path, tmp_path: Path
) -> None:
    found = dict(outcomes(sample_run, "duckdb", in_duckdb, tmp_path))
    assert len(found) >= 17
    assert {table: told for table, told in found.items() if told != "equal"} == {}


@pytest.mark.slow
def test_every_kind_of_recipe_gives_its_table_in_duckdb(kinds_run: Path, tmp_path: Path) -> None:
    assert list(wrong(kinds_run, "duckdb", in_duckdb, tmp_path)) == []


@pytest.fixture(scope="module")
def trap_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A plan for each lake of traps, which deletes nearly all of its children."""
    runs = {}
    for kind, write in WRITERS.items():
        folder = tmp_path_factory.mktemp(kind)
        children = write(folder / "lake")
        runs[kind] = planned(folder / "lake", folder / "run")
        plan = load_plan(runs[kind] / "plan.json")
        assert plan["totals"]["deleted"] >= 0.85 * children
    return runs


WRITERS: dict[str, Callable[[Path], int]] = {
    "names": write_names,
    "backslashes": lambda lake: write_names(lake, BACKSLASHES),
    "folders": write_folders,
    "texts": write_texts,
}
# Of 24 dialects, of which `stray` stays; the rest must be right.
REFUSED_TEXTS = {
    "duckdb": {"escaped", "mixed", "one_column_blank", "wide"},
    "spark": {"escaped", "mixed", "title", "wide", "breaks_carriage"},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITERS)
def test_every_view_of_a_lake_of_traps_gives_its_table_in_duckdb(
    trap_runs: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    check_traps(kind, trap_runs[kind], "duckdb", in_duckdb, tmp_path)


def check_traps(kind: str, run: Path, dialect: str, compare: Compare, folder: Path) -> None:
    found = dict(outcomes(run, dialect, compare, folder))
    assert {table: told for table, told in found.items() if not right(told)} == {}
    refused = {table for table, told in found.items() if told != "equal"}
    match kind:
        case "folders":
            assert refused == set()
        case "texts":
            assert {Path(table).stem for table in refused} == REFUSED_TEXTS[dialect]
        case "names":
            assert len(refused) < len(found) / 4
        case _:
            assert dialect == "spark" or len(refused) == len(found)


def one_format_each(plan: Data) -> set[str]:
    """Of the deleted tables of each case that of one format; the formats take turns."""
    cases: dict[str, list[str]] = {}
    for entry in plan["tables"]:
        if entry["choice"] == "delete":
            cases.setdefault(entry["table"].split("/")[1], []).append(entry["table"])
    return {tables[turn % len(tables)] for turn, tables in enumerate(cases.values())}


@pytest.mark.spark
def test_views_of_every_kind_give_their_tables_in_spark(
    spark: Any, sample_run: Path, kinds_run: Path, trap_runs: dict[str, Path], tmp_path: Path
) -> None:
    compare = in_spark(spark)
    assert list(wrong(sample_run, "spark", compare, tmp_path)) == []
    of_each_case = one_format_each(load_plan(kinds_run / "plan.json"))
    assert list(wrong(kinds_run, "spark", compare, tmp_path, of_each_case.__contains__)) == []
    for kind, run in trap_runs.items():
        check_traps(kind, run, "spark", compare, tmp_path)


def test_a_union_of_months_reads_each_month(tmp_path: Path) -> None:
    lake = tmp_path / "lake/s"
    lake.mkdir(parents=True)
    whole = pa.table({"id": np.arange(200), "x": np.random.default_rng(1).random(200)})
    pq.write_table(whole.slice(0, 100), lake / "orders.2024-01.parent.parquet")
    pq.write_table(whole.slice(100), lake / "orders.2024-02.parent.parquet")
    pq.write_table(whole, lake / "all.parquet", compression="none", use_dictionary=False)
    run = planned(tmp_path / "lake", tmp_path / "run")
    code, text = shown("s/all.parquet", run, "duckdb")
    assert code == 0
    assert "orders.2024-01.parent" in text
    assert "orders.2024-02.parent" in text
    assert dict(outcomes(run, "duckdb", in_duckdb, tmp_path)) == {"s/all.parquet": "equal"}


def write_nan(lake: Path) -> set[str]:
    """A parent with NaN, of which no footer tells; its children, as filters made them."""
    lake.mkdir()
    random = np.random.default_rng(1)
    x = np.sort(random.normal(0, 10, 3000))
    x[:200] = x[0]
    x[random.random(3000) < 0.1] = np.nan
    parent = pa.table({"id": np.arange(3000), "x": x})
    pq.write_table(parent, lake / "parent.parquet", row_group_size=100)
    write_deltalake(lake / "delta_parent", parent.append_column("d", parent["id"]))
    children = {
        "nan": np.isnan(x),
        "number": ~np.isnan(x),
        "least": np.isnan(x) | (x > 20),
        "below": x <= 3,
        "unequal": x != np.nanmin(x),
    }
    for name, chosen in children.items():
        rows = parent.filter(pa.array(chosen))
        pq.write_table(rows, lake / f"{name}.parquet")
        pq.write_table(rows.append_column("d", rows["id"]), lake / f"{name}_of_delta.parquet")
    return {f"{name}{of}.parquet" for name in children for of in ("", "_of_delta")}


def test_nan_is_selected_where_no_footer_tells_of_it(tmp_path: Path) -> None:
    children = write_nan(tmp_path / "lake")
    run = planned(tmp_path / "lake", tmp_path / "run")
    found = dict(outcomes(run, "duckdb", in_duckdb, tmp_path))
    assert found == dict.fromkeys(children, "equal")


def test_instants_of_another_unit_are_cast_or_refused(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    fine = pa.table({"n": range(40), "at": pa.array(range(40), pa.timestamp("ns", "UTC"))})
    rough = fine.set_column(1, "at", pa.array(range(40), pa.timestamp("us", "UTC")))
    whole = rough.set_column(1, "at", rough["at"].cast(pa.timestamp("ns", "UTC")))
    pq.write_table(rough.append_column("of", pa.repeat("rough", 40)), lake / "rough_parent.parquet")
    pq.write_table(fine.append_column("q", pa.repeat("fine", 40)), lake / "fine_parent.parquet")
    pq.write_table(whole.slice(0, 20), lake / "made_fine.parquet")
    pq.write_table(fine.slice(5, 20), lake / "fine.parquet")
    run = planned(lake, tmp_path / "run")
    found = dict(outcomes(run, "duckdb", in_duckdb, tmp_path))
    assert found.pop("made_fine.parquet").startswith("-- ")
    assert found == {"fine.parquet": "equal"}


@pytest.fixture
def small_run(tmp_path: Path) -> Path:
    """A run whose plan deletes `child.csv`."""
    lake = tmp_path / "lake"
    lake.mkdir()
    lines = [f"{number},{'x' if number % 3 else ''}\n" for number in range(60)]
    (lake / "parent.csv").write_text("id,word\n" + "".join(lines))
    (lake / "child.csv").write_text("id,word\n" + "".join(lines[::3]))
    return planned(lake, tmp_path / "run")


def test_an_empty_field_is_an_empty_text(small_run: Path, tmp_path: Path) -> None:
    assert dict(outcomes(small_run, "duckdb", in_duckdb, tmp_path)) == {"child.csv": "equal"}


@pytest.mark.parametrize("dialect", ["trino", "bigquery", "snowflake", "databricks"])
def test_a_dialect_without_a_reader_needs_a_catalogue(
    small_run: Path, tmp_path: Path, dialect: str
) -> None:
    code, text = shown("child.csv", small_run, dialect)
    assert code == 1
    assert text.startswith("-- child.csv: parent.csv: ")
    assert "[[sql_name]]" in text
    config = tmp_path / "names.toml"
    config.write_text('[[sql_name]]\ntable = "parent.csv"\nname = ["main", "sales", "all"]\n')
    code, text = shown("child.csv", small_run, dialect, "--config", str(config))
    assert code == 0
    assert "sales" in text
    assert "parent.csv" not in text


def test_a_parent_that_changed_is_not_shown(
    small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open(small_run.parent / "lake/parent.csv", "a") as file:
        file.write("60,y\n")
    told = ["recipe", "show", "child.csv", "--run", str(small_run), "--dialect", "duckdb"]
    assert main(told) == 1
    assert "parent.csv changed since the plan was made" in capsys.readouterr().err
