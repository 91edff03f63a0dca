"""Tables with columns of one value are rebuilt from parents without them, bit by bit."""

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from pyarrow import orc

import r2d2
from r2d2.model import UnmatchedColumn, Why
from r2d2.plan import make_plan
from r2d2.plan.check import check_plan
from r2d2.plan.plan_file import kept_kind
from r2d2.plan.plan_form import Data
from r2d2.plan.rebuild import rebuild
from r2d2.recipes.constants import Constant, RowNumber, constant_of
from r2d2.recipes.find import NUMBERED
from r2d2.recipes.grammar import Field, Output, ParentChange, Project, Survival, survives
from r2d2.recipes.json import from_data, to_data
from r2d2.recipes.literals import RecipeError, UnrenderableRecipeError
from r2d2.recipes.sql import query
from r2d2.recipes.sql_names import SqlDialect
from r2d2.report import write_find
from r2d2.settings.plan import PlanSettings, Prices, Protection

DEAR = PlanSettings(
    prices=Prices(storage_usd_per_gb_month=1e9), protect=(Protection("base*", "the source"),)
)
ROWS = 3000
OWN_NAN = np.array([0x7FF8000000000001], np.uint64).view(np.float64)
BASE = pa.table(
    {
        "id": range(ROWS),
        "country": [["IT", "FR", "DE"][i % 3] for i in range(ROWS)],
        "geo": [{"lat": i % 90, "source": "gps"} for i in range(ROWS)],
    }
)
SELECTED = BASE.filter(pa.compute.equal(BASE["country"], "IT"))
CONSTANTS: dict[str, pa.Scalar] = {
    "text": pa.scalar("it's\n\0 ${x} ü"),
    "empty": pa.scalar(""),
    "large": pa.scalar("a", pa.large_string()),
    "bytes": pa.scalar(b"\x00\xff"),
    "truth": pa.scalar(False),
    "small": pa.scalar(-5, pa.int8()),
    "unsigned": pa.scalar(2**64 - 1, pa.uint64()),
    "nan": pa.scalar(float("nan"), pa.float32()),
    "minus_zero": pa.scalar(-0.0),
    "zero": pa.scalar(0.0, pa.float32()),
    "infinite": pa.scalar(float("-inf")),
    "tenth": pa.scalar(0.1, pa.float32()),
    "decimal": pa.scalar("1.10", pa.string()).cast(pa.decimal128(9, 2)),
    "day": pa.scalar(18000, pa.date32()),
    "loaded_at": pa.scalar(1_600_000_000_000_001, pa.timestamp("us", "Europe/Rome")),
    "local": pa.scalar(1_600_000_000_000_000_001, pa.timestamp("ns")),
    "no_text": pa.scalar(None, pa.string()),
    "no_list": pa.scalar(None, pa.list_(pa.int16())),
    "no_time": pa.scalar(None, pa.time64("us")),
    "no_type": pa.scalar(None, pa.null()),
}


def with_constants(table: pa.Table) -> pa.Table:
    for name, scalar in CONSTANTS.items():
        table = table.append_column(name, pa.repeat(scalar, table.num_rows))
    return table


def planned(folder: Path, memory_bytes: int | None = None, **settings: Any) -> Data:
    chosen = r2d2.Settings(**settings)
    lake, run = folder / "lake", folder / "run"
    write_find(run, r2d2.find(lake, chosen), chosen, str(lake))
    return json.loads(json.dumps(make_plan(run, DEAR, memory_bytes=memory_bytes)))


def deleted_and_back(folder: Path, plan: Data) -> dict[str, Any]:
    """The recipe of each table that the plan deletes, after it was rebuilt and is as it was."""
    lake, back = folder / "lake", folder / "back"
    entries = {t["table"]: t["recipe"] for t in plan["tables"] if t["choice"] == "delete"}
    assert check_plan(plan, folder / "run") == ()
    (folder / "away").mkdir()
    for name in entries:
        shutil.move(lake / name, folder / "away" / name)
    list(rebuild(plan, folder / "run", sorted(entries), back))
    for name in entries:
        if name.endswith(".csv"):
            assert (back / name).read_bytes() == (folder / "away" / name).read_bytes()
            continue
        made, own = pq.read_table(back / name), pq.read_table(folder / "away" / name)
        assert made.schema.equals(own.schema, check_metadata=True)
        assert bits(made) == bits(own)
    return entries


