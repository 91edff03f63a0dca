"""Tables with columns of type null are rebuilt with that type, from parents that have another."""

from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.errors import MisfitError
from r2d2.formats.uniform import fitted
from r2d2.plan import make_plan
from r2d2.plan.plan_form import Data
from r2d2.plan.rebuild import rebuild
from r2d2.report import write_find
from r2d2.settings.plan import PlanSettings, Prices

DEAR = PlanSettings(prices=Prices(storage_usd_per_gb_month=1e9))
ROWS = 400


def planned(tmp_path: Path, **settings: object) -> Data:
    chosen = r2d2.Settings(**settings)
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_find(run, r2d2.find(lake, chosen), chosen, str(lake))
    return make_plan(run, DEAR)


def deleted_and_back(tmp_path: Path, plan: Data) -> set[str]:
    """The tables that the plan deletes, each rebuilt and compared with what it was."""
    lake, place = tmp_path / "lake", tmp_path / "place"
    gone = {table["table"] for table in plan["tables"] if table["choice"] == "delete"}
    before = {name: pq.read_table(lake / name) for name in gone}
    for name in gone:
        (lake / name).unlink()
    list(rebuild(plan, tmp_path / "run", sorted(gone), place))
    for name, table in before.items():
        made = pq.read_table(place / name)
        assert made.schema.equals(table.schema)
        assert in_order(made) == in_order(table)
    return gone


def in_order(table: pa.Table) -> list[str]:
    return sorted(map(repr, table.to_pylist()))


def written(tmp_path: Path, **tables: pa.Table) -> None:
    (tmp_path / "lake").mkdir()
    for name, table in tables.items():
        pq.write_table(table, tmp_path / "lake" / f"{name}.parquet")


def base(**columns: pa.Array) -> pa.Table:
    numbers = pa.array(range(ROWS))
    return pa.table({"id": numbers, "city": [f"c{n % 7}" for n in range(ROWS)], **columns})


@pytest.mark.parametrize("types", ["strict", "widened"])
def test_a_selection_whose_column_is_null_only_comes_back_without_its_type(
    tmp_path: Path, types: str
) -> None:
    """As pandas writes the rows that were never shipped."""
    shipped = pa.array([None if n % 7 in (2, 3) else n for n in range(ROWS)], pa.int64())
    parent = base(shipped=shipped)
    open_orders = parent.filter(pa.compute.is_null(parent["shipped"]))
    child = open_orders.set_column(2, "shipped", pa.nulls(open_orders.num_rows))
    near = child.set_column(0, "id", pa.array([10**6, *child["id"].to_pylist()[1:]]))
    written(tmp_path, parent=parent, child=child, near=near)
    plan = planned(tmp_path, types=r2d2.Types(types))
    assert "child.parquet" in deleted_and_back(tmp_path, plan)


def test_lists_and_structs_with_nulls_of_no_type_come_back(tmp_path: Path) -> None:
    lists = pa.array([[None] if n % 7 == 2 else [n] for n in range(ROWS)])
    structs = pa.array([{"a": None if n % 7 == 2 else n, "b": n} for n in range(ROWS)])
    parent = base(l=lists, s=structs)
    few = parent.filter(pa.compute.equal(parent["city"], "c2"))
    untyped = pa.schema(
        [
            *few.schema.remove(3).remove(2),
            ("l", pa.list_(pa.null())),
            ("s", pa.struct([("a", pa.null()), ("b", pa.int64())])),
        ]
    )
    written(tmp_path, parent=parent, child=pa.Table.from_pylist(few.to_pylist(), untyped))
    assert deleted_and_back(tmp_path, planned(tmp_path)) == {"child.parquet"}


def test_a_column_of_nulls_that_has_a_type_comes_back_from_one_that_has_none(
    tmp_path: Path,
) -> None:
    parent = base(x=pa.nulls(ROWS))
    child = base(x=pa.nulls(ROWS, pa.timestamp("ns"))).slice(0, 50)
    written(tmp_path, parent=parent, child=child)
    assert deleted_and_back(tmp_path, planned(tmp_path)) == {"child.parquet"}


def test_a_year_comes_back_from_months_of_which_one_has_no_type(tmp_path: Path) -> None:
    """As pandas writes a month in which a column has no value."""
    empty = [n % 4 == 1 for n in range(ROWS)]
    notes = pa.array([None if gone else f"n{n}" for n, gone in enumerate(empty)])
    year = base(note=notes)
    months = {
        f"m{month}": year.filter(pa.array([n % 4 == month for n in range(ROWS)]))
        for month in range(4)
    }
    months["m1"] = months["m1"].set_column(2, "note", pa.nulls(ROWS // 4))
    written(tmp_path, year=year, **months)
    assert deleted_and_back(tmp_path, planned(tmp_path)) == {"year.parquet"}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_a_plan_deletes_of_random_null_types_comes_back(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    parent = base(
        x=pa.array([chance.choice([None, 1, 2]) for _ in range(ROWS)], pa.int32()),
        y=pa.array([chance.choice([None, None, "a"]) for _ in range(ROWS)]),
    )
    tables = {"parent": parent}
    for number in range(6):
        rows = parent.filter(pa.array([chance.random() < 0.3 for _ in range(ROWS)]))
        for name in chance.sample(["x", "y"], chance.randint(1, 2)):
            place = rows.schema.get_field_index(name)
            if chance.random() < 0.8:
                rows = rows.filter(pa.compute.is_null(rows[name]))
            rows = rows.set_column(place, name, pa.nulls(rows.num_rows))
        tables[f"t{number}"] = rows
    written(tmp_path, **tables)
    deleted_and_back(tmp_path, planned(tmp_path, renamed=bool(seed % 2), min_fraction=0.9))


def test_values_do_not_fit_a_column_of_type_null() -> None:
    rows = pa.record_batch({"l": pa.array([[None], [], None, [1]])})
    wanted = pa.schema([("l", pa.list_(pa.null()))])
    assert fitted(rows.slice(0, 3), wanted)["l"].to_pylist() == [[None], [], None]
    with pytest.raises(MisfitError, match="type null"):
        fitted(rows, wanted)
