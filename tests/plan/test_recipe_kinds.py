"""Each kind of recipe through a whole plan, on each engine, and no near-miss gets it."""

import shutil
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.cli import main
from r2d2.model import Types
from r2d2.plan import make_plan, what_if
from r2d2.plan.check import check_plan
from r2d2.plan.costs import storage_usd
from r2d2.plan.plan_form import Data
from r2d2.report import write_find
from r2d2.settings.plan import PlanSettings, Prices, Protection, UsageDefaults
from r2d2.storage.output import json_text
from tests.support.plan.kinds_cases import Case
from tests.support.plan.kinds_lake import TEXT, contents, write_lake
from tests.support.plan.kinds_tables import base, changed, is_in, where

# A byte stored costs more than a rebuild; of a child and its parents the parents stay.
SETTINGS = PlanSettings(
    prices=Prices(storage_usd_per_gb_month=1e9), protect=(Protection("*parent*", "the source"),)
)


@dataclass(frozen=True, slots=True)
class Kinds:
    """A lake of cases by the child's location."""

    lake: Path
    cases: dict[str, Case]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Kinds:
    lake = tmp_path_factory.mktemp("kinds") / "lake"
    return Kinds(lake, write_lake(lake, count(101)))


@pytest.fixture
def session(engine: str, request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue("spark") if engine == "spark" else None


def planned(lake: Path, run: Path, engine: str, session: Any, **find: Any) -> Data:
    settings = r2d2.Settings(text=TEXT, **find)
    graph = r2d2.find(lake, settings, engine=engine, session=session)
    write_find(run, graph, settings, str(lake))
    return make_plan(run, SETTINGS, engine=engine, session=session)


def recipes(plan: Data) -> dict[str, Any]:
    return {table["table"]: table["recipe"] for table in plan["tables"]}


def come_back(lake: Path, run: Path, plan: Data, folder: Path) -> None:
    """Deletes what the plan deletes, rebuilds it, and compares it with what was deleted."""
    deleted = [table["table"] for table in plan["tables"] if table["choice"] == "delete"]
    away, back = folder / "away", folder / "back"
    for name in deleted:
        (away / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(lake / name, away / name)
    try:
        (folder / "plan.json").write_text(json_text(plan))
        told = ["--run", str(run), "--plan", str(folder / "plan.json"), "--to", str(back)]
        assert main(["recipe", "run", *deleted, *told]) == 0
        assert [name for name in deleted if contents(back / name) != contents(away / name)] == []
    finally:
        for name in deleted:
            shutil.move(away / name, lake / name)


@pytest.mark.parametrize(
    ("engine", "fraction"),
    [("local", 1.0), ("local", 0.9), pytest.param("spark", 0.9, marks=pytest.mark.spark)],
)
def test_each_case_gets_its_recipe_and_comes_back(
    kinds: Kinds, tmp_path: Path, engine: str, session: Any, fraction: float
) -> None:
    run = tmp_path / "run"
    plan = planned(kinds.lake, run, engine, session, min_fraction=fraction)
    found = recipes(plan)
    assert {name: found[name] and found[name]["kind"] for name in kinds.cases} == {
        name: case.kind if fraction == 1 else case.near for name, case in kinds.cases.items()
    } | {name: "select" for name in kinds.cases if is_left_out_by_a_day(found[name])}
    atoms = {
        name: tuple(sorted(atom["kind"] for atom in found[name]["where"]))
        for name, case in kinds.cases.items()
        if case.atoms
    }
    assert atoms == {name: kinds.cases[name].atoms for name in atoms}
    assert check_plan(plan) == ()
    come_back(kinds.lake, run, plan, tmp_path)


def is_left_out_by_a_day(recipe: Data | None) -> bool:
    """Whether the one row less is the only one of its day: the salt of one case has it so."""
    if recipe is None or recipe["kind"] != "select" or "one row less" not in recipe["parent"]:
        return False
    return any(atom["kind"] == "not_in" and atom["path"] == ["day"] for atom in recipe["where"])


def renamed_lake(lake: Path) -> None:
    """A copy and selections under other names; one with a value changed.

    Tables of the same names are taken to mean the same by them, so each case has its own.
    """
    tables = {}
    for salt, name in enumerate(("copy", "oslo", "changed"), 501):
        whole = base(salt)
        child = whole if name == "copy" else where(whole, "city", is_in("Oslo"))
        child = changed(child) if name == "changed" else child
        own = [f"{name}_{column}" for column in whole.column_names]
        tables[f"{name}/parent"] = whole.rename_columns(own)
        tables[f"{name}/child"] = child.rename_columns([f"other_{column}" for column in own])
    for name, table in tables.items():
        (lake / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, lake / f"{name}.parquet")


@pytest.mark.parametrize(
    ("find", "kinds"),
    [
        ({}, {}),
        ({"renamed": True}, {"copy": "project", "oslo": "select"}),
        (
            {"renamed": True, "min_fraction": 0.9},
            {"copy": "project", "oslo": "select", "changed": "patch"},
        ),
    ],
    ids=["own names", "renamed", "renamed and near"],
)
def test_a_renamed_table_comes_back_under_its_own_names(
    tmp_path: Path, engine: str, session: Any, find: dict[str, Any], kinds: dict[str, str]
) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    renamed_lake(lake)
    plan = planned(lake, run, engine, session, **find)
    found = {name.split("/")[0]: recipe["kind"] for name, recipe in recipes(plan).items() if recipe}
    assert found == kinds
    come_back(lake, run, plan, tmp_path)


def cast_lake(lake: Path) -> None:
    """Children with narrower numbers: a copy, and some rows; and one with texts."""
    whole = base(601)
    narrow = whole.set_column(0, "id", whole["id"].cast(pa.int32()))
    tables = {"copy": narrow, "oslo": where(narrow, "city", is_in("Oslo"))}
    tables["text"] = whole.set_column(0, "id", whole["id"].cast(pa.string()))
    for name, table in {"parent": whole, **tables}.items():
        (lake / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, lake / f"{name}.parquet")


def test_a_table_equal_after_a_cast_comes_back_in_its_own_types(
    tmp_path: Path, engine: str, session: Any
) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    cast_lake(lake)
    plan = planned(lake, run, engine, session, types=Types.WIDENED)
    found = {name.split(".")[0]: recipe["kind"] for name, recipe in recipes(plan).items() if recipe}
    assert found == {"copy": "project", "oslo": "select"}
    assert check_plan(plan) == ()
    come_back(lake, run, plan, tmp_path)
    strict = planned(lake, tmp_path / "strict", engine, session)
    # The cities of the copy are its own rows' in its own types.
    assert {n.split(".")[0] for n, recipe in recipes(strict).items() if recipe} == {"oslo"}


def test_a_patch_is_chosen_only_where_what_it_keeps_aside_is_worth_it(tmp_path: Path) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    lake.mkdir()
    whole = base(701)
    pq.write_table(whole, lake / "parent.parquet")
    pq.write_table(changed(whole, 10), lake / "child.parquet")
    plan = planned(lake, run, "local", None, min_fraction=0.9)
    (child, _) = plan["tables"]
    kept = child["recipe"]["plus"]
    assert (run / kept["location"]).stat().st_size == kept["size_bytes"]
    assert kept["rows"] == 10
    prices = SETTINGS.prices
    rebuild_usd = child["rebuild_usd_per_month"]
    assert rebuild_usd > storage_usd(kept["size_bytes"], prices)
    assert rebuild_usd < child["keep_usd_per_month"]
    reads = replace(SETTINGS, usage=UsageDefaults(reads_per_month=1e9))
    assert recipes(what_if(run, reads)) == {"child.parquet": None, "parent.parquet": None}