def bits(table: pa.Table) -> list[str]:
    """The rows, floats by their bits."""
    for place, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            view = table[place].combine_chunks().view(f"uint{field.type.bit_width}")
            table = table.set_column(place, field.name, view)
    return sorted(map(repr, table.to_pylist()))


def write(folder: Path, **tables: pa.Table) -> None:
    (folder / "lake").mkdir()
    for name, table in tables.items():
        pq.write_table(table, folder / "lake" / f"{name}.parquet", row_group_size=500)


def test_constants_of_every_type_come_back_in_projections_and_selections(tmp_path: Path) -> None:
    write(tmp_path, base=BASE, whole=with_constants(BASE), part=with_constants(SELECTED))
    recipes = deleted_and_back(tmp_path, planned(tmp_path, constant_columns=True))
    assert {name: recipe["kind"] for name, recipe in recipes.items()} == {
        "whole.parquet": "project",
        "part.parquet": "select",
    }
    columns = {c["name"]: c["from"] for c in recipes["part.parquet"]["columns"]}
    assert columns["minus_zero"] == {"constant": {"type": "double", "text": "-0.0"}}
    assert columns["no_text"] == {"constant": {"type": "string", "text": None}}


def test_a_constant_that_the_parent_has_with_other_values_comes_back_as_the_childs(
    tmp_path: Path,
) -> None:
    child = SELECTED.set_column(1, "country", pa.array(["Italy"] * len(SELECTED)))
    write(tmp_path, base=BASE, child=child)
    (recipe,) = deleted_and_back(tmp_path, planned(tmp_path, constant_columns=True)).values()
    assert recipe["columns"][1]["from"] == {"constant": {"type": "string", "text": "Italy"}}
    assert [(atom["path"], atom["kind"]) for atom in recipe["where"]] == [(["country"], "equals")]


def test_a_constant_field_of_a_struct_and_rows_in_no_order_come_back(tmp_path: Path) -> None:
    geo = [{"source": "wifi", "lat": row["lat"]} for row in SELECTED["geo"].to_pylist()]
    nested = SELECTED.set_column(2, "geo", pa.array(geo)).take(
        np.random.default_rng(0).permutation(len(SELECTED))
    )
    write(tmp_path, base=BASE, nested=nested)
    (recipe,) = deleted_and_back(tmp_path, planned(tmp_path, constant_columns=True)).values()
    parts = {part["name"]: part["from"] for part in recipe["columns"][2]["from"]["parts"]}
    assert parts["source"] == {"constant": {"type": "string", "text": "wifi"}}


def test_listed_distinct_and_patched_rows_come_back_with_their_constants(tmp_path: Path) -> None:
    noted = BASE.append_column("note", pa.array([str(i) * 40 for i in range(ROWS)]))
    few = noted.take(np.random.default_rng(1).permutation(ROWS)[:600])
    added = pa.table({"id": range(ROWS, ROWS + 20), "country": ["XX"] * 20})
    write(
        tmp_path,
        base=noted,
        listed=few.append_column("k", pa.repeat(7, len(few))),
        countries=pa.table({"country": ["IT", "FR", "DE"], "k": [None, None, None]}),
        patched=pa.concat_tables([BASE.select(["id", "country"]), added]).append_column(
            "k", pa.repeat(float("nan"), ROWS + 20)
        ),
    )
    plan = planned(tmp_path, constant_columns=True, min_fraction=0.9)
    recipes = deleted_and_back(tmp_path, plan)
    assert {name: recipe["kind"] for name, recipe in recipes.items()} == {
        "listed.parquet": "rows",
        "countries.parquet": "distinct",
        "patched.parquet": "patch",
    }


def test_a_year_without_load_dates_is_its_months_with_them(tmp_path: Path) -> None:
    months = {
        f"base_{month}": BASE.slice(month * 1000, 1000).append_column(
            "loaded_at", pa.repeat(month, 1000)
        )
        for month in range(3)
    }
    write(tmp_path, year=BASE, **months)
    (recipe,) = deleted_and_back(tmp_path, planned(tmp_path, constant_columns=True)).values()
    assert recipe["kind"] == "union"


