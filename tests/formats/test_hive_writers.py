"""Hive folders by real writers are read as their flat copies, and come back."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from tests.support.recipes.lakes import come_back

KEYS: dict[str, list[Any]] = {
    "text": ["a b", "x/y=ü", None, "01"],
    "whole": [1, -2, None],
    "real": [1.5, 1e20, float("nan"), 0.1, None],
    "truth": [True, False, None],
    "day": [date(2024, 1, 2), None],
    "moment": [datetime(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5, 123456)],
    "instant": [datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)],
    "money": [Decimal("1.50"), Decimal("-0.05")],
}


def flat(values: list[Any]) -> pa.Table:
    return pa.table(
        {"x": range(3 * len(values)), "k": pa.array(values * 3), "y": ["v"] * 3 * len(values)}
    )


def is_one(lake: Path) -> bool:
    """Whether the folder `t` and the flat file are found equal."""
    return ("flat.parquet", "t") in r2d2.find(lake).classes()


def is_restored(lake: Path, copy: Path) -> bool:
    """Whether the folder `t` comes back with the folders of keys that its writer made."""
    come_back(lake, copy, "t")
    before, after = (
        {path.parent.relative_to(root).as_posix() for path in (root / "t").rglob("*.parquet")}
        for root in (lake, copy)
    )
    return before == after


@pytest.mark.parametrize("name", KEYS)
def test_the_key_in_polars_files_is_the_column_of_its_folders(tmp_path: Path, name: str) -> None:
    polars = pytest.importorskip("polars")
    lake = tmp_path / "lake"
    lake.mkdir()
    frame = polars.from_arrow(flat(KEYS[name]))
    frame.write_parquet(lake / "t", partition_by="k")
    frame.write_parquet(lake / "flat.parquet")
    assert is_one(lake)
    (lake / "flat.parquet").unlink()
    assert is_restored(lake, tmp_path / "copy")


@pytest.mark.parametrize("name", KEYS)
def test_the_key_in_duckdbs_files_is_the_column_of_its_folders(tmp_path: Path, name: str) -> None:
    import duckdb

    lake = tmp_path / "lake"
    lake.mkdir()
    with duckdb.connect() as base:
        base.register("rows", flat(KEYS[name]))
        options = "FORMAT parquet, PARTITION_BY (k), WRITE_PARTITION_COLUMNS true"
        base.execute(f"COPY rows TO '{lake / 't'}' ({options})")
        base.execute(f"COPY rows TO '{lake / 'flat.parquet'}' (FORMAT parquet)")
    assert is_one(lake)
    (lake / "flat.parquet").unlink()
    assert is_restored(lake, tmp_path / "copy")


@pytest.mark.parametrize("writer", ["pyarrow", "pandas", "duckdb"])
@pytest.mark.parametrize("name", KEYS)
def test_the_folders_of_pyarrow_pandas_and_duckdb_come_back(
    tmp_path: Path, writer: str, name: str
) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    if writer == "duckdb":
        import duckdb

        with duckdb.connect() as base:
            base.register("rows", flat(KEYS[name]))
            base.execute(f"COPY rows TO '{lake / 't'}' (FORMAT parquet, PARTITION_BY (k))")
    elif writer == "pandas":
        pytest.importorskip("pandas")
        flat(KEYS[name]).to_pandas().to_parquet(lake / "t", partition_cols=["k"])
    else:
        pq.write_to_dataset(flat(KEYS[name]), lake / "t", partition_cols=["k"])
    assert is_restored(lake, tmp_path / "copy")


@pytest.mark.spark
@pytest.mark.parametrize("name", KEYS)
def test_the_folders_of_spark_come_back(tmp_path: Path, spark: Any, name: str) -> None:
    lake = tmp_path / "lake"
    rows = [(number, value) for number, value in enumerate(KEYS[name])]
    kinds = {"whole": "int", "real": "double", "truth": "boolean", "day": "date"}
    kinds |= {"moment": "timestamp", "instant": "timestamp", "money": "decimal(9,2)"}
    frame = spark.createDataFrame(rows, f"x int, k {kinds.get(name, 'string')}")
    frame.write.partitionBy("k").parquet(str(lake / "t"))
    assert is_restored(lake, tmp_path / "copy")


def test_duckdb_reads_a_folder_that_came_back_as_it_read_the_one_before(tmp_path: Path) -> None:
    import duckdb

    lake = tmp_path / "lake"
    lake.mkdir()
    with duckdb.connect() as base:
        base.register("rows", flat(["b", "a", "c"]))
        options = "FORMAT parquet, PARTITION_BY (k), WRITE_PARTITION_COLUMNS true"
        base.execute(f"COPY rows TO '{lake / 't'}' ({options})")
        come_back(lake, tmp_path / "copy", "t")
        own, made = (
            base.sql(f"SELECT * FROM read_parquet('{root}/t/**/*.parquet') ORDER BY x")
            for root in (lake, tmp_path / "copy")
        )
        assert own.columns == made.columns
        assert own.fetchall() == made.fetchall()


def test_a_folder_that_pandas_wrote_month_by_month_is_one_table(tmp_path: Path) -> None:
    """Columns all of whose values are None are of no type, and integers with gaps are floats."""
    pandas = pytest.importorskip("pandas")
    months = [
        pandas.DataFrame({"month": m, "id": [m, m + 10], "note": note, "late": late})
        for m, note, late in ((1, [None, None], [1.5, 2]), (2, ["x", None], [None, None]))
    ]
    for frame in months:
        frame.to_parquet(tmp_path / "t", partition_cols=["month"])
    whole = pa.table(
        {
            "id": [1, 11, 2, 12],
            "note": [None, None, "x", None],
            "late": pa.array([1.5, 2, None, None]),
            "month": pa.array([1, 1, 2, 2], pa.int32()),
        }
    )
    pq.write_table(whole, tmp_path / "flat.parquet")
    assert is_one(tmp_path)


@pytest.mark.parametrize("kind", ["csv", "json", "orc"])
def test_a_key_in_files_of_text_and_orc_too_is_one_column(tmp_path: Path, kind: str) -> None:
    lake = tmp_path / "lake"
    for key in ("a", "b"):
        folder = lake / "t" / f"k={key}"
        folder.mkdir(parents=True)
        if kind == "csv":
            (folder / "x.csv").write_text(f"x,k\n1{key},{key}\n2,{key}\n")
        elif kind == "json":
            (folder / "x.json").write_text(
                f'{{"x":"1{key}","k":"{key}"}}\n{{"x":"2","k":"{key}"}}\n'
            )
        else:
            from pyarrow import orc

            orc.write_table(pa.table({"x": [f"1{key}", "2"], "k": [key] * 2}), folder / "x.orc")
    rows = pa.table({"x": ["1a", "2", "1b", "2"], "k": ["a", "a", "b", "b"]})
    pq.write_table(rows, lake / "flat.parquet")
    assert is_one(lake)
    come_back(lake, tmp_path / "copy", "t")


COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "n": (pa.int64(), [None, 0, 1, 127]),
    "f": (pa.float64(), [None, 0.5, -2.0]),
    "d": (pa.decimal128(20, 2), [None, Decimal("1.50"), Decimal("-3.00")]),
    "t": (pa.string(), [None, "", "a"]),
    "l": (pa.list_(pa.int64()), [None, [], [None], [1, 2]]),
    "s": (pa.struct([("a", pa.int64()), ("b", pa.string())]), [None, {"a": 1, "b": None}]),
}
NARROW = {
    "n": [pa.int8(), pa.int32(), pa.int64()],
    "f": [pa.float32(), pa.float64()],
    "d": [pa.decimal128(7, 2), pa.decimal128(20, 2)],
    "l": [pa.list_(pa.int16()), pa.list_(pa.int64())],
}


@pytest.mark.parametrize("seed", range(25))
def test_files_that_differ_at_random_are_the_table_that_they_were_cut_from(
    tmp_path: Path, seed: int
) -> None:
    chance = Random(seed)
    lake = tmp_path / "lake"
    names = chance.sample(sorted(COLUMNS), chance.randint(2, 5))
    parts = []
    for key in range(chance.randint(2, 4)):
        rows = chance.randint(1, 4)
        part = {"id": pa.array(range(key * 10, key * 10 + rows))}
        for name in names:
            type_, values = COLUMNS[name]
            chosen = values if chance.random() < 0.6 else [None]
            part[name] = pa.array([chance.choice(chosen) for _ in range(rows)], type_)
        part["k"] = pa.array([key] * rows, pa.int32())
        parts.append(pa.table(part))
        write_part(chance, parts[-1], lake / "t" / f"k={key}", key)
    last = {name: pa.array(COLUMNS[name][1][-1:], COLUMNS[name][0]) for name in names}
    parts.append(pa.table({"id": [90], **last, "k": pa.array([9], pa.int32())}))
    (lake / "t" / "k=9").mkdir()
    pq.write_table(parts[-1].drop_columns("k"), lake / "t" / "k=9" / "part.parquet")
    whole = pa.concat_tables(parts)
    pq.write_table(whole, lake / "flat.parquet")
    place = chance.randrange(whole.num_rows)
    changed = whole.set_column(
        0, "id", pa.array([99 if n == place else v for n, v in enumerate(whole["id"].to_pylist())])
    )
    pq.write_table(changed, lake / "near.parquet")
    found = r2d2.find(lake)
    pairs = {(edge.child, edge.parent) for edge in found.edges}
    assert pairs >= {("t", "flat.parquet"), ("flat.parquet", "t")}
    assert not {("t", "near.parquet"), ("near.parquet", "t")} & pairs
    (lake / "near.parquet").unlink()
    (lake / "flat.parquet").unlink()
    come_back(lake, tmp_path / "copy", "t")


def write_part(chance: Random, part: pa.Table, folder: Path, number: int) -> None:
    """The rows as some writer might have left them: narrower, renamed, columns left out."""
    folder.mkdir(parents=True)
    columns = {}
    for name in part.column_names:
        column = part[name].combine_chunks()
        is_empty = column.null_count == len(column)
        if name == "k" and chance.random() < 0.5:
            continue
        if is_empty and name != "k" and chance.random() < 0.7:
            if chance.random() < 0.5:
                continue
            column = pa.nulls(len(column))
        elif name in NARROW:
            column = column.cast(chance.choice(NARROW[name]))
        spelled = name.upper() if number and name != "id" and chance.random() < 0.3 else name
        columns[spelled] = column
    items = list(columns.items())
    if number:
        chance.shuffle(items)
    pq.write_table(pa.table(dict(items)), folder / "part.parquet")