def test_a_csv_with_a_constant_comes_back_byte_by_byte(tmp_path: Path) -> None:
    write(tmp_path)
    lake, text = tmp_path / "lake", BASE.select(["id", "country"])
    pa.csv.write_csv(text, lake / "base.csv")
    pa.csv.write_csv(text.append_column("batch", pa.repeat("7", ROWS)), lake / "batch.csv")
    recipes = deleted_and_back(tmp_path, planned(tmp_path, constant_columns=True))
    assert set(recipes) == {"batch.csv"}


def test_nothing_is_deleted_on_an_ignored_column_and_the_check_refuses_it(tmp_path: Path) -> None:
    unlike = BASE.append_column("etl_id", pa.array(range(ROWS, 2 * ROWS)))
    write(tmp_path, base=BASE, copy=BASE, unlike=unlike)
    plan = planned(tmp_path, ignore_columns=("etl_*",))
    choices = {table["table"]: table for table in plan["tables"]}
    assert {name for name, t in choices.items() if t["choice"] == "delete"} == {"copy.parquet"}
    assert plan["totals"]["edges_without_recipe"] == {
        "it is in the parent without columns that ignore_columns names: they would be lost": 2
    }
    reason = "no recipe rebuilds it from another table: base.parquet has its rows only without"
    assert choices["unlike.parquet"]["reason"] == f"{reason} etl_id (ignored)"
    forged = json.loads(json.dumps(plan).replace("copy.parquet", "?").replace("unlike", "copy"))
    forged = json.loads(json.dumps(forged).replace("?", "unlike.parquet"))
    rules = {rule for rule, _ in check_plan(forged, tmp_path / "run")}
    assert "ignored-column" in rules


@pytest.mark.parametrize("name", sorted(CONSTANTS))
def test_a_constant_is_read_back_from_json_and_duckdb_knows_its_value_and_type(name: str) -> None:
    scalar = CONSTANTS[name]
    constant = constant_of(pa.repeat(scalar, 3))
    assert constant is not None
    recipe = Project("p", (Output("x", constant), Output("id", Field(("id",)))))
    assert from_data(json.loads(json.dumps(to_data(recipe)))) == recipe
    try:
        sql = query(recipe, {"p": ("p",)}, SqlDialect.DUCKDB)
    except r2d2.errors.R2D2Error:
        assert name in ("text", "no_list", "no_time", "no_type", "local")
        return
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; CREATE TABLE p AS SELECT 1 AS id")
        made = connection.sql(sql).to_arrow_table()["x"].combine_chunks()
    wanted = pa.repeat(scalar, 1)
    if pa.types.is_timestamp(wanted.type):
        made, wanted = made.cast(pa.timestamp("us", "UTC")), wanted.cast(pa.timestamp("us", "UTC"))
    if wanted.type == pa.large_string():
        wanted = wanted.cast(pa.string())
    assert made.type == wanted.type
    assert bits(pa.table({"x": made})) == bits(pa.table({"x": wanted}))


@pytest.mark.parametrize(
    "values",
    [
        pa.array(OWN_NAN),
        pa.array([[1]]),
        pa.array([1], pa.time32("s")),
        pa.array([{"a": 1}]),
        pa.array([1, 2]),
        pa.array([-0.0, 0.0]),
        pa.array([None, 1]),
        pa.array(["a", None]).dictionary_encode(),
    ],
)
def test_what_no_text_can_tell_and_what_varies_is_no_constant(values: pa.Array) -> None:
    assert constant_of(values) is None


@pytest.mark.parametrize(
    ("type_", "text"),
    [("double", "1"), ("double", "NaN"), ("float", "0.1000000001"), ("int8", "300"), ("x", None)],
)
def test_a_constant_with_another_than_its_one_text_is_refused(type_: str, text: str | None) -> None:
    data = to_data(Project("p", (Output("x", Constant("bool", "true")),)))
    data["columns"][0]["from"]["constant"] = {"type": type_, "text": text}
    with pytest.raises(RecipeError, match="constant"):
        from_data(data)


def test_row_numbers_come_back_where_the_rows_are_in_the_parents_order(tmp_path: Path) -> None:
    number = pa.array(range(len(SELECTED)))
    write(
        tmp_path,
        base=BASE,
        part=SELECTED.append_column("__index_level_0__", number),
        whole=BASE.append_column("Unnamed: 0", pa.array(range(ROWS), pa.int16())),
        shuffled=SELECTED.take(np.random.default_rng(2).permutation(len(SELECTED))).append_column(
            "__index_level_0__", number
        ),
    )
    plan = planned(tmp_path, constant_columns=True)
    recipes = deleted_and_back(tmp_path, plan)
    assert set(recipes) == {"part.parquet", "whole.parquet"}
    assert recipes["part.parquet"]["columns"][-1]["from"] == {"row_number": "int64"}


def test_numbered_rows_that_no_predicate_selects_get_no_recipe(tmp_path: Path) -> None:
    few = BASE.take(np.sort(np.random.default_rng(3).permutation(ROWS)[:600]))
    write(tmp_path, base=BASE, few=few.append_column("__index_level_0__", pa.array(range(600))))
    plan = planned(tmp_path, constant_columns=True)
    assert not any(table["choice"] == "delete" for table in plan["tables"])
    assert NUMBERED in plan["totals"]["edges_without_recipe"]
    assert {table["table"]: table["reason"] for table in plan["tables"]}["few.parquet"] == (
        f"no recipe rebuilds it from another table: base.parquet: {NUMBERED}"
    )
    kinds = {kept_kind(table) for table in plan["tables"]}
    assert kinds == {"no recipe rebuilds it from another table", "protected: the source"}
    assert not list(check_plan(plan, tmp_path / "run"))


def test_nothing_is_deleted_on_the_row_numbers_of_a_filtered_frame(tmp_path: Path) -> None:
    number = pa.array(range(0, ROWS, 3))
    write(tmp_path, base=BASE, part=SELECTED.append_column("__index_level_0__", number))
    plan = planned(tmp_path, constant_columns=True)
    assert not list(check_plan(plan, tmp_path / "run"))
    assert {table["table"]: table["reason"] for table in plan["tables"]}["part.parquet"] == (
        "no recipe rebuilds it from another table:"
        " base.parquet has its rows only without __index_level_0__ (index)"
    )
    assert plan["totals"]["edges_without_recipe"] == {
        "it is in the parent without the row numbers of a filtered table: they would be lost": 1
    }


def test_a_csv_with_an_index_comes_back_byte_by_byte(tmp_path: Path) -> None:
    write(tmp_path)
    rows = [f"{i % 7},x{i}" for i in range(ROWS)]
    (tmp_path / "lake/base.csv").write_text("v,s\n" + "\n".join(rows) + "\n")
    lines = [f"{i},{row}" for i, row in enumerate(r for r in rows if r.startswith("3,"))]
    (tmp_path / "lake/part.csv").write_text(",v,s\n" + "\n".join(lines) + "\n")
    recipes = deleted_and_back(tmp_path, planned(tmp_path, constant_columns=True))
    assert recipes["part.csv"]["columns"][0] == {"name": "", "from": {"row_number": "string"}}


def test_parents_beyond_the_memory_give_constants_and_row_numbers_too(tmp_path: Path) -> None:
    number = pa.array(range(len(SELECTED)))
    write(
        tmp_path,
        base=BASE,
        part=SELECTED.append_column("k", pa.repeat(-0.0, len(SELECTED))),
        numbered=SELECTED.append_column("__index_level_0__", number),
    )
    plan = planned(tmp_path, memory_bytes=1 << 14, constant_columns=True)
    assert plan["totals"]["passes_over_parents"]
    assert set(deleted_and_back(tmp_path, plan)) == {"numbered.parquet", "part.parquet"}


def test_numbered_rows_survive_no_other_order_of_the_parents() -> None:
    numbered = Project("p", (Output("n", RowNumber("int64")), Output("id", Field(("id",)))))
    assert survives(numbered, "p", ParentChange.REWRITE) is Survival.NEVER
    assert from_data(to_data(numbered)) == numbered
    with pytest.raises(RecipeError, match="no row number is a double"):
        from_data(to_data(Project("p", (Output("n", RowNumber("double")),))))
    with pytest.raises(UnrenderableRecipeError, match="row numbers"):
        query(numbered, {"p": ("p",)}, SqlDialect.SPARK)


def put_parquet_folders(path: Path, table: pa.Table) -> None:
    pa.dataset.write_dataset(
        table,
        path,
        format="parquet",
        partitioning=pa.dataset.partitioning(pa.schema([("batch", pa.string())]), flavor="hive"),
    )


def put_delta(path: Path, table: pa.Table) -> None:
    write_deltalake(str(path), table)


def put_orc(path: Path, table: pa.Table) -> None:
    orc.write_table(table, f"{path}.orc")


def put_json(path: Path, table: pa.Table) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in table.to_pylist())
    Path(f"{path}.jsonl").write_text(lines)


def put_avro(path: Path, table: pa.Table) -> None:
    kinds = {"int64": "long", "string": "string", "double": "double", "null": "null"}
    fields = [{"name": f.name, "type": ["null", kinds[str(f.type)]]} for f in table.schema]
    schema = {"type": "record", "name": "r", "fields": fields}
    with open(f"{path}.avro", "wb") as file:
        fastavro.writer(file, schema, table.to_pylist())


def rows_of(path: Path) -> list[str]:
    """The rows by what has no code of r2d2's."""
    if (path / "_delta_log").is_dir():
        return bits(pa.table(DeltaTable(str(path)).to_pyarrow_table()))
    if path.is_dir():
        return bits(pa.dataset.dataset(path, partitioning="hive").to_table())
    match path.suffix:
        case ".orc":
            return bits(orc.read_table(path))
        case ".jsonl":
            return sorted(repr(json.loads(line)) for line in path.read_text().splitlines())
        case _:
            with open(path, "rb") as file:
                return sorted(map(repr, fastavro.reader(file)))


@pytest.mark.parametrize("put", [put_delta, put_parquet_folders, put_orc, put_json, put_avro])
def test_constants_come_back_in_every_format(put: Any, tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    whole = BASE.drop_columns(["geo"])
    child = whole.filter(pa.compute.equal(whole["country"], "FR"))
    child = child.append_column("batch", pa.repeat("b 7", len(child)))
    child = child.append_column("zero", pa.repeat(-0.0, len(child)))
    child = child.append_column("none", pa.nulls(len(child), pa.int64()))
    put_ = put_orc if put is put_parquet_folders else put
    put_(tmp_path / "lake/base", whole)
    put(tmp_path / "lake/child", child)
    before = {path.name: rows_of(path) for path in (tmp_path / "lake").glob("child*")}
    plan = planned(tmp_path, constant_columns=True)
    (name,) = {t["table"] for t in plan["tables"] if t["choice"] == "delete"}
    assert check_plan(plan, tmp_path / "run") == ()
    list(rebuild(plan, tmp_path / "run", [name], tmp_path / "back"))
    assert rows_of(tmp_path / "back" / name) == before[name]


def test_one_word_of_a_dictionary_or_view_is_a_constant_and_a_long_one_is_shown_short() -> None:
    words = pa.array(["unused", "long" * 100])
    used = pa.DictionaryArray.from_arrays(pa.array([1, 1, 1], pa.int8()), words)
    both = pa.DictionaryArray.from_arrays(pa.array([1, 0, 1], pa.int8()), words)
    lacking = pa.DictionaryArray.from_arrays(pa.array([1, None, 1], pa.int8()), words)
    assert constant_of(used) == Constant("string", "long" * 100)
    assert constant_of(both) is constant_of(lacking) is None
    assert constant_of(pa.array(["x", "x"], pa.string_view())) == Constant("string", "x")
    shown = str(UnmatchedColumn("w", Why.CONSTANT, "string", "long" * 100))
    assert shown == f"w = '{'long' * 15}…' (constant)"


@pytest.mark.parametrize(
    "values",
    [
        pa.array([(1, 2, 3)] * 2, pa.month_day_nano_interval()),
        pa.array([b"ab"] * 2, pa.binary(2)),
        pa.array([1, 1], pa.duration("s")),
        pa.array([1.0, 1.0], pa.float16()),
        pa.array([{"a": 1}] * 2),
        pa.array([[("k", 1)]] * 2, pa.map_(pa.string(), pa.int8())),
        pa.array([[1]] * 2, pa.list_view(pa.int8())),
    ],
    ids=lambda values: str(values.type),
)
def test_a_type_that_is_not_compared_costs_no_table(values: pa.Array) -> None:
    assert constant_of(values) is None
    assert constant_of(pa.nulls(2, values.type)) == Constant("null", None)
